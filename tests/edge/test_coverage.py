"""What is said of a receiver's place: the phone is told from beacons, and each verdict is for its cause."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.coverage import Coverage, Limits, Verdict, percentile
from edge.picture import draw

PHONE, NEXT, BEACON, STRANGER = (bytes((number,)) * 16 for number in range(1, 5))
LIMITS = Limits(-80, -88)


def _hear(parts, seconds):
    """What is found of (token or None, from_ms, to_ms, every_ms, dbm) parts."""
    adverts = sorted((at, token, dbm) for token, begin, end, every, dbm in parts for at in range(begin, end, every))
    coverage = Coverage(LIMITS)
    for at, token, dbm in adverts:
        coverage.hear((token,) if token else (), dbm, at)
    return coverage.found(seconds * 1000)


HELD = (PHONE, 0, 5000, 250, -40)


@pytest.mark.parametrize(
    ("parts", "seconds", "verdict"),
    [
        ([], 60, Verdict.NOTHING),
        ([(b"", 0, 60_000, 100, -50)], 60, Verdict.NO_PHONE),
        ([(PHONE, 0, 60_000, 100, None)], 60, Verdict.NO_PHONE),
        ([HELD, (PHONE, 5000, 19_000, 250, -60)], 19, Verdict.TOO_SHORT),
        ([HELD, (PHONE, 5000, 60_000, 250, -80)], 60, Verdict.GOOD),
        ([HELD, (PHONE, 5000, 60_000, 250, -81)], 60, Verdict.TOO_WEAK),
        ([HELD, (PHONE, 5000, 40_000, 250, -70), (PHONE, 40_000, 60_000, 250, -90)], 60, Verdict.PATCHY),
        ([HELD, (PHONE, 5000, 60_000, 12_000, -60)], 60, Verdict.GAPS),
        ([HELD], 60, Verdict.GAPS),
        ([HELD, (PHONE, 5000, 60_000, 9_000, -60)], 60, Verdict.GOOD),
    ],
)
def test_each_verdict_has_its_cause(parts, seconds, verdict):
    """Nobody, no phone, too short, silences, weakness, and what is good, at the policy's own limits."""
    found = _hear(parts, seconds)
    assert found.verdict is verdict
    said = draw("receiver till-1", seconds, LIMITS, found).splitlines()[-1]
    words = {"NOTHING": "nothing heard", "NO_PHONE": "no phone", "GAPS": "silent too long", "TOO_SHORT": "too short"}
    assert words.get(verdict.name, verdict.value.replace("_", " ")) in said


def test_the_seconds_at_the_receiver_are_not_judged():
    """A phone that is strong at the receiver and weak everywhere else is weak."""
    found = _hear([HELD, (PHONE, 5000, 60_000, 250, -90)], 60)
    assert (found.strength, found.enough) == ((-90, -90, -90), 0.0)
    assert found.holding is False
    assert _hear([HELD], 4).holding is True
    assert found.gap_ms == 250


def test_a_beacon_that_is_nearer_later_is_not_taken_for_the_phone():
    """The phone is the one that was held at the receiver, however strong a beacon of the shop is afterwards."""
    found = _hear([HELD, (PHONE, 5000, 60_000, 250, -90), (BEACON, 0, 60_000, 100, -55)], 60)
    assert found.verdict is Verdict.TOO_WEAK
    assert len(found.all_signals) == found.adverts == 20 + 220 + 600
    assert found.phone_adverts == 220


def test_a_phone_that_changes_its_token_is_followed():
    """The token that begins where the phone's ends is its next; one that was there before, or comes later, is not."""
    parts = [HELD, (PHONE, 5000, 30_000, 250, -70), (NEXT, 30_100, 60_000, 250, -72)]
    found = _hear([*parts, (BEACON, 0, 60_000, 300, -60), (STRANGER, 50_000, 60_000, 250, -50)], 60)
    assert {signal for _, signal in found.signals} == {-70, -72}
    assert found.longest_gap_ms < 1000
    assert found.verdict is Verdict.GOOD


def test_an_unknown_signal_is_heard_and_not_drawn():
    """A signal that is not known counts as an advert of the phone, and as no strength."""
    found = _hear([HELD, (PHONE, 5000, 60_000, 500, -70), (PHONE, 5250, 60_000, 500, -127)], 60)
    assert found.phone_adverts == 220
    assert found.strength == (-70, -70, -70)
    assert len(found.signals) == 110


@given(st.lists(st.integers(-127, 20), min_size=1), st.floats(0, 1))
def test_a_percentile_is_one_of_the_values(values, share):
    """At least that share lies at or below it, and less than that below the one before."""
    values.sort()
    found = percentile(values, share)
    assert found in values
    assert sum(one <= found for one in values) >= share * len(values) - 1e-9
    assert sum(one < found for one in values) <= share * len(values)


adverts = st.tuples(
    st.integers(0, 90_000),
    st.lists(st.sampled_from([PHONE, NEXT, BEACON]), max_size=2).map(tuple),
    st.none() | st.integers(-200, 40),
)


@settings(max_examples=30)
@given(st.lists(adverts, max_size=60), st.integers(1, 90), st.integers(-110, -20), st.integers(0, 30))
def test_a_picture_fits_a_terminal_and_names_nobody(heard, seconds, enter_dbm, below):
    """Whatever was heard: 23 lines of at most 79 characters, without colours, and no token among them."""
    limits = Limits(enter_dbm, max(enter_dbm - below, -127))
    coverage = Coverage(limits)
    for at, tokens, dbm in sorted(heard, key=lambda one: one[0]):
        coverage.hear(tokens, dbm, at)
    found = coverage.found(seconds * 1000)
    assert 0 <= found.enough <= 1
    assert found.longest_gap_ms >= found.gap_ms >= 0
    picture = draw("receiver a-node-with-a-name-of-forty-characters", seconds, limits, found)
    assert len(picture.splitlines()) == 23
    assert max(map(len, picture.splitlines())) <= 79
    assert "\x1b" not in picture
    assert not any(token.hex()[:8] in picture for token in (PHONE, NEXT, BEACON))
