"""Remembers what became of suggestions to a member in this store, so that a no is heard on the next visit too.

A member's memory is one sealed row under a keyed tag. It goes with the member's record, with the leave to suggest, with
a withdrawal in the store and with an erasure, in the same transaction; once a day what only time ended goes, too.

I/O: the cache file, through `store_gateway.cache`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from consent.grants import SUGGEST, carrying
from consent.offered import MADE, SCOPE
from consent.suggest.memory import NOTHING, Came, after, forgotten
from consent.verdict import Rule
from consent.visit import Denied
from store_gateway.buckets import Buckets
from store_gateway.cache import Cache
from store_gateway.errors import CacheError, CacheReason
from wire import schema
from wire.errors import WireError
from wire.items import SuggestionOutcome
from wire.member import Member
from wire.policy import Policy, Section
from wire.suggestions import Memory, SuggestionPolicy

_PSEUDONYM_BYTES = 16


def lets_suggest(member: Member, policy: Policy | None, store: str, now_s: int = 0) -> bool:
    """Whether the record lets this store show suggestions; to whom and where is for the decision.

    `now_s`: Unix seconds UTC; 0: not known, and nothing has run out. A choice that is newer than now counts: HQ's clock
    may be ahead, and what is forgotten does not come back. `policy` None: of the store's own suggestions alone.
    """
    declared = policy.main.scopes if policy is not None else ()
    others = {one.id for one in declared if one.section is Section.SUGGESTIONS} - MADE
    shown = {SCOPE, *others}  # what is concluded beside suggestions is none
    at_s = max((now_s, *(one.chosen_s or 0 for one in member.statements)))
    found = (carrying(member, store, SUGGEST, scope, at_s) for scope in sorted(shown))
    return any(not isinstance(one, Rule) and all(now_s < grant.until_s for grant in one) for one in found)


def lets_tell(
    outcome: SuggestionOutcome, member: Member, denied: Denied, policy: Policy | None, store: str, now_s: int
) -> bool:
    """Whether this may still be told and remembered of a suggestion: of the store's own, which say a reason, by the
    leave for these alone. `now_s`: Unix seconds UTC.
    """
    return not ends_memory(denied) and lets_suggest(member, None if outcome.reason else policy, store, now_s)


def ends_memory(denied: Denied) -> bool:
    """Whether what was withdrawn in this store ends suggestions here."""
    return denied.everything or SCOPE in denied.scopes


class Memories:
    """The memories of one unlocked cache. `tag`: of a pseudonym, keyed. Who has one is held in memory: some bytes."""

    __slots__ = ("_buckets", "_cache", "_swept_day", "_tag", "_tags", "_touched", "_unswept")

    def __init__(self, cache: Cache, buckets: Buckets, tag: Callable[[bytes], bytes]) -> None:
        """Raises: CacheError."""
        self._cache = cache
        self._buckets = buckets
        self._tag = tag
        self._tags: set[bytes] = {row["who"] for row in cache.local("memories")}
        self._touched: dict[bytes, bool] = {}  # in this transaction, and whether it was there before
        self._swept_day: int | None = None
        self._unswept: list[bytes] = []  # tags that are still to be looked at this day

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

    def unswept(self, day: int, most: int) -> list[bytes]:
        """The next of whom something is remembered, each once a day; empty: that was all. Raises: CacheError."""
        if self._swept_day != day:
            self._swept_day, self._unswept = day, sorted(self._tags)
        tags, self._unswept = self._unswept[:most], self._unswept[most:]
        rows = [row for tag in tags for row in self._cache.local("memories", "who = ?", tag)]
        return [self._buckets.open_local("memories", row["who"], row["sealed"])[:_PSEUDONYM_BYTES] for row in rows]

    def tidy(self, pseudonym: bytes, day: int, rules: SuggestionPolicy) -> None:
        """Forgets of one member what nothing follows from any more, inside of a transaction. Raises: CacheError."""
        before = self.of(pseudonym)
        left = forgotten(before, day, rules)
        if not left.items:
            self.erase(pseudonym)
        elif left != before:
            self._keep(pseudonym, left)

    def note(self, pseudonym: bytes, outcome: SuggestionOutcome, day: int, rules: SuggestionPolicy) -> None:
        """Remembers one outcome, inside of the transaction of its event. Raises: CacheError."""
        memory = after(self.of(pseudonym), outcome.item, Came(outcome.response.value), day, rules)
        self._keep(pseudonym, forgotten(memory, day, rules))

    def _keep(self, pseudonym: bytes, memory: Memory) -> None:
        content = pseudonym + schema.encode(memory)
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
