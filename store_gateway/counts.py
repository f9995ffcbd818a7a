"""Counts what happened since the start, without a member in it.

Pure: no I/O, no clock.
"""

import re
from collections.abc import Mapping

from wire.query import Counter

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,63}")
_MOST = 256


class Counts:
    """See the module. Written by the state thread; `dropped` and the sockets' counts by theirs."""

    __slots__ = ("dropped", "late", "malformed", "refused", "resolved", "sightings", "strangers")

    def __init__(self) -> None:
        self.sightings = 0
        self.resolved = 0
        self.dropped = 0  # datagrams that found the inbox full
        self.late = 0  # payloads of the broker that found their lane full for too long
        self.malformed = 0  # datagrams and frames
        self.strangers = 0  # who came to a socket without the right
        self.refused = 0  # connections beyond the bound

    @property
    def lost(self) -> int:
        """What came and was not taken: datagrams, payloads, frames and connections."""
        return self.dropped + self.late + self.malformed + self.refused

    def told(self) -> dict[str, int]:
        """What happened at the doors; nothing of it depends on who is a member."""
        return {
            "sightings_total": self.sightings,
            "datagrams_dropped_total": self.dropped,
            "payloads_dropped_total": self.late,
            "socket_malformed_total": self.malformed,
            "socket_strangers_total": self.strangers,
            "socket_refused_total": self.refused,
        }

    def of_members(self) -> dict[str, int]:
        """What members moved, seen or not: never for a tablet, which could tell that somebody hides."""
        return {"sightings_resolved_total": self.resolved}

    def as_counters(self, *figures: Mapping[str, int]) -> tuple[Counter, ...]:
        """The figures as a status bears them."""
        merged = [Counter(name, "", value) for one in figures for name, value in one.items() if _NAME.fullmatch(name)]
        return tuple(merged[:_MOST])
