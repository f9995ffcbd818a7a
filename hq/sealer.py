"""Signs and seals what HQ says, to one boot of one store.

I/O: threading, one lock.
"""

import itertools
import threading
from dataclasses import dataclass
from functools import lru_cache

from hq.keys import Keys
from wire import envelope, schema
from wire.keys import sealing_public
from wire.sync import HQ, KINDS, Kind, Message

# A key that was parsed is used again: the same boot is answered every few seconds.
_public = lru_cache(maxsize=4096)(sealing_public)


@dataclass(frozen=True, slots=True)
class Reply:
    """A payload for a store's `down`."""

    store: str
    payload: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Peer:
    """Whom a message is for: one boot of one store."""

    store: str
    boot: bytes
    sealing_key: bytes
    key_set_version: int = 0  # of HQ's keys, as the store knows them; 0: not known


class Sealer:
    """Signs and seals what HQ says; numbers rise per start. Safe in several threads."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def close(self, peer: Peer, message: Message, nonce: bytes = b"") -> bytes:
        """The payload for this boot.

        Raises:
            WireError: the message has not its form, or the boot's key is none.
        """
        return self.close_encoded(peer, KINDS[type(message)], schema.encode(message), nonce)

    def close_encoded(self, peer: Peer, kind: Kind, message: bytes, nonce: bytes = b"") -> bytes:
        """The payload of a message that is CBOR already. Raises: as `close`."""
        with self._lock:
            number = next(self._numbers)
        signer = self._keys.signer(peer.key_set_version)
        header = envelope.Header(
            sender=HQ,
            recipient=peer.store,
            kind=kind,
            number=number,
            boot=peer.boot,
            nonce=nonce,
            signed_by=signer.number,
            sealed_to=0,
        )
        return envelope.close_encoded(header, message, signer.key, _public(peer.sealing_key))
