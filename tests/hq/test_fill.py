"""Where a range ends: 128 records and 48 KiB of bodies, of which each fits into one payload."""

import itertools
import secrets

import pytest

from hq import collections
from hq.database import writing
from tests.fakes.store import FakeStore
from tests.hq.headquarters import STORE, Headquarters
from wire import tree
from wire.sync import MAX_BODY_BYTES, Children, Collection, RecordRange, Want, Wanted, instance

NAME = "edge"
TITLE = instance(Collection.AFFINITY, NAME)
KIB = 1024


@pytest.fixture
def store(hq: Headquarters) -> FakeStore:
    """The store's box, just started."""
    return FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)


def holds(hq: Headquarters, store: FakeStore, bodies: dict[bytes, bytes]) -> None:
    """HQ has an instance with these bodies, and the store knows of it."""
    collections.publish(hq.engine, Collection.AFFINITY, NAME, bodies, hq.now_ms)
    with writing(hq.engine) as connection:
        collections.give(connection, STORE, Collection.AFFINITY, NAME)
    store.come_up(hq.answers)


def wants(hq: Headquarters, store: FakeStore, first: bytes = b"", last: bytes | None = None) -> list[object]:
    """What HQ says of some nodes; each answer was one payload."""
    wanted = Wanted(TITLE, first, first if last is None else last, 0)
    return list(store.say(hq.answers, Want(secrets.token_bytes(16), (wanted,))))


def sizes(answers: list[object]) -> list[int]:
    """How many bytes of bodies each range holds."""
    found = []
    for one in answers:
        assert isinstance(one, RecordRange)
        found.append(sum(len(record.body or b"") for record in one.records))
    return found


@pytest.mark.parametrize("count", [1, 2, 128])
def test_a_range_holds_bodies_of_48_kib_and_not_a_byte_more(hq: Headquarters, store: FakeStore, count: int) -> None:
    """However many records share them, with the longest keys; beyond that the node is told by its children."""
    bodies = {b"%064d" % number: bytes(48 * KIB // count) for number in range(count)}
    holds(hq, store, bodies)
    assert sizes(wants(hq, store)) == [48 * KIB]
    if count > 1:
        collections.publish(
            hq.engine, Collection.AFFINITY, NAME, bodies | {b"%064d" % 0: bytes(48 * KIB // count + 1)}, hq.now_ms
        )
        assert [type(one) for one in wants(hq, store)] == [Children]


def test_neighbouring_nodes_are_one_range_as_long_as_they_fit(hq: Headquarters, store: FakeStore) -> None:
    """56 KiB of keys, bodies and what stands around them; a byte more, and the last of them waits."""
    each = tree.SPAN_BYTES // 8 - 64 - tree.RECORD_BYTES
    bodies = {b"%064d" % number: bytes(each) for number in range(8)}
    holds(hq, store, bodies)
    assert sizes(wants(hq, store, b"\x00\x00", b"\xff\xff")) == [8 * each]
    collections.publish(hq.engine, Collection.AFFINITY, NAME, bodies | {b"%064d" % 0: bytes(each + 1)}, hq.now_ms)
    (found,) = wants(hq, store, b"\x00\x00", b"\xff\xff")
    assert isinstance(found, RecordRange)
    assert len(found.records) == 7
    assert found.last < b"\xff\xff"


def test_a_node_at_the_bottom_comes_in_as_few_parts_as_hold_it(hq: Headquarters, store: FakeStore) -> None:
    """Two bodies of 24 KiB are one part; the largest body is one alone."""
    holds(hq, store, {b"first": b""})
    digest_key = store.digest_keys[TITLE]
    place = tree.path(digest_key, b"first")[:2]
    keys = (b"%d" % number for number in itertools.count())
    there = list(itertools.islice((key for key in keys if tree.path(digest_key, key).startswith(place)), 4))
    there.sort(key=lambda key: tree.path(digest_key, key))
    lengths = (MAX_BODY_BYTES, MAX_BODY_BYTES // 2, MAX_BODY_BYTES // 2, 1)
    bodies = {key: bytes(length) for key, length in zip(there, lengths, strict=True)}
    collections.publish(hq.engine, Collection.AFFINITY, NAME, bodies, hq.now_ms)
    assert sizes(wants(hq, store, place)) == [MAX_BODY_BYTES, MAX_BODY_BYTES, 1]
