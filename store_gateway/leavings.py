"""Lets a shopper leave by the eight digits that the app shows: given to an associate, or to HQ's public page.

The answer is given before anything is compared, so that neither it nor its time tells whether the code was right. Two
phones that show one code are both let be: the next code tells them apart. A code is kept nowhere.

I/O: the cache, through the replica.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import Protocol

from store_gateway.asking import Effects
from store_gateway.core.allowance import Allowance
from store_gateway.core.earshot import Earshot, Search
from store_gateway.core.table import SLOT_MS
from store_gateway.doors import DARK, Session
from store_gateway.errors import CacheError
from store_gateway.replica import Changes
from wire import query, sync, synthetic
from wire.query import Refused, RefusedReason

TABLET_BURST, TABLET_EACH_S = 5, 60.0
STORE_BURST, STORE_EACH_S = 20, 15.0
MOST_WAITING = 64
AGAIN_S = 2.0  # after a write failed
FORGET_S = 60.0  # so often whoever is out of earshot is let go
_SLICE = 128  # phones that are tried between two looks at the inbox: 2 ms
_TABLETS, _PAGE = "tablets", "page"  # of the store's allowances
_FORBIDDEN = Refused(RefusedReason.FORBIDDEN)


class Keeper(Protocol):
    """What is needed of the replica."""

    def trusted_ms(self, now_mono_s: float) -> int | None: ...
    def lease(self, now_mono_s: float) -> query.Lease: ...
    def deny(self, pseudonym: bytes, scope: str | None, withdrawal: sync.Withdrawal, now_mono_s: float) -> Changes: ...


@dataclass(frozen=True, slots=True, repr=False)
class _Asked:
    """A code that was given, and what to record if it is right."""

    code: str
    withdrawal: sync.Withdrawal
    search: Search


class Leavings:
    """See the module."""

    REQUESTS: frozenset[type[query.Request]] = frozenset({query.Leave})

    def __init__(self, keeper: Keeper, earshot: Earshot, effects: Effects) -> None:
        self._keeper = keeper
        self._earshot = earshot
        self._effects = effects
        self._of_tablets = Allowance(TABLET_BURST, TABLET_EACH_S)
        self._of_store = Allowance(STORE_BURST, STORE_EACH_S)
        self._asked: deque[_Asked] = deque()
        self._right: deque[tuple[bytes, sync.Withdrawal]] = deque()  # found, and to be recorded
        self._again_mono_s = 0.0
        self._forgot_mono_s = 0.0

    def answer(self, asked: query.Request, session: Session, now_mono_s: float) -> query.Reply:
        """The answer to one of `REQUESTS`: the same for every code. Also while the store is dark.

        A locked store holds no key by which a code could be compared, and says that it cannot.
        """
        if not isinstance(asked, query.Leave) or not (asked.code.isascii() and asked.code.isdecimal()):
            return Refused(RefusedReason.MALFORMED)
        if session.role == synthetic.ROLE:
            return _FORBIDDEN
        now_ms = self._keeper.trusted_ms(now_mono_s)
        if now_ms is None or self._keeper.lease(now_mono_s).light is query.Light.LOCKED:
            return DARK
        wait_s = max(self._of_tablets.left_s(session.tablet, now_mono_s), self._of_store.left_s(_TABLETS, now_mono_s))
        if wait_s:
            return Refused(RefusedReason.THROTTLED, wait_s)
        self._of_tablets.take(session.tablet, now_mono_s)
        self._of_store.take(_TABLETS, now_mono_s)
        withdrawal = sync.Withdrawal(None, session.associate, session.tablet, sync.Surface.TABLET)
        self._ask(asked.code, withdrawal, now_ms, now_mono_s)
        return query.Accepted()

    def ordered(self, code: str, now_mono_s: float) -> None:
        """HQ gives a code from its public page. One too many is let go: HQ counts them too."""
        now_ms = self._keeper.trusted_ms(now_mono_s)
        if now_ms is None or self._of_store.left_s(_PAGE, now_mono_s):
            return
        self._of_store.take(_PAGE, now_mono_s)
        self._ask(code, sync.Withdrawal(None, "", "", sync.Surface.PAGE), now_ms, now_mono_s)

    def _ask(self, code: str, withdrawal: sync.Withdrawal, now_ms: int, now_mono_s: float) -> None:
        if len(self._asked) < MOST_WAITING:
            self._asked.append(_Asked(code, withdrawal, self._earshot.search(now_ms // SLOT_MS, now_mono_s)))

    def flush(self, now_mono_s: float) -> None:
        """Goes on for a slice with what was asked, and records who left, before the tablets are told anything.

        Where that fails the store is dark, and it is tried again until it may show somebody, and then first.
        """
        if now_mono_s - self._forgot_mono_s >= FORGET_S:
            self._forgot_mono_s = now_mono_s
            self._earshot.forget_old(now_mono_s)
        if self._asked:
            first = self._asked[0]
            if first.search.step(first.code, _SLICE):
                self._asked.popleft()
                pseudonym = first.search.found()
                if pseudonym is not None:
                    self._right.append((pseudonym, first.withdrawal))
        while self._right and (now_mono_s >= self._again_mono_s or self._is_live(now_mono_s)):
            pseudonym, withdrawal = self._right[0]
            try:
                changes = self._keeper.deny(pseudonym, None, withdrawal, now_mono_s)
            except CacheError:
                self._again_mono_s = now_mono_s + AGAIN_S
                return
            self._right.popleft()
            self._effects.took(replace(changes, members=changes.members | {pseudonym}), now_mono_s)
            self._effects.stir()

    def _is_live(self, now_mono_s: float) -> bool:
        return self._keeper.lease(now_mono_s).light is query.Light.LIVE
