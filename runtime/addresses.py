"""Names the addresses of one broker or of a cluster's nodes, and which to try next.

Pure: no I/O, no clock.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

FORM: Final = r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+)(:[1-9][0-9]{0,4})?"
WORDS: Final = "HOST or HOST:PORT, an IPv6 address in brackets"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Address:
    """A host's name or IP address, and a TCP port."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether it is surely this machine."""
        return self.host in _LOOPBACK


def all_of(host: str, port: int, more: Iterable[str]) -> tuple[Address, ...]:
    """`host` and the further ones, each `HOST` (at the same port) or `HOST:PORT`. Raises: ValueError."""
    return Address(host, port), *(_parsed(text, port) for text in more)


def _parsed(text: str, port: int) -> Address:
    found = re.fullmatch(FORM, text)
    if found is None or int((found[2] or ":1")[1:]) > 65_535:
        raise ValueError(f"{WORDS}: expected of each further host")
    return Address(found[1].strip("[]"), int(found[2][1:]) if found[2] else port)


class Turns:
    """Gives an address for each attempt: a random one first, so that many spread over a cluster, then all in turn."""

    __slots__ = ("_addresses", "_next")

    def __init__(self, addresses: tuple[Address, ...], chance: Callable[[], float]) -> None:
        """`chance()` gives a number from 0 to 1."""
        self._addresses = addresses
        self._next = min(int(chance() * len(addresses)), len(addresses) - 1)

    def take(self) -> Address:
        """The address of this attempt."""
        taken = self._addresses[self._next]
        self._next = (self._next + 1) % len(self._addresses)
        return taken
