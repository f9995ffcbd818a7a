"""A PIN that is set in a store: in force there at once, told to HQ, taken over there and in the other stores.

The real HQ and the real replica.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from hq import event_bodies, records
from hq.database import reading
from hq.tables import store_events
from tests.contracts.test_sync import Shop
from tests.contracts.test_sync import shop as shop
from tests.hq.headquarters import STORE
from wire import schema, synthetic
from wire.member import Staff
from wire.sync import Collection, EventKind, PinSet, instance

NEW = "$argon2id$v=19$m=19456,t=2,p=1$bmV3bmV3bmV3bmV3$bmV3"
OTHER = "paris-2"


def hired(shop: Shop, associate: str = "nina", store: str = STORE) -> None:
    """HQ names an associate with a PIN."""
    shop.hq.office.add_staff(associate, store, associate.title(), "associate", "2580", shop.hq.now_ms)


def pin(associate: str = "nina", verifier: str = NEW) -> PinSet:
    """What the doors keep."""
    return PinSet(associate, "mia", "tablet-1", verifier, 0)


def at_hq(shop: Shop, associate: str = "nina", store: str = STORE) -> Staff | None:
    """HQ's record."""
    with reading(shop.hq.engine) as connection:
        body = records.body(connection, instance(Collection.STAFF, store), associate.encode())
    return None if body is None else schema.decode(Staff, body)


def laid_over(shop: Shop) -> int:
    """How many PINs the store holds over HQ's records."""
    vault = shop.replica._hq.vault
    assert vault is not None
    return len(vault._cache.local("pins"))


def verifier(shop: Shop, associate: str = "nina") -> str:
    """What a PIN is verified against in the store."""
    found = shop.replica.staff(associate)
    return "" if found is None else found.pin_verifier


def away(shop: Shop) -> None:
    """HQ cannot be reached."""
    shop.replica.on_link(False, shop.now_s)


def test_a_pin_set_while_hq_is_away_holds_at_once_and_over_a_restart(shop: Shop) -> None:
    """On the disk before it is answered; HQ takes it over when it is back, and the local one goes."""
    hired(shop)
    shop.up()
    before = verifier(shop)
    away(shop)
    shop.replica.set_pin(pin(), shop.now_s)
    assert before != verifier(shop) == NEW
    assert dict(shop.replica.all_staff())["nina"].pin_verifier == NEW
    assert laid_over(shop) == 1
    held = at_hq(shop)
    assert held is not None and held.pin_verifier == before
    shop.restart()
    shop.up()
    assert verifier(shop) == NEW
    shop.run(60)
    held = at_hq(shop)
    assert held is not None and held.pin_verifier == NEW and held.active
    assert (laid_over(shop), verifier(shop)) == (0, NEW)
    shop.check()


def test_the_file_and_hqs_events_have_no_verifier(shop: Shop, tmp_path: Path) -> None:
    """Sealed in the cache; HQ's record is sealed, and the event that HQ keeps says who, when and by whose code."""
    hired(shop)
    shop.up()
    away(shop)
    shop.replica.set_pin(pin(), shop.now_s)
    for file in tmp_path.glob("cache.db*"):
        assert NEW.encode() not in file.read_bytes() and b"nina" not in file.read_bytes()
    shop.up()
    shop.run(30)
    with reading(shop.hq.engine) as connection:
        rows = connection.execute(select(store_events).where(store_events.c.kind == int(EventKind.PIN_SET))).all()
        (body,) = event_bodies.open_(connection, shop.hq.keys, rows)
    said = schema.decode(PinSet, body or b"")
    assert (said.associate, said.by, said.tablet, said.verifier) == ("nina", "mia", "tablet-1", "")
    for file in tmp_path.glob("hq.db*"):
        assert NEW.encode() not in file.read_bytes()


def test_of_two_pins_the_later_one_holds(shop: Shop) -> None:
    """HQ gives another one while the store is away: the one that was set last, here and there."""
    hired(shop)
    hired(shop, "ben")
    shop.up()
    away(shop)
    shop.replica.set_pin(pin("nina"), shop.now_s)
    shop.hq.now_ms += 60_000
    hired(shop, "nina")
    hired(shop, "ben")
    shop.hq.now_ms += 60_000
    shop.replica.set_pin(pin("ben"), shop.now_s)
    shop.up()
    shop.run(60)
    for associate in ("nina", "ben"):
        held = at_hq(shop, associate)
        assert held is not None and held == shop.replica.staff(associate)
    assert NEW == verifier(shop, "ben") != verifier(shop, "nina")
    assert laid_over(shop) == 0


def test_a_pin_that_is_set_twice_in_one_instant_is_the_second(shop: Shop) -> None:
    """Each counts as set later than the one that it replaces."""
    hired(shop)
    shop.up()
    away(shop)
    shop.replica.set_pin(pin(), shop.now_s)
    shop.replica.set_pin(pin(verifier=NEW + "2"), shop.now_s)
    assert (laid_over(shop), verifier(shop)) == (1, NEW + "2")
    shop.up()
    shop.run(60)
    held = at_hq(shop)
    assert held is not None and held.pin_verifier == NEW + "2"


def test_hqs_deactivation_always_wins(shop: Shop) -> None:
    """Also over a PIN that was set after it, by a store that did not know."""
    hired(shop)
    shop.up()
    away(shop)
    shop.hq.office.deactivate_staff("nina", STORE, shop.hq.now_ms)
    shop.hq.now_ms += 60_000
    shop.replica.set_pin(pin(), shop.now_s)
    shop.up()
    shop.run(60)
    found = shop.replica.staff("nina")
    assert found is not None and not found.active and found.pin_verifier == ""
    assert (at_hq(shop), laid_over(shop)) == (found, 0)


def test_the_associates_other_stores_know_it_and_no_store_speaks_for_others(shop: Shop) -> None:
    """One person in the chain; but not who is no associate of that store, nor the synthetic one."""
    shop.hq.office.add_store(OTHER, "Paris", Ed25519PrivateKey.generate().public_key().public_bytes_raw(), "main",
                             shop.hq.now_ms)  # fmt: skip
    stores = tuple(replace(shop.hq.draft.stores[0], store=one) for one in (STORE, OTHER))
    shop.hq.draft = replace(shop.hq.draft, stores=stores)
    shop.hq.publish()
    for associate, store in (("nina", STORE), ("nina", OTHER), ("leo", OTHER)):
        hired(shop, associate, store)
    shop.hq.office.add_staff(
        synthetic.ASSOCIATE, STORE, "Synthetic", synthetic.ROLE, "258013", shop.hq.now_ms, reserved=True
    )
    shop.up()
    for associate in ("nina", "leo", "ghost", synthetic.ASSOCIATE):
        shop.replica.record(shop.now_s, (EventKind.PIN_SET, None, replace(pin(associate), set_ms=2**52)))
    shop.run(30)
    for store in (STORE, OTHER):
        held = at_hq(shop, "nina", store)
        assert held is not None and held.pin_verifier == NEW
        assert held.pin_set_ms is not None and held.pin_set_ms <= shop.hq.now_ms + 60_000, "nor is it set in the future"
    for associate, store in (("leo", OTHER), (synthetic.ASSOCIATE, STORE)):
        held = at_hq(shop, associate, store)
        assert held is not None and held.pin_verifier.startswith("$argon2id$") and held.pin_verifier != NEW
    assert at_hq(shop, "ghost") is None


def test_a_write_that_fails_keeps_the_old_pin(shop: Shop) -> None:
    """In memory as on the disk."""
    hired(shop)
    shop.up()
    before = verifier(shop)
    vault = shop.replica._hq.vault
    assert vault is not None
    with pytest.raises(ZeroDivisionError), vault.writing(shop.now_s):
        vault.people.put_pin(99, "nina", NEW, shop.hq.now_ms + 1)
        assert verifier(shop) == NEW
        _ = 1 // 0
    assert (verifier(shop), laid_over(shop)) == (before, 0)
