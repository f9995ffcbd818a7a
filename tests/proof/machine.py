"""Histories of a chain of stores: what people do, what the world does, what the broker does, and what must hold.

The rules are drawn by hypothesis, which also shrinks the one seed from which all chance of the broker comes.

I/O: the databases of the test.
"""

import json
import secrets
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Engine

from hq import importer
from hq.errors import Refused
from tests.hq.headquarters import ROLES, STORE
from tests.proof.broker import KIND, Broker, Parcel, Topic, Weather
from tests.proof.chain import ASSOCIATE, SCOPES, Box, Chain, days, profile
from tests.world import PIN
from wire.member import Mode, NameChoice
from wire.sync import Verb

NAMES = tuple(f"m-{number}" for number in range(4))
MEMBER = st.sampled_from(NAMES)
SCOPE = st.sampled_from(SCOPES)
PLACE = st.integers(0, 2)  # a box, modulo how many there are
SHARE = st.sampled_from((0.0, 0.1, 0.3, 0.6, 1.0))
TOPICS = st.frozensets(st.sampled_from(list(Topic)), max_size=1)
WEATHER = st.builds(
    Weather, SHARE, SHARE, SHARE, SHARE, SHARE, st.sampled_from((0.0, 0.5, 5.0, 90.0)), st.just(0.0), TOPICS
)


class History(RuleBasedStateMachine):
    """See the module. One store; the subclasses change what there is."""

    stores = 1
    processes = 1
    open_engine: Callable[[], Engine] | None = None

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="proof-"))
        self.chain: Chain | None = None

    @initialize(seed=st.integers(0, 2**16), joined=st.integers(1, 3))
    def begin(self, seed: int, joined: int) -> None:
        """Some members, and every store live."""
        self.chain = Chain(self.folder, self.stores, seed, open_engine=type(self).open_engine, processes=self.processes)
        for name in NAMES[:joined]:
            self.chain.join(name, *SCOPES)
        self.chain.up()

    def teardown(self) -> None:
        """The network becomes kind, and everything must come out."""
        try:
            if self.chain is not None:
                self._end(self.chain)
        finally:
            if self.chain is not None:
                self.chain.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, chain: Chain) -> None:
        chain.broker.weather = KIND
        for box in chain.boxes:
            if not box.linked:
                box.link(True)
        chain.settle()
        chain.check_end()
        replay_everything(chain)

    @property
    def hq(self) -> Chain:
        """The chain, begun."""
        assert self.chain is not None
        return self.chain

    def _box(self, place: int) -> Box:
        return self.hq.boxes[place % len(self.hq.boxes)]

    def _choose(self, name: str, choice: Callable[[], object]) -> None:
        """Something that a member or an operator does at HQ, which HQ may refuse."""
        if name not in self.hq.secrets:
            self.hq.join(name, *SCOPES)
            return
        try:
            choice()
        except Refused:
            pass
        self.hq.carry()

    # --- what people do ----------------------------------------------------------------------------------------------

    @rule(name=MEMBER, scope=SCOPE)
    def withdraws_a_scope(self, name: str, scope: str) -> None:
        """At HQ, for every store."""
        office, now_ms = self.hq.hq.office, self.hq.hq.now_ms
        self._choose(name, lambda: office.withdraw(name, now_ms, scopes=(scope,)))

    @rule(name=MEMBER, purpose=st.sampled_from(("assist", "presence", None)), here=st.booleans())
    def withdraws_a_purpose(self, name: str, purpose: str | None, here: bool) -> None:
        """Or everything; in one store or in all."""
        office, now_ms = self.hq.hq.office, self.hq.hq.now_ms
        stores = (STORE,) if here else None
        self._choose(name, lambda: office.withdraw(name, now_ms, purpose=purpose, stores=stores))

    @rule(name=MEMBER, scopes=st.sets(SCOPE))
    def grants(self, name: str, scopes: set[str]) -> None:
        """Again, or for the first time."""
        stores = tuple(box.store for box in self.hq.boxes)

        def choice() -> None:
            self.hq.hq.grant(name, "presence", stores=stores)
            if scopes:
                self.hq.hq.grant(name, "assist", *sorted(scopes), stores=stores)

        self._choose(name, choice)

    @rule(name=MEMBER, mode=st.sampled_from(list(Mode)))
    def switches(self, name: str, mode: Mode) -> None:
        """The member's own switch."""
        self._choose(name, lambda: self.hq.hq.office.set_mode(name, mode, self.hq.hq.now_ms))

    @rule(name=MEMBER, choice=st.sampled_from(list(NameChoice)))
    def names(self, name: str, choice: NameChoice) -> None:
        """When the first name may be shown."""
        self._choose(name, lambda: self.hq.hq.office.set_name(name, choice, self.hq.hq.now_ms))

    @rule(name=MEMBER)
    def edits(self, name: str) -> None:
        """The profile changes."""
        now_ms = self.hq.hq.now_ms
        self._choose(name, lambda: self.hq.hq.office.set_profile(name, profile(name, str(now_ms)), now_ms))

    @rule(name=MEMBER)
    def another_phone(self, name: str) -> None:
        """One phone more."""

        def choice() -> None:
            if len(self.hq.secrets[name]) < 3:
                self.hq.secrets[name].append(self.hq.hq.office.add_phone(name, self.hq.hq.now_ms)[1])

        self._choose(name, choice)

    @rule(name=MEMBER, ago_s=st.sampled_from((0, 5, 3600)))
    def imported(self, name: str, ago_s: int) -> None:
        """A choice that comes late by an import."""
        stores = [box.store for box in self.hq.boxes]
        row = {
            "member": name,
            "age_at_least": 18,
            "jurisdiction": "DE",
            "chosen": self.hq.hq.now_s - ago_s,
            "grants": [
                {"purpose": "presence", "stores": stores, "roles": list(ROLES), "until_days": 90},
                {"purpose": "assist", "scopes": list(SCOPES), "stores": stores, "roles": list(ROLES), "until_days": 90},
            ],
        }
        if name not in self.hq.secrets:
            secret = secrets.token_bytes(32)
            row["phones"] = [secret.hex()]
            self.hq.secrets[name] = [secret]
        importer.run(self.hq.hq.engine, self.hq.hq.keys, iter([json.dumps(row).encode()]), self.hq.hq.now_ms)
        self.hq.carry()

    @rule(name=MEMBER)
    def is_erased(self, name: str) -> None:
        """At HQ and by an order in every store; the phones go on."""
        if name in self.hq.secrets:
            self.hq.erase(name)
            self.hq.carry()

    @rule(place=PLACE, name=st.one_of(st.none(), MEMBER))
    def orders(self, place: int, name: str | None) -> None:
        """A new epoch, or the export of a member."""
        box = self._box(place)
        known_as = self.hq.hq.pseudonym(name, box.store) if name in self.hq.secrets else None
        self.hq.order(box, Verb.ROLL if known_as is None else Verb.EXPORT, known_as)
        self.hq.carry()

    @rule(lease_s=st.sampled_from((30, 120, 1800)), idle_s=st.sampled_from((60, 300)))
    def publishes(self, lease_s: int, idle_s: int) -> None:
        """A new policy."""
        self.hq.hq.publish(lease_s=lease_s, heartbeat_s=min(15, lease_s // 3), session_idle_s=idle_s)
        self.hq.carry()

    @rule(place=PLACE, active=st.booleans())
    def staff_changes(self, place: int, active: bool) -> None:
        """The associate is let go, or comes back."""
        store, now_ms = self._box(place).store, self.hq.hq.now_ms
        if active:
            self.hq.hq.office.add_staff(ASSOCIATE, store, "Nina", "associate", PIN, now_ms)
        else:
            self.hq.hq.office.deactivate_staff(ASSOCIATE, store, now_ms)
        self.hq.carry()

    @rule(place=PLACE, name=MEMBER, scope=st.one_of(st.none(), SCOPE))
    def withdraws_in_the_store(self, place: int, name: str, scope: str | None) -> None:
        """At the tablet, by the real way; from then on it holds."""
        box = self._box(place)
        known_as = self.hq.hq.pseudonym(name, box.store)
        for secret in self.hq.secrets.get(name, ()):
            box.calls(secret)
        if known_as is not None and box.withdraws(known_as, scope):
            seen = box.sees().get(known_as)
            assert seen is None or (scope is not None and scope not in seen[1])

    # --- what the world does -----------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from((0.2, 1.0, 4.0, 20.0)))
    def waits(self, seconds: float) -> None:
        """A while."""
        self.hq.run(seconds, step_s=min(1.0, seconds))

    @rule(hours=st.sampled_from((0.2, 7.0, 30.0)))
    def waits_long(self, hours: float) -> None:
        """Hours, a night."""
        self.hq.run(60, step_s=5)
        self.hq.hq.later(hours * 3600)
        self.hq.run(5)

    @rule(place=PLACE)
    def is_away_for_a_month(self, place: int) -> None:
        """The store's link is down, and everybody goes on."""
        box = self._box(place)
        box.link(False)
        for _ in range(3):
            self.hq.hq.later(days(10))
            self.hq.run(2)
        assert not box.live() and not box.sees()
        box.link(True)

    @rule(place=PLACE, up=st.booleans())
    def links(self, place: int, up: bool) -> None:
        """The link comes or goes."""
        self._box(place).link(up)

    @rule(place=PLACE, how=st.sampled_from(("restart", "crash", "reboot")))
    def begins_again(self, place: int, how: str) -> None:
        """The box's program."""
        getattr(self._box(place), how)()

    @rule()
    def hq_begins_again(self) -> None:
        """HQ's programs."""
        self.hq.start_hq()

    @rule(place=PLACE, seconds=st.sampled_from((1.0, 60.0, 100_000.0)))
    def the_boot_clock_leaps(self, place: int, seconds: float) -> None:
        """Forward, as after standby."""
        self._box(place).leap(seconds)

    # --- what the broker does ----------------------------------------------------------------------------------------

    @rule(weather=WEATHER)
    def weather(self, weather: Weather) -> None:
        """It is as bad as this from now on."""
        self.hq.broker.weather = weather

    @rule()
    def kind_again(self) -> None:
        """For a while."""
        self.hq.broker.weather = KIND
        self.hq.run(2)

    @rule()
    def the_broker_dies(self) -> None:
        """With all that it had acknowledged."""
        self.hq.broker.forget()
        for box in self.hq.boxes:
            if box.linked:
                box.link(False)
                box.link(True)

    @rule(count=st.integers(1, 60))
    def replays(self, count: int) -> None:
        """Some of the recording, at once."""
        broker: Broker = self.hq.broker
        if broker.recorded:
            for _ in range(count):
                broker.send(broker.old(), self.hq.now_s)
            self.hq.carry()

    @rule(place=PLACE, topic=st.sampled_from(list(Topic)))
    def noise(self, place: int, topic: Topic) -> None:
        """What is nobody's message."""
        broker = self.hq.broker
        self.hq.deliver(Parcel(self._box(place).store, topic, broker.noise()))

    # --- what must hold ----------------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_shown_that_may_not_be(self) -> None:
        """And every tree is that of its rows."""
        if self.chain is not None:
            self.chain.check()


def replay_everything(chain: Chain) -> None:
    """All recordings, both ways, mixed up: no root, no light and no count of events is another afterwards."""

    def snapshot() -> list[object]:
        return [
            (box.store, box.light(), box.held(), box.sees().keys(), chain.roots(box.store), chain.stored_events(box))
            for box in chain.boxes
        ]

    recorded = list(chain.broker.recorded)
    chain.broker.chance.shuffle(recorded)
    before = snapshot()
    for parcel in recorded[:2000]:
        chain.deliver(parcel)
    chain.broker.forget()  # what HQ answered to them
    after = snapshot()
    assert before == after
    chain.run(40)
    assert all(box.live() for box in chain.boxes), "a recording put a store out"
