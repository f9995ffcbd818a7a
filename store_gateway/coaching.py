"""Remembers which hints of good manners an associate wants no more, for as long as the session lasts.

In memory and nowhere else: who dismissed what is nobody's business.

Pure: no I/O, no clock.
"""

from typing import Protocol

from store_gateway.asking import Effects
from store_gateway.doors import Session
from store_gateway.looks import WITHHELD, Looks
from wire import query
from wire.coaching import DismissHint
from wire.policy import Policy
from wire.query import Refused, RefusedReason


class Policies(Protocol):
    """What is needed of the replica."""

    def policy(self) -> Policy | None: ...


class Coaching:
    """See the module; a part of the answers."""

    REQUESTS: frozenset[type[query.Request]] = frozenset({DismissHint})

    def __init__(self, policies: Policies, looks: Looks, effects: Effects) -> None:
        self._policies = policies
        self._looks = looks
        self._effects = effects

    def answer(self, asked: query.Request, session: Session, now_mono_s: float) -> query.Reply:
        """The answer to one of `REQUESTS`."""
        match asked:
            case DismissHint(_, hint):
                policy = self._policies.policy()
                if policy is None or hint not in {one.id for one in policy.main.hints or ()}:
                    return WITHHELD
                self._looks.dismiss(session, hint)
                self._effects.stir()  # the card that has it open is another now
                return query.Accepted()
            case _:
                return Refused(RefusedReason.MALFORMED)
