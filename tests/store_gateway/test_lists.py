"""Lists on cards in a whole store in memory: nothing too old, nothing of a special category, and no record tells."""

from dataclasses import replace

import pytest

from tests.store_gateway.test_acts import BASKET, card_of, only, sells
from tests.store_gateway.test_offers import DAY_S, HISTORY, suggesting
from tests.world import HEALTH, Person, World
from wire import query, schema
from wire.catalog import CatalogItem
from wire.member import Field, Item, Mode, SourceClass, Value, ValueClass
from wire.policy import Policy, Section
from wire.suggestions import SpecialScope, SuggestionPolicy

PILL, TEA = "pill", "tea"
EVERY_SECTION = (None, *Section)


def showing(*lead: str, retention_days: int = 3650) -> Policy:
    """The policy of suggestions, with lists in the lead; goods of health need the scope of that name."""
    policy = suggesting()
    scopes = tuple(
        replace(one, retention_days=retention_days) if one.id in (HISTORY, BASKET) else one
        for one in policy.main.scopes
    )
    suggestions = SuggestionPolicy(specials=(SpecialScope("health", HEALTH),))
    return replace(policy, main=replace(policy.main, scopes=scopes, lead=lead, suggestions=suggestions))


def listed(world: World, scope: str, *entries: tuple[str, int]) -> Field:
    """A list of items and the days since each, the list itself of this moment."""
    now_s = world.now_ms // 1000
    items = tuple(Item(item, f"a {item}", now_s - days * DAY_S, 1, False) for item, days in entries)
    return Field(
        scope, Value(items=items), SourceClass.FIRST, "till", ValueClass.TRANSACTIONAL, now_s - 9, now_s - 9
    )  # fmt: skip


def shares(world: World, *lists: Field, explicit: bool = False) -> Person:
    """Somebody on a visit whose lists may be shown to who helps."""
    person = world.joins(Mode.OPEN, ("size.shoe",))
    grants = [replace(person.member.statements[-1], purpose="assist", scopes=(HISTORY, BASKET))]
    if explicit:
        grants.append(replace(grants[0], scopes=(HEALTH,)))
    statements, fields = (*person.member.statements, *grants), (*person.member.fields, *lists)
    world.changes(person, statements=statements, fields=fields)
    world.walks(person, 6)
    return person


def looks(world: World) -> tuple[list[query.Card], list[tuple[tuple[str, ...], str]]]:
    """The card with every section opened, and what was recorded of it."""
    tablet = world.tablet()
    handle = only(world, tablet)
    cards = [card_of(world, tablet, handle, section) for section in EVERY_SECTION]
    return cards, [(one.scopes, one.rule) for one in world.disclosures()]


def entries(cards: list[query.Card]) -> dict[str, list[str]]:
    """What stands on them, by scope."""
    lines = [line for card in cards for line in (*card.lead, *card.lines)]
    return {line.scope: [one.text for one in line.entries] for line in lines if line.entries}


@pytest.mark.parametrize("lead", [(), (HISTORY, BASKET)], ids=["in sections", "in the lead"])
def test_pharmacy_goods_are_on_no_list_under_an_ordinary_grant(lead: tuple[str, ...]) -> None:
    """Nor does any card, section or record tell them from what was never there: a basket of nothing else is none."""
    found = []
    for has_them in (True, False):
        world = World(showing(*lead))
        sells(world, pill=("special:health",), tea=())
        history = ((PILL, 1), (TEA, 2)) if has_them else ((TEA, 2),)
        baskets = (listed(world, BASKET, (PILL, 1)),) if has_them else ()
        shares(world, listed(world, HISTORY, *history), *baskets)
        found.append(looks(world))
    assert entries(found[0][0]) == {HISTORY: ["a tea"]}
    assert [schema.encode(one) for one in found[0][0]] == [schema.encode(one) for one in found[1][0]]
    assert found[0][1] == found[1][1]
    assert all(BASKET not in scopes for scopes, _ in found[0][1])


def test_with_an_explicit_grant_to_show_what_is_special_they_stand_there() -> None:
    """As what they are in the record."""
    world = World(showing(HISTORY))
    sells(world, pill=("special:health",), tea=())
    shares(world, listed(world, HISTORY, (PILL, 1), (TEA, 2)), explicit=True)
    cards, recorded = looks(world)
    assert entries(cards) == {HISTORY: ["a pill", "a tea"]}
    assert {rule for scopes, rule in recorded if HISTORY in scopes} == {"explicit-grant"}


def test_a_flag_counts_before_the_catalog_is_read() -> None:
    """Of a catalog that just came, or that is another now, what is asked for is opened: no list is blank meanwhile."""
    world = World(showing(HISTORY))
    shares(world, listed(world, HISTORY, (PILL, 1), (TEA, 2), ("gone", 3)))
    tablet = world.tablet()
    handle = only(world, tablet)
    shelf = world.replica.shelf.items
    shelf[PILL] = CatalogItem("Blue pill", (), (), ("special:health",), "", "")
    assert entries([card_of(world, tablet, handle)]) == {HISTORY: ["a tea", "a gone"]}
    world.settle()
    assert entries([card_of(world, tablet, handle)]) == {HISTORY: ["a tea", "a gone"]}
    shelf[TEA] = CatalogItem("Tea", (), (), ("special:health",), "", "")
    assert entries([card_of(world, tablet, handle)]) == {HISTORY: ["a gone"]}


def test_what_is_older_than_policy_allows_goes_while_its_list_stays() -> None:
    """Also where the policy came to allow less: the line that is too old now goes from the open card."""
    world = World(showing(HISTORY))
    shares(world, listed(world, HISTORY, (TEA, 1), (PILL, 200)), listed(world, BASKET, (PILL, 31)))
    assert entries(looks(world)[0]) == {HISTORY: ["a tea", "a pill"], BASKET: ["a pill"]}
    world.hq_says(world.replica.put_policy(showing(HISTORY, retention_days=30)))
    cards, recorded = looks(world)
    assert entries(cards) == {HISTORY: ["a tea"]}
    assert BASKET not in recorded[-1][0]
