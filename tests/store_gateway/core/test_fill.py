"""What is asked for where an instance differs."""

from store_gateway.core.fill import (
    FIRST_QUARANTINE_S,
    IN_FLIGHT,
    LAST_QUARANTINE_S,
    MAX_PARTS,
    RETRY_S,
    ROUNDS,
    Fill,
    Start,
)
from wire.sync import RecordRange, Wanted

NAME = "members/berlin-1"


def nonce(number: int) -> bytes:
    """A nonce."""
    return number.to_bytes(16, "big")


def a_round(fill: Fill, now: float) -> None:
    """One round that ends at once."""
    assert fill.start(NAME, now, now) is Start.BEGUN
    (node,) = fill.next_wants(nonce(0), now)
    assert fill.answered(node, (), now)


def test_a_round_begins_at_the_root_and_goes_down_eight_at_a_time() -> None:
    """Never more are in flight, however many children differ."""
    fill = Fill()
    assert fill.start(NAME, 0.0, 0.0) is Start.BEGUN
    assert fill.start(NAME, 0.0, 0.0) is Start.NOT_NOW
    root = Wanted.node(NAME, b"")
    assert fill.next_wants(nonce(1), 0.0) == (root,)
    assert not fill.answered(root, tuple(bytes([n]) for n in range(20)), 0.0)
    asked = fill.next_wants(nonce(2), 0.0)
    assert [node.first for node in asked] == [bytes([n]) for n in range(IN_FLIGHT)]
    assert fill.next_wants(nonce(3), 0.0) == ()
    assert not fill.due(0.0)
    fill.answered(asked[0], (), 0.0)
    assert [node.first for node in fill.next_wants(nonce(4), 0.0)] == [bytes([IN_FLIGHT])]


def test_what_is_not_answered_is_asked_again_and_only_the_last_nonce_counts() -> None:
    """A recording of the first answer says nothing any more."""
    fill = Fill()
    fill.start(NAME, 0.0, 0.0)
    (root,) = fill.next_wants(nonce(1), 0.0)
    assert fill.next_wants(nonce(2), RETRY_S - 0.1) == ()
    assert fill.next_wants(nonce(2), RETRY_S) == (root,)
    assert not fill.is_asked(root, nonce(1))
    assert fill.is_asked(root, nonce(2))
    assert not fill.is_asked(Wanted.node(NAME, b"\x01"), nonce(2))


def test_a_range_is_whole_once_all_its_parts_came() -> None:
    """In any order; parts as of another seq begin anew, and no range has more parts than memory allows."""
    fill = Fill()
    fill.start(NAME, 0.0, 0.0)
    (root,) = fill.next_wants(nonce(1), 0.0)

    def part(number: int, of: int, as_of: int) -> RecordRange:
        return RecordRange(NAME, b"", b"", 0, as_of, number, of, ())

    assert fill.collect(root, part(2, 2, 5), 0.0) is None
    assert fill.collect(root, part(1, 3, 7), 1.0) is None
    assert fill.collect(root, part(1, 2, 5), 1.0) is None
    assert fill.collect(root, part(3, 3, 7), 1.0) is None
    assert fill.collect(root, part(3, 3, 7), 1.0) is None
    assert fill.collect(root, part(2, 3, 7), 1.0) == tuple(part(number, 3, 7) for number in (1, 2, 3))
    assert fill.collect(root, part(1, MAX_PARTS + 1, 9), 1.0) is None
    assert fill.next_wants(nonce(2), 1.0 + RETRY_S - 0.1) == (), "parts that still come are waited for"


def test_no_round_begins_by_a_root_that_was_asked_for_before_the_last_one_ended() -> None:
    """What the round brought is not in that root, so it says nothing."""
    fill = Fill()
    a_round(fill, 5.0)
    assert fill.start(NAME, 4.0, 6.0) is Start.NOT_NOW
    assert fill.start(NAME, 5.5, 6.0) is Start.BEGUN


def test_what_does_not_agree_after_three_rounds_waits_a_minute_then_longer() -> None:
    """Never an endless refill; agreement forgets it."""
    fill, now, waits, rounds = Fill(), 0.0, [], 0
    while len(waits) < 2:
        now += 15.0
        outcome = fill.start(NAME, now, now)
        if outcome is Start.BEGUN:
            rounds += 1
            (node,) = fill.next_wants(nonce(0), now)
            assert fill.answered(node, (), now)
        elif outcome is Start.QUARANTINED:
            assert rounds == ROUNDS
            rounds, began = 0, now
            while fill.start(NAME, now + 15.0, now + 15.0) is Start.NOT_NOW:
                now += 15.0
            now += 15.0
            waits.append(now - began)
            rounds += 1
            (node,) = fill.next_wants(nonce(0), now)
            assert fill.answered(node, (), now)
    assert waits == [FIRST_QUARANTINE_S, 2 * FIRST_QUARANTINE_S]
    assert LAST_QUARANTINE_S == 3600
    fill.agreed(NAME)
    a_round(fill, now)


def test_a_dropped_instance_is_not_asked_for() -> None:
    """HQ names it no more."""
    fill = Fill()
    fill.start(NAME, 0.0, 0.0)
    (root,) = fill.next_wants(nonce(1), 0.0)
    fill.drop(NAME)
    assert not fill.is_asked(root, nonce(1))
    assert not fill.due(1e9)
