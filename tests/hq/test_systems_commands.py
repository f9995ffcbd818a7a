"""What `consentry-hq system`, `hook` and `contacts` print, and that `consentry-hq serve` calls hooks."""

import threading
import time
from pathlib import Path

import pytest

from hq import options, systems
from hq.__main__ import PARTS
from hq.database import reading
from hq.errors import Refused
from hq.service import Service
from hq.settings import Broker, Hooks, Settings
from runtime.notify import Notify
from tests.hq.headquarters import Headquarters
from tests.hq.receiver import listening
from tests.waiting import until

DATABASE = "sqlite"


def run(hq: Headquarters, *arguments: str) -> None:
    """One command, as `hq.__main__` runs it."""
    chosen = options.parser(PARTS).parse_args(arguments)
    which = chosen.command, chosen.action
    next(part.runs[which] for part in PARTS if which in part.runs)(hq.office, chosen, hq.now_ms)


def test_an_operator_gives_and_takes_back(hq: Headquarters, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A key is printed once and alone, and nowhere again; a hook likewise; rules are shown as they are."""
    run(hq, "system", "add", "crm", "--right", "changes", "members", "--everywhere")
    key = capsys.readouterr().out.strip()
    with reading(hq.engine) as connection:
        assert systems.identify(connection, key) is not None
    run(hq, "system", "rotate", "crm")
    capsys.readouterr()
    run(hq, "hook", "add", "crm", "https://crm.example.com/hook")
    assert capsys.readouterr().out.startswith("whsec_")
    for url in ("https://127.0.0.1/hook", "http://crm.example.com/"):
        with pytest.raises(Refused):
            run(hq, "hook", "add", "crm", url)
    run(hq, "hook", "list")
    listed = capsys.readouterr().out
    assert "crm  https://crm.example.com/hook: 0 events behind" in listed
    hook = listed.split()[0]
    for action in ("rotate", "retry", "remove"):
        run(hq, "hook", action, hook)
    capsys.readouterr()
    run(hq, "system", "list")
    listed = capsys.readouterr().out
    assert "changes members; everywhere" in listed
    assert key not in listed
    first = listed.splitlines()[1].split()[1]
    run(hq, "system", "revoke", "crm", "--key", first)
    run(hq, "system", "revoke", "crm")
    with pytest.raises(Refused):
        run(hq, "system", "rotate", "crm")
    rules = tmp_path / "contacts.toml"
    rules.write_text('quiet_from = "21:30"\n[caps.sms]\nmonth = 2\n')
    run(hq, "contacts", "rules", str(rules))
    capsys.readouterr()
    run(hq, "contacts", "show")
    assert capsys.readouterr().out == "quiet from 21:30 until 08:00: email phone push sms\nsms: at most 2 in 31 days\n"


def test_the_program_that_serves_calls_the_hooks(hq: Headquarters, capsys: pytest.CaptureFixture[str]) -> None:
    """One of its threads, also while the broker is away."""
    settings = Settings("", Path(), Broker("127.0.0.1", 9, tls=False), hooks=Hooks(private=True))
    service = Service(settings, hq.engine, hq.keys, lambda: time.time_ns() // 1_000_000)
    with listening() as receiver:
        run(hq, "system", "add", "crm", "--right", "changes", "--everywhere")
        run(hq, "hook", "add", "crm", receiver.url, "--private")
        hq.join("m-1")
        thread = threading.Thread(target=service.run, args=(Notify(None),))
        thread.start()
        try:
            until(lambda: receiver.heard, what="the hook's call")
        finally:
            service.stop()
            thread.join(20)
    assert [path for path, _, _ in receiver.heard] == ["/hook"]
    assert b'"member":"m-1"' in receiver.heard[0][2]
