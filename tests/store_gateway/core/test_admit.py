"""Which policy may be in force."""

from dataclasses import replace

import pytest

from store_gateway.core import admit
from tests.fakes.hq import STORE, a_main_policy, a_store_policy
from wire import schema
from wire.policy import MAIN_KEY, Zone, store_key


@pytest.mark.parametrize(
    "lacking", [{"legal_basis": ""}, {"retention_days": 0}, {"notice": b""}, {"record_of_processing": ""}]
)
def test_a_policy_with_an_unfounded_purpose_is_refused(lacking: dict[str, object]) -> None:
    """Legal basis, retention, notice and record of processing are each needed, for every purpose."""
    good = a_main_policy()
    assert admit.main_policy(schema.encode(good)) == good
    bad = replace(good, purposes=(*good.purposes, replace(good.purposes[0], **lacking)))
    assert admit.main_policy(schema.encode(bad)) is None


def test_a_body_that_is_no_policy_is_refused() -> None:
    """Noise and another store's zones too."""
    assert admit.main_policy(b"\xff") is None
    assert admit.store_policy(b"", STORE) is None
    assert admit.store_policy(schema.encode(a_store_policy("hamburg-1")), STORE) is None


@pytest.mark.parametrize("kind", ["pharmacy", "Optician", "mens-fitting-room", "WC"])
def test_a_store_that_leaves_open_what_must_be_blind_is_refused(kind: str) -> None:
    """Whoever signed it: the last good policy stays in force. Marked blind it is taken."""
    zone = Zone("z", "Z", kind, ("z-1",), True, (), None)
    good = replace(a_store_policy(), zones=(zone,))
    assert admit.store_policy(schema.encode(good), STORE) == good
    bad = replace(good, zones=(replace(zone, blind=False),))
    assert admit.store_policy(schema.encode(bad), STORE) is None
    assert not admit.is_good(store_key(STORE), schema.encode(bad), STORE)


def test_each_key_has_its_own_schema() -> None:
    """The brand's record under the store's key is nothing."""
    main, store = schema.encode(a_main_policy()), schema.encode(a_store_policy())
    assert admit.is_good(MAIN_KEY, main, STORE)
    assert admit.is_good(store_key(STORE), store, STORE)
    assert not admit.is_good(MAIN_KEY, store, STORE)
    assert not admit.is_good(store_key(STORE), main, STORE)
    assert not admit.is_good(store_key("hamburg-1"), store, STORE)
