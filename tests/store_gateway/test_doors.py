"""Pairing, sign-in, sessions, and what slows a guesser down."""

import hashlib

import pytest

from store_gateway.doors import CODE_S, MOST_CHECKS
from store_gateway.errors import CacheReason
from store_gateway.gateway import Asker, Checking
from store_gateway.pins import PinChecker, hasher
from store_gateway.tries import LONGEST_LOCK_S, Tries
from tests.world import PIN, World
from wire import query, sync
from wire.member import Staff
from wire.query import DarkReason, Refused, RefusedReason

WRONG = Refused(RefusedReason.WRONG)
SIGNED_OUT = Refused(RefusedReason.SIGNED_OUT)
LOCKED = Refused(RefusedReason.LOCKED)


def minted(world: World) -> str:
    """A fresh code."""
    reply = world.gateway.answer(query.MintPairing(), Asker(True, None), world.now_s)
    assert isinstance(reply, query.PairingCode)
    return reply.code


def paired(world: World) -> bytes:
    """A fresh tablet's secret."""
    reply = world.ask(query.Pair(minted(world), "Shoes 2", "browser"))
    assert isinstance(reply, query.Paired)
    return reply.tablet


def test_a_code_pairs_once() -> None:
    """128 bits in 26 letters; typed in small letters and groups too; of the secret only the hash is kept."""
    world = World()
    code = minted(world)
    assert len(code) == 26
    typed = "-".join(code.lower()[at : at + 4] for at in range(0, 26, 4))
    reply = world.ask(query.Pair(typed, "Shoes 2", "browser"))
    assert isinstance(reply, query.Paired)
    (kept,) = world.replica.tablets()
    assert kept.secret_hash == hashlib.sha256(reply.tablet).digest()
    assert (kept.id, kept.label, kept.paired_ms) == (reply.id, "Shoes 2", world.now_ms)
    assert world.replica.events[-1][2] == sync.Pairing(reply.id, True)
    assert world.ask(query.Pair(code, "", "")) == WRONG


def test_a_code_holds_a_minute() -> None:
    """After 60 s it is wrong like any other."""
    world = World()
    code = minted(world)
    world.passes(CODE_S)
    assert world.ask(query.Pair(code, "", "")) == WRONG


def test_guessing_codes_is_throttled_and_hinders_nobody() -> None:
    """Five wrong ones, and the next have to wait; a right one never does."""
    world = World()
    for _ in range(5):
        assert world.ask(query.Pair("A" * 26, "", "")) == WRONG
    assert world.ask(query.Pair("A" * 26, "", "")) == Refused(RefusedReason.THROTTLED, 30)
    assert isinstance(world.ask(query.Pair(minted(world), "", "")), query.Paired)
    assert world.ask(query.Pair("A" * 26, "", "")) == Refused(RefusedReason.THROTTLED, 30)
    world.passes(31)
    assert world.ask(query.Pair("A" * 26, "", "")) == WRONG


def test_a_tablet_that_cannot_be_kept_is_not_paired() -> None:
    """A full disk: refused, and the code is spent."""
    world = World()
    code = minted(world)
    world.replica.fail = CacheReason.DISK_FULL
    assert world.ask(query.Pair(code, "", "")) == Refused(RefusedReason.DARK)
    world.replica.fail = None
    assert world.ask(query.Pair(code, "", "")) == WRONG


def test_signing_in_needs_a_paired_tablet_and_the_pin() -> None:
    """Unknown tablet, unknown associate, wrong PIN, deactivated: never which of the last three."""
    world = World()
    secret = paired(world)
    assert world.sign_in(bytes(32), "ada") == Refused(RefusedReason.UNPAIRED)
    assert world.sign_in(secret, "nobody") == world.sign_in(secret, "ada", "1111") == WRONG
    world.hq_says(world.replica.put_staff("ada", Staff("Ada", "advisor", "verifier", False)))
    assert world.sign_in(secret, "ada") == WRONG
    reply = world.sign_in(secret, "max")
    assert isinstance(reply, query.SignedIn)
    assert (reply.view.associate, reply.view.role, reply.view.store_label) == ("max", "manager", "Berlin 1")
    assert reply.view.until_ms == world.now_ms + 43_200_000


def test_a_locked_store_signs_nobody_in() -> None:
    """Staff are not known before the unlock: said so, not called wrong."""
    world = World()
    secret = paired(world)
    world.replica.dark(DarkReason.STARTING)
    assert world.sign_in(secret, "ada") == Refused(RefusedReason.DARK)


def test_wrong_pins_lock_associate_and_tablet_for_growing_times() -> None:
    """Five wrong: 30 s, then 60, 120, …; the right PIN waits too, from another tablet as well; then it is forgotten."""
    world = World()
    secret, other = paired(world), paired(world)
    for _ in range(5):
        assert world.sign_in(secret, "ada", "0000") == WRONG
    assert world.sign_in(other, "ada") == Refused(RefusedReason.THROTTLED, 30)
    assert world.sign_in(secret, "bo") == Refused(RefusedReason.THROTTLED, 30)
    assert isinstance(world.sign_in(other, "bo"), query.SignedIn)
    lock_s = 30
    for _ in range(3):
        world.passes(lock_s)
        assert world.sign_in(secret, "ada", "0000") == WRONG
        lock_s *= 2
        assert world.sign_in(secret, "ada", "0000") == Refused(RefusedReason.THROTTLED, lock_s)
    world.passes(lock_s)
    assert isinstance(world.sign_in(secret, "ada"), query.SignedIn)
    assert world.sign_in(secret, "ada", "0000") == WRONG
    assert isinstance(world.sign_in(secret, "ada"), query.SignedIn)


def test_an_unknown_name_is_throttled_like_a_known_one() -> None:
    """Nobody learns from the throttle who works here."""
    world = World()
    for name in ("ada", "nobody"):
        secret = paired(world)
        replies = [world.sign_in(secret, name, "0000") for _ in range(6)]
        assert replies == [WRONG] * 5 + [Refused(RefusedReason.THROTTLED, 30)]


@pytest.mark.parametrize("typed", ["mara", "Mara", "MARA LINDT", "  mara   lindt ", "Mara\u00a0Lindt"])
def test_associates_sign_in_by_the_name_that_people_call_them(typed: str) -> None:
    """By id or display name, without case; the session is the same."""
    world = World()
    world.hq_says(world.replica.put_staff("mara", Staff("Mara Lindt", "advisor", "verifier", True)))
    signed_in = world.sign_in(paired(world), typed)
    assert isinstance(signed_in, query.SignedIn)
    assert (signed_in.view.associate, signed_in.view.name) == ("mara", "Mara Lindt")


def test_a_name_that_two_bear_is_nobodys() -> None:
    """Then the id counts; so does an id that is another's name. Who left, or is called otherwise now, is not meant."""
    world = World()
    for associate, name in (("kim1", "Kim Ost"), ("kim2", "Kim Ost"), ("kim", "Lou")):
        world.hq_says(world.replica.put_staff(associate, Staff(name, "advisor", "verifier", True)))
    assert world.sign_in(paired(world), "Kim Ost") == WRONG
    for typed, meant in (("KIM2", "kim2"), ("Kim", "kim"), ("lou", "kim")):
        signed_in = world.sign_in(paired(world), typed)
        assert isinstance(signed_in, query.SignedIn)
        assert signed_in.view.associate == meant
    world.hq_says(world.replica.put_staff("kim1", Staff("Kim Ost", "advisor", "verifier", False)))
    world.hq_says(world.replica.put_staff("kim", Staff("Jo", "advisor", "verifier", True)))
    assert isinstance(world.sign_in(paired(world), "kim ost"), query.SignedIn)
    assert world.sign_in(paired(world), "lou") == WRONG


@pytest.mark.parametrize(
    "names", [("bo", "BO", "Bo Berg", "bo berg", "Bo"), ("no one", "NO ONE", "No One", "no  one", "No one")]
)
def test_all_ways_to_write_a_name_share_its_tries(names: tuple[str, ...]) -> None:
    """Known or not: after five of them, each on a tablet of its own, the sixth waits."""
    world = World()
    world.hq_says(world.replica.put_staff("bo", Staff("Bo Berg", "advisor", "verifier", True)))
    assert [world.sign_in(paired(world), name, "0000") for name in names] == [WRONG] * 5
    assert world.sign_in(paired(world), names[0]) == Refused(RefusedReason.THROTTLED, 30)


def test_many_tries_at_once_gain_nothing() -> None:
    """A try counts when it begins, and few may wait."""
    world = World()
    secret = paired(world)
    begun = [
        world.gateway.answer(query.SignIn(secret, "ada", str(pin)), Asker(False, None), world.now_s)
        for pin in range(1000, 1010)
    ]
    assert [isinstance(one, Checking) for one in begun] == [True] * 5 + [False] * 5
    many = [paired(world) for _ in range(MOST_CHECKS)]
    replies = [
        world.gateway.answer(query.SignIn(one, f"name-{n}", PIN), Asker(False, None), world.now_s)
        for n, one in enumerate(many)
    ]
    assert Refused(RefusedReason.BUSY, 1) in replies


def test_a_verdict_for_an_associate_who_was_deactivated_meanwhile_is_no() -> None:
    """HQ's word while the PIN was verified counts."""
    world = World()
    begun = world.gateway.answer(query.SignIn(paired(world), "ada", PIN), Asker(False, None), world.now_s)
    assert isinstance(begun, Checking)
    world.hq_says(world.replica.put_staff("ada", Staff("Ada", "advisor", "verifier", False)))
    assert world.gateway.pin_checked(begun.check, True, world.now_s) == WRONG


def test_a_session_is_locked_idle_and_ends_at_its_length() -> None:
    """300 s without a touch lock it, 12 h end it; asking who is signed in is no touch."""
    world = World()
    tablet = world.tablet(watches=True)
    for _ in range(3):
        world.passes(200)
        assert isinstance(world.ask(query.AskFloor(tablet.session)), query.Roster)
    world.passes(200)
    assert isinstance(world.ask(query.AskSession(tablet.session)), query.SessionView)
    world.ask(query.Acknowledge(tablet.session, 1))
    world.passes(101)
    assert tablet.ended == LOCKED
    assert world.ask(query.AskFloor(tablet.session)) == LOCKED
    other = world.tablet()
    ends_s = world.now_s + 43_200
    while world.now_s < ends_s - 250:
        world.now_s += 250
        assert isinstance(world.ask(query.AskFloor(other.session)), query.Roster)
    world.now_s = ends_s
    assert world.ask(query.AskFloor(other.session)) == SIGNED_OUT


def test_signing_out_and_signing_in_anew_end_the_old_session() -> None:
    """A tablet has one session."""
    world = World()
    secret = paired(world)
    first, second = world.sign_in(secret, "ada"), world.sign_in(secret, "bo")
    assert isinstance(first, query.SignedIn) and isinstance(second, query.SignedIn)
    assert world.ask(query.AskFloor(first.session)) == SIGNED_OUT
    assert world.ask(query.SignOut(second.session)) == query.Accepted()
    assert world.ask(query.AskFloor(second.session)) == SIGNED_OUT
    assert world.ask(query.SignOut(second.session)) == query.Accepted()


def test_a_role_follows_hqs_word() -> None:
    """An associate who loses the floor sees none of it from then on."""
    world = World()
    tablet = world.tablet("ada")
    world.hq_says(world.replica.put_staff("ada", Staff("Ada", "stock", "verifier", True)))
    view = world.ask(query.AskSession(tablet.session))
    assert isinstance(view, query.SessionView) and view.role == "stock"


def test_locks_have_an_end_and_names_a_bound() -> None:
    """An hour at most; a flood of names forgets the oldest, and no more memory is taken."""
    tries = Tries()
    for _ in range(200):
        tries.wrong("ada", 0.0)
    assert tries.left_s("ada", 0.0) == LONGEST_LOCK_S
    for number in range(10_000):
        tries.wrong(str(number), 0.0)
    assert tries.left_s("ada", 0.0) == 0
    assert len(tries._counts) == 4096


@pytest.mark.parametrize(
    ("verifier", "pin", "right"),
    [
        (hasher().hash(PIN), PIN, True),
        (hasher().hash(PIN), "0000", False),
        ("", PIN, False),
        ("not a verifier", PIN, False),
        ("", "", False),
        ("$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQxMjM0NTY$AAAAAAAAAAAAAAAAAAAAAA", PIN, False),
        ("$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQxMjM0NTY$AAAAAAAAAAAAAAAAAAAAAA", PIN, False),
    ],
    ids=["right", "wrong", "none", "no hash", "nothing at all", "too much memory", "argon2i"],
)
def test_a_pin_is_right_by_its_argon2id_verifier_alone(verifier: str, pin: str, right: bool) -> None:
    """No verifier, a broken one, another kind, one that asks for the machine's memory: wrong like any other."""
    from store_gateway.doors import PinCheck

    checker = PinChecker(lambda check, verdict, token: None)
    assert checker.verify(PinCheck("ada", "tablet-1", pin, verifier)) is right
