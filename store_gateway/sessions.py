"""Who is signed in on which tablet: open, locked after minutes without a touch, and ended.

A session lives in memory and ends with the process. It is locked, not gone, when nobody touched the tablet for a while:
its associate's PIN opens it again on the same tablet within the time that it began with.

Pure: no I/O, no clock.
"""

import hmac
from collections.abc import Callable, Iterable

from wire import doors, synthetic
from wire.member import Staff
from wire.query import Refused, RefusedReason

MOST_SESSIONS = 256
SIGNED_OUT = Refused(RefusedReason.SIGNED_OUT)
LOCKED = Refused(RefusedReason.LOCKED)


class Session:
    """An associate who is signed in on a tablet. `key` (16 bytes) says which; `proof` that its tablet asks."""

    __slots__ = ("active_mono_s", "associate", "key", "locked", "name", "proof", "role", "tablet", "until_mono_s")

    def __init__(
        self, bound: bytes, associate: str, staff: Staff, tablet: str, now_mono_s: float, length_s: int
    ) -> None:
        """`bound`: 32 bytes, as `wire.doors.bound` gives them."""
        self.key, self.proof = doors.halves(bound)
        self.associate = associate
        self.name = staff.name
        self.role = staff.role
        self.tablet = tablet
        self.locked = False
        self.active_mono_s = now_mono_s
        self.until_mono_s = now_mono_s + length_s


class Sessions:
    """See the module. `idle_s()` says after how many seconds without a touch a session is locked.

    `stolen`: how often a session's secret came with another tablet's.
    """

    def __init__(self, idle_s: Callable[[], int]) -> None:
        self._idle_s = idle_s
        self._held: dict[bytes, Session] = {}
        self.stolen = 0

    def begin(self, session: Session) -> None:
        """A new session ends its tablet's old one; of too many the one that was touched longest ago ends."""
        self.end_where(lambda one: one.tablet == session.tablet)
        if len(self._held) >= MOST_SESSIONS:
            del self._held[min(self._held.values(), key=lambda one: one.active_mono_s).key]
        self._held[session.key] = session

    def find(self, bound: bytes, now_mono_s: float) -> Session | None:
        """The session, open or locked, where its own tablet asks; None: it ended, never was, or is another tablet's."""
        key, proof = doors.halves(bound)
        session = self._held.get(key)
        if session is None or self.ended(session, now_mono_s):
            return None
        if not hmac.compare_digest(session.proof, proof):
            self.stolen += 1
            return None
        return session

    def why_not(self, session: Session, now_mono_s: float) -> Refused | None:
        """What a session is told that does not hold now; None: it holds."""
        if self.ended(session, now_mono_s):
            return SIGNED_OUT
        if not session.locked and now_mono_s - session.active_mono_s >= self._idle_s():
            session.locked = True
        return LOCKED if session.locked else None

    def ended(self, session: Session, now_mono_s: float) -> bool:
        """Whether it is over: by time, by sign-out, by another sign-in, by HQ."""
        held = self._held.get(session.key) is session
        if held and now_mono_s < session.until_mono_s:
            return False
        if held:
            del self._held[session.key]
        return True

    def end(self, session: Session) -> None:
        """Signs out; one that ended is ended already."""
        self._held.pop(session.key, None)

    def end_where(self, chosen: Callable[[Session], bool]) -> None:
        """Signs out whoever is chosen."""
        for session in [one for one in self._held.values() if chosen(one)]:
            del self._held[session.key]

    def all(self) -> Iterable[Session]:
        """All that were not ended, open or locked."""
        return tuple(self._held.values())

    def count(self) -> int:
        """How many people are signed in, locked or not; the synthetic associate is none."""
        return sum(one.role != synthetic.ROLE for one in self._held.values())

    def tick(self, now_mono_s: float) -> None:
        """Ends and locks what is due."""
        for session in self.all():
            self.why_not(session, now_mono_s)
