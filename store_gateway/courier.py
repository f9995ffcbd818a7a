"""Opens what comes down from HQ and closes what goes up: keys, key sets, headers, and what is counted as dropped.

The private key to which HQ seals is made at each start and lives in memory only.

Pure: no I/O, no clock.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from store_gateway.keys import BoxKeys
from wire import envelope, keys, sync
from wire.envelope import Header
from wire.errors import Reason, WireError
from wire.keys import KeySet
from wire.sync import HQ, KINDS, Kind, Message

BOOT_BYTES = 16
_KEY_SET_HEAD = 0x83  # a key set is a CBOR array of 3, an envelope one of 4
_DOWN = frozenset(kind for kind in Kind if kind < Kind.HELLO)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message whose every check held."""

    kind: Kind
    nonce: bytes
    message: Message


class Courier:
    """One boot's end of the conversation with HQ."""

    __slots__ = ("_box", "_number", "_private", "_store", "boot", "dropped", "ended", "key_set", "sealing_key")

    def __init__(self, store: str, box: BoxKeys, entropy: Callable[[int], bytes]) -> None:
        self._store = store
        self._box = box
        self._number = 0
        raw = keys.make_sealing_private()
        self._private = keys.sealing_private(raw)
        self.sealing_key = keys.sealing_public_bytes(raw)
        self.boot = entropy(BOOT_BYTES)
        self.key_set: KeySet = box.key_set
        self.dropped: Counter[str] = Counter()
        self.ended = False  # HQ speaks, and its keys have ended

    def take_key_set(self, signed: bytes) -> bool:
        """Takes a key set with a higher version; False where it is none.

        Raises: WireError where the root did not sign it.
        """
        key_set = keys.open_key_set(self._box.root, signed)
        if key_set.version <= self.key_set.version or not key_set.signing or not key_set.sealing:
            return False
        self.key_set = key_set
        self.ended = False
        return True

    def is_key_set(self, payload: bytes) -> bool:
        """Whether a payload can be nothing but a key set."""
        return payload[:1] == bytes([_KEY_SET_HEAD])

    def open(self, payload: bytes, known_ms: int) -> Arrived | None:
        """The message in a payload, or None: it was counted in `dropped` by the reason.

        `known_ms`: a time that has passed for certain; HQ's key set must not have ended before it.
        """
        try:
            parts = envelope.parse(payload)
            header = parts.header
            if header.recipient != self._store:
                raise WireError(Reason.RECIPIENT, "addressed to somebody else")
            if header.sender != HQ or header.kind not in _DOWN:
                raise WireError(Reason.SENDER, "not HQ's to say")
            if header.boot != self.boot:
                self.dropped["other_boot"] += 1
                return None
            if known_ms > self.key_set.not_after_s * 1000:
                self.dropped["key_set_ended"] += 1
                self.ended = True
                return None
            sender = next((key for key in self.key_set.signing if key.number == header.signed_by), None)
            if sender is None:
                raise WireError(Reason.SIGNATURE, "signed with a key that is not in the key set")
            message = envelope.open_(
                parts, self._store, Ed25519PublicKey.from_public_bytes(sender.public), self._private
            )
            return Arrived(header.kind, header.nonce, message)
        except WireError as error:
            self.dropped[error.reason.value] += 1
            return None

    def close(self, message: Message, challenge: bytes) -> bytes:
        """The envelope of a message to HQ, which echoes HQ's challenge. Raises: WireError."""
        self._number += 1
        recipient = self.key_set.sealing[-1]
        header = Header(
            sender=self._store,
            recipient=sync.HQ,
            kind=KINDS[type(message)],
            number=self._number,
            boot=self.boot,
            nonce=challenge,
            signed_by=0,
            sealed_to=recipient.number,
        )
        return envelope.close(header, message, self._box.identity, keys.sealing_public(recipient.public))
