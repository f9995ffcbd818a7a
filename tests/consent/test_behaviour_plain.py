"""What a record says that a member did, by the plain way of saying it, line by line; whatever the lists hold."""

import random

import pytest

from consent import offered
from consent.suggest.journey import COHORT, DAY_S, STAGE, Act
from tests.strategies import NOW_S, any_field, member
from wire.member import Item, Value

HISTORIES = (offered.HISTORY_STORE, offered.HISTORY_ONLINE)
LISTS = (*HISTORIES, "returns", "wishlist", "basket.online")
EVERY = frozenset((*LISTS, STAGE, COHORT))


def lines(chance, number):
    """Lines of few items, of any time or none, some of them with a quantity that says little, some given back."""
    midnight_s = NOW_S - NOW_S % DAY_S  # and so many seconds before and after that of three days ago
    times = (None, NOW_S, NOW_S + 9, *(NOW_S - ago for ago in (5, DAY_S, 2 * DAY_S, *range(0, 40 * DAY_S, 90_000))),
             *(midnight_s - 3 * DAY_S + at_s for at_s in (-13 * 3_600, -300, 300, 42_899, 42_900)),
             midnight_s - 300, midnight_s + 300)  # fmt: skip
    many = (None, 1, 1, 2, 0, -1)
    return tuple(
        Item(chance.choice("abcdef"), "", chance.choice(times), chance.choice(many), chance.random() < 0.1)
        for _ in range(number)
    )


def day(line):
    """The day of a line; now, where its time is not known or has not come."""
    return at_s(line) // DAY_S


def at_s(line):
    """The time of a line, or now."""
    return NOW_S if line.at_s is None else min(line.at_s, NOW_S)


def began(line, every):
    """The day of the first purchase of the item within twelve hours of which it was bought; then of the next."""
    first, times = None, (at_s(one) for one in every if one.item == line.item)
    for time in sorted(one for one in times if one <= at_s(line)):
        first = time if first is None or time - first >= 12 * 3_600 else first
    return first // DAY_S


def bought(lists):
    """(item, day, basket, quantity, returned, online): purchases as they stand, then what came back of them."""
    all_lines = [(line, scope == "history.online") for scope in HISTORIES for line in lists[scope]]
    every = [line for line, _ in all_lines]
    baskets = sorted({(began(line, every), online) for line, online in all_lines})
    found = [
        (line.item, day, baskets.index((day, online)), max(1, line.quantity or 1), line.returned, online)
        for line, online in all_lines
        for day in [began(line, every)]
    ]
    said, purchases = [line.item for line, _ in all_lines if line.returned], [*found]
    for line in lists["returns"]:
        before = [basket for item, on, basket, *_ in purchases if item == line.item and on <= day(line)]
        if line.item in said:
            said.remove(line.item)
        elif before:
            found.append((line.item, day(line), max(before), -max(1, abs(line.quantity or 1)), True, False))
    return tuple(found)


def kept(lists):
    """What was bought and not given back, and what was given back, in time: (act, item, Unix seconds, quantity)."""
    all_lines = [line for scope in HISTORIES for line in lists[scope]]
    left = [line for line in all_lines if not line.returned and (line.quantity is None or line.quantity > 0)]
    left.sort(key=lambda line: NOW_S if line.at_s is None else line.at_s)
    said = [line.item for line in all_lines if line.returned]
    for back in lists["returns"]:
        until_s = NOW_S if back.at_s is None else back.at_s
        before = [line for line in left if line.item == back.item and (line.at_s is None or line.at_s <= until_s)]
        if back.item in said:
            said.remove(back.item)
        elif before:
            left.remove(before[-1])
    acts = [(Act.BOUGHT, line.item, line.at_s, line.quantity or 1) for line in left]
    acts += [(Act.RETURNED, line.item, line.at_s, 1) for line in lists["returns"]]
    acts += [(Act.BASKET, line.item, line.at_s, 1) for line in lists["basket.online"]]
    return acts + [(Act.WISHLIST, line.item, line.at_s, 1) for line in lists["wishlist"]]


@pytest.mark.parametrize("seed", range(8))
def test_what_was_done_is_what_the_lists_say_line_by_line(seed):
    """Purchases, returns, basket and wish list, and the same in time; of lists that may not be used nothing."""
    chance = random.Random(seed)
    for _ in range(40):
        lists = {scope: lines(chance, chance.choice((0, 1, 6, 25))) for scope in LISTS}
        fields = [any_field(scope, Value(items=listed)) for scope, listed in lists.items()]
        chance.shuffle(fields)
        scopes = EVERY if chance.random() < 0.5 else frozenset(chance.sample(sorted(EVERY), 4))
        found = offered.behaviour(member(fields=tuple(fields)), scopes, NOW_S, calls=True)
        used = {scope: listed if scope in scopes else () for scope, listed in lists.items()}
        assert tuple(map(tuple, found.bought)) == bought(used)
        assert found.basket == tuple(line.item for line in used["basket.online"])
        assert found.wishlist == tuple(line.item for line in used["wishlist"])
        assert (found.now_day, found.tallies) == (NOW_S // DAY_S, ())
        assert (found.journey is None) == scopes.isdisjoint((STAGE, COHORT))
        if found.journey is not None:
            assert sorted(map(repr, map(tuple, found.journey.events))) == sorted(map(repr, kept(used)))
