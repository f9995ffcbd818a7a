"""Lists that systems bring hold nothing older than policy allows, whenever it came to allow less."""

from dataclasses import replace

import pytest

from hq import choosing, purchases_intake, systems, systems_events
from hq.database import reading, writing
from hq.errors import Reason
from hq.mirror import mirror
from hq.systems import EVERY_BRAND, Right
from hq.systems_intake import Report
from tests.hq.headquarters import DAY_S, STORE, Headquarters, items
from tests.hq.test_systems_intake import sent
from wire.member import Field, Item, Mode, Value

BASKET, HISTORY = "basket.online", "history.store"


@pytest.fixture(autouse=True)
def cmp(hq: Headquarters) -> None:
    """The system that sends."""
    with writing(hq.engine) as connection:
        systems.add(connection, "cmp", "", tuple(Right), [EVERY_BRAND], (), hq.now_ms)


def held(hq: Headquarters, scope: str) -> Field | None:
    """The member's value as the store was sent it."""
    found = hq.record("m-1")
    return None if found is None else next((one for one in found.fields if one.scope == scope), None)


def ids(hq: Headquarters, scope: str) -> list[str]:
    """The items of that list."""
    found = held(hq, scope)
    return [] if found is None else [one.item for one in found.value.items or ()]


def shown(hq: Headquarters, scope: str) -> list[str]:
    """What an associate would see of it, by the mirror."""
    with reading(hq.engine) as connection:
        seen = mirror(connection, hq.keys, "m-1", STORE, hq.now_ms).walking
    assert seen is not None
    lines = [*seen.card.lead, *(line for lines in seen.sections.values() for line in lines)]
    return [entry.text for line in lines if line.scope == scope for entry in line.entries]


def joins(hq: Headquarters, *shares: str) -> None:
    """A member whom associates may see, with these lists."""
    hq.join("m-1", *shares)
    choosing.set_mode(hq.office, "m-1", Mode.OPEN, hq.now_ms, "app")


def left(hq: Headquarters, item: str, days: int = 0) -> Report:
    """An item was left in the basket."""
    row = {"member": "m-1", "kind": "abandoned", "item": item, "label": item, "at": hq.now_s - days * DAY_S}
    return sent(hq, [row], systems_events.take)


def buys(hq: Headquarters, item: str, days: int) -> Report:
    """A purchase of so many days ago."""
    row = {"member": "m-1", "reference": item, "store": STORE, "at": hq.now_s - days * DAY_S,
           "items": [{"item": item, "label": item}]}  # fmt: skip
    return sent(hq, [row], purchases_intake.take)


def allows(hq: Headquarters, scope: str, days: int) -> None:
    """The policy says from now on how long this scope may be shown."""
    main = hq.draft.main
    hq.publish(scopes=tuple(replace(one, retention_days=days) if one.id == scope else one for one in main.scopes))


def test_a_new_entry_makes_no_old_one_new(hq: Headquarters) -> None:
    """What is older than policy allows reaches no store, however often the list is made anew; nor does it come in."""
    joins(hq, BASKET)
    left(hq, "old boots")
    hq.later(31 * DAY_S)
    assert shown(hq, BASKET) == []
    assert left(hq, "new hat").new == 1
    assert (ids(hq, BASKET), shown(hq, BASKET)) == (["new hat"], ["new hat"])
    for number in range(3):
        hq.later(29 * DAY_S)
        left(hq, f"hat {number}")
    assert (ids(hq, BASKET), shown(hq, BASKET)) == (["hat 2", "hat 1"], ["hat 2", "hat 1"])
    assert [one.reason for one in left(hq, "late", 31).refused] == [Reason.ALREADY_OVER]
    assert left(hq, "in time", 30).new == 1
    hq.check()


def test_between_two_entries_the_old_one_ages_on_the_card(hq: Headquarters) -> None:
    """The list in the store is the same; what stands of it is less."""
    joins(hq, BASKET)
    left(hq, "old")
    hq.later(29 * DAY_S)
    left(hq, "new")
    assert shown(hq, BASKET) == ["new", "old"]
    hq.later(2 * DAY_S)
    assert (ids(hq, BASKET), shown(hq, BASKET)) == (["new", "old"], ["new"])


def test_what_has_no_time_of_its_own_keeps_that_of_its_list(hq: Headquarters) -> None:
    """A newer entry beside it sets the list's, and makes nothing else newer."""
    joins(hq, BASKET)
    untimed = replace(items(BASKET, at_s=hq.now_s), value=Value(items=(Item("said", "Said", None, 1, False),)))
    hq.office.set_profile("m-1", [untimed], hq.now_ms)
    began_s = hq.now_s
    hq.later(20 * DAY_S)
    left(hq, "new")
    found = held(hq, BASKET)
    assert found is not None and found.value.items is not None
    assert [(one.item, one.at_s) for one in found.value.items] == [("new", hq.now_s), ("said", began_s)]
    hq.later(11 * DAY_S)
    assert shown(hq, BASKET) == ["new"]


def test_a_policy_that_allows_less_counts_for_lines_that_are_there(hq: Headquarters) -> None:
    """At once on the card, with the next purchase in what the store is sent; one that allows more brings it back."""
    joins(hq, HISTORY)
    buys(hq, "old", 200)
    buys(hq, "new", 1)
    assert shown(hq, HISTORY) == ["new", "old"]
    allows(hq, HISTORY, 30)
    assert (ids(hq, HISTORY), shown(hq, HISTORY)) == (["new", "old"], ["new"])
    buys(hq, "newer", 0)
    assert ids(hq, HISTORY) == shown(hq, HISTORY) == ["newer", "new"]
    allows(hq, HISTORY, 300)
    buys(hq, "newest", 0)
    assert ids(hq, HISTORY)[-1] == "old"
    hq.check()


def test_an_old_service_case_is_none(hq: Headquarters) -> None:
    """A new one beside it does not keep it."""
    joins(hq, "service.open")
    case = {"member": "m-1", "reference": "R-1", "kind": "service", "store": STORE, "subject": "Heel", "at": hq.now_s}
    sent(hq, [case], purchases_intake.take)
    allows(hq, "service.open", 30)
    hq.later(31 * DAY_S)
    sent(hq, [case | {"reference": "R-2", "subject": "Sole", "at": hq.now_s}], purchases_intake.take)
    found = held(hq, "service.open")
    assert found is not None and found.value.texts == ("Sole",)
