"""Below the least age of the jurisdiction no profile is kept: refused at every door, and removed where it was."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from hq import importer, own_profile, profile_age, purchases_intake, systems_events, systems_members, systems_merge
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.membership import About, change, fields, lock_by_id
from hq.office import all_policies
from hq.systems import EVERY_BRAND, Right, System
from hq.systems_intake import Taken
from hq.systems_line import Line
from tests.hq.headquarters import DAY_S, Headquarters, items, text
from tests.hq.test_purchases import SHOP, bought, held
from wire.member import Value
from wire.policy import AgeRule

BELOW = Reason.NO_PROFILE_BELOW_AGE
SCOPES = ("size.shoe", "wishlist", "history.store")
Taking = Callable[[list[Line]], Taken]


def lines(*rows: object) -> list[Line]:
    """The rows as a system sends them."""
    return [Line(number, row) for number, row in enumerate(rows, 1)]


def values(hq: Headquarters, member: str) -> set[str]:
    """The scopes of which HQ holds a value."""
    with reading(hq.engine) as connection:
        locked = lock_by_id(connection, hq.keys.custody, [member])
        return {field.scope for found in fields(connection, locked).values() for field in found}


def imported(hq: Headquarters, member: str, **more: object) -> list[tuple[str, Reason]]:
    """What is left out of a line of an import that has a value."""
    profile = {"size.shoe": {"value": "36", "collected": hq.now_s}}
    row = json.dumps({"member": member, "profile": profile, "chosen": hq.now_s} | more).encode()
    report = importer.run(hq.engine, hq.keys, [row], hq.now_ms)
    assert (report.taken, report.refused) == (1, ())
    return [(one.field, one.reason) for one in report.left_out]


@pytest.mark.parametrize("age", [15, 0], ids=["below", "unknown"])
def test_every_door_refuses_by_name(hq: Headquarters, age: int) -> None:
    """The command, the app and the centre, systems' values, events and purchases, and the import take nothing."""
    hq.join("kim", *SCOPES, age=age)

    def refused(call: Callable[[], object]) -> Reason:
        with pytest.raises(Refused) as found:
            call()
        return found.value.reason

    assert refused(lambda: hq.office.set_profile("kim", [text("size.shoe", "36")], hq.now_ms)) is BELOW
    new = Value(text="36")
    assert refused(lambda: own_profile.correct(hq.office, "kim", "size.shoe", new, hq.now_ms, "app")) is BELOW
    value = {"scope": "size.shoe", "value": "36", "collected": hq.now_s}
    saved = {"member": "kim", "kind": "saved", "item": "i-1", "label": "Hat", "at": hq.now_s}
    taken: Sequence[tuple[str, Taken]] = [
        ("scope", systems_members.put_profile(hq.engine, hq.keys, SHOP, "kim", lines(value), hq.now_ms)),
        ("member", systems_events.take(hq.engine, hq.keys, SHOP, lines(saved), hq.now_ms)),
        ("member", purchases_intake.take(hq.engine, hq.keys, SHOP, lines(bought(hq, "kim", "1", "b")), hq.now_ms)),
    ]
    assert [(where, one.new, [(each.field, each.reason) for each in one.refused]) for where, one in taken] == [
        (where, 0, [(where, BELOW)]) for where, _ in taken
    ]
    assert imported(hq, "kim") == [("profile", BELOW)]
    assert imported(hq, "new-1", jurisdiction="DE", **({"age_at_least": age} if age else {})) == [("profile", BELOW)]
    assert values(hq, "kim") == set()
    assert held(hq, "kim") == []


def test_who_is_old_enough_is_taken_in_the_same_line(hq: Headquarters) -> None:
    """The age that a line names counts for its values; what is no value is taken of anybody."""
    assert imported(hq, "new-1", age_at_least=16, jurisdiction="DE") == []
    assert values(hq, "new-1") == {"size.shoe"}
    assert imported(hq, "new-2", age_at_least=12, jurisdiction="DE", profile={}, mode="quiet") == []
    assert values(hq, "new-2") == set()


def filled(hq: Headquarters, member: str) -> None:
    """A member of 18 with values, a purchase, and what stores were sent of it."""
    hq.join(member, *SCOPES)
    hq.office.set_profile(member, [text("size.shoe", "36"), items("wishlist", "Hat")], hq.now_ms)
    assert purchases_intake.take(hq.engine, hq.keys, SHOP, lines(bought(hq, member, "1", "b")), hq.now_ms).new == 1
    found = hq.record(member)
    assert found is not None and {one.scope for one in found.fields} == set(SCOPES)


def by_command(hq: Headquarters, age: int) -> None:
    """An operator corrects the age."""
    hq.office.change_age("kim", age, "DE", hq.now_ms)


def by_system(hq: Headquarters, age: int) -> None:
    """Another system does."""
    everything = System("shop", frozenset(Right), frozenset({EVERY_BRAND}), frozenset())
    row = {"member": "kim", "age_at_least": age}
    assert systems_members.take(hq.engine, hq.keys, everything, lines(row), hq.now_ms).refused == []


def moved_by_system(hq: Headquarters, age: int) -> None:
    """Another system does, and where the member is only afterwards."""
    everything = System("shop", frozenset(Right), frozenset({EVERY_BRAND}), frozenset())
    rows = [{"member": "kim", "age_at_least": age, "jurisdiction": "GB"}, {"member": "kim", "jurisdiction": "DE"}]
    for row in rows:
        assert values(hq, "kim") == set(SCOPES)
        assert systems_members.take(hq.engine, hq.keys, everything, lines(row), hq.now_ms).refused == []


def moved_by_import(hq: Headquarters, age: int) -> None:
    """An import does, and where the member is only afterwards."""
    rows = [{"member": "kim", "age_at_least": age, "jurisdiction": "GB"}, {"member": "kim", "jurisdiction": "DE"}]
    for row in rows:
        assert values(hq, "kim") == set(SCOPES)
        assert importer.run(hq.engine, hq.keys, [json.dumps(row).encode()], hq.now_ms).refused == ()


def by_import(hq: Headquarters, age: int) -> None:
    """An import does, after a line that still brought a value."""
    profile = {"size.shoe": {"value": "37", "collected": hq.now_s}}
    rows = [{"member": "kim", "profile": profile}, {"member": "kim", "age_at_least": age}]
    assert importer.run(hq.engine, hq.keys, [json.dumps(one).encode() for one in rows], hq.now_ms).refused == ()


@pytest.mark.parametrize(
    ("corrected", "age"),
    [(by_command, 13), (by_command, 9), (by_system, 13), (by_import, 9), (moved_by_system, 14), (moved_by_import, 14)],
)
def test_who_turns_out_to_be_below_loses_the_profile_everywhere(
    hq: Headquarters, corrected: Callable[[Headquarters, int], None], age: int
) -> None:
    """Values and purchases are removed at HQ, and the store's record of them too; grown up, they may begin anew."""
    filled(hq, "kim")
    hq.join("lea", *SCOPES)
    hq.office.set_profile("lea", [text("size.shoe", "40")], hq.now_ms)
    corrected(hq, age)
    assert (values(hq, "kim"), held(hq, "kim"), hq.record("kim")) == (set(), [], None)
    assert values(hq, "lea") == {"size.shoe"}
    hq.office.change_age("kim", 16, "DE", hq.now_ms)
    back = hq.record("kim")
    assert back is not None and back.fields == ()
    hq.office.set_profile("kim", [text("size.shoe", "36")], hq.now_ms)
    assert values(hq, "kim") == {"size.shoe"}
    hq.check()


def test_a_stricter_policy_removes_the_profiles_of_who_is_below_now(hq: Headquarters) -> None:
    """With the next evaluation after its publishing; whose age is not known keeps what waits, sent to nobody."""
    filled(hq, "kim")
    hq.office.change_age("kim", 16, "DE", hq.now_ms)
    hq.publish(ages=(AgeRule("DE", 18),))
    assert (values(hq, "kim"), held(hq, "kim"), hq.record("kim")) == (set(), [], None)


def test_what_waits_for_an_age_is_the_members_to_see_and_delete(hq: Headquarters) -> None:
    """Two accounts made one, of which one has no age: nothing is lost, sent or added, and deleting works."""
    filled(hq, "kim")
    hq.office.add_member("kim-2", 0, "", hq.now_ms)
    assert systems_merge.merge(hq.engine, hq.keys, "kim-2", "kim", hq.now_ms)
    assert hq.record("kim") is None
    assert values(hq, "kim") == set(SCOPES)
    hq.later(DAY_S)
    assert values(hq, "kim") == set(SCOPES)
    with pytest.raises(Refused) as found:
        own_profile.confirm(hq.office, "kim", ["size.shoe"], hq.now_ms)
    assert found.value.reason is BELOW
    assert own_profile.forget(hq.office, "kim", ["size.shoe"], hq.now_ms) == 1
    with reading(hq.engine) as connection:
        assert len(own_profile.of_member(connection, hq.keys, "kim", hq.now_ms)) == len(SCOPES) - 1
        assert not own_profile.is_kept(connection, hq.keys, "kim")
    hq.office.change_age("kim", 18, "DE", hq.now_ms)
    record = hq.record("kim")
    assert record is not None and {one.scope for one in record.fields} == set(SCOPES) - {"size.shoe"}


@pytest.mark.parametrize(("first", "second"), [(18, 14), (0, 14), (14, 0)])
def test_a_merge_keeps_no_profile_where_either_was_known_to_be_below(hq: Headquarters, first: int, second: int) -> None:
    """Also where the other's age is not known, and what is the member's is therefore not known."""
    filled(hq, "kim")
    hq.office.add_member("kim-2", second, "DE", hq.now_ms)
    with writing(hq.engine) as connection:  # as it came in before anybody asked for an age
        (kim,) = lock_by_id(connection, hq.keys.custody, ["kim"]).values()
        change(connection, [replace(kim, about=About("kim", first, "DE"))])
    assert systems_merge.merge(hq.engine, hq.keys, "kim-2", "kim", hq.now_ms)
    assert (values(hq, "kim"), held(hq, "kim")) == (set(), [])
    hq.check()


def test_the_age_is_that_of_the_law_or_of_the_laxest_policy_above_it(hq: Headquarters) -> None:
    """An unknown jurisdiction is held to the strictest rule; one that no policy names, to the law."""
    with reading(hq.engine) as connection:
        mains = all_policies(connection)
    assert [profile_age.least(one, mains) for one in ("DE", "AT", "PT", "XX", "", "US-CA")] == [16, 14, 13, 16, 16, 13]
    assert profile_age.least("DE", []) == 16
    assert profile_age.may_keep(About("m", 14, "AT"), mains)
    assert not profile_age.may_keep(About("m", 14, ""), mains)
    assert not profile_age.may_keep(About("m", 0, "AT"), mains)
