"""The worked examples are those of today's code, and come out the same by other means."""

import hashlib
import hmac
import re

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from store_gateway.core.ledger import judge_range
from tests.wire import examples
from wire import keyring, merkle, schema, sync
from wire.events import LogEntry

PAGE = examples.PAGE.read_text(encoding="utf-8")


def of(label: str, text: str = PAGE) -> bytes:
    """The first value that stands behind a label in a table."""
    found = re.search(rf"^{re.escape(label)} +([0-9a-f]+)$", text, re.M)
    assert found, label
    return bytes.fromhex(found.group(1))


def part(heading: str) -> str:
    """What stands below a heading."""
    return PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]


def test_the_page_is_what_the_code_makes() -> None:
    """`python -m tests.wire.examples > docs/examples.md` would change nothing."""
    assert examples.page() == PAGE


def test_every_kind_of_message_is_worked_through() -> None:
    """Each with header, body, sealed bytes and signature, which make up the published payload."""
    for kind in sync.Kind:
        text = part("One message of each kind").split(f"### `{kind.name.lower()}`\n")[1].split("\n### ")[0]
        header, body, sealed, signature, digest = re.findall(r"```\n(.*?)```", text, re.S)
        lines = [_hex(one) for one in (header, sealed, signature)]
        payload = b"\x84\x01" + b"".join(cbor2.dumps(one) for one in lines)
        assert hashlib.sha256(payload).hexdigest() in digest
        golden = next(one for one in examples.GOLDEN["messages"] if one["kind"] == kind.name.lower())
        assert payload.hex() == golden["payload"]
        assert schema.encode(schema.decode(sync.SCHEMAS[kind], _hex(body))) == _hex(body)


def _hex(text: str) -> bytes:
    """The lines of hex that end a block."""
    lines = text.strip().splitlines()
    found = []
    while lines and re.fullmatch(r"[0-9a-f]+", lines[-1]):
        found.insert(0, lines.pop())
    return bytes.fromhex("".join(found))


def test_the_tree_comes_out_by_hashlib_alone() -> None:
    """Paths, digests and sums of three records, from the page's own inputs."""
    text = part("A digest tree of three records")
    secret, total = of("K_d", text), 0
    for number in (1, 2, 3):
        shown = text[text.index(f"key {number} ") :]
        key, body = of(f"key {number}", shown), of("body", shown)
        seq = 2**48 + number
        hashed = hashlib.blake2b(body, digest_size=16).digest()
        stated = b"\x01" + len(key).to_bytes(2, "big") + key + seq.to_bytes(8, "big") + hashed
        digest = hashlib.blake2b(stated, digest_size=16, key=secret).digest()
        assert of("path", shown) == hashlib.blake2b(key, digest_size=8, key=secret).digest()
        assert (of("what is hashed", shown), of("digest", shown)) == (stated, digest)
        total += int.from_bytes(digest, "little")
    root = re.search(r"node \(root\) +([0-9a-f]{32})  count 3", text)
    assert root and bytes.fromhex(root.group(1)) == (total % 2**128).to_bytes(16, "little")


def test_the_range_is_judged_so_by_the_store() -> None:
    """The table says what the store's own rule does."""
    held = {key: seq for key, (seq, _) in examples.HELD.items()}
    offered = {key: seq for key, (seq, _) in examples.RANGE.items()}
    judged = judge_range(examples.AS_OF, 2, offered, held, 0)
    after, floor = examples.apply_range(examples.HELD, 2, examples.AS_OF, examples.RANGE)
    assert judged is not None
    assert set(judged.erase) == {key for key in held if key not in after}
    assert set(judged.write) == {key for key, found in after.items() if found != examples.HELD.get(key)}
    assert floor == examples.AS_OF
    assert judge_range(7, floor, offered, held, 0) is None


def test_the_bucket_unpacks() -> None:
    """Two members in ascending order, with their keys."""
    text = part("A bucket of the keyring")
    body = _hex(re.findall(r"```\n(body .*?)```", text, re.S)[0])
    (first, one), (second, two) = keyring.unpack(body)
    assert (first, second) == (of("pseudonym 1", text), of("pseudonym 2", text))
    assert (b"".join(one), b"".join(two)) == (of("its day key", text), of("its day keys", text))
    assert of("record key", text) == (0xABC).to_bytes(2, "big")


def test_the_proofs_hold_by_hashlib_alone() -> None:
    """Root and path of the five leaves, by RFC 6962's own recursion; the head's signature by the box's key."""
    text = part("The log of disclosures")
    leaves = [bytes.fromhex(one) for one in re.findall(r"^leaf \d \(event \d\) +([0-9a-f]{64})$", text, re.M)]

    def head(some: list[bytes]) -> bytes:
        if len(some) == 1:
            return some[0]
        split = 1 << (len(some) - 1).bit_length() - 1
        return hashlib.sha256(b"\x01" + head(some[:split]) + head(some[split:])).digest()

    assert (of("root of 3", text), of("root of 5", text)) == (head(leaves[:3]), head(leaves))
    shown = text[text.index("entry 3\n") :]
    entry = _hex(shown.split("```")[0])
    assert hashlib.sha256(b"\x00" + of("salt", shown) + entry).digest() == leaves[2]
    told = schema.decode(LogEntry, entry)
    staff = hashlib.sha256(of("staff salt", shown) + cbor2.dumps(["nina", "tablet-1"])).digest()
    assert told.staff == staff == of("staff", shown)
    path = [bytes.fromhex(one) for one in re.findall(r"^path \d +([0-9a-f]{64})$", text, re.M)]
    assert merkle.verify_inclusion(leaves[2], 2, 5, path, head(leaves))
    proof = [bytes.fromhex(one) for one in re.findall(r"^proof \d +([0-9a-f]{64})$", text, re.M)]
    assert merkle.verify_consistency(3, 5, head(leaves[:3]), head(leaves), proof)
    stated, signature = (_hex(one) for one in re.findall(r"```\n((?:what is signed|signature)\n.*?)```", text, re.S))
    Ed25519PrivateKey.from_private_bytes(examples.KEYS["store_identity_seed"]).public_key().verify(signature, stated)
    assert head(leaves) in stated


def test_the_day_key_comes_out_by_hmac_alone() -> None:
    """HKDF of RFC 5869 with an empty salt; tokens have vectors of their own."""
    text = part("Tokens")
    day = examples.AT_S // 86_400
    extracted = hmac.digest(bytes(32), of("presence secret S", text), "sha256")
    info = b"consentry/day/1" + day.to_bytes(4, "big")
    assert of("day key D", text) == hmac.digest(extracted, info + b"\x01", "sha256")[:16]
