"""Releases the tables of figures that are due: which ones, for whom, in which order.

What is counted is read first, in a transaction that only reads, so that no release holds up a member.

I/O: sqlalchemy.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, Engine, select

from hq import figures, figures_counts, figures_noise, figures_policy, outcomes
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.figures import Release, Sheet
from hq.figures_model import AXES, DAY_S, Axis, Episode, Population, Span, SpanKind, span_of
from hq.figures_tables import figure_releases
from hq.keys import Keys
from hq.ledger_tables import consent_facts
from hq.notices_tables import notice_servings

BACK_DAYS = 100  # what was not released by then is not released any more by itself
VISITS = ""  # stands for the purpose where visits are counted
OF_VISITS = frozenset({Population.SEEN, Population.SUGGESTED})
# What is released by itself: with the first rules it costs a day 7 of its 8 for a purpose, and 6.5 of 8 for visits.
PLAN: tuple[tuple[Population, SpanKind, tuple[Axis, ...]], ...] = (
    (Population.ASKED, SpanKind.DAY, (Axis.ALL,)),
    (Population.ASKED, SpanKind.WEEK, AXES[Population.ASKED]),
    (Population.ASKED, SpanKind.MONTH, AXES[Population.ASKED]),
    (Population.GIVEN, SpanKind.WEEK, (Axis.ALL,)),
    (Population.GIVEN, SpanKind.MONTH, (Axis.ALL,)),
    (Population.ENDED, SpanKind.MONTH, (Axis.ALL,)),
    (Population.SEEN, SpanKind.WEEK, (Axis.STORE,)),
    (Population.SEEN, SpanKind.MONTH, (Axis.ALL, Axis.STORE)),
    (Population.SUGGESTED, SpanKind.WEEK, AXES[Population.SUGGESTED]),
    (Population.SUGGESTED, SpanKind.MONTH, AXES[Population.SUGGESTED]),
)


def purposes(connection: Connection) -> list[str]:
    """The purposes about which anybody ever chose."""
    wanted = select(consent_facts.c.purpose).where(consent_facts.c.purpose != "").distinct()
    return sorted(connection.scalars(wanted.order_by(consent_facts.c.purpose)).all())


def due(connection: Connection, now_ms: int) -> list[Sheet]:
    """The tables of the plan that may be released now and were not, the earliest spans first.

    Of spans in which nobody was asked, nobody granted, or nothing was suggested, there is none.
    """
    today = now_ms // 1000 // DAY_S
    names = [figure_releases.c[name] for name in ("population", "purpose", "span", "first_day", "axis")]
    known = {tuple(row) for row in connection.execute(select(*names))}
    lively = _lively(connection, today - BACK_DAYS - 31)
    found = [
        Sheet(population, purpose, span, axis)
        for purpose in (*purposes(connection), VISITS)
        for population, kind, axes in PLAN
        if (population in OF_VISITS) is (purpose == VISITS)
        for span in _spans(kind, today)
        if population not in lively or not lively[population].get(purpose, frozenset()).isdisjoint(span.days)
        for axis in axes
        if (population.value, purpose, kind.value, span.first, axis.value) not in known
    ]
    return sorted((one for one in found if figures.known_at_ms(one) <= now_ms), key=lambda one: (one.span.end, one))


def _lively(connection: Connection, first: int) -> dict[Population, dict[str, set[int]]]:
    """The days from `first` on, of each purpose, on which there is something to be counted, where that is quick."""
    found: dict[Population, dict[str, set[int]]] = {}
    for population, table in ((Population.ASKED, notice_servings), (Population.GIVEN, consent_facts)):
        days: dict[str, set[int]] = {}
        for row in connection.execute(select(table.c.purpose, table.c.day).where(table.c.day >= first).distinct()):
            days.setdefault(row.purpose, set()).add(row.day)
        found[population] = days
    found[Population.SUGGESTED] = {VISITS: outcomes.days(connection, first)}
    return found


def _spans(kind: SpanKind, today: int) -> Iterator[Span]:
    span = span_of(kind, today)
    while span.first > today - BACK_DAYS:
        span = span_of(kind, span.first - 1)
        yield span


def release(engine: Engine, keys: Keys, sheet: Sheet, now_ms: int) -> Release:
    """Releases one table. Raises: Refused, as `figures.release`."""
    first, end = figures.window(sheet.span)
    with reading(engine) as connection:
        held = figures.read(connection, sheet)
        if held is not None:
            return held
        # Judged again where it is written: here only so that nothing is counted in vain.
        figures.judge(sheet, now_ms)
        rules = figures_policy.in_force(connection)
        drawn = figures_noise.noise(rules.epsilon_micro, sheet.sensitivity)
        figures.check_budget(connection, sheet, drawn, rules.budget_micro)
        episodes = {
            (population, purpose): figures_counts.collect(connection, keys, population, purpose, first, end, now_ms)
            for population, purpose in ((sheet.population, sheet.purpose), *figures.beside(connection, sheet))
        }

    with writing(engine) as connection:

        def collect(population: Population, purpose: str, first: int, end: int) -> list[Episode]:
            if (population, purpose) in episodes:
                return episodes[population, purpose]
            # Released by somebody else since it was read above.
            return figures_counts.collect(connection, keys, population, purpose, first, end, now_ms)

        return figures.release(connection, sheet, collect, now_ms, rules)


def release_due(engine: Engine, keys: Keys, now_ms: int, most: int = 10_000) -> tuple[int, int]:
    """Releases what is due, at most so many; returns how many were, and how many a spent budget refused."""
    with reading(engine) as connection:
        sheets = due(connection, now_ms)
    done = refused = 0
    for sheet in sheets:
        if done == most:
            break
        try:
            release(engine, keys, sheet, now_ms)
            done += 1
        except Refused as error:
            if error.reason is not Reason.BUDGET_SPENT:
                raise
            refused += 1
    return done, refused
