"""Which payloads are believed, and what goes up."""

import secrets

import pytest

from store_gateway.courier import Courier
from tests.fakes.hq import STORE, FakeHQ
from wire import envelope, keys, sync
from wire.sync import Kind


@pytest.fixture
def ends() -> tuple[Courier, FakeHQ]:
    """A store's courier, and an HQ that knows its boot."""
    hq = FakeHQ()
    courier = Courier(STORE, hq.box(), secrets.token_bytes)
    hq.boot = (courier.boot, courier.sealing_key)
    return courier, hq


CHALLENGE = sync.Challenge(b"c" * 16)


def test_what_hq_says_to_this_boot_is_opened(ends: tuple[Courier, FakeHQ]) -> None:
    """With the nonce that it answers."""
    courier, hq = ends
    arrived = courier.open(hq.say(CHALLENGE, b"n" * 16), 0)
    assert arrived is not None
    assert (arrived.kind, arrived.nonce, arrived.message) == (Kind.CHALLENGE, b"n" * 16, CHALLENGE)
    assert not courier.dropped


def test_each_start_has_its_own_key(ends: tuple[Courier, FakeHQ]) -> None:
    """A recording of what was sealed to an earlier one does not open, even under the same boot id."""
    courier, hq = ends
    earlier = hq.say(CHALLENGE)
    later = Courier(STORE, hq.box(), secrets.token_bytes)
    assert later.open(earlier, 0) is None
    later.boot = courier.boot
    assert later.open(earlier, 0) is None
    assert dict(later.dropped) == {"other_boot": 1, "seal": 1}


def test_an_ended_key_set_signs_nothing_any_more(ends: tuple[Courier, FakeHQ]) -> None:
    """Judged by a time that has passed for certain."""
    courier, hq = ends
    ended = keys.KeySet(2, 1_000, hq.key_set().signing, hq.key_set().sealing)
    assert courier.take_key_set(keys.sign_key_set(hq.root, ended))
    assert courier.open(hq.say(CHALLENGE), 1_000_000) is not None
    assert courier.open(hq.say(CHALLENGE), 1_000_001) is None
    assert courier.dropped["key_set_ended"] == 1


def test_a_replaced_signing_key_is_not_believed(ends: tuple[Courier, FakeHQ]) -> None:
    """From the next key set on only the new one counts."""
    courier, hq = ends
    before = hq.say(CHALLENGE)
    new = keys.KeySet(2, 2**40, (keys.SigningKey(7, bytes(32)),), hq.key_set().sealing)
    assert courier.take_key_set(keys.sign_key_set(hq.root, new))
    assert courier.open(before, 0) is None
    assert courier.dropped["signature"] == 1
    assert not courier.take_key_set(hq.say_key_set()), "a version only rises"


def test_what_goes_up_is_numbered_signed_and_sealed_to_hq(ends: tuple[Courier, FakeHQ]) -> None:
    """With HQ's last challenge as echo."""
    courier, hq = ends
    want = sync.Want(b"n" * 16, (sync.Wanted.node(f"members/{STORE}", b""),))
    for number in (1, 2):
        parts = envelope.parse(courier.close(want, b"c" * 16))
        header = parts.header
        assert (header.sender, header.recipient, header.number) == (STORE, sync.HQ, number)
        assert (header.nonce, header.boot, header.sealed_to) == (b"c" * 16, courier.boot, 1)
        opened = envelope.open_(parts, sync.HQ, hq.identity.public_key(), keys.sealing_private(hq.sealing_raw))
        assert opened == want
