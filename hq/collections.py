"""Publishes the shared collections `catalog` and `affinity`: what a file or a folder says, and nothing else.

The records are written some hundreds at a time; published again, only what differs is written and sent.

I/O: sqlalchemy, and the lines and files that it is given.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select

from hq import records
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.tables import records as record_rows
from hq.tables import stores
from wire import schema
from wire.catalog import MAX_KEY_BYTES, CatalogGroup, CatalogItem, GroupKind, group_key
from wire.errors import WireError
from wire.sync import MAX_BODY_BYTES, Collection, instance, is_store

AT_ONCE = 500
_LISTS = ("path", "themes", "flags")
_TEXTS = ("name", "picture", "page")
_ZONE = "zone"


def catalog_lines(lines: Iterable[bytes]) -> dict[bytes, bytes]:
    """The bodies of a catalog by key, from JSON lines: items, and what is said of categories and themes.

    Raises:
        Refused: a line is none of these, or one stands twice; nothing is published then.
    """
    found: dict[bytes, bytes] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"line {number}"
        try:
            told = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Refused(Reason.MALFORMED, where, "one JSON object a line") from error
        key, body = line_of(told, where)
        if key in found:
            raise Refused(Reason.MALFORMED, where, "each item, category and theme once")
        found[key] = body
    return found


def line_of(told: Any, where: str) -> tuple[bytes, bytes]:
    """Key and body of an item, a category or a theme that somebody tells, at `where`. Raises: Refused."""
    group = group_of(told)
    if group is None:
        return _item(told, where)
    may = {_ZONE} if group is GroupKind.CATEGORY else set[str]()
    if told.keys() - may != {group.value, "flags"} or not isinstance(told["flags"], list):
        hint = f"{group.value}, and its flags (a list of texts){', perhaps zone' if may else ''}"
        raise Refused(Reason.MALFORMED, where, hint)
    name = group_name(told[group.value], where)
    try:
        return group_key(group, name), schema.encode(CatalogGroup(group, name, tuple(told["flags"]), told.get(_ZONE)))
    except WireError as error:
        raise Refused(Reason.MALFORMED, where, error.hint) from error


def group_of(told: Any) -> GroupKind | None:
    """Whether somebody tells of a category or a theme; None: neither, or of both."""
    found = [one for one in GroupKind if isinstance(told, dict) and one.value in told]
    return found[0] if len(found) == 1 and "id" not in told else None


def group_name(name: Any, where: str) -> str:
    """The name of a category or a theme, as items bear it. Raises: Refused."""
    if not isinstance(name, str) or _key(name) is None:
        raise Refused(Reason.MALFORMED, where, f"a name of 1 to {MAX_KEY_BYTES} bytes")
    return name


def _item(told: Any, where: str) -> tuple[bytes, bytes]:
    expected = "id, name, and where known path, themes, flags (lists of texts), picture, page, zone"
    if not isinstance(told, dict) or not {"id", "name"} <= told.keys() <= {"id", *_LISTS, *_TEXTS, _ZONE}:
        raise Refused(Reason.MALFORMED, where, expected)
    lists = [told.get(name, []) for name in _LISTS]
    if not isinstance(told["id"], str) or not all(isinstance(one, list) for one in lists):
        raise Refused(Reason.MALFORMED, where, expected)
    path, themes, flags = map(tuple, lists)
    name, picture, page = (told.get(one, "") for one in _TEXTS)
    try:
        body = schema.encode(CatalogItem(name, path, themes, flags, picture, page, told.get(_ZONE)))
    except WireError as error:
        raise Refused(Reason.MALFORMED, where, error.hint) from error
    return key_of(told["id"], where), body


def affinity_files(folder: Path) -> dict[bytes, bytes]:
    """The parts of a model by the names of their files. Raises: Refused."""
    try:
        files = sorted(one for one in folder.iterdir() if one.is_file())
        found = {key_of(one.name, one.name): one.read_bytes() for one in files}
    except OSError as error:
        raise Refused(Reason.MALFORMED, folder.name, "a folder of files that can be read") from error
    for key, body in found.items():
        if len(body) > MAX_BODY_BYTES:
            raise Refused(Reason.TOO_LARGE, key.decode(), f"at most {MAX_BODY_BYTES} bytes a part")
    return found


def key_of(name: str, where: str) -> bytes:
    """The key of an item or a part by its name. Raises: Refused."""
    key = _key(name)
    if key is None:
        raise Refused(Reason.MALFORMED, where, f"an id of 1 to {MAX_KEY_BYTES} bytes")
    return key


def _key(name: str) -> bytes | None:
    """None: too long or empty, with a NUL, or no text of UTF-8: nobody could ask for it, nor take it out again."""
    try:
        key = name.encode()
    except UnicodeEncodeError:
        return None
    return key if 1 <= len(key) <= MAX_KEY_BYTES and b"\0" not in key else None


def publish(
    engine: Engine,
    collection: Collection,
    name: str,
    bodies: Mapping[bytes, bytes],
    now_ms: int,
    progress: Callable[[int], None] = lambda count: None,
) -> int:
    """Makes the instance say just this; returns how many records changed. `progress` is told of each batch.

    Raises:
        Refused: not the name of an instance. DatabaseUnavailable: the batches before are in; publish again.
    """
    if not is_store(name):
        raise Refused(Reason.MALFORMED, "name", "lower-case letters, digits and hyphens, at most 40")
    title = instance(collection, name)
    with writing(engine) as connection:
        found = records.make_instance(connection, collection, name)
    with reading(engine) as connection:
        held = select(record_rows.c.key).where(record_rows.c.instance == found, record_rows.c.digest.is_not(None))
        gone = set(connection.scalars(held)) - bodies.keys()
    changed = 0
    for batch in _batches([*((key, None) for key in sorted(gone)), *sorted(bodies.items())]):
        with writing(engine) as connection:
            commit = records.begin(connection, [title])
            for key, body in batch:
                commit.put(title, key, body)
            changed += commit.write(now_ms)
        progress(len(batch))
    return changed


def _batches(listed: list[tuple[bytes, bytes | None]]) -> Iterator[list[tuple[bytes, bytes | None]]]:
    batch: list[tuple[bytes, bytes | None]] = []
    size_bytes = 0
    for key, body in listed:
        if batch and (len(batch) >= AT_ONCE or size_bytes > 4 * 2**20):
            yield batch
            batch, size_bytes = [], 0
        batch.append((key, body))
        size_bytes += len(body or b"")
    if batch:
        yield batch


def give(connection: Connection, store: str, collection: Collection, name: str) -> None:
    """Has a store replicate a catalog or a model by its name; one that is not published yet is empty.

    Raises:
        Refused: no such store, or not the name of an instance.
    """
    if not is_store(name):
        raise Refused(Reason.MALFORMED, collection.name.lower(), "lower-case letters, digits and hyphens, at most 40")
    if connection.scalar(select(stores.c.id).where(stores.c.id == store)) is None:
        raise Refused(Reason.UNKNOWN_STORE, "store", "the id of a store")
    records.give(connection, store, records.make_instance(connection, collection, name))
