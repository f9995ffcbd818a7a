"""Below which seq nothing counts any more, node by node."""

from hypothesis import given
from hypothesis import strategies as st

from store_gateway.core.floors import Floors, kept

NODES = st.integers(0, 0xFFFF).map(lambda number: number.to_bytes(2, "big"))
SPANS = st.tuples(NODES, NODES).map(sorted)


@given(st.lists(st.tuples(SPANS, st.integers(1, 50)), max_size=5), st.lists(NODES, min_size=1), SPANS)
def test_a_floor_is_the_highest_of_the_ranges_and_never_sinks(
    raised: list[tuple[list[bytes], int]], asked: list[bytes], around: list[bytes]
) -> None:
    """Of a path, and around a span; and the same when it was kept and read again."""
    floors = Floors()
    for (first, last), as_of in raised:
        floors.raise_(first, last, as_of)
    rows = [(kept(first, last), as_of) for (first, last), as_of in raised]
    for found in (floors, Floors(rows)):
        for node in asked:
            highest = max((as_of for (first, last), as_of in raised if first <= node <= last), default=0)
            assert found.at(node + bytes(6)) == highest
        touching = [as_of for (first, last), as_of in raised if first <= around[1] and last >= around[0]]
        assert found.around(*around) == max(touching, default=0)


def test_floors_of_the_first_version_are_prefixes() -> None:
    """Of none, one or two bytes."""
    floors = Floors([(b"", 1), (b"\x07", 5), (b"\x07\xff", 9)])
    assert [floors.at(path + bytes(6)) for path in (b"\x06\xff", b"\x07\x00", b"\x07\xff", b"\x08\x00")] == [1, 5, 9, 1]


def test_settling_forgets_what_the_whole_instance_has_now() -> None:
    """A higher one stays, as a floor of its node."""
    floors = Floors([(b"\x01", 5), (b"\x02", 9)])
    floors.settle(6)
    assert floors.at(b"\x02" * 8) == 9
    floors.settle(9)
    assert floors.at(b"\x02" * 8) == 0
    assert floors._as_of is None, "and no memory is held"
