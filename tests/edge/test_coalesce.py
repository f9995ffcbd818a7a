"""Folding: one sighting per token and window, with the strongest signal and every advert counted."""

from hypothesis import given
from hypothesis import strategies as st

from edge.coalesce import Coalescer
from wire.sighting import COUNT_MAX, Sighting, encode_batch

A, B, C = (bytes([number]) * 16 for number in (1, 2, 3))

adverts = st.lists(
    st.tuples(
        st.lists(st.sampled_from([A, B, C]), unique=True, max_size=3).map(tuple),
        st.none() | st.integers(-200, 200),
    ),
    max_size=40,
)


def test_one_sighting_tells_the_strongest_signal_and_first_and_last():
    """Three adverts of one token in a window are one sighting."""
    heard = Coalescer("till-1")
    for rssi_dbm, now_ms in ((-70, 100), (-55, 200), (-90, 300)):
        heard.hear((A,), rssi_dbm, now_ms)
    assert heard.take() == [Sighting("till-1", A, -55, 3, 100, 300)]
    assert heard.take() == []


def test_an_unknown_signal_is_no_measurement():
    """-127, HCI's 127 and none all mean "not known"; a known signal among them counts."""
    heard = Coalescer("till-1")
    for rssi_dbm in (-127, 127, None, -128):
        heard.hear((A,), rssi_dbm, 1)
        heard.hear((B,), rssi_dbm, 1)
    heard.hear((B,), -126, 2)
    assert [one.rssi_dbm for one in heard.take()] == [None, -126]


@given(adverts)
def test_every_window_can_be_sent_and_counts_add_up(sequence):
    """Whatever is heard, each token comes once, every advert of it is counted, and the gateway's format takes it."""
    heard = Coalescer("till-1")
    for now_ms, (tokens, rssi_dbm) in enumerate(sequence):
        heard.hear(tokens, rssi_dbm, now_ms)
    assert heard.adverts == len(sequence)
    assert heard.candidates == sum(1 for tokens, _ in sequence if tokens)
    assert heard.last_advert_ms == max(len(sequence) - 1, 0)
    sightings = heard.take()
    assert {one.token: one.count for one in sightings} == {
        token: count for token in (A, B, C) if (count := sum(1 for tokens, _ in sequence if token in tokens))
    }
    assert len(encode_batch("till-1", sightings)) == (1 if sightings else 0)


def test_a_flood_is_bounded_and_what_finds_no_room_is_counted():
    """Random tokens beyond the room are dropped and counted; those heard before go on being folded."""
    heard = Coalescer("till-1", room=10)
    for number in range(1000):
        heard.hear((number.to_bytes(16, "big"),), -60, number)
    heard.hear((bytes(16),), -40, 1000)
    assert heard.drops == 990
    sightings = heard.take()
    assert len(sightings) == 10
    assert (sightings[0].count, sightings[0].rssi_dbm) == (2, -40)
    heard.hear((A,), -60, 1001)
    assert len(heard.take()) == 1


def test_a_count_stays_within_its_field():
    """More adverts of one token than the format can count are told as the most it can."""
    heard = Coalescer("till-1")
    for _ in range(COUNT_MAX + 5):
        heard.hear((A,), -60, 1)
    [sighting] = heard.take()
    assert sighting.count == COUNT_MAX


def test_what_only_passed_is_noticed_when_somebody_looks():
    """Adverts without a token are counted at once; when the last was heard is told at the next look, and stays."""
    heard = Coalescer("till-1")
    heard.notice(50)
    assert heard.last_advert_ms == 0
    heard.passed()
    heard.passed()
    assert (heard.adverts, heard.last_advert_ms) == (2, 0)
    heard.notice(100)
    heard.notice(200)
    assert heard.last_advert_ms == 100
    heard.hear((A,), -60, 250)
    heard.notice(300)
    assert (heard.adverts, heard.candidates, heard.last_advert_ms) == (3, 1, 250)
    assert len(heard.take()) == 1
