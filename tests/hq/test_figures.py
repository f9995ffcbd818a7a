"""What figures tell of few people: nothing, by themselves, by their differences, or by asking again."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, select

from hq import figures
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.figures import Rules, Sheet
from hq.figures_model import (
    AXES,
    DAY_S,
    OUTCOMES,
    Axis,
    Box,
    Counting,
    Episode,
    Outcome,
    Population,
    Span,
    SpanKind,
    day_of,
    span_of,
)
from hq.figures_noise import MICRO, draw, noise
from hq.figures_rules import releasable
from hq.figures_tables import figure_cells

MONTH = span_of(SpanKind.MONTH, 20_760)  # November 2026
LATER_MS = (MONTH.end + 60) * DAY_S * 1000
ASKED = Population.ASKED
K = 10


def asked(count: int, outcome: Outcome, day: int = 3, channel: str = "app", store: str = "s-1") -> list[Episode]:
    """So many members, each another one, who were asked on a day of the month."""
    at_s = (MONTH.first + day) * DAY_S
    name = f"{outcome}{day}{channel}{store}"
    return [
        Episode(f"{name}{number}".encode(), at_s, outcome, channel, store, "n-1",
                "" if outcome is Outcome.NONE else "hour")
        for number in range(count)
    ]  # fmt: skip


def collect(episodes: Iterable[Episode]) -> figures.Collect:
    """What the release reads."""
    held = list(episodes)
    return lambda population, purpose, first, end: [one for one in held if first <= one.at_s // DAY_S < end]


# So little noise that counts can be compared: what is tested then is who is counted and withheld.
QUIET = Rules(K, 10 * MICRO, 100 * MICRO)


def release(
    engine: Engine, episodes: Iterable[Episode], axis: Axis = Axis.ALL, span: Span = MONTH, rules: Rules = QUIET
) -> figures.Release:  # fmt: skip
    """One table of presence."""
    with writing(engine) as connection:
        return figures.release(connection, Sheet(ASKED, "presence", span, axis), collect(episodes), LATER_MS, rules)


MIXED = [
    *asked(60, Outcome.GIVEN), *asked(40, Outcome.REFUSED, 9), *asked(30, Outcome.NONE, 12, "mail"),
    *asked(25, Outcome.GIVEN, 16, "mail", "s-2"),
]  # fmt: skip


def test_a_table_tells_counts_and_rates(engine: Engine) -> None:
    """Near what was counted, and the rate of what was released."""
    (line,) = release(engine, MIXED).lines
    assert line.count is not None and abs(line.count - 155) < 5
    rates = [line.rate(one) for one in OUTCOMES[ASKED]]
    assert [round(one, 1) for one in rates if one is not None] == [0.5, 0.3, 0.2]
    assert line.rate(Outcome.KEPT) is None
    assert {one.value for one in release(engine, MIXED, Axis.CHANNEL).lines} == {"app", "mail"}


def test_few_are_withheld_and_whoever_would_tell_of_them(engine: Engine) -> None:
    """Nine refused: neither they are told, nor who granted, since the rest of the whole would be the nine."""
    (line,) = release(engine, [*asked(80, Outcome.GIVEN), *asked(9, Outcome.REFUSED)]).lines
    assert line.count is not None and line.outcomes == {}
    assert line.rate(Outcome.GIVEN) is None


def test_all_alike_is_withheld(engine: Engine) -> None:
    """That everybody granted would tell it of each: the difference to the whole is nobody, which is fewer than ten."""
    (line,) = release(engine, asked(80, Outcome.GIVEN)).lines
    assert line.count is not None and line.outcomes == {}
    assert release(engine, asked(80, Outcome.GIVEN), Axis.CHANNEL).lines == (), "the whole under another name"


EPISODES = st.lists(
    st.builds(
        Episode,
        st.integers(0, 40).map(lambda number: b"%d" % number),
        st.integers(MONTH.first * DAY_S, MONTH.end * DAY_S - 1),
        st.sampled_from(OUTCOMES[ASKED]),
        st.sampled_from(["app", "mail"]),
        st.sampled_from(["s-1", "s-2", "s-3"]),
        st.just("n-1"),
        st.sampled_from(["", "minute", "day"]),
        st.sampled_from(["goes-with", "due"]),
        st.sampled_from(["", "shoes", "coats"]),
        st.sampled_from(["", "browsing"]),
    ),
    max_size=80,
)
SPLITS = {one: [(kind, axis) for kind in SpanKind for axis in AXES[one]] for one in (ASKED, Population.SUGGESTED)}
ACROSS = [(purpose, axis) for purpose in range(2) for axis in AXES[ASKED]]


@settings(max_examples=15, deadline=None)
@given(EPISODES, st.integers(2, 8), st.sampled_from(list(SPLITS.values())).flatmap(st.permutations))
def test_a_differencing_attack_finds_nobody(
    episodes: list[Episode], least: int, order: list[tuple[SpanKind, Axis]]
) -> None:
    """In whatever order tables are asked for: no figure, no difference of two that hold each other, no rest is few."""
    counting = Counting(episodes)
    held: list[Box] = []
    for kind, axis in order:
        for span in sorted({span_of(kind, one.at_s // DAY_S) for one in episodes}):
            held += releasable(counting, counting.boxes(ASKED, span, axis), held, least)
    assert len(held) == len(set(held))
    for one in held:
        assert len(counting.members(one)) >= least
    for one, other in combinations(held, 2):
        for whole, part in ((one, other), (other, one)):
            if whole.holds(part):
                assert len(counting.members(whole) - counting.members(part)) >= least
    for whole in held:
        for part in [one for one in held if whole in one.parents()]:
            rest = counting.members(whole)
            for sibling in [part, *(one for one in held if one.splits_like(part, whole))]:
                rest -= counting.members(sibling)
            assert not 0 < len(rest) < least, "the whole less all released parts of one split"


@settings(max_examples=15, deadline=None)
@given(EPISODES, EPISODES, st.integers(2, 8), st.permutations(ACROSS))
def test_a_differencing_attack_across_purposes_and_channels_finds_nobody(
    episodes: list[Episode], others: list[Episode], least: int, order: list[tuple[int, Axis]]
) -> None:
    """Of any two figures, of whatever purpose, channel, store or outcome, none holds the other and a few besides."""
    counts = [Counting(episodes), Counting([*episodes[:60], *others[:8]])]
    held: list[list[Box]] = [[], []]
    for purpose, axis in order:
        boxes = counts[purpose].boxes(ASKED, MONTH, axis)
        apart = [counts[1 - purpose].members(one) for one in held[1 - purpose]]
        held[purpose] += releasable(counts[purpose], boxes, held[purpose], least, apart)
    figures_of = [counts[purpose].members(box) for purpose in range(2) for box in held[purpose]]
    for one, other in combinations(figures_of, 2):
        for whole, part in ((one, other), (other, one)):
            assert not (part < whole and len(whole - part) < least)


def test_what_two_purposes_differ_in_is_not_few(engine: Engine) -> None:
    """Eighty were asked about presence, eighty and three about help: whoever subtracts would learn of the three."""
    few = [replace(one, member=b"late" + one.member) for one in asked(3, Outcome.NONE, 9)]
    by_purpose = {"presence": MIXED, "assist": [*MIXED, *few], "suggest": MIXED}

    def of(population: Population, purpose: str, first: int, end: int) -> list[Episode]:
        return [one for one in by_purpose[purpose] if first <= one.at_s // DAY_S < end]

    with writing(engine) as connection:
        presence, assist, suggest = (
            figures.release(connection, Sheet(ASKED, one, MONTH, Axis.ALL), of, LATER_MS, QUIET)
            for one in ("presence", "assist", "suggest")
        )
    for alike in (presence, suggest):
        assert [(one.count is None, set(one.outcomes)) for one in alike.lines] == [(False, set(OUTCOMES[ASKED]))]
    assert [one.count for one in assist.lines] in ([], [None]), "the whole less the other whole is three"
    assert all(Outcome.NONE not in one.outcomes for one in assist.lines)


def test_what_two_populations_differ_in_is_not_few(engine: Engine) -> None:
    """Sixty were asked and granted, these and three more granted: whoever subtracts would learn of the three."""
    kept = (Outcome.KEPT, Outcome.WITHDRAWN)
    granted = [replace(one, outcome=kept[number % 2]) for number, one in enumerate(asked(60, Outcome.GIVEN))]
    three = [replace(one, member=b"late" + one.member) for one in granted[:3]]
    held = {ASKED: [*asked(60, Outcome.GIVEN), *asked(40, Outcome.REFUSED, 9)], Population.GIVEN: [*granted, *three]}

    def of(population: Population, purpose: str, first: int, end: int) -> list[Episode]:
        return held[population] if purpose == "presence" else []

    def told(population: Population) -> list[figures.Line]:
        sheet = Sheet(population, "presence", MONTH, Axis.ALL)
        with writing(engine) as connection:
            return list(figures.release(connection, sheet, of, LATER_MS, QUIET).lines)

    assert set(told(ASKED)[0].outcomes) == {Outcome.GIVEN, Outcome.REFUSED}
    assert [one.count for one in told(Population.GIVEN)] in ([], [None]), "the whole less who was asked is three"


def test_a_differencing_attack_over_time_finds_nobody(engine: Engine) -> None:
    """Days, weeks and the month, each split: who takes one from the other is left with ten or more, or with nobody."""
    episodes = [*MIXED, *asked(4, Outcome.REFUSED, 10, "mail", "s-2")]
    counting = Counting(episodes)
    spans = sorted({span_of(kind, one.at_s // DAY_S) for kind in SpanKind for one in episodes})
    for span in spans:
        if span_of(SpanKind.MONTH, span.first) == MONTH and span.end <= MONTH.end:
            for axis in (Axis.ALL, Axis.STORE):
                try:
                    release(engine, episodes, axis, span)
                except Refused as error:  # it spends too much: also no
                    assert error.reason is Reason.BUDGET_SPENT
    with reading(engine) as connection:
        held = [
            Box(Span(SpanKind(row.span), row.first_day), Axis(row.axis), row.value,
                Outcome(row.outcome) if row.outcome else None)
            for row in connection.execute(select(figure_cells))
        ]  # fmt: skip
    assert len(held) > 5
    for one, other in combinations(held, 2):
        for whole, part in ((one, other), (other, one)):
            if whole.holds(part):
                assert len(counting.members(whole) - counting.members(part)) >= K


def test_an_averaging_attack_hears_the_same_again(engine: Engine) -> None:
    """A hundred times, by each way, after members were erased and the rules changed: one draw, paid once."""
    first = release(engine, MIXED, rules=Rules())
    with reading(engine) as connection:
        paid = figures.spent(connection, "presence", MONTH)
    for _ in range(98):
        assert release(engine, MIXED) == first
    assert release(engine, MIXED[:100]) == first
    with reading(engine) as connection:
        assert figures.series(connection, ASKED, "presence", SpanKind.MONTH, Axis.ALL, 12) == [first]
        assert figures.spent(connection, "presence", MONTH) == paid == MICRO // 2


def test_the_noise_hides_one_member() -> None:
    """Of the scale that its epsilon asks for: the mean of many draws is the count, a single draw is off."""
    half = noise(MICRO // 2)
    assert (half.scale_micro, half.cost_micro) == (4 * MICRO, MICRO // 2)
    drawn = draw([1000] * 4000, half)
    assert abs(sum(drawn) / 4000 - 1000) < 1
    off = sum(abs(one - 1000) for one in drawn) / 4000
    assert 3.5 < off < 4.5, "the mean deviation of Laplace noise is its scale"
    assert min(draw([0] * 100, half)) == 0 and draw([], half) == []


@pytest.mark.parametrize("axis", [Axis.ALL, Axis.STORE, Axis.WAIT])
@pytest.mark.parametrize("kind", [SpanKind.DAY, SpanKind.WEEK])
def test_the_noise_is_that_of_the_most_that_one_day_of_a_member_changes(kind: SpanKind, axis: Axis) -> None:
    """Who came on two days, to another store with another outcome, moves from row to row without the first."""
    span = span_of(kind, MONTH.first + 3)
    both = [
        Episode(b"m", (span.first + day) * DAY_S, outcome, "app", f"s-{day}", "n-1", wait)
        for day, outcome, wait in ((0, Outcome.GIVEN, "hour"), (1, Outcome.REFUSED, "day"))
    ]
    boxes = {box for listed in (both, both[1:]) for box in Counting(listed).boxes(ASKED, span, axis)}
    counts = [Counting(listed) for listed in (both, both[1:])]
    changed = sum(abs(len(counts[0].members(box)) - len(counts[1].members(box))) for box in boxes)
    sheet = Sheet(ASKED, "presence", span, axis)
    assert changed <= sheet.sensitivity == (4 if (kind, axis) == (SpanKind.WEEK, Axis.STORE) else 2)
    if kind is SpanKind.WEEK:
        assert changed == sheet.sensitivity
    drawn = noise(MICRO // 2, sheet.sensitivity)
    assert (drawn.scale_micro, drawn.cost_micro) == (2 * sheet.sensitivity * MICRO, MICRO // 2)


def test_a_split_month_is_released_with_its_own_noise(engine: Engine) -> None:
    """Of twice the scale, for the same epsilon."""
    assert [release(engine, MIXED, axis, rules=Rules()).scale for axis in (Axis.ALL, Axis.CHANNEL)] == [4, 8]


def test_a_spent_budget_refuses_and_spends_no_more(engine: Engine) -> None:
    """Each day has its own, kept in the database; what was released before can still be read."""
    tight = Rules(K, MICRO, 2 * MICRO)
    whole = release(engine, MIXED, rules=tight)
    week = span_of(SpanKind.WEEK, MONTH.first + 9)
    release(engine, MIXED, Axis.ALL, week, tight)
    with pytest.raises(Refused) as refused:
        release(engine, MIXED, Axis.CHANNEL, rules=tight)
    assert refused.value.reason is Reason.BUDGET_SPENT
    with reading(engine) as connection:
        spans = (MONTH, week, span_of(SpanKind.WEEK, MONTH.first + 16))
        assert [figures.spent(connection, "presence", one) for one in spans] == [2 * MICRO, 2 * MICRO, MICRO]
        assert figures.spent(connection, "assist", MONTH) == 0
    assert release(engine, MIXED) == whole


def test_nothing_is_released_before_its_outcomes_are_known(engine: Engine) -> None:
    """Nor of a span that begins anywhere, nor along an axis that there is not."""
    sheet = Sheet(ASKED, "presence", MONTH, Axis.ALL)
    refuse: list[Callable[[], Sheet]] = [
        lambda: sheet,
        lambda: Sheet(ASKED, "presence", Span(SpanKind.MONTH, MONTH.first + 1), Axis.ALL),
        lambda: Sheet(Population.ENDED, "presence", MONTH, Axis.CHANNEL),
    ]
    for one in refuse:
        with pytest.raises(Refused), writing(engine) as connection:
            figures.release(connection, one(), collect(MIXED), figures.known_at_ms(sheet) - 1)


def test_no_count_is_kept_as_it_was(engine: Engine) -> None:
    """What the database keeps of a table is what was released, and a table whose figures are gone is not made anew."""
    release(engine, [*asked(80, Outcome.GIVEN), *asked(3, Outcome.REFUSED, 4, "mail")], Axis.CHANNEL)
    with reading(engine) as connection:
        assert {row.value for row in connection.execute(select(figure_cells))} <= {"app"}
    with writing(engine) as connection:
        connection.execute(delete(figure_cells))
    assert release(engine, MIXED, Axis.CHANNEL).lines == ()


def test_spans_are_whole() -> None:
    """Days, weeks from Monday on and months, of leap years and over the turn of a year."""
    for day in range(20_000, 21_500, 7):
        for kind in SpanKind:
            span = span_of(kind, day)
            assert day in span.days and all(span_of(kind, one) == span for one in (span.first, span.end - 1))
    assert MONTH.label == "2026-11" and len(MONTH.days) == 30
    assert span_of(SpanKind.WEEK, 20_819).label == "2026-W53"
    assert span_of(SpanKind.DAY, MONTH.first).label == day_of(MONTH.first).isoformat() == "2026-11-01"
