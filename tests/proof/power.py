"""Rebuilds from what strace wrote down the files that a disk may hold after the power went.

Honest as far as it goes: a disk keeps all that was synced, and of what was written since any part, page for page, a
page perhaps torn at its half. A file that was made or removed is taken to be so at once; SQLite's own sync of the
folder is not judged.

Pure: no I/O, no clock.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

_WRITE = re.compile(r'^(?:\d+ +)?pwrite64\(\d+<([^>]*)>, "((?:\\x[0-9a-f]{2})*)"(\.\.\.)?, \d+, (\d+)\) += (\d+)')
_CUT = re.compile(r"^(?:\d+ +)?ftruncate\(\d+<([^>]*)>, (\d+)\) += 0")
_SYNC = re.compile(r"^(?:\d+ +)?f(?:data)?sync\(\d+<([^>]*)>\) += 0")
_GONE = re.compile(r'^(?:\d+ +)?unlink\("((?:\\x[0-9a-f]{2})*)"\) += 0')
# An answer on the pipe ("socket"); its length goes before it by itself where it is long.
_SAID = re.compile(r"^(?:\d+ +)?write\(\d+<\\x73\\x6f\\x63\\x6b\\x65\\x74[^>]*>, .* = (?!4$)\d+$")
_PAGE = 4096


@dataclass
class Disk:
    """The files as they are for sure, and what was written since they were synced."""

    synced: dict[str, bytearray] = field(default_factory=dict)
    since: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)  # (offset, bytes); offset -n-1: cut at n

    def after_the_power_went(self, chance: Random) -> dict[str, bytes]:
        """Some state that is possible."""
        found = {}
        for name in self.synced.keys() | self.since.keys():
            content = bytearray(self.synced.get(name, b""))
            for at, written in self.since.get(name, ()):
                if chance.random() < 0.5:
                    _put(content, at, written if chance.random() < 0.8 else written[: len(written) // 2])
            found[name] = bytes(content)
        return found


def instants(log: str, begun: dict[str, bytes]) -> Iterator[tuple[int, Disk]]:
    """How many answers the program had given, and the disk, at each line that changed one of them.

    The disk is the same object all the time.
    """
    disk, said = Disk({name: bytearray(content) for name, content in begun.items()}), 0
    for line in log.splitlines():
        if found := _WRITE.match(line):
            written = bytes.fromhex(found[2].replace("\\x", ""))
            assert not found[3] and len(written) == int(found[5]), "strace cut a write"
            for start in range(0, len(written), _PAGE):
                piece = int(found[4]) + start, written[start : start + _PAGE]
                disk.since.setdefault(_plain(found[1]), []).append(piece)
        elif found := _CUT.match(line):
            disk.since.setdefault(_plain(found[1]), []).append((-int(found[2]) - 1, b""))
        elif found := _SYNC.match(line):
            name = _plain(found[1])
            content = disk.synced.setdefault(name, bytearray())
            for at, written in disk.since.pop(name, ()):
                _put(content, at, written)
        elif found := _GONE.match(line):
            name = bytes.fromhex(found[1].replace("\\x", "")).decode()
            disk.synced.pop(name, None)
            disk.since.pop(name, None)
        elif _SAID.match(line):
            said += 1
        else:
            continue
        yield said, disk


def _put(content: bytearray, at: int, written: bytes) -> None:
    if at < 0:
        end = -at - 1
        content.extend(bytes(max(0, end - len(content))))
        del content[end:]
        return
    content.extend(bytes(max(0, at - len(content))))
    content[at : at + len(written)] = written


def _plain(path: str) -> str:
    return bytes.fromhex(path.replace("\\x", "")).decode() if path.startswith("\\x") else path
