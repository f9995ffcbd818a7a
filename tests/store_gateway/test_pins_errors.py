"""Whatever argon2 raises, a PIN is wrong, and the next one is verified."""

import queue

import argon2
import pytest
from argon2 import PasswordHasher
from argon2 import exceptions as raised
from pytest_mock import MockerFixture

from store_gateway import pins
from store_gateway.doors import PinCheck
from store_gateway.pins import PinChecker, hasher

ERRORS = [
    raised.VerifyMismatchError("mismatch"),
    raised.VerificationError("Memory allocation error"),
    raised.HashingError("Memory allocation error"),
    raised.InvalidHashError("no hash"),
    raised.UnsupportedParametersError("no threads"),
    UnicodeEncodeError("ascii", "ü", 0, 1, "a verifier has ASCII only"),
    MemoryError(),
]


def check(verifier: str, pin: str = "4711") -> PinCheck:
    """A PIN to verify."""
    return PinCheck("ada", "tablet-1", pin, verifier)


def verdicts(*checks: PinCheck) -> list[bool]:
    """What the thread says to each."""
    told: queue.Queue[bool] = queue.Queue()
    checker = PinChecker(lambda _check, right, _token: told.put(right))
    checker.start()
    for one in checks:
        checker.submit(one, None)
    found = [told.get(timeout=20) for _ in checks]
    checker.stop()
    return found


@pytest.mark.parametrize("error", ERRORS, ids=lambda one: type(one).__name__)
def test_what_verifying_raises_is_a_wrong_pin_and_the_next_is_verified(mocker: MockerFixture, error: Exception) -> None:
    """The thread lives on: else nobody could sign in until the next start."""
    right = check(hasher().hash("4711"))
    verify = mocker.patch.object(PasswordHasher, "verify", side_effect=[error, True])
    assert verdicts(right, right) == [False, True]
    assert verify.call_count == 2


@pytest.mark.parametrize("error", ERRORS[2:3] + ERRORS[4:5] + ERRORS[6:], ids=lambda one: type(one).__name__)
def test_what_hashing_raises_is_a_wrong_pin(mocker: MockerFixture, error: Exception) -> None:
    """Where there is no verifier one is made, so that it costs the same; where that fails it is wrong all the same."""
    mocker.patch.object(PasswordHasher, "hash", side_effect=error)
    assert verdicts(check(""), check("")) == [False, False]


def test_what_reading_a_verifier_raises_is_a_wrong_pin(mocker: MockerFixture) -> None:
    """HQ's record says nonsense where the verifier should be."""
    mocker.patch.object(pins, "extract_parameters", side_effect=raised.InvalidHashError("no hash"))
    assert verdicts(check(hasher().hash("4711"))) == [False]


@pytest.mark.parametrize(
    "verifier",
    [
        "nonsense", "$argon2id$v=19$m=x,t=2,p=1$c2FsdHNhbHQ$aGFzaA", "$argon2id$v=19$m=19456,t=2,p=1$ü$ü",
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA\0", "$argon2id$v=19$m=8,t=1,p=1$$",
        "$argon2id$v=19$m=-1,t=2,p=1$c2FsdHNhbHQ$aGFzaA", "$argon2id$v=19$m=19456,t=0,p=0$c2FsdHNhbHQ$aGFzaA",
    ],
)  # fmt: skip
def test_a_verifier_that_is_none_is_a_wrong_pin(verifier: str) -> None:
    """A record of HQ cannot stop the thread that verifies."""
    right = check(hasher().hash("4711"))
    assert verdicts(check(verifier), right) == [False, True]


def test_every_exception_of_the_library_has_a_case() -> None:
    """No exception is there that nothing raises."""
    named = [one for one in vars(argon2.exceptions).values() if isinstance(one, type) and issubclass(one, Exception)]
    concrete = {one for one in named if one is not raised.Argon2Error}
    assert concrete == {type(one) for one in ERRORS} & concrete
