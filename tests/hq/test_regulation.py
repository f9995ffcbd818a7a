"""What the law asks at least: ages, parents and delegates as data, which no policy undercuts."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hq import options, policy_rules, regulation
from hq.__main__ import PARTS
from hq.ages import BANDS, band
from hq.consent_commands import PART
from hq.door import Grant
from hq.errors import Reason, Refused
from hq.ledger_proof import Evidence, Party, Proof, Status
from hq.ledger_state import stands
from hq.membership import About
from hq.state import Choice, EventKind
from tests.hq.headquarters import ROLES, STORE, Headquarters, example_policy
from tests.hq.test_brands import events_of
from wire.policy import AgeRule

EU = [
    "AT",
    "BE",
    "BG",
    "CY",
    "CZ",
    "DE",
    "DK",
    "EE",
    "ES",
    "FI",
    "FR",
    "GR",
    "HR",
    "HU",
    "IE",
    "IT",
    "LT",
    "LU",
    "LV",
    "MT",
    "NL",
    "PL",
    "PT",
    "RO",
    "SE",
    "SI",
    "SK",
]

MAIN = example_policy().main


def test_every_country_of_the_union_has_an_age_from_13_to_16_and_a_source() -> None:
    """The baseline is the highest of them, holds for what is not listed, and lets nobody agree for another."""
    assert all(13 <= regulation.of(one).least_age <= 16 and one in regulation.laws() for one in EU)
    assert regulation.of("US").least_age == regulation.of("US-CA").least_age == 13
    assert all(len(one.source) > 10 for one in regulation.laws().values())
    assert not {one.source for one in regulation.laws().values()} & {"GDPR Art. 8(1)"}, (
        "which national law says no less"
    )
    proposed = {"NO": 15, "ES": 16}  # where it is not clear what is in force the higher holds
    assert {one: regulation.of(one).least_age for one in proposed} == proposed
    for unknown in ("", "XX", "XX-1"):
        law = regulation.of(unknown)
        assert (law.least_age, law.parent, law.delegate) == (16, False, False)
    assert max(one.least_age for one in regulation.laws().values()) == 16


# Art. 8(1) GDPR as member states use it, by law in force, from the legislator's own text or several surveys of it.
IN_FORCE = {
    13: "BE EE FI GB IS LV MT NO PT SE US", 14: "AT BG CY ES IT LT", 15: "CZ DK FR GR SI",
    16: "DE HR HU IE LI LU NL PL RO SK",
}  # fmt: skip


def test_no_age_is_below_the_law_in_force_and_none_above_it_without_a_word() -> None:
    """Where a higher one is kept because it was proposed, its source says which the law has."""
    known = {country: age for age, listed in IN_FORCE.items() for country in listed.split()}
    assert known.keys() >= {*EU} and known.keys() | {"CH", "baseline"} == regulation.laws().keys()
    for country, age in known.items():
        law = regulation.of(country)
        assert law.least_age == age or (law.least_age > age and f"says {age}" in law.source), country


def test_the_example_policy_is_no_laxer_than_the_law() -> None:
    """What a retailer begins with passes."""
    assert list(regulation.problems(example_policy().main)) == []


@given(st.sampled_from([*EU, "US", "US-CA", "GB", "XX"]), st.integers(0, 30))
def test_a_policy_may_be_stricter_and_never_laxer(jurisdiction: str, years: int) -> None:
    """Below the least age it is refused, and above what anybody can be known to be."""
    main = replace(MAIN, ages=(AgeRule(jurisdiction, years),))
    reasons = [one.reason for one in regulation.problems(main)]
    least = regulation.of(jurisdiction).least_age
    expected = [Reason.POLICY_LAXER] if years < least else [Reason.POLICY_INCONSISTENT] if years > 21 else []
    assert reasons == expected


def test_a_laxer_policy_is_refused_before_it_is_published() -> None:
    """`policy check` and `policy publish` ask the same."""
    draft = example_policy()
    ages = tuple(replace(one, least_age=12) if one.jurisdiction == "US" else one for one in draft.main.ages)
    found = list(policy_rules.problems(replace(draft, main=replace(draft.main, ages=ages, unknown_age_is_of_age=True))))
    assert [(one.reason, one.field) for one in found if one.reason is Reason.POLICY_LAXER] == [
        (Reason.POLICY_LAXER, "ages.US"),
        (Reason.POLICY_LAXER, "unknown_age_is_of_age"),
    ]


@given(st.integers(0, 150))
def test_only_an_age_band_is_kept(years: int) -> None:
    """Whoever tells HQ more than the band tells it in vain."""
    kept = About("m-1", years, "DE").age_at_least
    assert kept == band(years) == max((one for one in BANDS if one <= years), default=0)
    assert kept in (0, *BANDS)


def test_a_parent_agrees_only_for_somebody_below_the_age_and_only_where_the_law_lets_them() -> None:
    """In each of the jurisdictions that are concerned; in doubt nobody agrees for another."""
    parent, delegate = Party.PARENT, Party.DELEGATE
    assert regulation.counts(parent, 13, ["DE"])
    assert regulation.counts(parent, 0, ["DE"])
    assert not regulation.counts(parent, 16, ["DE"])
    assert not regulation.counts(parent, 13, ["DE", "CH"])
    assert not regulation.counts(parent, 13, [])
    assert regulation.counts(delegate, 18, ["DE", "AT"])
    assert not regulation.counts(delegate, 18, ["DE", "US"])
    assert not regulation.counts(delegate, 18, [])
    assert [regulation.counts(Party.MEMBER, age, ["DE"]) for age in (0, 15, 16)] == [False, False, True]
    closing = Choice(EventKind.WITHDRAWAL)
    assert regulation.judged(closing, parent, 21, "XX") is closing, "taking back is open to all"


def by(party: Party) -> Proof:
    """Somebody else chose."""
    return Proof(by=party, by_reference="p-1")


@pytest.mark.parametrize(
    ("age", "home", "party", "counts"),
    [
        (18, "DE", Party.MEMBER, True),
        (18, "DE", Party.DELEGATE, True),
        (18, "US", Party.DELEGATE, False),
        (18, "DE", Party.PARENT, False),
    ],
)
def test_who_chose_is_recorded_and_counts_where_the_law_lets_it(
    hq: Headquarters, age: int, home: str, party: Party, counts: bool
) -> None:
    """To the store's record: of an invalid grant nothing leaves HQ, and the event says who it was."""
    hq.office.add_member("m-1", age, home, hq.now_ms)
    hq.publish(ages=(AgeRule("DE", 16), AgeRule("US", 16)))
    grant = Grant("presence", (STORE,), ROLES, until_days=365, chosen_s=hq.now_s)
    hq.office.grant("m-1", grant, hq.now_ms, proof=by(party))
    (event,) = events_of(hq, "m-1")
    assert (event.proof.by, event.proof.by_reference) == (party, "p-1")
    assert (hq.record("m-1") is not None) is counts
    (stand,) = stands([event], hq.now_s)
    assert stand.status is (Status.GIVEN if counts else Status.INVALIDATED)


def test_a_parents_choice_opens_no_presence_and_takes_back_anywhere(hq: Headquarters) -> None:
    """Below the age there is neither presence nor card, whoever agreed; a contact stands, and a parent ends it."""
    hq.office.add_member("child", 14, "DE", hq.now_ms)
    for grant in (
        Grant("presence", (STORE,), ROLES, until_days=365, chosen_s=hq.now_s),
        Grant("contact.email", (), until_days=365, chosen_s=hq.now_s, brand="main"),
    ):
        hq.office.grant("child", grant, hq.now_ms, proof=by(Party.PARENT))
    assert hq.record("child") is None
    assert {one.status for one in stands(events_of(hq, "child"), hq.now_s)} == {Status.GIVEN}
    hq.office.withdraw("child", hq.now_ms, proof=by(Party.PARENT))
    assert {one.status for one in stands(events_of(hq, "child"), hq.now_s)} == {Status.WITHDRAWN}


def test_a_proof_that_is_too_long_is_refused(hq: Headquarters) -> None:
    """At the door, before anything is written."""
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)
    with pytest.raises(Refused) as found:
        hq.office.withdraw("m-1", hq.now_ms, proof=Proof(text="x" * 513))
    assert (found.value.reason, found.value.field) == (Reason.MALFORMED, "proof")
    assert events_of(hq, "m-1") == []


def test_an_operator_records_what_was_said_by_letter(hq: Headquarters, capsys: pytest.CaptureFixture[str]) -> None:
    """Given, refused or withdrawn, by whom, when and with what proof, as it is typed."""
    hq.office.add_member("child", 14, "DE", hq.now_ms)
    parsed = options.parser(PARTS).parse_args

    def said(*words: str) -> str:
        chosen = parsed(["consent", "record", "child", *words])
        PART.runs["consent", "record"](hq.office, chosen, hq.now_ms)
        return capsys.readouterr().out

    told = said(
        "given", "--purpose", "contact.email", "--brand", "main", "--until", "365", "--by", "parent", "--reference",
        "form-7", "--evidence", "document", "--digest", "ab" * 32, "--chosen", "2026-11-01T10:00:00+01:00",
        "--language", "de",
    )  # fmt: skip
    assert told.startswith("given, by the parent; consent event ")
    said("refused", "--purpose", "suggest", "--by", "delegate")
    (given, no) = sorted(events_of(hq, "child"), key=lambda one: one.choice.kind)
    assert given.proof == Proof(
        Party.PARENT,
        "form-7",
        "de",
        notice_version=1,
        purpose_version=1,
        evidence=Evidence.DOCUMENT,
        digest=b"\xab" * 32,
    )
    assert (given.chosen_s, given.choice.brand) == (1_793_523_600, "main")
    assert (no.choice.kind, no.choice.purpose, no.proof.by) == (EventKind.REFUSAL, "suggest", Party.DELEGATE)
    said("withdrawn", "--text", "on the telephone")
    assert {one.status for one in stands(events_of(hq, "child"), hq.now_s)} == {Status.WITHDRAWN, Status.REFUSED}
    for wrong in (("given",), ("withdrawn", "--digest", "zz"), ("withdrawn", "--chosen", "yesterday")):
        with pytest.raises(Refused):
            said(*wrong)
