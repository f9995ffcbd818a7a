"""The real `consentry-edge record` on a private D-Bus with the fake bluetoothd, and what its files hold."""

import asyncio
import json
import os
import resource
import secrets
import stat
import subprocess
import sys
from contextlib import asynccontextmanager

import pytest

from edge.recording import Flagged, Head, Told, read_line
from tests.edge.running import Gateway, start_edge, write_config
from tests.fakes.bluetoothd import FakeBluetoothd
from wire import air

pytestmark = pytest.mark.system

MEMBER, PASSER = "C0:00:00:00:00:01", "C0:00:00:00:00:02"
TOKEN = secrets.token_bytes(16)
SAID = secrets.token_bytes(9)  # what a passer-by's phone says
NEARBY = b"\x0f\xff\x4c\x00\x10\x0a" + SAID + b"\x01\x02"
NAMED = b"\x06\x09Alice"


@asynccontextmanager
async def _shop(bus):
    """A member's phone and a passer-by's, each heard ten times a second."""
    fake = FakeBluetoothd(bus.address)
    await fake.start()
    fake.advertise(MEMBER, -60, air.f1(TOKEN, bytes(5)), 0.1)
    fake.advertise(PASSER, -70, NEARBY + NAMED, 0.1)
    yield
    await fake.close()


def _lines(path):
    """Every line, read; the file ends with a whole one."""
    written = path.read_bytes()
    assert written.endswith(b"\n")
    lines = [read_line(line) for line in written.splitlines()]
    assert None not in lines
    return lines


def test_a_recording_holds_nothing_of_anybody(bus, tmp_path):
    """Times, signals and flags: no token, no payload, no address, no name; its owner alone may read it."""
    path = tmp_path / "quiet.jsonl"

    async def run():
        async with _shop(bus):
            running = await start_edge(
                "--config", write_config(tmp_path), "record", path, "--seconds", "1", environment=bus.environment
            )
            assert await asyncio.wait_for(running.process.wait(), 20) == 0
            await running.end()
            return running.lines

    said = asyncio.run(run())
    head, *lines = _lines(path)
    assert head == Head(1, False)
    assert {type(one) for one in lines} == {Flagged}
    assert [one.at_ms for one in lines] == sorted(one.at_ms for one in lines)
    assert {(one.rssi_dbm, one.candidate) for one in lines} == {(-60, True), (-70, False)}
    assert 5 <= sum(one.candidate for one in lines) <= 15
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {key for line in path.read_text().splitlines()[1:] for key in json.loads(line)} == \
        {"at_ms", "rssi", "candidate"}  # fmt: skip
    found = sum(one.candidate for one in lines)
    assert said == [f"{path}: {len(lines)} adverts, {found} with a candidate token"]


def test_a_site_survey_warns_and_plays_faithfully(bus, tmp_path):
    """The warning comes first; the file holds what phones said, and a replay of it sends the member's token."""
    path = tmp_path / "survey.jsonl"
    config = write_config(tmp_path)

    async def run():
        async with _shop(bus):
            running = await start_edge(
                "--config", config, "record", path, "--site-survey", "--seconds", "1", environment=bus.environment
            )
            assert await asyncio.wait_for(running.process.wait(), 20) == 0
            await running.end()
        gateway = await Gateway(tmp_path / "sightings.sock").open()
        replaying = await start_edge("--config", config, "replay", path)
        assert await asyncio.wait_for(replaying.process.wait(), 20) == 0
        await replaying.end()
        gateway.close()
        return running.lines, gateway

    said, gateway = asyncio.run(run())
    assert "personal data" in " ".join(said[:-1])
    assert "delete it" in said[-1]
    head, *lines = _lines(path)
    assert head == Head(1, True)
    assert {type(one) for one in lines} == {Told}
    written = path.read_text()
    assert SAID.hex() in written
    assert not any(part in written for part in (MEMBER, PASSER, MEMBER.replace(":", "_"), "Alice", "C0"))
    assert gateway.tokens() == {TOKEN}
    health = gateway.healths[-1]
    assert (health.adverts, health.drops) == (len(lines), 0)
    assert health.candidates == sum(bool(one.manufacturer[0x4C][:1] == b"\x02") for one in lines)
    played_ms = gateway.sightings[-1][1].last_ms - gateway.sightings[0][1].first_ms
    assert abs(played_ms - (lines[-1].at_ms - lines[0].at_ms)) < 1000


def test_flags_are_played_with_tokens_of_nobody(tmp_path):
    """Each flag is a candidate again, with a token that is made up anew; counts and times are those recorded."""
    path = tmp_path / "flags.jsonl"
    lines = ['{"consentry_recording": 1, "site_survey": false}']
    lines += [f'{{"at_ms": {at * 20}, "rssi": -60, "candidate": {"true" if at % 2 else "false"}}}' for at in range(40)]
    path.write_text("\n".join(lines))

    async def run():
        gateway = await Gateway(tmp_path / "sightings.sock").open()
        replaying = await start_edge("--config", write_config(tmp_path), "replay", path)
        assert await asyncio.wait_for(replaying.process.wait(), 20) == 0
        await replaying.end()
        gateway.close()
        return gateway

    gateway = asyncio.run(run())
    health = gateway.healths[-1]
    assert (health.adverts, health.candidates, health.drops) == (40, 20, 0)
    assert len(gateway.tokens()) == 20
    times = sorted(one.first_ms for _, one in gateway.sightings)
    assert times[-1] - times[0] >= 38 * 20 - 5


def test_it_ends_by_a_signal_with_a_whole_last_line(bus, tmp_path):
    """SIGTERM ends it as it should; kill -9 leaves whole lines too."""

    async def run():
        async with _shop(bus):
            for name, ended in (
                ("ended", lambda one: one.process.terminate()),
                ("killed", lambda one: one.process.kill()),
            ):
                running = await start_edge(
                    "--config", write_config(tmp_path), "record", tmp_path / name, environment=bus.environment
                )
                async with asyncio.timeout(20):
                    while not (tmp_path / name).exists() or (tmp_path / name).stat().st_size < 500:
                        await asyncio.sleep(0.02)
                ended(running)
                code = await asyncio.wait_for(running.process.wait(), 20)
                assert code == (0 if name == "ended" else -9)
                await running.end()
                assert len(_lines(tmp_path / name)) > 5

    asyncio.run(run())


def _record(tmp_path, *arguments, environment=None, **options):
    return subprocess.run(
        [sys.executable, "-m", "edge", "--config", write_config(tmp_path), "record", *map(str, arguments)],
        capture_output=True, text=True, timeout=30, env={**os.environ, **(environment or {})}, **options,
    )  # fmt: skip


def test_a_full_disk_is_one_line_and_leaves_whole_lines(bus, tmp_path):
    """What cannot be written ends it; the file ends with the last line that fitted."""
    path = tmp_path / "full.jsonl"

    async def run():
        async with _shop(bus):
            return await asyncio.to_thread(
                _record, tmp_path, path, "--seconds", "20", environment=bus.environment,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500)),
            )  # fmt: skip

    ran = asyncio.run(run())
    assert ran.returncode == 73
    assert "File too large" in ran.stderr.splitlines()[-1]
    assert len(_lines(path)) > 2


def test_no_file_is_overwritten_and_none_left_empty(bus, tmp_path):
    """A file that is there stays as it is; where there is no radio no file stays behind."""
    path = tmp_path / "there.jsonl"
    path.write_text("mine")
    for chosen, said in ((path, "is there already"), (tmp_path / "no" / "folder", "No such file")):
        ran = _record(tmp_path, chosen)
        assert (ran.returncode, ran.stderr.count("\n")) == (73, 1)
        assert said in ran.stderr
    assert path.read_text() == "mine"
    ran = _record(tmp_path, tmp_path / "new.jsonl", environment=bus.environment)
    assert ran.returncode == 69
    assert not (tmp_path / "new.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("new", "--seconds", "0"), 2, "1 to 86400"),
        (("new", "--seconds", "901", "--site-survey"), 2, "1 to 900"),
        (("new", "--node", "till-9"), 64, "name one of: till-1"),
    ],
)
def test_what_cannot_be_is_told(tmp_path, arguments, code, said):
    """A time out of bounds, shorter ones for a site survey, and a radio that is not configured."""
    ran = _record(tmp_path, *arguments)
    assert ran.returncode == code
    assert said in ran.stderr
    assert not (tmp_path / "new").exists()
