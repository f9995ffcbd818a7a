"""Below which seq nothing counts any more, node by node."""

from hypothesis import given
from hypothesis import strategies as st

from store_gateway.core.floors import Floors, bounds, prefixes

NODES = st.integers(0, 0xFFFF).map(lambda number: number.to_bytes(2, "big"))
SPANS = st.tuples(NODES, NODES).map(sorted)


@given(st.lists(st.tuples(SPANS, st.integers(1, 50)), max_size=5), st.lists(NODES, min_size=1), SPANS)
def test_a_floor_is_the_highest_of_the_ranges_and_never_sinks(
    raised: list[tuple[list[bytes], int]], asked: list[bytes], around: list[bytes]
) -> None:
    """Of a path, and around a span; and the same when it was kept by its fewest prefixes and read again."""
    floors = Floors()
    for (first, last), as_of in raised:
        floors.raise_(first, last, as_of)
    kept = [(prefix, as_of) for (first, last), as_of in raised for prefix in prefixes(first, last)]
    for found in (floors, Floors(kept)):
        for node in asked:
            highest = max((as_of for (first, last), as_of in raised if first <= node <= last), default=0)
            assert found.at(node + bytes(6)) == highest
        touching = [as_of for (first, last), as_of in raised if first <= around[1] and last >= around[0]]
        assert found.around(*around) == max(touching, default=0)


@given(SPANS)
def test_prefixes_are_the_span_and_few(span: list[bytes]) -> None:
    """Each two-byte node is below exactly one; a whole first byte is one prefix, the whole tree one of no byte."""
    first, last = span
    found = list(prefixes(first, last))
    covered = [
        number
        for one in found
        for number in range(int.from_bytes(bounds(one, one)[0], "big"), int.from_bytes(bounds(one, one)[1], "big") + 1)
    ]
    assert covered == list(range(int.from_bytes(first, "big"), int.from_bytes(last, "big") + 1))
    assert len(found) <= 2 * 255 + 256
    assert list(prefixes(*bounds(b"", b""))) == [b""]
    assert list(prefixes(*bounds(b"\x07", b"\x07"))) == [b"\x07"]


def test_settling_forgets_what_the_whole_instance_has_now() -> None:
    """A higher one stays, as a floor of its node."""
    floors = Floors([(b"\x01", 5), (b"\x02", 9)])
    floors.settle(6)
    assert floors.at(b"\x02" * 8) == 9
    floors.settle(9)
    assert floors.at(b"\x02" * 8) == 0
    assert floors._as_of is None, "and no memory is held"
