"""Nothing opens but with both halves of the key, in its own place."""

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_gateway.errors import CacheError, CacheReason
from store_gateway.seal import Seal, bound_local, bound_row, check_of, epoch_key, verify_check

KEY = bytes(range(32))


def test_the_epoch_key_needs_the_box_the_share_and_the_incarnation() -> None:
    """Each of the three changes it; the derivation is fixed, so that a cache of today opens tomorrow."""
    key = epoch_key(b"b" * 32, b"s" * 32, b"i" * 16)
    assert key.hex() == "0a404f61db4d04ac264d8e63c7aa0040f67c2dc56e0c7b4ecdadc8ab26cf5b90"
    assert len({key, epoch_key(b"B" * 32, b"s" * 32, b"i" * 16), epoch_key(b"b" * 32, b"S" * 32, b"i" * 16),
                epoch_key(b"b" * 32, b"s" * 32, b"I" * 16)}) == 4  # fmt: skip


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_what_was_sealed_opens_with_the_same_associated_data(content: bytes, bound: bytes) -> None:
    """And is another ciphertext each time."""
    seal = Seal(KEY, secrets.token_bytes)
    sealed = seal.close(content, bound)
    assert seal.open(sealed, bound) == content
    assert sealed != seal.close(content, bound)


@given(st.binary(max_size=100), st.integers(0, 10_000))
def test_a_changed_byte_is_corrupt(content: bytes, where: int) -> None:
    """Wherever it is; a cut too."""
    seal = Seal(KEY, secrets.token_bytes)
    sealed = bytearray(seal.close(content, b"place"))
    sealed[where % len(sealed)] ^= 1
    for bad in (bytes(sealed), bytes(sealed[: where % len(sealed)])):
        with pytest.raises(CacheError) as caught:
            seal.open(bad, b"place")
        assert caught.value.reason is CacheReason.CORRUPT


def test_a_row_is_bound_to_its_instance_column_seq_and_bucket_version() -> None:
    """So that no row can be swapped or put back."""
    seal = Seal(KEY, secrets.token_bytes)
    sealed = seal.close(b"body", bound_row("members/a", bytes(16), 7, 1))
    for other in (
        bound_row("members/b", bytes(16), 7, 1),
        bound_row("members/a", b"\x01" + bytes(15), 7, 1),
        bound_row("members/a", bytes(16), 6, 1),
        bound_row("members/a", bytes(16), 7, 2),
        bound_local("members/a", bytes(16), 1),
    ):
        with pytest.raises(CacheError):
            seal.open(sealed, other)


def test_a_wrong_epoch_key_is_told_from_a_right_one() -> None:
    """Before anything is opened with it."""
    right, wrong = Seal(KEY, secrets.token_bytes), Seal(KEY[::-1], secrets.token_bytes)
    check = check_of(right, b"i" * 16)
    verify_check(right, b"i" * 16, check)
    for seal, incarnation in ((wrong, b"i" * 16), (right, b"I" * 16)):
        with pytest.raises(CacheError) as caught:
            verify_check(seal, incarnation, check)
        assert caught.value.reason is CacheReason.WRONG_KEY


def test_a_seal_shows_no_key() -> None:
    """Whoever prints it sees nothing."""
    assert repr(Seal(KEY, secrets.token_bytes)) == "Seal(…)"
