"""A session that is locked, opened again, taken over by another associate, or stolen."""

from tests.store_gateway.pad import LOCKED, SIGNED_OUT, UNPAIRED, WRONG, Pad, idles
from tests.world import PIN, World
from wire import query
from wire.member import Staff
from wire.query import Action, Refused, RefusedReason


def questions(session: bytes) -> list[query.Request]:
    """Everything that a signed-in associate or manager asks."""
    return [
        query.AskSession(session), query.AskFloor(session), query.Acknowledge(session, 1),
        query.AskCard(session, bytes(16), None), query.Attend(session, bytes(16), Action.DONE),
        query.Withdraw(session, bytes(16), None), query.AskStaff(session), query.MintPinCode(session, "ada"),
        query.MintTabletCode(session), query.AskTablets(session), query.Unpair(session, "tablet-1"),
        query.LockSession(session),
    ]  # fmt: skip


def test_while_locked_nothing_is_answered_but_the_unlock() -> None:
    """Each question gets `locked`, from a manager too; the PIN opens the same session again."""
    world = World()
    pad = Pad(world, "max")
    idles(world)
    for asked in questions(pad.session):
        assert world.ask(asked) == LOCKED, asked
    assert world.ask(query.AskLocked(pad.session)) == query.LockedView("max", "Max", "Berlin 1")
    assert pad.unlock("0000") == WRONG
    assert pad.floor() == LOCKED
    view = pad.unlock()
    assert isinstance(view, query.SessionView) and view.associate == "max"
    assert isinstance(pad.floor(), query.Roster)


def test_unlocking_does_not_lengthen_the_twelve_hours() -> None:
    """They count from the sign-in; then the PIN alone does not help."""
    world = World()
    pad = Pad(world)
    began_s = world.now_s
    idles(world, 43_000)
    view = pad.unlock()
    assert isinstance(view, query.SessionView)
    assert view.until_ms == world.now_ms + 200_000
    world.now_s = began_s + 43_200
    assert pad.unlock() == SIGNED_OUT
    assert world.ask(query.AskLocked(pad.session)) == SIGNED_OUT


def test_an_associate_can_lock_at_once() -> None:
    """Without waiting five minutes; the stream ends with the reason."""
    world = World()
    tablet = world.tablet(watches=True)
    assert world.ask(query.LockSession(tablet.session)) == query.Accepted()
    assert tablet.ended == LOCKED
    assert world.ask(query.AskFloor(tablet.session)) == LOCKED


def test_an_open_session_needs_no_pin() -> None:
    """Whoever unlocks twice is told who is signed in, and no PIN is verified."""
    world = World()
    pad = Pad(world)
    assert isinstance(pad.unlock("0000"), query.SessionView)


def test_another_associate_signs_in_instead_and_the_locked_session_ends() -> None:
    """As on any tablet in which somebody is signed in."""
    world = World()
    pad = Pad(world)
    idles(world)
    first = pad.session
    assert isinstance(pad.sign_in("bo"), query.SignedIn)
    assert pad.finished(query.Unlock(first, PIN)) == SIGNED_OUT
    assert isinstance(pad.floor(), query.Roster)


def test_signing_out_ends_a_locked_session() -> None:
    """The tablet is free."""
    world = World()
    pad = Pad(world)
    idles(world)
    assert world.ask(query.SignOut(pad.session)) == query.Accepted()
    assert pad.unlock() == SIGNED_OUT


def test_wrong_pins_on_a_locked_tablet_are_slowed_like_any() -> None:
    """Five, then 30 s, and with them the sign-in."""
    world = World()
    pad = Pad(world)
    idles(world)
    assert [pad.unlock("0000") for _ in range(6)] == [WRONG] * 5 + [Refused(RefusedReason.THROTTLED, 30)]
    assert pad.unlock() == pad.sign_in("ada") == Refused(RefusedReason.THROTTLED, 30)
    world.now_s += 30
    assert isinstance(pad.unlock(), query.SessionView)


def test_hqs_word_ends_a_locked_session() -> None:
    """A deactivated associate cannot open it; nor does a PIN that is being verified while HQ says so."""
    world = World()
    pad = Pad(world)
    idles(world)
    gone = Staff("Ada", "advisor", "verifier", False)
    reply = pad.finished(query.Unlock(pad.session, PIN), lambda: world.hq_says(world.replica.put_staff("ada", gone)))
    assert reply == WRONG
    assert pad.unlock() == SIGNED_OUT


def test_an_unpaired_tablet_is_not_unlocked() -> None:
    """The session ended with the pairing, also while the PIN was verified."""
    world = World()
    pad, other = Pad(world), Pad(world, "max")
    idles(world, 200)
    assert isinstance(other.floor(), query.Roster)
    idles(world, 150)
    reply = pad.finished(query.Unlock(pad.session, PIN), lambda: world.ask(query.Unpair(other.session, pad.id)))
    assert reply == UNPAIRED
    assert pad.unlock() == SIGNED_OUT


def test_a_stolen_session_is_refused_on_another_tablet_and_counted() -> None:
    """The session's secret beside another tablet's is no session; its own tablet notices nothing."""
    world = World()
    pad, thief = Pad(world), Pad(world, None)
    signed_in = pad.sign_in("ada")
    assert isinstance(signed_in, query.SignedIn)
    stolen = query.bound(thief.secret, signed_in.session)
    for asked in questions(stolen):
        assert world.ask(asked) == SIGNED_OUT
    assert thief.finished(query.Unlock(stolen, PIN)) == SIGNED_OUT
    assert world.ask(query.SignOut(stolen)) == query.Accepted()
    status = world.gateway.status(world.now_s, operator=False)
    counted = {one.name: one.value for one in status.counters}
    assert counted["sessions_stolen_total"] == len(questions(stolen)) + 2
    assert isinstance(pad.floor(), query.Roster)
    for forged in (signed_in.session, bytes(32), pad.session[:16] + bytes(16)):
        assert world.ask(query.AskFloor(forged)) == SIGNED_OUT


def test_delays_and_sessions_end_with_the_process_and_the_cache_is_locked_then() -> None:
    """A restart forgets wrong PINs, and with them every session; before HQ unlocks it no PIN is tried at all."""
    world = World()
    pad = Pad(world)
    for _ in range(5):
        pad.sign_in("ada", "0000")
    again = World()
    again.replica._tablets = world.replica._tablets
    again.replica.dark(query.DarkReason.STARTING)
    pad.world = again
    assert pad.floor() == SIGNED_OUT
    assert pad.sign_in("ada") == Refused(RefusedReason.DARK)
    again.replica.dark(query.DarkReason.NONE)
    assert isinstance(pad.sign_in("ada"), query.SignedIn)
