"""Two members who are one: nothing allows more than both did, and both ids lead to the one that stays."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from hq import (
    addresses,
    choosing,
    console_lists,
    erasure,
    exports,
    felt,
    importer,
    ledger,
    membership,
    moments,
    notices,
    own_profile,
    purchases,
    questions,
    receipts,
    rights,
    systems_merge,
)
from hq.choosing_tables import asks, export_orders
from hq.custody_tables import erasures, member_keys
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.ledger import Entry
from hq.office import MOST_OWN_MUTES
from hq.purchases_told import Mark
from hq.questions import QuestionKind
from hq.state import Choice, Event, EventKind, Standing, fold
from hq.systems_intake import Taken
from hq.systems_line import Line
from hq.tables import phones
from tests.fakes.store import FakeStore
from tests.hq.headquarters import NOON_MS, ROLES, STORE, Headquarters, items, text, texts
from tests.hq.test_purchases import bought, held, sent, shop
from wire import schema
from wire.events import HandOverReason
from wire.items import MuteKind
from wire.keyring import MAX_PHONES
from wire.member import MOST_MUTES, Mode, Muted, NameChoice
from wire.sync import Attendance, HelpStep, Withdrawal
from wire.sync import Event as StoreEvent
from wire.sync import EventKind as StoreEventKind
from wire.token import day_key

__all__ = ["shop"]  # a fixture of the purchases


def merged(hq: Headquarters, one: str = "m-2", into: str = "m-1") -> Taken:
    """Merges two."""
    return systems_merge.take(hq.engine, hq.keys, [Line(1, {"from": one, "into": into})], hq.now_ms)


def standing(hq: Headquarters, member: str) -> Standing:
    """What stands of a member."""
    with writing(hq.engine) as connection:
        locked = membership.lock_by_id(connection, hq.keys.custody, [member])
        ((_, events),) = ledger.of_members(connection, locked).items()
    return fold(events)


def test_the_least_permissive_counts_and_both_ids_lead_to_the_survivor(hq: Headquarters) -> None:
    """What the other withdrew ends, what it never spoke of stays, what it granted does not come across."""
    hq.join("m-1", "size.shoe", "language")
    hq.office.set_mode("m-1", Mode.OPEN, hq.now_ms)
    hq.join("m-2", "size.shoe", "brand.liked")
    hq.office.withdraw("m-2", hq.now_ms, scopes=("size.shoe",))
    hq.office.set_mode("m-2", Mode.HELP, hq.now_ms)
    hq.office.set_profile("m-2", [text("size.top", "M")], hq.now_ms)
    hq.later(1)
    assert (merged(hq).new, merged(hq).new) == (1, 0)
    found = hq.record("m-1")
    assert found is not None
    assert (found.mode, {one.scopes for one in found.statements}) == (Mode.HELP, {(), ("language",)})
    assert hq.record("m-2") == found, "the other id is the same member now"
    row = {"member": "m-2", "profile": {"language": {"value": ["de"], "collected": hq.now_s}}}
    assert importer.run(hq.engine, hq.keys, [json.dumps(row).encode()], hq.now_ms).taken == 1
    hq.office.withdraw("m-2", hq.now_ms, purpose="presence")
    assert hq.record("m-1") is None
    assert [one.reason for one in merged(hq, "m-9").refused] == [Reason.UNKNOWN_MEMBER]
    hq.check()


def test_purchases_and_receipts_of_both_are_the_survivors(hq: Headquarters, shop: None) -> None:
    """With the marks of either; what a store recorded of the other stays readable."""
    store = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    store.come_up(hq.answers)
    hq.join("m-1", "history.store")
    hq.join("m-2", "history.store")
    sent(hq, [bought(hq, "m-1", "1", "boots"), bought(hq, "m-2", "2", "scarf")])
    (scarf,) = held(hq, "m-2")
    purchases.mark(hq.engine, hq.keys, "m-2", scarf.id, "scarf", Mark.GIFT, hq.now_ms)
    known_as = hq.pseudonym("m-2")
    step = schema.encode(
        Attendance("nina", HelpStep.HANDED_OVER, role="associate", to_role="stylist", reason=HandOverReason.LANGUAGE)
    )  # fmt: skip
    told = StoreEvent(1, StoreEventKind.ATTENDANCE, hq.now_ms, known_as, step)
    store.say(hq.answers, store.events(told))
    custody = hq.keys.custody
    with writing(hq.engine) as connection:
        ((reference, theirs),) = membership.lock_by_id(connection, custody, ["m-2"]).items()
        (receipt,) = receipts.of_member(connection, hq.keys, reference)
        questions.ask(connection, hq.keys, theirs, receipt.event, QuestionKind.WHY, "Why?", "en", hq.now_ms)
        addresses.put(connection, custody, reference, "two@example.com", hq.now_ms)
    before = exports.ask(hq.engine, hq.keys, "m-2", hq.now_ms - 1)
    merged(hq)
    assert {one.said.lines[0].item: one.mark_of(one.said.lines[0].item) for one in held(hq, "m-1")} == {
        "boots": None,
        "scarf": Mark.GIFT,
    }
    with reading(hq.engine) as connection:
        reference = hq.keys.custody.reference(connection, "m-2")
        assert reference is not None
        assert len(receipts.of_member(connection, hq.keys, reference)) == 1
        assert [one.words for one in questions.of_member(connection, custody, reference)] == ["Why?"]
        assert addresses.find(connection, custody, "two@example.com") == reference
        assert addresses.of_member(connection, custody, reference) == ["two@example.com"]
    with writing(hq.engine) as connection:
        told = rights.export(connection, hq.keys, "m-1", hq.now_ms)
    export = exports.ask(hq.engine, hq.keys, "m-2", hq.now_ms)
    with writing(hq.engine) as connection:
        listed = exports.of_member(connection, hq.keys, "m-1", hq.now_ms)
        whole = exports.gather(connection, hq.keys, "m-1", export, hq.now_ms)
        asked = connection.scalar(select(func.count()).select_from(export_orders))
    assert [(one.reference, [each.store for each in one.stores]) for one in listed] == [
        (export, [STORE]), (before, [STORE]),
    ]  # fmt: skip
    assert (asked, whole is not None and whole["complete"]) == (3, False), "the store is asked of either name"
    assert {one["known_there_as"] for one in told["stores"]} >= {(known_as or b"").hex()}


def test_where_one_age_is_unknown_that_of_both_is(hq: Headquarters) -> None:
    """And so the survivor is in no store."""
    hq.join("m-1")
    hq.office.add_member("m-2", 0, "DE", hq.now_ms)
    merged(hq)
    assert hq.record("m-1") is None


def test_what_the_other_withdrew_does_not_come_back_by_what_is_told_late(hq: Headquarters) -> None:
    """The other withdrew what the survivor never chose; an older grant of the other is told after the merge."""
    hq.join("m-1")
    hq.join("m-2")
    before = hq.now_s
    hq.later(60)
    hq.office.withdraw("m-2", hq.now_ms, scopes=("size.shoe",))
    hq.later(60)
    merged(hq)
    grant = {"purpose": "assist", "scopes": ["size.shoe"], "stores": [STORE], "roles": list(ROLES)}
    grant |= {"chosen": before, "from": before, "until": hq.now_s + 9999}
    row = json.dumps({"member": "m-2", "grants": [grant]}).encode()
    assert importer.run(hq.engine, hq.keys, [row], hq.now_ms).taken == 1
    assert {one.purpose for one in standing(hq, "m-1").statements} == {"presence"}
    hq.check()


def test_what_either_deleted_is_not_there_as_the_others_older_copy(hq: Headquarters, shop: None) -> None:
    """Values, entries of lists and purchases, whichever of the two deleted them; what is newer stays."""
    for member in ("m-1", "m-2"):
        hq.join(member, "size.shoe", "language", "wishlist", "history.store")
        hq.office.set_profile(
            member, [text("size.shoe", "40"), texts("language", "de"), items("wishlist", "Hat", "Scarf")], hq.now_ms
        )
        assert sent(hq, [bought(hq, member, member, "boots")]).new == 1
    hq.later(100)
    assert own_profile.forget(hq.office, "m-2", ["size.shoe", "history.store"], hq.now_ms) == 2
    assert own_profile.forget(hq.office, "m-1", ["language"], hq.now_ms) == 1
    assert own_profile.drop_item(hq.office, "m-2", "wishlist", "i-0", hq.now_ms)
    hq.later(100)
    hq.office.set_profile("m-1", [texts("language", "en", at_s=hq.now_s)], hq.now_ms)
    assert merged(hq).new == 1
    with reading(hq.engine) as connection:
        locked = membership.lock_by_id(connection, hq.keys.custody, ["m-1"])
        left = {one.scope: one.value for found in membership.fields(connection, locked).values() for one in found}
    assert (set(left), left["language"].texts) == ({"language", "wishlist"}, ("en",))
    assert [one.label for one in left["wishlist"].items or ()] == ["Scarf"]
    assert held(hq, "m-1") == []


def test_who_was_merged_ends_with_the_survivor(hq: Headquarters) -> None:
    """Also over two steps: every key is destroyed, and the ids are nobody's."""
    for member in ("m-1", "m-2", "m-3"):
        hq.join(member)
    merged(hq, "m-3", "m-2")
    merged(hq, "m-2", "m-1")
    erasure.erase(hq.engine, hq.keys, "m-3", hq.now_ms)
    with reading(hq.engine) as connection:
        assert connection.execute(member_keys.select()).all() == []
        assert len(connection.execute(erasures.select()).all()) == 3
        assert hq.keys.custody.references(connection, ["m-1", "m-2", "m-3"]) == {}
    hq.office.add_member("m-2", 18, "DE", hq.now_ms)
    hq.check()


def test_phones_that_were_recognised_go_on_under_the_survivor(hq: Headquarters) -> None:
    """Where the survivor may be recognised; the phone of an account that was recognised nowhere is not taken along."""
    first, second = hq.join("m-1"), hq.join("m-2")
    hq.office.add_member("m-3", 18, "DE", hq.now_ms)
    hq.office.add_phone("m-3", hq.now_ms)
    with reading(hq.engine) as connection:
        known = {row.member: row.id for row in connection.execute(phones.select())}
        theirs = hq.keys.custody.reference(connection, "m-2") or b""
    day = hq.now_s // 86_400
    merged(hq)
    merged(hq, "m-3")
    expected = {day_key(one, day) for one in (first, second)}
    assert set(hq.day_keys("m-1")) == expected, "both phones are the one member's, the third is nobody's"
    hq.office.remove_phone("m-2", known[theirs], hq.now_ms)  # under the id that the app knows, by either name
    assert set(hq.day_keys("m-1")) == {day_key(first, day)}
    with reading(hq.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(phones)) == 1
    hq.check()


def test_a_phone_is_not_heard_where_either_account_left(hq: Headquarters) -> None:
    """Presence that the other withdrew ends for all phones, and what the survivor never allowed stays so."""
    for member in ("m-1", "m-2", "m-3"):
        hq.join(member)
    hq.office.withdraw("m-2", hq.now_ms, purpose="presence")
    hq.office.withdraw("m-3", hq.now_ms, purpose="presence")
    hq.later(1)
    merged(hq, "m-2", "m-1")
    assert hq.day_keys("m-1") == ()
    hq.join("m-4")
    merged(hq, "m-4", "m-3")
    assert hq.day_keys("m-3") == ()


def test_of_too_many_phones_those_of_the_survivor_stay(hq: Headquarters) -> None:
    """And of the others the ones that were added last; a phone that both have is one."""
    secret = hq.join("m-1")
    hq.join("m-2")
    row = {"member": "m-2", "phones": [secret.hex(), *(bytes([one] * 32).hex() for one in range(MAX_PHONES - 2))]}
    hq.now_ms += 1000
    assert importer.run(hq.engine, hq.keys, [json.dumps(row).encode()], hq.now_ms).taken == 1
    for _ in range(3):
        hq.office.add_phone("m-1", hq.now_ms)
    merged(hq)
    with reading(hq.engine) as connection:
        (one,) = membership.read_by_id(connection, hq.keys.custody, ["m-1"]).values()
        (held,) = membership.secrets(connection, {one.reference: one}).values()
    assert (len(held), len(set(held)), secret in held) == (MAX_PHONES, MAX_PHONES, True)


def test_what_the_other_was_shown_set_and_said_is_the_survivors(hq: Headquarters, shop: None) -> None:
    """Notices, the list of stores, lines that felt wrong, moments of asking; and the copy has the other's choices."""
    hq.join("m-1")
    hq.join("m-2", "size.shoe")
    hq.office.add_member("m-3", 18, "DE", hq.now_ms)
    choosing.add_store(hq.office, "m-2", STORE, hq.now_ms)
    felt.note(hq.office, "m-2", felt.Line(STORE, "size.shoe", "assist"), hq.now_ms, "app")
    with writing(hq.engine) as connection:
        moments.ask(connection, hq.keys, "m-2", moments.Moment.BOUGHT, hq.now_ms)
        asked = connection.scalar(select(func.count()).select_from(asks))
    hq.serve("m-2")
    merged(hq)
    merged(hq, "m-1", "m-3")
    with writing(hq.engine) as connection:
        told = rights.export(connection, hq.keys, "m-3", hq.now_ms)
        assert connection.scalar(select(func.count()).select_from(asks)) == asked == 1
        found = moments.ask(connection, hq.keys, "m-3", moments.Moment.BOUGHT, hq.now_ms)
        (now,) = {one.hash for one in notices.in_force(connection) if one.purpose == "assist"}
        assert notices.was_served(connection, hq.keys, "m-3", now, hq.now_ms)
    assert found is None, "who was asked today under one name is not asked under the other"
    assert (list(told["stores_added"]), len(told["felt_creepy"])) == ([STORE], 1)
    assert {one["purpose"] for one in told["notices"]} >= {"presence", "assist"}
    assert {one["member"] for one in told["merged"]} == {"m-1", "m-2"}
    choices = {one["member"]: {each["choice"]["purpose"] for each in one["choices"]} for one in told["merged"]}
    assert choices["m-2"] >= {"presence", "assist"}
    assert all(one["consent"]["records"] for one in told["merged"])


def test_what_a_store_tells_late_of_the_other_name_counts_for_the_survivor(hq: Headquarters) -> None:
    """Somebody withdrew in a store without network, and was merged before it told: it ends for the one who stays."""
    store = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    store.come_up(hq.answers)
    hq.join("m-1", "language")
    hq.join("m-2", "language")
    known_as = hq.pseudonym("m-2")
    merged(hq)
    assert hq.record("m-1") is not None
    hq.later(60)
    gone = StoreEvent(1, StoreEventKind.WITHDRAWAL, hq.now_ms, known_as, schema.encode(Withdrawal(None, "nina", "t-1")))
    store.say(hq.answers, store.events(gone))
    assert hq.record("m-1") is None
    assert standing(hq, "m-1").statements == ()
    hq.check()


def test_a_copy_of_who_was_merged_is_one_request_of_the_consoles(hq: Headquarters) -> None:
    """With every store that was asked, under whatever name."""
    hq.join("m-1")
    hq.join("m-2")
    merged(hq)
    export = exports.ask(hq.engine, hq.keys, "m-2", hq.now_ms)
    with reading(hq.engine) as connection:
        (line,) = console_lists.requests_page(connection).rows
        assert console_lists.requests_page(connection, done=True).rows == ()
    assert (line.id, line.stores, line.done) == (export, 1, 0)


def test_all_mutes_of_both_hold(hq: Headquarters) -> None:
    """Also where the survivor has set as many as a member may; of more than a record bears the themes go first."""
    items_of = {"m-1": 0, "m-2": 1, "m-3": 2}
    for member, side in items_of.items():
        hq.office.add_member(member, 18, "DE", hq.now_ms)
        with writing(hq.engine) as connection:
            locked = membership.lock_by_id(connection, hq.keys.custody, [member])
            (reference,) = locked
            theme = [Muted(MuteKind.THEME, f"z-{side}")]
            full = theme + [Muted(MuteKind.ITEM, f"{side}-{one}") for one in range(MOST_OWN_MUTES - 1)]
            made = [
                Event(os.urandom(16), "app", hq.now_s - 9, hq.now_s, Choice(EventKind.MUTE, mute=one)) for one in full
            ]
            ledger.append(connection, [Entry(reference, one) for one in made], locked)
    merged(hq)
    assert len(standing(hq, "m-1").mutes) == 2 * MOST_OWN_MUTES
    with pytest.raises(Refused):
        hq.office.mute("m-1", Muted(MuteKind.ITEM, "one-more"), hq.now_ms)
    merged(hq, "m-3")
    left = standing(hq, "m-1").mutes
    assert len(left) == MOST_MUTES
    assert {one.id for one in left if one.what is MuteKind.THEME} == {"z-0", "z-1", "z-2"}


_NOW_S = NOON_MS // 1000
_SCOPES = ("language", "size.shoe")


@st.composite
def events(draw: st.DrawFn, side: int) -> list[Event]:
    """Some choices about two scopes in two stores."""
    found = []
    for number in range(draw(st.integers(0, 4))):
        grants = draw(st.booleans())
        scopes = tuple(draw(st.lists(st.sampled_from(_SCOPES), min_size=1, unique=True)))
        stores = tuple(draw(st.lists(st.sampled_from(("a", "b")), min_size=1, unique=True)))
        at_s = _NOW_S - draw(st.integers(1, 5))
        choice = (
            Choice(EventKind.GRANT, "assist", scopes, stores, ROLES, (), at_s, _NOW_S + draw(st.sampled_from((9, 99))))
            if grants
            else Choice(EventKind.WITHDRAWAL, "assist", scopes, draw(st.sampled_from((None, stores))))
        )
        found.append(Event(bytes([side, number] + [0] * 14), "import", at_s, _NOW_S, choice))
    return found


def _allowed(listed: list[Event], at_s: int) -> set[tuple[str, str]]:
    return {(scope, one.store) for one in fold(listed).statements if one.until_s > at_s for scope in one.scopes}


def _spoken(listed: list[Event]) -> set[tuple[str, str]]:
    return {
        (scope, store)
        for one in listed
        for scope in one.choice.scopes or _SCOPES
        for store in one.choice.stores or ("a", "b")
    }


@settings(max_examples=50)
@given(events(1), events(2), events(4))
def test_a_merge_allows_nothing_that_one_of_both_did_not(
    ours: list[Event], theirs: list[Event], more: list[Event]
) -> None:
    """Neither now nor when the shorter grant has ended; what the other never spoke of is as it was; and of an older
    grant of the other that is told after the merge no more stands than the other's withdrawals left of it.
    """
    ended = [one for one in theirs if one.choice.kind is EventKind.WITHDRAWAL]
    late = [one for one in more if one.choice.kind is EventKind.GRANT]
    made = [
        Event(bytes([3, number] + [0] * 14), "merge", chosen_s, _NOW_S, choice)
        for number, (choice, chosen_s) in enumerate(systems_merge.least(ours, theirs, _NOW_S))
    ]
    for at_s in (_NOW_S, _NOW_S + 50):
        left = _allowed([*ours, *made], at_s)
        assert left <= _allowed(ours, at_s)
        assert left & _spoken(theirs) <= _allowed(theirs, at_s)
        assert left - _spoken(theirs) == _allowed(ours, at_s) - _spoken(theirs)
        after = _allowed([*ours, *made, *late], at_s)
        assert after <= _allowed(ours, at_s) | _allowed([*ended, *late], at_s)


SWITCHES = st.lists(
    st.tuples(st.none() | st.sampled_from(Mode), st.none() | st.sampled_from(NameChoice), st.integers(1, 9)), max_size=3
)


def _switched(side: int, listed: list[tuple[Mode | None, NameChoice | None, int]]) -> list[Event]:
    return [
        Event(bytes([side, number, kind.value] + [0] * 13), "app", _NOW_S - 10 + at, _NOW_S, choice)
        for number, (mode, name, at) in enumerate(listed)
        for kind, choice in (
            (EventKind.MODE, Choice(EventKind.MODE, mode=mode)),
            (EventKind.NAME, Choice(EventKind.NAME, name_choice=name)),
        )
        if choice.mode is not None or choice.name_choice is not None
    ]


@settings(max_examples=40)
@given(SWITCHES, SWITCHES, SWITCHES)
def test_no_older_switch_that_is_told_after_a_merge_shows_more(
    ours: list[tuple[Mode | None, NameChoice | None, int]],
    theirs: list[tuple[Mode | None, NameChoice | None, int]],
    late: list[tuple[Mode | None, NameChoice | None, int]],
) -> None:
    """What was chosen before the last switch of both frees nothing; what hides, and was chosen later, holds."""
    mine, other, more = _switched(1, ours), _switched(2, theirs), _switched(4, late)
    made = [
        Event(bytes([3, number] + [0] * 14), "merge", chosen_s, _NOW_S, choice)
        for number, (choice, chosen_s) in enumerate(systems_merge.least(mine, other, _NOW_S))
    ]
    left, before = fold([*mine, *made]), [fold(mine), fold(other)]
    for field, default in (("mode", Mode.HELP), ("name_choice", NameChoice.INVITED)):
        spoke = [one for one in (*mine, *other) if getattr(one.choice, field) is not None]
        counted = [getattr(one, field) for one in before]
        assert getattr(left, field) == (min(counted) if any(one in other for one in spoke) else counted[0])
        last_s = max((one.chosen_s or 0 for one in spoke), default=-1)
        told = [one for one in more if getattr(one.choice, field) is not None]
        older = [one for one in told if (one.chosen_s or 0) <= last_s]
        assert getattr(fold([*mine, *made, *older]), field) <= getattr(left, field)
        newest_s = max((one.chosen_s or 0 for one in told), default=-1)
        newest = [getattr(one.choice, field) for one in told if one.chosen_s == newest_s]
        if newest_s > last_s and min(newest) < default:  # it hides
            assert getattr(fold([*mine, *made, *told]), field) == min(newest)
