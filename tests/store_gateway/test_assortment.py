"""Names of items are the catalog's as it is now, and no record is opened for one that has not changed."""

from collections.abc import Iterator

import pytest

from store_gateway.assortment import Assortment
from store_gateway.shelf import Stamp
from wire.catalog import CatalogItem


class Catalog:
    """What the assortment needs of the shelf; counts what is opened by its id."""

    def __init__(self, catalogs: int, **names: str) -> None:
        self.catalogs, self.version, self.opened = catalogs, 0, 0
        self.items = {item: CatalogItem(name, ("Tea",), (), (), "", "") for item, name in names.items()}

    def stamp(self) -> Stamp:
        return tuple((f"c{at}", bytes([self.version]), len(self.items)) for at in range(self.catalogs))

    def item(self, item: str) -> CatalogItem | None:
        self.opened += 1
        return self.items.get(item)

    def walk(self) -> Iterator[tuple[str, CatalogItem]]:
        yield from tuple(self.items.items())

    def changes(self, item: str, told: CatalogItem) -> None:
        self.items[item], self.version = told, self.version + 1


@pytest.mark.parametrize(("catalogs", "opened"), [(1, 0), (2, 2)])
def test_a_name_that_has_not_changed_is_known_already(catalogs: int, opened: int) -> None:
    """Of one catalog; of several a record is opened, since the first may hold one that cannot be read."""
    catalog = Catalog(catalogs, green="Green tea")
    assortment = Assortment(catalog)
    assert assortment.name("green") is None
    while assortment.work(0.0):
        pass
    catalog.opened = 0
    assert (assortment.name("green"), assortment.name("black")) == ("Green tea", None)
    assert catalog.opened == opened


def test_a_name_that_has_changed_is_the_new_one_at_once() -> None:
    """Before the catalog was read anew; and none is told where its flags are others, of which nobody knows yet."""
    catalog = Catalog(1, green="Green tea", black="Black tea")
    assortment = Assortment(catalog)
    while assortment.work(0.0):
        pass
    catalog.changes("green", CatalogItem("Sencha", ("Tea",), (), (), "", ""))
    assert (assortment.name("green"), assortment.name("black")) == ("Sencha", "Black tea")
    catalog.changes("black", CatalogItem("Black tea", ("Tea",), (), ("never",), "", ""))
    assert assortment.name("black") is None
    while assortment.work(100.0):
        pass
    assert (assortment.name("green"), assortment.name("black")) == ("Sencha", "Black tea")


def test_what_guards_an_item_is_known_before_the_catalog_is_read() -> None:
    """Its record is opened, once for each catalog; read, none is. What is in the catalog no more counts as it did."""
    catalog = Catalog(2, green="Green tea", black="Black tea")
    catalog.changes("black", CatalogItem("Black tea", ("Tea",), (), ("special:health",), "", ""))
    assortment = Assortment(catalog)

    def specials(item: str) -> set[str] | None:
        sort = assortment.sort_of()(item)
        return None if sort is None else set(sort.specials)

    assert [specials(one) for one in ("green", "black", "white", "green")] == [set(), {"health"}, None, set()]
    assert catalog.opened == 3
    while assortment.work(0.0):
        pass
    assert (specials("black"), catalog.opened) == ({"health"}, 3)
    catalog.changes("green", CatalogItem("Green tea", ("Tea",), (), ("special:health",), "", ""))
    assert (specials("green"), catalog.opened) == ({"health"}, 4)
    del catalog.items["black"]
    assert specials("black") == {"health"}
    while assortment.work(100.0):
        pass
    assert specials("black") is None
