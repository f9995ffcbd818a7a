"""The program `consentry-tablets` as an operator meets it: real processes."""

import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tablet_api import forms
from tests.fakes.gateway import FakeGateway

TOP = Path(__file__).parent.parent.parent


def write(tmp_path: Path, authority: tuple[Path, Path], text: str) -> Path:
    """A configuration file with this text, certificate and credentials added."""
    file = tmp_path / "tablets.toml"
    file.write_text(
        f'{text}\nlisten = "127.0.0.1"\nport = 0\ncertificate = "{authority[0]}"\n'
        f'credentials_dir = "{authority[1].parent}"\n'
    )
    return file


@contextmanager
def running(file: Path, tmp_path: Path) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """The program, once it has told systemd that it is ready, and its port."""
    notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notified.bind(str(tmp_path / "notify"))
    notified.settimeout(30)
    program = subprocess.Popen(
        [sys.executable, "-m", "tablet_api", "--config", str(file)],
        cwd=TOP, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"},
    )  # fmt: skip
    try:
        told = notified.recv(4096).decode()
        assert told.startswith("READY=1")
        yield program, int(told.rsplit(" ", 1)[1])
        if program.poll() is None:
            assert "WATCHDOG=1" in {notified.recv(4096).decode() for _ in range(2)}
    finally:
        notified.close()
        if program.poll() is None:
            program.kill()
        program.wait(10)
        assert program.stderr is not None
        program.stderr.close()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 0)])
def test_it_ends_promptly_with_streams_open(
    tmp_path: Path, authority: tuple[Path, Path], gateway: FakeGateway, number: signal.Signals, code: int
) -> None:
    """A stop signal ends it, though a tablet follows the floor and another connection is silent."""
    file = write(tmp_path, authority, f'gateway_socket = "{gateway.path}"')
    context = ssl.create_default_context(cafile=str(authority[0]))
    with running(file, tmp_path) as (program, port):
        line = http.client.HTTPSConnection("localhost", port, timeout=20, context=context)
        bearer = {"Authorization": f"Bearer {forms.to_text(gateway.sign_in())}"}
        with closing(line), socket.create_connection(("127.0.0.1", port)):
            line.request("GET", "/api/v1/floor/events", headers=bearer)
            answer = line.getresponse()
            assert answer.readline() == b"retry: 1000\n"
            program.send_signal(number)
            _, errors = program.communicate(timeout=20)
    assert program.returncode == code
    assert "event=stopped" in errors
    assert all(one.startswith("event=") for one in errors.splitlines())


def test_it_serves_and_renews_its_certificate(
    tmp_path: Path, authority: tuple[Path, Path], gateway: FakeGateway
) -> None:
    """Ready only when it answers; SIGHUP reads certificate and key again and loses nobody."""
    file = write(tmp_path, authority, f'gateway_socket = "{gateway.path}"')
    context = ssl.create_default_context(cafile=str(authority[0]))
    with running(file, tmp_path) as (program, port):
        line = http.client.HTTPSConnection("localhost", port, timeout=20, context=context)
        with closing(line):
            for _ in range(2):
                line.request("GET", "/healthz")
                assert line.getresponse().read()
                program.send_signal(signal.SIGHUP)
        assert program.poll() is None


@pytest.mark.parametrize(
    ("certificate", "key", "told"),
    [
        ("missing.pem", "tls-key", "certificate"),
        ("certificate.pem", None, "tls-key"),
        ("certificate.pem", "noise", "certificate"),
        (None, "tls-key", "certificate is missing"),
    ],
)
def test_without_certificate_or_key_it_says_what_to_do(
    tmp_path: Path, authority: tuple[Path, Path], certificate: str | None, key: str | None, told: str
) -> None:
    """One line with the remedy, exit 78, and nothing of a key in it."""
    (tmp_path / "certificate.pem").write_bytes(authority[0].read_bytes())
    if key is not None:
        (tmp_path / "tls-key").write_bytes(authority[1].read_bytes() if key == "tls-key" else b"noise")
    file = tmp_path / "tablets.toml"
    named = f'certificate = "{tmp_path / certificate}"\n' if certificate else ""
    file.write_text(f'{named}credentials_dir = "{tmp_path}"\nlisten = "127.0.0.1"\nport = 0\n')
    ended = subprocess.run(
        [sys.executable, "-m", "tablet_api", "--config", str(file)],
        cwd=TOP, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 78
    assert len(ended.stderr.splitlines()) == 1
    assert told in ended.stderr
    assert "PRIVATE" not in ended.stderr
