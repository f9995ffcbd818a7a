"""Judges a grant by the policies of its stores: one choice for each brand and jurisdiction.

I/O: sqlalchemy.
"""

from dataclasses import replace

from hq import door
from hq.errors import Reason, Refused
from hq.publication import Policies
from hq.state import Choice
from wire import synthetic
from wire.policy import Policy


def choices_of(policies: Policies, frame: Choice, notice: bytes | None, *, reserved: bool = False) -> list[Choice]:
    """A grant's frame judged by its stores' policies: one choice for each of them and each jurisdiction.

    So each names its brand, whose policy it is, and that policy's version.

    Raises:
        Refused: an unknown store, one without a policy, or something that its policy does not declare.
    """
    if (synthetic.ROLE in frame.roles) is not reserved:
        raise Refused(Reason.UNDECLARED_ROLE, "roles", "roles that the store's policy declares")
    if not frame.stores:
        return [_wide_choice(policies, frame, notice)]
    groups: dict[tuple[str, str], list[tuple[str, Policy]]] = {}
    for store in frame.stores:
        name = policies.name(store)
        if name is None:
            raise Refused(Reason.UNKNOWN_STORE, "stores", "the ids of stores")
        if frame.brand not in (None, name):
            raise Refused(Reason.OTHER_BRAND, "stores", "stores of the brand that is named")
        policy = policies.of(store)
        if policy is None:
            raise Refused(Reason.NO_POLICY, "stores", "stores whose policy is published")
        groups.setdefault((name, policy.store.jurisdiction), []).append((store, policy))
    return [
        door.check_scopes(
            replace(frame, stores=tuple(store for store, _ in group), brand=name, jurisdiction=jurisdiction),
            group[0][1].main,
            {zone.id for _, policy in group for zone in policy.store.zones},
            notice,
        )
        for (name, jurisdiction), group in groups.items()
    ]


def _wide_choice(policies: Policies, frame: Choice, notice: bytes | None) -> Choice:
    """A grant for a whole brand."""
    main = None if frame.brand is None else policies.main(frame.brand)
    if main is None:
        raise Refused(Reason.NO_POLICY, "brand", "a brand whose policy is published")
    return door.check_scopes(frame, main, set(), notice)
