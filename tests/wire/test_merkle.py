"""The log's hashes and proofs are those of RFC 6962, and a proof of anything else does not hold."""

import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from wire import merkle
from wire.merkle import Frontier

GOLDEN = json.loads((Path(__file__).parents[1] / "vectors" / "merkle.json").read_text())
LEAVES = [merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in GOLDEN["leaves"]]
ROOTS = [bytes.fromhex(root) for root in GOLDEN["roots"]]
BOX = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)

sizes = st.integers(1, 70)
hashes = st.binary(min_size=32, max_size=32)


def many(size: int) -> list[bytes]:
    """As many leaves, all different."""
    return [merkle.leaf_hash(number.to_bytes(4, "big")) for number in range(size)]


def head(leaves: list[bytes]) -> bytes:
    """The tree head as RFC 6962, 2.1 defines it, word by word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + head(leaves[:split]) + head(leaves[split:])).digest()


def frontier_of(leaves: list[bytes]) -> Frontier:
    """Grown leaf by leaf."""
    found = Frontier()
    for leaf in leaves:
        found = found.append(leaf)
    return found


def test_golden_roots():
    """The reference tree has the published head at every size."""
    assert [frontier_of(LEAVES[:size]).root for size in range(9)] == ROOTS


@pytest.mark.parametrize("one", GOLDEN["inclusion"], ids=lambda one: f"{one['index']}-{one['size']}")
def test_golden_inclusion(one):
    """The published audit paths come out, and hold."""
    path = tuple(bytes.fromhex(node) for node in one["path"])
    assert merkle.inclusion(one["index"], one["size"], merkle.subtrees(LEAVES)) == path
    assert merkle.verify_inclusion(LEAVES[one["index"]], one["index"], one["size"], path, ROOTS[one["size"]])


@pytest.mark.parametrize("one", GOLDEN["consistency"], ids=lambda one: f"{one['first']}-{one['second']}")
def test_golden_consistency(one):
    """The published consistency proofs come out, and hold."""
    proof = tuple(bytes.fromhex(node) for node in one["proof"])
    first, second = one["first"], one["second"]
    assert merkle.consistency(first, second, merkle.subtrees(LEAVES)) == proof
    assert merkle.verify_consistency(first, second, ROOTS[first], ROOTS[second], proof)


@given(st.lists(hashes, max_size=70))
def test_a_frontier_has_the_head_of_its_leaves(leaves):
    """However it came to be: grown leaf by leaf, or taken out of the tree."""
    grown = frontier_of(leaves)
    assert grown.root == head(leaves)
    assert grown == merkle.frontier(len(leaves), merkle.subtrees(leaves))


@given(sizes.flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size))))
def test_each_leaf_is_proven_and_nothing_else(place):
    """The path holds for its leaf at its place in its log, and for no other leaf, place, head or path."""
    index, size = place
    leaves = many(size)
    path, root = merkle.inclusion(index, size, merkle.subtrees(leaves)), head(leaves)
    assert merkle.verify_inclusion(leaves[index], index, size, path, root)
    for other in range(size):
        assert merkle.verify_inclusion(leaves[index], other, size, path, root) is (other == index)
    assert not merkle.verify_inclusion(merkle.leaf_hash(b"other"), index, size, path, root)
    assert not merkle.verify_inclusion(leaves[index], index, size, (*path, root), root)
    assert not merkle.verify_inclusion(leaves[index], index, size, path, bytes(32))
    assert not merkle.verify_inclusion(leaves[index], size, size, path, root)
    if path:
        assert not merkle.verify_inclusion(leaves[index], index, size, path[:-1], root)
        assert not merkle.verify_inclusion(leaves[index], index, size, (bytes(32), *path[1:]), root)


@given(sizes.flatmap(lambda second: st.tuples(st.integers(1, second), st.just(second))), st.data())
def test_growth_is_proven_and_an_edit_is_not(places, data):
    """A log is the beginning of what it grew to; one with any leaf changed, cut or swapped is not."""
    first, second = places
    leaves = many(second)
    proof = merkle.consistency(first, second, merkle.subtrees(leaves))
    old, new = head(leaves[:first]), head(leaves)
    assert merkle.verify_consistency(first, second, old, new, proof)
    at = data.draw(st.integers(0, first - 1))
    changed = leaves[:first]
    changed[at] = merkle.leaf_hash(b"changed")
    assert not merkle.verify_consistency(first, second, head(changed), new, proof)
    grown = [*changed, *leaves[first:]]
    assert not merkle.verify_consistency(
        first, second, old, head(grown), merkle.consistency(first, second, merkle.subtrees(grown))
    )
    assert not merkle.verify_consistency(first, second, old, new, (*proof, bytes(32)))
    if first < second:
        assert not merkle.verify_consistency(second, first, new, old, proof)


def test_the_empty_log_begins_every_log():
    """It has a head of its own, and nothing is to be proven."""
    assert merkle.verify_consistency(0, 3, merkle.EMPTY_ROOT, ROOTS[3], ())
    assert not merkle.verify_consistency(0, 3, ROOTS[1], ROOTS[3], ())
    assert not merkle.verify_consistency(0, 0, merkle.EMPTY_ROOT, ROOTS[3], ())


@given(st.integers(0, 80), st.integers(0, 80), st.lists(hashes, max_size=8), hashes, hashes, hashes)
def test_noise_proves_nothing(first, second, noise, one, other, leaf):
    """Arbitrary sizes and hashes never raise, and never hold but for what is equal anyway."""
    if one != other and one != leaf:
        assert not merkle.verify_consistency(first, second, one, other, noise)
        assert not merkle.verify_inclusion(leaf, first, second, noise, one)


@pytest.mark.parametrize(("size", "peaks"), [(1, ()), (0, (bytes(32),)), (3, (bytes(32),)), (1, (b"short",))])
def test_a_frontier_has_a_peak_for_each_bit(size, peaks):
    """What is no frontier is refused before anything is computed from it."""
    with pytest.raises(ValueError, match="peak"):
        Frontier(size, peaks)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_no_proof_of_what_is_not_there(index, size):
    """A leaf outside of the log has none."""
    with pytest.raises(ValueError, match="leaf"):
        merkle.inclusion(index, size, merkle.subtrees(LEAVES))
    with pytest.raises(ValueError, match="sizes"):
        merkle.consistency(0, size, merkle.subtrees(LEAVES))


def proof_of(index: int) -> dict:
    """The proof of a receipt, as HQ prints it."""
    contents = [bytes([number]) * 16 + b"entry" for number in range(5)]
    leaves = [merkle.leaf_hash(content) for content in contents]
    root = head(leaves)
    signed = BOX.sign(merkle.head_input("berlin-1", b"i" * 16, 5, root, 1_795_000_000_000))
    return {
        "store": "berlin-1",
        "incarnation": (b"i" * 16).hex(),
        "salt": contents[index][:16].hex(),
        "entry": contents[index][16:].hex(),
        "leaf_index": index,
        "path": [node.hex() for node in merkle.inclusion(index, 5, merkle.subtrees(leaves))],
        "head": {"size": 5, "root": root.hex(), "at_ms": 1_795_000_000_000, "signature": signed.hex()},
    }


def check(tmp_path: Path, proof: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """What the command line says."""
    file = tmp_path / "proof.json"
    file.write_text(json.dumps(proof))
    return merkle.main([str(file), BOX.public_key().public_bytes_raw().hex()]), capsys.readouterr().out


def test_the_command_line_checks_a_receipt(tmp_path, capsys):
    """A proof holds with the store's key, and not once anything in it is another."""
    assert check(tmp_path, proof_of(3), capsys) == (0, "the receipt is in the store's log\n")
    for key, wrong in (("salt", "00" * 16), ("entry", "00"), ("leaf_index", 2), ("store", "berlin-2"), ("path", [])):
        status, said = check(tmp_path, {**proof_of(3), key: wrong}, capsys)
        assert (status, said[:10]) == (1, "NOT PROVEN")
    for key, wrong in (("size", 6), ("root", "00" * 32), ("at_ms", 1), ("signature", "00" * 64)):
        proof = proof_of(3)
        proof["head"][key] = wrong
        assert check(tmp_path, proof, capsys)[0] == 1


@pytest.mark.parametrize("wrong", [[], {}, {"head": 7}, {**proof_of(1), "salt": "x"}, {**proof_of(1), "path": 7}, None])
def test_what_is_no_proof_is_told_in_one_line(tmp_path, capsys, wrong):
    """Bad input ends with status 2."""
    with pytest.raises(SystemExit) as ended:
        check(tmp_path, wrong, capsys)
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_bad_arguments_are_told_in_one_line(tmp_path, capsys):
    """A key that is none, a file that is not there."""
    for arguments in ([str(tmp_path), "00"], [str(tmp_path / "none"), "00" * 32]):
        with pytest.raises(SystemExit) as ended:
            merkle.main(arguments)
        assert ended.value.code == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
