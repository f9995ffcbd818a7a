"""What other systems bring beside purchases: consent, members, values, events, items, associates."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from hq import (
    choosing,
    closings,
    door,
    gpc,
    importer,
    ledger,
    membership,
    own_profile,
    purchases_intake,
    systems,
    systems_consent,
    systems_events,
    systems_intake,
    systems_members,
    systems_shop,
)
from hq.choosing import Wish
from hq.database import reading, writing
from hq.door import MAX_PROFILE_BYTES, Grant
from hq.errors import Reason, Refused
from hq.state import Event, fold
from hq.systems import EVERY_BRAND, OWN_SURFACES, Right, System
from hq.systems_calls import Answer, Verdict, once
from hq.systems_intake import Report, Taken
from hq.systems_line import Line
from hq.tables import consent_events
from tests.hq.headquarters import DAY_S, STORE, Headquarters, text
from wire import schema

CMP = System("cmp", frozenset(Right), frozenset({EVERY_BRAND}), frozenset())


@pytest.fixture(autouse=True)
def cmp(hq: Headquarters) -> None:
    """The system that sends."""
    with writing(hq.engine) as connection:
        systems.add(connection, "cmp", "", tuple(Right), [EVERY_BRAND], (), hq.now_ms)


def sent(hq: Headquarters, rows: Iterable[object], take: Callable[..., Taken], system: System = CMP) -> Report:
    """The rows as one call."""
    listed = [Line(number, row) for number, row in enumerate(rows, 1)]
    run = lambda batch: take(hq.engine, hq.keys, system, batch, hq.now_ms)  # noqa: E731
    return systems_intake.run(hq.engine, system.id, "call", listed, run, hq.now_ms)


def events(hq: Headquarters, member: str) -> list[Event]:
    """A member's consent events."""
    with writing(hq.engine) as connection:
        ((_, found),) = ledger.of_members(
            connection, membership.lock_by_id(connection, hq.keys.custody, [member])
        ).items()
    return found


def test_what_a_member_deleted_does_not_come_back_by_night(hq: Headquarters) -> None:
    """The same values, entries and purchases again are refused; what is newer than the deletion is taken."""
    hq.join("m-1", "size.shoe", "wishlist", "history.store")
    values = [Line(1, {"scope": "size.shoe", "value": "41", "collected": hq.now_s - 60, "confirmed": hq.now_s})]
    saved = [{"member": "m-1", "kind": "saved", "item": one, "label": one, "at": hq.now_s - 60} for one in ("a", "b")]
    items = [{"item": "x", "label": "X"}]
    bought = [{"member": "m-1", "reference": "4711", "store": STORE, "at": hq.now_s - 60, "items": items}]

    def nightly() -> list[Reason]:
        taken = systems_members.put_profile(hq.engine, hq.keys, CMP, "m-1", values, hq.now_ms)
        reports = (sent(hq, saved, systems_events.take), sent(hq, bought, purchases_intake.take))
        return [one.reason for done in (taken, *reports) for one in done.refused]

    assert nightly() == []
    hq.later(60)
    assert own_profile.drop_item(hq.office, "m-1", "wishlist", "a", hq.now_ms)
    assert own_profile.forget(hq.office, "m-1", ["size.shoe", "history.store"], hq.now_ms) == 2
    hq.later(DAY_S)
    assert nightly() == [Reason.DELETED] * 3
    record = hq.record("m-1")
    assert record is not None
    assert [(one.scope, [each.item for each in one.value.items or ()]) for one in record.fields] == [
        ("wishlist", ["b"])
    ]
    values = [Line(1, values[0].said | {"collected": hq.now_s})]
    saved[0]["at"] = bought[0]["at"] = hq.now_s
    assert nightly() == []
    hq.check()


def given(hq: Headquarters, member: str, **more: object) -> dict[str, object]:
    """A grant that another platform collected an hour ago."""
    row: dict[str, object] = {"member": member, "purpose": "assist", "state": "given", "scopes": ["size.shoe"],
                              "stores": [STORE], "chosen": hq.now_s - 3600}  # fmt: skip
    return row | more


def test_a_platforms_grant_counts_and_never_beats_a_later_withdrawal(hq: Headquarters) -> None:
    """Also where it comes after the withdrawal; sent again it is nothing new."""
    hq.join("m-1")
    rows = [given(hq, "m-1", reference="r-1", language="de")]
    assert (sent(hq, rows, systems_consent.take).new, sent(hq, rows, systems_consent.take).new) == (1, 0)
    found = hq.record("m-1")
    assert found is not None
    assert ("size.shoe",) in {one.scopes for one in found.statements}
    (made,) = [one for one in events(hq, "m-1") if one.method == "import"]
    assert (made.proof.surface, made.proof.notice_language, made.proof.text) == ("cmp", "de", "reference r-1")
    hq.office.withdraw("m-1", hq.now_ms, purpose="assist", chosen_s=hq.now_s - 600)
    late = [given(hq, "m-1", chosen=hq.now_s - 601, until_days=30)]
    assert sent(hq, late, systems_consent.take).new == 1
    found = hq.record("m-1")
    assert found is not None
    assert {one.purpose for one in found.statements} == {"presence"}
    hq.check()


def test_withdrawal_refusal_and_the_browsers_signal(hq: Headquarters) -> None:
    """Each ends what stands; the signal ends sale and sharing at its own time, with the method `gpc`."""
    hq.join("m-1", "size.shoe")
    media = {"member": "m-1", "purpose": "media", "state": "given", "brand": "main", "chosen": hq.now_s - 60}
    assert sent(hq, [media], systems_consent.take).taken == 1
    assert fold(events(hq, "m-1")).wide
    rows = [
        {"member": "m-1", "state": "withdrawn", "purpose": "assist", "chosen": hq.now_s, "gpc": True},
        {"member": "m-1", "state": "refused", "purpose": "insight", "chosen": hq.now_s},
    ]
    assert sent(hq, rows, systems_consent.take).new == 3
    standing = fold(events(hq, "m-1"))
    assert (standing.wide, {one.purpose for one in standing.statements}) == ((), {"presence"})
    assert [one.method for one in events(hq, "m-1")].count("gpc") == 1


def test_a_line_and_its_signal_are_two_events(hq: Headquarters) -> None:
    """Although both withdraw the same at the same time; sent again they say nothing new."""
    hq.join("m-1")
    rows = [{"member": "m-1", "purpose": "media", "state": "withdrawn", "chosen": hq.now_s, "gpc": True}]
    assert [sent(hq, rows, systems_consent.take).new for _ in range(2)] == [2, 0]
    assert sorted(one.method for one in events(hq, "m-1"))[-2:] == ["gpc", "import"]


def test_what_ends_at_a_store_ends_for_its_brand_where_the_brand_was_meant(hq: Headquarters) -> None:
    """Contacts and media are for a whole brand: no way to take them back at a store is taken and does nothing."""
    hq.join("m-1", "size.shoe")
    near = replace(CMP, brands=frozenset(), stores=frozenset({STORE}))

    def says(system: System, **line: object) -> Report:
        return sent(hq, [{"member": "m-1", "chosen": hq.now_s, **line}], systems_consent.take, system)

    lists = {"purpose": "contact.email", "stores": [STORE]}
    wish = Wish("contact.email", (STORE,))
    imported = json.dumps({"member": "m-1", "withdrawals": [lists]}).encode()
    ways: dict[str, Callable[[], object]] = {
        "member takes back": lambda: choosing.withdraw(
            hq.office, "m-1", hq.now_ms, "app", purpose="contact.email", stores=(STORE,)
        ),
        "member says no": lambda: choosing.refuse(hq.office, "m-1", wish, hq.now_ms, "app"),
        "withdrawn": lambda: says(CMP, state="withdrawn", **lists),
        "refused": lambda: says(CMP, state="refused", **lists),
        "of a store": lambda: says(near, state="withdrawn", purpose="contact.email"),
        "import": lambda: importer.run(hq.engine, hq.keys, [imported], hq.now_ms),
        "all": lambda: says(near, state="withdrawn"),
    }
    left: dict[str, list[str]] = {}
    for way, close in ways.items():
        hq.now_ms += 1000
        for purpose in ("contact.email",) if left else ("media", "contact.email"):
            hq.office.grant("m-1", Grant(purpose, (), until_days=9, chosen_s=hq.now_s, brand="main"), hq.now_ms)
        hq.now_ms += 1000
        close()
        left[way] = [one.purpose for one in fold(events(hq, "m-1")).wide]
    assert left == {way: ["media"] for way in ways} | {"all": []}
    hq.now_ms += 1000
    hq.office.grant("m-1", Grant("media", (), until_days=9, chosen_s=hq.now_s, brand="main"), hq.now_ms)
    hq.now_ms += 1000
    closings.remove_store(hq.office, "m-1", STORE, hq.now_ms, "app")
    assert [one.purpose for one in fold(events(hq, "m-1")).wide] == ["media"], "the brand is not the store"
    says(near, state="refused", purpose="insight", gpc=True)
    assert not fold(events(hq, "m-1")).wide


def test_what_is_named_by_mistake_never_lets_something_stand(hq: Headquarters) -> None:
    """A refusal that names no scope and no store, and scopes of a purpose that has none."""
    hq.join("m-1", "size.shoe")
    hq.grant("m-1", "insight")
    hq.office.grant("m-1", Grant("media", (), until_days=9, chosen_s=hq.now_s, brand="main"), hq.now_ms)
    hq.later(1)
    hq.office.refuse("m-1", door.check_refusal("assist", (), ()), hq.now_ms)
    hq.office.withdraw("m-1", hq.now_ms, purpose="insight", scopes=("size.shoe",))
    hq.office.withdraw("m-1", hq.now_ms, purpose="media", scopes=("size.shoe",))
    standing = fold(events(hq, "m-1"))
    assert (standing.wide, {one.purpose for one in standing.statements}) == ((), {"presence"})


def test_what_ends_something_is_taken_whatever_its_time_and_a_signal_whatever_its_line(hq: Headquarters) -> None:
    """Without a time, or with one that has not come, it ends now; the signal ends `media` and all below it."""
    hq.join("m-1", "size.shoe")
    media = next(one for one in hq.draft.main.purposes if one.id == "media")
    papers = hq.draft.papers
    words = tuple(
        replace(one, purposes={**one.purposes, "media.partner": one.purposes["media"]}) for one in papers.words
    )
    hq.draft = replace(
        hq.draft,
        main=replace(hq.draft.main, purposes=(*hq.draft.main.purposes, replace(media, id="media.partner"))),
        papers=replace(papers, words=words, purposes={**papers.purposes, "media.partner": papers.purposes["media"]}),
    )
    hq.publish()
    granted = {"member": "m-1", "state": "given", "brand": "main", "chosen": hq.now_s - 60}
    shared = [granted | {"purpose": purpose} for purpose in ("media", "media.partner")]
    assert sent(hq, shared, systems_consent.take).taken == 2
    lost = {"member": "m-1", "state": "given", "purpose": "nobody's", "chosen": "canary", "gpc": True, "more": 1}
    ending = {"member": "m-1", "purpose": "assist", "state": "withdrawn", "chosen": hq.now_s + DAY_S}
    report = sent(hq, [lost, ending, {**ending, "purpose": "insight", "state": "refused", "chosen": None}],
                  systems_consent.take)  # fmt: skip
    assert ([one.line for one in report.refused], report.new) == ([1], 4)
    standing = fold(events(hq, "m-1"))
    assert (standing.wide, {one.purpose for one in standing.statements}) == ((), {"presence"})
    hq.later(1)
    assert sent(hq, [given(hq, "m-1", chosen=hq.now_s)], systems_consent.take).new == 1
    assert {one.purpose for one in fold(events(hq, "m-1")).statements} == {"presence", "assist"}, "it may begin anew"
    shared = [one | {"chosen": hq.now_s} for one in shared]
    assert sent(hq, shared, systems_consent.take).taken == 2
    hq.later(1)
    choosing.stay_off(hq.office, "m-1", hq.now_ms, "preference-centre")
    assert fold(events(hq, "m-1")).wide == (), "the no to the browser's question ends the same"


def test_what_a_platform_may_not_say_is_refused_by_name(hq: Headquarters) -> None:
    """No time of choice, a purpose that nobody declared, a stranger, a store of another brand, a wrong hash."""
    hq.join("m-1")
    rows = [
        given(hq, "m-1", chosen=None), given(hq, "m-1", purpose="profiling"), given(hq, "m-9"),
        given(hq, "m-1", stores=["paris-1"]), given(hq, "m-1", notice="ab"), given(hq, "m-1", chosen=hq.now_s + DAY_S),
        given(hq, "m-1", scopes=["birth.date"]), given(hq, "m-1", notice="ab" * 32),
    ]  # fmt: skip
    report = sent(hq, rows, systems_consent.take)
    assert [(one.field, one.reason) for one in report.refused] == [
        ("chosen", Reason.TIME_UNKNOWN), ("purpose", Reason.NO_PURPOSE), ("member", Reason.UNKNOWN_MEMBER),
        ("stores[0]", Reason.UNKNOWN_STORE), ("notice", Reason.MALFORMED), ("chosen", Reason.TIME_IN_FUTURE),
        ("scopes", Reason.UNDECLARED_SCOPE), ("notice", Reason.UNKNOWN_NOTICE),
    ]  # fmt: skip
    other = System("cmp", frozenset(Right), frozenset({"other"}), frozenset())
    withdrawn = {"member": "m-1", "state": "withdrawn", "chosen": hq.now_s}
    refused = sent(hq, [given(hq, "m-1"), withdrawn], systems_consent.take, other).refused
    assert [one.reason for one in refused] == [Reason.FORBIDDEN]
    assert hq.record("m-1") is not None, "a system of another brand ended nothing here"


def test_a_mistyped_purpose_ends_nothing_in_silence_and_one_of_an_earlier_policy_ends(hq: Headquarters) -> None:
    """Withdrawn or refused it is named; the signal beside it counts, and what a policy dropped since can be ended."""
    hq.join("m-1", "size.shoe")
    hq.office.grant("m-1", Grant("media", (), until_days=9, chosen_s=hq.now_s, brand="main"), hq.now_ms)
    hq.later(1)
    ended = {"member": "m-1", "state": "withdrawn", "chosen": hq.now_s}
    rows = [ended | {"purpose": "asist", "gpc": True}, ended | {"purpose": "asist", "state": "refused"}]
    report = sent(hq, rows, systems_consent.take)
    assert [(one.line, one.field, one.reason) for one in report.refused] == [
        (line, "purpose", Reason.NO_PURPOSE) for line in (1, 2)
    ]
    standing = fold(events(hq, "m-1"))
    assert (standing.wide, {one.purpose for one in standing.statements}) == ((), {"presence", "assist"})
    hq.publish(purposes=tuple(one for one in hq.draft.main.purposes if one.id != "contact.push"))
    rows = [ended | {"purpose": one} for one in ("contact.push", "assist")]
    assert sent(hq, rows, systems_consent.take).refused == ()
    assert {one.purpose for one in fold(events(hq, "m-1")).statements} == {"presence"}
    narrow = replace(CMP, brands=frozenset({"other"}))
    assert [one.reason for one in sent(hq, rows[1:], systems_consent.take, narrow).refused] == [Reason.NO_PURPOSE]


def test_members_values_and_events_need_purpose_and_grant(hq: Headquarters) -> None:
    """Members come in; a value and an event are kept with a live grant alone, the newest of each."""
    rows = [{"member": f"m-{number}", "age_at_least": 18, "jurisdiction": "DE"} for number in (1, 2)]
    assert (sent(hq, rows, systems_members.take).new, sent(hq, rows, systems_members.take).new) == (2, 0)
    hq.office.add_phone("m-1", hq.now_ms)
    for purpose, scopes in (("presence", ()), ("assist", ("size.shoe", "wishlist"))):
        hq.grant("m-1", purpose, *scopes)
    fields = [
        {"scope": "size.shoe", "value": "42", "collected": hq.now_s - 60},
        {"scope": "language", "value": ["de"], "collected": hq.now_s},
        {"scope": "birth.date", "value": "1990", "collected": hq.now_s},
    ]
    listed = [Line(number, row) for number, row in enumerate(fields, 1)]
    done = systems_members.put_profile(hq.engine, hq.keys, CMP, "m-1", listed, hq.now_ms)
    assert (done.new, [(one.line, one.reason) for one in done.refused]) == (
        1,
        [(2, Reason.NO_CONSENT), (3, Reason.NO_PURPOSE)],
    )
    saved = {"member": "m-1", "kind": "saved", "item": "b-12", "label": "Boots", "at": hq.now_s - 9}
    rows = [saved, saved | {"item": "s-1", "at": hq.now_s}, saved | {"kind": "viewed"}, saved | {"kind": "abandoned"}]
    report = sent(hq, rows, systems_events.take)
    assert (report.new, [one.reason for one in report.refused]) == (2, [Reason.NO_PURPOSE, Reason.NO_CONSENT])
    assert sent(hq, rows, systems_events.take).new == 0
    found = hq.record("m-1")
    assert found is not None
    lists = {one.scope: [each.item for each in one.value.items or ()] for one in found.fields}
    assert lists == {"size.shoe": [], "wishlist": ["s-1", "b-12"]}


def test_no_system_speaks_for_the_member_or_by_another_brands_grant(hq: Headquarters) -> None:
    """Their own surfaces, and source zero without the right for it, are refused; so is what another brand was given."""
    hq.join("m-1", "size.shoe")
    value = {"scope": "size.shoe", "value": "42", "collected": hq.now_s}
    rows = [value | {"surface": "app"}, value | {"surface": "Preference-Centre"}, value | {"source": "zero"}, value]
    plain = replace(CMP, rights=CMP.rights - {Right.OWN_WORDS})
    listed = [Line(number, row) for number, row in enumerate(rows, 1)]
    done = systems_members.put_profile(hq.engine, hq.keys, plain, "m-1", listed, hq.now_ms)
    assert [(one.line, one.field, one.reason) for one in done.refused] == [
        (1, "surface", Reason.FORBIDDEN), (2, "surface", Reason.FORBIDDEN), (3, "source", Reason.FORBIDDEN),
    ]  # fmt: skip
    assert systems_members.put_profile(hq.engine, hq.keys, CMP, "m-1", listed[2:3], hq.now_ms).refused == []
    assert gpc.OWN_METHODS <= OWN_SURFACES
    with writing(hq.engine) as connection, pytest.raises(Refused):
        systems.add(connection, "app", "", tuple(Right), [EVERY_BRAND], (), hq.now_ms)
    standing = fold(events(hq, "m-1"))
    elsewhere = replace(standing, brands={one.event: "other" for one in standing.statements})
    with reading(hq.engine) as connection:
        reach = systems_intake.Reach(connection, CMP)
        reach.check_scope(standing, "size.shoe", "scope", hq.now_s)
        with pytest.raises(Refused):
            reach.check_scope(elsewhere, "size.shoe", "scope", hq.now_s)


def test_a_profile_never_outgrows_its_bounds_and_the_newest_stay(hq: Headquarters) -> None:
    """Of what came in the oldest entries are left out; what else stands in the profile stays."""
    hq.join("m-1", "size.shoe", "wishlist")
    hq.office.set_profile("m-1", [text("size.shoe", "42")], hq.now_ms)
    rows = [
        {"member": "m-1", "kind": "saved", "item": f"b-{number}", "label": "x" * 512, "at": hq.now_s - number}
        for number in range(64)
    ]
    assert sent(hq, rows, systems_events.take).refused == ()
    with writing(hq.engine) as connection:
        locked = membership.lock_by_id(connection, hq.keys.custody, ["m-1"])
        (found,) = membership.fields(connection, locked).values()
    assert 0.9 * MAX_PROFILE_BYTES < sum(len(schema.encode(one)) for one in found) <= MAX_PROFILE_BYTES
    lists = {one.scope: [each.item for each in one.value.items or ()] for one in found}
    assert lists == {"size.shoe": [], "wishlist": [f"b-{number}" for number in range(len(lists["wishlist"]))]}


def test_a_value_that_a_profile_has_no_room_for_costs_its_line_alone(hq: Headquarters) -> None:
    """Of values that are too much together each that still fits is taken, in their order; a smaller one always is."""
    hq.join("m-1", "size.shoe", "wishlist", "basket.online")
    many = lambda count: [{"item": f"i-{number:04}", "label": "L" * 450} for number in range(count)]  # noqa: E731
    told = {"size.shoe": "44", "wishlist": many(55), "basket.online": many(20)}
    rows = [{"scope": scope, "value": value, "collected": hq.now_s} for scope, value in told.items()]
    rows += [rows[0] | {"value": "45"}, rows[1] | {"value": many(1)}, rows[2]]

    def put() -> tuple[int, list[tuple[int, str, Reason]]]:
        listed = [Line(number, row) for number, row in enumerate(rows, 1)]
        done = systems_members.put_profile(hq.engine, hq.keys, CMP, "m-1", listed, hq.now_ms)
        return done.new, [(one.line, one.field, one.reason) for one in done.refused]

    assert put() == (3, [(3, "value", Reason.TOO_LARGE)])
    with writing(hq.engine) as connection:
        (found,) = membership.fields(connection, membership.lock_by_id(connection, hq.keys.custody, ["m-1"])).values()
    assert {one.scope: one.value.text or len(one.value.items or ()) for one in found} == {
        "size.shoe": "45", "wishlist": 1, "basket.online": 20,
    }  # fmt: skip


def test_items_and_associates_come_in_once(hq: Headquarters) -> None:
    """Added, changed, taken out; without a PIN, which is set in the store."""
    item = {"id": "b-12", "name": "Boots", "path": ["shoes"]}
    rows = [Line(1, item), Line(2, {"id": "x"}), Line(3, {"id": "old", "gone": True})]
    first = systems_shop.take_items(hq.engine, "shoes", rows, hq.now_ms)
    assert (first.new, [(one.line, one.reason) for one in first.refused]) == (1, [(2, Reason.MALFORMED)])
    assert systems_shop.take_items(hq.engine, "shoes", rows, hq.now_ms).new == 0
    with pytest.raises(Refused):
        systems_shop.check_catalog(hq.engine, System("x", frozenset(Right), frozenset({"main"}), frozenset()), "shoes")
    nina = {"associate": "nina", "store": STORE, "name": "Nina", "role": "associate"}
    for associates, new in (([nina], 1), ([nina], 0), ([nina | {"active": False}], 1), ([nina | {"active": False}], 0)):
        batch = [Line(1, row) for row in associates]
        assert systems_shop.take_staff(hq.office, CMP, batch, hq.now_ms).new == new
    wrong = [Line(1, nina | {"role": "king"}), Line(2, nina | {"store": "paris-1"})]
    reasons = [one.reason for one in systems_shop.take_staff(hq.office, CMP, wrong, hq.now_ms).refused]
    assert reasons == [Reason.UNDECLARED_ROLE, Reason.UNKNOWN_STORE]


def test_a_call_with_a_key_is_done_once(hq: Headquarters) -> None:
    """The same answer again; another call under the key is told apart; a broken call and a day later it is done."""
    done = []

    def run() -> Answer:
        done.append(1)
        return Answer(200, b'{"taken": 1}')

    def call(key: str, asked: bytes) -> Answer | Verdict:
        return once(hq.engine, hq.keys.custody, "cmp", key, asked, hq.now_ms, run)

    assert call("k-1", b"a") == call("k-1", b"a") == Answer(200, b'{"taken": 1}')
    assert (len(done), call("k-1", b"b")) == (1, Verdict.ANOTHER)

    def broken() -> Answer:
        assert call("k-2", b"a") is Verdict.UNDER_WAY
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        once(hq.engine, hq.keys.custody, "cmp", "k-2", b"a", hq.now_ms, broken)
    call("k-2", b"a")
    hq.now_ms += DAY_S * 1000
    call("k-1", b"a")
    assert len(done) == 3


def test_a_choice_that_comes_twice_has_one_number(hq: Headquarters) -> None:
    """However often it is sent, the chain has it once."""
    hq.join("m-1")
    for _ in range(3):
        sent(hq, [given(hq, "m-1"), given(hq, "m-1")], systems_consent.take)
    with reading(hq.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(consent_events)) == 2
