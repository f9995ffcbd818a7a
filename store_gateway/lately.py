"""Whose card each session was shown in the last minutes: who asks to leave can be let go though the visit just ended.

Pure: no I/O, no clock.
"""

from collections import OrderedDict
from typing import Final

LATELY_S: Final = 600.0  # a radio gap, help that is done, a step into a blind zone: they stand at the till still
MOST: Final = 4096  # of all sessions: 100 tablets that open a card every 15 s


class Lately:
    """See the module. Whether the visit goes on, ended or was hidden since makes no difference."""

    __slots__ = ("_shown",)

    def __init__(self) -> None:
        self._shown: OrderedDict[tuple[bytes, bytes], tuple[bytes, float]] = OrderedDict()

    def shown(self, session: bytes, handle: bytes, pseudonym: bytes, now_mono_s: float) -> None:
        """The card behind this handle is shown to this session now."""
        self._shown[session, handle] = pseudonym, now_mono_s
        self._shown.move_to_end((session, handle))
        while len(self._shown) > MOST:
            self._shown.popitem(last=False)

    def find(self, session: bytes, handle: bytes, now_mono_s: float) -> bytes | None:
        """The pseudonym of whose card it was; None: this session saw none lately."""
        pseudonym, at_mono_s = self._shown.get((session, handle), (None, 0.0))
        return pseudonym if now_mono_s - at_mono_s <= LATELY_S else None

    def tick(self, now_mono_s: float) -> None:
        """Forgets what is too long ago."""
        while self._shown:
            oldest = next(iter(self._shown.values()))
            if now_mono_s - oldest[1] <= LATELY_S:
                break
            self._shown.popitem(last=False)
