"""`consentry-hq order`: gives stores orders, shows which have done them, and lifts a lockdown.

I/O: the terminal, a file that a command names, sqlalchemy.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Row, select

from hq import orders
from hq.command_line import Part, actions, command
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.keys import Keys
from hq.office import Office
from hq.order_tables import order_parts
from hq.order_tables import orders as order_rows
from hq.tables import audience, instances, links, records, stores
from wire import envelope, schema
from wire.errors import WireError
from wire.orders import EraseResult, WipeResult
from wire.sync import HQ, Done, Outcome, Verb

if TYPE_CHECKING:
    from hq.command_line import Commands

_EXAMPLES = """\
examples:
  consentry-hq order issue lockdown --store berlin-1
  consentry-hq order lift --store berlin-1
  consentry-hq order issue roll --all-stores
  consentry-hq order issue unpair --store berlin-1 --tablet tablet-1f2e3d4c
  consentry-hq order issue export --store berlin-1 --member m-1
  consentry-hq order show 5a1f --result m-1.cbor
  consentry-hq order list --store berlin-1 --open
"""
_ISSUED = [Verb.EXPORT, Verb.ERASE, Verb.LOCKDOWN, Verb.WIPE, Verb.ROLL, Verb.UNPAIR]
_ASKED = frozenset({Verb.LOCKDOWN, Verb.WIPE})  # of many stores: these close shops
_URGENT = frozenset({Verb.ERASE, Verb.LOCKDOWN, Verb.WIPE, Verb.UNPAIR})
_LISTED = 50
_ID_DIGITS = 8
_FORM = "{:<9} {:<9} {:<24} {:<15} {:<17} {:<17} {}"


def _options(commands: "Commands") -> None:
    added = actions(command(commands, "order", "orders to stores, and what became of them", _EXAMPLES))
    issue = command(added, "issue", "give an order to one store or to all", _EXAMPLES)
    issue.add_argument("verb", choices=[one.name.lower() for one in _ISSUED])
    which = issue.add_mutually_exclusive_group(required=True)
    which.add_argument("--store", metavar="ID")
    which.add_argument("--all-stores", action="store_true")
    about = issue.add_mutually_exclusive_group()
    about.add_argument("--member", metavar="MEMBER", help="of export and erase")
    about.add_argument("--pseudonym", metavar="HEX", help="instead of --member, as a store knows the member")
    about.add_argument("--tablet", metavar="ID", help="of unpair")
    issue.add_argument("--yes", action="store_true", help="do not ask before wipe and lockdown of all stores")
    listed = command(added, "list", "orders, newest first, with what each store made of them")
    listed.add_argument("--store", metavar="ID")
    listed.add_argument("--verb", choices=[one.name.lower() for one in Verb])
    listed.add_argument("--open", action="store_true", help="only those that are not done yet")
    listed.add_argument("--all", action="store_true", help=f"all, not the last {_LISTED}")
    show = command(added, "show", "one order, and the result that the store signed")
    show.add_argument("order", metavar="ORDER", help="its id, or the first digits of it")
    show.add_argument("--result", type=Path, metavar="FILE", help="write the result there, CBOR (docs/protocol.md, 8)")
    show.add_argument("--signed", type=Path, metavar="FILE", help="write the store's signed envelopes there, in order")
    lift = command(added, "lift", "end a lockdown: the store is unlocked with its next hello")
    lift.add_argument("--store", required=True, metavar="ID")


def _issue(office: Office, chosen: argparse.Namespace, now_ms: int) -> int | None:
    verb = Verb[chosen.verb.upper()]
    with reading(office.engine) as connection:
        named = [chosen.store] if chosen.store else list(connection.scalars(select(stores.c.id).order_by(stores.c.id)))
    if chosen.all_stores and verb in _ASKED and not chosen.yes and not _confirmed(verb, len(named)):
        print("nothing was ordered")
        return None
    for store in named:
        with writing(office.engine) as connection:
            if verb is Verb.ROLL and connection.scalar(select(links.c.store).where(links.c.store == store)) is None:
                if not chosen.all_stores:
                    raise Refused(Reason.UNKNOWN_STORE, "store", "a store that has said hello")
                continue
            subject = _subject(office, connection, verb, store, chosen)
            if verb in (Verb.EXPORT, Verb.ERASE) and subject is None:
                continue  # of all stores: not one that ever heard of the member
            given = orders.issue(connection, store, verb, now_ms, subject=subject, urgent=verb in _URGENT)
        print(f"{given.hex()}  {verb.name.lower()} ordered of {store}")
    return None


def _confirmed(verb: Verb, count: int) -> bool:
    if not sys.stdin.isatty():
        raise Refused(Reason.MALFORMED, "--yes", f"--yes, where nobody can be asked about {count} stores")
    print(f"{verb.name.lower()} of {count} stores: each of them is dark until it is undone. Write {count} to go on: ")
    return sys.stdin.readline().strip() == str(count)


def _subject(
    office: Office, connection: Connection, verb: Verb, store: str, chosen: argparse.Namespace
) -> bytes | None:
    if verb is Verb.UNPAIR:
        if not chosen.tablet:
            raise Refused(Reason.MALFORMED, "--tablet", "the tablet's id, as `consentry-gateway status` tells it")
        return str(chosen.tablet).encode()
    if verb not in (Verb.EXPORT, Verb.ERASE):
        if chosen.member or chosen.pseudonym or chosen.tablet:
            raise Refused(Reason.MALFORMED, "--member", f"nothing: `{verb.name.lower()}` is about the whole store")
        return None
    if chosen.pseudonym:
        try:
            pseudonym = bytes.fromhex(chosen.pseudonym)
        except ValueError as error:
            raise Refused(Reason.MALFORMED, "--pseudonym", "32 hex digits") from error
        return _erasable(connection, verb, store, pseudonym)
    if not chosen.member:
        raise Refused(Reason.MALFORMED, "--member", "the member whom it is about")
    known = office.keys.custody.references(connection, [chosen.member]).get(chosen.member)
    if known is None:
        raise Refused(Reason.UNKNOWN_MEMBER, "--member", "the id of a member")
    found = connection.scalar(select(audience.c.pseudonym).where(audience.c.store == store, audience.c.member == known))
    if found is None and not chosen.all_stores:
        raise Refused(Reason.UNKNOWN_MEMBER, "--member", "a member who ever was in this store's audience")
    return found if found is None else _erasable(connection, verb, store, found)


def _erasable(connection: Connection, verb: Verb, store: str, pseudonym: bytes) -> bytes:
    """Whom HQ still sends to the store is not erased there: the record would come back, and what was withdrawn in the
    store and is not known here would be forgotten."""
    live = select(records.c.key).where(
        records.c.instance == select(instances.c.id).where(instances.c.name == f"members/{store}").scalar_subquery(),
        records.c.key == pseudonym,
        records.c.body.is_not(None),
    )
    if verb is Verb.ERASE and connection.scalar(live) is not None:
        remedy = "somebody whom the store does not hold any more: `consentry-hq member erase` does both"
        raise Refused(Reason.MALFORMED, "--member", remedy)
    return pseudonym


def _list(office: Office, chosen: argparse.Namespace, now_ms: int) -> int | None:
    wanted = select(order_rows, links.c.hello_ms).outerjoin(links, links.c.store == order_rows.c.store)
    if chosen.store:
        wanted = wanted.where(order_rows.c.store == chosen.store)
    if chosen.verb:
        wanted = wanted.where(order_rows.c.verb == int(Verb[chosen.verb.upper()]))
    if chosen.open:
        wanted = wanted.where(order_rows.c.outcome.is_(None))
    wanted = wanted.order_by(order_rows.c.issued_ms.desc(), order_rows.c.id)
    with reading(office.engine) as connection:
        rows = connection.execute(wanted if chosen.all else wanted.limit(_LISTED)).all()
        locked = connection.execute(select(stores).where(stores.c.lockdown_ms.is_not(None))).all()
    print(_FORM.format("order", "verb", "store", "state", "issued", "done", "last hello"))
    for row in rows:
        print(
            _FORM.format(
                row.id.hex()[:_ID_DIGITS], Verb(row.verb).name.lower(), row.store, _state(row.outcome, row.sent_ms),
                _when(row.issued_ms), _when(row.done_ms), _when(row.hello_ms),
            )
        )  # fmt: skip
    for row in locked:
        print(f"{row.id} is locked down since {_when(row.lockdown_ms)}: consentry-hq order lift --store {row.id}")
    return None


def _show(office: Office, chosen: argparse.Namespace, now_ms: int) -> int | None:
    with reading(office.engine) as connection:
        row = _one(connection, chosen.order)
        parts = connection.execute(
            select(order_parts).where(order_parts.c.order == row.id).order_by(order_parts.c.part)
        ).all()
        identity = connection.scalar(select(stores.c.identity).where(stores.c.id == row.store))
    print(f"{row.id.hex()}  {Verb(row.verb).name.lower()} of {row.store}: {_state(row.outcome, row.sent_ms)}")
    print(f"issued {_when(row.issued_ms)}, not after {_when(row.not_after_ms)}, last sent {_when(row.sent_ms)}")
    if row.outcome is None or not parts:
        return None
    print(f"done {_when(row.done_ms)}, signed by the store in {len(parts)} parts")
    payloads = [part.payload for part in parts]
    if chosen.signed is not None:
        chosen.signed.write_bytes(b"".join(payloads))
    result = _opened(office.keys, identity or b"", payloads)
    if chosen.result is not None:
        chosen.result.write_bytes(result)
    elif shown := _words(Verb(row.verb), result):
        print(shown)
    elif result:
        print(f"a result of {len(result)} bytes; --result FILE writes it")
    return None


def _one(connection: Connection, digits: str) -> Row[Any]:
    """The order whose id begins with these hex digits."""
    try:
        low, high = (bytes.fromhex(digits.ljust(2 * orders.ID_BYTES, fill)) for fill in "0f")
    except ValueError as error:
        raise Refused(Reason.MALFORMED, "ORDER", "an order's id, or the first digits of it") from error
    found = connection.execute(select(order_rows).where(order_rows.c.id.between(low, high)).limit(2)).all()
    if len(found) != 1:
        raise Refused(Reason.MALFORMED, "ORDER", "the first digits of one order: `consentry-hq order list`")
    return found[0]


def _opened(keys: Keys, identity: bytes, payloads: Sequence[bytes]) -> bytes:
    """The result in a store's envelopes, each of which is verified again."""
    result = b""
    for payload in payloads:
        try:
            parsed = envelope.parse(payload)
            private = keys.sealing.get(parsed.header.sealed_to)
            if private is None:
                raise Refused(Reason.MALFORMED, "ORDER", "a result that was sealed to a key which HQ still has")
            said = envelope.open_(parsed, HQ, Ed25519PublicKey.from_public_bytes(identity), private)
        except WireError as error:
            raise Refused(Reason.MALFORMED, "ORDER", "envelopes as the store signed them") from error
        assert isinstance(said, Done)  # nothing else was kept
        result += said.result
    return result


def _words(verb: Verb, result: bytes) -> str:
    if verb is Verb.ERASE and result:
        found = schema.decode(EraseResult, result)
        return (
            f"{found.records} live records, {found.denials} denials and {found.events} events erased; "
            f"{found.buckets} buckets have new keys"
        )
    if verb is Verb.WIPE and result:
        return f"{schema.decode(WipeResult, result).events_lost} events were not sent up before"
    return ""


def _lift(office: Office, chosen: argparse.Namespace, now_ms: int) -> int | None:
    with writing(office.engine) as connection:
        was = orders.lift(connection, chosen.store)
    print(f"{chosen.store} is unlocked with its next hello" if was else f"{chosen.store} is not locked down")
    return None


def _state(outcome: int | None, sent_ms: int) -> str:
    if outcome is None:
        return "sent" if sent_ms else "waiting"
    return Outcome(outcome).name.lower().replace("_", " ")


def _when(at_ms: int | None) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%MZ") if at_ms else "-"


PART = Part(
    _options,
    {("order", "issue"): _issue, ("order", "list"): _list, ("order", "show"): _show, ("order", "lift"): _lift},
)
