"""Folds a member's consent events, in any order, into what stands now.

Of two choices about the same purpose, scope and store the one with the later time of choice wins; where the times are
equal, unknown or in the future, the withdrawal. "In the future" is judged by the time
of recording, so that waiting never turns a doubtful grant into a good one. Of several grants of one instant each tells
what all of them allow, so that no later moment, and no reader, finds one that stands alone.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Annotated

from hq.ledger_proof import BY_THE_MEMBER, Proof, Status
from wire.items import MuteKind
from wire.member import MOST_MUTES, Mode, Muted, Name, NameChoice, Scope, Seconds, State, Statement
from wire.schema import Count, Range, Size, exactly

PRESENCE = "presence"
MEDIA = "media"
CONTACT = "contact."  # of purposes such as contact.email; the channel follows
WITHOUT_SCOPE = frozenset({PRESENCE, "insight"})  # purposes about the visit itself, not about a value
REFUSAL_RESTS_S = 90 * 86_400  # so long nobody asks again
NO_NOTICE = bytes(32)
DEFAULT_MODE = Mode.HELP
DEFAULT_NAME = NameChoice.INVITED
_ALWAYS = 2**62  # later than every time of choice
_UNKNOWN = -1  # earlier than every time of choice
_WHOLE = ""  # stands for the scope in a grant that names none, such as presence
_MOST_ZONES = 64  # that a choice and a statement hold


class EventKind(IntEnum):
    """What a consent event is about."""

    GRANT = 1
    WITHDRAWAL = 2
    MODE = 3
    NAME = 4
    MUTE = 5
    UNMUTE = 6
    REFUSAL = 7  # the member was asked and said no; ends what stands as a withdrawal does


@dataclass(frozen=True, slots=True)
class Choice:
    """What the member chose, as it is kept for good.

    Of a withdrawal or a refusal `purpose`, `scopes`, `stores` and `brand` None mean all. Of a grant all are named, and
    the rest tells its conditions; `notice` is the SHA-256 of the text that was shown. A grant that names no store is
    for the whole brand, and no store is told of it: contacts and media. A brand is the name of a policy, a
    jurisdiction that of the stores. `status` None: what the kind says.
    """

    kind: EventKind
    purpose: Name | None = None
    scopes: Annotated[tuple[Scope, ...], Count(64)] | None = None
    stores: Annotated[tuple[Annotated[str, Size(1, 40)], ...], Count(50)] | None = None
    roles: Annotated[tuple[Name, ...], Count(16)] = ()
    zones_excluded: Annotated[tuple[Name, ...], Count(64)] = ()
    from_s: Seconds = 0
    until_s: Seconds = 0
    notice: Annotated[bytes, exactly(32)] = NO_NOTICE
    policy_version: Annotated[int, Range(0, 2**32)] = 0
    mode: Mode | None = None
    name_choice: NameChoice | None = None
    mute: Muted | None = None  # of a mute and of its taking back
    brand: Annotated[str, Size(1, 40)] | None = None
    jurisdiction: Annotated[str, Size(0, 16)] | None = None
    status: Status | None = None

    @property
    def stated(self) -> Status | None:
        """What it says of its purpose; None: it is about mode, name or a mute."""
        return self.status or _STATED.get(self.kind)


_STATED = {
    EventKind.GRANT: Status.GIVEN,
    EventKind.WITHDRAWAL: Status.WITHDRAWN,
    EventKind.REFUSAL: Status.REFUSED,
}
CLOSING = frozenset({EventKind.WITHDRAWAL, EventKind.REFUSAL})


def is_closing(choice: Choice) -> bool:
    """Whether it takes something away: also the switch to quiet, a name that is never shown, and a mute."""
    return (
        choice.kind in CLOSING
        or choice.kind is EventKind.MUTE
        or choice.mode is Mode.QUIET
        or choice.name_choice is NameChoice.NEVER
    )


def channel_of(purpose: str) -> str | None:
    """The channel of a purpose about contacts; None of others."""
    return purpose.removeprefix(CONTACT) if purpose.startswith(CONTACT) else None


def is_wide(purpose: str) -> bool:
    """Whether a purpose is about the brand as a whole, so that no store has to be named."""
    return purpose == MEDIA or purpose.startswith(f"{MEDIA}.") or channel_of(purpose) is not None


def has_scopes(purpose: str) -> bool:
    """Whether a purpose is about values, so that its grants name scopes."""
    return not (is_wide(purpose) or purpose in WITHOUT_SCOPE)


@dataclass(frozen=True, slots=True)
class Event:
    """One consent event. `chosen_s` None: the time of choice is not known. `id` is 16 bytes, once in the world."""

    id: bytes
    method: str
    chosen_s: int | None
    recorded_s: int
    choice: Choice
    proof: Proof = BY_THE_MEMBER


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands: the statements per store, with those of a grant that named one scope only marked as `own`.

    A statement's roles, zones and times are those that every grant of its instant on the same matter allows.
    `wide`: those for a whole brand, their store empty. `brands`: of which brand each event is, where it is said.
    """

    mode: Mode
    name_choice: NameChoice
    statements: tuple[Statement, ...]
    own: frozenset[tuple[bytes, str]]  # events with a store, where they and those of their instant name one scope only
    mutes: tuple[Muted, ...] = ()  # ascending; of more than a record bears those muted last
    wide: tuple[Statement, ...] = ()
    brands: Mapping[bytes, str] = field(default_factory=dict)

    def of_brand(self, event: bytes, brand: str) -> bool:
        """Whether a grant, by its event, may serve this brand."""
        return self.brands.get(event, brand) == brand

    def is_own(self, one: Statement) -> bool:
        """Whether all that is said on it is about one scope only: what a special category needs."""
        return (one.event, one.store) in self.own

    def stores(self) -> frozenset[str]:
        """The stores that may recognise the member, now or at some later time."""
        return frozenset(one.store for one in self.statements if one.purpose == PRESENCE)


def fold(events: Iterable[Event]) -> Standing:
    """What stands after these events; their order and repetition do not matter."""
    once = sorted({one.id: one for one in events}.values(), key=lambda one: one.id)
    grants = [one for one in once if one.choice.kind is EventKind.GRANT and one.choice.status is not Status.INVALIDATED]
    closing = [one for one in once if one.choice.kind in CLOSING]
    best = _latest_times(grants)
    standing = []
    for grant in grants:
        for store in _stores(grant.choice):
            scopes = [
                scope
                for scope in grant.choice.scopes or (_WHOLE,)
                if best[_place(grant, scope, store)] == grant_time(grant)
                and not _is_closed(grant, scope, store, closing)
            ]
            if scopes:
                standing.append((grant, store, scopes))
    beside = _beside(standing)
    statements, own = [], set()
    for grant, store, scopes in standing:
        narrowed: dict[Choice, list[str]] = {}
        is_own = True
        for scope in scopes:
            siblings = _siblings(grant, beside[_instant(grant, scope, store)])
            narrowed.setdefault(_narrowed(grant.choice, siblings), []).append(scope)
            is_own = is_own and all(len(one.scopes or ()) <= 1 for one in siblings)
        for choice, some in narrowed.items():
            named = tuple(scope for scope in some if scope != _WHOLE)
            statements.append(_statement(grant, choice, store, named))
        if is_own:
            own.add((grant.id, store))
    statements.sort(key=lambda one: (one.store, one.purpose, one.scopes, one.event))
    return Standing(
        mode=_latest_mode(once),
        name_choice=_latest_name(once),
        statements=tuple(one for one in statements if one.store),
        own=frozenset(own),
        mutes=_latest_mutes(once),
        wide=tuple(one for one in statements if not one.store),
        brands={one.id: one.choice.brand for one in grants if one.choice.brand is not None},
    )


def grant_time(grant: Event) -> int:
    """A grant's time of choice; unknown, or after it was recorded, is before everything (-1)."""
    known = grant.chosen_s is not None and grant.chosen_s <= grant.recorded_s
    return grant.chosen_s if known and grant.chosen_s is not None else _UNKNOWN


def closing_time(event: Event) -> int:
    """The time of choice of what closes something; unknown is after everything."""
    return _ALWAYS if event.chosen_s is None else event.chosen_s


def _stores(choice: Choice) -> tuple[str, ...]:
    """What a grant is for; of one for a whole brand the empty name."""
    return choice.stores or (("",) if choice.brand is not None and is_wide(choice.purpose or "") else ())


def _place(grant: Event, scope: str, store: str) -> tuple[str | None, str, str, str | None]:
    return grant.choice.purpose, scope, store, grant.choice.brand


def _latest_times(grants: list[Event]) -> dict[tuple[str | None, str, str, str | None], int]:
    """The latest time of choice of each matter."""
    best: dict[tuple[str | None, str, str, str | None], int] = {}
    for grant in grants:
        for store in _stores(grant.choice):
            for scope in grant.choice.scopes or (_WHOLE,):
                place = _place(grant, scope, store)
                best[place] = max(best.get(place, _UNKNOWN), grant_time(grant))
    return best


def _instant(grant: Event, scope: str, store: str) -> tuple[str | None, str, str, int]:
    return grant.choice.purpose, scope, store, grant_time(grant)


def _beside(standing: Iterable[tuple[Event, str, list[str]]]) -> dict[tuple[str | None, str, str, int], list[Event]]:
    """Of what stands, the grants that were chosen in one instant on one matter, whatever their brands."""
    found: dict[tuple[str | None, str, str, int], list[Event]] = {}
    for grant, store, scopes in standing:
        for scope in scopes:
            found.setdefault(_instant(grant, scope, store), []).append(grant)
    return found


def _siblings(grant: Event, beside: list[Event]) -> list[Choice]:
    """What stands together with a grant, itself too: of the same brand, or where it is not said of either."""
    mine = grant.choice.brand
    return [one.choice for one in beside if one.choice.brand == mine or mine is None or one.choice.brand is None]


def _narrowed(choice: Choice, siblings: list[Choice]) -> Choice:
    """What a grant and all that stand together with it allow; one that stands alone is as it was given."""
    if len(siblings) == 1:
        return choice
    roles = tuple(role for role in choice.roles if all(role in one.roles for one in siblings))
    zones = tuple(dict.fromkeys(zone for one in (choice, *siblings) for zone in one.zones_excluded))
    is_bearable = len(zones) <= _MOST_ZONES
    return replace(
        choice,
        roles=roles if is_bearable else (),  # to nobody, rather than in a zone that one of them excludes
        zones_excluded=zones if is_bearable else choice.zones_excluded,
        from_s=max(one.from_s for one in siblings),
        until_s=min(one.until_s for one in siblings),
        policy_version=max(one.policy_version for one in siblings),
    )


def _is_closed(grant: Event, scope: str, store: str, closing: list[Event]) -> bool:
    return any(
        closes(one.choice, grant.choice.purpose or "", scope, store, grant.choice.brand)
        and closing_time(one) >= grant_time(grant)
        for one in closing
    )


def closes(choice: Choice, purpose: str, scope: str, store: str, brand: str | None) -> bool:
    """Whether a withdrawal or refusal, whenever it was, is about this; of the brand unknown on either side it is.

    Events are for good, and older ones are worded as the door let them pass then: scopes beside a purpose that has
    none, a store beside one that is for a whole brand, an empty list for all. What they name of that purpose, ends.
    """
    is_named = choice.purpose is not None
    return (
        (not is_named or choice.purpose == purpose)
        and (not choice.scopes or scope in choice.scopes or (is_named and not has_scopes(purpose)))
        and (not choice.stores or store in choice.stores or (is_named and not store))
        and (choice.brand is None or brand is None or choice.brand == brand)
    )


def _statement(grant: Event, choice: Choice, store: str, scopes: tuple[str, ...]) -> Statement:
    return Statement(
        state=State.GIVEN,
        purpose=choice.purpose or "",
        scopes=scopes,
        store=store,
        roles=choice.roles,
        zones_excluded=choice.zones_excluded,
        from_s=choice.from_s,
        until_s=choice.until_s,
        chosen_s=None if grant_time(grant) == _UNKNOWN else grant.chosen_s,
        notice=choice.notice,
        event=grant.id,
        policy_version=choice.policy_version,
    )


def _latest_mode(events: list[Event]) -> Mode:
    """The mode chosen last; where times are equal, unknown or in the future, the quieter one."""
    ranked = [(_switch_time(one, one.choice.mode is Mode.QUIET), -one.choice.mode, one.choice.mode)
              for one in events if one.choice.mode is not None]  # fmt: skip
    return max(ranked)[2] if ranked else DEFAULT_MODE


def _latest_name(events: list[Event]) -> NameChoice:
    ranked = [(_switch_time(one, one.choice.name_choice is NameChoice.NEVER), -one.choice.name_choice,
               one.choice.name_choice) for one in events if one.choice.name_choice is not None]  # fmt: skip
    return max(ranked)[2] if ranked else DEFAULT_NAME


def _switch_time(event: Event, closing: bool) -> int:
    return closing_time(event) if closing else grant_time(event)


def _latest_mutes(events: list[Event]) -> tuple[Muted, ...]:
    """What is muted; where the times of mute and taking back are equal, unknown or in the future, the mute stands."""
    muted: dict[Muted, int] = {}
    freed: dict[Muted, int] = {}
    for one in events:
        if one.choice.mute is not None:
            is_mute = one.choice.kind is EventKind.MUTE
            times = muted if is_mute else freed
            times[one.choice.mute] = max(times.get(one.choice.mute, _UNKNOWN), _switch_time(one, is_mute))
    # Of too many what covers most, and of that what was muted last.
    ranked = [(_NARROW[one.what], -time, one) for one, time in muted.items() if time >= freed.get(one, _UNKNOWN)]
    ranked.sort(key=lambda found: (*found[:2], found[2].id))
    return tuple(sorted((one for *_, one in ranked[:MOST_MUTES]), key=lambda one: (one.what, one.id)))


_NARROW = {MuteKind.THEME: 0, MuteKind.CATEGORY: 1, MuteKind.ITEM: 2}
