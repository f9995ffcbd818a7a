"""The rows of the store's paired tablets: of a tablet's secret only the SHA-256, its label and browser sealed.

I/O: the cache file, through `store_gateway.cache`.
"""

from dataclasses import dataclass
from typing import Annotated

from store_gateway.buckets import Buckets
from store_gateway.cache import Cache
from store_gateway.errors import CacheError, CacheReason
from wire import schema
from wire.schema import Size


@dataclass(frozen=True, slots=True)
class Tablet:
    """A paired tablet. `secret_hash`: SHA-256 of its secret. Until the unlock, label and browser are empty."""

    id: str
    secret_hash: bytes
    label: str
    browser: str
    paired_ms: int


@dataclass(frozen=True, slots=True)
class _Labels:
    label: Annotated[str, Size(0, 512)]
    browser: Annotated[str, Size(0, 512)]
    paired_ms: int
    secret_hash: Annotated[bytes, Size(0, 32)] | None = None  # of a row of an older file: none


class PairedTablets:
    """The tablets of one unlocked cache."""

    __slots__ = ("_buckets", "_cache")

    def __init__(self, cache: Cache, buckets: Buckets) -> None:
        self._cache = cache
        self._buckets = buckets

    def put(self, tablet: Tablet) -> None:
        """Keeps a tablet, inside of a transaction. Raises: CacheError."""
        content = schema.encode(_Labels(tablet.label, tablet.browser, tablet.paired_ms, tablet.secret_hash))
        sealed = self._buckets.close_local("tablets", tablet.id.encode(), content)
        self._cache.put_local("tablets", {"id": tablet.id, "secret_hash": tablet.secret_hash, "sealed": sealed})

    def erase(self, tablet_id: str) -> None:
        """Forgets a tablet, inside of a transaction; unknown is fine. Raises: CacheError."""
        self._cache.erase_local("tablets", "id = ?", tablet_id)

    def all(self) -> tuple[Tablet, ...]:
        """All tablets. Raises: CacheError."""
        return tuple(self._opened(row["id"], row["secret_hash"], row["sealed"]) for row in self._cache.local("tablets"))

    def _opened(self, tablet_id: str, secret_hash: bytes, sealed: bytes) -> Tablet:
        labels = schema.decode(_Labels, self._buckets.open_local("tablets", tablet_id.encode(), sealed))
        if labels.secret_hash not in (None, secret_hash):
            raise CacheError(CacheReason.CORRUPT)  # somebody wrote another tablet's secret there
        return Tablet(tablet_id, secret_hash, labels.label, labels.browser, labels.paired_ms)
