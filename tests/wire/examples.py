"""Writes docs/examples.md: worked examples in hex, with keys that everybody knows.

    python -m tests.wire.examples > docs/examples.md

Messages are those of tests/vectors/messages.json, whose sealed bytes are fixed; all else follows from the inputs here.

I/O: reads the vectors, prints.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from store_gateway.seal import epoch_key
from wire import keyring, merkle, sync, synthetic, token, tree
from wire.events import Disclosure, ReasonCode

TOP = Path(__file__).parents[2]
PAGE = TOP / "docs" / "examples.md"
STORE = "berlin-1"
WIDTH = 96

GOLDEN = json.loads((TOP / "tests/vectors/messages.json").read_text(encoding="utf-8"))
KEYS = {name: bytes.fromhex(value) for name, value in GOLDEN["keys"].items()}
DIGEST_KEY = bytes(range(32))
SECRET = bytes(range(32, 64))
BOX_SECRET, SHARE, INCARNATION = b"\x0b" * 32, b"\x5a" * 32, b"\x1c" * 16
AT_S = 1_795_262_400  # 2026-11-21 12:00 UTC
AT_MS = AT_S * 1000


def hexed(content: bytes) -> str:
    """The bytes in hex, in lines."""
    text = content.hex()
    return "\n".join(text[at : at + WIDTH] for at in range(0, len(text), WIDTH)) or "(empty)"


def plain(value: Any) -> str:
    """CBOR's diagnostic notation (RFC 8949, section 8)."""
    match value:
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[value]
        case int():
            return str(value)
        case bytes():
            return (
                f"h'{value.hex()}'" if len(value) <= 40 else f"h'{value[:8].hex()}…{value[-4:].hex()}' /{len(value)}/"
            )
        case str():
            return json.dumps(value)
        case list():
            return f"[{', '.join(plain(one) for one in value)}]"
        case dict():
            return f"{{{', '.join(f'{key}: {plain(one)}' for key, one in value.items())}}}"
    raise TypeError(type(value))


def block(*lines: str) -> str:
    """Something to read byte by byte."""
    return "\n".join(["```", *lines, "```", ""])


def table(rows: list[tuple[str, bytes | str]]) -> str:
    """Names and values."""
    told = [f"{name:<{max(len(name) for name, _ in rows)}}  {value.hex() if isinstance(value, bytes) else value}"
            for name, value in rows]  # fmt: skip
    return block(*told)


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *keys(), *messages(), *tokens(), *records(), *ranges(), *rings(), *log(), *cache()]) + "\n"


HEAD = """\
# Worked examples

What [protocol.md](protocol.md) says, in bytes. Everything is in hex, most significant digit first; lines are joined
without a space. All keys here are published: use them for nothing else.

Made by `python -m tests.wire.examples`. `tests/wire/test_examples.py` makes the page anew and works the examples out by
other means, so it cannot be stale.
"""


def keys() -> Iterator[str]:
    """The keys and the key set."""
    yield "## Keys\n"
    yield "Ed25519 seeds of 32 bytes; sealing keys of 96 bytes (ML-KEM-768 seed of 64 ‖ X25519 of 32).\n"
    for name, value in KEYS.items():
        if not name.endswith("_public"):
            yield block(f"{name} ({len(value)} bytes)", hexed(value))
    yield (
        "The signed key set that HQ sends on `down` to a store whose version is lower: the root's signature is over "
        '`"consentry/1/keys" ‖ key-set`.\n'
    )
    signed = bytes.fromhex(GOLDEN["key_set"]["payload"])
    body = bytes.fromhex(GOLDEN["key_set"]["body"])
    yield block("key-set", plain(cbor2.loads(body)))
    yield block(f"signed-key-set ({len(signed)} bytes)", hexed(signed))


def messages() -> Iterator[str]:
    """One of each kind."""
    yield "## One message of each kind\n"
    yield (
        "`payload` = CBOR of `[1, header, sealed, signature]`. To read one: take the header's bytes as they are, check "
        'the signature over\n`"consentry/1/sig" ‖ CBOR([1, header, sealed])`, open `sealed` by HPKE with '
        '`info = "consentry/1" ‖ header`. On `up` the signer is `store_identity_seed` and the reader\n'
        "`hq_sealing_private`; on `down` they are `hq_signing_seed` and `boot_sealing_private`. HPKE is random, so "
        "closing the same body gives other bytes, which open to the same.\n"
    )
    for one in GOLDEN["messages"]:
        payload = bytes.fromhex(one["payload"])
        _, header, sealed, signature = cbor2.loads(payload)
        body = bytes.fromhex(one["body"])
        yield f"### `{one['kind']}`\n"
        yield f"On `{one['topic']}`.\n"
        yield block("header", plain(cbor2.loads(header)), hexed(header))
        yield block(f"body ({len(body)} bytes)", plain(cbor2.loads(body)), hexed(body))
        told = f"sealed ({len(sealed)} bytes: encapsulated key 1120, ciphertext {len(body)}, tag 16)"
        yield block(told, hexed(sealed))
        yield block("signature", hexed(signature))
        yield block(f"SHA-256 of the payload of {len(payload)} bytes", hashlib.sha256(payload).hexdigest())


def tokens() -> Iterator[str]:
    """A phone's day."""
    slot = AT_S // token.SLOT_S
    day = token.day_of_slot(slot)
    key = token.day_key(SECRET, day)
    yield "## Tokens\n"
    yield f"At Unix time {AT_S}: slot {slot}, day {day}.\n"
    sign = token.sign(key, slot)
    yield table(
        [
            ("presence secret S", SECRET),
            ("day key D", key),
            ("presence token", token.token(key, token.Kind.PRESENCE, slot)),
            ("help token", token.token(key, token.Kind.HELP, slot)),
            ("sign", str(sign)),
            ("leave code", token.leave_code(key, slot)),
        ]
    )


def three_keys() -> list[bytes]:
    """Three record keys of which the first two hang below the same first byte of the tree."""
    numbered = (number.to_bytes(16, "big") for number in range(1, 1_000_000))
    first = next(numbered)
    byte = tree.path(DIGEST_KEY, first)[:1]
    second = next(one for one in numbered if tree.path(DIGEST_KEY, one)[:1] == byte)
    third = next(one for one in numbered if tree.path(DIGEST_KEY, one)[:1] != byte)
    return [first, second, third]


def records() -> Iterator[str]:
    """A tree of three records."""
    yield "## A digest tree of three records\n"
    yield f"Instance `members/{STORE}` (collection 1). The bodies are any bytes: sync does not look into them.\n"
    yield table([("K_d", DIGEST_KEY)])
    nodes: dict[bytes, tree.Node] = {}
    for number, key in enumerate(three_keys(), 1):
        body, seq = f"body {number}".encode(), 2**48 + number
        place, hashed = tree.path(DIGEST_KEY, key), tree.body_hash(body)
        found = tree.digest(DIGEST_KEY, sync.Collection.MEMBERS, key, seq, hashed)
        stated = b"\x01" + len(key).to_bytes(2, "big") + key + seq.to_bytes(8, "big") + hashed
        for prefix in (b"", place[:1], place[:2]):
            nodes[prefix] = nodes.get(prefix, tree.Node()).plus(found)
        yield table(
            [
                (f"key {number}", key),
                ("seq", f"{seq} (generation 1, n {number})"),
                ("body", body),
                ("path", place),
                ("BLAKE2b-128(body)", hashed),
                ("what is hashed", stated),
                ("digest", found.to_bytes(16, "little")),
            ]
        )
    yield "Each digest is a little-endian number; a node is the sum of those below it, modulo 2^128.\n"
    yield block(*(f"node {prefix.hex() or '(root)':<6}  {node.root.hex()}  count {node.count}"
                  for prefix, node in sorted(nodes.items())))  # fmt: skip


def apply_range(
    held: dict[str, tuple[int, bool]], floor: int, as_of: int, named: dict[str, tuple[int, bool]]
) -> tuple[dict[str, tuple[int, bool]], int]:
    """What is held after a range, by the rules of section 6: key -> (seq, live)."""
    if as_of < floor:
        return held, floor
    after = dict(held)
    for key, (seq, live) in named.items():
        if seq > after.get(key, (0, False))[0]:
            after[key] = seq, live
    for key, (seq, _) in held.items():
        if key not in named and seq <= as_of:
            del after[key]
    return after, as_of


HELD = {"A": (5, True), "B": (7, True), "C": (9, True), "D": (6, False), "E": (8, False)}
RANGE = {"A": (6, True), "D": (8, True), "E": (4, True), "F": (3, True)}
AS_OF = 8


def ranges() -> Iterator[str]:
    """A range, applied."""
    after, floor = apply_range(HELD, 2, AS_OF, RANGE)
    told = {
        "A": "the range's is newer",
        "B": "not in the range, and not newer than it: erased",
        "C": "not in the range, but newer: it came on its own after the snapshot",
        "D": "a tombstone, older than the range's record: live again",
        "E": "a tombstone, newer than the range's record: the record is not taken",
        "F": "new",
    }
    yield "## A range applied\n"
    yield f"All keys are below one prefix; its floor is 2, and afterwards {floor}. The range has `as_of` {AS_OF}.\n"
    rows = ["| key | held | in the range | afterwards | why |", "|---|---|---|---|---|"]
    for key in sorted({*HELD, *RANGE}):
        cells = [_cell(one.get(key)) for one in (HELD, RANGE, after)]
        rows.append(f"| {key} | {' | '.join(cells)} | {told[key]} |")
    yield "\n".join([*rows, ""])
    yield (
        "Then a record of key B with seq 7 arrives late: not taken, since it is not above the floor. With seq 10: "
        "taken. The same range again, or one with `as_of` 7:\nnothing changes.\n"
    )


def _cell(found: tuple[int, bool] | None) -> str:
    return "" if found is None else f"seq {found[0]}" + ("" if found[1] else ", tombstone")


def rings() -> Iterator[str]:
    """A bucket of the keyring."""
    day = AT_S // 86_400
    first, second = bytes.fromhex("abc1" + "11" * 14), bytes.fromhex("abc9" + "22" * 14)
    keys_of = {first: (token.day_key(SECRET, day),), second: (b"\x77" * 16, b"\x78" * 16)}
    body = keyring.pack(keys_of.items())
    yield "## A bucket of the keyring\n"
    yield (
        f"Instance `keyring/{STORE}/{day}`: two members whose pseudonyms begin with the same 12 bits, the second with "
        "two phones.\n"
    )
    yield table(
        [
            ("pseudonym 1", first),
            ("its day key", keys_of[first][0]),
            ("pseudonym 2", second),
            ("its day keys", b"".join(keys_of[second])),
            ("record key", sync.bucket_key(first)),
        ]
    )
    yield block(f"body ({len(body)} bytes)", hexed(body))


def disclosures() -> list[tuple[int, int, bytes, Disclosure]]:
    """Five looks: number, time, pseudonym, body."""
    return [
        (
            number,
            AT_MS + number * 1000,
            bytes([0x40 + number]) * 16,
            Disclosure(
                visit=bytes([0x50 + number]) * 16,
                associate="nina",
                role="associate",
                tablet="tablet-1",
                scopes=("size.shoe",),
                purposes=("assist",),
                rule="grant",
                reason=ReasonCode.HELP,
                shown=True,
                roster=False,
                salt=bytes([0x60 + number]) * 16,
                staff_salt=bytes([0x70 + number]) * 16,
            ),
        )
        for number in range(1, 6)
    ]


def log() -> Iterator[str]:
    """The log of disclosures with its proofs."""
    yield "## The log of disclosures\n"
    yield "Five disclosures, alike but for number, time, pseudonym, visit and salts.\n"
    leaves = []
    for number, at_ms, pseudonym, said in disclosures():
        entry = merkle.entry_of(number, at_ms, pseudonym, said)
        leaf = merkle.leaf_of(number, at_ms, pseudonym, said)
        leaves.append(leaf)
        if number in (1, 3):
            yield block(f"entry {number}", plain(cbor2.loads(entry)), hexed(entry))
            yield table(
                [
                    ("salt", said.salt),
                    ("staff salt", said.staff_salt),
                    ("staff", cbor2.loads(entry)[11]),
                    ("leaf hash", leaf),
                ]
            )
    of = merkle.subtrees(leaves)
    yield table([(f"leaf {index} (event {index + 1})", leaf) for index, leaf in enumerate(leaves)])
    heads = {size: merkle.frontier(size, of) for size in (3, 5)}
    yield table(
        [
            ("root of 3", heads[3].root),
            ("root of 5", heads[5].root),
            *((f"peak {number} of 5", peak) for number, peak in enumerate(heads[5].peaks, 1)),
        ]
    )
    path = merkle.inclusion(2, 5, of)
    yield "Leaf 2 (event 3) is in the log of 5. The path goes upwards.\n"
    yield table([(f"path {number}", one) for number, one in enumerate(path, 1)])
    yield "The log of 3 is the beginning of the log of 5.\n"
    yield table([(f"proof {number}", one) for number, one in enumerate(merkle.consistency(3, 5, of), 1)])
    signer = Ed25519PrivateKey.from_private_bytes(KEYS["store_identity_seed"])
    at_ms = AT_MS + 60_000
    stated = merkle.head_input(STORE, INCARNATION, 5, heads[5].root, at_ms)
    yield f"The head of 5, signed by `store_identity_seed` for the incarnation `{INCARNATION.hex()}` at {at_ms}.\n"
    yield block("what is signed", hexed(stated))
    yield block("signature", hexed(signer.sign(stated)))


def cache() -> Iterator[str]:
    """What our own programs derive; another store or HQ may do otherwise."""
    yield "## What our HQ and store derive\n"
    yield (
        "Nothing on the wire depends on the epoch key: another store may derive its own. The synthetic member's phone "
        "and PIN have to be the same at HQ and in the store.\n"
    )
    yield table(
        [
            ("box secret", BOX_SECRET),
            ("share", SHARE),
            ("incarnation", INCARNATION),
            ("epoch key", epoch_key(BOX_SECRET, SHARE, INCARNATION)),
            (f"K_d of members/{STORE}", DIGEST_KEY),
            ("synthetic phone's secret", synthetic.phone_secret(DIGEST_KEY)),
            ("synthetic associate's PIN", synthetic.pin(DIGEST_KEY)),
        ]
    )


if __name__ == "__main__":
    sys.stdout.write(page())
