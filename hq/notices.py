"""Which notices are in force, which were, and to whom each was served.

A serving is a fact of its own: member, notice by hash, language, surface, store, when. `hq.notices_proof` asks for it.

I/O: sqlalchemy.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, cast, distinct, func, insert, select, update

from hq import asking, ledger, membership, notice
from hq.errors import Reason, Refused
from hq.keys import Keys
from hq.notice import Notice
from hq.notices_tables import notice_servings, policy_notices, policy_versions
from hq.state import PRESENCE, Event
from hq.tables import notices, stores

MOST_TEXT_BYTES = 256 * 1024
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Published:
    """One purpose's notice in one version of a policy. `material`: what it changed matters to members."""

    policy: str
    version: int
    purpose: str
    notice: bytes
    material: bool
    at_ms: int


@dataclass(frozen=True, slots=True)
class Served:
    """How many were served one notice over one surface at one store (empty: at none) in a span of days."""

    policy: str
    purpose: str
    notice: bytes
    language: str
    surface: str
    store: str
    members: int
    servings: int


@dataclass(frozen=True, slots=True)
class ShownTo:
    """One serving to a member. `language` empty: not said."""

    policy: str
    purpose: str
    notice: bytes
    language: str
    surface: str
    store: str | None
    at_ms: int


# --- what is there ----------------------------------------------------------------------------------------------


def in_force(connection: Connection, *, store: str | None = None) -> tuple[Notice, ...]:
    """The notices that policies name now, by policy and in its order; `store`: those of that store's policy alone."""
    texts = connection.scalars(_IN_FORCE) if store is None else connection.scalars(_IN_FORCE_AT, {"store": store})
    found = [_read(one) for one in texts]
    return tuple(sorted(found, key=lambda one: (one.policy, _rank(one.purpose), one.purpose)))


_NEWEST = (
    select(policy_versions.c.policy, func.max(policy_versions.c.version).label("version"))
    .group_by(policy_versions.c.policy)
    .subquery()
)
_IN_FORCE = (
    select(notices.c.text)
    .join(policy_notices, policy_notices.c.notice == notices.c.hash)
    .join(_NEWEST, (_NEWEST.c.policy == policy_notices.c.policy) & (_NEWEST.c.version == policy_notices.c.version))
)
_IN_FORCE_AT = _IN_FORCE.where(
    policy_notices.c.policy == select(stores.c.policy).where(stores.c.id == bindparam("store")).scalar_subquery()
)


@lru_cache(256)
def _read(text: bytes) -> Notice:
    """A notice's bytes are its name: what they say does not change."""
    return notice.read(text)


def _rank(purpose: str) -> int:
    """Presence first: without it nothing else can be shown; then help and suggestions."""
    known = (PRESENCE, "assist", "suggest", "insight")
    return known.index(purpose) if purpose in known else len(known)


def of_hash(connection: Connection, hashed: bytes) -> Notice | None:
    """The notice of ours with this hash; None: unknown, or another platform's text."""
    found = text_of(connection, hashed)
    try:
        return None if found is None else notice.read(found)
    except Refused:
        return None


def text_of(connection: Connection, hashed: bytes) -> bytes | None:
    """The exact bytes of which this is the SHA-256; None: unknown."""
    return connection.scalar(select(notices.c.text).where(notices.c.hash == hashed))


def versions(connection: Connection, policy: str | None = None) -> list[Published]:
    """Each purpose's notice in every version that was published, oldest version first."""
    if policy is None:
        rows = connection.execute(_VERSIONS).all()
    else:
        rows = connection.execute(_VERSIONS.where(policy_notices.c.policy == policy)).all()
    found = [Published(one.policy, one.version, one.purpose, one.notice, one.material, one.at_ms) for one in rows]
    return sorted(found, key=lambda one: (one.policy, one.version, _rank(one.purpose), one.purpose))


_VERSIONS = (
    select(policy_notices, policy_versions.c.at_ms)
    .join(
        policy_versions,
        (policy_versions.c.policy == policy_notices.c.policy) & (policy_versions.c.version == policy_notices.c.version),
    )
    .order_by(policy_notices.c.policy, policy_notices.c.version)
)


def keep(connection: Connection, text: bytes, now_ms: int) -> bytes:
    """Makes a text known that another platform showed, so that an import may name it; returns its SHA-256.

    Raises:
        Refused: nothing, or too much.
    """
    if not 0 < len(text) <= MOST_TEXT_BYTES:
        raise Refused(Reason.TOO_LARGE, "notice", f"1 to {MOST_TEXT_BYTES} bytes")
    put(connection, [text], now_ms)
    return notice.hash_of(text)


def put(connection: Connection, texts: Iterable[bytes], now_ms: int) -> None:
    """Keeps texts by their hashes; what is there stays as it is."""
    rows = {notice.hash_of(one): one for one in texts}
    known = set(connection.scalars(select(notices.c.hash).where(notices.c.hash.in_(rows))))
    fresh = [{"hash": one, "text": text, "first_ms": now_ms} for one, text in rows.items() if one not in known]
    if fresh:
        connection.execute(insert(notices), fresh)


# --- served --------------------------------------------------------------------------------------------------


def serve(
    connection: Connection,
    keys: Keys,
    member: str,
    language: str,
    surface: str,
    now_ms: int,
    *,
    store: str | None = None,
    purposes: Sequence[str] | None = None,
) -> tuple[Notice, ...]:
    """What can be chosen, recorded as served to that member in that language (a tag; its text is what was shown).

    `store`: of that store's policy, and recorded as served there; `purposes`: of these only.

    Raises:
        Refused: no such member.
    """
    reference = _reference(connection, keys, member)
    found = tuple(one for one in in_force(connection, store=store) if purposes is None or one.purpose in purposes)
    rows = [_row(reference, one, one.in_(language).language, surface, store, now_ms) for one in found]
    if rows:
        _record(connection, keys, rows)
    return found


def was_served(connection: Connection, keys: Keys, member: str, hashed: bytes, before_ms: int) -> bool:
    """Whether this very notice was served to the member no later than that. Raises: Refused (no such member)."""
    return first_ms(connection, _reference(connection, keys, member), [hashed]).get(hashed, before_ms + 1) <= before_ms


def of_member(connection: Connection, reference: bytes) -> list[ShownTo]:
    """What this member was shown, oldest first."""
    wanted = select(notice_servings).where(notice_servings.c.member == reference)
    rows = connection.execute(wanted.order_by(notice_servings.c.at_ms, notice_servings.c.id))
    return [
        ShownTo(one.policy, one.purpose, one.notice, one.language, one.surface, one.store or None, one.at_ms)
        for one in rows
    ]


def counts(connection: Connection, from_ms: int, until_ms: int) -> list[Served]:
    """How many were served what, on the days (UTC) from that of `from_ms` to before that of `until_ms`."""
    by = [notice_servings.c[one] for one in ("policy", "purpose", "notice", "language", "surface", "store")]
    wanted = (
        select(*by, func.count(distinct(notice_servings.c.member)).label("members"), func.count().label("servings"))
        .where(notice_servings.c.day >= from_ms // DAY_MS, notice_servings.c.day < until_ms // DAY_MS)
        .group_by(*by)
        .order_by(*by)
    )
    return [Served(**one._mapping) for one in connection.execute(wanted)]


def why_ask(
    connection: Connection, keys: Keys, member: str, now_ms: int, store: str | None = None
) -> dict[str, asking.Why]:
    """What the member may be asked about now, and why, by purpose; `store`: of that store's policy, about that store.

    Where several policies declare a purpose, one that may be asked about is enough.

    Raises:
        Refused: no such member.
    """
    locked = membership.read_by_id(connection, keys.custody, [member])
    if not locked:
        raise Refused(Reason.UNKNOWN_MEMBER, "member", "the id of a member")
    events = [one for listed in ledger.of_members(connection, locked).values() for one in listed]
    return why_ask_after(connection, events, now_ms, store)


def why_ask_after(
    connection: Connection, events: Sequence[Event], now_ms: int, store: str | None = None
) -> dict[str, asking.Why]:
    """The same of the member whose events these are."""
    offered = in_force(connection, store=store)
    listed = versions(connection)
    found: dict[str, asking.Why] = {}
    for one in offered:
        told = [
            asking.Told(each.notice, each.material, each.at_ms // 1000)
            for each in listed
            if (each.policy, each.purpose) == (one.policy, one.purpose)
        ]
        why = asking.why_ask(events, one.purpose, one.policy, told, now_ms // 1000, store)
        if why is not None:
            found.setdefault(one.purpose, why)
    return found


def forget(connection: Connection, member: bytes) -> None:
    """A member is erased: what was served stays countable, and is nobody's."""
    connection.execute(
        update(notice_servings)
        .where(notice_servings.c.member == member)
        .values(member=None, at_ms=cast(notice_servings.c.day, BigInteger) * DAY_MS)
    )


# --- within --------------------------------------------------------------------------------------------------


def _reference(connection: Connection, keys: Keys, member: str) -> bytes:
    found = keys.custody.reference(connection, member)
    if found is None:
        raise Refused(Reason.UNKNOWN_MEMBER, "member", "the id of a member")
    return found


def _row(member: bytes, told: Notice, language: str, surface: str, store: str | None, now_ms: int) -> dict[str, Any]:
    return {
        "member": member, "notice": told.hash, "policy": told.policy, "purpose": told.purpose, "language": language,
        "surface": surface, "store": store or "", "day": now_ms // DAY_MS, "at_ms": now_ms,
    }  # fmt: skip


def _record(connection: Connection, keys: Keys, rows: list[dict[str, Any]]) -> None:
    """Writes what was not served in the same way on this day; the member's row is locked before."""
    member, day = rows[0]["member"], rows[0]["day"]
    same = ("notice", "language", "surface", "store")
    held = select(*(notice_servings.c[one] for one in same)).where(
        notice_servings.c.member == member, notice_servings.c.day == day
    )
    known = {tuple(one) for one in connection.execute(held)}
    if all(tuple(row[one] for one in same) in known for row in rows):
        return
    membership.lock(connection, keys.custody, [member])
    known = {tuple(one) for one in connection.execute(held)}
    fresh = [row for row in rows if tuple(row[one] for one in same) not in known]
    if fresh:
        connection.execute(insert(notice_servings), fresh)


def first_ms(connection: Connection, member: bytes, hashes: Sequence[bytes]) -> dict[bytes, int]:
    """When each of these notices was first served to a member."""
    wanted = (
        select(notice_servings.c.notice, func.min(notice_servings.c.at_ms))
        .where(notice_servings.c.member == member, notice_servings.c.notice.in_(hashes))
        .group_by(notice_servings.c.notice)
    )
    return {row[0]: row[1] for row in connection.execute(wanted)}
