"""What a policy lets stores do for one purpose, and in what one version of it goes further than another.

Pure: no I/O, no clock.
"""

from collections.abc import Iterator, Mapping, Sequence

from consent.decide import is_blind
from consent.grants import PRESENCE
from hq.notice import Facts, ScopeFact
from hq.policy_papers import Paper, Recipient
from hq.state import is_wide
from wire import synthetic
from wire.policy import MainPolicy, Purpose, StorePolicy


def facts_of(
    purpose: Purpose,
    main: MainPolicy,
    stores: Sequence[StorePolicy],
    papers: Mapping[str, Paper],
    recipients: Sequence[Recipient],
) -> Facts:
    """The facts of one purpose. Roles see something only of presence and of purposes that disclose or use a scope.

    What is chosen for the brand as a whole (contacts, media) names no stores.
    """
    scopes = tuple(
        ScopeFact(
            one.id, one.retention_days, one.most_items, int(one.least_source), one.special, purpose.id in one.purposes
        )
        for one in main.scopes
        if purpose.id in one.all_purposes
    )
    is_shown = purpose.id == PRESENCE or bool(scopes)
    roles = tuple(one.id for one in main.roles if one.sees_floor and one.id != synthetic.ROLE) if is_shown else ()
    blind = (
        (store.store, zone.id) for store in stores for zone in store.zones if is_shown and is_blind(zone)
    )  # fmt: skip
    wanted = papers.get(purpose.id, Paper()).recipients
    return Facts(
        scopes=scopes,
        roles=roles,
        stores=() if is_wide(purpose.id) else tuple(sorted((one.store, one.label) for one in stores)),
        blind=tuple(sorted(blind)),
        recipients=tuple((one.id, one.name, one.country) for one in recipients if one.id in wanted),
        retention_days=purpose.retention_days,
        legal_basis=purpose.legal_basis,
    )


def widenings(old: Facts, new: Facts) -> Iterator[str]:
    """In what the new goes further than the old, in plain words; nothing: it does not.

    A label that changed is no widening; another legal basis is treated as one, and so is a zone no longer blind.
    """
    before = {one.id: one for one in old.scopes}
    for scope in new.scopes:
        held = before.get(scope.id)
        if held is None:
            yield f"scope {scope.id} is added"
            continue
        if scope.shown and not held.shown:
            yield f"scope {scope.id} is shown, not used alone"
        if scope.retention_days > held.retention_days:
            yield f"scope {scope.id} is shown for {scope.retention_days} days instead of {held.retention_days}"
        if scope.most_items > held.most_items:
            yield f"of scope {scope.id} {scope.most_items} entries are shown instead of {held.most_items}"
        if scope.least_source > held.least_source:
            yield f"scope {scope.id} takes values from further sources"
        if held.special and scope.special != held.special:
            yield f"scope {scope.id} is no longer the special category {held.special}"
    for role in new.roles:
        if role not in old.roles:
            yield f"role {role} may see it"
    stores = {store for store, _ in old.stores}
    for store, _ in new.stores:
        if store not in stores:
            yield f"store {store} is added"
    listed = {store for store, _ in new.stores}
    for store, zone in old.blind:
        if store in listed and (store, zone) not in new.blind:
            yield f"zone {zone} of store {store} is no longer blind"
    known = {name for name, _, _ in old.recipients}
    for recipient, _, country in new.recipients:
        if recipient not in known:
            yield f"recipient {recipient} is added"
        elif (recipient, country) not in {(name, there) for name, _, there in old.recipients}:
            yield f"recipient {recipient} is in another country"
    if new.retention_days > old.retention_days:
        yield f"it is kept for {new.retention_days} days instead of {old.retention_days}"
    if new.legal_basis != old.legal_basis:
        yield "its legal basis is another"
