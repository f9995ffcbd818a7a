"""The power goes at any instant: of what was not synced the disk keeps any part, and nothing that was said is lost."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from hq.database import writing
from hq.tables import incarnations
from tests.proof import power
from tests.proof.test_killed import Bench
from wire.sync import EventKind


@pytest.fixture
def bench(tmp_path: Path, needs: Callable[[str], str]) -> Iterator[Bench]:
    """A store that was live once."""
    made = Bench(tmp_path, needs("strace"))
    made.box.fork()
    made.up()
    made.box.ask("close")
    made.box.end()
    yield made
    made.box.end()
    made.chain.hq.engine.dispose()


def outages(bench: Bench, folder: Path, count: int, seed: int) -> None:
    """A life is written down; then the power goes at some instants of it, and each time the box begins on what is left.

    HQ takes the ticket that the disk has for its newest, since it would be just then; it unlocks, and says no more.
    """
    chance = random.Random(seed)
    chain, box = bench.chain, bench.box
    files = [box.file.with_name(box.file.name + end) for end in ("", "-wal", "-journal")]
    begun = {str(file): file.read_bytes() for file in files if file.exists()}
    first, names = len(box.kept), (bench.member(), bench.member())
    box.fork()
    box.write_down(bench.strace, folder / "log")
    bench.life(*names, epochs=False)  # HQ has destroyed the shares of those that are over
    told = list(box.told)
    box.end()
    log = (folder / "log").read_text()
    *_, (said, _) = power.instants(log, begun)
    assert len(told) - 1 <= said <= len(told), "an answer was not seen"  # the last one may be cut off with the process
    total = sum(1 for _ in power.instants(log, begun))
    chosen = set(chance.sample(range(total), count))
    images = [
        (said, disk.after_the_power_went(chance))
        for place, (said, disk) in enumerate(power.instants(log, begun))
        if place in chosen
    ]
    for said, image in images:
        for file in files:
            file.unlink(missing_ok=True)
            if str(file) in image:
                file.write_bytes(image[str(file)])
        kept = box.kept[first : told[said - 1]] if said else []
        box.fork()
        box.begin()
        assert box.light()[1].value != "disk", "the file cannot be used"
        be_that_hq(bench, box.ask("ticket"))
        bench.unlock()
        assert box.ask("unlocked")
        box.check_tree()
        last, waiting = box.ask("waiting_numbers")
        assert waiting == list(range(last - len(waiting) + 1, last + 1)), "numbers have a gap"
        assert all(number <= last for number, _ in kept), "an event is lost"
        if any(kind is EventKind.WITHDRAWAL for _, kind in kept):
            assert box.ask("is_denied", bench.denied[-1]), "a withdrawal made here is lost"
        box.end()
        chain.hq.now_ms += 1000


def be_that_hq(bench: Bench, ticket: bytes) -> None:
    """HQ as it was when it had given that ticket last, and stored nothing since."""
    with writing(bench.chain.hq.engine) as connection:
        connection.execute(update(incarnations).values(ticket=ticket, pending=None))


def test_a_power_cut_leaves_a_file_that_opens_with_all_that_was_said(bench: Bench, tmp_path: Path) -> None:
    """Some instants by chance (PROOF_SEED repeats them): each event and denial that was acknowledged is there."""
    seed = int(os.environ.get("PROOF_SEED", random.SystemRandom().randrange(2**32)))
    print(f"PROOF_SEED={seed}")
    outages(bench, tmp_path, 4, seed)


@pytest.mark.long
def test_many_power_cuts_leave_a_file_that_opens(bench: Bench, tmp_path: Path) -> None:
    """A hundred and fifty instants of a life."""
    outages(bench, tmp_path, 150, 1)
