"""Which iPhone in the background is asked for its token, how often, and what is remembered of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.overflow import (
    AGAIN_S,
    BACK_S,
    CONNECTING_S,
    FOREIGN_S,
    FORGET_S,
    FRESH_S,
    MINUTE_S,
    PAUSES_S,
    PHONES_MAX,
    RADIO_S,
    READ_S,
    READS_MAX,
    TOKEN_S,
    Memory,
    Outcome,
    Planner,
)

TOKEN = bytes(range(16))
OTHER = bytes(range(16, 32))
PHONE = "/org/bluez/hci0/dev_C0_00_00_00_00_01"
ROUNDING_S = 1e-6
NO_TOKEN = (Outcome.FOREIGN, Outcome.MALFORMED, Outcome.REFUSED)


def _path(number):
    return f"/org/bluez/hci0/dev_{number:012X}"


def _read(planner, now_s, outcome=Outcome.TOKEN, token=TOKEN, takes_s=0.5):
    """One whole read; the path that was read, None where none was due."""
    path = planner.begin(now_s)
    if path is not None:
        planner.end(outcome, token if outcome is Outcome.TOKEN else None, now_s + takes_s)
    return path


def _heard_until(planner, path, since_s, until_s, step_s=5.0):
    """The phone is heard every few seconds, and nobody is read; its tokens."""
    tokens = []
    now_s = since_s
    while now_s < until_s:
        tokens.append(planner.hear(path, -60, now_s))
        now_s += step_s
    return tokens


def test_a_phone_is_read_once_and_then_each_advert_is_a_sighting():
    """Before the read an advert says nothing; after it each says the token, and nobody is asked again for minutes."""
    planner = Planner()
    assert planner.hear(PHONE, -60, 0.0) is None
    assert planner.begin(0.0) == PHONE
    assert planner.hear(PHONE, -71, 0.2) is None
    assert planner.end(Outcome.TOKEN, TOKEN, 0.5) == -71
    now_s = 1.0
    while now_s < AGAIN_S:
        assert planner.hear(PHONE, -60, now_s) == TOKEN
        assert planner.begin(now_s) is None
        now_s += 5
    assert planner.outcomes == {Outcome.TOKEN: 1}


def test_a_phone_is_read_again_when_its_token_has_passed_and_without_a_gap():
    """From eight minutes on it is asked again; the old token serves until the new one is there, ten minutes at most."""
    planner = Planner()
    planner.hear(PHONE, -60, 0.0)
    _read(planner, 0.0)
    assert set(_heard_until(planner, PHONE, 1.0, AGAIN_S + 1)) == {TOKEN}
    assert _read(planner, AGAIN_S + 1, Outcome.NO_ANSWER, takes_s=READ_S) == PHONE
    assert planner.hear(PHONE, -60, AGAIN_S + 10) == TOKEN
    assert planner.begin(AGAIN_S + 10) is None
    again_s = AGAIN_S + 1 + READ_S + PAUSES_S[0]
    planner.hear(PHONE, -60, again_s)
    assert _read(planner, again_s, token=OTHER) == PHONE
    assert planner.hear(PHONE, -60, again_s + 1) == OTHER
    planner.hear(PHONE, -60, again_s + 0.5 + TOKEN_S - 1)
    assert planner.hear(PHONE, -60, again_s + 0.5 + TOKEN_S) is None


@pytest.mark.parametrize("outcome", NO_TOKEN)
def test_another_apps_phone_is_left_in_peace(outcome):
    """A phone without our service, with another answer or that wants pairing is not asked again for 15 minutes."""
    planner = Planner()
    planner.hear(PHONE, -40, 0.0)
    assert _read(planner, 0.0, outcome, takes_s=0.0) == PHONE
    now_s = 5.0
    while now_s < FOREIGN_S:
        assert planner.hear(PHONE, -40, now_s) is None
        assert planner.begin(now_s) is None
        now_s += 5
    planner.hear(PHONE, -40, FOREIGN_S)
    assert planner.begin(FOREIGN_S) == PHONE


@pytest.mark.parametrize("outcome", [Outcome.NO_ANSWER, Outcome.FAILED])
def test_a_phone_that_cannot_be_read_is_asked_after_growing_pauses(outcome):
    """Each failure in a row makes the pause longer; an answer makes it short again."""
    planner = Planner()
    now_s = 0.0
    for pause_s in (*PAUSES_S, PAUSES_S[-1]):
        planner.hear(PHONE, -40, now_s)
        assert _read(planner, now_s, outcome, takes_s=0.0) == PHONE
        _heard_until(planner, PHONE, now_s + 1, now_s + pause_s)
        planner.hear(PHONE, -40, now_s + pause_s - 0.1)
        assert planner.begin(now_s + pause_s - 0.1) is None
        now_s += pause_s
    planner.hear(PHONE, -40, now_s)
    assert _read(planner, now_s, takes_s=0.0) == PHONE
    _heard_until(planner, PHONE, now_s, now_s + AGAIN_S)
    now_s += AGAIN_S
    planner.hear(PHONE, -40, now_s)
    assert _read(planner, now_s, outcome, takes_s=0.0) == PHONE
    planner.hear(PHONE, -40, now_s + PAUSES_S[0])
    assert planner.begin(now_s + PAUSES_S[0]) == PHONE


def test_a_failure_of_the_radio_is_not_the_phones():
    """Where BlueZ or the radio failed, nobody is asked for a while, and then the same phone at once."""
    planner = Planner()
    planner.hear(PHONE, -60, 0.0)
    assert _read(planner, 0.0, Outcome.RADIO, takes_s=0.0) == PHONE
    planner.hear(PHONE, -60, RADIO_S - 0.1)
    assert planner.begin(RADIO_S - 0.1) is None
    assert planner.begin(RADIO_S) == PHONE


def test_what_was_said_in_the_foreground_voids_the_token():
    """A phone that sent an iBeacon may say something else by now: its token is not repeated, and it is read again."""
    planner = Planner()
    planner.hear(PHONE, -60, 0.0)
    _read(planner, 0.0)
    planner.front(PHONE, 60.0)
    assert planner.hear(PHONE, -60, 90.0) is None
    assert _read(planner, 90.0, token=OTHER) == PHONE
    planner.front(PHONE, 91.0)
    assert planner.hear(PHONE, -60, 92.0) is None
    assert planner.begin(92.0) is None
    planner.hear(PHONE, -60, 90.0 + BACK_S)
    assert planner.begin(90.0 + BACK_S) == PHONE


def test_an_ibeacon_changes_nothing_for_others():
    """A phone never read, and another app's phone, are not asked sooner because they send an iBeacon."""
    planner = Planner()
    planner.front(PHONE, 0.0)
    assert len(planner) == 0
    planner.hear(PHONE, -60, 0.0)
    _read(planner, 0.0, Outcome.FOREIGN)
    planner.front(PHONE, 10.0)
    planner.hear(PHONE, -60, 11.0)
    assert planner.begin(11.0) is None


def test_only_who_was_heard_just_now_is_asked():
    """A phone that went silent is not connected to: that would keep the radio busy for nothing."""
    planner = Planner()
    planner.hear(PHONE, -60, 0.0)
    assert planner.begin(FRESH_S + 0.1) is None
    planner.hear(PHONE, -60, 20.0)
    assert planner.begin(20.0 + FRESH_S) == PHONE


def test_a_phone_is_forgotten_after_its_last_advert():
    """15 minutes after its last advert nothing is left of a phone, not even that it was foreign."""
    planner = Planner()
    planner.hear(PHONE, -60, 0.0)
    planner.hear(_path(2), -60, 1.0)
    assert len(planner) == 2
    planner.begin(FORGET_S)
    assert len(planner) == 1
    planner.hear(_path(3), -60, FORGET_S + 1)
    assert len(planner) == 1


def test_the_one_heard_longest_ago_gives_way():
    """However many addresses come, the memory keeps its size; who is heard all the time stays in it."""
    planner = Planner()
    planner.hear(PHONE, -90, 0.0)
    _read(planner, 0.0)
    for number in range(5 * PHONES_MAX):
        planner.hear(_path(number), -50, 1.0 + number / 1000)
        if number % (PHONES_MAX // 2) == 0:
            assert planner.hear(PHONE, -90, 1.0 + number / 1000) == TOKEN
        assert len(planner) <= PHONES_MAX
    assert len(planner) == PHONES_MAX


def test_a_phone_that_is_forgotten_while_it_is_read_harms_nothing():
    """Its token is still a sighting, with a signal that is not known."""
    planner = Planner()
    planner.hear(PHONE, -60, 0.0)
    assert planner.begin(0.0) == PHONE
    for number in range(PHONES_MAX):
        planner.hear(_path(number), -50, 0.5)
    assert planner.end(Outcome.TOKEN, TOKEN, 1.0) is None
    assert planner.begin(1.0) is not None


def test_the_radios_of_a_box_share_what_was_learnt():
    """One radio asks; then all tell the token, and none asks again. Each keeps its limits and its own failures."""
    memory = Memory()
    near, far = Planner(memory), Planner(memory)
    elsewhere = PHONE.replace("hci0", "hci1")
    near.hear(PHONE, -50, 0.0)
    assert far.hear(elsewhere, -80, 0.0) is None
    assert near.begin(0.0) == PHONE
    assert far.begin(0.1) is None, "it is being read"
    near.end(Outcome.NO_ANSWER, None, 1.0)
    assert near.begin(1.1) is None
    assert far.begin(1.1) == elsewhere, "who did not answer one radio may answer another"
    far.end(Outcome.TOKEN, TOKEN, 2.0)
    assert near.hear(PHONE, -50, 3.0) == far.hear(elsewhere, -80, 3.0) == TOKEN
    near.hear(PHONE, -50, 1.0 + PAUSES_S[0])
    assert near.begin(1.0 + PAUSES_S[0]) is None
    assert near.outcomes == {Outcome.NO_ANSWER: 1}
    far.front(elsewhere, 40.0)
    assert near.hear(PHONE, -50, 41.0) is None
    assert (len(near), len(far), len(memory)) == (1, 1, 1)
    near.begin(41.0 + FORGET_S)
    assert len(memory) == 0


def test_the_time_with_a_link_is_not_counted_as_connecting():
    """Only until a phone is connected to is the scan off: quick phones are read 20 times a minute all the same."""
    planner = Planner()
    now_s = 0.0
    read = 0
    for number in range(30):
        planner.hear(_path(number), -50, now_s)
        if planner.begin(now_s) is not None:
            planner.linked(now_s + 0.4)
            planner.end(Outcome.TOKEN, bytes([number] * 16), now_s + 2.9)
            read += 1
        now_s += 2.9
        if now_s >= MINUTE_S:
            break
    assert read == READS_MAX


def test_without_an_open_read_there_is_no_end():
    """An end without its beginning is a mistake of the program, and says so."""
    with pytest.raises(RuntimeError):
        Planner().end(Outcome.FAILED, None, 0.0)


def test_who_waits_for_a_limit_is_counted_once():
    """A crowd is asked 20 times a minute, strongest first; each who has to wait counts once while it waits."""
    planner = Planner()
    for number in range(50):
        planner.hear(_path(number), -40 - number, 0.0)
    asked = [_read(planner, number * 0.1, Outcome.FOREIGN, takes_s=0.05) for number in range(50)]
    assert asked == [_path(number) for number in range(READS_MAX)] + [None] * (50 - READS_MAX)
    assert planner.held_back == 50 - READS_MAX


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 30),  # which phone
        st.integers(-100, -30),
        st.sampled_from([0.0, 0.05, 0.3, 2.0, 7.0, 31.0]),  # until the next event
        st.sampled_from(Outcome),
        st.floats(0.0, READ_S, allow_nan=False),  # how long a read connects
        st.none() | st.floats(0.0, READ_S, allow_nan=False),  # for how long it then has a link; None: it has none
    ),
    max_size=150,
)


@settings(deadline=None)
@given(EVENTS)
def test_no_minute_has_more_than_its_share(events):
    """Whatever is heard: in any minute at most 20 reads begin and 20 s connect, and the strongest due phone is first.

    A phone is left in peace for as long as its last answer says, and one read is open at most.
    """
    planner = Planner()
    now_s = 0.0
    spans = []
    signals = {}  # path → its last signal and when that was
    peace = {}  # path → until when it is not asked
    for number, rssi_dbm, pause_s, outcome, takes_s, linked_s in events:
        path = _path(number)
        planner.hear(path, rssi_dbm, now_s)
        signals[path] = (rssi_dbm, now_s)
        asked = planner.begin(now_s)
        if asked is not None:
            due = {
                one: signal
                for one, (signal, at_s) in signals.items()
                if at_s >= now_s - FRESH_S and peace.get(one, 0.0) <= now_s
            }
            assert due[asked] == max(due.values())
            assert planner.begin(now_s) is None
            spans.append((now_s, now_s + takes_s))
            now_s += takes_s
            if linked_s is not None:
                planner.linked(now_s)
                now_s += linked_s
            planner.end(outcome, TOKEN if outcome is Outcome.TOKEN else None, now_s)
            wait_s = {
                Outcome.TOKEN: AGAIN_S,
                Outcome.NO_ANSWER: PAUSES_S[0],
                Outcome.FAILED: PAUSES_S[0],
                Outcome.RADIO: 0.0,
            }.get(outcome, FOREIGN_S)
            peace[asked] = now_s + wait_s
        now_s += pause_s
    for since_s in [edge for span in spans for edge in (*span, span[1] - MINUTE_S, span[0] - MINUTE_S)]:
        until_s = since_s + MINUTE_S
        assert sum(since_s < began_s <= until_s for began_s, _ in spans) <= READS_MAX
        busy_s = sum(max(0.0, min(ended_s, until_s) - max(began_s, since_s)) for began_s, ended_s in spans)
        assert busy_s <= CONNECTING_S + ROUNDING_S


def test_phones_that_do_not_answer_leave_most_of_a_minute_to_the_scan():
    """A crowd of 300 that never answers keeps the radio busy for a third of any minute, however long it stays."""
    planner = Planner()
    spans = []
    now_s = 0.0
    while now_s < 1200:
        for number in range(300):
            planner.hear(_path(number), -40 - number % 50, now_s)
        if planner.begin(now_s) is not None:
            planner.end(Outcome.NO_ANSWER, None, now_s + READ_S)
            spans.append((now_s, now_s + READ_S))
            now_s += READ_S
        now_s += 1.0
    assert sum(ended - began for began, ended in spans) <= 1200 / 60 * CONNECTING_S
    assert len(spans) >= 20


def test_a_member_is_read_among_hundreds_of_foreign_phones():
    """200 foreign phones with the bit, all stronger: each is asked once, and then the member, within ten minutes."""
    planner = Planner()
    now_s = 0.0
    member = _path(999)
    read_s = None
    heard_s = -10.0
    while now_s < 900 and read_s is None:
        if now_s >= heard_s + 5:
            heard_s = now_s
            for number in range(200):
                planner.hear(_path(number), -50, now_s)
            planner.hear(member, -80, now_s)
        asked = planner.begin(now_s)
        if asked is not None:
            now_s += 0.6
            planner.end(
                Outcome.TOKEN if asked == member else Outcome.FOREIGN, TOKEN if asked == member else None, now_s
            )
            read_s = now_s if asked == member else None
        now_s += 0.2
    assert read_s is not None
    assert read_s <= 630
    assert planner.outcomes == {Outcome.FOREIGN: 200, Outcome.TOKEN: 1}
