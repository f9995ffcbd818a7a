"""HQ's copy of each store's Merkle log of disclosures: grows it, holds signed heads against it, proves and verifies.

A head that does not follow from what HQ received is told by an alarm, and kept: the log begins anew there, as a further
run, so that what comes later is compared again.

I/O: sqlalchemy.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from hq.alarms import Alarm, raise_
from hq.log_tables import log_heads, log_nodes, logs
from hq.tables import stores
from wire import merkle
from wire.merkle import HASH_BYTES, Frontier
from wire.sync import LogHead

STORED_LEVELS = 8  # every so many levels a whole subtree is kept
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Place:
    """A log: of which cache of which store."""

    store: str
    incarnation: bytes

    def of(self, table: Any) -> tuple[Any, Any]:
        """Where its rows are."""
        return table.c.store == self.store, table.c.incarnation == self.incarnation

    @property
    def columns(self) -> dict[str, Any]:
        """As they stand in a row."""
        return {"store": self.store, "incarnation": self.incarnation}


class Log:
    """One log as it grows within a transaction that holds its incarnation's row locked; `save` writes it."""

    __slots__ = ("_connection", "_found", "_frontier", "_headed", "_nodes", "_place", "_run")

    def __init__(self, connection: Connection, store: str, incarnation: bytes, now_ms: int) -> None:
        self._connection = connection
        self._place = Place(store, incarnation)
        self._nodes: list[dict[str, Any]] = []
        row = connection.execute(select(logs).where(*self._place.of(logs))).first()
        self._found = row is not None
        self._run, self._headed, self._frontier = 0, 0, Frontier()
        if row is None:
            runs = connection.scalar(select(func.max(log_nodes.c.run)).where(*self._place.of(log_nodes)))
            if runs is not None:
                self._run = runs + 1
                self.broken(now_ms, "rows at HQ were removed")
            return
        self._run = row.run
        try:
            found = frontier_of(row)
        except ValueError:
            found = None
        if found is not None and self._last_position() in (found.size - 1, None):
            self._headed, self._frontier = row.headed, found
        else:  # HQ's own rows were changed; the next head begins the log anew
            self._run += 1
            self.broken(now_ms, "rows at HQ were changed")

    def append(self, number: int, leaf: bytes) -> None:
        """The next disclosure's leaf, by its hash."""
        for level, position, found in self._frontier.completes(leaf):
            if level % STORED_LEVELS == 0:
                self._note(level, position, found, number if level == 0 else None)
        self._frontier = self._frontier.append(leaf)

    def check(self, head: LogHead, at_ms: int, now_ms: int) -> None:
        """Holds a head of the box against what was received before it."""
        place = self._place
        raw = self._connection.scalar(select(stores.c.identity).where(stores.c.id == place.store))
        signed = raw is not None and merkle.verify_head(
            Ed25519PublicKey.from_public_bytes(raw), place.store, place.incarnation, head.size, head.root, at_ms,
            head.signature,
        )  # fmt: skip
        if not signed:
            self.broken(now_ms, "a head that the box did not sign")
            return
        if (head.size, head.root) != (self._frontier.size, self._frontier.root):
            self.broken(now_ms, f"a head of {head.size} entries does not follow from {self._frontier.size} received")
            if not self._begin_anew(head):
                return
        self._keep_head(head, at_ms, now_ms)

    def differs(self, number: int, leaf: bytes) -> bool:
        """Whether a disclosure that came again is another than the one that was received before."""
        held = self._connection.scalar(
            select(log_nodes.c.hash).where(*self._place.of(log_nodes), log_nodes.c.number == number).limit(1)
        )
        return held is not None and held != leaf

    def save(self) -> None:
        """Writes what changed."""
        if self._nodes:
            self._connection.execute(insert(log_nodes), self._nodes)
            self._nodes = []
        values = {
            "run": self._run, "size": self._frontier.size, "peaks": b"".join(self._frontier.peaks),
            "headed": self._headed,
        }  # fmt: skip
        if self._found:
            self._connection.execute(update(logs).where(*self._place.of(logs)).values(**values))
        elif self._frontier.size or self._run:
            self._connection.execute(insert(logs).values(**self._place.columns, **values))
            self._found = True

    def _last_position(self) -> int | None:
        found: int | None = self._connection.scalar(
            select(func.max(log_nodes.c.position)).where(
                *self._place.of(log_nodes), log_nodes.c.run == self._run, log_nodes.c.number.is_not(None)
            )
        )
        return found

    def _note(self, level: int, position: int, found: bytes, number: int | None) -> None:
        columns = {"run": self._run, "level": level, "position": position, "number": number, "hash": found}
        self._nodes.append({**self._place.columns, **columns})

    def _begin_anew(self, head: LogHead) -> bool:
        try:
            found = Frontier(head.size, head.peaks)
        except ValueError:
            return False
        if found.root != head.root:
            return False
        self._run, self._frontier, self._headed = self._run + 1, found, 0
        start = 0
        for level in reversed(range(head.size.bit_length())):
            if head.size >> level & 1:
                self._note(level, start >> level, found.peaks[(head.size >> level).bit_count() - 1], None)
                start += 1 << level
        return True

    def _keep_head(self, head: LogHead, at_ms: int, now_ms: int) -> None:
        """One an hour stays: a later one says all that an earlier one did."""
        self._headed = head.size
        same_hour = log_heads.c.received_ms >= now_ms - now_ms % _HOUR_MS
        self._connection.execute(
            delete(log_heads).where(
                *self._place.of(log_heads), log_heads.c.run == self._run,
                same_hour | (log_heads.c.size == head.size), log_heads.c.size <= head.size,
            )
        )  # fmt: skip
        self._connection.execute(
            insert(log_heads).values(
                **self._place.columns, run=self._run, size=head.size, root=head.root, at_ms=at_ms,
                signature=head.signature, received_ms=now_ms,
            )
        )  # fmt: skip

    def broken(self, now_ms: int, why: str) -> None:
        """Raises the alarm."""
        raise_(self._connection, Alarm.LOG_BROKEN, self._place.store, now_ms, why)


def frontier_of(row: Row[Any]) -> Frontier:
    """The frontier as a row of `logs` has it. Raises: ValueError: the row was changed."""
    peaks = row.peaks
    return Frontier(row.size, tuple(peaks[at : at + HASH_BYTES] for at in range(0, len(peaks), HASH_BYTES)))


def subtrees(connection: Connection, place: Place, run: int) -> merkle.Subtrees:
    """The subtrees of a log, each from at most 2^7 rows, or, across the beginning of a run, some times as many."""

    def found(level: int, position: int) -> bytes:
        below = level % STORED_LEVELS
        hashes = _hashes(connection, place, run, level - below, position << below, (position + 1) << below)
        if len(hashes) == 1 << below:
            while len(hashes) > 1:
                hashes = [merkle.node_hash(hashes[at], hashes[at + 1]) for at in range(0, len(hashes), 2)]
            return hashes[0]
        peak = _hashes(connection, place, run, level, position, position + 1)
        if peak:
            return peak[0]
        if not level:
            raise LookupError("a leaf of the log is missing")
        return merkle.node_hash(found(level - 1, 2 * position), found(level - 1, 2 * position + 1))

    return found


def _hashes(connection: Connection, place: Place, run: int, level: int, first: int, end: int) -> list[bytes]:
    wanted = select(log_nodes.c.hash).where(
        *place.of(log_nodes), log_nodes.c.run == run, log_nodes.c.level == level,
        log_nodes.c.position >= first, log_nodes.c.position < end,
    )  # fmt: skip
    return list(connection.scalars(wanted.order_by(log_nodes.c.position)))


@dataclass(frozen=True, slots=True)
class Proof:
    """That a leaf is in a signed head: its index, the audit path, and the head's row."""

    index: int
    path: tuple[bytes, ...]
    head: Row[Any]


def prove(connection: Connection, place: Place, number: int) -> Proof | None:
    """The proof of the disclosure with this event number; None: no head covers it yet, or it never came.

    Raises: LookupError: rows of the log are missing.
    """
    wanted = select(log_nodes).where(*place.of(log_nodes), log_nodes.c.number == number, log_nodes.c.level == 0)
    leaf = connection.execute(wanted).first()
    if leaf is None:
        return None
    covering = select(log_heads).where(
        *place.of(log_heads), log_heads.c.run == leaf.run, log_heads.c.size > leaf.position
    )
    head = connection.execute(covering.order_by(log_heads.c.size.desc()).limit(1)).first()
    if head is None:
        return None
    path = merkle.inclusion(leaf.position, head.size, subtrees(connection, place, leaf.run))
    return Proof(leaf.position, path, head)


def verify(connection: Connection, place: Place, identity: bytes, stored: dict[int, bytes | None]) -> str | None:
    """What is wrong with HQ's own rows of a log; None: nothing.

    stored: number and leaf of each disclosure that is stored, None where its content was erased; emptied.
    """
    row = connection.execute(select(logs).where(*place.of(logs))).first()
    if row is None:
        return "the log is missing" if stored else None
    key = Ed25519PublicKey.from_public_bytes(identity)
    for run in range(row.run + 1):
        wrong = _verify_run(connection, place, key, run, row if run == row.run else None, stored)
        if wrong is not None:
            return wrong
    if stored:
        return f"event {min(stored)} is not in the log"
    return f"it began anew {row.run} times" if row.run else None


def _verify_run(
    connection: Connection, place: Place, key: Ed25519PublicKey, run: int, last: Row[Any] | None,
    stored: dict[int, bytes | None],
) -> str | None:  # fmt: skip
    heads = connection.execute(
        select(log_heads).where(*place.of(log_heads), log_heads.c.run == run).order_by(log_heads.c.size)
    ).all()
    wanted = select(log_nodes).where(*place.of(log_nodes), log_nodes.c.run == run)
    nodes = {(node.level, node.position): node for node in connection.execute(wanted)}
    leaves = sorted(position for (level, position), node in nodes.items() if node.number is not None)
    begun = 0
    if run:
        begun = leaves[0] if leaves else max((head.size for head in heads), default=0)
    try:
        frontier = merkle.frontier(begun, _from(nodes)) if run else Frontier()
    except LookupError:
        return "hashes are missing"
    left = list(heads)
    for position in [*leaves, None]:
        while left and left[0].size == frontier.size:
            head = left.pop(0)
            if not merkle.verify_head(
                key, place.store, place.incarnation, head.size, head.root, head.at_ms, head.signature
            ):
                return f"the head of {head.size} entries is not the one that the box signed"
            if head.root != frontier.root:
                return f"the entries do not amount to the signed head of {head.size}"
        if position is None:
            break
        node = nodes[0, position]
        if position != frontier.size:
            return f"entry {frontier.size} is missing"
        if node.number not in stored:
            return f"the event of entry {position} is missing"
        leaf = stored.pop(node.number)
        if leaf is not None and leaf != node.hash:
            return f"event {node.number} is not what was logged"
        for level, at, found in frontier.completes(node.hash):
            if level % STORED_LEVELS == 0 and ((level, at) not in nodes or nodes[level, at].hash != found):
                return f"a kept hash of entry {position} is another"
        frontier = frontier.append(node.hash)
    if left:
        return f"entries are missing below the signed head of {left[0].size}"
    if last is None:
        return None
    if last.headed and last.headed not in {head.size for head in heads}:
        return "its newest signed head is missing"
    try:
        whole = frontier_of(last) == frontier
    except ValueError:
        whole = False
    return None if whole else "the end of the log is not the one that was kept"


def _from(nodes: dict[tuple[int, int], Row[Any]]) -> Callable[[int, int], bytes]:
    def found(level: int, position: int) -> bytes:
        return bytes(nodes[level, position].hash)

    return found
