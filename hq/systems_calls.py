"""Sees that a call with an idempotency key is done once: the same key again gets the same answer, and nothing new.

Answers are kept for a day, sealed. A call that was broken off may be made again: all that systems bring is known by
what it says, so a second time changes nothing.

I/O: sqlalchemy.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from hq.custody import Custody, Place, Purpose, bound
from hq.database import writing
from hq.systems_tables import system_calls

KEPT_MS = 86_400_000
ABANDONED_MS = 300_000  # a call that is under way for longer was broken off


class Verdict(Enum):
    """What is to be done with a call."""

    DO_IT = auto()
    UNDER_WAY = auto()  # the same call has not ended yet
    ANOTHER = auto()  # the key was used for another call


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What a call was answered: an HTTP status and the body, which names no member and no value."""

    status: int
    body: bytes


def once(
    engine: Engine, custody: Custody, system: str, key: str, asked: bytes, now_ms: int, run: Callable[[], Answer]
) -> Answer | Verdict:
    """The answer of `run`, or the one that it gave before. `asked`: all that tells this call from others.

    Raises: what `run` raises, and then the key is free again.
    """
    row_key, digest = hashlib.sha256(key.encode()).digest(), hashlib.sha256(asked).digest()
    found = _claim(engine, custody, system, row_key, digest, now_ms)
    if found is not Verdict.DO_IT:
        return found
    here = (system_calls.c.system == system, system_calls.c.key == row_key)
    try:
        answer = run()
    except BaseException:
        with writing(engine) as connection:
            connection.execute(delete(system_calls).where(*here, system_calls.c.answer.is_(None)))
        raise
    with writing(engine) as connection:
        sealed = custody.to_seal(connection, Purpose.SYSTEMS).close(answer.body, _bound(system, row_key))
        connection.execute(update(system_calls).where(*here).values(status=answer.status, answer=sealed))
    return answer


def _claim(
    engine: Engine, custody: Custody, system: str, key: bytes, digest: bytes, now_ms: int
) -> Answer | Verdict:  # fmt: skip
    here = (system_calls.c.system == system, system_calls.c.key == key)
    row = {"system": system, "key": key, "asked": digest, "status": 0, "answer": None, "made_ms": now_ms}
    with writing(engine) as connection:
        connection.execute(delete(system_calls).where(system_calls.c.made_ms <= now_ms - KEPT_MS))
        found = connection.execute(select(system_calls).where(*here).with_for_update()).first()
        if found is None:
            try:
                with connection.begin_nested():
                    connection.execute(insert(system_calls).values(row))
            except IntegrityError:  # another HQ process took it this very moment
                return Verdict.UNDER_WAY
            return Verdict.DO_IT
        if found.asked != digest:
            return Verdict.ANOTHER
        if found.answer is not None:
            opened = custody.to_open(connection, Purpose.SYSTEMS).open(found.answer, _bound(system, key))
            return Answer(found.status, opened)
        if found.made_ms > now_ms - ABANDONED_MS:
            return Verdict.UNDER_WAY
        connection.execute(update(system_calls).where(*here).values(made_ms=now_ms))
    return Verdict.DO_IT


def _bound(system: str, key: bytes) -> bytes:
    return bound(Place.SYSTEM_CALL, system.encode(), key)
