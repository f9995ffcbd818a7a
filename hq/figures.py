"""Releases figures that count members: few are withheld, noise is drawn once, from a budget, and what is told stays.

A table (one population, purpose, span and axis) is released once, in one transaction with what it costs; asked for
again it is read, never drawn anew. Who stands behind it is counted when it is released and kept nowhere.

I/O: sqlalchemy.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hq.errors import Reason, Refused
from hq.figures_model import (
    AXES,
    DAY_S,
    KNOWN_AFTER_DAYS,
    Axis,
    Box,
    Counting,
    Episode,
    Outcome,
    Population,
    Span,
    SpanKind,
    span_of,
)
from hq.figures_noise import MICRO, SENSITIVITY, SENSITIVITY_SPLIT, Noise, draw, noise
from hq.figures_rules import releasable
from hq.figures_tables import figure_budgets, figure_cells, figure_releases, figure_turns

# (population, purpose, first day, day after the last one) -> what is to be counted.
Collect = Callable[[Population, str, int, int], Iterable[Episode]]
# Of whom and about what: figures of one such count the same things.
Kind = tuple[Population, str]


@dataclass(frozen=True, slots=True)
class Rules:
    """How figures are released (`hq.figures_policy`). `least`: k. Epsilons in millionths: of one table; of one purpose
    and day in all.
    """

    least: int = 10
    epsilon_micro: int = MICRO // 2
    budget_micro: int = 8 * MICRO


_FIRST: Final = Rules()


@dataclass(frozen=True, slots=True, order=True)
class Sheet:
    """Which table of figures."""

    population: Population
    purpose: str
    span: Span
    axis: Axis

    @property
    def columns(self) -> dict[str, Any]:
        """As it stands in a row."""
        return {
            "population": self.population.value, "purpose": self.purpose, "span": self.span.kind.value,
            "first_day": self.span.first, "axis": self.axis.value,
        }  # fmt: skip

    @property
    def sensitivity(self) -> int:
        """By how much one day of one member changes the counts of this table in all."""
        is_split = self.axis not in (Axis.ALL, Axis.WAIT)  # waits have no outcomes: from one row to another is 2
        return SENSITIVITY_SPLIT if is_split and self.span.kind is not SpanKind.DAY else SENSITIVITY

    def of(self, table: Any) -> list[ColumnElement[bool]]:
        """Where its rows are."""
        return [table.c[name] == value for name, value in self.columns.items()]


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a released table. `count` and those of the outcomes bear noise; None: withheld, or nobody."""

    value: str
    count: int | None
    outcomes: dict[Outcome, int]

    def rate(self, outcome: Outcome) -> float | None:
        """Which part came to this, 0 to 1; None where one of the two is withheld."""
        part = self.outcomes.get(outcome)
        if part is None or not self.count:
            return None
        return min(1.0, part / self.count)


@dataclass(frozen=True, slots=True)
class Release:
    """A released table. `least` as it was then; `scale`: of the noise of each count."""

    sheet: Sheet
    released_ms: int
    least: int
    scale: float
    lines: tuple[Line, ...]


def known_at_ms(sheet: Sheet) -> int:
    """From when on the sheet may be released: its span is over and what became of everybody is known."""
    return (sheet.span.end + KNOWN_AFTER_DAYS[sheet.population]) * DAY_S * 1000


def judge(sheet: Sheet, now_ms: int) -> None:
    """Passes a table that may be released now.

    Raises:
        Refused: there is no such table, or it is too early.
    """
    if sheet.axis not in AXES[sheet.population] or sheet.span != span_of(sheet.span.kind, sheet.span.first):
        raise Refused(Reason.MALFORMED, "figures", "a table that there is")
    if now_ms < known_at_ms(sheet):
        raise Refused(Reason.TOO_EARLY, "figures", "a span whose outcomes are known: it ended some days ago")


def release(
    connection: Connection, sheet: Sheet, collect: Collect, now_ms: int, wanted: Rules = _FIRST
) -> Release:  # fmt: skip
    """Releases a table, in a transaction that writes; one that was released is the same again, whatever changed since.

    `collect` is asked for the table's population and purpose, and for those of which figures of these days were
    released (`beside`).

    Raises:
        Refused: it is too early, there is no such table, or the budget of one of its days is spent.
    """
    judge(sheet, now_ms)
    _lock(connection, now_ms)
    found = read(connection, sheet)
    if found is not None:
        return found
    drawn = noise(wanted.epsilon_micro, sheet.sensitivity)
    first, end = window(sheet.span)
    counting = Counting(collect(sheet.population, sheet.purpose, first, end))
    _spend(connection, sheet, drawn, wanted.budget_micro)
    boxes = counting.boxes(sheet.population, sheet.span, sheet.axis)
    others = [
        other.members(box)
        for (population, purpose), held in _beside(connection, sheet, first, end).items()
        for other in [Counting(collect(population, purpose, first, end))]
        for box in held
    ]
    safe = releasable(counting, boxes, _released(connection, sheet, first, end), wanted.least, others)
    counts = draw([len(counting.members(one)) for one in safe], drawn)
    connection.execute(
        insert(figure_releases).values(
            **sheet.columns, released_ms=now_ms, least=wanted.least, scale_micro=drawn.scale_micro
        )
    )
    cells = [
        {**sheet.columns, "value": box.value, "outcome": "" if box.outcome is None else box.outcome.value,
         "counted": count}
        for box, count in zip(safe, counts, strict=True)
    ]  # fmt: skip
    if cells:
        connection.execute(insert(figure_cells), cells)
    made = read(connection, sheet)
    assert made is not None  # it was written above
    return made


def read(connection: Connection, sheet: Sheet) -> Release | None:
    """A table as it was released; None: it was not."""
    row = connection.execute(select(figure_releases).where(*sheet.of(figure_releases))).first()
    if row is None:
        return None
    return _made(row, connection.execute(select(figure_cells).where(*sheet.of(figure_cells))).all())


def series(
    connection: Connection, population: Population, purpose: str, kind: SpanKind, axis: Axis, limit: int
) -> list[Release]:
    """The newest released tables of one kind, oldest first."""
    chosen = {"population": population.value, "purpose": purpose, "span": kind.value, "axis": axis.value}
    releases, cells = figure_releases, figure_cells
    wanted = select(releases).where(*(releases.c[name] == value for name, value in chosen.items()))
    rows = connection.execute(wanted.order_by(releases.c.first_day.desc()).limit(limit)).all()
    if not rows:
        return []
    inside = select(cells).where(
        *(cells.c[name] == value for name, value in chosen.items()), cells.c.first_day >= rows[-1].first_day
    )
    by_day: dict[int, list[Row[Any]]] = {}
    for cell in connection.execute(inside):
        by_day.setdefault(cell.first_day, []).append(cell)
    return [_made(row, by_day.get(row.first_day, [])) for row in reversed(rows)]


def spent(connection: Connection, purpose: str, span: Span) -> int:
    """What the dearest day of a span has spent, in millionths of epsilon."""
    budgets = figure_budgets.c
    most = select(func.max(budgets.spent_micro)).where(
        budgets.purpose == purpose, budgets.day >= span.first, budgets.day < span.end
    )
    return connection.scalar(most) or 0


def check_budget(connection: Connection, sheet: Sheet, drawn: Noise, budget_micro: int) -> None:
    """Passes a table that its days can pay. Raises: Refused."""
    if spent(connection, sheet.purpose, sheet.span) + drawn.cost_micro > budget_micro:
        raise Refused(Reason.BUDGET_SPENT, "figures", "days whose budget is not spent")


def _spend(connection: Connection, sheet: Sheet, drawn: Noise, budget_micro: int) -> None:
    """Books what the table costs each of its days: tables of other days tell nothing of these members."""
    check_budget(connection, sheet, drawn, budget_micro)
    budgets = figure_budgets.c
    whose = budgets.purpose == sheet.purpose, budgets.day >= sheet.span.first, budgets.day < sheet.span.end
    known = set(connection.scalars(select(budgets.day).where(*whose)))
    connection.execute(update(figure_budgets).where(*whose).values(spent_micro=budgets.spent_micro + drawn.cost_micro))
    fresh = [{"purpose": sheet.purpose, "day": day, "spent_micro": drawn.cost_micro}
             for day in sheet.span.days if day not in known]  # fmt: skip
    if fresh:
        connection.execute(insert(figure_budgets), fresh)


def window(span: Span) -> tuple[int, int]:
    """The days of all spans that may hold this one or be held by it."""
    around = [span_of(kind, day) for kind in SpanKind for day in (span.first, span.end - 1)]
    return min(one.first for one in around), max(one.end for one in around)


def beside(connection: Connection, sheet: Sheet) -> list[Kind]:
    """The other populations and purposes of which figures were released over these days."""
    return sorted(_beside(connection, sheet, *window(sheet.span)))


def _beside(connection: Connection, sheet: Sheet, first: int, end: int) -> dict[Kind, list[Box]]:
    found = _boxes(connection, first, end)
    return {kind: held for kind, held in found.items() if kind != (sheet.population, sheet.purpose)}


def _released(connection: Connection, sheet: Sheet, first: int, end: int) -> list[Box]:
    return _boxes(connection, first, end).get((sheet.population, sheet.purpose), [])


def _boxes(connection: Connection, first: int, end: int) -> dict[Kind, list[Box]]:
    cells = figure_cells.c
    wanted = select(figure_cells).where(cells.first_day >= first, cells.first_day < end)
    found: dict[Kind, list[Box]] = {}
    for row in connection.execute(wanted):
        span = Span(SpanKind(row.span), row.first_day)
        if span.end <= end:
            outcome = Outcome(row.outcome) if row.outcome else None
            kind = Population(row.population), row.purpose
            found.setdefault(kind, []).append(Box(span, Axis(row.axis), row.value, outcome))
    return found


def _made(row: Row[Any], cells: Iterable[Row[Any]]) -> Release:
    span = Span(SpanKind(row.span), row.first_day)
    lines: dict[str, dict[str, int]] = {}
    for cell in cells:
        lines.setdefault(cell.value, {})[cell.outcome] = cell.counted
    return Release(
        Sheet(Population(row.population), row.purpose, span, Axis(row.axis)), row.released_ms, row.least,
        row.scale_micro / MICRO,
        tuple(
            Line(value, counts.get(""), {one: counts[one.value] for one in Outcome if one.value in counts})
            for value, counts in sorted(lines.items())
        ),
    )  # fmt: skip


def _lock(connection: Connection, now_ms: int) -> None:
    """One release at a time: its row is the lock."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = {"id": 1, "made_ms": now_ms}
    connection.execute(dialect.insert(figure_turns).values(row).on_conflict_do_nothing())
    connection.execute(select(figure_turns.c.id).with_for_update()).first()
