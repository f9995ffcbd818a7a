"""What the `catalog` says of an item: the body of its record, by item id. `affinity` bodies are opaque bytes.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from typing import Annotated

from wire.member import Name, Text
from wire.schema import Count, Size

Reference = Annotated[str, Size(0, 512)]
MAX_KEY_BYTES = 64  # of an item's id and of a model part's name


@dataclass(frozen=True, slots=True)
class CatalogItem:
    """One item. `path`: its category from the widest to the narrowest; `picture`, `page`: empty where there is none."""

    name: Text
    path: Annotated[tuple[Name, ...], Count(8)]
    themes: Annotated[tuple[Name, ...], Count(32)]
    flags: Annotated[tuple[Name, ...], Count(16)]  # for example "new", "reduced"
    picture: Reference
    page: Reference  # where associates see the stock
