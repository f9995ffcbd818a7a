"""Destroys a cache file: its keys first, at once; then the file is overwritten and unlinked, a piece at a time.

The file is moved aside as `NAME.wiped-ORDER-LOST` before it is overwritten, so that a new cache can begin meanwhile and
a killed program finds it again: `ORDER` the order's id in hex, `LOST` how many events went with it.

I/O: the files beside the cache.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from store_gateway.cache import Cache
from store_gateway.cache_rows import mapped
from store_gateway.cache_schema import INCARNATION_BYTES, Header
from store_gateway.errors import CacheError

_PIECE_BYTES = 256 * 1024  # written and synced in one step
_BESIDE = ("-wal", "-journal", "-shm")
_NAME = re.compile(r"\.wiped-([0-9a-f]{32})-(\d+)$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wiped:
    """A file that is to be overwritten, or was: the order's id (zeros: none) and how many events were lost."""

    file: Path
    order: bytes
    events_lost: int


def opened(file: Path, entropy: Callable[[int], bytes]) -> Cache:
    """The cache file, opened or made; one whose keys are destroyed already is moved aside first. Raises: CacheError.

    A new file begins with the newest key set and time of those that were moved aside: else a power cut during a wipe
    would take the box back to the keys of HQ with which it was provisioned.
    """
    cache = Cache(file, entropy, _headers_aside(file, entropy))  # not read where the file has a header
    if cache.header.incarnation != bytes(INCARNATION_BYTES):
        return cache
    order, events_lost = cache.destroyed()
    cache.close()
    move_aside(file, order, events_lost)
    return Cache(file, entropy, (cache.header,))


def _headers_aside(file: Path, entropy: Callable[[int], bytes]) -> Iterator[Header]:
    """The headers of the files moved aside that are not overwritten yet."""
    for one in left(file):
        with suppress(CacheError):
            aside = Cache(one.file, entropy)
            yield aside.header
            aside.close()


def retire(cache: Cache, order: bytes, events_lost: int) -> Wiped:
    """Closes a cache whose keys are destroyed, and moves it aside. Raises: CacheError; `opened` goes on from there."""
    try:
        cache.checkpoint(truncate=True)
    finally:
        cache.close()
    return move_aside(cache.file, order, events_lost)


def move_aside(file: Path, order: bytes, events_lost: int) -> Wiped:
    """Moves a closed cache file aside. Raises: CacheError."""
    aside = file.with_name(f"{file.name}.wiped-{order.hex()}-{events_lost}")
    with mapped():
        for suffix in _BESIDE:
            file.with_name(file.name + suffix).unlink(missing_ok=True)  # truncated before, or SQLite's index
        os.replace(file, aside)
        _sync_folder(file.parent)
    return Wiped(aside, order, events_lost)


def left(file: Path) -> tuple[Wiped, ...]:
    """The files beside a cache that are to be overwritten still. Raises: CacheError."""
    with mapped():
        found = [(one, _NAME.search(one.name)) for one in file.parent.glob(f"{file.name}.wiped-*")]
    return tuple(Wiped(one, bytes.fromhex(name[1]), int(name[2])) for one, name in found if name is not None)


def overwrite(wiped: Wiped) -> Iterator[None]:
    """Overwrites and unlinks a file, a step at each `next`. Raises: CacheError; it is then begun again."""
    with mapped():
        if not wiped.file.exists():
            return
        length = wiped.file.stat().st_size
        with wiped.file.open("r+b", buffering=0) as stream:
            while (at := stream.tell()) < length:
                stream.write(bytes(min(_PIECE_BYTES, length - at)))
                os.fdatasync(stream.fileno())
                yield
        wiped.file.unlink()
        _sync_folder(wiped.file.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
