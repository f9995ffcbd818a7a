"""A shopper leaves by eight digits, whether anybody is shown them or not; a guesser learns nothing."""

import secrets
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store_gateway import leavings
from store_gateway.core.earshot import HEARD_S
from store_gateway.errors import CacheReason
from store_gateway.gateway import Asker
from store_gateway.replica import Changes
from tests.world import Person, Tablet, World
from wire import query, sync, synthetic
from wire.member import Mode
from wire.query import Accepted, DarkReason, Refused, RefusedReason
from wire.sighting import Health, RadioReason, RadioState
from wire.sync import EventKind, Surface
from wire.token import Kind, day_key, day_of_slot, leave_code, token

WRONG = "00000000"
# Two day keys whose phones show one code at the world's noon, and two in the next slot; found by trying 6,342 keys.
ALIKE = tuple(number.to_bytes(16, "little") for number in (2564, 6342))


def code_of(world: World, person: Person, slots: int = 0) -> str:
    """What the member's app shows now, or some slots from now."""
    slot = world.now_ms // 600_000 + slots
    return leave_code(day_key(person.secret, day_of_slot(slot)), slot)


def leave(world: World, tablet: Tablet, code: str) -> query.Reply:
    """An associate types a code; some ticks pass."""
    reply = world.ask(query.Leave(tablet.session, code))
    world.passes(0.5)
    return reply


def left(world: World) -> list[tuple[bytes | None, sync.Withdrawal]]:
    """Who left, as it was recorded."""
    return [(who, body) for _, who, body in world.replica.events if isinstance(body, sync.Withdrawal)]


def shown(world: World) -> Person:
    """Somebody who stands on the floor."""
    person = world.joins(Mode.OPEN)
    world.walks(person, 8)
    assert len(world.tablet_sees()) == 1
    return person


def test_the_right_code_ends_the_visit_and_denies_everything_at_once() -> None:
    """Within a second the floor of every tablet is without it, and a phone that is still heard is nobody's."""
    world = World()
    person, tablet = shown(world), world.tablet(watches=True)
    assert leave(world, tablet, code_of(world, person)) == Accepted()
    assert world.denied(person).everything
    newest = tablet.pushed[-1]
    assert isinstance(newest, query.Roster)
    assert newest.visits == ()
    world.walks(person, 10)
    assert world.tablet_sees() == ()
    ((who, said),) = left(world)
    assert who == person.pseudonym
    assert (said.scope, said.associate, said.by_code) == (None, "ada", Surface.TABLET)


def test_whoever_stands_beside_stays() -> None:
    """A code is one phone's."""
    world = World()
    person, other = shown(world), world.joins(Mode.OPEN)
    world.walks(other, 8)
    world.walks(person, 1)
    leave(world, world.tablet(), code_of(world, person))
    (visit,) = world.tablet_sees()
    assert not world.denied(other).everything
    assert visit.handle


def far_away(world: World) -> Person:
    """Too weak to arrive."""
    person = world.joins(Mode.OPEN)
    world.walks(person, 3, rssi_dbm=-95)
    return person


def in_a_blind_zone(world: World) -> Person:
    """Shown to nobody there."""
    person = world.joins(Mode.OPEN)
    world.walks(person, 8, "pharmacy-1")
    return person


def after_a_call(world: World) -> Person:
    """In mode `help`, when the call is done and the phone still says it."""
    person = world.joins(Mode.HELP)
    world.hears(person, Kind.HELP)
    tablet = world.tablet()
    (visit,) = world.floor(tablet).visits
    world.ask(query.Attend(tablet.session, visit.handle, query.Action.ATTENDING))
    world.ask(query.Attend(tablet.session, visit.handle, query.Action.DONE))
    world.hears(person, Kind.HELP)
    return person


def below_age(world: World) -> Person:
    """A record by which nobody may be shown the visit."""
    person = world.joins(Mode.OPEN, age_at_least=13)
    world.walks(person, 8)
    return person


def in_the_doorway(world: World) -> Person:
    """Heard once, a moment ago."""
    person = world.joins(Mode.OPEN)
    world.hears(person, Kind.PRESENCE)
    return person


HIDDEN = [far_away, in_a_blind_zone, after_a_call, below_age, in_the_doorway]


@pytest.mark.parametrize("somebody", HIDDEN)
def test_who_is_heard_and_not_shown_leaves_as_well(somebody: Callable[[World], Person]) -> None:
    """The floor shows nobody before and nobody after."""
    world = World()
    person = somebody(world)
    assert world.tablet_sees() == ()
    assert leave(world, world.tablet(), code_of(world, person)) == Accepted()
    assert world.denied(person).everything
    assert [who for who, _ in left(world)] == [person.pseudonym]


@pytest.mark.parametrize(("slots", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_code_counts_in_its_slot_and_one_to_each_side(slots: int, taken: bool) -> None:
    """As a token does: the phone's clock may be wrong by as much."""
    world = World()
    person = shown(world)
    leave(world, world.tablet(), code_of(world, person, slots))
    assert world.denied(person).everything is taken


def test_over_midnight_both_days_codes_count() -> None:
    """A phone that was heard the day before, and one that was not heard since."""
    for slots in (0, -1):
        world = World()
        person = world.joins(Mode.OPEN)
        world.now_s += 12 * 3600 - 40
        world.passes(10)
        for _ in range(4):
            world.hears(person, Kind.PRESENCE)
            world.passes(5)
        world.passes(20)
        assert world.now_ms % 86_400_000 < 60_000
        tablet = world.tablet()
        leave(world, tablet, code_of(world, person, slots))
        assert world.denied(person).everything


def test_two_phones_that_show_one_code_are_both_let_be() -> None:
    """The app's next code tells them apart."""
    world = World()
    alike = [world.joins(Mode.OPEN), world.joins(Mode.OPEN)]
    slot = world.now_ms // 600_000
    for person, key in zip(alike, ALIKE, strict=True):
        world.hq_says(world.replica.put_keys(world.day, person.pseudonym, (key,)))
    for _ in range(16):
        for key in ALIKE:
            world.hears_token(token(key, Kind.PRESENCE, slot))
        world.passes(0.5)
    assert len(world.tablet_sees()) == 2
    first, second = (leave_code(key, slot) for key in ALIKE)
    assert first == second
    tablet = world.tablet()
    assert leave(world, tablet, first) == Accepted()
    assert left(world) == []
    leave(world, tablet, leave_code(ALIKE[0], slot + 1))
    assert [world.denied(person).everything for person in alike] == [True, False]


def test_only_the_phone_that_is_heard_counts() -> None:
    """The code of a member's other phone, which lies at home, ends nothing."""
    world = World()
    person = world.joins(Mode.OPEN)
    at_home = bytes(range(16))
    own = day_key(person.secret, world.day)
    world.hq_says(world.replica.put_keys(world.day, person.pseudonym, (own, at_home)))
    world.walks(person, 8)
    tablet = world.tablet()
    leave(world, tablet, leave_code(at_home, world.now_ms // 600_000))
    assert left(world) == []
    leave(world, tablet, code_of(world, person))
    assert world.denied(person).everything


# --- what a guesser learns ------------------------------------------------------------------------------------------


def answered(world: World, tablet: Tablet, code: str) -> bytes:
    """The frame that goes back to the tablet API."""
    reply = world.gateway.answer(query.Leave(tablet.session, code), Asker(False, None), world.now_s)
    assert not isinstance(reply, query.Card | query.Roster)
    return query.frame(7, reply)  # type: ignore[arg-type]


@settings(max_examples=5, deadline=None)
@given(wrong=st.from_regex(r"[0-9]{8}", fullmatch=True))
def test_a_wrong_code_is_answered_byte_by_byte_as_the_right_one(wrong: str) -> None:
    """And at the same point: nothing was compared when the answer is given."""
    frames, reads = set(), set()
    for right in (False, True):
        world = World()
        person = world.joins(Mode.OPEN)
        world.hears(person, Kind.PRESENCE)
        tablet = world.tablet()
        before = world.replica.reads
        frames.add(answered(world, tablet, code_of(world, person) if right else wrong))
        reads.add(world.replica.reads - before)
        assert left(world) == []
    assert (len(frames), len(reads)) == (1, 1)


@pytest.mark.parametrize("somebody", HIDDEN)
def test_nothing_that_a_tablet_sees_moves_when_somebody_hidden_leaves(somebody: Callable[[World], Person]) -> None:
    """Streams, rosters, statuses and waits are the same for a right and a wrong code, for any role."""
    seen = []
    for right in (False, True):
        world = World()
        tablets = [world.tablet(who, watches=True) for who in ("ada", "max")]
        person = somebody(world)
        code = code_of(world, person) if right else WRONG
        pushed = [len(one.pushed) for one in tablets]
        replies = [leave(world, tablets[0], code) for _ in range(7)]
        world.passes(30)
        assert bool(left(world)) is right
        status = world.ask(query.AskStatus())
        seen.append(
            (
                replies, [one.pushed[at:] for one, at in zip(tablets, pushed, strict=True)], status,
                [world.floor(one) for one in tablets],
            )
        )  # fmt: skip
    assert seen[0] == seen[1]


def test_one_tablet_has_five_tries_and_then_one_a_minute() -> None:
    """Right ones count as wrong ones do; another tablet is not concerned, nor another sign-in a way around it."""
    world = World()
    tablet, other = world.tablet(), world.tablet()
    person = shown(world)
    codes = [code_of(world, person), *[WRONG] * 4]
    assert [leave(world, tablet, code) for code in codes] == [Accepted()] * leavings.TABLET_BURST
    refused = leave(world, tablet, WRONG)
    assert isinstance(refused, Refused)
    assert (refused.reason, 50 < refused.retry_after_s <= 60) == (RefusedReason.THROTTLED, True)
    assert leave(world, other, WRONG) == Accepted()
    world.passes(refused.retry_after_s)
    assert leave(world, tablet, WRONG) == Accepted()
    assert isinstance(leave(world, tablet, WRONG), Refused)


def test_one_store_has_twenty_tries_and_then_four_a_minute() -> None:
    """However many tablets try; what waits is not compared either."""
    world = World()
    tablets = [world.tablet() for _ in range(5)]
    person = shown(world)
    for tablet in tablets[:4]:
        for _ in range(5):
            assert world.ask(query.Leave(tablet.session, WRONG)) == Accepted()
    refused = leave(world, tablets[4], code_of(world, person))
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.retry_after_s) == (RefusedReason.THROTTLED, int(leavings.STORE_EACH_S))
    assert left(world) == []
    world.passes(refused.retry_after_s)
    assert leave(world, tablets[4], code_of(world, person)) == Accepted()
    assert world.denied(person).everything


@pytest.mark.parametrize("code", ["1234567a", "١٢٣٤", "12 34 56"])
def test_what_is_not_eight_digits_is_no_try(code: str) -> None:
    """It is refused by its form, and may be tried again at once."""
    world = World()
    tablet = world.tablet()
    for _ in range(10):
        assert leave(world, tablet, code) == Refused(RefusedReason.MALFORMED)
    assert leave(world, tablet, WRONG) == Accepted()


def test_nobody_leaves_without_an_associate() -> None:
    """A session is needed, as for anything."""
    world = World()
    assert isinstance(world.ask(query.Leave(secrets.token_bytes(32), WRONG)), Refused)


def test_the_probes_associate_may_try_nothing() -> None:
    """Whoever takes the probe over gets nothing by it."""
    world = World()
    person = shown(world)
    probe = SimpleNamespace(role=synthetic.ROLE, tablet="tablet-0", associate=synthetic.ASSOCIATE)
    asked = query.Leave(secrets.token_bytes(32), code_of(world, person))
    assert world.gateway._leavings.answer(asked, probe, world.now_s) == Refused(RefusedReason.FORBIDDEN)  # type: ignore[arg-type]
    world.passes(1)
    assert left(world) == []


# --- dark, locked, quiet, gone --------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [DarkReason.NO_WORD, DarkReason.REFUSED, DarkReason.KEYS_ENDED])
def test_in_the_dark_a_code_works_too(reason: DarkReason) -> None:
    """While HQ is away, for one: nobody is shown, and whoever is heard may leave."""
    world = World()
    tablet, person = world.tablet(), shown(world)
    world.replica.dark(reason)
    world.passes(1)
    assert leave(world, tablet, code_of(world, person)) == Accepted()
    assert world.denied(person).everything
    world.replica.dark(DarkReason.NONE)
    world.walks(person, 10)
    assert world.floor(tablet).visits == ()


def test_a_locked_store_says_that_it_cannot() -> None:
    """Of any code the same: it holds no key with which to compare."""
    world = World()
    tablet, person = world.tablet(), shown(world)
    world.replica.dark(DarkReason.STARTING)
    world.passes(1)
    replies = {leave(world, tablet, code) for code in (code_of(world, person), WRONG) for _ in range(10)}
    assert replies == {Refused(RefusedReason.DARK)}
    world.replica.dark(DarkReason.NONE)
    world.passes(5)
    assert left(world) == []


def test_in_mode_quiet_there_is_nobody_to_leave() -> None:
    """HQ has taken the keys; a code of before is answered as any other and ends nothing."""
    world = World()
    tablet, person = world.tablet(), shown(world)
    world.changes(person, mode=Mode.QUIET)
    assert leave(world, tablet, code_of(world, person)) == Accepted()
    assert left(world) == []
    world.changes(person, mode=Mode.OPEN)
    world.walks(person, 10)
    assert leave(world, tablet, code_of(world, person)) == Accepted()
    assert world.denied(person).everything


def test_a_call_that_quiet_ended_leaves_no_phone_to_match() -> None:
    """In mode `help`, too, whoever goes quiet is no longer recognised."""
    world = World()
    person = after_a_call(world)
    world.changes(person, mode=Mode.QUIET)
    leave(world, world.tablet(), code_of(world, person))
    assert left(world) == []


def test_whoever_left_does_not_leave_again() -> None:
    """One withdrawal is recorded, however often the code is typed."""
    world = World()
    tablet, person = world.tablet(), shown(world)
    for _ in range(3):
        assert leave(world, tablet, code_of(world, person)) == Accepted()
    assert len(left(world)) == 1


def test_who_is_out_of_earshot_for_five_minutes_is_not_there() -> None:
    """A code that is typed elsewhere, later, ends nothing; one in time does."""
    for silent_s, taken in ((HEARD_S - 10, True), (HEARD_S + 70, False)):
        world = World()
        tablet, person = world.tablet(), shown(world)
        world.passes(silent_s)
        world.ask(query.AskFloor(tablet.session))
        leave(world, tablet, code_of(world, person))
        assert world.denied(person).everything is taken


def test_who_stands_on_the_floor_leaves_though_the_radio_is_ill() -> None:
    """The visit waits for the radio, so its shopper can end it."""
    world = World()
    tablet, person = world.tablet(), shown(world)
    ill = Health("shoes-1", "hci0", RadioState.ILL, RadioReason.SILENT, int(world.now_s * 1000), 5, 0, 0, ())
    for _ in range(14):
        world.gateway.on_sighting(ill, world.now_s)
        world.passes(30)
        assert len(world.floor(tablet).visits) == 1
    leave(world, tablet, code_of(world, person))
    assert world.denied(person).everything


def test_nothing_is_kept_of_phones_that_went() -> None:
    """What was in earshot is let go within the minute after it counts no more."""
    world = World()
    shown(world)
    assert len(world.gateway._earshot) == 1
    world.passes(HEARD_S + leavings.FORGET_S + 5)
    assert len(world.gateway._earshot) == 0


def test_a_disk_that_fails_delays_the_leaving_and_loses_nothing() -> None:
    """The store is dark meanwhile; when there is room again the visit ends before anybody is shown."""
    world = World()
    person, tablet = shown(world), world.tablet(watches=True)
    world.replica.fail = CacheReason.DISK_FULL
    assert leave(world, tablet, code_of(world, person)) == Accepted()
    assert left(world) == []
    world.passes(7)
    pushed = len(tablet.pushed)
    world.replica.fail = None
    world.passes(3)
    assert world.denied(person).everything
    later = [one for one in tablet.pushed[pushed:] if isinstance(one, query.Roster)]
    assert [one.lease.light for one in later][-1] is query.Light.LIVE
    assert all(one.visits == () for one in later)


# --- by HQ's page ---------------------------------------------------------------------------------------------------


def test_a_code_from_hqs_page_does_the_same() -> None:
    """Nobody of the staff took part, and the record says so."""
    world = World()
    person = shown(world)
    world.hq_says(sync_changes(code_of(world, person)))
    world.passes(0.5)
    assert world.tablet_sees() == ()
    ((who, said),) = left(world)
    assert (who, said) == (person.pseudonym, sync.Withdrawal(None, "", "", Surface.PAGE))


def test_codes_from_hq_do_not_use_up_the_tablets_tries() -> None:
    """Nor are there more than a store would take of its tablets."""
    world = World()
    tablet, person = world.tablet(), shown(world)
    world.hq_says(sync_changes(*[WRONG] * leavings.STORE_BURST, code_of(world, person)))
    world.passes(5)
    assert left(world) == []
    assert leave(world, tablet, code_of(world, person)) == Accepted()
    assert world.denied(person).everything


def sync_changes(*codes: str) -> object:
    """What an order brings."""
    return Changes(leavings=codes)


def test_the_withdrawal_is_the_only_thing_recorded() -> None:
    """A wrong code leaves no event of any kind, so that nothing tells how often somebody guessed."""
    world = World()
    tablet = world.tablet()
    shown(world)
    before = len(world.replica.events)
    for _ in range(5):
        leave(world, tablet, WRONG)
    assert [kind for kind, _, _ in world.replica.events[before:] if kind is not EventKind.LOG_HEAD] == []
