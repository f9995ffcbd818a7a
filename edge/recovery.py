"""The steps by which a radio that fell silent is brought back.

A shop is never silent: no advert of anybody for 30 s means that the scan is dead, though no exception said so
(docs/radio.md). The steps grow harsher; after the last one the radio is ill, and is tried again for ever.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from wire.sighting import RadioState

SILENCE_S: Final = 30.0  # docs/radio.md
SETTLE_S: Final = 5.0  # after a step: a scan that works hears somebody in a shop within a second or two
# Nobody is gone before 60 s of silence (docs/protocol.md), and departures wait only for a radio that is told ill: so it
# is told by then, even if BlueZ answers so slowly that the steps are not through. They end after 47 s otherwise.
ILL_S: Final = 48.0
# Capped so that a bluetoothd or an adapter that comes back after any time is heard through within 45 s.
PAUSES_S: Final = (5.0, 10.0, 20.0, 30.0)


class Step(StrEnum):
    """What is done to a silent radio."""

    RESTART = "restart"  # stop and start the scan
    REBUILD = "rebuild"  # forget the scanner, find the adapter again, scan with a new one
    POWER_CYCLE = "power_cycle"  # the adapter off and on, then as above


_STEPS: Final = (Step.RESTART, Step.REBUILD, Step.POWER_CYCLE)
STEPS_BEFORE_ILL: Final = len(_STEPS)
# Power goes off only each fourth time while ill: at night it may really be silent.
_STEPS_ILL: Final = (Step.REBUILD, Step.REBUILD, Step.REBUILD, Step.POWER_CYCLE)


@dataclass(frozen=True, slots=True)
class Ladder:
    """Where recovery stands, on the boot clock.

    `quiet_mono_s` is when an advert was last heard, or scanning began; `since_mono_s` when waiting began; `tried` how
    many steps were begun since an advert was last heard.
    """

    quiet_mono_s: float
    since_mono_s: float
    tried: int = 0

    def state(self, now_mono_s: float) -> RadioState:
        """What the gateway is told."""
        if self.tried == 0:
            return RadioState.HEARING
        if self.tried > STEPS_BEFORE_ILL or now_mono_s - self.quiet_mono_s >= ILL_S:
            return RadioState.ILL
        return RadioState.RECOVERING


def foot(now_mono_s: float) -> Ladder:
    """The ladder of a radio that hears, or begins to."""
    return Ladder(now_mono_s, now_mono_s)


def look(ladder: Ladder, heard_mono_s: float, now_mono_s: float) -> tuple[Ladder, Step | None]:
    """The ladder as of now, and the step that is due, if one is.

    `heard_mono_s` is when the last advert of anybody was heard. One after the last step ends recovery.
    """
    if heard_mono_s > ladder.since_mono_s:
        ladder = foot(heard_mono_s)
    if now_mono_s - ladder.since_mono_s < _wait_s(ladder.tried):
        return ladder, None
    if ladder.tried < STEPS_BEFORE_ILL:
        return ladder, _STEPS[ladder.tried]
    return ladder, _STEPS_ILL[(ladder.tried - STEPS_BEFORE_ILL) % len(_STEPS_ILL)]


def begun(ladder: Ladder) -> Ladder:
    """The ladder while a step is taken."""
    return replace(ladder, tried=ladder.tried + 1)


def ended(ladder: Ladder, since_mono_s: float) -> Ladder:
    """The ladder after that step, well or not: only an advert proves that it helped.

    `since_mono_s` is from when an advert is waited for: when the step ended, or, where it failed, when it began.
    """
    return replace(ladder, since_mono_s=since_mono_s)


def _wait_s(tried: int) -> float:
    if tried == 0:
        return SILENCE_S
    if tried <= STEPS_BEFORE_ILL:
        return SETTLE_S
    return PAUSES_S[min(tried - STEPS_BEFORE_ILL - 1, len(PAUSES_S) - 1)]
