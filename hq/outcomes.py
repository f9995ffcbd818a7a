"""Counts what became of suggestions by rule, zone and stage, as stores tell it; of whom it was is not kept.

A count is raised in the transaction that stores the event, so that each counts once. It only decides which rules rest
(`hq.outcomes_watch`) and what a share of what felt creepy is of; nobody is told it. What people are told are figures
(`hq.figures`).

I/O: sqlalchemy.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import suppress

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hq.outcomes_rules import Counted, Place
from hq.outcomes_tables import outcome_counts
from hq.tables import stores
from wire import schema
from wire.errors import WireError
from wire.items import Response, SuggestionOutcome
from wire.sync import Event, EventKind

DAY_MS = 86_400_000
Cell = tuple[int, Place]  # a day since 1970 UTC, and where; each is one row of the counts
_AT_ONCE = 100  # rows of one statement: SQLite takes some thousand values


def take(connection: Connection, store: str, fresh: Iterable[Event], known: Collection[bytes], now_ms: int) -> None:
    """Counts the outcomes among a store's new events. known: the pseudonyms of members."""
    shown: Counter[tuple[int, Place]] = Counter()
    taken: Counter[tuple[int, Place]] = Counter()
    for one in fresh:
        if one.kind is EventKind.OUTCOME and one.pseudonym in known:
            with suppress(WireError):
                said = schema.decode(SuggestionOutcome, one.body)
                place = place_of(said)
                if place is not None and said.response in (Response.SHOWN, Response.TAKEN):
                    counter = shown if said.response is Response.SHOWN else taken
                    counter[day_of(one.at_ms, now_ms), place] += 1
    policy = connection.scalar(select(stores.c.policy).where(stores.c.id == store)) if shown or taken else None
    if policy is None:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    # In one order: two stores that count the same at the same time wait for each other, and never both.
    rows = [
        {"policy": policy, "day": day, "rule": place.rule, "zone": place.zone, "stage": place.stage,
         "shown": shown[day, place], "taken": taken[day, place], "judged": False}
        for day, place in sorted({*shown, *taken})
    ]  # fmt: skip
    for start in range(0, len(rows), _AT_ONCE):
        first = dialect.insert(outcome_counts).values(rows[start : start + _AT_ONCE])
        more = {name: outcome_counts.c[name] + first.excluded[name] for name in ("shown", "taken")}
        connection.execute(first.on_conflict_do_update(index_elements=list(outcome_counts.primary_key), set_=more))


def day_of(at_ms: int, received_ms: int) -> int:
    """The day an outcome counts for. A store that had no trusted time says 0: it was no later than HQ got it."""
    today = received_ms // DAY_MS
    return min(at_ms // DAY_MS or today, today)


def place_of(said: SuggestionOutcome) -> Place | None:
    """Where an outcome counts; None: no rule of the store's led to it."""
    if said.reason is None:
        return None
    # What is no name counts as a zone that is not known; a NUL is none of PostgreSQL's texts.
    zone = said.zone if said.zone is not None and said.zone.isprintable() else ""
    return Place(said.reason.value, zone, "" if said.stage is None else said.stage.value)


def counted(connection: Connection, policy: str, first_day: int, end_day: int) -> dict[Cell, Counted]:
    """What a policy's rules are to be judged by, of the days from `first_day` until before `end_day`."""
    rows = outcome_counts.c
    wanted = select(rows.day, rows.rule, rows.zone, rows.stage, rows.shown, rows.taken).where(
        rows.policy == policy, rows.day >= first_day, rows.day < end_day, rows.judged.is_(False)
    )
    found: dict[Cell, Counted] = {}
    for day, rule, zone, stage, shown, taken in connection.execute(wanted):
        place = Place(rule, zone, stage)
        found[day, place] = Counted(place, shown, taken)
    return found


def judge(connection: Connection, policy: str, places: Collection[Place], end_day: int) -> None:
    """What was counted there before a day counts no more for whether a rule rests: after its rest it begins anew."""
    if places:
        old = outcome_counts.c.day < end_day
        connection.execute(update(outcome_counts).where(_of(policy, places), old).values(judged=True))


def shown(connection: Connection, policy: str, rule: str, since_day: int) -> int:
    """How often a rule of a policy suggested something since that day."""
    rows = outcome_counts.c
    wanted = select(func.sum(rows.shown)).where(rows.policy == policy, rows.rule == rule, rows.day >= since_day)
    return connection.scalar(wanted) or 0


def days(connection: Connection, since_day: int) -> set[int]:
    """The days since then on which anything was counted."""
    rows = outcome_counts.c
    return set(connection.scalars(select(rows.day).where(rows.day >= since_day).distinct()))


def forget(connection: Connection, policy: str, before_day: int) -> None:
    """Deletes what is too old to decide anything."""
    rows = outcome_counts.c
    connection.execute(delete(outcome_counts).where(rows.policy == policy, rows.day < before_day))


def _of(policy: str, places: Iterable[Place]) -> ColumnElement[bool]:
    rows = outcome_counts.c
    parts = [
        and_(
            rows.rule == one.rule,
            *([rows.zone == one.zone] if one.zone else []),
            *([rows.stage == one.stage] if one.stage else []),
        )
        for one in places
    ]
    return and_(rows.policy == policy, or_(*parts))
