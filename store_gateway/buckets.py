"""Holds the open keys of the buckets in which the cache's rows are sealed, and re-seals a bucket under a new key.

A record's bucket is told by its path's leading bits: 10 for members, so that a million of them lie about 1,000 to a
bucket, and 8 for anything else, whose rows are larger or nobody's. The number of a bucket of 8 bits is these bits, that
of 10 bits has a 1 before them. The first version had 8 for members too, and what it made goes on so. A bucket's random
key is made when its first row comes and is wrapped by the epoch key; it goes with its instance, before the rows do.

While a bucket is re-sealed it has two keys: what is written is under the next one, and a row that the pass has not come
to is under the old one. Which it is the row itself says, since each is bound to its version and opens under no other.

I/O: the cache file, through `store_gateway.cache`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from store_gateway.cache import Cache
from store_gateway.cache_keys import LOCAL_KEYS, LocalKey
from store_gateway.epochs import LOCAL_NAME, Epochs
from store_gateway.errors import CacheError, CacheReason
from store_gateway.seal import KEY_BYTES, Entropy, Seal, bound_local, bound_row
from wire.tree import PATH_BYTES

MEMBER_BITS = 10
_BITS = 8
_FIRST_VERSION = 1
_LOCAL = 0  # the number of no instance: what only this store writes
_RESEALED = 32  # rows in one step: about 2 ms
Open = Callable[[bytes, bytes, int, bytes], tuple[bytes, bytes]]  # path, key column, seq, sealed
Close = Callable[[bytes, bytes, int, bytes, bytes], bytes]  # path, key column, seq, key, body
_LARGE = 4  # of a keyring's rows, which have 8 KB each where members are a million


@dataclass(frozen=True, slots=True, repr=False)
class Place:
    """One bucket of one instance; `instance` 0: of what only this store writes."""

    instance: int
    name: str
    bucket: int


@dataclass(frozen=True, slots=True, repr=False)
class _Keys:
    version: int
    seal: Seal
    following: Seal | None  # of the next version, while the bucket is re-sealed


class Buckets:
    """The buckets of one unlocked cache."""

    __slots__ = ("_cache", "_entropy", "_epochs", "_first", "_open")

    def __init__(self, cache: Cache, epochs: Epochs, entropy: Entropy) -> None:
        self._cache = cache
        self._epochs = epochs
        self._entropy = entropy
        self._open: dict[tuple[int, int], _Keys] = {}
        self._first: dict[int, bool] = {}  # whether an instance has buckets of the first version

    def forget(self) -> None:
        """Drops all open keys, to be read again: after a failed transaction a key that was not kept must not seal."""
        self._open.clear()
        self._first.clear()

    def close_row(
        self, instance: int, name: str, column: bytes, path: bytes, seq: int, key: bytes, body: bytes
    ) -> bytes:
        """Key and body of a record, sealed for its row."""
        keys = self._keys(self.place(instance, name, path))
        return _close_row(keys, name, column, seq, bytes([len(key)]) + key + body)

    def closing(self, instance: int, name: str) -> Close:
        """`close_row` for many rows of one instance within one slice, quickest by path."""
        bits, seal, version = -1, Seal(bytes(KEY_BYTES), self._entropy), 0

        def close(path: bytes, column: bytes, seq: int, key: bytes, body: bytes) -> bytes:
            nonlocal bits, seal, version
            if int.from_bytes(path[:2], "big") >> (16 - MEMBER_BITS) != bits:
                bits = int.from_bytes(path[:2], "big") >> (16 - MEMBER_BITS)
                keys = self._keys(self.place(instance, name, path))
                seal, version = (keys.following or keys.seal), keys.version + (keys.following is not None)
            return seal.close(bytes((len(key),)) + key + body, bound_row(name, column, seq, version))

        return close

    def opening(self, instance: int, name: str) -> Open:
        """`open_row` for many rows of one instance within one slice, quickest by path."""
        bits, found = -1, _Keys(0, Seal(bytes(KEY_BYTES), self._entropy), None)

        def open_(path: bytes, column: bytes, seq: int, sealed: bytes) -> tuple[bytes, bytes]:
            nonlocal bits, found
            if int.from_bytes(path[:2], "big") >> (16 - MEMBER_BITS) != bits:
                bits = int.from_bytes(path[:2], "big") >> (16 - MEMBER_BITS)
                found = self._present(self.place(instance, name, path))
            opened, _ = _open_row(found, name, column, seq, sealed)
            end = 1 + opened[0]
            return opened[1:end], opened[end:]

        return open_

    def open_row(
        self, instance: int, name: str, column: bytes, path: bytes, seq: int, sealed: bytes
    ) -> tuple[bytes, bytes]:
        """Key and body of a record. Raises: CacheError(CORRUPT) where the row is not the one written there."""
        opened, _ = _open_row(self._present(self.place(instance, name, path)), name, column, seq, sealed)
        end = 1 + opened[0]
        return opened[1:end], opened[end:]

    def close_local(self, table: str, key: bytes, content: bytes) -> bytes:
        """A row of what only this store writes, sealed for its place."""
        return _close_local(self._keys(LOCAL), table, key, content)

    def open_local(self, table: str, key: bytes, sealed: bytes) -> bytes:
        """Such a row's content. Raises: CacheError(CORRUPT)."""
        return _open_local(self._present(LOCAL), table, key, sealed)[0]

    def place(self, instance: int, name: str, path: bytes) -> Place:
        """The bucket of a record's path."""
        first = path[0]
        if not name.startswith("members/"):
            return Place(instance, name, first)
        is_first = self._first.get(instance)
        if is_first is None:
            is_first = self._first[instance] = self._cache.has_buckets_below(instance, 1 << _BITS)
        if is_first and ((instance, first) in self._open or self._cache.bucket(instance, first) is not None):
            return Place(instance, name, first)
        return Place(instance, name, (1 << MEMBER_BITS) | int.from_bytes(path[:2], "big") >> (16 - MEMBER_BITS))

    def _keys(self, place: Place) -> _Keys:
        """The keys that close a row there, made where there are none."""
        found = self._found(place)
        if found is None:
            key = self._entropy(KEY_BYTES)
            self._put(place, _FIRST_VERSION, (key, None))
            found = self._open[place.instance, place.bucket] = _Keys(_FIRST_VERSION, self._seal(key), None)
        return found

    def _present(self, place: Place) -> _Keys:
        """The keys that open a row there. Raises: CacheError(CORRUPT) where they are gone and the instance is not."""
        found = self._found(place)
        if found is None:
            raise CacheError(CacheReason.CORRUPT)
        return found

    def _found(self, place: Place) -> _Keys | None:
        found = self._open.get((place.instance, place.bucket))
        if found is None:
            row = self._cache.bucket(place.instance, place.bucket)
            if row is None:
                return None
            key, following = self._epochs.unwrap(row, place.name)
            found = _Keys(row.version, self._seal(key), None if following is None else self._seal(following))
            self._open[place.instance, place.bucket] = found
        return found

    def _put(self, place: Place, version: int, keys: tuple[bytes, bytes | None]) -> None:
        with self._cache.transaction():
            self._cache.put_bucket(self._epochs.wrap(place.name, place.instance, place.bucket, version, keys))

    def _seal(self, key: bytes) -> Seal:
        return Seal(key, self._entropy)

    # --- a new key for a bucket --------------------------------------------------------------------------------------

    def reseal(self, place: Place) -> Iterator[None]:
        """Puts a bucket's rows under a new key, a step at each `next`; after the last one the old key is gone.

        Between two steps anything may be read and written, and after a power failure it is begun again.
        Raises: CacheError; the step is then not done.
        """
        row = self._cache.bucket(place.instance, place.bucket)
        if row is None:
            return  # nothing was ever sealed there
        if row.next is not None:
            # Of an earlier time: what was sealed under that key before now has to be out of its reach as well.
            yield from self._pass(place)
            self._end(place)
        if self._begin(place):
            yield
            yield from self._pass(place)
            self._end(place)

    def _begin(self, place: Place) -> bool:
        row = self._cache.bucket(place.instance, place.bucket)
        if row is None:
            return False  # the instance was dropped meanwhile
        key, _ = self._epochs.unwrap(row, place.name)
        self._put(place, row.version, (key, self._entropy(KEY_BYTES)))
        self._open.pop((place.instance, place.bucket), None)
        return True

    def _end(self, place: Place) -> None:
        row = self._cache.bucket(place.instance, place.bucket)
        if row is None:
            return
        _, following = self._epochs.unwrap(row, place.name)
        assert following is not None  # this pass alone ends it
        self._put(place, row.version + 1, (following, None))
        self._open.pop((place.instance, place.bucket), None)

    def _pass(self, place: Place) -> Iterator[None]:
        return self._pass_local() if place.instance == _LOCAL else self._pass_rows(place)

    def _pass_rows(self, place: Place) -> Iterator[None]:
        low, high = _bounds(place.bucket)
        after, most = (b"", b""), _LARGE if place.name.startswith("keyring/") else _RESEALED
        while True:
            rows = self._cache.rows_between(place.instance, low, high, after, most)
            if not rows:
                return
            after = rows[-1][:2]
            keys, resealed = self._found(place), []
            if keys is None:
                return  # the instance was dropped meanwhile; its rows are on their way out
            for path, column, seq, sealed in rows:
                if self.place(place.instance, place.name, path).bucket != place.bucket:
                    continue  # of a first version's bucket that has the same bits
                opened, is_old = _open_row(keys, place.name, column, seq, sealed)
                if is_old:
                    resealed.append((path, column, seq, _close_row(keys, place.name, column, seq, opened)))
            with self._cache.transaction():
                self._cache.put_sealed(place.instance, resealed)
            yield

    def _pass_local(self) -> Iterator[None]:
        for table in LOCAL_KEYS:
            after: LocalKey | None = None
            while rows := self._cache.local_between(table, after, _RESEALED):
                after = rows[-1][0]
                keys, resealed = self._present(LOCAL), []
                for key, sealed in rows:
                    opened, is_old = _open_local(keys, table, _key_bytes(key), sealed)
                    if is_old:
                        resealed.append((key, _close_local(keys, table, _key_bytes(key), opened)))
                with self._cache.transaction():
                    self._cache.put_local_sealed(table, resealed)
                yield


LOCAL = Place(_LOCAL, LOCAL_NAME, 0)


def _bounds(bucket: int) -> tuple[bytes, bytes]:
    """The first and the last path of a bucket."""
    bits = MEMBER_BITS if bucket >= 1 << MEMBER_BITS else _BITS
    low = (bucket & ((1 << bits) - 1)) << (8 * PATH_BYTES - bits)
    return low.to_bytes(PATH_BYTES, "big"), (low | ((1 << (8 * PATH_BYTES - bits)) - 1)).to_bytes(PATH_BYTES, "big")


def _key_bytes(key: LocalKey) -> bytes:
    """A local row's key as its seal is bound to it."""
    return key.to_bytes(8, "big") if isinstance(key, int) else key.encode() if isinstance(key, str) else key


def _close_row(keys: _Keys, name: str, column: bytes, seq: int, content: bytes) -> bytes:
    if keys.following is not None:
        return keys.following.close(content, bound_row(name, column, seq, keys.version + 1))
    return keys.seal.close(content, bound_row(name, column, seq, keys.version))


def _open_row(keys: _Keys, name: str, column: bytes, seq: int, sealed: bytes) -> tuple[bytes, bool]:
    """The content of a row, and whether it is under a key that is to go."""
    if keys.following is not None:
        try:
            return keys.following.open(sealed, bound_row(name, column, seq, keys.version + 1)), False
        except CacheError:
            pass  # the pass has not come to it
    return keys.seal.open(sealed, bound_row(name, column, seq, keys.version)), keys.following is not None


def _close_local(keys: _Keys, table: str, key: bytes, content: bytes) -> bytes:
    if keys.following is not None:
        return keys.following.close(content, bound_local(table, key, keys.version + 1))
    return keys.seal.close(content, bound_local(table, key, keys.version))


def _open_local(keys: _Keys, table: str, key: bytes, sealed: bytes) -> tuple[bytes, bool]:
    if keys.following is not None:
        try:
            return keys.following.open(sealed, bound_local(table, key, keys.version + 1)), False
        except CacheError:
            pass
    return keys.seal.open(sealed, bound_local(table, key, keys.version)), keys.following is not None
