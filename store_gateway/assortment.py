"""Knows the items of the catalog without reading the disk: by the words of their names, and by what guards them.

Names and sorts are kept in memory and read anew, in slices that nobody waits for, when the catalog is another: some
hundred bytes an item. Until that is done the search knows the catalog as it was.

I/O: the cache, through the shelf.
"""

import unicodedata
from collections.abc import Callable, Iterator
from typing import Protocol

from consent.suggest.shelf import EMPTY, ShelfMaker, Sort
from consent.suggest.shelf import Shelf as Sorts
from store_gateway.shelf import Stamp, is_offered
from wire.acts import MOST_FOUND, CatalogFound, CatalogLine
from wire.catalog import CatalogItem
from wire.flags import guarding

SLICE_ITEMS = 64  # decoded at once: 2 to 4 ms
AGAIN_S = 60.0  # after so long at most it is read anew
AGAIN_EACH_S = 0.01  # and after so long for each item: decoding one takes a two-hundredth of it
_MOST_WORDS = 8
Known = list[tuple[str, CatalogLine]]


class Items(Protocol):
    """What is needed of the shelf."""

    def stamp(self) -> Stamp: ...
    def item(self, item: str) -> CatalogItem | None: ...
    def walk(self) -> Iterator[tuple[str, CatalogItem]]: ...


class Assortment:
    """See the module."""

    def __init__(self, shelf: Items) -> None:
        self._shelf = shelf
        self._known: Known = []
        self._stamp: Stamp = ()
        self._reading: Iterator[tuple[str, CatalogItem]] | None = None
        self._read: Known = []
        self._named: dict[str, str] = {}
        self._sorting = ShelfMaker()
        self._again_mono_s = 0.0
        self._names: dict[str, str] = {}  # of all items, as `sorts` has them
        self._told: dict[str, Sort] = {}  # of items that were asked for while `sorts` is of another catalog …
        self._told_at: Stamp = ()  # … than this one
        self.sorts: Sorts = EMPTY  # of all items; another object where any is another

    def offered(self, item: str) -> CatalogItem | None:
        """An item that may be proposed; None: it is not known, or nobody is offered it."""
        found = self._shelf.item(item)
        return found if found is not None and is_offered(found) else None

    def of(self, item: str) -> CatalogItem | None:
        """What the catalog says of any item."""
        return self._shelf.item(item)

    def name(self, item: str) -> str | None:
        """The name of an item as it is now; None: it is not what `sorts` says, so that nobody knows what guards it."""
        return self.naming()(item)

    def naming(self) -> Callable[[str], str | None]:
        """`name`, for as long as the catalog is as it is now: whether it was read is looked at once."""
        if len(self._stamp) == 1 and self.is_read:
            return self._names.get  # of one catalog, and nothing is another since: no need to open a record
        return self._opened

    def _opened(self, item: str) -> str | None:
        told, sort = self._shelf.item(item), self.sorts.sort(item)
        return told.name if told is not None and sort == _sort(told) else None

    def sort_of(self) -> Callable[[str], Sort | None]:
        """What says of an item what guards it, for as long as the catalog is as it is now: of one that was not read
        yet its record is opened. What is not in it any more counts as it did.
        """
        if self.is_read:
            return self.sorts.sort
        stamp = self._shelf.stamp()
        if stamp != self._told_at:
            self._told, self._told_at = {}, stamp
        return self._sort_told

    def _sort_told(self, item: str) -> Sort | None:
        if item not in self._told:
            told = self._shelf.item(item)
            if told is None:
                return self.sorts.sort(item)
            self._told[item] = _sort(told)
        return self._told[item]

    @property
    def is_read(self) -> bool:
        """Whether `sorts` is of the catalog as it is now."""
        return self._reading is None and self._shelf.stamp() == self._stamp

    @property
    def stamp(self) -> Stamp:
        """What changes with the catalog's content."""
        return self._shelf.stamp()

    def find(self, text: str) -> CatalogFound:
        """The first items, by name, whose name has all words of the text somewhere; before them the item of that id."""
        words = _folded(text).split()[:_MOST_WORDS]
        found: list[CatalogLine] = []
        exact = self.offered(text.strip())
        if exact is not None:
            found.append(CatalogLine(text.strip(), exact.name, exact.path, exact.themes))
        for name, line in self._known if words else ():
            if len(found) >= MOST_FOUND:
                break
            if all(word in name for word in words) and line not in found:
                found.append(line)
        return CatalogFound(tuple(found))

    def work(self, now_mono_s: float) -> bool:
        """Reads a slice of a catalog that is another; whether there is more to do at once."""
        if self._reading is None:
            if now_mono_s < self._again_mono_s or self._shelf.stamp() == self._stamp:
                return False
            self._stamp, self._reading, self._read = self._shelf.stamp(), self._shelf.walk(), []
            self._named, self._sorting = {}, ShelfMaker()
        for _ in range(SLICE_ITEMS):
            one = next(self._reading, None)
            if one is None:
                self._known = sorted(self._read, key=lambda known: known[0])
                self.sorts, self._names = self._sorting.made(), self._named
                self._reading, self._read, self._named, self._sorting = None, [], {}, ShelfMaker()
                self._told, self._told_at = {}, ()
                self._again_mono_s = now_mono_s + min(AGAIN_S, AGAIN_EACH_S * len(self._known))
                return False
            item, told = one
            self._sorting.put(item, told.path, told.themes, told.flags, told.zone)
            self._named.setdefault(item, told.name)
            if is_offered(told):
                self._read.append((_folded(told.name), CatalogLine(item, told.name, told.path, told.themes)))
        return True


def _sort(told: CatalogItem) -> Sort:
    return Sort(told.path, told.themes, guarding(told.flags), told.zone)


def _folded(text: str) -> str:
    """Without case and accents, so that they need not be typed."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in plain if not unicodedata.combining(sign))
