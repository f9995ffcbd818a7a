"""`consentry-hq certificate`: what stores show to their tablets: give one, name a box, see them, take one back.

I/O: the terminal, files that are named, sqlalchemy.
"""

import argparse
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Row, select

from hq import certificates
from hq.certificate_tables import certificates as rows
from hq.command_line import Part, actions, command
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.office import Office
from hq.tables import links
from wire.trust import MAX_CHAIN_BYTES, MAX_KEY_BYTES, CertificateFault

if TYPE_CHECKING:
    from hq.command_line import Commands

_LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME: Final = re.compile(rf"(?=.{{4,253}}$){_LABEL}(\.{_LABEL})+", re.ASCII)
_EXAMPLE: Final = "example:\n  consentry-hq certificate put berlin-1 --chain fullchain.pem --key privkey.pem"
_DAY_MS: Final = 86_400_000


def _options(commands: "Commands") -> None:
    about = "what stores show to their tablets"
    added = actions(command(commands, "certificate", about))
    named = command(added, "name", "set the DNS name by which tablets call a store's box")
    put = command(added, "put", "deliver a certificate to a store, sealed, with the answer to its next hello", _EXAMPLE)
    show = command(added, "show", "tell names, ends, and whether each store holds what HQ has")
    withdraw = command(added, "withdraw", "forget a store's key, renew it no more, and have the store forget it")
    for one in (named, put, withdraw):
        one.add_argument("store", metavar="STORE")
    named.add_argument("name", metavar="NAME", help="for example berlin-1.shops.example.org")
    put.add_argument("--chain", type=Path, required=True, metavar="FILE", help="PEM, the store's own first")
    put.add_argument("--key", type=Path, required=True, metavar="FILE", help="PEM, not encrypted")
    show.add_argument("store", metavar="STORE", nargs="?")


def _name(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    name = chosen.name.lower().rstrip(".")
    if _NAME.fullmatch(name) is None:
        raise Refused(Reason.MALFORMED, "name", "a DNS name of two labels or more")
    with writing(office.engine) as connection:
        certificates.name(connection, chosen.store, name)
    print(f"{chosen.store} is called {name}; its box must know the name too (consentry-provision store --tablet-name)")


def _put(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    chain, key = _read(chosen.chain, MAX_CHAIN_BYTES), _read(chosen.key, MAX_KEY_BYTES)
    with writing(office.engine) as connection:
        leaf = certificates.put(connection, office.keys.custody, chosen.store, chain, key, now_ms)
    print(f"taken for {chosen.store}; holds until {leaf.not_after.date()}, to be renewed from {leaf.half.date()}")


def _read(file: Path, most_bytes: int) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(most_bytes + 1)
    except OSError as error:
        raise Refused(Reason.MALFORMED, str(file), f"a file that can be read: {error.strerror}") from error


def _show(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    held = links.c.certificate, links.c.certificate_fault
    wanted = select(rows, *held).outerjoin(links, links.c.store == rows.c.store).order_by(rows.c.store)
    if chosen.store is not None:
        wanted = wanted.where(rows.c.store == chosen.store)
    with reading(office.engine) as connection:
        found = connection.execute(wanted).all()
    if not found:
        print("no store has a name: consentry-hq certificate name")
    for row in found:
        print(f"{row.store} {row.name} {_state(row, now_ms)}")


def _state(row: Row[Any], now_ms: int) -> str:
    if row.id is None:
        return "withdrawn" if row.ended else "no certificate yet"
    until = f"until {_date(row.not_after_ms)} ({(row.not_after_ms - now_ms) // _DAY_MS} days), serial {row.serial}"
    if row.certificate != row.id:
        return f"{until}, not at the store yet"
    if row.certificate_fault is not None:
        return f"{until}, REFUSED by the store: {CertificateFault(row.certificate_fault).name.lower()}"
    return f"{until}, in use"


def _date(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).date().isoformat()


def _withdraw(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with writing(office.engine) as connection:
        serial = certificates.withdraw(connection, chosen.store, now_ms)
    print(f"withdrawn; now revoke serial {serial} at its issuer. `certificate put` ends the withdrawal")


PART = Part(
    _options,
    {
        ("certificate", "name"): _name,
        ("certificate", "put"): _put,
        ("certificate", "show"): _show,
        ("certificate", "withdraw"): _withdraw,
    },
)
