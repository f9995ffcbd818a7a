"""Who asks the gateway, the parts that share the answers among them, and what an answer may cause in the store's state.

Pure: no I/O, no clock.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from store_gateway.core.presence import Move
from store_gateway.doors import PinCheck, PinMaking, Session
from store_gateway.floor import Watcher
from store_gateway.replica import Changes
from wire import query


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: whether on the operator's socket, and where a watch's replies go."""

    operator: bool
    watcher: Watcher | None
    probe: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Checking:
    """The answer waits for a PIN: verify `check` or make its verifier, then call `pin_checked`."""

    check: PinCheck | PinMaking


@dataclass(frozen=True, slots=True)
class Effects:
    """What a part may cause.

    `moved`: presence gave these moves. `took`: the replica gave these changes. `stir`: something looks different for
    somebody, and is to be told at once.
    """

    moved: Callable[[Iterable[Move], float], None]
    took: Callable[[Changes, float], None]
    stir: Callable[[], None]


class Part(Protocol):
    """Answers some kinds of request of an associate who is signed in; `REQUESTS` names them, each in one part only."""

    REQUESTS: frozenset[type[query.Request]]

    def answer(self, asked: query.Request, session: Session, now_mono_s: float) -> query.Reply:
        """The answer to one of `REQUESTS`, and to nothing else."""
