"""Holds the open keys of the buckets in which the cache's rows are sealed.

256 buckets an instance, by the first byte of a record's path; a bucket's random key is wrapped by the epoch key and
made when the first row comes.

I/O: the cache file, through `store_gateway.cache`.
"""

from store_gateway.cache import Cache
from store_gateway.seal import KEY_BYTES, Entropy, Seal, bound_bucket, bound_local, bound_row

_FIRST_VERSION = 1
_LOCAL = 0  # the number of no instance: what only this store writes
_LOCAL_NAME = "local"


class Buckets:
    """The buckets of one unlocked cache."""

    __slots__ = ("_cache", "_entropy", "_epoch", "_open")

    def __init__(self, cache: Cache, epoch: Seal, entropy: Entropy) -> None:
        self._cache = cache
        self._epoch = epoch
        self._entropy = entropy
        self._open: dict[tuple[int, int], tuple[int, Seal]] = {}

    def forget(self) -> None:
        """Drops all open keys, to be read again: after a failed transaction a key that was not kept must not seal."""
        self._open.clear()

    def close_row(
        self, instance: int, name: str, column: bytes, path: bytes, seq: int, key: bytes, body: bytes
    ) -> bytes:
        """Key and body of a record, sealed for its row."""
        version, seal = self._bucket(instance, name, path[0])
        return seal.close(bytes([len(key)]) + key + body, bound_row(name, column, seq, version))

    def open_row(
        self, instance: int, name: str, column: bytes, path: bytes, seq: int, sealed: bytes
    ) -> tuple[bytes, bytes]:
        """Key and body of a record. Raises: CacheError(CORRUPT) where the row is not the one written there."""
        version, seal = self._bucket(instance, name, path[0])
        opened = seal.open(sealed, bound_row(name, column, seq, version))
        end = 1 + opened[0]
        return opened[1:end], opened[end:]

    def close_local(self, table: str, key: bytes, content: bytes) -> bytes:
        """A row of what only this store writes, sealed for its place."""
        return self._bucket(_LOCAL, _LOCAL_NAME, 0)[1].close(content, bound_local(table, key))

    def open_local(self, table: str, key: bytes, sealed: bytes) -> bytes:
        """Such a row's content. Raises: CacheError(CORRUPT)."""
        return self._bucket(_LOCAL, _LOCAL_NAME, 0)[1].open(sealed, bound_local(table, key))

    def _bucket(self, instance: int, name: str, bucket: int) -> tuple[int, Seal]:
        found = self._open.get((instance, bucket))
        if found is None:
            found = self._open[instance, bucket] = self._load(instance, name, bucket)
        return found

    def _load(self, instance: int, name: str, bucket: int) -> tuple[int, Seal]:
        kept = self._cache.bucket(instance, bucket)
        if kept is not None:
            version, wrapped = kept
            return version, Seal(self._epoch.open(wrapped, bound_bucket(name, bucket, version)), self._entropy)
        key = self._entropy(KEY_BYTES)
        wrapped = self._epoch.close(key, bound_bucket(name, bucket, _FIRST_VERSION))
        self._cache.add_bucket(instance, bucket, _FIRST_VERSION, wrapped)
        return _FIRST_VERSION, Seal(key, self._entropy)
