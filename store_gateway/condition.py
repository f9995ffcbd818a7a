"""How the box fares: its disk, what agrees with HQ, which release runs and which should.

Tablets are told nothing that a member moves (decision 0021): whole gigabytes, and of the members' own collections what
the lease says already.

I/O: the cache, through the replica.
"""

import re
from collections.abc import Callable

from store_gateway.replica import Replica
from wire import condition
from wire.condition import Agreement, Room, Update
from wire.query import Light
from wire.sync import Collection

LOW_BYTES = 1_000_000_000
FULL_BYTES = 100_000_000
LOOK_S = 60.0  # so often at most the installed release is looked up on the disk
_GB = 1_000_000_000
_PLAIN = re.compile(r"[\d.]*")  # numbers and nothing behind them
_OF_MEMBERS = frozenset(one.name.lower() for one in (Collection.MEMBERS, Collection.KEYRING))


class Condition:
    """See the module. `installed()` reads which release is on the disk now, as `running` names the one that runs."""

    def __init__(self, replica: Replica, running: str, installed: Callable[[], str]) -> None:
        self._replica = replica
        self._running = _release(running)
        self._installed = installed
        self._found = self._running
        self._looked_mono_s: float | None = None

    def told(self, now_mono_s: float, *, operator: bool) -> condition.Condition:
        """As the operator may know it, or as a tablet may."""
        return condition.Condition(
            self._disk(operator=operator), self._instances(now_mono_s, operator=operator), self._versions(now_mono_s)
        )

    def _disk(self, *, operator: bool) -> condition.Disk:
        free_bytes, cache_bytes, waiting = self._replica.disk()
        room = room_of(free_bytes, cache_bytes)
        if not operator:
            return condition.Disk(room, free_bytes // _GB * _GB, None, None, None)
        return condition.Disk(room, free_bytes, cache_bytes, self._replica.outbox_bytes(), waiting)

    def _instances(self, now_mono_s: float, *, operator: bool) -> tuple[condition.Instance, ...]:
        live = self._replica.lease(now_mono_s).light is Light.LIVE
        found = []
        for name, agreement, records in self._replica.instances():
            if operator:
                found.append(condition.Instance(name, agreement, records))
            elif live and name.partition("/")[0] in _OF_MEMBERS:
                # The lease began because they agreed; that a change is under way since is the member's own business.
                found.append(condition.Instance(name, Agreement.AGREES, None))
            else:
                found.append(condition.Instance(name, agreement, None))
        return tuple(found)

    def _versions(self, now_mono_s: float) -> condition.Versions:
        if self._looked_mono_s is None or now_mono_s - self._looked_mono_s >= LOOK_S:
            self._looked_mono_s, self._found = now_mono_s, _release(self._installed())
        policy = self._replica.policy()
        wanted = policy.main.software_wanted if policy is not None else None
        return condition.Versions(self._running, self._found, wanted, update_of(self._running, self._found, wanted))


def room_of(free_bytes: int, cache_bytes: int) -> Room:
    """Judges a disk; both are 0 where it does not say."""
    if not free_bytes and not cache_bytes:
        return Room.UNKNOWN
    if free_bytes < FULL_BYTES:
        return Room.FULL
    return Room.LOW if free_bytes < LOW_BYTES else Room.AMPLE


def update_of(running: str, installed: str, wanted: str | None) -> Update:
    """What is to be done, by the numbers of the releases; what follows a number (`rc1`) does not order them."""
    if installed != running:
        return Update.RESTART
    if wanted is None:
        return Update.UNSAID
    if wanted == running or (_PLAIN.fullmatch(wanted + running) and _numbers(wanted) == _numbers(running)):
        return Update.CURRENT
    return Update.AHEAD if _numbers(running) > _numbers(wanted) else Update.BEHIND


def _release(software: str) -> str:
    return software.rpartition("/")[2]


def _numbers(version: str) -> tuple[int, ...]:
    found = [int(part) for part in re.findall(r"\d+", re.match(r"[\d.]*", version).group())]  # type: ignore[union-attr]
    while found and not found[-1]:
        found.pop()  # 1.4 is 1.4.0
    return tuple(found)
