"""What a store tells its manager of its own work, day by day: how long it was dark, how fast withdrawals took effect.

No member is counted: figures that count members are HQ's, which releases each of them once and with noise. Only days
that are over are told, so that nobody sees a figure move.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from typing import Annotated

from wire.schema import Count, Range
from wire.views import Millis, Secret

LEAST = 10  # withdrawals behind a delay that is told; their number is told in whole tens
STEP_MS = 500  # delays are told rounded up to it
DAY_S = 86_400
MOST_DAYS = 31
Delay = Annotated[int, Range(0, 2**40)]


@dataclass(frozen=True, slots=True, repr=False)
class AskFigures:
    """The store's figures; for managers. → StoreFigures | Refused"""

    session: Secret


@dataclass(frozen=True, slots=True)
class FigureDay:
    """One day (UTC) that is over: for how long the gateway ran, and was dark or locked in that time.

    Delays in milliseconds from HQ's word to the last tablet that showed it, or to the store's cache where none was
    open; None where fewer than `LEAST` withdrawals were applied.
    """

    ROW = True
    from_ms: Millis
    measured_s: Annotated[int, Range(0, DAY_S)]
    dark_s: Annotated[int, Range(0, DAY_S)]
    withdrawals: Annotated[int, Range(0, 2**40)]
    median_ms: Delay | None
    p95_ms: Delay | None
    worst_ms: Delay | None


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """The days since the gateway's start, the newest first."""

    days: Annotated[tuple[FigureDay, ...], Count(MOST_DAYS)]
