"""A store in memory with the verbs of every scenario: hears, passes, hq_says, tablet_sees.

The gateway is the real one; its replica is `tests.fakes.replica`, its tables are made at once in this process. A tablet
is a session and what its stream was given.

Pure: no I/O, no clock.
"""

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import replace

from consent.visit import Denied
from store_gateway.build_table import build
from store_gateway.core.bells import Bell
from store_gateway.core.table import Table
from store_gateway.gateway import Asker, Checking, Gateway
from store_gateway.help_news import Hook
from store_gateway.keyring import Built, Order
from tests.fakes.replica import FakeReplica
from wire import query, sync
from wire.member import (
    Field,
    Item,
    Member,
    Mode,
    NameChoice,
    SourceClass,
    Staff,
    State,
    Statement,
    Value,
    ValueClass,
)
from wire.policy import (
    AgeRule,
    Hours,
    MainPolicy,
    Policy,
    Purpose,
    Role,
    ScopeRule,
    Section,
    StorePolicy,
    ValueType,
    Zone,
)
from wire.sighting import Batch, Health, RadioState, Sighting
from wire.token import Kind, day_key, day_of_slot, token

STORE = "berlin-1"
NOON_MS = 1_795_262_400_000  # 2026-11-21 12:00 UTC, a Saturday
PIN = "2468"
STEP_S = 0.1
HEALTH_S = 5.0  # so often a radio tells how it fares
TEXTS = ("name.first", "size.shoe", "brand.liked")
HEALTH = "diet"


def entropy() -> Callable[[int], bytes]:
    """Bytes that never repeat and are the same in every run."""
    counter = itertools.count()
    return lambda size: hashlib.shake_256(next(counter).to_bytes(8, "big")).digest(size)


def a_policy() -> Policy:
    """One brand and one store: shoes, pharmacy (blind), and a door without a zone."""
    purposes = tuple(Purpose(id, id, "consent", 365, bytes(32), "record") for id in ("presence", "assist", "suggest"))

    def scope(id: str, kind: ValueType, section: Section, special: str = "") -> ScopeRule:
        return ScopeRule(id, id, kind, SourceClass.THIRD, special, 3650, 20, section, ("assist",))

    main = MainPolicy(
        version=1,
        lease_s=120,
        heartbeat_s=15,
        purposes=purposes,
        scopes=(
            *(scope(id, ValueType.TEXT, Section.PREFERENCES) for id in TEXTS),
            scope(HEALTH, ValueType.TEXT, Section.PREFERENCES, "health"),
            scope("wishlist", ValueType.ITEMS, Section.WISHLIST),
        ),
        roles=(Role("advisor", "Advisor", True), Role("manager", "Manager", True), Role("stock", "Stock", False)),
        ages=(AgeRule("DE", 16),),
        unknown_age_is_of_age=False,
        lead=("size.shoe",),
        session_idle_s=300,
        session_s=43_200,
    )
    store = StorePolicy(
        store=STORE,
        label="Berlin 1",
        time_zone="Europe/Berlin",
        jurisdiction="DE",
        zones=(
            Zone("shoes", "Shoes", "sales", ("shoes-1", "shoes-2"), False, ("size.shoe",), None),
            Zone("hats", "Hats", "sales", ("hats-1",), False, (), (Hours(1, 0, 60),)),
            Zone("pharmacy", "Pharmacy", "pharmacy", ("pharmacy-1",), True, (), None),
        ),
        hours=tuple(Hours(day, 9 * 60, 20 * 60) for day in range(1, 8)),
        enter_dbm=-80,
        exit_dbm=-88,
        dwell_s=5,
        help_s=900,
        help_escalate_s=120,
    )
    return Policy(main, store)


class Person:
    """A member of the store with one phone."""

    def __init__(self, number: int, member: Member) -> None:
        self.pseudonym = hashlib.blake2b(number.to_bytes(4, "big"), digest_size=16).digest()
        self.secret = hashlib.sha256(b"secret" + number.to_bytes(4, "big")).digest()
        self.member = member


class Tablet:
    """A signed-in tablet that follows the floor."""

    def __init__(self, session: bytes) -> None:
        self.session = session
        self.pushed: list[query.Reply] = []
        self.ended: query.Reply | None = None

    def push(self, reply: query.Reply) -> None:
        """What the stream was given."""
        self.pushed.append(reply)

    def finish(self, reply: query.Reply) -> None:
        """The last word."""
        self.ended = reply


class Shopfloor:
    """A real gateway with its tablets and the radios before it, in one process; where its replica comes from is open.

    `now_s` is the boot clock. Nothing of a program's loop is here but that all work is done after every item.
    """

    gateway: Gateway
    orders: list[Order]
    now_s: float

    def hears_token(self, heard: bytes, node: str = "shoes-1", rssi_dbm: int | None = -60) -> None:
        """One sighting of any token."""
        at_ms = int(self.now_s * 1000)
        self.gateway.on_sighting(Batch(node, (Sighting(node, heard, rssi_dbm, 1, at_ms, at_ms),)), self.now_s)
        self.settle()

    def hears_batch(self, batch: Batch) -> None:
        """What a node heard in half a second."""
        self.gateway.on_sighting(batch, self.now_s)
        self.settle()

    def tablet(self, associate: str = "ada", *, watches: bool = False) -> Tablet:
        """A newly paired tablet, signed in; perhaps it follows the floor."""
        code = self.gateway.answer(query.MintPairing(), Asker(True, None), self.now_s)
        assert isinstance(code, query.PairingCode)
        paired = self.ask(query.Pair(code.code, "", ""))
        assert isinstance(paired, query.Paired)
        signed_in = self.sign_in(paired.tablet, associate)
        assert isinstance(signed_in, query.SignedIn)
        tablet = Tablet(signed_in.session)
        if watches:
            self.follow(tablet)
        return tablet

    def follow(self, tablet: Tablet) -> None:
        """The tablet's stream begins."""
        first = self.gateway.answer(query.Watch(tablet.session), Asker(False, tablet), self.now_s)
        assert isinstance(first, query.Roster)
        tablet.pushed.append(first)

    def sign_in(self, secret: bytes, associate: str, pin: str = PIN) -> query.Reply:
        """The whole sign-in; in this world every associate's PIN is `PIN`."""
        reply = self.gateway.answer(query.SignIn(secret, associate, pin), Asker(False, None), self.now_s)
        if isinstance(reply, Checking):
            right = reply.check.pin == PIN and bool(reply.check.verifier)
            reply = self.gateway.pin_checked(reply.check, right, self.now_s)
        self.settle()
        if isinstance(reply, query.SignedIn):  # in every question the two secrets stand together
            return replace(reply, session=query.bound(secret, reply.session))
        return reply

    def ask(self, request: query.Request) -> query.Reply:
        """Any other question on the tablets' socket."""
        reply = self.gateway.answer(request, Asker(False, None), self.now_s)
        assert not isinstance(reply, Checking)
        self.settle()
        return reply

    def floor(self, tablet: Tablet) -> query.Roster:
        """The roster that this tablet may see now."""
        roster = self.ask(query.AskFloor(tablet.session))
        assert isinstance(roster, query.Roster), roster
        return roster

    def card(self, tablet: Tablet, handle: bytes, section: Section | None = None) -> query.Reply:
        """The card that this tablet may see now."""
        return self.ask(query.AskCard(tablet.session, handle, section))

    def settle(self) -> None:
        """What the loop does after every item."""
        if self.gateway.eager:
            self.gateway.tell(self.now_s)
        for _ in range(10_000):
            if not self.gateway.work(self.now_s):
                break
        while self.orders:
            self.gateway.on_built(make_here(self.orders.pop()), self.now_s)


class World(Shopfloor):
    """See the module. It starts live, at noon of a Saturday, with an advisor `ada` and a manager `max`.

    `well`: the nodes whose radios say every five seconds that they hear; the pharmacy's, unless a test says otherwise.
    `bells`: what rang, where a hook `rings_for` the roster of a role.
    """

    def __init__(self, policy: Policy | None = None, verifier: str = "verifier", rings_for: str | None = None) -> None:
        self.now_s = 1_000.0
        self.well: tuple[str, ...] = ("pharmacy-1",)
        self._told_s = 0.0
        self.replica = FakeReplica(None, NOON_MS - 1_000_000)
        self.orders: list[Order] = []
        # The fake has the replica's methods, not its base; the contract suite holds the two together.
        self.bells: list[Bell] = []
        counters = lambda: {"hook_bells": len(self.bells)}  # noqa: E731
        hook = Hook(rings_for, self.bells.append, counters) if rings_for is not None else None
        self.gateway = Gateway(STORE, "test", self.replica, entropy(), self.orders.append, hook=hook)  # type: ignore[arg-type]
        self.people: list[Person] = []
        self.hq_says(self.replica.put_policy(policy or a_policy()))
        for associate, role in (("ada", "advisor"), ("bo", "advisor"), ("max", "manager"), ("sam", "stock")):
            self.hq_says(self.replica.put_staff(associate, Staff(associate.title(), role, verifier, True)))
        self.passes(1)

    # --- verbs -------------------------------------------------------------------------------------------------------

    def joins(self, mode: Mode, shares: tuple[str, ...] = TEXTS, **changes: object) -> Person:
        """A member chose this store; HQ says so."""
        number = len(self.people) + 1
        person = Person(number, a_member(self.now_ms // 1000, mode, shares, str(number), **changes))
        self.people.append(person)
        for day in (self.day, self.day + 1):
            self.hq_says(self.replica.put_keys(day, person.pseudonym, (day_key(person.secret, day),)))
        self.hq_says(self.replica.put_member(person.pseudonym, person.member))
        return person

    def hq_says(self, changes: object) -> None:
        """A message arrived, and what it changed."""
        assert not isinstance(changes, bytes)
        self.gateway.on_message(self.replica.say(changes), True, self.now_s)  # type: ignore[arg-type]
        self.settle()

    def changes(self, person: Person, **changes: object) -> None:
        """HQ publishes the member's record anew."""
        person.member = replace(person.member, **changes)  # type: ignore[arg-type]
        self.hq_says(self.replica.put_member(person.pseudonym, person.member))

    def withdraws_at_hq(self, person: Person, scope: str) -> None:
        """HQ says that one scope is no longer given."""
        statements = tuple(one for one in person.member.statements if scope not in one.scopes)
        self.changes(person, statements=statements)

    def token(self, person: Person, kind: Kind, slots: int = 0) -> bytes:
        """What the phone advertises now, or some slots from now."""
        slot = self.now_ms // 600_000 + slots
        return token(day_key(person.secret, day_of_slot(slot)), kind, slot)

    def hears(
        self, person: Person, kind: Kind, node: str = "shoes-1", rssi_dbm: int | None = -60, *, slots: int = 0
    ) -> None:
        """One sighting of the phone at a node."""
        self.hears_token(self.token(person, kind, slots), node, rssi_dbm)

    def walks(self, person: Person, seconds: float, node: str = "shoes-1", rssi_dbm: int = -60) -> None:
        """Presence heard twice a second for so long."""
        for _ in range(round(seconds * 2)):
            self.hears(person, Kind.PRESENCE, node, rssi_dbm)
            self.passes(0.5)

    def passes(self, seconds: float) -> None:
        """Time goes by, in ticks."""
        began_s, steps = self.now_s, max(1, round(seconds / STEP_S))
        for step in range(1, steps + 1):
            self.now_s = began_s + seconds * step / steps
            self._tell()
            self.gateway.tick(self.now_s)
            self.settle()

    def tablet_sees(self, associate: str = "ada") -> tuple[query.Visit, ...]:
        """The roster of a fresh tablet of this associate."""
        return self.floor(self.tablet(associate)).visits

    # --- what there is -----------------------------------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        """Trusted time."""
        return NOON_MS - 1_000_000 + int(self.now_s * 1000)

    @property
    def day(self) -> int:
        """The UTC day."""
        return self.now_ms // 86_400_000

    def disclosures(self, *, roster: bool = False, shown: bool = True) -> list[sync.Disclosure]:
        """What was recorded."""
        return [
            body
            for _, _, body in self.replica.events
            if isinstance(body, sync.Disclosure) and body.roster is roster and body.shown is shown
        ]

    def denied(self, person: Person) -> Denied:
        """What is denied in the store."""
        return self.replica.denied(person.pseudonym)

    def _tell(self) -> None:
        """The radios say how they fare."""
        if self.now_s - self._told_s < HEALTH_S:
            return
        self._told_s = self.now_s
        adverts = int(self.now_s * 100)
        for node in self.well:
            told = Health(node, "none", RadioState.HEARING, None, int(self.now_s * 1000), adverts, 0, 0, ())
            self.gateway.on_sighting(told, self.now_s)


def make_here(order: Order) -> Built:
    """What the child process would make of an order, made in this one."""
    blocks: dict[int, bytearray] = {}

    def allot(slot: int, size: int) -> bytearray:
        blocks[slot] = bytearray(size)
        return blocks[slot]

    build(order.rows, order.kinds, order.days, order.slots, allot)
    return Built(order.number, {slot: Table(memoryview(block)) for slot, block in blocks.items()})


def a_member(now_s: int, mode: Mode, shares: tuple[str, ...], mark: str, **changes: object) -> Member:
    """A member who agreed to presence, shares these scopes, and has a value for every scope."""

    def grant(purpose: str, *scopes: str) -> Statement:
        return Statement(
            State.GIVEN, purpose, scopes, STORE, ("advisor", "manager"), (), now_s - 86_400, now_s + 86_400 * 300,
            now_s - 86_400, bytes(32), bytes(16), 1,
        )  # fmt: skip

    def field(scope: str, value: Value) -> Field:
        return Field(scope, value, SourceClass.ZERO, "app", ValueClass.PERSONAL, now_s - 86_400, now_s - 86_400)

    found = Member(
        mode=mode,
        name_choice=NameChoice.INVITED,
        statements=(grant("presence"), *(grant("assist", scope) for scope in shares)),
        fields=(
            *(field(scope, Value(text=f"{scope}/{mark}")) for scope in (*TEXTS, HEALTH)),
            field("wishlist", Value(items=(Item("item-1", f"wishlist/{mark}", None, None, False),))),
        ),
        jurisdiction="DE",
        age_at_least=18,
    )
    return replace(found, **changes)  # type: ignore[arg-type]
