"""Reading iPhones in the background: the real bleak, against a BlueZ whose phones answer, fail, hang or are foreign."""

import asyncio
import time
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from edge import overflow, reader
from edge.node import Node
from edge.overflow import Memory, Outcome
from edge.reader import Reader
from edge.recovery import Step
from edge.scanner import Scanner, Shared
from tests.edge.running import edge_and_gateway
from tests.fakes.bluez_gatt import NOT_PAIRED, LinkingBluetoothd, Server, Stage
from wire import air

TOKEN = bytes(range(16))
OTHER = bytes(range(16, 32))
PHONE = "C0:00:00:00:00:01"
MEMBER = "C0:00:00:00:00:02"
FIRST = "00:00:00:00:5A:AD"
SECOND = "00:00:00:00:00:0B"
BIT = air.overflow_bit(air.SERVICE_UUID)
MASK = bytes(0x80 >> BIT % 8 if at == BIT // 8 else 0 for at in range(16))
OVERFLOW = b"\x02\x01\x1a\x14\xff\x4c\x00\x01" + MASK
# As recent phones send it: nearby info in the advertisement, the overflow area behind another TLV in the response.
RECENT = (
    b"\x02\x01\x1a\x0a\xff\x4c\x00\x10\x05\x03\x1c\x0a\x0b\x0c" + b"\x19\xff\x4c\x00\x10\x03\x02\x0b\x00\x01" + MASK
)
FOREIGN = str(UUID("9aa4730f-b25c-4cc3-b821-c931559fc196"))


def _boot_ms():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class _Reading:
    """A fake bluetoothd, and for each radio a node that scans and reads."""

    def __init__(self, fake, nodes, scanners):
        self.fake = fake
        self.nodes = nodes
        self.scanners = scanners
        self.sightings = []

    def take(self):
        """The sightings up to now."""
        for node in self.nodes:
            self.sightings += node.take()
        return self.sightings

    def heard(self, token):
        """How many adverts and reads told this token up to now."""
        return sum(one.count for one in self.take() if one.token == token)

    def outcomes(self, of=0):
        """How the reads ended that did."""
        counters = self.nodes[of].counters()
        return {
            outcome: counters[f"reads_{outcome.value}"] for outcome in Outcome if counters[f"reads_{outcome.value}"]
        }

    async def until(self, condition, seconds=20.0):
        """Waits for it."""
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def _reading(bus, *radios):
    """Scanning and reading with the first radio, or with each of these addresses."""
    fake = LinkingBluetoothd(bus.address)
    await fake.start()
    if SECOND in radios:
        fake.add("hci1", SECOND)
    shared, memory = Shared(), Memory()
    nodes, scanners, tasks = [], [], []
    for number, address in enumerate(radios or (None,)):
        node = Node(f"till-{number}", 0xFFFF, _boot_ms, memory)
        scanner = Scanner(address, node.hear, node.overflow, node.front, shared=shared)
        await scanner.take(Step.REBUILD)
        nodes.append(node)
        scanners.append(scanner)
        tasks.append(asyncio.create_task(Reader(node).keep()))
    try:
        yield _Reading(fake, nodes, scanners)
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for scanner in scanners:
            await scanner.stop()
        await fake.close()


@pytest.fixture
def hasty(monkeypatch):
    """The limits of a read, made short; what they are is tested with the planner."""
    monkeypatch.setattr(reader, "ASK_S", 0.4)
    monkeypatch.setattr(reader, "LEAVE_S", 0.15)
    monkeypatch.setattr(reader, "READ_S", 0.7)
    monkeypatch.setattr(reader, "LINGER_S", 0.1)


@pytest.mark.parametrize("raw", [OVERFLOW, RECENT], ids=["alone", "in the scan response, behind another TLV"])
def test_a_token_is_read_and_each_further_advert_is_a_sighting(bus, raw):
    """One link for one token; the phone is forgotten by BlueZ after it, and its adverts then tell the token."""

    async def run():
        async with _reading(bus) as one:
            one.fake.servers[PHONE] = Server(air.answer(TOKEN))
            one.fake.advertise(PHONE, -60, raw, 0.05)
            await one.until(lambda: one.heard(TOKEN) >= 10)
            assert one.outcomes() == {Outcome.TOKEN: 1}
            assert (len(one.fake.asked), one.fake.removed, one.fake.linked) == (1, 1, set())
            assert "Pair" not in one.fake.calls
            assert {sighting.token for sighting in one.take()} == {TOKEN}
            assert {sighting.rssi_dbm for sighting in one.take()} == {-60}

    asyncio.run(run())


def test_what_the_link_changes_is_no_advert(bus):
    """Callbacks for our own link (connected, services resolved, left) are not heard as adverts with old bytes."""

    async def run():
        async with _reading(bus) as one:
            one.fake.servers[PHONE] = Server(air.answer(TOKEN))
            one.fake.report(PHONE, -60, OVERFLOW)
            await one.until(lambda: one.outcomes() == {Outcome.TOKEN: 1})
            await asyncio.sleep(0.1)
            assert one.nodes[0].counters()["adverts"] == 1
            assert one.heard(TOKEN) == 1
            one.fake.report(PHONE, -61, OVERFLOW)
            await one.until(lambda: one.heard(TOKEN) == 2)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("server", "outcome"),
    [
        (Server(air.answer(TOKEN), service=FOREIGN), Outcome.FOREIGN),
        (Server(air.answer(TOKEN), characteristic=FOREIGN), Outcome.FOREIGN),
        (Server(b""), Outcome.MALFORMED),
        (Server(TOKEN), Outcome.MALFORMED),
        (Server(b"\x02" + TOKEN), Outcome.MALFORMED),
        (Server(air.answer(TOKEN) + b"\x00"), Outcome.MALFORMED),
        (Server(air.answer(TOKEN), read_error=NOT_PAIRED), Outcome.REFUSED),
        (Server(b"", read_error=("org.bluez.Error.NotAuthorized", "Not Authorized")), Outcome.REFUSED),
        (Server(b"", read_error=("org.bluez.Error.NotPermitted", "Read not permitted")), Outcome.REFUSED),
        (
            Server(b"", read_error=("org.bluez.Error.Failed", "Operation failed with ATT error: 0x0e")),
            Outcome.FAILED,
        ),
        (Server(b"", connect_error=("org.bluez.Error.Failed", "Page Timeout")), Outcome.FAILED),
        (Server(b"", connect_error=("org.bluez.Error.NotReady", "Resource Not Ready")), Outcome.RADIO),
        (Server(b"", leaves=True), Outcome.FAILED),
        (Server(b"", hangs=Stage.CONNECT), Outcome.NO_ANSWER),
        (Server(b"", hangs=Stage.RESOLVE), Outcome.NO_ANSWER),
        (Server(b"", hangs=Stage.READ), Outcome.NO_ANSWER),
        (Server(air.answer(TOKEN), hangs=Stage.LEAVE), Outcome.TOKEN),
        (Server(b"", connect_s=9), Outcome.NO_ANSWER),
    ],
)
def test_what_goes_wrong_is_counted_and_the_next_phone_is_read(bus, hasty, monkeypatch, server, outcome):
    """A phone that is foreign, refuses, hangs or leaves costs its own read, and is not asked again at once."""
    monkeypatch.setattr(overflow, "RADIO_S", 0.1)

    async def run():
        async with _reading(bus) as one:
            one.fake.servers |= {PHONE: server, MEMBER: Server(air.answer(OTHER))}
            one.fake.advertise(PHONE, -40, OVERFLOW, 0.1)
            await one.until(lambda: one.outcomes().get(outcome))
            if outcome is Outcome.RADIO:
                server.connect_error = ("org.bluez.Error.Failed", "Page Timeout")
            one.fake.advertise(MEMBER, -70, OVERFLOW, 0.05)
            await one.until(lambda: one.heard(OTHER) >= 3)
            assert sum(address == PHONE for _, address in one.fake.asked) <= (2 if outcome is Outcome.RADIO else 1)
            assert one.heard(TOKEN) == 0 or outcome is Outcome.TOKEN
            assert one.nodes[0].health().drops == (1 if outcome is Outcome.MALFORMED else 0)

    asyncio.run(run())


def test_strongest_first_and_one_at_a_time(bus):
    """Of several phones the strongest is read first, and no radio has two links, or a link and a connect."""

    async def run():
        async with _reading(bus) as one:
            addresses = [f"C0:00:00:00:01:{number:02X}" for number in range(6)]
            for number, address in enumerate(addresses):
                one.fake.servers[address] = Server(air.answer(bytes([number] * 16)))
                one.fake.report(address, -90 + 10 * number, OVERFLOW)
            await one.until(lambda: one.outcomes() == {Outcome.TOKEN: 6})
            assert [address for _, address in one.fake.asked] == addresses[::-1]
            assert one.fake.most == 1

    asyncio.run(run())


def test_two_radios_read_each_for_itself(bus, hasty):
    """A read that hangs on one radio delays nothing on the other."""

    async def run():
        async with _reading(bus, FIRST, SECOND) as one:
            one.fake.servers |= {PHONE: Server(b"", hangs=Stage.CONNECT), MEMBER: Server(air.answer(TOKEN))}
            one.fake.report(PHONE, {FIRST: -50}, OVERFLOW)
            await one.until(lambda: one.fake.connecting)
            one.fake.report(MEMBER, {SECOND: -50}, OVERFLOW)
            await one.until(lambda: one.outcomes(1) == {Outcome.TOKEN: 1})
            assert one.outcomes(0) == {}
            await one.until(lambda: one.outcomes(0) == {Outcome.NO_ANSWER: 1})

    asyncio.run(run())


def test_one_radio_of_a_box_reads_for_all(bus):
    """A phone that two radios hear is connected to once; both then tell its token, each with its own signal."""

    async def run():
        async with _reading(bus, FIRST, SECOND) as one:
            one.fake.servers[PHONE] = Server(air.answer(TOKEN))
            one.fake.advertise(PHONE, {FIRST: -80, SECOND: -50}, OVERFLOW, 0.05)
            await one.until(lambda: len({(row.node, row.rssi_dbm) for row in one.take() if row.token == TOKEN}) == 2)
            assert {(row.node, row.rssi_dbm) for row in one.take()} == {("till-0", -80), ("till-1", -50)}
            assert len(one.fake.asked) == 1

    asyncio.run(run())


def test_a_phone_that_was_in_the_foreground_is_read_anew(bus, monkeypatch):
    """Its app may ask for help now: the token of before is not repeated once an iBeacon came from the same address."""
    monkeypatch.setattr(overflow, "BACK_S", 0.3)

    async def run():
        async with _reading(bus) as one:
            one.fake.servers[PHONE] = Server(air.answer(TOKEN))
            one.fake.advertise(PHONE, -60, OVERFLOW, 0.05)
            await one.until(lambda: one.heard(TOKEN) >= 3)
            one.fake.servers[PHONE] = Server(air.answer(OTHER))
            one.fake.advertise(PHONE, -60, air.f1(OTHER, bytes(5)), 0.05)
            await one.until(lambda: one.heard(OTHER) >= 3)
            before = one.heard(TOKEN)
            one.fake.advertise(PHONE, -60, OVERFLOW, 0.05)
            await one.until(lambda: one.outcomes() == {Outcome.TOKEN: 2})
            told = one.heard(OTHER)
            await one.until(lambda: one.heard(OTHER) >= told + 3)
            assert one.heard(TOKEN) == before

    asyncio.run(run())


def test_a_bluetoothd_that_is_killed_in_a_read_is_no_end(bus, hasty, monkeypatch):
    """The read fails as the radio's, and when the scan is back the phone is read."""
    monkeypatch.setattr(overflow, "RADIO_S", 0.2)
    monkeypatch.setattr(overflow, "PAUSES_S", (0.2,))

    async def run():
        async with _reading(bus) as one:
            one.fake.servers[PHONE] = Server(air.answer(TOKEN), hangs=Stage.READ)
            one.fake.report(PHONE, -60, OVERFLOW)
            await one.until(lambda: one.fake.linked)
            await one.fake.kill()
            await one.until(one.outcomes)
            assert one.outcomes().keys() <= {Outcome.RADIO, Outcome.FAILED, Outcome.NO_ANSWER}
            one.fake.servers[PHONE] = Server(air.answer(TOKEN))
            await one.fake.start()
            await one.scanners[0].take(Step.RESTART)
            one.fake.advertise(PHONE, -60, OVERFLOW, 0.05)
            await one.until(lambda: one.heard(TOKEN) >= 3)

    asyncio.run(run())


def test_a_crowd_of_foreign_phones_starves_nobody(bus):
    """200 foreign phones with the bit: at most 20 are asked, and ten members in F1 are heard all the time."""

    async def run():
        async with _reading(bus) as one:
            foreign = [f"D0:00:00:00:{number // 256:02X}:{number % 256:02X}" for number in range(200)]
            members = {f"C0:00:00:00:02:{number:02X}": bytes([number] * 16) for number in range(10)}
            one.fake.servers |= {address: Server(b"", service=FOREIGN, connect_s=0.05) for address in foreign}
            for address, token in members.items():
                one.fake.advertise(address, -70, air.f1(token, bytes(5)), 0.1)
            await one.until(lambda: len({sighting.token for sighting in one.take()}) == len(members))
            for address in foreign:
                one.fake.advertise(address, -50, OVERFLOW, 0.5)
            one.take()
            for _ in range(4):
                one.sightings.clear()
                await asyncio.sleep(0.8)
                await one.until(lambda: {sighting.token for sighting in one.take()} == set(members.values()))
            assert 5 <= len(one.fake.asked) <= overflow.READS_MAX
            assert len({address for _, address in one.fake.asked}) == len(one.fake.asked)
            assert (one.fake.most, one.outcomes().keys()) == (1, {Outcome.FOREIGN})

    asyncio.run(run())


@pytest.mark.system
def test_an_edge_tells_the_token_and_never_an_address(bus, tmp_path):
    """A real edge reads a phone in the background, and tells the gateway its token; no line holds an address."""

    async def run():
        fake = LinkingBluetoothd(bus.address)
        await fake.start()
        async with edge_and_gateway(tmp_path, bus.environment) as (edge, gateway):
            await edge.says("event=scanning")
            fake.servers |= {PHONE: Server(air.answer(TOKEN)), MEMBER: Server(b"", hangs=Stage.CONNECT)}
            fake.advertise(PHONE, -60, OVERFLOW, 0.2)
            await gateway.hears(TOKEN, 45)
            fake.advertise(MEMBER, -50, OVERFLOW, 0.2)
            async with asyncio.timeout(45):
                while not fake.connecting:
                    await asyncio.sleep(0.02)
            assert await edge.end() == 0
            assert (fake.linked, fake.connecting) == (set(), {})
            log = "\n".join(edge.lines)
            assert "reads_token=1" in log and "reads_failed=1" in log
            for address in (PHONE, MEMBER):
                assert address not in log and address.replace(":", "_") not in log
        await fake.close()

    asyncio.run(run())


class _Nobody:
    """Nobody is to be read; how often that was asked."""

    def __init__(self):
        self.asked = 0

    def next_read(self):
        self.asked += 1


def test_nothing_is_looked_at_while_no_phone_in_the_background_is_near(monkeypatch):
    """After a while without an advert of one the reader sleeps, and the next advert wakes it at once."""
    monkeypatch.setattr(reader, "AWAKE_S", 0.5)
    monkeypatch.setattr(reader, "LOOK_S", 0.05)

    async def run():
        near, asks = asyncio.Event(), _Nobody()
        keeping = asyncio.create_task(Reader(asks, near).keep())
        for before in (1, 12):
            await asyncio.sleep(1.5)
            assert asks.asked <= before
            asked = asks.asked
            await asyncio.sleep(0.3)
            assert asks.asked == asked
            near.set()
            async with asyncio.timeout(5):
                while asks.asked < asked + 5:
                    await asyncio.sleep(0.01)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    asyncio.run(run())
