"""The log of disclosures, from the box's disk to HQ's database: whatever row is touched on either side is found."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import select, text

from hq import receipts
from hq.alarm_tables import alarms
from hq.database import reading, writing
from hq.log_tables import event_gaps, log_heads, log_nodes, logs
from hq.tables import incarnations, store_events
from tests.contracts.test_sync import Shop, join
from tests.hq.headquarters import STORE
from wire import merkle, sync
from wire.sync import EventKind

LOOKS = 6


@pytest.fixture
def shop(tmp_path: Path):
    """A store with one member, live, whose six looks wait on its disk."""
    opened = Shop(tmp_path)
    join(opened, "m-1", "m-2")
    opened.up()
    yield opened
    opened.close()


def settle(shop: Shop) -> None:
    """Time enough for a signed head, in a few steps."""
    shop.run(75, step_s=15)


def a_look(number: int = 0) -> sync.Disclosure:
    """What an associate saw."""
    return sync.Disclosure(
        number.to_bytes(16, "big"), "nina", "advisor", "tablet-1", ("size.shoe",), ("assist",), "grant",
        sync.ReasonCode.HELP, True, False,
    )  # fmt: skip


def look(shop: Shop, name: str = "m-1", count: int = LOOKS) -> None:
    """An associate looks at a member, so many times."""
    known_as = shop.hq.pseudonym(name)
    for number in range(count):
        shop.replica.record(shop.now_s, (EventKind.DISCLOSURE, known_as, a_look(number)))


def raised(shop: Shop) -> set[str]:
    """The alarms that are open."""
    with reading(shop.hq.engine) as connection:
        return set(connection.scalars(select(alarms.c.alarm).where(alarms.c.over_ms.is_(None))))


def first_broken(shop: Shop) -> str | None:
    """What HQ's own rows say."""
    with reading(shop.hq.engine) as connection:
        return receipts.first_broken(connection, shop.hq.keys, STORE)


def count(shop: Shop, table: object) -> int:
    """How many rows there are."""
    with reading(shop.hq.engine) as connection:
        return len(connection.execute(select(table)).all())


def reference(shop: Shop, name: str) -> bytes:
    """HQ's own reference of a member."""
    with reading(shop.hq.engine) as connection:
        return shop.hq.keys.custody.references(connection, [name])[name]


def test_looks_become_a_log_that_hq_can_prove(shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each look is a receipt of its member alone, and its proof holds for whoever has the box's public key."""
    look(shop)
    look(shop, "m-2", 3)
    settle(shop)
    with reading(shop.hq.engine) as connection:
        found = receipts.of_member(connection, shop.hq.keys, reference(shop, "m-1"))
        others = receipts.of_member(connection, shop.hq.keys, reference(shop, "m-2"))
        proofs = [receipts.prove(connection, shop.hq.keys, reference(shop, "m-1"), one.event) for one in found]
        foreign = receipts.prove(connection, shop.hq.keys, reference(shop, "m-2"), found[0].event)
    assert (len(found), len(others), foreign) == (LOOKS, 3, None)
    assert {(one.store, one.role, one.scopes, one.reason) for one in found} == {
        (STORE, "advisor", ("size.shoe",), "HELP")
    }
    identity = shop.hq.identity.public_key().public_bytes_raw().hex()
    for proof in proofs:
        assert proof is not None
        file = tmp_path / "proof.json"
        file.write_text(json.dumps(proof))
        assert merkle.main([str(file), identity]) == 0, capsys.readouterr()
        assert b"nina" not in bytes.fromhex(proof["entry"]), "a receipt names nobody of the staff"
    assert (raised(shop), first_broken(shop)) == (set(), None)


def test_a_look_that_no_head_covers_yet_has_no_proof(shop: Shop) -> None:
    """Only what the box signed can be shown to anybody."""
    look(shop, count=1)
    shop.run(3)
    look(shop, count=1)
    shop.run(3)
    with reading(shop.hq.engine) as connection:
        newest, oldest = receipts.of_member(connection, shop.hq.keys, reference(shop, "m-1"))
        proofs = [
            receipts.prove(connection, shop.hq.keys, reference(shop, "m-1"), one.event) for one in (oldest, newest)
        ]
    assert proofs[0] is not None
    assert proofs[1] is None


def on_disk(shop: Shop, change: Callable[[sqlite3.Connection], object]) -> None:
    """Somebody has the box's disk while it is off; then it starts again, and time passes."""
    shop.loses = lambda: True
    look(shop)
    shop.replica.close()
    with sqlite3.connect(shop.folder / "cache.db") as file:
        change(file)
    file.close()
    shop.loses = lambda: False
    shop.replica = shop._make()
    shop.replica.on_link(True, shop.now_s)
    settle(shop)


def number(file: sqlite3.Connection, at: int) -> int:
    """The number of one of the looks that wait."""
    return file.execute("select number from log order by number limit 1 offset ?", (at,)).fetchone()[0]


def a_swap(table: str, column: str) -> Callable[[sqlite3.Connection], None]:
    """Two rows exchange a value."""

    def change(file: sqlite3.Connection) -> None:
        first, second = number(file, 1), number(file, 3)
        values = dict(file.execute(f"select number, {column} from {table}"))
        for row, other in ((first, second), (second, first)):
            file.execute(f"update {table} set {column} = ? where number = ?", (values[other], row))

    return change


def a_rollback(file: sqlite3.Connection) -> None:
    """The last two looks never were: their rows, and what counts them, as far as the file shows it."""
    first = number(file, LOOKS - 2)
    for table in ("log", "outbox"):
        file.execute(f"delete from {table} where number >= ?", (first,))
    file.execute("update header set last_event = ?", (first - 1,))


ON_THE_BOX: dict[str, Callable[[sqlite3.Connection], object]] = {
    "a leaf is edited": lambda file: file.execute(
        "update log set leaf = zeroblob(32) where number = ?", (number(file, 2),)
    ),
    "a leaf is cut": lambda file: file.execute("delete from log where number = ?", (number(file, LOOKS - 1),)),
    "leaves are swapped": a_swap("log", "leaf"),
    "an event is edited": lambda file: file.execute(
        "update outbox set sealed = zeroblob(200) where number = ?", (number(file, 2),)
    ),
    "an event is cut": lambda file: file.execute("delete from outbox where number = ?", (number(file, 2),)),
    "events are swapped": a_swap("outbox", "sealed"),
    "event and leaf are cut": lambda file: [
        file.execute(f"delete from {table} where number = (select min(number) + 1 from {table})")
        for table in ("log", "outbox")
    ],
    "an event may be let go": lambda file: [
        file.execute("update outbox set kind = 9 where number = ?", (number(file, 2),)),
        file.execute("delete from outbox where number = ?", (number(file, 2),)),
    ],
    "the frontier is cut": lambda file: file.execute("delete from log_state where name = 'frontier'"),
    "the frontier is the base": lambda file: file.execute("update log_state set name = 'base' where name = 'frontier'"),
    "the newest looks are cut": a_rollback,
}  # fmt: skip


@pytest.mark.parametrize("change", ON_THE_BOX.values(), ids=ON_THE_BOX)
def test_a_row_that_was_touched_on_the_box_is_found(shop: Shop, change: Callable[[sqlite3.Connection], object]) -> None:
    """The box refuses its own file, or HQ raises the alarm."""
    on_disk(shop, change)
    assert shop.replica.failed() or raised(shop) & {"log_broken", "events_lost"}


def test_an_untouched_file_raises_nothing(shop: Shop) -> None:
    """The test above says something: nothing is found where nothing was done."""
    on_disk(shop, lambda file: None)
    assert (shop.replica.failed(), raised(shop), first_broken(shop)) == (False, set(), None)
    assert count(shop, log_nodes) == LOOKS


def test_a_log_that_is_put_back_with_its_events_is_found(shop: Shop) -> None:
    """Rows, frontier and header of an hour ago, when HQ has stored more since: the box knows less than HQ."""
    look(shop)
    shop.replica.close()
    kept = {}
    tables = ("log", "log_state", "outbox")
    with sqlite3.connect(shop.folder / "cache.db") as file:
        for table in tables:
            kept[table] = file.execute(f"select * from {table}").fetchall()
        last = file.execute("select last_event from header").fetchone()
    file.close()
    shop.replica = shop._make()
    shop.replica.on_link(True, shop.now_s)
    shop.run(10)
    look(shop)
    settle(shop)
    shop.replica.close()
    with sqlite3.connect(shop.folder / "cache.db") as file:
        for table in tables:
            file.execute(f"delete from {table}")
            marks = ",".join("?" * len(kept[table][0]))
            file.executemany(f"insert into {table} values ({marks})", kept[table])
        file.execute("update header set last_event = ?", last)
    file.close()
    assert raised(shop) == set()
    shop.replica = shop._make()
    shop.replica.on_link(True, shop.now_s)
    shop.run(20)
    assert shop.replica.failed()
    assert not shop.live()
    assert raised(shop) == {"log_broken"}


AT_HQ = {
    "a leaf is edited": "update log_nodes set hash = zeroblob(32) where level = 0 and position = 2",
    "a leaf is cut": "delete from log_nodes where level = 0 and position = 2",
    "the last leaf is cut": "delete from log_nodes where level = 0 and position = 5",
    "leaves are swapped": "update log_nodes set number = (select sum(number) from log_nodes where position in (2, 3))"
    " - number where level = 0 and position in (2, 3)",
    "an event is cut": "delete from store_events where kind = 1 and number = (select max(number) from store_events)",
    "an event's time is edited": "update store_events set at_ms = at_ms + 1 where kind = 1",
    "an event's member is another": "update store_events set pseudonym = zeroblob(16) where kind = 1",
    "an event's body is edited": "update store_events set body = zeroblob(120) where kind = 1",
    "an event becomes a visit": "update store_events set kind = 6 where kind = 1",
    "the head is edited": "update log_heads set root = zeroblob(32)",
    "the head's size is edited": "update log_heads set size = size - 1",
    "the head is cut": "delete from log_heads",
    "the signature is edited": "update log_heads set signature = zeroblob(64)",
    "the end is edited": "update logs set peaks = zeroblob(64)",
    "the end is cut": "update logs set size = 4, peaks = substr(peaks, 1, 32)",
    "the log is cut": "delete from logs",
    "all but the events is cut": "delete from logs; delete from log_nodes; delete from log_heads",
}


def test_a_row_that_was_touched_at_hq_is_found(shop: Shop) -> None:
    """What HQ keeps must amount to what the box signed, whatever was done to it."""
    look(shop)
    settle(shop)
    for what, statements in AT_HQ.items():
        assert first_broken(shop) is None
        with suppress(_UndoneError), writing(shop.hq.engine) as connection:
            for statement in statements.split(";"):
                connection.execute(text(statement))
            assert receipts.first_broken(connection, shop.hq.keys, STORE) is not None, what
            raise _UndoneError


class _UndoneError(Exception):
    """The rows are as they were."""


@pytest.mark.parametrize("statements", [AT_HQ["the end is edited"], AT_HQ["the end is cut"], AT_HQ["the log is cut"]])
def test_a_log_that_was_cut_at_hq_alarms_with_the_next_look_and_goes_on(shop: Shop, statements: str) -> None:
    """The box's next head does not follow; the log begins anew there, and later looks are proven again."""
    look(shop)
    settle(shop)
    with writing(shop.hq.engine) as connection:
        connection.execute(text(statements))
    look(shop, count=2)
    settle(shop)
    assert raised(shop) == {"log_broken"}
    look(shop, count=3)
    settle(shop)
    with reading(shop.hq.engine) as connection:
        newest = receipts.of_member(connection, shop.hq.keys, reference(shop, "m-1"))[0]
        proof = receipts.prove(connection, shop.hq.keys, reference(shop, "m-1"), newest.event)
    assert merkle.verify_receipt(proof, shop.hq.identity.public_key())


def test_hq_put_back_finds_what_it_lacks(shop: Shop) -> None:
    """HQ's rows of an hour ago: the events since are lost and told by an alarm; the log goes on from the box's head."""
    look(shop)
    settle(shop)
    with reading(shop.hq.engine) as connection:
        kept = {table: connection.execute(select(table)).all() for table in (logs, log_nodes, log_heads, store_events)}
        through = connection.scalar(select(incarnations.c.events_through))
    look(shop)
    settle(shop)
    with writing(shop.hq.engine) as connection:
        for table, rows in kept.items():
            connection.execute(table.delete())
            connection.execute(table.insert(), [dict(row._mapping) for row in rows])
        connection.execute(incarnations.update().values(events_through=through))
    look(shop)
    settle(shop)
    assert raised(shop) == {"log_broken", "events_lost"}
    with reading(shop.hq.engine) as connection:
        (gap,) = connection.execute(select(event_gaps)).all()
        assert (gap.first, gap.lost) == (through + 1, 1)
    assert shop.live()


def test_an_erasure_on_the_box_leaves_a_log_that_verifies(shop: Shop) -> None:
    """Entry and salts are gone before they went up; the hash of the leaf stays, and nothing is missed."""
    shop.loses = lambda: True
    look(shop, count=3)
    look(shop, "m-2", 2)
    known_as = shop.hq.pseudonym("m-1") or b""
    vault = shop.replica._hq.vault
    assert vault is not None
    with vault.writing(shop.now_s):
        assert vault.outbox.erase_member(known_as) == 3
    assert list(vault.outbox.of_member(known_as)) == []
    shop.loses = lambda: False
    shop.restart()
    settle(shop)
    with reading(shop.hq.engine) as connection:
        assert receipts.of_member(connection, shop.hq.keys, reference(shop, "m-1")) == []
        assert len(receipts.of_member(connection, shop.hq.keys, reference(shop, "m-2"))) == 2
    assert (raised(shop), first_broken(shop)) == (set(), None)
    assert count(shop, log_nodes) == 5


def test_a_log_of_many_looks_is_proven_from_kept_subtrees(shop: Shop) -> None:
    """Across the border at which HQ keeps a whole subtree's hash, each look is proven."""
    known_as = shop.hq.pseudonym("m-1")
    entries = [(EventKind.DISCLOSURE, known_as, a_look(number)) for number in range(300)]
    shop.replica.record(shop.now_s, *entries)
    settle(shop)
    with reading(shop.hq.engine) as connection:
        assert connection.execute(select(log_nodes).where(log_nodes.c.level == 8)).all()
        found = receipts.of_member(connection, shop.hq.keys, reference(shop, "m-1"))
        assert len(found) == 300
        for one in (found[0], found[45], found[150], found[-1]):
            proof = receipts.prove(connection, shop.hq.keys, reference(shop, "m-1"), one.event)
            assert merkle.verify_receipt(proof, shop.hq.identity.public_key())
    assert first_broken(shop) is None
