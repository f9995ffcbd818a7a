"""One-time codes with which associates set their PIN, and which PINs are too easy.

A manager makes a code and tells it to the associate, who types it on a paired tablet. Codes live in memory, at most one
for an associate, for ten minutes and one use.

Pure: no I/O, no clock.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

CODE_DIGITS = 8  # 27 bits, against five tries and growing waits
CODE_S = 600
LEAST_DIGITS, MOST_DIGITS = 4, 8
_MOST_CODES = 256
_ENTROPY_BYTES = 16  # of which the digits are the rest: no digit is likelier by more than 2**-100


@dataclass(frozen=True, slots=True, repr=False)
class _Code:
    hashed: bytes
    by: str  # the manager who made it
    ends_mono_s: float


class PinCodes:
    """See the module. `entropy(n)` gives n random bytes."""

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self._codes: dict[str, _Code] = {}

    def mint(self, associate: str, by: str, now_mono_s: float) -> str:
        """A new code for this associate, in the place of an older one: 8 digits."""
        number = int.from_bytes(self._entropy(_ENTROPY_BYTES), "big") % 10**CODE_DIGITS
        code = f"{number:0{CODE_DIGITS}d}"
        self._codes.pop(associate, None)
        while len(self._codes) >= _MOST_CODES:
            del self._codes[next(iter(self._codes))]
        self._codes[associate] = _Code(_hash(code), by, now_mono_s + CODE_S)
        return code

    def spend(self, associate: str, code: str, now_mono_s: float) -> str | None:
        """The manager who made this code, which is used up; None: it is none of this associate now."""
        held = self._codes.get(associate)
        typed = "".join(one for one in code if one not in " -")
        if held is None or held.ends_mono_s <= now_mono_s or not hmac.compare_digest(held.hashed, _hash(typed)):
            return None
        del self._codes[associate]
        return held.by

    def keep(self, may: Callable[[str], bool]) -> None:
        """Forgets the codes of and for whom `may` says no."""
        self._codes = {one: code for one, code in self._codes.items() if may(one) and may(code.by)}

    def tick(self, now_mono_s: float) -> None:
        """Forgets what is over."""
        for associate in [one for one, code in self._codes.items() if code.ends_mono_s <= now_mono_s]:
            del self._codes[associate]


def is_weak(pin: str, least_digits: int) -> bool:
    """Whether this may not be a PIN: no 4 to 8 digits (or `least_digits` at least), or one that is tried first.

    Tried first are runs (1234, 9876, also over the end: 8901), and what repeats itself (0000, 1212, 123123).
    """
    if not (pin.isascii() and pin.isdecimal() and max(LEAST_DIGITS, least_digits) <= len(pin) <= MOST_DIGITS):
        return True
    steps = {(int(second) - int(first)) % 10 for first, second in pairwise(pin)}
    if steps in ({1}, {9}):
        return True
    return any(len(pin) % size == 0 and pin == pin[:size] * (len(pin) // size) for size in range(1, len(pin) // 2 + 1))


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "replace")).digest()
