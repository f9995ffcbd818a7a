"""Catalogs and models that many stores share: published whole, told to all their stores, and kept in right trees."""

import json
import secrets
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from hq import collections, custody, nodes, records, tree_check
from hq.custody import Purpose
from hq.database import reading, writing
from hq.errors import Refused
from hq.tables import nodes as node_rows
from hq.tables import outbox
from tests.fakes.store import FakeStore
from tests.hq.headquarters import STORE, Headquarters
from wire import schema, tree
from wire.catalog import CatalogGroup, CatalogItem
from wire.sync import Collection, Records

CATALOG = "catalog/main"


def line(item: str, **more: object) -> bytes:
    """A line of a catalog."""
    return json.dumps({"id": item, "name": f"Item {item}", **more}).encode()


def store(hq: Headquarters, name: str = STORE) -> FakeStore:
    """A store's box, up and filled."""
    identity = hq.identity
    if name != STORE:
        identity = Ed25519PrivateKey.generate()
        shared = {Collection.CATALOG: ["main"], Collection.AFFINITY: ["main"]}
        hq.office.add_store(name, name, identity.public_key().public_bytes_raw(), "main", hq.now_ms, shared)
        hq.tick()
    found = FakeStore(name, identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    found.come_up(hq.answers)
    found.fill(hq.answers)
    return found


def publish(hq: Headquarters, *lines: bytes) -> int:
    """The catalog says just this."""
    bodies = collections.catalog_lines(lines)
    return collections.publish(hq.engine, Collection.CATALOG, "main", bodies, hq.now_ms)


def told(hq: Headquarters, name: str) -> list[tuple[str, bytes, bool]]:
    """(instance, key, whether it lives) of what waits for a store."""
    with reading(hq.engine) as connection:
        rows = connection.execute(select(outbox).where(outbox.c.store == name).order_by(outbox.c.id)).all()
        seal = custody.of(connection).to_open(connection, Purpose.OUTBOX) if rows else None
        waiting = [records.posted(seal, row) for row in rows if seal is not None]
    return [
        (part.instance, record.key, record.body is not None)
        for message in waiting
        for part in schema.decode(Records, message).parts
        for record in part.records
    ]


def test_a_catalog_reaches_all_its_stores_and_only_what_differs_is_sent(hq: Headquarters) -> None:
    """Added, changed and taken out; a store without that catalog hears nothing of it."""
    first, second = store(hq, "munich-1"), store(hq, "munich-2")
    other = store(hq)
    assert publish(hq, line("1", path=["Shoes", "Trail"], themes=["alps"], flags=["new"]), line("2")) == 2
    assert publish(hq, line("1", path=["Shoes", "Trail"], themes=["alps"], flags=["new"]), line("3")) == 2
    assert publish(hq, line("1", path=["Shoes", "Trail"], themes=["alps"], flags=["new"]), line("3")) == 0
    expected = [(CATALOG, b"1", True), (CATALOG, b"2", True), (CATALOG, b"2", False), (CATALOG, b"3", True)]
    assert told(hq, first.store) == told(hq, second.store) == expected
    assert told(hq, other.store) == []
    first.say(hq.answers, first.hello())
    first.fill(hq.answers)
    assert first.agrees()
    live = {key: one.body for key, one in first.rows[CATALOG].items() if one.body is not None}
    assert live.keys() == {b"1", b"3"}
    assert schema.decode(CatalogItem, live[b"1"] or b"").path == ("Shoes", "Trail")
    assert CATALOG not in other.rows
    assert list(tree_check.broken(hq.engine)) == []


def test_a_store_may_be_given_a_catalog_later(hq: Headquarters) -> None:
    """Its next hello brings the digest key, and it fills."""
    publish(hq, line("1"))
    box = store(hq)
    with writing(hq.engine) as connection:
        collections.give(connection, STORE, Collection.CATALOG, "main")
        collections.give(connection, STORE, Collection.CATALOG, "main")
    for _ in range(2):
        box.say(hq.answers, box.hello())
    box.fill(hq.answers)
    assert box.rows[CATALOG].keys() == {b"1"}


def test_a_model_is_a_folder_of_parts(hq: Headquarters, tmp_path: Path) -> None:
    """Each file a record of opaque bytes, up to 48 KiB."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "pairs-1").write_bytes(secrets.token_bytes(48 * 1024))
    (folder / "pairs-2").write_bytes(b"")
    bodies = collections.affinity_files(folder)
    assert collections.publish(hq.engine, Collection.AFFINITY, "main", bodies, hq.now_ms) == 2
    box = store(hq, "munich-1")
    assert {key: one.body for key, one in box.rows["affinity/main"].items()} == bodies
    (folder / "pairs-3").write_bytes(bytes(48 * 1024 + 1))
    with pytest.raises(Refused):
        collections.affinity_files(folder)


@pytest.mark.parametrize(
    "lines",
    [
        [b"{"], [b"[]"], [b"7"], [b'{"id": "1"}'], [line("1"), line("1")], [line("")], [line("x" * 65)],
        [line("1", path="Shoes")], [line("1", path=[1])], [line("1", colour="red")], [line("1", picture=None)],
        [b'{"id": 1, "name": "x"}'], [line("1", zone="")], [line("1", zone=7)],
        [b'{"category": "Wine", "flags": [], "zone": 7}'], [b'{"theme": "feast", "flags": [], "zone": "cellar"}'],
    ],
)  # fmt: skip
def test_a_catalog_that_is_malformed_anywhere_is_refused_whole(lines: list[bytes]) -> None:
    """The line is named, and nothing is published."""
    with pytest.raises(Refused, match="line"):
        collections.catalog_lines([line("2"), *lines])


@pytest.mark.parametrize("name", ["\ud800", "a\0", "", "a" * 65], ids=["surrogate", "nul", "empty", "long"])
@pytest.mark.parametrize("word", ["id", "category", "theme"])
def test_what_nobody_could_ask_for_is_no_key(name: str, word: str) -> None:
    """No item, category or theme goes by it: no store could show it, and no system could take it out again."""
    told = {"id": name, "name": "Boots"} if word == "id" else {word: name, "flags": []}
    with pytest.raises(Refused):
        collections.line_of(told, "line 1")


def test_a_line_says_where_an_item_or_a_category_stands() -> None:
    """By the id of a zone; who says nothing of it says what they said before it could be said."""
    lines = [line("1", zone="shoes"), line("2"), b'{"category": "Wine", "flags": [], "zone": "cellar"}']
    shoes, plain, wine = collections.catalog_lines(lines).values()
    assert [schema.decode(CatalogItem, one).zone for one in (shoes, plain)] == ["shoes", None]
    assert schema.decode(CatalogGroup, wine).zone == "cellar"
    assert plain == schema.encode(CatalogItem("Item 2", (), (), (), "", ""))


def test_a_node_that_was_changed_outside_is_found(hq: Headquarters) -> None:
    """`tree verify` names the instance."""
    hq.join_many(3)
    assert list(tree_check.broken(hq.engine)) == []
    with writing(hq.engine) as connection:
        connection.execute(update(node_rows).where(node_rows.c.place >= 256).values(live=7))
    assert f"members/{STORE}" in list(tree_check.broken(hq.engine))


def test_children_are_what_a_sum_over_the_rows_gives(hq: Headquarters) -> None:
    """Of the root and of each of its nodes, after changes and withdrawals."""
    hq.join_many(60)
    for number in range(0, 60, 3):
        hq.office.withdraw(f"m-{number}", hq.now_ms)
    assert list(tree_check.broken(hq.engine)) == []
    members = hq.instances()[f"members/{STORE}"]
    with reading(hq.engine) as connection:
        top = nodes.children(connection, members.id, b"")
        total = sum(one.count for one in top)
        below = [one for child in top for one in nodes.children(connection, members.id, bytes([child.byte]))]
    assert total == sum(one.count for one in below) == members.node.count == 40


@given(st.lists(st.tuples(st.binary(min_size=8, max_size=8), st.integers(0, 2**128 - 1)), max_size=30))
def test_a_shift_is_the_sum_of_what_comes_and_goes(changes: list[tuple[bytes, int]]) -> None:
    """All that came and went again leaves nothing, in every node."""
    shift = nodes.Shift()
    for path, digest in changes:
        shift.plus(path, digest)
    total = sum(digest for _, digest in changes) % 2**128
    assert shift.root == tree.Node(total, len(changes))
    for path, digest in changes:
        shift.minus(path, digest)
    assert shift.root == tree.Node()
    assert all(change == [0, 0] for change in shift.changes.values())
