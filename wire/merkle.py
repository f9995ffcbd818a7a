"""The Merkle log of disclosures: tree heads, proofs that an entry is in it, proofs that it only ever grew.

RFC 6962, section 2.1 (RFC 9162 says the same): a leaf is `SHA-256(00 ‖ content)`, a node `SHA-256(01 ‖ left ‖ right)`,
and the left side of a node of n leaves holds the greatest power of two below n. What an entry and a signed head are:
docs/protocol.md, section 8. Proofs are made from whole subtrees, so that who keeps some of them reads few leaves.

    python -m wire.merkle FILE IDENTITY_HEX     checks the proof of a receipt, by the store's public identity

Only this command line reads a file.

Pure: no I/O, no clock.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wire import cbor, schema
from wire.events import Disclosure, LogEntry

HASH_BYTES = 32
SALT_BYTES = 16
EMPTY_ROOT = hashlib.sha256(b"").digest()
MAX_PEAKS = 63  # of a log that counts in 63 bits
_HEAD_LABEL = b"consentry/1/log-head"

# (level, index) -> hash of the whole subtree of the leaves [index * 2^level, (index + 1) * 2^level)
Subtrees = Callable[[int, int], bytes]


def leaf_hash(content: bytes) -> bytes:
    """SHA-256(00 ‖ content), 32 bytes."""
    return hashlib.sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(01 ‖ left ‖ right), 32 bytes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """All that is needed to go on with a log: the roots of its whole subtrees, the greatest first.

    Raises: ValueError where size and peaks do not belong together.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size.bit_count() != len(self.peaks) or any(len(peak) != HASH_BYTES for peak in self.peaks):
            raise ValueError("a frontier has a peak for each bit of its size")

    def completes(self, leaf: bytes) -> tuple[tuple[int, int, bytes], ...]:
        """(level, index, hash) of each whole subtree that the next leaf completes: itself, and those that end in it."""
        peaks, level = list(self.peaks), 0
        found = [(0, self.size, leaf)]
        while self.size >> level & 1:
            leaf, level = node_hash(peaks.pop(), leaf), level + 1
            found.append((level, self.size >> level, leaf))
        return tuple(found)

    def append(self, leaf: bytes) -> "Frontier":
        """The frontier with one more leaf, given by its hash."""
        whole = self.completes(leaf)
        return Frontier(self.size + 1, (*self.peaks[: len(self.peaks) + 1 - len(whole)], whole[-1][2]))

    @property
    def root(self) -> bytes:
        """The tree head."""
        if not self.peaks:
            return EMPTY_ROOT
        *rest, found = self.peaks
        for peak in reversed(rest):
            found = node_hash(peak, found)
        return found


def subtrees(leaves: Sequence[bytes]) -> Subtrees:
    """The subtrees of leaves that are all at hand, given by their hashes."""

    @cache
    def found(level: int, index: int) -> bytes:
        if level == 0:
            return leaves[index]
        return node_hash(found(level - 1, 2 * index), found(level - 1, 2 * index + 1))

    return found


def frontier(size: int, of: Subtrees) -> Frontier:
    """The frontier of the first `size` leaves."""
    peaks, start = [], 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            peaks.append(of(level, start >> level))
            start += 1 << level
    return Frontier(size, tuple(peaks))


def inclusion(index: int, size: int, of: Subtrees) -> tuple[bytes, ...]:
    """The audit path of a leaf in the log of `size` leaves, from the leaf upwards (RFC 6962, 2.1.1).

    Raises: ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError("a leaf of the log")
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range(middle, end, of))
            end = middle
        else:
            path.append(_range(start, middle, of))
            start = middle
    return tuple(reversed(path))


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the leaf with this hash is number `index` of the log with this head (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def consistency(first: int, second: int, of: Subtrees) -> tuple[bytes, ...]:
    """The proof that the log of `first` leaves is the beginning of the one of `second` (RFC 6962, 2.1.2).

    Raises: ValueError unless 0 < first <= second.
    """
    if not 0 < first <= second:
        raise ValueError("two sizes, the smaller first")
    proof, start, end, known = [], 0, second, True
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            proof.append(_range(middle, end, of))
            end = middle
        else:
            proof.append(_range(start, middle, of))
            start, known = middle, False
    if not known:
        proof.append(_range(start, end, of))
    return tuple(reversed(proof))


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the first log is the beginning of the second (RFC 9162, 2.1.4.2). The empty log begins every other."""
    if first == 0:
        return first_root == EMPTY_ROOT and not proof and (second > 0 or second_root == EMPTY_ROOT)
    if first == second:
        return not proof and first_root == second_root
    if not 0 < first < second or not proof:
        return False
    rest = list(proof)
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = first_root if first & (first - 1) == 0 else rest.pop(0)
    for sibling in rest:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _split(count: int) -> int:
    """The greatest power of two below `count`, which is at least 2."""
    return 1 << (count - 1).bit_length() - 1


def _range(start: int, end: int, of: Subtrees) -> bytes:
    """The head of the leaves [start, end), where a node of the tree begins at `start`."""
    count = end - start
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return of(level, start >> level)
    middle = start + _split(count)
    return node_hash(_range(start, middle, of), _range(middle, end, of))


# --- leaves of disclosures, signed heads, proofs of receipts -----------------------------------------------------


def entry_of(number: int, at_ms: int, pseudonym: bytes | None, said: Disclosure) -> bytes:
    """The CBOR of the entry of a disclosure: what its member may see of it; instead of the staff, a salted hash."""
    staff = hashlib.sha256(said.staff_salt + cbor.encode([said.associate, said.tablet])).digest()
    entry = LogEntry(
        number, at_ms, pseudonym, said.visit, said.role, said.scopes, said.purposes, said.rule, said.reason,
        said.shown, said.roster, staff,
    )  # fmt: skip
    return schema.encode(entry)


def leaf_of(number: int, at_ms: int, pseudonym: bytes | None, said: Disclosure) -> bytes:
    """The hash of a disclosure's leaf; number, time and pseudonym are its event's."""
    return leaf_hash(said.salt + entry_of(number, at_ms, pseudonym, said))


def head_input(store: str, incarnation: bytes, size: int, root: bytes, at_ms: int) -> bytes:
    """What a box signs: the head of its log in this cache, at this trusted time (Unix milliseconds)."""
    return _HEAD_LABEL + cbor.encode([store, incarnation, size, root, at_ms])


def verify_head(
    identity: Ed25519PublicKey, store: str, incarnation: bytes, size: int, root: bytes, at_ms: int, signature: bytes
) -> bool:
    """Whether the box with this identity signed this head."""
    try:
        identity.verify(signature, head_input(store, incarnation, size, root, at_ms))
    except InvalidSignature:
        return False
    return True


def verify_receipt(proof: object, identity: Ed25519PublicKey) -> bool:
    """Whether a proof (the JSON of `consentry-hq receipts MEMBER --prove EVENT`) holds.

    Raises: KeyError, TypeError or ValueError: it has not the form of one.
    """
    if not isinstance(proof, dict):
        raise TypeError("a JSON object")
    head = proof["head"]
    root, size = bytes.fromhex(head["root"]), int(head["size"])
    signed = verify_head(
        identity, str(proof["store"]), bytes.fromhex(proof["incarnation"]), size, root, int(head["at_ms"]),
        bytes.fromhex(head["signature"]),
    )  # fmt: skip
    leaf = leaf_hash(bytes.fromhex(proof["salt"]) + bytes.fromhex(proof["entry"]))
    path = [bytes.fromhex(one) for one in proof["path"]]
    return signed and verify_inclusion(leaf, int(proof["leaf_index"]), size, path, root)


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: 0 where the proof holds, 1 where it does not, 2 with one line on bad input."""
    parser = _OneLineParser(prog="python -m wire.merkle", description="Check the proof of a receipt.")
    parser.add_argument("file", metavar="FILE", help="the JSON of `consentry-hq receipts MEMBER --prove EVENT`")
    parser.add_argument("identity", metavar="IDENTITY_HEX", help="the store's public identity key, 64 hex digits")
    chosen = parser.parse_args(arguments)
    try:
        identity = Ed25519PublicKey.from_public_bytes(bytes.fromhex(chosen.identity))
    except ValueError:
        parser.error("IDENTITY_HEX: expected 64 hex digits")
    try:
        with open(chosen.file, encoding="utf-8") as opened:
            holds = verify_receipt(json.load(opened), identity)
    except OSError:
        parser.error("FILE: expected a file that can be read")
    except (KeyError, TypeError, ValueError, RecursionError):
        parser.error("FILE: expected the JSON of a proof")
    said = (
        "the receipt is in the store's log"
        if holds
        else "NOT PROVEN: this receipt is not in a log that this box signed"
    )
    sys.stdout.write(f"{said}\n")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
