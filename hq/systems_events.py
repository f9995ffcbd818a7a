"""Takes what members did elsewhere: an item viewed, saved, or left in the basket; only with a live grant for it.

    {"member": "m-1", "kind": "saved", "item": "b-12", "label": "Boots", "at": "2026-11-01T10:00:00Z"}

Each kind goes into one list of the profile, the newest first. A list that the member corrected keeps what they said.
With each new entry those go that no policy lets a store show any more. Where a profile grows too large the oldest
entries of these lists are left out.

I/O: sqlalchemy.
"""

from dataclasses import replace
from enum import Enum

from sqlalchemy import Engine

from consent.listed import is_too_old
from hq import door, ledger, membership, publication
from hq.database import writing
from hq.errors import Reason, Refused
from hq.keys import Keys
from hq.office import all_policies
from hq.purchases_told import SURFACE, longest_days
from hq.state import fold
from hq.systems import System
from hq.systems_intake import Reach, Taken, problem
from hq.systems_line import Line, Row
from wire import schema
from wire.member import Field, Item, SourceClass, Value, ValueClass

_MOST_ITEMS = 64


class Kind(Enum):
    """What happened, and the scope of the list that it goes into."""

    VIEWED = "viewed.online"
    SAVED = "wishlist"
    ABANDONED = "basket.online"


def take(engine: Engine, keys: Keys, system: System, batch: list[Line], now_ms: int) -> Taken:
    """One transaction. Raises: DatabaseUnavailable."""
    now_s = now_ms // 1000
    with writing(engine) as connection:
        reach = Reach(connection, system)
        kept_days = longest_days(all_policies(connection))
        named = {str(one.said.get("member", "")) for one in batch}
        references, locked = membership.lock_named(connection, keys.custody, named)
        standing = {one: fold(events) for one, events in ledger.of_members(connection, locked).items()}
        held = membership.fields(connection, locked)
        gone = membership.gone(connection, locked)
        before = {one: {each.scope: each for each in held.get(one, ())} for one in locked}
        after = {one: dict(found) for one, found in before.items()}
        refused, new = [], 0
        for line in batch:
            try:
                row = Row(line.said, "member kind item label quantity at")
                reference = references.get(row.text("member", most_bytes=64))
                if reference is None or reference not in locked:
                    raise row.wrong("member", "the id of a member", Reason.UNKNOWN_MEMBER)
                reach.check_age(locked[reference].about, "member")
                scope = row.word("kind", Kind).value
                at_s = row.past("at", now_s)
                quantity = row.whole("quantity", 1, 100_000, 1)
                item = Item(row.text("item", most_bytes=64), row.text("label"), at_s, quantity, False)
                reach.check_scope(standing[reference], scope, "kind", now_s)
                if is_too_old(at_s, reach.retention_days(scope), now_s):
                    raise Refused(Reason.ALREADY_OVER, "at", "what policy lets HQ keep for longer")
                if at_s <= max(gone[reference].get((scope, one), -1) for one in ("", item.item)):
                    raise Refused(Reason.DELETED, "at", "what happened after the member deleted it")
                found = _with(after[reference].get(scope), scope, item, system, kept_days.get(scope, 0), now_s)
                new += found != after[reference].get(scope)
                after[reference][scope] = found
            except Refused as error:
                refused.append(problem(line, error))
        fitting = {one: _fitting(found) for one, found in after.items() if found != before[one]}
        changed = {one: found.values() for one, found in fitting.items() if found != before[one]}
        membership.put_fields(connection, locked, changed)
        publication.refresh(connection, keys, {one: locked[one] for one in changed}, now_ms)
        return Taken(new, refused)


def _with(held: Field | None, scope: str, item: Item, system: System, kept_days: int, now_s: int) -> Field:
    """The list with this item, in the place of the same item before it, and without what is older than `kept_days`.

    What has no time of its own gets that of its list, which is another from now on.
    """
    if held is None or held.value.items is None:
        made = Value(items=(item,))
        return Field(scope, made, SourceClass.FIRST, system.id, ValueClass.ENGAGEMENT, item.at_s or 0, item.at_s or 0)
    timed = [one if one.at_s is not None else replace(one, at_s=held.confirmed_s) for one in held.value.items]
    if any(one.item == item.item and (one.at_s or 0) >= (item.at_s or 0) for one in timed):
        return held
    others = [one for one in timed if one.item != item.item and not is_too_old(one.at_s, kept_days, now_s)]
    listed = sorted([item, *others], key=lambda one: (-(one.at_s or 0), one.item))[:_MOST_ITEMS]
    latest_s = max(held.confirmed_s, item.at_s or 0)
    if tuple(listed) == held.value.items:
        return held
    return replace(held, value=Value(items=tuple(listed)), confirmed_s=latest_s)


def _fitting(held: dict[str, Field]) -> dict[str, Field]:
    """A profile without the oldest entries of these lists, as many as are too much."""
    found = dict(held)
    size_bytes = {scope: len(schema.encode(one)) for scope, one in found.items()}
    while sum(size_bytes.values()) > door.MAX_PROFILE_BYTES:
        entries = [
            (one.at_s or 0, scope, one.item)
            for scope in {kind.value for kind in Kind} & found.keys()
            for one in (found[scope].value.items or () if found[scope].surface != SURFACE else ())
        ]
        if not entries:
            break
        _, scope, gone = min(entries)
        left = tuple(one for one in found[scope].value.items or () if one.item != gone)
        if left:
            found[scope] = replace(found[scope], value=Value(items=left))
            size_bytes[scope] = len(schema.encode(found[scope]))
        else:
            del found[scope], size_bytes[scope]
    return found
