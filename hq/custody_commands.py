"""`consentry-hq member erase`, `erasure` and `export`, and `consentry-hq keys`: members' rights and HQ's wrapping key.

I/O: the terminal.
"""

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from hq import erasure, rewrap, rights
from hq.command_line import Part, actions, command
from hq.database import reading, writing
from hq.erasure import Erasure
from hq.errors import Reason, Refused
from hq.office import Office
from hq.tables import links

if TYPE_CHECKING:
    from hq.command_line import Commands

_EXIT_OPEN = 75  # EX_TEMPFAIL of sysexits.h: asked for, and not yet done everywhere


def _options(commands: "Commands") -> None:
    added = actions(command(commands, "keys", "HQ's own keys"))
    command(added, "show", "name the wrapping key in use and the key set, and tell what still lacks them")
    command(added, "rewrap", "wrap every key in the database anew, under the newest wrapping key",
            "HQ may serve meanwhile. Broken off, it goes on when it is run again.")  # fmt: skip


def _erase(office: Office, chosen: argparse.Namespace, now_ms: int) -> int:
    if not chosen.yes:
        if not sys.stdin.isatty():
            raise Refused(Reason.MALFORMED, "--yes", "--yes, where nobody can be asked")
        print("Everything that HQ and the stores hold of this member is erased. It cannot be undone.", file=sys.stderr)
        if input("Type the member's id again: ") != chosen.member:
            print("nothing was erased", file=sys.stderr)
            return 1
    reference = erasure.erase(office.engine, office.keys, chosen.member, now_ms)
    print(f"erased at HQ; reference {reference.hex()}")
    return _erasure(office, argparse.Namespace(wanted=reference.hex()), now_ms)


def _erasure(office: Office, chosen: argparse.Namespace, now_ms: int) -> int:
    with reading(office.engine) as connection:
        found = erasure.find(connection, office.keys, chosen.wanted)
    if not found:
        raise Refused(
            Reason.UNKNOWN_MEMBER, "MEMBER",
            "the reference of an erasure, or the id of a member whom not every store has forgotten yet",
        )  # fmt: skip
    for one in found:
        _show(one)
    erasure.forget(office.engine)
    return 0 if all(one.is_done for one in found) else _EXIT_OPEN


def _show(one: Erasure) -> None:
    done = sum(store.done_ms is not None for store in one.stores)
    asked = f"erasure {one.reference.hex()}, asked for {_when(one.asked_ms)}"
    print(f"{asked}: {done} of {len(one.stores)} stores answered")
    for store in one.stores:
        print(f"  {store.store:<24} {store.progress.value:<8} {_when(store.done_ms)}".rstrip())


def _when(at_ms: int | None) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at_ms else ""


def _export(office: Office, chosen: argparse.Namespace, now_ms: int) -> int | None:
    with writing(office.engine) as connection:
        found = rights.export(connection, office.keys, chosen.member, now_ms)
    print(json.dumps(found, ensure_ascii=False, indent=2))
    return None


def _keys_show(office: Office, chosen: argparse.Namespace, now_ms: int) -> int | None:
    old = rewrap.count_old(office.engine, office.keys.custody)
    print(f"wrapping key {office.keys.custody.newest.hex()} in use; {old} keys are wrapped under another one")
    keys = office.keys
    ends, count = _when(keys.key_set_ends_s * 1000), len(keys.signers)
    print(f"key set {keys.key_set_version}, good until {ends}; {count} signing keys")
    behind = select(links.c.store).where(links.c.key_set_version < keys.key_set_version).order_by(links.c.store)
    with reading(office.engine) as connection:
        stores = connection.scalars(behind).all()
    print(
        "every store has it" if not stores else f"stores that have not told yet that they have it: {' '.join(stores)}"
    )
    return None


def _keys_rewrap(office: Office, chosen: argparse.Namespace, now_ms: int) -> int | None:
    changed = rewrap.rewrap(office.engine, office.keys.custody)
    print(f"{changed} keys wrapped anew")
    return _keys_show(office, chosen, now_ms)


PART = Part(
    _options,
    {
        ("member", "erase"): _erase,
        ("member", "erasure"): _erasure,
        ("member", "export"): _export,
        ("keys", "show"): _keys_show,
        ("keys", "rewrap"): _keys_rewrap,
    },
)
