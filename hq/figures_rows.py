"""Puts released figures into rows that the page, the download and the terminal tell alike.

Pure: no I/O, no clock.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hq.figures import Line, Release
from hq.figures_delays import Dark, Delay
from hq.figures_model import OUTCOMES, WAITS, Axis, Outcome, Population


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One row. `counts` and `rates` (0 to 1) in the order of the outcomes; None: withheld."""

    span: str
    value: str
    count: int | None
    counts: tuple[int | None, ...]
    rates: tuple[float | None, ...]


# The outcome whose part is the figure that people speak of.
LEADING: dict[Population, Outcome] = {
    Population.ASKED: Outcome.GIVEN,
    Population.GIVEN: Outcome.WITHDRAWN,
    Population.ENDED: Outcome.RENEWED,
    Population.SEEN: Outcome.HELPED,
    Population.SUGGESTED: Outcome.TAKEN,
}


def rows(releases: Iterable[Release]) -> list[FigureRow]:
    """All rows of these tables, the newest span first; where all of a span is withheld it has one row, of nothing."""
    found = []
    for release in reversed(list(releases)):
        outcomes = OUTCOMES[release.sheet.population]
        nothing = (None,) * len(outcomes)
        span = release.sheet.span.label
        if not release.lines:
            found.append(FigureRow(span, "", None, nothing, nothing))
        found += [_row(span, line, outcomes) for line in release.lines]
    return found


def _row(span: str, line: Line, outcomes: Sequence[Outcome]) -> FigureRow:
    return FigureRow(
        span, line.value, line.count, tuple(line.outcomes.get(one) for one in outcomes),
        tuple(line.rate(one) for one in outcomes),
    )  # fmt: skip


def median_wait(release: Release) -> str | None:
    """Within which of the waits the middle one of those who chose had chosen; None: nothing of it was released."""
    counted = {line.value: line.count or 0 for line in release.lines}
    total = sum(counted.values())
    passed = 0
    for name, _ in WAITS:
        passed += counted.get(name, 0)
        if total and 2 * passed >= total:
            return name
    return None


def figures_csv(releases: Sequence[Release], population: Population, axis: Axis) -> str:
    """The same as a file: a line of names, then the rows; what is withheld is empty."""
    outcomes = OUTCOMES[population]
    bare = axis is Axis.WAIT
    names = ["span", axis.value, "count"]
    if not bare:
        names += [one.value for one in outcomes] + [f"{one.value}_rate" for one in outcomes]
    return _csv(
        names,
        (
            [one.span, one.value, _plain(one.count)]
            + ([] if bare else [*map(_plain, one.counts), *(_plain(rate, 4) for rate in one.rates)])
            for one in rows(releases)
        ),
    )


def delays_csv(found: Iterable[Delay]) -> str:
    """Delays as a file."""
    return _csv(
        ["span", "withdrawals_at_least", "median_ms", "p95_ms", "worst_ms", "all_confirmed"],
        (
            [one.span.label, str(one.tens), str(one.median_ms), str(one.p95_ms), str(one.worst_ms),
             "yes" if one.confirmed else "no"]
            for one in found
        ),
    )  # fmt: skip


def dark_csv(found: Iterable[Dark]) -> str:
    """Dark minutes as a file."""
    return _csv(["span", "dark_minutes"], ([one.span.label, str(one.minutes)] for one in found))


def _csv(names: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    written = io.StringIO()
    out = csv.writer(written, lineterminator="\r\n")
    out.writerow(names)
    # A spreadsheet takes what begins so for a formula.
    out.writerows([f"'{one}" if one[:1] in "=+-@" and one else one for one in line] for line in lines)
    return written.getvalue()


def _plain(number: float | None, digits: int = 0) -> str:
    return "" if number is None else f"{number:.{digits}f}"
