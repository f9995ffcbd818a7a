"""Runs people through a shop and the real gateway, and writes down where they were and what the tablets showed.

Half seconds of air are folded by each receiver's edge and reach the gateway some tenths later; the gateway ticks every
0.1 s. Everything follows from the seed.

Pure: no I/O, no clock.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from store_gateway.gateway import Asker
from tests.floor.air import Ear, Link, fades
from tests.floor.people import Phone, Walker
from tests.floor.plan import OUTSIDE, Plan, Point
from tests.world import Person, World
from wire import query
from wire.sighting import Batch, Health, RadioReason, RadioState, Sighting
from wire.token import Kind, day_key, day_of_slot, token

BLOCK_S = 0.5
HEALTH_S = 5.0
SLOT_S = 600
Hook = Callable[[Batch, float], None]


@dataclass(frozen=True, slots=True)
class Sample:
    """One member in one half second: the true zone, and whether and where a tablet shows the member."""

    at_s: float
    truth: str | None  # None: the phone is off; OUTSIDE: in the street
    shown: bool
    zone: str | None
    help: bool
    handle: bytes = b""


@dataclass(slots=True)
class Story:
    """What happened to one walker."""

    walker: Walker
    samples: list[Sample] = field(default_factory=list)
    appeared_s: list[float] = field(default_factory=list)  # on the tablet
    went_s: list[float] = field(default_factory=list)
    called_s: list[float] = field(default_factory=list)


class _Screen:
    """A tablet that follows the floor."""

    def __init__(self, simulation: "Simulation") -> None:
        self._simulation = simulation
        self.lines: dict[int, query.Visit] = {}
        self.pushed: list[tuple[float, query.Roster]] = []

    def push(self, reply: query.Reply) -> None:
        if isinstance(reply, query.Roster):
            before, self.lines = self.lines, self._simulation.named(reply.visits)
            now_s = self._simulation.now_s
            self.pushed.append((now_s, reply))
            for number in before.keys() - self.lines.keys():
                self._simulation.stories[number].went_s.append(now_s)
            for number, line in self.lines.items():
                story = self._simulation.stories[number]
                was = before.get(number)
                if was is None:
                    story.appeared_s.append(now_s)
                if line.help and (was is None or not was.help):
                    story.called_s.append(now_s)

    def finish(self, reply: query.Reply) -> None:
        raise AssertionError("the tablet was signed out")


class Simulation:
    """See the module. Seconds count from the beginning of the run; `world` is the store."""

    def __init__(self, plan: Plan, walkers: Iterable[Walker], seed: int, associate: str = "ada", *hooks: Hook) -> None:
        self.plan = plan
        self.world = World(plan.policy())
        self.world.well = ()
        self.stories = [Story(walker) for walker in walkers]
        self._seed = seed
        self._fades = fades(Random(seed))
        self.ears = [Ear(receiver) for receiver in plan.receivers]
        self._members = [self.world.joins(story.walker.mode) for story in self.stories]
        # Each further phone has a presence secret of its own.
        self._secrets = [
            [member.secret, *(member.secret[::-1] for _ in story.walker.phones[1:])]
            for member, story in zip(self._members, self.stories, strict=True)
        ]
        for member, secrets in zip(self._members, self._secrets, strict=True):
            if len(secrets) > 1:
                for day in (self.world.day, self.world.day + 1):
                    keys = tuple(day_key(secret, day) for secret in secrets)
                    self.world.hq_says(self.world.replica.put_keys(day, member.pseudonym, keys))
        self._numbers = {member.pseudonym: number for number, member in enumerate(self._members)}
        self._links: dict[tuple[int, int], list[Link]] = {}
        self._sent: dict[tuple[int, int], float] = {}
        self._hooks = hooks
        self._tokens: dict[tuple[bytes, Kind, int], bytes] = {}
        self._owners: dict[bytes, int] = {}  # of the last two half seconds
        self._before: dict[bytes, int] = {}
        self._tell_s = -HEALTH_S
        self._began_s = self.world.now_s
        self.screen = _Screen(self)
        self.tablet = self.world.tablet(associate)
        self._began_s = self.world.now_s
        first = self.world.gateway.answer(query.Watch(self.tablet.session), Asker(False, self.screen), self.world.now_s)
        assert isinstance(first, query.Roster)
        self._tell()
        self._late: dict[int, list[tuple[Ear, list[Sighting]]]] = defaultdict(list)
        self._tick = 0

    @property
    def now_s(self) -> float:
        """Since the beginning."""
        return self.world.now_s - self._began_s

    def member(self, number: int) -> Person:
        """Who the walker of that number is."""
        return self._members[number]

    def number_of(self, heard: bytes) -> int | None:
        """Whose token that is: the truth, which no gateway is asked for."""
        return self._owners.get(heard)

    def named(self, visits: Iterable[query.Visit]) -> dict[int, query.Visit]:
        """The roster's lines by the walker's number."""
        found = {}
        for visit in visits:
            pseudonym = self.world.gateway._presence.find(visit.handle)
            assert pseudonym is not None
            found[self._numbers[pseudonym]] = visit
        return found

    def falls_ill(self, node: str, ill: bool = True) -> None:
        """From now on that radio hears nothing and says so; or is well again."""
        next(ear for ear in self.ears if ear.receiver.node == node).ill = ill
        self._tell_s = -HEALTH_S

    def run(self, seconds: float) -> "Simulation":
        """Time goes by."""
        for _ in range(round(seconds / BLOCK_S)):
            self._block()
        return self

    # --- one half second ---------------------------------------------------------------------------------------------

    def _block(self) -> None:
        began_s = self.now_s
        self._transmit(began_s)
        for ear in self.ears:
            sightings = ear.take()
            if sightings:
                self._late[self._tick + 5 + round(ear.receiver.late_s * 10)].append((ear, sightings))
        if self.world.now_s - self._tell_s >= HEALTH_S:
            self._tell()
        for _ in range(5):
            self._tick += 1
            self.world.now_s = self._began_s + self._tick * 0.1
            self.world.gateway.tick(self.world.now_s)
            self.world.settle()
            for ear, sightings in self._late.pop(self._tick, ()):
                batch = Batch(ear.receiver.node, tuple(sightings))
                for hook in self._hooks:
                    hook(batch, self.now_s)
                self.world.hears_batch(batch)
        self._write_down()

    def _transmit(self, began_s: float) -> None:
        owners: dict[bytes, int] = {}
        for number, story in enumerate(self.stories):
            walker = story.walker
            place = walker.path.at(began_s)
            kind = walker.says(began_s)
            if place is None or kind is None:
                continue
            for which, phone in enumerate(walker.phones):
                said = self._token(self._secrets[number][which], kind if which == 0 else Kind.PRESENCE, phone)
                owners[said] = number
                self._adverts((number, which), phone, place, said, began_s)
        self._owners = {**self._before, **owners}
        self._before = owners

    def _adverts(self, key: tuple[int, int], phone: Phone, place: Point, said: bytes, began_s: float) -> None:
        links = self._links.get(key)
        if links is None:
            chance = Random(f"{self._seed} {key}")  # its own, so that one more phone changes nothing for the others
            links = self._links[key] = [Link(self.plan, ear, chance, self._fades) for ear in self.ears]
            self._sent[key] = began_s + chance.random() * phone.interval_s
        times = []
        at_s = self._sent[key]
        while at_s < began_s + BLOCK_S:
            times.append(at_s)
            at_s += phone.interval_s + links[0].chance.random() * 0.01  # advDelay, Core Specification 4.4.2.2.1
        self._sent[key] = at_s
        for link, ear in zip(links, self.ears, strict=True):
            level_dbm = link.level_dbm(phone, place, began_s)
            if level_dbm < -103:
                continue
            for at_s in times:
                rssi_dbm = link.heard(level_dbm)
                if rssi_dbm is not None:
                    ear.hear(said, rssi_dbm, int(at_s / 5) if phone.restless else 0, self._began_s + at_s)

    def _token(self, secret: bytes, kind: Kind, phone: Phone) -> bytes:
        slot = int((self.world.now_ms / 1000 - phone.turn_s) // SLOT_S)
        known = self._tokens.get((secret, kind, slot))
        if known is None:
            known = self._tokens[(secret, kind, slot)] = token(day_key(secret, day_of_slot(slot)), kind, slot)
        return known

    def _tell(self) -> None:
        self._tell_s = self.world.now_s
        for ear in self.ears:
            ear.adverts += 0 if ear.ill else 150  # a shop is never silent
            state = RadioState.ILL if ear.ill else RadioState.HEARING
            reason = RadioReason.SILENT if ear.ill else None
            told = Health(ear.receiver.node, "none", state, reason, int(self._tell_s * 1000), ear.adverts, 0, 0, ())
            self.world.gateway.on_sighting(told, self.world.now_s)

    def _write_down(self) -> None:
        now_s = self.now_s
        for number, story in enumerate(self.stories):
            place = story.walker.path.at(now_s)
            line = self.screen.lines.get(number)
            if place is None and line is None:
                continue
            truth = None if place is None else self.plan.zone(place)
            if line is None:
                story.samples.append(Sample(now_s, truth, False, None, False))
            else:
                story.samples.append(Sample(now_s, truth, True, line.zone, line.help, line.handle))


def inside(truth: str | None) -> bool:
    """Whether that is in the shop."""
    return truth is not None and truth != OUTSIDE
