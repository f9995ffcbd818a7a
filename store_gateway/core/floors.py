"""Remembers below which seq nothing counts any more, for each two-byte node of one instance.

A floor that holds for the whole instance is kept beside this; here is only what ranges raised since then.

Pure: no I/O, no clock.
"""

from array import array
from collections.abc import Iterable

from wire.tree import MAX_PREFIX_BYTES

_NODES = 256**MAX_PREFIX_BYTES


def bounds(first: bytes, last: bytes) -> tuple[bytes, bytes]:
    """The first and the last two-byte node below the nodes from `first` to `last`."""
    return first.ljust(MAX_PREFIX_BYTES, b"\x00"), last.ljust(MAX_PREFIX_BYTES, b"\xff")


class Floors:
    """See the module. 512 KiB while an instance is being filled, nothing before and after."""

    __slots__ = ("_as_of", "highest")

    def __init__(self, rows: Iterable[tuple[bytes, int]] = ()) -> None:
        """`rows`: (as `kept` names the nodes, as_of)."""
        self._as_of: array[int] | None = None
        self.highest = 0
        for nodes, as_of in rows:
            whole = len(nodes) > MAX_PREFIX_BYTES
            first, last = (nodes[:MAX_PREFIX_BYTES], nodes[MAX_PREFIX_BYTES:]) if whole else bounds(nodes, nodes)
            self.raise_(first, last, as_of)

    def at(self, path: bytes) -> int:
        """The floor of the node that holds a path."""
        if self._as_of is None:
            return 0
        return self._as_of[int.from_bytes(path[:MAX_PREFIX_BYTES], "big")]

    def around(self, first: bytes, last: bytes) -> int:
        """The highest floor of two-byte nodes: a range older than any of them would undo it."""
        if self._as_of is None:
            return 0
        return max(self._as_of[int.from_bytes(first, "big") : int.from_bytes(last, "big") + 1])

    def raise_(self, first: bytes, last: bytes, as_of: int) -> None:
        """From now on nothing at or below `as_of` counts in these two-byte nodes; a floor never sinks."""
        if self._as_of is None:
            self._as_of = array("Q", bytes(8 * _NODES))
        low, high = int.from_bytes(first, "big"), int.from_bytes(last, "big") + 1
        if high - low == _NODES and as_of >= self.highest:
            self._as_of = array("Q", [as_of]) * _NODES
        else:
            for at in range(low, high):
                if self._as_of[at] < as_of:
                    self._as_of[at] = as_of
        self.highest = max(self.highest, as_of)

    def settle(self, as_of: int) -> None:
        """The whole instance's floor is `as_of` now."""
        if self.highest <= as_of:
            self._as_of, self.highest = None, 0


def kept(first: bytes, last: bytes) -> bytes:
    """How a floor of two-byte nodes from `first` to `last` is named in the file: both, 4 bytes.

    A name of 0 to 2 bytes is a prefix, as the first version wrote it.
    """
    return first + last
