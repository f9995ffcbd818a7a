"""Draws what a receiver hears, for a terminal of 80 columns and 24 rows, with or without colours.

Signal over time on the left, o the phone and dots everybody; on the right the phone's signals by strength, each bar on
the row of its five dBm. There is nothing in it by which anybody could be told from another.

Pure: no I/O, no clock.
"""

from collections.abc import Sequence
from statistics import median
from typing import Final

import plotille  # type: ignore[import-untyped]

from edge.coverage import HOLD_MS, Found, Limits, Verdict

TOP_DBM: Final = -30
BOTTOM_DBM: Final = -100
ROW_DB: Final = 5
COLUMNS: Final = 40  # of time
BAR_COLUMNS: Final = 15
_ROWS: Final = (TOP_DBM - BOTTOM_DBM) // ROW_DB
_ABOVE: Final = 2  # lines of the left picture above its rows: the unit, and the upper edge
_GRAPH: Final = 13 + COLUMNS


def draw(name: str, seconds: int, limits: Limits, found: Found) -> str:
    """The picture of the receiver of this name, 23 lines of at most 79 characters."""
    left = _over_time(seconds, limits, found).split("\n")
    right = ["", "  the phone, by strength", *_by_strength(found)]
    right += [""] * (len(left) - len(right))
    rows = [f"{one:<{_GRAPH}}{other}".rstrip(" \u2800") for one, other in zip(left, right, strict=True)]
    return "\n".join([_title(name, seconds, found), *rows, *_figures(found), _judgement(limits, found)])


def _title(name: str, seconds: int, found: Found) -> str:
    if found.gone_ms >= seconds * 1000:
        now = "done"
    elif found.holding:
        now = "hold phone to the receiver"
    else:
        now = "go where members stand"
    return f"{name[:35]}, {found.gone_ms // 1000} of {seconds} s: {now}"


def _over_time(seconds: int, limits: Limits, found: Found) -> str:
    figure = plotille.Figure()
    figure.width, figure.height = COLUMNS, _ROWS
    figure.with_colors = False
    figure.x_label, figure.y_label = "s", "dBm"
    figure.register_label_formatter(float, _label)
    figure.set_x_limits(0, seconds)
    figure.set_y_limits(BOTTOM_DBM, TOP_DBM)
    for name, dbm in (("enter", limits.enter_dbm), ("exit", limits.exit_dbm)):
        if BOTTOM_DBM < dbm < TOP_DBM:
            figure.axhline((dbm - BOTTOM_DBM) / (TOP_DBM - BOTTOM_DBM))
            figure.text([seconds * 0.86], [dbm], [name])
    for signals, marker in ((found.all_signals, None), (found.signals, "o")):
        times, values = _columns(signals, seconds)
        if times:
            figure.scatter(times, values, marker=marker)
    return str(figure.show())


def _columns(signals: Sequence[tuple[int, int]], seconds: int) -> tuple[list[float], list[float]]:
    """The middle signal of each column of time, where there is one, at the column's middle."""
    columns: dict[int, list[int]] = {}
    width_ms = seconds * 1000 / COLUMNS
    for at_ms, signal in signals:
        columns.setdefault(min(int(at_ms / width_ms), COLUMNS - 1), []).append(signal)
    times = [(column + 0.5) * width_ms / 1000 for column in columns]
    return times, [min(max(median(values), BOTTOM_DBM), TOP_DBM - 0.1) for values in columns.values()]


def _by_strength(found: Found) -> list[str]:
    """A line for each row, strongest first: a bar and the number of adverts."""
    counts = [0] * _ROWS
    for _, signal in found.signals:
        counts[min(max((signal - BOTTOM_DBM) // ROW_DB, 0), _ROWS - 1)] += 1
    if not any(counts):
        return [""] * _ROWS
    bins = [BOTTOM_DBM + ROW_DB * row for row in range(_ROWS + 1)]
    lines = plotille.hist_aggregated(counts, bins, width=BAR_COLUMNS).split("\n")[1:-1]
    bars = [line.split("|", 1)[1].rsplit(" ", 1)[0] for line in lines]
    return [f" {bar} {count}" if count else "" for bar, count in zip(bars, counts, strict=True)][::-1]


def _figures(found: Found) -> list[str]:
    seconds = max(found.gone_ms / 1000, 1)
    everybody = f"everybody: {found.adverts / seconds:.1f} a second, {found.adverts:,} adverts, "
    everybody += f"{found.candidates:,} with a candidate token"
    if found.strength is None:
        return [everybody, "the phone: not heard yet", ""]
    weak, middle, strong = found.strength
    rate = found.phone_adverts / max((found.gone_ms - HOLD_MS) / 1000, 1)
    return [
        everybody,
        f"the phone: median {middle} dBm, p10 {weak}, p90 {strong}; {rate:.1f} adverts a second",
        f"           silences: p95 {found.gap_ms / 1000:.1f} s, longest {found.longest_gap_ms / 1000:.1f} s",
    ]


def _judgement(limits: Limits, found: Found) -> str:
    above = f"at or above {limits.enter_dbm} dBm for {found.enough:.0%} of the time"
    match found.verdict:
        case Verdict.NOTHING:
            return "=> nothing heard of anybody: is this the right radio? (consentry-edge adapters)"
        case Verdict.NO_PHONE:
            return "=> no phone: presence on, mode open, the app in front? hold it to the receiver"
        case Verdict.TOO_SHORT:
            return "=> too short to tell yet"
        case Verdict.GAPS:
            return f"=> silent too long, p95 {found.gap_ms / 1000:.1f} s: move the receiver, or try another radio"
        case Verdict.TOO_WEAK:
            middle = found.strength[1] if found.strength else limits.exit_dbm
            return f"=> too weak at {middle} dBm: move the receiver ({above})"
        case Verdict.PATCHY:
            return f"=> patchy: {above}; move the receiver, or add one"
        case Verdict.GOOD:
            return f"=> good: {above}"


def _label(value: float, chars: int, delta: float, left: bool = False) -> str:
    return f"{value:.0f}".ljust(chars) if left else f"{value:.0f}".rjust(chars)
