"""What the guard says of items is what its rules say one after the other, whatever was bought, muted or remembered."""

import random
from dataclasses import replace

import pytest

from consent.suggest.guard import Guard, GuardRule, Terms
from consent.suggest.memory import NOTHING, Came, after, by_category, is_declined, is_resting
from consent.suggest.shelf import ShelfMaker
from consent.suggest.signals import Behaviour, Bought
from wire.suggestions import DEFAULT

DAY = 20_000
ITEMS = tuple(f"i{at}" for at in range(30))
FLAGS = ((),) * 5 + (("adult",), ("only_if_bought",), ("special:health",), ("special:health", "adult"), ("never",))


def shop(chance):
    """A shelf of these items but the last, in a few categories and themes, some of them flagged."""
    maker = ShelfMaker()
    for item in ITEMS[:-1]:
        path, themes = ("all", chance.choice("ABC")), chance.sample(("x", "y", "z"), 2)
        maker.put(item, path, themes, chance.choice(FLAGS))
    return maker.made()


def did(chance):
    """Some lines in any order, of which some were given back or are the till's word of it; a basket and wishes."""
    kinds = ((1,),) * 6 + ((2,), (1, True)) + ((-1, True), (0, True), (-3, True)) * chance.choice((0, 1))
    lines = [
        Bought(
            chance.choice(ITEMS),
            DAY - chance.choice((1, 2, 9, 30, 40, 800)),
            chance.randrange(9),
            *chance.choice(kinds),
        )
        for _ in range(chance.choice((0, 9, 60)))
    ]
    few = [tuple(chance.sample(ITEMS, 3)) for _ in range(2)]
    return Behaviour(tuple(lines), *few, chance.choice((None, DAY)), (), None)


def terms(chance):
    """Mutes, an age, a special grant, and what became of some items."""
    memory = NOTHING
    for item in chance.sample(ITEMS, chance.choice((0, 8))):
        for ago in (200, 90, 3):
            memory = after(
                memory, item, chance.choice((Came.SHOWN, Came.SHOWN, Came.DECLINED, Came.TAKEN)), DAY - ago, DEFAULT
            )
    mutes = chance.sample(
        (("item", "i3"), ("item", "i7"), ("category", "B"), ("theme", "y")), chance.choice((0, 0, 1, 2))
    )
    specials = frozenset({"health"} if chance.random() < 0.5 else ())
    return Terms(frozenset(mutes), chance.choice((0, 18)), specials, memory, frozenset(chance.sample(ITEMS, 3)))


def kept(lines):
    """The days of purchases of one item of which anything is left, and how often it came back."""
    left, back = [], 0
    for line in sorted(lines, key=lambda line: (line.day, line.basket, line.quantity <= 0)):
        if line.quantity > 0 and not line.returned:
            left.append([line.day, line.quantity])
            continue
        back += 1
        for _ in range(max(1, -line.quantity) if line.quantity <= 0 else 0):
            newest = next((one for one in reversed(left) if one[1]), [0, 0])
            newest[1] -= 1
    return [day for day, quantity in left if quantity > 0], back


def rule(item, one, on, sold, policy):
    """The first rule that speaks against the item, each asked in its turn."""
    sort = sold.sort(item)
    if sort is None:
        return GuardRule.UNKNOWN_ITEM
    mine = [line for line in one.bought if line.item == item and not sort.specials]
    days, back = kept(mine)
    lately = {day for day in days if one.now_day is None or day > one.now_day - policy.habit_days}
    is_habit, remembered = len(lately) >= policy.habit_baskets, {each.item: each for each in on.memory.items}.get(item)
    showing = item in on.showing
    speaking = (
        (GuardRule.NEVER, "never" in sort.flags),
        (GuardRule.SPECIAL, not sort.specials <= on.specials),
        (GuardRule.ADULT, "adult" in sort.flags and on.age_at_least < policy.adult_age),
        (GuardRule.MUTED_CATEGORY, any(("category", name) in on.mutes for name in sort.path)),
        (GuardRule.MUTED_THEME, any(("theme", name) in on.mutes for name in sort.themes)),
        (GuardRule.MUTED_ITEM, ("item", item) in on.mutes),
        (GuardRule.ONLY_IF_BOUGHT, "only_if_bought" in sort.flags and not is_habit),
        (GuardRule.RETURNED, bool(back) and back >= len(lately)),
        (GuardRule.DECLINED, remembered is not None and is_declined(remembered, one.now_day, policy)),
        (GuardRule.IGNORED, remembered is not None and is_resting(remembered, one.now_day, policy, showing=showing)),
        (GuardRule.NO_HABIT, bool(days) and not is_habit),
    )  # fmt: skip
    return next((each for each, speaks in speaking if speaks), GuardRule.FREE)


@pytest.mark.parametrize("seed", range(8))
def test_the_guard_says_what_its_rules_say(seed):
    """Of every item its verdict, whether it is open and a signal; and what is left of what was done."""
    chance = random.Random(seed)
    for _ in range(25):
        sold, one, on = shop(chance), did(chance), terms(chance)
        policy = replace(DEFAULT, habit_baskets=chance.choice((2, 3)), habit_days=chance.choice((30, 730)))
        guard = Guard(one, on, sold, policy)
        rules = {item: rule(item, one, on, sold, policy) for item in ITEMS}
        assert {item: guard.judge(item).rule for item in ITEMS} == rules
        harmless = {item: GuardRule.FREE if told is GuardRule.NO_HABIT else told for item, told in rules.items()}
        assert {item: guard.harmless(item).rule for item in ITEMS} == harmless
        flagged = {item for item in ITEMS if (sort := sold.sort(item)) is None or sort.flags}
        free = {item for item in ITEMS if rules[item] is GuardRule.FREE}
        assert {item for item in ITEMS if guard.is_open(item)} == free - flagged
        barred = replace(on, specials=frozenset({"health"}), age_at_least=99, memory=NOTHING)
        muted = {
            item
            for item in ITEMS
            if rule(item, Behaviour(), barred, sold, policy).value.startswith("muted")
        } | flagged  # fmt: skip
        assert {item for item in ITEMS if guard.is_signal(item)} == {*ITEMS} - muted
        own = {
            line.item
            for line in one.bought
            if (sort := sold.sort(line.item)) is not None and sort.flags and not sort.specials
        }
        assert guard.own() == own & free
        for speaking, found in ((frozenset(), guard.clean()), (guard.own(), guard.owning(guard.own()))):
            assert found == Behaviour(
                tuple(line for line in one.bought if line.item not in muted or line.item in speaking),
                tuple(item for item in one.basket if item not in muted),
                tuple(item for item in one.wishlist if item not in muted),
                one.now_day,
                by_category(on.memory, sold),
            )
