"""What the catalogs of the store say of items, with what their categories and themes add, and which to offer.

I/O: the cache file, through the vault.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from store_gateway.vault import Vault
from wire import schema
from wire.catalog import CatalogGroup, CatalogItem, Grouped, GroupKind, group_key, grouped, inherited
from wire.errors import WireError
from wire.flags import ADULT, NEVER, guarding
from wire.sync import Collection

NOT_OFFERED = frozenset({NEVER, ADULT})  # flags of what nobody is offered (docs/glossary.md)
Stamp = tuple[tuple[str, bytes, int], ...]


def is_offered(item: CatalogItem) -> bool:
    """Whether an associate may propose this item to anybody."""
    return not NOT_OFFERED & guarding(item.flags)


class Shelf:
    """See the module. `vault()`: None while locked. `failing()`: inside of it a failure of the cache is told."""

    def __init__(self, vault: Callable[[], Vault | None], failing: Callable[[], AbstractContextManager[None]]) -> None:
        self._vault = vault
        self._failing = failing
        self._groups: dict[tuple[GroupKind, str], Grouped] = {}  # as the catalogs said at …
        self._groups_at: Stamp = ()

    def stamp(self) -> Stamp:
        """What changes with the catalog's content; empty: there is none, or it cannot be read now."""
        vault = self._vault()
        held = vault.holdings.of(Collection.CATALOG) if vault is not None else ()
        return tuple((one.name, one.node.root, one.node.count) for one in held)

    def tables_stamp(self) -> Stamp:
        """The same of the tables of others' habits."""
        vault = self._vault()
        held = vault.holdings.of(Collection.AFFINITY) if vault is not None else ()
        return tuple((one.name, one.node.root, one.node.count) for one in held)

    def part(self, name: str) -> bytes | None:
        """A part of these tables, opaque; None: there is none."""
        vault = self._vault()
        found: bytes | None = None
        if vault is not None:
            with self._failing():
                found = vault.affinity(name)
        return found

    def item(self, item: str) -> CatalogItem | None:
        """What the catalog says of an item, with all that its categories and themes add; None: nothing."""
        vault = self._vault()
        found: CatalogItem | None = None
        if vault is not None:
            with self._failing():
                told = vault.catalog_item(item)
                found = None if told is None else inherited(told, self._group_of(vault))
        return found

    def walk(self) -> Iterator[tuple[str, CatalogItem]]:
        """All items by id, as `item` tells them, in slices: other calls may come between.

        What cannot be read, and what is no item, is passed over.
        """
        vault = self._vault()
        if vault is None:
            return
        with self._failing():
            for held in tuple(vault.holdings.of(Collection.CATALOG)):
                for key, body in vault.holdings.walk(held):
                    try:
                        item, told = key.decode(), schema.decode(CatalogItem, body)
                    except (WireError, UnicodeDecodeError):
                        continue
                    yield item, inherited(told, self._group_of(vault))

    def _group_of(self, vault: Vault) -> Callable[[GroupKind, str], Grouped]:
        """What all catalogs together say of a category or a theme; of what cannot be read, the strictest."""
        stamp = self.stamp()
        if stamp != self._groups_at:
            self._groups, self._groups_at = {}, stamp

        def group(what: GroupKind, name: str) -> Grouped:
            if (what, name) not in self._groups:
                key, holdings = group_key(what, name), vault.holdings
                held = [holdings.body(one, key) for one in holdings.of(Collection.CATALOG)]
                self._groups[what, name] = grouped(_read(what, name, body) for body in held if body is not None)
            return self._groups[what, name]

        return group


def _read(what: GroupKind, name: str, body: bytes) -> CatalogGroup:
    try:
        return schema.decode(CatalogGroup, body)
    except WireError:
        return CatalogGroup(what, name, (NEVER,))
