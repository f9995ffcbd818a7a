"""HQ's keys, rotated in the folder: the key set names what HQ holds, and HQ opens what its files say."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hq import keys as hq_keys
from provisioning.__main__ import run
from provisioning.doctor import examine
from provisioning.errors import RefusedError
from provisioning.files import Files
from provisioning.hq_keys import retire, retire_wrapping, rotate
from provisioning.settings import Estate
from tests.provisioning.conftest import NOW
from wire import keys
from wire.keys import KeySet


def key_set(folder: Path) -> KeySet:
    """What a store would take, by the root that it pinned."""
    root = Ed25519PublicKey.from_public_bytes((folder / "stores/berlin-1/etc/consentry/hq-root.pub").read_bytes())
    return keys.open_key_set(root, (folder / "hq/etc/consentry/keys.cbor").read_bytes())


def loaded(folder: Path) -> hq_keys.Keys:
    """HQ's keys as `consentry-hq` reads them."""
    return hq_keys.load(folder / "hq/etc/consentry/keys.cbor", folder / "hq/credentials/hq")


def command(folder: Path, *arguments: str) -> int:
    """`consentry-provision hq-keys`."""
    return run(["hq-keys", *arguments, "--folder", str(folder)])


def test_a_rotation_in_two_steps(folder: Path) -> None:
    """First both keys with higher version, the new one last; then the new one alone; numbers stay with their keys."""
    first, held = key_set(folder), loaded(folder)
    assert command(folder, "rotate") == 0
    both = key_set(folder)
    assert both.version > first.version
    assert (both.signing[0], both.sealing[0]) == (first.signing[0], first.sealing[0])
    assert (len(both.signing), len(both.sealing)) == (2, 2)
    between = loaded(folder)
    assert set(between.sealing) == {one.number for one in both.sealing}
    assert between.signer(first.version).number == held.signer(first.version).number == first.signing[0].number
    assert between.signer(both.version).number == both.signing[-1].number != first.signing[0].number
    assert command(folder, "retire") == 0
    last = key_set(folder)
    assert last.version > both.version
    assert (last.signing, last.sealing) == (both.signing[1:], both.sealing[1:])
    assert set(loaded(folder).sealing) == {both.sealing[1].number}
    with pytest.raises(RefusedError):
        retire(Files(folder))


def test_new_credentials_and_the_old_key_set_go_together(folder: Path) -> None:
    """So bundle and unit may be installed in either order: what the set does not name is left alone."""
    before = (folder / "hq/etc/consentry/keys.cbor").read_bytes()
    rotate(Files(folder))
    (folder / "old.cbor").write_bytes(before)
    found = hq_keys.load(folder / "old.cbor", folder / "hq/credentials/hq")
    assert (len(found.signers), len(found.sealing)) == (1, 1)


def test_keys_are_rotated_a_bounded_number_of_times(folder: Path) -> None:
    """A key set holds eight of a kind."""
    for _ in range(7):
        rotate(Files(folder))
    with pytest.raises(RefusedError):
        rotate(Files(folder))


def test_the_wrapping_key_goes_only_by_the_name_of_the_new_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake would destroy everything, so the name has to be given that HQ tells when nothing else is left."""
    path = folder / "hq/credentials/hq/wrapping-key"
    old = path.read_bytes()
    assert command(folder, "rotate-wrapping") == 0
    both = path.read_bytes()
    assert (both[:32], len(both)) == (old, 64)
    name = loaded(folder).custody.newest.hex()
    assert name == keys.mark(both[32:]).hex() == (folder / "authority/wrapping-key.mark").read_text().strip()
    for wrong in ("", keys.mark(old).hex()):
        with pytest.raises(RefusedError):
            retire_wrapping(Files(folder), wrong)
    assert path.read_bytes() == both
    with pytest.raises(RefusedError):
        command(folder, "rotate-wrapping")
    assert command(folder, "retire-wrapping", "--name", name) == 0
    assert path.read_bytes() == both[32:]
    assert both[32:].hex() not in capsys.readouterr().out


def test_the_doctor_tells_of_old_keys_and_of_a_set_that_ends(folder: Path, estate: Estate) -> None:
    """Thirty days before its end, and while a rotation is not ended."""

    def told(after: timedelta) -> list[str]:
        return [one.text for one in examine(folder, estate, NOW + after, broker=False) if not one.good]

    assert not [one for one in told(timedelta()) if "keys.cbor" in one]
    rotate(Files(folder))
    command(folder, "rotate")
    assert [one for one in told(timedelta()) if "older keys" in one]
    ends = timedelta(seconds=key_set(folder).not_after_s - NOW.timestamp())
    assert [one for one in told(ends - timedelta(days=29)) if "every store goes dark" in one]


def test_a_lost_wrapping_key_is_told_and_not_made_again(folder: Path, estate: Estate) -> None:
    """A new one would open nothing."""
    (folder / "hq/credentials/hq/wrapping-key").unlink()
    assert [one for one in examine(folder, estate, NOW, broker=False) if "wrapping-key" in one.text and not one.good]
    assert not (folder / "hq/credentials/hq/wrapping-key").exists()


def test_a_folder_from_before_gets_a_wrapping_key(folder: Path) -> None:
    """The next run makes it; until then HQ says what to do."""
    (folder / "hq/credentials/hq/wrapping-key").unlink()
    (folder / "authority/wrapping-key.mark").unlink()
    with pytest.raises(hq_keys.KeyMismatch) as found:
        loaded(folder)
    assert "consentry-provision hq" in found.value.remedy
    assert run(["hq", "--folder", str(folder)]) == 0
    assert loaded(folder)


def test_the_root_is_in_no_bundle(folder: Path) -> None:
    """Only the operator's folder has it: neither HQ's machine nor a store's gets the key that signs key sets."""
    root = (folder / "authority/hq-root.key").read_bytes()
    assert Ed25519PrivateKey.from_private_bytes(root)
    for bundle in ("hq", "broker", "stores"):
        for path in (folder / bundle).rglob("*"):
            assert not path.is_file() or root not in path.read_bytes(), path
