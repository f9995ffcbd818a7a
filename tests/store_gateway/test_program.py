"""The gateway as a process of its own, without a broker: starts, answers, survives noise, ends, and is killed."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from store_gateway import operator
from tests import programs
from wire import keys, query, sighting
from wire.query import DarkReason, Light

pytestmark = pytest.mark.system
START_S = 30.0


class Program:
    """A folder with what provisioning gives, and the gateway in it."""

    def __init__(self, folder: Path, edge_users: str) -> None:
        self.folder = folder
        self.run = folder / "run"
        for name in ("run", "state", "credentials"):
            (folder / name).mkdir(mode=0o700)
        root, signing = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        sealing = keys.sealing_public_bytes(keys.make_sealing_private())
        key_set = keys.KeySet(
            1, 2**40, (keys.SigningKey(1, signing.public_key().public_bytes_raw()),), (keys.SealingKey(1, sealing),)
        )
        (folder / "root.pub").write_bytes(root.public_key().public_bytes_raw())
        (folder / "keys").write_bytes(keys.sign_key_set(root, key_set))
        (folder / "credentials/identity-key").write_bytes(Ed25519PrivateKey.generate().private_bytes_raw())
        (folder / "credentials/box-secret").write_bytes(bytes(32))
        mine = str(os.getuid())
        self.config = folder / "gateway.toml"
        self.config.write_text(
            f"""
store = "berlin-1"
hq_root_key = "{folder}/root.pub"
hq_keys = "{folder}/keys"
credentials_dir = "{folder}/credentials"
state_dir = "{folder}/state"
runtime_dir = "{folder}/run"
edge_users = ["{edge_users}"]
tablet_users = ["{mine}"]
operator_users = ["{mine}"]
[broker]
host = "127.0.0.1"
port = 1
tls = false
"""
        )
        self.log = (folder / "log").open("ab")
        self.child: subprocess.Popen[bytes] | None = None

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Runs another command of the program."""
        return programs.program("store_gateway").run("--config", self.config, *words)

    def start(self) -> None:
        """Starts and waits until it answers."""
        self.child = subprocess.Popen(
            [sys.executable, "-m", "store_gateway", "--config", str(self.config)], stderr=self.log
        )
        end = time.monotonic() + START_S
        while True:
            assert self.child.poll() is None, self.text()
            assert time.monotonic() < end
            try:
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(str(self.run / "operator.sock"))
                return
            except OSError:
                time.sleep(0.05)

    def ask(self, request: query.Request) -> query.Reply:
        """On the operator's socket."""
        return operator.ask(self.run / "operator.sock", request)

    def counter(self, name: str) -> int:
        """One of the counters that status tells."""
        status = self.ask(query.AskStatus())
        assert isinstance(status, query.Status)
        return next(one.value for one in status.counters if one.name == name)

    def send(self, *datagrams: bytes) -> None:
        """As an edge does."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as edge:
            for datagram in datagrams:
                edge.sendto(datagram, str(self.run / "sightings.sock"))

    def settles(self, name: str, value: int) -> None:
        """Waits until a counter has a value."""
        end = time.monotonic() + START_S
        while self.counter(name) != value:
            assert time.monotonic() < end, f"{name} is {self.counter(name)}"
            time.sleep(0.02)

    def end(self, number: signal.Signals) -> int:
        """Ends it by a signal."""
        assert self.child is not None
        self.child.send_signal(number)
        return self.child.wait(20)

    def text(self) -> str:
        """What it wrote."""
        return (self.folder / "log").read_text()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: a socket's has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="gw-") as found:
        yield Path(found)


@pytest.fixture
def program(folder: Path) -> Iterator[Program]:
    """A gateway that hears this account."""
    yield from _program(folder, str(os.getuid()))


@pytest.fixture
def deaf(folder: Path) -> Iterator[Program]:
    """A gateway that hears another account's edge alone."""
    yield from _program(folder, str(os.getuid() + 1))


def _program(folder: Path, edge_users: str) -> Iterator[Program]:
    found = Program(folder, edge_users)
    yield found
    if found.child is not None and found.child.poll() is None:
        found.child.kill()
        found.child.wait()
    found.log.close()


def batch(*tokens: bytes) -> bytes:
    """A datagram of sightings."""
    sightings = [sighting.Sighting("node-1", token, -60, 1, 1, 2) for token in tokens]
    return sighting.encode_batch("node-1", sightings)[0]


def test_it_starts_locked_answers_and_ends_cleanly(program: Program) -> None:
    """Without HQ: locked, a pairing code all the same, `status` and `pair` for people; after SIGTERM no socket."""
    program.start()
    status = program.ask(query.AskStatus())
    assert isinstance(status, query.Status)
    assert (status.store, status.lease.light, status.lease.reason) == ("berlin-1", Light.LOCKED, DarkReason.STARTING)
    shown = program.command("status")
    assert shown.returncode == 0 and "light locked, starting" in shown.stdout
    paired = program.command("pair", "--tablets-url", "https://box.example:8443")
    assert paired.returncode == 0
    link = next(line for line in paired.stdout.splitlines() if line.startswith("https://"))
    assert link.startswith("https://box.example:8443/#pair=") and len(link.rpartition("=")[2]) == 26
    assert "█" in paired.stdout
    assert program.command("tablets").stdout == "no tablet is paired\n"
    for wrong in (("unpair",), ("unpair", "nobodys")):
        refused = program.command(*wrong)
        assert refused.returncode == 69 and "consentry-gateway tablets" in refused.stderr
    assert program.end(signal.SIGTERM) == 0
    assert not list(program.run.iterdir())
    assert "event=stopped" in program.text()
    assert link.rpartition("=")[2] not in program.text()


def test_a_second_gateway_and_a_missing_one_are_said_in_one_line(program: Program) -> None:
    """Exit 69 with the remedy: another runs, or none does."""
    away = program.command("status")
    assert away.returncode == 69 and len(away.stderr.splitlines()) == 1
    program.start()
    second = program.command("serve")
    assert second.returncode == 69 and "another gateway runs" in second.stderr
    assert isinstance(program.ask(query.AskStatus()), query.Status)


def test_after_kill_9_nothing_is_left_that_hinders(program: Program) -> None:
    """Stale sockets are replaced, no shared memory stays, the cache opens."""
    before = set(os.listdir("/dev/shm"))
    program.start()
    program.send(batch(bytes(16)))
    program.end(signal.SIGKILL)
    assert list(program.run.iterdir())
    assert set(os.listdir("/dev/shm")) == before
    program.start()
    status = program.ask(query.AskStatus())
    assert isinstance(status, query.Status) and status.lease.reason is DarkReason.STARTING
    assert program.end(signal.SIGTERM) == 0


def test_noise_on_the_sightings_socket_is_counted_and_dropped(program: Program) -> None:
    """Empty, random, cut, too long, well-formed: one after the other, and it goes on."""
    program.start()
    good = batch(*(number.to_bytes(16, "big") for number in range(100)))
    noise = [b"", b"\x00", os.urandom(500), good[:-1], good + b"\x00", bytes(9000), b"\xff" * 8192]
    program.send(*noise, good)
    program.settles("sightings_total", 100)
    assert program.counter("socket_malformed_total") == len(noise)
    assert program.counter("sightings_resolved_total") == 0
    assert good[20:36].hex() not in program.text()


def test_an_edge_of_another_account_is_not_heard(deaf: Program) -> None:
    """Each datagram is judged by the uid that the kernel gives with it."""
    deaf.start()
    deaf.send(batch(bytes(16)), batch(bytes(16)))
    deaf.settles("socket_strangers_total", 2)
    assert deaf.counter("sightings_total") == 0


def test_a_wrong_account_in_the_configuration_ends_it_with_78(program: Program) -> None:
    """The key is named."""
    program.config.write_text(program.config.read_text().replace("edge_users = [", 'edge_users = ["nobody-here-x", '))
    ended = program.command("serve")
    assert ended.returncode == 78
    assert "edge_users" in ended.stderr


def test_every_query_is_one_line_that_names_no_secret(program: Program) -> None:
    """Kind, outcome, microseconds; neither code nor PIN nor name."""
    program.start()
    code = program.ask(query.MintPairing())
    assert isinstance(code, query.PairingCode)
    program.ask(query.Pair(code.code, "label-x1", "browser-x2"))
    program.ask(query.SignIn(bytes(range(32)), "associate-x3", "97531"))
    program.end(signal.SIGTERM)
    lines = [line for line in program.text().splitlines() if "event=query" in line]
    assert [line.split("kind=")[1].split()[0] for line in lines[-3:]] == ["mintpairing", "pair", "signin"]
    assert all("microseconds=" in line and "outcome=" in line for line in lines)
    for secret in (code.code, "label-x1", "browser-x2", "associate-x3", "97531"):
        assert secret not in program.text()
