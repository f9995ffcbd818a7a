"""Tells from a member's events how each matter stands, how long a refusal rests, and what happened when.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hq.ledger_proof import Status
from hq.state import (
    CLOSING,
    NO_NOTICE,
    REFUSAL_RESTS_S,
    Event,
    EventKind,
    channel_of,
    closes,
    closing_time,
    fold,
    grant_time,
    has_scopes,
    is_wide,
)
from wire.member import Statement


@dataclass(frozen=True, slots=True)
class Stand:
    """How one matter stands. `scope` None: the purpose has none; `store` None: the whole brand. Times: Unix seconds.

    `since_s` None: not known. `until_s` 0: of what is not given. `event` is the one that decides, 16 bytes.
    """

    purpose: str
    scope: str | None
    store: str | None
    brand: str | None
    status: Status
    since_s: int | None
    until_s: int
    event: bytes
    notice: bytes

    @property
    def channel(self) -> str | None:
        """Of contacts the channel."""
        return channel_of(self.purpose)

    @property
    def is_given(self) -> bool:
        """Whether it may be acted upon."""
        return self.status in (Status.GIVEN, Status.RENEWED)


def stands(events: Iterable[Event], now_s: int) -> tuple[Stand, ...]:
    """Every matter that a grant was ever about, and each refusal of a purpose by itself; what never was, is unknown."""
    once = sorted({one.id: one for one in events}.values(), key=lambda one: one.id)
    standing = fold(once)
    given: dict[tuple[str, str, str, str | None], list[Statement]] = {}
    for one in (*standing.statements, *standing.wide):
        for scope in one.scopes or ("",):
            given.setdefault((one.purpose, scope, one.store, standing.brands.get(one.event)), []).append(one)
    found = []
    for place, grants in sorted(_granted(once).items(), key=lambda one: (*one[0][:3], one[0][3] or "")):
        live = given.get(place)
        found.append(_ended(place, grants, once) if live is None else _live(place, live, grants, now_s))
    about = {(one.purpose, one.store, one.brand) for one in found}
    found += [one for one in _refused(once) if (one.purpose, one.store, one.brand) not in about]
    return tuple(found)


def is_given(
    events: Iterable[Event], purpose: str, now_s: int, *, brand: str | None = None, store: str | None = None,
    scope: str | None = None,
) -> bool:  # fmt: skip
    """Whether this is granted now. `scope` None: any of the purpose. What stands for a whole brand serves its stores.

    Not whether a store may act on it: mode, age and presence are judged by `hq.audience` and by the store.
    """
    of_it = [
        one
        for one in stands(events, now_s)
        if one.purpose == purpose
        and (brand is None or one.brand == brand)
        and (store is None or one.store in (store, None))
        and scope in (None, one.scope)
    ]
    return any(one.is_given for one in of_it)


def refused_until(
    events: Iterable[Event], purpose: str, *, brand: str | None = None, store: str | None = None,
    scope: str | None = None,
) -> int | None:  # fmt: skip
    """Until when nobody asks again for this, 90 days after the last refusal, Unix seconds; None: it was not refused.

    A refusal of more counts for its parts; a grant that was chosen later ends the rest. A refusal whose time is not
    known was made when it was recorded. The rest of one whose time is ahead of that, because what it ended was written
    by a faster clock, begins when it was recorded.
    """
    listed = list(events)
    refused = [
        (one.recorded_s if one.chosen_s is None else one.chosen_s, one.recorded_s)
        for one in listed
        if one.choice.kind is EventKind.REFUSAL and _covers(one, purpose, brand, store, scope)
    ]
    granted = [
        grant_time(one)
        for one in listed
        if one.choice.kind is EventKind.GRANT and one.choice.status is not Status.INVALIDATED
        and one.choice.purpose == purpose
        and (brand is None or one.choice.brand in (None, brand))
        and (store is None or not one.choice.stores or store in one.choice.stores)
        and (scope is None or scope in (one.choice.scopes or ()))
    ]  # fmt: skip
    agreed_s = max(granted, default=-1)
    rests = [min(chosen_s, recorded_s) for chosen_s, recorded_s in refused if chosen_s >= agreed_s]
    return max(rests) + REFUSAL_RESTS_S if rests else None


def history(events: Iterable[Event], now_s: int) -> list[dict[str, Any]]:
    """What was chosen and what ran out, oldest first, as plain values for JSON; instants are ISO 8601 in UTC."""
    return [row for _, row in told(events, now_s)]


def told(events: Iterable[Event], now_s: int) -> list[tuple[Event, dict[str, Any]]]:
    """The same, each with its event; what ran out with the event that granted it."""
    once = {one.id: one for one in events}.values()
    listed = sorted(once, key=lambda one: (_when(one), one.recorded_s, one.id))
    rows = [(_when(one), one, _past(one, _status(one, listed))) for one in listed]
    for one in listed:
        until_s = one.choice.until_s
        if one.choice.kind is EventKind.GRANT and until_s <= now_s and not _was_ended(one, listed):
            row = _past(one, Status.EXPIRED)
            rows.append((until_s, one, {**row, "chosen": None, "at": instant(until_s), "proof": None}))
    return [(one, row) for _, one, row in sorted(rows, key=lambda found: found[0])]


def instant(at_s: int) -> str:
    """ISO 8601 in UTC; far beyond the calendar it is the calendar's end."""
    return datetime.fromtimestamp(min(at_s, 253_402_300_799), UTC).isoformat(timespec="seconds")


def ends_before(one: Event, grant: Event) -> bool:
    """Whether all that a grant gives was given by another of the same instant too, and ended with that one."""
    first, second = one.choice, grant.choice
    return (
        first.kind is EventKind.GRANT
        and first.status is not Status.INVALIDATED
        and grant_time(one) == grant_time(grant)
        and (first.purpose, first.brand) == (second.purpose, second.brand)
        and set(first.stores or ("",)) >= set(second.stores or ("",))
        and set(first.scopes or ("",)) >= set(second.scopes or ("",))
        and (first.until_s, one.id) < (second.until_s, grant.id)
    )


def _granted(events: list[Event]) -> dict[tuple[str, str, str, str | None], list[Event]]:
    found: dict[tuple[str, str, str, str | None], list[Event]] = {}
    for one in events:
        choice = one.choice
        if choice.kind is not EventKind.GRANT:
            continue
        for store in choice.stores or (("",) if is_wide(choice.purpose or "") else ()):
            for scope in choice.scopes or ("",):
                found.setdefault((choice.purpose or "", scope, store, choice.brand), []).append(one)
    return found


def _live(
    place: tuple[str, str, str, str | None], live: list[Statement], grants: list[Event], now_s: int
) -> Stand:  # fmt: skip
    first = live[0]  # those of one instant tell the same
    again = [one for one in grants if grant_time(one) < (first.chosen_s if first.chosen_s is not None else -1)]
    status = Status.RENEWED if again else Status.GIVEN
    if first.until_s <= now_s:
        status = Status.EXPIRED
    return _stand(place, status, first.chosen_s, first.until_s, first.event, first.notice)


def _ended(place: tuple[str, str, str, str | None], grants: list[Event], events: list[Event]) -> Stand:
    purpose, scope, store, brand = place
    ends = [one for one in events if one.choice.kind in CLOSING and closes(one.choice, purpose, scope, store, brand)]
    if not ends:
        (*_, invalid) = grants
        return _stand(place, Status.INVALIDATED, invalid.chosen_s, 0, invalid.id, invalid.choice.notice)
    last = max(ends, key=lambda one: (closing_time(one), one.choice.kind is EventKind.WITHDRAWAL, one.id))
    status = Status.REFUSED if last.choice.kind is EventKind.REFUSAL else Status.WITHDRAWN
    return _stand(place, status, last.chosen_s, 0, last.id, last.choice.notice)


def _refused(events: list[Event]) -> Iterator[Stand]:
    last: dict[tuple[str, str, str | None], Event] = {}
    for one in events:
        choice = one.choice
        if choice.kind is EventKind.REFUSAL and choice.purpose is not None:
            for store in (() if is_wide(choice.purpose) else choice.stores) or ("",):
                key = (choice.purpose, store, choice.brand)
                last[key] = max(last.get(key, one), one, key=lambda found: (_when(found), found.id))
    for (purpose, store, brand), one in sorted(last.items(), key=lambda row: (row[0][:2], row[0][2] or "")):
        yield _stand((purpose, "", store, brand), Status.REFUSED, one.chosen_s, 0, one.id, one.choice.notice)


def _stand(
    place: tuple[str, str, str, str | None], status: Status, since_s: int | None, until_s: int, event: bytes,
    notice: bytes,
) -> Stand:  # fmt: skip
    purpose, scope, store, brand = place
    return Stand(purpose, scope or None, store or None, brand, status, since_s, until_s, event, notice)


def _covers(event: Event, purpose: str, brand: str | None, store: str | None, scope: str | None) -> bool:
    choice = event.choice  # as `closes` reads it
    return (
        choice.purpose == purpose
        and (choice.brand is None or brand is None or choice.brand == brand)
        and (not choice.stores or store in choice.stores or is_wide(purpose))
        and (not choice.scopes or scope in choice.scopes or not has_scopes(purpose))
    )


def _when(event: Event) -> int:
    return event.recorded_s if event.chosen_s is None else event.chosen_s


def _status(event: Event, listed: list[Event]) -> Status | None:
    """What an event said in its place: a grant of what had been granted before, and not ended since, is a renewal."""
    stated = event.choice.stated
    if stated is not Status.GIVEN:
        return stated
    before = [one for one in listed if one is not event and _when(one) < _when(event)
              and one.choice.kind is EventKind.GRANT and _same(one, event)]  # fmt: skip
    ended = [one for one in listed if one.choice.kind in CLOSING and _when(one) <= _when(event) and _ends(one, event)]
    last = max((_when(one) for one in before), default=None)
    renewed = last is not None and all(_when(one) < last for one in ended)
    return Status.RENEWED if renewed else Status.GIVEN


def _same(one: Event, other: Event) -> bool:
    """Whether both grants are about one matter at least."""
    first, second = one.choice, other.choice
    return (
        (first.purpose, first.brand) == (second.purpose, second.brand)
        and not set(first.stores or ("",)).isdisjoint(second.stores or ("",))
        and not set(first.scopes or ("",)).isdisjoint(second.scopes or ("",))
    )


def _ends(closing: Event, grant: Event) -> bool:
    choice = grant.choice
    return any(
        closes(closing.choice, choice.purpose or "", scope, store, choice.brand)
        for store in choice.stores or ("",)
        for scope in choice.scopes or ("",)
    )


def _was_ended(grant: Event, listed: list[Event]) -> bool:
    """Whether it had been ended, or granted anew, before it ran out, or ended with another of its instant."""
    until_s = grant.choice.until_s
    return grant.choice.status is Status.INVALIDATED or any(
        ends_before(one, grant)
        or (_when(grant) <= _when(one) < until_s and one.choice.kind in CLOSING and _ends(one, grant))
        or (_when(grant) < _when(one) < until_s and one.choice.kind is EventKind.GRANT and _same(one, grant))
        for one in listed
    )


def _past(event: Event, status: Status | None) -> dict[str, Any]:
    choice, proof = event.choice, event.proof
    return {
        "event": event.id.hex(),
        "at": instant(_when(event)),
        "chosen": None if event.chosen_s is None else instant(event.chosen_s),
        "recorded": instant(event.recorded_s),
        "kind": choice.kind.name.lower(),
        "status": None if status is None else status.value,
        "purpose": choice.purpose,
        "channel": channel_of(choice.purpose or ""),
        "scopes": None if choice.scopes is None else list(choice.scopes),
        "stores": None if choice.stores is None else list(choice.stores),
        "brand": choice.brand,
        "jurisdiction": choice.jurisdiction,
        "roles": list(choice.roles),
        "zones_excluded": list(choice.zones_excluded),
        "from": instant(choice.from_s) if choice.from_s else None,
        "until": instant(choice.until_s) if choice.until_s else None,
        "notice": None if choice.notice == NO_NOTICE else choice.notice.hex(),
        "policy_version": choice.policy_version or None,
        "mode": None if choice.mode is None else choice.mode.name.lower(),
        "name": None if choice.name_choice is None else choice.name_choice.name.lower(),
        "mute": None if choice.mute is None else {"what": choice.mute.what.name.lower(), "id": choice.mute.id},
        "method": event.method,
        "proof": {
            "by": proof.by.name.lower(),
            "by_reference": proof.by_reference,
            "notice_language": proof.notice_language,
            "notice_version": proof.notice_version,
            "purpose_version": proof.purpose_version,
            "surface": proof.surface,
            "evidence": None if proof.evidence is None else proof.evidence.name.lower(),
            "digest": None if proof.digest is None else proof.digest.hex(),
            "text": proof.text,
        },
    }
