"""What may be known of the items on sale: their categories, themes, flags and zones, of each sort once.

Some ten thousand items share some hundred sorts, so that the table is small and a verdict on a sort is made once.

Pure: no I/O, no clock.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from wire.flags import guarding, special_categories


@dataclass(frozen=True, slots=True)
class Sort:
    """What items of one sort have in common. `path`: categories, the widest first. `flags`: those that guard.

    The flags are the item's own and those of all its categories and themes (`wire.catalog.inherited`). `zone`: where it
    stands; None: nobody said.
    """

    path: tuple[str, ...]
    themes: tuple[str, ...]
    flags: frozenset[str]
    zone: str | None = None

    @property
    def category(self) -> str | None:
        """The narrowest; None: it is in none."""
        return self.path[-1] if self.path else None

    @property
    def specials(self) -> frozenset[str]:
        """The special categories that the flags name."""
        return _specials(self.flags) if self.flags else _NONE


_NONE: frozenset[str] = frozenset()
_specials = lru_cache(maxsize=1024)(special_categories)


class Shelf:
    """The sort of each item by its id. What is not on it is not known, and not suggested.

    `sort`: that of an item; None: no catalog knows it. The mapping's own, since each request asks some hundred times.
    """

    __slots__ = ("_sorts", "_zoned", "sort")

    def __init__(self, sorts: Mapping[str, Sort]) -> None:
        self._sorts = sorts
        self.sort: Callable[[str], Sort | None] = sorts.get
        self._zoned = tuple({id(one): one for one in sorts.values() if one.zone is not None}.values())

    def __len__(self) -> int:
        return len(self._sorts)

    def category(self, item: str) -> str | None:
        """The narrowest category of an item; None: it is not known, or in none."""
        found = self._sorts.get(item)
        return None if found is None else found.category

    def stands_in(self, zone: str | None) -> Callable[[str], bool] | None:
        """What says of an item whether it stands in this zone; None: nobody knows of any item."""
        if zone is None:
            return None
        near = {id(one) for one in self._zoned if one.zone == zone}
        return (lambda item: id(self._sorts.get(item)) in near) if near else None


class ShelfMaker:
    """Makes a shelf item by item, so that whoever reads a catalog may do so in slices."""

    __slots__ = ("_kinds", "_sorts")

    def __init__(self) -> None:
        self._sorts: dict[str, Sort] = {}
        self._kinds: dict[Sort, Sort] = {}

    def put(
        self, item: str, path: Iterable[str], themes: Iterable[str], flags: Iterable[str], zone: str | None = None
    ) -> None:
        """One item, with all that counts for it. The first word on an item holds, as the store reads it."""
        if item not in self._sorts:
            sort = Sort(tuple(path), tuple(themes), guarding(flags) or _NONE, zone)
            self._sorts[item] = self._kinds.setdefault(sort, sort)

    def made(self) -> Shelf:
        """The shelf, with what was put on it so far."""
        return Shelf(dict(self._sorts))


EMPTY = Shelf({})
