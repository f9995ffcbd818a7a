"""The real `consentry-edge survey` on a private D-Bus with the fake bluetoothd, on a terminal and off one."""

import asyncio
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from edge import recording
from tests.edge.running import write_config
from tests.fakes.bluetoothd import FakeBluetoothd
from wire import air

pytestmark = pytest.mark.system

PHONE = "C0:00:00:00:00:01"
TOKEN = bytes(range(16))


def _survey(folder: Path, *arguments: object, **options):
    command = [sys.executable, "-m", "edge", "--config", write_config(folder), "survey", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=40, **options)


def _read(terminal: int) -> str:
    parts = []
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the far end of a terminal that was closed
            part = b""
        if not part:
            return b"".join(parts).decode()
        parts.append(part)


def test_a_terminal_shows_it_live(bus, tmp_path):
    """A picture a second, each in the place of the one before, and the last one stays; none has an address or token."""

    async def run():
        fake = FakeBluetoothd(bus.address)
        await fake.start()
        fake.advertise(PHONE, -50, air.f3(TOKEN), 0.1)
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "edge", "--config", write_config(tmp_path), "survey", "--seconds", "3"]
        running = subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE, env=bus.environment)
        os.close(theirs)
        shown = await asyncio.to_thread(_read, ours)
        code = await asyncio.to_thread(running.wait, 20)
        errors = running.stderr.read()
        running.stderr.close()
        os.close(ours)
        await fake.close()
        return code, shown, errors

    code, shown, errors = asyncio.run(run())
    assert (code, errors) == (0, b"")
    pictures = shown.split("\x1b[H\x1b[J")[1:]
    assert 2 <= len(pictures) <= 5
    assert all(len(one.splitlines()) == 23 for one in pictures)
    assert "hold phone to the receiver" in pictures[0]
    assert "3 of 3 s: done" in pictures[-1]
    assert pictures[-1].splitlines()[-1] == "=> too short to tell yet"
    assert PHONE not in shown
    assert TOKEN.hex()[:8] not in shown


def _recording(path: Path, dbm: int) -> Path:
    lines = [recording.head(False)]
    for at_ms in range(0, 60_000, 250):
        lines.append(recording.flagged(at_ms, -45 if at_ms < 5000 else dbm, True))
        lines.append(recording.flagged(at_ms, -90, False))
    path.write_bytes(b"".join(lines))
    return path


def test_a_recording_is_drawn_at_once(tmp_path):
    """From a file, and from standard input, with the limits of the store's policy; nothing but the picture."""
    path = _recording(tmp_path / "survey.jsonl", -84)
    ran = _survey(tmp_path, "--from", path)
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert len(lines) == 23
    assert lines[0] == "recording, 60 of 60 s: done"
    assert lines[-1].startswith("=> too weak at -84 dBm: move the receiver")
    assert sum("o" in line.split("|")[-1][:45] for line in lines[3:17]) >= 1
    ran = _survey(tmp_path, "--from", "-", "--enter-dbm", "-85", "--exit-dbm", "-95", input=path.read_text())
    assert ran.stdout.splitlines()[-1] == "=> good: at or above -85 dBm for 100% of the time"


def test_what_cannot_be_is_told(tmp_path):
    """Limits the wrong way round, a time out of bounds, a recording that holds nothing."""
    (tmp_path / "empty").write_bytes(recording.head(False))
    for arguments, code, said in (
        (("--enter-dbm", "-90"), 2, "--exit-dbm"),
        (("--seconds", "1801"), 2, "1 to 1800"),
        (("--from", tmp_path / "empty"), 66, "no advert with a time"),
        (("--from", tmp_path / "nothing"), 66, "No such file"),
    ):
        ran = _survey(tmp_path, *arguments)
        assert (ran.returncode, ran.stdout) == (code, "")
        assert said in ran.stderr
