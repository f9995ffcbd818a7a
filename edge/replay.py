"""Reads recorded adverts, a JSON object a line, in place of a radio.

    {"address": "C0:FF:EE:00:00:01", "rssi": -60, "raw": "02011a1aff4c000215…"}

`raw` holds the AD structures in hex, `rssi` may be null or absent; `address` is not looked at, as the edge keys nothing
by address. Lines go through live, as they come; the program ends when the file does.

I/O: reads a file or standard input in a thread of its own.
"""

import asyncio
import json
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edge.errors import ReplayError

LINE_BYTES: Final = 4096  # eight times the longest extended advertisement in hex
_CHUNK_BYTES: Final = 65536
_CHUNKS_AHEAD: Final = 4  # what the thread may read ahead; then whoever writes has to wait


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded advert: raw AD structures and the signal, None where not known."""

    raw: bytes
    rssi_dbm: int | None


def read_line(line: bytes) -> Recorded | None:
    """The advert of one line; None where it is malformed."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    raw, rssi_dbm = value.get("raw"), value.get("rssi")
    if not isinstance(raw, str) or isinstance(rssi_dbm, bool) or not isinstance(rssi_dbm, int | None):
        return None
    try:
        return Recorded(bytes.fromhex(raw), rssi_dbm)
    except ValueError:
        return None


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


async def play(source: str, take: Callable[[Recorded | None], None]) -> None:
    """Calls `take` for each line of the file `source` ("-" is standard input), None for a malformed one; ends with it.

    Raises: ReplayError where the file cannot be read.
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
    while (chunk := await chunks.get()) is not None:
        if isinstance(chunk, OSError):
            raise ReplayError(f"{source}: {os.strerror(chunk.errno or 0)}", "name a file that can be read, or -")
        for line in lines.cut(chunk):
            take(read_line(line))
        ahead.release()
        await asyncio.sleep(0)
    for line in lines.end():
        take(read_line(line))
