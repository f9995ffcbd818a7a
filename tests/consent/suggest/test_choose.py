"""What goes on a card: nothing that is guarded, nothing that follows from it, and what policy leaves of the rest."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.suggest import choose as choosing
from consent.suggest.choose import Chosen, choose, explain, inputs
from consent.suggest.guard import GuardRule, Terms
from consent.suggest.journey import COHORT, DAY_S, STAGE, Act, Event, Journey
from consent.suggest.model import Model
from consent.suggest.rank import Place, ReasonKind
from consent.suggest.shelf import Shelf, ShelfMaker
from consent.suggest.signals import Behaviour
from tests.consent.suggest.shop import TODAY, behaviour, bought, model, shelf
from wire.concluded import Evidence
from wire.suggestions import DEFAULT, Resting, Stage, SuggestionPolicy

NAMES = tuple(f"i{number}" for number in range(12))
WIDE = replace(DEFAULT, most_due=10, most_new=10)
FREE = Terms()
TABLES = model(NAMES, {item: {(item + step) % 12: 200 - step for step in range(1, 6)} for item in range(12)})
PAST = behaviour(*bought("i1", 60, 45, 30, 15), *bought("i2", 60, 30), *bought("i3", 15))


NOW_S = TODAY * DAY_S + 60_000


def journey(*events: tuple[Act, str, int], concludes: tuple[str, ...] = (STAGE, COHORT)) -> Journey:
    """What was done with each item so many hours ago."""
    told = tuple(Event(act, item, NOW_S - hours * 3_600) for act, item, hours in events)
    return Journey(told, NOW_S, concludes=frozenset(concludes))


def shown(chosen: Chosen) -> list[str]:
    """The items that are chosen."""
    return [one.item for one in (*chosen.due, *chosen.new)]


def test_due_and_new_have_their_own_places_and_limits() -> None:
    """What was bought on two occasions may be due; what never was is new; what was bought once is neither."""
    chosen = choose(PAST, FREE, shelf(NAMES), TABLES, DEFAULT)
    assert {one.item for one in chosen.due} == {"i1", "i2"}
    assert len(chosen.new) == DEFAULT.most_new
    assert not {"i1", "i2", "i3"} & {one.item for one in chosen.new}
    assert all(one.reasons for one in (*chosen.due, *chosen.new))
    assert choose(PAST, FREE, shelf(NAMES), TABLES, replace(DEFAULT, most_due=0, most_new=0)) == Chosen()


def test_it_works_from_the_first_purchase_where_there_are_tables() -> None:
    """Of one purchase follows what is new, and first what goes with it; nobody who bought nothing gets any worse."""
    chosen = choose(behaviour(*bought("i4", 3)), FREE, shelf(NAMES), TABLES, DEFAULT)
    assert chosen.due == () and len(chosen.new) == DEFAULT.most_new and "i4" not in shown(chosen)
    assert ReasonKind.WITH_BOUGHT in {each.kind for each in chosen.new[0].reasons}
    assert choose(behaviour(), FREE, shelf(NAMES), TABLES, DEFAULT).new


def test_without_tables_one_purchase_suggests_nothing_and_a_second_of_the_same_does() -> None:
    """What is on the wish list is new all the same; in the order of the catalog nothing is suggested."""
    first = bought("i4", 20)
    assert choose(behaviour(*first), FREE, shelf(NAMES), None, DEFAULT) == Chosen()
    wished = choose(behaviour(*first, wishlist=("i7", "i4")), FREE, shelf(NAMES), None, DEFAULT)
    assert [(one.item, one.place, one.reasons[0].kind) for one in (*wished.due, *wished.new)] == [
        ("i7", Place.NEW, ReasonKind.ON_WISHLIST)
    ]
    again = behaviour(*first, *bought("i4", 3), *bought("i5", 3))
    assert shown(choose(again, FREE, shelf(NAMES), None, DEFAULT)) == ["i4"]
    assert shown(choose(PAST, FREE, shelf(NAMES), None, DEFAULT)) == ["i1", "i2"]


def test_of_what_is_as_likely_that_comes_first_which_stands_in_the_zone_of_the_visit() -> None:
    """It says so; what is likelier by more stays before it; elsewhere, or with the rule off, nothing changes."""
    names = ("i0", *(f"e{number}" for number in range(6)))
    alike = model(names, {0: dict.fromkeys(range(1, 7), 200)})
    alike = replace(alike, popular=array("f", [-2.0] * 7), clusters=alike.clusters, linear=(-3.0,) + (0.0,) * 25)
    sold = shelf(names, standing={"e4": "shoes", "i0": "shoes"})
    did = behaviour(*bought("i0", 20, 10), wishlist=("e2",))

    def new(zone: str | None, policy: SuggestionPolicy = WIDE) -> list[str]:
        return [one.item for one in choose(did, replace(FREE, zone=zone), sold, alike, policy).new]

    assert new("shoes")[:3] == ["e2", "e4", "e0"]
    assert (
        new("bags") == new(None) == new("shoes", replace(WIDE, rules_off=("near",))) == sorted(names[1:], key=_wished)
    )
    near = choose(did, replace(FREE, zone="shoes"), sold, alike, WIDE)
    assert {one.item for one in (*near.due, *near.new) if ReasonKind.NEAR in {each.kind for each in one.reasons}} == {
        "e4", "i0"
    }  # fmt: skip
    assert explain("e4", did, replace(FREE, zone="shoes"), sold, alike, WIDE).position == 2


def _wished(name: str) -> tuple[bool, str]:
    return name != "e2", name


def test_who_bought_it_regularly_gets_it_again_but_nothing_follows_from_it() -> None:
    """What is suggested only if bought stands there saying no more than that; all else is as without it."""
    sold = shelf(NAMES, i1=("only_if_bought",))
    with_it, without = (choose(did, FREE, sold, TABLES, WIDE) for did in (PAST, dropped(PAST, "i1")))
    (wine,) = (one for one in with_it.due if one.item == "i1")
    assert [(one.kind, one.number, one.item) for one in wine.reasons] == [(ReasonKind.OFTEN, None, None)]
    assert left(with_it, "i1") == left(without, "i1")


def test_nothing_guarded_is_new_for_anybody() -> None:
    """Neither to who is of age nor to who granted the special category: what others buy is no reason for it."""
    terms = Terms(age_at_least=18, specials=frozenset({"health"}))
    plain = choose(PAST, terms, shelf(NAMES), TABLES, WIDE)
    for flag in ("adult", "special:health"):
        sold = shelf(NAMES, i4=(flag,))
        guarded = choose(PAST, terms, sold, TABLES, WIDE)
        assert "i4" in shown(plain) and "i4" not in shown(guarded)
        told = explain("i4", PAST, terms, sold, TABLES, WIDE)
        assert (told.verdict.is_free, told.place, told.is_chosen) == (True, None, False)


def test_a_rule_that_is_off_makes_no_suggestion() -> None:
    """Neither as what mattered most nor as a further reason; resting holds in its zone and at its stage alone."""
    everywhere = choose(PAST, FREE, shelf(NAMES), TABLES, WIDE)
    kinds = {each.kind for one in (*everywhere.due, *everywhere.new) for each in one.reasons}
    assert kinds
    for kind in kinds:
        off = replace(WIDE, rules_off=(kind.value,))
        chosen = choose(PAST, FREE, shelf(NAMES), TABLES, off)
        assert all(each.kind is not kind and one.reasons for one in (*chosen.due, *chosen.new) for each in one.reasons)
        assert {*shown(chosen)} <= {*shown(choose(PAST, FREE, shelf(NAMES), TABLES, replace(WIDE, most_new=10)))}
        for zone, stage, rests in (("wine", "buying", True), ("tea", "buying", False), ("wine", "after", False),
                                   (None, None, True)):  # fmt: skip
            resting = replace(WIDE, rules_resting=(Resting(kind.value, "wine", "buying"),))
            found = choose(PAST, Terms(zone=zone, stage=stage), shelf(NAMES), TABLES, resting)
            assert found == (chosen if rests else everywhere)
    assert choose(PAST, FREE, shelf(NAMES), TABLES, replace(WIDE, rules_off=(choosing.EVERYTHING,))) == Chosen()


def test_what_goes_with_basket_and_wish_list_comes_first_to_who_is_choosing() -> None:
    """Of the likeliest those lead that go with what was put there; to who bought lately nothing of that sort is new."""
    did = behaviour(*bought("i1", 60, 45, 30, 15), basket=("i6",), wishlist=("i9",))
    plain = choose(did, FREE, shelf(NAMES), TABLES, WIDE)
    kinds = {ReasonKind.WITH_BASKET, ReasonKind.WITH_WISHLIST, ReasonKind.ON_WISHLIST}

    def leads(chosen: Chosen) -> list[bool]:
        return [not kinds.isdisjoint(each.kind for each in one.reasons) for one in chosen.new]

    rare = replace(TABLES, popular=array("f", [float(-number) for number in range(12)]))
    choosing_now = replace(did, journey=journey((Act.BASKET, "i6", 80), (Act.WISHLIST, "i9", 90)))
    for tables in (TABLES, rare):
        led = choose(choosing_now, FREE, shelf(NAMES), tables, WIDE)
        assert led.stage is not None and (led.stage.stage, led.stage.number) == (Stage.CHOOSING, 1)
        assert leads(led) == sorted(leads(led), reverse=True) and True in leads(led)
        assert leads(choose(did, FREE, shelf(NAMES), tables, WIDE)) != leads(led)
        assert {*shown(led)} == {*shown(choose(did, FREE, shelf(NAMES), tables, WIDE))}
        for one in led.new:
            told = explain(one.item, choosing_now, FREE, shelf(NAMES), tables, WIDE)
            assert told.is_chosen and told.position == [each.item for each in led.new].index(one.item) + 1
    hidden = replace(choosing_now, journey=replace(choosing_now.journey or journey(), concludes=frozenset()))
    assert choose(hidden, FREE, shelf(NAMES), TABLES, WIDE) == plain


def test_to_who_just_bought_nothing_of_that_category_is_new() -> None:
    """What they buy regularly of it may still be due; two days later all is as before."""
    sold = ShelfMaker()
    for number, name in enumerate(NAMES):
        sold.put(name, ("shop", "tea" if number % 2 else "cups"), (), ())
    stands = sold.made()
    before = choose(PAST, FREE, stands, TABLES, WIDE)
    assert {stands.category(one.item) for one in before.new} == {"tea", "cups"}
    after = replace(PAST, journey=journey((Act.BOUGHT, "i1", 20)))
    found = choose(after, FREE, stands, TABLES, WIDE)
    assert found.stage is not None and (found.stage.stage, found.stage.evidence) == (Stage.AFTER, Evidence.BOUGHT)
    assert {stands.category(one.item) for one in found.new} == {"cups"}
    assert found.due == before.due and "i1" in shown(found)
    told = explain("i5", after, FREE, stands, TABLES, WIDE)
    assert (told.is_chosen, told.off) == (False, STAGE)
    past = replace(PAST, journey=journey((Act.BOUGHT, "i1", 50)))
    assert choose(past, FREE, stands, TABLES, WIDE) == before


def test_a_rule_rests_at_the_stage_that_was_concluded() -> None:
    """And at no other; where none can be told, it rests."""
    kind = choose(PAST, FREE, shelf(NAMES), TABLES, WIDE).due[0].reasons[0].kind
    resting = replace(WIDE, rules_resting=(Resting(kind.value, None, "browsing"),))
    for done, rests in (((Act.WISHLIST, "i9", 400), True), ((Act.WISHLIST, "i9", 90), False), (None, True)):
        did = replace(PAST, journey=journey(*([done] if done is not None else [])))
        found = choose(did, FREE, shelf(NAMES), TABLES, resting)
        assert rests == all(each.kind is not kind for one in (*found.due, *found.new) for each in one.reasons)


def test_a_scope_that_is_off_is_not_read() -> None:
    """A rule may be a scope: nothing is made from it then."""
    policy = replace(DEFAULT, rules_off=("history.online",), rules_resting=(Resting("wishlist", "shoes", None),))
    scopes = ("history.store", "history.online", "wishlist")
    assert inputs(policy, "shoes", None, scopes) == {"history.store"}
    assert inputs(policy, "jackets", None, scopes) == {"history.store", "wishlist"}


@pytest.mark.parametrize("item", NAMES)
def test_what_is_explained_is_what_was_chosen(item: str) -> None:
    """Of every item: whether it stands on the card, in which place, or which rule kept it away."""
    sold = shelf(NAMES, i2=("never",), i5=("adult",))
    chosen = choose(PAST, FREE, sold, TABLES, DEFAULT)
    told = explain(item, PAST, FREE, sold, TABLES, DEFAULT)
    assert told.is_chosen == (item in shown(chosen))
    if told.is_chosen:
        assert told.place is (Place.DUE_AGAIN if item in {one.item for one in chosen.due} else Place.NEW)
    expected = {"i2": GuardRule.NEVER, "i5": GuardRule.ADULT, "i3": GuardRule.NO_HABIT}
    assert told.verdict.rule is expected.get(item, GuardRule.FREE)


def test_a_rule_that_is_off_is_named() -> None:
    """The explanation says which one kept an item away."""
    first = choose(PAST, FREE, shelf(NAMES), TABLES, DEFAULT).due[0]
    off = replace(DEFAULT, rules_off=(first.reasons[0].kind.value,))
    told = explain(first.item, PAST, FREE, shelf(NAMES), TABLES, off)
    assert (told.is_chosen, told.off) == (False, first.reasons[0].kind.value)


# --- whatever is flagged, bought, and learned ---------------------------------------------------------------------

FLAGS = st.sampled_from(["never", "only_if_bought", "adult", "special:health", "special:belief", "new", "Never"])
FLAGGED = st.dictionaries(st.sampled_from(NAMES[:8]), st.tuples(FLAGS) | st.tuples(FLAGS, FLAGS), max_size=6)
LINES = st.builds(
    lambda item, days, quantity, returned: bought(item, *days, quantity=quantity, returned=returned),
    st.sampled_from((*NAMES[:6], "unknown")),
    st.lists(st.integers(0, 800), min_size=1, max_size=4, unique=True),
    st.sampled_from([1, 1, 1, 1, 3, -1]),
    st.sampled_from([False, False, False, False, True]),
)
LISTED = st.lists(st.sampled_from((*NAMES, "unknown")), max_size=3, unique=True).map(tuple)
JOURNEYS = st.none() | st.lists(
    st.tuples(st.sampled_from(list(Act)), st.sampled_from((*NAMES[:6], "unknown")), st.integers(-10, 3_000)), max_size=8
).map(lambda events: journey(*events))
PASTS = st.builds(
    lambda lines, basket, wishlist, done: Behaviour(
        tuple(one for each in lines for one in each), basket, wishlist, TODAY, journey=done
    ),
    st.lists(LINES, min_size=1, max_size=10), LISTED, LISTED, JOURNEYS,
)  # fmt: skip
TERMS = st.builds(
    Terms,
    mutes=st.frozensets(st.sampled_from([("item", "i0"), ("category", "I4"), ("theme", "t-i7")])),
    age_at_least=st.sampled_from([0, 16, 18]),
    specials=st.frozensets(st.sampled_from(["health", "belief"])),
)
MODELS = st.none() | st.builds(
    lambda rows, clusters: model(NAMES, rows, clusters),
    st.dictionaries(st.integers(0, 11), st.dictionaries(st.integers(0, 11), st.integers(1, 255), max_size=5)),
    st.integers(0, 3),
)


@settings(max_examples=40)
@given(FLAGGED, PASTS, TERMS, MODELS)
def test_nothing_flagged_is_shown_or_named_nor_does_anything_follow_from_it(
    flags: Mapping[str, Sequence[str]], did: Behaviour, terms: Terms, tables: Model | None
) -> None:
    """Whatever is flagged, bought and learned: what is guarded is not shown, named in no reason, and moves nothing."""
    sold = shelf(NAMES, **{name: list(listed) for name, listed in flags.items()})
    chosen = choose(did, terms, sold, tables, WIDE)
    own = set()
    for one in (*chosen.due, *chosen.new):
        told = sold.sort(one.item)
        assert told is not None, "an item that nobody knows"
        assert "never" not in told.flags
        assert "adult" not in told.flags or terms.age_at_least >= 18
        assert all(
            flag.removeprefix("special:") in terms.specials for flag in told.flags if flag.startswith("special:")
        )
        if told.flags:
            own.add(one.item)
            assert one.place is Place.DUE_AGAIN, "others' habits suggest what is guarded"
            assert [(each.kind, each.number, each.item) for each in one.reasons] == [(ReasonKind.OFTEN, None, None)]
        for reason in one.reasons:
            assert reason.item is None or not flagged(sold, reason.item), "a reason names what is guarded"
    silent = {name for name in (*NAMES, "unknown") if flagged(sold, name)}
    without = choose(dropped(did, *silent), terms, sold, tables, WIDE)
    # What was bought of a guarded item may say something of that item itself, and of nothing else.
    itself = {one.item for one in did.bought if one.item in silent and not is_special(sold, one.item)}
    assert left(chosen, *itself) == left(without, *itself)


def flagged(sold: Shelf, item: str) -> bool:
    """Whether a flag guards the item, or nobody knows it."""
    told = sold.sort(item)
    return told is None or bool(told.flags)


def is_special(sold: Shelf, item: str) -> bool:
    """Whether an item is of a special category."""
    told = sold.sort(item)
    return told is not None and any(flag.startswith("special:") for flag in told.flags)


def dropped(did: Behaviour, *items: str) -> Behaviour:
    """What was done without these items."""
    return replace(
        did,
        bought=tuple(one for one in did.bought if one.item not in items),
        basket=tuple(one for one in did.basket if one not in items),
        wishlist=tuple(one for one in did.wishlist if one not in items),
        journey=did.journey and did.journey.only(lambda item: item not in items),
    )


def left(chosen: Chosen, *items: str) -> bytes:
    """What is chosen beside these items, to the last digit."""
    places = [[one for one in place if one.item not in items] for place in (chosen.due, chosen.new)]
    return repr((places, chosen.stage, chosen.cohorts)).encode()


def test_policy_is_kept_by_default() -> None:
    """The example's limits are those of a policy that says nothing."""
    assert (DEFAULT.ignore_limit, DEFAULT.ignore_rest_days) == (3, 90)
    assert SuggestionPolicy() == DEFAULT
