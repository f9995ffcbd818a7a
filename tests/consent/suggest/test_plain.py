"""The quick way of ranking is the plain way: the same items, in the same order, with the very same scores."""

import random
from dataclasses import replace

import pytest

from consent.suggest.choose import choose, explain
from consent.suggest.guard import Guard, Terms
from consent.suggest.memory import NOTHING, Came, after
from consent.suggest.model import DEFAULT_KNOBS, WITHOUT_TABLES, Feature, Model
from consent.suggest.rank import Place, rank
from consent.suggest.shelf import ShelfMaker
from consent.suggest.signals import Behaviour, Bought, Tally
from tests.consent.suggest import plain
from tests.consent.suggest.shop import shelf
from wire.affinity import FORMAT, MONTHS, Affinity, Neighbours, Trees, column
from wire.suggestions import DEFAULT

ITEMS, DAY = 90, 20_000
NAMES = tuple(f"i{at:02d}" for at in range(ITEMS))


def neighbours(chance, rows, most):
    """Rows of random items and weights."""
    listed = [chance.sample(range(ITEMS), chance.randrange(most + 1)) for _ in range(rows)]
    return Neighbours(
        bytes(map(len, listed)),
        column("H", [item for row in listed for item in row]),
        bytes(chance.randrange(1, 256) for row in listed for _ in row),
        column("f", [chance.choice([0.0005, 0.001, 0.004]) for _ in listed]),
    )


def trees(chance, number):
    """Trees of some branches, whose thresholds lie where features do."""
    features, values, children = bytearray(), [], []

    def grow(depth):
        at = len(features)
        inner = depth < 4 and chance.random() < 0.8
        features.append(chance.randrange(len(Feature)) if inner else 255)
        values.append(chance.choice([0.0, 0.5, 1.0, chance.uniform(-1, 4)]) if inner else chance.uniform(-1, 1))
        children.extend((0, 0))
        if inner:
            children[2 * at], children[2 * at + 1] = grow(depth + 1), grow(depth + 1)
        return at

    roots = [grow(0) for _ in range(number)]
    return Trees(column("H", roots), bytes(features), column("f", values), column("H", children))


def tables(chance):
    """Random tables, dated or not, with trees or without."""
    dated, grown = chance.random() < 0.7, trees(chance, chance.choice([0, 7, 70]))
    knobs = [*DEFAULT_KNOBS]
    knobs[-1], knobs[-2] = chance.choice([0.5, 1.0]), chance.choice([0.0, 0.5, 2.0, 2.0])
    clusters = chance.choice([0, 4, 12, 12])

    def columns():
        return chance.choice([0.001, 0.1, 0.3]), chance.uniform(-1, 1), chance.random(), chance.choice([-1, 9, 30])

    told = Affinity(
        FORMAT, dated, NAMES, column("f", knobs),
        column("f", [part for _ in NAMES for part in columns()]),
        bytes(chance.randrange(256) for _ in range(ITEMS * MONTHS)) if chance.random() < 0.5 else b"",
        neighbours(chance, ITEMS, 40), neighbours(chance, clusters, 60), column("I", [25] * clusters),
        column("f", [chance.uniform(-1, 1) for _ in range(len(Feature) + 1)]), grown,
    )  # fmt: skip
    return Model.of(told), grown


def did(chance):
    """A random history of usual and returned lines, of items that tables know and others, with a basket and wishes."""
    own = chance.sample([*NAMES, "x1", "x2", "x3"], chance.randrange(1, 70))
    baskets, kinds = chance.randrange(0, 30), [(1,)] * 6 + [(-1, True)] * chance.choice([0, 0, 1])
    lines = [
        Bought(item, DAY - 7 * (baskets - at) + chance.randrange(3), at, *chance.choice(kinds))
        for at in range(baskets)
        for item in chance.sample(own, min(len(own), chance.randrange(1, 12)))
    ]  # fmt: skip
    chance.shuffle(lines)
    few = [tuple(chance.sample([*NAMES, "x9"], chance.choice([0, 0, 4]))) for _ in range(2)]
    tallies = (("odd", Tally(9, 1, 3)),) if chance.random() < 0.5 else ()
    return Behaviour(tuple(lines), few[0], few[1], chance.choice([None, DAY + 5]), tallies)


def kind(item):
    """A category, for tallies."""
    return "odd" if item[-1] in "13579" else "even"


@pytest.mark.parametrize("seed", range(12))
def test_the_quick_way_is_the_plain_way(seed):
    """Over random tables and pasts, for few and for many; also without tables."""
    chance = random.Random(seed)
    model, grown = tables(chance)
    for told, walked in ((model, grown), (model, grown), (model, grown), (WITHOUT_TABLES, trees(chance, 0))):
        one, most = did(chance), chance.choice([3, 11, 60])
        barred = set(chance.sample(NAMES, 30))
        for allowed in (None, lambda item, barred=barred: item not in barred):
            found = rank(one, told, allowed, most, category=kind)
            expected = plain.rank(one, told, walked, allowed or (lambda item: True), most, kind)
            assert [(each.item, each.score, each.times) for each in found] == expected[:most]
            apart = rank(
                one, told, allowed, most, category=kind, apart=True, places=frozenset({Place.DUE_AGAIN, Place.NEW})
            )
            due, new = (
                [each[0] for each in expected if wanted(each[2])][:most]
                for wanted in (lambda n: n > 1, lambda n: n == 0)
            )
            assert [each.item for each in apart if each.place is Place.DUE_AGAIN] == due
            assert [each.item for each in apart if each.place is Place.NEW] == new


@pytest.mark.parametrize("seed", range(6))
def test_some_items_alone_rank_as_among_all(seed):
    """Asked about some bought items only, the answer is what it is when all others are barred."""
    chance = random.Random(100 + seed)
    model, _ = tables(chance)
    for _ in range(3):
        one = did(chance)
        only = frozenset(chance.sample(NAMES, 20))
        due = frozenset({Place.DUE_AGAIN})
        alone = rank(one, model, None, 5, category=kind, apart=True, places=due, only=only)
        among = rank(one, model, only.__contains__, 5, category=kind, apart=True)
        assert alone == tuple(each for each in among if each.place is Place.DUE_AGAIN)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_open_is_free_and_bears_no_flag(seed):
    """The guard's quick answer about a candidate is its verdict, whatever was bought, muted, declined or flagged."""
    chance = random.Random(200 + seed)
    maker = ShelfMaker()
    for item in NAMES:
        maker.put(
            item, ("all", kind(item)), (f"t{item[-1]}",), chance.choice([(), (), (), ("adult",), ("only_if_bought",)])
        )
    one, memory = replace(did(chance), now_day=DAY + 5), NOTHING
    for item in chance.sample(NAMES, 20):
        memory = after(memory, item, chance.choice([*Came]), DAY, DEFAULT)
    mutes = frozenset({("item", "i07"), ("theme", "t4")} if seed % 2 else {("category", "odd")})
    guard = Guard(one, Terms(mutes, 21, memory=memory), maker.made(), DEFAULT)
    quick = [guard.is_open(item) for item in (*NAMES, "x1")]
    guard = Guard(one, Terms(mutes, 21, memory=memory), maker.made(), DEFAULT)
    assert quick == [guard.judge(item).is_free and not guard.is_guarded(item) for item in (*NAMES, "x1")]
    assert any(quick) and not all(quick)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_explained_stands_where_the_card_has_it(seed):
    """With trees, too, whose judgement depends on how many places there are."""
    chance = random.Random(300 + seed)
    sold = shelf(NAMES)
    told = 0
    for _ in range(4):
        model, _ = tables(chance)
        one = replace(did(chance), now_day=DAY + 5)
        chosen = choose(one, Terms(), sold, model, DEFAULT)
        for listed in (chosen.due, chosen.new):
            for position, each in enumerate(listed, 1):
                answer = explain(each.item, one, Terms(), sold, model, DEFAULT)
                assert (answer.place, answer.position, answer.is_chosen) == (each.place, position, True)
                told += 1
    assert told > 8
