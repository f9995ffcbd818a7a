"""Finds the associate whom somebody means who types a name: by id or by display name, without case.

A name that two associates bear is nobody's: then the id is what tells them apart. Looking up costs the same for
whoever is meant and for nobody.

Pure: no I/O, no clock.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable

from wire.member import Staff


def folded(typed: str) -> str:
    """A name without case, doubled spaces and ways to write the same letter."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", typed).casefold()).split())


class Names:
    """The names of all who are active."""

    __slots__ = ("_by_id", "_by_name", "_ids")

    def __init__(self, staff: Iterable[tuple[str, Staff]]) -> None:
        active = [(associate, one.name) for associate, one in staff if one.active]
        self._ids = frozenset(associate for associate, _ in active)
        self._by_id = _unique((folded(associate), associate) for associate, _ in active)
        self._by_name = _unique((folded(name), associate) for associate, name in active)

    def __bool__(self) -> bool:
        return bool(self._ids)

    def find(self, typed: str) -> str:
        """The id of who is meant; of nobody what was typed, folded, so that tries count alike."""
        if typed in self._ids:
            return typed
        plain = folded(typed)
        return self._by_id.get(plain) or self._by_name.get(plain) or plain


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    listed = list(pairs)
    times = Counter(plain for plain, _ in listed)
    return {plain: associate for plain, associate in listed if times[plain] == 1}
