"""Whatever the broker does to the messages, the store ends where HQ is, and never shows what was taken back."""

import random
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from store_gateway.replica import NO_CHANGES, Replica
from tests.fakes.hq import STORE, FakeHQ, Line, a_main_policy, a_member, a_store_policy
from wire import sync
from wire.member import Member

PSEUDONYMS = [bytes([n]) * 16 for n in range(5)]
WITHDRAWAL = sync.Withdrawal(None, "ada", "tablet-1")


class Broker:
    """Holds what HQ says until it is told to deliver, lose, repeat, mix up or replay it; speaks for both sides."""

    def __init__(self, line: Line, chance: random.Random) -> None:
        self.line = line
        self.chance = chance
        self.waiting: list[tuple[bytes, tuple[bytes, int] | None]] = []
        self.recorded: list[tuple[bytes, tuple[bytes, int] | None]] = []
        self.commits = 0
        self.delivered: dict[bytes, int] = {}  # the newest commit of each member that reached the unlocked store

    def commit(self, pseudonym: bytes, live: bool) -> None:
        """HQ changes a member; the record names the commit, so that an older one is known when it is seen.

        It names what HQ has heard of the store too, as every record does that HQ writes after it folded that in.
        """
        self.commits += 1
        body = a_member(jurisdiction=str(self.commits), **self.heard()) if live else None
        message = self.line.hq.member(pseudonym, body)
        if self.line.hq.boot is not None:
            self._take(self.line.hq.say(message), (pseudonym, self.commits))

    def heard(self) -> dict[str, Any]:
        """Up to which event of the store's cache HQ has all."""
        incarnation = next(iter(self.line.hq.shares), None)
        if incarnation is None:
            return {}
        return {"acts_incarnation": incarnation, "acts_through": self.line.hq.through(incarnation)}

    def _take(self, payload: bytes, told: tuple[bytes, int] | None) -> None:
        self.waiting.append((payload, told))
        self.recorded.append((payload, told))

    def fetch(self) -> None:
        """What the store says reaches HQ, which answers."""
        for payload in self.line.replica.outgoing():
            if self.chance.random() < 0.8:
                for answer in self.line.hq.answer(payload, self.line.now_ms):
                    self._take(answer, None)

    def deliver(self, index: int, *, keep: bool = False) -> None:
        """One waiting payload arrives, in whatever order; `keep`: and will arrive again."""
        if self.waiting:
            at = index % len(self.waiting)
            self._arrive(*(self.waiting[at] if keep else self.waiting.pop(at)))

    def replay(self, index: int) -> None:
        """Something from an old recording arrives once more."""
        if self.recorded:
            self._arrive(*self.recorded[index % len(self.recorded)])

    def lose(self, index: int) -> None:
        """One waiting payload is never seen again."""
        if self.waiting:
            self.waiting.pop(index % len(self.waiting))

    def _arrive(self, payload: bytes, told: tuple[bytes, int] | None) -> None:
        before = self.line.replica._hq.vault
        self.line.replica.on_payload(payload, self.chance.random() < 0.3, self.line.now_s)
        if told is not None and before is not None:
            pseudonym, commit = told
            self.delivered[pseudonym] = max(commit, self.delivered.get(pseudonym, 0))

    def check(self) -> None:
        """What must hold at every instant."""
        for pseudonym, commit in self.delivered.items():
            member = self.line.replica.member(pseudonym)
            assert member is None or int(member.jurisdiction) >= commit, "an older record came back"
        if self.line.live():
            assert self.line.now_ms < self.line.hq.leased_ms + self.line.hq.lease_s * 1000, "live beyond any lease"


@contextmanager
def a_store(seed: int) -> Iterator[tuple[Broker, Line]]:
    """A store on a broker that loses and mixes up, with its cache on disk."""
    folder = Path(tempfile.mkdtemp())
    hq = FakeHQ(range_records=2)  # so that a handful of members is a tree
    hq.lease_s, hq.heartbeat_s = 30, 5
    hq.policy(a_main_policy(), a_store_policy())
    replica = Replica(STORE, folder / "cache", hq.box(), "test/1", chance=random.Random(seed).random)
    try:
        line = Line(replica, hq)
        yield Broker(line, random.Random(seed)), line
    finally:
        line.replica.close()
        shutil.rmtree(folder)


ACTION = st.one_of(
    st.tuples(st.just("commit"), st.integers(0, 4), st.booleans()),
    st.tuples(st.sampled_from(["deliver", "repeat", "replay", "lose"]), st.integers(0, 1000), st.just(False)),
    st.tuples(st.just("wait"), st.integers(0, 40), st.booleans()),
    st.tuples(st.just("talk"), st.integers(1, 12), st.just(False)),
    st.tuples(st.just("link"), st.just(0), st.booleans()),
)


def act(broker: Broker, line: Line, action: tuple[str, int, bool]) -> None:
    """One step of a history."""
    match action:
        case "commit", number, live:
            broker.commit(PSEUDONYMS[number], live)
        case "deliver", number, _:
            broker.deliver(number)
        case "repeat", number, _:
            broker.deliver(number, keep=True)
        case "replay", number, _:
            broker.replay(number)
        case "lose", number, _:
            broker.lose(number)
        case "wait", seconds, _:
            line.now_s += seconds / 4
        case "talk", rounds, _:
            for _ in range(rounds):
                line.replica.tick(line.now_s)
                broker.fetch()
                for _ in range(6):
                    broker.deliver(broker.chance.randrange(1000))
                line.now_s += 0.5
        case "link", _, up:
            line.replica.on_link(up, line.now_s)
    line.replica.tick(line.now_s)
    broker.check()


@settings(max_examples=25)
@given(st.lists(ACTION, max_size=40), st.integers(0, 2**32))
def test_after_any_history_the_roots_are_equal(history: list[tuple[str, int, bool]], seed: int) -> None:
    """Drops, repeats, reorderings, replays, silence: no late grant, no lease too long, and in the end one state."""
    with a_store(seed) as (broker, line):
        line.replica.on_link(True, line.now_s)
        for action in [("talk", 6, False), *history]:
            act(broker, line, action)
        broker.waiting.clear()
        line.up()
        line.run(45)
        assert line.live()
        vault = line.replica._hq.vault
        assert vault is not None
        assert {one.instance: (one.root, one.count) for one in vault.holdings.held()} == {
            name: (one.node().root, one.node().count) for name, one in line.hq.instances.items()
        }
        for number in range(len(broker.recorded)):  # and no recording changes it any more
            broker.replay(number)
            broker.check()
        for pseudonym in PSEUDONYMS:
            _, body = line.hq.instances[f"members/{STORE}"].rows.get(pseudonym, (0, None))
            assert (line.replica.member(pseudonym) is None) == (body is None)


@settings(max_examples=20)
@given(st.lists(ACTION, max_size=25), st.integers(0, 2**32))
@example([("commit", 0, False), ("commit", 0, False), ("deliver", 0, False), ("talk", 11, False)], 0)
@example([("talk", 12, False), ("commit", 0, False), ("talk", 12, False), ("commit", 0, True), ("talk", 12, False)], 1)
def test_a_denial_holds_until_hq_says_it_has_it(history: list[tuple[str, int, bool]], seed: int) -> None:
    """Through every record, range and replay that comes in between; it may go with the record, and nobody is shown."""
    with a_store(seed) as (broker, line):
        line.hq.member(PSEUDONYMS[0], a_member(jurisdiction="0"))
        line.up()
        assert line.live()
        line.replica.deny(PSEUDONYMS[0], None, WITHDRAWAL, line.now_s)
        for action in history:
            act(broker, line, action)
            if not line.replica.denied(PSEUDONYMS[0]).everything:
                held = line.replica.member(PSEUDONYMS[0])
                assert held is None or held.acts_through == 1, "a withdrawal was forgotten that no record names"
                assert broker.heard()["acts_through"] == 1
        broker.waiting.clear()
        folded: Member = a_member(acts_incarnation=next(iter(line.hq.shares)), acts_through=1)
        line.hq.member(PSEUDONYMS[0], folded)
        line.up()
        line.run(45)
        assert not line.replica.denied(PSEUDONYMS[0]).everything
        assert line.hq.through(next(iter(line.hq.shares))) == 1, "the event arrived as well"


@settings(max_examples=20)
@given(st.data())
def test_noise_raises_nothing_and_changes_nothing(data: st.DataObject) -> None:
    """Random bytes, and real payloads with a byte changed, cut or added."""
    with a_store(1) as (_, line):
        line.up()
        real = line.hq.say(line.hq.member(PSEUDONYMS[0], a_member()))
        for _ in range(8):
            noise = data.draw(st.binary(max_size=200))
            where = data.draw(st.integers(0, len(real) - 1))
            broken = bytearray(real)
            broken[where] ^= data.draw(st.integers(1, 255))
            for payload in (noise, bytes(broken), real[:where], real + noise[:1] + b"\x00"):
                assert line.replica.on_payload(payload, data.draw(st.booleans()), line.now_s) == NO_CHANGES
        assert line.replica.member(PSEUDONYMS[0]) is None
        assert line.live()
        assert line.replica.on_payload(real, False, line.now_s).members == {PSEUDONYMS[0]}


def test_a_flood_of_messages_is_not_kept_in_memory() -> None:
    """Payloads for other boots, unasked parts and repeats leave nothing behind."""
    with a_store(2) as (_, line):
        line.up()
        hq = line.hq
        ranges = (sync.RecordRange(f"members/{STORE}", bytes([n]), bytes([n]), 0, 5, 1, 9, ()) for n in range(50))
        payloads = [hq.say(one, b"x" * 16) for one in ranges]
        payloads += [secrets.token_bytes(60_000) for _ in range(10)]
        for payload in payloads * 20:
            line.replica.on_payload(payload, True, line.now_s)
        assert line.replica._hq.replication._fill._parts == {}
        assert line.replica.counters()["dropped_unasked"] == 1000
        assert line.replica.counters()["dropped_cbor"] + line.replica.counters().get("dropped_shape", 0) == 200
