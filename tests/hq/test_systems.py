"""Other systems: their keys, their rights, and calls that are not done twice."""

import pytest

from hq import systems, systems_tables
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.systems import EVERY_BRAND, Right
from tests.hq.headquarters import STORE, Headquarters


def added(hq: Headquarters, system: str, *rights: Right, brands: tuple[str, ...] = (EVERY_BRAND,)) -> str:
    """A system's key."""
    with writing(hq.engine) as connection:
        return systems.add(connection, system, "", rights, brands, (), hq.now_ms)


def test_a_key_is_known_by_its_hash_and_shown_once(hq: Headquarters) -> None:
    """Nothing in the database opens a system's account, and another key is nobody's."""
    key = added(hq, "shop", Right.PURCHASES)
    with reading(hq.engine) as connection:
        found = systems.identify(connection, key)
        assert found is not None
        assert found[0].id == "shop"
        assert (found[0].may(Right.PURCHASES), found[0].may(Right.STAFF)) == (True, False)
        for wrong in (key[:-1], key + "A", key.lower(), "", "csk_" + "A" * 43):
            assert systems.identify(connection, wrong) is None
        rows = str([tuple(row) for row in connection.execute(systems_tables.system_keys.select())])
    assert key not in rows
    assert key.removeprefix(systems.KEY_PREFIX) not in rows


def test_two_keys_hold_at_once_and_no_third(hq: Headquarters) -> None:
    """A key is changed without a moment in which none holds."""
    first = added(hq, "shop", Right.PURCHASES)
    with writing(hq.engine) as connection:
        second = systems.make_key(connection, "shop", hq.now_ms)
    with writing(hq.engine) as connection, pytest.raises(Refused) as refused:
        systems.make_key(connection, "shop", hq.now_ms)
    assert refused.value.reason is Reason.TOO_MANY
    with writing(hq.engine) as connection:
        found = [systems.identify(connection, one) for one in (first, second)]
        assert None not in found
        old = found[0][1]  # type: ignore[index]
        systems.note_use(connection, old, hq.now_ms)
        systems.revoke_key(connection, "shop", old, hq.now_ms)
        assert systems.identify(connection, first) is None
        assert systems.identify(connection, second) is not None
        (row,) = systems.listed(connection)
        assert [(one.used_ms, one.revoked_ms) for one in row.keys] in (
            [(hq.now_ms, hq.now_ms), (None, None)],
            [(None, None), (hq.now_ms, hq.now_ms)],
        )
        systems.revoke(connection, "shop", hq.now_ms)
        assert systems.identify(connection, second) is None


@pytest.mark.parametrize(
    ("rights", "brands", "reason"),
    [
        ((), ("main",), Reason.MALFORMED),
        ((Right.STAFF,), (), Reason.MALFORMED),
        ((Right.STAFF,), ("x",), Reason.NO_POLICY),
    ],
)
def test_a_system_without_right_or_place_is_refused(
    hq: Headquarters, rights: tuple[Right, ...], brands: tuple[str, ...], reason: Reason
) -> None:
    """No right comes by itself."""
    with pytest.raises(Refused) as refused:
        added(hq, "shop", *rights, brands=brands)
    assert refused.value.reason is reason


def test_a_brand_reaches_its_own_stores_alone(hq: Headquarters) -> None:
    """A system of one brand neither speaks nor hears of another's stores."""
    key = added(hq, "shop", Right.CHANGES, brands=("main",))
    with reading(hq.engine) as connection:
        system, _ = systems.identify(connection, key) or (None, b"")
    assert system is not None
    assert system.reaches(STORE, "main")
    assert not system.reaches("paris-1", "other")
