"""Holds the epoch keys of an unlocked cache: which wraps each key in the file, and how the next one takes over.

A new epoch begins by sealing the digest keys under it, in one transaction; then the table of bucket keys is wrapped
anew in steps, each a transaction, each row saying which epoch wraps it. When no row needs the old epoch it ends. Power
may fail between any two steps: the file says which epochs it needs, and HQ holds the shares of both until the end.

I/O: the cache file, through `store_gateway.cache`.
"""

from collections.abc import Iterable

from store_gateway.cache import Cache
from store_gateway.cache_keys import BucketRow
from store_gateway.errors import CacheError, CacheReason
from store_gateway.seal import (
    Entropy,
    Seal,
    bound_bucket,
    bound_digest_key,
    check_of,
    epoch_key,
    verify_check,
)
from wire.sync import EpochShare

LOCAL_NAME = "local"  # of the bucket that belongs to no instance
REWRAPPED = 64  # keys in one step: about 2 ms


class Epochs:
    """See the module. Seals and opens under the newest epoch, as a `Seal` does."""

    __slots__ = ("_box_secret", "_cache", "_entropy", "_incarnation", "_offered", "_seals")

    def __init__(self, cache: Cache, box_secret: bytes, shares: Iterable[EpochShare], entropy: Entropy) -> None:
        """Opens the epochs that the file needs; a new file begins with the newest one.

        Raises: CacheError, WRONG_KEY where a share is missing, or it or the secret is another.
        """
        self._cache = cache
        self._box_secret = box_secret
        self._incarnation = cache.header.incarnation
        self._entropy = entropy
        given = {one.epoch: self._seal(one) for one in shares}
        needed = cache.epochs()
        if not needed and given:
            newest = max(given)
            needed = {newest: check_of(given[newest], self._incarnation)}
            with cache.transaction():
                cache.add_epoch(newest, needed[newest])
        if not needed or not needed.keys() <= given.keys():
            raise CacheError(CacheReason.WRONG_KEY)
        for number, check in needed.items():
            verify_check(given[number], self._incarnation, check)
        self._seals = {number: given[number] for number in sorted(needed)}
        self._offered = {number: seal for number, seal in given.items() if number > max(needed)}

    def _seal(self, share: EpochShare) -> Seal:
        return Seal(epoch_key(self._box_secret, share.share, self._incarnation), self._entropy)

    def __repr__(self) -> str:
        return f"Epochs({', '.join(map(str, self._seals))})"

    @property
    def newest(self) -> int:
        """The epoch that wraps whatever is new."""
        return next(reversed(self._seals))

    @property
    def oldest(self) -> int:
        """The first epoch that the file still needs."""
        return next(iter(self._seals))

    @property
    def known(self) -> int:
        """The newest epoch whose share is here, in use or not."""
        return max(self.newest, *self._offered) if self._offered else self.newest

    def learn(self, shares: Iterable[EpochShare]) -> None:
        """Takes the share of an epoch that may begin."""
        self._offered |= {one.epoch: self._seal(one) for one in shares if one.epoch > self.newest}

    # --- under an epoch ----------------------------------------------------------------------------------------------

    def close(self, content: bytes, bound: bytes) -> bytes:
        """Seals under the newest epoch."""
        return self._seals[self.newest].close(content, bound)

    def open(self, sealed: bytes, bound: bytes) -> bytes:
        """Opens what the newest epoch sealed. Raises: CacheError(CORRUPT)."""
        return self._seals[self.newest].open(sealed, bound)

    def unwrap(self, row: BucketRow, name: str) -> tuple[bytes, bytes | None]:
        """A bucket's key and that of its next version. Raises: CacheError(CORRUPT)."""
        seal = self._seals.get(row.epoch)
        if seal is None:
            raise CacheError(CacheReason.CORRUPT)
        key = seal.open(row.wrapped, bound_bucket(name, row.bucket, row.version))
        if row.next is None:
            return key, None
        return key, seal.open(row.next, bound_bucket(name, row.bucket, row.version + 1))

    def wrap(self, name: str, instance: int, bucket: int, version: int, keys: tuple[bytes, bytes | None]) -> BucketRow:
        """The row of a bucket's keys under the newest epoch."""
        key, following = keys
        return BucketRow(
            instance, bucket, version, self.newest,
            self.close(key, bound_bucket(name, bucket, version)),
            None if following is None else self.close(following, bound_bucket(name, bucket, version + 1)),
        )  # fmt: skip

    # --- from one to the next ----------------------------------------------------------------------------------------

    def begin(self, number: int) -> bool:
        """Begins an epoch; False where its share has not come yet. Raises: CacheError; then nothing has begun."""
        if number <= self.newest:
            return True
        seal = self._offered.get(number)
        if seal is None:
            return False
        with self._cache.transaction():
            self._cache.add_epoch(number, check_of(seal, self._incarnation))
            for row in self._cache.instances():
                bound = bound_digest_key(row.name)
                self._cache.put_digest_key(row.id, seal.close(self.open(row.digest_key, bound), bound))
        self._seals[number] = seal
        self._offered = {other: offered for other, offered in self._offered.items() if other > number}
        return True

    def rewrap(self, most: int = REWRAPPED) -> bool:
        """Wraps some keys anew; False where none is left. Raises: CacheError; the step is then not done."""
        rows = self._cache.buckets_before(self.newest, most)
        if not rows:
            return False
        held = {one.id for one in self._cache.instances()}
        with self._cache.transaction():
            for row, instance in rows:
                if row.instance and row.instance not in held:
                    self._cache.drop_instance(row.instance)  # an earlier version made a key for rows that were going
                    continue
                name = instance or LOCAL_NAME
                self._cache.put_bucket(
                    self.wrap(name, row.instance, row.bucket, row.version, self.unwrap(row, name))
                )  # fmt: skip
        return True

    def finish(self) -> None:
        """Nothing needs the earlier epochs any more: their keys are forgotten. Raises: CacheError."""
        newest = self.newest
        if self._cache.buckets_before(newest, 1):
            raise CacheError(CacheReason.CORRUPT)
        with self._cache.transaction():
            self._cache.end_epochs(newest)
        self._seals = {newest: self._seals[newest]}
