"""Everything that is held can be proved again, some rows at a time, and what was changed behind our back is found."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store_gateway.errors import CacheError, CacheReason
from store_gateway.proof import ROWS, Proof
from store_gateway.replica import Replica
from tests.fakes.hq import STORE, FakeHQ, Line, a_main_policy, a_member, a_store_policy
from wire import query, tree
from wire.query import DarkReason
from wire.tree import Node

MEMBERS = f"members/{STORE}"


@pytest.fixture
def line(tmp_path: Path) -> Line:
    """A live store of 300 members, five of whom left."""
    hq = FakeHQ()
    hq.policy(a_main_policy(), a_store_policy())
    for number in range(300):
        hq.member(number.to_bytes(16, "little"), a_member())
    found = Line(Replica(STORE, tmp_path / "cache", hq.box(), "test/1"), hq)
    found.up()
    for number in range(5):
        found.tell(hq.member(number.to_bytes(16, "little"), None))
    return found


def proved(line: Line) -> Proof:
    """The whole proof, in as many steps as it takes."""
    vault = line.replica._hq.vault
    assert vault is not None
    proof = Proof()
    proof.hurry(vault.holdings)
    while proof.hurried:
        proof.step(vault.holdings)
    return proof


def test_what_is_sound_is_proved_to_the_last_row(line: Line) -> None:
    """Live rows and tombstones of all instances; some rows a step."""
    proof = proved(line)
    assert proof.done == 1
    assert proof.rows == 300 + 2
    assert ROWS < 300


def test_an_operator_has_it_done_at_once_and_otherwise_it_is_done_slowly(line: Line) -> None:
    """By `check`, in the slices that nobody waits for; by itself a step each tenth of a second, then daily."""
    line.run(20)
    counters = line.replica.counters()
    assert (counters["checks"], counters["checked_rows"]) == (1, 302)
    line.run(3600, step_s=60)
    assert line.replica.counters()["checks"] == 1
    assert line.replica.upkeep(query.Task.CHECK, line.now_s)
    line.run()
    assert line.replica.counters()["checks"] == 2


CHANGES: list[tuple[str, str]] = [
    ("a digest", "update records set digest = x'00000000000000000000000000000001' where rowid_of = 1"),
    ("a row that is gone", "delete from records where rowid_of = 1"),
    ("a seq", "update records set seq = seq + 1 where rowid_of = 1"),
    ("a body", "update records set sealed = zeroblob(length(sealed)) where rowid_of = 1"),
    ("a row of another place", "update records set path = x'ffffffffffffffff' where rowid_of = 1"),
    ("a tombstone made of a row", "update records set sealed = null where rowid_of = 1"),
    ("a node", "update nodes set count = count + 1 where depth = 2 and instance = :instance"),
    ("an upper node", "update nodes set digest = zeroblob(16) where depth = 1 and instance = :instance"),
    ("a node that is gone", "delete from nodes where depth = 2 and instance = :instance"),
]


@pytest.mark.parametrize("change", [sql for _, sql in CHANGES], ids=[what for what, _ in CHANGES])
def test_whatever_was_changed_in_the_file_is_found(line: Line, change: str) -> None:
    """A row that was edited, cut, swapped or put back, and a node that is not the sum of its rows."""
    vault = line.replica._hq.vault
    assert vault is not None
    held = vault.holdings.instances[MEMBERS]
    (path, column) = vault.holdings.cache._connection.execute(
        "select path, key_column from records where instance = ? and sealed is not null limit 1 offset 150", (held.id,)
    ).fetchone()
    statement = change.replace("rowid_of = 1", "instance = :instance and path = :path and key_column = :column")
    values = {"instance": held.id, "path": path, "column": column}
    assert vault.holdings.cache._connection.execute(statement, values).rowcount
    with pytest.raises(CacheError) as caught:
        proved(line)
    assert caught.value.reason is CacheReason.CORRUPT


def test_a_cache_that_is_not_sound_makes_the_store_dark(line: Line) -> None:
    """With the reason, and it stays so: an operator has to look."""
    vault = line.replica._hq.vault
    assert vault is not None
    vault.holdings.cache._connection.execute("update nodes set count = count + 1 where depth = 2")
    line.run(20)
    assert line.replica.lease(line.now_s).reason is DarkReason.DISK
    line.run(60)
    assert line.replica.failed()


ACTION = st.sampled_from(["grant", "withdraw", "lost", "late", "time", "restart"])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(ACTION, st.integers(0, 30)), max_size=25))
def test_the_tree_equals_one_computed_from_the_rows(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[str, int]]
) -> None:
    """After any history of records, losses, late records, fills and restarts; and everything can be proved."""
    hq = FakeHQ(range_records=4, span_records=3)
    hq.policy(a_main_policy(), a_store_policy())
    file = tmp_path_factory.mktemp("tree") / "cache"
    line, late = Line(Replica(STORE, file, hq.box(), "test/1"), hq), []
    line.up()
    for action, number in history:
        key = number.to_bytes(16, "little")
        match action:
            case "grant" | "withdraw":
                line.tell(hq.member(key, a_member() if action == "grant" else None))
            case "lost":
                late.append(hq.member(key, a_member()))
            case "late":
                for records in late:
                    line.tell(records)
            case "time":
                line.run(20)
            case "restart":
                line.replica.close()
                line = Line(Replica(STORE, file, hq.box(), "test/1"), hq, line.now_s + 1)
                line.up()
    vault = line.replica._hq.vault
    assert vault is not None
    proved(line)
    for held in vault.holdings.instances.values():
        sums: dict[bytes, Node] = {}
        for path, _, _, digest in vault.holdings.cache.heads(held.id, b"", b""):
            for depth in range(tree.MAX_PREFIX_BYTES + 1):
                if digest:
                    before = sums.get(path[:depth], Node())
                    sums[path[:depth]] = before.plus(int.from_bytes(digest, "little"))
        assert held.node == sums.pop(b"", Node())
        kept = vault.holdings.cache.nodes(held.id, 1, b"\x00", b"\xff")
        assert kept | vault.holdings.cache.nodes(held.id, 2, b"", b"\xff\xff") == sums
    line.replica.close()


def test_a_locked_box_proves_nothing(tmp_path: Path) -> None:
    """It cannot open a row; the operator is told that it is locked."""
    hq = FakeHQ()
    replica = Replica(STORE, tmp_path / "cache", hq.box(), "test/1")
    assert not replica.upkeep(query.Task.CHECK, 0.0)
    replica.close()
