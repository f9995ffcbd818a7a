"""What members choose at HQ, and what their stores then hold."""

from dataclasses import replace

import pytest
from argon2 import PasswordHasher
from sqlalchemy import delete, select, update
from sqlalchemy import text as sql

from hq import ledger, own_profile, records
from hq import staff as people
from hq.database import open_database, reading, writing
from hq.door import Grant, check_refusal
from hq.errors import DatabaseUnavailable, Reason, Refused
from hq.ledger_tables import consent_facts
from hq.tables import consent_events, outbox
from tests.hq.conftest import on
from tests.hq.headquarters import DAY_S, NOON_MS, ROLES, STORE, Headquarters, example_policy, items, text, texts
from wire import schema, token
from wire.member import Mode, NameChoice, SourceClass, Staff
from wire.sync import Collection, instance


def shown(hq: Headquarters, member: str) -> set[str]:
    """The scopes whose values the store holds."""
    found = hq.record(member)
    return set() if found is None else {field.scope for field in found.fields}


def refused(action, *arguments, **named) -> Refused:
    """The refusal."""
    with pytest.raises(Refused) as found:
        action(*arguments, **named)
    return found.value


def test_a_store_holds_only_what_the_member_grants_to_it(hq: Headquarters) -> None:
    """A value without a grant of its scope never leaves HQ."""
    hq.join("m-1", "size.shoe", "wishlist")
    values = [text("size.shoe", "42"), texts("diet", "vegan"), items("wishlist", "Scarf"), texts("language", "de")]
    hq.office.set_profile("m-1", values, hq.now_ms)
    assert shown(hq, "m-1") == {"size.shoe", "wishlist"}
    assert len(hq.day_keys("m-1")) == 1
    hq.check()


def test_without_presence_a_member_is_in_no_audience(hq: Headquarters) -> None:
    """A grant to assist alone does not make anybody recognisable."""
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)
    hq.office.add_phone("m-1", hq.now_ms)
    hq.grant("m-1", "assist", "size.shoe")
    assert hq.record("m-1") is None
    assert hq.day_keys("m-1") == ()


def test_the_day_keys_are_those_of_the_members_phones(hq: Headquarters) -> None:
    """Every phone's key of the day is in the bucket; a removed phone's is not."""
    first = hq.join("m-1")
    phone, second = hq.office.add_phone("m-1", hq.now_ms)
    today = hq.now_s // DAY_S
    assert set(hq.day_keys("m-1")) == {token.day_key(first, today), token.day_key(second, today)}
    hq.office.remove_phone("m-1", phone, hq.now_ms)
    assert hq.day_keys("m-1") == (token.day_key(first, today),)
    assert refused(hq.office.remove_phone, "m-1", phone, hq.now_ms).reason is Reason.UNKNOWN_PHONE
    hq.check()


def test_quiet_takes_a_member_out_and_help_brings_back(hq: Headquarters) -> None:
    """In mode quiet neither record nor day key is at the store; the pseudonym is the same afterwards."""
    hq.join("m-1")
    before = hq.pseudonym("m-1")
    hq.later(10)
    hq.office.set_mode("m-1", Mode.QUIET, hq.now_ms)
    assert (hq.record("m-1"), hq.day_keys("m-1")) == (None, ())
    hq.later(10)
    hq.office.set_mode("m-1", Mode.OPEN, hq.now_ms)
    found = hq.record("m-1")
    assert found is not None
    assert found.mode is Mode.OPEN
    assert hq.pseudonym("m-1") == before
    assert len(hq.day_keys("m-1")) == 1
    hq.check()


def test_a_withdrawn_scope_is_gone_with_its_value(hq: Headquarters) -> None:
    """The statement shrinks and the field goes, in one record."""
    hq.join("m-1", "size.shoe", "language")
    hq.office.set_profile("m-1", [text("size.shoe", "42"), texts("language", "de")], hq.now_ms)
    hq.later(10)
    hq.office.withdraw("m-1", hq.now_ms, scopes=("size.shoe",))
    found = hq.record("m-1")
    assert found is not None
    assert shown(hq, "m-1") == {"language"}
    assert {one.scopes for one in found.statements if one.purpose == "assist"} == {("language",)}


def test_withdrawing_everything_leaves_a_tombstone(hq: Headquarters) -> None:
    """Record and key bucket go, roots follow."""
    hq.join("m-1", "size.shoe")
    hq.later(10)
    hq.office.withdraw("m-1", hq.now_ms)
    assert (hq.record("m-1"), hq.day_keys("m-1")) == (None, ())
    assert hq.instances()[f"members/{STORE}"].node.count == 0
    hq.check()


def test_a_late_import_does_not_bring_a_withdrawn_member_back(hq: Headquarters) -> None:
    """A grant chosen before the withdrawal and told after it changes nothing."""
    hq.join("m-1", "size.shoe")
    hq.later(10)
    hq.office.withdraw("m-1", hq.now_ms)
    hq.later(10)
    late = Grant("presence", (STORE,), ROLES, until_days=365, chosen_s=NOON_MS // 1000 + 5)
    hq.office.grant("m-1", late, hq.now_ms)
    assert hq.record("m-1") is None


def test_a_slower_clock_takes_back_what_a_faster_one_recorded(hq: Headquarters) -> None:
    """Of two programs of HQ one is ten minutes behind: what is taken back there is gone all the same."""
    hq.join("m-1", "size.shoe")
    hq.later(600)
    hq.grant("m-1", "assist", "size.shoe", "language")
    hq.office.set_mode("m-1", Mode.OPEN, hq.now_ms)
    behind_ms = hq.now_ms - 600_000
    hq.office.set_mode("m-1", Mode.QUIET, behind_ms)
    assert hq.record("m-1") is None
    hq.later(60)
    hq.office.set_mode("m-1", Mode.OPEN, hq.now_ms)
    record = hq.record("m-1")
    assert record is not None and {one.purpose for one in record.statements} == {"presence", "assist"}
    hq.office.refuse("m-1", check_refusal("assist"), behind_ms)
    record = hq.record("m-1")
    assert record is not None and {one.purpose for one in record.statements} == {"presence"}
    hq.check()


def test_what_was_chosen_by_a_clock_a_little_ahead_was_chosen_now(hq: Headquarters) -> None:
    """It is as good as any other; and an end that was mistyped by ten years is one of today."""
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)
    ahead = Grant("presence", (STORE,), ROLES, until_days=365, chosen_s=hq.now_s + 200)
    hq.office.grant("m-1", ahead, hq.now_ms)
    record = hq.record("m-1")
    assert record is not None
    assert [(one.from_s, one.chosen_s) for one in record.statements] == [(hq.now_s, hq.now_s)]
    hq.later(60)
    hq.office.withdraw("m-1", hq.now_ms, chosen_s=hq.now_s + 3650 * 86_400)
    assert hq.record("m-1") is None
    hq.later(60)
    hq.grant("m-1", "presence")
    assert hq.record("m-1") is not None, "the member may come back"


def test_two_stores_know_a_member_by_unrelated_names(hq: Headquarters) -> None:
    """Each store's pseudonym is its own, and a store that was not named holds nothing."""
    hq.office.add_store("berlin-2", "Other", bytes(32), "main", hq.now_ms)
    draft = example_policy()
    main = replace(draft.main, version=draft.main.version + 1)
    other = replace(draft.stores[0], store="berlin-2")
    hq.office.publish_policy(replace(draft, main=main, stores=(*draft.stores, other)), hq.now_ms)
    hq.tick()
    hq.join("m-1", stores=(STORE, "berlin-2"))
    hq.join("m-2")
    assert hq.pseudonym("m-1") != hq.pseudonym("m-1", "berlin-2")
    assert hq.record("m-1", "berlin-2") is not None
    assert hq.pseudonym("m-2", "berlin-2") is None


def test_below_the_age_of_the_jurisdiction_nobody_is_in_an_audience(hq: Headquarters) -> None:
    """15 is too young in Germany; an unknown age counts as too young; a correction counts at once."""
    hq.join("young", age=15)
    hq.join("unknown", age=0)
    assert hq.record("young") is None
    assert hq.record("unknown") is None
    hq.office.change_age("young", 16, "DE", hq.now_ms)
    assert hq.record("young") is not None
    hq.office.change_age("young", 15, "DE", hq.now_ms)
    assert hq.record("young") is None


def test_the_stricter_of_two_jurisdictions_counts_and_one_without_a_rule_serves_nobody(hq: Headquarters) -> None:
    """15 from Austria (14) is too young in Germany (16); from a jurisdiction that policy does not know nobody is in."""
    hq.office.add_member("at", 15, "AT", hq.now_ms)
    hq.office.add_member("xx", 21, "XX", hq.now_ms)
    hq.office.add_member("none", 16, "", hq.now_ms)
    for member in ("at", "xx", "none"):
        hq.grant(member, "presence")
    assert hq.record("at") is None
    assert hq.record("xx") is None
    assert hq.record("none") is not None, "no jurisdiction stated: the store's counts"


def test_an_unknown_age_counts_as_below_whatever_a_policy_says(hq: Headquarters) -> None:
    """No policy may say otherwise; nobody of unknown age is in an audience."""
    hq.join("unknown", age=0)
    with pytest.raises(Refused) as found:
        hq.publish(unknown_age_is_of_age=True)
    assert found.value.reason is Reason.POLICY_LAXER
    assert hq.record("unknown") is None


def test_a_name_that_may_never_be_shown_does_not_leave_hq(hq: Headquarters) -> None:
    """Choice `never` keeps the first name at HQ although it is granted."""
    hq.join("m-1", "name.first")
    hq.office.set_profile("m-1", [text("name.first", "Ada")], hq.now_ms)
    assert shown(hq, "m-1") == {"name.first"}
    hq.office.set_name("m-1", NameChoice.NEVER, hq.now_ms)
    assert shown(hq, "m-1") == set()


def test_old_values_and_values_from_others_stay_at_hq(hq: Headquarters) -> None:
    """Older than its retention, or from a class that policy does not take, a value is not sent."""
    hq.join("m-1", "size.shoe", "basket.online", "colour.avoided")
    partner = replace(texts("colour.avoided", "red"), source=SourceClass.SECOND)
    old = items("basket.online", "Scarf", at_s=hq.now_s - 31 * DAY_S)
    hq.office.set_profile("m-1", [text("size.shoe", "42"), old, partner], hq.now_ms)
    assert shown(hq, "m-1") == {"size.shoe"}


def test_a_special_category_needs_a_grant_of_its_own(hq: Headquarters) -> None:
    """Mixed it is refused; a mixed grant of an older policy does not carry it, even when it is all that is left."""
    hq.join("m-1")
    assert refused(hq.grant, "m-1", "assist", "diet", "language").reason is Reason.SPECIAL_NEEDS_OWN_GRANT
    hq.office.set_profile("m-1", [texts("diet", "vegan")], hq.now_ms)
    ordinary = tuple(replace(one, special="") for one in example_policy().main.scopes)
    hq.publish(scopes=ordinary)
    hq.grant("m-1", "assist", "diet", "language")
    assert shown(hq, "m-1") == {"diet"}
    hq.publish(scopes=example_policy().main.scopes)
    assert shown(hq, "m-1") == set()
    hq.later(10)
    hq.office.withdraw("m-1", hq.now_ms, scopes=("language",))
    assert shown(hq, "m-1") == set()
    hq.later(10)
    hq.grant("m-1", "assist", "diet")
    assert shown(hq, "m-1") == {"diet"}


def test_policy_that_no_longer_declares_a_scope_takes_it_back(hq: Headquarters) -> None:
    """A published policy counts for members who are there already."""
    hq.join("m-1", "size.shoe", "language")
    hq.office.set_profile("m-1", [text("size.shoe", "42"), texts("language", "de")], hq.now_ms)
    draft = example_policy()
    main = replace(
        draft.main,
        version=draft.main.version + 1,
        scopes=tuple(one for one in draft.main.scopes if one.id != "size.shoe"),
        lead=tuple(one for one in draft.main.lead if one != "size.shoe"),
    )
    stores = tuple(
        replace(one, zones=tuple(replace(zone, scopes_first=()) for zone in one.zones)) for one in draft.stores
    )
    hq.office.publish_policy(replace(draft, main=main, stores=stores), hq.now_ms)
    hq.tick()
    assert shown(hq, "m-1") == {"language"}


@pytest.mark.parametrize(
    ("grant", "reason"),
    [
        (Grant("assist", (STORE,), ROLES, ("birth.date",)), Reason.UNDECLARED_SCOPE),
        (Grant("profiling", (STORE,), ROLES, ("size.shoe",)), Reason.UNDECLARED_PURPOSE),
        (Grant("suggest", (STORE,), ROLES, ("name.first",)), Reason.SCOPE_NOT_FOR_PURPOSE),
        (Grant("assist", (STORE,), ("owner",), ("size.shoe",)), Reason.UNDECLARED_ROLE),
        (Grant("assist", (STORE,), ROLES, ("size.shoe",), ("cellar",)), Reason.UNDECLARED_ZONE),
        (Grant("assist", ("nowhere",), ROLES, ("size.shoe",)), Reason.UNKNOWN_STORE),
        (Grant("assist", (), ROLES, ("size.shoe",)), Reason.TOO_MANY),
        (Grant("assist", (STORE,), ROLES), Reason.MALFORMED),
        (Grant("presence", (STORE,), ROLES, ("size.shoe",)), Reason.MALFORMED),
    ],
)
def test_what_policy_does_not_declare_is_refused_at_the_door(hq: Headquarters, grant: Grant, reason: Reason) -> None:
    """The reason is told, and nothing is recorded."""
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)
    full = replace(grant, until_days=365, chosen_s=hq.now_s)
    assert refused(hq.office.grant, "m-1", full, hq.now_ms).reason is reason
    with reading(hq.engine) as connection:
        assert connection.execute(select(consent_events)).first() is None


def test_a_grants_end_counts_from_the_time_of_choice(hq: Headquarters) -> None:
    """Telling it later does not lengthen it; what is over is refused, as is one whose time is unknown or to come."""
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)
    grant = Grant("presence", (STORE,), ROLES, until_days=10, chosen_s=hq.now_s - 9 * DAY_S)
    hq.office.grant("m-1", grant, hq.now_ms)
    found = hq.record("m-1")
    assert found is not None
    assert found.statements[0].until_s == hq.now_s + DAY_S
    for chosen_s, reason in (
        (hq.now_s - 10 * DAY_S, Reason.ALREADY_OVER),
        (None, Reason.TIME_UNKNOWN),
        (hq.now_s + DAY_S, Reason.TIME_IN_FUTURE),
    ):
        assert refused(hq.office.grant, "m-1", replace(grant, chosen_s=chosen_s), hq.now_ms).reason is reason


def test_profile_values_of_an_undeclared_scope_or_another_type_are_refused(hq: Headquarters) -> None:
    """The door takes only what some policy declares, in the type that it declares."""
    hq.join("m-1")
    assert refused(hq.office.set_profile, "m-1", [text("shoe", "1")], hq.now_ms).reason is Reason.UNDECLARED_SCOPE
    assert refused(hq.office.set_profile, "m-1", [text("Shoe Size", "1")], hq.now_ms).reason is Reason.MALFORMED
    assert refused(hq.office.set_profile, "m-1", [texts("size.shoe", "1")], hq.now_ms).reason is Reason.WRONG_TYPE
    large = [texts("language", *["x" * 500] * 60), texts("brand.liked", *["y" * 500] * 60)]
    assert refused(hq.office.set_profile, "m-1", large, hq.now_ms).reason is Reason.TOO_LARGE


def test_a_deleted_value_is_gone_from_the_store(hq: Headquarters) -> None:
    """The grant stays, the value goes."""
    hq.join("m-1", "size.shoe")
    hq.office.set_profile("m-1", [text("size.shoe", "42")], hq.now_ms)
    assert own_profile.forget(hq.office, "m-1", ["size.shoe"], hq.now_ms) == 1
    assert shown(hq, "m-1") == set()
    assert hq.record("m-1") is not None


def test_an_unchanged_record_gets_no_new_seq(hq: Headquarters) -> None:
    """Saying the same again costs no message."""
    hq.join("m-1", "size.shoe")
    hq.office.set_profile("m-1", [text("size.shoe", "42")], hq.now_ms)
    before = hq.instances()
    hq.office.set_profile("m-1", [text("size.shoe", "42")], hq.now_ms)
    hq.tick()
    assert hq.instances() == before


def test_unknown_members_are_refused(hq: Headquarters) -> None:
    """A choice of nobody is nobody's choice."""
    for action in (
        lambda: hq.grant("ghost", "presence"),
        lambda: hq.office.withdraw("ghost", hq.now_ms),
        lambda: hq.office.set_mode("ghost", Mode.OPEN, hq.now_ms),
        lambda: hq.office.add_phone("ghost", hq.now_ms),
    ):
        assert refused(action).reason is Reason.UNKNOWN_MEMBER


def test_staff_have_an_argon2_verifier_and_can_be_stopped(hq: Headquarters) -> None:
    """The PIN itself is nowhere; a deactivated associate's record says so and has no verifier."""
    hq.office.add_staff("nina", STORE, "Nina", "associate", "258013", hq.now_ms)

    def held() -> Staff:
        with reading(hq.engine) as connection:
            return schema.decode(Staff, records.body(connection, instance(Collection.STAFF, STORE), b"nina") or b"")

    assert held().pin_verifier.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PasswordHasher().verify(held().pin_verifier, "258013")
    hq.office.deactivate_staff("nina", STORE, hq.now_ms)
    assert (held().active, held().pin_verifier) == (False, "")
    assert (
        refused(hq.office.add_staff, "bo", STORE, "Bo", "owner", "258013", hq.now_ms).reason is Reason.UNDECLARED_ROLE
    )
    assert refused(hq.office.add_staff, "bo", STORE, "Bo", "associate", "abcd", hq.now_ms).reason is Reason.WEAK_PIN


def test_staff_may_be_named_without_a_pin(hq: Headquarters) -> None:
    """Who is new has none; a change of name or role keeps it; who comes back after a deactivation has none again."""

    def verifier() -> str:
        with reading(hq.engine) as connection:
            found = people.of(connection, "nina", STORE)
        assert found is not None and found.active
        return found.pin_verifier

    hq.office.add_staff("nina", STORE, "Nina", "associate", None, hq.now_ms)
    assert verifier() == ""
    hq.office.add_staff("nina", STORE, "Nina", "associate", "258013", hq.now_ms)
    before = verifier()
    hq.office.add_staff("nina", STORE, "Nina B.", "manager", None, hq.now_ms)
    assert verifier() == before != ""
    hq.office.deactivate_staff("nina", STORE, hq.now_ms)
    hq.office.add_staff("nina", STORE, "Nina", "associate", None, hq.now_ms)
    assert verifier() == ""


def test_consent_events_cannot_be_edited_or_deleted(hq: Headquarters) -> None:
    """The database itself refuses, whoever asks."""
    hq.join("m-1", "size.shoe")
    for statement in (update(consent_events).values(chosen_s=1), delete(consent_events)):
        with pytest.raises(DatabaseUnavailable), writing(hq.engine) as connection:
            connection.execute(statement)
    hq.check()


def test_a_tampered_ledger_is_found(hq: Headquarters) -> None:
    """Whoever gets round the triggers breaks the chain: an edit and a cut end are both found."""
    hq.join("m-1", "size.shoe")
    with writing(hq.engine) as connection:
        if hq.engine.dialect.name == "sqlite":
            connection.execute(sql("DROP TRIGGER consent_events_UPDATE"))
            connection.execute(sql("DROP TRIGGER consent_events_DELETE"))
        else:
            connection.execute(sql("ALTER TABLE consent_events DISABLE TRIGGER USER"))
        connection.execute(sql("UPDATE consent_events SET chosen_s = chosen_s + 1 WHERE number = 1"))
    with reading(hq.engine) as connection:
        assert ledger.first_broken(connection) == 1
    with writing(hq.engine) as connection:
        connection.execute(sql("UPDATE consent_events SET chosen_s = chosen_s - 1 WHERE number = 1"))
        connection.execute(delete(consent_facts).where(consent_facts.c.event == 2))
        connection.execute(sql("DELETE FROM consent_events WHERE number = 2"))
    with reading(hq.engine) as connection:
        assert ledger.first_broken(connection) == 2


def test_a_refused_change_leaves_nothing_behind(hq: Headquarters) -> None:
    """Consent event, records, counters and outbox are one transaction."""
    hq.join("m-1", "size.shoe")
    before = hq.instances()
    with pytest.raises(Refused):
        hq.office.set_profile("m-1", [text("size.shoe", "42"), text("nonsense", "1")], hq.now_ms)
    assert hq.instances() == before


def test_nothing_is_put_into_the_outbox_of_a_store_that_never_said_hello(hq: Headquarters) -> None:
    """It has no key to seal to; its first fill brings everything."""
    hq.join("m-1", "size.shoe")
    with reading(hq.engine) as connection:
        assert connection.execute(select(outbox)).first() is None


@on("sqlite")
def test_the_database_keeps_what_it_should(hq: Headquarters) -> None:
    """WAL, full synchronisation, foreign keys; opened again everything is there."""
    hq.join("m-1", "size.shoe")
    with reading(hq.engine) as connection:
        found = [connection.scalar(sql(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")]
    assert found == ["wal", 2, 1]
    again = open_database(str(hq.engine.url))
    with reading(again) as connection:
        assert connection.scalar(select(consent_events.c.number).where(consent_events.c.number == 2)) == 2
    again.dispose()


@pytest.mark.parametrize("url", ["nonsense", "sqlite:////nowhere/at/all/hq.db", "oracle+nothing://x"])
def test_a_database_that_cannot_be_had_is_one_line(url: str) -> None:
    """No traceback, and the remedy is told."""
    with pytest.raises(DatabaseUnavailable) as found:
        open_database(url)
    assert found.value.remedy
