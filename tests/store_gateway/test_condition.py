"""Disk, agreement with HQ and software in a status: exact for operators, on tablets nothing that a member moves."""

from dataclasses import replace

import pytest

from store_gateway.condition import FULL_BYTES, LOW_BYTES, Condition, room_of, update_of
from store_gateway.errors import ROOM_REMEDIES, UPDATE_REMEDIES
from store_gateway.operator import status_text
from tests.fakes.replica import FakeReplica
from tests.world import NOON_MS, World, a_policy
from wire.condition import Agreement, Room, Update
from wire.member import Mode
from wire.query import DarkReason
from wire.token import Kind


class Installed:
    """What is on the disk, and how often somebody looked."""

    def __init__(self, release: str) -> None:
        self.release = f"consentry/{release}"
        self.looks = 0

    def __call__(self) -> str:
        self.looks += 1
        return self.release


def a_condition(installed: str = "1.4.0", wanted: str | None = None) -> tuple[Condition, Installed, FakeReplica]:
    """Release 1.4.0 runs."""
    policy = a_policy()
    replica = FakeReplica(replace(policy, main=replace(policy.main, software_wanted=wanted)), NOON_MS)
    found = Installed(installed)
    return Condition(replica, "consentry/1.4.0", found), found, replica  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("free_bytes", "room"),
    [(10**12, Room.AMPLE), (LOW_BYTES, Room.AMPLE), (LOW_BYTES - 1, Room.LOW), (FULL_BYTES, Room.LOW),
     (FULL_BYTES - 1, Room.FULL), (0, Room.FULL)],
)  # fmt: skip
def test_a_disk_is_judged_by_what_is_free(free_bytes: int, room: Room) -> None:
    """Low for a week's warning, full when it is late."""
    assert room_of(free_bytes, 1) is room


def test_a_disk_that_does_not_say_is_unknown() -> None:
    """Neither free nor used."""
    assert room_of(0, 0) is Room.UNKNOWN


@pytest.mark.parametrize(
    ("installed", "wanted", "update"),
    [
        ("1.4.0", None, Update.UNSAID), ("1.4.0", "1.4.0", Update.CURRENT), ("1.4.0", "1.10.0", Update.BEHIND),
        ("1.4.0", "1.3.9", Update.AHEAD), ("1.4.0", "2", Update.BEHIND), ("1.4.0", "1.4.1rc1", Update.BEHIND),
        ("1.5.0", "1.5.0", Update.RESTART), ("1.5.0", None, Update.RESTART), ("1.3.0", "1.4.0", Update.RESTART),
    ],
)  # fmt: skip
def test_what_is_to_be_done_about_the_software(installed: str, wanted: str | None, update: Update) -> None:
    """By numbers, not by letters: 1.10 is later than 1.4."""
    assert update_of("1.4.0", installed, wanted) is update
    condition, _, _ = a_condition(installed, wanted)
    told = condition.told(0.0, operator=False).versions
    assert (told.running, told.installed, told.wanted, told.update) == ("1.4.0", installed, wanted, update)


def test_equal_numbers_written_otherwise_are_the_same_release() -> None:
    """1.4 is 1.4.0; a candidate of it is another."""
    assert update_of("1.4.0", "1.4.0", "1.4") is Update.CURRENT
    assert update_of("1.4.0", "1.4.0", "1.4.0rc1") is Update.BEHIND
    assert update_of("1.4.1", "1.4.1", "1.4") is Update.AHEAD


def test_the_disk_is_looked_at_once_a_minute() -> None:
    """A status costs an answer to a tablet no time."""
    condition, installed, _ = a_condition()
    for second in range(61):
        condition.told(float(second), operator=False)
    assert installed.looks == 2
    installed.release = "consentry/1.5.0"
    assert condition.told(61.0, operator=False).versions.update is Update.UNSAID
    assert condition.told(121.0, operator=False).versions.update is Update.RESTART


def test_an_operator_reads_figures_and_a_tablet_whole_gigabytes() -> None:
    """Bytes of cache and outbox, events that wait and records are moved by members."""
    condition, _, replica = a_condition()
    replica.events.append((1, None, None))  # type: ignore[arg-type]
    disk = condition.told(0.0, operator=True).disk
    assert (disk.free_bytes, disk.cache_bytes, disk.outbox_bytes, disk.events_waiting) == (10**9, 10**6, 300, 1)
    disk = condition.told(0.0, operator=False).disk
    assert (disk.free_bytes, disk.cache_bytes, disk.outbox_bytes, disk.events_waiting) == (10**9, None, None, None)
    assert [one.records for one in condition.told(0.0, operator=True).instances] == [0, 2]
    assert [one.records for one in condition.told(0.0, operator=False).instances] == [None, None]


def test_a_change_of_a_member_on_its_way_shows_on_no_tablet() -> None:
    """Of the members' own collections a tablet learns what the lease says: they agreed, or the store is dark."""
    condition, _, replica = a_condition()
    replica.filling = True
    told = {one.name: one.agreement for one in condition.told(0.0, operator=False).instances}
    assert told == {"members/berlin-1": Agreement.AGREES, "policy/main": Agreement.FILLING}
    assert {one.agreement for one in condition.told(0.0, operator=True).instances} == {Agreement.FILLING}
    replica.dark(DarkReason.CATCHING_UP)
    assert {one.agreement for one in condition.told(0.0, operator=False).instances} == {Agreement.FILLING}


def test_who_hides_moves_nothing_in_a_tablets_status() -> None:
    """A store with somebody hidden who calls, walks and withdraws is told as one without."""
    told = []
    for hidden in (False, True):
        world = World()
        if hidden:
            person = world.joins(Mode.OPEN, age_at_least=13)
            for _ in range(20):
                world.hears(person, Kind.HELP)
                world.passes(1)
            world.changes(person, mode=Mode.QUIET)
        else:
            world.passes(20)
        told.append(world.gateway.status(world.now_s, operator=False).condition)
    assert told[0] == told[1]


def test_the_operators_text_says_all_of_it_with_remedies() -> None:
    """What is to be done stands below what is wrong."""
    world = World(replace(a_policy(), main=replace(a_policy().main, software_wanted="2.0.0")))
    text = status_text(world.gateway.status(world.now_s, operator=True))
    assert "disk ample, 1000.0 MB free; cache 1.0 MB; 0 events wait for HQ, 0.0 MB kept\n" in text
    assert "version test runs, test is installed, policy wants 2.0.0\n" in text
    assert "  remedy: install the release that policy wants" in text
    assert "replica members/berlin-1 agrees, 0 records\n" in text
    assert set(ROOM_REMEDIES) == set(Room) - {Room.AMPLE}
    assert set(UPDATE_REMEDIES) == set(Update) - {Update.CURRENT, Update.UNSAID}
