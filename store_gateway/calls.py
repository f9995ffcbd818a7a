"""Records what becomes of each call for help that was shown, so that HQ can tell the member's app.

Nothing is recorded of a call that nobody could see. What happens by itself is recorded within a tick, after the tablets
were told; where that fails it waits here, in order, and the call is on the floor as soon as the store may show it.

I/O: the cache, through the replica.
"""

from typing import Protocol

from store_gateway.core.presence import Ended, Move, Presence, What
from store_gateway.errors import CacheError
from wire.sync import Attendance, EventKind, HelpStep

MOST_WAITING = 256  # steps that wait to be recorded; then the oldest go
AGAIN_S = 2.0  # after a write failed
Entry = tuple[EventKind, bytes | None, object]

_ENDS = {Ended.DONE: HelpStep.DONE, Ended.CANCELLED: HelpStep.CANCELLED, Ended.TIMED_OUT: HelpStep.TIMED_OUT}
_WAITS = frozenset({HelpStep.WAITING, HelpStep.ESCALATED})


class Keeper(Protocol):
    """What is needed of the replica."""

    def record(self, now_mono_s: float, *entries: Entry) -> int: ...


class Calls:
    """See the module."""

    __slots__ = ("_again_mono_s", "_keeper", "_last", "_presence", "_waiting")

    def __init__(self, keeper: Keeper, presence: Presence) -> None:
        self._keeper = keeper
        self._presence = presence
        self._last: dict[bytes, HelpStep] = {}  # the newest step of each call that goes on
        self._waiting: list[Entry] = []
        self._again_mono_s = 0.0

    def moved(self, move: Move) -> None:
        """Presence says what happened; what is news of a call is to be recorded."""
        pseudonym = move.pseudonym
        last = self._last.get(pseudonym)
        match move.what:
            case What.CALLED:
                visit = self._presence.visit(pseudonym)
                if visit is not None and visit.attended_by is None and last not in _WAITS:
                    self._add(pseudonym, HelpStep.WAITING)
            case What.ESCALATED if last is not None and move.handle:
                self._add(pseudonym, HelpStep.ESCALATED)
            case What.CALL_ENDED if last is not None:
                self._add(pseudonym, _ENDS[move.why or Ended.CANCELLED])
                del self._last[pseudonym]
            case _:
                pass

    def said(self, pseudonym: bytes, body: Attendance, now_mono_s: float) -> None:
        """An associate attends, hands over or is done: recorded now, behind all that waits.

        Raises: CacheError; then nothing was recorded, and what waited waits on.
        """
        self._keeper.record(now_mono_s, *self._waiting, (EventKind.ATTENDANCE, pseudonym, body))
        self._waiting.clear()
        if pseudonym not in self._last:
            return  # the member is helped without having called
        if body.action is HelpStep.DONE:
            del self._last[pseudonym]
        else:
            self._last[pseudonym] = body.action

    def flush(self, now_mono_s: float) -> None:
        """Records what waits; where that fails it goes on waiting."""
        if not self._waiting or now_mono_s < self._again_mono_s:
            return
        try:
            self._keeper.record(now_mono_s, *self._waiting)
        except CacheError:
            self._again_mono_s = now_mono_s + AGAIN_S
            return
        self._waiting.clear()

    def _add(self, pseudonym: bytes, step: HelpStep) -> None:
        self._last[pseudonym] = step
        self._waiting.append((EventKind.ATTENDANCE, pseudonym, Attendance("", step)))
        del self._waiting[:-MOST_WAITING]
