"""What HQ's database shows without the wrapping key, and how the key and the members' keys come and go."""

import json
import secrets
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text, update

from hq import clock_job, erasure, importer, ledger, membership, orders, records, rewrap, rights
from hq.alarms import open_alarms
from hq.custody import Custody, Place, Seal, bound
from hq.custody_tables import erasures, member_keys
from hq.database import open_database, reading, writing
from hq.erasure import Progress
from hq.errors import KeyMismatch, Refused, SealBroken
from hq.keys import Keys
from hq.tables import METADATA, audience, consent_events, members, phones, profiles
from tests.fakes.store import FakeStore
from tests.hq.conftest import on
from tests.hq.headquarters import STORE, WRAPPING, Headquarters, items
from tests.hq.headquarters import text as said
from wire import schema
from wire.member import Mode
from wire.sync import Attendance, Done, Event, EventKind, HelpStep, Order, Outcome, Verb, Withdrawal

CANARIES = (
    "cnrymember1", "cnryshoe", "cnrybrand", "cnrywish", "cnryname", "cnrystaff", "cnryzone", "cnryassociate",
)  # fmt: skip


@pytest.fixture
def store(hq: Headquarters) -> FakeStore:
    """A store that is up."""
    made = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    made.come_up(hq.answers)
    return made


def live(hq: Headquarters, store: FakeStore) -> tuple[list[bytes], bytes]:
    """A member's life in which every value is a canary; all that must not be found, and the pseudonym."""
    member = CANARIES[0]
    secret = hq.join(member, "size.shoe", "name.first", "brand.liked", "wishlist")
    hq.office.set_profile(
        member,
        [said("size.shoe", "cnryshoe"), said("name.first", "cnryname"), items("wishlist", "cnrywish")],
        hq.now_ms,
    )
    hq.office.set_mode(member, Mode.OPEN, hq.now_ms)
    hq.office.withdraw(member, hq.now_ms, scopes=("brand.liked",))
    hq.office.add_staff("nina", STORE, "cnrystaff", "associate", "258013", hq.now_ms)
    known_as = hq.pseudonym(member)
    assert known_as is not None
    help_call = schema.encode(Attendance("cnryassociate", HelpStep.WAITING))
    store.say(hq.answers, store.events(Event(1, EventKind.ATTENDANCE, hq.now_ms, known_as, help_call)))
    taken = schema.encode(Withdrawal("wishlist", "cnryassociate", "associate"))
    store.say(hq.answers, store.events(Event(2, EventKind.WITHDRAWAL, hq.now_ms, known_as, taken)))
    day_keys = hq.day_keys(member)
    assert day_keys
    needles = [one.encode() for one in CANARIES] + [b"size.shoe", b"brand.liked", b"wishlist"]
    for raw in (secret, *day_keys):
        needles += [raw, raw.hex().encode()]
    return needles, known_as


def cells(engine: Engine) -> bytes:
    """Every cell of every table, one after the other, save what policy and stores say of no member."""
    found = b""
    with reading(engine) as connection:
        for table in METADATA.sorted_tables:
            if table.name in ("stores", "notices", "policy_versions"):
                continue
            for row in connection.execute(select(table)):
                for value in row:
                    found += value if isinstance(value, bytes) else str(value).encode()
                    found += b"\n"
    return found


@on("sqlite")  # what pg_dump writes is looked at in test_custody_postgresql
def test_no_canary_is_in_a_dump(hq: Headquarters, store: FakeStore, tmp_path: Path) -> None:
    """Neither ids, values, scopes, names of staff nor secrets and day keys, in no file and no cell."""
    needles, known_as = live(hq, store)
    dumped = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("hq.db")}
    assert {"hq.db", "hq.db-wal"} <= dumped.keys()
    for policy_words in (b"size.shoe", b"brand.liked", b"wishlist"):  # policies and notices lie open, and name scopes
        dumped = {name: content.replace(policy_words, b"") for name, content in dumped.items()}
    dumped["cells"] = cells(hq.engine)
    assert known_as in dumped["cells"], "the needle's own haystack"
    found = {(name, needle) for name, content in dumped.items() for needle in needles if needle in content}
    assert found == set()


@pytest.mark.parametrize("column", ["digest", "lookup", "id"])
def test_what_stands_beside_the_sealed_is_no_oracle(hq: Headquarters, store: FakeStore, column: str) -> None:
    """Who knows body, id or choice cannot compute what the database shows of it without a key."""
    import hashlib

    live(hq, store)
    row = json.loads('{"member": "cnrymember2", "age_at_least": 18, "mode": "open", "chosen": 1700000000}')
    importer.run(hq.engine, hq.keys, [json.dumps(row).encode()], hq.now_ms)
    dumped = cells(hq.engine)
    member = b"cnrymember2"
    with reading(hq.engine) as connection:
        known_as = hq.pseudonym(CANARIES[0]) or b""
        body = records.body(connection, f"members/{STORE}", known_as) or b""
        locked = membership.lock_by_id(connection, hq.keys.custody, ["cnrymember2"])
        (chosen,) = next(iter(ledger.of_members(connection, locked).values()))
    choice = schema.encode(chosen.choice)
    guesses = {
        "digest": [body],
        "lookup": [member],
        "id": [member + b"\x00" + str(chosen.chosen_s).encode() + b"\x00" + choice, choice],
    }[column]
    assert all(guesses)
    for guess in guesses:
        for made in (hashlib.sha256(guess).digest(), hashlib.blake2b(guess, digest_size=16).digest()):
            assert made[:16] not in dumped


def test_a_value_opens_in_its_own_place_only(hq: Headquarters, store: FakeStore) -> None:
    """A sealed value moved to another row or column, changed or cut is refused."""
    live(hq, store)
    hq.join("m-2", "size.shoe")
    hq.office.set_profile("m-2", [said("size.shoe", "41")], hq.now_ms)
    with writing(hq.engine) as connection:
        found = hq.keys.custody.references(connection, [CANARIES[0], "m-2"])
        first, second = found[CANARIES[0]], found["m-2"]
        moved = connection.scalar(select(profiles.c.content).where(profiles.c.member == first))
        connection.execute(update(profiles).where(profiles.c.member == second).values(content=moved))
    with pytest.raises(SealBroken):
        hq.office.set_profile("m-2", [said("size.shoe", "42")], hq.now_ms)
    with writing(hq.engine) as connection:
        wrapped = connection.scalar(select(member_keys.c.wrapped).where(member_keys.c.member == first))
        connection.execute(update(member_keys).where(member_keys.c.member == second).values(wrapped=wrapped))
    with pytest.raises(SealBroken):
        hq.office.set_mode("m-2", Mode.OPEN, hq.now_ms)


def test_a_seal_refuses_whatever_is_not_what_it_closed() -> None:
    """Every bit, every length, another place, another key."""
    seal, place = Seal(secrets.token_bytes(32)), bound(Place.PHONE, b"m", b"p")
    sealed = seal.close(b"value", place)
    assert seal.open(sealed, place) == b"value"
    for bad in (sealed[:-1], sealed + b"\x00", b"", bytes([sealed[0] ^ 1]) + sealed[1:]):
        with pytest.raises(SealBroken):
            seal.open(bad, place)
    for other in (bound(Place.PHONE, b"mp", b""), bound(Place.PROFILE, b"m", b"p"), b""):
        with pytest.raises(SealBroken):
            seal.open(sealed, other)
    with pytest.raises(SealBroken):
        Seal(secrets.token_bytes(32)).open(sealed, place)
    assert "value" not in repr(seal)


def test_an_erased_member_is_gone_and_the_chain_is_whole(hq: Headquarters, store: FakeStore) -> None:
    """Records null, stores ordered, the key destroyed; every event stays in the chain and opens no more."""
    _, known_as = live(hq, store)
    hq.check()
    with reading(hq.engine) as connection:
        count = len(connection.scalars(select(consent_events.c.id)).all())
    reference = erasure.erase(hq.engine, hq.keys, CANARIES[0], hq.now_ms)
    hq.check()
    with reading(hq.engine) as connection:
        assert connection.scalars(select(member_keys.c.member)).all() == []
        assert connection.scalars(select(phones.c.id)).all() == []
        assert [tuple(row) for row in connection.execute(select(members.c.lookup, members.c.content))] == [(None, None)]
        assert len(connection.scalars(select(consent_events.c.id)).all()) == count + 1
        (asked,) = erasure.find(connection, hq.keys, CANARIES[0])
        assert erasure.find(connection, hq.keys, reference.hex()) == [asked]
    assert [(one.store, one.progress) for one in asked.stores] == [(STORE, Progress.WAITING)]
    assert hq.pseudonym(CANARIES[0]) is None
    with pytest.raises(Refused):
        hq.office.set_mode(CANARIES[0], Mode.OPEN, hq.now_ms)
    hq.now_ms += orders.AGAIN_MS
    store.say(hq.answers, store.hello())
    (order,) = [one for one in store.heard if isinstance(one, Order) and one.verb is Verb.ERASE]
    assert order.subject == known_as
    store.say(hq.answers, Done(order.id, Outcome.DONE, 1, 1, b""))
    with reading(hq.engine) as connection:
        (asked,) = erasure.find(connection, hq.keys, reference.hex())
    assert asked.is_done
    assert erasure.forget(hq.engine) == 1
    with reading(hq.engine) as connection:
        assert connection.scalars(select(erasures.c.lookup)).all() == [None]
        assert erasure.find(connection, hq.keys, CANARIES[0]) == []


def test_what_comes_late_of_an_erased_member_is_not_kept(hq: Headquarters, store: FakeStore) -> None:
    """The event is counted, its body is nowhere."""
    _, known_as = live(hq, store)
    erasure.erase(hq.engine, hq.keys, CANARIES[0], hq.now_ms)
    taken = schema.encode(Withdrawal("wishlist", "cnryassociate", "associate"))
    store.say(hq.answers, store.events(Event(3, EventKind.WITHDRAWAL, hq.now_ms, known_as, taken)))
    with reading(hq.engine) as connection:
        rows = connection.execute(text("select kind, body from store_events order by number")).all()
    assert bytes(rows[-1].body) == b"\x01"
    hq.check()


def test_who_comes_back_is_somebody_new(hq: Headquarters) -> None:
    """The same id after an erasure: another pseudonym, none of the old choices, importable like anybody."""
    hq.join("m-1", "size.shoe")
    before = hq.pseudonym("m-1")
    erasure.erase(hq.engine, hq.keys, "m-1", hq.now_ms)
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)
    assert hq.record("m-1") is None
    hq.grant("m-1", "presence")
    after = hq.pseudonym("m-1")
    assert after not in (None, before)
    assert hq.record("m-1") is not None
    hq.check()


def test_an_export_holds_everything_and_tells_no_secret(hq: Headquarters, store: FakeStore) -> None:
    """Id, values, choices, stores, what happened there; the phone's secret is named and not told."""
    needles, known_as = live(hq, store)
    with writing(hq.engine) as connection:
        found = json.dumps(rights.export(connection, hq.keys, CANARIES[0], hq.now_ms))
    for canary in ("cnrymember1", "cnryshoe", "cnryname", "cnrywish", "size.shoe", STORE, known_as.hex(), "attendance"):
        assert canary in found, canary
    assert not [needle for needle in needles[len(CANARIES) + 3 :] if needle in found.encode()]
    with writing(hq.engine) as connection, pytest.raises(Refused):
        rights.export(connection, hq.keys, "m-unknown", hq.now_ms)


def test_another_wrapping_key_opens_nothing(hq: Headquarters, store: FakeStore) -> None:
    """The refusal names the remedy, no value."""
    live(hq, store)
    other = Custody([secrets.token_bytes(32)])
    with reading(hq.engine) as connection, pytest.raises(KeyMismatch) as found:
        other.references(connection, [CANARIES[0]])
    assert "wrapping key" in found.value.remedy


def test_a_new_wrapping_key_replaces_the_old_in_batches_that_go_on(
    hq: Headquarters, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken off in the middle, everything opens under both; at the end under the new one alone."""
    live(hq, store)
    hq.join_many(5)
    new = secrets.token_bytes(32)
    both = Custody([WRAPPING, new])
    monkeypatch.setattr(rewrap, "_AT_ONCE", 2)

    class StoppedError(Exception):
        pass

    def stop(count: int) -> None:
        raise StoppedError

    total = rewrap.count_old(hq.engine, both)
    with pytest.raises(StoppedError):
        rewrap.rewrap(hq.engine, both, stop)
    assert rewrap.count_old(hq.engine, both) == total - 2
    both.attach(hq.engine)
    with reading(hq.engine) as connection:
        assert len(both.references(connection, [CANARIES[0], "m-0"])) == 2
    assert rewrap.rewrap(hq.engine, both) == total - 2
    alone = Custody([new])
    alone.attach(hq.engine)
    with reading(hq.engine) as connection:
        assert membership.fields(connection, membership.lock_by_id(connection, alone, [CANARIES[0]]))
        known_as = connection.scalar(select(audience.c.pseudonym).limit(1))
        assert known_as is not None
        assert records.body(connection, f"members/{STORE}", known_as)
    old = Custody([WRAPPING])
    with reading(hq.engine) as connection, pytest.raises(KeyMismatch):
        old.references(connection, ["m-0"])


def test_a_key_made_in_a_transaction_that_fails_is_not_used_again(engine: Engine) -> None:
    """Two processes agree on one key, and what failed left none."""
    custody, other = Custody([WRAPPING]), Custody([WRAPPING])

    class FailedError(Exception):
        pass

    with pytest.raises(FailedError), writing(engine) as connection:
        lost = custody.lookup(connection, ["m-1"], making=True)
        raise FailedError
    with writing(engine) as connection:
        kept = custody.lookup(connection, ["m-1"], making=True)
    with reading(engine) as connection:
        assert other.lookup(connection, ["m-1"]) == kept != lost


def test_a_database_without_its_keys_says_so(tmp_path: Path) -> None:
    """Who reads records over an engine to which no custody is attached is told what to do."""
    opened = open_database(f"sqlite:///{tmp_path}/bare.db")
    with writing(opened) as connection, pytest.raises(KeyMismatch):
        records.make_instance(connection, records.Collection.STAFF, STORE)
    opened.dispose()


def test_erasing_twice_is_refused_and_orders_stay(hq: Headquarters) -> None:
    """There is nobody to erase the second time."""
    hq.join("m-1")
    erasure.erase(hq.engine, hq.keys, "m-1", hq.now_ms)
    with pytest.raises(Refused):
        erasure.erase(hq.engine, hq.keys, "m-1", hq.now_ms)
    assert orders.PINNED  # the erasure follows the store to a new cache
    assert Verb.ERASE not in orders.PINNED


def test_hq_warns_a_month_before_its_keys_end(hq: Headquarters) -> None:
    """One alarm of HQ itself, over when a new key set is there."""
    ends = replace(hq.keys, key_set_ends_s=hq.now_s + 31 * 86_400)

    def told(keys: Keys, days: int) -> list[str]:
        clock_job.tick(hq.engine, keys, hq.now_ms + days * 86_400_000)
        with reading(hq.engine) as connection:
            return [row.alarm for row in open_alarms(connection)]

    assert told(ends, 0) == []
    assert told(ends, 2) == told(ends, 3) == ["keys_end"]
    assert told(hq.keys, 3) == []
