"""The box's part of the Merkle log of disclosures: its frontier, and the leaves that HQ has not stored yet.

A disclosure is appended in the transaction that records it. What HQ has stored is folded into the base, so the box
keeps two frontiers (a few hashes) and one hash for each disclosure that waits. Opening it proves that no waiting row
was edited, cut, swapped or put back by itself; what the disk as a whole could hide, HQ sees by the signed heads.

I/O: the cache file, through `store_gateway.cache`.
"""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from store_gateway.buckets import Buckets
from store_gateway.cache import Cache
from store_gateway.errors import CacheError, CacheReason
from store_gateway.seal import Entropy
from wire import merkle
from wire.merkle import HASH_BYTES, SALT_BYTES, Frontier
from wire.sync import Disclosure, LogHead

HEAD_AFTER_S = 60.0  # so long after the log grew at most, while there is a connection
HEAD_EVERY_S = 3600.0
_SIZE_BYTES = 8
_FRONTIER, _BASE = "frontier", "base"

Sign = Callable[[int, bytes, int], bytes]  # (size, root, trusted time in ms) -> signature of the box


class DisclosureLog:
    """The log of one unlocked cache. What is appended inside of a failed transaction is undone by `transaction`."""

    __slots__ = ("_base", "_buckets", "_cache", "_entropy", "_frontier", "_headed", "_headed_mono_s")

    def __init__(self, cache: Cache, buckets: Buckets, entropy: Entropy) -> None:
        """Raises: CacheError, CORRUPT where leaves and frontiers do not belong together."""
        self._cache = cache
        self._buckets = buckets
        self._entropy = entropy
        self._base = self._read(_BASE)
        self._frontier = self._read(_FRONTIER)
        self._headed = 0
        self._headed_mono_s: float | None = None
        found = self._base
        for row in cache.local("log"):
            if len(row["leaf"]) != HASH_BYTES:
                raise CacheError(CacheReason.CORRUPT)
            found = found.append(row["leaf"])
        if found != self._frontier or cache.has_leaf_without_event():
            raise CacheError(CacheReason.CORRUPT)

    @property
    def size(self) -> int:
        """How many disclosures this incarnation has recorded."""
        return self._frontier.size

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What changes inside is undone in memory where it fails."""
        before = self._base, self._frontier
        try:
            yield
        except BaseException:
            self._base, self._frontier = before
            raise

    def append(self, number: int, at_ms: int, pseudonym: bytes | None, said: Disclosure) -> Disclosure:
        """The disclosure with its salts, after it became a leaf; `keep` ends it. Raises: CacheError."""
        salted = dataclasses.replace(said, salt=self._entropy(SALT_BYTES), staff_salt=self._entropy(SALT_BYTES))
        leaf = merkle.leaf_of(number, at_ms, pseudonym, salted)
        self._cache.put_local("log", {"number": number, "leaf": leaf})
        self._frontier = self._frontier.append(leaf)
        return salted

    def keep(self) -> None:
        """Writes the frontier, once for all that a transaction appended. Raises: CacheError."""
        self._write(_FRONTIER, self._frontier)

    def leaf(self, number: int) -> bytes | None:
        """The hash of a disclosure that waits. Raises: CacheError."""
        rows = self._cache.local("log", "number = ?", number)
        return bytes(rows[0]["leaf"]) if rows else None

    def free(self, through: int) -> None:
        """HQ stored all events up to `through`, inside of a transaction. Raises: CacheError."""
        rows = self._cache.local("log", "number <= ?", through)
        if not rows:
            return
        for row in rows:
            self._base = self._base.append(row["leaf"])
        self._write(_BASE, self._base)
        self._cache.erase_local("log", "number <= ?", through)

    def head_due(self, now_mono_s: float) -> bool:
        """Whether HQ should get a signed head: soon after the log grew, hourly, and once after each start."""
        if not self.size:
            return False
        since_s = HEAD_EVERY_S if self._headed_mono_s is None else now_mono_s - self._headed_mono_s
        return since_s >= (HEAD_AFTER_S if self.size > self._headed else HEAD_EVERY_S)

    def head(self, sign: Sign, at_ms: int, now_mono_s: float) -> LogHead:
        """The signed head as of now."""
        self._headed, self._headed_mono_s = self.size, now_mono_s
        root = self._frontier.root
        return LogHead(self.size, root, self._frontier.peaks, sign(self.size, root, at_ms))

    def _read(self, name: str) -> Frontier:
        rows = self._cache.local("log_state", "name = ?", name)
        if not rows:
            return Frontier()
        opened = self._buckets.open_local("log_state", name.encode(), rows[0]["sealed"])
        peaks = opened[_SIZE_BYTES:]
        return Frontier(
            int.from_bytes(opened[:_SIZE_BYTES], "big"),
            tuple(peaks[at : at + HASH_BYTES] for at in range(0, len(peaks), HASH_BYTES)),
        )

    def _write(self, name: str, frontier: Frontier) -> None:
        content = frontier.size.to_bytes(_SIZE_BYTES, "big") + b"".join(frontier.peaks)
        sealed = self._buckets.close_local("log_state", name.encode(), content)
        self._cache.put_local("log_state", {"name": name, "sealed": sealed})
