"""Answers a hello by challenge, unlock, lease or refusal, out of one indexed read.

The hello of a boot that holds the ticket, and of which nothing changed, writes nothing here. Any other is judged again
under the lock of its store's row, so that two HQ processes never give one ticket to two boots.

I/O: sqlalchemy.
"""

from collections import namedtuple
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, bindparam, exists, insert, select, update

from hq import certificates, orders, records, shares, store_events, tickets
from hq.alarms import Alarm, clear, raise_
from hq.certificate_tables import certificates as given
from hq.database import Once, writing
from hq.days import valid_days
from hq.heartbeats import Heartbeats, dark_ms
from hq.keys import Keys, make_challenge
from hq.recovery_tables import recoveries
from hq.sealer import Peer, Reply, Sealer
from hq.tables import incarnations, instances, links, store_instances, stores
from hq.tickets import Holder, Known, Shown, Verdict
from wire import envelope
from wire.keys import sealing_public
from wire.sync import (
    Challenge,
    Collection,
    DigestKey,
    Hello,
    Lease,
    Message,
    Readiness,
    Refusal,
    RefusalReason,
    Root,
    Unlock,
)

_DEFAULT_LEASE_S, _DEFAULT_HEARTBEAT_S = 120, 15  # while no policy says otherwise
_MOST_QUARANTINED = 4096  # characters of the link's column
_MOST_EPOCH = 2**30  # no cache gets there by a roll a day, and there are enough after it

_LINK = ("boot", "sealing_key", "incarnation", "readiness", "software", "quarantined", "key_set_version",
         "certificate", "certificate_fault", "lease_until_ms", "bound_ms")  # fmt: skip
_CACHE = ("ticket", "pending", "events_through", "let_go", "epoch")
_HEAD = (
    stores.c.id.label("store"), stores.c.identity, stores.c.lockdown_ms, stores.c.orders_open,
    exists().where(recoveries.c.ended_ms.is_(None)).label("recovering"),
    *(links.c[name] for name in _LINK),
    *(incarnations.c[name] for name in _CACHE),
    given.c.id.label("certificate_id"), given.c.ended.label("certificate_ended"),
)  # fmt: skip
_FACTS: Select[Any] = (
    select(*_HEAD, *(column.label(f"i_{column.name}") for column in instances.c))
    .select_from(stores)
    .join(store_instances, store_instances.c.store == stores.c.id)
    .join(instances, instances.c.id == store_instances.c.instance)
    .outerjoin(links, links.c.store == stores.c.id)
    .outerjoin(
        incarnations,
        (incarnations.c.store == links.c.store) & (incarnations.c.incarnation == links.c.incarnation),
    )
    .outerjoin(given, given.c.store == stores.c.id)
    .where(stores.c.id == bindparam("store"))
)
_NAMES = [column.name for column in _HEAD]
_WIDTH = len(_HEAD)
_LINK_AT = _NAMES.index("boot")
_LINK_END = _NAMES.index("lease_until_ms")
_LEASE_AT, _HEARTBEAT_AT = (_WIDTH + list(instances.c).index(instances.c[name]) for name in ("lease_s", "heartbeat_s"))
# The store's row with its link and the cache that holds the ticket. Plain tuples: it is read for every hello.
_Head: Any = namedtuple("_Head", _NAMES)  # type: ignore[misc]


@dataclass(frozen=True, slots=True, repr=False)
class Facts:
    """What HQ knows of a store at one instant: its row with its link and the cache that holds the ticket, instances."""

    row: Any  # _Head
    held: tuple[records.Instance, ...]
    lease_s: int
    heartbeat_s: int

    @property
    def holder(self) -> Holder | None:
        """Which boot holds the ticket; None: none ever did."""
        if self.row.boot is None:
            return None
        return Holder(self.row.incarnation, self.row.boot, self.row.ticket)


def _facts(rows: Sequence[Sequence[Any]]) -> Facts | None:
    """All of it out of one statement's rows, one for each instance; None: no such store."""
    if not rows:
        return None
    held, lease_s, heartbeat_s = [], _DEFAULT_LEASE_S, _DEFAULT_HEARTBEAT_S
    for row in rows:
        held.append(records.from_columns(row[_WIDTH:]))
        if row[_LEASE_AT] is not None:
            lease_s, heartbeat_s = row[_LEASE_AT], row[_HEARTBEAT_AT]
    held.sort(key=lambda one: one.id)
    return Facts(_Head(*rows[0][:_WIDTH]), tuple(held), lease_s, heartbeat_s)


@dataclass(frozen=True, slots=True)
class _Said:
    """One hello that echoed a fresh challenge."""

    header: envelope.Header
    hello: Hello
    now_ms: int

    @property
    def shown(self) -> Shown:
        return Shown(self.hello.incarnation, self.header.boot, self.hello.ticket, self.locked)

    @property
    def locked(self) -> bool:
        return self.hello.readiness is Readiness.LOCKED

    @property
    def after_ms(self) -> int:
        """When HQ made the challenge that it echoes: it was said after that."""
        now_s = self.now_ms // 1000
        stamp_s = int.from_bytes(self.header.nonce[:4], "big")
        return (now_s - (((now_s & 0xFFFF_FFFF) - stamp_s + 2**31) % 2**32 - 2**31)) * 1000

    @property
    def let_go(self) -> int:
        return sum(one.count for one in self.hello.let_go)

    @property
    def quarantined(self) -> str:
        return " ".join(self.hello.quarantined)[:_MOST_QUARANTINED]

    @property
    def link(self) -> tuple[Any, ...]:
        """What the link's row says after this hello, in the order of `_LINK`."""
        hello = self.hello
        return (self.header.boot, hello.sealing_key, hello.incarnation, int(hello.readiness), hello.software,
                self.quarantined, hello.key_set_version, hello.certificate, hello.certificate_fault)  # fmt: skip


class Hellos:
    """See the module. Safe in several threads and processes."""

    def __init__(self, engine: Engine, keys: Keys, sealer: Sealer) -> None:
        self._engine = engine
        self._keys = keys
        self._sealer = sealer
        self._read = Once(engine, _FACTS)
        self.beats = Heartbeats(engine)

    def read(self, store: str) -> Facts | None:
        """What HQ knows of a store, in one statement; None: no such store. Raises: DatabaseUnavailable."""
        return _facts(self._read.rows({"store": store}))

    def challenge(self, store: str, header: envelope.Header, hello: Hello, now_ms: int) -> list[Reply]:
        """The answer to a hello that echoed no fresh challenge: nothing is concluded from it."""
        challenge = make_challenge(self._keys, store, header.boot, now_ms // 1000)
        return self._close(store, header, hello, [Challenge(challenge)])

    def answer(self, facts: Facts, header: envelope.Header, hello: Hello, now_ms: int) -> list[Reply]:
        """The answers to a hello that echoed a fresh challenge.

        Raises:
            DatabaseUnavailable: nothing was concluded; the store will say it again. WireError: its sealing key is none.
        """
        store: str = facts.row.store
        said = _Said(header, hello, now_ms)
        if _is_quiet(facts, said):
            self.beats.note(store, header.boot, now_ms, now_ms + facts.lease_s * 1000)
            messages: list[Message] = [self._lease(facts, said)]
        else:
            sealing_public(hello.sealing_key)  # what follows is written, and records are sealed to this key
            with writing(self._engine) as connection:
                messages = self._settle(connection, store, said)
        return self._close(store, header, hello, messages)

    def _close(self, store: str, header: envelope.Header, hello: Hello, messages: Iterable[Message]) -> list[Reply]:
        peer = Peer(store, header.boot, hello.sealing_key, hello.key_set_version)
        replies = [Reply(store, self._sealer.close(peer, one, hello.nonce)) for one in messages]
        if hello.key_set_version < self._keys.key_set_version:
            replies.insert(0, Reply(store, self._keys.key_set))
        return replies

    # --- under the lock of the store's row -----------------------------------------------------------------------

    def _settle(self, connection: Connection, store: str, said: _Said) -> list[Message]:
        connection.execute(select(stores.c.id).where(stores.c.id == store).with_for_update())
        facts = _facts([tuple(row) for row in connection.execute(_FACTS, {"store": store})])
        assert facts is not None  # no store is ever deleted
        hello, held = said.hello, _valid(facts.held, said.now_ms)
        cache = connection.execute(select(incarnations).where(*_of(store, hello.incarnation))).first()
        known = None if cache is None else Known(cache.ticket, cache.pending)
        ours = tickets.is_ours(self._keys.challenge, store, hello.incarnation, hello.ticket)
        verdict = tickets.judge(known, facts.holder, said.shown, ours=ours)
        if verdict is Verdict.STALE:
            if _is_alive_now(facts, said):
                raise_(connection, Alarm.STALE_TICKET, store, said.now_ms, _why(said, known))
            return [self._refusal(store, said, RefusalReason.STALE_TICKET)]
        if not facts.row.recovering and (verdict is Verdict.AHEAD or _is_ahead(hello, held)):
            detail = "a later ticket" if verdict is Verdict.AHEAD else "a greater seq"
            raise_(connection, Alarm.AHEAD_OF_HQ, store, said.now_ms, detail)
            return [self._refusal(store, said, RefusalReason.AHEAD_OF_HQ)]
        if verdict is Verdict.CONFIRM and facts.holder and facts.holder.incarnation != hello.incarnation:
            clear(connection, Alarm.STALE_TICKET, store, said.now_ms)  # an operator wiped a cache; else it comes again
        cache = self._accept(connection, store, said, cache, verdict)
        store_events.check_last(connection, cache, hello.last_event, said.after_ms, said.now_ms)
        binds = verdict in (Verdict.CONFIRM, Verdict.HOLDER, Verdict.AHEAD)
        refused = _refused_for(facts, locked=said.locked)
        lease_until_ms = None
        if binds and not said.locked and refused is None:
            lease_until_ms = said.now_ms + facts.lease_s * 1000
        if binds or facts.row.lockdown_ms is not None:
            _note_link(connection, facts, said, lease_until_ms)
        told: list[Message] = [] if refused is None else [self._refusal(store, said, refused)]
        if refused is not RefusalReason.LOCKDOWN and _needs_unlock(said, cache, held):
            found = shares.of(connection, store, hello.incarnation)
            if said.locked and found and 0 < hello.epoch < found[0].epoch:
                raise_(connection, Alarm.STALE_TICKET, store, said.now_ms, f"a cache of epoch {hello.epoch}")
                return [self._refusal(store, said, RefusalReason.STALE_TICKET)]
            if found and hello.epoch <= found[-1].epoch:
                ticket = self._ticket(connection, facts, said, cache)
                digest_keys = tuple(DigestKey(one.name, records.keys_of(connection, one).digest_key) for one in held)
                told.append(Unlock(hello.incarnation, found, digest_keys, ticket))
            elif said.locked:
                shares.lost(connection, store, hello.incarnation, hello, said.now_ms)
                return [self._refusal(store, said, RefusalReason.SHARE_LOST)]
        if lease_until_ms is not None:
            told.append(self._lease(facts, said, cache))
        if facts.row.orders_open and (binds or facts.row.lockdown_ms is not None):
            told += orders.due(connection, store, hello.incarnation, said.now_ms)
        if binds and refused is None and not said.locked:
            told += self._certificate(connection, facts, said)
        return told

    def _certificate(self, connection: Connection, facts: Facts, said: _Said) -> list[Message]:
        """What the store shows to its tablets, where it has another; and what it says of the one it was sent."""
        row, hello = facts.row, said.hello
        if hello.certificate_fault != row.certificate_fault and hello.certificate == row.certificate_id:
            certificates.told(connection, row.store, hello.certificate_fault, said.now_ms)
        if not _lacks_certificate(row, hello):
            return []
        found = certificates.to_send(connection, self._keys.custody, row.store, said.now_ms)
        return [] if found is None else [found]

    def _accept(
        self, connection: Connection, store: str, said: _Said, cache: Row[Any] | None, verdict: Verdict
    ) -> Row[Any]:
        """Writes what the verdict changes of the cache's row; the row as it is then."""
        hello = said.hello
        if cache is None:
            connection.execute(
                insert(incarnations).values(
                    store=store, incarnation=hello.incarnation, ticket=None, pending=None, events_through=0,
                    let_go=0, lost=0, made_ms=said.now_ms, epoch=0, roll_due_ms=0,
                )
            )  # fmt: skip
            shares.make(connection, store, hello.incarnation, hello.epoch, said.now_ms)
            shares.forget_unshown(connection, store)
        values: dict[str, Any] = {}
        if verdict in (Verdict.CONFIRM, Verdict.AHEAD):
            values = {"ticket": hello.ticket, "pending": None}
        if cache is not None and _is_further(said, cache):
            values["epoch"] = hello.epoch  # so that the next one is none that the cache had
        if cache is None or cache.let_go != said.let_go:
            values["let_go"] = said.let_go
            store_events.note_let_go(connection, store, hello.incarnation, hello.let_go)
        if values:
            connection.execute(update(incarnations).where(*_of(store, hello.incarnation)).values(**values))
        return connection.execute(select(incarnations).where(*_of(store, hello.incarnation))).one()

    def _ticket(self, connection: Connection, facts: Facts, said: _Said, cache: Row[Any]) -> bytes:
        """What an unlock brings: to a locked boot the pending ticket, the same until it is confirmed; else its own."""
        if not said.locked:
            return said.hello.ticket
        holders = None if facts.holder is None else facts.holder.ticket
        pending: bytes | None = cache.pending
        if pending is None or not tickets.is_later(pending, holders):
            store, incarnation = cache.store, cache.incarnation
            pending = tickets.make(
                self._keys.challenge, store, incarnation, said.now_ms, cache.ticket, cache.pending, holders
            )
            connection.execute(update(incarnations).where(*_of(store, incarnation)).values(pending=pending))
        return pending

    # --- messages ------------------------------------------------------------------------------------------------

    def _refusal(self, store: str, said: _Said, reason: RefusalReason) -> Refusal:
        return Refusal(reason, make_challenge(self._keys, store, said.header.boot, said.now_ms // 1000))

    def _lease(self, facts: Facts, said: _Said, cache: Row[Any] | None = None) -> Lease:
        held = _valid(facts.held, said.now_ms)
        return Lease(
            lease_s=facts.lease_s,
            heartbeat_s=facts.heartbeat_s,
            hq_ms=said.now_ms,
            roots=tuple(Root(one.name, one.node.root, one.node.count, one.seq) for one in held),
            key_days=tuple(one.day for one in held if one.day is not None),
            events_through=facts.row.events_through if cache is None else cache.events_through,
            challenge=make_challenge(self._keys, facts.row.store, said.header.boot, said.now_ms // 1000),
        )


def _is_quiet(facts: Facts, said: _Said) -> bool:
    """Whether the boot that holds the ticket says it, with nothing to write and nothing to say but a lease."""
    row, hello = facts.row, said.hello
    if row.boot is None or row[_LINK_AT:_LINK_END] != said.link or row.recovering or row.lockdown_ms is not None:
        return False
    held = _valid(facts.held, said.now_ms)
    return (
        not said.locked
        and hello.ticket == row.ticket
        and not row.orders_open
        and row.let_go == said.let_go
        and hello.last_event >= row.events_through
        and not _is_further(said, row)
        and not _needs_unlock(said, row, held)
        and not _is_ahead(hello, held)
        and not _lacks_certificate(row, hello)
    )


def _refused_for(facts: Facts, *, locked: bool) -> RefusalReason | None:
    if facts.row.lockdown_ms is not None:
        return RefusalReason.LOCKDOWN
    # A locked boot is unlocked while HQ recovers: it is asked what it knows.
    return RefusalReason.RECOVERING if facts.row.recovering and not locked else None


def _needs_unlock(said: _Said, cache: Row[Any], held: list[records.Instance]) -> bool:
    if said.locked or said.hello.epoch < cache.epoch:
        return True
    told = {one.instance for one in said.hello.held}
    return any(one.name not in told for one in held)


def _lacks_certificate(row: Any, hello: Hello) -> bool:
    """Whether it was sent another one last than HQ has for it, or holds one that was withdrawn."""
    if row.certificate_id is None:
        return bool(row.certificate_ended) and hello.certificate is not None
    return bool(hello.certificate != row.certificate_id)


def _is_further(said: _Said, cache: Row[Any]) -> bool:
    """Whether the cache is at a later epoch than HQ knows, which was restored from a backup."""
    return not said.locked and bool(cache.epoch < said.hello.epoch < _MOST_EPOCH)


def _is_ahead(hello: Hello, held: list[records.Instance]) -> bool:
    seqs = {one.name: one.seq for one in held}
    return any(one.seq > seqs.get(one.instance, one.seq) for one in hello.held)


def _is_alive_now(facts: Facts, said: _Said) -> bool:
    """Whether the boot that says it lives after the ticket was bound to another.

    What a box said before it was started again may come late, or be replayed: it echoes a challenge of that time. Only
    a challenge that HQ gave to this boot since then proves that two live at once.
    """
    return facts.row.boot is None or said.after_ms // 1000 > facts.row.bound_ms // 1000


def _why(said: _Said, known: Known | None) -> str:
    if known is None:
        return "a cache that HQ does not know, with a ticket"
    if not said.hello.ticket:
        return "no ticket where there is one"
    return "an older ticket" if said.hello.ticket != known.ticket else "the ticket of another boot or cache"


def _valid(held: Iterable[records.Instance], now_ms: int) -> list[records.Instance]:
    days = valid_days(now_ms // 1000)
    return [one for one in held if one.collection is not Collection.KEYRING or one.day in days]


def _of(store: str, incarnation: bytes) -> tuple[Any, Any]:
    return incarnations.c.store == store, incarnations.c.incarnation == incarnation


def _note_link(connection: Connection, facts: Facts, said: _Said, lease_until_ms: int | None) -> None:
    """Remembers the boot that holds the ticket: records are sealed to it from now on."""
    row, store = facts.row, facts.row.store
    values: dict[str, Any] = dict(zip(_LINK, said.link, strict=False)) | {"hello_ms": said.now_ms}
    if row.boot is None:
        lease: dict[str, int] = {"lease_until_ms": lease_until_ms or 0, "dark_ms": 0, "bound_ms": said.now_ms}
        connection.execute(insert(links).values(store=store, **values, **lease))
        return
    if (row.boot, row.incarnation) != (said.header.boot, said.hello.incarnation):
        values["bound_ms"] = said.now_ms
    if lease_until_ms is not None:
        values["lease_until_ms"] = lease_until_ms
        values["dark_ms"] = links.c.dark_ms + dark_ms(row.lease_until_ms, said.now_ms)
    connection.execute(update(links).where(links.c.store == store).values(**values))
