"""A bucket's keys go with its instance: what goes on in slices ends there, and no other key takes their place."""

import secrets
from collections.abc import Callable

import pytest

from store_gateway.buckets import Place
from store_gateway.cache import Cache
from store_gateway.errors import CacheReason
from store_gateway.vault import Touched, Vault
from tests.fakes.hq import STORE, TODAY, FakeHQ, Line, a_member
from tests.store_gateway.test_orders import ADA, BEN, outcome
from wire import sync, tree
from wire.sync import Collection, Outcome, Verb

KEYRING = sync.instance(Collection.KEYRING, STORE, TODAY)
MEMBERS = sync.instance(Collection.MEMBERS, STORE)


def the_vault(line: Line) -> Vault:
    """What the unlocked cache holds."""
    vault = line.replica._hq.vault
    assert vault is not None
    return vault


def the_cache(line: Line) -> Cache:
    """The open file."""
    cache = line.replica._hq.cache
    assert cache is not None
    return cache


def strays(cache: Cache) -> int:
    """Keys of buckets whose instance is not held."""
    asked = "select instance from buckets where instance != 0"
    return len({row[0] for row in cache._connection.execute(asked)} - {one.id for one in cache.instances()})


def keys_of_a_bucket(hq: FakeHQ) -> list[tuple[bytes, tuple[bytes, ...]]]:
    """Day keys of ADA, and of some in the records beside ADA's in one bucket of the cache."""
    digest_key, ada = hq.instances[KEYRING].digest_key, sync.bucket_key(ADA)
    every = (number.to_bytes(2, "big") for number in range(4096))
    beside = [one for one in every if tree.path(digest_key, one)[0] == tree.path(digest_key, ada)[0] and one != ada]
    others = ((int.from_bytes(one, "big") << 4).to_bytes(2, "big") + bytes(14) for one in beside)
    return [(ADA, (b"x" * 16,)), *((one, (secrets.token_bytes(16),)) for one in others)]


@pytest.mark.parametrize("steps", range(1, 8))
def test_a_day_ends_while_an_erasure_reseals_its_bucket(line: Line, hq: FakeHQ, steps: int) -> None:
    """At whichever step: the erasure is done, the store is live, and the next roll finds no key that opens nothing."""
    entries = keys_of_a_bucket(hq)
    assert len(entries) > 4, "or one step were enough"
    line.tell(hq.member(ADA, a_member()))
    line.tell(hq.keys_of(TODAY, entries))
    line.run(20)
    line.tell(hq.member(ADA, None))
    line.tell(hq.commit((KEYRING, sync.bucket_key(ADA), None)))
    line.replica.on_payload(hq.say(hq.order(Verb.ERASE, ADA)), False, line.now_s)
    for _ in range(steps):
        assert line.replica.work(64, line.now_s)[1]
    hq.drop_day(TODAY)
    line.now_s += 20
    line.replica.tick(line.now_s)
    for payload in line.replica.outgoing():
        for answer in hq.answer(payload, line.now_ms):
            line.replica.on_payload(answer, False, line.now_s)
    assert TODAY not in line.replica.key_days()
    line.run(20)
    assert [done.outcome for done in hq.dones] == [Outcome.DONE]
    assert strays(the_cache(line)) == 0
    assert outcome(line, hq.order(Verb.ROLL), seconds=20) is Outcome.DONE
    assert line.live()


@pytest.mark.parametrize("begun_anew", [False, True])
def test_a_day_ends_while_its_keys_are_read(line: Line, hq: FakeHQ, begun_anew: bool) -> None:
    """What is read in slices ends with the slice that it is in, also where HQ gives the day under another key."""
    everybody = [(number.to_bytes(2, "big") + bytes(14), (b"x" * 16,)) for number in range(0, 65_536, 64)]
    hq.keys_of(TODAY, everybody)
    line.run(40)
    assert sum(1 for _ in line.replica.keyring(TODAY)) == len(everybody)
    keys = line.replica.keyring(TODAY)
    first = [next(keys) for _ in range(10)]
    assert len(first) == 10
    the_vault(line).drop(KEYRING, Touched())
    if begun_anew:
        hq.drop_day(TODAY)
        hq.add_instance(Collection.KEYRING, STORE, TODAY)
        line.run(20)
        assert TODAY in line.replica.key_days()
    assert 10 + sum(1 for _ in keys) < len(everybody)
    assert not line.replica.failed()
    assert strays(the_cache(line)) == 0


@pytest.mark.parametrize("swept", [False, True])
def test_keys_that_an_earlier_version_left_hinder_no_roll(line: Line, hq: FakeHQ, swept: bool) -> None:
    """Of an instance that is being erased, and of one of which nothing else is left: they go."""
    cache, vault = the_cache(line), the_vault(line)
    gone = vault.holdings.instances[KEYRING].id
    vault.drop(KEYRING, Touched())
    while swept and vault.holdings.sweep():
        pass
    hq.drop_day(TODAY)
    vault.holdings.buckets._put(Place(gone, KEYRING, 7), 1, (secrets.token_bytes(32), None))
    assert strays(cache) == 1
    order = hq.order(Verb.ROLL)
    assert outcome(line, order, seconds=20) is Outcome.DONE
    assert strays(cache) == 0
    assert line.live()


def test_what_is_swept_takes_such_keys_with_it(line: Line, hq: FakeHQ) -> None:
    """The next instance gets their number."""
    cache, vault = the_cache(line), the_vault(line)
    gone = vault.holdings.instances[KEYRING].id
    vault.drop(KEYRING, Touched())
    vault.holdings.buckets._put(Place(gone, KEYRING, 7), 1, (secrets.token_bytes(32), None))
    hq.drop_day(TODAY)
    line.run(1)
    assert strays(cache) == 0


def test_a_key_that_somebody_took_out_is_not_replaced(start: Callable[[], Line], hq: FakeHQ) -> None:
    """A row that is held and has no key is corrupt: it is not passed over, and no key is made to open it."""
    line = start()
    line.up()
    line.tell(hq.member(BEN, a_member()))
    line = start()
    (held,) = (one for one in the_cache(line).instances() if one.name == MEMBERS)
    the_cache(line)._connection.execute("delete from buckets where instance = ?", (held.id,))
    line.up()
    assert list(line.replica.modes()) == []
    assert line.replica._failure is CacheReason.CORRUPT
    assert not the_cache(line).has_buckets_below(held.id, 1 << 16)
