#!/usr/bin/env python3
"""A loyalty app's phone in a terminal: signs in, reads notices, agrees, is heard, asks for help, takes it all back.

    python3 examples/phone KEEP story LINK STORE SOCKET

KEEP is the file in which the phone keeps what an app keeps; LINK the link of a sign-in mail; SOCKET the gateway's
`sightings.sock`, since this phone has no radio. Each step is a command of its own too: `python3 examples/phone --help`.
Python 3.11 and the package `cryptography`; nothing of Consentry is imported.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import radio
import tokens
from app import Hq, Kept, Refused

REDIRECT = "com.example.app:/signed-in"  # one of `web.app_redirects` of HQ
HELD_S = 3  # so often this phone says its token; a real one four times a second while help is asked for
PATIENCE_S = 60


def tell(line: str) -> None:
    """A line for whoever watches."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def now_slot() -> tuple[int, int]:
    """The slot of now, and how many seconds are left of it."""
    now_s = int(time.time())
    return tokens.slot_at(now_s), tokens.SLOT_S - now_s % tokens.SLOT_S


def key_of(kept: Kept) -> tuple[bytes, int]:
    """The day key and the slot of now. Works without any network."""
    slot, _ = now_slot()
    return tokens.day_key(bytes.fromhex(kept.held["secret"]), slot), slot


def sign_in(hq: Hq, kept: Kept, link: str) -> None:
    """With the link from the mail."""
    hq.sign_in(link, REDIRECT)
    kept.put(token=hq.token)
    tell("signed in")


def agree(hq: Hq, kept: Kept, store: str) -> None:
    """Shows the notices, then gives what this shopper wants, and gets the presence secret, once."""
    notices = hq.call("GET", f"/api/v1/notices?store={store}")["notices"]
    for one in notices:
        tell(f"read: {one['label']}")
    hq.call(
        "PATCH", "/api/v1/me/choices",
        {"changes": [
            {"act": "add-store", "store": store},
            {"act": "give", "purpose": "presence", "stores": [store]},
            {"act": "give", "purpose": "assist", "stores": [store]},
        ]},
    )  # fmt: skip
    if "secret" not in kept.held:
        made = hq.call("POST", "/api/v1/me/phones", {})
        kept.put(secret=made["presence_secret"], phone=made["id"])
    tell(f"agreed to presence and help at {store}; this phone can be recognised there")


def adverts(kept: Kept, kind: int, company: int) -> None:
    """Prints what the radio would send now. Works without any network."""
    key, slot = key_of(kept)
    made = tokens.token(key, kind, slot)
    for name, raw in tokens.adverts(made, company).items():
        tell(f"{name} {raw.hex()}")
    tell(f"sign {tokens.sign(key, slot)}, leave code {tokens.leave_code(key, slot)}, {now_slot()[1]} s left")


def call_for_help(hq: Hq, kept: Kept, socket: str, node: str, until: Callable[[dict], bool]) -> dict:
    """Says the help token until HQ tells what is waited for; in mode help the radio is silent before and after."""
    key, slot = key_of(kept)
    tell(f"help: show the sign {tokens.sign(key, slot)}")
    end_s, found = time.monotonic() + PATIENCE_S, {"state": "none"}
    while time.monotonic() < end_s:
        key, slot = key_of(kept)
        boot_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
        radio.say(socket, node, tokens.token(key, tokens.HELP, slot), boot_ms)
        found = hq.call("GET", "/api/v1/me/help")
        if until(found):
            tell(f"help: {found['state']} at {found.get('store', '')}")
            return found
        time.sleep(HELD_S / 10)
    raise Refused(408, {"code": "nobody", "title": "Nobody heard this phone."})


def mirror(hq: Hq, store: str) -> None:
    """What an associate would see."""
    seen = hq.call("GET", f"/api/v1/me/mirror?store={store}")["asked"]
    if seen is None:
        tell("an associate sees nothing of you")
        return
    sections = [line for part in seen["sections"] for line in part["lines"]]
    tell("an associate sees: " + ", ".join(line["label"] for line in [*seen["lead"], *sections]))


def leave(hq: Hq, kept: Kept) -> None:
    """Everything, everywhere; the phone forgets its secret first, so that it works without network too."""
    phone = kept.held.pop("phone", None)
    kept.held.pop("secret", None)
    kept.put()
    hq.call("PATCH", "/api/v1/me/choices", {"changes": [{"act": "leave"}]})
    if phone is not None:
        hq.call("DELETE", f"/api/v1/me/phones/{phone}")
    tell("withdrawn: everything, everywhere")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="phone", description="A loyalty app's phone in a terminal.")
    parser.add_argument("keep", type=Path, metavar="KEEP", help="the file in which the phone keeps what an app keeps")
    parser.add_argument("--hq", default="http://127.0.0.1:8444", metavar="URL", help="HQ's public address")
    parser.add_argument("--ca", metavar="FILE", help="whom to trust, where the system does not know HQ's authority")
    parser.add_argument("--node", default="edge-1", help="the receiver before which the phone stands")
    parser.add_argument("--company", type=lambda text: int(text, 0), default=0xFFFF, help="of format F2")
    steps = parser.add_subparsers(dest="step", required=True)
    for name, wanted in (
        ("sign-in", ("link",)), ("agree", ("store",)), ("adverts", ()), ("help-adverts", ()), ("call", ("socket",)),
        ("mirror", ("store",)), ("leave", ()), ("story", ("link", "store", "socket")),
    ):  # fmt: skip
        added = steps.add_parser(name)
        for one in wanted:
            added.add_argument(one, metavar=one.upper())
    chosen = parser.parse_args()
    kept = Kept(chosen.keep)
    hq = Hq(chosen.hq, kept.held.get("token", ""), chosen.ca)
    try:
        match chosen.step:
            case "sign-in":
                sign_in(hq, kept, chosen.link)
            case "agree":
                agree(hq, kept, chosen.store)
            case "adverts":
                adverts(kept, tokens.PRESENCE, chosen.company)
            case "help-adverts":
                adverts(kept, tokens.HELP, chosen.company)
            case "call":
                call_for_help(hq, kept, chosen.socket, chosen.node, lambda found: found["state"] == "waiting")
            case "mirror":
                mirror(hq, chosen.store)
            case "leave":
                leave(hq, kept)
            case "story":
                sign_in(hq, kept, chosen.link)
                agree(hq, kept, chosen.store)
                mirror(hq, chosen.store)
                call_for_help(hq, kept, chosen.socket, chosen.node, lambda found: found["state"] == "waiting")
                leave(hq, kept)
                mirror(hq, chosen.store)
    except Refused as refused:
        sys.stderr.write(f"phone: {refused}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
