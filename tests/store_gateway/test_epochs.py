"""Keys end: after an erasure and a roll, no copy of the file opens what was erased, with all that HQ still holds."""

import itertools
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from store_gateway.cache import Cache
from store_gateway.cache_keys import LOCAL_KEYS
from store_gateway.errors import CacheError, CacheReason
from store_gateway.replica import Replica
from store_gateway.seal import KEY_BYTES, Seal, bound_bucket, bound_local, bound_row, epoch_key
from tests.fakes.hq import STORE, TODAY, FakeHQ, Line, a_member
from tests.store_gateway.test_first_schema import KEPT, unlocked
from tests.store_gateway.test_orders import ADA, BEN, WITHDRAWAL, outcome, told
from tests.store_gateway.test_replica_kill import die, dying, in_child, opened
from wire import schema, sync, tree
from wire.member import Mode
from wire.orders import EraseResult
from wire.sync import Outcome, Verb

MEMBERS = f"members/{STORE}"


def neighbour(hq: FakeHQ) -> bytes:
    """A member in the same bucket as ADA."""

    def bucket(key: bytes) -> int:
        return tree.path(hq.instances[MEMBERS].digest_key, key)[0] << 2 | (
            tree.path(hq.instances[MEMBERS].digest_key, key)[1] >> 6
        )

    keys = (number.to_bytes(16, "little") for number in itertools.count(1000))
    return next(key for key in keys if bucket(key) == bucket(ADA))


@pytest.fixture
def known(hq: FakeHQ) -> FakeHQ:
    """An HQ with some members and their keys."""
    hq.member(ADA, a_member(Mode.OPEN))
    hq.member(BEN, a_member())
    for number in range(40):
        hq.member(number.to_bytes(16, "big"), a_member())
    hq.member(neighbour(hq), a_member())
    hq.keys_of(TODAY, [(ADA, (b"x" * 16,)), (BEN, (b"z" * 16,))])
    return hq


def rolled(hq: FakeHQ, order: sync.Order) -> None:
    """HQ has the signed word that nothing needs earlier epochs: it destroys their shares."""
    epoch = int.from_bytes(order.subject or b"", "big")
    shares = hq.shares[order.incarnation]
    for older in [one for one in shares if one < epoch]:
        del shares[older]


# --- a roll ---------------------------------------------------------------------------------------------------------


def test_after_a_roll_the_old_share_is_needed_no_more(known: FakeHQ, cache_file: Path) -> None:
    """Everything opens under the new one, over a restart too, and the roll is the same when it comes again."""
    line = opened(known, cache_file)
    order = known.order(Verb.ROLL)
    assert outcome(line, order) is Outcome.DONE
    assert line.replica._hq.epochs is not None
    assert (line.replica._hq.epochs.oldest, line.replica._hq.epochs.newest) == (2, 2)
    rolled(known, order)
    assert outcome(line, order) is Outcome.DONE
    line.replica.close()
    line = opened(known, cache_file)
    assert line.replica.member(ADA) == a_member(Mode.OPEN)
    assert outcome(line, known.order(Verb.ROLL)) is Outcome.DONE
    line.replica.close()


def test_a_roll_waits_for_its_share(known: FakeHQ, cache_file: Path) -> None:
    """The next hello is answered with it; other orders are done meanwhile."""
    line = opened(known, cache_file)
    order = known.order(Verb.ROLL)
    share = known.shares[order.incarnation].pop(2)
    assert told(line, order, seconds=5.0) == []
    assert outcome(line, known.order(Verb.EXPORT, ADA)) is Outcome.DONE
    assert line.live()
    known.shares[order.incarnation][2] = share
    line.run(20)
    assert known.dones[-1].order == order.id
    line.replica.close()


def test_an_image_from_the_middle_of_a_roll_opens_with_both_shares_alone(known: FakeHQ, cache_file: Path) -> None:
    """Put back after the end it says that it is another key's, and shows nothing."""
    line = opened(known, cache_file)
    image = cache_file.with_name("image")
    order = known.order(Verb.ROLL)
    line.replica.on_payload(known.say(order), False, line.now_s)
    for _ in range(40):
        line.replica.tick(line.now_s)
        for payload in line.replica.outgoing():
            for answer in known.answer(payload, line.now_ms):
                line.replica.on_payload(answer, False, line.now_s)
        line.replica.work(64, line.now_s)
        assert line.replica._hq.cache is not None
        if len(line.replica._hq.cache.epochs()) == 2:
            break
        line.now_s += 0.2
    copy(cache_file, image)
    line.run(5)
    rolled(known, order)
    line.replica.close()
    copy(image, cache_file)
    line = Line(Replica(STORE, cache_file, known.box(), "test/1"), known, line.now_s)
    line.up()
    assert not line.live()
    assert line.replica._failure is CacheReason.WRONG_KEY
    line.replica.close()


def test_a_cache_of_the_first_schema_rolls_and_erases(tmp_path: Path) -> None:
    """Its buckets of 8 bits go on; what only this store wrote opens under the next version."""
    file = tmp_path / "cache.sqlite3"
    shutil.copy(KEPT, file)
    vault = unlocked(file)
    ada = b"\x01" * 16
    (held,) = vault.holdings.of(sync.Collection.MEMBERS)
    place = vault.holdings.buckets.place(held.id, held.name, tree.path(held.digest_key, ada))
    assert place.bucket < 256
    for where in (place, type(place)(0, "local", 0)):
        for _ in vault.holdings.buckets.reseal(where):
            vault.denied(ada)
    row = vault._cache.bucket(held.id, place.bucket)
    assert row is not None
    assert (row.version, row.epoch, row.next) == (2, 1, None)
    assert vault.member(ada) == a_member(Mode.OPEN)
    vault._cache.close()
    again = unlocked(file)
    assert again.member(ada) == a_member(Mode.OPEN)
    assert again.policy is not None
    assert len(again.tablets()) == 1
    again._cache.close()


# --- power fails ----------------------------------------------------------------------------------------------------

ROLL = [("add_epoch", 1), ("put_digest_key", 2), ("put_bucket", 1), ("put_bucket", 30), ("end_epochs", 1),
        ("checkpoint", 1), ("checkpoint", 2), ("put_done", 1)]  # fmt: skip
ERASE = [("put_rows", 1), ("forget_results", 1), ("put_bucket", 1), ("put_sealed", 1), ("put_bucket", 2),
         ("put_local_sealed", 1), ("checkpoint", 2), ("put_done", 1)]  # fmt: skip
WIPE = [("destroy_keys", 1), ("checkpoint", 1), ("close", 1), ("_open", 1)]
QUICK = {("put_bucket", 30, False), ("put_sealed", 1, False), ("destroy_keys", 1, False)}  # of each order one
STEPS = [
    pytest.param(verb, method, nth, first, marks=[] if (method, nth, first) in QUICK else [pytest.mark.long])
    for verb, steps in ((Verb.ROLL, ROLL), (Verb.ERASE, ERASE), (Verb.WIPE, WIPE))
    for method, nth in steps
    for first in (True, False)
]


def at(method: Callable[..., Any], nth: int, *, first: bool) -> Callable[..., Any]:
    """The method, but the process dies at its nth call."""
    calls, deadly = iter(range(1, nth)), dying(method, first=first)

    def instead(*args: Any, **named: Any) -> Any:
        return (method if next(calls, None) else deadly)(*args, **named)

    return instead


@pytest.mark.parametrize(("verb", "method", "nth", "first"), STEPS)
def test_killed_at_any_step_it_goes_on(
    known: FakeHQ, cache_file: Path, verb: Verb, method: str, nth: int, first: bool
) -> None:
    """HQ sends the order again; then it is done as if nothing had been, and everything else opens."""
    opened(known, cache_file).replica.close()
    order = known.order(verb, ADA if verb is Verb.ERASE else None)

    def work(pipe: Connection) -> None:
        line = opened(known, cache_file)
        setattr(Cache, method, at(getattr(Cache, method), nth, first=first))
        told(line, order, seconds=3.0)
        pipe.send("that step was never reached")
        die()

    assert in_child(work) == []
    line = Line(Replica(STORE, cache_file, known.box(), "test/1"), known, 1_000.0)
    line.up()
    line.run(2)
    assert not line.replica.failed()
    if verb is Verb.ERASE:
        known.member(ADA, None)
        known.keys_of(TODAY, [(BEN, (b"z" * 16,))])
    (done,) = told(line, order, seconds=3.0)
    assert done.outcome in ((Outcome.DONE,) if verb is not Verb.WIPE else (Outcome.DONE, Outcome.NOTHING_TO_DO))
    if verb is Verb.ROLL:
        rolled(known, order)
        line.replica.close()
        line = opened(known, cache_file)
    line.run(60)
    assert line.live()
    for number in range(0, 40, 8):
        assert line.replica.member(number.to_bytes(16, "big")) == a_member()
    for present in (BEN, neighbour(known)):
        assert line.replica.member(present) == a_member()
    assert (line.replica.member(ADA) is None) is (verb is Verb.ERASE)
    assert [one.name for one in cache_file.parent.glob("*.wiped-*")] == []
    line.replica.close()


# --- what a thief has -----------------------------------------------------------------------------------------------


def copy(file: Path, to: Path) -> Path:
    """The database with its log, as they lie on the disk at this moment."""
    for suffix in ("", "-wal"):
        to.with_name(to.name + suffix).unlink(missing_ok=True)
        if file.with_name(file.name + suffix).exists():
            shutil.copy(file.with_name(file.name + suffix), to.with_name(to.name + suffix))
    return to


class Thief:
    """Has copies of the file, the box's secret, and every share that HQ holds; tries each key on each row."""

    def __init__(self, copies: list[Path], secret: bytes, shares: dict[bytes, dict[int, bytes]]) -> None:
        self.connections = [sqlite3.connect(one) for one in copies]
        self.keys: set[tuple[bytes, int]] = set()  # (key, version)
        for incarnation, of_it in shares.items():
            for share in of_it.values():
                epoch = Seal(epoch_key(secret, share, incarnation), bytes)
                for connection in self.connections:
                    self._unwrap(epoch, connection)

    def _unwrap(self, epoch: Seal, connection: sqlite3.Connection) -> None:
        names = dict(connection.execute("select id, name from instances").fetchall()) | {0: "local"}
        for instance, bucket, version, wrapped, following in connection.execute(
            "select instance, bucket, version, wrapped, next from buckets"
        ):
            for sealed, of in ((wrapped, version), (following, version + 1)):
                try:
                    key = epoch.open(sealed or b"", bound_bucket(names.get(instance, ""), bucket, of))
                except CacheError:
                    continue
                assert len(key) == KEY_BYTES
                self.keys.add((key, of))

    def opened(self) -> Iterator[bytes]:
        """Everything that opens, of any copy; what is in several is tried once."""
        tried: set[tuple[object, ...]] = set()
        for connection in self.connections:
            names = dict(connection.execute("select id, name from instances").fetchall())
            for instance, column, seq, sealed in connection.execute(
                "select instance, key_column, seq, sealed from records where sealed is not null"
            ):
                if (instance, column, seq, sealed) in tried:
                    continue
                tried.add((instance, column, seq, sealed))
                for key, version in self.keys:
                    yield from _tried(key, sealed, bound_row(names.get(instance, ""), column, seq, version))
            for table, pk in LOCAL_KEYS.items():
                for place, sealed in connection.execute(f"select {pk}, sealed from {table} where sealed is not null"):
                    where = place.to_bytes(8, "big") if isinstance(place, int) else place
                    where = where.encode() if isinstance(where, str) else where
                    if (table, where, sealed) in tried:
                        continue
                    tried.add((table, where, sealed))
                    for key, version in self.keys:
                        yield from _tried(key, sealed, bound_local(table, where, version))


def _tried(key: bytes, sealed: bytes, bound: bytes) -> Iterator[bytes]:
    try:
        yield Seal(key, bytes).open(sealed, bound)
    except CacheError:
        return


def stolen(line: Line, copies: list[Path], secret: bytes) -> tuple[bool, bool]:
    """Whether anything of ADA, and of BEN, opens."""
    found = list(Thief(copies, secret, line.hq.shares).opened())
    return any(ADA in one for one in found), any(BEN in one for one in found)


def test_an_erased_member_opens_in_no_copy_after_the_next_roll(known: FakeHQ, cache_file: Path, tmp_path: Path) -> None:
    """Copies from before, from the middle of everything, and from after; until the roll they do open."""
    line = opened(known, cache_file)
    copies: list[Path] = []

    def keep() -> None:
        copies.append(copy(cache_file, tmp_path / f"copy-{len(copies)}"))

    def done(order: sync.Order) -> Outcome:
        """The order's steps, with a copy after each."""
        line.replica.on_payload(known.say(order), False, line.now_s)
        for _ in range(300):
            line.replica.tick(line.now_s)
            for payload in line.replica.outgoing():
                for answer in known.answer(payload, line.now_ms):
                    line.replica.on_payload(answer, False, line.now_s)
            if known.dones and known.dones[-1].order == order.id:
                return known.dones[-1].outcome
            if line.replica.work(64, line.now_s)[1]:
                keep()
            line.now_s += 0.05
        raise AssertionError("it does not end")

    keep()
    line.down()
    line.replica.deny(ADA, "size.shoe", WITHDRAWAL, line.now_s)
    line.replica.on_link(True, line.now_s)
    keep()
    early = known.order(Verb.ROLL)  # one that was open when the erasure came
    assert done(early) is Outcome.DONE
    line.tell(known.member(ADA, None))
    line.tell(known.commit((f"keyring/{STORE}/{TODAY}", sync.bucket_key(ADA), None)))
    keep()
    assert done(known.order(Verb.ERASE, ADA)) is Outcome.DONE
    assert schema.decode(EraseResult, known.dones[-1].result).buckets == 4
    rolled(known, early)
    assert stolen(line, copies, known.box_secret) == (True, True), "or this test could not fail"
    late = known.order(Verb.ROLL)
    assert done(late) is Outcome.DONE
    rolled(known, late)
    keep()
    assert len(copies) > 20
    assert stolen(line, copies, known.box_secret) == (False, True)
    line.replica.close()
