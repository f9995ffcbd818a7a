"""What the database shows of what other systems brought, without HQ's wrapping key."""

from sqlalchemy import select

from hq import contacts, erasure, membership, purchases, purchases_intake, systems, systems_intake, webhooks
from hq.changes_tables import dead_letters, gone_members, hooks
from hq.contacts_tables import contacts as contact_rows
from hq.database import reading, writing
from hq.door import Grant
from hq.purchases_tables import purchases as purchase_rows
from hq.purchases_told import Mark
from hq.systems import EVERY_BRAND, Right, System
from hq.systems_calls import Answer, once
from hq.systems_line import Line
from hq.systems_tables import merges, system_calls, system_keys, system_refusals
from tests.hq.headquarters import STORE, Headquarters

SHOP = System("shop", frozenset(Right), frozenset({EVERY_BRAND}), frozenset())
TABLES = (purchase_rows, contact_rows, gone_members, hooks, dead_letters, system_calls, system_keys, system_refusals,
          merges)  # fmt: skip


def cells(hq: Headquarters) -> bytes:
    """Every cell of the tables of other systems."""
    found = b""
    with reading(hq.engine) as connection:
        for table in TABLES:
            for row in connection.execute(select(table)):
                found += b"\n".join(one if isinstance(one, bytes) else str(one).encode() for one in row)
    return found


def test_no_value_of_a_member_stands_open(hq: Headquarters) -> None:
    """Neither what was bought, marked, offered, refused or answered, nor who was erased, nor a key or a secret."""
    with writing(hq.engine) as connection:
        key = systems.add(connection, "shop", "", tuple(Right), [EVERY_BRAND], (), hq.now_ms)
        _, secret = webhooks.add(connection, hq.keys.custody, "shop", "https://shop.example.com/", hq.now_ms)
    for member in ("cnry-member1", "cnry-member2"):
        hq.join(member, "history.store", "service.open")
        hq.office.grant(
            member, Grant("contact.email", (), until_days=9, chosen_s=hq.now_s, brand="main"), hq.now_ms
        )  # fmt: skip
        items = [{"item": "cnry-item", "label": "cnry-label"}]
        bought = {"member": member, "reference": "cnry-receipt", "store": STORE, "at": hq.now_s, "items": items}
        case = {"member": member, "reference": "r", "kind": "service", "at": hq.now_s, "subject": "cnry-subject"}
        rows = [Line(1, bought), Line(2, case), Line(3, bought | {"at": "cnry-time"}), Line(4, "cnry-line")]
        systems_intake.run(
            hq.engine, "shop", "purchases", rows,
            lambda batch: purchases_intake.take(hq.engine, hq.keys, SHOP, batch, hq.now_ms), hq.now_ms,
        )  # fmt: skip
        asked = {"member": member, "channel": "email", "brand": "main", "offer": {"id": "cnry-offer"}}
        ((decision,), _) = contacts.decide(hq.engine, hq.keys, SHOP, [Line(1, asked)], hq.now_ms)
        assert decision.denied is None
    with writing(hq.engine) as connection:
        locked = membership.lock_by_id(connection, hq.keys.custody, ["cnry-member1"])
        ((_, held),) = purchases.of_members(connection, locked).items()
    purchases.mark(hq.engine, hq.keys, "cnry-member1", held[0].id, None, Mark.GIFT, hq.now_ms)
    once(hq.engine, hq.keys.custody, "shop", "cnry-key", b"cnry-call", hq.now_ms, lambda: Answer(200, b"cnry-answer"))
    erasure.erase(hq.engine, hq.keys, "cnry-member2", hq.now_ms)
    dumped = cells(hq)
    assert b"malformed" in dumped, "the needles' own haystack"
    assert b"cnry" not in dumped
    assert key.encode() not in dumped
    assert secret.encode() not in dumped
    with reading(hq.engine) as connection:
        assert len(connection.execute(select(purchase_rows)).all()) == 2, "those of who was erased are gone"
        assert len(connection.execute(select(gone_members)).all()) == 1
