"""A small shop for the tests of what may be suggested: its shelf, a model made of given tables, and a past."""

from collections.abc import Iterable, Mapping, Sequence

from consent.suggest.model import DEFAULT_KNOBS, Feature, Model
from consent.suggest.shelf import Shelf, ShelfMaker
from consent.suggest.signals import Behaviour, Bought
from wire.affinity import FORMAT, Affinity, Neighbours, Trees, column

TODAY = 20_000


def shelf(items: Iterable[str], standing: Mapping[str, str] | None = None, **flags: Iterable[str]) -> Shelf:
    """Each item in a category of its own name in capitals and the theme "all"; zones and flags by item."""
    maker, zones = ShelfMaker(), standing or {}
    for item in items:
        maker.put(item, ("Shop", item.upper()), ("all", f"t-{item}"), flags.get(item, ()), zones.get(item))
    return maker.made()


def bought(item: str, *days_ago: int, quantity: int = 1, returned: bool = False) -> tuple[Bought, ...]:
    """An item in a basket of its own on each of those days."""
    return tuple(Bought(item, TODAY - ago, 10_000 - ago, quantity, returned) for ago in days_ago)


def behaviour(*lines: Bought, basket: Sequence[str] = (), wishlist: Sequence[str] = ()) -> Behaviour:
    """What was done until today."""
    return Behaviour(tuple(lines), tuple(basket), tuple(wishlist), TODAY)


def model(names: Sequence[str], goes_with: Mapping[int, Mapping[int, int]] | None = None, clusters: int = 2) -> Model:
    """Tables of all names, as many clusters of everything, and weights that let every signal matter."""
    number = len(names)
    rows = [dict(sorted((goes_with or {}).get(item, {}).items())) for item in range(number)]
    everything = list(range(number))
    return Model.of(
        Affinity(
            FORMAT,
            True,
            tuple(names),
            column("f", list(DEFAULT_KNOBS)),
            column("f", [part for item in everything for part in (1.0 / (item + 2), 0.1, 0.3, 14.0)]),
            b"",
            Neighbours(
                bytes(len(row) for row in rows),
                column("H", [other for row in rows for other in row]),
                bytes(weight for row in rows for weight in row.values()),
                column("f", [0.01] * number),
            ),
            Neighbours(
                bytes([number] * clusters),
                column("H", everything * clusters),
                bytes((item * 7 + cluster * 31) % 255 + 1 for cluster in range(clusters) for item in everything),
                column("f", [0.01] * clusters),
            ),
            column("I", [25] * clusters),
            column("f", [-3.0, *([0.5] * len(Feature))]),
            Trees(b"", b"", b"", b""),
        )
    )
