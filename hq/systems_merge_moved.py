"""Moves what belongs to a merged member to the one who stays: phones, addresses, contacts, notes, the list of stores.

None of it allows anything: where a phone is recognised, and whether a contact is allowed, follows from the survivor's
choices alone. What is sealed is opened under the one key and sealed under the other.

I/O: sqlalchemy.
"""

from sqlalchemy import Connection, Table, delete, insert, select, update

from hq import choices, contacts, ledger, membership
from hq.choosing_tables import asks, chosen_stores, felt
from hq.contacts_tables import contacts as contact_rows
from hq.custody import Place, bound
from hq.door import MOST_STORES
from hq.membership import Locked
from hq.notices_tables import notice_servings
from hq.proposal_tables import proposals
from hq.state import PRESENCE, fold
from hq.tables import phones
from hq.web_tables import member_addresses
from wire.keyring import MAX_PHONES


def recognised(connection: Connection, one: Locked, now_s: int) -> bool:
    """Whether any store may recognise this member's phones now; asked before the merge ends their choices."""
    events = ledger.of_members(connection, {one.reference: one})[one.reference]
    return any(each.purpose == PRESENCE and each.until_s > now_s for each in fold(events).statements)


def move(connection: Connection, ours: Locked, theirs: Locked, *, phones_too: bool) -> None:
    """All that moves as it is, both members being locked; `phones_too`: their phones were recognised somewhere.

    A phone that was recognised nowhere stays behind: under the survivor's grants it would be, and nobody said so.
    """
    _contacts(connection, ours, theirs)
    _addresses(connection, ours, theirs)
    _felt(connection, ours, theirs)
    _stores(connection, ours, theirs)
    _asks(connection, ours, theirs)
    if phones_too:
        _phones(connection, ours, theirs)
    # What a member was shown, and what waits for a yes: rows that name nothing but whose they are.
    for table in (notice_servings, proposals):
        _rename(connection, table, ours, theirs)


def _rename(connection: Connection, table: Table, ours: Locked, theirs: Locked) -> None:
    connection.execute(update(table).where(table.c.member == theirs.reference).values(member=ours.reference))


def _phones(connection: Connection, ours: Locked, theirs: Locked) -> None:
    """The ids stay, so that each app can still remove its own. Of too many, those that were added first stay behind."""
    held = membership.secrets(connection, {ours.reference: ours}).get(ours.reference, [])
    wanted = select(phones).where(phones.c.member == theirs.reference)
    for row in connection.execute(wanted.order_by(phones.c.added_ms.desc(), phones.c.id)).all():
        secret = membership.phone_secret(theirs.seal, row.id, theirs.reference, row.secret)
        if secret in held or len(held) >= MAX_PHONES:
            continue
        held.append(secret)
        sealed = ours.seal.close(secret, bound(Place.PHONE, ours.reference, row.id))
        connection.execute(update(phones).where(phones.c.id == row.id).values(member=ours.reference, secret=sealed))


def _contacts(connection: Connection, ours: Locked, theirs: Locked) -> None:
    """They count against the survivor's caps."""
    for row in connection.execute(select(contact_rows).where(contact_rows.c.member == theirs.reference)).all():
        sealed = contacts.resealed(theirs, ours, row.id, row.content)
        here = contact_rows.c.id == row.id
        connection.execute(update(contact_rows).where(here).values(member=ours.reference, content=sealed))


def _addresses(connection: Connection, ours: Locked, theirs: Locked) -> None:
    """All of both, more than one member may add: by each of them the survivor signs in."""
    for row in connection.execute(select(member_addresses).where(member_addresses.c.member == theirs.reference)).all():
        opened = theirs.seal.open(row.content, bound(Place.ADDRESS, theirs.reference))
        sealed = ours.seal.close(opened, bound(Place.ADDRESS, ours.reference))
        here = member_addresses.c.lookup == row.lookup
        connection.execute(update(member_addresses).where(here).values(member=ours.reference, content=sealed))


def _felt(connection: Connection, ours: Locked, theirs: Locked) -> None:
    for row in connection.execute(select(felt).where(felt.c.member == theirs.reference)).all():
        opened = theirs.seal.open(row.content, bound(Place.FELT, theirs.reference, row.id))
        sealed = ours.seal.close(opened, bound(Place.FELT, ours.reference, row.id))
        connection.execute(update(felt).where(felt.c.id == row.id).values(member=ours.reference, content=sealed))


def _stores(connection: Connection, ours: Locked, theirs: Locked) -> None:
    """The list of both, as far as a list goes; being on it gives a store nothing."""
    held = choices.added(connection, ours.reference)
    added = sorted(choices.added(connection, theirs.reference).items(), key=lambda one: (-one[1], one[0]))
    fresh = [(store, at_ms) for store, at_ms in added if store not in held][: max(0, MOST_STORES - len(held))]
    rows = [{"member": ours.reference, "store": store, "added_ms": at_ms} for store, at_ms in fresh]
    connection.execute(delete(chosen_stores).where(chosen_stores.c.member == theirs.reference))
    if rows:
        connection.execute(insert(chosen_stores), rows)


def _asks(connection: Connection, ours: Locked, theirs: Locked) -> None:
    """When each purpose was asked last, under either name: nobody is asked the more for it."""
    latest: dict[str, int] = {}
    of_both = asks.c.member.in_([ours.reference, theirs.reference])
    for row in connection.execute(select(asks).where(of_both)):
        latest[row.purpose] = max(row.at_ms, latest.get(row.purpose, 0))
    rows = [{"member": ours.reference, "purpose": purpose, "at_ms": at_ms} for purpose, at_ms in latest.items()]
    connection.execute(delete(asks).where(of_both))
    if rows:
        connection.execute(insert(asks), rows)
