"""Brings bells to one hook, on a thread of its own, so that a hook that hangs or is gone costs nobody else anything.

One slot a zone and never a backlog: what is newer takes the place of what was not told yet. What fails is tried again
with growing pauses, and given up when it is a minute old: a bell that rings late calls nobody. A hook that took nothing
for so long is told the state of every zone as soon as it takes something again.

I/O: a thread.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from runtime.logs import Log
from store_gateway.core.bells import Bell, News
from store_gateway.errors import HOOK_REMEDIES, HookError, HookReason

LATE_S: Final = 60.0
PAUSES_S: Final = (1.0, 2.0, 4.0, 8.0, 15.0)  # before each further try
_STOP_S: Final = 2.0

_log = Log("ringer")


class Channel(Protocol):
    """A way to bells; called on the ringer's thread only."""

    name: str

    def send(self, bell: Bell, id: str) -> None:
        """Tells it, or raises HookError. The same bell has the same `id` in each try."""


@dataclass(frozen=True, slots=True)
class _Slot:
    bell: Bell
    id: str
    rung_mono_s: float


class Ringer:
    """See the module. `mark()` gives an id that never was; `clock()` CLOCK_BOOTTIME in seconds."""

    def __init__(
        self,
        channel: Channel,
        mark: Callable[[], str],
        clock: Callable[[], float],
        pauses_s: tuple[float, ...] = PAUSES_S,
    ) -> None:
        self._channel = channel
        self._mark = mark
        self._clock = clock
        self._pauses_s = pauses_s
        self._lock = threading.Lock()
        self._slots: dict[str | None, _Slot] = {}  # what is still to be told, oldest first
        self._last: dict[str | None, Bell] = {}
        self._missed = False  # something was given up, so that what the hook shows may be wrong
        self._some = threading.Event()
        self._stopping = threading.Event()
        self._counts: Counter[str] = Counter()
        self._said: HookReason | None = None
        self._thread = threading.Thread(target=self._run, name=f"hook-{channel.name}", daemon=True)

    def start(self) -> None:
        """Begins to tell; never raises, whatever the hook does."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it; what was not told yet is not told any more."""
        self._stopping.set()
        self._some.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def ring(self, bell: Bell) -> None:
        """From any thread; never waits for the hook."""
        slot = _Slot(bell, self._mark(), self._clock())
        with self._lock:
            self._last[bell.zone] = bell
            self._slots.pop(bell.zone, None)
            self._slots[bell.zone] = slot
        self._some.set()

    def again(self) -> None:
        """Tells the newest state of each zone: whoever shows it may have missed something."""
        with self._lock:
            bells = tuple(self._last.values())
        self._anew(bells)

    def counters(self) -> Mapping[str, int]:
        """Counts since the start, by what happened. Calls move them, so they are for operators."""
        return {f"hook_{self._channel.name}_{what}": count for what, count in tuple(self._counts.items())}

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._some.wait()
            self._some.clear()
            failures = 0
            while not self._stopping.is_set() and (slot := self._next()) is not None:
                if self._tell(slot):
                    failures = 0
                    continue
                self._stopping.wait(self._pauses_s[min(failures, len(self._pauses_s) - 1)])
                failures += 1

    def _next(self) -> _Slot | None:
        with self._lock:
            for zone in self._slots:
                return self._slots.pop(zone)
        return None

    def _tell(self, slot: _Slot) -> bool:
        try:
            self._channel.send(slot.bell, slot.id)
        except HookError as error:
            self._failed(slot, error.reason)
            return False
        self._counts["sent"] += 1
        if self._said is not None:
            self._said = None
            _log.info("hook_works", hook=self._channel.name)
        if self._missed:
            self._missed = False
            with self._lock:
                bells = tuple(bell for zone, bell in self._last.items() if zone != slot.bell.zone)
            self._anew(bells)
        return True

    def _anew(self, bells: Iterable[Bell]) -> None:
        now_mono_s = self._clock()
        with self._lock:
            for bell in bells:
                told = bell if bell.waiting else replace(bell, news=News.NONE)
                self._slots.setdefault(bell.zone, _Slot(told, self._mark(), now_mono_s))
        self._some.set()

    def _failed(self, slot: _Slot, reason: HookReason) -> None:
        self._counts[f"failed_{reason.value}"] += 1
        if self._clock() - slot.rung_mono_s >= LATE_S:
            self._counts["given_up"] += 1
            self._missed = True
        else:
            with self._lock:
                self._slots.setdefault(slot.bell.zone, slot)  # unless there is something newer to tell
        if reason is not self._said:
            self._said = reason
            _log.warning("hook_failed", hook=self._channel.name, reason=reason.value, remedy=HOOK_REMEDIES[reason])
