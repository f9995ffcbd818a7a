"""What became of suggestions is counted by rule, zone and stage; a rule that few take rests for a time."""

import argparse
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from hq import figures_counts, figures_job, outcomes, outcomes_watch
from hq.alarm_tables import alarms
from hq.database import reading, writing
from hq.errors import Refused
from hq.figures_model import AXES, Population
from hq.notices_tables import policy_versions
from hq.outcomes_commands import PART
from hq.outcomes_rules import Counted, Place, below
from hq.outcomes_tables import outcome_counts
from hq.policy_papers import FigurePolicy
from hq.publication import Policies
from tests.fakes.store import FakeStore
from tests.hq.conftest import on
from tests.hq.headquarters import DAY_S, STORE, Headquarters
from wire import schema
from wire.items import Response, SuggestedKind, SuggestionOutcome
from wire.suggestions import DEFAULT, Resting, Stage
from wire.sync import Event, EventKind

GOES, POPULAR = SuggestedKind.WITH_BOUGHT, SuggestedKind.POPULAR
SHOWN, TAKEN = Response.SHOWN, Response.TAKEN


def outcome(
    response: Response, zone: str | None = "shoes", reason: SuggestedKind | None = GOES,
    stage: Stage | None = Stage.BROWSING,
) -> SuggestionOutcome:  # fmt: skip
    """What became of a suggestion."""
    return SuggestionOutcome("sku-1", response, zone, stage, reason)


class Floor:
    """A store that tells what became of suggestions."""

    def __init__(self, hq: Headquarters) -> None:
        self.hq = hq
        self.store = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
        self.number = 0

    def tells(self, *said: tuple[str, SuggestionOutcome], at_ms: int | None = None) -> list[Event]:
        """Of these members."""
        found = []
        for member, body in said:
            self.number += 1
            at = self.hq.now_ms if at_ms is None else at_ms
            found.append(
                Event(self.number, EventKind.OUTCOME, at, self.hq.pseudonym(member), schema.encode(body))
            )  # fmt: skip
        self.store.come_up(self.hq.answers)
        self.store.say(self.hq.answers, self.store.events(*found))
        return found

    def shows(self, members: Iterable[str], taken: int, zone: str = "shoes", reason: SuggestedKind = GOES) -> None:
        """Two things to each of the members, of which some are taken."""
        said = [(one, outcome(SHOWN, zone, reason)) for one in members for _ in range(2)]
        self.tells(*said, *((one, outcome(TAKEN, zone, reason)) for one, _ in said[:taken]))

    def resting(self) -> tuple[Resting, ...]:
        """What rests, by the record that stores get."""
        with reading(self.hq.engine) as connection:
            main = Policies(connection).main("main")
        assert main is not None and main.suggestions is not None
        return main.suggestions.rules_resting


@pytest.fixture
def floor(hq: Headquarters) -> Floor:
    """Six members, k is five; below a tenth taken, of at least ten shown in ten days, a rule rests for three."""
    hq.join_many(6)
    hq.draft = replace(hq.draft, papers=replace(hq.draft.papers, figures=FigurePolicy(5)))
    judge_by(hq)
    return Floor(hq)


def judge_by(hq: Headquarters, **said: object) -> None:
    """Publishes the policy with this floor."""
    floor = {"floor_permille": 100, "floor_shown": 10, "floor_days": 10, "rest_days": 3, **said}
    hq.publish(suggestions=replace(DEFAULT, **floor))  # type: ignore[arg-type]


def next_day(hq: Headquarters, days: int = 1) -> int:
    """Time goes on, and HQ looks; how many records changed."""
    hq.now_ms += days * DAY_S * 1000
    return outcomes_watch.tick(hq.engine, hq.keys, hq.now_ms)


def told(hq: Headquarters) -> list[str]:
    """The details of the open alarms that a rule rests."""
    with reading(hq.engine) as connection:
        wanted = select(alarms.c.detail).where(alarms.c.alarm == "rule_rests", alarms.c.over_ms.is_(None))
        return list(connection.scalars(wanted))


def counts(hq: Headquarters) -> set[tuple[object, ...]]:
    """The rows of the table, without their day."""
    with reading(hq.engine) as connection:
        rows = connection.execute(select(outcome_counts)).all()
    return {(one.policy, one.rule, one.zone, one.stage, one.shown, one.taken) for one in rows}


MEMBERS = tuple(f"m-{number}" for number in range(6))


def test_an_outcome_counts_once_where_it_was_shown_and_for_nobody(floor: Floor, hq: Headquarters) -> None:
    """By rule, zone and stage; not what no rule led to, nor whom HQ does not know; no member stands in the table."""
    known = [("m-0", outcome(SHOWN)), ("m-1", outcome(SHOWN)), ("m-0", outcome(TAKEN))]
    others = [("m-1", outcome(Response.IGNORED)), ("m-2", outcome(SHOWN, reason=None)), ("nobody", outcome(SHOWN))]
    events = floor.tells(*known, *others)
    floor.tells(("m-3", outcome(SHOWN, None, stage=None)), ("m-4", outcome(SHOWN, "a\0b", stage=None)))
    floor.store.say(hq.answers, floor.store.events(*events))
    floor.tells(("m-5", outcome(SHOWN)), at_ms=0)  # the store had no trusted time
    expected = {("main", "goes-with", "shoes", "browsing", 3, 1), ("main", "goes-with", "", "", 2, 0)}
    assert counts(hq) == expected
    assert {one.name for one in outcome_counts.columns} == {
        "policy", "day", "rule", "zone", "stage", "shown", "taken", "judged",
    }  # fmt: skip


def test_a_rule_that_few_take_rests_where_they_do_not_and_comes_back(floor: Floor, hq: Headquarters) -> None:
    """After the day is over, told by an alarm, through the author's next version; then it is judged anew."""
    floor.shows(MEMBERS, taken=1)
    floor.shows(MEMBERS, taken=5, zone="coats")
    floor.shows(MEMBERS, taken=2, reason=POPULAR)
    assert next_day(hq, 0) == 0 and floor.resting() == (), "a day counts when it is over"
    next_day(hq)
    until = hq.now_s // DAY_S + 3
    assert floor.resting() == (Resting("goes-with", "shoes", None, until),)
    assert told(hq) == ["main: goes-with in shoes"]
    judge_by(hq, most_new=2, rules_resting=(Resting("near", None, "buying"),))
    assert floor.resting() == (Resting("near", None, "buying"), Resting("goes-with", "shoes", None, until))
    assert next_day(hq, 3) == 0, "its last day"
    assert next_day(hq) > 0
    assert floor.resting() == (Resting("near", None, "buying"),), "what the author wrote stays"
    assert told(hq) == [] and next_day(hq) == 0, "what was counted before its rest counts no more"
    floor.shows(MEMBERS, taken=0)
    next_day(hq)
    assert [one.zone for one in floor.resting()] == [None, "shoes"]


@on("sqlite")
def test_no_rule_rests_by_few_members_or_without_a_floor(floor: Floor, hq: Headquarters) -> None:
    """However often it was shown to them: k stand behind a rest, as behind a figure."""
    floor.shows(MEMBERS[:4] * 5, taken=0)
    next_day(hq)
    assert floor.resting() == ()
    floor.shows(MEMBERS[4:5], taken=0)
    judge_by(hq, floor_permille=0)
    next_day(hq)
    assert floor.resting() == ()
    judge_by(hq)
    next_day(hq, 0)
    assert [one.rule for one in floor.resting()] == ["goes-with"]
    next_day(hq, 200)
    assert counts(hq) == set(), "what is too old to decide anything is forgotten"


@on("sqlite")
@pytest.mark.parametrize("rest_days", [30, 3], ids=["it rests still", "its rest is over"])
def test_k_members_stand_in_what_a_rest_is_judged_by(floor: Floor, hq: Headquarters, rest_days: int) -> None:
    """Not those to whom a store that does not know yet shows what rests, nor those by whom an earlier rest came."""
    judge_by(hq, rest_days=rest_days)
    floor.shows(MEMBERS, taken=5, zone="hats")
    hq.now_ms += 5 * DAY_S * 1000
    floor.shows(MEMBERS, taken=0)
    floor.shows(MEMBERS[:1] * 6, taken=0, zone="coats")
    next_day(hq)
    shoes = [one.zone for one in floor.resting()]
    assert shoes == ["shoes"], "to one member alone it was shown in coats"
    floor.shows(MEMBERS, taken=0)
    next_day(hq, 5)
    next_day(hq, 0)
    assert [one.zone for one in floor.resting()] == (shoes if rest_days > 5 else []), "hats are too old to count"
    floor.shows(MEMBERS[1:5], taken=0, zone="coats")
    next_day(hq)
    assert floor.resting()[-1].zone is None


@on("sqlite")
@pytest.mark.parametrize("ahead_days", [None, 40], ids=["no time", "a clock ahead"])
def test_a_showing_without_a_time_is_of_the_day_it_came(floor: Floor, hq: Headquarters, ahead_days: int | None) -> None:
    """Among the counts, and among the members who stand behind a rest; so is one of a time to come."""
    at_ms = 0 if ahead_days is None else hq.now_ms + ahead_days * DAY_S * 1000
    floor.tells(*((one, outcome(SHOWN)) for one in MEMBERS * 2), at_ms=at_ms)
    next_day(hq)
    assert [one.rule for one in floor.resting()] == ["goes-with"]


@on("sqlite")
def test_the_command_lists_and_ends_rests(
    floor: Floor, hq: Headquarters, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """Only what HQ lets rest; ended by a person it stays ended until it is judged anew."""

    def resting(rule: str | None = None, zone: str = "") -> list[str]:
        chosen = argparse.Namespace(policy="main", end=rule, zone=zone, stage="")
        PART.runs["suggestions", "resting"](hq.office, chosen, hq.now_ms)
        return capsys.readouterr().out.splitlines()

    assert resting() == ["no rule rests"]
    floor.shows(MEMBERS, taken=0)
    next_day(hq)
    assert resting() == ["goes-with, until 2026-11-25"]
    with pytest.raises(Refused):
        resting("goes-with", "shoes")
    assert resting("goes-with")[0].startswith("goes-with of main rests no more: ")
    assert floor.resting() == () and told(hq) == [] and next_day(hq) == 0
    with pytest.raises(Refused), writing(hq.engine) as connection:
        outcomes_watch.end(connection, "nothing", Place("goes-with"), hq.now_ms)
    with reading(hq.engine) as connection:
        assert outcomes.shown(connection, "main", "goes-with", 0) == 12, "for the share of what felt creepy it counts"


@on("sqlite")
def test_what_may_not_be_published_by_itself_is_told(floor: Floor, hq: Headquarters) -> None:
    """Where this release words the notices otherwise no rest begins; the alarm says so until somebody publishes."""
    floor.shows(MEMBERS, taken=0)
    newest = select(func.max(policy_versions.c.version)).scalar_subquery()
    with writing(hq.engine) as connection:
        where = policy_versions.c.version == newest
        held = connection.scalar(select(policy_versions.c.content).where(where))
        assert held is not None
        other = held.replace(b'"label":"', b'"label":"Another ')
        connection.execute(update(policy_versions).where(where).values(content=other))
    next_day(hq)
    assert floor.resting() == () and told(hq) == ["main: not yet goes-with"]
    judge_by(hq)
    next_day(hq, 0)
    assert [one.rule for one in floor.resting()] == ["goes-with"] and told(hq) == ["main: goes-with"]


@on("sqlite")
def test_what_was_suggested_is_a_figure_of_members_with_insight(
    floor: Floor, hq: Headquarters, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """By rule, zone and stage of the first showing, with the strongest answer of that day; nobody else is in it."""
    for member in MEMBERS[:5]:
        hq.grant(member, "insight")
    hq.now_ms += 60_000
    floor.shows(MEMBERS, taken=3)
    answers = ("m-3", Response.DECLINED, "shoes"), ("m-3", Response.IGNORED, "shoes"), ("m-4", TAKEN, "coats")
    floor.tells(*((member, outcome(answer, zone)) for member, answer, zone in answers))
    today = hq.now_s // DAY_S
    with reading(hq.engine) as connection:
        found = figures_counts.collect(
            connection, hq.keys, Population.SUGGESTED, "", today, today + 1, hq.now_ms
        )  # fmt: skip
    by_member = {one.member: one for one in found}
    assert len(by_member) == len(found) == 5
    assert sorted(one.outcome for one in found) == ["declined", "ignored", "ignored", "taken", "taken"]
    assert {(one.rule, one.zone, one.stage, one.place) for one in found} == {
        ("goes-with", "shoes", "browsing", "shoes · browsing")
    }  # fmt: skip
    hq.now_ms += 9 * DAY_S * 1000
    with reading(hq.engine) as connection:
        due = [one for one in figures_job.due(connection, hq.now_ms) if one.population is Population.SUGGESTED]
    assert {one.span.kind.value for one in due} == {"week"} and len(due) == len(AXES[Population.SUGGESTED])
    for one in due:
        figures_job.release(hq.engine, hq.keys, one, hq.now_ms)
    for axis, is_told in (("all", True), ("rule", False)):
        told = argparse.Namespace(axis=axis, span="week", csv=False)
        PART.runs["suggestions", "outcomes"](hq.office, told, hq.now_ms)
        header, line = capsys.readouterr().out.splitlines()
        assert header.split()[1:] == [axis, "count", "taken", "declined", "ignored"]
        assert line.split()[2].isdecimal() is is_told, "a part that is the whole is told once"
        assert "goes-with" not in line


NAMES = st.sampled_from(("", "a", "b"))
PLACES = st.builds(Place, st.sampled_from(("goes-with", "popular")), NAMES, NAMES)
SOME = st.lists(st.builds(Counted, PLACES, st.integers(0, 40), st.integers(0, 4)), max_size=12)


@settings(max_examples=60)
@given(SOME, st.integers(0, 500))
def test_what_rests_is_below_the_floor_and_none_of_its_parts_fares_well(counted: list[Counted], floor: int) -> None:
    """Over any counts; and where a rule does not rest though enough was shown, it or a part of it fares well."""

    def rate(place: Place) -> tuple[int, int]:
        inside = [one for one in counted if place.holds(one.place)]
        return sum(one.taken for one in inside), sum(one.shown for one in inside)

    found = below(counted, floor, 20)
    names = ("", "a", "b")
    every = {Place(one.place.rule, zone, stage) for one in counted for zone in names for stage in names}
    judged = {one: rate(one)[0] * 1000 < floor * rate(one)[1] for one in every if rate(one)[1] >= 20}
    assert not any(one != other and one.holds(other) for one in found for other in found)
    for place in found:
        assert judged[place] and all(poor for one, poor in judged.items() if place.holds(one))
    for place, poor in judged.items():
        rests = any(one.holds(place) for one in found)
        fares_well = any(place.holds(one) and not bad for one, bad in judged.items())
        assert rests or fares_well or not poor
