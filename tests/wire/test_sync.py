"""Topics, instances and messages have one form each, and nothing else passes for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import event_bodies, messages
from wire import keyring, schema, sync
from wire.errors import WireError
from wire.sync import Collection, Kind

stores = st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True)
names = st.sampled_from([one for one in Collection if one is not Collection.KEYRING])


@given(messages | event_bodies)
def test_every_message_comes_back(message):
    """Any message or event body that its schema allows is decoded to the same, from the same bytes."""
    encoded = schema.encode(message)
    assert schema.decode(type(message), encoded) == message
    assert schema.encode(schema.decode(type(message), encoded)) == encoded


@given(st.sampled_from(Kind), messages, st.binary(max_size=60), st.integers(0, 100), st.integers(1, 255))
def test_noise_and_mangled_messages_raise_only_wire_error(kind, message, noise, at, change):
    """Whatever is decoded as any kind is refused, or re-encodes to the very bytes that came."""
    mangled = bytearray(schema.encode(message))
    mangled[at % len(mangled)] ^= change
    for encoded in (noise, bytes(mangled)):
        try:
            found = schema.decode(sync.SCHEMAS[kind], encoded)
        except WireError:
            continue
        assert schema.encode(found) == encoded


@given(names, stores)
def test_an_instance_is_read_as_it_was_written(collection, name):
    """Collection and name come back."""
    assert sync.parse_instance(sync.instance(collection, name)) == (collection, name, None)


@given(stores, st.integers(0, 40_000))
def test_a_keyring_has_its_day(store, day):
    """A keyring's instance names the UTC day."""
    text = sync.instance(Collection.KEYRING, store, day)
    assert text == f"keyring/{store}/{day}"
    assert sync.parse_instance(text) == (Collection.KEYRING, store, day)


@pytest.mark.parametrize(
    "text",
    [
        "", "members", "members/", "members/Berlin", "members/berlin/1", "MEMBERS/berlin", "keyring/berlin",
        "keyring/berlin/", "keyring/berlin/x", "keyring/berlin/01", "keyring/berlin/+1", "keyring/berlin/1/2",
        "others/berlin", "members/" + "x" * 41, "keyring/berlin/ 1", "keyring/berlin/1_0", "keyring/berlin/\u0661",
    ],
)  # fmt: skip
def test_other_texts_are_no_instance(text):
    """Each instance has one name."""
    with pytest.raises(WireError):
        sync.parse_instance(text)


@given(st.text(max_size=30))
def test_noise_is_no_instance(text):
    """Any text is refused, or is the name of what it says."""
    try:
        found = sync.parse_instance(text)
    except WireError:
        return
    assert sync.instance(*found) == text


@pytest.mark.parametrize(
    ("collection", "name", "day"),
    [
        (Collection.MEMBERS, "berlin", 1),
        (Collection.KEYRING, "berlin", None),
        (Collection.STAFF, "Berlin", None),
        (Collection.STAFF, "a/b", None),
    ],
)
def test_an_instance_that_cannot_be_is_not_named(collection, name, day):
    """A day belongs to a keyring alone, and a name is that of a store or of what stores share."""
    with pytest.raises(WireError):
        sync.instance(collection, name, day)


@pytest.mark.parametrize("text", ["berlin-1", "0", "-", "x" * 40])
def test_stores(text):
    """Lower-case letters, digits and hyphens, at most 40."""
    assert sync.is_store(text)


@pytest.mark.parametrize("text", ["", "Berlin", "berlin_1", "x" * 41, "berlin\n", "+", "#", "a/b", sync.HQ, "größe"])
def test_no_store_has_hqs_name_or_a_wildcard(text):
    """Nothing that MQTT or a header could take for something else."""
    assert not sync.is_store(text)


def test_topics():
    """The three topics of a store, and what HQ subscribes to."""
    assert (sync.down("s"), sync.now("s"), sync.up("s")) == (
        "consentry/1/s/down", "consentry/1/s/now", "consentry/1/s/up",
    )  # fmt: skip
    assert sync.UP_OF_ALL == "consentry/1/+/up"


@given(st.binary(min_size=16, max_size=16))
def test_a_bucket_is_the_first_twelve_bits(pseudonym):
    """Every pseudonym has one of 4,096 buckets, named by its first three hexadecimal digits."""
    assert sync.bucket_key(pseudonym).hex() == "0" + pseudonym.hex()[:3]
    assert int.from_bytes(sync.bucket_key(pseudonym), "big") < sync.KEYRING_BUCKETS


def test_a_full_bucket_fits_a_body():
    """100,000 members of two phones make buckets far below a body's most; so do 16 phones of 180 members."""
    entries = [(number.to_bytes(16, "big"), (bytes(16),) * 16) for number in range(180)]
    assert len(keyring.pack(entries)) <= sync.MAX_BODY_BYTES
    expected = 100_000 / sync.KEYRING_BUCKETS * (17 + 2 * 16)
    assert expected * 10 < sync.MAX_BODY_BYTES


@given(messages)
def test_no_message_shows_bodies_or_keys_in_a_log(message):
    """The representation of a record, an unlock, a result or an event holds no body and no key."""
    record = sync.Record(b"secretkey", 5, b"secretbody")
    assert "secret" not in repr(sync.Records((sync.Part("members/x", (record,)),)))
    if isinstance(message, sync.Unlock):
        assert repr(message) == "Unlock(…)"
    assert "secret" not in repr(sync.Event(1, sync.EventKind.MUTE, 0, b"secret" * 2 + b"....", b"secret"))
