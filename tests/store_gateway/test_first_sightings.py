"""What the first sighting of something must not tell: where it is judged only once every radio had its say."""

from tests.world import World
from wire.events import EventKind
from wire.member import Mode
from wire.query import Roster
from wire.sighting import RSSI_MIN_DBM, Batch, Sighting
from wire.token import Kind


def shown(world: World, said: list[object]) -> list[bool]:
    """Of each roster that was pushed whether somebody who waits stands on it."""
    return [any(visit.help for visit in one.visits) for one in said if isinstance(one, Roster)]


def test_who_stepped_into_a_blind_zone_and_calls_is_shown_to_nobody() -> None:
    """The call is the first that the pharmacy's radio hears: no roster, no bell and no event tells of it."""
    world = World(rings_for="advisor")
    ann = world.joins(Mode.OPEN)
    tablet = world.tablet(watches=True)
    world.walks(ann, 12, rssi_dbm=-72)
    assert world.tablet_sees()
    before = len(world.replica.events)
    world.hears(ann, Kind.HELP, "pharmacy-1", -45)
    world.passes(1)
    assert not any(shown(world, tablet.pushed))
    assert not any(bell.waiting for bell in world.bells)
    assert not world.tablet_sees()
    assert not [one for one in world.replica.events[before:] if one[0] in (EventKind.ATTENDANCE, EventKind.DISCLOSURE)]


def test_an_old_help_token_beside_a_newer_presence_token_rings_nobody() -> None:
    """BlueZ reports both in one half second after the gateway's start, the help token first."""
    world = World(rings_for="advisor")
    ann = world.joins(Mode.OPEN)
    tablet = world.tablet(watches=True)
    at_ms = int(world.now_s * 1000)
    tokens = (world.token(ann, Kind.HELP, -1), world.token(ann, Kind.PRESENCE))
    for _ in range(4):
        world.hears_batch(Batch("shoes-1", tuple(Sighting("shoes-1", one, -60, 1, at_ms, at_ms) for one in tokens)))
        world.passes(0.5)
    assert not any(shown(world, tablet.pushed))
    assert not any(bell.waiting for bell in world.bells)


def test_a_signal_that_is_not_known_ends_no_visit() -> None:
    """An edge of somebody else passes on what BlueZ gives for it: no measurement, and no weak one."""
    world = World()
    ann = world.joins(Mode.OPEN)
    world.walks(ann, 12)
    world.walks(ann, 45, rssi_dbm=RSSI_MIN_DBM)
    assert world.tablet_sees()
