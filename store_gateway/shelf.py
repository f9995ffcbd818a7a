"""What the catalog of the store says of its items, and which of them an associate may offer.

I/O: the cache file, through the vault.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from store_gateway.vault import Vault
from wire import schema
from wire.catalog import CatalogItem
from wire.errors import WireError
from wire.sync import Collection

NOT_OFFERED = frozenset({"never", "adult"})  # flags of what nobody is offered (docs/glossary.md)
Stamp = tuple[tuple[str, bytes, int], ...]


def is_offered(item: CatalogItem) -> bool:
    """Whether an associate may propose this item to anybody."""
    return not NOT_OFFERED & set(item.flags)


class Shelf:
    """See the module. `vault()`: None while locked. `failing()`: inside of it a failure of the cache is told."""

    def __init__(self, vault: Callable[[], Vault | None], failing: Callable[[], AbstractContextManager[None]]) -> None:
        self._vault = vault
        self._failing = failing

    def stamp(self) -> Stamp:
        """What changes with the catalog's content; empty: there is none, or it cannot be read now."""
        vault = self._vault()
        held = vault.holdings.of(Collection.CATALOG) if vault is not None else ()
        return tuple((one.name, one.node.root, one.node.count) for one in held)

    def item(self, item: str) -> CatalogItem | None:
        """What the catalog says of an item; None: nothing."""
        vault = self._vault()
        found: CatalogItem | None = None
        if vault is not None:
            with self._failing():
                found = vault.catalog_item(item)
        return found

    def walk(self) -> Iterator[tuple[str, CatalogItem]]:
        """All items by id, in slices: other calls may come between. What cannot be read is passed over."""
        vault = self._vault()
        with self._failing():
            for held in tuple(vault.holdings.of(Collection.CATALOG)) if vault is not None else ():
                for key, body in vault.holdings.walk(held) if vault is not None else ():
                    try:
                        yield key.decode(), schema.decode(CatalogItem, body)
                    except (WireError, UnicodeDecodeError):
                        continue
