"""The box's own keys, and what is wrong with their files."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runtime.errors import CredentialError
from store_gateway.errors import KeyFileError
from store_gateway.keys import BoxKeys, load
from tests.fakes.hq import FakeHQ
from wire.keys import KeySet, sign_key_set


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What provisioning wrote."""
    hq = FakeHQ()
    (tmp_path / "root").write_bytes(hq.root.public_key().public_bytes_raw())
    (tmp_path / "keys").write_bytes(hq.say_key_set())
    (tmp_path / "identity-key").write_bytes(hq.identity.private_bytes_raw())
    (tmp_path / "box-secret").write_bytes(hq.box_secret)
    return tmp_path


def loaded(folder: Path) -> BoxKeys:
    """The keys in a folder."""
    return load(folder / "root", folder / "keys", folder)


def test_the_keys_of_a_box_are_loaded_and_not_shown(folder: Path) -> None:
    """Both credentials, the root, and the key set that it signed."""
    box = loaded(folder)
    assert box.secret == (folder / "box-secret").read_bytes()
    assert box.key_set.version == 1
    assert repr(box) == "BoxKeys(…)"


WRONG: list[tuple[str, Callable[[Path], None]]] = [
    ("hq_root_key", lambda folder: (folder / "root").unlink()),
    ("hq_root_key", lambda folder: (folder / "root").write_bytes(bytes(31))),
    ("hq_keys", lambda folder: (folder / "keys").unlink()),
    ("hq_keys", lambda folder: (folder / "keys").write_bytes(b"\xff" * 40)),
    ("hq_keys", lambda folder: (folder / "keys").write_bytes(FakeHQ().say_key_set())),
]


@pytest.mark.parametrize(("key", "spoil"), WRONG)
def test_a_wrong_file_is_named_by_its_key(folder: Path, key: str, spoil: Callable[[Path], None]) -> None:
    """One line with the file and the form expected; another root's key set is none."""
    spoil(folder)
    with pytest.raises(KeyFileError) as caught:
        loaded(folder)
    assert caught.value.key == key
    assert "\n" not in str(caught.value)


def test_a_key_set_without_keys_is_none(folder: Path) -> None:
    """Nobody could be believed, and nothing be sealed."""
    root = Ed25519PrivateKey.generate()
    (folder / "root").write_bytes(root.public_key().public_bytes_raw())
    (folder / "keys").write_bytes(sign_key_set(root, KeySet(1, 0, (), ())))
    with pytest.raises(KeyFileError):
        loaded(folder)


@pytest.mark.parametrize("name", ["identity-key", "box-secret"])
def test_a_credential_of_another_length_is_none(folder: Path, name: str) -> None:
    """32 bytes each, and never repeated in the error."""
    (folder / name).write_bytes(b"hunter2")
    with pytest.raises(CredentialError) as caught:
        loaded(folder)
    assert "hunter2" not in str(caught.value)
