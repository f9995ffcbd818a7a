"""Who is counted: asked, granted, ended, seen; what Consentry's own work measures; what the commands print."""

import argparse
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete, select

from hq import (
    erasure,
    figures,
    figures_counts,
    figures_delays,
    figures_job,
    figures_policy,
    figures_rows,
    notices,
    policy_file,
    policy_rules,
    policy_written,
)
from hq.database import reading, writing
from hq.door import Grant
from hq.errors import Refused
from hq.figures_commands import PART
from hq.figures_model import AXES, DAY_S, WAITS, Axis, Episode, Outcome, Population, SpanKind, span_of
from hq.figures_noise import MICRO
from hq.log_tables import withdrawals_applied
from hq.policy_papers import FigurePolicy
from tests.fakes.store import FakeStore
from tests.hq.headquarters import STORE, Headquarters
from wire import schema
from wire.sync import Applied, Disclosure, Event, EventKind, ReasonCode

SEEN = Disclosure(
    b"h" * 16, "nina", "advisor", "t-1", (), ("presence",), "presence", ReasonCode.OPEN, True, True, b"s" * 16,
    b"t" * 16,
)  # fmt: skip


def day(hq: Headquarters) -> int:
    """Today, counted from 1970-01-01."""
    return hq.now_s // DAY_S


def counted(hq: Headquarters, population: Population, purpose: str = "presence", days: int = 400) -> list[Episode]:
    """What happened in the last days."""
    with reading(hq.engine) as connection:
        return figures_counts.collect(
            connection, hq.keys, population, purpose, day(hq) - days, day(hq) + 1, hq.now_ms
        )  # fmt: skip


def serve(hq: Headquarters, member: str, surface: str = "app", store: str | None = None) -> None:
    """Shows the member the notice of presence."""
    with writing(hq.engine) as connection:
        notices.serve(connection, hq.keys, member, "en", surface, hq.now_ms, store=store, purposes=["presence"])


def people(hq: Headquarters, *names: str) -> None:
    """New members who chose nothing."""
    for name in names:
        hq.office.add_member(name, 18, "DE", hq.now_ms)


def test_who_was_asked_and_what_they_chose(hq: Headquarters) -> None:
    """Once for each notice, by the first serving; the choice within a week counts, and how long it took."""
    people(hq, "yes", "no", "late", "gone")
    for name in ("yes", "no", "late", "gone"):
        serve(hq, name, store=STORE)
    hq.now_ms += 30_000
    hq.grant("yes", "presence")
    hq.office.withdraw("no", hq.now_ms, purpose="presence")
    hq.later(3600)
    serve(hq, "yes", "preference-centre")
    hq.later(8 * DAY_S)
    hq.grant("late", "presence")
    erasure.erase(hq.engine, hq.keys, "gone", hq.now_ms)
    found = sorted(counted(hq, Population.ASKED), key=lambda one: one.outcome)
    assert [(one.outcome, one.wait) for one in found] == [
        (Outcome.GIVEN, "minute"), (Outcome.NONE, ""), (Outcome.REFUSED, "minute"),
    ]  # fmt: skip
    assert {(one.channel, one.store) for one in found} == {("app", STORE)}
    assert counted(hq, Population.ASKED, "assist") == []


def test_whom_another_platform_asked_is_not_counted(hq: Headquarters) -> None:
    """An operator's command and an import vouch for a notice: nobody was shown it by us."""
    hq.join("m-1")
    assert counted(hq, Population.ASKED) == []
    assert [one.outcome for one in counted(hq, Population.GIVEN)] == [Outcome.KEPT]


def test_who_withdrew_and_who_renewed(hq: Headquarters) -> None:
    """Within 30 days; a grant that ended by itself is renewed by another one that lasts longer."""
    people(hq, "short", "kept", "left")
    for name in ("short", "kept", "left"):
        hq.grant(name, "presence", days=40)
    hq.later(10 * DAY_S)
    hq.office.withdraw("left", hq.now_ms, purpose="presence")
    hq.later(20 * DAY_S)
    hq.grant("kept", "presence", days=90)
    hq.later(40 * DAY_S)
    given = {(one.outcome, one.store) for one in counted(hq, Population.GIVEN, days=71)}
    assert given == {(Outcome.KEPT, STORE), (Outcome.WITHDRAWN, STORE)}
    ended = sorted(one.outcome for one in counted(hq, Population.ENDED, days=71))
    assert ended == [Outcome.LAPSED, Outcome.RENEWED], "who had withdrawn is not among those whose grant ended"


def test_an_answer_to_one_brand_is_none_to_another(hq: Headquarters) -> None:
    """Asked by one and agreed with the other; withdrawn from one; run out with one and given again to the other."""
    identity = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    hq.office.add_store("vienna-1", "Vienna", identity, "nord", hq.now_ms)
    own = replace(hq.draft.stores[0], store="vienna-1", label="Vienna")
    hq.office.publish_policy(replace(hq.draft, name="nord", stores=(own,)), hq.now_ms - DAY_S * 1000)

    def agree(brand: str, days: int) -> None:
        grant = Grant("media", (), until_days=days, chosen_s=hq.now_s, brand=brand)
        hq.office.grant("m-1", grant, hq.now_ms)

    def outcomes(population: Population) -> list[Outcome]:
        return sorted(one.outcome for one in counted(hq, population, "media"))

    people(hq, "m-1")
    with writing(hq.engine) as connection:
        notices.serve(connection, hq.keys, "m-1", "en", "app", hq.now_ms, store=STORE, purposes=["media"])
    hq.later(60)
    agree("nord", 20)
    assert outcomes(Population.ASKED) == [Outcome.NONE]
    hq.later(60)
    agree("main", 20)
    assert outcomes(Population.ASKED) == [Outcome.GIVEN]
    hq.later(3600)
    hq.office.withdraw("m-1", hq.now_ms, purpose="media", brand="main")
    assert outcomes(Population.GIVEN) == sorted([Outcome.KEPT, Outcome.WITHDRAWN])
    hq.later(19 * DAY_S)
    agree("main", 200)
    hq.later(5 * DAY_S)
    assert outcomes(Population.ENDED) == [Outcome.LAPSED], "what was withdrawn did not run out, and nord's did"


def test_who_took_back_all_parts_one_by_one_did_not_let_it_run_out(hq: Headquarters) -> None:
    """One of two parts is not the whole."""
    people(hq, "part", "all")
    for name in ("part", "all"):
        hq.grant(name, "presence")
        hq.grant(name, "assist", "size.shoe", "wishlist", days=20)
    hq.later(DAY_S)
    for name, scopes in (("part", ("wishlist",)), ("all", ("wishlist",)), ("all", ("size.shoe",))):
        hq.office.withdraw(name, hq.now_ms, purpose="assist", scopes=scopes)
    hq.later(25 * DAY_S)
    assert [one.outcome for one in counted(hq, Population.ENDED, "assist")] == [Outcome.LAPSED]


def test_only_members_with_insight_are_counted_in_a_store(hq: Headquarters) -> None:
    """Then and now: who never granted it, and who took it back since, are in no figure of the store's visits."""
    for name in ("with", "without", "taken-back"):
        hq.join(name)
    for name in ("with", "taken-back"):
        hq.grant(name, "insight")
    store = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    store.come_up(hq.answers)
    hq.now_ms += 60_000
    looks = [(name, SEEN) for name in ("with", "without", "taken-back")]
    looks.append(("with", replace(SEEN, reason=ReasonCode.HELP, salt=b"u" * 16)))
    events = [
        Event(number, EventKind.DISCLOSURE, hq.now_ms, hq.pseudonym(name), schema.encode(said))
        for number, (name, said) in enumerate(looks, 1)
    ]
    store.say(hq.answers, store.events(*events))
    assert len(counted(hq, Population.SEEN, "")) == 2
    hq.later(60)
    hq.office.withdraw("taken-back", hq.now_ms, purpose="insight")
    (one,) = counted(hq, Population.SEEN, "")
    assert (one.outcome, one.store) == (Outcome.HELPED, STORE)


def test_the_job_releases_what_is_due_once_and_the_command_shows_it(
    hq: Headquarters, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tables of the plan, each once; counts with noise; as text and as a file, what is withheld as nothing."""
    draft = hq.draft
    hq.draft = replace(draft, papers=replace(draft.papers, figures=FigurePolicy(5, 4_000, 100_000)))
    hq.publish()
    names = [f"p-{number}" for number in range(18)]
    people(hq, *names)
    for name in names:
        serve(hq, name, "app" if int(name[2:]) % 3 else "preference-centre")
    hq.now_ms += 1000
    for name in names[:9]:
        hq.grant(name, "presence")
    for name in names[9:]:
        hq.office.withdraw(name, hq.now_ms, purpose="presence")
    hq.now_ms += 70 * DAY_S * 1000
    run(hq, "release")
    assert capsys.readouterr().out.endswith(" 0 refused: their budget is spent\n")
    assert figures_job.release_due(hq.engine, hq.keys, hq.now_ms) == (0, 0)
    asked_day = span_of(SpanKind.DAY, day(hq) - 70)
    run(hq, "show", population="asked", purpose="presence", span="day", axis="all", csv=True)
    header, *lines = capsys.readouterr().out.splitlines()
    assert header == "span,all,count,given,refused,none,given_rate,refused_rate,none_rate"
    (line,) = [one for one in lines if one.startswith(asked_day.label)]
    _, _, count, given, refused, none, *_ = line.split(",")
    assert abs(int(count) - 18) <= 6 and abs(int(given) - 9) <= 6 and abs(int(refused) - 9) <= 6 and none == ""
    run(hq, "show", population="asked", purpose="presence", span="week", axis="channel", csv=False)
    told = capsys.readouterr().out
    assert "app" in told and "preference-centre" in told and "insight" not in told
    run(hq, "show", population="ended", purpose="presence", span="week", axis="wait", csv=False)
    assert capsys.readouterr().out.endswith("there is no such table\n")


def test_delays_and_dark_minutes_are_told_over_time(hq: Headquarters, capsys: pytest.CaptureFixture[str]) -> None:
    """Median, 95th percentile and worst a day; how many withdrawals only in tens; dark minutes from hour to hour."""
    store = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    store.come_up(hq.answers)
    applied = [Applied(7 + number, 100 * number, 1, 1) for number in range(1, 14)]
    bodies = enumerate((*applied, Applied(99, 9_000, 0, 1)), 1)
    store.say(
        hq.answers,
        store.events(
            *(Event(number, EventKind.APPLIED, hq.now_ms, None, schema.encode(one)) for number, one in bodies)
        ),
    )
    run(hq, "delays", store=None, span="day", csv=True)
    assert capsys.readouterr().out.splitlines()[1].split(",")[1:] == ["10", "700", "9000", "9000", "no"]
    with writing(hq.engine) as connection:
        assert len(figures_delays.delays(connection, SpanKind.DAY, day(hq), 1, STORE)) == 1
        nine = select(withdrawals_applied.c.delay_ms).order_by(withdrawals_applied.c.delay_ms).limit(9)
        most = max(connection.scalars(nine))
        connection.execute(delete(withdrawals_applied).where(withdrawals_applied.c.delay_ms > most))
        found = [len(figures_delays.delays(connection, SpanKind.DAY, day(hq), 1, store)) for store in (STORE, None)]
        assert found == [0, 1], "nine of one store are too few, of all together they are not"
    figures_delays.note(hq.engine, hq.now_ms)
    hq.now_ms += 86_400_000
    assert figures_delays.note(hq.engine, hq.now_ms) == 1
    assert figures_delays.note(hq.engine, hq.now_ms + 1000) == 0, "once an hour"
    run(hq, "dark", store=STORE, span="day", csv=True)
    (line,) = capsys.readouterr().out.splitlines()[1:]
    assert 1430 <= int(line.split(",")[1]) <= 1440
    run(hq, "delays", store="berlin-9", span="week", csv=False)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_only_what_is_ever_released_can_be_asked_for() -> None:
    """Pages and commands offer no axis of which the plan makes no table."""
    for population, axes in AXES.items():
        planned = {axis for one, _, listed in figures_job.PLAN if one is population for axis in listed}
        assert planned == set(axes), population


def test_the_middle_of_the_waits() -> None:
    """The first wait within which half of all had chosen, as far as it was released."""

    def release(*counts: int) -> figures.Release:
        lines = (figures.Line(name, count, {}) for (name, _), count in zip(WAITS, counts, strict=False))
        sheet = figures.Sheet(Population.ASKED, "presence", span_of(SpanKind.WEEK, 20_000), Axis.WAIT)
        return figures.Release(sheet, 0, 10, 4.0, tuple(lines))

    assert [figures_rows.median_wait(release(*one)) for one in ((), (20,), (20, 30), (20, 10, 40))] == [
        None, "minute", "hour", "day",
    ]  # fmt: skip


def run(hq: Headquarters, action: str, **chosen: object) -> None:
    """One action of the command."""
    PART.runs["figures", action](hq.office, argparse.Namespace(**chosen), hq.now_ms)


def test_the_strictest_of_the_policies_in_force_counts(hq: Headquarters, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a word the first rules; of two brands the higher k, and the smaller epsilon and budget."""
    with reading(hq.engine) as connection:
        assert figures_policy.in_force(connection) == figures.Rules(10, MICRO // 2, 8 * MICRO)
    draft = hq.draft
    hq.draft = replace(draft, papers=replace(draft.papers, figures=FigurePolicy(20, 400, 9_000)))
    hq.publish()
    other = replace(draft, name="outlet", papers=replace(draft.papers, figures=FigurePolicy(5, 1_000, 3_000)))
    hq.office.publish_policy(policy_rules.bind(replace(other, stores=())), hq.now_ms)
    with reading(hq.engine) as connection:
        assert figures_policy.in_force(connection) == figures.Rules(20, 2 * MICRO // 5, 3 * MICRO)
    run(hq, "rules")
    assert capsys.readouterr().out.startswith("at least 20 members behind a figure and a difference; epsilon 0.4 ")


def test_no_policy_lets_few_be_told_or_costs_more_than_its_budget(hq: Headquarters) -> None:
    """Fewer than five, no noise, or a table dearer than all of them: refused, and nothing is published."""
    draft = hq.draft
    for wrong in (FigurePolicy(4), FigurePolicy(epsilon_milli=0), FigurePolicy(epsilon_milli=900, budget_milli=800)):
        found = replace(draft, papers=replace(draft.papers, figures=wrong))
        with pytest.raises(Refused) as refused:
            policy_rules.check(found)
        assert (refused.value.field or "").startswith("figures")
    again = policy_file.build(
        policy_written.table_of(replace(draft, papers=replace(draft.papers, figures=FigurePolicy(12))))
    )
    assert again.papers.figures == FigurePolicy(12)
