"""What every page of the preference centre begins with: who is signed in, HQ's counter, and the browser's own wishes.

A browser that sends `Sec-GPC: 1` is heard wherever it asks for a member (`hq.web.asking`), and that is recorded once.

I/O: reads flask's current request; sqlalchemy.
"""

from hq import choices, gpc, ledger
from hq.office import Office
from hq.publication import Policies
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


def signal(found: Member) -> gpc.Heard | None:
    """What became of the signal, of a browser that sends it or of another one before; None: there was none."""
    if not asking.was_heard(found):
        return None
    with asking.reading() as connection:
        one = choices.opened(connection, asking.parts().keys, found.id)
        return gpc.judge(ledger.of_members(connection, {one.reference: one})[one.reference])


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
