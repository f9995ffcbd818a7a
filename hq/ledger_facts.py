"""Notes of each consent event what may be counted without opening it: one row for each purpose, store and status.

What stood before is read from the rows themselves: so a grant without scopes is known to be a renewal (of one with
scopes the event has to say it), and a withdrawal of everything is counted for each purpose and store that it ends. Rows
count events; what stands is `hq.state.fold` alone.

I/O: sqlalchemy.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from hq.ledger_proof import Status
from hq.ledger_tables import consent_facts
from hq.state import CLOSING, NO_NOTICE, Event, EventKind, closes, is_wide

_DAY_S = 86_400
_CHUNK = 500
_OPEN = frozenset({Status.GIVEN, Status.RENEWED})
_Matter = tuple[str, str, str]  # purpose, store, brand
_Known = dict[_Matter, Status]  # how each ended up


def note(connection: Connection, numbered: Iterable[tuple[int, tuple[bytes, Event]]]) -> None:
    """Notes these events, each with its number in the chain and its member; in the transaction that appends them."""
    told = [(number, member, event) for number, (member, event) in numbered if event.choice.stated is not None]
    if not told:
        return
    known = _known(connection, {member for _, member, _ in told})
    rows = [row for number, member, event in told for row in _rows(number, member, event, known[member])]
    if rows:
        connection.execute(insert(consent_facts), rows)


def rows_of(events: Iterable[tuple[int, Event]]) -> list[tuple[Any, ...]]:
    """What the rows of one member must be, events ascending by number: the columns from `event` on, without member."""
    known: _Known = {}
    found = [row for number, event in events for row in _rows(number, b"", event, known)]
    return [tuple(row[name] for name in COMPARED) for row in found]


COMPARED = ("event", "purpose", "store", "brand", "status", "partial", "method", "notice", "policy_version", "day")


def forget(connection: Connection, member: bytes) -> None:
    """Makes a member's rows nobody's, when the member is erased."""
    connection.execute(
        update(consent_facts).where(consent_facts.c.member == member).values(event=None, member=None)
    )  # fmt: skip


def mend(connection: Connection, member: bytes, events: Iterable[tuple[int, Event]]) -> None:
    """Writes a member's rows anew, from the events, ascending by number."""
    connection.execute(delete(consent_facts).where(consent_facts.c.member == member))
    rows = [{**dict(zip(COMPARED, one, strict=True)), "member": member} for one in rows_of(events)]
    if rows:
        connection.execute(insert(consent_facts), rows)


def _known(connection: Connection, members: set[bytes]) -> dict[bytes, _Known]:
    found: dict[bytes, _Known] = defaultdict(dict)
    listed = sorted(members)
    facts = consent_facts.c
    for start in range(0, len(listed), _CHUNK):
        wanted = (
            select(facts.member, facts.purpose, facts.store, facts.brand, facts.status)
            .where(facts.member.in_(listed[start : start + _CHUNK]), facts.partial.is_(False))
            .order_by(facts.event, facts.id)
        )
        for member, purpose, store, brand, status in connection.execute(wanted):
            _settle(found[member], (purpose, store, brand), Status(status))
    return found


def _settle(known: _Known, matter: _Matter, status: Status) -> None:
    if status is not Status.INVALIDATED:
        known[matter] = status


def _rows(number: int, member: bytes, event: Event, known: _Known) -> list[dict[str, Any]]:
    choice, status = event.choice, event.choice.stated
    if status is None:
        return []
    brand = choice.brand or ""
    if choice.kind is EventKind.GRANT:
        wide = ("",) if is_wide(choice.purpose or "") else ()
        matters = [(choice.purpose or "", store, brand) for store in choice.stores or wide]
    else:
        named = set(choice.scopes) if choice.scopes is not None else None
        matters = [
            one
            for one, was in sorted(known.items())
            if was in _OPEN and named is None and closes(choice, one[0], "", one[1], one[2] or None)
        ] or [(choice.purpose or "", store, brand) for store in choice.stores or ("",)]
    day = (event.recorded_s if event.chosen_s is None else event.chosen_s) // _DAY_S
    rows = []
    for matter in matters:
        # A part of a purpose that ends says nothing of the rest of it.
        partial = choice.kind in CLOSING and choice.scopes is not None
        again = status is Status.GIVEN and not choice.scopes and known.get(matter) in _OPEN
        said = Status.RENEWED if again else status
        if not partial:
            _settle(known, matter, said)
        rows.append(
            {
                "event": number, "member": member, "purpose": matter[0], "store": matter[1], "brand": matter[2],
                "status": said.value, "partial": partial, "method": event.method,
                "notice": None if choice.notice == NO_NOTICE else choice.notice,
                "policy_version": choice.policy_version, "day": day,
            }
        )  # fmt: skip
    return rows
