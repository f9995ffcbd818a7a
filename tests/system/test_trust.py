"""The certificate for tablets, from HQ's counter to the handshake: taken, locked, renewed, refused, withdrawn."""

import http.client
import socket
import ssl
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from demo.store import now_ms
from demo.tablet import Stream
from hq import certificates
from hq.alarm_tables import alarms
from hq.alarms import Alarm
from hq.database import reading, writing
from tests.system.store import STORE, Shop, until
from tests.wire.issuer import Issuer, Pair
from wire.query import Light

pytestmark = pytest.mark.system

NAME = f"{STORE}.local"  # one of the box's names
ISSUER = Issuer("A public issuer")


def issue(life: timedelta = timedelta(days=90)) -> Pair:
    """A new one from an issuer that is not the store's."""
    return ISSUER.issue(NAME, at=datetime.now(UTC) - timedelta(hours=1), life=life)


def put(shop: Shop, pair: Pair) -> None:
    """At HQ's counter."""
    office = shop.store.office
    with writing(office.engine) as connection:
        certificates.put(connection, office.keys.custody, STORE, pair.chain, pair.key, now_ms())


def leaf(shop: Shop, name: str, root: bytes | None = None) -> bytes | None:
    """The DER of what a tablet is shown that calls this name and trusts this root alone (None: the store's own)."""
    own = shop.folder / f"tablets/{STORE}/store-authority.pem"
    context = ssl.create_default_context(cadata=(root or own.read_bytes()).decode())
    try:
        with (
            socket.create_connection(("127.0.0.1", shop.store.tablet_port), 10) as plain,
            context.wrap_socket(plain, server_hostname=name) as line,
        ):
            return line.getpeercert(True)
    except (ssl.SSLCertVerificationError, ConnectionError):
        return None


def shows(shop: Shop, pair: Pair) -> Callable[[], bool]:
    """Whether tablets that trust the public issuer meet this very certificate."""
    der = ssl.PEM_cert_to_DER_cert(
        pair.chain.decode().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    )
    return lambda: leaf(shop, NAME, ISSUER.root) == der


def raised(shop: Shop) -> set[str]:
    """The open alarms of the store."""
    with reading(shop.store.office.engine) as connection:
        return set(connection.scalars(select(alarms.c.alarm).where(alarms.c.over_ms.is_(None))))


def test_a_certificate_goes_the_whole_way_and_is_there_while_the_box_is_locked(shop: Shop) -> None:
    """HQ, broker, gateway, tablet API: real programs; an open stream goes on; then without HQ, after a restart."""
    stream: Stream = shop.tablet().follow()
    assert leaf(shop, NAME) is not None  # of the store's own authority, from the start
    first = issue()
    with writing(shop.store.office.engine) as connection:
        certificates.name(connection, STORE, NAME)
    put(shop, first)
    until(shows(shop, first), 60, "HQ's certificate")
    assert leaf(shop, "localhost") is not None  # every other name: the own one, as before
    assert leaf(shop, NAME) is None
    names = {(one.source.value, one.name) for one in shop.store.status().certificates}
    assert ("hq", NAME) in names
    person = shop.join()
    handle = shop.call_for_help(person, stream)
    assert handle
    shop.silent(person)

    # By another process: to close HQ's database here would take SQLite's locks from this one.
    secret = first.key.decode().splitlines()[1]
    assert subprocess.run(["grep", "-rlF", secret, shop.folder], capture_output=True, check=False).stdout == b""
    assert subprocess.run(["grep", "-rqF", "event=certificate_taken", shop.folder], check=False).returncode == 0

    shop.stop("hq")
    for program in ("tablets", "gateway"):
        shop.stop(program)
    for program in ("gateway", "tablets"):
        shop.start(program)
    until(shows(shop, first), 60, "HQ's certificate while the box is locked")
    assert shop.store.light().light is Light.LOCKED
    context = ssl.create_default_context(cadata=ISSUER.root.decode())
    line = http.client.HTTPSConnection("127.0.0.1", shop.store.tablet_port, timeout=10, context=context)
    plain = socket.create_connection(("127.0.0.1", shop.store.tablet_port), 10)
    line.sock = context.wrap_socket(plain, server_hostname=NAME)
    line.request("GET", "/readyz", headers={"Host": NAME})
    assert line.getresponse().status == 503  # a page that says so can be reached
    line.close()
    stream.close()
    shop.start("hq")
    shop.store.wait_live(60)


@pytest.mark.long
def test_a_renewed_one_replaces_it_and_a_refused_one_does_not(shop: Shop) -> None:
    """The store refuses one that is for none of its names, HQ hears why, and the one before goes on."""
    second = issue()
    put(shop, second)
    until(shows(shop, second), 60, "the renewed certificate")
    elsewhere = "elsewhere.example.org"
    office = shop.store.office
    with writing(office.engine) as connection:
        certificates.name(connection, STORE, elsewhere)
        pair = ISSUER.issue(elsewhere, at=datetime.now(UTC) - timedelta(hours=1))
        certificates.put(connection, office.keys.custody, STORE, pair.chain, pair.key, now_ms())
    until(lambda: Alarm.CERTIFICATE_FAILED in raised(shop), 60, "the alarm")
    assert shows(shop, second)()
    with writing(office.engine) as connection:
        certificates.name(connection, STORE, NAME)
    third = issue()
    put(shop, third)
    until(shows(shop, third), 60, "the certificate of the right name")
    until(lambda: Alarm.CERTIFICATE_FAILED not in raised(shop), 60, "the end of the alarm")


@pytest.mark.long
def test_a_withdrawn_one_gives_way_to_the_stores_own(shop: Shop) -> None:
    """The box forgets it, and tablets with the store's authority go on under the same name."""
    with writing(shop.store.office.engine) as connection:
        certificates.withdraw(connection, STORE, now_ms())
    until(lambda: leaf(shop, NAME) is not None, 60, "the store's own certificate")
    assert leaf(shop, NAME, ISSUER.root) is None
