"""Answers a call that is made again under the same key as it was answered first, for a day, and does nothing twice.

The answer is sealed under the member's key, and so is what it holds; of key and call only hashes are kept.

I/O: sqlalchemy.
"""

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from hq.choosing_tables import repeats
from hq.custody import Place, bound
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.membership import Locked

KEPT_MS = 86_400_000
MOST_KEPT = 1000  # of a member
MOST_ANSWER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What was answered: an HTTP status and the body's bytes."""

    status: int
    body: bytes


def find(connection: Connection, one: Locked, key: str, asked: bytes, now_ms: int) -> Answer | None:
    """What this call was answered before; None: it was not made. `asked`: whatever tells the call from another.

    Raises:
        Refused: another call was made under this key.
    """
    of_it = repeats.c.member == one.reference, repeats.c.key == _hash(key.encode())
    row = connection.execute(select(repeats).where(*of_it, repeats.c.made_ms > now_ms - KEPT_MS)).first()
    if row is None:
        return None
    if row.asked != _hash(asked):
        raise Refused(Reason.EXISTS, "Idempotency-Key", "a key of its own for each call")
    return Answer(row.status, one.seal.open(row.answer, bound(Place.REPEAT, one.reference, row.key)))


def keep(connection: Connection, one: Locked, key: str, asked: bytes, answer: Answer, now_ms: int) -> None:
    """Keeps an answer, in a transaction that writes; of two that are kept at once the first stays."""
    hashed = _hash(key.encode())
    old = repeats.c.member == one.reference, repeats.c.key == hashed, repeats.c.made_ms <= now_ms - KEPT_MS
    connection.execute(delete(repeats).where(*old))
    held = select(func.count()).select_from(repeats).where(repeats.c.member == one.reference)
    if len(answer.body) > MOST_ANSWER_BYTES or (connection.scalar(held) or 0) >= MOST_KEPT:
        return
    sealed = one.seal.close(answer.body, bound(Place.REPEAT, one.reference, hashed))
    values = {"member": one.reference, "key": hashed, "asked": _hash(asked), "status": answer.status}
    try:
        with connection.begin_nested():
            connection.execute(insert(repeats).values(**values, answer=sealed, made_ms=now_ms))
    except IntegrityError:
        return


def forget(engine: Engine, now_ms: int) -> int:
    """Deletes what is older than a day; how many that were."""
    over = repeats.c.made_ms <= now_ms - KEPT_MS
    with reading(engine) as connection:
        if connection.execute(select(repeats.c.member).where(over).limit(1)).first() is None:
            return 0
    with writing(engine) as connection:
        return connection.execute(delete(repeats).where(over)).rowcount


def _hash(stated: bytes) -> bytes:
    return hashlib.sha256(stated).digest()
