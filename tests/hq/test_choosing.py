"""What a member sees and sets of the own choices, and what the stores have confirmed of them."""

import argparse
import json
from dataclasses import replace

import pytest
from sqlalchemy import delete, func, select

from hq import choices, choosing, closings, erasure, felt, importer, ledger, own_profile
from hq.choices import AtStore, Choices, Confirmed, Step
from hq.choosing import Wish
from hq.choosing_tables import OF_A_MEMBER, chosen_stores
from hq.choosing_tables import felt as felt_rows
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.felt import Line
from hq.felt_commands import PART
from tests.fakes.store import FakeStore
from tests.hq.headquarters import DAY_S, STORE, Headquarters, items, text
from wire import schema
from wire.items import MuteKind
from wire.member import Mode, Muted, NameChoice, SourceClass, Value
from wire.sync import Applied, Collection, Event, EventKind, instance

METHOD = "command"
APP = "app"


def chosen(hq: Headquarters, member: str = "m-1") -> Choices:
    """What the member sees."""
    with reading(hq.engine) as connection:
        return choices.of_member(connection, hq.keys, member, hq.now_ms)


def at(hq: Headquarters, store: str = STORE, member: str = "m-1") -> AtStore:
    """The same of one store."""
    (found,) = [one for one in chosen(hq, member).stores if one.store == store]
    return found


def given(hq: Headquarters, purpose: str) -> set[str]:
    """The scopes of a purpose that are given at the store."""
    (found,) = [one for one in at(hq).purposes if one.purpose == purpose]
    return {one.scope for one in found.scopes if one.given}


def step(hq: Headquarters) -> Confirmed:
    """How far the store has come with the member's last change."""
    with reading(hq.engine) as connection:
        one = choices.opened(connection, hq.keys, "m-1")
        events = ledger.of_members(connection, {one.reference: one})[one.reference]
        return choices.confirmed(connection, one.reference, STORE, events, hq.now_ms)


@pytest.fixture
def up(hq: Headquarters) -> FakeStore:
    """The store, up and under a lease."""
    made = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    made.come_up(hq.answers)
    return made


@pytest.fixture
def member(hq: Headquarters) -> str:
    """A member who chose nothing yet."""
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)
    return "m-1"


def test_a_plain_choice_becomes_a_grant_by_the_stores_policy(hq: Headquarters, member: str) -> None:
    """All roles on the floor, every ordinary scope, a year from now; no special category, and the store is listed."""
    choosing.give(hq.office, member, Wish("presence", (STORE,)), hq.now_ms, METHOD)
    choosing.give(hq.office, member, Wish("assist"), hq.now_ms, METHOD)
    found = at(hq)
    assert found.added_ms == hq.now_ms and found.recognised and found.brand == "main"
    scopes = given(hq, "assist")
    assert {"size.shoe", "wishlist"} <= scopes and not {"diet", "accessibility"} & scopes
    (assist,) = [one for one in found.purposes if one.purpose == "assist"]
    assert assist.given and assist.roles == ("Associate", "Stylist", "Manager")
    assert assist.until_s == hq.now_s + 365 * 86_400
    record = hq.record(member)
    assert record is not None and {one.purpose for one in record.statements} == {"presence", "assist"}


def test_a_special_category_is_given_only_by_its_name_and_alone(hq: Headquarters, member: str) -> None:
    """Named beside ordinary scopes it gets a grant of its own, and what is shown as given is what the store holds."""
    choosing.give(hq.office, member, Wish("presence", (STORE,)), hq.now_ms, METHOD)
    made = choosing.give(hq.office, member, Wish("assist", None, ("size.shoe", "diet")), hq.now_ms, METHOD)
    assert len(made) == 2
    assert given(hq, "assist") == {"size.shoe", "diet"}
    record = hq.record(member)
    assert record is not None and ("diet",) in {one.scopes for one in record.statements}


def test_one_scope_is_taken_back_and_the_others_stay(hq: Headquarters, member: str) -> None:
    """A withdrawal names as little as the member likes; leaving is everything, in one call."""
    choosing.give(hq.office, member, Wish("presence", (STORE,)), hq.now_ms, METHOD)
    choosing.give(hq.office, member, Wish("assist"), hq.now_ms, METHOD)
    hq.now_ms += 1000
    before = chosen(hq).version
    choosing.withdraw(hq.office, member, hq.now_ms, APP, purpose="assist", scopes=("size.shoe",))
    assert "size.shoe" not in given(hq, "assist") and "wishlist" in given(hq, "assist")
    assert chosen(hq).version != before
    choosing.leave(hq.office, member, hq.now_ms, APP)
    assert hq.record(member) is None
    left = at(hq)
    assert not left.recognised and not any(one.given for one in left.purposes)
    hq.check()


def test_who_leaves_hears_of_every_store_that_had_something(hq: Headquarters, member: str) -> None:
    """A grant that came another way, with no store on the list: after leaving that store says how far it is."""
    choosing.give(hq.office, member, Wish("presence", (STORE,)), hq.now_ms, METHOD)
    with writing(hq.office.engine) as connection:
        connection.execute(delete(chosen_stores))
    assert [one.added_ms for one in chosen(hq).stores] == [None]
    hq.now_ms += 1000
    choosing.leave(hq.office, member, hq.now_ms, APP)
    assert at(hq).added_ms == hq.now_ms and at(hq).confirmed.step is not Step.UNCHANGED


def test_a_pause_ends_in_the_mode_before_it(hq: Headquarters, member: str) -> None:
    """Quiet for as long as the member likes; the grants stay, the store holds nothing meanwhile."""
    choosing.give(hq.office, member, Wish("presence", (STORE,)), hq.now_ms, METHOD)
    for before in (None, Mode.OPEN):
        hq.now_ms += 1000
        if before is not None:
            choosing.set_mode(hq.office, member, before, hq.now_ms, APP)
        hq.now_ms += 1000
        choosing.pause(hq.office, member, hq.now_ms, APP)
        assert chosen(hq).mode is Mode.QUIET and hq.record(member) is None and at(hq).recognised
        hq.now_ms += 1000
        choosing.resume(hq.office, member, hq.now_ms, APP)
        assert chosen(hq).mode is (before or Mode.HELP) and hq.record(member) is not None
    choosing.set_name(hq.office, member, NameChoice.NEVER, hq.now_ms, APP)
    assert chosen(hq).name is NameChoice.NEVER


def test_a_pause_never_ends_in_a_mode_whose_time_is_in_the_future(hq: Headquarters, member: str) -> None:
    """An import says "open", chosen next year: the member's own choice counts after it, and after a pause."""
    row = {"member": member, "chosen": hq.now_s + 400 * DAY_S, "mode": "open"}
    assert importer.run(hq.engine, hq.keys, [json.dumps(row).encode()], hq.now_ms).taken == 1
    choosing.set_mode(hq.office, member, Mode.HELP, hq.now_ms, APP)
    hq.now_ms += 1000
    choosing.pause(hq.office, member, hq.now_ms, APP)
    assert chosen(hq).resumes_to is Mode.HELP
    hq.now_ms += 1000
    choosing.resume(hq.office, member, hq.now_ms, APP)
    assert chosen(hq).mode is Mode.HELP


@pytest.mark.parametrize(
    ("shown", "store"),
    [
        ("berlin-1", "berlin-1"),
        (" Berlin-1", "berlin-1"),
        ("https://hq.example/centre/stores/add/berlin-1", "berlin-1"),
        ("https://hq.example/leave/berlin-1?lang=de", "berlin-1"),
        ("/centre/stores/add/paris-2/", "paris-2"),
        ("javascript:alert(1)", None),
        ("https://hq.example/other/berlin-1", None),
        ("", None),
    ],
)
def test_a_stores_code_is_its_id_or_a_link(shown: str, store: str | None) -> None:
    """Whatever else somebody scans is refused, and repeated nowhere."""
    if store is not None:
        assert choosing.store_of(shown) == store
        return
    with pytest.raises(Refused) as refused:
        choosing.store_of(shown)
    assert not shown or shown not in str(refused.value)


def test_the_list_of_stores_is_full_and_each_goes_with_all_that_was_given(
    hq: Headquarters, member: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Adding gives nothing; removing takes back everything there; one more than 50 (here 2) waits for a place."""
    assert choosing.MOST_STORES == 50
    monkeypatch.setattr(choosing, "MOST_STORES", 2)
    draft = hq.draft
    names = ["shop-1", "shop-2"]
    for name in names:
        hq.office.add_store(name, name, bytes(32), "main", hq.now_ms)
    hq.draft = replace(draft, stores=(*draft.stores, *(replace(draft.stores[0], store=name) for name in names)))
    hq.publish()
    assert choosing.add_store(hq.office, member, STORE, hq.now_ms)
    assert not choosing.add_store(hq.office, member, STORE, hq.now_ms)
    assert not at(hq).recognised and at(hq).confirmed.step is Step.UNCHANGED
    choosing.add_store(hq.office, member, "shop-1", hq.now_ms)
    with pytest.raises(Refused) as refused:
        choosing.add_store(hq.office, member, "shop-2", hq.now_ms)
    assert refused.value.reason is Reason.TOO_MANY
    with pytest.raises(Refused):
        choosing.add_store(hq.office, member, "nowhere", hq.now_ms)
    choosing.give(hq.office, member, Wish("presence", (STORE,)), hq.now_ms, METHOD)
    assert closings.remove_store(hq.office, member, STORE, hq.now_ms, APP)
    assert hq.record(member) is None and STORE not in {one.store for one in chosen(hq).stores}
    assert not closings.remove_store(hq.office, member, STORE, hq.now_ms, APP)


def test_a_member_sees_how_far_each_store_has_come(hq: Headquarters, up: FakeStore) -> None:
    """On the way until the store had a lease after the change; confirmed as soon as it tells; dark without a lease."""
    hq.join("m-1", "size.shoe")
    on_the_way = at(hq).confirmed
    assert on_the_way.step is Step.ON_THE_WAY and on_the_way.until_ms == hq.now_ms + 120_000
    hq.now_ms += 20_000
    up.say(hq.answers, up.hello())
    hq.answers.settle(hq.now_ms)
    assert at(hq).confirmed == Confirmed(Step.IN_STEP, at_ms=hq.now_ms)
    hq.now_ms += 1000
    choosing.leave(hq.office, "m-1", hq.now_ms, APP)
    assert step(hq).step is Step.ON_THE_WAY
    seq = hq.instances()[instance(Collection.MEMBERS, STORE)].seq
    applied = schema.encode(Applied(seq, 400, 1, 1))
    up.say(hq.answers, up.events(Event(1, EventKind.APPLIED, hq.now_ms + 400, None, applied)))
    assert step(hq) == Confirmed(Step.CONFIRMED, at_ms=hq.now_ms + 400)
    hq.now_ms += 1_000_000
    hq.grant("m-1", "presence")
    assert at(hq).confirmed.step is Step.DARK


def test_what_felt_creepy_is_kept_mutes_its_item_and_counts_its_rule(
    hq: Headquarters, capsys: pytest.CaptureFixture[str]
) -> None:
    """The member's own note is sealed; the count names policy, purpose and scope, and nobody."""
    hq.join("m-1", "size.shoe", "wishlist")
    hq.join("m-2", "size.shoe")
    for whose in ("m-1", "m-2", "m-1"):
        felt.note(hq.office, whose, Line(STORE, "size.shoe", "assist"), hq.now_ms, APP)
    assert felt.note(hq.office, "m-1", Line(STORE, "wishlist", "assist", item="sku-17"), hq.now_ms, APP)
    assert chosen(hq).mutes == (Muted(MuteKind.ITEM, "sku-17"),)
    with reading(hq.engine) as connection:
        assert {one.line.scope for one in felt.of_member(connection, hq.keys, "m-1")} == {"size.shoe", "wishlist"}
        counted = {one.scope: one.times for one in felt.counts(connection, "main")}
        assert b"size.shoe" not in b"".join(connection.scalars(select(felt_rows.c.content)))
    assert counted == {"size.shoe": 2, "wishlist": 1}
    PART.runs["felt", ""](hq.office, argparse.Namespace(policy="main", days=90, on=None, off=None), hq.now_ms)
    assert capsys.readouterr().out.splitlines() == [
        "     2  size.shoe for assist", "     1  wishlist for assist", "said 3 times, of 2 rules, in 90 days",
    ]  # fmt: skip
    for wrong in (Line("nowhere", "size.shoe", "assist"), Line(STORE, "size.hat", "assist"), Line(STORE, "", "assist")):
        with pytest.raises(Refused):
            felt.note(hq.office, "m-1", wrong, hq.now_ms, APP)


def test_a_member_corrects_confirms_and_deletes_values(hq: Headquarters) -> None:
    """A correction is the member's own word of today; a list loses an entry; what is old is said to be."""
    old_s = hq.now_s - 1100 * 86_400
    hq.join("m-1", "size.shoe", "wishlist")
    hq.office.set_profile("m-1", [text("size.shoe", "41", old_s), items("wishlist", "Boots", "Hat")], hq.now_ms)

    def own() -> dict[str, own_profile.Own]:
        with reading(hq.engine) as connection:
            return {one.scope: one for one in own_profile.of_member(connection, hq.keys, "m-1", hq.now_ms)}

    assert own()["size.shoe"].stale and own()["size.shoe"].editable and not own()["wishlist"].editable
    assert own_profile.confirm(hq.office, "m-1", ["size.shoe"], hq.now_ms) == 1
    assert not own()["size.shoe"].stale and own()["size.shoe"].field.collected_s == old_s
    own_profile.correct(hq.office, "m-1", "size.shoe", Value(text="42"), hq.now_ms, APP)
    corrected = own()["size.shoe"].field
    assert (corrected.value.text, corrected.source, corrected.surface) == ("42", SourceClass.ZERO, APP)
    with pytest.raises(Refused):
        own_profile.correct(hq.office, "m-1", "wishlist", Value(text="Boots"), hq.now_ms, APP)
    with pytest.raises(Refused):
        own_profile.correct(hq.office, "m-1", "size.hat", Value(text="9"), hq.now_ms, APP)
    assert own_profile.drop_item(hq.office, "m-1", "wishlist", "i-0", hq.now_ms)
    assert not own_profile.drop_item(hq.office, "m-1", "wishlist", "i-0", hq.now_ms)
    record = hq.record("m-1")
    shown = {one.scope: one.value for one in record.fields} if record else {}
    assert [one.label for one in shown["wishlist"].items or ()] == ["Hat"] and shown["size.shoe"].text == "42"
    assert own_profile.forget(hq.office, "m-1", ["size.shoe", "wishlist"], hq.now_ms) == 2
    assert own() == {}
    hq.check()


def test_an_erased_member_leaves_no_list_of_stores_and_no_note(hq: Headquarters) -> None:
    """Every table of what members set is empty of them."""
    hq.join("m-1", "size.shoe")
    choosing.add_store(hq.office, "m-1", STORE, hq.now_ms)
    felt.note(hq.office, "m-1", Line(STORE, "size.shoe", "assist"), hq.now_ms, APP)
    erasure.erase(hq.engine, hq.keys, "m-1", hq.now_ms)
    with reading(hq.engine) as connection:
        for table in OF_A_MEMBER:
            assert connection.scalar(select(func.count()).select_from(table)) == 0, table.name
        assert connection.scalar(select(func.count()).select_from(chosen_stores)) == 0
    with pytest.raises(Refused):
        chosen(hq)
