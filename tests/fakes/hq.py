"""An HQ in memory that speaks the real protocol: counters, records, children, ranges, challenge, unlock, lease.

Rows are dicts and time is an argument. What a real HQ derives from members' choices is put here as it stands.

I/O: the system's random generator.
"""

import hmac
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from store_gateway.keys import BoxKeys
from store_gateway.replica import Changes, Replica
from wire import envelope, keyring, keys, schema, sync, tree, trust
from wire.errors import WireError
from wire.member import Member, Mode, NameChoice, Staff, State, Statement
from wire.policy import (
    MAIN_KEY,
    AgeRule,
    Hours,
    MainPolicy,
    Purpose,
    Role,
    ScopeRule,
    Section,
    SourceClass,
    StorePolicy,
    ValueType,
    Zone,
    store_key,
)
from wire.sync import HQ, Collection, Event, Message, Readiness, Record
from wire.tree import Node

STORE = "berlin-1"
TODAY = 20_778
TODAY_MS = TODAY * 86_400_000 + 12 * 3_600_000


class FakeInstance:
    """One instance at HQ: a counter and the newest record of each key."""

    def __init__(self, collection: Collection, name: str) -> None:
        self.collection = collection
        self.name = name
        self.digest_key = secrets.token_bytes(tree.DIGEST_KEY_BYTES)
        self.n = 0
        self.rows: dict[bytes, tuple[int, bytes | None]] = {}

    def put(self, key: bytes, body: bytes | None) -> Record:
        """The next record of this instance."""
        self.n += 1
        self.rows[key] = (self.n, body)
        return Record(key, self.n, body)

    def below(self, prefix: bytes) -> list[tuple[bytes, Record]]:
        """(path, record) of the live records below a prefix, by path."""
        found = [
            (tree.path(self.digest_key, key), Record(key, seq, body))
            for key, (seq, body) in self.rows.items()
            if body is not None
        ]
        return sorted((one for one in found if one[0].startswith(prefix)), key=lambda one: one[0])

    def node(self, prefix: bytes = b"") -> Node:
        """Digest and count of the live records below a prefix."""
        total = Node()
        for _, record in self.below(prefix):
            total = total.plus(self._digest(record))
        return total

    def _digest(self, record: Record) -> int:
        assert record.body is not None
        return tree.digest(self.digest_key, self.collection, record.key, record.seq, tree.body_hash(record.body))

    def nodes(self, prefix: bytes) -> dict[int, Node]:
        """The nodes one byte below that hold anything."""
        found: dict[int, Node] = {}
        for path, record in self.below(prefix):
            byte = path[len(prefix)]
            found[byte] = found.get(byte, Node()).plus(self._digest(record))
        return found


class FakeHQ:
    """One store's HQ. `range_records`: a node of more is answered by its children; `span_records`: most of a span."""

    def __init__(
        self,
        store: str = STORE,
        *,
        range_records: int = tree.RANGE_RECORDS,
        part_records: int = 64,
        span_records: int = 64,
    ) -> None:
        self.store = store
        self.span_records = span_records
        self.range_records = range_records
        self.part_records = part_records
        self.root = Ed25519PrivateKey.generate()
        self.signing = Ed25519PrivateKey.generate()
        self.sealing_raw = keys.make_sealing_private()
        self.identity = Ed25519PrivateKey.generate()
        self.box_secret = secrets.token_bytes(32)
        self.challenge_key = secrets.token_bytes(32)
        self.key_set_version = 1
        self.lease_s = 120
        self.heartbeat_s = 15
        self.shares: dict[bytes, dict[int, bytes]] = {}  # by incarnation and epoch
        self.tickets: dict[bytes, bytes] = {}
        self.events: dict[tuple[bytes, int], Event] = {}
        self.passed_over: dict[bytes, set[int]] = {}  # numbers of each incarnation that the store let go
        self.events_seen = 0  # with repeats
        self.boot: tuple[bytes, bytes] | None = None  # boot id and its sealing key
        self.number = 0
        self.certificate: sync.Certificate | None = None  # for tablets
        self.told_certificate: tuple[bytes | None, sync.CertificateFault | None] = (None, None)
        self.hellos = 0
        self.leased_ms = 0  # when the last lease was given, on HQ's clock
        self.refuse: sync.RefusalReason | None = None
        self.dones: list[sync.Done] = []
        self.dropped = 0
        self.instances: dict[str, FakeInstance] = {}
        for collection in (Collection.MEMBERS, Collection.STAFF):
            self.add_instance(collection, store)
        self.add_instance(Collection.POLICY, "main")
        for day in (TODAY, TODAY + 1):
            self.add_instance(Collection.KEYRING, store, day)

    # --- what HQ knows ---------------------------------------------------------------------------------------------

    def key_set(self) -> keys.KeySet:
        """The valid keys."""
        return keys.KeySet(
            self.key_set_version,
            2**40,
            (keys.SigningKey(1, self.signing.public_key().public_bytes_raw()),),
            (keys.SealingKey(1, keys.sealing_public_bytes(self.sealing_raw)),),
        )

    def box(self) -> BoxKeys:
        """What provisioning gives this store's box."""
        return BoxKeys(self.identity, self.box_secret, self.root.public_key(), self.key_set())

    def add_instance(self, collection: Collection, name: str, day: int | None = None) -> FakeInstance:
        """A new instance of this store."""
        instance = sync.instance(collection, name, day)
        return self.instances.setdefault(instance, FakeInstance(collection, instance))

    def drop_day(self, day: int) -> None:
        """A key day that is over."""
        del self.instances[sync.instance(Collection.KEYRING, self.store, day)]

    def commit(self, *changes: tuple[str, bytes, bytes | None]) -> sync.Records:
        """(instance, key, body) of one transaction; the message that tells it."""
        parts = tuple(sync.Part(name, (self.instances[name].put(key, body),)) for name, key, body in changes)
        return sync.Records(parts)

    def member(self, pseudonym: bytes, body: Member | None) -> sync.Records:
        """A member's record changes."""
        name = sync.instance(Collection.MEMBERS, self.store)
        return self.commit((name, pseudonym, schema.encode(body) if body is not None else None))

    def staff(self, associate: str, body: Staff | None) -> sync.Records:
        """An associate's record changes."""
        name = sync.instance(Collection.STAFF, self.store)
        return self.commit((name, associate.encode(), schema.encode(body) if body is not None else None))

    def policy(self, main: MainPolicy, store: StorePolicy) -> sync.Records:
        """Both records of the policy change."""
        name = sync.instance(Collection.POLICY, "main")
        return self.commit((name, MAIN_KEY, schema.encode(main)), (name, store_key(store.store), schema.encode(store)))

    def keys_of(self, day: int, entries: Iterable[tuple[bytes, tuple[bytes, ...]]]) -> sync.Records:
        """Day keys; replaces the buckets that these pseudonyms are in."""
        buckets: dict[bytes, list[tuple[bytes, tuple[bytes, ...]]]] = {}
        for pseudonym, day_keys in entries:
            buckets.setdefault(sync.bucket_key(pseudonym), []).append((pseudonym, day_keys))
        name = sync.instance(Collection.KEYRING, self.store, day)
        return self.commit(*((name, key, keyring.pack(found)) for key, found in buckets.items()))

    # --- what HQ says ----------------------------------------------------------------------------------------------

    def say(self, message: Message, nonce: bytes = b"") -> bytes:
        """A message to the boot that said hello last."""
        assert self.boot is not None, "no boot has said hello yet"
        boot, sealing_key = self.boot
        self.number += 1
        header = envelope.Header(HQ, self.store, sync.KINDS[type(message)], self.number, boot, nonce, 1, 0)
        return envelope.close(header, message, self.signing, keys.sealing_public(sealing_key))

    def say_key_set(self) -> bytes:
        """The key set as it goes down, bare."""
        return keys.sign_key_set(self.root, self.key_set())

    def answer(self, payload: bytes, now_ms: int) -> list[bytes]:
        """What HQ answers to one payload on `up`; nothing to noise."""
        try:
            parts = envelope.parse(payload)
            message = envelope.open_(parts, HQ, self.identity.public_key(), keys.sealing_private(self.sealing_raw))
        except WireError:
            self.dropped += 1
            return []
        header = parts.header
        fresh = self._is_fresh(header.boot, header.nonce, now_ms // 1000)
        match message:
            case sync.Hello():
                self.hellos += 1
                self.boot = (header.boot, message.sealing_key)
                if not fresh:
                    return [self.say(sync.Challenge(self._challenge(header.boot, now_ms // 1000)), message.nonce)]
                return self._on_hello(message, header.boot, now_ms)
            case sync.Want() if fresh:
                return [
                    self.say(answer, message.nonce)
                    for node in message.nodes
                    if node.instance in self.instances
                    for answer in self.node(node)
                ]
            case sync.Events() if fresh:
                for event in message.events:
                    self.events_seen += 1
                    self.events.setdefault((message.incarnation, event.number), event)
                if message.after <= self.through(message.incarnation):
                    there = {event.number for event in message.events}
                    self.passed_over.setdefault(message.incarnation, set()).update(
                        set(range(message.after + 1, message.through + 1)) - there
                    )
            case sync.Done() if fresh:
                self.dones.append(message)
        return []

    def order(self, verb: sync.Verb, subject: bytes | None = None, **changes: object) -> sync.Order:
        """An order to the newest cache; a roll makes the share of the next epoch."""
        incarnation = next(reversed(self.shares))
        if verb is sync.Verb.ROLL and subject is None:
            epoch = max(self.shares[incarnation]) + 1
            self.shares[incarnation][epoch] = secrets.token_bytes(32)
            subject = epoch.to_bytes(4, "big")
        found = sync.Order(secrets.token_bytes(16), verb, incarnation, TODAY_MS + 10**9, subject, None)
        return replace(found, **changes)  # type: ignore[arg-type]

    def through(self, incarnation: bytes) -> int:
        """The number up to which no event of this incarnation is missing."""
        number = 0
        while (incarnation, number + 1) in self.events or number + 1 in self.passed_over.get(incarnation, ()):
            number += 1
        return number

    def _on_hello(self, hello: sync.Hello, boot: bytes, now_ms: int) -> list[bytes]:
        challenge = self._challenge(boot, now_ms // 1000)
        said = [self.say_key_set()] if hello.key_set_version < self.key_set_version else []
        if self.refuse is not None:
            return [*said, self.say(sync.Refusal(self.refuse, challenge), hello.nonce)]
        first = {} if hello.epoch else {1: secrets.token_bytes(32)}
        shares = tuple(
            sync.EpochShare(*one) for one in sorted(self.shares.setdefault(hello.incarnation, first).items())
        )
        if not shares:
            return [*said, self.say(sync.Refusal(sync.RefusalReason.SHARE_LOST, challenge), hello.nonce)]
        ticket = self.tickets.setdefault(hello.incarnation, secrets.token_bytes(16))
        lacks = not self.instances.keys() <= {held.instance for held in hello.held} or hello.epoch < shares[-1].epoch
        if hello.readiness is Readiness.LOCKED or lacks:
            digest_keys = tuple(sync.DigestKey(one.name, one.digest_key) for one in self.instances.values())
            said.append(self.say(sync.Unlock(hello.incarnation, shares, digest_keys, ticket), hello.nonce))
        if hello.readiness is not Readiness.LOCKED:
            said.append(self.say(self.lease(hello.incarnation, challenge, now_ms), hello.nonce))
            self.told_certificate = hello.certificate, hello.certificate_fault
            if self.certificate is not None and hello.certificate != trust.id_of(self.certificate.chain):
                said.append(self.say(self.certificate, hello.nonce))
        return said

    def lease(self, incarnation: bytes, challenge: bytes, now_ms: int) -> sync.Lease:
        """The lease as of now."""
        self.leased_ms = now_ms
        roots = []
        for one in self.instances.values():
            node = one.node()
            roots.append(sync.Root(one.name, node.root, node.count, one.n))
        days = tuple(day for name in self.instances if (day := sync.parse_instance(name)[2]) is not None)
        return sync.Lease(
            self.lease_s, self.heartbeat_s, now_ms, tuple(roots), days, self.through(incarnation), challenge
        )

    def node(self, wanted: sync.Wanted) -> list[Message]:
        """Children or range of a node, or the range of a span."""
        one = self.instances[wanted.instance]
        last = wanted.last
        if wanted.first != wanted.last:
            below, last = self._span(one, wanted)
        else:
            below = [record for _, record in one.below(wanted.first)]
            if len(below) > self.range_records and len(wanted.first) < tree.MAX_PREFIX_BYTES:
                nodes = tuple(sync.Child(byte, node.root, node.count) for byte, node in one.nodes(wanted.first).items())
                return [sync.Children(one.name, wanted.first, one.n, tuple(sorted(nodes, key=lambda node: node.byte)))]
        since = wanted.since if wanted.first != wanted.last else 0
        size = self.part_records
        parts = [below[at : at + size] for at in range(0, len(below), size)] or [[]]
        return [
            sync.RecordRange(one.name, wanted.first, last, since, one.n, number, len(parts), tuple(part))
            for number, part in enumerate(parts, 1)
        ]

    def _span(self, one: FakeInstance, wanted: sync.Wanted) -> tuple[list[Record], bytes]:
        """As many whole two-byte nodes as have `span_records` records, one at least; and how far they reach."""
        nodes: dict[bytes, list[Record]] = {}
        for key, (seq, body) in one.rows.items():
            place = tree.path(one.digest_key, key)[:2]
            counts = body is not None if wanted.since == 0 else seq > wanted.since
            if counts and wanted.first <= place <= wanted.last:
                nodes.setdefault(place, []).append(Record(key, seq, body))
        chosen: list[Record] = []
        reached = wanted.first
        for place, records in sorted(nodes.items()):
            if chosen and len(chosen) + len(records) > self.span_records:
                return chosen, reached
            chosen, reached = chosen + records, place
        return chosen, wanted.last

    def _challenge(self, boot: bytes, now_s: int) -> bytes:
        stated = now_s.to_bytes(4, "big")
        mac = hmac.digest(self.challenge_key, self.store.encode() + b"\x00" + boot + stated, sha256)
        return stated + mac[:12]

    def _is_fresh(self, boot: bytes, echoed: bytes, now_s: int) -> bool:
        at_s = int.from_bytes(echoed[:4], "big")
        return 0 <= now_s - at_s <= sync.CHALLENGE_S and echoed == self._challenge(boot, at_s)


class Line:
    """A replica and its HQ on a broker that carries everything at once; `now_s` is the boot clock, `ms` HQ's."""

    def __init__(self, replica: Replica, hq: FakeHQ, now_s: float = 1_000.0) -> None:
        self.replica = replica
        self.hq = hq
        self.now_s = now_s
        self.skew_ms = TODAY_MS - int(now_s * 1000)
        self.log: list[Changes] = []

    @property
    def now_ms(self) -> int:
        """HQ's clock."""
        return int(self.now_s * 1000) + self.skew_ms

    def up(self) -> None:
        """The connection comes."""
        self.replica.on_link(True, self.now_s)
        self.run()

    def down(self) -> None:
        """The connection goes."""
        self.replica.on_link(False, self.now_s)

    def run(self, seconds: float = 0.0, step_s: float = 0.2, carry: Callable[[bytes], bool] | None = None) -> None:
        """Lets time pass, everything carried both ways; `carry` may lose payloads going down."""
        end = self.now_s + seconds
        while True:
            self.log.append(self.replica.tick(self.now_s))
            while (said := self.replica.outgoing()) or self._worked():
                for payload in said:
                    for answer in self.hq.answer(payload, self.now_ms):
                        if carry is None or carry(answer):
                            self.log.append(self.replica.on_payload(answer, False, self.now_s))
            if self.now_s >= end:
                return
            self.now_s = min(end, self.now_s + step_s)

    def _worked(self) -> bool:
        """A slice of what nobody waits for; whether there was one."""
        changes, more = self.replica.work(64, self.now_s)
        if more:
            self.log.append(changes)
        return more

    def tell(self, records: sync.Records, *, fast: bool = False) -> Changes:
        """HQ publishes what it committed, and it arrives."""
        changes = self.replica.on_payload(self.hq.say(records), fast, self.now_s)
        self.log.append(changes)
        return changes

    def live(self) -> bool:
        """Whether the store may disclose now."""
        return self.replica.live(self.now_s)


# --- examples ------------------------------------------------------------------------------------------------------


def a_main_policy(version: int = 1, **changes: object) -> MainPolicy:
    """A brand's policy with one purpose, two scopes and one role."""
    main = MainPolicy(
        version=version,
        lease_s=120,
        heartbeat_s=15,
        purposes=(Purpose("assist", "Help in the shop", "consent", 365, bytes(32), "rop-1"),),
        scopes=tuple(
            ScopeRule(scope, scope, ValueType.TEXT, SourceClass.THIRD, "", 365, 1, Section.PREFERENCES, ("assist",))
            for scope in ("name.first", "size.shoe")
        ),
        roles=(Role("advisor", "Advisor", True),),
        ages=(AgeRule("DE", 16),),
        unknown_age_is_of_age=False,
        lead=("size.shoe",),
        session_idle_s=600,
        session_s=28_800,
    )
    return replace(main, **changes)  # type: ignore[arg-type]


def a_store_policy(store: str = STORE, **changes: object) -> StorePolicy:
    """One store's zones and hours."""
    found = StorePolicy(
        store=store,
        label="Berlin 1",
        time_zone="Europe/Berlin",
        jurisdiction="DE",
        zones=(Zone("shoes", "Shoes", "sales", ("node-1",), False, ("size.shoe",), None),),
        hours=tuple(Hours(day, 0, 1_440) for day in range(1, 8)),
        enter_dbm=-75,
        exit_dbm=-85,
        dwell_s=5,
        help_s=900,
        help_escalate_s=120,
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def a_member(mode: Mode = Mode.HELP, store: str = STORE, **changes: object) -> Member:
    """A member who grants assistance."""
    statement = Statement(
        State.GIVEN, "assist", ("size.shoe",), store, ("advisor",), (), TODAY_MS // 1000 - 86_400,
        TODAY_MS // 1000 + 30 * 86_400, TODAY_MS // 1000 - 86_400, bytes(32), bytes(16), 1,
    )  # fmt: skip
    found = Member(mode, NameChoice.INVITED, (statement,), (), "DE", 18)
    return replace(found, **changes)  # type: ignore[arg-type]


def an_associate(active: bool = True) -> Staff:
    """An associate without a PIN."""
    return Staff("Ada", "advisor", "", active)
