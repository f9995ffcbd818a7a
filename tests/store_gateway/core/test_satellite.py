"""One satellite as the gateway hears it: in order, once, in time, for its own nodes."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from store_gateway.core.satellite import LOST_MOST, PAST_SESSIONS, Drop, Satellite
from wire import satellite, sighting
from wire.satellite import NUMBER_MAX, SatelliteFrame
from wire.sighting import Batch, Health, RadioReason, RadioState, Sighting

NOW_S = 5_000.0
SENT_MS = 70_000  # by the satellite's own clock
TOKEN = b"t" * 16
HEALTH = Health("shoes-1", "replay", RadioState.ILL, RadioReason.SILENT, 69_000, 5, 4, 3, ())


def batch(node: str = "shoes-1", token: bytes = TOKEN) -> bytes:
    """A datagram with one sighting."""
    (datagram,) = sighting.encode_batch(node, [Sighting(node, token, -60, 2, SENT_MS - 200, SENT_MS - 50)])
    return datagram


def frame(number: int, sent_ms: int = SENT_MS, session: bytes = b"s" * 16, datagram: bytes | None = None) -> bytes:
    """A message of the satellite."""
    return satellite.encode(SatelliteFrame(session, number, sent_ms, datagram or batch()))


def test_a_batch_is_heard_by_our_own_clock() -> None:
    """Node, token, signal and count as sent; the instants moved to the gateway's boot clock."""
    heard = Satellite(("shoes-1",)).take(frame(1), NOW_S)
    assert heard == Batch("shoes-1", (Sighting("shoes-1", TOKEN, -60, 2, 4_999_800, 4_999_950),))


def test_health_is_heard_by_our_own_clock() -> None:
    """Its last advert too, except that "none yet" stays."""
    one = Satellite(("shoes-1",))
    assert one.take(frame(1, datagram=sighting.encode_health(HEALTH)), NOW_S) == replace(
        HEALTH, last_advert_ms=4_999_000
    )
    never = replace(HEALTH, last_advert_ms=0)
    assert one.take(frame(2, SENT_MS + 250, datagram=sighting.encode_health(never)), NOW_S + 0.25) == never


def test_what_is_missing_between_two_numbers_is_counted() -> None:
    """The first of a session only says where it begins."""
    one = Satellite(("shoes-1",))
    for number, sent_ms in ((5, SENT_MS), (6, SENT_MS + 250), (9, SENT_MS + 1_000)):
        assert isinstance(one.take(frame(number, sent_ms), NOW_S + (sent_ms - SENT_MS) / 1000), Batch)
    assert one.counts["lost"] == 2
    assert one.counts["frames"] == 3
    one.take(frame(NUMBER_MAX, SENT_MS + 1_250), NOW_S + 1.25)
    assert one.counts["lost"] == 2 + LOST_MOST, "a number out of the air makes no figure that says nothing"


def test_a_frame_that_came_already_is_dropped() -> None:
    """Said again, or an earlier one said after it."""
    one = Satellite(("shoes-1",))
    one.take(frame(1), NOW_S)
    one.take(frame(3), NOW_S)
    for number in (3, 2, 1):
        assert one.take(frame(number), NOW_S) is Drop.REPEATED
    assert one.counts[Drop.REPEATED] == 3


def test_a_frame_of_an_earlier_session_is_dropped() -> None:
    """A recording made before the satellite started again does not begin a session."""
    one = Satellite(("shoes-1",))
    one.take(frame(1, session=b"a" * 16), NOW_S)
    one.take(frame(1, session=b"b" * 16), NOW_S)
    assert one.take(frame(2, session=b"a" * 16), NOW_S) is Drop.REPEATED
    assert isinstance(one.take(frame(2, session=b"b" * 16), NOW_S), Batch)
    for n in range(PAST_SESSIONS):
        one.take(frame(1, session=n.to_bytes(16, "big")), NOW_S)
    assert one.take(frame(2, session=b"b" * 16), NOW_S) is Drop.REPEATED


def test_a_new_session_begins_with_a_new_clock() -> None:
    """A satellite that booted again counts its time from zero, and is heard."""
    one = Satellite(("shoes-1",))
    one.take(frame(400, 10_000_000), NOW_S)
    assert isinstance(one.take(frame(1, 30_000, session=b"n" * 16), NOW_S + 60), Batch)
    assert one.counts["lost"] == 0


def test_what_was_held_back_is_dropped() -> None:
    """Older than two seconds against the quickest; what follows in time is heard."""
    one = Satellite(("shoes-1",))
    one.take(frame(1), NOW_S)
    assert one.take(frame(2, SENT_MS + 250), NOW_S + 2.5) is Drop.STALE
    assert isinstance(one.take(frame(3, SENT_MS + 2_600), NOW_S + 2.6), Batch)
    assert one.counts[Drop.STALE] == 1


def test_a_satellite_speaks_for_its_own_nodes_alone() -> None:
    """Neither sightings nor health of another's node are taken, a blind zone's included."""
    one = Satellite(("shoes-1", "shoes-2"))
    assert isinstance(one.take(frame(1, datagram=batch("shoes-2")), NOW_S), Batch)
    assert one.take(frame(2, datagram=batch("pharmacy-1")), NOW_S) is Drop.FOREIGN
    other = sighting.encode_health(replace(HEALTH, node="hats-1"))
    assert one.take(frame(3, datagram=other), NOW_S) is Drop.FOREIGN
    assert one.counts[Drop.FOREIGN] == 2


@given(st.binary(max_size=100) | st.builds(lambda one: frame(1, datagram=one), st.binary(min_size=1, max_size=80)))
def test_nonsense_is_a_counted_drop(payload: bytes) -> None:
    """As a frame, and as what is in one; the next good frame is heard."""
    one = Satellite(("shoes-1",))
    assert one.take(payload, NOW_S) is Drop.MALFORMED
    assert one.counts[Drop.MALFORMED] == 1
    assert isinstance(one.take(frame(1), NOW_S), Batch)


@given(st.lists(st.tuples(st.sampled_from([b"a" * 16, b"b" * 16]), st.integers(1, 9), st.integers(0, 9_000)),
                max_size=40))  # fmt: skip
def test_no_frame_is_heard_twice_whatever_the_order(said: list[tuple[bytes, int, int]]) -> None:
    """Of each session and number at most one is taken, and within a session the numbers ascend."""
    one, taken = Satellite(("shoes-1",)), []
    for n, (session, number, sent_ms) in enumerate(said):
        if isinstance(one.take(frame(number, sent_ms, session), NOW_S + n), Batch):
            taken.append((session, number))
    assert len(set(taken)) == len(taken)
    for session in {session for session, _ in taken}:
        numbers = [number for of, number in taken if of == session]
        assert numbers == sorted(numbers)
