"""Keeps the tables of others' habits in memory, from which suggestions are ranked.

The parts are read from the cache in slices, and made into a model aside: it takes about a second for 20,000 items.
Until that is done, and for a day where what HQ sent is refused, the model before serves; without any the own past alone
counts.

I/O: the cache, through the shelf.
"""

from collections.abc import Callable
from typing import Protocol

from consent.suggest.model import Model
from runtime.logs import Log
from store_gateway.shelf import Stamp
from wire import affinity
from wire.errors import WireError

Aside = Callable[[Callable[[], None]], None]
PARTS_AT_ONCE = 4  # 48 KiB each: under a millisecond
AGAIN_S = 5.0  # after what could not be read: perhaps its other parts are on their way; then twice as long each time
MOST_DOUBLED = 6
UNREAD_S = 86_400.0  # refused for so long: the model before may be one that HQ took back
TOLD_AT = 4  # refusals: for more than a minute
_UNREADABLE = (WireError, ArithmeticError, LookupError, ValueError, MemoryError)

_log = Log("tables")


class Parts(Protocol):
    """What is needed of the shelf."""

    def tables_stamp(self) -> Stamp: ...
    def part(self, name: str) -> bytes | None: ...


class Tables:
    """See the module. `aside` runs what it is given once, perhaps elsewhere."""

    def __init__(self, parts: Parts, aside: Aside) -> None:
        self._parts = parts
        self._aside = aside
        self._stamp: Stamp | None = ()  # None: what was read last was refused
        self._read: dict[str, bytes] | None = None  # while parts are read
        self._making = False
        self._made: list[Model | None] = []
        self._again_mono_s = 0.0
        self._refused = False
        self._refusals = 0  # one after the other
        self._refused_mono_s = 0.0  # the first of them
        self.model: Model | None = None

    def work(self, now_mono_s: float) -> bool:
        """Reads a slice of tables that are others; whether there is more to do at once."""
        if self._making:
            self._adopt(now_mono_s)
            return False
        if self._read is None:
            if now_mono_s < self._again_mono_s or self._parts.tables_stamp() == self._stamp:
                return False
            self._stamp, self._read = self._parts.tables_stamp(), {}
        return self._collect(self._read, now_mono_s)

    def _collect(self, read: dict[str, bytes], now_mono_s: float) -> bool:
        for _ in range(PARTS_AT_ONCE):
            name = affinity.part_name(len(read)) if read else affinity.HEAD
            part = self._parts.part(name)
            if part is None:
                self._read, self._making = None, True
                self._aside(lambda: self._make(read))
                if self._made:  # where aside is here
                    self._adopt(now_mono_s)
                return False
            read[name] = part
        return True

    def _make(self, read: dict[str, bytes]) -> None:
        """Aside: nothing is touched but the list, once, at the end."""
        try:
            told = affinity.decode(read.get)
            self._made.append(None if told is None else Model.of(told))
        except _UNREADABLE:
            self._refused = True
            self._made.append(self.model)

    def _adopt(self, now_mono_s: float) -> None:
        if not self._made:
            return
        self._making, self.model = False, self._made.pop()
        if not self._refused:
            self._refusals = 0
            _log.info("tables_read", items=self.model.items if self.model is not None else 0)
            return
        if not self._refusals:
            self._refused_mono_s = now_mono_s
        if now_mono_s >= self._refused_mono_s + UNREAD_S:
            self.model = None
        self._stamp, self._refused, self._refusals = None, False, self._refusals + 1
        self._again_mono_s = now_mono_s + AGAIN_S * 2 ** min(MOST_DOUBLED, self._refusals - 1)
        if self._refusals == TOLD_AT:
            _log.warning("tables_refused", remedy="publish them anew: consentry-hq affinity publish")
