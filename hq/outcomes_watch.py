"""Lets a rule of suggestions rest where too few of them are taken, in all stores of a policy, for policy's days.

A rest is the policy's next version, and its end another one. What decides are whole days; whatever was counted until a
rule rests counts no more, so that after its rest it begins anew.

I/O: sqlalchemy.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from sqlalchemy import Connection, Engine, or_, select

from hq import alarms, event_bodies, figures_policy, outcomes, policy_versions, suggestion_switch
from hq.alarms import Alarm
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.keys import Keys
from hq.outcomes import DAY_MS, Cell
from hq.outcomes_rules import Place, below, place_of
from hq.publication import Policies
from hq.tables import audience, store_events, stores
from wire import schema
from wire.errors import WireError
from wire.items import Response, SuggestionOutcome
from wire.policy import MainPolicy
from wire.suggestions import DEFAULT, FLOOR_DAYS, MOST_RESTING, REST_DAYS, Resting, SuggestionPolicy
from wire.sync import EventKind

_AT_ONCE = 500


def tick(engine: Engine, keys: Keys, now_ms: int) -> int:
    """Begins and ends rests, and forgets counts that are too old; how many records changed. Raises: as `writing`."""
    with reading(engine) as connection:
        mains = _policies(connection)
        poor = {name: due(connection, keys, name, main, now_ms) for name, main in mains.items()}
    changed = 0
    for name, main in mains.items():
        said = main.suggestions or DEFAULT
        if poor[name] or _over(said, now_ms):
            try:
                with writing(engine) as connection:
                    changed += _change(connection, name, poor[name], now_ms)
            except Refused:
                continue  # somebody published at the same time: the next look sees what is in force
    with writing(engine) as connection:
        for name, main in mains.items():
            said = main.suggestions or DEFAULT
            outcomes.forget(connection, name, now_ms // DAY_MS - max(said.felt_days, said.floor_days or FLOOR_DAYS))
        if not any(poor.values()):  # what is due and could not be published is told on
            _calm(connection, now_ms)
    return changed


def due(connection: Connection, keys: Keys, policy: str, main: MainPolicy, now_ms: int) -> list[Place]:
    """Where rules of a policy are to begin a rest: below the floor, of enough shown, to as many members as k.

    Rules that are off and places that rest already are passed over.
    """
    said = main.suggestions or DEFAULT
    if said.floor_permille == 0:
        return []
    today = now_ms // DAY_MS
    first = today - (said.floor_days or FLOOR_DAYS)
    resting = [place_of(one) for one in said.rules_resting]
    counted = {
        cell: one
        for cell, one in outcomes.counted(connection, policy, first, today).items()
        if one.place.rule not in said.rules_off and not any(each.holds(one.place) for each in resting)
    }
    found = below(counted.values(), said.floor_permille, said.floor_shown)
    if not found:
        return []
    judged_by = {cell: held for cell in counted if (held := [one for one in found if one.holds(cell[1])])}
    least = figures_policy.in_force(connection).least
    enough = _shown_to(connection, keys, policy, judged_by, least)
    return [one for one in found if one in enough][: MOST_RESTING - len(resting)]


def end(connection: Connection, policy: str, place: Place, now_ms: int) -> int:
    """A person ends a rest that HQ began; how many records changed.

    Raises:
        Refused: no such policy, or HQ lets no such rule rest there.
    """
    draft = policy_versions.of(connection, policy)
    if draft is None:
        raise Refused(Reason.UNKNOWN_VERSION, "POLICY", "a policy that was published")
    said = draft.main.suggestions or DEFAULT
    left = tuple(one for one in said.rules_resting if one.until_day is None or place_of(one) != place)
    if left == said.rules_resting:
        raise Refused(Reason.POLICY_INCONSISTENT, "RULE", "a rule that HQ lets rest there")
    changed = suggestion_switch.publish(connection, draft, replace(said, rules_resting=left), now_ms)
    outcomes.judge(connection, policy, [place], now_ms // DAY_MS)
    _calm(connection, now_ms)
    return changed


def words(place: Place | Resting) -> str:
    """As a line names it: `goes-with in shoes at stage browsing`."""
    zone, stage = (f" in {place.zone}" if place.zone else ""), (f" at stage {place.stage}" if place.stage else "")
    return f"{place.rule}{zone}{stage}"


def _change(connection: Connection, policy: str, poor: Collection[Place], now_ms: int) -> int:
    """Ends what rested long enough and begins what is due, in one version."""
    begun: list[Place] = []
    ended: list[Place] = []

    def changed(said: SuggestionPolicy) -> SuggestionPolicy:
        over = _over(said, now_ms)
        ended.extend(map(place_of, over))
        kept = [one for one in said.rules_resting if one not in over]
        begun.extend(one for one in poor if one not in set(map(place_of, kept)))
        until = now_ms // DAY_MS + (said.rest_days or REST_DAYS)
        resting = (*kept, *(one.resting(until) for one in begun))[:MOST_RESTING]
        return replace(said, rules_resting=resting)

    records = suggestion_switch.by_itself(connection, policy, changed, now_ms)
    if records is None:  # repeated until a person publishes
        told = ", ".join(map(words, (*begun, *ended)))
        alarms.raise_(connection, Alarm.RULE_RESTS, "", now_ms, f"{policy}: not yet {told}")
    else:
        if begun:
            alarms.raise_(connection, Alarm.RULE_RESTS, "", now_ms, f"{policy}: {', '.join(map(words, begun))}")
        outcomes.judge(connection, policy, (*begun, *ended), now_ms // DAY_MS)
    return records or 0


def _over(said: SuggestionPolicy, now_ms: int) -> list[Resting]:
    """The rests that HQ began and whose last day is over."""
    today = now_ms // DAY_MS
    return [one for one in said.rules_resting if one.until_day is not None and one.until_day < today]


def _policies(connection: Connection) -> dict[str, MainPolicy]:
    found = Policies(connection)
    names = connection.scalars(select(stores.c.policy).distinct().order_by(stores.c.policy)).all()
    return {name: main for name in names if (main := found.main(name)) is not None}


def _calm(connection: Connection, now_ms: int) -> None:
    """The alarm is over when HQ lets no rule rest any more."""
    said = [one.suggestions or DEFAULT for one in _policies(connection).values()]
    if not any(one.until_day is not None for each in said for one in each.rules_resting):
        alarms.clear(connection, Alarm.RULE_RESTS, "", now_ms)


def _shown_to(
    connection: Connection, keys: Keys, policy: str, judged_by: Mapping[Cell, Collection[Place]], least: int
) -> set[Place]:
    """Those of the places in which something was suggested to so many members; looks no further.

    judged_by: the cells that the places are judged by, and which. Who saw only what rests, or led to a rest, is not
    among the members: nothing that they did is in the counts.
    """
    members: dict[Place, set[bytes]] = {one: set() for held in judged_by.values() for one in held}
    days = [day for day, _ in judged_by]
    first_ms, end_ms = min(days) * DAY_MS, (max(days) + 1) * DAY_MS
    events = store_events.c
    wanted = (
        select(store_events, audience.c.member)
        .join(stores, stores.c.id == events.store)
        .join(audience, (audience.c.store == events.store) & (audience.c.pseudonym == events.pseudonym))
        .where(  # no fewer than those of these days, by `outcomes.day_of`
            stores.c.policy == policy,
            events.kind == int(EventKind.OUTCOME),
            events.received_ms >= first_ms,
            or_(events.at_ms >= first_ms, events.at_ms < DAY_MS),
            or_(events.at_ms < end_ms, events.received_ms < end_ms),
        )
    )
    for chunk in connection.execute(wanted.execution_options(yield_per=_AT_ONCE)).partitions():
        for row, body in zip(chunk, event_bodies.open_(connection, keys, chunk), strict=True):
            at = _shown_at(body)
            for place in () if at is None else judged_by.get((outcomes.day_of(row.at_ms, row.received_ms), at), ()):
                if len(members[place]) < least:
                    members[place].add(row.member)
        if all(len(one) >= least for one in members.values()):
            break
    return {place for place, one in members.items() if len(one) >= least}


def _shown_at(body: bytes | None) -> Place | None:
    """Where an outcome says that something was shown by a rule; None: it says none of that."""
    try:
        said = schema.decode(SuggestionOutcome, body) if body is not None else None
    except WireError:
        return None  # of a store that says nonsense; its log has told so
    return outcomes.place_of(said) if said is not None and said.response is Response.SHOWN else None
