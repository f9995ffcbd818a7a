"""Keeps what stores show to their tablets: chains as they are, keys sealed, and when each is to be renewed.

I/O: sqlalchemy.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hq.alarm_tables import alarms
from hq.alarms import Alarm, clear, raise_
from hq.certificate_tables import certificates
from hq.custody import Custody, Place, Purpose, bound
from hq.errors import Reason, Refused, SealBroken
from hq.tables import stores
from wire.certificates import Leaf, judge
from wire.trust import Certificate, CertificateFault

# What an operator reads of each fault.
FAULTS: dict[CertificateFault, str] = {
    CertificateFault.UNREADABLE: "a chain and an unencrypted key in PEM, of the usual lengths",
    CertificateFault.OTHER_KEY: "the key that belongs to the certificate",
    CertificateFault.OTHER_NAME: "a certificate that bears the store's name",
    CertificateFault.EXPIRED: "a certificate that has not expired",
    CertificateFault.NOT_YET: "a certificate whose time has begun",
    CertificateFault.UNFIT: "a server's certificate: RSA from 2048 bits or P-256, P-384, P-521, and SHA-2",
    CertificateFault.BROKEN_CHAIN: "a chain in order, each signed by the next",
}
_FIRST_PAUSE_MS = 3_600_000
_MOST_PAUSE_MS = 24 * 3_600_000


def find(connection: Connection, store: str) -> Row[Any] | None:
    """A store's row; None: it has no name yet."""
    return connection.execute(select(certificates).where(certificates.c.store == store)).first()


def name(connection: Connection, store: str, chosen: str) -> None:
    """From now on tablets call the store's box by this DNS name. What is delivered already is renewed at once.

    Raises: Refused(UNKNOWN_STORE).
    """
    if connection.scalar(select(stores.c.id).where(stores.c.id == store)) is None:
        raise Refused(Reason.UNKNOWN_STORE, "store", "a store that HQ knows")
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    changed = {"name": chosen.lower(), "renew_ms": 0, "next_ms": 0, "fails": 0}
    row = dialect.insert(certificates).values(store=store, **changed)
    connection.execute(row.on_conflict_do_update(index_elements=[certificates.c.store], set_=changed))


def put(connection: Connection, custody: Custody, store: str, chain: bytes, key: bytes, now_ms: int) -> Leaf:
    """Takes a certificate with its key (PEM) for the store's name: the store gets it with the answer to a hello.

    Raises: Refused, for a store without a name, or a certificate that does not serve it now; the one before stays.
    """
    row = find(connection, store)
    if row is None:
        raise Refused(Reason.UNKNOWN_STORE, "store", "a store with a name: consentry-hq certificate name")
    leaf = judge(chain, key, row.name, datetime.fromtimestamp(now_ms / 1000, UTC))
    if isinstance(leaf, CertificateFault):
        raise Refused(Reason.MALFORMED, leaf.name.lower(), FAULTS[leaf])
    seal = custody.to_seal(connection, Purpose.CERTIFICATES)
    connection.execute(
        update(certificates)
        .where(certificates.c.store == store)
        .values(
            id=leaf.id, chain=chain, sealed_key=seal.close(key, bound(Place.CERTIFICATE, store.encode(), leaf.id)),
            serial=f"{leaf.serial:x}", not_after_ms=_ms(leaf.not_after), renew_ms=_ms(leaf.half),
            late_ms=_ms(leaf.late), next_ms=0, fails=0, ended=False,
        )
    )  # fmt: skip
    for alarm in (Alarm.CERTIFICATE_LATE, Alarm.CERTIFICATE_FAILED):
        clear(connection, alarm, store, now_ms)
    return leaf


def withdraw(connection: Connection, store: str, now_ms: int) -> str:
    """HQ forgets the key, renews nothing any more and has the store forget it too; the serial number, in hex.

    Raises: Refused, where nothing is delivered.
    """
    row = find(connection, store)
    if row is None or row.id is None:
        raise Refused(Reason.UNKNOWN_STORE, "store", "a store to which a certificate is delivered")
    gone: dict[str, Any] = {"id": None, "chain": None, "sealed_key": None, "serial": "", "ended": True}
    times = dict.fromkeys(("not_after_ms", "renew_ms", "late_ms", "next_ms", "fails"), 0)
    connection.execute(update(certificates).where(certificates.c.store == store).values(**gone, **times))
    for alarm in (Alarm.CERTIFICATE_LATE, Alarm.CERTIFICATE_FAILED):
        clear(connection, alarm, store, now_ms)
    return str(row.serial)


def to_send(connection: Connection, custody: Custody, store: str, now_ms: int) -> Certificate | None:
    """What a store is to hold now; None where HQ has nothing to say, or cannot open it."""
    row = find(connection, store)
    if row is None or (row.id is None and not row.ended):
        return None
    if row.id is None:
        return Certificate(row.name, b"", b"")
    try:
        seal = custody.to_open(connection, Purpose.CERTIFICATES)
        key = seal.open(row.sealed_key, bound(Place.CERTIFICATE, store.encode(), row.id))
    except SealBroken:
        raise_(connection, Alarm.CERTIFICATE_FAILED, store, now_ms, "its key at HQ does not open")
        return None
    return Certificate(row.name, row.chain, key)


def told(connection: Connection, store: str, fault: CertificateFault | None, now_ms: int) -> None:
    """What the store says of the certificate that was delivered last."""
    if fault is not None:
        raise_(connection, Alarm.CERTIFICATE_FAILED, store, now_ms, f"the store does not take it: {fault.name.lower()}")
    else:
        clear(connection, Alarm.CERTIFICATE_FAILED, store, now_ms)


def failed(connection: Connection, row: Row[Any], why: str, now_ms: int) -> None:
    """An issuer gave none, or none that serves: asked again after 1 to 24 hours, and somebody is told."""
    pause_ms = min(_FIRST_PAUSE_MS * 2 ** min(row.fails, 8), _MOST_PAUSE_MS)
    connection.execute(
        update(certificates)
        .where(certificates.c.store == row.store)
        .values(next_ms=now_ms + pause_ms, fails=certificates.c.fails + 1)
    )
    raise_(connection, Alarm.CERTIFICATE_FAILED, row.store, now_ms, why)


def claim(connection: Connection, row: Row[Any], until_ms: int) -> bool:
    """Whether this process is to ask the issuer: no other does until then."""
    claimed = connection.execute(
        update(certificates)
        .where(certificates.c.store == row.store, certificates.c.next_ms == row.next_ms)
        .values(next_ms=until_ms)
    )
    return claimed.rowcount > 0


def put_off(connection: Connection, store: str, until_ms: int) -> None:
    """The issuer is not asked before."""
    connection.execute(update(certificates).where(certificates.c.store == store).values(next_ms=until_ms))


def name_all(connection: Connection, domain: str) -> int:
    """Gives each store without a name its own below `domain`; how many."""
    known = select(certificates.c.store)
    missing = connection.scalars(select(stores.c.id).where(stores.c.id.not_in(known)).limit(1000)).all()
    for store in missing:
        name(connection, store, f"{store}.{domain}")
    return len(missing)


def look(connection: Connection, now_ms: int) -> None:
    """Raises CERTIFICATE_LATE for each whose certificate is past two thirds of its life, once."""
    is_told = alarms.c.alarm == Alarm.CERTIFICATE_LATE.value, alarms.c.over_ms.is_(None)
    late = select(certificates).where(
        certificates.c.late_ms > 0,
        certificates.c.late_ms <= now_ms,
        certificates.c.store.not_in(select(alarms.c.store).where(*is_told)),
    )
    for row in connection.execute(late).all():
        left_ms = row.not_after_ms - now_ms
        raise_(connection, Alarm.CERTIFICATE_LATE, row.store, now_ms, f"days={left_ms // 86_400_000}")


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
