"""Shows a member exactly what an associate of a store would see of them now: the roster's line, the card, its sections.

The record is the very one that the store was sent, the decision and the card are made by the code that the store runs
(`consent`), suggestions too. What was withdrawn in the store a moment ago, and HQ was not told of yet, is hidden there
already; and what the store remembers of earlier suggestions is its own (`hq.offers`).

I/O: sqlalchemy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import Connection, select

from consent import row
from consent.card import Built, build
from consent.offered import Around, Offered
from consent.visit import NOTHING_DENIED, Visit
from hq import choices, offers, publication, records
from hq.errors import Reason, Refused
from hq.keys import Keys
from hq.tables import audience
from wire import query, schema, synthetic
from wire.member import Member
from wire.policy import Policy, Section
from wire.sync import Collection, instance

NOBODY = bytes(16)  # in the place of a visit's handle, which is random and of no visit here
_NO_ASSOCIATE = ""


@dataclass(frozen=True, slots=True, repr=False)
class Seen:
    """What one look shows. `sections`: the lines of each section that the card names, as they come when it is opened.

    Every line says why it is shown: purpose, since when and until when.
    """

    row: query.Visit
    card: query.Card
    sections: Mapping[Section, tuple[query.Line, ...]]


@dataclass(frozen=True, slots=True, repr=False)
class Mirror:
    """What an associate of that role would see in that zone: as the member walks about, and while they ask for help.

    None: nobody is told that they are there. `roles` and `zones`: all that can be chosen there, by id and label; `zone`
    None: it is not known in which the member is.
    """

    store: str
    label: str
    role: str
    role_label: str
    walking: Seen | None
    asked: Seen | None
    zone: str | None
    roles: tuple[tuple[str, str], ...]
    zones: tuple[tuple[str, str], ...]


def mirror(
    connection: Connection,
    keys: Keys,
    member: str,
    store: str,
    now_ms: int,
    *,
    role: str | None = None,
    zone: str | None = None,
) -> Mirror:
    """See the module. `role` None: the policy's first that sees the floor; `zone` None: none is known.

    Raises:
        Refused: no such member, store, role or zone, or a store without a policy.
    """
    policies = publication.Policies(connection)
    if policies.name(store) is None:
        raise Refused(Reason.UNKNOWN_STORE, "store", "the id of a store")
    policy = policies.of(store)
    if policy is None:
        raise Refused(Reason.NO_POLICY, "store", "a store whose policy is published")
    people = {one.id: one for one in policy.main.roles if one.id != synthetic.ROLE}
    first = next((one.id for one in people.values() if one.sees_floor), None)
    shown_to = role or first
    if shown_to is None or shown_to not in people:
        raise Refused(Reason.UNDECLARED_ROLE, "role", "a role that the store's policy declares")
    if zone is not None and zone not in {one.id for one in policy.store.zones}:
        raise Refused(Reason.UNDECLARED_ZONE, "zone", "a zone of the store")
    found = record(connection, keys, member, store)
    arrived = Visit(NOBODY, now_ms, zone=zone)
    calling = Visit(NOBODY, now_ms, zone=zone, help=True, invited=True, waiting_since_ms=now_ms)
    around = offers.around(connection, store) if found is not None else Around()
    walking, asked = (_seen(found, shown_to, visit, policy, now_ms, around) for visit in (arrived, calling))
    roles = tuple((one.id, one.label) for one in people.values())
    zones = tuple((one.id, one.label) for one in policy.store.zones)
    return Mirror(store, policy.store.label, shown_to, people[shown_to].label, walking, asked, zone, roles, zones)


def record(connection: Connection, keys: Keys, member: str, store: str) -> Member | None:
    """The member's record as the store was sent it; None: it was sent none. Raises: Refused."""
    one = choices.opened(connection, keys, member)
    of_it = audience.c.store == store, audience.c.member == one.reference
    known_as = connection.scalar(select(audience.c.pseudonym).where(*of_it))
    body = None
    if known_as is not None:
        body = records.body(connection, instance(Collection.MEMBERS, store), known_as)
    return None if body is None else schema.decode(Member, body)


def _seen(found: Member | None, role: str, visit: Visit, policy: Policy, now_ms: int, around: Around) -> Seen | None:
    if found is None:
        return None
    offered = offers.offers(found, role, visit, policy, now_ms // 1000, around)
    look = _look(found, role, visit, policy, None, now_ms, offered, around)
    if look is None:
        return None
    opened = {part: _look(found, role, visit, policy, part, now_ms, offered, around) for part in look.card.sections}
    sections = {part: one.card.lines for part, one in opened.items() if one is not None}
    labels = {one.id: one.label for one in policy.store.zones}
    return Seen(row.line(visit, labels), look.card, MappingProxyType(sections))


def _look(
    found: Member,
    role: str,
    visit: Visit,
    policy: Policy,
    section: Section | None,
    now_ms: int,
    offered: Offered,
    around: Around,
) -> Built | None:
    built = build(
        found, NOTHING_DENIED, role, visit, policy, section, now_ms, _NO_ASSOCIATE,
        offered=offered, sort_of=around.shelf.sort,
    )  # fmt: skip
    return built if isinstance(built, Built) else None
