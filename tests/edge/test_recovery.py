"""The ladder of recovery: what is done to a silent radio, and when."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edge.recovery import ILL_S, PAUSES_S, SILENCE_S, Step, begun, ended, foot, look
from wire.sighting import RadioState

BEGIN = foot(0.0)


def _silent_for(seconds, ladder=BEGIN, heard_mono_s=0.0, begin=0):
    """The steps taken, with their times, while nothing is heard."""
    steps = []
    for now in range(begin, begin + seconds):
        ladder, step = look(ladder, heard_mono_s, float(now))
        if step is not None:
            steps.append((now, step, ladder.state(float(now))))
            ladder = ended(begun(ladder), float(now))
    return steps, ladder


def test_nothing_is_done_before_half_a_minute_of_silence():
    """A radio that heard somebody within 30 s is left alone."""
    steps, ladder = _silent_for(int(SILENCE_S))
    assert steps == []
    assert ladder.state(SILENCE_S) is RadioState.HEARING


def test_the_steps_grow_harsher_and_end_ill():
    """Restart, a new scanner, power off and on; then the radio is told ill, and tried again for ever."""
    steps, ladder = _silent_for(400)
    assert [step for _, step, _ in steps[:3]] == [Step.RESTART, Step.REBUILD, Step.POWER_CYCLE]
    assert steps[0][0] == SILENCE_S
    assert steps[2][0] <= 45
    assert [state for *_, state in steps[:4]] == [RadioState.HEARING, *[RadioState.RECOVERING] * 3]
    assert ladder.state(400.0) is RadioState.ILL
    assert {step for _, step, _ in steps[3:]} == {Step.REBUILD, Step.POWER_CYCLE}


def test_pauses_grow_and_are_capped_so_that_it_hears_within_45_s():
    """However long bluetoothd was away, the next try comes at most 30 s after it is back."""
    steps, _ = _silent_for(3600)
    gaps = [later - earlier for (earlier, *_), (later, *_) in pairwise(steps)]
    assert gaps == sorted(gaps)
    assert max(gaps) == max(PAUSES_S) <= 40


def test_a_step_that_takes_long_delays_no_illness():
    """While BlueZ does not answer the radio is recovering from the first step on, and ill before anybody is gone."""
    ladder, step = look(BEGIN, 0.0, SILENCE_S)
    assert step is Step.RESTART
    ladder = begun(ladder)
    assert ladder.state(SILENCE_S) is RadioState.RECOVERING
    assert ladder.state(ILL_S - 0.1) is RadioState.RECOVERING
    assert ladder.state(ILL_S) is RadioState.ILL
    assert ILL_S < 50
    ladder, _ = look(ended(ladder, ILL_S + 1), ILL_S + 2, ILL_S + 2)
    assert ladder.state(ILL_S + 2) is RadioState.HEARING


def test_an_advert_ends_recovery():
    """One advert of anybody after the last step, and the ladder begins at its foot."""
    _, ladder = _silent_for(200)
    ladder, step = look(ladder, 199.5, 200.0)
    assert step is None
    assert ladder.state(200.0) is RadioState.HEARING
    steps, _ = _silent_for(32, ladder, heard_mono_s=199.5, begin=200)
    assert [(now, step) for now, step, _ in steps] == [(230, Step.RESTART)]


@given(st.lists(st.tuples(st.floats(0.01, 60), st.booleans()), max_size=200))
def test_no_step_comes_while_somebody_is_heard(ticks):
    """For any rhythm of looks and adverts, a step needs 30 s without an advert, or an earlier step that failed."""
    ladder, now, heard = foot(0.0), 0.0, 0.0
    last_step = None
    for later, advert in ticks:
        now += later
        if advert:
            heard = now
        ladder, step = look(ladder, heard, now)
        if step is not None:
            assert now - heard >= SILENCE_S or (last_step is not None and last_step >= heard)
            assert step is not Step.RESTART or now - heard >= SILENCE_S
            last_step = now
            ladder = ended(begun(ladder), now)
