"""A bucket of the keyring packs and unpacks to the same, in one form only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import keyring
from wire.errors import Reason, WireError

pseudonyms = st.binary(min_size=16, max_size=16)
day_keys = st.lists(pseudonyms, min_size=1, max_size=16).map(tuple)
buckets = st.dictionaries(pseudonyms, day_keys, max_size=8)


@given(buckets)
def test_a_bucket_comes_back_in_ascending_order(bucket):
    """Whatever the order in which members came, the body is the same, and gives them back."""
    body = keyring.pack(bucket.items())
    assert keyring.pack(reversed(list(bucket.items()))) == body
    assert keyring.unpack(body) == tuple(sorted(bucket.items()))
    assert len(body) == sum(17 + 16 * len(keys) for keys in bucket.values())


@given(st.binary(max_size=120))
def test_what_unpacks_packs_to_the_same_bytes(noise):
    """Noise is refused, or is the one body of what it says."""
    try:
        entries = keyring.unpack(noise)
    except WireError as error:
        assert error.reason is Reason.SHAPE
    else:
        assert keyring.pack(entries) == noise


A, B = b"a" * 16, b"b" * 16


@pytest.mark.parametrize(
    "entries",
    [
        [(A, ())],
        [(A, (B,) * 17)],
        [(A, (B,)), (A, (B,))],
        [(A[:15], (B,))],
        [(A, (B[:15],))],
        [(A, (B + b"!",))],
    ],
)
def test_what_is_no_bucket_is_not_packed(entries):
    """No key, too many, one member twice, or a wrong length."""
    with pytest.raises(WireError):
        keyring.pack(entries)


@pytest.mark.parametrize(
    "body",
    [
        A,
        A + b"\x00",
        A + b"\x11" + B * 17,
        A + b"\x01" + B[:15],
        A + b"\x02" + B,
        B + b"\x01" + A + A + b"\x01" + A,
        A + b"\x01" + B + A + b"\x01" + B,
        A + b"\x01" + B + b"!",
    ],
)
def test_what_is_no_body_is_not_unpacked(body):
    """Cut off, empty, too many, out of order, twice, or something behind."""
    with pytest.raises(WireError):
        keyring.unpack(body)


@given(buckets, st.dictionaries(pseudonyms, day_keys | st.just(()), max_size=4), st.integers(0, 4))
def test_replacing_some_members_is_packing_all_anew(bucket, turned, shared):
    """Who is named gets the new keys or goes, and the rest stays: the body is the one of all together."""
    turned |= {one: keys[:1] for one, keys in list(bucket.items())[:shared]}
    turned |= dict.fromkeys(list(bucket)[shared : shared + 1], ())
    body = keyring.replaced(keyring.pack(bucket.items()), turned)
    assert body == keyring.pack((one, keys) for one, keys in (bucket | turned).items() if keys)


@given(st.binary(max_size=120))
def test_nothing_is_replaced_in_what_is_no_bucket(noise):
    """A body that does not unpack is refused, and one that does stays as it is where nobody is named."""
    try:
        keyring.unpack(noise)
    except WireError:
        with pytest.raises(WireError):
            keyring.replaced(noise, {})
    else:
        assert keyring.replaced(noise, {}) == noise
