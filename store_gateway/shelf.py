"""What the catalogs of the store say of items, with the flags of their categories and themes, and which to offer.

I/O: the cache file, through the vault.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from store_gateway.vault import Vault
from wire import schema
from wire.catalog import CatalogGroup, CatalogItem, GroupKind, group_key, inherited
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
        self._flags: dict[tuple[GroupKind, str], tuple[str, ...]] = {}  # as the catalogs said at …
        self._flags_at: Stamp = ()

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
        """What the catalog says of an item, with all flags that count for it; None: nothing."""
        vault = self._vault()
        found: CatalogItem | None = None
        if vault is not None:
            with self._failing():
                told = vault.catalog_item(item)
                found = None if told is None else inherited(told, self._flags_of(vault))
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
                    yield item, inherited(told, self._flags_of(vault))

    def _flags_of(self, vault: Vault) -> Callable[[GroupKind, str], tuple[str, ...]]:
        """The flags of a category or a theme in all catalogs together; of what cannot be read, the strictest."""
        stamp = self.stamp()
        if stamp != self._flags_at:
            self._flags, self._flags_at = {}, stamp

        def flags(what: GroupKind, name: str) -> tuple[str, ...]:
            if (what, name) not in self._flags:
                key, holdings = group_key(what, name), vault.holdings
                held = [holdings.body(one, key) for one in holdings.of(Collection.CATALOG)]
                told = [_read(body) for body in held if body is not None]
                self._flags[what, name] = tuple(dict.fromkeys(flag for one in told for flag in one))
            return self._flags[what, name]

        return flags


def _read(body: bytes) -> tuple[str, ...]:
    try:
        return schema.decode(CatalogGroup, body).flags
    except WireError:
        return (NEVER,)
