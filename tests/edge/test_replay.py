"""Recorded adverts: lines are read as they come, and bad ones are counted, never fatal."""

import asyncio
import json
import os
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.__main__ import boot_ms
from edge.errors import ReplayError
from edge.recording import LINE_BYTES, Flagged, Head, Recorded, Told, flagged, head, read_line, tokens_of, told
from edge.replay import Lines, play, recorded
from wire import air

GOOD = {"address": "C0:FF:EE:00:00:01", "rssi": -60, "raw": "02011a"}


def test_a_line_is_read():
    """Raw bytes and signal come out; a signal that is null or absent is not known."""
    assert read_line(json.dumps(GOOD).encode()) == Recorded(b"\x02\x01\x1a", -60)
    assert read_line(b'{"raw": "02011a", "rssi": null}') == Recorded(b"\x02\x01\x1a", None)
    assert read_line(b'{"raw": ""}') == Recorded(b"", None)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"rssi": -60}',
        b'{"raw": 1}',
        b'{"raw": "zz"}',
        b'{"raw": "020"}',
        b'{"raw": "", "rssi": "loud"}',
        b'{"raw": "", "rssi": true}',
        b'{"raw": "", "rssi": -60.5}',
        b'{"raw": "", "at_ms": -1}',
        b'{"raw": "", "at_ms": 86400001}',
        b'{"raw": "", "at_ms": true}',
        b'{"candidate": true, "rssi": -60}',
        b'{"at_ms": 1, "candidate": 1, "rssi": -60}',
        b'{"at_ms": 1, "rssi": -60}',
        b'{"at_ms": 1, "manufacturer": {"76": 1}, "uuids": []}',
        b'{"at_ms": 1, "manufacturer": {"76": "0"}, "uuids": []}',
        b'{"at_ms": 1, "manufacturer": {"Apple": ""}, "uuids": []}',
        b'{"at_ms": 1, "manufacturer": {"65536": ""}, "uuids": []}',
        b'{"at_ms": 1, "manufacturer": {}, "uuids": [1]}',
        b'{"at_ms": 1, "manufacturer": {}, "uuids": "all"}',
        b'{"consentry_recording": true, "site_survey": true}',
        b'{"consentry_recording": 1}',
        b"[" * 4000,
    ],
)
def test_a_malformed_line_is_none(line):
    """A line that is no advert raises nothing."""
    assert read_line(line) is None


@given(
    st.integers(0, 86_400_000),
    st.integers(-127, 20),
    st.booleans(),
    st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=30), max_size=3),
    st.lists(st.uuids().map(str), max_size=3),
)
def test_what_is_recorded_is_read(at_ms, rssi_dbm, flag, manufacturer, uuids):
    """Every line that a recording holds is read as it was heard; -127 dBm is no measurement and is not kept as one."""
    known = rssi_dbm if rssi_dbm > -127 else None
    assert read_line(head(flag)) == Head(1, flag)
    assert read_line(flagged(at_ms, rssi_dbm, flag)) == Flagged(at_ms, known, flag)
    assert read_line(told(at_ms, rssi_dbm, manufacturer, uuids)) == Told(at_ms, known, manufacturer, tuple(uuids))


def test_tokens_come_from_what_was_kept():
    """Raw bytes and properties give their own tokens, a flag the one that is made up for it."""
    token, made_up = bytes(range(16)), bytes(16)
    assert tokens_of(Recorded(air.f3(token), -60), 0xFFFF, made_up) == (token,)
    assert tokens_of(Told(0, -60, {0x004C: air.f1(token, bytes(5))[4:]}, ()), 0xFFFF, made_up) == (token,)
    assert tokens_of(Told(0, -60, {}, (str(UUID(bytes=token)),)), 0xFFFF, made_up) == (token,)
    assert tokens_of(Flagged(0, -60, True), 0xFFFF, made_up) == (made_up,)
    assert tokens_of(Flagged(0, -60, False), 0xFFFF, made_up) == ()


@given(st.binary(max_size=200))
def test_noise_is_read_without_error(noise):
    """Any bytes are an advert or none."""
    assert isinstance(read_line(noise), Head | Flagged | Told | Recorded | None)


@given(st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line), max_size=10), st.data())
def test_lines_are_cut_the_same_wherever_chunks_end(sent, data):
    """However the bytes arrive, the same lines come out in order."""
    stream = b"".join(line + b"\n" for line in sent)
    lines, found, at = Lines(), [], 0
    while at < len(stream):
        size = data.draw(st.integers(1, len(stream)))
        found += lines.cut(stream[at : at + size])
        at += size
    assert found + lines.end() == sent


def test_an_endless_line_takes_no_memory_and_the_next_is_read():
    """A line beyond 64 KiB is one malformed line, however it arrives; what follows is heard."""
    lines = Lines()
    found = []
    for _ in range(100):
        found += lines.cut(b"x" * 1000)
        assert len(lines._rest) <= LINE_BYTES
    found += lines.cut(b"x\ngood\n" + b"y" * (LINE_BYTES + 1) + b"\nalso\n")
    assert found == [b"", b"good", b"", b"also"]


def test_a_file_is_played_to_its_end(tmp_path):
    """Every line is taken in order, the malformed as none, the last one without a line's end too."""
    file = tmp_path / "adverts.jsonl"
    lines = [json.dumps({**GOOD, "rssi": -number}).encode() for number in range(1, 5000)]
    file.write_bytes(b"\n".join([*lines, b"broken", lines[0]]))
    taken = []
    asyncio.run(play(str(file), taken.append, boot_ms))
    assert [one.rssi_dbm for one in taken if one is not None] == [*range(-1, -5000, -1), -1]
    assert taken.count(None) == 1


def test_lines_are_taken_live(tmp_path):
    """A line written into a pipe is taken before the next one is written."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    async def run():
        taken = []
        heard = asyncio.Event()
        playing = asyncio.create_task(play(str(pipe), lambda one: (taken.append(one), heard.set()), boot_ms))
        end = await asyncio.to_thread(os.open, pipe, os.O_WRONLY)
        for number in range(1, 4):
            os.write(end, json.dumps({**GOOD, "rssi": -number}).encode() + b"\n")
            await asyncio.wait_for(heard.wait(), 10)
            heard.clear()
            assert len(taken) == number
        os.close(end)
        await asyncio.wait_for(playing, 10)

    asyncio.run(run())


def test_a_recording_is_played_in_its_own_time(tmp_path):
    """A line is heard at its time after the head, one without a time at once; a second head starts anew."""
    lines = [head(False), *(flagged(at, -60, True) for at in (40, 90)), b'{"raw": ""}\n', flagged(10, -61, False)]
    file = tmp_path / "adverts.jsonl"
    file.write_bytes(b"".join([*lines, head(False), flagged(60, -62, True)]))
    began, taken = boot_ms(), []
    asyncio.run(play(str(file), lambda one: taken.append((boot_ms() - began, one)), boot_ms))
    assert [one for _, one in taken] == [one for one in recorded(str(file)) if not isinstance(one, Head)]
    times = [at for at, _ in taken]
    assert [at >= least for at, least in zip(times, (40, 90, 90, 90, 150), strict=True)] == [True] * 5
    assert times[3] < 1000


def test_lines_without_a_head_begin_with_the_first(tmp_path):
    """A part cut out of a recording is played at once, and keeps its distances."""
    file = tmp_path / "part.jsonl"
    file.write_bytes(flagged(3_600_000, -60, True) + flagged(3_600_050, -60, True))
    began, times = boot_ms(), []
    asyncio.run(play(str(file), lambda one: times.append(boot_ms() - began), boot_ms))
    assert times[0] < 10_000
    assert times[1] - times[0] >= 49


def test_a_recording_of_another_version_is_told(tmp_path):
    """It is not read as if it were of this one."""
    file = tmp_path / "newer.jsonl"
    file.write_bytes(b'{"consentry_recording": 2, "site_survey": false}\n' + flagged(0, -60, True))
    taken = []
    for read in (lambda: asyncio.run(play(str(file), taken.append, boot_ms)), lambda: recorded(str(file))):
        with pytest.raises(ReplayError, match="another version"):
            read()
    assert taken == []


@pytest.mark.parametrize("name", ["nothing", "."])
def test_a_file_that_cannot_be_read_is_told(tmp_path, name):
    """A missing file or a folder ends in one error with the remedy."""
    with pytest.raises(ReplayError) as raised:
        recorded(str(tmp_path / name))
    assert raised.value.exit_code == 66
    with pytest.raises(ReplayError) as raised:
        asyncio.run(play(str(tmp_path / name), lambda _: None, boot_ms))
    assert raised.value.exit_code == 66
