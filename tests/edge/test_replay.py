"""Recorded adverts: lines are read as they come, and bad ones are counted, never fatal."""

import asyncio
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ReplayError
from edge.replay import LINE_BYTES, Lines, Recorded, play, read_line

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
        b"[" * 4000,
    ],
)
def test_a_malformed_line_is_none(line):
    """A line that is no advert raises nothing."""
    assert read_line(line) is None


@given(st.binary(max_size=200))
def test_noise_is_read_without_error(noise):
    """Any bytes are an advert or none."""
    assert isinstance(read_line(noise), Recorded | None)


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
    """A line beyond 4 KiB is one malformed line, however it arrives; what follows is heard."""
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
    asyncio.run(play(str(file), taken.append))
    assert [one.rssi_dbm for one in taken if one is not None] == [*range(-1, -5000, -1), -1]
    assert taken.count(None) == 1


def test_lines_are_taken_live(tmp_path):
    """A line written into a pipe is taken before the next one is written."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    async def run():
        taken = []
        heard = asyncio.Event()
        playing = asyncio.create_task(play(str(pipe), lambda one: (taken.append(one), heard.set())))
        end = await asyncio.to_thread(os.open, pipe, os.O_WRONLY)
        for number in range(1, 4):
            os.write(end, json.dumps({**GOOD, "rssi": -number}).encode() + b"\n")
            await asyncio.wait_for(heard.wait(), 10)
            heard.clear()
            assert len(taken) == number
        os.close(end)
        await asyncio.wait_for(playing, 10)

    asyncio.run(run())


@pytest.mark.parametrize("name", ["nothing", "."])
def test_a_file_that_cannot_be_read_is_told(tmp_path, name):
    """A missing file or a folder ends in one error with the remedy."""
    with pytest.raises(ReplayError) as raised:
        asyncio.run(play(str(tmp_path / name), lambda _: None))
    assert raised.value.exit_code == 66
