"""What the `catalog` says of an item, a category and a theme: the bodies of its records. `affinity` bodies are opaque.

An item's record has its id for a key. A category's or a theme's has one that is no UTF-8, so that no item's is it.

Pure: no I/O, no clock.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b
from typing import Annotated

from wire.member import Name, Text
from wire.schema import Count, Size

Reference = Annotated[str, Size(0, 512)]
Flags = Annotated[tuple[Name, ...], Count(16)]  # for example "new", "reduced"; those that decide: wire.flags
MAX_KEY_BYTES = 64  # of an item's id and of a model part's name
_GROUP_MARK = b"\xff"  # never a byte of UTF-8
_NAME_BYTES = 16


class GroupKind(StrEnum):
    """What items are grouped by."""

    CATEGORY = "category"
    THEME = "theme"


@dataclass(frozen=True, slots=True)
class CatalogItem:
    """One item. `path`: its category from the widest to the narrowest; `picture`, `page`: empty where there is none.

    `zone`: where it stands, by the id that the store's policy gives that zone; None: as its category says.
    """

    name: Text
    path: Annotated[tuple[Name, ...], Count(8)]
    themes: Annotated[tuple[Name, ...], Count(32)]
    flags: Flags
    picture: Reference
    page: Reference  # where associates see the stock
    zone: Name | None = None


@dataclass(frozen=True, slots=True)
class CatalogGroup:
    """A category or a theme, by the name that items bear it under. Its flags are those of every item in it.

    `zone`: of a category, where its items stand that say no other, nor a narrower category of theirs.
    """

    what: GroupKind
    id: Name
    flags: Flags
    zone: Name | None = None


@dataclass(frozen=True, slots=True)
class Grouped:
    """What catalogs together say of a category or a theme: all flags, and the first zone that one names."""

    flags: tuple[str, ...] = ()
    zone: str | None = None


def group_key(what: GroupKind, name: str) -> bytes:
    """The key of the record of a category or a theme: 26 bytes or less, whatever its name."""
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_NAME_BYTES).digest()
    return _GROUP_MARK + what.value.encode() + b":" + digest


def is_group_key(key: bytes) -> bool:
    """Whether this is the key of a category or a theme, and of no item."""
    return key.startswith(_GROUP_MARK)


def grouped(told: Iterable[CatalogGroup]) -> Grouped:
    """What several catalogs say of one category or theme, put together."""
    flags: dict[str, None] = {}
    zone: str | None = None
    for one in told:
        flags.update(dict.fromkeys(one.flags))
        zone = one.zone if zone is None else zone
    return Grouped(tuple(flags), zone)


def inherited(item: CatalogItem, group_of: Callable[[GroupKind, str], Grouped]) -> CatalogItem:
    """The item with all that counts for it: its flags, then those of its categories and themes, each once; its zone, or
    that of the narrowest category that has one.

    The flags may be more than a record may hold: the result is for reading.
    """
    flags = dict.fromkeys(item.flags)
    zone = item.zone
    for name in reversed(item.path):
        zone = group_of(GroupKind.CATEGORY, name).zone if zone is None else zone
    for what, names in ((GroupKind.CATEGORY, item.path), (GroupKind.THEME, item.themes)):
        for name in names:
            flags.update(dict.fromkeys(group_of(what, name).flags))
    same = len(flags) == len(item.flags) and zone == item.zone
    return item if same else replace(item, flags=tuple(flags), zone=zone)
