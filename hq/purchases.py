"""Keeps members' purchases, returns and service cases, and what each member marked in them: a gift, not mine.

What a store may know of them are values of the profile (hq.purchases_told), made anew with every change.

I/O: sqlalchemy.
"""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select, update

from hq import membership, publication
from hq.custody import Place, bound
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.keys import Keys
from hq.membership import Locked
from hq.office import all_policies
from hq.purchases_tables import purchases
from hq.purchases_told import (
    WHOLE,
    Held,
    Mark,
    Marked,
    Marks,
    Purchase,
    bought,
    emptied,
    fields,
    marks_of,
    name,
    renewed,
)
from wire import schema

MOST_OF_A_MEMBER = 5000
_CHUNK = 500
_AT_ONCE = 200


def of_members(connection: Connection, locked: Mapping[bytes, Locked]) -> dict[bytes, list[Held]]:
    """All of each, the newest first, but what they deleted; who has none has an empty list. Raises: SealBroken."""
    found = {member: [one for one in listed if not one.is_deleted] for member, listed in _rows(connection, locked)}
    return {one: newest_first(found.get(one, ())) for one in locked}


def deleted(connection: Connection, locked: Mapping[bytes, Locked]) -> dict[bytes, list[Held]]:
    """What each deleted, with nothing left in it: no system tells it again. Raises: SealBroken."""
    return {member: [one for one in listed if one.is_deleted] for member, listed in _rows(connection, locked)}


def with_deleted(connection: Connection, locked: Mapping[bytes, Locked]) -> dict[bytes, list[Held]]:
    """All of each, the newest first, and what they deleted among them. Raises: SealBroken."""
    return {member: newest_first(listed) for member, listed in _rows(connection, locked)}


def _rows(connection: Connection, locked: Mapping[bytes, Locked]) -> Iterable[tuple[bytes, list[Held]]]:
    found: dict[bytes, list[Held]] = {member: [] for member in locked}
    listed = sorted(locked)
    for start in range(0, len(listed), _CHUNK):
        wanted = select(purchases).where(purchases.c.member.in_(listed[start : start + _CHUNK]))
        for row in connection.execute(wanted):
            seal = locked[row.member].seal
            said = schema.decode(Purchase, seal.open(row.content, bound(Place.PURCHASE, row.member, row.id)))
            found[row.member].append(Held(row.id, said, marks_of(seal, row.marks, row.member, row.id)))
    return found.items()


def newest_first(held: Iterable[Held]) -> list[Held]:
    """In the order in which they are told."""
    return sorted(held, key=lambda one: (-one.said.at_s, one.id))


def put(
    connection: Connection, one: Locked, changed: Iterable[tuple[Purchase, int]], known: Mapping[bytes, Held]
) -> None:
    """Writes what a system told, each with how long it is kept in Unix milliseconds; marks stay as they are.

    `known`: what of this member is there already, by id.
    """
    new, old = [], []
    for said, until_ms in changed:
        made = name(one.seal, said.store, said.reference)
        content = one.seal.close(schema.encode(said), bound(Place.PURCHASE, one.reference, made))
        if made in known:
            old.append({"b_id": made, "b_content": content, "b_until": until_ms})
        else:
            new.append({"id": made, "member": one.reference, "content": content, "marks": None, "until_ms": until_ms})
    if new:
        connection.execute(insert(purchases), new)
    if old:
        connection.execute(_CHANGE, old)


_CHANGE = (
    update(purchases)
    .where(purchases.c.id == bindparam("b_id"))
    .values(content=bindparam("b_content"), until_ms=bindparam("b_until"))
)


def put_marks(connection: Connection, one: Locked, purchase: bytes, marks: Mapping[str, Mark]) -> None:
    """Writes all marks of a purchase."""
    listed = tuple(Marked(*each) for each in sorted(marks.items()))
    sealed = one.seal.close(schema.encode(Marks(listed)), bound(Place.PURCHASE_MARKS, one.reference, purchase))
    here = purchases.c.id == purchase
    connection.execute(update(purchases).where(here).values(marks=sealed if listed else None))


def mark(
    engine: Engine, keys: Keys, member: str, purchase: bytes, item: str | None, said: Mark | None, now_ms: int
) -> None:
    """The member says of one line, or with `item` None of all of a purchase, what it was; `said` None takes it back.

    Raises:
        Refused: no such member, or no such purchase or line of theirs.
    """
    with writing(engine) as connection:
        locked = membership.lock_by_id(connection, keys.custody, [member])
        if not locked:
            raise Refused(Reason.UNKNOWN_MEMBER, "member", "the id of a member")
        ((whose, one),) = locked.items()
        held = of_members(connection, locked)[whose]
        found = next((each for each in held if each.id == purchase), None)
        if found is None or (item is not None and item not in {line.item for line in found.said.lines}):
            raise Refused(Reason.UNKNOWN_PURCHASE, "purchase", "a purchase of this member, and an item of it")
        marks = dict(found.marks)
        marks.pop(item or WHOLE, None)
        if item is None:
            marks.clear()
        if said is not None:
            marks[item or WHOLE] = said
        put_marks(connection, one, purchase, marks)
        publication.refresh(connection, keys, renew(connection, locked, now_ms), now_ms, urgent=True)


def forget_one(engine: Engine, keys: Keys, member: str, purchase: bytes, now_ms: int) -> None:
    """Deletes one purchase, return or service case, here and in every store; no system brings it back.

    Raises:
        Refused: no such member, or no such purchase of theirs.
    """
    with writing(engine) as connection:
        locked = membership.lock_by_id(connection, keys.custody, [member])
        if not locked:
            raise Refused(Reason.UNKNOWN_MEMBER, "member", "the id of a member")
        ((whose, one),) = locked.items()
        held = of_members(connection, locked)[whose]
        found = next((each for each in held if each.id == purchase), None)
        if found is None:
            raise Refused(Reason.UNKNOWN_PURCHASE, "purchase", "a purchase of this member")
        content = one.seal.close(schema.encode(emptied(found.said)), bound(Place.PURCHASE, whose, purchase))
        connection.execute(update(purchases).where(purchases.c.id == purchase).values(content=content))
        outlive(connection, purchase, [each.id for each in held if bought(each.said, one.seal) == purchase])
        put_marks(connection, one, purchase, {WHOLE: Mark.DELETED})
        publication.refresh(connection, keys, renew(connection, locked, now_ms), now_ms, urgent=True)


def outlive(connection: Connection, purchase: bytes, returns: Sequence[bytes]) -> None:
    """What is left of a deleted purchase stays as long as these returns of it, which without it would be told again."""
    until = connection.scalar(select(func.max(purchases.c.until_ms)).where(purchases.c.id.in_(returns)))
    if until is not None:
        mine = purchases.c.id == purchase, purchases.c.until_ms < until
        connection.execute(update(purchases).where(*mine).values(until_ms=until))


def remove(connection: Connection, locked: Mapping[bytes, Locked], ids: Iterable[bytes]) -> int:
    """Deletes these purchases of locked members; how many there were. The caller renews and publishes."""
    listed = sorted(set(ids))
    mine = purchases.c.member.in_(sorted(locked))
    chunks = [listed[start : start + _CHUNK] for start in range(0, len(listed), _CHUNK)]
    return sum(connection.execute(delete(purchases).where(mine, purchases.c.id.in_(one))).rowcount for one in chunks)


def renew(
    connection: Connection,
    locked: Mapping[bytes, Locked],
    now_ms: int,
    known: Mapping[bytes, Sequence[Held]] | None = None,
) -> dict[bytes, Locked]:
    """Brings the profiles of these members up to their purchases; returns whose changed, for the caller to publish.

    `known`: all of each as it is now (`with_deleted`), where the caller has read it.
    """
    mains = all_policies(connection)
    held = with_deleted(connection, locked) if known is None else known
    before = membership.fields(connection, locked)
    told = {one: fields(held[one], locked[one].seal, mains, now_ms // 1000) for one in locked}
    made = {one: renewed(before.get(one, ()), told[one]) for one in locked}
    changed = {one: found for one, found in made.items() if found is not None}
    membership.put_fields(connection, locked, changed)
    return {one: locked[one] for one in changed}


def forget(engine: Engine, keys: Keys, now_ms: int) -> int:
    """Deletes what is older than policy allows, a batch of members; how many purchases that were."""
    over = purchases.c.until_ms <= now_ms
    with reading(engine) as connection:
        if connection.execute(select(purchases.c.id).where(over).limit(1)).first() is None:
            return 0
    with writing(engine) as connection:
        wanted = select(purchases.c.member).where(over).distinct().limit(_AT_ONCE)
        locked = membership.lock(connection, keys.custody, connection.scalars(wanted).all())
        gone = connection.execute(delete(purchases).where(over, purchases.c.member.in_(sorted(locked)))).rowcount
        publication.refresh(connection, keys, renew(connection, locked, now_ms), now_ms)
    return gone
