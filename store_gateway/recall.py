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
    """None between slices, last the CBOR of `wire.recall.Recalled`; nothing of it where HQ ends the members meanwhile.

    Raises: CacheError, WireError.
    """
    floors: list[FloorBelow] = []
    kept = bytearray()
    newer: list[Newer] = []
    members = _members(vault)
    for held in members:
        for some in _floors(held):  # before the rows: of what a floor says nothing is to be missing in them
            floors += some
            yield None
        path = column = b""
        while members == _members(vault) and (rows := cache.after(held.id, path, column, _ROWS, _BYTES)):
            path, column = rows[-1].path, rows[-1].key_column
            for row in rows:
                if row.seq > since:
                    member = None if row.sealed is None else _stripped(vault.holdings.open(held, row)[1])
                    newer.append(Newer(row.key_column, row.seq, member))
                elif row.sealed is not None:
                    kept += row.key_column + row.seq.to_bytes(recalls.HELD_BYTES - len(row.key_column), "big")
            yield None
    if members != _members(vault):
        return
    denied, erased = tuple(_denied(vault)), tuple(cache.erased())
    yield schema.encode(
        Recalled(
            since, tuple(floors), bytes(kept), tuple(newer), _others(vault), denied, cache.header.incarnation, erased
        )
    )


def _members(vault: Vault) -> tuple[Instance, ...]:
    return tuple(vault.holdings.of(Collection.MEMBERS))


def _floors(held: Instance) -> Iterator[list[FloorBelow]]:
    """The floor of each two-byte node, in slices; said once where it is one for all below a shorter prefix."""
    whole = held.floor
    yield [FloorBelow(b"", whole)]
    for first in range(256) if held.floors.highest > whole else ():
        nodes = [bytes((first, second)) for second in range(256)]
        below = [max(held.floor, held.floors.at(node)) for node in nodes]
        least = min(below)
        found = [FloorBelow(node, as_of) for node, as_of in zip(nodes, below, strict=True) if as_of > least]
        yield [FloorBelow(nodes[0][:1], least), *found] if least > whole else found


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
