"""Makes two members one where they are the same person: the least permissive of what they said counts.

    {"from": "m-2", "into": "m-1"}

No grant comes across. A grant of the survivor stays where the other said nothing of it, or granted as much and ended
nothing after it; what the other withdrew or refused holds from when that was, what it muted from now on. Of both modes
and name choices the quieter counts, from the later of their times. What belongs to the person moves
(`systems_merge_moved`), save a profile of who is known to be below the age for one. The merged id leads to the
survivor; its row, key and consent events stay, so that what stores recorded of it stays readable, and they end with it.

I/O: sqlalchemy, and the system's random generator.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from sqlalchemy import Connection, Engine, delete, insert, select, update

from hq import changes, door, ledger, membership, office, profile_age, publication, purchases, systems_merge_moved
from hq.database import writing
from hq.errors import Reason, Refused
from hq.keys import Keys
from hq.ledger import Entry
from hq.ledger_proof import BY_THE_MEMBER
from hq.membership import About, Gone, Locked
from hq.notices_history import History
from hq.purchases_tables import purchases as purchase_rows
from hq.purchases_told import SURFACE, Held, name, scope_of
from hq.state import CLOSING, Choice, Event, EventKind, Standing, closes, fold, grant_time, is_closing
from hq.systems_intake import Taken, problem
from hq.systems_line import Line, Row
from hq.systems_tables import merges
from hq.tables import help_calls, members, phones, profiles
from hq.web_tables import OF_A_MEMBER as OF_SIGNING_IN
from wire import schema
from wire.member import Field, Statement

METHOD = changes.MERGE
_EVENT_BYTES = 16
_Matter = tuple[str, str, str, str | None]  # purpose, scope ("": none), store ("": the whole brand), brand


def take(engine: Engine, keys: Keys, batch: list[Line], now_ms: int) -> Taken:
    """Merges each line's two, each in a transaction. Raises: DatabaseUnavailable."""
    refused, new = [], 0
    for line in batch:
        try:
            row = Row(line.said, "from into")
            new += merge(engine, keys, row.text("from", most_bytes=64), row.text("into", most_bytes=64), now_ms)
        except Refused as error:
            refused.append(problem(line, error))
    return Taken(new, refused)


def merge(engine: Engine, keys: Keys, merged: str, survivor: str, now_ms: int) -> bool:
    """From now on both ids are the survivor's; False: they were already.

    Raises:
        Refused: one of them is no member. DatabaseUnavailable: nothing was changed.
    """
    with writing(engine) as connection:
        references, locked = membership.lock_named(connection, keys.custody, [merged, survivor])
        for field, one in (("from", merged), ("into", survivor)):
            if one not in references:
                raise Refused(Reason.UNKNOWN_MEMBER, field, "the id of a member")
        if references[merged] == references[survivor]:
            return False
        theirs, ours = locked[references[merged]], locked[references[survivor]]
        recognised = systems_merge_moved.recognised(connection, theirs, now_ms // 1000)
        _choices(connection, ours, theirs, now_ms)
        locked[ours.reference] = _about(connection, ours, theirs.about)
        _profile(connection, ours, theirs)
        _purchases(connection, ours, theirs)
        _clear(connection, locked[ours.reference], theirs.about, ours.about)
        systems_merge_moved.move(connection, ours, theirs, phones_too=recognised)
        for table in (phones, profiles, help_calls, *OF_SIGNING_IN):
            connection.execute(delete(table).where(table.c.member == theirs.reference))
        _lead(connection, keys, theirs, ours, now_ms)
        purchases.renew(connection, {ours.reference: ours}, now_ms)
        publication.refresh(connection, keys, locked, now_ms, urgent=True, phones_changed=True)
    return True


def of_survivor(connection: Connection, survivor: bytes) -> list[bytes]:
    """The members, by HQ's references, whose ids lead to this one."""
    return list(connection.scalars(select(merges.c.member).where(merges.c.survivor == survivor)))


def _lead(connection: Connection, keys: Keys, theirs: Locked, ours: Locked, now_ms: int) -> None:
    lookup = keys.custody.lookup(connection, [theirs.about.id])[theirs.about.id]
    connection.execute(update(members).where(members.c.id == theirs.reference).values(lookup=None))
    connection.execute(update(merges).where(merges.c.survivor == theirs.reference).values(survivor=ours.reference))
    row = {"member": theirs.reference, "survivor": ours.reference, "lookup": lookup, "at_ms": now_ms}
    connection.execute(insert(merges).values(row))


# --- what they said -----------------------------------------------------------------------------------------------


def _choices(connection: Connection, ours: Locked, theirs: Locked, now_ms: int) -> None:
    both = {ours.reference: ours, theirs.reference: theirs}
    events = ledger.of_members(connection, both)
    # Who took it back, and what was shown then, is said of the survivor's as of the other's own.
    proofs = {(one.choice, one.chosen_s): one.proof for one in events[theirs.reference] if one.choice.kind in CLOSING}
    entries = [
        Entry(
            ours.reference,
            Event(
                os.urandom(_EVENT_BYTES), METHOD, chosen_s, now_ms // 1000, choice,
                proofs.get((choice, chosen_s), BY_THE_MEMBER),
            ),
        )
        for choice, chosen_s in least(events[ours.reference], events[theirs.reference], now_ms // 1000)
    ]  # fmt: skip
    entries = History(connection).proved(entries, now_ms)
    all_of_it = door.check_withdrawal(None, None, None)
    gone = Event(os.urandom(_EVENT_BYTES), METHOD, now_ms // 1000, now_ms // 1000, all_of_it)
    # First that the id leads on, so that whoever is told of it knows whose the others are.
    ledger.append(connection, [Entry(theirs.reference, gone), *entries], both)


def least(ours: list[Event], theirs: list[Event], now_s: int) -> Iterator[tuple[Choice, int | None]]:
    """What is to be recorded of the survivor, with the time of each, so that nothing allows more than both did."""
    mine, other = fold(ours), fold(theirs)
    for one in (*mine.statements, *mine.wide):
        for scope in one.scopes or ("",):
            matter = (one.purpose, scope, one.store, mine.brands.get(one.event))
            if _spoke(theirs, matter) and not any(_covers(each, other, one, matter) for each in _all(other)):
                scopes = (scope,) if scope else None
                stores = (one.store,) if one.store else None
                yield door.check_withdrawal(one.purpose, scopes, stores, matter[3]), now_s
    # At their own times: a grant of the other from before them, told after this, stands no more than it did there.
    yield from dict.fromkeys((one.choice, one.chosen_s) for one in theirs if one.choice.kind in CLOSING)
    modes = [grant_time(one) for one in (*ours, *theirs) if one.choice.mode is not None]
    if any(one.choice.mode is not None for one in theirs):
        mode = Choice(kind=EventKind.MODE, mode=min(mine.mode, other.mode))
        yield mode, _since(mode, modes, now_s)
    names = [grant_time(one) for one in (*ours, *theirs) if one.choice.name_choice is not None]
    if any(one.choice.name_choice is not None for one in theirs):
        name_choice = Choice(kind=EventKind.NAME, name_choice=min(mine.name_choice, other.name_choice))
        yield name_choice, _since(name_choice, names, now_s)
    for muted in (one for one in other.mutes if one not in mine.mutes):  # of too many the fold leaves the narrowest
        yield door.check_mute(EventKind.MUTE, muted), now_s


def _since(switch: Choice, times: Iterable[int], now_s: int) -> int | None:
    """When the lower of two switches was chosen: as late as the later of both, so that neither's older one that is
    told after this counts, and a newer one does. What hides all is chosen now.
    """
    latest_s = max(times)
    return now_s if is_closing(switch) else (latest_s if latest_s >= 0 else None)


def _all(standing: Standing) -> Iterable[Statement]:
    return (*standing.statements, *standing.wide)


def _spoke(events: list[Event], matter: _Matter) -> bool:
    """Whether anything was ever said of this: granted, refused or withdrawn."""
    purpose, scope, store, brand = matter
    for one in events:
        choice = one.choice
        if choice.kind in (EventKind.WITHDRAWAL, EventKind.REFUSAL) and closes(choice, purpose, scope, store, brand):
            return True
        if choice.kind is EventKind.GRANT and choice.purpose == purpose:
            at = store in (choice.stores or ()) or (not store and not choice.stores and choice.brand == brand)
            if at and (not scope or scope in (choice.scopes or ())):
                return True
    return False


def _covers(other: Statement, standing: Standing, one: Statement, matter: _Matter) -> bool:
    """Whether the other's grant allows at least what this one does."""
    purpose, scope, store, brand = matter
    return (
        (other.purpose, other.store, standing.brands.get(other.event)) == (purpose, store, brand)
        and (not scope or scope in other.scopes)
        and set(one.roles) <= set(other.roles)
        and set(other.zones_excluded) <= set(one.zones_excluded)
        and other.until_s >= one.until_s
    )


# --- what is theirs -----------------------------------------------------------------------------------------------


def _about(connection: Connection, ours: Locked, theirs: About) -> Locked:
    """The lower of both ages, unknown where either is, and the survivor's jurisdiction where it is known."""
    age_at_least = min(ours.about.age_at_least, theirs.age_at_least)  # 0: unknown
    about = About(ours.about.id, age_at_least, ours.about.jurisdiction or theirs.jurisdiction)
    changed = Locked(ours.reference, about, ours.seal)
    membership.change(connection, [changed])
    return changed


def _profile(connection: Connection, ours: Locked, theirs: Locked) -> None:
    """Of two values of one scope the one that was confirmed last; what does not fit is left out, and what the other
    deleted later.
    """
    both = {ours.reference: ours, theirs.reference: theirs}
    held, gone = membership.fields(connection, both), membership.gone(connection, both)
    mine = (_left(one, gone[theirs.reference]) for one in held.get(ours.reference, ()))
    found: dict[str, Field] = {one.scope: one for one in mine if one is not None}
    for one in (_left(one, gone[ours.reference]) for one in held.get(theirs.reference, ())):
        if one is None:
            continue
        before = found.get(one.scope)
        if one.surface != SURFACE and (before is None or before.confirmed_s < one.confirmed_s):
            with_it = found | {one.scope: one}
            if sum(len(schema.encode(each)) for each in with_it.values()) <= door.MAX_PROFILE_BYTES:
                found = with_it
    deleted = [Gone(*what, at_s) for what, at_s in gone[theirs.reference].items()]
    membership.put_fields(
        connection, {ours.reference: ours}, {ours.reference: found.values()}, {ours.reference: deleted}
    )


def _left(one: Field, gone: Mapping[tuple[str, str], int]) -> Field | None:
    """What is left of a value where this was deleted; None: nothing."""
    if one.collected_s <= gone.get((one.scope, ""), -1):
        return None
    items = tuple(each for each in one.value.items or () if (each.at_s or 0) > gone.get((one.scope, each.item), -1))
    if items == (one.value.items or ()):
        return one
    return replace(one, value=replace(one.value, items=items)) if items else None


def _clear(connection: Connection, ours: Locked, *said: About) -> None:
    """Removes what came together where either was known to be below the age for a profile."""
    known = min((one.age_at_least for one in said if one.age_at_least), default=0)
    if known:
        one = replace(ours, about=replace(ours.about, age_at_least=known))
        profile_age.clear(connection, {ours.reference: one}, office.all_policies(connection))


def _named(ours: Locked, one: Held) -> bytes:
    return name(ours.seal, one.said.store, one.said.reference)


def _is_deleted(known: Mapping[bytes, Held], made: bytes) -> bool:
    return made in known and known[made].is_deleted


def _purchases(connection: Connection, ours: Locked, theirs: Locked) -> None:
    """All of both, with the marks of either; what either deleted stays deleted, by itself or with a whole scope."""
    both = {ours.reference: ours, theirs.reference: theirs}
    held, gone = purchases.of_members(connection, both), purchases.deleted(connection, both)
    known = {one.id: one for one in (*held[ours.reference], *gone[ours.reference])}
    whole = membership.gone(connection, both)[ours.reference]  # that of both: the profiles are one by now
    over = {
        one.id for listed in held.values() for one in listed if one.said.at_s <= whole.get((scope_of(one.said), ""), -1)
    }
    told = [one for one in held[theirs.reference] if one.id not in over and not _is_deleted(known, _named(ours, one))]
    told += gone[theirs.reference]
    wanted = select(purchase_rows.c.id, purchase_rows.c.until_ms).where(purchase_rows.c.member == theirs.reference)
    until_ms = {row.id: row.until_ms for row in connection.execute(wanted)}
    purchases.put(connection, ours, [(one.said, until_ms[one.id]) for one in told], known)
    for one in told:
        if one.marks:
            made = _named(ours, one)
            marks = dict(one.marks) | (dict(known[made].marks) if made in known and not one.is_deleted else {})
            purchases.put_marks(connection, ours, made, marks)
    purchases.remove(connection, {ours.reference: ours}, over)
    connection.execute(delete(purchase_rows).where(purchase_rows.c.member == theirs.reference))
