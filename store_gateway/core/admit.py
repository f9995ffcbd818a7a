"""Judges bodies of the collection `policy`: a refused one is kept and counted, and the last good one stays in force.

Pure: no I/O, no clock.
"""

from wire import schema
from wire.errors import WireError
from wire.policy import MAIN_KEY, MainPolicy, Purpose, StorePolicy, must_be_blind, store_key

NOTICE_BYTES = 32


def main_policy(body: bytes) -> MainPolicy | None:
    """The policy, or None where it is not of the schema or a purpose lacks what the law asks for."""
    try:
        policy = schema.decode(MainPolicy, body)
    except WireError:
        return None
    return policy if all(_is_founded(purpose) for purpose in policy.purposes) else None


def store_policy(body: bytes, store: str) -> StorePolicy | None:
    """This store's zones and hours.

    None where it is not of the schema, another store's, or leaves a zone open that must be blind.
    """
    try:
        policy = schema.decode(StorePolicy, body)
    except WireError:
        return None
    if policy.store != store or any(must_be_blind(zone.kind) and not zone.blind for zone in policy.zones):
        return None
    return policy


def is_good(key: bytes, body: bytes, store: str) -> bool:
    """Whether the body of the policy record `key` may be in force."""
    if key == MAIN_KEY:
        return main_policy(body) is not None
    return key == store_key(store) and store_policy(body, store) is not None


def _is_founded(purpose: Purpose) -> bool:
    return bool(
        purpose.legal_basis
        and purpose.retention_days
        and len(purpose.notice) == NOTICE_BYTES
        and purpose.record_of_processing
    )
