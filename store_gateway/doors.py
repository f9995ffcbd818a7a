"""Who may come in: pairing codes, tablets, sign-in and sessions, with what slows a guesser down.

Codes and sessions live in memory and end with the process; of a tablet's secret only the SHA-256 is kept. A PIN is
verified elsewhere (`store_gateway.pins`): `begin` gives a check, `finish` takes its verdict, so no answer waits.

I/O: the cache, through the replica.
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Protocol

from store_gateway.errors import CacheError
from store_gateway.replica import Tablet
from store_gateway.tries import Tries
from wire import query, sync, synthetic
from wire.member import Staff
from wire.policy import Policy
from wire.query import Refused, RefusedReason

CODE_BYTES = 16  # 128 bits: 26 base32 characters
CODE_S = 60
SECRET_BYTES = 32
MOST_CODES = 8
MOST_TABLETS = 256
MOST_SESSIONS = 256
MOST_CHECKS = 8  # PINs that wait to be verified: 40 to 100 ms each
IDLE_S = 300  # until there is a policy
SESSION_S = 43_200
_ID_BYTES = 4

UNPAIRED = Refused(RefusedReason.UNPAIRED)
SIGNED_OUT = Refused(RefusedReason.SIGNED_OUT)
WRONG = Refused(RefusedReason.WRONG)
DARK = Refused(RefusedReason.DARK)


class Keeper(Protocol):
    """What is needed of the replica."""

    def policy(self) -> Policy | None: ...
    def staff(self, associate: str) -> Staff | None: ...
    def lease(self, now_mono_s: float) -> query.Lease: ...
    def trusted_ms(self, now_mono_s: float) -> int | None: ...
    def record(self, now_mono_s: float, *entries: tuple[sync.EventKind, bytes | None, object]) -> int: ...
    def add_tablet(self, tablet: Tablet) -> None: ...
    def tablet(self, secret_hash: bytes) -> Tablet | None: ...
    def tablets(self) -> tuple[Tablet, ...]: ...
    def unpair(self, tablet_id: str, now_mono_s: float) -> None: ...


class Session:
    """An associate who is signed in on a tablet. `key`: SHA-256 of the session's secret."""

    __slots__ = ("active_mono_s", "associate", "key", "name", "role", "tablet", "until_mono_s")

    def __init__(self, key: bytes, associate: str, staff: Staff, tablet: str, now_mono_s: float, length_s: int) -> None:
        self.key = key
        self.associate = associate
        self.name = staff.name
        self.role = staff.role
        self.tablet = tablet
        self.active_mono_s = now_mono_s
        self.until_mono_s = now_mono_s + length_s


@dataclass(frozen=True, slots=True, repr=False)
class PinCheck:
    """A PIN to verify against a verifier; an empty one is nobody's and costs the same."""

    associate: str
    tablet: str
    pin: str
    verifier: str


class Doors:
    """See the module. `entropy(n)` gives n random bytes."""

    def __init__(self, store: str, keeper: Keeper, entropy: Callable[[int], bytes]) -> None:
        self._store = store
        self._keeper = keeper
        self._entropy = entropy
        self._codes: dict[bytes, float] = {}  # SHA-256 of a code -> when it ends
        self._probe_code = (b"", 0.0)  # likewise, of the one that is for the probe's tablet
        self._sessions: dict[bytes, Session] = {}
        self._tries = Tries()
        self._checks = 0

    # --- pairing -----------------------------------------------------------------------------------------------------

    def mint(self, now_mono_s: float) -> query.PairingCode:
        """A new one-time code; the oldest of too many goes."""
        code = base64.b32encode(self._entropy(CODE_BYTES)).decode().rstrip("=")
        while len(self._codes) >= MOST_CODES:
            del self._codes[next(iter(self._codes))]
        self._codes[_hash(code.encode())] = now_mono_s + CODE_S
        return query.PairingCode(code, CODE_S)

    def mint_probe(self, now_mono_s: float) -> str:
        """A new one-time code for the probe's tablet, in the place of an older one."""
        code = base64.b32encode(self._entropy(CODE_BYTES)).decode().rstrip("=")
        self._probe_code = _hash(code.encode()), now_mono_s + CODE_S
        return code

    def pair(self, asked: query.Pair, now_mono_s: float) -> query.Paired | Refused:
        """A code for a tablet's secret. The code is spent even where the tablet cannot be kept.

        Only wrong codes are throttled: 128 bits cannot be guessed, and whoever reaches the network could otherwise
        keep the store from pairing.
        """
        code = asked.code.upper().replace("-", "").replace(" ", "")
        hashed = _hash(code.encode())
        probes = hashed == self._probe_code[0]
        ends_mono_s = self._probe_code[1] if probes else self._codes.pop(hashed, 0.0)
        if ends_mono_s <= now_mono_s:
            left_s = self._tries.left_s("codes", now_mono_s)
            if left_s:
                return Refused(RefusedReason.THROTTLED, left_s)
            self._tries.wrong("codes", now_mono_s)
            return WRONG
        if probes:
            self._probe_code = (b"", 0.0)
        elif self.tablets >= MOST_TABLETS:
            return Refused(RefusedReason.FORBIDDEN)
        secret = self._entropy(SECRET_BYTES)
        tablet = Tablet(
            id="tablet-" + self._entropy(_ID_BYTES).hex(),
            secret_hash=_hash(secret),
            label=synthetic.LABEL if probes else asked.label if asked.label != synthetic.LABEL else "",
            browser=asked.browser,
            paired_ms=self._keeper.trusted_ms(now_mono_s) or 0,
        )
        try:
            for old in self._keeper.tablets() if probes else ():
                if _is_probe(old):
                    self._keeper.unpair(old.id, now_mono_s)
            self._keeper.add_tablet(tablet)
            self._keeper.record(now_mono_s, (sync.EventKind.PAIRING, None, sync.Pairing(tablet.id, True)))
        except CacheError:
            return DARK
        return query.Paired(secret, tablet.id, self._store, self.store_label())

    # --- sign-in -----------------------------------------------------------------------------------------------------

    def begin(self, asked: query.SignIn, now_mono_s: float) -> PinCheck | Refused:
        """What is to be verified. The try counts as wrong until `finish`, so that many at once gain nothing."""
        tablet = self._keeper.tablet(_hash(asked.tablet))
        if tablet is None:
            return UNPAIRED
        if self._keeper.lease(now_mono_s).light is query.Light.LOCKED:
            return DARK
        keys = _keys(asked.associate, tablet.id)
        left_s = max(self._tries.left_s(key, now_mono_s) for key in keys)
        if left_s:
            return Refused(RefusedReason.THROTTLED, left_s)
        if self._checks >= MOST_CHECKS:
            return Refused(RefusedReason.BUSY, 1)
        self._checks += 1
        for key in keys:
            self._tries.wrong(key, now_mono_s)
        staff = self._keeper.staff(asked.associate)
        fits = _is_probe(tablet) is (asked.associate == synthetic.ASSOCIATE)
        verifier = staff.pin_verifier if staff is not None and staff.active and fits else ""
        return PinCheck(asked.associate, tablet.id, asked.pin, verifier)

    def finish(self, check: PinCheck, right: bool, now_mono_s: float) -> query.SignedIn | Refused:
        """The verdict on a check, given exactly once for each. A new session ends the tablet's old one."""
        self._checks -= 1
        staff = self._keeper.staff(check.associate)
        if not right or staff is None or not staff.active or staff.pin_verifier != check.verifier:
            return WRONG
        if all(one.id != check.tablet for one in self._keeper.tablets()):
            return UNPAIRED  # while the PIN was verified
        for key in _keys(check.associate, check.tablet):
            self._tries.right(key)
        for old in [one for one in self._sessions.values() if one.tablet == check.tablet]:
            del self._sessions[old.key]
        if len(self._sessions) >= MOST_SESSIONS:
            oldest = min(self._sessions.values(), key=lambda one: one.active_mono_s)
            del self._sessions[oldest.key]
        secret = self._entropy(SECRET_BYTES)
        session = Session(_hash(secret), check.associate, staff, check.tablet, now_mono_s, self._limits()[1])
        self._sessions[session.key] = session
        return query.SignedIn(secret, self.view(session, now_mono_s))

    def sign_out(self, secret: bytes) -> None:
        """Ends a session; an unknown one is ended already."""
        self._sessions.pop(_hash(secret), None)

    def session(self, secret: bytes, now_mono_s: float, *, active: bool) -> Session | None:
        """The session of this secret, if it still holds; `active`: somebody touched the tablet."""
        session = self._sessions.get(_hash(secret))
        if session is None or not self.holds(session, now_mono_s):
            return None
        if active:
            session.active_mono_s = now_mono_s
        return session

    def holds(self, session: Session, now_mono_s: float) -> bool:
        """Whether a session has not ended: by time, by sign-out, by another sign-in, by HQ."""
        idle_s, _ = self._limits()
        held = self._sessions.get(session.key) is session
        if held and now_mono_s < session.until_mono_s and now_mono_s - session.active_mono_s < idle_s:
            return True
        if held:
            del self._sessions[session.key]
        return False

    def staff_changed(self) -> None:
        """HQ changed staff: who is no longer active is signed out at once; name and role follow."""
        for session in list(self._sessions.values()):
            staff = self._keeper.staff(session.associate)
            if staff is None or not staff.active:
                del self._sessions[session.key]
            else:
                session.name, session.role = staff.name, staff.role

    def unpaired(self, tablets: frozenset[str]) -> None:
        """HQ took these tablets' pairing: whoever is signed in on one is signed out at once."""
        for session in [one for one in self._sessions.values() if one.tablet in tablets]:
            del self._sessions[session.key]

    def tick(self, now_mono_s: float) -> None:
        """Ends what is over."""
        for session in list(self._sessions.values()):
            self.holds(session, now_mono_s)
        for code in [code for code, ends_mono_s in self._codes.items() if ends_mono_s <= now_mono_s]:
            del self._codes[code]

    def view(self, session: Session, now_mono_s: float) -> query.SessionView:
        """What the tablet may know of its session; `until_ms` is 0 before the first trusted time."""
        now_ms = self._keeper.trusted_ms(now_mono_s)
        left_ms = ceil((session.until_mono_s - now_mono_s) * 1000)
        return query.SessionView(
            associate=session.associate,
            name=session.name,
            role=session.role,
            store_label=self.store_label(),
            idle_s=self._limits()[0],
            until_ms=now_ms + left_ms if now_ms is not None else 0,
        )

    @property
    def sessions(self) -> int:
        """How many people are signed in."""
        return sum(one.role != synthetic.ROLE for one in self._sessions.values())

    @property
    def tablets(self) -> int:
        """How many tablets are paired, but for the probe's."""
        return sum(not _is_probe(one) for one in self._keeper.tablets())

    def store_label(self) -> str:
        """What people call the store."""
        policy = self._keeper.policy()
        return policy.store.label if policy is not None and policy.store.label else self._store

    def _limits(self) -> tuple[int, int]:
        """Idle and whole length of a session in seconds."""
        policy = self._keeper.policy()
        return (policy.main.session_idle_s, policy.main.session_s) if policy is not None else (IDLE_S, SESSION_S)


def _hash(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()


def _is_probe(tablet: Tablet) -> bool:
    return tablet.label == synthetic.LABEL


def _keys(associate: str, tablet: str) -> tuple[str, str]:
    return f"associate/{associate}", f"tablet/{tablet}"
