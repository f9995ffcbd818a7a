"""Remembers what became of suggestions to a member in this store, so that a no is heard on the next visit too.

A member's memory is one sealed row under a keyed tag. It goes with the member's record, with the leave to suggest, with
a withdrawal in the store and with an erasure, in the same transaction.

I/O: the cache file, through `store_gateway.cache`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from consent.grants import SUGGEST
from consent.offered import SCOPE
from consent.suggest.memory import NOTHING, Came, after, forgotten
from consent.visit import Denied
from store_gateway.buckets import Buckets
from store_gateway.cache import Cache
from store_gateway.errors import CacheError, CacheReason
from wire import schema
from wire.errors import WireError
from wire.items import SuggestionOutcome
from wire.member import Member, State
from wire.suggestions import Memory, SuggestionPolicy

_PSEUDONYM_BYTES = 16


def lets_suggest(member: Member) -> bool:
    """Whether any grant of the record lets this store suggest; which holds now is for the decision."""
    return any(one.purpose == SUGGEST and one.state is State.GIVEN for one in member.statements)


def ends_memory(denied: Denied) -> bool:
    """Whether what was withdrawn in this store ends suggestions here."""
    return denied.everything or SCOPE in denied.scopes


class Memories:
    """The memories of one unlocked cache. `tag`: of a pseudonym, keyed. Who has one is held in memory: some bytes."""

    __slots__ = ("_buckets", "_cache", "_tag", "_tags", "_touched")

    def __init__(self, cache: Cache, buckets: Buckets, tag: Callable[[bytes], bytes]) -> None:
        """Raises: CacheError."""
        self._cache = cache
        self._buckets = buckets
        self._tag = tag
        self._tags: set[bytes] = {row["who"] for row in cache.local("memories")}
        self._touched: dict[bytes, bool] = {}  # in this transaction, and whether it was there before

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What changes inside is undone in memory where it fails."""
        self._touched = {}
        try:
            yield
        except BaseException:
            for tag, was in self._touched.items():
                (self._tags.add if was else self._tags.discard)(tag)
            raise

    def any_of(self, pseudonym: bytes) -> bool:
        """Whether anything is remembered of this member."""
        return bool(self._tags) and self._tag(pseudonym) in self._tags

    def of(self, pseudonym: bytes) -> Memory:
        """What is remembered of this member. Raises: CacheError."""
        tag = self._tag(pseudonym)
        for row in self._cache.local("memories", "who = ?", tag) if tag in self._tags else ():
            opened = self._buckets.open_local("memories", tag, row["sealed"])
            if opened[:_PSEUDONYM_BYTES] == pseudonym:  # else two of one tag: nobody gets another's
                try:
                    return schema.decode(Memory, opened[_PSEUDONYM_BYTES:])
                except WireError as error:
                    raise CacheError(CacheReason.CORRUPT) from error
        return NOTHING

    def note(self, pseudonym: bytes, outcome: SuggestionOutcome, day: int, rules: SuggestionPolicy) -> None:
        """Remembers one outcome, inside of the transaction of its event. Raises: CacheError."""
        memory = after(self.of(pseudonym), outcome.item, Came(outcome.response.value), day, rules)
        content = pseudonym + schema.encode(forgotten(memory, day, rules))
        tag = self._tag(pseudonym)
        self._cache.put_local("memories", {"who": tag, "sealed": self._buckets.close_local("memories", tag, content)})
        self._touched.setdefault(tag, tag in self._tags)
        self._tags.add(tag)

    def erase(self, pseudonym: bytes) -> None:
        """Forgets all of one member, inside of a transaction. Raises: CacheError."""
        tag = self._tag(pseudonym)
        if tag in self._tags:
            self._cache.erase_local("memories", "who = ?", tag)
            self._touched.setdefault(tag, True)
            self._tags.discard(tag)

    def erase_all(self) -> None:
        """Forgets everybody, inside of a transaction: the members begin anew. Raises: CacheError."""
        if self._tags:
            self._cache.erase_local("memories", "who is not null")
            self._touched |= dict.fromkeys(self._tags, True)
            self._tags.clear()
