"""HQ restored from a backup: refused and told, then recovered, so that no withdrawal is undone by it."""

import argparse
import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, insert, select

from hq import changes, contacts, erasure, recovering, recovery, recovery_commands, shares
from hq import orders as give
from hq.alarms import Alarm, open_alarms
from hq.custody_tables import member_keys
from hq.database import open_database, reading, writing
from hq.door import Grant
from hq.order_tables import epoch_shares, orders
from hq.recovery import State
from hq.systems import EVERY_BRAND, Right, System
from hq.systems_line import Line
from hq.tables import audience, consent_events, instances, members, outbox, profiles
from tests.fakes.store import FakeStore
from tests.hq.headquarters import DAY_S, STORE, Headquarters, text
from tests.postgresql import make_database
from wire import recall, schema, tree
from wire.events import MuteKind
from wire.member import Member, Mode, Muted
from wire.recall import Denied, FloorBelow, Newer, Reached, Recalled
from wire.sync import Done, Lease, Message, Order, Outcome, Refusal, RefusalReason, Verb

MEMBERS = f"members/{STORE}"
CRM = System("crm", frozenset(Right), frozenset({EVERY_BRAND}), frozenset())


@pytest.fixture
def store(hq: Headquarters) -> FakeStore:
    """The store's box."""
    return FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)


def copy(engine: Engine, into: Path) -> str:
    """The URL of a backup of the database, without the shares, which lie apart."""
    if engine.dialect.name == "sqlite":
        into.mkdir()
        with sqlite3.connect(engine.url.database or "") as source, sqlite3.connect(into / "hq.db") as target:
            source.backup(target)
        return f"sqlite:///{into}/hq.db"
    engine.dispose()
    server = engine.url.set(database="postgres").render_as_string(hide_password=False)
    return make_database(server, f"hq_{secrets.token_hex(6)}", str(engine.url.database))


@pytest.fixture
def restored(tmp_path: Path) -> Iterator[dict[str, Engine]]:
    """The engines that a test opened on backups."""
    opened: dict[str, Engine] = {}
    yield opened
    for one in opened.values():
        one.dispose()


def restore(hq: Headquarters, backup: str, restored: dict[str, Engine], *, shares: bool = True) -> None:
    """HQ begins again on the backup. The shares are those of today, or are lost."""
    with reading(hq.engine) as connection:
        today = [dict(row) for row in connection.execute(select(epoch_shares)).mappings()]
    hq.engine.dispose()
    restored["hq"] = open_database(backup)
    with writing(restored["hq"]) as connection:
        connection.execute(delete(epoch_shares))
        if shares and today:
            connection.execute(insert(epoch_shares), today)
    hq.start(restored["hq"])


def answer(
    store: FakeStore, order: Order, floor: int, denied: tuple[Denied, ...] = (), erased: tuple[bytes, ...] = ()
) -> Done:
    """What a store that holds these rows says to RECALL; its roots agreed last as of `floor`. erased: pseudonyms."""
    since = int.from_bytes(order.subject or b"", "big")
    kept, newer = b"", []
    for key, record in store.rows[MEMBERS].items():
        column = tree.column(store.digest_keys[MEMBERS], key)
        if record.seq > since:
            member = None if record.body is None else schema.encode(
                replace(schema.decode(Member, record.body), fields=())
            )  # fmt: skip
            newer.append(Newer(column, record.seq, member))
        elif record.body is not None:
            kept += column + record.seq.to_bytes(recall.HELD_BYTES - len(column), "big")
    others = tuple(Reached(name, store.held(name).seq) for name in store.rows if name != MEMBERS)
    columns = tuple(tree.column(store.digest_keys[MEMBERS], one) for one in erased)
    floors = (FloorBelow(b"", floor),)
    told = Recalled(since, floors, kept, tuple(newer), others, denied, store.incarnation, columns)
    return Done(order.id, Outcome.DONE, 1, 1, schema.encode(told))


def seq(hq: Headquarters) -> int:
    """How far the members' instance is."""
    return hq.instances()[MEMBERS].seq


def settle(hq: Headquarters, store: FakeStore) -> int:
    """The store comes to agree, and its tombstones go; as of which seq."""
    store.say(hq.answers, store.hello())
    store.say(hq.answers, store.hello())
    store.fill(hq.answers)
    store.say(hq.answers, store.hello())
    assert store.agrees()
    rows = store.rows[MEMBERS]
    for key in [key for key, record in rows.items() if record.body is None]:
        del rows[key]
    return seq(hq)


def recover(
    hq: Headquarters, store: FakeStore, floor: int, denied: tuple[Denied, ...] = (), erased: tuple[bytes, ...] = ()
) -> recovery.Progress:
    """The operator's command, with a store that answers what it is asked; how it ended for the store."""
    number = recovering.begin(hq.engine, hq.now_ms)
    done = 0
    for _ in range(6):
        hq.now_ms += 21_000
        heard = len(store.heard)
        store.say(hq.answers, store.hello())
        for order in [one for one in store.heard[heard:] if isinstance(one, Order)]:
            if order.verb is Verb.ERASE and order.subject in erased:
                continue  # it is done at leisure
            assert order.verb is Verb.RECALL
            store.say(hq.answers, answer(store, order, floor, denied, erased))
            done += 1
        recovering.advance(hq.engine, hq.keys, number, hq.now_ms)
    assert done
    list(recovering.end(hq.engine, number, hq.now_ms))
    return recovery.progress(hq.engine, number)[0]


def reasons(found: list[Message]) -> list[RefusalReason]:
    """Why HQ refused."""
    return [one.reason for one in found if isinstance(one, Refusal)]


def kinds(hq: Headquarters) -> set[str]:
    """The open alarms."""
    with reading(hq.engine) as connection:
        return {row.alarm for row in open_alarms(connection)}


def scopes(hq: Headquarters, member: str) -> set[str] | None:
    """What the member's record shows; None: out of the audience."""
    found = hq.record(member)
    return None if found is None else {one.scope for one in found.fields}


def test_what_was_withdrawn_after_the_backup_stays_withdrawn(
    hq: Headquarters, store: FakeStore, tmp_path: Path, restored: dict[str, Engine]
) -> None:
    """A member who left, one who withdrew a scope, one who turned to help; the others stay."""
    for name in ("left", "scope", "mode", "same"):
        hq.join(name, "size.shoe", "language")
        hq.office.set_profile(name, [text("size.shoe", "42")], hq.now_ms)
    hq.office.set_mode("mode", Mode.OPEN, hq.now_ms)
    store.come_up(hq.answers)
    store.fill(hq.answers)
    hq.later(10)
    backup = copy(hq.engine, tmp_path / "backup")
    hq.office.withdraw("left", hq.now_ms)
    hq.office.withdraw("scope", hq.now_ms, scopes=("size.shoe",))
    hq.office.set_mode("mode", Mode.HELP, hq.now_ms)
    hq.later(10)
    floor = settle(hq, store)
    restore(hq, backup, restored)
    assert scopes(hq, "left") == {"size.shoe"}, "the backup has it still"
    hq.now_ms += 10_000
    assert reasons(store.say(hq.answers, store.hello())) == [RefusalReason.AHEAD_OF_HQ]
    assert kinds(hq) == {Alarm.AHEAD_OF_HQ.value}

    ended = recover(hq, store, floor)
    assert (ended.state, ended.withdrawals) == (State.TAKEN, 3)
    assert scopes(hq, "left") is None
    assert scopes(hq, "scope") == set()
    assert hq.record("mode").mode is Mode.HELP  # type: ignore[union-attr]
    assert scopes(hq, "same") == {"size.shoe"}
    assert kinds(hq) == {Alarm.CONTACTS_IN_DOUBT.value}
    hq.now_ms += 10_000
    settle(hq, store)
    assert (hq.pseudonym("left") or b"") not in store.rows[MEMBERS]
    hq.check()
    with reading(hq.engine) as connection:
        methods = set(connection.scalars(select(consent_events.c.method)))
        assert set(connection.scalars(select(instances.c.generation))) == {1}
    assert "recovered" in methods


def test_while_hq_recovers_nobody_is_leased_filled_or_told(
    hq: Headquarters, store: FakeStore, tmp_path: Path, restored: dict[str, Engine]
) -> None:
    """In every process: the state is in the database."""
    hq.join("m-1", "size.shoe")
    store.come_up(hq.answers)
    number = recovering.begin(hq.engine, hq.now_ms)
    assert recovering.begin(hq.engine, hq.now_ms) == number, "a second command goes on with it"
    assert reasons(store.say(hq.answers, store.hello())) == [RefusalReason.RECOVERING]
    before = len(store.heard)
    store.fill(hq.answers)
    assert len(store.heard) == before
    assert hq.answers.dropped["recovering"] > 0
    hq.office.set_profile("m-1", [text("size.shoe", "43")], hq.now_ms)
    with reading(hq.engine) as connection:
        kept = connection.execute(select(outbox).where(outbox.c.kind == 1)).all()
    assert kept == []
    recovering.leave_out(hq.engine, number, [STORE])
    list(recovering.end(hq.engine, number, hq.now_ms))
    hq.now_ms += 10_000
    assert Lease in [type(one) for one in store.say(hq.answers, store.hello())]


def test_a_ticket_that_hq_forgot_is_told_from_an_old_one(
    hq: Headquarters, store: FakeStore, tmp_path: Path, restored: dict[str, Engine]
) -> None:
    """After a restart since the backup the store is refused as ahead of HQ; in recovery its ticket is taken."""
    store.come_up(hq.answers)
    backup = copy(hq.engine, tmp_path / "backup")
    hq.later(10)
    store.boot_again()
    store.come_up(hq.answers)
    restore(hq, backup, restored)
    store.boot_again()
    store.say(hq.answers, store.hello())
    assert reasons(store.say(hq.answers, store.hello())) == [RefusalReason.AHEAD_OF_HQ]
    assert recover(hq, store, seq(hq)).state is State.TAKEN
    hq.now_ms += 10_000
    settle(hq, store)


def test_a_cache_whose_share_is_lost_begins_anew(
    hq: Headquarters, store: FakeStore, tmp_path: Path, restored: dict[str, Engine]
) -> None:
    """What was made after the backup cannot be unlocked by anybody; the empty cache that follows is allowed."""
    backup = copy(hq.engine, tmp_path / "backup")
    store.come_up(hq.answers)
    restore(hq, backup, restored, shares=False)
    recovering.begin(hq.engine, hq.now_ms)
    store.boot_again()
    store.say(hq.answers, store.hello())
    assert reasons(store.say(hq.answers, store.hello())) == [RefusalReason.SHARE_LOST]


@pytest.mark.parametrize("kept", [True, False])
def test_epochs_go_on_where_the_cache_is(
    hq: Headquarters, store: FakeStore, tmp_path: Path, restored: dict[str, Engine], kept: bool
) -> None:
    """The backup says epoch 1; the cache was rolled since, and no epoch comes twice, also where the shares are lost."""
    store.come_up(hq.answers)
    backup = copy(hq.engine, tmp_path / "backup")
    with writing(hq.engine) as connection:
        shares.add(connection, STORE, store.incarnation, 2, hq.now_ms)
        assert not shares.rolled(connection, STORE, store.incarnation, 2, hq.now_ms)
    store.epoch = 2
    restore(hq, backup, restored, shares=kept)
    assert recover(hq, store, seq(hq)).state is State.TAKEN
    with writing(hq.engine) as connection:
        assert give.roll(connection, STORE, hq.now_ms)
        assert [one.epoch for one in shares.of(connection, STORE, store.incarnation)] == ([2, 3] if kept else [3])


def test_a_grant_made_after_the_recovery_began_counts(
    hq: Headquarters, store: FakeStore, tmp_path: Path, restored: dict[str, Engine]
) -> None:
    """What is taken was chosen no later than that."""
    hq.join("left", "size.shoe")
    store.come_up(hq.answers)
    store.fill(hq.answers)
    hq.later(10)
    backup = copy(hq.engine, tmp_path / "backup")
    hq.office.withdraw("left", hq.now_ms)
    floor = settle(hq, store)
    restore(hq, backup, restored)
    hq.now_ms += 10_000
    recovering.begin(hq.engine, hq.now_ms)
    hq.now_ms += 10_000
    hq.grant("left", "presence")
    recover(hq, store, floor)
    found = hq.record("left")
    assert found is not None
    assert {one.purpose for one in found.statements if one.state} == {"presence"}


def test_what_was_muted_after_the_backup_stays_muted(
    hq: Headquarters, store: FakeStore, tmp_path: Path, restored: dict[str, Engine]
) -> None:
    """By a record that the store holds, and by its own denials, which it may let go then; of one who left, too."""
    baby, item, shoes = Muted(MuteKind.THEME, "baby"), Muted(MuteKind.ITEM, "i-1"), Muted(MuteKind.CATEGORY, "shoes")
    for name in ("record", "here", "left", "freed"):
        hq.join(name, "size.shoe")
    hq.office.mute("freed", baby, hq.now_ms)
    store.come_up(hq.answers)
    store.fill(hq.answers)
    hq.later(10)
    backup = copy(hq.engine, tmp_path / "backup")
    hq.office.mute("record", baby, hq.now_ms)
    hq.office.unmute("freed", baby, hq.now_ms)
    hq.office.withdraw("left", hq.now_ms)
    floor = settle(hq, store)
    restore(hq, backup, restored)
    here, left = hq.pseudonym("here"), hq.pseudonym("left")
    assert here is not None and left is not None
    denied = (
        Denied(here, 3, None, item), Denied(here, 5, "size.shoe", None), Denied(here, 9, None, shoes),
        Denied(left, 7, None, baby),
    )  # fmt: skip
    ended = recover(hq, store, floor, denied)
    assert ended.state is State.TAKEN
    muted = {name: hq.record(name) for name in ("record", "here", "freed")}
    assert {name: one and one.mutes for name, one in muted.items()} == {
        "record": (baby,), "here": (shoes, item), "freed": (baby,)
    }, "in doubt a mute stands"  # fmt: skip
    found = muted["here"]
    assert found is not None
    assert (found.acts_incarnation, found.acts_through) == (store.incarnation, 9)
    assert scopes(hq, "here") == set()
    hq.later(10)
    hq.grant("left", "presence")
    back = hq.record("left")
    assert back is not None
    assert (back.mutes, back.acts_through) == ((baby,), 7)
    hq.now_ms += 10_000
    settle(hq, store)
    hq.check()


def test_who_was_erased_after_the_backup_is_erased_again(
    hq: Headquarters, store: FakeStore, tmp_path: Path, restored: dict[str, Engine]
) -> None:
    """The key that the backup brought back is destroyed, the member is out of the audience, the stores are ordered."""
    for name in ("gone", "same"):
        hq.join(name, "size.shoe")
        hq.office.set_profile(name, [text("size.shoe", "42")], hq.now_ms)
    store.come_up(hq.answers)
    store.fill(hq.answers)
    hq.later(10)
    backup = copy(hq.engine, tmp_path / "backup")
    known_as = hq.pseudonym("gone")
    assert known_as is not None
    erasure.erase(hq.engine, hq.keys, "gone", hq.now_ms)
    floor = settle(hq, store)
    restore(hq, backup, restored)
    with reading(hq.engine) as connection:
        whose = hq.keys.custody.reference(connection, "gone")
        assert connection.scalar(select(member_keys.c.member).where(member_keys.c.member == whose)) is not None
    hq.now_ms += 10_000

    ended = recover(hq, store, floor, erased=(known_as, b"unknown to HQ..."))
    assert (ended.state, ended.erased) == (State.TAKEN, 1)
    with reading(hq.engine) as connection:
        for table in (member_keys, audience, profiles):
            assert connection.scalars(select(table.c.member).where(table.c.member == whose)).all() == []
        row = connection.execute(select(members).where(members.c.id == whose)).one()
        assert (row.lookup, row.content) == (None, None)
        assert hq.keys.custody.reference(connection, "gone") is None
        asked = connection.execute(select(orders.c.store, orders.c.subject).where(orders.c.verb == Verb.ERASE)).all()
        assert asked == [(STORE, known_as)]
        (told,) = erasure.find(connection, hq.keys, "gone")
        assert not told.is_done
    assert scopes(hq, "same") == {"size.shoe"}
    hq.check()
    hq.now_ms += 10_000
    settle(hq, store)


def test_a_yes_to_contacts_from_before_a_restore_counts_once_people_know_that_it_was_not_withdrawn(
    hq: Headquarters, tmp_path: Path, restored: dict[str, Engine]
) -> None:
    """HQ lost a withdrawal that no store knows: nobody is contacted by an older yes until systems sent theirs again."""
    for name in ("withdrew", "stayed", "anew"):
        hq.join(name)
        hq.office.grant(name, Grant("contact.email", (), until_days=9, chosen_s=hq.now_s, brand="main"), hq.now_ms)
    hq.later(10)
    backup = copy(hq.engine, tmp_path / "backup")
    hq.office.withdraw("withdrew", hq.now_ms, purpose="contact.email")
    restore(hq, backup, restored)
    hq.later(10)
    number = recovering.begin(hq.engine, hq.now_ms)

    def denied() -> dict[str, contacts.Denied | None]:
        hq.now_ms += 2 * DAY_S * 1000
        asked = [
            Line(at, {"member": name, "channel": "email", "brand": "main"})
            for at, name in enumerate(("withdrew", "stayed", "anew"), 1)
        ]
        found, _ = contacts.decide(hq.engine, hq.keys, CRM, asked, hq.now_ms)
        return {asked[one.line - 1].said["member"]: one.denied for one in found}

    no = contacts.Denied.CONSENT
    assert denied() == {"withdrew": no, "stayed": no, "anew": no}
    hq.office.grant("anew", Grant("contact.email", (), until_days=9, chosen_s=hq.now_s, brand="main"), hq.now_ms)
    recovering.leave_out(hq.engine, number, [STORE])
    list(recovering.end(hq.engine, number, hq.now_ms))
    assert denied() == {"withdrew": no, "stayed": no, "anew": None}
    hq.office.withdraw("withdrew", hq.now_ms, purpose="contact.email")  # as its mailer knew
    with writing(hq.engine) as connection:
        assert recovery.contacts_known(connection, hq.now_ms)
    assert denied() == {"withdrew": no, "stayed": None, "anew": None}


def test_a_store_that_had_not_been_filled_withdraws_nobody(
    hq: Headquarters, store: FakeStore, tmp_path: Path, restored: dict[str, Engine]
) -> None:
    """What it never was told of is no withdrawal."""
    for name in ("m-1", "m-2"):
        hq.join(name, "size.shoe")
    store.come_up(hq.answers)
    backup = copy(hq.engine, tmp_path / "backup")
    restore(hq, backup, restored)
    assert recover(hq, store, 0).withdrawals == 0
    assert hq.record("m-1") is not None


def test_an_hq_that_went_on_before_it_was_seen_asks_again_from_an_earlier_seq(
    hq: Headquarters, store: FakeStore, tmp_path: Path, restored: dict[str, Engine]
) -> None:
    """Two histories gave the same seqs to different records; what the store was told is found all the same."""
    for name in ("a", "b", "c"):
        hq.join(name, "size.shoe")
    store.come_up(hq.answers)
    store.fill(hq.answers)
    hq.later(10)
    backup = copy(hq.engine, tmp_path / "backup")
    hq.office.withdraw("a", hq.now_ms, scopes=("size.shoe",))
    floor = settle(hq, store)
    restore(hq, backup, restored)
    for value in ("1", "2", "3"):
        hq.office.set_profile("b", [text("size.shoe", value)], hq.now_ms)
    recover(hq, store, floor)
    shared = {one for found in [hq.record("a")] if found for two in found.statements if two.state for one in two.scopes}
    assert shared == set()
    hq.now_ms += 10_000
    settle(hq, store)


@pytest.mark.parametrize("written", [0, 3], ids=["fewer events", "as many events"])
def test_who_was_told_of_changes_after_the_backup_learns_that_they_are_gone(
    hq: Headquarters, tmp_path: Path, restored: dict[str, Engine], written: int
) -> None:
    """Its cursor is unknown, also once as many events stand here again; one from before the backup goes on."""

    def cursor() -> str:
        with reading(hq.engine) as connection:
            return changes.cursor(connection, changes.newest(connection))

    def number_of(told: str) -> int | None:
        with reading(hq.engine) as connection:
            return changes.number_of(connection, told)

    hq.join("m-1", "size.shoe")
    before = cursor()
    through = number_of(before)
    backup = copy(hq.engine, tmp_path / "backup")
    hq.office.withdraw("m-1", hq.now_ms)
    after = cursor()
    assert through is not None and number_of(after) == through + 1
    restore(hq, backup, restored)
    for number in range(written):
        hq.office.mute("m-1", Muted(MuteKind.THEME, f"t-{number}"), hq.now_ms)
    assert (number_of(after), number_of(before), number_of("0"), number_of("0-00000000")) == (None, through, 0, None)
    assert number_of(str(through)) == through, "one that was told without a hash"
    assert number_of(str(through + written + 1)) is None, "nothing has this number"


def test_the_command_begins_shows_and_ends_a_recovery(hq: Headquarters, capsys: pytest.CaptureFixture[str]) -> None:
    """Begun, it says how far it is; without the silent stores it ends, and says whose answers and what else is lost."""
    top = argparse.ArgumentParser()
    recovery_commands.PART.options(top.add_subparsers(dest="command"))
    run = recovery_commands.PART.runs["recover", ""]

    def command(*words: str) -> int | None:
        return run(hq.office, top.parse_args(["recover", *words]), hq.now_ms)

    assert command("--status") == 0
    assert command("--begin") == 75
    assert command("--status") == 75
    assert command("--leave-out-silent") == 0
    ended = capsys.readouterr().out
    assert "left out" in ended
    assert "contacts and media" in ended and "POST /consent-events" in ended, "what no store knows, it cannot ask for"
    assert command("--status") == 0
    assert capsys.readouterr().out == "HQ is not recovering\n"
    assert [command("--contacts-known") for _ in range(2)] == [0, 0]
    assert capsys.readouterr().out == "who agreed to contacts may be contacted again\nno contacts are in doubt\n"
    hq.check()
