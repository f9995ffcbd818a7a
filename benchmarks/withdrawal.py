"""How long a withdrawal at HQ takes to all open tablets while another collection fills, beside a bare MQTT round trip.

The real broker, HQ, gateway and tablet API on loopback. One member after the other withdraws everything; each of the
open streams of server-sent events is to lose that visit. The clock runs from HQ's commit.

I/O: clocks, loopback, the programs, HQ's database.
"""

import http.client
import itertools
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from benchmarks.report import Row, percentile
from benchmarks.shop import Shop, shop
from demo.store import now_ms
from demo.tablet import Address, Stream
from hq import collections
from hq.database import writing
from wire import schema, sync
from wire.catalog import CatalogItem
from wire.sync import Collection

MEMBERS = 100_000
STREAMS = 100
WITHDRAWALS = 60
ITEMS = 100_000  # of the catalog that fills meanwhile
_LIVE_S = 1_800.0
_WITHIN_S = 60.0
_PAUSE_S = 0.3  # between two withdrawals
_BARE = 200
_OF_ONE_ADDRESS = 10
_BARE_BYTES = 2_000  # about what a sealed withdrawal has


def run(quick: bool) -> list[Row]:
    """The figures. `quick`: 15 members, 5 streams, 5 withdrawals, 2,000 items."""
    members, streams, times, items = (15, 5, 5, 2_000) if quick else (MEMBERS, STREAMS, WITHDRAWALS, ITEMS)
    with shop(members) as opened:
        _publish(opened, items)
        opened.open(_LIVE_S)
        opened.sign_in()
        with opened.present(times + 10), _open(opened, streams) as open_streams:
            _wait(lambda: all(len(one.visits) == times + 10 for one in open_streams), "everybody is on each floor")
            bare = _round_trips(opened)
            idle, _ = _withdrawals(opened, open_streams, range(times // 3))
            before = _slices(opened)
            _give(opened)
            _wait(lambda: _slices(opened) > before, "the catalog fills")
            filling, slices = _withdrawals(opened, open_streams, range(times // 3, times))
    rows = []
    way = f"of {members:,}, from HQ's commit to the last of {streams} streams"
    for what, taken in (("nothing else goes on", idle), (f"a catalog of {items:,} items fills", filling)):
        for name, share in (("median", 0.5), ("p99", 0.99), ("longest", 1.0)):
            figure, baseline = percentile(taken, share), percentile(bare, share)
            rows.append(
                Row(
                    f"{way} while {what}, {name} of {len(taken)}",
                    f"{figure * 1e3:.0f} ms", f"{baseline * 1e3:.1f} ms bare MQTT", figure / baseline,
                )
            )  # fmt: skip
    return [*rows, Row("slices of the fill that were applied meanwhile", f"{slices}")]


def _publish(opened: Shop, items: int) -> None:
    """HQ has the catalog, and the store not yet."""
    found = {
        f"sku-{number}".encode(): schema.encode(
            CatalogItem(f"Item {number}", ("Shoes", "Boots"), ("rain", "city"), ("new",), "p" * 100, "s" * 120)
        )
        for number in range(items)
    }
    collections.publish(opened.store.office.engine, Collection.CATALOG, "large", found, now_ms())


def _give(opened: Shop) -> None:
    with writing(opened.store.office.engine) as connection:
        collections.give(connection, opened.store.plan.store, Collection.CATALOG, "large")


def _slices(opened: Shop) -> int:
    return next((one.value for one in opened.store.status().counters if one.name == "fill_slices"), 0)


@contextmanager
def _open(opened: Shop, count: int) -> Iterator[list[Stream]]:
    streams: list[Stream] = []
    try:
        for number in range(count):
            address = opened.store.address
            source = f"127.0.1.{1 + number // _OF_ONE_ADDRESS}"  # the tablet API bounds what one address may hold
            streams.append(Stream(_From(address.host, address.port, address.authority, source), opened.tablet.session))
        yield streams
    finally:
        for one in streams:
            one.close()


@dataclass(frozen=True, slots=True)
class _From(Address):
    """The tablet API as a machine with another address sees it."""

    source: str = "127.0.0.1"

    def connect(self, timeout_s: float | None) -> http.client.HTTPConnection:
        """A new connection, with this address of ours."""
        context = ssl.create_default_context(cafile=self.authority)
        return http.client.HTTPSConnection(
            self.host, self.port, timeout=timeout_s, context=context, source_address=(self.source, 0)
        )


def _withdrawals(opened: Shop, streams: list[Stream], numbers: range) -> tuple[list[float], int]:
    """Seconds from each commit until the last stream has lost the visit; how many slices were applied meanwhile."""
    before, taken = _slices(opened), []
    for number in numbers:
        left = len(streams[0].visits) - 1
        opened.store.office.withdraw(f"m-{number}", now_ms())
        began = time.perf_counter()
        for one in streams:
            if not one.wait(lambda seen, left=left: len(seen.visits) <= left, _WITHIN_S):  # type: ignore[misc]
                raise RuntimeError(f"a withdrawal was not seen within {_WITHIN_S:.0f} s")
        taken.append(time.perf_counter() - began)
        time.sleep(_PAUSE_S)
    return taken, _slices(opened) - before


def _round_trips(opened: Shop) -> list[float]:
    """Seconds from publishing on the store's fast lane as HQ to hearing it as the store, by two bare clients."""
    store = opened.store
    heard, subscribed = threading.Event(), threading.Event()
    certs = store.folder / "hq/etc/consentry/certs/hq.pem", store.folder / "hq/credentials/hq/broker-key"
    own = store.at / "etc/consentry/certs/store.pem", store.at / "credentials/gateway/broker-key"
    topic, taken = sync.now(store.plan.store), []
    speaker, hearer = _client(opened, *map(str, certs)), _client(opened, *map(str, own))
    hearer.on_connect = lambda client, *_: client.subscribe(topic, 1)
    hearer.on_subscribe = lambda *_: subscribed.set()
    hearer.on_message = lambda *_: heard.set()
    try:
        for one in (hearer, speaker):
            one.connect("127.0.0.1", store.broker_port)
            one.loop_start()
        if not subscribed.wait(_WITHIN_S):
            raise RuntimeError("the broker takes no bare client")
        for _ in range(_BARE):
            heard.clear()
            began = time.perf_counter()
            speaker.publish(topic, bytes(_BARE_BYTES), 1)
            if not heard.wait(_WITHIN_S):
                raise RuntimeError("the broker lost a bare message")
            taken.append(time.perf_counter() - began)
    finally:
        for one in (hearer, speaker):
            one.disconnect()
            one.loop_stop()
    return taken


_NUMBERS = itertools.count(1)


def _client(opened: Shop, certificate: str, key: str) -> mqtt.Client:
    made = mqtt.Client(
        CallbackAPIVersion.VERSION2, client_id=f"bare-{next(_NUMBERS)}", protocol=MQTTProtocolVersion.MQTTv311
    )
    ca = str(opened.store.at / "etc/consentry/certs/broker-ca.pem")
    made.tls_set(ca, certificate, key, cert_reqs=ssl.CERT_REQUIRED)
    return made


def _wait(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _WITHIN_S
    while not true():
        if time.monotonic() > end:
            raise RuntimeError(f"not within {_WITHIN_S:.0f} s: {what}")
        time.sleep(0.1)
