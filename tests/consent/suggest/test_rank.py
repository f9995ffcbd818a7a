"""Suggestions come in a right, stable order, from the first purchase, and listen to what became of them."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.suggest.history import Decay, fold, habits
from consent.suggest.model import Feature, Model
from consent.suggest.rank import Place, ReasonKind, rank
from consent.suggest.signals import Behaviour, Bought, Tally
from wire import affinity
from wire.affinity import Affinity, Neighbours, Trees, column
from wire.errors import WireError

NAMES = tuple(f"item-{number:02d}" for number in range(40))
WEIGHTS = {
    Feature.HABIT: 2.0, Feature.TIMES: 1.0, Feature.LAST: 0.5, Feature.DUE_DAYS: 0.3,
    Feature.NEW: -3.0, Feature.NEW_GOES_WITH: 1.0, Feature.SIMILAR: 0.2, Feature.POPULAR: 0.2,
}  # fmt: skip


def shop(names=NAMES, **changed):
    """Tables of a small shop: each item goes with the next two; one cluster buys the first ten."""
    number = len(names)
    beside = [(at + step) % number for at in range(number) for step in (1, 2)]
    told = Affinity(
        affinity.FORMAT,
        True,
        names,
        b"",
        column("f", [one for at in range(number) for one in (0.5 / (1 + at), 0.0, -2.0, 14.0)]),
        b"",
        Neighbours(bytes([2] * number), column("H", beside), bytes([255, 100] * number), column("f", [0.002] * number)),
        Neighbours(bytes([10]), column("H", range(10)), bytes([200] * 10), column("f", [0.001])),
        column("I", [25]),
        column("f", [-3.0, *(WEIGHTS.get(one, 0.0) for one in Feature)]),
        Trees(b"", b"", b"", b""),
    )
    return Model.of(replace(told, **changed))


def test_trees_of_features_that_are_not_known_are_refused():
    """When the tables come, and not when a card is made."""
    trees = Trees(
        column("H", [0]), bytes([len(Feature), 255, 255]), column("f", [0.5, 1, 2]), column("H", [1, 2, 0, 0, 0, 0])
    )
    with pytest.raises(WireError):
        shop(trees=trees)
    assert shop(trees=replace(trees, features=bytes([len(Feature) - 1, 255, 255])))


SHOP = shop()


def bought(*baskets, every=7, now=None):
    """A behaviour of baskets a week apart, oldest first."""
    lines = [Bought(item, 1000 + every * at, at) for at, basket in enumerate(baskets) for item in basket]
    return Behaviour(tuple(lines), now_day=1000 + every * len(baskets) if now is None else now)


ITEMS = st.sampled_from([*NAMES[:12], "unknown", "ein Glühwein", ""])
LINES = st.builds(
    Bought,
    ITEMS,
    st.integers(-10, 30_000),
    st.integers(-5, 500),
    st.integers(-3, 100_000),
    st.booleans(),
    st.booleans(),
)
TALLIES = st.lists(
    st.tuples(st.sampled_from("ab"), st.builds(Tally, *[st.integers(0, 10_000)] * 3)), unique_by=lambda one: one[0]
)
BEHAVIOURS = st.builds(
    Behaviour,
    st.lists(LINES, max_size=25).map(tuple),
    st.lists(ITEMS, max_size=4).map(tuple),
    st.lists(ITEMS, max_size=4).map(tuple),
    st.none() | st.integers(-100, 40_000),
    TALLIES.map(tuple),
)


@settings(max_examples=40, deadline=None)
@given(BEHAVIOURS, st.sampled_from([None, SHOP]), st.randoms())
def test_any_history_gives_one_order(behaviour, model, lot):
    """Whatever was bought, the order of lines changes nothing; scores fall, equal ones stand by item."""
    found = rank(behaviour, model, most=30, category=lambda item: item[-1:] and "a")
    lines = list(behaviour.bought)
    lot.shuffle(lines)
    again = rank(replace(behaviour, bought=tuple(lines)), model, most=30, category=lambda item: item[-1:] and "a")
    assert found == again
    assert list(found) == sorted(found, key=lambda one: (-one.score, one.item))
    assert len({one.item for one in found}) == len(found)
    assert not {one.item for one in found} & set(behaviour.basket)
    assert all(1 <= len(one.reasons) <= 3 for one in found)


@settings(max_examples=20, deadline=None)
@given(BEHAVIOURS, st.sets(ITEMS), st.integers(0, 8))
def test_only_what_is_allowed_is_ranked_and_keeps_its_score(behaviour, allowed, most):
    """What may not be shown leaves the scores and reasons of all others as they are."""
    every = {one.item: one for one in rank(behaviour, SHOP, most=1000)}
    found = rank(behaviour, SHOP, allowed.__contains__, most)
    assert len(found) <= most
    assert all(one.item in allowed and every[one.item] == one for one in found)


def test_it_works_from_the_first_purchase_and_without_tables():
    """After one basket something is ranked; it stands as bought once, and with tables new items come as well."""
    first = bought(["item-03"])
    assert [(one.item, one.place) for one in rank(first, None)] == [("item-03", Place.ONCE)]
    new = [one for one in rank(first, SHOP) if one.place is Place.NEW]
    assert "item-04" in {one.item for one in new}
    assert rank(Behaviour(), None) == ()
    assert {one.place for one in rank(Behaviour(), SHOP)} == {Place.NEW}


@pytest.mark.parametrize("model", [None, SHOP], ids=["alone", "tables"])
def test_one_more_purchase_never_ranks_an_item_lower(model):
    """What is bought in one more basket, the newest, gains against an item of which nothing changed."""
    before = bought(["item-00", "item-09"], ["item-01"], ["item-00", "item-09"], ["item-02"])
    after = bought(["item-00", "item-09"], ["item-01"], ["item-00", "item-09"], ["item-02", "item-09"])

    def ahead(behaviour):
        scores = {one.item: one.score for one in rank(behaviour, model, most=50)}
        return scores["item-09"] - scores["item-00"]

    assert ahead(after) > ahead(before)


def test_a_habit_is_due_and_says_how_often():
    """Bought every week and now a week ago: first, due again, with the gap in days and the number of baskets."""
    found = rank(bought(["item-20"], ["item-20"], ["item-20"], ["item-20", "item-30"]), SHOP)
    assert (found[0].item, found[0].place, found[0].times) == ("item-20", Place.DUE_AGAIN, 4)
    assert [(one.kind, one.number) for one in found[0].reasons[:2]] == [(ReasonKind.DUE, 7), (ReasonKind.OFTEN, 4)]
    early = rank(bought(["item-20"], ["item-20"], ["item-20"], now=1000 + 16), SHOP)
    assert early[0].reasons[0].kind is ReasonKind.EVERY


def test_new_items_say_what_they_go_with():
    """What goes with purchases, the online basket or the wish list names the item it goes with."""
    one = replace(bought(["item-20"], ["item-20"]), basket=("item-25",), wishlist=("item-30",))
    found = {ranked.item: ranked.reasons for ranked in rank(one, SHOP, most=50)}
    kinds = {item: {(why.kind, why.item) for why in reasons} for item, reasons in found.items()}
    assert (ReasonKind.WITH_BOUGHT, "item-20") in kinds["item-21"]
    assert (ReasonKind.WITH_BASKET, "item-25") in kinds["item-26"]
    assert (ReasonKind.WITH_WISHLIST, "item-30") in kinds["item-31"]
    assert (ReasonKind.ON_WISHLIST, None) in kinds["item-30"]
    assert "item-25" not in found
    plain = {ranked.item: ranked.score for ranked in rank(replace(one, basket=(), wishlist=()), SHOP, most=50)}
    mixed = {ranked.item: ranked.score for ranked in rank(one, SHOP, most=50)}
    assert mixed["item-26"] > plain.get("item-26", -99.0)


def test_new_is_what_is_bought_of_late():
    """Nothing is known of the member: an item that few bought, and eight times as often of late, comes before all."""
    at = len(NAMES) - 1
    columns = [one for item in range(at + 1) for one in (0.02, 3.0 if item == at else 0.0, -2.0, 14.0)]
    weights = [-3.0, *(1.0 if one is Feature.NEW_POPULAR else 0.0 for one in Feature)]
    found = rank(Behaviour(()), shop(columns=column("f", columns), linear=column("f", weights)))
    assert [one.item for one in found[:3]] == [NAMES[at], *NAMES[:2]]
    assert found[0].score == pytest.approx(found[1].score + 3.0 * math.log(2.0), abs=1e-5)


def test_the_zone_lifts_what_stands_there():
    """What stands in the zone gains, and says so; nothing else changes."""
    one = bought(["item-20"], ["item-22"])
    far = {ranked.item: ranked for ranked in rank(one, SHOP, most=50)}
    near = {ranked.item: ranked for ranked in rank(one, SHOP, most=50, near=lambda item: item == "item-22")}
    assert near["item-22"].score > far["item-22"].score
    assert ReasonKind.NEAR in {why.kind for why in near["item-22"].reasons}
    assert {item: one for item, one in near.items() if item != "item-22"} == {
        item: one for item, one in far.items() if item != "item-22"
    }


def test_what_came_back_counts_against():
    """A line that came back is not bought; a till's receipt of a return takes away the newest purchase before it."""
    kept = bought(["item-20"], ["item-20"], ["item-20"])
    receipt = Bought("item-20", 1015, 2, -1, True)
    fewer = replace(kept, bought=(*kept.bought, receipt))
    assert fold(fewer.bought).baskets == (("item-20",), ("item-20",))
    marked = tuple(line._replace(returned=line.basket == 2) for line in kept.bought)
    assert fold(marked).baskets == (("item-20",), ("item-20",))
    scores = [rank(one, None)[0].score for one in (kept, fewer, replace(kept, bought=marked))]
    assert scores[0] > scores[1] == scores[2]


def test_several_places_have_each_their_own():
    """Apart, each place has at most so many, whatever the scores of the others."""
    one = bought(*[[f"item-{at:02d}" for at in range(10, 20)]] * 3, ["item-30", "item-31", "item-32"])
    found = rank(one, SHOP, most=2, apart=True)
    assert sorted(ranked.place for ranked in found) == sorted([*Place] * 2)


def test_a_declined_category_loses_half_of_its_places_within_ten_showings():
    """A shopper who buys of two categories alike and declines one of them is shown half as much of it, or less."""
    baskets = [[f"item-{at:02d}" for at in range(10, 22)]] * 3
    category = {f"item-{at:02d}": ("declined" if at % 2 else "liked") for at in range(40)}.get
    tally = Tally()

    def share():
        behaviour = replace(bought(*baskets), tallies=(("declined", tally),))
        shown = rank(behaviour, SHOP, most=6, category=category)
        return sum(category(one.item) == "declined" for one in shown)

    first, shares = share(), []
    for _ in range(10):
        shares.append(share())
        tally = Tally(tally.shown + shares[-1], 0, tally.declined + min(1, shares[-1]))  # one tap a showing
    assert first >= 2
    assert share() <= first / 2
    assert shares == sorted(shares, reverse=True)


def test_trees_have_their_share_of_the_score():
    """A tree lifts what its feature says by its share; the rest is the linear weights'."""
    trees = Trees(
        column("H", [0]), bytes([Feature.TIMES, 255, 255]), column("f", [1.0, -9, 9]), column("H", [1, 2, 0, 0, 0, 0])
    )
    knobs = column("f", [7, 0.9, 0.7, 0.5, 0.9, 45, 14, 4, 2, 0.5])
    one = bought(["item-20", "item-21"], ["item-20"], ["item-20"])
    plain = {ranked.item: ranked.score for ranked in rank(one, SHOP)}
    grown = {ranked.item: ranked.score for ranked in rank(one, shop(trees=trees, knobs=knobs))}
    assert grown["item-20"] == pytest.approx(plain["item-20"] / 2 + 4.5)
    assert grown["item-21"] == pytest.approx(plain["item-21"] / 2 - 4.5)


@settings(max_examples=30)
@given(st.integers(1, 60), st.integers(1, 12))
def test_newer_baskets_weigh_at_least_as_much(number, groups):
    """The weights of baskets rise within each group, as groups do, and sum to at most one."""
    found = habits(number * groups, Decay(groups=groups))
    each = [found[start : start + number] for start in range(0, len(found), number)]
    assert all(one == sorted(one) for one in each)
    assert [sum(one) for one in each] == sorted(sum(one) for one in each)
    assert 0 < sum(found) <= 1.0 + 1e-9
