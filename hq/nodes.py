"""Keeps the nodes of an instance's digest tree, one and two bytes deep, in the transaction that changes its records.

What is read here is read under the lock of the instance's counter row, or in a snapshot that also gave its seq.

I/O: sqlalchemy.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, insert, select, update

from hq.tables import nodes
from wire import tree
from wire.sync import Child

_CHUNK = 500  # bound parameters of one statement
_FIRST_OF_TWO = 256  # places below are nodes of one byte
_MODULUS = 2**128


def places(path: bytes) -> tuple[int, int]:
    """Where the two nodes of a path stand in `nodes`."""
    return path[0], _FIRST_OF_TWO + int.from_bytes(path[:2], "big")


class Shift:
    """What records that come and go change in each node: a sum of digests modulo 2^128, and a count."""

    def __init__(self) -> None:
        self.changes: dict[int, list[int]] = {}
        self._total = [0, 0]

    def plus(self, path: bytes, digest: int) -> None:
        """One live record more."""
        self._add(path, digest, 1)

    def minus(self, path: bytes, digest: int) -> None:
        """One live record less."""
        self._add(path, -digest, -1)

    @property
    def root(self) -> tree.Node:
        """The change of the root; its count may be negative."""
        return tree.Node(self._total[0] % _MODULUS, self._total[1])

    def _add(self, path: bytes, digest: int, count: int) -> None:
        total = self._total
        total[0] += digest
        total[1] += count
        for place in places(path):
            change = self.changes.get(place)
            if change is None:
                self.changes[place] = [digest, count]
            else:
                change[0] += digest
                change[1] += count


def write(connection: Connection, instance: int, shift: Shift) -> None:
    """Adds the changes to the nodes. The caller holds the instance's counter row."""
    held = _held(connection, instance, shift.changes)
    new, known = [], []
    for place, (total, count) in sorted(shift.changes.items()):
        old = held.get(place)
        was, live = (0, 0) if old is None else (int.from_bytes(old[0], "little"), old[1])
        digest = ((was + total) % _MODULUS).to_bytes(tree.DIGEST_BYTES, "little")
        if old is None:
            new.append({"instance": instance, "place": place, "digest": digest, "live": live + count})
        elif total or count:
            known.append({"b_instance": instance, "b_place": place, "digest": digest, "live": live + count})
    if new:
        connection.execute(insert(nodes), new)
    if known:
        connection.execute(_UPDATE, known)


_UPDATE = update(nodes).where(nodes.c.instance == bindparam("b_instance"), nodes.c.place == bindparam("b_place"))


def _held(connection: Connection, instance: int, wanted: Iterable[int]) -> dict[int, tuple[bytes, int]]:
    held: dict[int, tuple[bytes, int]] = {}
    listed = sorted(wanted)
    for start in range(0, len(listed), _CHUNK):
        found = select(nodes.c.place, nodes.c.digest, nodes.c.live).where(
            nodes.c.instance == instance, nodes.c.place.in_(listed[start : start + _CHUNK])
        )
        held.update({place: (digest, live) for place, digest, live in connection.execute(found)})
    return held


def live_below(connection: Connection, instance: int, prefix: bytes) -> int:
    """How many live records are below a node of one or two bytes."""
    place = places(prefix)[1] if len(prefix) == 2 else prefix[0]
    wanted = select(nodes.c.live).where(nodes.c.instance == instance, nodes.c.place == place)
    return connection.scalar(wanted) or 0


def children(connection: Connection, instance: int, prefix: bytes) -> tuple[Child, ...]:
    """The nodes one byte below a prefix of none or one byte that have live records: one range of at most 256 rows."""
    first = 0 if not prefix else _FIRST_OF_TWO + 256 * prefix[0]
    wanted = (
        select(nodes.c.place, nodes.c.digest, nodes.c.live)
        .where(nodes.c.instance == instance, nodes.c.place >= first, nodes.c.place < first + 256, nodes.c.live > 0)
        .order_by(nodes.c.place)
    )
    return tuple(Child(place - first, digest, live) for place, digest, live in connection.execute(wanted))
