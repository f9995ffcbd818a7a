"""Who is signed in to HQ's web: members in a browser or in the app, and the retailer's own people.

A session is 32 random bytes that only its browser has; the database knows their hash. It ends after a time without use,
at its absolute end, when it is signed out, and with its member.

I/O: sqlalchemy, and the system's random generator.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select, update

from hq.console_roles import Role
from hq.custody import Custody, Place, bound
from hq.custody_tables import member_keys
from hq.database import reading, writing
from hq.membership import About
from hq.tables import members
from hq.web_tables import sessions
from wire import schema

SECRET_BYTES = 32
HANDLE_BYTES = 8
SEEN_EACH_MS = 60_000  # so often at most is it written that a session was used
MOST_OF_MEMBER = 20


class Kind(StrEnum):
    """What a session's secret is: a member's cookie, the app's token, a cookie of staff."""

    MEMBER = "member"
    APP = "app"
    STAFF = "staff"


class Way(StrEnum):
    """How somebody signed in."""

    LINK = "link"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Lasting:
    """How long a session lasts without use, and at the most, in milliseconds."""

    idle_ms: int
    most_ms: int


@dataclass(frozen=True, slots=True, repr=False)
class SignedIn:
    """A member who is signed in: HQ's reference (16 bytes), the retailer's id, the session's handle (8 bytes)."""

    reference: bytes
    id: str
    handle: bytes


@dataclass(frozen=True, slots=True, repr=False)
class StaffSignedIn:
    """One of the retailer's own people."""

    subject: str
    name: str
    role: Role
    handle: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Open:
    """A session as its member sees it in the list; times Unix milliseconds UTC. `browser` is its own word."""

    handle: bytes
    kind: Kind
    way: Way
    browser: str
    made_ms: int
    seen_ms: int


def hashed(secret: bytes) -> bytes:
    """What the database knows of a secret, 32 bytes. The secret is random, so no key is needed."""
    return hashlib.sha256(b"consentry/session/1\x00" + secret).digest()


def begin(
    connection: Connection,
    custody: Custody,
    member: bytes,
    kind: Kind,
    way: Way,
    lasting: Lasting,
    browser: str,
    now_ms: int,
) -> bytes:
    """Signs a member in; the secret, 32 bytes. Of more than 20 sessions the one unused for longest ends.

    Raises:
        KeyError: the member was erased.
    """
    secret = os.urandom(SECRET_BYTES)
    handle = os.urandom(HANDLE_BYTES)
    sealed = custody.seal(connection, member, browser.encode(), bound(Place.SESSION, member, handle))
    of_them = sessions.c.member == member
    kept = connection.scalars(select(sessions.c.hash).where(of_them).order_by(sessions.c.seen_ms.desc())).all()
    for one in kept[MOST_OF_MEMBER - 1 :]:
        connection.execute(delete(sessions).where(sessions.c.hash == one))
    connection.execute(
        insert(sessions).values(
            hash=hashed(secret), handle=handle, kind=kind, way=way, member=member, browser=sealed,
            made_ms=now_ms, seen_ms=now_ms, idle_ms=lasting.idle_ms, ends_ms=now_ms + lasting.most_ms,
        )
    )  # fmt: skip
    return secret


def begin_staff(connection: Connection, subject: str, name: str, role: Role, lasting: Lasting, now_ms: int) -> bytes:
    """Signs one of the retailer's own people in; the secret, 32 bytes."""
    secret = os.urandom(SECRET_BYTES)
    connection.execute(
        insert(sessions).values(
            hash=hashed(secret), handle=os.urandom(HANDLE_BYTES), kind=Kind.STAFF, way=Way.PROVIDER,
            subject=subject[:255], name=name[:255], role=role.value,
            made_ms=now_ms, seen_ms=now_ms, idle_ms=lasting.idle_ms, ends_ms=now_ms + lasting.most_ms,
        )
    )  # fmt: skip
    return secret


def find_member(engine: Engine, custody: Custody, kind: Kind, secret: bytes, now_ms: int) -> SignedIn | None:
    """The member of a session that has not ended; None: no such session. Notes that it was used."""
    with reading(engine) as connection:
        row = connection.execute(_OF_MEMBER, {"hash": hashed(secret), "kind": kind}).first()
        if row is None or _is_over(row.seen_ms, row.idle_ms, row.ends_ms, now_ms):
            return None
        opened = custody.member(row.member, row.wrapped).open(row.content, bound(Place.MEMBER, row.member))
    _note(engine, row.hash, row.seen_ms, now_ms)
    return SignedIn(row.member, schema.decode(About, opened).id, row.handle)


_OF_MEMBER = (
    select(sessions, members.c.content, member_keys.c.wrapped)
    .join(members, members.c.id == sessions.c.member)
    .join(member_keys, member_keys.c.member == members.c.id)
    .where(sessions.c.hash == bindparam("hash"), sessions.c.kind == bindparam("kind"))
)


def find_staff(engine: Engine, secret: bytes, now_ms: int) -> StaffSignedIn | None:
    """The same of one of the retailer's own people."""
    chosen = select(sessions).where(sessions.c.hash == hashed(secret), sessions.c.kind == Kind.STAFF)
    with reading(engine) as connection:
        row = connection.execute(chosen).first()
    if row is None or _is_over(row.seen_ms, row.idle_ms, row.ends_ms, now_ms):
        return None
    _note(engine, row.hash, row.seen_ms, now_ms)
    return StaffSignedIn(row.subject, row.name, Role(row.role), row.handle)


def _is_over(seen_ms: int, idle_ms: int, ends_ms: int, now_ms: int) -> bool:
    return now_ms >= min(ends_ms, seen_ms + idle_ms)


def _note(engine: Engine, of_hash: bytes, seen_ms: int, now_ms: int) -> None:
    if now_ms - seen_ms >= SEEN_EACH_MS:
        with writing(engine) as connection:
            connection.execute(update(sessions).where(sessions.c.hash == of_hash).values(seen_ms=now_ms))


def of_member(connection: Connection, custody: Custody, member: bytes, now_ms: int) -> Sequence[Open]:
    """The member's sessions that have not ended, the one used last first."""
    chosen = select(sessions).where(sessions.c.member == member).order_by(sessions.c.seen_ms.desc())
    found = []
    for row in connection.execute(chosen):
        if not _is_over(row.seen_ms, row.idle_ms, row.ends_ms, now_ms):
            browser = custody.open(connection, member, row.browser, bound(Place.SESSION, member, row.handle))
            found.append(Open(row.handle, Kind(row.kind), Way(row.way), browser.decode(), row.made_ms, row.seen_ms))
    return found


def end(connection: Connection, secret: bytes) -> None:
    """Ends the session of this secret."""
    connection.execute(delete(sessions).where(sessions.c.hash == hashed(secret)))


def end_one(connection: Connection, member: bytes, handle: bytes) -> bool:
    """Ends one of the member's sessions by its handle; False: there is none."""
    of_it = sessions.c.member == member, sessions.c.handle == handle
    return connection.execute(delete(sessions).where(*of_it)).rowcount > 0


def end_all(connection: Connection, member: bytes, but: bytes | None = None) -> int:
    """Ends all of the member's sessions, but for the one of that handle; how many."""
    of_them = sessions.c.member == member
    if but is not None:
        of_them &= sessions.c.handle != but
    return connection.execute(delete(sessions).where(of_them)).rowcount


def forget(connection: Connection, now_ms: int) -> int:
    """Deletes the sessions that are over; how many."""
    over = (sessions.c.ends_ms <= now_ms) | (sessions.c.seen_ms + sessions.c.idle_ms <= now_ms)
    return connection.execute(delete(sessions).where(over)).rowcount
