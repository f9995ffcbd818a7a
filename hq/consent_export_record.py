"""Consent records as ISO/IEC TS 27560:2023 has them, as JSON-LD in the terms of W3C DPV 2.0 (docs/consent.md).

One record for each purpose and brand of a member; what happened to it, event by event, stands in the record. The form
is the profile `dpv-27560` of W3C's guide to TS 27560; what neither has a term for stands under `consentry:`.

Pure: no I/O, no clock.
"""

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hq.ledger_proof import Party, Status
from hq.ledger_state import instant, told
from hq.notice import Notice
from hq.state import CLOSING, NO_NOTICE, REFUSAL_RESTS_S, Event, EventKind

DPV_VERSION = "2.0"
RECORD_SCHEMA = "https://w3id.org/dpv/schema/dpv-27560#record"
RECEIPT_SCHEMA = "https://w3id.org/dpv/schema/dpv-27560#receipt-record"
CONTEXT: dict[str, str] = {
    "dpv": "https://w3id.org/dpv#",
    "loc": "https://w3id.org/dpv/loc#",
    "dct": "http://purl.org/dc/terms/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "schema": "https://schema.org/",
    "consentry": "urn:consentry:terms:1#",
}
_NAMES = uuid.UUID("5a1f2c0e-27f0-4d6b-9a3e-8c1d7c27560a")  # of ours, so that a record has one name for good
STATES = {
    Status.GIVEN: "dpv:ConsentGiven",
    Status.RENEWED: "dpv:RenewedConsentGiven",
    Status.REFUSED: "dpv:ConsentRefused",
    Status.WITHDRAWN: "dpv:ConsentWithdrawn",
    Status.EXPIRED: "dpv:ConsentExpired",
    Status.INVALIDATED: "dpv:ConsentInvalidated",
    Status.UNKNOWN: "dpv:ConsentUnknown",
}
_PARTIES = {Party.DELEGATE: "dpv:Representative", Party.PARENT: "dpv:ParentOfDataSubject"}


@dataclass(frozen=True, slots=True)
class Controller:
    """Who answers for what is done: the retailer's name, and where a member finds the choices."""

    name: str
    url: str

    @property
    def id(self) -> str:
        """Its IRI in a record."""
        return self.url or "urn:consentry:controller"


UNNAMED = Controller("", "")  # where HQ's web is not configured


def records(
    events: Iterable[Event], now_s: int, principal: str, controller: Controller, notices: Mapping[bytes, Notice]
) -> list[dict[str, Any]]:
    """The records of one member, by purpose and brand. `notices`: those that can be read, by hash.

    What closes all purposes, or all brands, stands in each record that it concerns; without one, in none.
    """
    listed = sorted({one.id: one for one in events}.values(), key=lambda one: (one.recorded_s, one.id))
    matters = {
        (one.choice.purpose, one.choice.brand)
        for one in listed
        if one.choice.purpose is not None and one.choice.stated is not None
    }
    # A withdrawal that names no brand is part of each brand's record, and makes a record of its own only by itself.
    branded = {purpose for purpose, brand in matters if brand is not None}
    wanted = [one for one in matters if one[1] is not None or one[0] not in branded]
    return [
        _record(purpose, brand, listed, now_s, principal, controller, notices)
        for purpose, brand in sorted(wanted, key=lambda one: (one[0], one[1] or ""))
    ]


def _record(
    purpose: str, brand: str | None, events: list[Event], now_s: int, principal: str, controller: Controller,
    notices: Mapping[bytes, Notice],
) -> dict[str, Any]:  # fmt: skip
    mine = [one for one in events if _concerns(one, purpose, brand)]
    shown = [notices[one.choice.notice] for one in mine if one.choice.notice in notices]
    name = str(uuid.uuid5(_NAMES, "\x00".join((principal, purpose, brand or ""))))
    jurisdictions = sorted({one.choice.jurisdiction for one in mine if one.choice.jurisdiction})
    return {
        "@context": CONTEXT,
        "@id": f"urn:uuid:{name}",
        "@type": "dpv:ConsentRecord",
        "dct:conformsTo": RECORD_SCHEMA,
        "dct:identifier": name,
        "dct:created": instant(min(one.recorded_s for one in mine)),
        "dct:modified": instant(max(one.recorded_s for one in mine)),
        "dpv:hasDataSubject": {"@type": "dpv:DataSubject", "dct:identifier": principal},
        "dpv:hasDataController": controller.id,
        "dpv:hasJurisdiction": [f"loc:{one}" for one in jurisdictions],
        "consentry:brand": brand,
        "dpv:hasProcess": _done(purpose, mine, shown[-1] if shown else None, controller),
        "dpv:hasNotice": _notices(mine) or _page(controller),
        "dpv:hasConsentStatus": [_state(event, row) for event, row in told(mine, now_s)],
        "dpv:hasEntity": [
            {
                "@id": controller.id,
                "@type": ["dpv:Organisation", "dpv:DataController"],
                "dpv:hasIdentifier": controller.id,
                "dpv:hasName": controller.name,
                "schema:url": controller.url,
                "schema:contactPoint": {"@type": "schema:ContactPoint", "schema:url": controller.url},
            }
        ],
    }


def _concerns(event: Event, purpose: str, brand: str | None) -> bool:
    choice = event.choice
    if choice.stated is None:
        return False
    if choice.kind in CLOSING:
        return choice.purpose in (None, purpose) and (choice.brand is None or brand is None or choice.brand == brand)
    return (choice.purpose, choice.brand) == (purpose, brand)


def _done(purpose: str, events: list[Event], notice: Notice | None, controller: Controller) -> dict[str, Any]:
    scopes = sorted({scope for one in events for scope in one.choice.scopes or ()})
    stores = sorted({store for one in events for store in one.choice.stores or ()})
    special = {} if notice is None else {one.id: one.special for one in notice.facts.scopes if one.special}
    stated: dict[str, Any] = {"@type": "dpv:Purpose", "dct:identifier": purpose}
    found: dict[str, Any] = {
        "@type": "dpv:Process",
        "dpv:hasPurpose": stated,
        "dpv:hasLegalBasis": "dpv:ExplicitlyExpressedConsent" if special.keys() & set(scopes) else _BASIS,
        "dpv:hasPersonalData": [_personal(one, special.get(one, "")) for one in scopes],
        "dpv:hasProcessing": ["dpv:Collect", "dpv:Store", "dpv:Use"],
        "dpv:hasLocation": [{"@type": "dpv:Location", "dct:identifier": one} for one in stores],
        "dpv:hasConsentControl": {"@type": "dpv:WithdrawConsent", "schema:url": controller.url},
    }
    if notice is not None:
        texts = notice.texts.items()
        stated["dct:title"] = {language: one.label for language, one in texts}
        stated["dct:description"] = {language: one.what for language, one in texts}
        found["consentry:legalBasis"] = notice.facts.legal_basis
        found["dpv:hasStorageCondition"] = [
            {
                "@type": "dpv:StorageDuration",
                "dpv:hasDuration": {"@type": "dpv:TemporalDuration", "rdf:value": f"P{notice.facts.retention_days}D"},
            },
            {"@type": "dpv:StorageLocation", "dpv:hasLocation": stores},
        ]
        found["dpv:hasRecipient"] = [
            {"@type": "dpv:ThirdParty", "dct:identifier": one, "dpv:hasName": name, "dpv:hasLocation": f"loc:{country}"}
            for one, name, country in notice.facts.recipients
        ]
    return found


_BASIS = "dpv:ExpressedConsent"


def _personal(scope: str, special: str) -> dict[str, Any]:
    kind = "dpv:SpecialCategoryPersonalData" if special else "dpv:PersonalData"
    return {"@type": kind, "dct:identifier": scope, **({"consentry:special": special} if special else {})}


def _notices(events: list[Event]) -> list[dict[str, Any]]:
    found: dict[bytes, set[str]] = {}
    for one in events:
        if one.choice.notice != NO_NOTICE:
            found.setdefault(one.choice.notice, set()).update(
                {one.proof.notice_language} if one.proof.notice_language else set()
            )
    return [
        {"@type": "dpv:ConsentNotice", "dct:identifier": named(one), "dct:language": sorted(languages)}
        for one, languages in found.items()
    ]


def _page(controller: Controller) -> list[dict[str, Any]]:
    """Where nobody was shown anything before they took back or refused: where all notices stand, as a reference.

    TS 27560 asks for the notice of each record; what ends something needs none to hold.
    """
    if not controller.url:
        return []
    page = f"{controller.url.rstrip('/')}/privacy"
    return [{"@type": "dpv:PrivacyNotice", "schema:url": page, "consentry:shown": False}]


def named(notice: bytes) -> str:
    """How a notice is named in a record: by the SHA-256 of its exact text."""
    return f"sha256:{notice.hex()}"


def _state(event: Event, row: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of the history as an event of TS 27560."""
    choice, proof = event.choice, event.proof
    status = Status(row["status"])
    by: str | dict[str, Any] = "dpv:DataSubject"
    if proof.by in _PARTIES:
        by = {"@type": _PARTIES[proof.by], "dct:identifier": proof.by_reference}
    at_s = choice.until_s if status is Status.EXPIRED else event.chosen_s
    found: dict[str, Any] = {
        "@type": STATES[status],
        "dct:identifier": event.id.hex(),
        "dpv:isIndicatedAtTime": instant(event.recorded_s if at_s is None else at_s),
        "dct:dateSubmitted": instant(event.recorded_s),
        "dpv:hasDuration": _duration(event, status),
        "dpv:isIndicatedBy": by if status is not Status.EXPIRED else "dpv:DataController",
        "dpv:hasIndicationMethod": event.method,
        "consentry:scopes": _listed(choice.scopes),
        "consentry:stores": _listed(choice.stores),
    }
    more = {
        "timeUnknown": True if event.chosen_s is None else None,
        "roles": list(choice.roles) or None,
        "zonesExcluded": list(choice.zones_excluded) or None,
        "policyVersion": choice.policy_version or None,
        "purposeVersion": proof.purpose_version,
        "noticeVersion": proof.notice_version,
        "surface": proof.surface,
        "evidence": None if proof.evidence is None else proof.evidence.name.lower(),
        "evidenceDigest": None if proof.digest is None else named(proof.digest),
        "evidenceText": proof.text,
    }
    if choice.notice != NO_NOTICE:
        found["dpv:hasNotice"] = named(choice.notice)
        found["dct:language"] = proof.notice_language
    return found | {f"consentry:{name}": value for name, value in more.items() if value is not None}


def _listed(names: tuple[str, ...] | None) -> list[str] | str:
    return "all" if names is None else list(names)


def _duration(event: Event, status: Status) -> dict[str, Any]:
    """Until when the state holds by itself: a consent's end, a refusal's rest; else without an end."""
    until_s = None
    if event.choice.kind is EventKind.GRANT and status is not Status.EXPIRED:
        until_s = event.choice.until_s
    elif status is Status.REFUSED:
        until_s = min(event.recorded_s if event.chosen_s is None else event.chosen_s, event.recorded_s)
        until_s += REFUSAL_RESTS_S
    if until_s is None:
        return {"@type": "dpv:EndlessDuration"}
    return {"@type": "dpv:UntilTimeDuration", "rdf:value": instant(until_s)}


def receipt(
    record: Mapping[str, Any], controller: Controller, now_s: int, head: Mapping[str, Any] | None
) -> dict[str, Any]:  # fmt: skip
    """A receipt of a record, to be signed: the record as it stood, who gives it, when, and the chain's newest head."""
    stated = f"{record['dct:identifier']}\x00{record['dct:modified']}\x00{now_s}"
    return {
        "@context": CONTEXT,
        "@type": "dpv:ConsentReceipt",
        "dct:conformsTo": RECEIPT_SCHEMA,
        "dct:identifier": str(uuid.UUID(bytes=hashlib.sha256(stated.encode()).digest()[:16], version=4)),
        "dct:issued": instant(now_s),
        "dct:publisher": controller.id,
        "dct:source": {name: value for name, value in record.items() if name != "@context"},
        "consentry:ledgerHead": head,
    }
