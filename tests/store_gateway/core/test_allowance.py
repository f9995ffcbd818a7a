"""A few tries at once, then one in so many seconds, whoever tries and whatever comes of it."""

from hypothesis import given
from hypothesis import strategies as st

from store_gateway.core import allowance
from store_gateway.core.allowance import Allowance


@given(
    burst=st.integers(1, 6),
    each_s=st.integers(1, 60),
    waits=st.lists(st.integers(0, 90), min_size=1, max_size=60),
)
def test_no_span_of_time_has_more_than_the_burst_and_its_share(burst: int, each_s: int, waits: list[int]) -> None:
    """Whatever the pauses between the tries are; and who waits as long as was said is let in."""
    found, now_s, taken = Allowance(burst, each_s), 1_000.0, []
    for wait_s in waits:
        now_s += wait_s
        left_s = found.left_s("a", now_s)
        assert found.left_s("b", now_s) == 0, "another's tries are another's"
        if left_s == 0:
            found.take("a", now_s)
            taken.append(now_s)
        else:
            assert left_s <= burst * each_s
            assert found.left_s("a", now_s + left_s) == 0
    for at, first_s in enumerate(taken):
        for count, last_s in enumerate(taken[at:], 1):
            assert count <= burst + (last_s - first_s) / each_s


def test_who_tried_longest_ago_is_forgotten_first(monkeypatch) -> None:
    """The memory is bounded."""
    monkeypatch.setattr(allowance, "_MOST_NAMES", 2)
    found = Allowance(1, 60.0)
    for name in ("a", "b", "c"):
        found.take(name, 0.0)
    assert [found.left_s(name, 1.0) for name in ("a", "b", "c")] == [0, 59, 59]
