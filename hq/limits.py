"""Counts tries at a door, so that nobody tries more often than is given back.

A bucket of `burst` tries, of which one is given back every `each_ms` (the generic cell rate algorithm: one time says
all). What is counted is tries, not mistakes, so that the wait tells nothing.

I/O: sqlalchemy.
"""

from dataclasses import dataclass
from hashlib import sha256
from math import ceil

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from hq.web_tables import tries

MOST_WHO_BYTES = 32


@dataclass(frozen=True, slots=True)
class Limit:
    """So many tries at once, and one more every `each_ms` milliseconds."""

    burst: int
    each_ms: int


def take(connection: Connection, who: bytes, what: str, limit: Limit, now_ms: int) -> int:
    """Takes one try of `what` (at most 32 characters); 0, or in how many seconds it may be tried again.

    `who`: a keyed hash where a person stands behind it; of more than 32 bytes its SHA-256 is kept. In a
    transaction that writes; the row stays locked until its end. Where the answer is not 0, nothing was counted.
    """
    return take_many(connection, who, what, limit, 1, now_ms)


def take_many(connection: Connection, who: bytes, what: str, limit: Limit, count: int, now_ms: int) -> int:
    """The same for `count` at once, all or none; never more than `limit.burst` of them are asked for."""
    who = who if len(who) <= MOST_WHO_BYTES else sha256(who).digest()
    of_it = tries.c.who == who, tries.c.what == what
    chosen = select(tries.c.full_ms).where(*of_it).with_for_update()
    full_ms = connection.scalar(chosen)
    if full_ms is None:
        try:
            with connection.begin_nested():
                connection.execute(insert(tries).values(who=who, what=what, full_ms=now_ms))
        except IntegrityError:  # another process was first
            pass
        full_ms = connection.scalar(chosen)
    held_ms = max(full_ms or now_ms, now_ms)
    count = min(count, limit.burst)
    wait_ms = held_ms - now_ms - (limit.burst - count) * limit.each_ms
    if wait_ms > 0:
        return ceil(wait_ms / 1000)
    connection.execute(update(tries).where(*of_it).values(full_ms=held_ms + count * limit.each_ms))
    return 0


def forget(connection: Connection, now_ms: int) -> int:
    """Lets go of whoever has all tries back; how many."""
    return connection.execute(delete(tries).where(tries.c.full_ms < now_ms)).rowcount
