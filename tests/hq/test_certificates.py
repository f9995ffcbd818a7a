"""Certificates for tablets at HQ: taken, sealed, delivered with hellos, renewed at half their life, told of."""

from pathlib import Path

import pytest
from sqlalchemy import select

from hq import certificates, options
from hq.__main__ import PARTS
from hq.alarms import Alarm
from hq.certificate_commands import PART
from hq.database import reading, writing
from hq.errors import Refused
from hq.settings import Certificates
from hq.tables import links
from tests.fakes.store import FakeStore
from tests.hq.certificate_desk import ISSUER, NAME, at, held, issue, leave, name, put, raised, renew, talk
from tests.hq.headquarters import STORE, Headquarters
from tests.wire.issuer import LIFE, Issuer, Pair, pem_of
from wire.trust import CertificateFault, id_of


@pytest.fixture
def store(hq: Headquarters) -> FakeStore:
    """The store's box, under its lease."""
    found = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    talk(hq, found, 4)
    assert found.lease is not None
    return found


def test_it_comes_with_the_next_hello_and_no_more_once_it_is_there(hq: Headquarters, store: FakeStore) -> None:
    """Sealed to the boot as all is; a hello that names it is as quiet as before."""
    name(hq)
    talk(hq, store)
    assert store.certificate is None
    pair = issue(hq)
    put(hq, pair)
    talk(hq, store)
    assert store.certificate is not None
    assert (store.certificate.name, store.certificate.chain, store.certificate.key) == (NAME, pair.chain, pair.key)
    store.certificate_id = id_of(pair.chain)
    talk(hq, store, 2)
    store.certificate = None
    talk(hq, store)
    assert store.certificate is None
    with reading(hq.engine) as connection:
        assert connection.scalar(select(links.c.certificate)) == id_of(pair.chain)


def test_a_message_that_was_lost_comes_again(hq: Headquarters, store: FakeStore) -> None:
    """With every hello until one names it: HQ keeps no list of what it sent."""
    name(hq)
    put(hq, issue(hq))
    for _ in range(3):
        store.certificate = None
        talk(hq, store)
        assert store.certificate is not None


def test_the_key_is_nowhere_in_plain(hq: Headquarters, tmp_path: Path) -> None:
    """Not in the database, and not in its log; the chain is public."""
    name(hq)
    pair = issue(hq)
    put(hq, pair)
    secret = pair.key.splitlines()[1]
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert secret not in file.read_bytes(), file
    with reading(hq.engine) as connection:
        row = certificates.find(connection, STORE)
        assert row is not None
        assert secret not in row.sealed_key


def test_what_the_store_does_not_take_raises_an_alarm_until_it_does(hq: Headquarters, store: FakeStore) -> None:
    """The hello says why; HQ does not send the same again, and the next good one ends the alarm."""
    name(hq)
    first = issue(hq)
    put(hq, first)
    talk(hq, store)
    store.certificate_id, store.certificate_fault = id_of(first.chain), CertificateFault.OTHER_NAME
    store.certificate = None
    talk(hq, store)
    assert raised(hq) == {Alarm.CERTIFICATE_FAILED: "the store does not take it: other_name"}
    assert store.certificate is None
    second = issue(hq)
    put(hq, second)
    talk(hq, store)
    assert store.certificate is not None
    store.certificate_id, store.certificate_fault = id_of(second.chain), None
    talk(hq, store)
    assert raised(hq) == {}


def test_a_withdrawn_one_is_taken_back_from_the_store(hq: Headquarters, store: FakeStore) -> None:
    """HQ has no key any more, names the serial to revoke, renews nothing, and the store is told to forget."""
    name(hq)
    pair = issue(hq)
    put(hq, pair)
    store.certificate_id = id_of(pair.chain)
    with writing(hq.engine) as connection:
        serial = certificates.withdraw(connection, STORE, hq.now_ms)
        row = certificates.find(connection, STORE)
    assert int(serial, 16) > 0
    assert row is not None
    assert (row.chain, row.sealed_key) == (None, None)
    talk(hq, store)
    assert store.certificate is not None
    assert (store.certificate.chain, store.certificate.key) == (b"", b"")
    store.certificate = store.certificate_id = None
    talk(hq, store)
    assert store.certificate is None
    assert renew(hq, Certificates(hook=Path("/bin/false"))) == 0
    assert raised(hq) == {}
    put(hq, issue(hq))
    talk(hq, store)
    assert store.certificate is not None


@pytest.mark.parametrize(
    ("what", "fault"),
    [("another name", "other_name"), ("expired", "expired"), ("another key", "other_key"), ("corrupted", "unreadable")],
)
def test_what_does_not_serve_is_refused_and_the_one_before_stays(hq: Headquarters, what: str, fault: str) -> None:
    """At HQ's counter, in words that tell nothing of the key."""
    name(hq)
    good = issue(hq)
    put(hq, good)
    bad = {
        "another name": issue(hq, "paris-2.shops.example.org"),
        "expired": ISSUER.issue(NAME, at=at(hq) - LIFE),
        "another key": Pair(issue(hq).chain, pem_of(Issuer().key)),
        "corrupted": Pair(good.chain[:99], good.key),
    }[what]
    with pytest.raises(Refused) as refused:
        put(hq, bad)
    assert refused.value.field == fault
    assert held(hq) == id_of(good.chain)


def test_the_commands_say_what_they_did_and_show_how_each_store_is(
    hq: Headquarters, store: FakeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a name to a withdrawal, with the words that an operator reads; a name that is none is refused."""

    def run(*words: str) -> str:
        chosen = options.parser(PARTS).parse_args(["certificate", *words])
        PART.runs["certificate", chosen.action](hq.office, chosen, hq.now_ms)
        return capsys.readouterr().out

    assert "no store has a name" in run("show")
    assert run("name", STORE, NAME.upper()).startswith(f"{STORE} is called {NAME}")
    for wrong in ("localhost", "a b.example", "-x.example"):
        with pytest.raises(Refused):
            run("name", STORE, f" {wrong}")
    assert run("show") == f"{STORE} {NAME} no certificate yet\n"
    pair = issue(hq)
    leave(pair, tmp_path / "given")
    files = ("--chain", str(tmp_path / "given/fullchain.pem"), "--key", str(tmp_path / "given/privkey.pem"))
    assert run("put", STORE, *files).startswith(f"taken for {STORE}; holds until ")
    assert run("show", STORE).endswith("not at the store yet\n")
    store.certificate_id = id_of(pair.chain)
    talk(hq, store)
    assert "(90 days)" in run("show")
    assert run("show").endswith("in use\n")
    store.certificate_fault = CertificateFault.UNFIT
    talk(hq, store)
    assert run("show").endswith("REFUSED by the store: unfit\n")
    assert "now revoke serial" in run("withdraw", STORE)
    assert run("show") == f"{STORE} {NAME} withdrawn\n"
    with pytest.raises(Refused):
        run("put", STORE, "--chain", str(tmp_path / "none"), "--key", str(tmp_path / "none"))
