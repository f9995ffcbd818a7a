"""What a member answers to an associate's proposal: confirmed, the item is on the member's own list; declined, nowhere.

I/O: sqlalchemy.
"""

from dataclasses import replace

from sqlalchemy import Connection

from hq import choosing, membership, office, proposals, publication
from hq.database import writing
from hq.membership import Locked
from hq.office import Office
from hq.proposals import Proposed
from wire.items import ItemList
from wire.member import Field, Item, SourceClass, Value, ValueClass

SCOPES = {ItemList.WISHLIST: "wishlist", ItemList.BASKET: "basket.online"}
_MOST_ITEMS = 128  # of a value


def confirm(counter: Office, member: str, ref: str, now_ms: int, method: str) -> bool:
    """Puts what was proposed onto the member's list; False: no such proposal stands.

    Raises:
        Refused: no such member, or no policy declares such a list.
    """
    with writing(counter.engine) as connection:
        one = choosing.lock(connection, counter, member)
        told = proposals.of_member(connection, counter.keys, one.reference, now_ms)
        found = next((proposed for proposed in told if proposed.ref == ref), None)
        if found is None or not proposals.take_off(connection, one.reference, ref):
            return False
        locked = {one.reference: one}
        field = _with(connection, one, found, now_ms // 1000, method)
        office.put_fields(connection, locked, [field], office.all_policies(connection))
        publication.refresh(connection, counter.keys, locked, now_ms, urgent=True)
    return True


def decline(counter: Office, member: str, ref: str) -> bool:
    """Takes a proposal away; False: no such one stands. Raises: Refused."""
    with writing(counter.engine) as connection:
        one = choosing.lock(connection, counter, member)
        return proposals.take_off(connection, one.reference, ref)


def _with(connection: Connection, one: Locked, found: Proposed, now_s: int, method: str) -> Field:
    """The list with the item: at its end, or as many more of it."""
    scope = SCOPES[found.to]
    held = {field.scope: field for field in membership.fields(connection, {one.reference: one}).get(one.reference, ())}
    old = held.get(scope)
    before = (old.value.items or ()) if old is not None else ()
    same = next((item for item in before if item.item == found.item), None)
    quantity = found.quantity + (same.quantity or 0 if same is not None else 0)
    new = Item(found.item, found.label, now_s, quantity, False)
    items = (*(item for item in before if item.item != found.item), new)[-_MOST_ITEMS:]
    if old is not None:
        return replace(old, value=Value(items=items), confirmed_s=now_s)
    return Field(scope, Value(items=items), SourceClass.ZERO, method, ValueClass.ENGAGEMENT, now_s, now_s)
