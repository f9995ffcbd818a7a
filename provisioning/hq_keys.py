"""Rotates HQ's keys in the folder: a new one beside the old, and when all have it the old one away.

The key set follows by the next run of `apply.provision`: it names what the files hold, signed by the root, which stays
in the folder.

I/O: the folder through `provisioning.files`.
"""

from provisioning import layout
from provisioning.errors import RefusedError
from provisioning.files import Files
from provisioning.recipes import LENGTHS, MOST_KEYS, Kind, new_key, split
from provisioning.wanted import SECRET
from wire.keys import mark

_KEYS = {f"{layout.HQ_CREDENTIALS}/{name}": kind for name, kind in layout.RINGS.items()}


def rotate(files: Files) -> None:
    """A new signing and a new sealing key, beside those that there are.

    Interrupted between the two, another run would make a third of one kind: harmless, and `retire` takes it away.

    Raises: RefusedError, ProvisioningError.
    """
    for path, kind in _KEYS.items():
        _add(files, path, kind)


def retire(files: Files) -> None:
    """Only the newest signing and sealing keys stay. Raises: RefusedError, ProvisioningError."""
    held = {path: split(kind, files.read(path)) for path, kind in _KEYS.items()}
    if all(len(listed) == 1 for listed in held.values()):
        raise RefusedError("there are no older keys of HQ", "consentry-provision hq-keys rotate first")
    for path, listed in held.items():
        files.write(path, listed[-1], SECRET)


def rotate_wrapping(files: Files) -> None:
    """A new wrapping key beside the old one. Raises: RefusedError, ProvisioningError."""
    if len(files.read(layout.WRAPPING_KEY)) > LENGTHS[Kind.BYTES]:
        remedy = "consentry-hq keys rewrap, then consentry-provision hq-keys retire-wrapping"
        raise RefusedError("a new wrapping key is there already", remedy)
    _add(files, layout.WRAPPING_KEY, Kind.BYTES)


def retire_wrapping(files: Files, named: str) -> None:
    """Only the newest wrapping key stays; whoever asks proves by its name that everything is wrapped under it.

    Raises: RefusedError, ProvisioningError.
    """
    *older, newest = split(Kind.BYTES, files.read(layout.WRAPPING_KEY))
    if not older:
        raise RefusedError("there is no older wrapping key", "consentry-provision hq-keys rotate-wrapping first")
    if named != mark(newest).hex():
        raise RefusedError(
            "this does not name the newest wrapping key",
            "consentry-hq keys show names it, once no key is wrapped under another: without the old one those are lost",
        )
    files.write(layout.WRAPPING_KEY, newest, SECRET)


def _add(files: Files, path: str, kind: Kind) -> None:
    held = files.read(path)
    if len(held) >= MOST_KEYS * LENGTHS[kind]:
        raise RefusedError(f"{path} holds {MOST_KEYS} keys already", "consentry-provision hq-keys retire first")
    files.write(path, held + new_key(kind), SECRET)
