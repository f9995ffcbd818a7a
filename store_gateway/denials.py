"""Holds what was withdrawn or muted in this store, over every record, until HQ's record of the member names it.

One goes in one of two ways: the member's record says that it is folded in; or HQ says that it stored the event, the
members agree as of that same answer, and no live record is held: whatever comes later was written after it.

I/O: the cache file, through `store_gateway.cache`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from consent.visit import NOTHING_DENIED, Denied
from store_gateway.buckets import Buckets
from store_gateway.cache import Cache
from wire.member import Member
from wire.sync import MuteKind

_PSEUDONYM_BYTES = 16
_MUTE = "\0"  # no scope begins so
_KINDS = {kind.value: kind for kind in MuteKind}

Denial = str | tuple[MuteKind, str] | None  # a scope, a mute, or everything


def _number(number: int) -> bytes:
    return number.to_bytes(8, "big")


def _text(denial: Denial) -> str:
    return f"{_MUTE}{denial[0].value}{_MUTE}{denial[1]}" if isinstance(denial, tuple) else denial or ""


def _denial(text: str) -> Denial:
    if not text.startswith(_MUTE):
        return text or None
    _, kind, name = text.split(_MUTE, 2)
    return _KINDS[kind], name


class Denials:
    """The denials of one unlocked cache; few, so they are held in memory too."""

    __slots__ = ("_buckets", "_cache", "_held")

    def __init__(self, cache: Cache, buckets: Buckets) -> None:
        self._cache = cache
        self._buckets = buckets
        self._held: dict[bytes, dict[int, Denial]] = {}
        for row in cache.local("denies"):
            opened = buckets.open_local("denies", _number(row["number"]), row["sealed"])
            pseudonym, text = opened[:_PSEUDONYM_BYTES], opened[_PSEUDONYM_BYTES:].decode()
            self._held.setdefault(pseudonym, {})[row["number"]] = _denial(text)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What changes inside is undone in memory where it fails."""
        before = {pseudonym: dict(held) for pseudonym, held in self._held.items()}
        try:
            yield
        except BaseException:
            self._held = before
            raise

    def members(self) -> tuple[bytes, ...]:
        """All of whom anything is denied."""
        return tuple(self._held)

    def any_of(self, pseudonym: bytes) -> bool:
        """Whether anything is denied of this member."""
        return pseudonym in self._held

    def of(self, pseudonym: bytes) -> Denied:
        """What is denied of one member."""
        held = self._held.get(pseudonym)
        if not held:
            return NOTHING_DENIED
        return Denied(
            everything=None in held.values(),
            scopes=frozenset(one for one in held.values() if isinstance(one, str)),
            mutes=frozenset(one for one in held.values() if isinstance(one, tuple)),
        )

    def numbered(self, pseudonym: bytes) -> tuple[tuple[int, Denial], ...]:
        """What is denied of one member, each with the number of its event, ascending."""
        return tuple(sorted(self._held.get(pseudonym, {}).items(), key=lambda one: one[0]))

    def add(self, number: int, pseudonym: bytes, denial: Denial) -> None:
        """Denies something inside of a transaction. Raises: CacheError."""
        sealed = self._buckets.close_local("denies", _number(number), pseudonym + _text(denial).encode())
        self._cache.put_local("denies", {"number": number, "sealed": sealed})
        self._held.setdefault(pseudonym, {})[number] = denial

    def fold(self, pseudonym: bytes, member: Member) -> None:
        """Lets go what HQ says is in the member's record, inside of a transaction. Raises: CacheError."""
        if member.acts_incarnation == self._cache.header.incarnation:
            self.erase(pseudonym, member.acts_through)

    def of_events(self, through: int) -> list[bytes]:
        """The members of whom an event up to this number denies something."""
        return [pseudonym for pseudonym, held in self._held.items() if min(held) <= through]

    def erase(self, pseudonym: bytes, through: int) -> None:
        """Erases one member's up to this number, inside of a transaction. Raises: CacheError.

        Safe where the members agree as of an answer by which HQ stored the events up to there, and no live record is
        held: HQ folded them in at a seq that the floor has passed, and a record of a later seq names them.
        """
        held = self._held.get(pseudonym, {})
        for number in [one for one in held if one <= through]:
            self._cache.erase_local("denies", "number = ?", number)
            del held[number]
        if not held:
            self._held.pop(pseudonym, None)

    def erase_member(self, pseudonym: bytes) -> int:
        """Erases all of one member whose record is gone for good, inside of a transaction; how many."""
        count = len(self._held.get(pseudonym, ()))
        self.erase(pseudonym, 2**63 - 1)
        return count
