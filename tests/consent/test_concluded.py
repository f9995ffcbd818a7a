"""What is concluded stands on the card as any scope does: with what it rests on, and hidden it looks like nothing."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent import journeys, offered
from consent.card import Built, build
from consent.offered import Around, Offered
from consent.suggest.journey import COHORT, DAY_S, STAGE
from consent.suggest.shelf import ShelfMaker
from consent.visit import NOTHING_DENIED, Denied
from tests.strategies import MAIN, NOW_S, POLICY, PRESENT, VISIT, any_field, member, scope_rule, statement
from wire import schema
from wire.concluded import Concluded, Evidence
from wire.member import Field, Item, Member, Value
from wire.policy import Policy, Section, ValueType
from wire.suggestions import Stage, SuggestionPolicy

ITEMS = ("tea", "cup", "pot", "wine")
USED = ("history.store", "returns", "wishlist", "basket.online", "service.open")
MADE = (offered.SCOPE, STAGE, COHORT)


def rule(scope: str) -> object:
    """A list of which suggestions may be made and which nobody is shown, or one that is made of them."""
    if scope in MADE:
        return scope_rule(scope, value_type=ValueType.ITEMS, section=Section.SUGGESTIONS, purposes=("suggest",))
    kind = ValueType.TEXTS if scope == "service.open" else ValueType.ITEMS
    return scope_rule(scope, value_type=kind, section=Section.HISTORY, purposes=(), used_for=("suggest",))


POLICY_WITH = replace(POLICY, main=replace(MAIN, scopes=tuple(map(rule, (*USED, *MADE)))))  # type: ignore[arg-type]


def around() -> Around:
    """A shop of four things, one of which nobody is offered."""
    maker = ShelfMaker()
    for item in ITEMS:
        maker.put(item, ("shop", item[0]), (), ("never",) if item == "wine" else ())
    return Around(shelf=maker.made(), name=dict(zip(ITEMS, ITEMS, strict=True)).get)


SHOP = around()


def put(scope: str, *items: tuple[str, int]) -> Field:
    """A list of things, each put there, or bought, so many hours ago."""
    listed = tuple(Item(item, item, NOW_S - hours * 3_600, 1, False) for item, hours in items)
    return any_field(scope, Value(items=listed))


CASE = any_field("service.open", Value(texts=("a repair",)), collected_s=NOW_S - 9 * DAY_S)
REGULAR = put("history.store", *(("tea", 24 * days) for days in range(10, 90, 10)))
CHOOSING = put("basket.online", ("cup", 80), ("pot", 90))


def someone(*fields: Field, lets: tuple[str, ...] = (*USED, *MADE)) -> Member:
    """Who grants these scopes to be used, and to be shown, for suggestions."""
    return member(PRESENT, statement(*lets, purpose="suggest"), fields=fields)


def cards(
    who: Member, policy: Policy = POLICY_WITH, denied: Denied = NOTHING_DENIED, *, help: bool = False
) -> list[Built]:
    """What an associate is shown, and what is recorded of it: the card, and each section opened."""
    visit = replace(VISIT, help=help)
    scopes = offered.sources(who, denied, "associate", visit, policy, NOW_S)
    made = (
        offered.make(who, denied, "associate", visit, policy, NOW_S, SHOP, scopes) if scopes is not None else ()
    )  # fmt: skip
    found = []
    for section in (None, *Section):
        one = build(who, denied, "associate", visit, policy, section, NOW_S * 1000, "anna", frozenset(), Offered(made))
        assert isinstance(one, Built)
        found.append(one)
    return found


def concluded(found: list[Built]) -> dict[str, list[Concluded | None]]:
    """What the section says was concluded, by scope."""
    lines = next(one.card.lines for one in found if one.card.section is Section.SUGGESTIONS)
    return {line.scope: [one.concluded for one in line.entries] for line in lines if line.scope != offered.SCOPE}


def told(found: list[Built]) -> list[object]:
    """All that leaves for a tablet, and all that is recorded."""
    return [(schema.encode(one.card), one.scopes, one.purposes, one.rule, one.reason) for one in found]


def test_a_line_says_how_far_they_are_and_from_what() -> None:
    """Each under its own scope, for the purpose that it was granted for, and recorded by it; no item is named."""
    found = cards(someone(CHOOSING, REGULAR))
    said = {scope: [(one.evidence, one.number) for one in listed if one] for scope, listed in concluded(found).items()}
    assert said == {STAGE: [(Evidence.BASKET_WEEK, 2)], COHORT: [(Evidence.PURCHASE_DAYS, 8)]}
    opened = next(one for one in found if one.card.section is Section.SUGGESTIONS)
    assert {STAGE, COHORT} <= {*opened.scopes} and "suggest" in opened.purposes
    lines = [line for line in opened.card.lines if line.scope in (STAGE, COHORT)]
    assert all(line.why.purpose == "suggest" and line.why.until_ms > NOW_S * 1000 for line in lines)
    assert all(entry.item is None for line in lines for entry in line.entries)
    assert b"cup" not in schema.encode(lines[0]) and b"pot" not in schema.encode(lines[0])


def test_a_call_for_help_and_an_open_case_count_where_they_may() -> None:
    """Of a case its number alone; a case that may not be used is none."""
    stages = [
        concluded(cards(someone(CASE))),
        concluded(cards(someone(CASE, lets=("wishlist", *MADE)))),
        concluded(cards(someone(CHOOSING), help=True)),
    ]
    assert stages[0] == {STAGE: [Concluded(Stage.AFTER, None, Evidence.SERVICE, 1)]}
    assert stages[1] == {}
    assert stages[2] == {STAGE: [Concluded(Stage.BUYING, None, Evidence.HELP, None)]}


@pytest.mark.parametrize("off", [STAGE, COHORT])
def test_a_conclusion_that_is_switched_off_is_not_drawn(off: str) -> None:
    """By the name of its scope among the rules that are off."""
    main = replace(POLICY_WITH.main, suggestions=SuggestionPolicy(rules_off=(off,)))
    found = concluded(cards(someone(CHOOSING, REGULAR), replace(POLICY_WITH, main=main)))
    assert {*found} == {STAGE, COHORT} - {off}


def test_what_a_record_says_of_it_is_never_used() -> None:
    """Neither under a policy that has the scopes nor as what somebody else suggests."""
    theirs = tuple(any_field(scope, Value(items=(Item("tea", "pregnant", NOW_S, 1, False),))) for scope in MADE)
    assert told(cards(someone(*theirs))) == told(cards(someone()))


def test_what_came_back_is_no_purchase() -> None:
    """Whether the purchase says so or the till's receipt: a stage comes of what came back, and no cohort."""
    for back in (put("returns", ("tea", 230)), put("returns", ("cup", 2))):
        found = journeys.journey(someone(REGULAR, back), frozenset((*USED, STAGE, COHORT)), NOW_S, calls=False)
        assert found is not None
        kept = [one for one in found.events if one.act == "bought"]
        assert len(kept) == (7 if back.value.items and back.value.items[0].item == "tea" else 8)


HOURS = st.integers(1, 24 * 200)
LISTS = st.lists(st.tuples(st.sampled_from(ITEMS), HOURS), min_size=1, max_size=6)
ANY = st.fixed_dictionaries(dict.fromkeys(USED[:-1], LISTS)).map(
    lambda lists: {scope: put(scope, *items) for scope, items in lists.items()}
)


@settings(max_examples=20)
@given(ANY, ANY, st.sets(st.sampled_from([*USED, STAGE, COHORT]), min_size=1), st.booleans(), st.booleans())
def test_who_hides_what_is_concluded_or_what_it_is_made_of_looks_like_who_has_none(
    mine: dict[str, Field], theirs: dict[str, Field], hidden: set[str], here: bool, help: bool
) -> None:
    """Two who differ in what they hide alone get the same bytes: by no grant, or by a withdrawal in this store.

    Where both conclusions are hidden, that holds of all times of what is only wished for, too.
    """
    lets = tuple(one for one in (*USED, *MADE) if here or one not in hidden)
    denied = Denied(scopes=frozenset(hidden)) if here else NOTHING_DENIED
    kept = dict(mine)
    for scope in hidden & mine.keys():
        kept[scope] = theirs[scope]
    if STAGE in hidden:
        kept["service.open"] = CASE
    if {STAGE, COHORT} <= hidden:
        for scope in ("wishlist", "basket.online"):
            items = kept[scope].value.items or ()
            moved = tuple(replace(one, at_s=NOW_S - 3_600 * number) for number, one in enumerate(items))
            kept[scope] = replace(kept[scope], value=Value(items=moved))
    one = cards(someone(*mine.values(), lets=lets), denied=denied, help=help)
    assert told(one) == told(cards(someone(*kept.values(), lets=lets), denied=denied, help=help))
    none = {scope: field for scope, field in mine.items() if scope not in hidden}
    assert told(one) == told(cards(someone(*none.values(), lets=lets), denied=denied, help=help))


@settings(max_examples=12)
@given(ANY, st.booleans())
def test_nothing_is_concluded_from_what_is_flagged(mine: dict[str, Field], help: bool) -> None:
    """Whatever was done with an item that nobody is offered, the card is as if it had never been."""
    clean = {
        scope: replace(field, value=Value(items=tuple(one for one in field.value.items or () if one.item != "wine")))
        for scope, field in mine.items()
    }
    assert told(cards(someone(*mine.values()), help=help)) == told(cards(someone(*clean.values()), help=help))
