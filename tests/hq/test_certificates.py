"""Certificates for tablets at HQ: taken, sealed, delivered with hellos, renewed at half their life, told of."""

import os
import stat
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from hq import certificates, options
from hq.__main__ import PARTS
from hq.alarm_tables import alarms
from hq.alarms import Alarm
from hq.certificate_commands import PART
from hq.certificate_issuers import NotIssued, from_hook
from hq.certificate_job import Renewals
from hq.certificate_tables import certificates as rows
from hq.database import reading, writing
from hq.errors import Refused
from hq.settings import Certificates
from hq.tables import links
from tests.fakes.store import FakeStore
from tests.hq.headquarters import STORE, Headquarters
from tests.wire.issuer import LIFE, Issuer, Pair, pem_of
from wire.trust import CertificateFault, id_of

NAME = "berlin-1.shops.example.org"
ISSUER = Issuer("A public issuer")
HALF_MS = int(LIFE.total_seconds() * 500)
LATE_MS = int(LIFE.total_seconds() * 1000 * 2 / 3)


def at(hq: Headquarters) -> datetime:
    """HQ's clock."""
    return datetime.fromtimestamp(hq.now_ms / 1000, UTC)


def issue(hq: Headquarters, name: str = NAME, **more: object) -> Pair:
    """A new one that begins now."""
    return ISSUER.issue(name, at=at(hq), **more)  # type: ignore[arg-type]


def gone(state: Path) -> bool:
    """Whether the program whose `/proc/PID/stat` this is has ended."""
    try:
        return state.read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def later(hq: Headquarters, seconds: float) -> None:
    """Time goes on; nothing else of HQ is looked at."""
    hq.now_ms += int(seconds * 1000)


def put(hq: Headquarters, pair: Pair) -> None:
    """As `consentry-hq certificate put` does."""
    with writing(hq.engine) as connection:
        certificates.put(connection, hq.keys.custody, STORE, pair.chain, pair.key, hq.now_ms)


def name(hq: Headquarters, chosen: str = NAME) -> None:
    """As `consentry-hq certificate name` does."""
    with writing(hq.engine) as connection:
        certificates.name(connection, STORE, chosen)


def raised(hq: Headquarters) -> dict[str, str]:
    """The open alarms of the store, with their details."""
    with reading(hq.engine) as connection:
        found = connection.execute(select(alarms).where(alarms.c.over_ms.is_(None), alarms.c.store == STORE))
        return {row.alarm: row.detail for row in found}


def held(hq: Headquarters) -> bytes | None:
    """The id of what HQ delivers."""
    with reading(hq.engine) as connection:
        found: bytes | None = connection.scalar(select(rows.c.id).where(rows.c.store == STORE))
        return found


@pytest.fixture
def store(hq: Headquarters) -> FakeStore:
    """The store's box, under its lease."""
    found = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    talk(hq, found, 4)
    assert found.lease is not None
    return found


def talk(hq: Headquarters, store: FakeStore, times: int = 1) -> None:
    """Some hellos."""
    for _ in range(times):
        store.say(hq.answers, store.hello())


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


def renew(hq: Headquarters, settings: Certificates) -> int:
    """One look of the one process that does it."""
    return Renewals(hq.engine, hq.keys.custody, settings).tick(hq.now_ms)


def hook(tmp_path: Path, text: str) -> Path:
    """A program of an operator's."""
    file = tmp_path / "hook"
    file.write_text(f"#!{sys.executable}\n{text}")
    file.chmod(stat.S_IRWXU)
    return file


def leave(pair: Pair, folder: Path) -> None:
    """As certbot does."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fullchain.pem").write_bytes(pair.chain)
    (folder / "privkey.pem").write_bytes(pair.key)


def giving(tmp_path: Path) -> str:
    """A hook that gives what lies in `issued`, and notes what it was called with."""
    return (
        "import os, pathlib, shutil, sys\n"
        f"here = pathlib.Path({str(tmp_path)!r})\n"
        "(here / 'called').open('a').write(' '.join(sys.argv[1:3]) + '\\n')\n"
        "assert 'CREDENTIALS_DIRECTORY' not in os.environ\n"
        "for one in (here / 'issued').iterdir(): shutil.copy(one, sys.argv[3])\n"
    )


def test_a_hook_is_asked_at_once_and_again_at_half_the_life(hq: Headquarters, tmp_path: Path) -> None:
    """With the store and its name; not before half, and not twice."""
    settings = Certificates(domain="shops.example.org", hook=hook(tmp_path, giving(tmp_path)))
    os.environ["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    try:
        first = issue(hq)
        leave(first, tmp_path / "issued")
        assert renew(hq, settings) == 1
        assert held(hq) == id_of(first.chain)
        later(hq, HALF_MS / 1000 - 1)
        assert renew(hq, settings) == 0
        later(hq, 2)
        leave(issue(hq), tmp_path / "issued")
        assert renew(hq, settings) == 1
        assert renew(hq, settings) == 0
    finally:
        del os.environ["CREDENTIALS_DIRECTORY"]
    assert (tmp_path / "called").read_text().splitlines() == [f"{STORE} {NAME}"] * 2
    assert not list(Path("/tmp").glob("certificate-*/privkey.pem"))


FAILING = {
    "it ends badly": ("raise SystemExit(3)", "the hook ended with 3"),
    "it leaves nothing": ("", "the hook left no certificate: No such file or directory"),
    "it is too slow": ("import time; time.sleep(60)", "the hook did not end within 1 s"),
}


@pytest.mark.parametrize("what", FAILING)
def test_a_hook_that_fails_is_asked_again_later_and_somebody_is_told(
    hq: Headquarters, tmp_path: Path, what: str
) -> None:
    """After an hour, then two; what was delivered stays, and the alarm ends with the next good one."""
    name(hq)
    good = issue(hq)
    put(hq, good)
    later(hq, HALF_MS / 1000 + 1)
    text, why = FAILING[what]
    settings = Certificates(hook=hook(tmp_path, text), hook_timeout_s=1)
    assert renew(hq, settings) == 0
    assert raised(hq) == {Alarm.CERTIFICATE_FAILED: why}
    assert held(hq) == id_of(good.chain)
    leave(issue(hq), tmp_path / "issued")
    hook(tmp_path, giving(tmp_path))
    later(hq, 3590)
    assert renew(hq, settings) == 0
    later(hq, 20)
    assert renew(hq, settings) == 1
    assert raised(hq) == {}


def test_a_hook_that_gives_one_of_another_name_is_refused(hq: Headquarters, tmp_path: Path) -> None:
    """And so is one that gives again what was there."""
    name(hq)
    settings = Certificates(hook=hook(tmp_path, giving(tmp_path)))
    leave(issue(hq, "paris-2.shops.example.org"), tmp_path / "issued")
    assert renew(hq, settings) == 0
    assert raised(hq) == {Alarm.CERTIFICATE_FAILED: "what the issuer gave is refused: other_name"}
    later(hq, 4000)
    leave(issue(hq), tmp_path / "issued")
    assert renew(hq, settings) == 1
    later(hq, HALF_MS / 1000 + 1)
    assert renew(hq, settings) == 0
    assert raised(hq) == {Alarm.CERTIFICATE_FAILED: "the hook gave what was there"}


def test_what_a_slow_hook_started_is_killed_with_it(tmp_path: Path) -> None:
    """Nothing of it runs on beside the next one."""
    text = (
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(tmp_path / 'child')!r}).write_text(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    assert isinstance(from_hook(hook(tmp_path, text), STORE, NAME, 2.0), NotIssued)
    state = Path("/proc") / (tmp_path / "child").read_text() / "stat"
    for _ in range(200):  # a kill is sent, then it is done
        if gone(state):
            break
        time.sleep(0.05)
    assert gone(state)
    assert isinstance(from_hook(tmp_path / "none", STORE, NAME, 2.0), NotIssued)


def test_a_folder_is_looked_into_early_and_late(hq: Headquarters, tmp_path: Path) -> None:
    """A newer one is taken within ten minutes whenever it is put there; an old one is told of at two thirds."""
    settings = Certificates(domain="shops.example.org", folder=tmp_path / "folder")
    assert renew(hq, settings) == 0
    assert Alarm.CERTIFICATE_FAILED in raised(hq)
    later(hq, 3700)
    first = issue(hq)
    leave(first, tmp_path / "folder" / STORE)
    assert renew(hq, settings) == 1
    assert raised(hq) == {}
    second = issue(hq)
    leave(second, tmp_path / "folder" / STORE)
    later(hq, 500)
    assert renew(hq, settings) == 0
    later(hq, 200)
    assert renew(hq, settings) == 1
    assert held(hq) == id_of(second.chain)
    later(hq, LATE_MS / 1000 - 1200)
    assert renew(hq, settings) == 0
    assert raised(hq) == {}
    later(hq, 1200)
    renew(hq, settings)
    renew(hq, settings)
    assert raised(hq) == {Alarm.CERTIFICATE_LATE: "days=29"}
    third = issue(hq)
    leave(third, tmp_path / "folder" / STORE)
    later(hq, 700)
    assert renew(hq, settings) == 1
    assert raised(hq) == {}


def test_two_processes_ask_an_issuer_once(hq: Headquarters, tmp_path: Path) -> None:
    """Whoever claims a store asks; the other leaves it alone."""
    name(hq)
    with reading(hq.engine) as connection:
        row = certificates.find(connection, STORE)
    assert row is not None
    with writing(hq.engine) as connection:
        assert certificates.claim(connection, row, hq.now_ms + 1000)
    with writing(hq.engine) as connection:
        assert not certificates.claim(connection, row, hq.now_ms + 1000)


def test_a_store_without_a_name_gets_one_below_the_domain(engine: Engine, hq: Headquarters) -> None:
    """One that an operator named keeps its name."""
    name(hq, "Flagship.example.org")
    renew(hq, Certificates(domain="shops.example.org"))
    with reading(engine) as connection:
        names = {row.store: row.name for row in connection.execute(select(rows))}
    assert names.pop(STORE) == "flagship.example.org"
    assert names == {one: f"{one}.shops.example.org" for one in names}


def test_a_chain_that_ends_soon_is_late_by_its_own_life(hq: Headquarters) -> None:
    """Six days' certificates, as some issuers give them, are told of after four."""
    name(hq)
    put(hq, issue(hq, life=timedelta(days=6)))
    later(hq, 4 * 86_400 - 10)
    renew(hq, Certificates())
    assert raised(hq) == {}
    later(hq, 20)
    renew(hq, Certificates())
    assert raised(hq) == {Alarm.CERTIFICATE_LATE: "days=1"}


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
