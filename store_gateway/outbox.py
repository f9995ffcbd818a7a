"""Keeps what happened in the store until HQ has stored it, and what was denied here until HQ has folded it in.

Each event gets the next number of this incarnation in the same transaction as the thing itself.

I/O: the cache file, through `store_gateway.cache`.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from consent.visit import NOTHING_DENIED, Denied
from store_gateway.buckets import Buckets
from store_gateway.cache import MAX_SEQ, Cache
from wire import schema
from wire.member import Member
from wire.sync import Event, EventKind

BATCH_EVENTS = 128
BATCH_BYTES = 40 * 1024  # leaves room for the envelope in a payload
WINDOW_EVENTS = 1024  # so many go up before a lease says that HQ stored them
_PSEUDONYM_BYTES = 16

Entry = tuple[EventKind, bytes | None, object]


def _number(number: int) -> bytes:
    return number.to_bytes(8, "big")


class Outbox:
    """The events of one unlocked cache. `sent`: the last number that went up since HQ's last word."""

    __slots__ = ("_buckets", "_cache", "freed", "sent", "sent_mono_s")

    def __init__(self, cache: Cache, buckets: Buckets) -> None:
        self._cache = cache
        self._buckets = buckets
        first = cache.local("outbox", limit=1)
        self.freed = first[0]["number"] - 1 if first else cache.header.last_event
        self.sent = self.freed
        self.sent_mono_s = 0.0

    def add(self, entries: Iterable[Entry], at_ms: int) -> int:
        """Keeps events inside of a transaction; the last one's number. Raises: CacheError, WireError."""
        number = self._cache.header.last_event
        for kind, pseudonym, body in entries:
            number += 1
            event = Event(number, kind, at_ms, pseudonym, schema.encode(body))
            sealed = self._buckets.close_local("outbox", _number(number), schema.encode(event))
            self._cache.put_local("outbox", {"number": number, "sealed": sealed})
        self._cache.put_header(dataclasses.replace(self._cache.header, last_event=number))
        return number

    def free(self, through: int, asked_mono_s: float) -> None:
        """A lease says that HQ stored all up to `through`. Raises: CacheError.

        What went up before that lease was asked for and is not in it was lost on the way: it goes again.
        """
        through = min(through, self._cache.header.last_event, MAX_SEQ)
        if through > self.freed:
            self._cache.erase_local("outbox", "number <= ?", through)
            self.freed = through
        if self.sent < self.freed or asked_mono_s > self.sent_mono_s:
            self.sent = self.freed

    def rewind(self) -> None:
        """The connection was lost: whatever is not known to be stored goes again."""
        self.sent = self.freed

    def waits(self) -> bool:
        """Whether `batch` would give something."""
        return self.sent < self._cache.header.last_event and self.sent - self.freed < WINDOW_EVENTS

    def waiting(self) -> int:
        """How many events HQ has not said to have stored."""
        return self._cache.header.last_event - self.freed

    def batch(self, now_mono_s: float) -> tuple[Event, ...]:
        """The next events to go up, in order. Raises: CacheError."""
        events: list[Event] = []
        size_bytes = 0
        for row in self._cache.local("outbox", "number > ?", self.sent, limit=BATCH_EVENTS):
            opened = self._buckets.open_local("outbox", _number(row["number"]), row["sealed"])
            size_bytes += len(opened) + 8
            if events and size_bytes > BATCH_BYTES:
                break
            events.append(schema.decode(Event, opened))
        self.sent = events[-1].number if events else self._cache.header.last_event
        self.sent_mono_s = now_mono_s
        return tuple(events)


class Denials:
    """What was withdrawn in this store and HQ has not folded in yet; few, so they are held in memory too."""

    __slots__ = ("_buckets", "_cache", "_held")

    def __init__(self, cache: Cache, buckets: Buckets) -> None:
        self._cache = cache
        self._buckets = buckets
        self._held: dict[bytes, dict[int, str | None]] = {}
        for row in cache.local("denies"):
            opened = buckets.open_local("denies", _number(row["number"]), row["sealed"])
            pseudonym, scope = opened[:_PSEUDONYM_BYTES], opened[_PSEUDONYM_BYTES:].decode()
            self._held.setdefault(pseudonym, {})[row["number"]] = scope or None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What changes inside is undone in memory where it fails."""
        before = {pseudonym: dict(held) for pseudonym, held in self._held.items()}
        try:
            yield
        except BaseException:
            self._held = before
            raise

    def any_of(self, pseudonym: bytes) -> bool:
        """Whether anything is denied of this member."""
        return pseudonym in self._held

    def of(self, pseudonym: bytes) -> Denied:
        """What is denied of one member."""
        held = self._held.get(pseudonym)
        if not held:
            return NOTHING_DENIED
        scopes = frozenset(scope for scope in held.values() if scope is not None)
        return Denied(everything=None in held.values(), scopes=scopes)

    def add(self, number: int, pseudonym: bytes, scope: str | None) -> None:
        """Denies a scope (None: everything) inside of a transaction. Raises: CacheError."""
        content = pseudonym + (scope or "").encode()
        sealed = self._buckets.close_local("denies", _number(number), content)
        self._cache.put_local("denies", {"number": number, "sealed": sealed})
        self._held.setdefault(pseudonym, {})[number] = scope

    def fold(self, pseudonym: bytes, member: Member) -> None:
        """Lets go what HQ says is in the member's record, inside of a transaction. Raises: CacheError."""
        if member.acts_incarnation != self._cache.header.incarnation:
            return
        for number in [number for number in self._held.get(pseudonym, ()) if number <= member.acts_through]:
            self._cache.erase_local("denies", "number = ?", number)
            del self._held[pseudonym][number]
            if not self._held[pseudonym]:
                del self._held[pseudonym]
