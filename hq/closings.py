"""Takes back many things of one member as one change: one transaction and one fold, however many there are.

I/O: sqlalchemy, and the system's random generator.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete

from hq import choices, choosing, door, ledger, publication
from hq.choosing import Wish
from hq.choosing_tables import chosen_stores
from hq.database import writing
from hq.errors import Refused
from hq.ledger import Entry
from hq.ledger_proof import Evidence, Proof
from hq.named import Named
from hq.notices_history import History
from hq.office import Office
from hq.state import Choice, Event

_EVENT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Closing:
    """A withdrawal or a refusal of `hq.door`, with what proves it. `leaves`: the store that goes off the list, too."""

    choice: Choice
    proof: Proof
    leaves: str | None = None


def withdrawal(
    method: str,
    purpose: str | None,
    scopes: tuple[str, ...] | None,
    stores: tuple[str, ...] | None,
    brand: str | None,
) -> Closing:
    """As `choosing.withdraw` makes it. Raises: Refused."""
    return Closing(door.check_withdrawal(purpose, scopes, stores, brand), _proof(None, method))


def refusal(method: str, wish: Wish) -> Closing:
    """As `choosing.refuse` makes it. Raises: Refused."""
    choice = door.check_refusal(wish.purpose, wish.scopes, wish.stores, wish.brand, wish.notice)
    return Closing(choice, _proof(wish.language, method))


def removal(method: str, store: str) -> Closing:
    """Everything at a store, and the store off the list. Raises: Refused."""
    return Closing(door.check_withdrawal(None, None, (store,)), _proof(None, method), store)


def remove_store(office: Office, member: str, store: str, now_ms: int, method: str) -> bool:
    """Takes back everything at a store, and it off the list; False: it was not on it. Raises: Refused."""
    (refused,), left = _taken_back(office, member, [removal(method, store)], now_ms, method)
    if refused is not None:
        raise refused
    return store in left


def take_back(
    office: Office, member: str, closings: Sequence[Closing], now_ms: int, method: str
) -> list[Refused | None]:
    """Records these, chosen now; of each why it was not, None: it was. One that is refused keeps no other from it.

    Raises:
        Refused: no such member.
    """
    return _taken_back(office, member, closings, now_ms, method)[0]


def _taken_back(
    office: Office, member: str, closings: Sequence[Closing], now_ms: int, method: str
) -> tuple[list[Refused | None], set[str]]:
    """The same, and the stores that went off the list."""
    refused: list[Refused | None] = []
    events: list[Event] = []
    with writing(office.engine) as connection:
        one = choosing.lock(connection, office, member)
        with office.guarded(connection, one):
            named, policies = Named(connection), publication.Policies(connection)
            for each in closings:
                try:
                    named.check(each.choice)
                    proof = door.check_proof(each.proof)
                    made = [
                        _event(choice, proof, now_ms, method) for choice in door.for_brands(each.choice, policies.name)
                    ]
                except Refused as error:
                    refused.append(error)
                else:
                    refused.append(None)
                    events += made
            entries = History(connection).proved([Entry(one.reference, each) for each in events], now_ms)
            ledger.append(connection, entries, {one.reference: one})
            left = _left(closings, refused) & choices.added(connection, one.reference).keys()
            if left:
                off = chosen_stores.c.member == one.reference, chosen_stores.c.store.in_(sorted(left))
                connection.execute(delete(chosen_stores).where(*off))
        publication.refresh(connection, office.keys, {one.reference: one}, now_ms, urgent=True)
    return refused, left


def _left(closings: Iterable[Closing], refused: Iterable[Refused | None]) -> set[str]:
    done = (each for each, error in zip(closings, refused, strict=True) if error is None)
    return {each.leaves for each in done if each.leaves is not None}


def _event(choice: Choice, proof: Proof, now_ms: int, method: str) -> Event:
    return Event(os.urandom(_EVENT_BYTES), method, now_ms // 1000, now_ms // 1000, choice, proof)


def _proof(language: str | None, method: str) -> Proof:
    return Proof(notice_language=language, surface=method, evidence=Evidence.SCREEN)
