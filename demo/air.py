"""The air of the demo's shop: what members' phones and strangers send, handed to the edge as a radio would.

A thread writes a line per advert to the edge's standard input (`consentry-edge replay -`), every half second one
round of all that is on the air. What a phone says is changed from outside at any time.

I/O: threading; the edge's standard input and the clock.
"""

import json
import threading
import time
from collections.abc import Iterable
from random import Random
from typing import IO, Final

from demo.phones import Heard, Phone, adverts
from demo.strangers import stranger
from wire.token import Kind

ROUND_S: Final = 0.5


class Air:
    """What is on the air now. `says` and `silent` may be called from any thread."""

    def __init__(self, edge: IO[bytes], strangers: int) -> None:
        self._edge = edge
        self._strangers = strangers
        self._speaking: dict[str, tuple[Phone, Kind]] = {}
        self._changed = threading.Lock()
        self._ended = threading.Event()
        self._chance = Random(1)
        self._thread = threading.Thread(target=self._play, name="air", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Falls silent for good and returns when nothing is written any more."""
        self._ended.set()
        self._thread.join()

    def says(self, name: str, phone: Phone, kind: Kind) -> None:
        """From now on `name`'s phone sends its token of this kind, until it says something else or is silent."""
        with self._changed:
            self._speaking[name] = (phone, kind)

    def silent(self, name: str) -> None:
        """`name`'s phone sends nothing any more: mode quiet, or out of the door."""
        with self._changed:
            self._speaking.pop(name, None)

    def _play(self) -> None:
        number = 0
        while not self._ended.wait(ROUND_S):
            with self._changed:
                speaking = list(self._speaking.values())
            now_s = int(time.time())
            heard = [one for phone, kind in speaking for one in adverts(phone, kind, now_s, self._chance)]
            # One of the crowd leaves and another comes with every round.
            heard += [stranger(number + offset) for offset in range(self._strangers)]
            number += 1
            try:
                self._edge.write(lines(heard))
                self._edge.flush()
            except (BrokenPipeError, ValueError):
                return  # the edge ended, or its pipe was closed


def lines(heard: Iterable[Heard]) -> bytes:
    """Adverts as `consentry-edge replay` reads them, a JSON object a line."""
    rows = ({"address": one.address, "rssi": one.rssi_dbm, "raw": one.raw.hex()} for one in heard)
    return "".join(json.dumps(row) + "\n" for row in rows).encode()
