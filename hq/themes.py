"""Names the themes of what is sold, so that a member can mute one as a whole, and items by what people call them.

I/O: sqlalchemy.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from hq import records
from hq.records import Instance
from hq.tables import instances
from hq.tables import records as record_rows
from wire import schema
from wire.catalog import CatalogItem
from wire.errors import WireError
from wire.sync import Collection

MOST_ITEMS = 5_000  # that are looked through: themes are few, and the first thousands of items name them
MOST_THEMES = 200
_KEPT = 16

_found: dict[tuple[str, int, int], dict[str, str]] = {}  # by what was read; a catalog that changed is read again


def of(connection: Connection) -> dict[str, str]:
    """The ids of the themes of all catalogs, ascending, each with the name of an item of it."""
    wanted = select(instances).where(instances.c.collection == int(Collection.CATALOG)).order_by(instances.c.id)
    themes: dict[str, str] = {}
    for row in connection.execute(wanted).all():
        themes = _of_catalog(connection, records.from_row(row)) | themes
    return dict(sorted(themes.items())[:MOST_THEMES])


def names(connection: Connection, items: Iterable[str]) -> dict[str, str]:
    """What the catalogs call these items; of one that none knows there is nothing."""
    wanted = select(instances.c.name).where(instances.c.collection == int(Collection.CATALOG)).order_by(instances.c.id)
    catalogs = connection.scalars(wanted).all()
    found: dict[str, str] = {}
    for item in items:
        bodies = (records.body(connection, one, item.encode()) for one in catalogs)
        body = next((one for one in bodies if one is not None), None)
        if body is not None:
            found[item] = schema.decode(CatalogItem, body).name
    return found


def _of_catalog(connection: Connection, catalog: Instance) -> dict[str, str]:
    place = (catalog.wrapped.hex(), catalog.id, catalog.seq)
    if place not in _found:
        while len(_found) >= _KEPT:
            _found.pop(next(iter(_found)), None)
        _found[place] = _read(connection, catalog)
    return _found[place]


def _read(connection: Connection, catalog: Instance) -> dict[str, str]:
    keys = records.keys_of(connection, catalog)
    wanted = (
        select(record_rows)
        .where(record_rows.c.instance == catalog.id, record_rows.c.body.is_not(None))
        .order_by(record_rows.c.key)
        .limit(MOST_ITEMS)
    )
    themes: dict[str, str] = {}
    for row in connection.execute(wanted):
        body = keys.open(row.key, row.seq, row.body)
        try:
            item = schema.decode(CatalogItem, body or b"")
        except WireError:
            continue  # written by a later version
        themes = dict.fromkeys(item.themes, item.name) | themes
    return themes
