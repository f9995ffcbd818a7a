"""Two brands in two countries: what is granted to one never serves the other, to the last record of its stores."""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from hq import importer, ledger, ledger_check, membership, publication
from hq.database import reading, writing
from hq.door import Grant, check_refusal
from hq.errors import Reason, Refused
from hq.ledger_state import is_given
from hq.ledger_tables import consent_facts
from hq.state import Event
from hq.tables import audience, stores
from tests.hq.conftest import on
from tests.hq.headquarters import ROLES, STORE, Headquarters
from tests.hq.headquarters import text as said
from wire.policy import AgeRule

VIENNA = "vienna-1"
BRANDS = {"main": STORE, "nord": VIENNA}


def events_of(hq: Headquarters, member: str) -> list[Event]:
    """All that a member chose."""
    with reading(hq.engine) as connection:
        references = hq.keys.custody.references(connection, [member]).values()
    with writing(hq.engine) as connection:
        locked = membership.lock(connection, hq.keys.custody, references)
        return [one for listed in ledger.of_members(connection, locked).values() for one in listed]


@pytest.fixture
def two(hq: Headquarters) -> Headquarters:
    """The brand `main` with its store in Germany, and `nord` with one in Austria, whose least ages differ."""
    identity = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    hq.office.add_store(VIENNA, "Vienna", identity, "nord", hq.now_ms)
    own = replace(hq.draft.stores[0], store=VIENNA, label="Vienna", jurisdiction="AT", time_zone="Europe/Vienna")
    main = replace(hq.draft.main, ages=(AgeRule("DE", 16), AgeRule("AT", 14)))
    published_ms = hq.now_ms - 86_400_000  # before any choice here
    hq.office.publish_policy(replace(hq.draft, name="nord", main=main, stores=(own,)), published_ms)
    hq.tick()
    return hq


def agree(hq: Headquarters, purpose: str, *scopes: str, stores: tuple[str, ...] = (), brand: str | None = None) -> None:
    """A grant of the member's."""
    grant = Grant(purpose, stores, ROLES, scopes, until_days=365, chosen_s=hq.now_s, brand=brand)
    hq.office.grant("m-1", grant, hq.now_ms)


def shown(hq: Headquarters, store: str) -> tuple[set[str], set[str]]:
    """Purposes and fields in the member's record at a store; nothing where there is no record."""
    record = hq.record("m-1", store)
    if record is None:
        return set(), set()
    return {one.purpose for one in record.statements}, {one.scope for one in record.fields}


def test_a_grant_to_one_brand_serves_no_store_of_the_other(two: Headquarters) -> None:
    """Presence, values and contacts: each brand has what was granted to it."""
    two.office.add_member("m-1", 18, "DE", two.now_ms)
    two.office.set_profile("m-1", [said("size.shoe", "42"), said("fit.jacket", "wide")], two.now_ms)
    agree(two, "presence", stores=(STORE,))
    agree(two, "assist", "size.shoe", stores=(STORE,))
    agree(two, "contact.email", brand="main")
    assert shown(two, STORE) == ({"presence", "assist"}, {"size.shoe"})
    assert shown(two, VIENNA) == (set(), set())
    agree(two, "presence", stores=(VIENNA,))
    assert shown(two, VIENNA) == ({"presence"}, set())
    agree(two, "assist", "fit.jacket", stores=(VIENNA,))
    assert shown(two, STORE)[1] == {"size.shoe"}
    assert shown(two, VIENNA)[1] == {"fit.jacket"}
    events = events_of(two, "m-1")
    assert [is_given(events, "contact.email", two.now_s, brand=one) for one in BRANDS] == [True, False]
    assert {(one.choice.brand, one.choice.jurisdiction) for one in events if one.choice.stores} == {
        ("main", "DE"),
        ("nord", "AT"),
    }
    two.office.withdraw("m-1", two.now_ms, brand="main")
    assert shown(two, STORE) == (set(), set())
    assert shown(two, VIENNA) == ({"presence", "assist"}, {"fit.jacket"})


def test_one_choice_for_stores_of_both_brands_is_two_events(two: Headquarters) -> None:
    """Each names its brand, its country and the version of its policy; a brand that is named takes no other's store."""
    two.office.add_member("m-1", 18, "DE", two.now_ms)
    agree(two, "presence", stores=(STORE, VIENNA))
    assert sorted((one.choice.brand, one.choice.stores) for one in events_of(two, "m-1")) == [
        ("main", (STORE,)),
        ("nord", (VIENNA,)),
    ]
    with pytest.raises(Refused) as found:
        agree(two, "presence", stores=(STORE, VIENNA), brand="main")
    assert found.value.reason is Reason.OTHER_BRAND
    for brand in (None, "none"):
        with pytest.raises(Refused):
            agree(two, "contact.email", brand=brand)
    with reading(two.engine) as connection:
        told = connection.execute(select(consent_facts.c.brand, consent_facts.c.store)).all()
    assert sorted(map(tuple, told)) == [("main", STORE), ("nord", VIENNA)]


def test_a_notice_of_one_brand_or_purpose_proves_no_grant_of_another(two: Headquarters) -> None:
    """Neither for who chose here nor in an import; nothing of it is recorded."""
    with reading(two.engine) as connection:
        policies = publication.Policies(connection)
        hashes = {
            (brand, one.id): one.notice or b""
            for brand in BRANDS
            for one in policies.main(brand).purposes  # type: ignore[union-attr]
        }
    shown, other = hashes["main", "presence"], hashes["nord", "presence"]
    assert shown != other
    two.office.add_member("m-1", 18, "DE", two.now_ms)
    two.serve("m-1", store=STORE)
    two.later(5)
    wanted = Grant("presence", (VIENNA,), ROLES, until_days=365, chosen_s=two.now_s, notice=shown)
    for method, reason in (("app", Reason.NOTICE_NOT_SERVED), ("command", Reason.UNKNOWN_NOTICE)):
        with pytest.raises(Refused) as caught:
            two.office.grant("m-1", wanted, two.now_ms, method)
        assert caught.value.reason is reason
    grant = {"purpose": "presence", "stores": [VIENNA], "roles": list(ROLES), "until_days": 365}
    rows = [
        {"member": "m-1", "chosen": two.now_s, "grants": [{**grant, "notice": one.hex()}]}
        for one in (shown, hashes["nord", "insight"], other)
    ]
    report = importer.run(two.engine, two.keys, [json.dumps(one).encode() for one in rows], two.now_ms)
    assert [(one.line, one.reason) for one in report.refused] == [
        (1, Reason.UNKNOWN_NOTICE),
        (2, Reason.UNKNOWN_NOTICE),
    ]
    assert [one.choice.notice for one in events_of(two, "m-1")] == [other]


def test_a_store_that_changes_hands_keeps_nobody(two: Headquarters) -> None:
    """What was granted to the brand before serves the one after in nothing; a new grant does."""
    two.office.add_member("m-1", 18, "DE", two.now_ms)
    agree(two, "presence", stores=(VIENNA,))
    assert shown(two, VIENNA)[0] == {"presence"}
    own = replace(two.draft.stores[0], store=VIENNA, jurisdiction="DE")
    two.draft = replace(two.draft, stores=(*two.draft.stores, own))
    with writing(two.engine) as connection:
        connection.execute(update(stores).where(stores.c.id == VIENNA).values(policy="main"))
        connection.execute(update(audience).values(due_s=0))
    two.publish()
    assert shown(two, VIENNA) == (set(), set())
    agree(two, "presence", stores=(VIENNA,))
    assert shown(two, VIENNA)[0] == {"presence"}


def test_each_country_judges_by_its_own_age(two: Headquarters) -> None:
    """Fourteen is enough for Vienna and an Austrian; where the member's own country asks more, that holds."""
    for name, home, here in (("at", "AT", True), ("de", "DE", False), ("none", "", True)):
        two.office.add_member(name, 14, home, two.now_ms)
        for store in BRANDS.values():
            two.grant(name, "presence", stores=(store,))
        assert (two.record(name, STORE), two.record(name, VIENNA) is not None) == (None, here), name


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("grant", "withdraw", "refuse")),
        st.sampled_from(("presence", "assist", "contact.email")),
        st.sampled_from(tuple(BRANDS)),
        st.integers(-500, 0),
    ),
    max_size=6,
)


@on("sqlite")
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_whatever_a_member_does_with_one_brand_the_other_sees_nothing_of(two: Headquarters, steps) -> None:
    """Each store's record is the one that the steps with its own brand alone lead to."""
    two.now_ms += 1000
    both, alone = f"m-{two.now_ms}", f"a-{two.now_ms}"
    for name in (both, alone):
        two.office.add_member(name, 18, "DE", two.now_ms)
        two.office.set_profile(name, [said("size.shoe", "42")], two.now_ms)
    for verb, purpose, brand, ago_s in steps:
        wide = purpose == "contact.email"
        chosen_s = two.now_s + ago_s
        for name in (both,) if brand == "nord" else (both, alone):
            if verb == "grant":
                scopes = ("size.shoe",) if purpose == "assist" else ()
                places = () if wide else (BRANDS[brand],)
                grant = Grant(purpose, places, ROLES, scopes, until_days=9, chosen_s=chosen_s, brand=brand)
                two.office.grant(name, grant, two.now_ms)
            elif verb == "withdraw":
                two.office.withdraw(name, two.now_ms, purpose=purpose, brand=brand, chosen_s=chosen_s)
            else:
                two.office.refuse(name, check_refusal(purpose, brand=brand), two.now_ms)
    first, second = two.record(both), two.record(alone)
    assert (first is None) == (second is None)
    if first is not None and second is not None:
        assert first.fields == second.fields
        assert [replace(one, event=b"") for one in first.statements] == [
            replace(one, event=b"") for one in second.statements
        ]
    assert not ledger_check.run(two.engine, two.keys, two.now_ms).faults
