"""Members' e-mail addresses, by which alone they are sent a sign-in link: found by a keyed hash, kept sealed.

I/O: sqlalchemy.
"""

import re
import unicodedata
from typing import Final

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from hq.custody import Custody, Place, bound
from hq.errors import Reason, Refused
from hq.web_tables import member_addresses

MOST_CHARACTERS: Final = 254  # RFC 5321 4.5.3.1.3, less the angle brackets
MOST_OF_MEMBER: Final = 5
# What mail servers take without quoting (RFC 5321 4.1.2), and any letters besides (RFC 6531).
_FORM: Final = re.compile(r"[^\s\"(),:;<>@\[\\\]\x00-\x1f\x7f]{1,64}@[^\s\"(),:;<>@\[\\\]\x00-\x1f\x7f]{1,189}")
_SAME: Final = "mail:"  # so that an address is no member's id


def plain(address: str) -> str:
    """The form in which addresses are compared: NFC, without spaces around, in lower case.

    Raises:
        Refused: no address.
    """
    found = unicodedata.normalize("NFC", address.strip()).lower()
    local, _, domain = found.partition("@")
    if len(found) > MOST_CHARACTERS or not _FORM.fullmatch(found) or "." not in domain or ".." in found:
        raise Refused(Reason.MALFORMED, "address", "an e-mail address")
    if domain.startswith(".") or domain.endswith(".") or local.startswith(".") or local.endswith("."):
        raise Refused(Reason.MALFORMED, "address", "an e-mail address")
    return found


def put(connection: Connection, custody: Custody, member: bytes, address: str, now_ms: int) -> None:
    """Gives a member an address; the caller holds the member's lock and knows that the address is the member's own.

    Raises:
        Refused: no address, somebody else's, or the member has five. KeyError: the member was erased.
    """
    found = plain(address)
    lookup = _lookup(connection, custody, found, making=True)
    of_them = member_addresses.c.member == member
    held = connection.scalars(select(member_addresses.c.lookup).where(of_them)).all()
    if lookup in held:
        return
    if len(held) >= MOST_OF_MEMBER:
        raise Refused(Reason.TOO_MANY, "address", f"at most {MOST_OF_MEMBER} addresses of a member")
    sealed = custody.seal(connection, member, found.encode(), bound(Place.ADDRESS, member))
    try:
        with connection.begin_nested():
            row = {"lookup": lookup, "member": member, "content": sealed, "added_ms": now_ms}
            connection.execute(insert(member_addresses).values(row))
    except IntegrityError:
        raise Refused(Reason.EXISTS, "address", "an address that no other member has") from None


def remove(connection: Connection, custody: Custody, member: bytes, address: str) -> bool:
    """Takes an address from a member; False: the member has no such address. Raises: Refused, no address."""
    lookup = _lookup(connection, custody, plain(address), making=False)
    of_it = member_addresses.c.member == member, member_addresses.c.lookup == lookup
    return connection.execute(delete(member_addresses).where(*of_it)).rowcount > 0


def find(connection: Connection, custody: Custody, address: str) -> bytes | None:
    """HQ's reference of the member who has this address, 16 bytes; None: nobody. Raises: Refused, no address."""
    lookup = _lookup(connection, custody, plain(address), making=False)
    return connection.scalar(select(member_addresses.c.member).where(member_addresses.c.lookup == lookup))


def of_member(connection: Connection, custody: Custody, member: bytes) -> list[str]:
    """The member's addresses, the oldest first."""
    chosen = select(member_addresses).where(member_addresses.c.member == member).order_by(member_addresses.c.added_ms)
    sealed = [row.content for row in connection.execute(chosen)]
    if not sealed:
        return []
    seal = custody.of_members(connection, [member])[member]
    return [seal.open(one, bound(Place.ADDRESS, member)).decode() for one in sealed]


def _lookup(connection: Connection, custody: Custody, found: str, *, making: bool) -> bytes:
    named = _SAME + found
    return custody.lookup(connection, [named], making=making).get(named, b"")
