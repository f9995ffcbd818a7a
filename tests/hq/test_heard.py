"""What stores said waits its turn."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from hq import heard as bounds
from hq.heard import Heard


def test_a_store_that_talks_a_lot_holds_up_nobody() -> None:
    """Turns go round the stores; of the talker the oldest are dropped."""
    heard = Heard()
    for number in range(100):
        heard.put("loud", b"%d" % number)
    heard.put("quiet", b"q")
    taken = [heard.take(0) for _ in range(18)]
    assert taken[:2] == [b"84", b"q"]
    assert taken[2:] == [b"%d" % number for number in range(85, 100)] + [None]
    assert heard.overflow == 84


def test_in_all_it_is_bounded() -> None:
    """What comes above the bound is dropped and counted; what was taken makes room."""
    heard = Heard()
    for number in range(bounds.MOST + 5):
        heard.put(f"s-{number}", b"x")
    assert heard.overflow == 5
    assert heard.take(0) == b"x"
    heard.put("late", b"y")
    assert [heard.take(0) for _ in range(bounds.MOST + 1)] == [b"x"] * (bounds.MOST - 1) + [b"y", None]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 255)), max_size=30))
def test_each_store_is_answered_in_its_own_order(said: list[tuple[str, int]]) -> None:
    """Whatever the others say in between."""
    heard = Heard()
    for store, number in said:
        heard.put(store, f"{store}{number}".encode())
    taken = []
    while (payload := heard.take(0)) is not None:
        taken.append(payload.decode())
    for store in "abc":
        told = [f"{store}{number}" for one, number in said if one == store]
        assert [one for one in taken if one[0] == store] == told[-bounds.MOST_OF_STORE :]


def test_who_waits_is_woken() -> None:
    """By what comes, in another thread."""
    heard, found = Heard(), []
    waiting = threading.Thread(target=lambda: found.append(heard.take(20)))
    waiting.start()
    heard.put("s", b"p")
    waiting.join(20)
    assert found == [b"p"]
