"""A broker that nobody trusts: it loses, repeats, delays, mixes up, replays, changes and invents, from one source.

Time is an argument. With `KIND` it carries everything at once and in order. It keeps a recording of all that it was
ever given.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from enum import StrEnum
from heapq import heappop, heappush
from random import Random

MOST_RECORDED = 20_000


class Topic(StrEnum):
    """The three topics of a store."""

    DOWN = "down"
    NOW = "now"
    UP = "up"


@dataclass(frozen=True, slots=True)
class Parcel:
    """One payload on one store's topic."""

    store: str
    topic: Topic
    payload: bytes


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad it is: each a share of the payloads from 0 to 1; delays are up to `delay_s`, so that order is lost."""

    loses: float = 0.0
    repeats: float = 0.0
    replays: float = 0.0
    changes: float = 0.0
    invents: float = 0.0
    delay_s: float = 0.0
    lag_s: float = 0.0  # of everything, so that order is kept
    silent: frozenset[Topic] = frozenset()  # topics on which nothing gets through


KIND = Weather()


class Broker:
    """See the module. `chance` is the one source of everything that goes wrong."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.weather = KIND
        self.recorded: list[Parcel] = []
        self._under_way: list[tuple[float, int, Parcel]] = []
        self._count = 0

    def publish(self, parcel: Parcel, now_s: float) -> None:
        """Somebody publishes; the broker acknowledges, whatever becomes of it."""
        if len(self.recorded) < MOST_RECORDED:
            self.recorded.append(parcel)
        weather, chance = self.weather, self.chance
        if weather is KIND:
            self.send(parcel, now_s)
            return
        if parcel.topic not in weather.silent and chance.random() >= weather.loses:
            changed = Parcel(parcel.store, parcel.topic, self.changed(parcel.payload))
            self.send(changed if chance.random() < weather.changes else parcel, self._at(now_s))
        if chance.random() < weather.repeats:
            self.send(parcel, self._at(now_s))
        if chance.random() < weather.replays:
            self.send(self.old(), self._at(now_s))
        if chance.random() < weather.invents:
            self.send(Parcel(parcel.store, parcel.topic, self.noise()), self._at(now_s))

    def send(self, parcel: Parcel, at_s: float) -> None:
        """The parcel arrives at that time."""
        self._count += 1
        heappush(self._under_way, (at_s, self._count, parcel))

    def arrived(self, now_s: float) -> Parcel | None:
        """The next parcel whose time has come."""
        if self._under_way and self._under_way[0][0] <= now_s:
            return heappop(self._under_way)[2]
        return None

    def forget(self) -> None:
        """What is under way is lost; a broker died."""
        self._under_way.clear()

    def old(self) -> Parcel:
        """Something of the recording."""
        return self.chance.choice(self.recorded)

    def noise(self) -> bytes:
        """No message of anybody."""
        return self.chance.randbytes(self.chance.choice((0, 1, 7, 200, 3000, 70_000)))

    def changed(self, payload: bytes) -> bytes:
        """A message cut, prolonged or with one byte changed."""
        at = self.chance.randrange(len(payload)) if payload else 0
        match self.chance.randrange(4):
            case 0:
                return payload[:at]
            case 1:
                return payload + self.chance.randbytes(1 + at % 9)
            case 2:
                return payload[at:] + payload[:at]
        return (
            payload[:at] + bytes([payload[at] ^ (1 + self.chance.randrange(255))]) + payload[at + 1 :]
            if payload
            else b""
        )

    def _at(self, now_s: float) -> float:
        return now_s + self.weather.lag_s + self.chance.random() * self.weather.delay_s
