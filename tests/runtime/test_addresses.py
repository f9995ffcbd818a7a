"""The addresses of a cluster's nodes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.addresses import Address, Turns, all_of


def test_further_hosts_have_the_first_ones_port_unless_they_say_otherwise() -> None:
    """HOST, HOST:PORT, and IPv6 in brackets."""
    found = all_of("a.example", 8883, ("b.example", "c.example:8884", "[fd00::1]:1", "[::1]"))
    assert found == (
        Address("a.example", 8883), Address("b.example", 8883), Address("c.example", 8884),
        Address("fd00::1", 1), Address("::1", 8883),
    )  # fmt: skip
    assert [one.is_loopback for one in found] == [False, False, False, False, True]


@pytest.mark.parametrize("text", ["", "a b", "a:", "a:0", "a:65536", "a:x", "fd00::1", ":1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """With the form in the words, not with the text."""
    with pytest.raises(ValueError, match="HOST:PORT"):
        all_of("a", 1, (text,))


@given(st.integers(1, 6), st.floats(0, 1))
def test_every_address_has_its_turn(count: int, chance: float) -> None:
    """As many attempts as there are addresses try each one once, wherever they begin."""
    addresses = tuple(Address("a", number + 1) for number in range(count))
    turns = Turns(addresses, lambda: chance)
    for _ in range(3):
        assert {turns.take() for _ in range(count)} == set(addresses)
