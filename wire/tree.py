"""Digests by which HQ and a store prove that they hold the same records (docs/protocol.md, section 6).

The tree is 256-way over the first two bytes of a record's path. A node's digest is the sum of its live records'
digests modulo 2^128, so it is kept by adding and subtracting, in the same transaction as the change.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from hashlib import blake2b

DIGEST_KEY_BYTES = 32
PATH_BYTES = 8
DIGEST_BYTES = 16
MAX_PREFIX_BYTES = 2
RANGE_RECORDS = 128  # a node of at most so many records, and of RANGE_BYTES, is answered by its range
RANGE_BYTES = 48 * 1024
SPAN_RECORDS = 512  # of the range that answers several nodes, one after the other
SPAN_BYTES = 56 * 1024  # keys, bodies and RECORD_BYTES for each
RECORD_BYTES = 16  # what CBOR needs around a key, a seq and a body, at most
_MODULUS = 2**128


def path(digest_key: bytes, key: bytes) -> bytes:
    """`BLAKE2b-64(K_d, key)`: where a record hangs in the tree, 8 bytes."""
    return blake2b(key, digest_size=PATH_BYTES, key=digest_key).digest()


def column(digest_key: bytes, key: bytes) -> bytes:
    """`BLAKE2b-128(K_d, 0x01 ‖ key)`: what stands in a store's database instead of the key, 16 bytes."""
    return blake2b(b"\x01" + key, digest_size=DIGEST_BYTES, key=digest_key).digest()


def body_hash(body: bytes) -> bytes:
    """`BLAKE2b-128(body)`, 16 bytes."""
    return blake2b(body, digest_size=DIGEST_BYTES).digest()


def digest(digest_key: bytes, collection: int, key: bytes, seq: int, hash_of_body: bytes) -> int:
    """A live record's digest: `BLAKE2b-128(K_d, u8 collection ‖ u16be length ‖ key ‖ u64be seq ‖ hash)`."""
    return int.from_bytes(digest_bytes(digest_key, collection, key, seq, hash_of_body), "little")


def digest_bytes(digest_key: bytes, collection: int, key: bytes, seq: int, hash_of_body: bytes) -> bytes:
    """The same as 16 bytes, little endian."""
    stated = bytes((collection, len(key) >> 8, len(key) & 255)) + key + seq.to_bytes(8, "big") + hash_of_body
    return blake2b(stated, digest_size=DIGEST_BYTES, key=digest_key).digest()


@dataclass(frozen=True, slots=True)
class Node:
    """The sum of some live records' digests and how many they are."""

    total: int = 0
    count: int = 0

    def plus(self, record_digest: int) -> "Node":
        """The node with one record more."""
        return Node((self.total + record_digest) % _MODULUS, self.count + 1)

    def minus(self, record_digest: int) -> "Node":
        """The node with one record less."""
        return Node((self.total - record_digest) % _MODULUS, self.count - 1)

    def join(self, other: "Node") -> "Node":
        """Both nodes' records together."""
        return Node((self.total + other.total) % _MODULUS, self.count + other.count)

    def less(self, other: "Node") -> "Node":
        """This node without the other's records."""
        return Node((self.total - other.total) % _MODULUS, self.count - other.count)

    @property
    def root(self) -> bytes:
        """The digest as it goes on the wire: 16 bytes, little endian."""
        return self.total.to_bytes(DIGEST_BYTES, "little")
