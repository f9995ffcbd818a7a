"""Folds what was heard into one sighting per token and half second.

Keyed by token alone: the edge keeps no radio address, and a window forgets everything when it is taken.

Pure: no I/O, no clock.
"""

from typing import Final

from wire.sighting import COUNT_MAX, RSSI_MAX_DBM, RSSI_MIN_DBM, Sighting

WINDOW_MS: Final = 500  # docs/protocol.md, appendix B
SATELLITE_WINDOW_MS: Final = 250  # shorter, for the network takes the rest of the half second
TOKENS_MAX: Final = 4096  # of one window: ten times a full hall; about 1 MB
_UNKNOWN: Final = RSSI_MIN_DBM  # -127 is no measurement (docs/radio.md), and weaker than any


class Coalescer:
    """The window that is open, and what was heard since the start.

    `adverts` counts those of anybody, `candidates` those with a candidate token, `drops` candidate tokens that found
    no room; `last_advert_ms` is the boot-clock time when the last advert of anybody was noticed, 0 before the first.
    """

    __slots__ = ("_node", "_noticed", "_open", "_room", "adverts", "candidates", "drops", "last_advert_ms")

    def __init__(self, node: str, room: int = TOKENS_MAX) -> None:
        self._node = node
        self._room = room
        # token → [strongest signal or _UNKNOWN, count, first, last]
        self._open: dict[bytes, list[int]] = {}
        self.adverts = 0
        self.candidates = 0
        self.drops = 0
        self._noticed = 0  # of the adverts
        self.last_advert_ms = 0

    def passed(self) -> None:
        """One advert of anybody without a candidate token: the many, for which not even the clock is read."""
        self.adverts += 1

    def notice(self, now_ms: int) -> None:
        """What passed since the last call is taken to have been heard now."""
        if self._noticed != self.adverts:
            self._noticed = self.adverts
            self.last_advert_ms = now_ms

    def hear(self, tokens: tuple[bytes, ...], rssi_dbm: int | None, now_ms: int) -> None:
        """One advert of anybody, with the candidate tokens (16 bytes each) that it holds, most often none.

        `rssi_dbm` is None, or a number that no radio measures, where the signal is not known.
        """
        self.adverts += 1
        self._noticed = self.adverts
        self.last_advert_ms = now_ms
        if tokens:
            self.candidates += 1
            self.fold(tokens, rssi_dbm, now_ms)

    def fold(self, tokens: tuple[bytes, ...], rssi_dbm: int | None, now_ms: int) -> None:
        """The tokens as above, of an advert that was counted already or of a read (format F4)."""
        if rssi_dbm is None or not RSSI_MIN_DBM <= rssi_dbm <= RSSI_MAX_DBM:
            rssi_dbm = _UNKNOWN
        for token in tokens:
            row = self._open.get(token)
            if row is None:
                if len(self._open) >= self._room:
                    self.drops += 1
                else:
                    self._open[token] = [rssi_dbm, 1, now_ms, now_ms]
                continue
            if rssi_dbm > row[0]:
                row[0] = rssi_dbm
            if row[1] < COUNT_MAX:
                row[1] += 1
            row[3] = now_ms

    def take(self) -> list[Sighting]:
        """The sightings of the window, in the order in which their tokens were first heard; it is empty afterwards."""
        rows, self._open = self._open, {}
        return [
            Sighting(self._node, token, None if rssi_dbm == _UNKNOWN else rssi_dbm, count, first_ms, last_ms)
            for token, (rssi_dbm, count, first_ms, last_ms) in rows.items()
        ]
