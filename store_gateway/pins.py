"""Verifies and hashes PINs one at a time in a thread of its own, so that no answer waits for 19 MiB of argon2.

I/O: argon2; its only importer.
"""

import queue
import threading
from collections.abc import Callable

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError, VerifyMismatchError

from runtime.logs import Log
from store_gateway.doors import PinCheck, PinMaking

# OWASP's least for argon2id: 19 MiB, two passes, one lane.
TIME_COST = 2
MEMORY_KIB = 19_456
PARALLELISM = 1
_MOST_TIME_COST = 10
_MOST_MEMORY_KIB = 65_536
_MOST_PARALLELISM = 4

_log = Log("pins")


def hasher() -> PasswordHasher:
    """How a verifier is made."""
    return PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=PARALLELISM)


class PinChecker:
    """Give it work; `on_checked(work, verdict, token)` is called from its thread, once for each.

    The verdict: of a check whether it is right, of a making the verifier, empty where it could not be made.
    """

    def __init__(self, on_checked: Callable[[PinCheck | PinMaking, bool | str, object], None]) -> None:
        self._on_checked = on_checked
        self._waiting: queue.SimpleQueue[tuple[PinCheck | PinMaking, object] | None] = queue.SimpleQueue()
        self._hasher = hasher()
        self._nobody = ""
        self._thread = threading.Thread(target=self._run, name="pins", daemon=True)

    def start(self) -> None:
        """Begins to verify."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the check that is at work."""
        self._waiting.put(None)
        self._thread.join(timeout=5)

    def submit(self, check: PinCheck | PinMaking, token: object) -> None:
        """Does it when its turn comes. Whoever calls bounds how many wait (`doors.MOST_CHECKS`)."""
        self._waiting.put((check, token))

    def verify(self, check: PinCheck) -> bool:
        """Whether the PIN is the verifier's; costs the same where there is none."""
        verifier = check.verifier if _is_bearable(check.verifier) else ""
        try:
            if not verifier and not self._nobody:
                self._nobody = self._hasher.hash("")
            self._hasher.verify(verifier or self._nobody, check.pin)
        except VerifyMismatchError:
            return False
        except (Argon2Error, ValueError, MemoryError) as error:  # ValueError: a verifier that is none
            _log.error(
                "not_verified", exception=type(error).__name__, remedy="set the associate's PIN anew, or free memory"
            )
            return False
        return bool(verifier)

    def make(self, pin: str) -> str:
        """The verifier of a PIN; empty where it cannot be made."""
        try:
            return self._hasher.hash(pin)
        except (Argon2Error, MemoryError) as error:
            _log.error("not_hashed", exception=type(error).__name__, remedy="free memory, and set the PIN again")
            return ""

    def _run(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            work, token = waiting
            verdict = self.verify(work) if isinstance(work, PinCheck) else self.make(work.pin)
            self._on_checked(work, verdict, token)


def _is_bearable(verifier: str) -> bool:
    """argon2id with bounded cost: a record must not be able to ask for the machine's whole memory."""
    try:
        found = extract_parameters(verifier)
    except InvalidHashError:
        return False
    return (
        found.type is Type.ID
        and found.time_cost <= _MOST_TIME_COST
        and found.memory_cost <= _MOST_MEMORY_KIB
        and found.parallelism <= _MOST_PARALLELISM
    )
