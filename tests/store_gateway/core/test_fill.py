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
OTHER = "staff/berlin-1"


def nonce(number: int) -> bytes:
    """A nonce."""
    return number.to_bytes(16, "big")


def whole(wanted: Wanted, last: bytes | None = None, as_of: int = 5, part: int = 1, parts: int = 1) -> RecordRange:
    """A range without records that answers what was wanted, up to `last`."""
    return RecordRange(wanted.instance, wanted.first, last or wanted.last, wanted.since, as_of, part, parts, ())


def bytes_of(*numbers: int) -> list[bytes]:
    """Nodes of one byte."""
    return [bytes([number]) for number in numbers]


def end(fill: Fill, now: float) -> bool:
    """Everything that arrived is applied; whether that ended a round."""
    ended = [fill.applied(page, now) for page in fill.pages]
    return any(ended)


def a_round(fill: Fill, now: float, name: str = NAME) -> None:
    """One round that ends at once."""
    assert fill.start(name, 0, now, now) is Start.BEGUN
    (node,) = fill.next_wants(nonce(0), now)
    assert fill.on_range(node, whole(node), now)
    assert end(fill, now)


def test_a_round_begins_at_the_root_and_asks_few_at_a_time() -> None:
    """Never more are in flight, however many children differ; what is not applied yet counts too."""
    fill = Fill()
    assert fill.start(NAME, 0, 0.0, 0.0) is Start.BEGUN
    assert fill.start(NAME, 0, 0.0, 0.0) is Start.NOT_NOW
    root = Wanted.node(NAME, b"")
    assert fill.next_wants(nonce(1), 0.0) == (root,)
    assert not fill.on_children(root, held=bytes_of(*range(20)), absent=(), now_mono_s=0.0)
    asked = fill.next_wants(nonce(2), 0.0)
    assert [(node.first, node.last) for node in asked] == [(bytes([n]), bytes([n])) for n in range(IN_FLIGHT)]
    assert fill.next_wants(nonce(3), 0.0) == ()
    assert not fill.due(0.0)
    assert fill.on_range(asked[0], whole(asked[0]), 0.0)
    assert not fill.due(0.0), "it arrived, and is not applied"
    assert not end(fill, 0.0)
    assert fill.next_wants(nonce(4), 0.0) == (Wanted.node(NAME, bytes([IN_FLIGHT])),)


def test_what_is_wholly_absent_is_asked_for_in_lanes_of_spans() -> None:
    """An empty store asks for no children: four spans over all that differs, then where each left off."""
    fill = Fill()
    fill.start(NAME, 0, 0.0, 0.0)
    (root,) = fill.next_wants(nonce(1), 0.0)
    fill.on_children(root, held=(), absent=bytes_of(*range(256)), now_mono_s=0.0)
    lanes = fill.next_wants(nonce(2), 0.0)
    assert [(lane.first, lane.last) for lane in lanes] == [
        (b"\x00\x00", b"\x3f\xff"), (b"\x40\x00", b"\x7f\xff"), (b"\x80\x00", b"\xbf\xff"), (b"\xc0\x00", b"\xff\xff"),
    ]  # fmt: skip
    assert fill.on_range(lanes[1], whole(lanes[1], b"\x40\xff"), 0.0)
    assert not end(fill, 0.0)
    assert fill.next_wants(nonce(3), 0.0) == (Wanted(NAME, b"\x41\x00", b"\x7f\xff", 0),)


def test_only_what_differs_is_asked_for() -> None:
    """Where something is held the descent goes on, where nothing is a span is asked for, the lowest nodes by spans."""
    fill = Fill()
    fill.start(NAME, 0, 0.0, 0.0)
    (root,) = fill.next_wants(nonce(1), 0.0)
    fill.on_children(root, held=bytes_of(2), absent=bytes_of(5, 6), now_mono_s=0.0)
    node, span = fill.next_wants(nonce(2), 0.0)
    assert (node, span) == (Wanted.node(NAME, b"\x02"), Wanted(NAME, b"\x05\x00", b"\x06\xff", 0))
    fill.on_children(node, held=[b"\x02\x01", b"\x02\x02"], absent=[b"\x02\x03", b"\x02\x09"], now_mono_s=0.0)
    assert fill.next_wants(nonce(3), 0.0) == (
        Wanted(NAME, b"\x02\x01", b"\x02\x03", 0), Wanted(NAME, b"\x02\x09", b"\x02\x09", 0),
    )  # fmt: skip


def test_the_first_round_asks_only_for_what_came_since_and_the_next_for_all() -> None:
    """What was equal then is not asked for again, unless the roots differ all the same."""
    fill = Fill()
    fill.start(NAME, 77, 0.0, 0.0)
    (root,) = fill.next_wants(nonce(1), 0.0)
    assert root == Wanted.node(NAME, b"", 77)
    fill.on_children(root, held=bytes_of(2, 9), absent=bytes_of(4), now_mono_s=0.0)
    (span,) = fill.next_wants(nonce(2), 0.0)
    assert span == Wanted(NAME, b"\x02\x00", b"\x09\xff", 77)
    assert fill.on_range(span, whole(span), 1.0)
    assert end(fill, 1.0)
    assert fill.start(NAME, 77, 2.0, 2.0) is Start.BEGUN
    assert fill.next_wants(nonce(3), 2.0) == (Wanted.node(NAME, b""),)


def test_what_is_not_answered_is_asked_again_and_only_the_last_nonce_counts() -> None:
    """A recording of the first answer says nothing any more; each repeat waits longer, a new connection not at all."""
    fill = Fill()
    fill.start(NAME, 0, 0.0, 0.0)
    (root,) = fill.next_wants(nonce(1), 0.0)
    assert fill.next_wants(nonce(2), RETRY_S - 0.1) == ()
    assert fill.next_wants(nonce(2), RETRY_S) == (root,)
    assert fill.asked(NAME, b"", nonce(1)) is None
    assert fill.asked(NAME, b"", nonce(2)) == root
    assert fill.asked(NAME, b"\x01", nonce(2)) is None
    assert not fill.due(2.9 * RETRY_S)
    assert fill.due(3 * RETRY_S)
    fill.relink()
    assert fill.next_wants(nonce(3), RETRY_S + 0.1) == (root,)


def test_a_range_is_whole_once_all_its_parts_came() -> None:
    """In any order; parts as of another seq begin anew, and no range has more parts than memory allows."""
    fill = Fill()
    fill.start(NAME, 0, 0.0, 0.0)
    (root,) = fill.next_wants(nonce(1), 0.0)
    assert fill.on_range(root, whole(root, part=2, parts=2, as_of=5), 0.0)
    assert fill.on_range(root, whole(root, part=1, parts=3, as_of=7), 1.0)
    assert fill.on_range(root, whole(root, part=1, parts=2, as_of=5), 1.0)
    assert fill.on_range(root, whole(root, part=3, parts=3, as_of=7), 1.0)
    assert fill.on_range(root, whole(root, part=3, parts=3, as_of=7), 1.0)
    assert fill.pages == ()
    assert not fill.on_range(root, whole(root, part=1, parts=MAX_PARTS + 1, as_of=9), 1.0)
    assert not fill.on_range(root, whole(root, part=4, parts=3, as_of=9), 1.0)
    assert fill.next_wants(nonce(2), 1.0 + RETRY_S - 0.1) == (), "parts that still come are waited for"
    assert fill.on_range(root, whole(root, part=2, parts=3, as_of=7), 1.0)
    (page,) = fill.pages
    assert page.parts == tuple(whole(root, part=number, parts=3, as_of=7) for number in (1, 2, 3))


def test_a_range_that_reaches_elsewhere_is_none() -> None:
    """Beyond what was asked, before it, or since a seq that was not named."""
    fill = Fill()
    fill.start(NAME, 0, 0.0, 0.0)
    (root,) = fill.next_wants(nonce(1), 0.0)
    fill.on_children(root, held=(), absent=bytes_of(5), now_mono_s=0.0)
    (span,) = fill.next_wants(nonce(2), 0.0)
    for last in (b"\x06\x00", b"\x04\xff", b"\x05", b""):
        assert not fill.on_range(span, RecordRange(NAME, span.first, last, 0, 5, 1, 1, ()), 0.0)
    assert not fill.on_range(span, RecordRange(NAME, span.first, span.last, 3, 5, 1, 1, ()), 0.0)


def test_small_gating_instances_go_first() -> None:
    """While the staff differs, the members' fill does not take its turn."""
    fill = Fill()
    for name in ("affinity/main", NAME, OTHER, "policy/main"):
        fill.start(name, 0, 0.0, 0.0)
    assert [one.instance for one in fill.next_wants(nonce(1), 0.0)] == ["policy/main", OTHER, NAME, "affinity/main"]


def test_no_round_begins_by_a_root_that_was_asked_for_before_the_last_one_ended() -> None:
    """What the round brought is not in that root, so it says nothing."""
    fill = Fill()
    a_round(fill, 5.0)
    assert fill.start(NAME, 0, 4.0, 6.0) is Start.NOT_NOW
    assert fill.start(NAME, 0, 5.5, 6.0) is Start.BEGUN


def test_what_does_not_agree_after_three_rounds_waits_a_minute_then_longer() -> None:
    """Never an endless refill; it is told for as long as it does not agree, and agreement forgets it."""
    fill, now, waits, rounds = Fill(), 0.0, [], 0
    while len(waits) < 8:
        now += 15.0
        outcome = fill.start(NAME, 0, now, now)
        if outcome is Start.BEGUN:
            rounds += 1
            (node,) = fill.next_wants(nonce(0), now)
            assert fill.on_range(node, whole(node), now)
            assert end(fill, now)
        elif outcome is Start.QUARANTINED:
            assert rounds == ROUNDS
            assert fill.quarantined() == (NAME,)
            rounds, began = 0, now
            while fill.start(NAME, 0, now + 15.0, now + 15.0) is Start.NOT_NOW:
                now += 15.0
            now += 15.0
            waits.append(now - began)
            rounds += 1
            assert fill.quarantined() == (NAME,)
            (node,) = fill.next_wants(nonce(0), now)
            assert fill.on_range(node, whole(node), now)
            assert end(fill, now)
    assert waits == [min(FIRST_QUARANTINE_S * 2**n, LAST_QUARANTINE_S) for n in range(8)]
    assert (FIRST_QUARANTINE_S, LAST_QUARANTINE_S) == (60, 3600)
    fill.agreed(NAME)
    assert fill.quarantined() == ()
    a_round(fill, now)


def test_an_operator_may_have_it_tried_at_once() -> None:
    """Three rounds again, then it waits again."""
    fill = Fill()
    for number in range(ROUNDS):
        a_round(fill, float(number))
    assert fill.start(NAME, 0, 9.0, 9.0) is Start.QUARANTINED
    assert fill.start(NAME, 0, 10.0, 10.0) is Start.NOT_NOW
    assert fill.retry() == 1
    for number in range(ROUNDS):
        a_round(fill, 11.0 + number)
    assert fill.start(NAME, 0, 20.0, 20.0) is Start.QUARANTINED


def test_a_dropped_instance_is_not_asked_for() -> None:
    """HQ names it no more; what arrived of it is not applied either."""
    fill = Fill()
    fill.start(NAME, 0, 0.0, 0.0)
    (root,) = fill.next_wants(nonce(1), 0.0)
    fill.on_range(root, whole(root), 0.0)
    (page,) = fill.pages
    fill.drop(NAME)
    assert fill.pages == ()
    assert not fill.applied(page, 0.0)
    assert fill.asked(NAME, b"", nonce(1)) is None
    assert not fill.due(1e9)
