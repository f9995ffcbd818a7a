"""What synthetic members choose: kept for one round, beside the ledger's chain and read with it.

I/O: sqlalchemy.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, delete, insert, select

from hq.state import Choice, Event
from hq.synthetic_tables import synthetic_choices
from wire import schema

PREFIX = "synthetic@"  # of the ids of synthetic members; HQ's door takes no other member of such an id


def member_of(store: str) -> str:
    """The id of a store's synthetic member."""
    return PREFIX + store


def is_synthetic(member: str) -> bool:
    """Whether nobody stands behind this id."""
    return member.startswith(PREFIX)


def keep(connection: Connection, entries: Iterable[tuple[bytes, Event]]) -> int:
    """Keeps events of synthetic members, by reference, whose ids are not there yet; returns how many that were."""
    wanted = {event.id: (member, event) for member, event in entries}
    known = select(synthetic_choices.c.id).where(synthetic_choices.c.id.in_(sorted(wanted)))
    for one in connection.scalars(known).all():
        del wanted[one]
    rows = [
        {
            "id": event.id,
            "member": member,
            "method": event.method,
            "chosen_s": event.chosen_s,
            "recorded_s": event.recorded_s,
            "choice": schema.encode(event.choice),
        }
        for member, event in wanted.values()
    ]
    if rows:
        connection.execute(insert(synthetic_choices), rows)
    return len(rows)


def of_member(connection: Connection, member: bytes) -> list[Event]:
    """The events of a synthetic member's present round."""
    wanted = select(synthetic_choices).where(synthetic_choices.c.member == member)
    return [
        Event(row.id, row.method, row.chosen_s, row.recorded_s, schema.decode(Choice, row.choice))
        for row in connection.execute(wanted)
    ]


def forget(connection: Connection, member: bytes) -> None:
    """A new round begins: what was chosen in the last one goes."""
    connection.execute(delete(synthetic_choices).where(synthetic_choices.c.member == member))
