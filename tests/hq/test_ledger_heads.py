"""The chain of consent events under its signed heads: whatever row is touched is found, also a whole end."""

import json
from argparse import Namespace
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, select, text, update

from hq import erasure, ledger, ledger_heads, ledger_watch, membership
from hq.alarm_tables import alarms
from hq.consent_commands import PART
from hq.database import reading, writing
from hq.door import check_refusal
from hq.errors import DatabaseUnavailable
from hq.ledger import Link
from hq.ledger_heads import EVERY_MS, Head
from hq.ledger_proof import Party, Proof
from hq.ledger_tables import consent_facts, consent_heads
from hq.ledger_watch import LedgerWatch
from hq.tables import chain_heads, consent_events
from tests.hq.headquarters import STORE, Headquarters, make_keys
from tests.hq.test_custody import cells
from wire.member import Mode


@pytest.fixture
def signed(hq: Headquarters) -> Headquarters:
    """Three heads over a chain of nine events, of two members."""
    hq.join("m-1", "size.shoe")
    hq.join("m-2", "size.shoe", "brand.liked")
    hq.tick()
    for mode in (Mode.OPEN, Mode.QUIET):
        hq.office.set_mode("m-1", mode, hq.now_ms)
        hq.office.withdraw("m-2", hq.now_ms, scopes=("size.shoe",))
        hq.later(EVERY_MS / 1000)
    hq.office.refuse("m-1", check_refusal("suggest"), hq.now_ms)
    assert len(heads(hq)) == 3
    return hq


def heads(hq: Headquarters) -> list[Head]:
    """All of them."""
    with reading(hq.engine) as connection:
        return ledger_heads.all_heads(connection)


def wrong(hq: Headquarters, connection: Connection, *kept: Head) -> str | None:
    """What `consent verify` would say."""
    return ledger_heads.first_broken(connection, ledger_heads.publics(hq.keys), kept)


def unlock(connection: Connection) -> None:
    """Somebody has the database to themselves and takes the triggers away."""
    if connection.dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            connection.execute(text(f"DROP TRIGGER consent_events_{verb}"))
    else:
        connection.execute(text("ALTER TABLE consent_events DISABLE TRIGGER ALL"))


def a_swap(column: str) -> str:
    """Two rows exchange a value."""
    return (
        f"update consent_events set {column} = (select b.{column} from consent_events b"
        " where b.number = 5 - consent_events.number) where number in (2, 3)"
    )


def a_cut(events: int, of_heads: str = "") -> str:
    """The end of the chain never was: rows, what counts them, and with `of_heads` the heads that tell of it."""
    last = f"(select hash from consent_events where number = {events})"
    cut = f"update chain_heads set hash = {last}, number = {events} where name = 'consent_events'"
    facts = f"delete from consent_facts where event > {events}"
    return f"{facts}; {cut}; delete from consent_events where number > {events}; {of_heads}"


TOUCHED = {
    "an event's time is edited": "update consent_events set chosen_s = chosen_s - 1 where number = 3",
    "an event's method is edited": "update consent_events set method = 'app' where number = 3",
    "an event's member is another": "update consent_events set member = (select member from consent_events"
    " where number = 9) where number = 4",
    "a choice is edited": "update consent_events set choice = (select choice from consent_events where number = 1)"
    " where number = 2",
    "a hash is edited": "update consent_events set hash = (select hash from consent_events where number = 1)"
    " where number = 9",
    "choices are swapped": a_swap("choice"),
    "methods are swapped with times": a_swap("recorded_s") + "; " + a_swap("choice"),
    "an event is cut": "delete from consent_facts where event = 3; delete from consent_events where number = 3",
    "the first event is cut": "delete from consent_facts where event = 1; delete from consent_events where number = 1",
    "the last event is cut": "delete from consent_facts where event = 9; delete from consent_events where number = 9",
    "the end is cut, before the last head": a_cut(6),
    "the end is cut with the last head": a_cut(5, "delete from consent_heads where number > 1"),
    "the end that no head covers is edited": "update consent_events set recorded_s = 1 where number = 9",
    "the chain's own end is edited": "update chain_heads set number = 8",
    "the chain's own end is cut": "delete from chain_heads",
    "everything but the heads is cut": "delete from consent_facts; delete from consent_events; delete from chain_heads",
    "a head is cut": "delete from consent_heads where number = 2",
    "the newest head is cut": "delete from consent_heads where number = 3",
    "all heads are cut": "delete from consent_heads",
    "a head's length is edited": "update consent_heads set events = events - 1 where number = 3",
    "a head's time is edited": "update consent_heads set at_ms = at_ms - 1 where number = 2",
    "a head's signature is edited": "update consent_heads set signature = (select signature from consent_heads"
    " where number = 1) where number = 2",
    "heads are swapped": "update consent_heads set number = 9 where number = 1; update consent_heads set number = 1"
    " where number = 2; update consent_heads set number = 2 where number = 9",
}
# What takes the newest heads away too leaves no trace in the database: a head that was kept elsewhere tells.
BY_KEPT_HEADS = ("the end is cut with the last head", "the newest head is cut")


class _UndoneError(Exception):
    """The rows are as they were."""


def test_whatever_row_is_touched_is_found(signed: Headquarters) -> None:
    """Edits, cuts and swaps, of events, of the chain's end and of heads."""
    kept = heads(signed)
    for what, statements in TOUCHED.items():
        with reading(signed.engine) as connection:
            assert wrong(signed, connection, *kept) is None
        with suppress(_UndoneError), writing(signed.engine) as connection:
            unlock(connection)
            for one in filter(str.strip, statements.split(";")):
                assert connection.execute(text(one)).rowcount or "consent_facts" in one, what
            found = wrong(signed, connection)
            assert (found is None) == (what in BY_KEPT_HEADS), what
            assert wrong(signed, connection, *kept) is not None, what
            raise _UndoneError


def test_no_call_edits_deletes_or_empties_events(signed: Headquarters) -> None:
    """The database refuses, whoever asks, on both databases."""
    statements = [update(consent_events).values(chosen_s=1), delete(consent_events)]
    statements += [update(consent_events).where(consent_events.c.number == 1).values(method="app")]
    if signed.engine.dialect.name == "postgresql":
        statements.append(text("TRUNCATE consent_events CASCADE"))
    for statement in statements:
        with pytest.raises(DatabaseUnavailable), writing(signed.engine) as connection:
            connection.execute(statement)
    signed.check()


def test_a_head_is_signed_every_day_and_at_once_under_a_new_key(hq: Headquarters) -> None:
    """None while nothing happened; then one, and one a day; the newest vouches for the keys before it."""
    hq.later(2 * EVERY_MS / 1000)
    assert heads(hq) == []
    hq.join("m-1")
    hq.tick()
    hq.later(EVERY_MS / 1000 - 60)
    assert [one.number for one in heads(hq)] == [1]
    hq.later(60)
    assert [(one.number, one.is_signed()) for one in heads(hq)] == [(1, True), (2, True)]
    before = ledger_heads.publics(hq.keys)
    hq.keys = make_keys()[0]
    ledger_heads.tick(hq.engine, hq.keys, hq.now_ms)
    found = heads(hq)
    assert [one.public for one in found] == [*before, *before, *ledger_heads.publics(hq.keys)]
    with reading(hq.engine) as connection:
        assert wrong(hq, connection) is None
        assert set(ledger_heads.vouched(connection, ledger_heads.publics(hq.keys))) == {one.public for one in found}
        assert ledger_heads.vouched(connection, before) == before, "the newest head is not theirs"
        assert ledger_heads.first_broken(connection, before) is not None


def test_the_next_head_raises_an_alarm_where_the_chain_does_not_hold_the_last(signed: Headquarters) -> None:
    """Nobody has to ask: HQ sees a cut within a day."""
    with writing(signed.engine) as connection:
        unlock(connection)
        for one in filter(str.strip, a_cut(4).split(";")):
            connection.execute(text(one))
    signed.later(EVERY_MS / 1000)
    with reading(signed.engine) as connection:
        assert connection.scalars(select(alarms.c.alarm).where(alarms.c.over_ms.is_(None))).all() == ["consent_broken"]
        assert wrong(signed, connection) is not None


def test_hq_finds_by_itself_whatever_row_is_touched(signed: Headquarters) -> None:
    """In slices, twice a day: an old row that was edited where no head looks raises the alarm, too."""
    watch = LedgerWatch(signed.engine, most=4)

    def a_round() -> list[str]:
        """As many slices as nine events need, and no more for twelve hours; what is alarmed then."""
        assert [watch.tick(signed.now_ms) for _ in range(4)] == [True] * 3 + [False]
        signed.now_ms += ledger_watch.EVERY_MS
        with reading(signed.engine) as connection:
            return list(connection.scalars(select(alarms.c.detail).where(alarms.c.over_ms.is_(None))))

    assert a_round() == []
    for what, statements in TOUCHED.items():
        if what in (*BY_KEPT_HEADS, "all heads are cut"):
            continue
        with suppress(_UndoneError), writing(signed.engine) as connection:
            unlock(connection)
            for one in filter(str.strip, statements.split(";")):
                connection.execute(text(one))
            link = Link()
            while link.broken is None and not link.is_end:
                link = ledger.follow(connection, link, 4)
            found = link.broken or ledger_heads.missed_by(connection, ledger_heads.all_heads(connection))
            assert found is not None, what
            raise _UndoneError
    with writing(signed.engine) as connection:
        unlock(connection)
        connection.execute(text(TOUCHED["an event's time is edited"]))
    assert watch.tick(signed.now_ms)
    with reading(signed.engine) as connection:
        details = connection.scalars(select(alarms.c.detail).where(alarms.c.over_ms.is_(None))).all()
    assert details == ["the chain breaks at event 3"]


def said(hq: Headquarters, capsys: pytest.CaptureFixture[str], action: str, **options: object) -> tuple[object, str]:
    """What a command answers and prints."""
    chosen = Namespace(action=action, **{"sign": False, "json": False, "heads": None, **options})
    code = PART.runs["consent", action](hq.office, chosen, hq.now_ms)
    return code, capsys.readouterr().out


def test_an_operator_signs_keeps_and_verifies_heads(
    signed: Headquarters, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Heads kept in a file find a cut that took the heads along; the alarm ends when all is whole again."""
    assert said(signed, capsys, "heads")[1].endswith("3 heads\n")
    _, lines = said(signed, capsys, "heads", sign=True, json=True)
    assert [json.loads(one)["events"] for one in lines.splitlines()] == [4, 6, 8, 9]
    file = tmp_path / "heads.jsonl"
    file.write_text(lines)
    assert said(signed, capsys, "verify", heads=file) == (None, "the events are whole, and as they were signed\n")
    with writing(signed.engine) as connection:
        gone = connection.execute(select(consent_heads).where(consent_heads.c.number == 4)).one()
        connection.execute(delete(consent_heads).where(consent_heads.c.number == 4))
    assert said(signed, capsys, "verify")[0] is None
    assert said(signed, capsys, "verify", heads=file)[0] == 65
    with writing(signed.engine) as connection:
        connection.execute(consent_heads.insert().values(**gone._mapping))
    assert said(signed, capsys, "verify", heads=file)[0] is None
    with reading(signed.engine) as connection:
        assert connection.scalars(select(alarms.c.over_ms)).all() != [None]


def test_what_may_be_counted_needs_no_key_and_is_nobodys_after_an_erasure(signed: Headquarters) -> None:
    """One row per purpose and store; a withdrawal of everything ends each; an erasure leaves the counts alone."""
    hq = signed
    hq.office.withdraw("m-1", hq.now_ms, method="app")
    facts = consent_facts.c
    with reading(hq.engine) as connection:
        member = hq.keys.custody.reference(connection, "m-1")
        rows = connection.execute(
            select(facts.purpose, facts.store, facts.status, facts.partial, facts.method)
            .where(facts.member == member)
            .order_by(facts.id)
        ).all()
    assert [tuple(one) for one in rows] == [
        ("presence", STORE, "given", False, "command"),
        ("assist", STORE, "given", False, "command"),
        ("suggest", "", "refused", False, "command"),
        ("assist", STORE, "withdrawn", False, "app"),
        ("presence", STORE, "withdrawn", False, "app"),
    ]
    with reading(hq.engine) as connection:
        before = len(connection.execute(select(consent_facts)).all())
    erasure.erase(hq.engine, hq.keys, "m-1", hq.now_ms)
    with reading(hq.engine) as connection:
        left = connection.execute(select(consent_facts)).all()
        assert connection.scalar(select(chain_heads.c.number)) == 11
    assert len(left) == before + 1
    assert sum(one.member is None and one.event is None for one in left) == 6
    assert member not in {one.member for one in left}


def test_nothing_of_a_proof_is_in_a_dump(hq: Headquarters) -> None:
    """Who chose for whom, on what surface, with what evidence and words: sealed, and gone with the member."""
    hq.join("m-1")
    proof = Proof(
        by=Party.PARENT, by_reference="cnryparent", surface="cnrysurface", text="cnrytext",
        digest=b"cnrydigest" * 3 + b"xx",
    )  # fmt: skip
    hq.office.withdraw("m-1", hq.now_ms, purpose="presence", proof=proof)
    hq.tick()
    assert b"cnry" not in cells(hq.engine)
    with writing(hq.engine) as connection:
        locked = membership.lock_by_id(connection, hq.keys.custody, ["m-1"])
        (events,) = ledger.of_members(connection, locked).values()
    assert [one.proof for one in events][-1] == replace(proof, notice_version=1, purpose_version=1)
    assert "cnry" not in repr(events)
    erasure.erase(hq.engine, hq.keys, "m-1", hq.now_ms)
    with writing(hq.engine) as connection:
        assert membership.lock(connection, hq.keys.custody, locked) == {}
        assert ledger.first_broken(connection) is None
