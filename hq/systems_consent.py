"""Takes what another consent platform collected, as consent events of the method `import`.

    {"member": "m-1", "purpose": "assist", "state": "given", "scopes": ["size.shoe"], "stores": ["berlin-1"],
     "chosen": "2026-11-01T10:00:00Z", "until_days": 365, "notice": "<64 hex digits>", "language": "de",
     "reference": "4711", "gpc": false}
    {"member": "m-1", "state": "withdrawn", "purpose": "contact.email", "chosen": 1772359200}

`state` is `given`, `refused` or `withdrawn`. The time of choice decides, not that of the import: one that comes late
never beats what the member withdrew after it. What ends something is never refused for its time: where that is not
known, or has not come, it is that of the import. It is refused where no policy ever declared its purpose (`hq.named`).
`gpc`: the browser said `Sec-GPC: 1`, so sale and sharing are withdrawn at that time too, whatever else the line says
and whether that is taken or not.

I/O: sqlalchemy.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from sqlalchemy import Engine

from hq import door, gpc, ledger, membership, notices_proof, publication, regulation
from hq.database import writing
from hq.door import Grant
from hq.errors import Reason, Refused
from hq.importer import Problem
from hq.keys import Keys
from hq.ledger import Entry
from hq.ledger_proof import Evidence, Party, Proof
from hq.membership import Locked
from hq.named import Named
from hq.notices_history import History
from hq.office import choices_of
from hq.state import CLOSING, Choice, Event, is_wide
from hq.systems import System
from hq.systems_intake import Reach, Taken, problem
from hq.systems_line import Line, Row
from wire import schema, synthetic

METHOD = "import"
_KEYS = "member purpose state scopes stores brand roles zones_excluded chosen from until until_days notice language "
_KEYS += "reference gpc"
_EVENT_BYTES = 16
_DEFAULT_DAYS = 365
_MOST_DAYS = 36_500


class _State(Enum):
    GIVEN = 1
    REFUSED = 2
    WITHDRAWN = 3


@dataclass(frozen=True, slots=True, repr=False)
class _Said:
    """One event to be recorded: which choice, when it was made, and by which method."""

    choice: Choice
    chosen_s: int
    method: str


def take(engine: Engine, keys: Keys, system: System, batch: list[Line], now_ms: int) -> Taken:
    """One transaction. Raises: DatabaseUnavailable."""
    with writing(engine) as connection:
        reach, history, known = Reach(connection, system), History(connection), Named(connection)
        named = {str(one.said.get("member", "")) for one in batch}
        references, locked = membership.lock_named(connection, keys.custody, named)
        refused: list[Problem] = []
        entries: list[Entry] = []
        for line in batch:
            entries += _signals(line, reach, references, locked, now_ms)
            try:
                row = Row(line.said, _KEYS)
                one = _member(row, references, locked)
                said = _said(row, reach, history, known, now_ms // 1000)
                for each in said:
                    regulation.check(each.choice, Party.MEMBER, one.about.age_at_least, one.about.jurisdiction)
                made = [_entry(one, each, row, system, now_ms) for each in said]
                notices_proof.check(connection, made, now_ms)
                entries += made
            except Refused as error:
                refused.append(problem(line, error))
        entries = history.proved(entries, now_ms)
        notices_proof.record(connection, entries, now_ms)
        new = ledger.append(connection, entries, locked)
        changed = {one.member for one in entries}
        closes = any(one.event.choice.kind in CLOSING for one in entries)
        publication.refresh(
            connection, keys, {one: locked[one] for one in changed}, now_ms, urgent=closes
        )  # fmt: skip
        return Taken(new, refused)


def _member(row: Row, references: dict[str, bytes], locked: dict[bytes, Locked]) -> Locked:
    reference = references.get(row.text("member", most_bytes=64))
    if reference is None or reference not in locked:
        raise row.wrong("member", "the id of a member", Reason.UNKNOWN_MEMBER)
    return locked[reference]


def _said(row: Row, reach: Reach, history: History, known: Named, now_s: int) -> list[_Said]:
    """What is to be recorded of a line. Raises: Refused."""
    state = row.word("state", _State)
    row.flag("gpc", missing=False)
    chosen_s = row.past("chosen", now_s) if state is _State.GIVEN else _ended_s(row, now_s)
    stores = row.texts("stores", door.MOST_STORES)
    for number, store in enumerate(stores):
        reach.check_store(store, f"stores[{number}]")
    brand = row.text("brand", "", most_bytes=40) or None
    if brand is not None and brand not in reach.brands_in_full:
        raise row.wrong("brand", "a brand that this system was given", Reason.FORBIDDEN)
    if state is _State.GIVEN:
        found = _grants(row, reach, history, stores, brand, chosen_s, now_s)
    else:
        purpose = row.text("purpose", "", most_bytes=64)
        if purpose:
            known.check_purpose(purpose, _reached(reach, brand), Reason.NO_PURPOSE)
        found = _ended(row, reach, state, stores, brand)
    return [_Said(one, chosen_s, METHOD) for one in found]


def _ended_s(row: Row, now_s: int) -> int:
    """When something ended; now, where that is not known or has not come. Raises: Refused, where it is no time."""
    found = row.time("chosen")
    return now_s if found is None else min(found, now_s)


def _signals(
    line: Line, reach: Reach, references: dict[str, bytes], locked: dict[bytes, Locked], now_ms: int
) -> list[Entry]:  # fmt: skip
    """What the browser's signal in a line ends; read by itself, so that nothing else in the line can lose it."""
    keys = ("member", "chosen", "gpc")
    row = Row({key: line.said.get(key) for key in keys}, " ".join(keys))
    try:
        if not row.flag("gpc", missing=False):
            return []
        one = _member(row, references, locked)
    except Refused:
        return []  # said of the line itself
    try:
        chosen_s = _ended_s(row, now_ms // 1000)
    except Refused:
        chosen_s = now_ms // 1000
    purposes = gpc.named(each.id for main in reach.mains for each in main.purposes)
    ended = [door.check_withdrawal(purpose, None, None, brand) for purpose in purposes for brand in _brands(reach)]
    proof = Proof(surface=reach.system.id, evidence=Evidence.HEADER, text="Sec-GPC: 1")
    return [_made(one, _Said(each, chosen_s, gpc.METHOD), proof, now_ms) for each in ended]


def _grants(
    row: Row, reach: Reach, history: History, stores: tuple[str, ...], brand: str | None, chosen_s: int, now_s: int
) -> list[Choice]:
    purpose = row.text("purpose", most_bytes=64)
    if not any(one.id == purpose for main in reach.mains for one in main.purposes):
        raise row.wrong("purpose", "a purpose that a policy declares", Reason.NO_PURPOSE)
    if is_wide(purpose) and not stores and brand is None and len(reach.brands) == 1:
        (brand,) = reach.brands
    roles = row.texts("roles", 16)
    if not roles and not is_wide(purpose):
        roles = _floor(reach, stores)
    until_s = row.time("until")
    grant = Grant(
        purpose=purpose,
        stores=stores,
        roles=roles,
        scopes=row.texts("scopes"),
        zones_excluded=row.texts("zones_excluded"),
        until_s=until_s,
        until_days=row.whole("until_days", 1, _MOST_DAYS, _DEFAULT_DAYS) if until_s is None else None,
        from_s=row.time("from"),
        chosen_s=chosen_s,
        notice=_notice(row),
        brand=brand,
    )
    found = choices_of(reach.policies, door.check_times(grant, now_s), grant.notice)
    return found if grant.notice is not None else [history.as_shown(one, chosen_s) for one in found]


def _floor(reach: Reach, stores: tuple[str, ...]) -> tuple[str, ...]:
    """The roles that see the floor, of the policy of the first store: what a platform that knows no roles means."""
    policy = reach.policies.of(stores[0]) if stores else None
    roles = () if policy is None else policy.main.roles
    return tuple(one.id for one in roles if one.sees_floor and one.id != synthetic.ROLE)


def _ended(row: Row, reach: Reach, state: _State, stores: tuple[str, ...], brand: str | None) -> list[Choice]:
    """What a line ends, each once. A system of single stores that names none ends what is for their brands as well."""
    found = [
        each
        for place in _places(reach, stores, brand)
        for each in door.for_brands(_closing(row, state, *place), reach.policies.name)
    ]
    is_all = not (row.text("purpose", "", most_bytes=64) or row.texts("scopes") or stores or brand)
    if state is _State.WITHDRAWN and is_all:
        declared = (each.id for main in reach.mains for each in main.purposes if is_wide(each.id))
        wide = dict.fromkeys([gpc.PURPOSE, *declared])
        found += [
            door.check_withdrawal(one, None, None, each)
            for each in sorted(reach.brands - reach.brands_in_full)
            for one in wide
        ]
    return list(dict.fromkeys(found))


def _closing(row: Row, state: _State, stores: tuple[str, ...] | None, brand: str | None) -> Choice:
    scopes = row.texts("scopes") or None
    if state is _State.WITHDRAWN:
        purpose = row.text("purpose", "", most_bytes=64) or None
        return door.check_withdrawal(purpose, scopes, stores, brand)
    return door.check_refusal(row.text("purpose", most_bytes=64), scopes, stores, brand, _notice(row))


def _places(
    reach: Reach, stores: tuple[str, ...], brand: str | None
) -> list[tuple[tuple[str, ...] | None, str | None]]:  # fmt: skip
    """For which stores and brands something ends. A system of one brand ends nothing of another's."""
    if stores or brand is not None:
        return [(stores or None, brand)]
    if reach.system.is_everywhere:
        return [(None, None)]
    own = [(None, one) for one in sorted(reach.system.brands)]
    return [*own, (tuple(sorted(reach.system.stores)), None)] if reach.system.stores else [*own]


def _reached(reach: Reach, brand: str | None) -> Iterable[str] | None:
    """By whose policies a purpose that a line ends is known; None: by those of all brands."""
    if brand is not None:
        return [brand]
    return None if reach.system.is_everywhere else reach.brands | reach.system.brands


def _brands(reach: Reach) -> list[str | None]:
    """For which brands something about a whole brand ends. A system of single stores ends it for theirs."""
    return [None] if reach.system.is_everywhere else [*sorted(reach.brands | reach.system.brands)]


def _notice(row: Row) -> bytes | None:
    found = row.text("notice", "", most_bytes=64)
    if not found:
        return None
    try:
        hashed = bytes.fromhex(found)
    except ValueError:
        hashed = b""
    if len(hashed) != 32:
        raise row.wrong("notice", "the SHA-256 of the notice that was shown, 64 hex digits")
    return hashed


def _entry(one: Locked, said: _Said, row: Row, system: System, now_ms: int) -> Entry:
    reference = row.text("reference", "", most_bytes=128)
    proof = Proof(
        surface=system.id,
        evidence=Evidence.FOREIGN,
        notice_language=row.text("language", "", most_bytes=35) or None,
        text=f"reference {reference}" if reference else None,
    )
    return _made(one, said, proof, now_ms)


def _made(one: Locked, said: _Said, proof: Proof, now_ms: int) -> Entry:
    # Of what is said, how and when: the same line again, from whichever policy's version, is the same event; what a
    # line says and what its signal says are two.
    stated = replace(said.choice, policy_version=0)
    kind = b"signal" if said.method == gpc.METHOD else b"system"
    made = one.seal.name(kind + b"\x00" + str(said.chosen_s).encode() + b"\x00" + schema.encode(stated))
    event = Event(made[:_EVENT_BYTES], said.method, said.chosen_s, now_ms // 1000, said.choice, door.check_proof(proof))
    return Entry(one.reference, event)
