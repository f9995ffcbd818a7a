"""Our suggestions for a file of baskets, the way they are made in use: learned, packed to bytes, read back, ranked.

Pure: no I/O, no clock.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from benchmarks.suggestions_baskets import Baskets
from benchmarks.suggestions_measures import MOST
from consent.suggest.model import Model
from consent.suggest.rank import rank
from consent.suggest.signals import Behaviour, Bought
from hq.learning.learn import History, Settings, learn
from wire import affinity

Told = Callable[[str], None]
_ORDER_DAY: Final = 10_000  # days for baskets of which only the order is known; the tables then do not look at them


def histories(baskets: Baskets, strict: bool) -> list[History]:
    """What may be learned from: all histories; where it is not `strict`, the `train` shoppers' futures as well."""
    known = []
    learnt = frozenset(() if strict else baskets.train)
    for shopper, past in baskets.history.items():
        held, days = [tuple(basket) for basket in past], baskets.days_of(shopper)
        on = None if days is None else list(days)
        if shopper in learnt and shopper in baskets.future:
            held.append(tuple(baskets.future[shopper]))
            if on is not None:
                day = baskets.future_day(shopper)
                on.append(on[-1] if day is None else day)
        known.append(History(tuple(held), None if on is None else tuple(on)))
    return known


def parts(baskets: Baskets, strict: bool, told: Told) -> Mapping[str, bytes]:
    """What HQ would ship, by name."""
    knows_day = all(baskets.future_day(shopper) is not None for shopper in baskets.test)
    made = learn(
        histories(baskets, strict),
        Settings(now_known=knows_day),
        lambda stage, done, of: told(f"{stage}: {done} of {of}"),
    )
    return affinity.encode(made)


def model_of(shipped: Mapping[str, bytes]) -> Model:
    """The tables as a store holds them."""
    found = affinity.decode(shipped.get)
    if found is None:
        raise ValueError("no tables were shipped")
    return Model.of(found)


def behaviour(baskets: Baskets, shopper: str) -> Behaviour:
    """What the shopper did, and the day of the next basket where the file tells it."""
    past, days = baskets.history[shopper], baskets.days_of(shopper)
    on = range(_ORDER_DAY - len(past), _ORDER_DAY) if days is None else days
    return Behaviour(
        tuple(
            Bought(item, day, number)
            for number, (basket, day) in enumerate(zip(past, on, strict=True))
            for item in basket
        ),
        now_day=baskets.future_day(shopper),
    )


def suggested(shipped: Mapping[str, bytes], baskets: Baskets, shoppers: Sequence[str]) -> dict[str, list[str]]:
    """The MOST best items for each."""
    model = model_of(shipped)
    return {shopper: [one.item for one in rank(behaviour(baskets, shopper), model, most=MOST)] for shopper in shoppers}


def ours(baskets: Baskets, strict: bool, told: Told) -> tuple[dict[str, list[str]], str, Mapping[str, bytes]]:
    """What ours suggests to the `test` shoppers, how large the tables are, and the tables."""
    shipped = parts(baskets, strict, told)
    size_bytes = sum(map(len, shipped.values()))
    told(f"{size_bytes:,} bytes of tables; suggesting")
    return suggested(shipped, baskets, baskets.test), f"tables of {size_bytes / 2**20:.2f} MiB", shipped
