"""The child's tables hold every token of every phone of that slot, and a block that is not whole is refused."""

import mmap
import os
import subprocess
import sys
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_gateway import build_table
from store_gateway.build_table import build
from store_gateway.core.phones import HELP_BIT, PRESENCE_BIT, Phones
from store_gateway.core.table import HEAD_BYTES, Table, head, size_for
from store_gateway.keyring import nameless
from wire.token import Kind, day_of_slot, token

DAY = 20_000
SLOT = DAY * 144 + 70
BOTH = HELP_BIT | PRESENCE_BIT


def columns(said: list[tuple[int, list[tuple[int, bytes]]]]) -> Phones:
    """For each member its kinds, and (day, day key)."""
    found = Phones(nameless, lambda block: None)
    for number, (kinds, keys) in enumerate(said):
        pseudonym = os.urandom(2) + number.to_bytes(14, "big")
        found.put_kinds(pseudonym, kinds)
        for day, key in keys:
            found.begin_day(day)
            found.put_keys(day, pseudonym, (key,))
    return found


def blocks(found: Phones, slots: tuple[int, ...]) -> dict[int, bytearray]:
    """What the child makes of it."""
    made: dict[int, bytearray] = {}

    def allot(slot: int, size: int) -> bytearray:
        made[slot] = bytearray(size)
        return made[slot]

    assert build(found.rows, found.kinds, found.days, slots, allot)
    return made


members = st.lists(
    st.tuples(
        st.sampled_from([0, HELP_BIT, BOTH, PRESENCE_BIT]),
        st.lists(st.tuples(st.sampled_from([DAY - 1, DAY]), st.binary(min_size=16, max_size=16)), max_size=2),
    ),
    max_size=60,
)


@given(members, st.integers(DAY * 144 - 3, DAY * 144 + 3), st.sampled_from([1, 7, 16_384]))
def test_it_equals_a_plain_dict_of_tokens(
    said: list[tuple[int, list[tuple[int, bytes]]]], first_slot: int, at_once: int
) -> None:
    """For any kinds and keys, in parts of any size, over midnight too: all tokens, and no other."""
    found = columns(said)
    slots = tuple(range(first_slot, first_slot + 4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build_table, "_AT_ONCE", at_once)
        made = blocks(found, slots)
    assert made.keys() == set(slots)
    for slot, block in made.items():
        expected: dict[int, list[int]] = defaultdict(list)
        for row in range(found.rows):
            key = found.key(day_of_slot(slot), row)
            for kind in Kind:
                if key is not None and found.kinds[row] >> kind & 1:
                    expected[int.from_bytes(token(key, kind, slot)[:8], "big")].append(row)
        table = Table(memoryview(block))
        assert table.slot == slot
        assert len(table) == sum(map(len, expected.values()))
        assert {one: sorted(table.rows(one)) for one in expected} == {
            one: sorted(rows) for one, rows in expected.items()
        }
        for other in (0, 2**64 - 1, *(one + 1 for one in expected), *(one - 1 for one in expected)):
            assert other in expected or not 0 <= other < 2**64 or table.rows(other) == ()


@given(st.data())
def test_a_block_that_is_cut_or_corrupted_is_refused(data: st.DataObject) -> None:
    """Any other length, any byte that is another."""
    said = [(BOTH, [(DAY, bytes([number + 1]) * 16)]) for number in range(data.draw(st.integers(0, 9)))]
    block = bytes(blocks(columns(said), (SLOT,))[SLOT])
    assert len(Table(memoryview(block))) == 2 * len(said)
    for other in (block[: data.draw(st.integers(0, len(block) - 1))], block + b"\x00"):
        with pytest.raises(ValueError):
            Table(memoryview(other))
    spoilt = bytearray(block)
    spoilt[data.draw(st.integers(0, len(block) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError):
        Table(memoryview(spoilt))


def test_equal_fingerprints_lead_to_all_their_rows() -> None:
    """Tokens may begin alike: all their rows are told, whatever lies around them."""
    fingerprints = [5, 7, 7, 7, 2**63, 2**64 - 1, 2**64 - 1]
    content = b"".join(
        number.to_bytes(size, sys.byteorder)
        for size, numbers in ((8, fingerprints), (4, [0, 4, 7]), (4, range(7)))
        for number in numbers
    )
    assert HEAD_BYTES + len(content) == size_for(7)
    table = Table(memoryview(head(7, 7, SLOT, memoryview(content)) + content))
    assert [table.rows(one) for one in (5, 6, 7, 2**63, 2**64 - 1)] == [(0,), (), (1, 2, 3), (4,), (5, 6)]


def test_nobody_waiting_ends_the_work() -> None:
    """A gateway that is gone leaves no child at work, and nothing that passes for a table."""
    found = columns([(BOTH, [(DAY, b"k" * 16)])])
    assert not build(found.rows, found.kinds, found.days, (SLOT,), lambda _, size: bytearray(size), lambda: False)
    block = os.memfd_create("test")
    kinds, column = found.kinds, found.days[DAY]
    arguments = [str(kinds.fd), f"{DAY}:{column.fd}", f"{SLOT}:{block}"]
    child = subprocess.Popen(
        [sys.executable, "-m", "store_gateway.build_table", str(found.rows), *arguments],
        stdin=subprocess.DEVNULL,
        pass_fds=(kinds.fd, column.fd, block),
    )
    assert child.wait(60) == 1
    with pytest.raises(ValueError):
        Table(memoryview(mmap.mmap(block, 0)))
    os.close(block)


def test_only_the_child_imports_numpy() -> None:
    """It would cost the gateway 30 MB."""
    code = "import sys, store_gateway.__main__; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
