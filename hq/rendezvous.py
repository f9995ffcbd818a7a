"""Divides the stores among the HQ processes that live, by rendezvous hash.

Each store goes to the process whose weight for it is the highest. So, when a process goes, only its own stores move,
and when one comes, only those that it takes. Nobody has to agree with anybody: who sees only some of the living, and
itself among them, takes at least what it would take if it saw all.

Pure: no I/O, no clock.
"""

import hashlib
from collections.abc import Iterable

ID_BYTES = 8  # of a process's id: random, made at its start


def weight(process_id: bytes, store: str) -> bytes:
    """How much this process wants this store: `BLAKE2b-64(process id ‖ store)`; the id has a fixed length."""
    return hashlib.blake2b(process_id + store.encode(), digest_size=8).digest()


def owner(store: str, live: Iterable[bytes]) -> bytes:
    """The process that answers for a store, of at least one."""
    return max(live, key=lambda one: (weight(one, store), one))


def owned(own: bytes, live: Iterable[bytes], stores: Iterable[str]) -> frozenset[str]:
    """The stores that `own` answers for, as it sees who lives; it counts itself in any case."""
    among = sorted({own, *live})
    if len(among) == 1:
        return frozenset(stores)
    return frozenset(store for store in stores if owner(store, among) == own)
