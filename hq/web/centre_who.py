"""What every page of the preference centre begins with: who is signed in, HQ's counter, and the browser's own wishes.

A browser that sends `Sec-GPC: 1` is heard wherever it asks for a member (`hq.web.asking`), and that is recorded once.

I/O: reads flask's current request; sqlalchemy.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from hq import choices, gpc, ledger, notices
from hq.asking import Why
from hq.office import Office
from hq.publication import Policies
from hq.state import is_wide
from hq.web import asking
from hq.web.asking import Member
from wire.policy import Policy

HOME = "/"
ANYWHERE = "UTC"  # the zone of times that belong to no store


def counter() -> Office:
    """Where choices are handed in."""
    return Office(asking.parts().engine, asking.parts().keys)


def member() -> Member:
    """The member who is signed in; their browser's signal is heard.

    Raises:
        Problem: SIGNED_OUT.
    """
    return asking.member()


@dataclass(frozen=True, slots=True, repr=False)
class Seen:
    """What one instant of the database says of a member.

    `signal`: what became of the signal of a browser that sends it, or sent it before; None: there was none. `may_ask`:
    why, by purpose.
    """

    chosen: choices.Choices
    signal: gpc.Heard | None
    may_ask: dict[str, Why]


def seen(connection: Connection, found: Member) -> Seen:
    """Choices, signal and what may be asked: their events are read and opened once."""
    one = choices.opened(connection, asking.parts().keys, found.id)
    events = ledger.of_members(connection, {one.reference: one})[one.reference]
    chosen = choices.of_events(connection, one, events, asking.now_ms())
    heard = any(event.method == gpc.METHOD for event in events)
    may_ask = notices.why_ask_after(connection, events, asking.now_ms())
    if not chosen.stores:  # nothing new is asked; what was agreed to for a whole brand can run out all the same
        may_ask = {one: why for one, why in may_ask.items() if is_wide(one) and why is not Why.NEVER}
    return Seen(chosen, gpc.judge(events, asking.now_ms() // 1000) if heard else None, may_ask)


def standing(found: Member) -> choices.Choices:
    """Everything that the member chose, as it stands now."""
    with asking.reading() as connection:
        return choices.of_member(connection, asking.parts().keys, found.id, asking.now_ms())


def policies(stores: list[str]) -> dict[str, Policy]:
    """The policies of these stores; one without is left out."""
    with asking.reading() as connection:
        known = Policies(connection)
        found = {one: known.of(one) for one in stores}
    return {store: policy for store, policy in found.items() if policy is not None}


def zone_of(known: dict[str, Policy], store: str) -> str:
    """The time zone in which times of a store are told."""
    policy = known.get(store)
    return policy.store.time_zone if policy is not None else ANYWHERE
