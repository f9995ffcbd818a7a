"""Digests of records add up, whatever the order, and any difference shows in the root."""

from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from wire import tree
from wire.tree import Node

KEY = bytes(range(32))
records = st.lists(
    st.tuples(st.binary(min_size=1, max_size=20), st.integers(0, 2**64 - 1), st.binary(max_size=20)),
    unique_by=lambda record: record[0],
    max_size=12,
)


def digests(found):
    """The digests of some records of one collection."""
    return [tree.digest(KEY, 1, key, seq, tree.body_hash(body)) for key, seq, body in found]


def total(found):
    """The node of some records."""
    node = Node()
    for one in digests(found):
        node = node.plus(one)
    return node


def test_golden_digest():
    """Path, column, hash and digest are those of the contract, computed here from its words."""
    key, body = b"\x00" * 16, b"body"
    assert tree.path(KEY, key) == blake2b(key, digest_size=8, key=KEY).digest()
    assert tree.column(KEY, key) == blake2b(b"\x01" + key, digest_size=16, key=KEY).digest()
    assert tree.body_hash(body) == blake2b(body, digest_size=16).digest()
    stated = b"\x02" + b"\x00\x10" + key + b"\x00\x00\x00\x00\x00\x00\x00\x07" + tree.body_hash(body)
    wanted = blake2b(stated, digest_size=16, key=KEY).digest()
    assert tree.digest(KEY, 2, key, 7, tree.body_hash(body)) == int.from_bytes(wanted, "little")
    assert tree.path(KEY, key).hex() == "32ca7422b974ff8c"
    assert Node().plus(tree.digest(KEY, 2, key, 7, tree.body_hash(body))).root.hex() == wanted.hex()


@given(records, st.randoms())
def test_the_order_does_not_matter(found, random):
    """The same records give the same root in any order."""
    shuffled = list(found)
    random.shuffle(shuffled)
    assert total(found) == total(shuffled)


@given(records, records)
def test_join_and_less_are_inverse(some, others):
    """What is added can be taken away again, the count with it."""
    assert total(some).join(total(others)).less(total(others)) == total(some)
    taken = total(some)
    for one in reversed(digests(some)):
        taken = taken.minus(one)
    assert taken == Node()


@given(records, st.integers(0, 100), st.sampled_from(["key", "seq", "body", "gone"]))
def test_a_difference_shows(found, at, what):
    """Another key, seq or body, or a missing record, is another root."""
    if not found:
        return
    key, seq, body = found[at % len(found)]
    other = {
        "key": [(key + b"!", seq, body)],
        "seq": [(key, (seq + 1) % 2**64, body)],
        "body": [(key, seq, body + b"!")],
        "gone": [],
    }[what]
    rest = [one for one in found if one[0] != key]
    assert total(rest + other).root != total(found).root


def test_key_and_seq_cannot_run_into_each_other():
    """The length before the key keeps a longer key apart from a seq."""
    hashed = tree.body_hash(b"")
    assert tree.digest(KEY, 1, b"a" + bytes(8), 0, hashed) != tree.digest(KEY, 1, b"a", 0, bytes(8) + hashed[:8])


@given(st.binary(min_size=1, max_size=64))
def test_column_and_path_tell_nothing_of_each_other(key):
    """The column in a database is no prefix or continuation of the path."""
    assert tree.column(KEY, key)[:8] != tree.path(KEY, key)
