"""Folds what stores tell of calls for help into one state a member: what its app is told of who is on the way.

Kept of a call: the store, the state and two instants; nothing of who attends, and nothing an hour after its end.

I/O: sqlalchemy.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Engine, and_, bindparam, delete, insert, or_, select, update

from hq.database import reading, writing
from hq.tables import help_calls
from wire import schema
from wire.errors import WireError
from wire.sync import Attendance, Event, EventKind, HelpStep

KEPT_MS = 3_600_000  # after the end
LONGEST_MS = 7_200_000  # `help_s` of a policy at most (wire.policy): a call of which nothing was heard since is over


class HelpState(StrEnum):
    """What the member's app is told."""

    WAITING = "waiting"
    ON_THE_WAY = "on-the-way"
    DONE = "done"
    ENDED = "ended"  # taken back by the phone, or nobody came in time


_GOES_ON = frozenset({HelpState.WAITING, HelpState.ON_THE_WAY})
_NEXT = {
    HelpStep.ATTENDING: HelpState.ON_THE_WAY,
    HelpStep.HANDED_OVER: HelpState.ON_THE_WAY,  # who comes is another, and that is all
    HelpStep.DONE: HelpState.DONE,
    HelpStep.CANCELLED: HelpState.ENDED,
    HelpStep.TIMED_OUT: HelpState.ENDED,
}


@dataclass(frozen=True, slots=True)
class Help:
    """A member's newest call for help.

    `called_ms`: when it began, `since_ms`: when it came to this state; Unix milliseconds UTC of the store's time.
    """

    state: HelpState
    store: str
    called_ms: int
    since_ms: int

    def at(self, now_ms: int) -> "Help | None":
        """As it counts at `now_ms`: over when it lasted too long, gone an hour after its end."""
        found = self
        if self.state in _GOES_ON and now_ms - self.called_ms >= LONGEST_MS:
            found = Help(HelpState.ENDED, self.store, self.called_ms, self.called_ms + LONGEST_MS)
        return None if found.state not in _GOES_ON and now_ms - found.since_ms >= KEPT_MS else found


def fold(before: Help | None, store: str, step: HelpStep, at_ms: int) -> Help | None:
    """The state after one more step. What belongs to no call that goes on in this store changes nothing."""
    goes_on = (
        before is not None
        and before.store == store
        and before.state in _GOES_ON
        and at_ms - before.called_ms < LONGEST_MS
    )
    if step is HelpStep.WAITING:
        if before is not None and before.store != store and before.since_ms > at_ms:
            return before  # another store told of a later one; this one's word took its time
        if before is None or not goes_on:
            return Help(HelpState.WAITING, store, at_ms, at_ms)
        if before.state is HelpState.WAITING:
            return before
        return Help(HelpState.WAITING, store, before.called_ms, at_ms)  # whoever attended does not any more
    if before is None or not goes_on or step not in _NEXT:
        return before
    return Help(_NEXT[step], store, before.called_ms, at_ms)


def take(
    connection: Connection, store: str, known: Mapping[bytes, bytes], events: Iterable[Event], now_ms: int
) -> None:
    """Folds a batch of a store's events in, in their order; `known`: pseudonym to member, each of them locked."""
    steps = []
    for one in events:
        member = known.get(one.pseudonym or b"")
        if one.kind is EventKind.ATTENDANCE and member is not None:
            steps.append((member, one))
    if not steps:
        return
    held = _held(connection, {member for member, _ in steps})
    folded = dict(held)
    for member, one in steps:
        try:
            step = schema.decode(Attendance, one.body).action
        except WireError:
            continue  # of a later version of the store, or none of ours
        # A store that had no trusted time says 0: then it was no later than now.
        found = fold(folded.get(member), store, step, min(one.at_ms or now_ms, now_ms))
        if found is not None:
            folded[member] = found
    for member, call in folded.items():
        if call == held.get(member):
            continue
        values = {
            "store": call.store,
            "state": call.state.value,
            "called_ms": call.called_ms,
            "since_ms": call.since_ms,
        }
        if member in held:
            connection.execute(update(help_calls).where(help_calls.c.member == member).values(**values))
        else:
            connection.execute(insert(help_calls).values(member=member, **values))


def of_member(connection: Connection, member: bytes, now_ms: int) -> Help | None:
    """The member's newest call for help; None: none, or it ended more than an hour ago."""
    found = _held(connection, {member}).get(member)
    return found.at(now_ms) if found is not None else None


def forget(engine: Engine, now_ms: int) -> int:
    """Deletes the calls that ended an hour ago; how many they were."""
    over = or_(
        and_(help_calls.c.state.not_in(sorted(_GOES_ON)), help_calls.c.since_ms <= now_ms - KEPT_MS),
        help_calls.c.called_ms <= now_ms - LONGEST_MS - KEPT_MS,
    )
    with reading(engine) as connection:
        if connection.execute(select(help_calls.c.member).where(over).limit(1)).first() is None:
            return 0
    with writing(engine) as connection:
        return connection.execute(delete(help_calls).where(over)).rowcount


def _held(connection: Connection, members: set[bytes]) -> dict[bytes, Help]:
    return {
        row.member: Help(HelpState(row.state), row.store, row.called_ms, row.since_ms)
        for row in connection.execute(_HELD, {"members": sorted(members)})
    }


_HELD = select(help_calls).where(help_calls.c.member.in_(bindparam("members", expanding=True)))
