"""A made shop: people of some kinds who buy again what they bought, at gaps of their own, and what their kind buys."""

import random

from hq.learning.learn import History

KINDS, OF_A_KIND = 4, 15


def people(number, seed=5, dated=True, baskets=(3, 9)):
    """So many histories, the same for the same seed."""
    lot = random.Random(seed)
    return tuple(_person(lot, lot.randrange(KINDS), dated, lot.randint(*baskets)) for _ in range(number))


def _person(lot, kind, dated, number):
    shelf = [f"kind-{kind}-{at:02d}" for at in range(OF_A_KIND)]
    habits = lot.sample(shelf, 4)
    found, days, day = [], [], 18_000 + lot.randrange(200)
    for _ in range(number):
        basket = {item for item in habits if lot.random() < 0.5} | {lot.choice(shelf), f"any-{lot.randrange(30):02d}"}
        found.append(tuple(sorted(basket)))
        days.append(day)
        day += lot.randint(5, 12)
    return History(tuple(found), tuple(days) if dated else None)
