"""Folds a member's consent events, in any order, into what stands now.

Of two choices about the same purpose, scope and store the one with the later time of choice wins; where the times are
equal, unknown or in the future, the withdrawal. "In the future" is judged by the time
of recording, so that waiting never turns a doubtful grant into a good one.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

from wire.member import MOST_MUTES, Mode, Muted, Name, NameChoice, Scope, Seconds, State, Statement
from wire.schema import Count, Range, Size, exactly

PRESENCE = "presence"
WITHOUT_SCOPE = frozenset({PRESENCE, "insight"})  # purposes about the visit itself, not about a value
NO_NOTICE = bytes(32)
DEFAULT_MODE = Mode.HELP
DEFAULT_NAME = NameChoice.INVITED
_ALWAYS = 2**62  # later than every time of choice
_UNKNOWN = -1  # earlier than every time of choice
_WHOLE = ""  # stands for the scope in a grant that names none, such as presence


class EventKind(IntEnum):
    """What a consent event is about."""

    GRANT = 1
    WITHDRAWAL = 2
    MODE = 3
    NAME = 4
    MUTE = 5
    UNMUTE = 6


@dataclass(frozen=True, slots=True)
class Choice:
    """What the member chose, as it is kept for good.

    Of a withdrawal `purpose`, `scopes` and `stores` None mean all. Of a grant all are named, and the rest tells its
    conditions; `notice` is the SHA-256 of the text that was shown.
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


@dataclass(frozen=True, slots=True)
class Event:
    """One consent event. `chosen_s` None: the time of choice is not known. `id` is 16 bytes, once in the world."""

    id: bytes
    method: str
    chosen_s: int | None
    recorded_s: int
    choice: Choice


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands: the statements per store, with those of a grant that named one scope only marked as `own`."""

    mode: Mode
    name_choice: NameChoice
    statements: tuple[Statement, ...]
    own: frozenset[bytes]  # ids of the events that named one scope only: what a special category needs
    mutes: tuple[Muted, ...] = ()  # ascending; of more than a record bears those muted last

    def stores(self) -> frozenset[str]:
        """The stores that may recognise the member, now or at some later time."""
        return frozenset(one.store for one in self.statements if one.purpose == PRESENCE)


def fold(events: Iterable[Event]) -> Standing:
    """What stands after these events; their order and repetition do not matter."""
    once = sorted({one.id: one for one in events}.values(), key=lambda one: one.id)
    grants = [one for one in once if one.choice.kind is EventKind.GRANT]
    withdrawals = [one for one in once if one.choice.kind is EventKind.WITHDRAWAL]
    best = _latest_times(grants)
    statements = []
    for grant in grants:
        choice = grant.choice
        for store in choice.stores or ():
            scopes = [
                scope
                for scope in choice.scopes or (_WHOLE,)
                if best[choice.purpose, scope, store] == _grant_time(grant)
                and not _is_withdrawn(grant, scope, store, withdrawals)
            ]
            if scopes:
                statements.append(_statement(grant, store, tuple(scope for scope in scopes if scope != _WHOLE)))
    statements.sort(key=lambda one: (one.store, one.purpose, one.scopes, one.event))
    return Standing(
        mode=_latest_mode(once),
        name_choice=_latest_name(once),
        statements=tuple(statements),
        own=frozenset(one.id for one in grants if len(one.choice.scopes or ()) <= 1),
        mutes=_latest_mutes(once),
    )


def _grant_time(grant: Event) -> int:
    """A grant's time of choice; unknown, or after it was recorded, is before everything."""
    known = grant.chosen_s is not None and grant.chosen_s <= grant.recorded_s
    return grant.chosen_s if known and grant.chosen_s is not None else _UNKNOWN


def _latest_times(grants: list[Event]) -> dict[tuple[str | None, str, str], int]:
    """The latest time of choice of each matter. Grants of one instant stand together: each of them has to allow."""
    best: dict[tuple[str | None, str, str], int] = {}
    for grant in grants:
        for store in grant.choice.stores or ():
            for scope in grant.choice.scopes or (_WHOLE,):
                place = (grant.choice.purpose, scope, store)
                best[place] = max(best.get(place, _UNKNOWN), _grant_time(grant))
    return best


def _is_withdrawn(grant: Event, scope: str, store: str, withdrawals: list[Event]) -> bool:
    return any(
        (one.choice.purpose is None or one.choice.purpose == grant.choice.purpose)
        and (one.choice.scopes is None or scope in one.choice.scopes or one.choice.purpose == PRESENCE)
        and (one.choice.stores is None or store in one.choice.stores)
        and (_ALWAYS if one.chosen_s is None else one.chosen_s) >= _grant_time(grant)
        for one in withdrawals
    )


def _statement(grant: Event, store: str, scopes: tuple[str, ...]) -> Statement:
    choice = grant.choice
    return Statement(
        state=State.GIVEN,
        purpose=choice.purpose or "",
        scopes=scopes,
        store=store,
        roles=choice.roles,
        zones_excluded=choice.zones_excluded,
        from_s=choice.from_s,
        until_s=choice.until_s,
        chosen_s=None if _grant_time(grant) == _UNKNOWN else grant.chosen_s,
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


def _switch_time(event: Event, closes: bool) -> int:
    if closes:
        return _ALWAYS if event.chosen_s is None else event.chosen_s
    return _grant_time(event)


def _latest_mutes(events: list[Event]) -> tuple[Muted, ...]:
    """What is muted; where the times of mute and taking back are equal, unknown or in the future, the mute stands."""
    muted: dict[Muted, int] = {}
    freed: dict[Muted, int] = {}
    for one in events:
        if one.choice.mute is not None:
            closes = one.choice.kind is EventKind.MUTE
            times = muted if closes else freed
            times[one.choice.mute] = max(times.get(one.choice.mute, _UNKNOWN), _switch_time(one, closes))
    ranked = [(-time, one.what, one.id) for one, time in muted.items() if time >= freed.get(one, _UNKNOWN)]
    return tuple(Muted(what, name) for what, name in sorted(found[1:] for found in sorted(ranked)[:MOST_MUTES]))
