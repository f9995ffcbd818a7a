"""Knows which cards a session has open, in one window or in several, and the version of each part that it was given.

Pure: no I/O, no clock.
"""

from collections import OrderedDict

from wire.policy import Section


class OpenCards:
    """The cards of one session: as many as it has windows, those that were asked for last.

    A card that makes room may still stand in another window. Where there are several it is told as changed: a window
    that shows it asks for it again, and so it is known again.
    """

    __slots__ = ("_cards", "_lost", "_several", "_windows")

    def __init__(self) -> None:
        self._cards: OrderedDict[bytes, dict[Section | None, int]] = OrderedDict()
        self._lost: list[bytes] = []
        self._windows = 1
        self._several = False

    def given(self, handle: bytes, section: Section | None, version: int) -> None:
        """The session was given this version of a part of a card."""
        self._cards.setdefault(handle, {})[section] = version
        self._cards.move_to_end(handle)
        self._make_room()

    def follow(self, windows: int) -> None:
        """So many streams follow the floor now, one for each window."""
        self._windows = max(1, windows)
        self._several |= windows > 1
        self._make_room()
        if not self._several:
            self._lost.clear()

    def versions(self, handle: bytes) -> dict[Section | None, int]:
        """What was given of a card that is open; empty where it is not."""
        return self._cards.get(handle, {})

    def handles(self) -> tuple[bytes, ...]:
        """The cards that are open."""
        return tuple(self._cards)

    def close(self, handle: bytes) -> None:
        """Nothing of this card may be shown any more."""
        self._cards.pop(handle, None)

    def lost(self) -> list[bytes]:
        """What made room since this was asked last, and may stand in a window."""
        lost, self._lost = self._lost, []
        return [handle for handle in lost if handle not in self._cards]

    def _make_room(self) -> None:
        while len(self._cards) > self._windows:
            self._lost.append(self._cards.popitem(last=False)[0])
