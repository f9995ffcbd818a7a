"""Sightings become visits and end, and a call for help is raised once."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_gateway.core.directory import Resolved
from store_gateway.core.presence import Move, Presence, What
from store_gateway.core.signals import Signals
from tests.world import NOON_MS, a_policy, entropy
from wire.policy import StorePolicy
from wire.sighting import Health, RadioState
from wire.token import Kind

SLOT = NOON_MS // 600_000
ANN, BOB = b"a" * 16, b"b" * 16


class Floor:
    """A presence with a clock."""

    def __init__(self, policy: StorePolicy | None = None) -> None:
        self.presence = Presence(entropy(), lambda pseudonym, visit, now_ms: True)
        self.adverts = 0
        self.told_s = -5.0
        self.presence.govern(policy or a_policy().store)
        self.now_s = 0.0
        self.moves: list[Move] = []

    @property
    def now_ms(self) -> int:
        """Trusted time."""
        return NOON_MS + int(self.now_s * 1000)

    def hear(
        self, kind: Kind = Kind.PRESENCE, node: str = "shoes-1", dbm: int | None = -60, slot: int = SLOT,
        who: bytes = ANN,
    ) -> None:  # fmt: skip
        """One sighting."""
        sign = ("red", f"{slot % 100:02d}") if kind is Kind.HELP else None
        token = who[:8] + bytes([kind]) + slot.to_bytes(7, "big")
        self.moves += self.presence.hear(Resolved(who, kind, slot, sign), token, node, dbm, self.now_s, self.now_ms)

    def pharmacy_tells(self) -> None:
        """Its radio says every 5 s that it hears."""
        if self.now_s - self.told_s >= 5:
            self.told_s = self.now_s
            self.adverts += 100
            told = Health("pharmacy-1", "none", RadioState.HEARING, None, 0, self.adverts, 0, 0, ())
            self.presence.radio(told, self.now_s)

    def passes(self, seconds: float, ill: frozenset[str] = frozenset()) -> None:
        """Ticks."""
        end = self.now_s + seconds
        while self.now_s < end - 1e-9:
            self.now_s = min(end, self.now_s + 0.1)
            self.pharmacy_tells()
            self.moves += self.presence.tick(self.now_s, self.now_ms, ill)

    def stays(self, seconds: float, every: float = 0.5, **where: object) -> None:
        """Heard again and again."""
        for _ in range(round(seconds / every)):
            self.hear(**where)  # type: ignore[arg-type]
            self.passes(every)

    def said(self, what: What) -> int:
        """How often."""
        return sum(move.what is what for move in self.moves)

    @property
    def here(self) -> bool:
        """Whether Ann is on a visit."""
        return self.presence.visit(ANN) is not None


@pytest.mark.parametrize("every", [0.5, 3.0, 10.24])
def test_a_member_arrives_however_rarely_the_radio_reports(every: float) -> None:
    """Two sightings a second apart within 25 s, strong enough for the dwelling time; also once in 10.24 s."""
    floor = Floor()
    floor.hear()
    assert not floor.here
    floor.passes(every)
    floor.stays(12, every)
    assert floor.here
    visit = floor.presence.visit(ANN)
    assert visit is not None and (visit.zone, visit.help, visit.invited) == ("shoes", False, False)
    floor.stays(60, every)
    assert floor.here
    assert floor.said(What.ARRIVED) == 1


def test_who_only_passes_by_does_not_arrive() -> None:
    """Two seconds in front of the door, and gone."""
    floor = Floor()
    floor.stays(2)
    floor.passes(200)
    assert not floor.moves


def test_sightings_too_far_apart_are_no_arrival() -> None:
    """Once in 26 s may be anything."""
    floor = Floor()
    floor.stays(300, 26)
    assert not floor.here


def test_a_weak_or_unknown_signal_does_not_arrive() -> None:
    """Below the threshold, or no measurement at all."""
    for dbm in (-81, None):
        floor = Floor()
        floor.stays(30, dbm=dbm)
        assert not floor.here


def test_nobody_arrives_outside_the_opening_hours_of_the_zone() -> None:
    """Hats are open on Monday at midnight only; closed shops recognise nobody, whoever calls."""
    floor = Floor()
    floor.stays(10, node="hats-1")
    floor.hear(Kind.HELP, "hats-1")
    assert not floor.here
    closed = Floor(replace(a_policy().store, hours=()))
    closed.stays(10)
    assert not closed.here


@pytest.mark.parametrize(("every", "patience_s"), [(0.5, 60), (10.24, 82), (24.0, 180)])
def test_silence_ends_a_visit_by_its_own_clock(every: float, patience_s: float) -> None:
    """Eight times the usual gap, at least 60 s and at most 180 s; no advert of anybody is needed."""
    floor = Floor()
    floor.stays(max(12, every * 4), every)
    assert floor.here
    floor.passes(patience_s - every - 2)
    assert floor.here
    floor.passes(6 + every)
    assert not floor.here
    assert floor.said(What.LEFT) == 1


def test_a_signal_below_the_exit_for_half_a_minute_ends_a_visit() -> None:
    """Still heard, but from the street; a moment of weakness is nothing."""
    floor = Floor()
    floor.stays(8)
    floor.stays(10, dbm=-95)
    floor.stays(5)
    floor.stays(25, dbm=-95)
    assert floor.here
    floor.stays(20, dbm=-95)
    assert not floor.here


def test_a_visit_has_a_new_handle_each_time() -> None:
    """Visits cannot be joined by their handles."""
    floor = Floor()
    handles = set()
    for _ in range(3):
        floor.stays(8)
        visit = floor.presence.visit(ANN)
        assert visit is not None
        handles.add(visit.handle)
        assert floor.presence.find(visit.handle) == ANN
        floor.passes(200)
        assert floor.presence.find(visit.handle) is None
    assert len(handles) == 3


def test_a_blind_zone_ends_the_visit_and_nothing_is_kept() -> None:
    """Strongest in the pharmacy: shown to nobody at once; outside again it is another visit."""
    floor = Floor()
    floor.stays(8)
    first = floor.presence.visit(ANN)
    assert first is not None
    floor.hear(node="pharmacy-1", dbm=-50)
    floor.passes(0.1)
    assert not floor.here
    for _ in range(10):
        floor.hear(node="pharmacy-1", dbm=-50)
        floor.hear(node="shoes-1", dbm=-75)
        floor.passes(0.5)
        assert not floor.here
    floor.passes(31)
    floor.stays(8)
    again = floor.presence.visit(ANN)
    assert again is not None
    assert again.handle != first.handle


def test_a_call_in_a_blind_zone_waits_until_the_member_is_out_of_it() -> None:
    """Nobody is told of it inside; outside it is the same call, raised once."""
    floor = Floor()
    for _ in range(4):
        floor.hear(Kind.HELP, "pharmacy-1", -50)
        floor.passes(0.5)
    assert not floor.moves
    floor.passes(26)
    floor.hear(Kind.HELP)
    floor.passes(0.1)
    visit = floor.presence.visit(ANN)
    assert visit is not None and visit.help
    assert visit.waiting_since_ms == NOON_MS
    assert floor.said(What.CALLED) == 1


def test_a_call_arrives_at_its_first_sighting_whatever_the_signal() -> None:
    """No dwelling, no threshold: the member asked. A weak one waits until a blind zone's radio had its say."""
    for dbm in (-60, -95, None):
        floor = Floor()
        floor.hear(Kind.HELP, dbm=dbm)
        assert floor.here is (dbm == -60)
        floor.passes(0.9)
        visit = floor.presence.visit(ANN)
        assert visit is not None and visit.help and visit.invited
        assert visit.sign == ("red", f"{SLOT % 100:02d}")


def test_a_token_raises_help_once() -> None:
    """After `done`, and after silence, the same token calls nobody; the next slot's does."""
    floor = Floor()
    floor.hear(Kind.HELP)
    floor.presence.done(ANN)
    floor.presence.leave(ANN)
    floor.stays(30, kind=Kind.HELP)
    assert floor.said(What.CALLED) == 1
    floor.passes(300)
    floor.hear(Kind.HELP)
    assert floor.said(What.CALLED) == 1
    floor.hear(Kind.HELP, slot=SLOT + 1)
    assert floor.said(What.CALLED) == 2


def test_a_call_goes_on_over_the_slots_border_with_the_newest_sign() -> None:
    """A new token within a call is the same call; an old one heard again changes nothing back."""
    floor = Floor()
    floor.hear(Kind.HELP)
    floor.passes(1)
    floor.hear(Kind.HELP, slot=SLOT + 1)
    floor.hear(Kind.HELP)
    visit = floor.presence.visit(ANN)
    assert visit is not None
    assert (visit.sign, visit.waiting_since_ms) == (("red", f"{(SLOT + 1) % 100:02d}"), NOON_MS)
    assert floor.said(What.CALLED) == 1
    floor.presence.done(ANN)
    for slot in (SLOT, SLOT + 1):
        floor.hear(Kind.HELP, slot=slot)
    assert floor.said(What.CALLED) == 1


def test_a_presence_token_cancels_a_call_but_not_beside_a_help_token() -> None:
    """BlueZ may report the old presence token again while help is pressed."""
    floor = Floor()
    for _ in range(10):
        floor.hear(Kind.HELP)
        floor.hear(Kind.PRESENCE)
        floor.passes(0.5)
    assert floor.said(What.CALL_ENDED) == 0
    floor.passes(2)
    floor.hear(Kind.PRESENCE)
    floor.passes(0.1)
    assert floor.said(What.CALL_ENDED) == 1
    visit = floor.presence.visit(ANN)
    assert visit is not None and not visit.help


def test_a_call_escalates_when_nobody_attends_and_ends_in_time() -> None:
    """120 s unanswered: raised to all; 900 s: over."""
    floor = Floor()
    floor.stays(119, 0.5, kind=Kind.HELP)
    assert floor.said(What.ESCALATED) == 0
    floor.stays(3, 0.5, kind=Kind.HELP)
    assert floor.said(What.ESCALATED) == 1
    visit = floor.presence.visit(ANN)
    assert visit is not None and visit.escalated
    floor.presence.attend(ANN, "ada", "Ada")
    visit = floor.presence.visit(ANN)
    assert visit is not None and (visit.escalated, visit.attended_by, visit.attended_name) == (False, "ada", "Ada")
    floor.stays(800, 0.5, kind=Kind.HELP)
    assert floor.said(What.CALL_ENDED) == 1
    assert floor.said(What.ESCALATED) == 1


def test_an_attended_call_does_not_escalate() -> None:
    """Somebody is on the way."""
    floor = Floor()
    floor.hear(Kind.HELP)
    floor.presence.attend(ANN, "ada", "Ada")
    floor.stays(200, 0.5, kind=Kind.HELP)
    assert floor.said(What.ESCALATED) == 0


def test_without_a_policy_nobody_is_there() -> None:
    """A policy that goes takes everybody with it."""
    floor = Floor()
    floor.stays(8)
    floor.presence.govern(None)
    floor.passes(0.1)
    assert not floor.here
    floor.stays(8)
    assert not floor.here


def test_the_zone_changes_by_6_db_for_3_s_or_when_the_owner_falls_silent() -> None:
    """A stronger moment is nothing; a stronger while, or silence, is another zone."""
    signals = Signals(0.0)
    now_s = 0.0

    def heard(**dbm: int) -> None:
        for node, level in dbm.items():
            signals.add(node, level, now_s)
        signals.settle(now_s, {})

    for _ in range(10):
        heard(one=-60, two=-57)
        now_s += 0.5
    assert signals.owner == "two"
    for _ in range(10):
        heard(one=-54, two=-57)
        now_s += 0.5
    assert signals.owner == "two"
    began_s = now_s
    while signals.owner == "two" and now_s < began_s + 30:
        heard(one=-50, two=-70)
        now_s += 0.5
    assert 3.0 <= now_s - began_s <= 6.0
    now_s += 9.4
    heard(two=-90)
    assert signals.owner == "one"
    now_s += 0.5
    heard(two=-90)
    assert signals.owner == "two"


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["presence", "help", "wait", "done", "attend", "forget", "blind", "leave"]),
        st.sampled_from([ANN, BOB]),
        st.integers(-100, -30) | st.none(),
        st.sampled_from([0.1, 0.5, 3.0, 30.0, 200.0]),
        st.integers(-1, 1),
    ),
    max_size=60,
)


@given(events=EVENTS)
def test_whatever_happens_the_floor_stays_sound(events: list[tuple[str, bytes, int | None, float, int]]) -> None:
    """Handles are unique, arrivals and departures alternate, blind zones show nobody, a token calls at most once."""
    floor = Floor()
    tokens: set[tuple[bytes, int]] = set()
    for verb, who, dbm, wait_s, offset in events:
        slot = floor.now_ms // 600_000 + offset
        if verb == "help":
            tokens.add((who, slot))
            floor.hear(Kind.HELP, "shoes-1", dbm, slot, who)
        elif verb == "presence":
            floor.hear(Kind.PRESENCE, "shoes-2", dbm, slot, who)
        elif verb == "blind":
            floor.hear(Kind.HELP, "pharmacy-1", -20, slot, who)
            tokens.add((who, slot))
            floor.passes(0.1)
            assert floor.presence.visit(who) is None
        elif verb == "wait":
            floor.passes(wait_s)
        elif verb == "forget":
            floor.moves += floor.presence.forget(who)
            assert floor.presence.visit(who) is None
        elif verb == "leave":
            floor.moves += floor.presence.leave(who)
        elif verb == "done":
            floor.moves += floor.presence.done(who)
        else:
            floor.presence.attend(who, "ada", "Ada")
        visits = dict(floor.presence.visits())
        assert len({visit.handle for visit in visits.values()}) == len(visits)
        assert all(floor.presence.find(visit.handle) == who for who, visit in visits.items())
        assert all(visit.zone != "pharmacy" for visit in visits.values())
    for who in (ANN, BOB):
        gone = [move.what for move in floor.moves if move.pseudonym == who and move.what in (What.ARRIVED, What.LEFT)]
        assert all(what is expected for what, expected in zip(gone, itertools.cycle([What.ARRIVED, What.LEFT])))
        ended = sum(move.pseudonym == who and move.what is What.CALL_ENDED for move in floor.moves)
        assert ended <= sum(one == who for one, _ in tokens)
