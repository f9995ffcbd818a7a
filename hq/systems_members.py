"""Takes members of other systems: who there is, and from which age on and where; values of their profiles; who goes.

    {"member": "m-1", "age_at_least": 18, "jurisdiction": "DE"}
    {"scope": "size.shoe", "value": "42", "source": "zero", "surface": "webshop", "collected": 1772359200}

A value is kept only where a policy declares a purpose for it and the member has a live grant for it. What members say
to HQ themselves no other system can say, and what is their own word only a system that was given that right.

I/O: sqlalchemy.
"""

from sqlalchemy import Engine

from hq import door, erasure, import_line, jurisdictions, ledger, membership, office, profile_age, publication
from hq.audience import value_type
from hq.database import writing
from hq.errors import Reason, Refused
from hq.importer import Problem
from hq.keys import Keys
from hq.membership import About
from hq.purchases_told import SURFACE
from hq.state import fold
from hq.systems import OWN_SURFACES, Right, System
from hq.systems_intake import Reach, Taken, problem
from hq.systems_line import Line, Row
from wire import schema
from wire.member import Field, SourceClass, ValueClass

MOST_FIELDS = 256


def take(engine: Engine, keys: Keys, system: System, batch: list[Line], now_ms: int) -> Taken:
    """Adds members, or corrects age and jurisdiction of those known; one transaction. Raises: DatabaseUnavailable."""
    with writing(engine) as connection:
        named = {str(one.said.get("member", "")) for one in batch}
        references, locked = membership.lock_named(connection, keys.custody, named)
        refused, doubts = [], []
        new: dict[str, About] = {}
        changed: dict[bytes, About] = {}
        aged: set[bytes] = set()  # whose age was said, or where they are, which says what the age is worth
        for line in batch:
            try:
                row = Row(line.said, "member age_at_least jurisdiction")
                member = row.text("member", most_bytes=64)
                door.check_id(member, "member")
                reference = references.get(member)
                if reference is None:
                    before = new.get(member, About(member, 0, ""))
                    about = new[member] = _about(row, before)
                else:
                    if not system.is_everywhere:
                        raise Refused(Reason.FORBIDDEN, "member", "a member who is new, or a system of all brands")
                    before = changed.get(reference, locked[reference].about)
                    about = changed[reference] = _about(row, before)
                    if "age_at_least" in row or ("jurisdiction" in row and about.age_at_least):
                        aged.add(reference)
                if about.jurisdiction != before.jurisdiction:  # of who stays where they were nothing is told again
                    doubts.append((line, about.jurisdiction))
            except Refused as error:
                refused.append(problem(line, error))
        differs = {one: about for one, about in changed.items() if about != locked[one].about}
        anew = {one: _with(locked[one], about) for one, about in differs.items()}
        membership.make(connection, keys.custody, new.values(), now_ms)
        membership.change(connection, anew.values())
        said = {one: anew.get(one, locked[one]) for one in aged}
        cleared = profile_age.clear(connection, said, office.all_policies(connection)) if said else set()
        publication.refresh(connection, keys, anew | {one: said[one] for one in cleared}, now_ms, urgent=True)
        mains = office.all_policies(connection) if doubts else []
        told = [(line, jurisdictions.doubt(where, mains)) for line, where in doubts]
        return Taken(len(new) + len(differs), refused, [problem(line, one) for line, one in told if one is not None])


def _with(one: membership.Locked, about: About) -> membership.Locked:
    return membership.Locked(one.reference, about, one.seal)


def _about(row: Row, before: About) -> About:
    where = row.text("jurisdiction", most_bytes=16) if "jurisdiction" in row else before.jurisdiction
    if where != before.jurisdiction:
        jurisdictions.check(where)
    return About(before.id, row.whole("age_at_least", 0, 150, before.age_at_least), where)


def erase(engine: Engine, keys: Keys, batch: list[Line], now_ms: int) -> tuple[list[tuple[int, bytes]], list[Problem]]:
    """Erases members, a transaction each: of which line, with the reference of each erasure; and lines that name none.

    Raises: DatabaseUnavailable; those before are erased.
    """
    begun, refused = [], []
    for line in batch:
        try:
            member = Row(line.said, "member").text("member", most_bytes=64)
            begun.append((line.number, erasure.erase(engine, keys, member, now_ms)))
        except Refused as error:
            refused.append(problem(line, error))
    return begun, refused


def put_profile(
    engine: Engine, keys: Keys, system: System, member: str, lines: list[Line], now_ms: int
) -> Taken:  # fmt: skip
    """Sets values of one member's profile; those of other scopes stay. What is refused is listed, the rest is taken.

    Raises:
        Refused: no such member. DatabaseUnavailable.
    """
    with writing(engine) as connection:
        locked = membership.lock_by_id(connection, keys.custody, [member])
        if not locked:
            raise Refused(Reason.UNKNOWN_MEMBER, "member", "the id of a member")
        ((whose, one),) = locked.items()
        reach = Reach(connection, system)
        standing = fold(ledger.of_members(connection, locked)[whose])
        before = {one.scope: one for one in membership.fields(connection, locked).get(whose, ())}
        after = dict(before)
        size_bytes = sum(map(_bytes, before.values()))
        gone = membership.gone(connection, locked)[whose]
        refused: list[Problem] = []
        for line in lines:
            try:
                found = _field(Row(line.said, "scope value source surface class collected confirmed"), system, now_ms)
                reach.check_age(one.about, "scope")
                reach.check_scope(standing, found.scope, "scope", now_ms // 1000)
                door.check_field(found, reach.mains)
                if membership.is_deleted(found, gone):
                    raise Refused(Reason.DELETED, "collected", "what was collected after the member deleted it")
                held = after.get(found.scope)
                if held is not None and held.surface != SURFACE and held.confirmed_s > found.confirmed_s:
                    raise Refused(Reason.EXISTS, "confirmed", "a value that was confirmed later than the one here")
                grown_bytes = size_bytes + _bytes(found) - (0 if held is None else _bytes(held))
                if grown_bytes > max(size_bytes, door.MAX_PROFILE_BYTES):  # what makes it smaller is always taken
                    raise Refused(Reason.TOO_LARGE, "value", f"at most {door.MAX_PROFILE_BYTES} bytes of a profile")
                after[found.scope], size_bytes = found, grown_bytes
            except Refused as error:
                refused.append(problem(line, error))
        changed = [scope for scope, one in after.items() if before.get(scope) != one]
        if changed:
            membership.put_fields(connection, locked, {whose: after.values()})
            publication.refresh(connection, keys, locked, now_ms, urgent=True)
        return Taken(len(changed), refused)


def _bytes(one: Field) -> int:
    return len(schema.encode(one))


def _field(row: Row, system: System, now_ms: int) -> Field:
    collected_s = row.past("collected", now_ms // 1000)
    found = Field(
        scope=row.text("scope", most_bytes=64),
        value=import_line.value(row.given("value"), "value"),
        source=row.word("source", SourceClass, SourceClass.FIRST),
        surface=row.text("surface", system.id, most_bytes=64),
        value_class=row.word("class", ValueClass, ValueClass.PERSONAL),
        collected_s=collected_s,
        confirmed_s=row.past("confirmed", now_ms // 1000) if "confirmed" in row else collected_s,
    )
    if found.surface == SURFACE:
        raise row.wrong("surface", f"another word: `{SURFACE}` is what follows from purchases")
    if found.surface.strip().lower() in OWN_SURFACES:
        raise row.wrong("surface", "where it was collected: there members speak to HQ", Reason.FORBIDDEN)
    if found.source is SourceClass.ZERO and not system.may(Right.OWN_WORDS):
        raise row.wrong("source", f"not zero, or a system with the right `{Right.OWN_WORDS}`", Reason.FORBIDDEN)
    value_type(found)
    return found
