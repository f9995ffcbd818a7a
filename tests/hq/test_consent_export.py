"""Consent records and receipts: what was chosen, in the terms of TS 27560 and DPV, with the exact texts, signed."""

import base64
import hashlib
import json
import random
import re
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hq import consent_export, gpc, ledger, ledger_heads, membership, notices, systems_merge
from hq.consent_commands import PART
from hq.consent_export_record import CONTEXT, STATES, Controller
from hq.database import reading, writing
from hq.door import Grant, check_refusal
from hq.errors import Refused
from hq.ledger import Entry
from hq.ledger_proof import Evidence, Party, Proof, Status
from hq.membership import About
from hq.state import Choice, Event, EventKind
from tests.fakes.store import FakeStore
from tests.hq.headquarters import DAY_S, ROLES, STORE, Headquarters, make_keys
from wire import schema
from wire.events import Surface
from wire.member import Mode
from wire.sync import Event as StoreEvent
from wire.sync import EventKind as StoreEventKind
from wire.sync import Withdrawal as WithdrawalInStore

SHOP = Controller("Example Shoes", "https://choices.example.com")
# The terms of DPV 2.0 that its guide to TS 27560 names for records, and no others.
TERMS = set(
    re.findall(
        r"\w+",
        """Child Collect ConsentExpired ConsentGiven ConsentInvalidated ConsentNotice ConsentReceipt ConsentRecord
    ConsentRefused ConsentUnknown ConsentWithdrawn DataController DataSubject EndlessDuration
    ExplicitlyExpressedConsent ExpressedConsent Location Organisation ParentOfDataSubject PersonalData PrivacyNotice
    Process Purpose RenewedConsentGiven Representative SpecialCategoryPersonalData StorageDuration StorageLocation Store
    TemporalDuration ThirdParty UntilTimeDuration Use WithdrawConsent hasConsentControl hasConsentStatus
    hasDataController hasDataSubject hasDuration hasEntity hasIdentifier hasIndicationMethod hasJurisdiction
    hasLegalBasis hasLocation hasName hasNotice hasPersonalData hasProcess hasProcessing hasPurpose hasRecipient
    hasStorageCondition isIndicatedAtTime isIndicatedBy""",
    )
)


def export(hq: Headquarters, member: str = "m-1") -> dict:
    """All of it, as it is handed out."""
    with writing(hq.engine) as connection:
        found = consent_export.export(connection, hq.keys, member, SHOP, hq.now_ms)
    assert json.loads(json.dumps(found)) == found
    return found


@pytest.fixture
def lived(hq: Headquarters) -> Headquarters:
    """A member who gave, renewed, refused, withdrew, and whose parent signed a form."""
    hq.join("m-1", "size.shoe", "brand.liked")
    hq.tick()
    hq.later(30 * DAY_S)
    proof = Proof(
        notice_language="de", notice_version=2, surface="app 5.1", evidence=Evidence.SCREEN, digest=b"\x07" * 32
    )
    contact = Grant("contact.email", (), until_days=365, chosen_s=hq.now_s, brand="main")
    hq.office.grant("m-1", contact, hq.now_ms, proof=proof)
    hq.grant("m-1", "presence")
    hq.office.refuse("m-1", check_refusal("suggest", brand="main"), hq.now_ms)
    hq.later(DAY_S)
    hq.office.set_mode("m-1", Mode.OPEN, hq.now_ms)
    hq.office.withdraw("m-1", hq.now_ms, purpose="contact.email", proof=Proof(by=Party.PARENT, by_reference="p-1"))
    return hq


def test_of_a_thousand_random_events_each_finds_the_exact_text_again(hq: Headquarters) -> None:
    """Whichever text a member was shown, years later it is there, byte for byte, and its hash is the event's."""
    chance = random.Random(27560)
    texts = [f"Text {number}: {chance.random()} — Größe, Länge, ☕".encode() * chance.randint(1, 9)
             for number in range(60)]  # fmt: skip
    by_hash = {hashlib.sha256(one).digest(): one for one in texts}
    with writing(hq.engine) as connection:
        notices.put(connection, texts, hq.now_ms)
        people = [About(f"m-{number}", 18, "DE") for number in range(25)]
        locked = membership.make(connection, hq.keys.custody, people, hq.now_ms)
        entries = []
        for _ in range(1000):
            kind = chance.choice((EventKind.GRANT, EventKind.GRANT, EventKind.REFUSAL))
            choice = Choice(
                kind, chance.choice(("assist", "suggest")), ("size.shoe",), (STORE,), ROLES, until_s=hq.now_s * 2,
                notice=chance.choice(list(by_hash)), brand="main", jurisdiction="DE",
            )  # fmt: skip
            chosen_s = chance.choice((None, hq.now_s - chance.randint(0, 10**8)))
            event = Event(chance.randbytes(16), "app", chosen_s, hq.now_s, choice)
            entries.append(Entry(chance.choice(list(locked)), event))
        assert ledger.append(connection, entries, locked) == 1000
    with writing(hq.engine) as connection:
        locked = membership.lock(connection, hq.keys.custody, list(locked))
        found = [one for listed in ledger.of_members(connection, locked).values() for one in listed]
        assert len(found) == 1000
        for one in found:
            text = consent_export.text_of(connection, one)
            assert text is not None
            assert hashlib.sha256(text).digest() == one.choice.notice
            assert text == by_hash[one.choice.notice]
        told = consent_export.of_locked(connection, hq.keys, {one: locked[one] for one in list(locked)[:1]}, SHOP,
                                        hq.now_ms)  # fmt: skip
    assert all(f"sha256:{hashlib.sha256(text.encode()).hexdigest()}" == name for name, text in told["notices"].items())


def test_a_record_tells_each_purpose_as_ts_27560_has_it(lived: Headquarters) -> None:
    """Who, for what, on which data, where, until when, after which notice; and each state with its time and party."""
    found = {one["dpv:hasProcess"]["dpv:hasPurpose"]["dct:identifier"]: one for one in export(lived)["records"]}
    assert found.keys() == {"presence", "assist", "contact.email", "suggest"}
    states = {purpose: [one["@type"] for one in record["dpv:hasConsentStatus"]] for purpose, record in found.items()}
    assert states == {
        "presence": ["dpv:ConsentGiven", "dpv:RenewedConsentGiven"],
        "assist": ["dpv:ConsentGiven"],
        "contact.email": ["dpv:ConsentGiven", "dpv:ConsentWithdrawn"],
        "suggest": ["dpv:ConsentRefused"],
    }
    assist = found["assist"]
    for field in ("dct:conformsTo", "dct:identifier", "dpv:hasDataSubject", "dpv:hasNotice", "dpv:hasEntity"):
        assert assist[field], field
    assert assist["@id"] == f"urn:uuid:{assist['dct:identifier']}"
    assert assist["dpv:hasJurisdiction"] == ["loc:DE"]
    process = assist["dpv:hasProcess"]
    assert [one["dct:identifier"] for one in process["dpv:hasPersonalData"]] == ["brand.liked", "size.shoe"]
    assert [one["dct:identifier"] for one in process["dpv:hasLocation"]] == [STORE]
    assert process["dpv:hasConsentControl"]["schema:url"] == SHOP.url
    given, withdrawn = found["contact.email"]["dpv:hasConsentStatus"]
    assert (given["dct:language"], given["consentry:surface"], given["consentry:evidence"]) == (
        "de", "app 5.1", "screen",
    )  # fmt: skip
    assert given["consentry:evidenceDigest"] == "sha256:" + "07" * 32
    assert given["dpv:hasDuration"]["@type"] == "dpv:UntilTimeDuration"
    assert given["dpv:isIndicatedBy"] == "dpv:DataSubject"
    assert withdrawn["dpv:isIndicatedBy"] == {"@type": "dpv:ParentOfDataSubject", "dct:identifier": "p-1"}
    assert withdrawn["dpv:isIndicatedAtTime"] > given["dpv:isIndicatedAtTime"]


def test_who_says_no_after_a_notice_says_it_to_that_notice(hq: Headquarters) -> None:
    """A refusal and a withdrawal of a purpose prove which text was shown, its version and language; others none."""
    hq.join("m-1", "size.shoe")
    hq.office.withdraw("m-1", hq.now_ms, purpose="insight", method="app")
    hq.later(60)
    hq.serve("m-1", "de", "app")
    hq.later(60)
    hq.office.refuse("m-1", check_refusal("suggest"), hq.now_ms, "app")
    hq.office.withdraw("m-1", hq.now_ms, purpose="assist", method="app", scopes=("size.shoe",))
    hq.later(60)
    hq.office.withdraw("m-1", hq.now_ms, method="app")
    found = {one["dpv:hasProcess"]["dpv:hasPurpose"]["dct:identifier"]: one for one in export(hq)["records"]}
    hashes = {one.id: f"sha256:{one.notice.hex()}" for one in hq.draft.main.purposes}
    said = {
        purpose: [
            (state.get("dpv:hasNotice"), state.get("dct:language"), state.get("consentry:noticeVersion"),
             state.get("consentry:purposeVersion"))
            for state in record["dpv:hasConsentStatus"]
        ]
        for purpose, record in found.items()
    }  # fmt: skip
    none = (None, None, None, None)
    assert said["suggest"] == [(hashes["suggest"], "de", 1, 1), none]
    assert said["assist"][1:] == [(hashes["assist"], "de", 1, 1), none]
    assert said["insight"] == [none, none], "nothing was shown before"


REQUIRED = ("dct:conformsTo", "dct:identifier", "dpv:hasDataSubject", "dpv:hasDataController", "dpv:hasNotice",
            "dpv:hasProcess", "dpv:hasConsentStatus", "dpv:hasEntity")  # fmt: skip


def test_what_ends_by_a_browser_a_store_or_a_merge_makes_a_whole_record(hq: Headquarters) -> None:
    """With the notice that was served before and its version, who took it back; without one, where notices stand."""
    hq.join("m-1", "size.shoe")
    hq.join("m-2", "size.shoe")
    hq.serve("m-2", "de", "app")
    hq.later(400)
    store = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    store.come_up(hq.answers)
    hq.office.refuse("m-2", check_refusal("suggest"), hq.now_ms, "app", Proof(by=Party.PARENT, by_reference="p-1"))
    with writing(hq.engine) as connection:
        for one in ("m-1", "m-2"):
            reference = hq.keys.custody.reference(connection, one) or b""
            gpc.hear(connection, hq.keys, reference, ["media"], hq.now_ms)
    left = schema.encode(WithdrawalInStore(None, "", "", by_code=Surface.TABLET))
    store.say(hq.answers, store.events(StoreEvent(1, StoreEventKind.WITHDRAWAL, hq.now_ms, hq.pseudonym("m-2"), left)))
    hq.later(10)
    systems_merge.merge(hq.engine, hq.keys, "m-2", "m-1", hq.now_ms)
    shown = {one.id: f"sha256:{one.notice.hex()}" for one in hq.draft.main.purposes}
    found = {one["dpv:hasProcess"]["dpv:hasPurpose"]["dct:identifier"]: one for one in export(hq)["records"]}
    assert found.keys() >= {"media", "suggest", "presence"}
    for record in found.values():
        assert all(record[one] for one in REQUIRED)
    last = {
        purpose: next(one for one in record["dpv:hasConsentStatus"] if one["dpv:hasIndicationMethod"] == "merge")
        for purpose, record in found.items()
        if purpose in ("media", "suggest", "presence")
    }
    for purpose, state in last.items():
        assert (state["dpv:hasNotice"], state["consentry:noticeVersion"]) == (shown[purpose], 1)
        assert state["dct:language"] == "de"
    assert last["suggest"]["dpv:isIndicatedBy"]["dct:identifier"] == "p-1"
    assert last["media"]["consentry:evidenceText"] == "Sec-GPC: 1"
    hq.office.add_member("m-3", 18, "DE", hq.now_ms)
    with writing(hq.engine) as connection:
        gpc.hear(connection, hq.keys, hq.keys.custody.reference(connection, "m-3") or b"", ["media"], hq.now_ms)
    (record,) = export(hq, "m-3")["records"]
    assert record["dpv:hasNotice"] == [
        {"@type": "dpv:PrivacyNotice", "schema:url": f"{SHOP.url}/privacy", "consentry:shown": False}
    ]


def test_a_consent_that_ran_out_says_so_by_itself(lived: Headquarters) -> None:
    """Nobody writes an event for it; the record has the state from the day of its end."""
    lived.later(400 * DAY_S)
    (record,) = [one for one in export(lived)["records"] if '"assist"' in json.dumps(one)]
    first, last = record["dpv:hasConsentStatus"]
    assert last["@type"] == "dpv:ConsentExpired"
    assert last["dpv:isIndicatedAtTime"] == first["dpv:hasDuration"]["rdf:value"]


def test_only_terms_that_are_declared_are_used(lived: Headquarters) -> None:
    """Each prefix stands in the context, each term of DPV in DPV; every state has one of its own."""
    text = json.dumps(export(lived)["records"])
    words = set(re.findall(r'"([a-z]+):([A-Za-z]+)"', text))
    assert {prefix for prefix, _ in words} <= CONTEXT.keys()
    assert {word for prefix, word in words if prefix == "dpv"} <= TERMS
    assert {one.removeprefix("dpv:") for one in STATES.values()} <= TERMS
    assert STATES.keys() == set(Status)


def by_hand(receipt: str, jwks: dict) -> dict:
    """The receipt verified with nothing of ours."""
    parts = [base64.urlsafe_b64decode(one + "=" * (-len(one) % 4)) for one in receipt.split(".")]
    header = json.loads(parts[0])
    (key,) = [one for one in jwks["keys"] if one["kid"] == header["kid"]]
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "=="))
    public.verify(parts[2], receipt.rpartition(".")[0].encode())
    assert (header["alg"], key["kty"], key["crv"], key["use"]) == ("Ed25519", "OKP", "Ed25519", "sig")
    assert "d" not in key
    return json.loads(parts[1])


def test_a_receipt_verifies_by_the_published_keys_for_good(lived: Headquarters) -> None:
    """By anybody, after HQ's keys were renewed too; one bit more or less, and it does not."""
    told = export(lived)
    assert len(told["receipts"]) == len(told["records"])
    for receipt, record in zip(told["receipts"], told["records"], strict=True):
        stated = by_hand(receipt, told["jwks"])
        assert stated["dct:source"] == {name: value for name, value in record.items() if name != "@context"}
        assert stated["consentry:ledgerHead"]["events"] >= 1
        assert consent_export.verify(receipt, told["jwks"]) == stated
    lived.keys = make_keys()[0]
    ledger_heads.tick(lived.engine, lived.keys, lived.now_ms)
    with reading(lived.engine) as connection:
        later = consent_export.jwks(connection, lived.keys)
    receipt = told["receipts"][0]
    assert len(later["keys"]) == 2
    assert consent_export.verify(receipt, later)["@type"] == "dpv:ConsentReceipt"
    head, body, signature = receipt.split(".")
    others = {**later, "keys": [one for one in later["keys"] if one["kid"] not in
                                {key["kid"] for key in told["jwks"]["keys"]}]}  # fmt: skip
    changed = base64.urlsafe_b64encode(base64.urlsafe_b64decode(body + "==").replace(b"m-1", b"m-2")).decode()
    for bad, published in (
        (f"{head}.{changed.rstrip('=')}.{signature}", later),
        (f"{head}.{body}.{signature[::-1]}", later),
        (receipt, others),
        ("nonsense", later),
    ):
        with pytest.raises(Refused):
            consent_export.verify(bad, published)


def test_a_withdrawal_of_everything_stands_in_every_record(lived: Headquarters) -> None:
    """And makes no record where nothing was ever asked; an erased member has none at all."""
    lived.later(1)
    lived.office.withdraw("m-1", lived.now_ms, method="app")
    lived.office.add_member("none", 18, "DE", lived.now_ms)
    lived.office.withdraw("none", lived.now_ms)
    for record in export(lived)["records"]:
        last = record["dpv:hasConsentStatus"][-1]
        assert (last["@type"], last["dpv:hasIndicationMethod"]) == ("dpv:ConsentWithdrawn", "app")
        assert last["consentry:stores"] == "all"
    assert export(lived, "none")["records"] == []
    with pytest.raises(Refused):
        export(lived, "nobody")


def test_two_brands_have_two_records_of_one_purpose(lived: Headquarters) -> None:
    """What one brand was granted stands in no record of the other."""
    with writing(lived.engine) as connection:
        locked = membership.lock_by_id(connection, lived.keys.custody, ["m-1"])
        (one,) = locked
        events = [event for event in ledger.of_members(connection, locked)[one] if event.choice.purpose == "presence"]
        other = replace(
            events[0], id=b"\x09" * 16, choice=replace(events[0].choice, brand="nord", stores=("x",), jurisdiction="AT")
        )
        ledger.append(connection, [Entry(one, other)], locked)
    found = [one for one in export(lived)["records"] if one["dpv:hasProcess"]["dpv:hasPurpose"]["dct:identifier"]
             == "presence"]  # fmt: skip
    assert [(one["consentry:brand"], one["dpv:hasJurisdiction"]) for one in found] == [
        ("main", ["loc:DE"]),
        ("nord", ["loc:AT"]),
    ]
    assert len({one["dct:identifier"] for one in found}) == 2


def test_an_operator_prints_records_and_keys(
    lived: Headquarters, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As JSON, which verifies by the keys that the other command prints."""
    file = tmp_path / "hq.toml"
    file.write_text(
        f'database = "sqlite:///{tmp_path}/x.db"\nkeys = "{tmp_path}/keys"\ncredentials_dir = "{tmp_path}"\n'
        '[broker]\nhost = "localhost"\nca = "ca.pem"\ncertificate = "c.pem"\n'
    )
    chosen = Namespace(action="export", member="m-1", unsigned=False, config=file)
    PART.runs["consent", "export"](lived.office, chosen, lived.now_ms)
    told = json.loads(capsys.readouterr().out)
    PART.runs["consent", "jwks"](lived.office, Namespace(action="jwks"), lived.now_ms)
    assert all(by_hand(one, json.loads(capsys.readouterr().out)) for one in told["receipts"][:1])
