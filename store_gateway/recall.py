"""Answers RECALL: what this store holds of its members, for an HQ that was restored from a backup.

It changes nothing. What is withdrawn, muted, erased and held is told; no value of a profile.

I/O: the cache file, through `store_gateway.cache`.
"""

from collections.abc import Iterator
from dataclasses import replace

from store_gateway.cache import Cache
from store_gateway.holdings import Instance
from store_gateway.vault import Vault
from wire import recall as recalls
from wire import schema
from wire.errors import WireError
from wire.member import Member, Muted
from wire.recall import Denied, FloorBelow, Newer, Reached, Recalled
from wire.sync import Collection

_ROWS, _BYTES = 64, 256 * 1024  # read at once: some milliseconds


def recall(cache: Cache, vault: Vault, since: int) -> Iterator[bytes | None]:
    """None between slices, last the CBOR of `wire.recall.Recalled`. Raises: CacheError."""
    floors: list[FloorBelow] = []
    kept = bytearray()
    newer: list[Newer] = []
    for held in tuple(vault.holdings.of(Collection.MEMBERS)):
        floors.append(FloorBelow(b"", held.floor))
        floors += [FloorBelow(prefix, as_of) for prefix, as_of in cache.floors(held.id) if as_of > held.floor]
        path = column = b""
        while rows := cache.after(held.id, path, column, _ROWS, _BYTES):
            path, column = rows[-1].path, rows[-1].key_column
            for row in rows:
                if row.seq > since:
                    member = None if row.sealed is None else _stripped(vault.holdings.open(held, row)[1])
                    newer.append(Newer(row.key_column, row.seq, member))
                elif row.sealed is not None:
                    kept += row.key_column + row.seq.to_bytes(recalls.HELD_BYTES - len(row.key_column), "big")
            yield None
    denied, erased = tuple(_denied(vault)), tuple(cache.erased())
    yield schema.encode(
        Recalled(
            since, tuple(floors), bytes(kept), tuple(newer), _others(vault), denied, cache.header.incarnation, erased
        )
    )


def _stripped(body: bytes) -> bytes:
    try:
        return schema.encode(replace(schema.decode(Member, body), fields=()))
    except WireError:
        return b""


def _others(vault: Vault) -> tuple[Reached, ...]:
    others: list[Instance] = [
        held for held in vault.holdings.instances.values() if held.collection is not Collection.MEMBERS
    ]
    return tuple(Reached(held.name, held.seq) for held in others)


def _denied(vault: Vault) -> Iterator[Denied]:
    for pseudonym in vault.denials.members():
        for number, denial in vault.denials.numbered(pseudonym):
            if isinstance(denial, tuple):
                yield Denied(pseudonym, number, None, Muted(*denial))
            else:
                yield Denied(pseudonym, number, denial, None)
