"""Keeps the versions of each brand's model: tables and who is in them, sealed under a key that ends with the version.

Who is in it stands there as 16 bytes for each member and scope, made under the version's own key: they answer whether
somebody who grants is in it, and name nobody once the key is gone.

I/O: sqlalchemy, and the system's random generator.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from sqlalchemy import Connection, Row, func, insert, select, update

from hq.custody import KEY_BYTES, NAME_BYTES, Custody, Place, Purpose, Seal, bound
from hq.errors import Reason, Refused
from hq.learning.findings import Parts
from hq.training_card import Card, written
from hq.training_tables import trainings
from wire import schema
from wire.affinity import MAX_PARTS
from wire.limits import MAX_BODY_BYTES
from wire.schema import Count, Size

_VERSIONS_LOCK = 0x636F6E73_74726169  # "constrai", of the database's advisory locks


class State(StrEnum):
    """What became of a version."""

    IN_FORCE = "in-force"  # at most one of a brand: what stores have, or are being sent
    KEPT = "kept"  # was in force; may come back
    REFUSED = "refused"  # the comparison refused it: nothing of it was kept
    TOO_FEW = "too-few"  # there was nothing to learn from
    OUT = "out"  # its tables were destroyed


@dataclass(frozen=True, slots=True)
class Version:
    """A version without its tables. Times in Unix milliseconds UTC; `gone_ms`: nobody of it withdrew before then, and
    somebody did since; None: nobody did by `checked_ms`. `is_published`: stores were brought to it.
    """

    number: int
    brand: str
    state: State
    made_ms: int
    digest: str
    checked_ms: int
    gone_ms: int | None
    is_published: bool
    has_tables: bool


@dataclass(frozen=True, slots=True, repr=False)
class Part:
    """One part of a model."""

    name: Annotated[str, Size(1, 64)]
    body: Annotated[bytes, Size(0, MAX_BODY_BYTES)]


@dataclass(frozen=True, slots=True, repr=False)
class Tables:
    """What is kept of a version: what is published, and its twin for comparisons (`hq.learning.findings.Found`)."""

    parts: Annotated[tuple[Part, ...], Count(MAX_PARTS + 1)]
    twin: Annotated[tuple[Part, ...], Count(MAX_PARTS + 1)]


class VersionKey:
    """A version's own key: it names people for this version alone, and seals what is kept of it. Never shown."""

    __slots__ = ("_key", "seal")

    def __init__(self, key: bytes | None = None) -> None:
        self._key = os.urandom(KEY_BYTES) if key is None else key
        self.seal = Seal(self._key)

    def __repr__(self) -> str:
        return "VersionKey(…)"

    def person(self, reference: bytes) -> bytes:
        """A pseudonym, 16 bytes, by which lines of one person are put together and which is kept nowhere."""
        return self.seal.name(b"person\x00" + reference)

    def granting(self, reference: bytes, scope: str) -> bytes:
        """What stands for a member and a scope that the member lets be used, 16 bytes."""
        return self.seal.name(b"granting\x00" + reference + scope.encode())

    def closed(self, outer: Seal, number: int) -> bytes:
        """The key as it may stand in the version's row."""
        return outer.close(self._key, _place(number, b"key"))


def listed(connection: Connection, brand: str | None = None) -> list[Version]:
    """The versions, newest first; of one brand or of all."""
    wanted = _VERSIONS.order_by(trainings.c.number.desc())
    wanted = wanted if brand is None else wanted.where(trainings.c.brand == brand)
    return [_version(row) for row in connection.execute(wanted)]


def of(connection: Connection, brand: str, number: int) -> Version:
    """One version. Raises: Refused."""
    found = next((one for one in listed(connection, brand) if one.number == number), None)
    if found is None:
        raise Refused(Reason.UNKNOWN_VERSION, "VERSION", "a version of this brand; `consentry-hq train list` has them")
    return found


def in_force(connection: Connection, brand: str) -> Version | None:
    """The version that stores have; None: they go by each one's own history alone."""
    return next((one for one in listed(connection, brand) if one.state is State.IN_FORCE), None)


def next_number(connection: Connection) -> int:
    """The number of the next version, in a transaction that holds the lock and writes it."""
    return (connection.scalar(select(func.max(trainings.c.number))) or 0) + 1


def add(
    connection: Connection,
    custody: Custody,
    card: Card,
    state: State,
    now_ms: int,
    *,
    key: VersionKey | None = None,
    tables: tuple[Parts, Parts] | None = None,
    people: Iterable[bytes] = (),
) -> None:
    """Writes a new version by its card; with key and tables where it is to be kept."""
    row: dict[str, Any] = {
        "number": card.number, "brand": card.brand, "state": state.value, "made_ms": now_ms, "digest": card.digest,
        "card": written(card), "checked_ms": now_ms, "gone_ms": None, "published_ms": now_ms,
        "sealed_key": None, "tables": None, "people": None,
    }  # fmt: skip
    if key is not None and tables is not None:
        parts, twin = map(_listed, tables)
        row["sealed_key"] = key.closed(custody.to_seal(connection, Purpose.TRAININGS), card.number)
        row["tables"] = key.seal.close(schema.encode(Tables(parts, twin)), _place(card.number, b"tables"))
        row["people"] = key.seal.close(b"".join(sorted(people)), _place(card.number, b"people"))
        row["published_ms"] = None
    connection.execute(insert(trainings).values(row))


def card(connection: Connection, number: int) -> str:
    """A version's card as it was written."""
    return str(connection.scalar(select(trainings.c.card).where(trainings.c.number == number)))


def tables(connection: Connection, custody: Custody, number: int) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """What is published of a version, and its twin. Raises: Refused: destroyed. SealBroken."""
    row = _row(connection, number)
    opened = _key(connection, custody, row).seal.open(row.tables, _place(number, b"tables"))
    found = schema.decode(Tables, opened)
    return {one.name: one.body for one in found.parts}, {one.name: one.body for one in found.twin}


def people(connection: Connection, custody: Custody, number: int) -> tuple[VersionKey, set[bytes]]:
    """A version's key, and what stands for each member and scope in it. Raises: Refused: destroyed. SealBroken."""
    row = _row(connection, number)
    key = _key(connection, custody, row)
    plain = key.seal.open(row.people, _place(number, b"people"))
    return key, {plain[start : start + NAME_BYTES] for start in range(0, len(plain), NAME_BYTES)}


def note(connection: Connection, number: int, checked_ms: int, gone_ms: int | None) -> None:
    """Writes who was looked for when, and since when somebody may be gone."""
    connection.execute(_of(number).values(checked_ms=checked_ms, gone_ms=gone_ms))


def lock(connection: Connection) -> None:
    """Has others wait who would add or change versions, until this transaction ends: of any brand, for numbers are
    shared, and of a brand's first version there is no row yet to wait for.
    """
    if connection.dialect.name == "postgresql":  # of SQLite's writers there is one anyway
        connection.execute(select(func.pg_advisory_xact_lock(_VERSIONS_LOCK)))


def put_in_force(connection: Connection, version: Version) -> None:
    """Makes it the one that stores get, and keeps the one before. Raises: Refused: destroyed meanwhile."""
    lock(connection)
    here = (trainings.c.brand == version.brand) & (trainings.c.state == State.IN_FORCE.value)
    connection.execute(update(trainings).where(here).values(state=State.KEPT.value))
    wanted = _of(version.number).where(trainings.c.sealed_key.is_not(None))
    if not connection.execute(wanted.values(state=State.IN_FORCE.value, published_ms=None)).rowcount:
        raise _destroyed()


def destroy(connection: Connection, version: Version) -> None:
    """Destroys a version's tables, who was in it, and its key. The card stays."""
    published = {"published_ms": None} if version.state is State.IN_FORCE else {}
    connection.execute(
        _of(version.number).values(state=State.OUT.value, sealed_key=None, tables=None, people=None, **published)
    )


def note_published(connection: Connection, brand: str, now_ms: int) -> None:
    """Stores have been brought to what is in force."""
    here = (trainings.c.brand == brand) & trainings.c.published_ms.is_(None)
    connection.execute(update(trainings).where(here).values(published_ms=now_ms))


_VERSIONS = select(
    *(trainings.c[name] for name in ("number", "brand", "state", "made_ms", "digest", "checked_ms", "gone_ms")),
    trainings.c.published_ms.is_not(None).label("is_published"),
    trainings.c.sealed_key.is_not(None).label("has_tables"),
)


def _version(row: Any) -> Version:
    return Version(
        row.number, row.brand, State(row.state), row.made_ms, row.digest, row.checked_ms, row.gone_ms,
        bool(row.is_published), bool(row.has_tables),
    )  # fmt: skip


def _of(number: int) -> Any:
    return update(trainings).where(trainings.c.number == number)


def _row(connection: Connection, number: int) -> Row[Any]:
    row = connection.execute(select(trainings).where(trainings.c.number == number)).first()
    if row is None or row.sealed_key is None:
        raise _destroyed()
    return row


def _destroyed() -> Refused:
    return Refused(Reason.UNKNOWN_VERSION, "VERSION", "a version whose tables were not destroyed")


def _key(connection: Connection, custody: Custody, row: Row[Any]) -> VersionKey:
    outer = custody.to_open(connection, Purpose.TRAININGS)
    return VersionKey(outer.open(row.sealed_key, _place(row.number, b"key")))


def _place(number: int, what: bytes) -> bytes:
    return bound(Place.TRAINING, number.to_bytes(8, "big"), what)


def _listed(parts: Mapping[str, bytes]) -> tuple[Part, ...]:
    return tuple(Part(name, body) for name, body in sorted(parts.items()))
