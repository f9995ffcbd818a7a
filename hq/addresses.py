"""Members' e-mail addresses, by which alone they are sent a sign-in link: found by a keyed hash, kept sealed.

I/O: sqlalchemy.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from hq.custody import Custody, Place, bound
from hq.errors import Reason, Refused
from hq.membership import Locked
from hq.web_tables import member_addresses

MOST_CHARACTERS: Final = 254  # RFC 5321 4.5.3.1.3, less the angle brackets
MOST_OF_MEMBER: Final = 5
# What mail servers take without quoting (RFC 5321 4.1.2), and any letters besides (RFC 6531).
_FORM: Final = re.compile(r"[^\s\"(),:;<>@\[\\\]\x00-\x1f\x7f]{1,64}@[^\s\"(),:;<>@\[\\\]\x00-\x1f\x7f]{1,189}")
_CHUNK: Final = 500
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


def plain_or_none(address: str) -> str | None:
    """The same; None: no address."""
    try:
        return plain(address)
    except Refused:
        return None


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


def holders(connection: Connection, custody: Custody, listed: Iterable[str]) -> dict[str, bytes]:
    """Who has these addresses (each as `plain` gives it), by HQ's references; what nobody has is not in the answer."""
    lookups = custody.lookup(connection, [_SAME + one for one in listed])
    named = {lookup: one.removeprefix(_SAME) for one, lookup in lookups.items()}
    found, wanted = {}, sorted(named)
    for start in range(0, len(wanted), _CHUNK):
        chosen = select(member_addresses.c.lookup, member_addresses.c.member)
        chosen = chosen.where(member_addresses.c.lookup.in_(wanted[start : start + _CHUNK]))
        found.update({named[row.lookup]: row.member for row in connection.execute(chosen)})
    return found


def counts(connection: Connection, members: Iterable[bytes]) -> dict[bytes, int]:
    """How many addresses each of these members has; who has none is not in the answer."""
    found, wanted = {}, sorted(set(members))
    for start in range(0, len(wanted), _CHUNK):
        chosen = select(member_addresses.c.member, func.count().label("held")).group_by(member_addresses.c.member)
        chosen = chosen.where(member_addresses.c.member.in_(wanted[start : start + _CHUNK]))
        found.update({row.member: row.held for row in connection.execute(chosen)})
    return found


def add_new(connection: Connection, custody: Custody, added: Sequence[tuple[Locked, str]], now_ms: int) -> None:
    """Addresses (as `plain` gives them) that nobody has, as the caller saw by `holders`, each of a locked member.

    Raises:
        Refused: somebody else got one meanwhile; nothing of the transaction is to be kept.
    """
    if not added:
        return
    lookups = custody.lookup(connection, [_SAME + address for _, address in added], making=True)
    rows = [
        {
            "lookup": lookups[_SAME + address],
            "member": one.reference,
            "content": one.seal.close(address.encode(), bound(Place.ADDRESS, one.reference)),
            "added_ms": now_ms,
        }
        for one, address in added
    ]
    try:
        connection.execute(insert(member_addresses), rows)
    except IntegrityError:
        raise Refused(Reason.EXISTS, "addresses", "addresses that no other member has") from None


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
