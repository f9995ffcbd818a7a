"""Members by the thousand: what is good is taken, what is not is named."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from hq import importer, own_profile, rights
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.import_line import parse
from hq.tables import consent_events, members, phones
from tests.hq.headquarters import NOON_MS, STORE, Headquarters
from wire.member import Mode

NOW_S = NOON_MS // 1000


def row(member: str, **more: object) -> dict[str, object]:
    """A good line."""
    grant = {"stores": [STORE], "roles": ["associate"], "until_days": 365}
    line: dict[str, object] = {
        "member": member,
        "age_at_least": 18,
        "jurisdiction": "DE",
        "mode": "open",
        "name": "invited",
        "chosen": NOW_S - 3600,
        "phones": [member.encode().hex().ljust(64, "0")],
        "grants": [{"purpose": "presence", **grant}, {"purpose": "assist", "scopes": ["size.shoe"], **grant}],
        "profile": {"size.shoe": {"value": "42", "source": "zero", "collected": "2026-11-01T10:00:00Z"}},
    }
    return line | more


def lines(*rows: object) -> list[bytes]:
    """As they stand in a file."""
    return [json.dumps(one).encode() + b"\n" for one in rows]


def test_members_come_in_whole(hq: Headquarters) -> None:
    """Age, mode, grants, profile and phone are all there, and the store holds them."""
    report = importer.run(hq.engine, hq.keys, lines(row("m-1"), row("m-2")), hq.now_ms)
    assert (report.taken, report.refused) == (2, ())
    for member in ("m-1", "m-2"):
        found = hq.record(member)
        assert found is not None
        assert (found.mode, len(found.fields)) == (Mode.OPEN, 1)
        assert len(hq.day_keys(member)) == 1
    hq.check()


def test_the_same_file_twice_is_once(hq: Headquarters) -> None:
    """No event, phone or seq more."""
    batch = lines(row("m-1"), row("m-2", withdrawals=[{"purpose": "suggest"}]))
    importer.run(hq.engine, hq.keys, batch, hq.now_ms)

    def counted() -> list[object]:
        with reading(hq.engine) as connection:
            tables = (members, phones, consent_events)
            return [connection.scalar(select(func.count()).select_from(one)) for one in tables]

    before = (counted(), hq.instances())
    importer.run(hq.engine, hq.keys, batch, hq.now_ms)
    assert (counted(), hq.instances()) == before


def test_bad_lines_are_named_and_the_rest_is_taken(hq: Headquarters) -> None:
    """Each with number, field and reason; nothing of a refused line stays."""
    undeclared = row("m-3", profile={"shoe": {"value": "1", "collected": NOW_S}})
    wrong_scope = row("m-5")
    wrong_scope["grants"][1]["scopes"] = ["birth.date"]  # type: ignore[index]
    given = [
        *lines(row("m-1")),
        b"{broken\n",
        *lines(undeclared),
        b"\n",
        *lines(wrong_scope, row("m-6", mode="loud"), row("m-7")),
    ]
    report = importer.run(hq.engine, hq.keys, given, hq.now_ms)
    assert report.taken == 2
    assert [(one.line, one.field, one.reason) for one in report.refused] == [
        (2, "", Reason.MALFORMED),
        (3, "shoe", Reason.UNDECLARED_SCOPE),
        (5, "scopes", Reason.UNDECLARED_SCOPE),
        (6, "mode", Reason.MALFORMED),
    ]
    with reading(hq.engine) as connection:
        known = hq.keys.custody.references(connection, ["m-1", "m-3", "m-5", "m-6", "m-7"])
        assert known.keys() == {"m-1", "m-7"}
        assert set(connection.scalars(select(members.c.id))) == set(known.values())
        assert set(connection.scalars(select(consent_events.c.member))) == set(known.values())
    hq.check()


def test_what_the_member_deleted_does_not_come_back_with_the_file(hq: Headquarters) -> None:
    """Nor an entry of a list; the rest of the line is taken, what was left out is named, and the copy lists it."""
    listed = [{"item": "i-1", "label": "Boots", "at": NOW_S - 90}, {"item": "i-2", "label": "Hat", "at": NOW_S - 80}]
    wishes = {"wishlist": {"value": listed, "collected": NOW_S - 70}}
    batch = lines(row("m-1", profile=row("m-1")["profile"] | wishes))  # type: ignore[operator]
    assert importer.run(hq.engine, hq.keys, batch, hq.now_ms).left_out == ()
    hq.later(60)
    assert own_profile.forget(hq.office, "m-1", ["size.shoe"], hq.now_ms) == 1
    assert own_profile.drop_item(hq.office, "m-1", "wishlist", "i-2", hq.now_ms)
    hq.later(60)
    again = lines(row("m-1", profile=row("m-1")["profile"] | wishes, withdrawals=[{"purpose": "presence"}]))  # type: ignore[operator]
    report = importer.run(hq.engine, hq.keys, again, hq.now_ms)
    assert (report.taken, report.refused) == (1, ())
    assert [(one.line, one.field, one.reason) for one in report.left_out] == [
        (1, "profile[0]", Reason.DELETED), (1, "profile[1]", Reason.DELETED),
    ]  # fmt: skip
    assert hq.record("m-1") is None, "the withdrawal beside it was taken"
    with writing(hq.engine) as connection:
        told = rights.export(connection, hq.keys, "m-1", hq.now_ms)
    assert {one["scope"]: [item["item"] for item in one["value"]["items"] or ()] for one in told["profile"]} == {
        "wishlist": ["i-1"]
    }
    assert [(one["scope"], one["item"]) for one in told["deleted"]] == [("size.shoe", None), ("wishlist", "i-2")]
    later = {"size.shoe": {"value": "43", "collected": hq.now_s}}
    assert importer.run(hq.engine, hq.keys, lines(row("m-1", profile=later)), hq.now_ms).left_out == ()


def test_a_late_import_never_beats_a_later_withdrawal(hq: Headquarters) -> None:
    """The file's grants were chosen an hour ago; the member withdrew a minute ago."""
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)
    hq.office.withdraw("m-1", hq.now_ms - 60_000)
    importer.run(hq.engine, hq.keys, lines(row("m-1")), hq.now_ms)
    assert hq.record("m-1") is None


def test_a_quiet_without_a_time_counts_from_now_and_an_open_does_not_beat_it(hq: Headquarters) -> None:
    """What closes and has no time was chosen now at the latest; what opens and has no time proves nothing."""
    importer.run(hq.engine, hq.keys, lines(row("m-1")), hq.now_ms)
    importer.run(hq.engine, hq.keys, lines({"member": "m-1", "mode": "quiet"}), hq.now_ms)
    importer.run(hq.engine, hq.keys, lines({"member": "m-1", "mode": "open"}), hq.now_ms)
    assert hq.record("m-1") is None


def test_a_mistyped_year_of_a_withdrawal_locks_nobody_out(hq: Headquarters) -> None:
    """What closes was chosen now at the latest: what the member gives after it stands."""
    year = hq.now_s + 3650 * 86_400
    closing = {"member": "m-1", "chosen": year, "mode": "quiet", "name": "never", "withdrawals": [{}]}
    importer.run(hq.engine, hq.keys, lines(row("m-1"), closing), hq.now_ms)
    assert hq.record("m-1") is None
    hq.later(60)
    importer.run(hq.engine, hq.keys, lines(row("m-1", chosen=hq.now_s)), hq.now_ms)
    found = hq.record("m-1")
    assert found is not None and (found.mode, len(found.statements)) == (Mode.OPEN, 2)


def test_a_line_with_a_mistyped_withdrawal_gives_nothing(hq: Headquarters) -> None:
    """It is named and what else the line takes away is taken; its grants are not, as it may have meant one of them."""
    importer.run(hq.engine, hq.keys, lines(row("m-1")), hq.now_ms)
    gone = [{"purpose": "presence"}, {"purpose": "asist"}]
    later = row("m-1", chosen=hq.now_s - 60, mode="quiet", withdrawals=gone)
    report = importer.run(hq.engine, hq.keys, lines(later), hq.now_ms)
    assert (report.taken, [(one.field, one.reason) for one in report.left_out]) == (
        1, [(field, Reason.UNDECLARED_PURPOSE) for field in ("withdrawals[1].purpose", "grants[0]", "grants[1]")],
    )  # fmt: skip
    assert hq.record("m-1") is None
    right = later | {"withdrawals": [gone[0]], "mode": "open", "chosen": hq.now_s}
    importer.run(hq.engine, hq.keys, lines(right | {"withdrawals": [{"purpose": "assist"}]}), hq.now_ms)
    found = hq.record("m-1")
    assert found is not None and {one.purpose for one in found.statements} == {"presence"}


def test_one_member_on_two_lines_of_a_batch_has_both(hq: Headquarters) -> None:
    """The second line adds to the first."""
    second = {"member": "m-1", "grants": [{"purpose": "assist", "scopes": ["language"], "stores": [STORE],
              "roles": ["associate"], "until_days": 9, "chosen": NOW_S}]}  # fmt: skip
    importer.run(hq.engine, hq.keys, lines(row("m-1"), second), hq.now_ms)
    found = hq.record("m-1")
    assert found is not None
    assert {one.scopes for one in found.statements} == {(), ("size.shoe",), ("language",)}


def test_a_jurisdiction_that_no_policy_knows_is_told_and_what_is_none_is_refused(hq: Headquarters) -> None:
    """Who is imported from there is shown in no store, so whoever imports reads why; a name or a slip is no code."""
    away, slips = row("m-1", jurisdiction="JP"), [row("m-2", jurisdiction=one) for one in ("Germany", "de", "US-CALI")]
    report = importer.run(hq.engine, hq.keys, lines(away, *slips, row("m-3"), row("m-4", jurisdiction="")), hq.now_ms)
    assert [(one.line, one.field, one.reason) for one in report.doubts] == [
        (1, "jurisdiction", Reason.UNRULED_JURISDICTION)
    ]
    assert [(one.line, one.field, one.reason) for one in report.refused] == [
        (number, "jurisdiction", Reason.MALFORMED) for number in (2, 3, 4)
    ]
    assert (hq.record("m-1"), report.taken) == (None, 3)
    assert hq.record("m-3") is not None


def test_progress_is_told_by_batches(hq: Headquarters) -> None:
    """Every line is counted once, refused or not."""
    told: list[int] = []
    importer.run(hq.engine, hq.keys, [b"\n"] * 1200, hq.now_ms, told.append)
    assert told == [500, 500, 200]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"member": 3}, "member"),
        ({"member": "two words"}, "member"),
        ({"surprise": 1}, ""),
        ({"age_at_least": "18"}, "age_at_least"),
        ({"age_at_least": True}, "age_at_least"),
        ({"chosen": "yesterday"}, "chosen"),
        ({"chosen": "2026-01-01T10:00:00"}, "chosen"),
        ({"phones": ["abc"]}, "phones[0]"),
        ({"grants": [{"purpose": "presence", "stores": STORE}]}, "grants[0].stores"),
        ({"grants": [{"purpose": "presence", "stores": [STORE]}]}, "grants[0].until"),
        ({"grants": [7]}, "grants[0]"),
        ({"profile": {"size.shoe": {"value": "42"}}}, "profile[0].collected"),
        ({"profile": {"size.shoe": {"value": {}, "collected": 1}}}, "profile[0].value"),
        ({"profile": {"size.shoe": {"value": [{"item": 1}], "collected": 1}}}, "profile[0].value[0].item"),
    ],
)
def test_a_malformed_line_names_its_field(more: dict[str, object], field: str) -> None:
    """And repeats no value."""
    with pytest.raises(Refused) as found:
        parse(lines(row("m-1") | more)[0], NOW_S)
    assert found.value.field == field


@pytest.mark.parametrize("text", ["\ud800", "a\0"], ids=["surrogate", "nul"])
def test_a_text_that_no_database_keeps_costs_its_line_alone(hq: Headquarters, text: str) -> None:
    """Wherever it stands: the file goes on, and the good line after it is taken."""
    grant = {"purpose": "assist", "scopes": ["size.shoe"], "stores": [STORE], "roles": ["associate"], "until_days": 9}
    bad: list[dict[str, object]] = [
        {"member": text}, {"jurisdiction": text}, {"addresses": [f"{text}@example.com"]},
        *({"grants": [grant | {key: [text]}]} for key in ("scopes", "stores", "roles", "zones_excluded")),
        {"grants": [grant | {"purpose": text}]}, {"withdrawals": [{"purpose": text}]},
        *({"withdrawals": [{key: [text]}]} for key in ("scopes", "stores")),
        {"profile": {"size.shoe": {"value": "42", "surface": text, "collected": NOW_S - 60}}},
    ]  # fmt: skip
    rows = [*(row(f"m-{number}") | one for number, one in enumerate(bad, 1)), row("good")]
    report = importer.run(hq.engine, hq.keys, lines(*rows), hq.now_ms)
    assert report.taken == 1
    assert [(one.line, one.reason) for one in report.refused] == [
        (number, Reason.MALFORMED) for number in range(1, len(rows))
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(st.sampled_from(sorted(row("m"))), JSON)
def test_any_json_in_any_place_is_taken_or_refused(key: str, value: object) -> None:
    """Nothing but a refusal comes out of a line, whatever stands in it."""
    try:
        parse(json.dumps(row("m-1") | {key: value}).encode(), NOW_S)
    except Refused:
        return


@given(st.binary(max_size=60))
def test_any_bytes_are_taken_or_refused(noise: bytes) -> None:
    """Nothing but a refusal comes out of noise."""
    try:
        parse(noise, NOW_S)
    except Refused:
        return
