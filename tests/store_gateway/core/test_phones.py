"""The columns hold exactly what HQ said last, in rows that stay where they are."""

import mmap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_gateway.core import phones as phones_module
from store_gateway.core.phones import HELP_BIT, PRESENCE_BIT, Phones, bucket_of

BOTH = HELP_BIT | PRESENCE_BIT
DAY = 20_000


def memory(size: int) -> mmap.mmap:
    """Zero bytes that nobody else sees."""
    return mmap.mmap(-1, size)


def columns() -> Phones:
    """Nobody yet."""
    return Phones(memory, mmap.mmap.close)


def pseudonym(number: int) -> bytes:
    """Some share a bucket, and some hold another's first bytes in their middle."""
    return bytes([number % 3, 0]) + number.to_bytes(14, "big")


def key(number: int) -> bytes:
    """A day key."""
    return (number + 1).to_bytes(16, "little")


def held(found: Phones, day: int) -> dict[bytes, tuple[int, frozenset[bytes]]]:
    """By pseudonym: kinds, and the day's keys."""
    rows: dict[bytes, tuple[int, frozenset[bytes]]] = {}
    for row in range(found.rows):
        own = found.key(day, row)
        kinds, others = rows.get(found.pseudonym(row), (0, frozenset()))
        if own is not None:
            assert own not in others
            rows[found.pseudonym(row)] = (kinds | found.kinds[row], others | {own})
    return rows


steps = st.lists(
    st.one_of(
        st.tuples(st.just("kinds"), st.integers(0, 11), st.sampled_from([0, HELP_BIT, BOTH])),
        st.tuples(st.just("keys"), st.integers(0, 11), st.frozensets(st.integers(0, 5), max_size=4)),
        st.tuples(st.just("bucket"), st.integers(0, 2), st.frozensets(st.integers(0, 11), max_size=6)),
    ),
    max_size=40,
)


@given(steps, st.lists(st.sampled_from([DAY, DAY + 1]), min_size=40, max_size=40))
def test_they_hold_what_was_said_last(said: list[tuple[str, int, frozenset[int] | int]], days: list[int]) -> None:
    """Kinds, one member's keys, a whole bucket, in any order: as in plain dicts; no row is lost or held twice."""
    found = columns()
    kinds: dict[int, int] = {}
    keys: dict[int, dict[int, frozenset[bytes]]] = {DAY: {}, DAY + 1: {}}
    for day in keys:
        found.begin_day(day)
    for (what, number, value), day in zip(said, days, strict=False):
        if isinstance(value, int):
            kinds[number] = value
            found.put_kinds(pseudonym(number), value)
        elif what == "keys":
            keys[day][number] = frozenset(key(16 * number + one) for one in value)
            found.put_keys(day, pseudonym(number), keys[day][number])
        else:
            bucket = bucket_of(pseudonym(number))
            for other in [other for other in keys[day] if bucket_of(pseudonym(other)) == bucket]:
                del keys[day][other]
            named = [other for other in value if bucket_of(pseudonym(other)) == bucket]
            keys[day] |= {other: frozenset({key(other)}) for other in named}
            found.put_bucket(day, bucket, [(pseudonym(other), (key(other),)) for other in value])
    for day, by_number in keys.items():
        assert held(found, day) == {
            pseudonym(number): (kinds.get(number, 0), its_keys) for number, its_keys in by_number.items() if its_keys
        }
    known = {number for number, value in kinds.items() if value}
    known |= {number for by_number in keys.values() for number, its_keys in by_number.items() if its_keys}
    assert {found.pseudonym(row) for row in range(found.rows) if found.kinds[row]} == {
        pseudonym(number) for number, value in kinds.items() if value
    }
    assert len(found) >= len(known)


def test_a_row_stays_while_its_phone_is_known() -> None:
    """Another's coming and going moves no row; a free one is used again."""
    found = columns()
    found.begin_day(DAY)
    for number in range(6):
        found.put_kinds(pseudonym(number), BOTH)
        found.put_keys(DAY, pseudonym(number), (key(number),))
    before = {found.pseudonym(row): row for row in range(found.rows)}
    found.put_keys(DAY, pseudonym(2), ())
    found.put_kinds(pseudonym(2), 0)
    assert (len(found), found.rows) == (5, 6)
    found.put_kinds(pseudonym(9), HELP_BIT)
    assert found.rows == 6
    after = {found.pseudonym(row): row for row in range(found.rows)}
    assert after.pop(pseudonym(9)) == before.pop(pseudonym(2))
    assert after == before


def test_what_changed_is_told() -> None:
    """Gained: a new key or kind; lost: a kind or key that went. The same again is no change."""
    found = columns()
    found.begin_day(DAY)
    found.put_kinds(pseudonym(1), HELP_BIT)
    turned = found.put_keys(DAY, pseudonym(1), (key(1), key(2)))
    assert (turned.gained, turned.lost) == ([0, 1], [])
    turned = found.put_keys(DAY, pseudonym(1), (key(2), key(1)))
    assert (turned.gained, turned.lost) == ([], [])
    turned = found.put_kinds(pseudonym(1), BOTH)
    assert (turned.gained, turned.lost) == ([0, 1], [])
    turned = found.put_kinds(pseudonym(1), HELP_BIT)
    assert (turned.gained, turned.lost) == ([], [0, 1])
    turned = found.put_keys(DAY, pseudonym(1), (key(3), key(1)))
    assert (turned.gained, turned.lost) == ([1], [1])
    turned = found.put_bucket(DAY, bucket_of(pseudonym(1)), ())
    assert (turned.gained, sorted(turned.lost)) == ([], [0, 1])
    assert len(found) == 1  # it bears the mode until HQ says otherwise


def test_a_day_that_is_over_leaves_nothing() -> None:
    """Its keys are gone, the other day's stay, and who has neither mode nor key goes with the next bucket."""
    found = columns()
    given: list[mmap.mmap] = []
    found = Phones(memory, given.append)
    for day in (DAY, DAY + 1):
        found.begin_day(day)
        found.put_keys(day, pseudonym(day), (key(day),))
    column = found.days[DAY]
    found.drop_day(DAY)
    found.drop_day(DAY)
    assert given == [column]
    assert held(found, DAY) == {}
    assert held(found, DAY + 1) == {pseudonym(DAY + 1): (0, frozenset({key(DAY + 1)}))}
    found.put_bucket(DAY + 1, bucket_of(pseudonym(DAY)), ())
    assert pseudonym(DAY) not in {found.pseudonym(row) for row in range(found.rows)}


def test_phones_beyond_the_bound_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not recognised, and nothing else is disturbed."""
    monkeypatch.setattr(phones_module, "MOST_ROWS", 3)
    found = columns()
    found.begin_day(DAY)
    for number in range(4):
        found.put_kinds(pseudonym(number), BOTH)
    found.put_keys(DAY, pseudonym(0), (key(0), key(1)))
    assert (len(found), found.refused) == (3, 2)
    assert held(found, DAY) == {pseudonym(0): (BOTH, frozenset({key(0)}))}
