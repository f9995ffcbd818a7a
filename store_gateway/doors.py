"""Who may come in: sign-in, locked sessions and PINs, with what slows a guesser down; tablets are in `pairing`.

Codes, sessions and wrong tries live in memory and end with the process, after which nobody comes in before HQ unlocked
the cache. A PIN is verified or hashed elsewhere (`store_gateway.pins`): `begin…` gives the work, `finish` takes its
end, so no answer waits.

I/O: the cache, through the replica.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Protocol

from store_gateway.errors import CacheError
from store_gateway.names import Names
from store_gateway.pairing import CODE_S as CODE_S
from store_gateway.pairing import DARK as DARK
from store_gateway.pairing import SECRET_BYTES, WRONG, Pairing, is_probe, label_of
from store_gateway.pairing import Keeper as TabletKeeper
from store_gateway.pin_codes import LEAST_DIGITS, PinCodes, is_weak
from store_gateway.sessions import LOCKED as LOCKED
from store_gateway.sessions import SIGNED_OUT as SIGNED_OUT
from store_gateway.sessions import Session as Session
from store_gateway.sessions import Sessions
from store_gateway.tries import Tries
from wire import query, sync, synthetic
from wire.member import Staff
from wire.query import Refused, RefusedReason

MOST_CHECKS = 8  # PINs that wait to be verified or hashed: 40 to 100 ms each
IDLE_S = 300  # until there is a policy
SESSION_S = 43_200

UNPAIRED = Refused(RefusedReason.UNPAIRED)
WEAK = Refused(RefusedReason.WEAK)


class Keeper(TabletKeeper, Protocol):
    """What is needed of the replica."""

    def staff(self, associate: str) -> Staff | None: ...
    def all_staff(self) -> tuple[tuple[str, Staff], ...]: ...
    def set_pin(self, pin: sync.PinSet, now_mono_s: float) -> None: ...
    def lease(self, now_mono_s: float) -> query.Lease: ...


@dataclass(frozen=True, slots=True, repr=False)
class PinCheck:
    """A PIN to verify against a verifier; an empty one is nobody's and costs the same.

    `secret`: the tablet's, for a new session; `session`: the locked one that is to be opened, instead.
    """

    associate: str
    tablet: str
    pin: str
    verifier: str
    secret: bytes = b""
    session: Session | None = None


@dataclass(frozen=True, slots=True, repr=False)
class PinMaking:
    """A PIN to make a verifier of; `by`: the manager who made the code that it was set with."""

    associate: str
    tablet: str
    pin: str
    by: str


class Doors:
    """See the module. `entropy(n)` gives n random bytes."""

    def __init__(self, store: str, keeper: Keeper, entropy: Callable[[int], bytes]) -> None:
        self._store = store
        self._keeper = keeper
        self._entropy = entropy
        self.held = Sessions(lambda: self._limits()[0])
        self.pin_codes = PinCodes(entropy)
        self._tries = Tries()
        self.pairing = Pairing(store, keeper, entropy, self._tries, self.unpaired)
        self._checks = 0
        self._names = Names(())
        self.refused = {"pins_wrong_total": 0, "pins_throttled_total": 0, "pin_codes_wrong_total": 0}

    # --- sign-in -----------------------------------------------------------------------------------------------------

    def begin(self, asked: query.SignIn, now_mono_s: float) -> PinCheck | Refused:
        """What is to be verified. The try counts as wrong until `finish`, so that many at once gain nothing."""
        tablet = self.pairing.paired(asked.tablet)
        if tablet is None:
            return UNPAIRED
        associate = self._meant(asked.associate)
        hindered = self.pairing.outdated(tablet, asked.browser, now_mono_s) or self._hindered(
            associate, tablet.id, now_mono_s
        )
        if hindered is not None:
            return hindered
        fits = is_probe(tablet) is (associate == synthetic.ASSOCIATE)
        verifier = self._verifier(associate) if fits else ""
        return PinCheck(associate, tablet.id, asked.pin, verifier, secret=asked.tablet)

    def begin_unlock(self, asked: query.Unlock, now_mono_s: float) -> PinCheck | query.SessionView | Refused:
        """What is to be verified, likewise; of a session that is open its view at once."""
        session = self.held.find(asked.session, now_mono_s)
        if session is None:
            return SIGNED_OUT
        if self.held.why_not(session, now_mono_s) is None:
            return self.view(session, now_mono_s)
        tablet = next((one for one in self._keeper.tablets() if one.id == session.tablet), None)
        if tablet is None:
            return UNPAIRED
        hindered = self.pairing.outdated(tablet, asked.browser, now_mono_s) or self._hindered(
            session.associate, tablet.id, now_mono_s
        )
        if hindered is not None:
            return hindered
        return PinCheck(session.associate, tablet.id, asked.pin, self._verifier(session.associate), session=session)

    def begin_pin(self, asked: query.SetPin, now_mono_s: float) -> PinMaking | Refused:
        """Of what a verifier is to be made. The code is spent even where the PIN cannot be kept."""
        tablet = self.pairing.paired(asked.tablet)
        if tablet is None or is_probe(tablet):
            return UNPAIRED
        policy = self._keeper.policy()
        if is_weak(asked.pin, (policy.main.pin_digits if policy is not None else None) or LEAST_DIGITS):
            return WEAK
        associate = self._meant(asked.associate)
        hindered = self._hindered(associate, tablet.id, now_mono_s)
        if hindered is not None:
            return hindered
        by = self.pin_codes.spend(associate, asked.code, now_mono_s)
        if by is None:
            self._checks -= 1
            self.refused["pin_codes_wrong_total"] += 1
            return WRONG
        return PinMaking(associate, tablet.id, asked.pin, by)

    def finish(
        self, work: PinCheck | PinMaking, verdict: bool | str, now_mono_s: float
    ) -> query.SignedIn | query.SessionView | query.Accepted | Refused:
        """The end of a check (whether it is right) or of a making (the verifier; empty: none), once for each."""
        self._checks -= 1
        staff = self._keeper.staff(work.associate)
        if staff is None or not staff.active or not verdict:
            self.refused["pins_wrong_total"] += 1
            return WRONG
        if all(one.id != work.tablet for one in self._keeper.tablets()):
            return UNPAIRED  # while the PIN was verified
        if isinstance(work, PinMaking):
            return self._finish_pin(work, str(verdict), now_mono_s)
        if staff.pin_verifier != work.verifier:
            return WRONG
        self._forgive(work)
        if work.session is not None:
            return self._finish_unlock(work.session, now_mono_s)
        secret = self._entropy(SECRET_BYTES)
        bound = query.bound(work.secret, secret)
        session = Session(bound, work.associate, staff, work.tablet, now_mono_s, self._limits()[1])
        self.held.begin(session)
        return query.SignedIn(secret, self.view(session, now_mono_s))

    def _finish_unlock(self, session: Session, now_mono_s: float) -> query.SessionView | Refused:
        if self.held.ended(session, now_mono_s):
            return SIGNED_OUT  # while the PIN was verified
        session.locked = False
        session.active_mono_s = now_mono_s
        return self.view(session, now_mono_s)

    def _finish_pin(self, work: PinMaking, verifier: str, now_mono_s: float) -> query.Accepted | Refused:
        try:
            self._keeper.set_pin(sync.PinSet(work.associate, work.by, work.tablet, verifier, 0), now_mono_s)
        except CacheError:
            return DARK
        self._forgive(work)
        self.held.end_where(lambda one: one.associate == work.associate)
        return query.Accepted()

    def _meant(self, typed: str) -> str:
        """The id of whose name or id was typed. All ways to write one name share its wrong tries."""
        if not self._names:  # before the cache was unlocked there is nobody
            self._names = Names(self._keeper.all_staff())
        return self._names.find(typed)

    def _verifier(self, associate: str) -> str:
        staff = self._keeper.staff(associate)
        return staff.pin_verifier if staff is not None and staff.active else ""

    def _hindered(self, associate: str, tablet: str, now_mono_s: float) -> Refused | None:
        """Why nothing may be tried now; where it may, the try counts as a wrong one until it is forgiven."""
        if self._keeper.lease(now_mono_s).light is query.Light.LOCKED:
            return DARK
        keys = _keys(associate, tablet)
        left_s = max(self._tries.left_s(key, now_mono_s) for key in keys)
        if left_s:
            self.refused["pins_throttled_total"] += 1
            return Refused(RefusedReason.THROTTLED, left_s)
        if self._checks >= MOST_CHECKS:
            return Refused(RefusedReason.BUSY, 1)
        self._checks += 1
        for key in keys:
            self._tries.wrong(key, now_mono_s)
        return None

    def _forgive(self, work: PinCheck | PinMaking) -> None:
        for key in _keys(work.associate, work.tablet):
            self._tries.right(key)

    # --- sessions ----------------------------------------------------------------------------------------------------

    def sign_out(self, bound: bytes, now_mono_s: float) -> None:
        """Ends a session, open or locked; an unknown one is ended already."""
        session = self.held.find(bound, now_mono_s)
        if session is not None:
            self.held.end(session)

    def session(self, bound: bytes, now_mono_s: float, *, active: bool) -> Session | Refused:
        """The session, if it is open now; `active`: somebody touched the tablet."""
        session = self.held.find(bound, now_mono_s)
        if session is None:
            return SIGNED_OUT
        refused = self.held.why_not(session, now_mono_s)
        if refused is not None:
            return refused
        self.pairing.asked(session.tablet, now_mono_s)
        if active:
            session.active_mono_s = now_mono_s
        return session

    def lock(self, session: Session) -> None:
        """Locks a session now."""
        session.locked = True

    def locked(self, bound: bytes, now_mono_s: float) -> query.LockedView | Refused:
        """Whose PIN opens this session, locked or not."""
        session = self.held.find(bound, now_mono_s)
        return SIGNED_OUT if session is None else query.LockedView(session.associate, session.name, self.store_label())

    def why_not(self, session: Session, now_mono_s: float) -> Refused | None:
        """What a session is told that does not hold any more; None: it holds."""
        return self.held.why_not(session, now_mono_s)

    def forget_names(self) -> None:
        """The cache is another one, or empty: who is signed in stays so, but nobody is known by a name of before."""
        self._names = Names(())

    def staff_changed(self) -> None:
        """HQ changed staff: who is no longer active is signed out at once; name and role follow."""
        self.forget_names()
        for session in self.held.all():
            staff = self._keeper.staff(session.associate)
            if staff is None or not staff.active:
                self.held.end(session)
            else:
                session.name, session.role = staff.name, staff.role
        self.pin_codes.keep(self._is_active)

    def _is_active(self, associate: str) -> bool:
        staff = self._keeper.staff(associate)
        return staff is not None and staff.active

    def unpaired(self, tablets: frozenset[str]) -> None:
        """These tablets are not paired any more: whoever is signed in on one is signed out at once."""
        self.held.end_where(lambda one: one.tablet in tablets)
        self.pairing.forget(tablets)

    def tick(self, now_mono_s: float) -> None:
        """Ends what is over."""
        self.held.tick(now_mono_s)
        self.pin_codes.tick(now_mono_s)
        self.pairing.tick(now_mono_s)

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

    def counters(self) -> dict[str, int]:
        """What was refused at the doors since the start, by kind; nothing of it depends on who is a member."""
        return {**self.pairing.refused, **self.refused, "sessions_stolen_total": self.held.stolen}

    @property
    def sessions(self) -> int:
        """How many people are signed in."""
        return self.held.count()

    @property
    def tablets(self) -> int:
        """How many tablets are paired."""
        return self.pairing.tablets

    def store_label(self) -> str:
        """What people call the store."""
        return label_of(self._keeper.policy(), self._store)

    def _limits(self) -> tuple[int, int]:
        """Idle and whole length of a session in seconds."""
        policy = self._keeper.policy()
        return (policy.main.session_idle_s, policy.main.session_s) if policy is not None else (IDLE_S, SESSION_S)


def _keys(associate: str, tablet: str) -> tuple[str, str]:
    return f"associate/{associate}", f"tablet/{tablet}"
