"""Keeps what happened in the store until HQ has stored it, on 256 MiB of disk at most.

Each event gets the next number of this incarnation in the same transaction as the thing itself. Where room runs out,
what matters least is let go and counted; disclosures and withdrawals never: then nothing can be recorded, and so
nothing shown. Kind, size and a tag of the member stand unsealed beside a row, so that neither letting go nor an
erasure opens others' rows.

I/O: the cache file, through `store_gateway.cache`.
"""

import dataclasses
import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from store_gateway.buckets import Buckets
from store_gateway.cache import MAX_SEQ, Cache
from store_gateway.disclosure_log import DisclosureLog
from store_gateway.errors import CacheError, CacheReason
from store_gateway.seal import Entropy
from wire import cbor, schema, sync
from wire.errors import WireError
from wire.sync import Disclosure, Erased, Event, EventKind

BATCH_EVENTS = 128
BATCH_BYTES = 40 * 1024  # leaves room for the envelope in a payload
MOST_BATCHES = 8  # so many go up before a lease says that HQ stored them: HQ keeps 16 messages of a store waiting
LIMIT_BYTES = 256 * 1024 * 1024
ROOM_BYTES = 256 * 1024  # a full outbox is one again with room when so much is free: else it would flicker
ROW_BYTES = 128  # what a row costs besides its sealed event: its columns, indexes and leaf
LET_GO = (  # in this order; whatever is not named is never let go
    EventKind.HEALTH, EventKind.SYNTHETIC, EventKind.OUTCOME, EventKind.VISIT, EventKind.LOG_HEAD,
    EventKind.ATTENDANCE, EventKind.PAIRING, EventKind.APPLIED,
)  # fmt: skip
_LET_GO_AT_ONCE = 64
_UNKNOWN = 0  # the kind of a row of an older file, until it is adopted
_TAG, _FREED = "tag", "freed"  # what is kept in `log_state`, besides the frontiers
_TAG_KEY_BYTES, _TAG_BYTES = 16, 8

Entry = tuple[EventKind, bytes | None, object]


def _number(number: int) -> bytes:
    return number.to_bytes(8, "big")


class Outbox:
    """The events of one unlocked cache. `sent`: the last number that went up since HQ's last word."""

    __slots__ = ("_buckets", "_cache", "_going", "_let_go", "_limit_bytes", "_sizes", "_tag_key", "freed", "log",
                 "sent", "sent_mono_s")  # fmt: skip

    def __init__(self, cache: Cache, buckets: Buckets, entropy: Entropy, limit_bytes: int = LIMIT_BYTES) -> None:
        """Raises: CacheError."""
        self._cache = cache
        self._buckets = buckets
        self._limit_bytes = limit_bytes
        if not cache.local("log_state", "name = ?", _TAG):
            self._begin(entropy)
        self._tag_key = self._state(_TAG)
        self.log = DisclosureLog(cache, buckets, entropy)
        self._sizes = cache.outbox_sizes()
        self._let_go = {EventKind(row["kind"]): int(row["count"]) for row in cache.local("let_go")}
        if self._sizes.get(_UNKNOWN):
            self._adopt()
        self.freed = int.from_bytes(self._state(_FREED), "big")
        self.sent = self.freed
        self.sent_mono_s = 0.0
        self._going: deque[int] = deque()  # up to which number each batch goes that no lease has named

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What changes inside is undone in memory where it fails."""
        before = dict(self._sizes), dict(self._let_go)
        try:
            with self.log.transaction():
                yield
        except BaseException:
            self._sizes, self._let_go = before
            raise

    # --- what happens -----------------------------------------------------------------------------------------------

    def add(self, entries: Iterable[Entry], at_ms: int) -> int:
        """Keeps events inside of a transaction; the last one's number.

        Raises: CacheError, OUTBOX_FULL where all that is kept may not be let go; WireError.
        """
        number = self._cache.header.last_event
        size = self.log.size
        for kind, pseudonym, body in entries:
            number += 1
            if isinstance(body, Disclosure):
                body = self.log.append(number, at_ms, pseudonym, body)
            self._put(Event(number, kind, at_ms, pseudonym, schema.encode(body)))
        if self.log.size != size:
            self.log.keep()
        self._cache.put_header(dataclasses.replace(self._cache.header, last_event=number))
        self._make_room()
        return number

    def _put(self, event: Event) -> None:
        sealed = self._buckets.close_local("outbox", _number(event.number), schema.encode(event))
        size = len(sealed) + ROW_BYTES
        who = self.tag(event.pseudonym) if event.pseudonym is not None else None
        self._cache.put_local(
            "outbox", {"number": event.number, "sealed": sealed, "kind": int(event.kind), "size": size, "who": who}
        )
        self._sizes[event.kind] = self._sizes.get(event.kind, 0) + size

    def _make_room(self) -> None:
        for kind in LET_GO:
            while self.size_bytes > self._limit_bytes and self._sizes.get(kind):
                self._let_some_go(kind)
        if self.size_bytes > self._limit_bytes:
            raise CacheError(CacheReason.OUTBOX_FULL)

    def _let_some_go(self, kind: EventKind) -> None:
        """The oldest of a kind, as many as are too many, and not more at once than costs nothing to anybody."""
        gone, gone_bytes = 0, 0
        for number, size in self._cache.oldest_events(int(kind), _LET_GO_AT_ONCE):
            if self.size_bytes - gone_bytes <= self._limit_bytes:
                break
            self._cache.erase_local("outbox", "number = ?", number)
            gone, gone_bytes = gone + 1, gone_bytes + size
        if not gone:
            raise CacheError(CacheReason.CORRUPT)  # the sum of the sizes and the rows differ
        self._sizes[kind] -= gone_bytes
        self._let_go[kind] = self._let_go.get(kind, 0) + gone
        self._cache.put_local("let_go", {"kind": int(kind), "count": self._let_go[kind]})

    @property
    def size_bytes(self) -> int:
        """What all that is kept takes on the disk."""
        return sum(self._sizes.values())

    @property
    def has_room(self) -> bool:
        """Whether a disclosure can be recorded again; asked after one could not."""
        firm = sum(size for kind, size in self._sizes.items() if kind not in LET_GO)
        return firm + ROOM_BYTES <= self._limit_bytes

    def let_go(self) -> tuple[sync.LetGo, ...]:
        """How many events of each kind were let go, in this incarnation."""
        return tuple(sync.LetGo(int(kind), count) for kind, count in sorted(self._let_go.items()))

    # --- what goes up -----------------------------------------------------------------------------------------------

    def free(self, through: int, asked_mono_s: float) -> None:
        """A lease says that HQ stored all up to `through`. Raises: CacheError, PUT_BACK where that is more than was.

        What went up before that lease was asked for and is not in it was lost on the way: it goes again.
        """
        if through > self._cache.header.last_event or through > MAX_SEQ:
            raise CacheError(CacheReason.PUT_BACK)
        if through > self.freed:
            with self.transaction(), self._cache.transaction():
                for kind, size in self._cache.outbox_sizes(through).items():
                    self._sizes[kind] -= size
                self._cache.erase_local("outbox", "number <= ?", through)
                self.log.free(through)
                self._keep_state(_FREED, _number(through))
            self.freed = through
        while self._going and self._going[0] <= self.freed:
            self._going.popleft()
        if self.sent < self.freed or asked_mono_s > self.sent_mono_s:
            self.rewind()

    def rewind(self) -> None:
        """The connection was lost: whatever is not known to be stored goes again."""
        self.sent = self.freed
        self._going.clear()

    def waits(self) -> bool:
        """Whether `events` would give something."""
        return self.sent < self._cache.header.last_event and len(self._going) < MOST_BATCHES

    def waiting(self) -> int:
        """How many events HQ has not said to have stored; those that were let go count."""
        return self._cache.header.last_event - self.freed

    def events(self, now_mono_s: float) -> sync.Events:
        """The next batch to go up. Raises: CacheError."""
        after = self.sent
        events = self.batch(now_mono_s)
        gone = sum(self._let_go.values())
        return sync.Events(self._cache.header.incarnation, events, after, self.sent, self.freed, gone)

    def batch(self, now_mono_s: float) -> tuple[Event, ...]:
        """The next events to go up, in order. Raises: CacheError."""
        events: list[Event] = []
        size_bytes = 0
        rows = self._cache.local("outbox", "number > ?", self.sent, limit=BATCH_EVENTS)
        for row in rows:
            opened = self._open(row)
            size_bytes += len(opened) + 8
            if events and size_bytes > BATCH_BYTES:
                break
            events.append(schema.decode(Event, opened))
        whole = len(events) == len(rows) < BATCH_EVENTS  # nothing is left: the last numbers too were let go
        self.sent = self._cache.header.last_event if whole else events[-1].number
        self.sent_mono_s = now_mono_s
        self._going.append(self.sent)
        return tuple(events)

    # --- of one member ----------------------------------------------------------------------------------------------

    def of_member(self, pseudonym: bytes) -> Iterator[Event]:
        """The events of one member that wait here, in order. Raises: CacheError."""
        for row in self._cache.local("outbox", "who = ?", self.tag(pseudonym)):
            event = schema.decode(Event, self._open(row))
            if event.pseudonym == pseudonym:  # a tag has 64 bits
                yield event

    def erase_member(self, pseudonym: bytes) -> int:
        """Erases them inside of a transaction; how many. Raises: CacheError.

        Their numbers stay, and of a disclosure its leaf: the log verifies, and HQ misses nothing.
        """
        found = list(self.of_member(pseudonym))
        for event in found:
            self._sizes[event.kind] -= self._cache.outbox_size(event.number)
            leaf = self.log.leaf(event.number) if event.kind is EventKind.DISCLOSURE else None
            body = schema.encode(Erased(event.kind, leaf))
            self._put(Event(event.number, EventKind.ERASED, event.at_ms, None, body))
        return len(found)

    # --- rows -------------------------------------------------------------------------------------------------------

    def _open(self, row: Any) -> bytes:
        return self._buckets.open_local("outbox", _number(row["number"]), row["sealed"])

    def tag(self, pseudonym: bytes) -> bytes:
        """A member's keyed tag, 8 bytes: the same for as long as this cache lives."""
        return hashlib.blake2b(pseudonym, key=self._tag_key, digest_size=_TAG_BYTES).digest()

    def _state(self, name: str) -> bytes:
        (row,) = self._cache.local("log_state", "name = ?", name)
        return self._buckets.open_local("log_state", name.encode(), row["sealed"])

    def _keep_state(self, name: str, content: bytes) -> None:
        sealed = self._buckets.close_local("log_state", name.encode(), content)
        self._cache.put_local("log_state", {"name": name, "sealed": sealed})

    def _begin(self, entropy: Entropy) -> None:
        """Makes the tags' key, and says how far HQ has stored: in an older file, up to its first row."""
        first = self._cache.local("outbox", limit=1)
        freed = first[0]["number"] - 1 if first else self._cache.header.last_event
        with self._cache.transaction():
            self._keep_state(_TAG, entropy(_TAG_KEY_BYTES))
            self._keep_state(_FREED, _number(freed))

    def _adopt(self) -> None:
        """Gives the rows of an older file what they lack; their disclosures begin the log. Raises: CacheError."""
        self._sizes.pop(_UNKNOWN)
        with self.transaction(), self._cache.transaction():
            for row in self._cache.local("outbox", "kind = ?", _UNKNOWN):
                event = schema.decode(Event, self._open(row))
                if event.kind is EventKind.DISCLOSURE:
                    event = dataclasses.replace(event, body=self._logged(event))
                self._put(event)
            self.log.keep()

    def _logged(self, event: Event) -> bytes:
        try:
            plain = cbor.decode(event.body)
            assert isinstance(plain, dict)  # our own, and sealed
            said = schema.from_plain(Disclosure, plain | {10: bytes(16), 11: bytes(16)})
        except WireError as error:
            raise CacheError(CacheReason.CORRUPT) from error
        return schema.encode(self.log.append(event.number, event.at_ms, event.pseudonym, said))
