"""Answers a call that is made again under the same key as it was answered first, for a day, and does nothing twice.

The answer is sealed under the member's key, and so is what it holds; of key and call only hashes are kept.

I/O: sqlalchemy.
"""

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from hq.choosing_tables import repeats
from hq.custody import Place, bound
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.membership import Locked

KEPT_MS = 86_400_000
MOST_KEPT = 1000  # of a member
MOST_ANSWER_BYTES = 64 * 1024
FIELD = "Idempotency-Key"
_UNDER_WAY = 0  # in the place of a status
_DEAD_MS = 60_000


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What was answered: an HTTP status and the body's bytes."""

    status: int
    body: bytes


def begin(connection: Connection, one: Locked, key: str, asked: bytes, now_ms: int) -> Answer | None:
    """What this call was answered before; None: it begins, and `finish` or `drop` tells how it ended.

    In a transaction of its own that writes. `asked`: whatever tells the call from another. A call whose program died
    may be made again after a minute.

    Raises:
        Refused: another call was made under this key, this one is under way, or the member made too many.
    """
    hashed, stated = _hash(key.encode()), _hash(asked)
    of_it = repeats.c.member == one.reference, repeats.c.key == hashed
    is_over = or_(
        repeats.c.made_ms <= now_ms - KEPT_MS,
        and_(repeats.c.status == _UNDER_WAY, repeats.c.made_ms <= now_ms - _DEAD_MS),
    )
    connection.execute(delete(repeats).where(*of_it, is_over))
    row = connection.execute(select(repeats).where(*of_it)).first()
    if row is not None:
        if row.asked != stated:
            raise Refused(Reason.EXISTS, FIELD, "a key of its own for each call")
        if row.status == _UNDER_WAY:
            raise Refused(Reason.EXISTS, FIELD, "some patience: this call is under way")
        return Answer(row.status, one.seal.open(row.answer, bound(Place.REPEAT, one.reference, hashed)))
    held = select(func.count()).select_from(repeats).where(repeats.c.member == one.reference)
    if (connection.scalar(held) or 0) >= MOST_KEPT:
        raise Refused(Reason.TOO_MANY, FIELD, f"at most {MOST_KEPT} calls with a key in a day")
    values = {"member": one.reference, "key": hashed, "asked": stated, "status": _UNDER_WAY, "answer": b""}
    try:
        with connection.begin_nested():
            connection.execute(insert(repeats).values(**values, made_ms=now_ms))
    except IntegrityError:
        raise Refused(Reason.EXISTS, FIELD, "some patience: this call is under way") from None
    return None


def finish(connection: Connection, one: Locked, key: str, answer: Answer) -> None:
    """Keeps the answer of a call that began; one that is too long to be kept is dropped."""
    hashed = _hash(key.encode())
    if len(answer.body) > MOST_ANSWER_BYTES:
        drop(connection, one.reference, key)
        return
    sealed = one.seal.close(answer.body, bound(Place.REPEAT, one.reference, hashed))
    of_it = repeats.c.member == one.reference, repeats.c.key == hashed, repeats.c.status == _UNDER_WAY
    connection.execute(update(repeats).where(*of_it).values(status=answer.status, answer=sealed))


def drop(connection: Connection, reference: bytes, key: str) -> None:
    """The call did nothing: it may be made again at once."""
    of_it = repeats.c.member == reference, repeats.c.key == _hash(key.encode()), repeats.c.status == _UNDER_WAY
    connection.execute(delete(repeats).where(*of_it))


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
