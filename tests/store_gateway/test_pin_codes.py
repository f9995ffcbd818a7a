"""First and forgotten PINs: a manager's one-time code, a new PIN, and HQ's word about it."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_gateway.errors import CacheReason
from store_gateway.gateway import Checking
from store_gateway.pin_codes import CODE_S, is_weak
from tests.store_gateway.pad import ANYBODY, DARK, FORBIDDEN, SIGNED_OUT, UNPAIRED, WRONG, Pad, idles
from tests.world import PIN, World, a_policy
from wire import query, sync, synthetic
from wire.member import Staff
from wire.query import DarkReason, Refused, RefusedReason

WEAK = Refused(RefusedReason.WEAK)
NEW = "8254"


def code_for(manager: Pad, associate: str) -> str:
    """A manager's one-time code for somebody."""
    reply = manager.world.ask(query.MintPinCode(manager.session, associate))
    assert isinstance(reply, query.PinCode), reply
    assert (reply.associate, reply.for_s) == (associate, 600)
    return reply.code


def test_a_manager_sees_who_may_get_a_code_and_nothing_of_a_pin() -> None:
    """Everybody active by name, whether there is a PIN, and no more; the synthetic associate is nobody."""
    world = World()
    world.hq_says(world.replica.put_staff("zoe", Staff("Zoe", "advisor", "", True)))
    world.hq_says(world.replica.put_staff("old", Staff("Old", "advisor", "verifier", False)))
    world.hq_says(world.replica.put_staff(synthetic.ASSOCIATE, Staff("S", synthetic.ROLE, "verifier", True)))
    manager = Pad(world, "max")
    listed = world.ask(query.AskStaff(manager.session))
    assert isinstance(listed, query.StaffList)
    assert [(one.associate, one.role, one.has_pin) for one in listed.staff] == [
        ("ada", "advisor", True), ("bo", "advisor", True), ("max", "manager", True), ("sam", "stock", True),
        ("zoe", "advisor", False),
    ]  # fmt: skip
    for nobody in ("old", synthetic.ASSOCIATE, "ghost"):
        assert world.ask(query.MintPinCode(manager.session, nobody)) == query.Withheld()
    assert world.ask(query.MintPinCode(Pad(world, "ada").session, "ada")) == FORBIDDEN


def test_a_code_sets_a_pin_once_and_the_old_one_ends_at_once() -> None:
    """Also in the dark; whoever was signed in by the old PIN is signed out; HQ is told who made the code."""
    world = World()
    manager, pad, other = Pad(world, "max"), Pad(world, None), Pad(world, "ada")
    world.replica.dark(DarkReason.NO_WORD)
    code = code_for(manager, "ada")
    assert len(code) == 8 and code.isdecimal()
    assert pad.set_pin("ada", f"{code[:4]} {code[4:]}", NEW) == query.Accepted()
    assert other.floor() == SIGNED_OUT
    assert pad.sign_in("ada", PIN) == WRONG
    assert isinstance(pad.sign_in("ada", NEW), query.SignedIn)
    kind, pseudonym, told = world.replica.events[-1]
    assert (kind, pseudonym) == (sync.EventKind.PIN_SET, None)
    assert isinstance(told, sync.PinSet)
    assert (told.associate, told.by, told.tablet, told.set_ms) == ("ada", "max", pad.id, world.now_ms)
    assert told.verifier.startswith("$argon2id$") and NEW not in repr(told) and told.verifier not in repr(told)
    assert pad.set_pin("ada", code, "9517") == WRONG


def test_a_first_pin_is_set_likewise() -> None:
    """Of whom HQ has no PIN yet."""
    world = World()
    world.hq_says(world.replica.put_staff("zoe", Staff("Zoe", "advisor", "", True)))
    manager, pad = Pad(world, "max"), Pad(world, None)
    assert pad.sign_in("zoe", NEW) == WRONG
    assert pad.set_pin("zoe", code_for(manager, "zoe"), NEW) == query.Accepted()
    assert isinstance(pad.sign_in("zoe", NEW), query.SignedIn)


def test_a_code_is_for_one_associate_for_ten_minutes_and_the_newest_alone() -> None:
    """Another's, an older and an expired one are wrong, and nobody learns which."""
    world = World()
    manager, pad = Pad(world, "max"), Pad(world, None)
    first = code_for(manager, "ada")
    second = code_for(manager, "ada")
    assert (
        pad.set_pin("bo", second, NEW) == pad.set_pin("ada", first, NEW) == pad.set_pin("ghost", second, NEW) == WRONG
    )
    idles(world, CODE_S)
    assert pad.set_pin("ada", second, NEW) == WRONG


def test_guessing_codes_is_slowed_like_guessing_pins() -> None:
    """Five wrong ones, and name and tablet wait, for the sign-in too."""
    world = World()
    manager, pad = Pad(world, "max"), Pad(world, None)
    code = code_for(manager, "ada")
    wrong = f"{(int(code) + 1) % 10**8:08d}"
    assert [pad.set_pin("ada", wrong, NEW) for _ in range(6)] == [WRONG] * 5 + [Refused(RefusedReason.THROTTLED, 30)]
    assert pad.set_pin("ada", code, NEW) == pad.sign_in("ada") == Refused(RefusedReason.THROTTLED, 30)
    world.now_s += 30
    assert pad.set_pin("ada", code, NEW) == query.Accepted()


def test_an_easy_pin_spends_neither_code_nor_try() -> None:
    """It is said before anything is looked at; policy may ask for longer ones."""
    policy = a_policy()
    world = World(replace(policy, main=replace(policy.main, pin_digits=6)))
    manager, pad = Pad(world, "max"), Pad(world, None)
    code = code_for(manager, "ada")
    for _ in range(7):
        assert pad.set_pin("ada", code, NEW) == pad.set_pin("ada", code, "123456") == WEAK
    assert pad.set_pin("ada", code, "825417") == query.Accepted()


def test_a_code_needs_a_paired_tablet_an_unlocked_store_and_a_disk() -> None:
    """Unpaired and locked keep the code; a disk that fails spends it and keeps the old PIN."""
    world = World()
    manager, pad = Pad(world, "max"), Pad(world, None)
    code = code_for(manager, "ada")
    assert world.ask(query.SetPin(bytes(32), "ada", code, NEW)) == UNPAIRED
    world.replica.dark(DarkReason.STARTING)
    assert pad.set_pin("ada", code, NEW) == DARK
    world.replica.dark(DarkReason.NONE)
    world.replica.fail = CacheReason.DISK_FULL
    assert pad.set_pin("ada", code, NEW) == DARK
    world.replica.fail = None
    assert pad.set_pin("ada", code, NEW) == WRONG
    assert isinstance(pad.sign_in("ada"), query.SignedIn)


@pytest.mark.parametrize("gone", ["ada", "max"])
def test_a_code_ends_with_whom_it_is_for_and_with_who_made_it(gone: str) -> None:
    """HQ deactivates one of them: also while the PIN is being hashed."""
    world = World()
    manager, pad = Pad(world, "max"), Pad(world, None)
    code = code_for(manager, "ada")
    role = "manager" if gone == "max" else "advisor"
    said = Staff(gone.title(), role, "verifier", False)
    if gone == "ada":
        asked = query.SetPin(pad.secret, "ada", code, NEW)
        assert pad.finished(asked, lambda: world.hq_says(world.replica.put_staff(gone, said))) == WRONG
        assert not any(one[0] is sync.EventKind.PIN_SET for one in world.replica.events)
    else:
        world.hq_says(world.replica.put_staff(gone, said))
    assert pad.set_pin("ada", code, NEW) == WRONG


def test_a_pin_that_cannot_be_hashed_is_not_set() -> None:
    """Out of memory: nothing changed."""
    world = World()
    manager, pad = Pad(world, "max"), Pad(world, None)
    reply = world.gateway.answer(query.SetPin(pad.secret, "ada", code_for(manager, "ada"), NEW), ANYBODY, world.now_s)
    assert isinstance(reply, Checking)
    assert world.gateway.pin_checked(reply.check, "", world.now_s) == WRONG
    assert isinstance(pad.sign_in("ada"), query.SignedIn)


@pytest.mark.parametrize(
    "pin", ["0000", "1234", "9876", "8901", "1212", "123123", "111", "123456789", "12a4", "१२३४", "", " 8254", "2109"]
)
def test_what_is_tried_first_is_no_pin(pin: str) -> None:
    """Runs, repetitions, too short, too long, no digits."""
    assert is_weak(pin, 4)


@given(st.integers(0, 99_999_999))
def test_most_pins_are_fine(number: int) -> None:
    """Eight digits are easy where each is the next, the one before or the same, or the halves are equal; else not."""
    pin = f"{number:08d}"
    steps = {(int(second) - int(first)) % 10 for first, second in itertools.pairwise(pin)}
    assert is_weak(pin, 4) is (steps in ({0}, {1}, {9}) or pin[:4] == pin[4:])
