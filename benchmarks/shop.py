"""A store with many members for a benchmark: the real programs on loopback, and sightings as an edge sends them.

It stands on the demo's folder and keeper of programs. Everything is in a temporary folder, which goes at the end.

I/O: the folder, loopback, the programs, HQ's database.
"""

import json
import re
import secrets
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import demo.scene
from demo.store import NODE, Plan, Store, now_ms
from demo.tablet import Tablet
from hq import importer
from wire import sighting, token
from wire.sighting import Sighting
from wire.token import Kind

ASSOCIATE: Final = "nina"
PIN: Final = "2580"
EVERY_S: Final = 0.5  # how often an edge tells of each phone
_DAY_S: Final = 86_400
_ROLES: Final = ["associate", "manager"]
_SCOPES: Final = ["name.first", "size.shoe", "fit.jacket", "brand.liked", "wishlist"]


class Shop:
    """A provisioned store; `members` of them are known to HQ before anything starts. Phones: one of each member.

    `zones`: more of them than the demo's policy has, in its form.
    """

    def __init__(self, folder: Path, members: int, zones: str = "") -> None:
        shutil.copytree(demo.scene.POLICY.parent, folder / "shop")
        policy = folder / "shop" / demo.scene.POLICY.name
        text = policy.read_text(encoding="utf-8")
        # The demo's lease of seconds would end while the machine is busy with the benchmark.
        for name, value in (("lease_s", 600), ("heartbeat_s", 15)):
            text, found = re.subn(rf"^{name} = \d+$", f"{name} = {value}", text, flags=re.M)
            assert found == 1, f"the demo's policy states no {name}"
        first, marker, rest = text.partition("\n[[stores.zones]]")
        policy.write_text(first + zones + marker + rest)
        self.store = Store(folder, Plan(policy))
        self.secrets = [secrets.token_bytes(token.SECRET_BYTES) for _ in range(members)]
        self.store.office.add_staff(ASSOCIATE, self.store.plan.store, "Nina", "associate", PIN, now_ms())
        lines = (self._line(number, secret) for number, secret in enumerate(self.secrets))
        report = importer.run(self.store.office.engine, self.store.office.keys, lines, now_ms())
        if report.refused:
            raise RuntimeError(f"line {report.refused[0].line} was refused: {report.refused[0].hint}")
        self.tablet = Tablet(self.store.address)

    def _line(self, number: int, secret: bytes) -> bytes:
        now_s = now_ms() // 1000
        common = {"stores": [self.store.plan.store], "roles": _ROLES, "until_days": 300}
        about = {"source": "zero", "surface": "app", "collected": now_s - _DAY_S}
        return json.dumps(
            {
                "member": f"m-{number}",
                "age_at_least": 21,
                "jurisdiction": "DE",
                "mode": "open",
                "name": "always",
                "chosen": now_s,
                "phones": [secret.hex()],
                "grants": [{"purpose": "presence", **common}, {"purpose": "assist", "scopes": _SCOPES, **common}],
                "profile": {
                    "name.first": {"value": f"Name {number}", **about},
                    "size.shoe": {"value": str(36 + number % 12), **about},
                    "fit.jacket": {"value": "slim", **about},
                    "brand.liked": {"value": ["Karst", "Sund"], **about},
                },
            }
        ).encode()

    def open(self, live_within_s: float) -> float:
        """Starts all; returns how many seconds after the gateway's start the store was live."""
        self.store.start_broker()
        self.store.start_hq()
        self.store.wait_ready("hq")
        began = time.monotonic()
        self.store.start_gateway()
        self.store.start_tablets()
        self.store.start_edge(replay=True)
        self.store.wait_ready("gateway", "tablets", "edge")
        self.store.wait_live(live_within_s)
        return time.monotonic() - began

    def sign_in(self) -> None:
        """Pairs the tablet and signs the associate in on it."""
        self.tablet.pair(self.store.pairing_code(), "Benchmark")
        answer = self.tablet.sign_in(ASSOCIATE, PIN)
        if answer.status != 201:
            raise RuntimeError(f"sign-in was answered with {answer.status}")

    @contextmanager
    def present(self, phones: int) -> Iterator[None]:
        """So many phones are heard, twice a second each, until the block ends."""
        stop = threading.Event()
        heard = threading.Thread(target=self._tell, args=(self.secrets[:phones], stop), daemon=True)
        heard.start()
        try:
            yield
        finally:
            stop.set()
            heard.join()

    def _tell(self, heard: list[bytes], stop: threading.Event) -> None:
        gateway = str(self.store.at / "run/sightings.sock")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            while not stop.wait(EVERY_S):
                now_s = now_ms() // 1000
                slot = token.slot_of(now_s)
                boot_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
                sightings = [
                    Sighting(
                        NODE,
                        token.token(token.day_key(secret, token.day_of(now_s)), Kind.PRESENCE, slot),
                        -60, 3, boot_ms - 400, boot_ms,
                    )
                    for secret in heard
                ]  # fmt: skip
                for datagram in sighting.encode_batch(NODE, sightings):
                    line.sendto(datagram, gateway)

    def close(self) -> None:
        """Ends all programs."""
        self.store.close()


@contextmanager
def shop(members: int, zones: str = "") -> Iterator[Shop]:
    """A store in a folder of its own, which is removed at the end."""
    # Short: the path of a socket ends at 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="consentry-bench-"))
    try:
        made = Shop(folder, members, zones)
        try:
            yield made
        finally:
            made.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
