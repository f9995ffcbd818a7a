"""Tokens are recognised by whoever holds the day key, in the slots that count, and by nobody else."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_gateway.core.directory import MOST_CHANGED, Directory
from store_gateway.core.table import HELP_BIT, PRESENCE_BIT, Row, Table, lay_out
from wire.token import Kind, sign, token

SLOT = 3_000_000
DAY = SLOT // 144
BOTH = HELP_BIT | PRESENCE_BIT


def block(rows: list[Row], first_slot: int = SLOT - 1) -> bytes:
    """A table's block."""
    return b"".join(lay_out(rows, first_slot))


def directory(rows: list[Row], first_slot: int = SLOT - 1) -> Directory:
    """A directory with that table."""
    found = Directory()
    assert found.adopt(Table(memoryview(block(rows, first_slot))), found.number)
    return found


def row(number: int, kinds: int = BOTH, day: int = DAY) -> Row:
    """A phone with keys of its own."""
    return Row(number.to_bytes(16, "big"), kinds, day, (number * 7919 + day).to_bytes(16, "little"))


@given(
    kinds=st.lists(st.sampled_from([HELP_BIT, BOTH]), min_size=1, max_size=40),
    kind=st.sampled_from(Kind),
    offset=st.integers(-4, 4),
    border=st.integers(0, 143),
)
def test_exactly_the_tokens_of_accepted_slots_and_kinds_resolve(
    kinds: list[int], kind: Kind, offset: int, border: int
) -> None:
    """Slots before, of and after now; a kind only where the mode allows it; over midnight as within the day."""
    now_slot = DAY * 144 + border
    rows = [row(number, one, day) for number, one in enumerate(kinds) for day in (DAY - 1, DAY, DAY + 1)]
    found = directory(rows, now_slot - 1)
    slot = now_slot + offset
    for one in rows:
        if one.day != slot // 144:
            continue
        who = found.resolve(token(one.day_key, kind, slot), now_slot)
        if abs(offset) <= 1 and one.kinds >> kind & 1:
            assert who is not None
            assert (who.pseudonym, who.kind, who.slot) == (one.pseudonym, kind, slot)
            shown = sign(one.day_key, slot)
            assert who.sign == ((shown.colour.value, f"{shown.digits:02d}") if kind is Kind.HELP else None)
        else:
            assert who is None


@given(noise=st.lists(st.binary(min_size=16, max_size=16), max_size=50))
def test_noise_is_nobodys(noise: list[bytes]) -> None:
    """Random tokens resolve to nothing, with and without a table."""
    for found in (Directory(), directory([row(number) for number in range(50)])):
        assert [found.resolve(one, SLOT) for one in noise] == [None] * len(noise)


def test_an_equal_fingerprint_is_not_enough() -> None:
    """A token whose first eight bytes are a member's and whose rest is not is nobody's."""
    one = row(1)
    right = token(one.day_key, Kind.HELP, SLOT)
    found = directory([one])
    assert found.resolve(right[:8] + bytes(8), SLOT) is None
    assert found.resolve(right, SLOT) is not None


def test_a_change_takes_the_tables_word_away_at_once() -> None:
    """A member who went quiet is unknown, one in mode help by help alone, new keys at once; repeats included."""
    one, other = row(1), row(2)
    found = directory([one, other])
    tokens = {kind: token(one.day_key, kind, SLOT) for kind in Kind}
    assert all(found.resolve(heard, SLOT) for heard in tokens.values())
    found.change(one.pseudonym, HELP_BIT, [(DAY, (one.day_key,))], SLOT)
    assert found.resolve(tokens[Kind.PRESENCE], SLOT) is None
    assert found.resolve(tokens[Kind.HELP], SLOT) is not None
    found.change(one.pseudonym, 0, (), SLOT)
    assert found.resolve(tokens[Kind.HELP], SLOT) is None
    new_key = os.urandom(16)
    found.change(one.pseudonym, BOTH, [(DAY, (new_key,))], SLOT)
    assert found.resolve(tokens[Kind.HELP], SLOT) is None
    assert found.resolve(token(new_key, Kind.HELP, SLOT + 1), SLOT) is not None
    assert found.resolve(token(other.day_key, Kind.HELP, SLOT), SLOT) is not None


def test_a_table_read_before_a_change_does_not_undo_it() -> None:
    """What changed while the table was made stays laid over it; what changed before is in it."""
    one, other = row(1), row(2)
    found = directory([one, other])
    found.change(other.pseudonym, 0, (), SLOT)
    number = found.number
    found.change(one.pseudonym, 0, (), SLOT)
    assert found.adopt(Table(memoryview(block([one]))), number)
    assert found.resolve(token(one.day_key, Kind.HELP, SLOT), SLOT) is None
    assert found.changed == 1
    found.change(one.pseudonym, BOTH, [(DAY, (one.day_key,))], SLOT)
    assert found.resolve(token(one.day_key, Kind.HELP, SLOT), SLOT) is not None


def test_too_many_changes_set_the_table_aside() -> None:
    """Beyond the bound nothing resolves until a table is adopted that was read later."""
    one = row(MOST_CHANGED + 1)
    found = directory([one])
    before = found.number
    for number in range(MOST_CHANGED + 1):
        found.change(number.to_bytes(16, "big"), 0, (), SLOT)
    assert found.resolve(token(one.day_key, Kind.HELP, SLOT), SLOT) is None
    assert not found.adopt(Table(memoryview(block([one]))), before)
    assert found.adopt(Table(memoryview(block([one]))), found.number)
    assert found.resolve(token(one.day_key, Kind.HELP, SLOT), SLOT) is not None


@pytest.mark.parametrize("length", [0, 8, 63, 64, 200])
def test_a_block_that_is_cut_short_is_refused(length: int) -> None:
    """A child that died half-way made no table."""
    with pytest.raises(ValueError):
        Table(memoryview(block([row(1), row(2)])[:length]))
