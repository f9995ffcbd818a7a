"""Orders as an operator gives them, and HQ's shares where no backup finds them."""

import argparse
import io
import re
import secrets
import sqlite3
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, create_engine, select, update
from sqlalchemy.engine import make_url

from hq import options, order_commands, orders, rewrap
from hq import shares as held
from hq.custody import Custody
from hq.database import SHARES_SUFFIX, reading, writing
from hq.errors import KeyMismatch, Refused
from hq.order_tables import epoch_shares, order_parts
from hq.order_tables import orders as order_rows
from tests.fakes.store import FakeStore
from tests.hq.conftest import on
from tests.hq.headquarters import STORE, WRAPPING, Headquarters
from tests.hq.test_main import Desk
from tests.hq.test_main import desk as desk
from wire import schema
from wire.orders import EraseResult
from wire.sync import Done, Order, Outcome, Verb

ADA = b"\xad" * 16


def a_store(hq: Headquarters) -> FakeStore:
    """A store that is live."""
    store = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    store.come_up(hq.answers)
    return store


def given(hq: Headquarters, verb: Verb, subject: bytes | None = None) -> bytes:
    """An order's id."""
    with writing(hq.engine) as connection:
        return orders.issue(connection, STORE, verb, hq.now_ms, subject=subject)


def shares(engine: Engine) -> list[bytes]:
    """All shares that HQ holds."""
    with reading(engine) as connection:
        return list(connection.scalars(select(epoch_shares.c.wrapped)))


def test_an_order_goes_out_with_a_hello_until_it_is_done(hq: Headquarters) -> None:
    """At most every 20 s; each part is kept, and the whole closes it."""
    store = a_store(hq)
    order = given(hq, Verb.EXPORT, ADA)
    hq.later(25)
    (said,) = [one for one in store.say(hq.answers, store.hello()) if isinstance(one, Order)]
    assert (said.id, said.verb, said.incarnation, said.subject) == (order, Verb.EXPORT, store.incarnation, ADA)
    assert not [one for one in store.say(hq.answers, store.hello()) if isinstance(one, Order)]
    hq.later(25)
    assert [one for one in store.say(hq.answers, store.hello()) if isinstance(one, Order)]
    for part in (2, 1, 2):
        store.say(hq.answers, Done(order, Outcome.DONE, part, 2, b"result"))
    hq.later(25)
    assert not [one for one in store.say(hq.answers, store.hello()) if isinstance(one, Order)]
    with reading(hq.engine) as connection:
        assert connection.scalar(select(order_rows.c.outcome)) == Outcome.DONE


def test_what_nobody_ordered_is_not_done(hq: Headquarters) -> None:
    """Another store's order, a part beyond the last, an unknown one: nothing is kept of them."""
    store = a_store(hq)
    order = given(hq, Verb.EXPORT, ADA)
    other = Ed25519PrivateKey.generate()
    hq.office.add_store("berlin-2", "B2", other.public_key().public_bytes_raw(), "main", hq.now_ms)
    stranger = FakeStore("berlin-2", other, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    stranger.come_up(hq.answers)
    stranger.say(hq.answers, Done(order, Outcome.DONE, 1, 1, b""))
    store.say(hq.answers, Done(order, Outcome.DONE, 2, 1, b""))
    store.say(hq.answers, Done(bytes(16), Outcome.DONE, 1, 1, b""))
    with reading(hq.engine) as connection:
        assert connection.scalar(select(order_rows.c.outcome)) is None


# --- shares ---------------------------------------------------------------------------------------------------------


@on("sqlite")
def test_a_backup_of_hq_holds_no_share(hq: Headquarters, tmp_path: Path) -> None:
    """SQLite's own backup, a copy of the files but for the shares' own, and the text that `.dump` gives."""
    a_store(hq)
    given(hq, Verb.ROLL)
    held = shares(hq.engine)
    assert len(held) == 2
    backup = tmp_path / "backup.db"
    with sqlite3.connect(tmp_path / "hq.db") as connection, sqlite3.connect(backup) as copy:
        connection.backup(copy)
        dumped = "\n".join(connection.iterdump()).lower()
    kept = tmp_path / f"hq.db{SHARES_SUFFIX}"
    copies = [backup, *(one for one in tmp_path.glob("hq.db*") if one != kept)]
    for share in held:
        assert share.hex() not in dumped
        for one in copies:
            assert share not in one.read_bytes()
        assert share in kept.read_bytes(), "and here it is"


@on("sqlite")
def test_a_share_that_is_not_needed_any_more_is_nowhere(hq: Headquarters, tmp_path: Path) -> None:
    """Not in the file, nor beside it."""
    store = a_store(hq)
    (old,) = shares(hq.engine)
    order = given(hq, Verb.ROLL)
    store.say(hq.answers, Done(order, Outcome.DONE, 1, 1, b""))
    assert old not in shares(hq.engine)
    hq.engine.dispose()
    for one in tmp_path.glob("hq.db*"):
        assert old not in one.read_bytes()


def test_a_share_lies_wrapped_and_is_wrapped_anew(hq: Headquarters) -> None:
    """Who has the place where shares lie has none without the wrapping key; a new wrapping key takes them over."""
    store = a_store(hq)
    with reading(hq.engine) as connection:
        (given_out,) = held.of(connection, STORE, store.incarnation)
    assert all(given_out.share not in one for one in shares(hq.engine))
    new = secrets.token_bytes(32)
    rewrap.rewrap(hq.engine, Custody([WRAPPING, new]))
    Custody([new]).attach(hq.engine)
    with reading(hq.engine) as connection:
        assert held.of(connection, STORE, store.incarnation) == (given_out,)
    Custody([WRAPPING]).attach(hq.engine)
    with pytest.raises(KeyMismatch), reading(hq.engine) as connection:
        held.of(connection, STORE, store.incarnation)


@pytest.mark.long
@on("postgresql")
def test_on_postgresql_shares_and_orders_are_the_same(hq: Headquarters, needs) -> None:
    """And `pg_dump` leaves the shares out as docs/operating.md says."""
    store = a_store(hq)
    (old,) = shares(hq.engine)
    order = given(hq, Verb.ROLL)
    url = make_url(str(hq.engine.url))
    command = [needs("pg_dump"), "--exclude-table-data=epoch_shares", "--host", str(url.query["host"]),
               "--username", "hq", str(url.database)]  # fmt: skip
    dumped = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "epoch_shares" in dumped
    assert all(share.hex() not in dumped for share in shares(hq.engine))
    whole = subprocess.run([command[0], *command[2:]], capture_output=True, text=True, check=True).stdout
    assert old.hex() in whole, "or this test could not fail"
    store.say(hq.answers, Done(order, Outcome.DONE, 1, 1, b""))
    assert len(shares(hq.engine)) == 1
    assert old not in shares(hq.engine)
    hq.later(26 * 3600)
    assert len(shares(hq.engine)) == 2, "the next day's roll"
    erased = given(hq, Verb.ERASE, ADA)
    store.say(hq.answers, Done(erased, Outcome.DONE, 1, 1, schema.encode(EraseResult(0, 0, 0, 1))))
    with reading(hq.engine) as connection:
        assert len(connection.scalars(select(order_rows.c.id)).all()) == 3
    create_engine(url).dispose()


# --- commands -------------------------------------------------------------------------------------------------------


def typed(hq: Headquarters, *arguments: str) -> None:
    """What an operator types after `consentry-hq order`."""
    chosen = options.parser([order_commands.PART]).parse_args(["order", *arguments])
    order_commands.PART.runs["order", chosen.action](hq.office, chosen, hq.now_ms)


def test_the_program_has_these_commands(desk: Desk) -> None:
    """The real one, once."""
    printed = desk.run("order", "issue", "lockdown", "--store", STORE).stdout
    assert re.fullmatch(r"[0-9a-f]{32}  lockdown ordered of berlin-1\n", printed)


def test_an_operator_gives_orders_and_sees_what_became_of_them(
    hq: Headquarters, capsys: pytest.CaptureFixture[str]
) -> None:
    """Issue, list, show, lift; a store that never said hello gets its orders when it does."""
    typed(hq, "issue", "lockdown", "--store", STORE)
    found = re.match(r"([0-9a-f]{32})  lockdown ordered of berlin-1\n", capsys.readouterr().out)
    assert found is not None
    typed(hq, "list", "--open")
    listed = capsys.readouterr().out
    assert re.search(rf"{found[1][:8]} +lockdown +berlin-1 +waiting", listed)
    assert "berlin-1 is locked down since" in listed
    typed(hq, "show", found[1][:6])
    assert "lockdown of berlin-1: waiting" in capsys.readouterr().out
    typed(hq, "lift", "--store", STORE)
    typed(hq, "lift", "--store", STORE)
    assert capsys.readouterr().out == "berlin-1 is unlocked with its next hello\nberlin-1 is not locked down\n"
    typed(hq, "list", "--store", STORE, "--verb", "lockdown")
    assert "nothing to do" in capsys.readouterr().out


def test_what_closes_many_shops_is_asked_for(
    hq: Headquarters, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody can be asked, --yes is needed; who is asked writes how many shops that are."""
    hq.office.add_store("berlin-2", "B2", b"\xcd" * 32, "main", hq.now_ms)
    monkeypatch.setattr("sys.stdin", io.StringIO("2\n"))
    with pytest.raises(Refused):
        typed(hq, "issue", "wipe", "--all-stores")
    typed(hq, "issue", "wipe", "--all-stores", "--yes")
    assert capsys.readouterr().out.count("wipe ordered") == 2
    for answer, count in (("yes\n", 0), ("2\n", 2)):
        asked = io.StringIO(answer)
        asked.isatty = lambda: True  # type: ignore[method-assign]
        monkeypatch.setattr("sys.stdin", asked)
        typed(hq, "issue", "lockdown", "--all-stores")
        assert capsys.readouterr().out.count("lockdown ordered") == count
    typed(hq, "issue", "roll", "--all-stores")
    assert capsys.readouterr().out == "", "none has said hello"


def test_what_makes_no_sense_is_refused(hq: Headquarters) -> None:
    """With what is expected instead; nothing is ordered."""
    for arguments in (
        ("issue", "export", "--store", STORE),
        ("issue", "export", "--store", STORE, "--member", "nobody"),
        ("issue", "export", "--store", STORE, "--pseudonym", "xx"),
        ("issue", "unpair", "--store", STORE),
        ("issue", "wipe", "--store", STORE, "--member", "m-1"),
        ("issue", "roll", "--store", STORE),
        ("issue", "lockdown", "--store", "nowhere"),
        ("lift", "--store", "nowhere"),
        ("show", "00"),
        ("show", "xyz"),
    ):
        with pytest.raises(Refused):
            typed(hq, *arguments)
    with reading(hq.engine) as connection:
        assert connection.scalars(select(order_rows.c.id)).all() == []


def test_a_result_is_shown_and_written(hq: Headquarters, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The store's signature is verified again, and its envelopes can be kept."""
    store = a_store(hq)
    order, erased = given(hq, Verb.EXPORT, ADA), given(hq, Verb.ERASE, b"\xbe" * 16)
    for part, result in ((1, b"all that "), (2, b"there is")):
        store.say(hq.answers, Done(order, Outcome.DONE, part, 2, result))
    store.say(hq.answers, Done(erased, Outcome.DONE, 1, 1, schema.encode(EraseResult(2, 1, 3, 5))))
    show = order_commands.PART.runs["order", "show"]
    chosen = {"order": order.hex()[:8], "result": tmp_path / "result", "signed": tmp_path / "signed"}
    show(hq.office, argparse.Namespace(**chosen), hq.now_ms)
    assert (tmp_path / "result").read_bytes() == b"all that there is"
    assert len((tmp_path / "signed").read_bytes()) > 2 * 1184
    show(hq.office, argparse.Namespace(order=erased.hex(), result=None, signed=None), hq.now_ms)
    printed = capsys.readouterr().out
    assert "signed by the store in 2 parts" in printed
    assert "2 live records, 1 denials and 3 events erased; 5 buckets have new keys" in printed
    with writing(hq.engine) as connection:  # somebody edits what the store said
        part = connection.scalar(select(order_parts.c.payload).where(order_parts.c.order == erased))
        forged = part[:-1] + bytes([part[-1] ^ 1])
        connection.execute(update(order_parts).where(order_parts.c.order == erased).values(payload=forged))
    with pytest.raises(Refused):
        show(hq.office, argparse.Namespace(order=erased.hex(), result=None, signed=None), hq.now_ms)
