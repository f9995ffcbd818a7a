"""Whether a member may be contacted: consent, mutes, guards, caps and quiet hours, and what came of it."""

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hq import (
    collections,
    contacts,
    contacts_rules,
    contacts_tables,
    erasure,
    importer,
    systems_consent,
    systems_shop,
    webhooks,
)
from hq.contacts import Decision
from hq.contacts_rules import DAY_MS, EVERY_CHANNEL, Cap, Denied, Rules, of_caps, of_hours
from hq.database import writing
from hq.door import Grant
from hq.errors import Reason, Refused
from hq.ledger_proof import Party, Proof
from hq.systems import EVERY_BRAND, Right, System
from hq.systems_line import Line
from tests.hq.headquarters import DAY_S, STORE, Headquarters
from wire.items import MuteKind
from wire.member import Muted
from wire.sync import Collection

CRM = System("crm", frozenset(Right), frozenset({EVERY_BRAND}), frozenset())
MEMBER = {"member": "m-1", "channel": "email", "brand": "main"}


def asked(hq: Headquarters, system: System = CRM, **more: object) -> Decision:
    """One decision."""
    ((found,), refused) = contacts.decide(hq.engine, hq.keys, system, [Line(1, MEMBER | more)], hq.now_ms)
    assert refused == []
    return found


def agreed(hq: Headquarters, channel: str = "email") -> None:
    """The member agrees to be contacted by this channel."""
    grant = Grant(f"contact.{channel}", (), (), (), until_days=365, chosen_s=hq.now_s, brand="main")
    hq.office.grant("m-1", grant, hq.now_ms)


def test_without_a_live_grant_for_this_channel_and_brand_it_is_denied(hq: Headquarters) -> None:
    """Before the grant, by another channel, and after a withdrawal of everything."""
    hq.join("m-1")
    assert asked(hq).denied is Denied.CONSENT
    agreed(hq)
    assert (asked(hq).denied, asked(hq, channel="push").denied) == (None, Denied.CONSENT)
    hq.office.withdraw("m-1", hq.now_ms)
    assert asked(hq).denied is Denied.CONSENT
    wrong = [Line(1, MEMBER | {"member": "m-9"}), Line(2, MEMBER | {"brand": "other"}), Line(3, {})]
    found, refused = contacts.decide(hq.engine, hq.keys, CRM, wrong, hq.now_ms)
    assert (found, [(one.field, one.reason) for one in refused]) == (
        [],
        [("member", Reason.UNKNOWN_MEMBER), ("brand", Reason.FORBIDDEN), ("member", Reason.MALFORMED)],
    )


@pytest.mark.parametrize("age", [0, 14])
def test_a_yes_of_ones_own_counts_from_the_age_on_and_a_parents_before(hq: Headquarters, age: int) -> None:
    """Every door refuses it below; what stood from before does not count while they are below, or nobody knows."""
    hq.join("m-1")
    agreed(hq)
    hq.office.change_age("m-1", age, "DE", hq.now_ms)
    assert asked(hq).denied is Denied.CONSENT
    for purpose in ("contact.email", "media"):
        grant = Grant(purpose, (), until_days=365, chosen_s=hq.now_s, brand="main")
        with pytest.raises(Refused) as caught:
            hq.office.grant("m-1", grant, hq.now_ms)
        assert caught.value.reason is Reason.NO_PROFILE_BELOW_AGE
    said = {"member": "m-1", "purpose": "media", "state": "given", "brand": "main", "chosen": hq.now_s}
    (problem,) = systems_consent.take(hq.engine, hq.keys, CRM, [Line(1, said)], hq.now_ms).refused
    assert problem.reason is Reason.NO_PROFILE_BELOW_AGE
    media = {"purpose": "media", "stores": [STORE], "until_days": 365}
    row = json.dumps({"member": "m-1", "chosen": hq.now_s, "mode": "quiet", "grants": [media]}).encode()
    report = importer.run(hq.engine, hq.keys, [row], hq.now_ms)
    assert (report.taken, [(one.field, one.reason) for one in report.left_out]) == (
        1, [("grants[0]", Reason.NO_PROFILE_BELOW_AGE)],
    )  # fmt: skip
    parents = Grant("contact.email", (), until_days=365, chosen_s=hq.now_s, brand="main")
    hq.office.grant("m-1", parents, hq.now_ms, proof=Proof(by=Party.PARENT, by_reference="p-1"))
    assert asked(hq).denied is None
    hq.office.change_age("m-1", 16, "DE", hq.now_ms)
    assert asked(hq).denied is Denied.CAP, "of age, what they said themselves counts again"


def test_what_was_allowed_counts_until_it_was_not_sent(hq: Headquarters) -> None:
    """One a day, three a week over all channels; the answer says when to ask again."""
    hq.join("m-1")
    agreed(hq)
    agreed(hq, "push")
    first = asked(hq)
    assert (first.denied, asked(hq, channel="push").denied) == (None, Denied.CAP)
    assert asked(hq).not_before_ms == hq.now_ms + DAY_MS
    assert first.id is not None
    told: dict[str, object] = {"decision": first.id.hex(), "result": "not-sent"}
    done = contacts.take_results(hq.engine, hq.keys, CRM, [Line(1, told)], hq.now_ms)
    assert (done.new, done.refused) == (1, [])
    days = []
    for channel in ("email", "push", "push"):
        days.append(asked(hq, channel=channel))
        hq.now_ms += DAY_MS
    found = days[-1]
    assert [one.denied for one in days] == [None] * 3
    assert asked(hq).denied is Denied.CAP
    assert found.id is not None
    told = {"decision": found.id.hex(), "result": "sent", "cost_micros": 12_000, "currency": "EUR"}
    for new in (1, 0):
        assert contacts.take_results(hq.engine, hq.keys, CRM, [Line(1, told)], hq.now_ms).new == new
    for result, reasons in (("not-sent", [Reason.EXISTS]), ("bounced", []), ("not-sent", [Reason.EXISTS])):
        back = [Line(1, {"decision": found.id.hex(), "result": result})]
        done = contacts.take_results(hq.engine, hq.keys, CRM, back, hq.now_ms)
        assert [one.reason for one in done.refused] == reasons, "what was sent goes on to count"
    other = System("esp", CRM.rights, CRM.brands, frozenset())
    wrong = [Line(1, told), Line(2, told | {"currency": None}), Line(3, told | {"decision": "ab" * 16})]
    assert len(contacts.take_results(hq.engine, hq.keys, other, wrong, hq.now_ms).refused) == 3
    hq.now_ms += 7 * DAY_MS
    assert asked(hq).denied is None


def test_mutes_and_flags_of_the_catalog_forbid_an_offer(hq: Headquarters) -> None:
    """A theme's mute covers its items; what nobody is offered, and what only who bought it is; an unknown item."""
    hq.join("m-1")
    agreed(hq)
    items = [
        {"id": "romper", "name": "Romper", "path": ["clothes"], "themes": ["baby"]},
        {"id": "test", "name": "Test", "path": ["health"], "flags": ["never"]},
        {"id": "wine", "name": "Wine", "path": ["drinks"], "flags": ["only_if_bought"]},
        {"id": "boots", "name": "Boots", "path": ["shoes"]},
    ]
    systems_shop.take_items(hq.engine, "all", [Line(1, one) for one in items], hq.now_ms)
    with writing(hq.engine) as connection:
        collections.give(connection, STORE, Collection.CATALOG, "all")
    hq.office.mute("m-1", Muted(MuteKind.THEME, "baby"), hq.now_ms)
    expected = {"romper": Denied.MUTE, "test": Denied.GUARD, "wine": Denied.GUARD, "nothing": Denied.GUARD}
    for item, denied in expected.items():
        assert asked(hq, offer={"id": "o", "items": ["boots", item]}).denied is denied, item
    assert asked(hq, offer={"themes": ["baby"]}).denied is Denied.MUTE
    assert asked(hq, offer={"categories": ["shoes", "health"]}).denied is Denied.GUARD, "it holds what is never offered"
    assert asked(hq, offer={"id": "o", "items": ["boots"]}).denied is None


def test_an_offer_that_names_groups_is_judged_by_all_that_is_in_them(hq: Headquarters) -> None:
    """Mutes of wider groups and of themes in them; any guard, however it is spelled; what nobody knows is guarded."""
    hq.join("m-1")
    agreed(hq)
    items = [
        {"id": "wine-1", "name": "Wine", "path": ["drinks", "wine"], "flags": ["only_if_bought"]},
        {"id": "beer-1", "name": "Beer", "path": ["drinks", "beer"]},
        {"category": "Beer", "flags": ["only_if_bought"]},
        {"id": "n-1", "name": "Nappies", "path": ["care", "nappies"], "themes": ["baby"]},
        {"id": "b-1", "name": "Boots", "path": ["shoes", "boots"]},
        {"id": "s-1", "name": "Scarf", "path": ["clothes", "scarves"], "themes": ["winter"]},
        {"id": "h-1", "name": "Hat", "path": ["hats"]},
        {"category": "ghosts", "flags": ["new"]},
    ]
    systems_shop.take_items(hq.engine, "all", [Line(1, one) for one in items], hq.now_ms)
    with writing(hq.engine) as connection:
        collections.give(connection, STORE, Collection.CATALOG, "all")
    for category in ("wine", "beer", "drinks", "DRINKS", "nothing", "ghosts"):
        assert asked(hq, offer={"categories": [category]}).denied is Denied.GUARD, category
    assert asked(hq, offer={"themes": ["nothing"]}).denied is Denied.GUARD
    hq.office.mute("m-1", Muted(MuteKind.CATEGORY, "shoes"), hq.now_ms)
    hq.office.mute("m-1", Muted(MuteKind.THEME, "baby"), hq.now_ms)
    for offer in (
        {"categories": ["boots"]}, {"categories": ["Shoes"]}, {"categories": ["scarves", "nappies"]},
        {"themes": ["Baby"]}, {"items": ["b-1"]}, {"items": ["n-1"]},
    ):  # fmt: skip
        assert asked(hq, offer=offer).denied is Denied.MUTE, offer
    assert asked(hq, offer={"categories": ["Scarves"], "themes": ["winter"]}).denied is None
    hq.office.mute("m-1", Muted(MuteKind.ITEM, "s-1"), hq.now_ms)
    hq.office.mute("m-1", Muted(MuteKind.ITEM, "gone"), hq.now_ms)
    for offer in ({"categories": ["Clothes"]}, {"categories": ["scarves"]}, {"themes": ["winter"]}):
        assert asked(hq, offer=offer).denied is Denied.MUTE, "one muted item in what is offered as a whole"
    elsewhere = asked(hq, offer={"items": ["h-1"], "categories": ["hats"]}).denied
    assert elsewhere is Denied.CAP, "neither mute nor guard; one was allowed above"


def test_flags_of_a_category_or_theme_forbid_offers_of_what_is_in_it(hq: Headquarters) -> None:
    """Said once, by the same file or call; for an item that comes later, too; until they are taken out."""
    hq.join("m-1")
    agreed(hq)
    lines = [
        {"id": "gin", "name": "Gin", "path": ["drinks", "spirits"], "themes": ["feast"]},
        {"category": "spirits", "flags": ["Adult"]},
        {"theme": "feast", "flags": ["reduced"]},
    ]
    bodies = collections.catalog_lines(json.dumps(one).encode() for one in lines)
    collections.publish(hq.engine, Collection.CATALOG, "all", bodies, hq.now_ms)
    with writing(hq.engine) as connection:
        collections.give(connection, STORE, Collection.CATALOG, "all")

    def says(*told: dict[str, object]) -> list[str]:
        taken = systems_shop.take_items(hq.engine, "all", [Line(1, one) for one in told], hq.now_ms)
        return [one.reason.value for one in taken.refused]

    assert says({"id": "rum", "name": "Rum", "path": ["drinks", "spirits"]}) == []
    for item in ("gin", "rum"):
        assert asked(hq, offer={"id": "o", "items": [item]}).denied is Denied.GUARD, item
    assert asked(hq, offer={"categories": ["spirits"]}).denied is Denied.GUARD
    assert says({"category": "spirits", "gone": True}) == []
    assert asked(hq, offer={"id": "o", "items": ["gin"]}).denied is None
    for wrong in (
        {"category": "spirits"}, {"category": "", "flags": []}, {"category": "a", "theme": "b", "flags": []},
        {"theme": "a", "flags": "never"}, {"theme": "a", "flags": [], "name": "A"}, {"theme": 7, "gone": True},
    ):  # fmt: skip
        assert says(wrong) == ["malformed"], wrong


def test_quiet_hours_are_the_members(hq: Headquarters) -> None:
    """In the zone that the system names, or the store's; the answer says when they end."""
    hq.join("m-1")
    agreed(hq)
    found = asked(hq, time_zone="Asia/Tokyo")  # noon in UTC is 21:00 there
    assert found.denied is Denied.QUIET
    assert found.not_before_ms is not None
    assert datetime.fromtimestamp(found.not_before_ms / 1000, ZoneInfo("Asia/Tokyo")).hour == 8
    for zone in ("Nowhere/Land", "../etc"):
        _, refused = contacts.decide(hq.engine, hq.keys, CRM, [Line(1, MEMBER | {"time_zone": zone})], hq.now_ms)
        assert [(one.field, one.reason) for one in refused] == [("time_zone", Reason.MALFORMED)]
    hq.now_ms += 10 * 3_600_000  # 23:00 in Berlin
    assert asked(hq).denied is Denied.QUIET
    with writing(hq.engine) as connection:
        rules = contacts_rules.of_table({"quiet_from": "23:30", "quiet_until": "05:00", "caps": {"sms": {"month": 2}}})
        contacts.set_rules(connection, "main", rules, hq.now_ms)
        with pytest.raises(Refused):
            contacts.set_rules(connection, "nobody", rules, hq.now_ms)
    assert asked(hq).denied is None
    for table in (
        {"quiet_from": "24:00"},
        {"caps": {"all": {"year": 1}}},
        {"more": 1},
        {"caps": {"all": {"day": "x"}}},
    ):
        with pytest.raises(Refused):
            contacts_rules.of_table(table)


def test_an_erased_member_is_in_no_contact(hq: Headquarters) -> None:
    """And what is old is let go."""
    hq.join("m-1")
    hq.join("m-2")
    agreed(hq)
    asked(hq)
    erasure.erase(hq.engine, hq.keys, "m-1", hq.now_ms)
    with writing(hq.engine) as connection:
        assert connection.execute(contacts_tables.contacts.select()).all() == []
    webhooks.sweep(hq.engine, hq.now_ms + 500 * DAY_S * 1000)


@settings(max_examples=50)
@given(
    st.lists(st.integers(0, 20 * DAY_MS), max_size=12),
    st.integers(1, 31),
    st.integers(1, 4),
    st.integers(20 * DAY_MS, 21 * DAY_MS),
)
def test_a_cap_holds_in_every_span_and_no_longer(before: list[int], days: int, most: int, now_ms: int) -> None:
    """Allowed exactly where fewer were made in the days before; when the answer says, it is."""
    rules = Rules((Cap(EVERY_CHANNEL, days, most),), 0, 0, ())
    made = [("email", at_ms) for at_ms in before]
    until_ms = of_caps(rules, "push", made, now_ms)
    recent = [at_ms for at_ms in before if at_ms > now_ms - days * DAY_MS]
    assert (until_ms is None) == (len(recent) < most)
    if until_ms is not None:
        assert until_ms > now_ms
        assert of_caps(rules, "push", made, until_ms) is None
        assert of_caps(rules, "push", made, until_ms - 1) is not None


@settings(max_examples=50)
@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(1_700_000_000_000, 1_800_000_000_000))
def test_when_quiet_ends_it_is_not_quiet(begins: int, ends: int, now_ms: int) -> None:
    """Over midnight and within a day."""
    rules = Rules((), begins, ends, ("sms",))
    until_ms = of_hours(rules, "sms", "UTC", now_ms)
    if until_ms is not None:
        assert now_ms < until_ms <= now_ms + DAY_MS
        at = datetime.fromtimestamp(until_ms / 1000, UTC)
        assert at.hour * 60 + at.minute == ends
        assert of_hours(rules, "sms", "UTC", until_ms) is None
    assert of_hours(rules, "post", "UTC", now_ms) is None
