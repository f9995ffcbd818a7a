"""What a store may know of one member: the body of a `members` record, and of a `staff` record.

Times are Unix seconds UTC. HQ sends only what the member grants to this store; nothing in a body names
the member, and `repr` shows no value.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Annotated

from wire.events import MuteKind
from wire.schema import Count, Range, Size, exactly

Pseudonym = Annotated[bytes, exactly(16)]
Scope = Annotated[str, Size(1, 64)]
Name = Annotated[str, Size(1, 64)]
Text = Annotated[str, Size(0, 512)]
Seconds = Annotated[int, Range(0, 2**40)]
MOST_MUTES = 512  # of two members who became one: each sets half as many


class Mode(IntEnum):
    """The member's own switch: nobody is told, only while I ask, or always."""

    QUIET = 0
    HELP = 1
    OPEN = 2


class NameChoice(IntEnum):
    """When the first name may be shown."""

    NEVER = 0
    INVITED = 1
    ALWAYS = 2


class State(IntEnum):
    """What a statement says."""

    WITHDRAWN = 0
    GIVEN = 1


class SourceClass(IntEnum):
    """Where a value came from: the member's own word, our own records, a partner's, a stranger's."""

    ZERO = 0
    FIRST = 1
    SECOND = 2
    THIRD = 3


class ValueClass(IntEnum):
    """What sort of value it is."""

    PERSONAL = 0
    TRANSACTIONAL = 1
    ENGAGEMENT = 2
    FEEDBACK = 3


@dataclass(frozen=True, slots=True)
class Statement:
    """One choice of the member for this store: a grant, or its withdrawal.

    `roles` empty means no role; `zones_excluded` empty means none is excluded. `until` counts from the day of
    the choice. `notice` is the SHA-256 of the text that was shown, `event` the consent event that proves it.
    """

    state: State
    purpose: Name
    scopes: Annotated[tuple[Scope, ...], Count(64)]
    store: Annotated[str, Size(1, 40)]
    roles: Annotated[tuple[Name, ...], Count(16)]
    zones_excluded: Annotated[tuple[Name, ...], Count(64)]
    from_s: Seconds
    until_s: Seconds
    chosen_s: Seconds | None  # None: the time of choice is not known
    notice: Annotated[bytes, exactly(32)]
    event: Annotated[bytes, exactly(16)]
    policy_version: Annotated[int, Range(0, 2**32)]


@dataclass(frozen=True, slots=True, repr=False)
class Item:
    """One entry of a list such as a wish list or a history."""

    item: Annotated[str, Size(1, 64)]
    label: Text
    at_s: Seconds | None
    quantity: Annotated[int, Range(-100_000, 100_000)] | None
    returned: bool

    def __repr__(self) -> str:
        return "Item(…)"


@dataclass(frozen=True, slots=True, repr=False)
class Value:
    """Exactly one of a text, some texts, or some items, as the scope's type in `policy` says."""

    text: Text | None = None
    texts: Annotated[tuple[Text, ...], Count(64)] | None = None
    items: Annotated[tuple[Item, ...], Count(128)] | None = None

    def __repr__(self) -> str:
        return "Value(…)"


@dataclass(frozen=True, slots=True, repr=False)
class Field:
    """One value of one scope, with where it came from and when."""

    scope: Scope
    value: Value
    source: SourceClass
    surface: Name  # for example "app", "till", "preference-centre"
    value_class: ValueClass
    collected_s: Seconds
    confirmed_s: Seconds

    def __repr__(self) -> str:
        return "Field(…)"


@dataclass(frozen=True, slots=True, repr=False)
class Muted:
    """What the member wants no suggestion of: the id of an item, a category or a theme."""

    ROW = True
    what: MuteKind
    id: Annotated[str, Size(1, 64)]

    def __repr__(self) -> str:
        return "Muted(…)"


@dataclass(frozen=True, slots=True, repr=False)
class Member:
    """The body of a `members` record.

    `age_at_least` is the highest of 13, 14, 15, 16, 18, 21 that the member has reached (0: unknown).
    `acts_through` and `acts_incarnation`: HQ has folded in this cache's events up to that number, so that local
    denies up to there may go. `mutes` None: none.
    """

    mode: Mode
    name_choice: NameChoice
    statements: Annotated[tuple[Statement, ...], Count(256)]
    fields: Annotated[tuple[Field, ...], Count(64)]
    jurisdiction: Annotated[str, Size(0, 16)]
    age_at_least: Annotated[int, Range(0, 150)]
    acts_incarnation: Annotated[bytes, exactly(16)] | None = None
    acts_through: int = field(default=0)
    mutes: Annotated[tuple[Muted, ...], Count(MOST_MUTES)] | None = None

    def __repr__(self) -> str:
        return f"Member(mode={self.mode.name}, …)"


@dataclass(frozen=True, slots=True, repr=False)
class Staff:
    """The body of a `staff` record; its key is the associate's id.

    `pin_set_ms`: when the PIN was set, Unix milliseconds UTC; None: before anybody noted it.
    """

    name: Name
    role: Name
    pin_verifier: Annotated[str, Size(0, 256)]  # argon2id, PHC string; empty: no PIN yet
    active: bool
    pin_set_ms: Annotated[int, Range(0, 2**53)] | None = None

    def __repr__(self) -> str:
        return f"Staff(role={self.role!r}, active={self.active}, …)"
