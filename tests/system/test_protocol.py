"""What the real programs say fits the rules of `docs/protocol.md`, message by message."""

import io
import json
from collections import Counter

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from demo.store import now_ms
from tests.system.store import STORE, Shop, grants, until
from tests.wire import cddl
from tests.wire.page import fits
from wire import cbor, envelope, schema, sync
from wire.member import Mode
from wire.sync import Kind

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def said(shop: Shop) -> list[tuple[str, bytes]]:
    """What crossed the broker while a member asked for help, was shown, and withdrew twice: in the store and at HQ."""
    person = shop.join(Mode.HELP, ("name.first", "size.shoe"))
    tablet = shop.tablet()
    followed = tablet.follow()
    try:
        shop.sees(followed, lambda now: now.lease.get("light") == "live", "a live store")
        handle = shop.call_for_help(person, followed)
        assert tablet.card(handle).status == 200
        assert tablet.withdraw(handle, "size.shoe").status < 300
        until(lambda: not grants(shop, person.member, "size.shoe"), what="HQ's own record of the withdrawal")
        shop.store.office.withdraw(person.member, now_ms(), scopes=("name.first",))
        assert shop.ear is not None
        heard = shop.ear.heard
        until(lambda: {Kind.EVENTS, Kind.HELLO, Kind.WANT} <= {kind for _, kind in kinds(heard)}, what="what goes up")
        for topic in (sync.now(STORE), sync.down(STORE)):
            until(lambda topic=topic: (topic, Kind.RECORDS) in kinds(heard), what=f"records on {topic}")  # type: ignore[misc]
    finally:
        followed.close()
    return list(heard)


def kinds(heard: list[tuple[str, bytes]]) -> Counter[tuple[str, Kind]]:
    """How many of each kind were heard on each topic."""
    return Counter((topic, envelope.parse(payload).header.kind) for topic, payload in list(heard))


def test_every_payload_is_an_envelope_of_its_topic(said: list[tuple[str, bytes]]) -> None:
    """Each is a payload as the page has it, with a header as the page has it, of a kind that its topic carries."""
    for topic, payload in said:
        assert fits("payload", payload)
        parsed = envelope.parse(payload)
        assert fits("header", parsed.header_bytes)
        goes_up = topic == sync.up(STORE)
        assert (parsed.header.kind >= Kind.HELLO) == goes_up
        assert topic != sync.now(STORE) or parsed.header.kind in {Kind.RECORDS, Kind.ORDER}
        assert (parsed.header.signed_by == 0) == goes_up
        assert (parsed.header.sealed_to == 0) == (not goes_up)
    down = {kind for topic, kind in kinds(said) if topic == sync.down(STORE)}
    assert {Kind.CHALLENGE, Kind.UNLOCK, Kind.LEASE, Kind.RANGE, Kind.RECORDS} <= down


def test_what_the_store_says_fits_its_rules(shop: Shop, said: list[tuple[str, bytes]]) -> None:
    """Opened with HQ's key, each message is one of its kind's rule, and each event's body one of its own."""
    keys = shop.hq_keys()
    identity = Ed25519PublicKey.from_public_bytes(store_identity(shop))
    bodies: Counter[str] = Counter()
    for topic, payload in said:
        if topic != sync.up(STORE):
            continue
        parsed = envelope.parse(payload)
        message = envelope.open_(parsed, sync.HQ, identity, keys.sealing[parsed.header.sealed_to])
        assert fits(cddl.name_of(type(message)), schema.encode(message))
        for event in message.events if isinstance(message, sync.Events) else ():
            rule = cddl.name_of(sync.EVENT_BODIES[event.kind])
            assert fits(rule, event.body)
            bodies[rule] += 1
    assert bodies["disclosure"]
    assert bodies["withdrawal"]


def store_identity(shop: Shop) -> bytes:
    """The store's public key, as provisioning wrote it for HQ."""
    return bytes.fromhex(json.loads((shop.folder / f"stores/{STORE}/store.json").read_text())["identity"])


def test_what_the_edge_says_fits_its_rules(shop: Shop, said: list[tuple[str, bytes]]) -> None:
    """Every datagram to the gateway is sightings or health."""
    assert said
    heard = io.BytesIO(bytes(shop.lines[0].heard))
    decoder = cbor2.CBORDecoder(heard)
    found: Counter[str] = Counter()
    while heard.tell() < len(heard.getbuffer()):
        encoded = cbor.encode(decoder.decode())
        rule = "sightings" if fits("sightings", encoded) else "health"
        assert fits(rule, encoded)
        found[rule] += 1
    assert found["sightings"]
    assert found["health"]
