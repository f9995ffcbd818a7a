"""The one file: what is kept, what is not, and who may open it."""

import secrets
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from sqlite_utils import Database

from store_gateway.cache import Cache
from store_gateway.cache_keys import BucketRow
from store_gateway.cache_schema import Row
from store_gateway.errors import CacheError, CacheReason
from wire.tree import Node

COLUMNS = [bytes([n]) * 16 for n in range(4)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the cache is."""
    return tmp_path / "cache.sqlite3"


def opened(file: Path) -> Cache:
    """The cache in a file."""
    return Cache(file, secrets.token_bytes)


def a_row(n: int, seq: int, path: bytes | None = None, live: bool = True) -> Row:
    """A record's row."""
    return Row(COLUMNS[n], path or bytes([n]) * 8, seq, bytes([seq]) * 16 if live else b"", b"sealed" if live else None)


def test_a_new_file_is_private_and_durable(file: Path) -> None:
    """0600, WAL, full synchronous, secure delete, and no plugin of sqlite-utils runs."""
    cache = opened(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    asked = {
        pragma: cache._connection.execute(f"PRAGMA {pragma}").fetchone()[0]
        for pragma in ("journal_mode", "synchronous", "secure_delete", "locking_mode")
    }
    assert asked == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "locking_mode": "exclusive"}
    cache.close()


def test_each_file_has_its_own_incarnation_for_ever(tmp_path: Path) -> None:
    """It is what HQ knows the cache by."""
    one, other = opened(tmp_path / "a"), opened(tmp_path / "b")
    assert one.header.incarnation != other.header.incarnation
    one.close()
    again = opened(tmp_path / "a")
    assert again.header.incarnation == one.header.incarnation
    again.close()
    other.close()


def test_a_second_process_does_not_get_the_file(file: Path) -> None:
    """One process, one connection: it is told so and the first is not disturbed."""
    cache = opened(file)
    with pytest.raises(CacheError) as caught:
        opened(file)
    assert caught.value.reason is CacheReason.IN_USE
    cache.put_header(replace(cache.header, last_event=1))
    cache.close()


def test_a_transaction_is_whole_or_nothing(file: Path) -> None:
    """The header in memory says what the file says, also after a failure in the middle."""
    cache = opened(file)
    row = cache.add_instance("members/a", b"key")
    with pytest.raises(RuntimeError), cache.transaction():
        cache.put_rows(row.id, [a_row(0, 1)])
        cache.put_header(replace(cache.header, last_event=9))
        raise RuntimeError
    assert cache.row(row.id, bytes(8), COLUMNS[0]) is None
    assert cache.header.last_event == 0
    with cache.transaction():
        cache.put_rows(row.id, [a_row(0, 1)])
        cache.put_header(replace(cache.header, last_event=9))
    cache.close()
    again = opened(file)
    assert again.row(row.id, bytes(8), COLUMNS[0]) == a_row(0, 1)
    assert again.header.last_event == 9
    again.close()


def test_rows_are_found_by_place_by_span_and_in_slices(file: Path) -> None:
    """A later row takes the place of an earlier one; tombstones are no part of a walk."""
    cache = opened(file)
    one, other = cache.add_instance("members/a", b"k"), cache.add_instance("members/b", b"k")
    cache.put_rows(one.id, [a_row(0, 1, b"\x05" + bytes(7)), a_row(1, 2, b"\x05\x07" + b"\xff" * 6)])
    cache.put_rows(one.id, [a_row(2, 3, b"\x06" + bytes(7)), a_row(3, 4, b"\xff" * 8, live=False)])
    cache.put_rows(other.id, [a_row(0, 9)])
    cache.put_rows(one.id, [a_row(0, 8, b"\x05" + bytes(7))])
    assert [seq for _, _, seq, _ in cache.heads(one.id, b"\x05", b"\x05")] == [8, 2]
    assert [seq for _, _, seq, _ in cache.heads(one.id, b"\x05\x07", b"\x06\x00")] == [2, 3]
    assert len(cache.heads(one.id, b"", b"")) == 4
    assert cache.head(one.id, b"\x05" + bytes(7), COLUMNS[0]) == (8, bytes([8]) * 16)
    assert [row.seq for rows in cache.slices(one.id) for row in rows] == [8, 2, 3]
    assert [row.seq for row in cache.after(one.id, b"\x05" + bytes(7), COLUMNS[0], 9, 1)] == [2]
    cache.erase_rows(one.id, [(b"\x05\x07" + b"\xff" * 6, COLUMNS[1])])
    assert len(cache.heads(one.id, b"", b"")) == 3
    cache.close()


def test_a_dropped_instance_is_gone_at_once_and_erased_in_slices(file: Path) -> None:
    """Its keys go with its name; another of the same name may begin meanwhile, and the others keep theirs."""
    cache = opened(file)
    one, other = cache.add_instance("members/a", b"k"), cache.add_instance("members/b", b"k")
    cache.put_rows(one.id, [a_row(n, 1) for n in range(4)])
    cache.add_to_nodes(one.id, 1, {b"\x01": (3, 1)})
    cache.add_to_nodes(one.id, 2, {b"\x01\x02": (3, 1)})
    cache.raise_floor(one.id, b"", 7)
    cache.raise_floor(one.id, b"\x01", 7)
    cache.put_bucket(BucketRow(one.id, 0, 1, 1, b"wrapped", None))
    cache.put_rows(other.id, [a_row(0, 9)])
    cache.drop_instance(one.id)
    assert [row.name for row in cache.instances()] == ["members/b"]
    assert cache.bucket(one.id, 0) is None
    again = cache.add_instance("members/a", b"k")
    assert again.id not in (one.id, other.id)
    slices = 0
    while cache.sweep(2):
        slices += 1
    assert slices > 4
    for table in ("records", "nodes", "floors", "buckets", "instances"):
        column = "id" if table == "instances" else "instance"
        left = cache._connection.execute(f"select count(*) from {table} where {column} = ?", (one.id,))
        assert left.fetchone() == (0,)
    assert cache.row(other.id, bytes(8), COLUMNS[0]) is not None
    cache.close()


def test_a_walk_goes_on_while_rows_are_written(file: Path) -> None:
    """Slices hold no cursor open, so that a table can be built while records arrive."""
    cache = opened(file)
    held = cache.add_instance("members/a", b"k")
    cache.put_rows(held.id, [Row(n.to_bytes(16, "big"), bytes(8), 1, bytes(16), b"s") for n in range(1200)])
    seen = 0
    for rows in cache.slices(held.id):
        seen += len(rows)
        with cache.transaction():
            cache.erase_rows(held.id, [(bytes(8), rows[0].key_column)])
    assert seen == 1200
    cache.close()


def test_nodes_are_kept_by_depth_and_an_empty_one_goes(file: Path) -> None:
    """Sums are modulo 2^128; what cannot be a sum of rows is said to be corrupt."""
    cache = opened(file)
    held = cache.add_instance("members/a", b"k")
    cache.add_to_nodes(held.id, 1, {b"\x01": (2**128 - 1, 3)})
    cache.add_to_nodes(held.id, 2, {b"\x01\x00": (4, 1), b"\x01\xff": (2**128 - 5, 2), b"\xf0\x00": (9, 1)})
    cache.add_to_nodes(held.id, 1, {b"\x01": (3, 1)})
    assert cache.nodes(held.id, 1, b"\x00", b"\xff") == {b"\x01": Node(2, 4)}
    cache.add_to_nodes(held.id, 2, {b"\x01\x00": (-4, -1), b"\xf0\x00": (1, 1), b"\x33\x00": (0, 0)})
    assert cache.nodes(held.id, 2, b"", b"\xff\xff") == {b"\x01\xff": Node(2**128 - 5, 2), b"\xf0\x00": Node(10, 2)}
    assert cache.nodes(held.id, 2, b"\x02\x00", b"\xf0\x00") == {b"\xf0\x00": Node(10, 2)}
    for wrong in ((1, -4), (0, -5)):
        with pytest.raises(CacheError) as caught:
            cache.add_to_nodes(held.id, 1, {b"\x01": wrong})
        assert caught.value.reason is CacheReason.CORRUPT
    cache.close()


def test_a_kept_floor_never_sinks(file: Path) -> None:
    """Raised again by an older range it stays; settling takes what is not above the whole instance's."""
    cache = opened(file)
    held = cache.add_instance("members/a", b"k")
    for prefix, as_of in ((b"\x01", 5), (b"\x01", 3), (b"\x02", 9)):
        cache.raise_floor(held.id, prefix, as_of)
    assert sorted(cache.floors(held.id)) == [(b"\x01", 5), (b"\x02", 9)]
    cache.settle(held.id, 6)
    assert cache.sweep(9)
    assert cache.floors(held.id) == [(b"\x02", 9)]
    assert not cache.sweep(9)
    cache.close()


def test_settling_takes_tombstones_up_to_there(file: Path) -> None:
    """Later ones stay, and so do all live rows; they go some at a time."""
    cache = opened(file)
    held = cache.add_instance("members/a", b"k")
    cache.put_rows(held.id, [a_row(0, 1, live=False), a_row(1, 5, live=False), a_row(2, 2), a_row(3, 3, live=False)])
    cache.settle(held.id, 4)
    assert (cache.sweep(1), cache.sweep(1), cache.sweep(1)) == (True, True, False)
    assert sorted(seq for _, _, seq, _ in cache.heads(held.id, b"", b"")) == [2, 5]
    assert cache.instances()[0].floor == 4
    cache.close()


@pytest.mark.parametrize("where", [0, 20, 100, 4096 + 3])
def test_a_corrupted_file_is_said_to_be_corrupt(file: Path, where: int) -> None:
    """Never opened as something else, never replaced by a new one."""
    cache = opened(file)
    held = cache.add_instance("members/a", b"k")
    cache.put_rows(held.id, [Row(n.to_bytes(16, "big"), bytes(8), 1, bytes(16), bytes(400)) for n in range(200)])
    cache.close()
    content = bytearray(file.read_bytes())
    content[where : where + 64] = b"\xa5" * 64
    file.write_bytes(content)
    with pytest.raises(CacheError) as caught:
        opened(file)
    assert caught.value.reason in (CacheReason.CORRUPT, CacheReason.NEWER)
    assert file.read_bytes() == bytes(content)


def test_of_a_large_file_the_records_are_not_read_before_it_serves(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything else is checked as ever; a broken page of theirs is found when it is read."""
    cache = opened(file)
    held = cache.add_instance("members/a", b"k")
    cache.put_rows(held.id, [Row(n.to_bytes(16, "big"), bytes(8), 1, bytes(16), bytes(400)) for n in range(200)])
    pages = cache._connection.execute("PRAGMA page_count").fetchone()[0]
    cache.close()
    content = bytearray(file.read_bytes())
    content[-4096:] = b"\xa5" * 4096
    file.write_bytes(content)
    monkeypatch.setattr("store_gateway.cache_schema._LARGE_BYTES", pages)
    again = opened(file)
    with pytest.raises(CacheError) as caught:
        list(again.slices(held.id))
    assert caught.value.reason is CacheReason.CORRUPT
    again.close()


def test_the_log_is_carried_over_in_slices_of_its_own(file: Path) -> None:
    """No commit has to do it for others, as long as somebody tidies."""
    cache = opened(file)
    held = cache.add_instance("members/a", b"k")
    carried = 0
    for number in range(300):
        with cache.transaction():
            cache.put_rows(held.id, [Row(number.to_bytes(16, "big"), number.to_bytes(8, "big"), 1, bytes(16), b"s")])
        carried += cache.tidy()
    assert 2 <= carried <= 6
    assert not cache.tidy()
    cache.close()


def test_a_file_of_a_later_version_is_left_alone(file: Path) -> None:
    """A step that this program does not know means another layout."""
    opened(file).close()
    db = Database(sqlite3.connect(file), execute_plugins=False)
    db["_sqlite_migrations"].insert(
        {"migration_set": "store_gateway.cache", "name": "0999_later", "applied_at": "2030"}
    )
    db.close()
    with pytest.raises(CacheError) as caught:
        opened(file)
    assert caught.value.reason is CacheReason.NEWER


def test_a_directory_that_is_not_there_is_an_io_failure(tmp_path: Path) -> None:
    """The operator is told to look at the disk."""
    with pytest.raises(CacheError) as caught:
        opened(tmp_path / "none" / "cache")
    assert caught.value.reason is CacheReason.IO


def test_a_full_disk_is_said_to_be_full_and_changes_nothing(file: Path) -> None:
    """The file holds what it held, and takes writes again when there is room."""
    cache = opened(file)
    held = cache.add_instance("members/a", b"k")
    pages = cache._connection.execute("PRAGMA page_count").fetchone()[0]
    cache._connection.execute(f"PRAGMA max_page_count={pages + 2}")
    rows = [Row(n.to_bytes(16, "big"), bytes(8), 1, bytes(16), bytes(4000)) for n in range(50)]
    with pytest.raises(CacheError) as caught, cache.transaction():
        cache.put_rows(held.id, rows)
    assert caught.value.reason is CacheReason.DISK_FULL
    assert cache.heads(held.id, b"", b"") == []
    cache._connection.execute("PRAGMA max_page_count=1000000")
    cache.put_rows(held.id, rows)
    assert len(cache.heads(held.id, b"", b"")) == 50
    cache.put_instance(held.id, Node(3, 1).root, 1, 7)
    assert cache.instances()[0].seq == 7
    cache.close()
