"""Signs how the chain of consent events ends, at least daily, and finds by these heads whatever was cut or changed.

Each head vouches for the one before, so that keys which signed long ago need not be known any more: the newest head is
signed by a key of HQ's key set, and tells the hash of its predecessor. A head that somebody kept elsewhere (a log line,
a print-out) finds a cut of events and heads together.

I/O: sqlalchemy.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Engine, Row, insert, select

from hq import ledger
from hq.alarms import Alarm, raise_
from hq.database import reading, writing
from hq.keys import Keys
from hq.ledger_tables import consent_heads
from hq.tables import chain_heads, consent_events
from runtime.logs import Log
from wire import cbor

EVERY_MS = 86_400_000
FIRST = bytes(32)  # what the first head says of the one before
_CONTEXT = b"consentry/consent-head/1"
_LOG = Log("ledger_heads")


@dataclass(frozen=True, slots=True)
class Head:
    """How the chain ended at `at_ms` (Unix ms UTC): the number and hash of its last event. `number` is the head's."""

    number: int
    events: int
    hash: bytes
    previous: bytes
    at_ms: int
    public: bytes
    signature: bytes

    @property
    def digest(self) -> bytes:
        """What the next head says of this one: SHA-256 of statement and signature."""
        return hashlib.sha256(self.statement + self.signature).digest()

    @property
    def statement(self) -> bytes:
        """The bytes that are signed."""
        stated = [self.number, self.events, self.hash, self.previous, self.at_ms, self.public]
        return _CONTEXT + cbor.encode(stated)

    def is_signed(self) -> bool:
        """Whether the signature is that of the key which the head names."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(self.signature, self.statement)
        except (InvalidSignature, ValueError):
            return False
        return True


def sign(connection: Connection, keys: Keys, now_ms: int) -> Head | None:
    """Signs a head now, in a transaction that writes; None: no event was ever written.

    If the last head is not in the chain any more, an alarm is raised, and the new head stands on what is there.
    """
    chain = connection.execute(
        select(chain_heads).where(chain_heads.c.name == ledger.CHAIN).with_for_update()
    ).first()  # fmt: skip
    if chain is None or not chain.number:
        if newest(connection) is not None:
            _alarm(connection, now_ms, "there are signed heads, and no events")
        return None
    last = newest(connection)
    if last is not None and not _holds(connection, last, chain):
        _alarm(connection, now_ms, f"the chain does not hold what head {last.number} says")
    key = keys.signers[-1].key
    unsigned = Head(
        number=1 if last is None else last.number + 1,
        events=chain.number,
        hash=chain.hash,
        previous=FIRST if last is None else last.digest,
        at_ms=now_ms,
        public=publics(keys)[-1],
        signature=b"",
    )
    row = {name: getattr(unsigned, name) for name in ("number", "events", "hash", "previous", "at_ms", "public")}
    signature = key.sign(unsigned.statement)
    connection.execute(insert(consent_heads).values(**row, signature=signature))
    head = Head(**row, signature=signature)
    # Outside of the database, for whoever must find that its end was cut with the heads that tell of it.
    _LOG.info("consent_head", number=head.number, events=head.events, hash=head.hash.hex(), at_ms=now_ms)
    return head


def tick(engine: Engine, keys: Keys, now_ms: int) -> Head | None:
    """Signs a head where the newest is a day old, or of another key than HQ signs with now. Raises: as `writing`."""
    with reading(engine) as connection:
        last = newest(connection)
        if last is not None and not _is_due(last, keys, now_ms):
            return None
        if last is None and connection.scalar(select(consent_events.c.number).limit(1)) is None:
            return None
    with writing(engine) as connection:
        last = newest(connection)  # another process may have been quicker
        return sign(connection, keys, now_ms) if last is None or _is_due(last, keys, now_ms) else None


def _is_due(last: Head, keys: Keys, now_ms: int) -> bool:
    return now_ms - last.at_ms >= EVERY_MS or last.public != publics(keys)[-1]


def publics(keys: Keys) -> list[bytes]:
    """The public halves of the keys that HQ signs with, 32 bytes each, the newest last."""
    return [one.key.public_key().public_bytes_raw() for one in keys.signers]


def newest(connection: Connection) -> Head | None:
    """The head signed last."""
    row = connection.execute(select(consent_heads).order_by(consent_heads.c.number.desc()).limit(1)).first()
    return None if row is None else _head(row)


def all_heads(connection: Connection) -> list[Head]:
    """All heads, the first first."""
    return [_head(row) for row in connection.execute(select(consent_heads).order_by(consent_heads.c.number))]


def first_broken(connection: Connection, ours: Iterable[bytes], kept: Iterable[Head] = ()) -> str | None:
    """What is wrong with events or heads, in words that name nobody; None: all is as it was signed.

    ours: the Ed25519 keys that HQ signs with (`publics`), 32 bytes each. kept: heads that were kept elsewhere.
    """
    broken = ledger.first_broken(connection)
    if broken is not None:
        return f"the chain breaks at event {broken}"
    heads = all_heads(connection)
    missed = missed_by(connection, heads)
    if missed is not None:
        return missed
    if heads and heads[-1].public not in set(ours):
        return f"head {heads[-1].number} was not signed by a key that HQ signs with"
    known = {one.number: one for one in heads}
    for one in kept:
        if known.get(one.number) != one:
            return f"head {one.number}, as it was kept elsewhere, is not here"
    if not heads and (connection.scalar(select(consent_events.c.number).limit(1)) is not None):
        return "no head was ever signed"
    return None


def missed_by(connection: Connection, heads: list[Head]) -> str | None:
    """What of these heads does not follow from the one before, or does not hold for the events; None: nothing."""
    wrong = _first_wrong(heads)
    if wrong is not None:
        return f"head {wrong} is missing, or was changed"
    hashes = _hashes(connection, {one.events for one in heads})
    for one in heads:
        if hashes.get(one.events) != one.hash:
            return f"event {one.events} is not what head {one.number} says"
    return None


def vouched(connection: Connection, ours: Iterable[bytes]) -> list[bytes]:
    """The public keys that HQ ever signed a head with, as far as the newest head vouches for them, and those of now."""
    found = dict.fromkeys(ours)
    heads = all_heads(connection)
    if heads and _first_wrong(heads) is None and heads[-1].public in found:
        found.update(dict.fromkeys(one.public for one in heads))
    return list(found)


def _first_wrong(heads: list[Head]) -> int | None:
    previous, events = FIRST, 0
    for number, one in enumerate(heads, 1):
        if one.number != number or one.previous != previous or not one.is_signed() or one.events < events:
            return number
        previous, events = one.digest, one.events
    return None


def _holds(connection: Connection, last: Head, chain: Row[Any]) -> bool:
    return bool(chain.number >= last.events) and _hashes(connection, {last.events}).get(last.events) == last.hash


def _hashes(connection: Connection, numbers: set[int]) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    listed = sorted(numbers)
    for start in range(0, len(listed), 500):
        wanted = select(consent_events.c.number, consent_events.c.hash).where(
            consent_events.c.number.in_(listed[start : start + 500])
        )
        found.update({row.number: row.hash for row in connection.execute(wanted)})
    return found


def _alarm(connection: Connection, now_ms: int, detail: str) -> None:
    raise_(connection, Alarm.CONSENT_BROKEN, "", now_ms, detail)


def _head(row: Row[Any]) -> Head:
    return Head(row.number, row.events, row.hash, row.previous, row.at_ms, row.public, row.signature)
