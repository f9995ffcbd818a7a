"""Makes the suggestions of a store as the store makes them, for the mirror: the same code on the same tables.

What a store remembers of earlier suggestions is the store's own and not known here: what it has passed over or declined
there may still stand in the mirror.

I/O: sqlalchemy.
"""

from sqlalchemy import Connection, select

from consent import offered
from consent.offered import NOTHING_OFFERED, Around, Offered
from consent.suggest.model import Model
from consent.suggest.shelf import Shelf, ShelfMaker
from consent.visit import NOTHING_DENIED, Visit
from hq import catalogs, records
from hq.records import Instance
from hq.tables import instances
from hq.tables import records as record_rows
from wire import affinity, schema
from wire.catalog import CatalogItem, inherited, is_group_key
from wire.errors import WireError
from wire.member import Member
from wire.policy import Policy
from wire.sync import Collection

_KEPT = 8
_Place = tuple[tuple[str, int, int], ...]  # of what was read: what changed is read again
_shelves: dict[_Place, tuple[Shelf, dict[str, str]]] = {}
_models: dict[_Place, Model | None] = {}


def around(connection: Connection, store: str) -> Around:
    """What this store suggests from, beside its members' records and what it remembers of them."""
    shared = records.of_store(connection, store)
    sold = [one for one in shared if one.collection is Collection.CATALOG]
    tables = [one for one in shared if one.collection is Collection.AFFINITY]
    place, model_place = _place(sold), _place(tables)
    if place not in _shelves:
        _make_room(_shelves)
        _shelves[place] = _read(connection, store, sold)
    _forget_models(connection)
    model = _models.get(model_place)
    if model is None and tables:
        _make_room(_models)
        model = _models[model_place] = _model(connection, tables)
    shelf, names = _shelves[place]
    return Around(shelf=shelf, name=names.get, model=model)


def offers(member: Member, role: str, visit: Visit, policy: Policy, now_s: int, of: Around) -> Offered:
    """What is suggested to this member on a card for this role."""
    scopes = offered.sources(member, NOTHING_DENIED, role, visit, policy, now_s)
    entries = (
        () if scopes is None else offered.make(member, NOTHING_DENIED, role, visit, policy, now_s, of, scopes)
    )  # fmt: skip
    guard = offered.guard(member, NOTHING_DENIED, role, visit, policy, now_s, of, scopes or frozenset())
    return Offered(entries, NOTHING_OFFERED.answers, lambda item: guard.harmless(item).is_free)


def _place(listed: list[Instance]) -> _Place:
    return tuple((one.wrapped.hex(), one.id, one.seq) for one in listed)


def _forget_models(connection: Connection) -> None:
    """Of tables that were taken out or made anew nothing is kept: who withdrew may be in them."""
    wanted = select(instances).where(instances.c.collection == int(Collection.AFFINITY))
    current = set(_place([records.from_row(row) for row in connection.execute(wanted)]))
    for place in [one for one in _models if not current.issuperset(one)]:
        _models.pop(place, None)


def _make_room(kept: dict[_Place, tuple[Shelf, dict[str, str]]] | dict[_Place, Model | None]) -> None:
    while len(kept) >= _KEPT:
        kept.pop(next(iter(kept)), None)


def _read(connection: Connection, store: str, sold: list[Instance]) -> tuple[Shelf, dict[str, str]]:
    group_of = catalogs.of_store(connection, store).group_of
    maker, names = ShelfMaker(), dict[str, str]()
    for catalog in sold:
        keys = records.keys_of(connection, catalog)
        wanted = select(record_rows).where(record_rows.c.instance == catalog.id, record_rows.c.body.is_not(None))
        for row in connection.execute(wanted):
            if is_group_key(row.key):
                continue
            try:
                item, told = row.key.decode(), schema.decode(CatalogItem, keys.open(row.key, row.seq, row.body) or b"")
            except (WireError, UnicodeDecodeError):
                continue  # written by a later version
            whole = inherited(told, group_of)
            maker.put(item, whole.path, whole.themes, whole.flags, whole.zone)
            names.setdefault(item, whole.name)
    return maker.made(), names


def _model(connection: Connection, tables: list[Instance]) -> Model | None:
    def part(name: str) -> bytes | None:
        bodies = (records.body(connection, one.name, name.encode()) for one in tables)
        return next((body for body in bodies if body is not None), None)

    try:
        told = affinity.decode(part)
        return None if told is None else Model.of(told)
    except WireError:
        return None  # the parts of a publication that has not ended, or tables of a later program
