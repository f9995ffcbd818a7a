"""What an associate does to a visit that they see, beside helping: introduced, handed over, suggested, proposed.

Each names the visit by its handle, and is answered by `Withheld` where the visit, or what is named of it, may not be
seen, as where it never was.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from typing import Annotated

from wire.events import HandOverReason
from wire.items import ItemList, MuteKind, Response
from wire.schema import Count, Range, Size
from wire.views import Handle, Name, Secret, Text

MOST_FOUND = 20
MOST_COLLEAGUES = 256  # as many as there may be sessions
MOST_ROLES = 32  # as many as a policy may name
MOST_PIECES = 9
Item = Annotated[str, Size(1, 64)]


@dataclass(frozen=True, slots=True, repr=False)
class Introduce:
    """The shopper said who they are: the name may be shown where the member's choice is `invited`.

    For this visit only. → Accepted | Withheld | Refused
    """

    session: Secret
    handle: Handle


@dataclass(frozen=True, slots=True, repr=False)
class HandOver:
    """Somebody else is to help: exactly one of an associate, by id, and a role.

    Whoever helps may say it, and anybody where nobody does. → Accepted | Withheld | Conflict | Refused
    """

    session: Secret
    handle: Handle
    associate: Name | None
    role: Name | None
    reason: HandOverReason


@dataclass(frozen=True, slots=True, repr=False)
class AskColleagues:
    """To whom a visit can be handed over now. → Colleagues | Refused"""

    session: Secret


@dataclass(frozen=True, slots=True, repr=False)
class Respond:
    """What the shopper made of an item that is suggested on the card of this session now.

    `not-for-me` mutes the item too, at once and for good. → Accepted | Withheld | Refused
    """

    session: Secret
    handle: Handle
    item: Item
    response: Response


@dataclass(frozen=True, slots=True, repr=False)
class MuteFor:
    """No suggestion of this any more: an item that is suggested on the card now, or a category or theme of one.

    → Accepted | Withheld | Refused
    """

    session: Secret
    handle: Handle
    what: MuteKind
    id: Item


@dataclass(frozen=True, slots=True, repr=False)
class Propose:
    """An item for the member's own basket or wish list, for them to confirm; until then nothing is changed.

    → Accepted | Withheld | Refused
    """

    session: Secret
    handle: Handle
    to: ItemList
    item: Item
    quantity: Annotated[int, Range(1, MOST_PIECES)]


@dataclass(frozen=True, slots=True, repr=False)
class AskCatalog:
    """Items of the catalog whose name has all words of a text, or whose id it is. → CatalogFound | Refused"""

    session: Secret
    text: Annotated[str, Size(1, 64)]


# --- answers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody who is signed in now and whose role sees the floor."""

    ROW = True
    associate: Name
    name: Name
    role: Name


@dataclass(frozen=True, slots=True)
class FloorRole:
    """A role that sees the floor."""

    ROW = True
    id: Name
    label: Text


@dataclass(frozen=True, slots=True)
class Colleagues:
    """To whom a visit can be handed over: everybody else who is signed in, by name, and the roles of policy."""

    associates: Annotated[tuple[Colleague, ...], Count(MOST_COLLEAGUES)]
    roles: Annotated[tuple[FloorRole, ...], Count(MOST_ROLES)]


@dataclass(frozen=True, slots=True)
class CatalogLine:
    """One item. `path`: its category from the widest to the narrowest."""

    ROW = True
    item: Item
    name: Text
    path: Annotated[tuple[Name, ...], Count(8)]
    themes: Annotated[tuple[Name, ...], Count(32)]


@dataclass(frozen=True, slots=True)
class CatalogFound:
    """The first items found, by name."""

    items: Annotated[tuple[CatalogLine, ...], Count(MOST_FOUND)]
