"""Whether a member may be contacted now: consent, mutes, guards, how often, and quiet hours; each no has its reason.

A brand's rules are data (`consentry-hq contacts rules`). What nobody set is as careful as `DEFAULT`.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hq.errors import Reason, Refused
from wire.catalog import CatalogGroup, CatalogItem
from wire.flags import ONLY_IF_BOUGHT, category, guarding, is_for_all
from wire.items import MuteKind
from wire.member import Muted, Name
from wire.schema import Count, Range

DAY_MS = 86_400_000
EVERY_CHANNEL = "all"
LONGEST_DAYS = 31
_DAY_MIN = 1440
_FORM = "tables [caps.CHANNEL] or [caps.all] with day, week, month; quiet_from, quiet_until; quiet_channels"


class Denied(StrEnum):
    """Why a contact is not to be made."""

    CONSENT = "consent"
    MUTE = "mute"
    GUARD = "guard"
    CAP = "frequency-cap"
    QUIET = "quiet-hours"


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many contacts in so many days, by this channel; `EVERY_CHANNEL`: by all together."""

    channel: Name
    days: Annotated[int, Range(1, LONGEST_DAYS)]
    most: Annotated[int, Range(0, 1000)]


@dataclass(frozen=True, slots=True)
class Rules:
    """One brand's. Quiet from and until are minutes after local midnight, and over midnight where from is later."""

    caps: Annotated[tuple[Cap, ...], Count(64)]
    quiet_from_min: Annotated[int, Range(0, _DAY_MIN)]
    quiet_until_min: Annotated[int, Range(0, _DAY_MIN)]
    quiet_channels: Annotated[tuple[Name, ...], Count(16)]


DEFAULT = Rules(
    caps=(Cap(EVERY_CHANNEL, 1, 1), Cap(EVERY_CHANNEL, 7, 3)),
    quiet_from_min=20 * 60,
    quiet_until_min=8 * 60,
    quiet_channels=("email", "phone", "push", "sms"),
)


def of_table(table: Mapping[str, Any]) -> Rules:
    """The rules that somebody wrote as TOML.

    Raises:
        Refused: another form.
    """
    if not set(table) <= {"caps", "quiet_from", "quiet_until", "quiet_channels"}:
        raise Refused(Reason.MALFORMED, "", _FORM)
    caps = []
    listed = table.get("caps", {})
    if not isinstance(listed, dict):
        raise Refused(Reason.MALFORMED, "caps", _FORM)
    for channel, spans in listed.items():
        if not isinstance(spans, dict) or not set(spans) <= _SPANS.keys() or not 1 <= len(channel) <= 64:
            raise Refused(Reason.MALFORMED, "caps", _FORM)
        for span, most in spans.items():
            if type(most) is not int or not 0 <= most <= 1000:
                raise Refused(Reason.MALFORMED, f"caps.{span}", "a whole number from 0 to 1000")
            caps.append(Cap(channel, _SPANS[span], most))
    channels = table.get("quiet_channels", list(DEFAULT.quiet_channels))
    if not isinstance(channels, list) or not all(isinstance(one, str) and 1 <= len(one) <= 64 for one in channels):
        raise Refused(Reason.MALFORMED, "quiet_channels", "a list of channels")
    return Rules(
        tuple(caps) or DEFAULT.caps,
        _minutes(table, "quiet_from", DEFAULT.quiet_from_min),
        _minutes(table, "quiet_until", DEFAULT.quiet_until_min),
        tuple(channels),
    )


_SPANS = {"day": 1, "week": 7, "month": 31}


def _minutes(table: Mapping[str, Any], key: str, missing: int) -> int:
    found = table.get(key)
    if found is None:
        return missing
    hour, _, minute = found.partition(":") if isinstance(found, str) else ("", "", "")
    if not (len(found) == 5 and hour.isdecimal() and minute.isdecimal() and int(hour) < 24 and int(minute) < 60):
        raise Refused(Reason.MALFORMED, key, "a time of day such as 20:00")
    return int(hour) * 60 + int(minute)


@dataclass(frozen=True, slots=True)
class Content:
    """What is in a category or theme: the categories and themes of its items, itself among them, and all flags."""

    about: set[Muted]
    flags: set[str]


def compared(one: Muted) -> Muted:
    """A category or theme by the name that is compared (`wire.flags.category`): a slip must not open. Items as is."""
    return one if one.what is MuteKind.ITEM else Muted(one.what, category(one.id))


def contents(told: Iterable[CatalogItem | CatalogGroup]) -> dict[Muted, Content]:
    """What is in each category and theme in which an item is, by its compared name."""
    found: dict[Muted, Content] = {}
    own: dict[Muted, set[str]] = {}
    for one in told:
        if isinstance(one, CatalogGroup):
            own.setdefault(compared(Muted(MuteKind(one.what.value), one.id)), set()).update(one.flags)
            continue
        about = _groups(one)
        for each in about:
            held = found.setdefault(each, Content(set(), set()))
            held.about.update(about)
            held.flags.update(one.flags)
    for held in found.values():
        held.flags.update(flag for each in held.about for flag in own.get(each, ()))
    return found


def of_mutes(
    mutes: Iterable[Muted],
    items: Mapping[str, CatalogItem | None],
    named: Mapping[Muted, Content | None],
    muted: Iterable[CatalogItem],
) -> Denied | None:
    """Whether the member muted anything an offer is about: items, the groups that it names, and all that is in these.

    `muted`: what the catalogs say of the items among the mutes; needed only where groups are named.
    """
    groups = {compared(one) for one in named}
    if any(not groups.isdisjoint(_groups(one)) for one in muted):
        return Denied.MUTE
    about = set(groups)
    for content in named.values():
        about.update(content.about if content is not None else ())
    for name, item in items.items():
        about.add(Muted(MuteKind.ITEM, name))
        about.update(_groups(item) if item is not None else ())
    return Denied.MUTE if about & {compared(one) for one in mutes} else None


def _groups(item: CatalogItem) -> set[Muted]:
    found = {compared(Muted(MuteKind.CATEGORY, one)) for one in item.path}
    return found | {compared(Muted(MuteKind.THEME, one)) for one in item.themes}


def is_guarded(flags: Iterable[str]) -> bool:
    """Whether what bears these flags is offered to nobody."""
    return bool(guarding(flags) - {ONLY_IF_BOUGHT})


def of_groups(named: Iterable[Content | None]) -> Denied | None:
    """Whether a group may be offered to nobody as a whole: it holds what any flag guards, or no catalog knows it.

    `only_if_bought` counts for everybody: nobody has bought all that a group holds, and will hold.
    """
    return Denied.GUARD if any(one is None or not is_for_all(one.flags) for one in named) else None


def of_guards(items: Mapping[str, CatalogItem | None], bought: AbstractSet[str]) -> Denied | None:
    """Whether an item may not be offered to this member: by its flags, or because no catalog knows it."""
    for name, item in items.items():
        if item is None or is_guarded(item.flags):
            return Denied.GUARD
        if guarding(item.flags) and name not in bought:
            return Denied.GUARD
    return None


def of_caps(rules: Rules, channel: str, before: Sequence[tuple[str, int]], now_ms: int) -> int | None:
    """Until when the member is not to be contacted, Unix milliseconds; None: now is fine.

    `before`: channel and time of each contact that was made or is being made.
    """
    waits = []
    for cap in rules.caps:
        if cap.channel not in (channel, EVERY_CHANNEL):
            continue
        since_ms = now_ms - cap.days * DAY_MS
        made = sorted(at for by, at in before if cap.channel in (by, EVERY_CHANNEL) and at > since_ms)
        if len(made) >= cap.most:
            # When so many have passed out of the span that one more fits; where none ever does, the span's end.
            waits.append((made[len(made) - cap.most] if cap.most and made else now_ms) + cap.days * DAY_MS)
    return max(waits, default=None)


def is_zone(name: str) -> bool:
    """Whether this is the name of a time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def of_hours(rules: Rules, channel: str, zone: str, now_ms: int) -> int | None:
    """Until when it is quiet where the member is, Unix milliseconds; None: it is not. `zone` is one that `is_zone`."""
    if channel not in rules.quiet_channels or rules.quiet_from_min == rules.quiet_until_min:
        return None
    local = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(zone))
    minute = local.hour * 60 + local.minute
    begins, ends = rules.quiet_from_min, rules.quiet_until_min
    is_quiet = begins <= minute < ends if begins < ends else minute >= begins or minute < ends
    if not is_quiet:
        return None
    day = local.date() + timedelta(days=1 if minute >= ends else 0)
    until = datetime(day.year, day.month, day.day, ends // 60 % 24, ends % 60, tzinfo=local.tzinfo)
    return int(until.timestamp() * 1000)
