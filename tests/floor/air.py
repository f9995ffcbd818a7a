"""The air between a phone and a receiver: distance, walls, body, shadows, three channels, fading, and packets lost.

Log-distance path loss (exponent 2.4) and the walls in between; a body costs up to 9 dB where the phone is behind it;
shadows of 3 dB that change as one moves; a bias for each advertising channel of a phone at a receiver, whose spread is
4.3 dB (median) and 17 dB (most) as measured (docs/radio.md); fading of 2.5 dB for each advert.

Pure: no I/O, no clock.
"""

import math
from random import Random

from edge.coalesce import Coalescer
from tests.floor.people import Phone
from tests.floor.plan import Plan, Point, Receiver
from wire.sighting import Sighting

EXPONENT = 2.4
BODY_DB = 9.0
SHADOW_DB = 3.0
SHADOW_M = 1.5  # so far one moves until a shadow is another
FADING_DB = 2.5
SPREAD_DB = 4.3
SPREAD_MOST_DB = 17.0
SENSITIVITY_DBM = -95.0
FAR_M = 70.0  # further away nothing is heard
LOST = 0.25  # of the packets, in a crowd
PERIOD_S = 10.24  # of a controller that filters duplicates
TURNS_S = 15.0  # so often who stands turns round
_FADES = 4096


class Link:
    """One phone at one receiver."""

    __slots__ = ("_body_db", "_fades", "_level_dbm", "_losses", "_offsets_db", "_place", "_plan",
                 "_receiver", "_shadow_db", "_turned_s", "chance")  # fmt: skip

    def __init__(self, plan: Plan, ear: "Ear", chance: Random, fades: list[float]) -> None:
        self._plan = plan
        self._receiver = ear.receiver
        self._losses = ear.losses
        self.chance = chance
        self._fades = fades
        self._place: Point | None = None
        self._level_dbm = 0.0
        self._shadow_db = chance.gauss(0, SHADOW_DB)
        self._body_db = 0.0
        self._turned_s = -TURNS_S
        spread = min(SPREAD_MOST_DB, SPREAD_DB * math.exp(chance.gauss(0, 0.55)))
        offsets = [0.0, -spread * chance.random(), -spread]
        chance.shuffle(offsets)
        self._offsets_db = tuple(offsets)

    def level_dbm(self, phone: Phone, place: Point, now_s: float) -> float:
        """The mean over channels and fading; the same while one stands still and does not turn."""
        turns = now_s - self._turned_s >= TURNS_S
        if place == self._place and not turns:
            return self._level_dbm
        receiver = self._receiver.place
        away_m = math.dist(place, receiver)
        if away_m > FAR_M:
            return -math.inf
        moved_m = 0.2 if self._place is None else math.dist(place, self._place) + (0.2 if turns else 0.0)
        kept = math.exp(-moved_m / SHADOW_M)
        self._shadow_db = kept * self._shadow_db + math.sqrt(1 - kept * kept) * self.chance.gauss(0, SHADOW_DB)
        if turns:
            self._turned_s = now_s + self.chance.uniform(-5, 0)
            self._body_db = BODY_DB * self.chance.random() ** 2
        self._place = place
        away = 10 * EXPONENT * math.log10(max(0.7, away_m))
        cell = round(place[0] * 2), round(place[1] * 2)
        loss = self._losses.get(cell)
        if loss is None:
            loss = self._losses[cell] = self._plan.loss_db((cell[0] / 2 + 0.01, cell[1] / 2 + 0.01), receiver)
        self._level_dbm = phone.level_dbm - away - loss - self._body_db + self._shadow_db
        return self._level_dbm

    def heard(self, level_dbm: float) -> int | None:
        """The strength of one advert as it is reported; None where it was lost."""
        chance = self.chance.random
        if chance() < LOST or chance() >= self._receiver.duty:
            return None
        drawn = chance()
        rssi_dbm = level_dbm + self._offsets_db[int(drawn * 3)] + self._fades[int(chance() * _FADES)]
        return round(rssi_dbm) if rssi_dbm >= SENSITIVITY_DBM else None


class Ear:
    """A receiver with its edge: what its controller reports, folded as a real edge folds."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.adverts = 0
        self.ill = False
        self.losses: dict[tuple[int, int], float] = {}  # dB through walls, by half metres
        self._folded = Coalescer(receiver.node)
        self._known: set[tuple[bytes, int]] = set()
        self._period = -1

    def hear(self, token: bytes, rssi_dbm: int, address: int, now_s: float) -> None:
        """An advert reached the antenna. `address`: of the phone at that moment."""
        if self.ill:
            return
        if self.receiver.slow:
            period = int(now_s / PERIOD_S)
            if period != self._period:
                self._period = period
                self._known.clear()
            if (token, address) in self._known:
                return
            self._known.add((token, address))
        self.adverts += 1
        self._folded.hear((token,), rssi_dbm, int(now_s * 1000))

    def take(self) -> list[Sighting]:
        """The sightings of the half second."""
        return self._folded.take()


def fades(chance: Random) -> list[float]:
    """Fading, drawn once."""
    return [chance.gauss(0, FADING_DB) for _ in range(_FADES)]
