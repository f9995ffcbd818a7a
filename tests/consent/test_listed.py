"""On no list of a card stands what is older than policy allows, or what is special without a grant of its own."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.card import Built, build
from consent.suggest.shelf import Shelf, ShelfMaker
from consent.verdict import Ground
from consent.visit import NOTHING_DENIED, Denied
from tests.strategies import (
    DAY_S,
    MAIN,
    NOW_S,
    POLICY,
    PRESENT,
    VISIT,
    any_field,
    member,
    scope_rule,
    statement,
    text_field,
)
from wire import schema
from wire.member import Field, Item, Member, Statement, Value
from wire.policy import Policy, Section, ValueType
from wire.suggestions import SpecialScope, SuggestionPolicy

NOW_MS = NOW_S * 1000
LISTS = {"wishlist": Section.WISHLIST, "basket.online": Section.BASKET, "history.store": Section.HISTORY,
         "history.online": Section.HISTORY, "returns": Section.HISTORY, "service.things": Section.SERVICE}  # fmt: skip
RETENTION_DAYS = 30
RULES = tuple(
    scope_rule(one, value_type=ValueType.ITEMS, section=section, retention_days=RETENTION_DAYS)
    for one, section in LISTS.items()
)
DIET = scope_rule("diet", special="health", purposes=("assist", "suggest"), used_for=("suggest",))
SPECIALS = SuggestionPolicy(specials=(SpecialScope("Health", "diet"),))
FLAGS = {"tea": (), "pill": ("special:health",), "veil": ("Special: religion",), "odd": ("special:",),
         "both": ("special:health", "special:religion"), "wine": ("adult", "never", "only_if_bought")}  # fmt: skip


def policy(*lead: str, most_items: int = 20, diet: bool = True, specials: SuggestionPolicy | None = SPECIALS) -> Policy:
    """Nothing but lists, and a special scope beside them."""
    rules = tuple(replace(one, most_items=most_items) for one in RULES)
    main = replace(MAIN, scopes=(*rules, *((DIET,) if diet else ())), lead=lead, suggestions=specials)
    return replace(POLICY, main=main)


def catalog() -> Shelf:
    """What is on sale, and what guards it."""
    maker = ShelfMaker()
    for item, flags in FLAGS.items():
        maker.put(item, ("shop",), (), flags)
    return maker.made()


def thing(item: str, days: float | None = 1, seconds: int = 0) -> Item:
    """An entry of so many days ago."""
    at_s = None if days is None else NOW_S - int(days * DAY_S) - seconds
    return Item(item, f"label of {item}", at_s, 1, False)


def listed(scope: str, *items: Item) -> Field:
    """A list that was confirmed this moment."""
    return any_field(scope, Value(items=items), confirmed_s=NOW_S)


def shopper(*fields: Field, statements: tuple[Statement, ...] = ()) -> Member:
    """Who shares all their lists, and says of their diet what a test says."""
    diet = text_field("diet", "none")
    return member(PRESENT, statement(*LISTS), *statements, fields=(*fields, diet))


def looks(someone: Member, of: Policy, denied: Denied = NOTHING_DENIED) -> list[Built]:
    """The card with each of its sections opened."""
    found = []
    for section in (None, *Section):
        one = build(
            someone, denied, "associate", VISIT, of, section, NOW_MS, "anna", sort_of=catalog().sort
        )  # fmt: skip
        assert isinstance(one, Built)
        found.append(one)
    return found


def told(looked: list[Built]) -> list[object]:
    """All that leaves, and all that is recorded of it."""
    return [(schema.encode(one.card), one.scopes, one.purposes, one.rule, one.reason) for one in looked]


def shown(looked: list[Built]) -> dict[str, list[str]]:
    """The entries by scope."""
    lines = [line for one in looked for line in (*one.card.lead, *one.card.lines)]
    return {line.scope: [entry.text.removeprefix("label of ") for entry in line.entries] for line in lines}


@pytest.mark.parametrize("lead", [(), tuple(LISTS)], ids=["in sections", "in the lead"])
@pytest.mark.parametrize("scope", LISTS)
def test_what_tells_of_a_special_category_is_on_no_list_under_an_ordinary_grant(
    scope: str, lead: tuple[str, ...]
) -> None:
    """Whichever it is; the card, and what is recorded, equal those of who never had it."""
    of = policy(*lead)
    looked = looks(shopper(listed(scope, *map(thing, FLAGS))), of)
    assert shown(looked) == {scope: ["tea", "wine"]}
    assert told(looked) == told(looks(shopper(listed(scope, thing("tea"), thing("wine"))), of))
    assert {one.rule for one in looked} == {Ground.GRANT}


@pytest.mark.parametrize("lead", [(), tuple(LISTS)], ids=["in sections", "in the lead"])
def test_a_list_of_nothing_that_may_be_shown_is_no_list(lead: tuple[str, ...]) -> None:
    """No section, no lead, no scope in the record; what comes next leads in its place."""
    of = policy(*lead)
    hidden = (listed("wishlist", thing("pill"), thing("veil")), listed("history.store", thing("tea", 31)))
    others = (listed("basket.online", thing("tea")),)
    assert told(looks(shopper(*hidden, *others), of)) == told(looks(shopper(*others), of))


def test_a_list_is_cut_after_what_may_not_be_shown_is_out() -> None:
    """So that a shorter list does not tell that there was more."""
    of = policy(most_items=2)
    mixed = listed("wishlist", thing("pill"), thing("tea"), thing("unknown", 31), thing("wine"), thing("unknown"))
    assert shown(looks(shopper(mixed), of)) == {"wishlist": ["tea", "wine"]}


def test_what_no_catalog_knows_stays() -> None:
    """What was bought may be on sale no more."""
    assert shown(looks(shopper(listed("history.store", thing("gone"))), policy())) == {"history.store": ["gone"]}


EXPLICIT = statement("diet")


@pytest.mark.parametrize(
    ("statements", "of", "items"),
    [
        pytest.param((EXPLICIT,), policy(), ["tea", "pill"], id="explicit"),
        pytest.param((statement("diet", "size.shoe"),), policy(), ["tea"], id="in a bundle"),
        pytest.param((statement("diet", roles=("manager",)),), policy(), ["tea"], id="of another role"),
        pytest.param((statement("diet", until_s=NOW_S),), policy(), ["tea"], id="over"),
        pytest.param((statement("diet", purpose="suggest"),), policy(), ["tea"], id="to be used, not shown"),
        pytest.param((EXPLICIT,), policy(specials=None), ["tea"], id="of no category"),
        pytest.param((EXPLICIT,), policy(diet=False), ["tea"], id="of a scope that is not declared"),
    ],
)
def test_an_explicit_grant_to_show_the_category_shows_what_tells_of_it(
    statements: tuple[Statement, ...], of: Policy, items: list[str]
) -> None:
    """And of no other category: all that an item bears have to be granted. It is recorded as what it is."""
    looked = looks(shopper(listed("wishlist", *map(thing, FLAGS)), statements=statements), of)
    assert shown(looked)["wishlist"] == [*items, "wine"]
    (wishes,) = (one for one in looked if one.card.section is Section.WISHLIST)
    assert wishes.rule is (Ground.EXPLICIT_GRANT if "pill" in items else Ground.GRANT)


def test_what_was_withdrawn_in_the_store_hides_what_tells_of_it() -> None:
    """The special scope is asked as for itself."""
    someone = shopper(listed("wishlist", thing("pill"), thing("tea")), statements=(EXPLICIT,))
    assert shown(looks(someone, policy(), Denied(scopes=frozenset({"diet"})))) == {"wishlist": ["tea"]}


def test_a_list_that_is_special_itself_shows_what_its_grant_was_for() -> None:
    """A list of pharmacy goods, which the member granted by itself, holds them."""
    of = replace(POLICY, main=replace(MAIN, scopes=(replace(RULES[0], special="health"),)))
    someone = member(PRESENT, statement("wishlist"), fields=(listed("wishlist", thing("pill"), thing("veil")),))
    looked = looks(someone, of)
    assert shown(looked) == {"wishlist": ["pill"]}


@pytest.mark.parametrize(
    ("entry", "is_shown"),
    [
        (thing("tea", RETENTION_DAYS), True),
        (thing("tea", RETENTION_DAYS, 1), False),
        (thing("tea", 400), False),
        (thing("tea", None), True),
    ],
)
def test_an_entry_older_than_policy_allows_is_not_shown_however_new_its_list(entry: Item, is_shown: bool) -> None:
    """By its own time; one that has none is as old as the list."""
    of = policy()
    new = thing("wine")
    expected = ["wine", "tea"] if is_shown else ["wine"]
    assert shown(looks(shopper(listed("basket.online", new, entry)), of)) == {"basket.online": expected}
    looked = told(looks(shopper(listed("basket.online", entry)), of))
    assert (looked == told(looks(shopper(), of))) is not is_shown


def test_what_others_suggest_ages_as_everything() -> None:
    """What tells of a special category there their guard says."""
    rule = scope_rule("theirs", value_type=ValueType.ITEMS, section=Section.SUGGESTIONS, purposes=("suggest",))
    of = replace(POLICY, main=replace(MAIN, scopes=(rule,)))
    items = (thing("tea"), thing("wine", 366))
    someone = member(PRESENT, statement("theirs", purpose="suggest"), fields=(listed("theirs", *items),))
    assert shown(looks(someone, of)) == {"theirs": ["tea"]}


entries = st.builds(thing, st.sampled_from((*FLAGS, "unknown")), st.sampled_from((None, 0, 29, 30, 31, 400)))
fields: st.SearchStrategy[tuple[Field, ...]] = st.lists(st.sampled_from(tuple(LISTS)), max_size=4, unique=True).flatmap(
    lambda scopes: st.tuples(*(st.builds(listed, st.just(scope), entries, entries, entries) for scope in scopes))
)


@settings(max_examples=40)
@given(fields, st.booleans(), st.lists(st.sampled_from(tuple(LISTS)), max_size=3), st.integers(1, 3))
def test_who_has_what_may_not_be_shown_is_not_told_from_who_never_had_it(
    had: tuple[Field, ...], granted: bool, lead: list[str], most_items: int
) -> None:
    """Byte for byte, in the lead and in every section, and in the record too."""
    statements = (EXPLICIT,) if granted else ()
    hidden = {"veil", "odd", "both"} | (set() if granted else {"pill"})

    def without(is_list: Callable[[Field], bool]) -> tuple[Field, ...]:
        kept = [
            replace(one, value=Value(items=tuple(
                each for each in one.value.items or ()
                if each.item not in hidden and (each.at_s is None or NOW_S - each.at_s <= RETENTION_DAYS * DAY_S)
            )))
            for one in had
        ]  # fmt: skip
        return tuple(one for one in kept if is_list(one))

    of = policy(*lead, most_items=most_items)
    one = told(looks(shopper(*had, statements=statements), of))
    assert one == told(looks(shopper(*without(lambda found: bool(found.value.items)), statements=statements), of))
    assert one == told(looks(shopper(*without(lambda found: True), statements=statements), of))
