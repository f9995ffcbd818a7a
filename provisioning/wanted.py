"""A file that a folder is to hold, and the permission bits that there are.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from typing import Final

from provisioning.recipes import Recipe

SECRET: Final = 0o600
PUBLIC: Final = 0o644


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that is to be there: path in the folder, permission bits, and how it is made."""

    path: str
    mode: int
    recipe: Recipe


def store_folder(store: str) -> str:
    """A store's bundle, in the folder."""
    return f"stores/{store}"


def satellite_folder(store: str, satellite: str) -> str:
    """A satellite's bundle, in the folder."""
    return f"satellites/{store}/{satellite}"


def receiver_folder(store: str, receiver: str) -> str:
    """What a cheap receiver has to be told, in the folder."""
    return f"receivers/{store}/{receiver}"
