"""What systemd is told, heard on a real datagram socket."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.notify import Notify


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket where systemd would listen, named in the environment."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(2)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


def test_ready_alive_and_stopping_are_told(systemd: socket.socket) -> None:
    """Each call is one datagram in systemd's words."""
    notify = Notify.from_environment()
    notify.ready("scanning on hci0")
    notify.alive()
    notify.status("two\nlines")
    notify.stopping()
    assert [systemd.recv(200) for _ in range(4)] == [
        b"READY=1\nSTATUS=scanning on hci0",
        b"WATCHDOG=1",
        b"STATUS=two lines",
        b"STOPPING=1",
    ]


def test_an_abstract_address_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that begins with @ is in Linux's abstract namespace."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0consentry-test-{os.getpid()}")
        listening.settimeout(2)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@consentry-test-{os.getpid()}")
        Notify.from_environment().ready()
        assert listening.recv(200) == b"READY=1"


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Started by hand, a program is not held up."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Notify.from_environment().ready()


def test_a_socket_that_went_away_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that cannot be sent is dropped."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    Notify.from_environment().alive()


@pytest.mark.parametrize(
    ("usec", "pid", "expected"),
    [("20000000", "", 10.0), ("20000000", "me", 10.0), ("20000000", "1", None), ("", "", None), ("0", "", None)],
)
def test_the_watchdog_waits_for_this_process_only(
    monkeypatch: pytest.MonkeyPatch, usec: str, pid: str, expected: float | None
) -> None:
    """Half of WatchdogSec, and none where another process or nobody is watched."""
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if pid == "me" else pid)
    assert Notify.from_environment().watchdog_interval_s == expected
