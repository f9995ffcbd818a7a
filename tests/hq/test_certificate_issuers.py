"""Who issues certificates to HQ: a hook, a folder, and one asking process."""

import os
import stat
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from hq import certificates
from hq.alarms import Alarm
from hq.certificate_issuers import NotIssued, from_hook
from hq.certificate_tables import certificates as rows
from hq.database import reading, writing
from hq.settings import Certificates
from tests.hq.certificate_desk import (
    HALF_MS,
    LATE_MS,
    NAME,
    gone,
    held,
    issue,
    later,
    leave,
    name,
    put,
    raised,
    renew,
)
from tests.hq.headquarters import STORE, Headquarters
from tests.waiting import until
from wire.trust import id_of


def hook(tmp_path: Path, text: str) -> Path:
    """A program of an operator's."""
    file = tmp_path / "hook"
    file.write_text(f"#!{sys.executable}\n{text}")
    file.chmod(stat.S_IRWXU)
    return file


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
    until(lambda: gone(state), what="the kill that was sent")
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
