"""Exports what a member chose: consent records, the notices' exact texts, and receipts signed with HQ's own key.

A receipt is a JWS (RFC 7515) with Ed25519 (RFC 9864), and verifies against the published JWKS: of every key that HQ
ever signed a head of the consent events with, as far as the newest head vouches for it.

I/O: sqlalchemy, joserfc; its only importer for receipts.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey
from sqlalchemy import Connection, select

from hq import ledger, ledger_heads, membership, notice
from hq.consent_export_record import Controller, named, receipt, records
from hq.errors import Reason, Refused
from hq.keys import Keys
from hq.membership import Locked
from hq.notice import Notice
from hq.state import NO_NOTICE, Event
from hq.tables import notices

ALGORITHM = "Ed25519"
TYPE = "consent-receipt+jws"
_CHUNK = 500


def export(
    connection: Connection, keys: Keys, member: str, controller: Controller, now_ms: int, *, signed: bool = True
) -> dict[str, Any]:
    """Records, notices by name and receipts of a member, as plain values for JSON; in a transaction that writes.

    Raises:
        Refused: no such member. SealBroken: a row was changed outside of HQ.
    """
    locked = membership.lock_by_id(connection, keys.custody, [member])
    if not locked:
        raise Refused(Reason.UNKNOWN_MEMBER, "member", "the id of a member")
    return of_locked(connection, keys, locked, controller, now_ms, signed=signed)


def of_locked(
    connection: Connection, keys: Keys, locked: Mapping[bytes, Locked], controller: Controller, now_ms: int, *,
    signed: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """The same of the one member who is locked, in the caller's transaction."""
    ((whose, one),) = locked.items()
    events = ledger.of_members(connection, locked)[whose]
    texts = texts_of(connection, {event.choice.notice for event in events})
    made = records(events, now_ms // 1000, one.about.id, controller, _read(texts))
    found: dict[str, Any] = {
        "records": made,
        "notices": {named(hashed): text.decode(errors="replace") for hashed, text in texts.items()},
    }
    if signed:
        head = _head(connection)
        found["receipts"] = [sign(keys, receipt(row, controller, now_ms // 1000, head)) for row in made]
        found["jwks"] = jwks(connection, keys)
    return found


def texts_of(connection: Connection, hashes: set[bytes]) -> dict[bytes, bytes]:
    """The exact texts of notices by their SHA-256; one that HQ never had is not in the answer."""
    found: dict[bytes, bytes] = {}
    listed = sorted(hashes - {NO_NOTICE})
    for start in range(0, len(listed), _CHUNK):
        wanted = select(notices.c.hash, notices.c.text).where(notices.c.hash.in_(listed[start : start + _CHUNK]))
        found.update({row.hash: row.text for row in connection.execute(wanted)})
    return found


def text_of(connection: Connection, event: Event) -> bytes | None:
    """The exact text that a member was shown before this event; None: the event names none, or HQ never had it."""
    return texts_of(connection, {event.choice.notice}).get(event.choice.notice)


def _read(texts: Mapping[bytes, bytes]) -> dict[bytes, Notice]:
    found = {}
    for hashed, text in texts.items():
        try:
            found[hashed] = notice.read(text)
        except Refused:
            continue  # of another platform: its text is exported as it is
    return found


def _head(connection: Connection) -> dict[str, Any] | None:
    newest = ledger_heads.newest(connection)
    if newest is None:
        return None
    return {"number": newest.number, "events": newest.events, "hash": newest.hash.hex(), "at_ms": newest.at_ms}


# --- receipts -------------------------------------------------------------------------------------------------------


def sign(keys: Keys, stated: Mapping[str, Any]) -> str:
    """The compact JWS of what is stated, under HQ's newest signing key."""
    key = keys.signers[-1].key
    public = key.public_key().public_bytes_raw()
    private = OKPKey.import_key({**_public(public), "d": _text(key.private_bytes_raw())})
    header = {"alg": ALGORITHM, "typ": TYPE, "kid": _kid(public)}
    content = json.dumps(stated, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return jws.serialize_compact(header, content, private, algorithms=[ALGORITHM])


def verify(signed: str, published: Mapping[str, Any]) -> dict[str, Any]:
    """What a receipt states, by the published JWKS.

    Raises:
        Refused: no receipt of ours, changed, or of a key that is not published.
    """
    try:
        found = jws.deserialize_compact(signed, KeySet.import_key_set(dict(published)), algorithms=[ALGORITHM])  # type: ignore[arg-type]
        stated = json.loads(found.payload)
        if found.headers().get("typ") != TYPE or not isinstance(stated, dict):
            raise ValueError
    except (JoseError, ValueError) as error:
        raise Refused(Reason.MALFORMED, "receipt", "a receipt that a published key signed") from error
    return stated


def jwks(connection: Connection, keys: Keys) -> dict[str, Any]:
    """The public keys under which receipts of HQ verify (RFC 7517), those of earlier years too."""
    known = ledger_heads.vouched(connection, ledger_heads.publics(keys))
    return {"keys": [{**_public(one), "kid": _kid(one), "use": "sig", "alg": ALGORITHM} for one in known]}


def _public(public: bytes) -> dict[str, str | list[str]]:
    return {"kty": "OKP", "crv": "Ed25519", "x": _text(public)}


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _kid(public: bytes) -> str:
    """The key's thumbprint (RFC 7638)."""
    return OKPKey.import_key(_public(public)).thumbprint()
