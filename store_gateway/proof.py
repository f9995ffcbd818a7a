"""Proves, some rows at a time, that nodes are the sums of their rows, and that each row is what was sealed there.

At an unlock only the roots are held against the nodes, which takes no time; this reads everything: each row is opened,
its place and digest are computed again, and the rows below each node are summed. Anything may be read and written
between two steps. It goes once through the cache after each unlock and every day, slowly, and at an operator's word.

I/O: the cache file, through `store_gateway.holdings`.
"""

from collections import deque

from runtime.logs import Log
from store_gateway.cache_schema import Row
from store_gateway.errors import CacheError, CacheReason
from store_gateway.holdings import Holdings, Instance
from wire import tree
from wire.tree import MAX_PREFIX_BYTES, Node

ROWS = 64  # of one step: about 1 ms
EVERY_S = 86_400.0
_STEP_BYTES = 64 * 1024
_PACE_S = 0.1  # between two steps that nobody asked for

_log = Log("proof")


class Proof:
    """See the module. `rows`: how many were proved since the start; `hurried`: an operator waits for it."""

    __slots__ = ("_after", "_due_mono_s", "_next_mono_s", "_waiting", "done", "hurried", "rows")

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._after = bytes(MAX_PREFIX_BYTES)  # the two-byte node at which the next step begins
        self._due_mono_s: float | None = None  # None: begins at the first occasion
        self._next_mono_s = 0.0
        self.hurried = False
        self.done = 0
        self.rows = 0

    def hurry(self, holdings: Holdings) -> None:
        """Begins from the start, and does not wait between two steps."""
        self._begin(holdings)
        self.hurried = bool(self._waiting)

    def _begin(self, holdings: Holdings) -> None:
        self._waiting = deque(sorted(holdings.instances))
        self._after = bytes(MAX_PREFIX_BYTES)

    def idle(self, holdings: Holdings, now_mono_s: float) -> None:
        """A step where one is due. Raises: CacheError, CORRUPT where something is not what it was."""
        if self.hurried or now_mono_s < self._next_mono_s:
            return
        if not self._waiting and (self._due_mono_s is None or now_mono_s >= self._due_mono_s):
            self._begin(holdings)
            self._due_mono_s = now_mono_s + EVERY_S
        if self._waiting:
            self._next_mono_s = now_mono_s + _PACE_S
            self.step(holdings)

    def step(self, holdings: Holdings) -> None:
        """Proves some rows. Raises: CacheError, CORRUPT where something is not what it was."""
        if not self._waiting:
            self.hurried = False
            return
        held = holdings.instances.get(self._waiting[0])
        if held is not None:
            try:
                following = self._prove(holdings, held)
            except CacheError as error:
                if error.reason is CacheReason.CORRUPT:
                    _log.error("check_failed", instance=held.name, remedy="see `disk`, corrupt, in docs/operating.md")
                raise
            if following is not None:
                self._after = following
                return
        self._waiting.popleft()
        self._after = bytes(MAX_PREFIX_BYTES)
        if not self._waiting:
            self.done += 1
            _log.info("checked", rows=self.rows)
            self.hurried = False

    def _prove(self, holdings: Holdings, held: Instance) -> bytes | None:
        """Proves the rows below some two-byte nodes; the node to go on with, or None at the end of the instance."""
        first, (rows, following) = self._after, self._rows(holdings, held)
        end = b"\xff" * MAX_PREFIX_BYTES if following is None else _before(following)
        sums: dict[bytes, Node] = {}
        for row in rows:
            _check_row(holdings, held, row)
            if row.digest:
                place = row.path[:MAX_PREFIX_BYTES]
                sums[place] = sums.get(place, Node()).plus(int.from_bytes(row.digest, "little"))
        self.rows += len(rows)
        if sums != holdings.cache.nodes(held.id, MAX_PREFIX_BYTES, first, end):
            raise CacheError(CacheReason.CORRUPT)
        _check_upper(holdings, held, first, end)
        return following

    def _rows(self, holdings: Holdings, held: Instance) -> tuple[list[Row], bytes | None]:
        """All rows of the next few two-byte nodes, and the node behind them; None: there is none."""
        most, most_bytes = ROWS, _STEP_BYTES
        while True:
            rows = holdings.cache.after(held.id, self._after, b"", most, most_bytes)
            if not rows or not holdings.cache.after(held.id, rows[-1].path, rows[-1].key_column, 1, 1):
                return rows, None
            last = rows[-1].path[:MAX_PREFIX_BYTES]  # below which there may be more
            if rows[0].path[:MAX_PREFIX_BYTES] != last:
                return [row for row in rows if row.path[:MAX_PREFIX_BYTES] != last], last
            most, most_bytes = 2 * most, 2 * most_bytes


def _check_upper(holdings: Holdings, held: Instance, first: bytes, end: bytes) -> None:
    """The nodes of one byte that were passed whole are the sums of theirs, and all of them of the root."""
    upper = holdings.cache.nodes(held.id, 1, first[:1], end[:1])
    for number in range(first[0], end[0] + 1):
        byte = bytes([number])
        lower = holdings.cache.nodes(held.id, MAX_PREFIX_BYTES, byte + b"\x00", byte + b"\xff")
        if _joined(lower) != upper.get(byte, Node()):
            raise CacheError(CacheReason.CORRUPT)
    if _joined(holdings.cache.nodes(held.id, 1, b"\x00", b"\xff")) != held.node:
        raise CacheError(CacheReason.CORRUPT)


def _check_row(holdings: Holdings, held: Instance, row: Row) -> None:
    """The row is what was sealed, at its place, under its digest."""
    if row.sealed is None:
        if row.digest:
            raise CacheError(CacheReason.CORRUPT)
        return
    key, body = holdings.open(held, row)
    digest = tree.digest_bytes(held.digest_key, held.collection, key, row.seq, tree.body_hash(body))
    there = row.path, row.key_column, row.digest
    if there != (tree.path(held.digest_key, key), tree.column(held.digest_key, key), digest):
        raise CacheError(CacheReason.CORRUPT)


def _joined(nodes: dict[bytes, Node]) -> Node:
    found = Node()
    for node in nodes.values():
        found = found.join(node)
    return found


def _before(node: bytes) -> bytes:
    return (int.from_bytes(node, "big") - 1).to_bytes(MAX_PREFIX_BYTES, "big")
