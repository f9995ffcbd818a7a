"""Collects who is to be counted: who was asked, who granted, whose grants ended, who came, what was suggested to whom.

Of a store's visits only members who grant `insight` there are counted, at that time and now (disclosure.md, section 6);
what was asked and answered is counted of everybody who is still a member (docs/figures.md says why).

I/O: sqlalchemy.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import Connection, exists, func, select

from hq import event_bodies, ledger, membership, outcomes
from hq.figures_model import DAY_S, WAITS, Episode, Outcome, Population, wait_of
from hq.keys import Keys
from hq.ledger_proof import Status
from hq.ledger_state import ends_before, is_given
from hq.ledger_tables import consent_facts
from hq.notices_tables import notice_servings
from hq.outcomes_rules import Place
from hq.state import CLOSING, Event, EventKind, closes
from hq.tables import audience, consent_events, store_events
from wire import schema
from wire.errors import WireError
from wire.events import EVENT_BODIES
from wire.items import Response, SuggestionOutcome
from wire.sync import Disclosure, ReasonCode

INSIGHT = "insight"
# Nobody was asked by us there: another platform did, or an operator vouched.
_NOT_ASKED = frozenset({"import", "command", "synthetic"})
_GIVEN = frozenset({Status.GIVEN.value, Status.RENEWED.value})
_ENDING = frozenset({Status.WITHDRAWN.value, Status.REFUSED.value})
_CHOICE_WITHIN_S = WAITS[-1][1]
_MONTH_S = 30 * DAY_S
_CHUNK = 500
_ANSWERS = {
    Response.TAKEN: Outcome.TAKEN,
    Response.DECLINED: Outcome.DECLINED,
    Response.NOT_FOR_ME: Outcome.DECLINED,
}
_STRENGTH = {Outcome.IGNORED: 0, Outcome.DECLINED: 1, Outcome.TAKEN: 2}  # of a day the strongest counts

T = TypeVar("T")


def collect(
    connection: Connection, keys: Keys, population: Population, purpose: str, first: int, end: int, now_ms: int
) -> list[Episode]:
    """What happened on the days from `first` until before `end`, counted from 1970-01-01."""
    match population:
        case Population.ASKED:
            return list(_asked(connection, purpose, first, end))
        case Population.GIVEN:
            return list(_given(connection, purpose, first, end))
        case Population.ENDED:
            return list(_ended(connection, keys, purpose, first, end))
        case Population.SEEN:
            return list(_seen(connection, keys, first, end, now_ms // 1000))
        case Population.SUGGESTED:
            return list(_suggested(connection, keys, first, end, now_ms // 1000))


# --- what was asked and answered -------------------------------------------------------------------------------------


def _asked(connection: Connection, purpose: str, first: int, end: int) -> Iterator[Episode]:
    """Who was shown a notice for the first time, and the first choice about its purpose within a week."""
    shown = _first_servings(connection, purpose, first, end)
    for chunk in _chunks(shown):
        answers = _facts(connection, purpose, {one.member for one in chunk})
        for one in chunk:
            at_s = one.at_ms // 1000
            chosen = [
                fact
                for fact in answers[one.member]
                if at_s <= fact.at_s < at_s + _CHOICE_WITHIN_S
                and not fact.partial
                and _is_same_brand(fact.brand, one.policy)
            ]
            outcome, wait = Outcome.NONE, ""
            if chosen:
                outcome = Outcome.GIVEN if chosen[0].status in _GIVEN else Outcome.REFUSED
                wait = wait_of(chosen[0].at_s - at_s)
            yield Episode(one.member, at_s, outcome, one.surface, one.store, one.notice.hex()[:12], wait)


def _given(connection: Connection, purpose: str, first: int, end: int) -> Iterator[Episode]:
    """Who granted, and whether all of it was withdrawn there within 30 days."""
    facts = consent_facts.c
    wanted = select(facts.member).where(
        facts.purpose == purpose, facts.status.in_(_GIVEN), facts.member.is_not(None),
        facts.day >= first, facts.day < end,
    )  # fmt: skip
    for chunk in _chunks(sorted(set(connection.scalars(wanted)))):
        told = _facts(connection, purpose, chunk)
        for member in chunk:
            for fact in told[member]:
                if fact.status in _GIVEN and first <= fact.at_s // DAY_S < end:
                    ended = any(
                        later.status in _ENDING and not later.partial
                        and later.store in (fact.store, "") and _is_same_brand(later.brand, fact.brand)
                        and fact.at_s <= later.at_s < fact.at_s + _MONTH_S
                        for later in told[member]
                        if later.event > fact.event
                    )  # fmt: skip
                    outcome = Outcome.WITHDRAWN if ended else Outcome.KEPT
                    yield Episode(member, fact.at_s, outcome, "", fact.store, (fact.notice or b"").hex()[:12])


def _ended(connection: Connection, keys: Keys, purpose: str, first: int, end: int) -> Iterator[Episode]:
    """Whose grants came to their end by themselves, and whether they were given again by 30 days later."""
    facts = consent_facts.c
    wanted = select(facts.member).where(
        facts.purpose == purpose, facts.status.in_(_GIVEN), facts.member.is_not(None), facts.day < end
    )
    for chunk in _chunks(sorted(set(connection.scalars(wanted)))):
        locked = membership.opened(connection, keys.custody, chunk)
        for member, events in ledger.of_members(connection, locked).items():
            for event in events:
                choice = event.choice
                ended_day = choice.until_s // DAY_S
                if choice.kind is not EventKind.GRANT or choice.purpose != purpose or not first <= ended_day < end:
                    continue
                for store in choice.stores or ("",):
                    if not _was_ended(event, events, store):
                        outcome = Outcome.RENEWED if _again(event, events, store) else Outcome.LAPSED
                        yield Episode(member, choice.until_s, outcome, "", store, choice.notice.hex()[:12])


def _was_ended(event: Event, events: Iterable[Event], store: str) -> bool:
    """Whether the member closed all of it, at once or scope by scope, before it ended by itself; or another grant of
    its instant had ended it.
    """
    choice = event.choice
    if any(ends_before(one, event) for one in events):
        return True
    closing = [
        one.choice
        for one in events
        if one.choice.kind in CLOSING and (event.chosen_s or 0) <= (one.chosen_s or one.recorded_s) <= choice.until_s
    ]
    return all(
        any(closes(one, choice.purpose or "", scope, store, choice.brand) for one in closing)
        for scope in choice.scopes or ("",)
    )


def _again(event: Event, events: Iterable[Event], store: str) -> bool:
    """Whether a later grant of the same stands beyond its end."""
    return any(
        (one.chosen_s or one.recorded_s) > (event.chosen_s or event.recorded_s)
        and one.choice.kind is EventKind.GRANT
        and (one.choice.purpose, one.choice.brand) == (event.choice.purpose, event.choice.brand)
        and (store == "" or store in (one.choice.stores or ()))
        and one.choice.until_s > event.choice.until_s
        and (one.chosen_s or one.recorded_s) < event.choice.until_s + _MONTH_S
        for one in events
    )


def _is_same_brand(one: str, other: str) -> bool:
    """Where either is not said (empty), it may be."""
    return one == other or not one or not other


# --- who came --------------------------------------------------------------------------------------------------------


def _seen(connection: Connection, keys: Keys, first: int, end: int, now_s: int) -> Iterator[Episode]:
    """Members with `insight` who stood on a store's floor where associates could see them, and who asked for help."""
    found: dict[tuple[bytes, str, int], Episode] = {}
    for row, said in _visits(connection, keys, Disclosure, first, end, now_s):
        if not said.shown:
            continue
        at_s = row.at_ms // 1000
        place = (row.member, row.store, at_s // DAY_S)
        helped = said.reason is ReasonCode.HELP or (place in found and found[place].outcome is Outcome.HELPED)
        begun_s = found[place].at_s if place in found else at_s
        found[place] = Episode(
            row.member, begun_s, Outcome.HELPED if helped else Outcome.PRESENT, "", row.store
        )  # fmt: skip
    yield from found.values()


def _suggested(connection: Connection, keys: Keys, first: int, end: int, now_s: int) -> Iterator[Episode]:
    """Members with `insight` to whom a card suggested something, and whether they took any of it on that day.

    Once for each rule, zone, stage and day of a store, from when it was shown first; later answers of that day count.
    """
    found: dict[tuple[bytes, str, int, Place], Episode] = {}
    for row, said in _visits(connection, keys, SuggestionOutcome, first, end, now_s):
        at = outcomes.place_of(said)
        if at is None:
            continue
        at_s = row.at_ms // 1000
        key = (row.member, row.store, at_s // DAY_S, at)
        answer = _ANSWERS.get(said.response, Outcome.IGNORED)
        if key not in found and said.response is Response.SHOWN:
            found[key] = Episode(row.member, at_s, answer, store=row.store, rule=at.rule, zone=at.zone, stage=at.stage)
        elif key in found and _STRENGTH[answer] > _STRENGTH[found[key].outcome]:
            found[key] = replace(found[key], outcome=answer)
    yield from found.values()


def _visits(
    connection: Connection, keys: Keys, shape: type[T], first: int, end: int, now_s: int
) -> Iterator[tuple[Any, T]]:
    """What stores told, of one shape, of members who granted `insight` there then and grant it now; oldest first."""
    (kind,) = (kind for kind, body in EVENT_BODIES.items() if body is shape)
    events, seats = store_events.c, audience.c
    wanted = (
        select(store_events, seats.member)
        .join(audience, (seats.store == events.store) & (seats.pseudonym == events.pseudonym))
        .where(
            events.kind == int(kind), events.at_ms >= first * DAY_S * 1000, events.at_ms < end * DAY_S * 1000,
            seats.member.in_(select(consent_facts.c.member).where(consent_facts.c.purpose == INSIGHT)),
        )
        .order_by(events.at_ms, events.store, events.incarnation, events.number)
    )  # fmt: skip
    for chunk in _chunks(connection.execute(wanted).all()):
        members = {row.member for row in chunk}
        told = ledger.of_members(connection, membership.opened(connection, keys.custody, members))
        for row, body in zip(chunk, event_bodies.open_(connection, keys, chunk), strict=True):
            try:
                said = schema.decode(shape, body) if body is not None else None
            except WireError:
                continue  # of a store that says nonsense; its log has told so
            if said is not None and _grants_insight(told.get(row.member, []), row.store, row.at_ms // 1000, now_s):
                yield row, said


def _grants_insight(events: list[Event], store: str, at_s: int, now_s: int) -> bool:
    then = [one for one in events if one.recorded_s <= at_s]
    return is_given(then, INSIGHT, at_s, store=store) and is_given(events, INSIGHT, now_s, store=store)


# --- rows ------------------------------------------------------------------------------------------------------------


def _first_servings(connection: Connection, purpose: str, first: int, end: int) -> list[Any]:
    """The servings of those days to members who had not been served the same notice before."""
    shown, before = notice_servings.c, notice_servings.alias("before")
    earlier = exists().where(
        before.c.member == shown.member, before.c.notice == shown.notice,
        (before.c.at_ms < shown.at_ms) | ((before.c.at_ms == shown.at_ms) & (before.c.id < shown.id)),
    )  # fmt: skip
    wanted = (
        select(shown.member, shown.at_ms, shown.surface, shown.store, shown.notice, shown.policy)
        .where(
            shown.purpose == purpose, shown.day >= first, shown.day < end, shown.member.is_not(None),
            shown.surface.not_in(_NOT_ASKED), ~earlier,
        )
        .order_by(shown.at_ms, shown.id)
    )  # fmt: skip
    return list(connection.execute(wanted).all())


def _facts(connection: Connection, purpose: str, members: Iterable[bytes]) -> dict[bytes, list[Any]]:
    """What the members chose about a purpose, in the order of the chain; `at_s` is the time of choice."""
    facts, chain = consent_facts.c, consent_events.c
    found: dict[bytes, list[Any]] = defaultdict(list)
    at_s = _when(chain).label("at_s")
    wanted = (
        select(facts.event, facts.member, facts.store, facts.brand, facts.status, facts.partial, facts.notice, at_s)
        .join(consent_events, chain.number == facts.event)
        .where(facts.purpose == purpose, facts.member.in_(sorted(members)))
        .order_by(facts.event, facts.id)
    )
    for row in connection.execute(wanted):
        found[row.member].append(row)
    return found


def _when(chain: Any) -> Any:
    """The time of choice, Unix seconds UTC; where it is not known, that of the record."""
    return func.coalesce(chain.chosen_s, chain.recorded_s)


def _chunks(rows: Iterable[Any]) -> Iterator[list[Any]]:
    listed = list(rows)
    for start in range(0, len(listed), _CHUNK):
        yield listed[start : start + _CHUNK]
