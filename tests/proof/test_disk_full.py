"""A disk that is full, for real: dark and loud, nothing that was acknowledged is lost, and it recovers by itself."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.proof.chain import SCOPES, Box, Chain, days
from wire.query import DarkReason

SIZE_BYTES = 6 * 1024 * 1024


class Disk:
    """A small disk of its own, and what fills it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._ballast = place / "ballast"

    def fill(self, left_bytes: int = 0) -> None:
        """Nothing but so much is left."""
        free = os.statvfs(self.place)
        room = free.f_bavail * free.f_frsize - left_bytes
        with self._ballast.open("ab") as stream:
            stream.write(bytes(max(0, room)))

    def empty(self) -> None:
        """There is room again."""
        self._ballast.unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path: Path, needs: Callable[[str], str]) -> Iterator[Disk]:
    """A tmpfs."""
    mount, place = needs("mount"), tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "proof", str(place)], capture_output=True, text=True
    )
    if done.returncode != 0:
        reason = "a tmpfs cannot be mounted here: run the tests as root"
        if os.environ.get("CI") == "true":
            pytest.fail(reason + " (nothing is skipped in CI)")
        pytest.skip(reason)
    yield Disk(place)
    subprocess.run([needs("umount"), "--lazy", str(place)], check=True)


@pytest.fixture
def chain(tmp_path: Path, disk: Disk) -> Iterator[Chain]:
    """A live store whose cache lies on the small disk."""
    made = Chain(tmp_path, boxes_in=disk.place)
    for name in ("m-1", "m-2", "m-3"):
        made.join(name, *SCOPES)
    made.up()
    yield made
    made.close()


def is_dark(box: Box) -> bool:
    """Dark for the disk's sake, and nothing to be seen."""
    return box.light()[1] is DarkReason.DISK and not box.live() and not box.sees()


def check_recovery(chain: Chain, disk: Disk) -> None:
    """There is room again, and it comes out by itself."""
    disk.empty()
    chain.run(20)
    chain.settle()
    chain.check_end()


def calls(chain: Chain, box: Box, name: str) -> bytes:
    """The member asks for help; the pseudonym."""
    box.calls(chain.secrets[name][0])
    known_as = chain.hq.pseudonym(name)
    assert known_as is not None
    return known_as


def test_a_disk_full_while_records_are_applied(chain: Chain, disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    """Dark and loud at the first record that cannot be kept; afterwards it is made good."""
    (box,) = chain.boxes
    known_as = calls(chain, box, "m-1")
    assert known_as in box.sees()
    disk.fill()
    for number in range(60):
        chain.hq.office.withdraw("m-1", chain.hq.now_ms, scopes=("language",))
        chain.join(f"new-{number}", *SCOPES)
        chain.carry()
        if not box.live():
            break
    assert is_dark(box)
    assert any("cache_failed" in one.getMessage() and one.levelname == "ERROR" for one in caplog.records)
    chain.run(60)
    assert is_dark(box)
    chain.hq.office.withdraw("m-1", chain.hq.now_ms)
    chain.run(5)
    check_recovery(chain, disk)
    assert box.member(known_as) is None


def test_what_cannot_be_recorded_is_not_shown(chain: Chain, disk: Disk) -> None:
    """Roster and card are refused where the disclosure finds no room, and shown once it does."""
    (box,) = chain.boxes
    assert box.session() is not None
    disk.fill()
    seen = 0
    for number in range(400):
        calls(chain, box, f"m-{1 + number % 3}")
        seen = len(box.kept)
        box.signs_out()
        box.sees()
        if not box.live():
            break
        assert len(box.kept) > seen or number > 0
    assert is_dark(box)
    check_recovery(chain, disk)
    known_as = calls(chain, box, "m-1")
    assert known_as in box.sees()


@pytest.mark.long
def test_a_withdrawal_in_the_store_that_finds_no_room_is_refused_aloud(chain: Chain, disk: Disk) -> None:
    """The tablet is told, the store is dark: nobody believes to be withdrawn who is not, and nobody is shown."""
    (box,) = chain.boxes
    known_as = calls(chain, box, "m-1")
    assert known_as in box.sees()
    disk.fill()
    accepted = box.withdraws(known_as, None)
    for _ in range(500):  # a small write may find room in the last page
        if is_dark(box):
            break
        box.signs_out()
        box.sees()
    assert is_dark(box)
    check_recovery(chain, disk)
    if accepted:
        assert box.member(known_as) is None


@pytest.mark.long
def test_a_disk_full_while_a_week_is_made_good(chain: Chain, disk: Disk) -> None:
    """A fill goes on where it was."""
    (box,) = chain.boxes
    box.link(False)
    chain.hq.join_many(300)
    chain.hq.later(days(7))
    disk.fill(40_000)
    box.link(True)
    chain.run(120)
    assert is_dark(box) or not box.live()
    check_recovery(chain, disk)
    assert box.held() == chain.roots(box.store)


@pytest.mark.long
def test_a_disk_full_at_a_change_of_day(chain: Chain, disk: Disk) -> None:
    """A new epoch and a new day's keys: the old ones go on until there is room."""
    disk.fill(8_000)
    for _ in range(26):
        chain.run(1)
        chain.hq.later(3600)
        chain.run(2)
    chain.check()
    check_recovery(chain, disk)


def test_a_program_that_begins_on_a_full_disk_waits(chain: Chain, disk: Disk) -> None:
    """Dark, not in a loop of crashes; live by itself when there is room."""
    (box,) = chain.boxes
    disk.fill()
    box.restart()
    chain.run(60)
    assert not box.live() and not box.sees()
    check_recovery(chain, disk)
