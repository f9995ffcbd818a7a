"""An envelope opens for its recipient alone, whole and unchanged, in the order that the contract gives."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import instances, messages
from wire import cbor, envelope, keys, schema, sync
from wire.envelope import Header
from wire.errors import Reason, WireError
from wire.sync import Kind

HQ_SIGNING = Ed25519PrivateKey.from_private_bytes(b"h" * 32)
STORE_SIGNING = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
BOOT_RAW, OTHER_RAW = bytes(range(96)), bytes(range(1, 97))
BOOT_PRIVATE, OTHER_PRIVATE = keys.sealing_private(BOOT_RAW), keys.sealing_private(OTHER_RAW)
BOOT_PUBLIC = keys.sealing_public(keys.sealing_public_bytes(BOOT_RAW))

HEADER = Header(sync.HQ, "berlin-1", Kind.CHALLENGE, 7, b"b" * 16, b"n" * 16, 1, 0)
MESSAGE = sync.Challenge(b"c" * 16)
PAYLOAD = envelope.close(HEADER, MESSAGE, HQ_SIGNING, BOOT_PUBLIC)


def opened(payload, recipient="berlin-1", signer=HQ_SIGNING, private=BOOT_PRIVATE):
    """The message in a payload, as the store of this boot reads it."""
    return envelope.open_(envelope.parse(payload), recipient, signer.public_key(), private)


def refused(payload, **changes):
    """The reason for which a payload is not read."""
    with pytest.raises(WireError) as caught:
        opened(payload, **changes)
    return caught.value.reason


def parts(payload=PAYLOAD):
    """The four parts of an envelope."""
    return cbor.decode(payload)


def signed(header_bytes, sealed, signer=HQ_SIGNING):
    """An envelope around any header and seal, rightly signed."""
    stated = cbor.encode([1, header_bytes, sealed])
    return cbor.encode([1, header_bytes, sealed, signer.sign(b"consentry/1/sig" + stated)])


@settings(max_examples=200)
@given(messages, instances(Header))
def test_every_message_comes_back(message, header):
    """Of every kind, any message that its schema allows and that fits is opened to the same."""
    header = replace(header, kind=sync.KINDS[type(message)], recipient="berlin-1")
    payload = envelope.close(header, message, HQ_SIGNING, BOOT_PUBLIC)
    assert envelope.parse(payload).header == header
    assert opened(payload) == message


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_one_schema(kind):
    """Kinds and schemas are one to one."""
    assert sync.KINDS[sync.SCHEMAS[kind]] is kind


def test_somebody_elses_envelope_is_refused_before_anything_else():
    """The recipient comes first: even a wrong signature is not looked at."""
    assert refused(PAYLOAD, recipient="paris-9") is Reason.RECIPIENT
    assert refused(PAYLOAD, recipient="paris-9", signer=STORE_SIGNING, private=OTHER_PRIVATE) is Reason.RECIPIENT


def test_another_senders_signature_is_refused_before_the_seal():
    """Nothing is opened that the sender did not sign."""
    assert refused(PAYLOAD, signer=STORE_SIGNING) is Reason.SIGNATURE
    assert refused(PAYLOAD, signer=STORE_SIGNING, private=OTHER_PRIVATE) is Reason.SIGNATURE


def test_another_boots_key_opens_nothing():
    """What was sealed for another start stays closed."""
    assert refused(PAYLOAD, private=OTHER_PRIVATE) is Reason.SEAL


def test_a_swapped_header_opens_nothing():
    """A header of another message breaks the signature, and rightly signed anew it breaks the seal."""
    other = replace(HEADER, nonce=b"m" * 16)
    _, _, sealed, signature = parts()
    assert refused(cbor.encode([1, schema.encode(other), sealed, signature])) is Reason.SIGNATURE
    assert refused(signed(schema.encode(other), sealed)) is Reason.SEAL


def test_another_kind_in_the_header_is_no_message_of_that_kind():
    """A sender who names another kind than it seals is refused by the schema."""
    header_bytes = schema.encode(replace(HEADER, kind=Kind.LEASE))
    sealed = envelope._SUITE.encrypt(schema.encode(MESSAGE), BOOT_PUBLIC, b"consentry/1" + header_bytes)
    assert refused(signed(header_bytes, sealed)) is Reason.SHAPE


def test_the_sealed_body_has_one_form_too():
    """A body in another encoding than the deterministic one is refused, however well signed and sealed."""
    header_bytes = schema.encode(HEADER)
    long_form = b"\xb8\x01\x00\x50" + b"c" * 16
    sealed = envelope._SUITE.encrypt(long_form, BOOT_PUBLIC, b"consentry/1" + header_bytes)
    assert refused(signed(header_bytes, sealed)) is Reason.CBOR


@given(st.integers(0, len(PAYLOAD) - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused(at, change):
    """No byte of an envelope can be changed on the way: none is left uncovered."""
    payload = bytearray(PAYLOAD)
    payload[at] ^= change
    refused(bytes(payload))


@given(st.integers(0, len(PAYLOAD) - 1))
def test_a_cut_envelope_is_refused(length):
    """A prefix is no envelope."""
    assert refused(PAYLOAD[:length]) is Reason.CBOR


def test_something_behind_an_envelope_is_refused():
    """Nor is anything longer."""
    assert refused(PAYLOAD + b"\x00") is Reason.CBOR


@given(st.binary(max_size=200))
def test_noise_is_refused(noise):
    """Bytes from anywhere are refused, never an accident."""
    refused(noise)


@given(st.binary(max_size=2000))
def test_a_signed_seal_of_noise_is_refused(noise):
    """A known sender's noise in place of a seal is refused, of any length."""
    assert refused(signed(schema.encode(HEADER), noise)) is Reason.SEAL


@pytest.mark.parametrize(
    "shape",
    [
        [1], [], {}, 1, None, [2, b"", b"", b""], [True, *parts()[1:]], [1, *parts()[1:], b""],
        [1, parts()[1], parts()[2], "text"], [1, parts()[1], parts()[2], None], [[1], *parts()[1:]],
    ],
)  # fmt: skip
def test_another_shape_is_no_envelope(shape):
    """Four parts, the first the number 1, the others byte strings."""
    with pytest.raises(WireError) as caught:
        envelope.parse(cbor.encode(shape))
    assert caught.value.reason is Reason.SHAPE


def test_a_header_of_another_shape_is_no_header():
    """A header with an unknown kind, a missing or a further key is refused before any key is looked up."""
    for plain in (
        {**schema.to_plain(HEADER), 2: 99},
        {**schema.to_plain(HEADER), 8: 0},
        {key: value for key, value in schema.to_plain(HEADER).items() if key != 4},
        {**schema.to_plain(HEADER), 4: b"b" * 15},
    ):
        with pytest.raises(WireError) as caught:
            envelope.parse(cbor.encode([1, cbor.encode(plain), b"", b""]))
        assert caught.value.reason is Reason.SHAPE


def test_a_huge_payload_is_refused_unread():
    """More than 64 KiB is not even decoded."""
    with pytest.raises(WireError) as caught:
        envelope.parse(bytes(sync.MAX_PAYLOAD_BYTES + 1))
    assert caught.value.reason is Reason.SIZE


def test_a_huge_message_is_not_sent():
    """What would exceed 64 KiB is refused at its sender; a largest body still fits."""

    def of(*sizes):
        records = tuple(sync.Record(b"k", 1, bytes(size)) for size in sizes)
        return sync.Records((sync.Part("members/berlin-1", records),))

    header = replace(HEADER, kind=Kind.RECORDS)
    assert opened(envelope.close(header, of(sync.MAX_BODY_BYTES), HQ_SIGNING, BOOT_PUBLIC)) == of(sync.MAX_BODY_BYTES)
    with pytest.raises(WireError) as caught:
        envelope.close(header, of(sync.MAX_BODY_BYTES, 20_000), HQ_SIGNING, BOOT_PUBLIC)
    assert caught.value.reason is Reason.SIZE


def test_what_cannot_be_sealed_is_not_sent():
    """A key whose X25519 half is of low order, had it not been refused before: a WireError, as of anything wrong."""
    mlkem = MLKEM768PrivateKey.generate().public_key()
    barren = MLKEM768X25519PublicKey(mlkem, X25519PublicKey.from_public_bytes(bytes(32)))
    with pytest.raises(WireError) as caught:
        envelope.close(HEADER, MESSAGE, HQ_SIGNING, barren)
    assert caught.value.reason is Reason.SEAL


def test_a_message_of_another_kind_than_its_header_is_not_sent():
    """A mistake of ours is found before it leaves."""
    with pytest.raises(WireError) as caught:
        envelope.close(replace(HEADER, kind=Kind.LEASE), MESSAGE, HQ_SIGNING, BOOT_PUBLIC)
    assert caught.value.reason is Reason.SHAPE


def test_the_same_message_is_sealed_anew_each_time():
    """Two envelopes of one message have nothing but the header in common."""
    again = envelope.close(HEADER, MESSAGE, HQ_SIGNING, BOOT_PUBLIC)
    assert parts(again)[1] == parts()[1]
    assert parts(again)[2] != parts()[2]
