"""Takes a leave code from HQ's public page, or from whoever answers the telephone, and hands it to the store.

HQ cannot tell whether a code is right, and neither can whoever asks: the store's order is answered the same either way,
and the one that was right comes back as a withdrawal.

I/O: sqlalchemy.
"""

import re
from dataclasses import dataclass
from math import ceil
from unicodedata import decimal

from sqlalchemy import Connection, delete, insert, select, update

from hq import orders
from hq.errors import Reason, Refused
from hq.leave_tables import leave_tries
from hq.publication import Policies
from hq.tables import links, stores
from wire.policy import must_be_blind
from wire.sync import Verb

CODE_DIGITS = 8
ADDRESS_BURST, ADDRESS_EACH_MS = 5, 60_000
STORE_BURST, STORE_EACH_MS = 20, 15_000
MOST_ADDRESS_BYTES = 32
_ALL = b""  # in the place of an address: the store's tries together
_BETWEEN = re.compile(r"[\s\u2009-]+")


@dataclass(frozen=True, slots=True)
class Door:
    """What the public page says of a store. `hears`: its box holds a lease; without one it shows nobody anyway."""

    label: str
    blind: tuple[str, ...]  # the labels of zones in which nobody is ever shown
    hears: bool


def door(connection: Connection, store: str, now_ms: int) -> Door | None:
    """The store behind a sign's address, for anybody; None: HQ knows no such store."""
    wanted = select(stores.c.label, links.c.lease_until_ms).outerjoin(links, links.c.store == stores.c.id)
    row = connection.execute(wanted.where(stores.c.id == store)).first()
    if row is None:
        return None
    policy = Policies(connection).of(store)
    zones = () if policy is None else policy.store.zones
    blind = dict.fromkeys(one.label for one in zones if one.blind or must_be_blind(one.kind))
    label = policy.store.label if policy is not None and policy.store.label else row.label
    return Door(label, tuple(blind), (row.lease_until_ms or 0) > now_ms)


def digits(text: str) -> str:
    """The eight digits of a code as people write it, with spaces or hyphens, in their keyboard's own digits.

    Raises:
        Refused: not eight digits.
    """
    found = _BETWEEN.sub("", text)
    if len(found) != CODE_DIGITS or not found.isdecimal():
        raise Refused(Reason.MALFORMED, "code", "the eight digits that the app shows")
    return "".join(str(decimal(one)) for one in found)


def ask(connection: Connection, store: str, code: str, now_ms: int, address: bytes | None = None) -> int:
    """Hands a code to a store; 0, or in how many seconds it may be tried again, and then nothing was done.

    `address`: a keyed hash, at most 32 bytes, of where it comes from, which HQ does not store otherwise; None: somebody
    of ours asks. What is counted is tries, not mistakes, so that the wait tells nothing either.

    Raises:
        Refused: no such store, or not eight digits.
    """
    code = digits(code)
    orders.lock(connection, store)  # one at a time for each store
    connection.execute(delete(leave_tries).where(leave_tries.c.store == store, leave_tries.c.full_ms <= now_ms))
    limits = [(_ALL, STORE_BURST, STORE_EACH_MS)]
    if address:
        limits.append((address[:MOST_ADDRESS_BYTES], ADDRESS_BURST, ADDRESS_EACH_MS))
    full = {who: _full_ms(connection, store, who, now_ms) for who, _, _ in limits}
    wait_ms = max(full[who] - now_ms - (burst - 1) * each_ms for who, burst, each_ms in limits)
    if wait_ms > 0:
        return ceil(wait_ms / 1000)
    for who, _, each_ms in limits:
        of_it = leave_tries.c.store == store, leave_tries.c.address == who
        if full[who] > now_ms:
            connection.execute(update(leave_tries).where(*of_it).values(full_ms=full[who] + each_ms))
        else:
            connection.execute(insert(leave_tries).values(store=store, address=who, full_ms=now_ms + each_ms))
    orders.issue(connection, store, Verb.LEAVE, now_ms, code=code, urgent=True)
    return 0


def _full_ms(connection: Connection, store: str, address: bytes, now_ms: int) -> int:
    of_it = leave_tries.c.store == store, leave_tries.c.address == address
    found: int | None = connection.scalar(select(leave_tries.c.full_ms).where(*of_it))
    return now_ms if found is None else found
