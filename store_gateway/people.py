"""The staff as HQ's records name it, and over them the PINs that were set in this store, until HQ's records have them.

Of two PINs the one that was set later holds. A local one goes once HQ's record bears one that is no older, or names an
associate who is not active: HQ's deactivation always wins.

I/O: the cache file, through `store_gateway.cache`.
"""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

from store_gateway.cache import Cache
from store_gateway.holdings import Holdings
from wire import schema
from wire.errors import WireError
from wire.limits import Millis
from wire.member import Staff
from wire.schema import Size
from wire.sync import Collection


@dataclass(frozen=True, slots=True, repr=False)
class _Local:
    """A PIN that was set here; sealed in the row of its event's number."""

    associate: Annotated[str, Size(1, 64)]
    verifier: Annotated[str, Size(1, 256)]
    set_ms: Millis


class People:
    """The staff of one unlocked cache."""

    __slots__ = ("_cache", "_holdings", "_pins")

    def __init__(self, cache: Cache, holdings: Holdings) -> None:
        """Raises: CacheError."""
        self._cache = cache
        self._holdings = holdings
        self._pins: dict[str, tuple[int, _Local]] = {}
        for row in cache.local("pins"):
            opened = holdings.buckets.open_local("pins", _number(row["number"]), row["sealed"])
            local = schema.decode(_Local, opened)
            self._pins[local.associate] = row["number"], local

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What changes inside is undone in memory where it fails."""
        before = dict(self._pins)
        try:
            yield
        except BaseException:
            self._pins = before
            raise

    def staff(self, associate: str) -> Staff | None:
        """An associate as the store knows them, active or not. Raises: CacheError."""
        key = associate.encode("utf-8", "replace")
        for held in self._holdings.of(Collection.STAFF):
            body = self._holdings.body(held, key)
            if body is not None:
                found = _decoded(body)
                return None if found is None else self._over(associate, found)
        return None

    def all(self) -> Iterator[tuple[str, Staff]]:
        """Everybody by id. Raises: CacheError."""
        for held in tuple(self._holdings.of(Collection.STAFF)):
            for key, body in self._holdings.walk(held):
                found = _decoded(body)
                if found is not None:
                    associate = key.decode("utf-8", "replace")
                    yield associate, self._over(associate, found)

    def _over(self, associate: str, found: Staff) -> Staff:
        held = self._pins.get(associate)
        if held is None or not found.active or held[1].set_ms <= (found.pin_set_ms or 0):
            return found
        return dataclasses.replace(found, pin_verifier=held[1].verifier, pin_set_ms=held[1].set_ms)

    def next_ms(self, associate: str, now_ms: int) -> int:
        """When a PIN that is set now counts as set: later than the one that it replaces. Raises: CacheError."""
        found = self.staff(associate)
        return max(now_ms, ((found.pin_set_ms or 0) if found is not None else 0) + 1)

    def put_pin(self, number: int, associate: str, verifier: str, set_ms: int) -> None:
        """Lays a PIN over HQ's record, inside of the transaction of its event. Raises: CacheError."""
        self._let_go(associate)
        local = _Local(associate, verifier, set_ms)
        sealed = self._holdings.buckets.close_local("pins", _number(number), schema.encode(local))
        self._cache.put_local("pins", {"number": number, "sealed": sealed})
        self._pins[associate] = number, local

    def fold(self, key: bytes, body: bytes | None) -> None:
        """HQ's record of an associate is another, inside of its transaction. Raises: CacheError."""
        associate = key.decode("utf-8", "replace")
        held = self._pins.get(associate)
        if held is None:
            return
        found = _decoded(body) if body is not None else None
        if found is None or not found.active or (found.pin_set_ms or 0) >= held[1].set_ms:
            self._let_go(associate)

    def _let_go(self, associate: str) -> None:
        held = self._pins.pop(associate, None)
        if held is not None:
            self._cache.erase_local("pins", "number = ?", held[0])


def _number(number: int) -> bytes:
    return number.to_bytes(8, "big")


def _decoded(body: bytes) -> Staff | None:
    try:
        return schema.decode(Staff, body)
    except WireError:
        return None
