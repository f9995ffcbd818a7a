"""Raw keys are read strictly, and a key set is believed only with the pinned root's signature."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import instances
from wire import cbor, keys, schema
from wire.errors import Reason, WireError
from wire.keys import KeySet, SealingKey, SigningKey

ROOT = Ed25519PrivateKey.from_private_bytes(b"r" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
PRIVATE = bytes(range(96))
KEY_SET = KeySet(3, 1_900_000_000, (SigningKey(1, b"s" * 32),), (SealingKey(2, b"p" * 1216),))


@given(instances(KeySet, most=2))
def test_a_signed_key_set_comes_back(key_set):
    """The root signs it and its public half opens it, in one form only."""
    signed = keys.sign_key_set(ROOT, key_set)
    assert keys.open_key_set(ROOT.public_key(), signed) == key_set
    assert keys.sign_key_set(ROOT, key_set) == signed


def test_another_root_signs_nothing():
    """A key set of another root is refused."""
    with pytest.raises(WireError) as caught:
        keys.open_key_set(ROOT.public_key(), keys.sign_key_set(OTHER, KEY_SET))
    assert caught.value.reason is Reason.SIGNATURE


@given(st.integers(0, 2000), st.integers(1, 255))
def test_a_changed_byte_is_refused(at, change):
    """Every byte of a signed key set is covered: by the signature or by the one form."""
    signed = bytearray(keys.sign_key_set(ROOT, KEY_SET))
    signed[at % len(signed)] ^= change
    with pytest.raises(WireError):
        keys.open_key_set(ROOT.public_key(), bytes(signed))


def test_a_version_that_is_true_is_no_version():
    """CBOR's true is not the number 1, whatever Python thinks of it."""
    _, stated, signature = cbor.decode(keys.sign_key_set(ROOT, KEY_SET))
    with pytest.raises(WireError):
        keys.open_key_set(ROOT.public_key(), cbor.encode([True, stated, signature]))


def test_a_rightly_signed_statement_of_another_shape_is_refused():
    """The root's signature does not excuse a wrong shape, and no other context's signature fits."""
    stated = cbor.encode({0: 1})
    with pytest.raises(WireError) as caught:
        keys.open_key_set(ROOT.public_key(), cbor.encode([1, stated, ROOT.sign(b"consentry/1/keys" + stated)]))
    assert caught.value.reason is Reason.SHAPE
    stated = schema.encode(KEY_SET)
    with pytest.raises(WireError) as caught:
        keys.open_key_set(ROOT.public_key(), cbor.encode([1, stated, ROOT.sign(b"consentry/1/sig" + stated)]))
    assert caught.value.reason is Reason.SIGNATURE


@given(st.binary(max_size=100))
def test_noise_is_no_key_set(noise):
    """Bytes from anywhere are refused."""
    with pytest.raises(WireError):
        keys.open_key_set(ROOT.public_key(), noise)


def test_a_sealing_key_has_one_public_half():
    """The 96 private bytes give the 1,216 public ones, again and again."""
    public = keys.sealing_public_bytes(PRIVATE)
    assert len(public) == keys.SEALING_PUBLIC_BYTES
    assert keys.sealing_public_bytes(PRIVATE) == public
    assert keys.sealing_public_bytes(PRIVATE[:95] + b"!") != public
    keys.sealing_public(public)
    keys.sealing_private(PRIVATE)


def test_new_sealing_keys_differ():
    """Each start has a key of its own."""
    assert len({keys.make_sealing_private() for _ in range(4)}) == 4
    assert len(keys.make_sealing_private()) == keys.SEALING_PRIVATE_BYTES


@pytest.mark.parametrize("length", [0, 32, 95, 97, 1216])
def test_a_private_key_of_another_length_is_refused(length):
    """96 bytes or nothing."""
    for read in (keys.sealing_private, keys.sealing_public_bytes):
        with pytest.raises(WireError) as caught:
            read(bytes(length))
        assert caught.value.reason is Reason.SIZE


@pytest.mark.parametrize("length", [0, 32, 1184, 1215, 1217])
def test_a_public_key_of_another_length_is_refused(length):
    """1,216 bytes or nothing."""
    with pytest.raises(WireError) as caught:
        keys.sealing_public(bytes(length))
    assert caught.value.reason is Reason.SIZE


def test_bytes_that_are_no_public_key_are_refused():
    """Coefficients out of range are no ML-KEM key."""
    with pytest.raises(WireError) as caught:
        keys.sealing_public(b"\xff" * 1216)
    assert caught.value.reason is Reason.SHAPE


# X25519's points of low order (RFC 7748, 6.1), and the same above the prime.
P = 2**255 - 19
ORDER_8 = (
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
)
LOW_ORDER = [one.to_bytes(32, "little") for one in (0, 1, *ORDER_8, P - 1, P, P + 1, 2**255)]


@pytest.mark.parametrize("half", LOW_ORDER, ids=bytes.hex)
def test_a_key_to_which_nothing_can_be_sealed_is_refused(half):
    """Its X25519 half is of low order: whoever seals to it gets an error, so nobody ever holds it as a key."""
    with pytest.raises(WireError) as caught:
        keys.sealing_public(keys.sealing_public_bytes(PRIVATE)[:1184] + half)
    assert caught.value.reason is Reason.SHAPE


def test_too_many_keys_make_no_key_set():
    """A key set has at most eight keys of a kind, numbered from 1."""
    with pytest.raises(WireError):
        keys.sign_key_set(ROOT, replace(KEY_SET, signing=KEY_SET.signing * 9))
    with pytest.raises(WireError):
        keys.sign_key_set(ROOT, replace(KEY_SET, signing=(SigningKey(0, b"s" * 32),)))
