"""What a store may do: the bodies of the `policy` records `main` (shared) and `store/{store}` (one store's).

`main` is one brand's purposes, scopes, roles and limits; `store/{store}` is that store's zones and hours. A store
discloses only while it holds one good version of both.

Pure: no I/O, no clock.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Annotated

from wire.browsers import MOST_RULES, BrowserRule
from wire.hints import MOST_HINTS, Hint
from wire.member import Name, Scope, SourceClass, Text
from wire.schema import Count, Range, Size
from wire.suggestions import SuggestionPolicy

MAIN_KEY = b"main"
Days = Annotated[int, Range(0, 36_500)]
Dbm = Annotated[int, Range(-127, 20)]


def store_key(store: str) -> bytes:
    """The key of the `policy` record with that store's zones and hours."""
    return f"store/{store}".encode()


class ValueType(IntEnum):
    """What a scope's value is."""

    TEXT = 0
    TEXTS = 1
    ITEMS = 2


class Section(StrEnum):
    """The parts of a card that are shown on request."""

    PREFERENCES = "preferences"
    WISHLIST = "wishlist"
    BASKET = "basket"
    HISTORY = "history"
    SERVICE = "service"
    SUGGESTIONS = "suggestions"


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why something may be shown. Refused without legal basis, retention, notice and record of processing."""

    id: Name
    label: Text
    legal_basis: Annotated[str, Size(0, 64)]
    retention_days: Days
    notice: Annotated[bytes, Size(0, 32)]  # SHA-256 of the notice's text
    record_of_processing: Annotated[str, Size(0, 128)]


@dataclass(frozen=True, slots=True)
class ScopeRule:
    """The declaration of one scope.

    `special` names a special category ("health", …), which needs a grant of its own: a statement that names this
    scope and no other; empty for an ordinary one.
    `retention_days`: a value last confirmed longer ago is neither shown nor used. `most_items`: how many
    entries at most. `used_for`: the purposes for which something may be made of it without showing it; None: none.
    """

    id: Scope
    label: Text
    value_type: ValueType
    least_source: SourceClass  # a value from a class above this is not shown (THIRD admits all)
    special: Annotated[str, Size(0, 32)]
    retention_days: Days
    most_items: Annotated[int, Range(1, 128)]
    section: Section
    purposes: Annotated[tuple[Name, ...], Count(16)]  # the purposes that may disclose it
    used_for: Annotated[tuple[Name, ...], Count(16)] | None = None

    @property
    def all_purposes(self) -> tuple[str, ...]:
        """Those for which a member may grant it: to show it first, then to use it."""
        return (*self.purposes, *(self.used_for or ()))


@dataclass(frozen=True, slots=True)
class Role:
    """A staff role that may see members' cards or not."""

    id: Name
    label: Text
    sees_floor: bool


@dataclass(frozen=True, slots=True)
class AgeRule:
    """The least age in years in a jurisdiction."""

    ROW = True
    jurisdiction: Annotated[str, Size(0, 16)]
    least_age: Annotated[int, Range(0, 150)]


@dataclass(frozen=True, slots=True)
class MainPolicy:
    """The body of `policy` record `main`.

    `hints`: of good manners, for associates; None: none. `software_wanted`: the release that boxes are to run; None:
    not said. `browsers`: the least version of each family; None: any; `unknown_browsers`: whether one without a rule
    may be used, too; None: it may. `pin_digits`: the least length of a PIN that is set in a store; None: 4.
    `suggestions`: what may be suggested; None: `wire.suggestions.DEFAULT`.
    """

    version: Annotated[int, Range(1, 2**32)]
    lease_s: Annotated[int, Range(1, 86_400)]
    heartbeat_s: Annotated[int, Range(1, 3_600)]
    purposes: Annotated[tuple[Purpose, ...], Count(64)]
    scopes: Annotated[tuple[ScopeRule, ...], Count(256)]
    roles: Annotated[tuple[Role, ...], Count(32)]
    ages: Annotated[tuple[AgeRule, ...], Count(300)]
    unknown_age_is_of_age: bool
    lead: Annotated[tuple[Scope, ...], Count(64)]  # which facts lead a card, first first
    session_idle_s: Annotated[int, Range(10, 86_400)]
    session_s: Annotated[int, Range(60, 86_400)]
    hints: Annotated[tuple[Hint, ...], Count(MOST_HINTS)] | None = None
    software_wanted: Annotated[str, Size(1, 64)] | None = None
    browsers: Annotated[tuple[BrowserRule, ...], Count(MOST_RULES)] | None = None
    unknown_browsers: bool | None = None
    pin_digits: Annotated[int, Range(4, 8)] | None = None
    suggestions: SuggestionPolicy | None = None


@dataclass(frozen=True, slots=True)
class Hours:
    """One span of opening: ISO weekday 1 to 7, minutes after local midnight, end exclusive and at most 1,440."""

    ROW = True
    weekday: Annotated[int, Range(1, 7)]
    from_min: Annotated[int, Range(0, 1_440)]
    until_min: Annotated[int, Range(0, 1_440)]


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of the shop. `kind` is free text but for the kinds that must be blind; `scopes_first` fit this zone."""

    id: Name
    label: Text
    kind: Annotated[str, Size(0, 32)]
    nodes: Annotated[tuple[Name, ...], Count(32)]
    blind: bool
    scopes_first: Annotated[tuple[Scope, ...], Count(16)]
    hours: Annotated[tuple[Hours, ...], Count(28)] | None  # None: the store's


# How a kind begins, at any of its words, that must be blind: pharmacies, opticians, restrooms, fitting rooms. It is the
# closed list of docs/presence.md. "fitting" alone stays open, as fittings are sold.
_BLIND_KINDS = (
    "pharmac", "farmac", "apothe", "apteka", "drugstore", "chemist",
    "optic", "optik", "optomet", "eyetest", "eyeexam",
    "restroom", "washroom", "bathroom", "lavator", "toilet", "powderroom", "babychang", "nursingroom",
    "fittingroom", "fittingarea", "fittingbooth", "fittingcabin", "changingroom", "changingarea", "changingbooth",
    "changingcabin", "dressingroom", "lockerroom", "tryon", "umkleide", "anprobe", "cabinedessayage", "probador",
    "camerino", "vestiaire", "paskamer",
)  # fmt: skip
_BLIND_WORDS = frozenset({"wc", "wcs", "loo", "loos", "aseo", "aseos", "bagno", "bagni"})  # a whole word of it


def must_be_blind(kind: str) -> bool:
    """Whether nobody may ever be shown in a zone of this kind, whatever its switch says; however it is spelt.

    Case, accents, digits and punctuation do not matter, nor what stands before: "Men's Fitting-Room 2" must.
    """
    plain = unicodedata.normalize("NFKD", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind)).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z]+", plain.lower())
    if not _BLIND_WORDS.isdisjoint([*words, "".join(words)]):
        return True
    return any("".join(words[at:]).startswith(_BLIND_KINDS) for at in range(len(words)))


@dataclass(frozen=True, slots=True)
class StorePolicy:
    """The body of `policy` record `store/{store}`."""

    store: Annotated[str, Size(1, 40)]
    label: Text
    time_zone: Annotated[str, Size(1, 64)]  # IANA, for example "Europe/Berlin"
    jurisdiction: Annotated[str, Size(0, 16)]
    zones: Annotated[tuple[Zone, ...], Count(128)]
    hours: Annotated[tuple[Hours, ...], Count(28)]
    enter_dbm: Dbm
    exit_dbm: Dbm
    dwell_s: Annotated[int, Range(0, 600)]
    help_s: Annotated[int, Range(10, 7_200)]
    help_escalate_s: Annotated[int, Range(5, 3_600)]


@dataclass(frozen=True, slots=True)
class Policy:
    """The two records that are in force together. Never on the wire as one."""

    main: MainPolicy
    store: StorePolicy
