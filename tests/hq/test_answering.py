"""Proposals that members answer, exports that every store takes part in, and calls that are made twice."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import func, select

from hq import choices, confirming, erasure, exports, proposals, repeats
from hq.choosing_tables import repeats as repeat_rows
from hq.collections import give, publish
from hq.database import reading, writing
from hq.erasure import Progress
from hq.errors import Refused
from hq.proposals import Proposed
from hq.repeats import Answer
from tests.fakes.store import FakeStore
from tests.hq.headquarters import STORE, Headquarters, items
from wire import envelope, schema
from wire.catalog import CatalogItem
from wire.items import ItemList, Proposal
from wire.orders import Denial, DenialKind, ExportResult
from wire.sync import HQ, Collection, Disclosure, Done, Event, EventKind, Order, Outcome, ReasonCode, Verb

SEEN = Disclosure(
    b"h" * 16, "cnrynina", "associate", "t-1", ("size.shoe",), ("assist",), "grant", ReasonCode.HELP, True, False,
    b"s" * 16, b"t" * 16,
)  # fmt: skip


@pytest.fixture
def store(hq: Headquarters) -> FakeStore:
    """A store that is up, with a member and another."""
    hq.join("m-1", "size.shoe", "wishlist", "basket.online")
    hq.join("m-2")
    made = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    made.come_up(hq.answers)
    return made


def propose(hq: Headquarters, store: FakeStore, *told: Proposal, first: int = 1) -> None:
    """An associate proposes."""
    known_as = hq.pseudonym("m-1")
    events = [
        Event(number, EventKind.PROPOSAL, hq.now_ms, known_as, schema.encode(one))
        for number, one in enumerate(told, first)
    ]
    store.say(hq.answers, store.events(*events))


def standing(hq: Headquarters, member: str = "m-1") -> list[Proposed]:
    """What is proposed to a member."""
    with reading(hq.engine) as connection:
        whose = choices.opened(connection, hq.keys, member).reference
        return proposals.of_member(connection, hq.keys, whose, hq.now_ms)


def test_a_confirmed_proposal_is_on_the_members_list_once(hq: Headquarters, store: FakeStore) -> None:
    """By the catalog's name, added to what was there; nobody else can answer it, and not twice; declined: nowhere."""
    item = schema.encode(CatalogItem("Red boots", (), (), (), "", ""))
    publish(hq.engine, Collection.CATALOG, "berlin", {b"sku-17": item}, hq.now_ms)
    with writing(hq.engine) as connection:
        give(connection, STORE, Collection.CATALOG, "berlin")
    hq.office.set_profile("m-1", [items("wishlist", "Hat")], hq.now_ms)
    told = [Proposal(ItemList.WISHLIST, "sku-17", 2, "associate", "nina", "t-1")] * 2
    propose(hq, store, *told, Proposal(ItemList.BASKET, "sku-9", 1, "associate", "nina", "t-1"))
    basket, *wished = standing(hq)
    assert (basket.label, wished[0].label) == ("sku-9", "Red boots")
    assert not confirming.confirm(hq.office, "m-2", wished[0].ref, hq.now_ms, "app")
    assert not confirming.decline(hq.office, "m-1", "nonsense/zz/1")
    for one in wished:
        assert confirming.confirm(hq.office, "m-1", one.ref, hq.now_ms, "app")
        assert not confirming.confirm(hq.office, "m-1", one.ref, hq.now_ms, "app")
    assert confirming.decline(hq.office, "m-1", basket.ref)
    assert standing(hq) == []
    record = hq.record("m-1")
    lists = {one.scope: one.value.items or () for one in record.fields} if record else {}
    assert [(one.label, one.quantity) for one in lists["wishlist"]] == [("Hat", 1), ("Red boots", 4)]
    assert "basket.online" not in lists
    hq.check()


def answer(hq: Headquarters, store: FakeStore, verb: Verb, result: bytes) -> None:
    """The store does the order that it was given last."""
    for _ in range(2):
        store.say(hq.answers, store.hello())
    order = [one for one in store.heard if isinstance(one, Order) and one.verb is verb][-1]
    store.say(hq.answers, Done(order.id, Outcome.DONE, 1, 1, result))


def test_an_export_gathers_hqs_part_and_every_stores(hq: Headquarters, store: FakeStore) -> None:
    """It waits for the store, whatever HQ's programs do; then all is there, with the store's signature, no staff."""
    reference = exports.ask(hq.engine, hq.keys, "m-1", hq.now_ms)
    with writing(hq.engine) as connection:
        before = exports.gather(connection, hq.keys, "m-1", reference, hq.now_ms)
        assert exports.gather(connection, hq.keys, "m-2", reference, hq.now_ms) is None
    assert before is not None and not before["complete"] and before["stores"][STORE]["holds"] is None
    hq.start(hq.engine)
    held = ExportResult(
        schema.encode(hq.record("m-1")), 7, (), (Denial(DenialKind.SCOPE, "diet"),),
        (Event(3, EventKind.DISCLOSURE, hq.now_ms, hq.pseudonym("m-1"), schema.encode(SEEN)),),
    )  # fmt: skip
    hq.later(60)
    answer(hq, store, Verb.EXPORT, schema.encode(held))
    with writing(hq.engine) as connection:
        (listed,) = exports.of_member(connection, hq.keys, "m-1", hq.now_ms)
        found = exports.gather(connection, hq.keys, "m-1", reference, hq.now_ms)
    assert listed.is_done and found is not None and found["complete"]
    told = found["stores"][STORE]["holds"]
    assert told["denials"] == [{"kind": "scope", "name": "diet"}]
    assert told["events"][0]["said"]["scopes"] == ["size.shoe"] and told["signed"]
    assert "size.shoe" in json.dumps(told["record"]) and "cnrynina" not in json.dumps(found)
    for _ in range(exports.MOST_OPEN):
        exports.ask(hq.engine, hq.keys, "m-1", hq.now_ms)
    with pytest.raises(Refused):
        exports.ask(hq.engine, hq.keys, "m-1", hq.now_ms)
    assert exports.forget(hq.engine, hq.now_ms) == 0
    assert exports.forget(hq.engine, hq.now_ms + exports.KEPT_MS) == 4


def test_an_erasure_is_proved_by_what_the_store_signed(hq: Headquarters, store: FakeStore) -> None:
    """Until the store did it there is nothing; then an envelope that verifies under the store's own key."""
    reference = erasure.erase(hq.engine, hq.keys, "m-1", hq.now_ms)
    with reading(hq.engine) as connection:
        (waiting,) = exports.proofs(connection, reference)
    assert (waiting.progress, waiting.envelopes) == (Progress.WAITING, ())
    hq.later(60)
    answer(hq, store, Verb.ERASE, b"")
    with reading(hq.engine) as connection:
        (proof,) = exports.proofs(connection, reference)
    assert proof.progress is Progress.DONE
    (signed,) = proof.envelopes
    parsed = envelope.parse(signed)
    envelope.verify(parsed, HQ, Ed25519PublicKey.from_public_bytes(proof.identity))
    assert parsed.header.sender == STORE


def test_a_call_made_again_is_answered_as_before_and_ends_with_the_day(hq: Headquarters) -> None:
    """Another call under the same key is refused, one under way too; of what is kept nothing can be read."""
    hq.join("m-1")
    hq.join("m-2")
    with writing(hq.engine) as connection:
        one = choices.opened(connection, hq.keys, "m-1")
        other = choices.opened(connection, hq.keys, "m-2")
        assert repeats.begin(connection, one, "k-1", b"POST", hq.now_ms) is None
        with pytest.raises(Refused):
            repeats.begin(connection, one, "k-1", b"POST", hq.now_ms)
        repeats.drop(connection, one.reference, "k-1")
        assert repeats.begin(connection, one, "k-1", b"POST", hq.now_ms) is None
        assert repeats.begin(connection, one, "k-1", b"POST", hq.now_ms + 60_000) is None, "its program died"
        repeats.finish(connection, one, "k-1", Answer(201, b'{"secret":"cnrysecret"}'))
        found = repeats.begin(connection, one, "k-1", b"POST", hq.now_ms)
        assert found is not None and (found.status, found.body) == (201, b'{"secret":"cnrysecret"}')
        assert repeats.begin(connection, other, "k-1", b"POST", hq.now_ms) is None
        with pytest.raises(Refused):
            repeats.begin(connection, one, "k-1", b"DELETE", hq.now_ms)
        assert b"cnrysecret" not in b"".join(connection.scalars(select(repeat_rows.c.answer)))
        assert repeats.begin(connection, one, "k-2", b"POST", hq.now_ms) is None
        repeats.finish(connection, one, "k-2", Answer(200, bytes(repeats.MOST_ANSWER_BYTES + 1)))
        assert repeats.begin(connection, one, "k-2", b"POST", hq.now_ms) is None
    assert repeats.forget(hq.engine, hq.now_ms + 60_000 + repeats.KEPT_MS) == 3
    with reading(hq.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(repeat_rows)) == 0
