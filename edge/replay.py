"""Plays recorded adverts, a JSON object a line (`edge.recording`), in place of a radio.

A line with a time is heard at that time after its recording's head, or after the first line where there is no head; a
line without is heard when it comes. The program ends when the file does.

I/O: reads a file or standard input in a thread of its own; waits by asyncio.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Final

from edge.errors import ReplayError
from edge.recording import LINE_BYTES, VERSION, Advert, Head, read_line

_CHUNK_BYTES: Final = 65536
_CHUNKS_AHEAD: Final = 4  # what the thread may read ahead; then whoever writes has to wait
_NAME_ONE: Final = "name a file that can be read, or -"


class Lines:
    """Cuts chunks of bytes into lines; one longer than `LINE_BYTES` comes out as an empty, malformed line."""

    __slots__ = ("_rest", "_skipping")

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False

    def cut(self, chunk: bytes) -> list[bytes]:
        """The lines that end in this chunk."""
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        if whole and self._skipping:
            whole[0], self._skipping = b"", False
        if self._skipping or len(self._rest) > LINE_BYTES:
            self._rest, self._skipping = b"", True
        return [line if len(line) <= LINE_BYTES else b"" for line in whole]

    def end(self) -> list[bytes]:
        """The last line, if it had no end."""
        return [self._rest] if self._rest or self._skipping else []


async def play(source: str, take: Callable[[Advert | None], None], now_ms: Callable[[], int]) -> None:
    """Calls `take` for each advert of the file `source` ("-" is standard input) when it is due; ends with the file.

    A malformed line is None. `now_ms` gives milliseconds of the boot clock; a line whose time is over is not waited
    for. Raises: ReplayError where the file cannot be read, or is of a version that this program does not know.
    """
    loop = asyncio.get_running_loop()
    chunks: asyncio.Queue[bytes | OSError | None] = asyncio.Queue()
    ahead = threading.Semaphore(_CHUNKS_AHEAD)

    def hand_over(chunk: bytes | OSError | None) -> None:
        try:
            loop.call_soon_threadsafe(chunks.put_nowait, chunk)
        except RuntimeError:
            return  # the program ended meanwhile

    def read() -> None:
        try:
            fd = sys.stdin.fileno() if source == "-" else os.open(source, os.O_RDONLY)
            while chunk := os.read(fd, _CHUNK_BYTES):
                ahead.acquire()
                hand_over(chunk)
        except OSError as error:
            hand_over(error)
        else:
            hand_over(None)

    # A daemon: it may sit in a read for ever, and must not keep the program from ending.
    threading.Thread(target=read, name="replay", daemon=True).start()
    lines = Lines()
    times = _Times(now_ms)
    while (chunk := await chunks.get()) is not None:
        if isinstance(chunk, OSError):
            raise ReplayError(f"{source}: {os.strerror(chunk.errno or 0)}", _NAME_ONE)
        await _take(lines.cut(chunk), take, times, source)
        ahead.release()
        await asyncio.sleep(0)
    await _take(lines.end(), take, times, source)


class _Times:
    """When the lines of a recording are due: its beginning on the boot clock is that of its head or first line."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._began_ms: int | None = None

    def begin(self) -> None:
        """A head was read."""
        self._began_ms = self._now_ms()

    def left_s(self, at_ms: int) -> float:
        """How long until a line of this time is due, at most 0 where it is."""
        if self._began_ms is None:
            self._began_ms = self._now_ms() - at_ms
        return (self._began_ms + at_ms - self._now_ms()) / 1000


async def _take(lines: Iterable[bytes], take: Callable[[Advert | None], None], times: _Times, source: str) -> None:
    for line in lines:
        match read_line(line):
            case Head() as head:
                _check(head, source)
                times.begin()
            case None:
                take(None)
            case advert:
                if advert.at_ms is not None and (left_s := times.left_s(advert.at_ms)) > 0:
                    await asyncio.sleep(left_s)
                take(advert)


def _check(head: Head, source: str) -> None:
    if head.version != VERSION:
        raise ReplayError(f"{source}: a recording of another version", "use the program of the version that made it")


def recorded(source: str) -> list[Advert | Head]:
    """What the well-formed lines of a whole file say, at once ("-" is standard input).

    Raises: ReplayError, as `play` does.
    """
    found: list[Advert | Head | None] = []
    lines = Lines()
    try:
        with open(sys.stdin.fileno() if source == "-" else source, "rb", buffering=0, closefd=source != "-") as file:
            while chunk := file.read(_CHUNK_BYTES):
                found += map(read_line, lines.cut(chunk))
    except OSError as error:
        raise ReplayError(f"{source}: {os.strerror(error.errno or 0)}", _NAME_ONE) from error
    found += map(read_line, lines.end())
    for one in found:
        if isinstance(one, Head):
            _check(one, source)
    return [one for one in found if one is not None]
