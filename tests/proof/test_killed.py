"""kill -9 at every system call that changes the disk: what was acknowledged is there, and all comes out in the end."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.proof.apart import CALLS, Apart, Killed
from tests.proof.broker import Parcel, Topic
from tests.proof.chain import SCOPES, Chain, days, profile
from wire.sync import Verb

SHORT_POINTS = 3
LATE = ("late-1", "late-2")  # whose records change while the store is away


class Bench:
    """A chain of one store whose box can be killed, and what that box acknowledged."""

    def __init__(self, folder: Path, strace: str) -> None:
        self.strace = strace
        self.chain = Chain(folder)
        (own,) = self.chain.boxes
        own.close()
        self.box = Apart(self.chain, own.store, own.keys, own.file)
        self.chain.boxes = [self.box]  # type: ignore[list-item]
        self.made = 0
        self.denied: list[bytes] = []  # withdrawn here for good
        self.withdrawn: list[bytes] = []  # at HQ, and received here
        self.tablets: list[str] = []
        for name in LATE:
            self.chain.join(name, *SCOPES)

    def member(self) -> str:
        """A new member."""
        self.made += 1
        name = f"m-{self.made}"
        self.chain.join(name, *SCOPES)
        return name

    def pseudonym(self, name: str) -> bytes:
        """The member's name here."""
        found = self.chain.hq.pseudonym(name)
        assert found is not None
        return found

    def up(self) -> None:
        """The program begins, and the store becomes live."""
        self.box.begin()
        self.chain.up()

    def life(self, one: str, other: str, *, epochs: bool = True) -> None:
        """A piece of a store's life, in which all is written that a box ever writes; perhaps without new epochs."""
        chain, box = self.chain, self.box
        self.up()
        box.ask("denies", self.pseudonym(one), None)
        self.denied.append(self.pseudonym(one))
        chain.run(2)
        chain.hq.office.withdraw(other, chain.hq.now_ms)
        chain.carry()
        self.withdrawn.append(self.pseudonym(other))
        box.ask("events", 3)
        self.tablets.append(box.ask("pairs"))
        if epochs:
            chain.order(box, Verb.ROLL)
            chain.erase(other)
            chain.run(5)
        box.link(False)
        for name in LATE:
            chain.hq.office.set_profile(name, profile(name, str(chain.hq.now_ms)), chain.hq.now_ms)
        chain.hq.later(days(1) if epochs else 600)
        box.link(True)
        chain.settle()
        box.ask("close")

    def unlock(self) -> None:
        """HQ unlocks what the box begins on, and says no more: what is in the file shows."""
        chain, box = self.chain, self.box
        box.link(True)
        for _ in range(20):
            box.tick()
            for payload in box.outgoing():
                for reply in chain.hq.answers.answer(payload, chain.hq.now_ms):
                    if box.ask("unlocked"):
                        break
                    box.take(Parcel(reply.store, Topic.DOWN, reply.payload))
            if box.ask("unlocked"):
                break
            chain.hq.now_ms += 500

    def check(self) -> None:
        """A new process opens the file: nothing that was acknowledged is lost, and it comes out."""
        chain, box = self.chain, self.box
        box.fork()
        box.begin()
        reason = box.light()[1]
        assert reason.value != "disk", "the file cannot be used"
        self.unlock()
        assert box.ask("unlocked")
        box.check_tree()
        for pseudonym in self.denied[-3:]:
            assert box.ask("is_denied", pseudonym), "a withdrawal made here is lost"
        for pseudonym in self.withdrawn[-3:]:
            assert box.member(pseudonym) is None, "a withdrawn member is back"
        assert set(self.tablets) <= set(box.ask("tablets")), "a tablet is lost"
        chain.settle()
        chain.check_end()
        box.end()

    def live_until(self, call: str, number: int) -> bool:
        """A life that is ended at that system call; whether it came to its end before."""
        names = self.member(), self.member()
        self.box.fork()
        self.box.kill_at(call, number, self.strace)
        try:
            self.life(*names)
        except Killed:
            pass
        return self.box.end()

    def count(self, log: Path) -> dict[str, int]:
        """How many system calls of each kind a life has."""
        names = self.member(), self.member()
        self.box.fork()
        self.box.write_down(self.strace, log)
        self.life(*names)
        self.box.end()
        lines = log.read_text().splitlines()
        return {call: sum(line.split("(")[0].endswith(call) for line in lines) for call in CALLS}


@pytest.fixture
def bench(tmp_path: Path, needs: Callable[[str], str]) -> Iterator[Bench]:
    """A store that was live once."""
    made = Bench(tmp_path, needs("strace"))
    made.box.fork()
    made.up()
    made.box.end()
    yield made
    made.box.end()
    made.chain.hq.engine.dispose()


def points(bench: Bench, log: Path) -> list[tuple[str, int]]:
    """Every system call of a life: which, and the how many-th."""
    counts = bench.count(log)
    bench.check()
    assert counts["pwrite64"] > 50 and counts["fdatasync"] > 10, "strace saw nothing"
    return [(call, number) for call, count in counts.items() for number in range(1, count + 1)]


def test_a_box_killed_at_a_system_call_loses_nothing(bench: Bench, tmp_path: Path) -> None:
    """Some calls of a life, chosen by chance (PROOF_SEED repeats them): see `Bench.check` for what must be there."""
    seed = int(os.environ.get("PROOF_SEED", random.SystemRandom().randrange(2**32)))
    print(f"PROOF_SEED={seed}")
    for call, number in random.Random(seed).sample(points(bench, tmp_path / "calls"), SHORT_POINTS):
        print(f"killed at {call} {number}")
        bench.live_until(call, number)
        bench.check()


@pytest.mark.long
def test_a_box_killed_at_every_system_call_loses_nothing(bench: Bench, tmp_path: Path) -> None:
    """Each in turn: opening, unlock, apply, withdrawal, events, pairing, epochs, erasure, fill, checkpoint."""
    killed = 0
    for call, number in points(bench, tmp_path / "calls"):
        print(f"killed at {call} {number}")
        killed += not bench.live_until(call, number)
        bench.check()
    assert killed > 100
