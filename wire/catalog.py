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
    """One item. `path`: its category from the widest to the narrowest; `picture`, `page`: empty where there is none."""

    name: Text
    path: Annotated[tuple[Name, ...], Count(8)]
    themes: Annotated[tuple[Name, ...], Count(32)]
    flags: Flags
    picture: Reference
    page: Reference  # where associates see the stock


@dataclass(frozen=True, slots=True)
class CatalogGroup:
    """A category or a theme, by the name that items bear it under. Its flags are those of every item in it."""

    what: GroupKind
    id: Name
    flags: Flags


def group_key(what: GroupKind, name: str) -> bytes:
    """The key of the record of a category or a theme: 26 bytes or less, whatever its name."""
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_NAME_BYTES).digest()
    return _GROUP_MARK + what.value.encode() + b":" + digest


def is_group_key(key: bytes) -> bool:
    """Whether this is the key of a category or a theme, and of no item."""
    return key.startswith(_GROUP_MARK)


def inherited(item: CatalogItem, flags_of: Callable[[GroupKind, str], Iterable[str]]) -> CatalogItem:
    """The item with all flags that count for it: its own, then those of its categories and themes, each once.

    They may be more than a record may hold: the result is for reading.
    """
    flags = dict.fromkeys(item.flags)
    for what, names in ((GroupKind.CATEGORY, item.path), (GroupKind.THEME, item.themes)):
        for name in names:
            flags.update(dict.fromkeys(flags_of(what, name)))
    return item if len(flags) == len(item.flags) else replace(item, flags=tuple(flags))
