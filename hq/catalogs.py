"""Reads what the catalogs of a brand or a store say of an item, with what its categories and themes add.

I/O: sqlalchemy.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Select, select

from hq import records
from hq.tables import instances, store_instances, stores
from wire import schema
from wire.catalog import CatalogGroup, CatalogItem, Grouped, GroupKind, group_key, grouped, inherited
from wire.errors import WireError
from wire.flags import NEVER
from wire.sync import Collection


class Catalogs:
    """Some catalogs, read within one transaction: of an item the first that knows it, of a group what each says."""

    def __init__(self, connection: Connection, titles: Sequence[str]) -> None:
        self._connection, self._titles = connection, titles
        self._groups: dict[tuple[GroupKind, str], Grouped] = {}

    def item(self, item: str) -> CatalogItem | None:
        """What they say of an item, with all that its groups add; None: nothing that can be read."""
        for title in self._titles:
            body = records.body(self._connection, title, item.encode())
            if body is not None:
                return inherited(schema.decode(CatalogItem, body), self.group_of)
        return None

    def group_of(self, what: GroupKind, name: str) -> Grouped:
        """What they say of a category or a theme; of a record that cannot be read, the strictest."""
        if (what, name) not in self._groups:
            held = [records.body(self._connection, title, group_key(what, name)) for title in self._titles]
            told = [(_group(body) or CatalogGroup(what, name, (NEVER,))) for body in held if body is not None]
            self._groups[what, name] = grouped(told)
        return self._groups[what, name]

    def told(self) -> Iterator[CatalogItem | CatalogGroup]:
        """All that they say, of items with what their groups add. What cannot be read is passed over."""
        for body in (each for title in self._titles for each in records.bodies(self._connection, title)):
            told = _read(body)
            if told is not None:
                yield inherited(told, self.group_of) if isinstance(told, CatalogItem) else told


def of_brand(connection: Connection, brand: str) -> Catalogs:
    """The catalogs of all stores of a brand."""
    return _of(connection, _wanted().where(stores.c.policy == brand))


def of_store(connection: Connection, store: str) -> Catalogs:
    """The catalogs that one store replicates."""
    return _of(connection, _wanted().where(stores.c.id == store))


def _wanted() -> Select[tuple[str]]:
    return (
        select(instances.c.name)
        .join(store_instances, store_instances.c.instance == instances.c.id)
        .join(stores, stores.c.id == store_instances.c.store)
        .where(instances.c.collection == int(Collection.CATALOG))
    )


def _of(connection: Connection, wanted: Select[tuple[str]]) -> Catalogs:
    return Catalogs(connection, sorted(set(connection.scalars(wanted))))


def _read(body: bytes) -> CatalogItem | CatalogGroup | None:
    try:
        return schema.decode(CatalogItem, body)
    except WireError:
        return _group(body)


def _group(body: bytes) -> CatalogGroup | None:
    try:
        return schema.decode(CatalogGroup, body)
    except WireError:
        return None  # written by a later version
