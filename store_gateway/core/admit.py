"""Judges bodies of the collection `policy`: a refused one is kept and counted, and the last good one stays in force.

Pure: no I/O, no clock.
"""

from wire import schema
from wire.errors import WireError
from wire.policy import MAIN_KEY, MainPolicy, Purpose, StorePolicy, store_key

NOTICE_BYTES = 32


def main_policy(body: bytes) -> MainPolicy | None:
    """The policy, or None where it is not of the schema or a purpose lacks what the law asks for."""
    try:
        policy = schema.decode(MainPolicy, body)
    except WireError:
        return None
    return policy if all(_is_founded(purpose) for purpose in policy.purposes) else None


def store_policy(body: bytes, store: str) -> StorePolicy | None:
    """This store's zones and hours, or None where it is not of the schema or another store's."""
    try:
        policy = schema.decode(StorePolicy, body)
    except WireError:
        return None
    return policy if policy.store == store else None


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
