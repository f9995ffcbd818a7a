"""Knows other systems by their keys, and says which calls, brands and stores each may use.

A key is shown once, when it is made; HQ keeps its SHA-256, which is enough for 256 random bits. What a system was not
given it may not: there is no right that comes by itself.

I/O: sqlalchemy, and the system's random generator.
"""

import base64
import hashlib
import os
import re
from collections.abc import Collection as Several
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from hq.errors import Reason, Refused
from hq.systems_tables import system_calls, system_keys, systems
from hq.tables import stores
from wire.sync import is_store

EVERY_BRAND = "*"
MOST_KEYS = 2
EACH_MINUTE = 600
MOST_EACH_MINUTE = 60_000
KEY_PREFIX = "csk_"
_KEY_BYTES = 32
_ID_BYTES = 8
_USED_EACH_MS = 60_000  # how exactly "last used" is kept: not a write a call
_KEY = re.compile(r"csk_[A-Za-z0-9_-]{43}", re.ASCII)


# Where members speak to HQ themselves: no system may be called so, nor say that it collected there.
OWN_SURFACES = frozenset({"app", "preference-centre"})


class Right(StrEnum):
    """What a system may be given: one kind of call each, and whether values may be the member's own word."""

    CONSENT = "consent"
    MEMBERS = "members"
    PROFILES = "profiles"
    PURCHASES = "purchases"
    EVENTS = "events"
    CATALOG = "catalog"
    STAFF = "staff"
    CHANGES = "changes"
    CONTACTS = "contacts"
    OWN_WORDS = "own-words"  # with `profiles`: source class zero


@dataclass(frozen=True, slots=True)
class System:
    """A system whose key was shown. `brands` are policies' names, `EVERY_BRAND` all of them."""

    id: str
    rights: frozenset[Right]
    brands: frozenset[str]
    stores: frozenset[str]
    each_minute: int = EACH_MINUTE  # calls; 100 lines count as one more

    def may(self, right: Right) -> bool:
        """Whether it has this right."""
        return right in self.rights

    @property
    def is_everywhere(self) -> bool:
        """Whether no brand and no store is closed to it."""
        return EVERY_BRAND in self.brands

    def reaches(self, store: str, brand: str) -> bool:
        """Whether it may speak and hear of this store, which is of this brand."""
        return self.is_everywhere or brand in self.brands or store in self.stores


@dataclass(frozen=True, slots=True)
class KeyState:
    """One key of a system as an operator sees it. Times are Unix milliseconds UTC."""

    id: bytes
    made_ms: int
    used_ms: int | None
    revoked_ms: int | None


@dataclass(frozen=True, slots=True)
class Listed:
    """One system as an operator sees it."""

    system: System
    label: str
    added_ms: int
    revoked_ms: int | None
    keys: tuple[KeyState, ...]


def add(
    connection: Connection, system: str, label: str, rights: Several[Right], brands: Several[str],
    its_stores: Several[str], now_ms: int, each_minute: int = EACH_MINUTE,
) -> str:  # fmt: skip
    """Adds a system with its first key, which is returned and kept nowhere.

    Raises:
        Refused: the id is taken or none, no right, or nowhere to use it.
    """
    if not is_store(system) or system in OWN_SURFACES:
        expected = f"lower-case letters, digits and hyphens, at most 40, and none of {', '.join(sorted(OWN_SURFACES))}"
        raise Refused(Reason.MALFORMED, "id", expected)
    if not 1 <= each_minute <= MOST_EACH_MINUTE:
        raise Refused(Reason.MALFORMED, "each-minute", f"1 to {MOST_EACH_MINUTE} calls")
    if not rights:
        raise Refused(Reason.MALFORMED, "right", "at least one right")
    if not brands and not its_stores:
        raise Refused(Reason.MALFORMED, "brand", "a brand or a store in which it may use its rights")
    known = set(connection.scalars(select(stores.c.policy))) | {EVERY_BRAND}
    if not set(brands) <= known:
        raise Refused(Reason.NO_POLICY, "brand", "the name of a policy that a store is under")
    if not set(its_stores) <= set(connection.scalars(select(stores.c.id))):
        raise Refused(Reason.UNKNOWN_STORE, "store", "the ids of stores")
    if connection.scalar(select(systems.c.id).where(systems.c.id == system)) is not None:
        raise Refused(Reason.EXISTS, "id", "an id that no system has, or had")
    connection.execute(
        insert(systems).values(
            id=system, label=(label or system)[:128], rights=_joined(rights), brands=_joined(brands),
            stores=_joined(its_stores), each_minute=each_minute, added_ms=now_ms,
        )
    )  # fmt: skip
    return make_key(connection, system, now_ms)


def make_key(connection: Connection, system: str, now_ms: int) -> str:
    """Another key of a system, beside the one that it uses; returned once.

    Raises:
        Refused: no such system, or it has two already.
    """
    _lock(connection, system)
    mine = (system_keys.c.system == system, system_keys.c.revoked_ms.is_(None))
    if (connection.scalar(select(func.count()).select_from(system_keys).where(*mine)) or 0) >= MOST_KEYS:
        raise Refused(Reason.TOO_MANY, "key", f"at most {MOST_KEYS} keys at once: revoke the old one first")
    shown = KEY_PREFIX + base64.urlsafe_b64encode(os.urandom(_KEY_BYTES)).decode().rstrip("=")
    row = {"id": os.urandom(_ID_BYTES), "system": system, "hash": _hash(shown), "made_ms": now_ms}
    connection.execute(insert(system_keys).values(row))
    return shown


def revoke_key(connection: Connection, system: str, key: bytes, now_ms: int) -> None:
    """From now on this key opens nothing. Raises: Refused, where it is no key of that system that still holds."""
    _lock(connection, system)
    mine = (system_keys.c.system == system, system_keys.c.id == key, system_keys.c.revoked_ms.is_(None))
    if connection.execute(update(system_keys).where(*mine).values(revoked_ms=now_ms)).rowcount != 1:
        raise Refused(Reason.UNKNOWN_SYSTEM, "key", "the id of a key of this system, 16 hex digits")


def revoke(connection: Connection, system: str, now_ms: int) -> None:
    """From now on none of its keys opens anything. Raises: Refused, where there is no such system."""
    _lock(connection, system)
    connection.execute(update(systems).where(systems.c.id == system).values(revoked_ms=now_ms))
    open_keys = (system_keys.c.system == system, system_keys.c.revoked_ms.is_(None))
    connection.execute(update(system_keys).where(*open_keys).values(revoked_ms=now_ms))
    connection.execute(delete(system_calls).where(system_calls.c.system == system))


def identify(connection: Connection, shown: str) -> tuple[System, bytes] | None:
    """The system that shows this key, and the key's id; None: nobody's."""
    if _KEY.fullmatch(shown) is None:
        return None
    wanted = (
        select(systems, system_keys.c.id.label("key"))
        .join(system_keys, system_keys.c.system == systems.c.id)
        .where(system_keys.c.hash == _hash(shown), system_keys.c.revoked_ms.is_(None), systems.c.revoked_ms.is_(None))
    )
    row = connection.execute(wanted).first()
    return None if row is None else (_system(row), row.key)


def note_use(connection: Connection, key: bytes, now_ms: int) -> None:
    """Notes when a key was last used, to the minute, in a transaction that writes."""
    old = system_keys.c.used_ms.is_(None) | (system_keys.c.used_ms <= now_ms - _USED_EACH_MS)
    connection.execute(update(system_keys).where(system_keys.c.id == key, old).values(used_ms=now_ms))


def find(connection: Connection, system: str) -> System | None:
    """A system by its id; None: no such, or revoked."""
    wanted = select(systems).where(systems.c.id == system, systems.c.revoked_ms.is_(None))
    row = connection.execute(wanted).first()
    return None if row is None else _system(row)


def listed(connection: Connection) -> list[Listed]:
    """All systems, in ascending id, those revoked among them."""
    keys: dict[str, list[KeyState]] = {}
    for row in connection.execute(select(system_keys).order_by(system_keys.c.made_ms, system_keys.c.id)):
        keys.setdefault(row.system, []).append(KeyState(row.id, row.made_ms, row.used_ms, row.revoked_ms))
    return [
        Listed(_system(row), row.label, row.added_ms, row.revoked_ms, tuple(keys.get(row.id, ())))
        for row in connection.execute(select(systems).order_by(systems.c.id))
    ]


def _lock(connection: Connection, system: str) -> None:
    wanted = select(systems.c.revoked_ms).where(systems.c.id == system).with_for_update()
    row = connection.execute(wanted).first()
    if row is None or row.revoked_ms is not None:
        raise Refused(Reason.UNKNOWN_SYSTEM, "id", "the id of a system that is not revoked")


def _system(row: Any) -> System:
    rights = frozenset(Right(one) for one in row.rights.split())
    return System(
        row.id, rights, frozenset(row.brands.split()), frozenset(row.stores.split()), row.each_minute
    )  # fmt: skip


def _joined(names: Several[str]) -> str:
    return " ".join(sorted(set(names)))


def _hash(shown: str) -> bytes:
    return hashlib.sha256(shown.encode()).digest()
