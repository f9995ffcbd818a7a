"""Takes items of a catalog, flags of its categories and themes, and associates of stores from other systems.

    {"id": "b-12", "name": "Boots", "path": ["shoes"], "themes": [], "flags": [], "picture": "", "page": ""}
    {"id": "b-12", "gone": true}
    {"category": "wine", "flags": ["adult", "only_if_bought"]}
    {"theme": "baby", "gone": true}
    {"associate": "nina", "store": "berlin-1", "name": "Nina", "role": "associate", "active": true}

A PIN is set in the store, by a manager's code: no other system knows one.

I/O: sqlalchemy.
"""

from sqlalchemy import Engine, select

from hq import collections, records
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.office import Office
from hq.systems import System
from hq.systems_intake import Reach, Taken, problem
from hq.systems_line import Line, Row
from hq.tables import instances as instance_rows
from hq.tables import staff, store_instances, stores
from wire.catalog import group_key
from wire.sync import Collection, instance, is_store


def check_catalog(engine: Engine, system: System, name: str) -> None:
    """Passes a catalog that no store out of the system's reach has.

    Raises:
        Refused: no name of a catalog, or another's.
    """
    if not is_store(name):
        raise Refused(Reason.MALFORMED, "catalog", "lower-case letters, digits and hyphens, at most 40")
    with reading(engine) as connection:
        title = instance(Collection.CATALOG, name)
        wanted = (
            select(stores.c.id, stores.c.policy)
            .join(store_instances, store_instances.c.store == stores.c.id)
            .join(instance_rows, instance_rows.c.id == store_instances.c.instance)
            .where(instance_rows.c.name == title)
        )
        having = connection.execute(wanted).all()
    if not system.is_everywhere and not (having and all(system.reaches(row.id, row.policy) for row in having)):
        raise Refused(Reason.FORBIDDEN, "catalog", "a catalog of stores that this system was given, and of no other")


def take_items(engine: Engine, name: str, batch: list[Line], now_ms: int) -> Taken:
    """Adds, changes and takes out items, and flags of categories and themes; one transaction.

    Raises: DatabaseUnavailable.
    """
    title = instance(Collection.CATALOG, name)
    refused = []
    bodies: dict[bytes, bytes | None] = {}
    for line in batch:
        try:
            if line.said.get("gone") is True:
                bodies[_gone(line)] = None
            else:
                bodies.update([collections.line_of(line.said, "")])
        except Refused as error:
            refused.append(problem(line, error))
    with writing(engine) as connection:
        records.make_instance(connection, Collection.CATALOG, name)
        commit = records.begin(connection, [title])
        for key, body in bodies.items():
            commit.put(title, key, body)
        return Taken(commit.write(now_ms), refused)


def _gone(line: Line) -> bytes:
    """The key of what is to be taken out. Raises: Refused."""
    group = collections.group_of(line.said)
    word = "id" if group is None else group.value
    name = Row(line.said, f"{word} gone").text(word, most_bytes=64)
    return collections.key_of(name, "id") if group is None else group_key(group, collections.group_name(name, word))


def take_staff(office: Office, system: System, batch: list[Line], now_ms: int) -> Taken:
    """Adds, changes and deactivates associates, each in a transaction. Raises: DatabaseUnavailable."""
    refused, new = [], 0
    with reading(office.engine) as connection:
        reach = Reach(connection, system)
    for line in batch:
        try:
            row = Row(line.said, "associate store name role active")
            associate, store = row.text("associate", most_bytes=64), row.text("store", most_bytes=40)
            reach.check_store(store, "store")
            before = _written(office.engine, store)
            if row.flag("active", missing=True):
                name, role = row.text("name", most_bytes=64), row.text("role", most_bytes=64)
                office.add_staff(associate, store, name, role, None, now_ms)
            elif not _is_gone(office.engine, associate, store):
                office.deactivate_staff(associate, store, now_ms)
            new += _written(office.engine, store) != before
        except Refused as error:
            refused.append(problem(line, error))
    return Taken(new, refused)


def _written(engine: Engine, store: str) -> int:
    """How often the staff of a store was written."""
    wanted = select(instance_rows.c.n).where(instance_rows.c.name == instance(Collection.STAFF, store))
    with reading(engine) as connection:
        return connection.scalar(wanted) or 0


def _is_gone(engine: Engine, associate: str, store: str) -> bool:
    wanted = select(staff.c.active).where(staff.c.store == store, staff.c.id == associate)
    with reading(engine) as connection:
        return connection.scalar(wanted) is False
