"""What goes on between HQ and a store while something breaks, and what may never be seen meanwhile.

I/O: threads; what it calls talks to HQ's database and to the box.
"""

import threading
import time
from random import Random

from store_gateway.replica import Replica
from tests.clusters.engines import until
from tests.clusters.estate import LEASE_S, PATIENCE_S, SCOPE, Box, Estate, boot_s, shows
from wire import sync

MEMBERS = 40


def agree(estate: Estate, box: Box) -> None:
    """Waits until both sides hold the same."""
    until(lambda: box.held() == estate.roots(box.store), PATIENCE_S, "agreement of the roots")


def held(box: Box, pseudonym: bytes) -> bool:
    """Whether the store has the member's shoe size."""
    found = box.ask(lambda replica: replica.member(pseudonym))
    return found is not None and SCOPE in {one.scope for one in found.fields}


def deny(box: Box, pseudonym: bytes) -> None:
    """The member takes the shoe size back in the store."""
    said = sync.Withdrawal(SCOPE, "nina", "t-1")
    box.ask(lambda replica: replica.deny(pseudonym, SCOPE, said, boot_s()))


class Traffic:
    """Edits and withdrawals at HQ and in the store, until it is told to stop; and what may never be seen meanwhile."""

    def __init__(self, estate: Estate, box: Box, seed: int) -> None:
        self._estate, self._box, self._chance = estate, box, Random(seed)
        self.members = {name: estate.pseudonym(name, box.store) for name in [estate.join() for _ in range(MEMBERS)]}
        self.withdrawn: dict[bytes, float] = {}  # when HQ had committed it, on the box's clock
        self.denied: set[bytes] = set()
        self.looked = self.shown = 0
        self._gone: set[bytes] = set()
        self._stop = threading.Event()
        self.faults: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Traffic":
        for pseudonym in self.members.values():
            until(lambda one=pseudonym: held(self._box, one), PATIENCE_S, "the members' arrival")
        self._box.watch = self._look
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(60)
        self._box.watch = lambda replica, now_s: None

    def _run(self) -> None:
        try:
            while not self._stop.wait(0.05):
                name, pseudonym = self._chance.choice(sorted(self.members.items()))
                untouched = pseudonym not in self.withdrawn and pseudonym not in self.denied
                match self._chance.randrange(8):
                    case 0 if untouched and len(self.withdrawn) < MEMBERS // 3:
                        self._estate.office.withdraw(name, time.time_ns() // 1_000_000, scopes=(SCOPE,))
                        self.withdrawn[pseudonym] = boot_s()
                    case 1 if untouched and len(self.denied) < MEMBERS // 3 and self._box.is_live():
                        deny(self._box, pseudonym)
                        self.denied.add(pseudonym)
                    case _:
                        self._estate.edit(name, str(self._chance.random()))
        except BaseException as error:
            self.faults.append(error)
            raise

    def _look(self, replica: Replica, now_s: float) -> None:
        """On the box's thread, between any two messages."""
        for pseudonym in self.members.values():
            can_show = shows(replica, pseudonym, now_s)
            self.looked += 1
            self.shown += can_show
            if pseudonym in self.denied:
                assert not can_show, "what was taken back in the store was shown again"
            since_s = self.withdrawn.get(pseudonym)
            if since_s is None:
                continue
            found = replica.member(pseudonym)
            if found is None or SCOPE not in {one.scope for one in found.fields}:
                self._gone.add(pseudonym)
            assert not (can_show and pseudonym in self._gone), "what had been withdrawn came back"
            assert not (can_show and now_s > since_s + LEASE_S), "shown after a withdrawal, past every lease"

    def check(self) -> None:
        """Whether it ran as it should."""
        assert self.faults == []
        assert self._box.faults == []
        assert self.shown > 0
        assert self.withdrawn
        assert self.denied
