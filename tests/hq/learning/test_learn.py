"""What is learned of histories suggests better than the own past alone, of enough people only, and always the same."""

import random

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from consent.suggest.features import candidates, rows, situation
from consent.suggest.forest import grown
from consent.suggest.model import Feature, Model
from consent.suggest.rank import rank
from hq.learning import lots, neighbours, weights
from hq.learning.learn import History, Settings, learn, tables
from hq.learning.membership import attack
from hq.learning.purchases import laid_out
from hq.learning.weights import behaviour
from tests.hq.learning.shop import people
from wire import affinity

FEW = Settings(support=5, people_a_cluster=30, most_people=120)


@pytest.fixture(scope="module")
def shop():
    """Histories, and what is learned of all but their last baskets."""
    histories = people(160)
    told = []
    made = learn([one.before() for one in histories], FEW, lambda *one: told.append(one))
    return histories, made, told


def recall(histories, model, most=6):
    """The share of last baskets among the first suggestions."""
    found = []
    for one in histories:
        past = behaviour(one.before(), None if one.days is None else one.days[-1])
        listed = {ranked.item for ranked in rank(past, model, most=most)}
        found.append(len(listed & set(one.baskets[-1])) / len(one.baskets[-1]))
    return float(np.mean(found))


def test_tables_suggest_better_than_the_own_past_alone(shop):
    """Last baskets that taught nothing are foretold better with the tables, which survive being packed."""
    histories, made, told = shop
    shipped = affinity.decode(affinity.encode(made).get)
    assert shipped == made
    assert recall(histories, Model.of(shipped)) > recall(histories, None) + 0.02
    assert {stage for stage, _, _ in told} == {"tables", "examples", "weights"}
    assert all(0 <= done <= of for _, done, of in told)


@pytest.mark.long
def test_learning_again_gives_the_same_bytes():
    """The same histories and seed give the same tables and weights."""
    few = people(45, seed=9)
    assert affinity.encode(learn(few, FEW)) == affinity.encode(learn(few, FEW))


def test_nothing_of_few_people_is_in_the_tables():
    """An item of nine people is not named, a pair of four does not stand, and clusters have twenty people or more."""
    histories = [*people(100), *[History((("rare", "any-01"), ("any-02",)), (18_000, 18_010))] * 9]
    histories += [History((("fair", "any-03"),), (18_000,))] * 19
    made = tables(laid_out(histories, 5), FEW, lambda *one: None)
    assert "rare" not in made.names
    assert "fair" in made.names
    assert min(affinity.words(made.sizes)) >= 20
    assert all(size % 10 == 0 for size in affinity.words(made.sizes))
    assert sum(affinity.words(made.sizes)) <= len(histories)
    model, once = Model.of(made), laid_out(histories, 5).once().toarray()
    together = once.T @ once
    for item in range(model.items):
        assert all(together[item, other] >= 5 for other in model.goes_with.row(item)[0])


def test_what_one_person_bought_is_not_in_the_tables_of_too_few():
    """Fewer than twenty people make no cluster; nobody at all makes tables that suggest by the own past."""
    made = learn(people(15), FEW)
    assert not len(made.sizes)
    assert rank(behaviour(people(1)[0], None), Model.of(made))
    nothing = Model.of(learn([], FEW))
    assert rank(behaviour(people(1)[0], None), nothing)


@pytest.mark.parametrize("dated", [True, False], ids=["days", "order"])
def test_days_are_looked_at_only_where_they_are_known(dated):
    """Learned without days, a store's days change no order; learned with them, no number is out of bounds."""
    made = Model.of(learn(people(30, dated=dated), FEW))
    assert made.dated is dated
    one = people(1, seed=3)[0]
    far = History(one.baskets, tuple(3 * day for day in one.days))
    near = rank(behaviour(one, one.days[-1]), made)
    assert (rank(behaviour(far, 5 * far.days[-1]), made) == near) is not dated


def test_trees_of_the_wire_add_up_as_those_that_were_learned(shop):
    """What a store adds up of the trees is what scikit-learn says of the same rows."""
    histories, made, _ = shop
    model = Model.of(made)
    found = weights.examples(histories[:30], model, True, lambda *one: None)
    with threadpool_limits(1):
        fitted = weights._trees(found, np.ones(len(found.rows), bool), 7)
    told = Model.of(affinity.Affinity(**{**_fields(made), "trees": weights.grown(fitted)}))
    for row, expected in zip(found.rows[:200].tolist(), fitted.decision_function(found.rows[:200]), strict=True):
        assert grown(told.trees, [tuple(row)])[0] == pytest.approx(expected, abs=1e-4)


def _fields(made):
    return {name: getattr(made, name) for name in made.__dataclass_fields__}


def test_a_row_has_a_number_for_each_feature(shop):
    """Own and new items, known ones and others, have as many finite numbers as there are features."""
    model = Model.of(shop[1])
    found = situation(
        behaviour(History((("kind-0-01", "nobody-else's"), ("kind-0-02",)), (18_000, 18_020)), 18_030), model
    )
    listed = candidates(found, model)
    told = rows(found, model, listed)
    assert {len(row) for row in told} == {len(Feature)}
    assert np.isfinite(told).all()
    assert any(row[Feature.NEW] for row in told)
    assert any(not row[Feature.NEW] for row in told)


def test_two_models_do_not_tell_what_somebody_bought_who_left():
    """Of what changes between both as much was never theirs: the lots fall anew for all items. Of no item is told how
    many people bought it, in its figures, in its order, or beside others."""
    histories = people(150, seed=3)
    theirs = {item for basket in histories[37].baskets for item in basket}
    told = [
        tables(laid_out(some, 10), Settings(), lambda *one: None)
        for some in (histories, (*histories[:37], *histories[38:]))
    ]
    shares = [dict(zip(one.names, affinity.floats(one.columns)[::4], strict=True)) for one in told]
    counts = [{name: round(share * number) for name, share in one.items()}
              for one, number in zip(shares, (150, 149), strict=True)]  # fmt: skip
    assert all(count % 10 == 0 and count >= 10 for one in counts for count in one.values())
    both = set.union(*map(set, counts))
    fewer = {name for name in both if counts[1].get(name, 0) < counts[0].get(name, 0)}
    assert len(fewer - theirs) > len(fewer & theirs)
    assert {name for name in both if counts[1].get(name, 0) > counts[0].get(name, 0)}
    assert [list(one) == sorted(one, key=lambda name: (-one[name], name)) for one in counts] == [True, True]


def test_a_cluster_that_somebody_left_does_not_tell_what_they_bought():
    """Of the same people but for one: what a cluster buys of an item is told in steps of what ten people add at most,
    and what changes without them was as often never theirs."""
    histories = people(150, seed=3)
    theirs = {item for basket in histories[37].baskets for item in basket}
    told = [_one_cluster(some) for some in (histories, (*histories[:37], *histories[38:]))]
    for steps in told:
        assert steps and all(step == pytest.approx(round(step), abs=0.02) and step > 0.9 for step in steps.values())
    rounded = [{name: round(step) for name, step in steps.items()} for steps in told]
    changed = {name for name in set.union(*map(set, rounded)) if rounded[0].get(name, 0) != rounded[1].get(name, 0)}
    assert len(changed - theirs) > len(changed & theirs)
    assert {name for name in changed if rounded[1].get(name, 0) > rounded[0].get(name, 0)}
    assert _one_cluster(histories) == told[0]


def _one_cluster(histories):
    """By item, what the cluster of all buys of it, in the steps in which it is told."""
    made = tables(laid_out(histories, 10), Settings(people_a_cluster=1000), lambda *one: None)
    (size,) = affinity.words(made.sizes)
    items, weights, scale = Model.of(made).clusters.row(0)
    step = neighbours.MOST_HABIT * lots.STEP / (size + lots.STEP - 1)
    assert size % 10 == 0
    assert 130 <= size <= 150
    return {made.names[item]: weight * scale / step for item, weight in zip(items, weights, strict=True)}


def test_what_is_told_changes_by_one_person_as_seldom_as_is_said():
    """One more person makes another number in one of ten lots; a pair is told the same from either side."""
    counts = np.full(20_000, 34.0)
    for rounding in (lots.rounded, lots.below):
        more, fewer = rounding(counts, 1, 0), rounding(counts - 1, 1, 0)
        assert 0.08 < float(np.mean(more != fewer)) < 0.12
        assert set(np.unique(more) % 10) == {0}
    assert lots.below(counts, 1, 0).max() <= 34
    assert lots.rounded(counts, 1, 0).mean() == pytest.approx(34, abs=0.2)
    square = np.stack([lots.pairs_below(np.full(300, 14.0), place, 10, 9) for place in range(300)])
    assert (square == square.T).all()
    assert 0.4 < float(np.mean(square == 10)) < 0.6


def test_a_membership_test_finds_who_is_told_apart(shop):
    """Of people alike the tables tell little of who was in them; strangers, who buy other things, are told apart."""
    histories = people(300, seed=11)
    made = tables(laid_out(histories[:150], 5), FEW, lambda *one: None)
    told = attack(made, histories[:150], histories[150:])
    assert 0.4 < told.auc < 0.8
    assert 0.0 <= told.advantage < 0.5
    assert min(told.cluster_sizes) >= 20
    lot = random.Random(1)
    strangers = [History(((f"other-{lot.randrange(9)}",), ("nothing",))) for _ in range(50)]
    assert attack(made, histories[:150], strangers).auc > 0.95


def test_histories_with_wrong_days_are_refused():
    """As many days as baskets, and never backwards."""
    for days in ((1,), (2, 1)):
        with pytest.raises(ValueError, match="ascending"):
            History((("a",), ("b",)), days)
