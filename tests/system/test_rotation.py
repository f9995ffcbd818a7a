"""HQ's keys rotate while records flow, events are made and leases go on: nothing is lost, and no store goes dark."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from demo.store import now_ms
from hq import keys as hq_keys
from hq import policy_file
from hq.database import reading
from hq.tables import incarnations, links, store_events
from provisioning.__main__ import run
from tests.system.store import POLICY, STORE, Shop, of_value, until
from wire.member import Mode
from wire.sync import EventKind

pytestmark = [pytest.mark.system, pytest.mark.long]


@pytest.fixture
def shop(needs: Callable[[str], str]) -> Iterator[Shop]:
    """A shop that is open."""
    for program in ("mosquitto", "dbus-daemon"):
        needs(program)
    made = Shop()
    try:
        yield made.open()
    finally:
        made.close()


class Load:
    """HQ changes one member's value again and again, in a thread of its own; the last one written is known."""

    def __init__(self, shop: Shop, member: str) -> None:
        self._shop, self._member = shop, member
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self.written = 0
        self._thread.start()

    def _work(self) -> None:
        while not self._stop.wait(0.05):
            field = of_value("fit.jacket", f"value-{self.written + 1}", now_ms() // 1000)
            self._shop.store.office.set_profile(self._member, [field], now_ms())
            self.written += 1

    def stop(self) -> str:
        """Ends it; the value that stands."""
        self._stop.set()
        self._thread.join()
        return f"value-{self.written}"


def version_told(shop: Shop) -> int:
    """Which key set the store said that it has."""
    with reading(shop.store.office.engine) as connection:
        return connection.scalar(select(links.c.key_set_version).where(links.c.store == STORE)) or 0


def pairings_stored(shop: Shop) -> int:
    """How many pairings HQ has from the store."""
    with reading(shop.store.office.engine) as connection:
        kind = store_events.c.kind == int(EventKind.PAIRING)
        return connection.scalar(select(func.count()).select_from(store_events).where(kind)) or 0


def load(shop: Shop) -> hq_keys.Keys:
    """HQ's keys as a new process would read them."""
    etc: Path = shop.folder / "hq/etc/consentry"
    return hq_keys.load(etc / "keys.cbor", shop.folder / "hq/credentials/hq")


def test_a_rotation_under_load_loses_nothing(shop: Shop) -> None:
    """Rotate, restart, retire, restart: the last value and every event arrive once, the floor stays lit."""
    person = shop.join(Mode.OPEN, ("fit.jacket",))
    draft = policy_file.read(POLICY)
    # A restart of HQ under load takes longer than the test's usual lease of 6 s.
    longer = replace(draft.main, version=draft.main.version + 1, lease_s=120)
    shop.store.office.publish_policy(replace(draft, main=longer), now_ms())
    tablet = shop.tablet()
    until(lambda: shop.store.light().length_s == 120, what="the longer lease")
    stream = tablet.follow()
    handle = shop.arrive(person, stream)
    changing = Load(shop, person.member)
    before = load(shop)
    assert version_told(shop) == before.key_set_version
    for step in ("rotate", "retire"):
        assert run(["hq-keys", step, "--folder", str(shop.folder)]) == 0
        shop.stop("hq")
        shop.tablet()  # a pairing, which HQ cannot be told of now
        shop.start("hq")
        version = load(shop).key_set_version
        until(lambda version=version: version_told(shop) == version, what="the store's word that it has the new keys")
        shop.tablet()
    after = load(shop)
    assert not set(after.sealing) & set(before.sealing)
    assert after.signers[0].number != before.signers[0].number
    last = changing.stop()
    until(lambda: last in json.dumps(tablet.card(handle).body), what="the last value")
    until(lambda: pairings_stored(shop) >= 5, what="the pairings at HQ")
    with reading(shop.store.office.engine) as connection:
        lost = connection.scalar(select(func.sum(incarnations.c.lost)))
    assert (pairings_stored(shop), lost) == (5, 0), "each once, and none missing"
    assert {body["lease"]["light"] for _, body in stream.seen if "lease" in body} <= {"live"}
    assert stream.lease["light"] == "live"
    stream.close()
