"""What a member sees and does with the values of the profile: each with its source and dates; correct, confirm, delete.

What the member says is their own word: the source class of a corrected value is zero, from the day of the correction.

I/O: sqlalchemy.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from hq import choices, choosing, membership, office, profile_age, publication, purchases, purchases_told
from hq.audience import DAY_S, value_type
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.keys import Keys
from hq.membership import Gone, Locked
from hq.office import Office
from hq.purchases_told import scope_of
from wire.member import Field, SourceClass, Value, ValueClass
from wire.policy import ScopeRule, Section, ValueType


@dataclass(frozen=True, slots=True, repr=False)
class Own:
    """One value. `stale`: last confirmed longer ago than policy allows, so no store shows it.

    `editable`: the member may put another in its place; what tills and shops recorded is deleted, or marked, instead.
    """

    scope: str
    label: str
    type: ValueType
    special: str
    section: Section
    field: Field
    stale: bool
    editable: bool


def of_member(connection: Connection, keys: Keys, member: str, now_ms: int) -> list[Own]:
    """All values of one member, in the policies' order. Raises: Refused."""
    one = choices.opened(connection, keys, member)
    held = {field.scope: field for field in _fields(connection, one)}
    rules = declared(connection)
    known = [rules[scope] for scope in rules if scope in held]
    # What no policy declares any more is the member's to see and delete all the same.
    lost = [_undeclared(field) for field in held.values() if field.scope not in rules]
    return [_own(rule, held[rule.id], now_ms // 1000) for rule in (*known, *lost)]


def is_kept(connection: Connection, keys: Keys, member: str) -> bool:
    """Whether a profile of this member is kept; else what is still there is shown to nobody. Raises: Refused."""
    return profile_age.may_keep(choices.opened(connection, keys, member).about, office.all_policies(connection))


def declared(connection: Connection) -> dict[str, ScopeRule]:
    """What the policies declare, by scope: of two that declare one scope the shorter retention."""
    found: dict[str, ScopeRule] = {}
    for main in office.all_policies(connection):
        for rule in main.scopes:
            known = found.get(rule.id)
            if known is None or rule.retention_days < known.retention_days:
                found[rule.id] = rule
    return found


def correct(counter: Office, member: str, scope: str, value: Value, now_ms: int, method: str) -> None:
    """The member's own word in place of what stood there. Raises: Refused."""
    now_s = now_ms // 1000
    with writing(counter.engine) as connection:
        one = choosing.lock(connection, counter, member)
        rule = declared(connection).get(scope)
        if rule is None:
            raise Refused(Reason.UNDECLARED_SCOPE, "scope", "a scope that a policy declares")
        if not _is_editable(rule):
            raise Refused(Reason.WRONG_TYPE, scope, "nothing: what was bought is marked or deleted, not rewritten")
        field = Field(scope, value, SourceClass.ZERO, method, ValueClass.PERSONAL, now_s, now_s)
        locked = {one.reference: one}
        office.put_fields(connection, locked, [field], office.all_policies(connection))
        publication.refresh(connection, counter.keys, locked, now_ms, urgent=True)


def confirm(counter: Office, member: str, scopes: Iterable[str], now_ms: int) -> int:
    """These values still hold: as of today; returns how many there were.

    Raises:
        Refused: no such member, or no profile of theirs is kept.
    """
    with reading(counter.engine) as connection:
        one = choices.opened(connection, counter.keys, member)
        profile_age.check(one.about, office.all_policies(connection), "member")
    wanted = frozenset(scopes)
    now_s = now_ms // 1000

    def renewed(field: Field) -> Field | None:
        return replace(field, confirmed_s=now_s) if field.scope in wanted else field

    return _each(counter, member, renewed, now_ms)


def forget(counter: Office, member: str, scopes: Iterable[str], now_ms: int) -> int:
    """Deletes these values, at once everywhere; returns how many there were.

    With a value that is made from purchases go the purchases behind it, or the next one would bring it back.

    Raises:
        Refused: no such member.
    """
    wanted = frozenset(scopes)
    with writing(counter.engine) as connection:
        one = choosing.lock(connection, counter, member)
        locked = {one.reference: one}
        before = _fields(connection, one)
        gone = [field for field in before if field.scope in wanted]
        made = {field.scope for field in gone if field.surface == purchases_told.SURFACE}
        if made:
            held = purchases.of_members(connection, locked)[one.reference]
            purchases.remove(connection, locked, [bought.id for bought in held if scope_of(bought.said) in made])
        left = [field for field in before if field.scope not in wanted]
        if gone:
            deleted = [Gone(field.scope, "", now_ms // 1000) for field in gone]
            membership.put_fields(connection, locked, {one.reference: left}, {one.reference: deleted})
            publication.refresh(connection, counter.keys, locked, now_ms, urgent=True)
    return len(gone)


def drop_item(counter: Office, member: str, scope: str, item: str, now_ms: int) -> bool:
    """Takes one entry out of a list; False: there was none such.

    Raises:
        Refused: no such member, or the list is made from purchases, which are marked instead.
    """

    def without(field: Field) -> Field | None:
        if field.scope != scope or field.value.items is None:
            return field
        if field.surface == purchases_told.SURFACE:
            raise Refused(Reason.WRONG_TYPE, scope, "the purchase to be marked: a gift, or not yours")
        left = tuple(one for one in field.value.items if one.item != item)
        if left == field.value.items:
            return field
        return replace(field, value=replace(field.value, items=left)) if left else None

    return _each(counter, member, without, now_ms, [Gone(scope, item, now_ms // 1000)]) > 0


def _each(
    counter: Office, member: str, changed: Callable[[Field], Field | None], now_ms: int, deleted: Sequence[Gone] = ()
) -> int:
    with writing(counter.engine) as connection:
        one = choosing.lock(connection, counter, member)
        locked = {one.reference: one}
        before = _fields(connection, one)
        after = [changed(field) for field in before]
        count = sum(new is not old for old, new in zip(before, after, strict=True))
        if count:
            left = {one.reference: [new for new in after if new is not None]}
            membership.put_fields(connection, locked, left, {one.reference: deleted})
            publication.refresh(connection, counter.keys, locked, now_ms, urgent=True)
    return count


def _fields(connection: Connection, one: Locked) -> tuple[Field, ...]:
    return membership.fields(connection, {one.reference: one}).get(one.reference, ())


def _own(rule: ScopeRule, field: Field, now_s: int) -> Own:
    return Own(
        scope=rule.id,
        label=rule.label,
        type=rule.value_type,
        special=rule.special,
        section=rule.section,
        field=field,
        stale=now_s - field.confirmed_s > rule.retention_days * DAY_S,
        editable=_is_editable(rule),
    )


def _undeclared(field: Field) -> ScopeRule:
    kind = value_type(field)
    return ScopeRule(field.scope, field.scope, kind, SourceClass.ZERO, "", 0, 1, Section.PREFERENCES, ())


def _is_editable(rule: ScopeRule) -> bool:
    return rule.value_type is not ValueType.ITEMS
