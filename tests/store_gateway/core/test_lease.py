"""Until when the store may disclose, on the boot clock, whatever HQ's answers do on their way."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_gateway.core.lease import CHALLENGE_S, HELLO_S, TIME_AGE_S, WAIT_S, Keeper
from wire import sync
from wire.query import DarkReason, Light
from wire.sync import RefusalReason

T0_MS = 1_795_262_400_000


def a_lease(lease_s: int = 120, hq_ms: int = T0_MS, heartbeat_s: int = 15) -> sync.Lease:
    """A lease without instances."""
    return sync.Lease(lease_s, heartbeat_s, hq_ms, (), (), 0, bytes(16))


def nonce(number: int) -> bytes:
    """A nonce."""
    return number.to_bytes(16, "big")


def view(keeper: Keeper, now_mono_s: float, **state: bool) -> tuple[Light, DarkReason]:
    """Light and reason of an unlocked, sound store with a policy."""
    lease = keeper.view(now_mono_s, **({"locked": False, "failed": False, "policy": True} | state))
    return lease.light, lease.reason


def test_a_lease_runs_from_the_instant_its_hello_was_sent() -> None:
    """However long the answer was on its way."""
    keeper = Keeper()
    keeper.said_hello(nonce(1), 100.0, 0.5)
    sent = keeper.sent_at(nonce(1))
    assert sent == 100.0
    keeper.on_lease(a_lease(), sent, 150.0)
    assert keeper.left_s(150.0) == 0
    keeper.begin()
    assert keeper.left_s(150.0) == 70.0
    assert keeper.view(150.5, locked=False, failed=False, policy=True).left_s == 70
    assert view(keeper, 219.9) == (Light.LIVE, DarkReason.NONE)
    assert view(keeper, 220.0) == (Light.DARK, DarkReason.NO_WORD)


def test_the_last_eight_nonces_are_known_each_with_its_own_instant() -> None:
    """The ninth before is void."""
    keeper = Keeper()
    for number in range(9):
        keeper.said_hello(nonce(number), float(number), 0.5)
    assert keeper.sent_at(nonce(0)) is None
    assert [keeper.sent_at(nonce(number)) for number in range(1, 9)] == [float(n) for n in range(1, 9)]


@given(
    st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 500), st.integers(1, 200)), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_a_lease_never_outlives_its_length(hellos: list[tuple[float, float, int]], chance: "object") -> None:
    """In any order of answers, repeated or late, the store is never live beyond a hello's instant plus its lease."""
    hellos.sort()
    answers = [(sent + late, sent, lease_s) for sent, late, lease_s in hellos] * 2
    chance.shuffle(answers)  # type: ignore[attr-defined]
    answers.sort(key=lambda one: one[0])
    keeper = Keeper()
    for arrived, sent, lease_s in answers:
        keeper.on_lease(a_lease(lease_s), sent, arrived)
        keeper.begin()
        for now in (arrived, arrived + 50, arrived + 500):
            longest = max((s + n - now for a, s, n in answers if a <= arrived), default=0.0)
            assert keeper.left_s(now) <= max(0.0, longest)


@given(st.lists(st.tuples(st.floats(0, 10_000), st.floats(0, 40), st.integers(-(10**9), 10**9)), min_size=1))
def test_trusted_time_is_never_stepped_back(answers: list[tuple[float, float, int]]) -> None:
    """Even by an HQ whose clock is thrown about."""
    keeper, last, now = Keeper(), -math.inf, 0.0
    for wait, late, skew_ms in answers:
        now += wait
        keeper.on_lease(a_lease(hq_ms=T0_MS + skew_ms), now - late, now)
        told = keeper.trusted_ms(now)
        if told is not None:
            assert told >= last
            last = told


def test_an_answer_older_than_ten_seconds_tells_no_time() -> None:
    """But its lease counts, what is left of it."""
    keeper = Keeper()
    keeper.on_lease(a_lease(), 100.0, 100.0 + TIME_AGE_S + 0.1)
    assert keeper.trusted_ms(110.1) is None
    keeper.on_lease(a_lease(), 111.0, 112.0)
    assert keeper.trusted_ms(112.0) == T0_MS + 1000  # errs towards expiry: HQ's clock was read in between


def test_an_older_hellos_answer_takes_no_lease_back() -> None:
    """A shorter lease of a later hello is the one that counts."""
    keeper = Keeper()
    assert keeper.on_lease(a_lease(30), 20.0, 21.0)
    keeper.begin()
    assert not keeper.on_lease(a_lease(120), 10.0, 22.0)
    keeper.begin()
    assert keeper.left_s(22.0) == 28.0


def test_a_recording_of_a_lease_does_not_outlive_a_later_refusal() -> None:
    """A broker that plays HQ's last lease again after HQ refused gets the store nothing."""
    keeper = Keeper()
    for number in (1, 2):
        keeper.said_hello(nonce(number), float(number), 0.5)
    assert keeper.on_lease(a_lease(), 1.0, 1.1)
    keeper.begin()
    keeper.on_refusal(RefusalReason.LOCKDOWN, 2.0)
    assert not keeper.on_lease(a_lease(), 1.0, 3.0)
    keeper.begin()
    assert view(keeper, 3.0) == (Light.DARK, DarkReason.LOCKDOWN)


def test_a_lease_that_runs_out_though_hq_answers_says_so() -> None:
    """From half of it on, where HQ's newer offer cannot begin, it is for catching up; before that nothing is said."""
    keeper = Keeper()
    keeper.on_lease(a_lease(), 10.0, 10.1)
    keeper.begin()
    keeper.on_lease(a_lease(), 25.0, 25.1)
    half_s = 10.0 + a_lease().lease_s / 2
    assert view(keeper, half_s - 1) == (Light.LIVE, DarkReason.NONE)
    assert view(keeper, half_s) == (Light.LIVE, DarkReason.CATCHING_UP)
    keeper.begin()
    assert view(keeper, half_s) == (Light.LIVE, DarkReason.NONE)


def test_a_refusal_ends_the_lease_of_earlier_hellos_and_says_so() -> None:
    """HQ's later word counts; a recording of an earlier refusal does not."""
    keeper = Keeper()
    keeper.on_lease(a_lease(), 10.0, 10.1)
    keeper.begin()
    keeper.on_refusal(RefusalReason.STALE_TICKET, 5.0)
    assert view(keeper, 11.0)[0] is Light.LIVE
    keeper.on_refusal(RefusalReason.STALE_TICKET, 11.0)
    assert view(keeper, 11.0) == (Light.DARK, DarkReason.RESTORED)
    reasons = (
        (RefusalReason.AHEAD_OF_HQ, DarkReason.HQ_RESTORED),
        (RefusalReason.RECOVERING, DarkReason.HQ_RESTORED),
        (RefusalReason.NOT_THIS_STORE, DarkReason.REFUSED),
        (RefusalReason.LOCKDOWN, DarkReason.LOCKDOWN),
    )
    for turn, (reason, shown) in enumerate(reasons):
        keeper.on_refusal(reason, 12.0 + turn / 10)
        assert view(keeper, 12.9) == (Light.DARK, shown)
    keeper.on_lease(a_lease(), 13.0, 13.1)
    keeper.begin()
    assert view(keeper, 13.1)[0] is Light.LIVE


def test_the_reason_says_why_a_store_is_dark() -> None:
    """Locked, disk, no policy, catching up and no word are told apart."""
    keeper = Keeper()
    assert view(keeper, 0.0, locked=True) == (Light.LOCKED, DarkReason.STARTING)
    assert view(keeper, 0.0) == (Light.DARK, DarkReason.NO_WORD)
    keeper.heard(1.0)
    assert view(keeper, 1.0) == (Light.DARK, DarkReason.CATCHING_UP)
    assert view(keeper, 1.0 + HELLO_S) == (Light.DARK, DarkReason.NO_WORD)
    keeper.on_lease(a_lease(), 20.0, 20.0)
    assert view(keeper, 139.9) == (Light.DARK, DarkReason.CATCHING_UP)
    assert view(keeper, 140.0) == (Light.DARK, DarkReason.NO_WORD)
    keeper.on_lease(a_lease(), 200.0, 200.0)
    keeper.begin()
    assert view(keeper, 200.0) == (Light.LIVE, DarkReason.NONE)
    assert view(keeper, 200.0, policy=False) == (Light.DARK, DarkReason.NO_POLICY)
    assert view(keeper, 200.0, failed=True) == (Light.DARK, DarkReason.DISK)


def test_messages_under_way_have_three_seconds() -> None:
    """Before a differing instance is asked for."""
    keeper = Keeper()
    assert not keeper.wait_over(1e9)
    keeper.on_lease(a_lease(), 10.0, 11.0)
    assert not keeper.wait_over(11.0 + WAIT_S - 0.1)
    assert keeper.wait_over(11.0 + WAIT_S)


def test_a_heartbeat_shorter_than_the_wait_does_not_renew_it() -> None:
    """Offer after offer that differs is one wait; a lease that began ends it."""
    keeper = Keeper()
    for second in range(4):
        keeper.on_lease(a_lease(), 10.0 + second, 10.0 + second)
    assert keeper.wait_over(10.0 + WAIT_S)
    keeper.begin()
    keeper.on_lease(a_lease(), 20.0, 20.0)
    assert not keeper.wait_over(20.0 + WAIT_S - 0.1)


def test_hellos_come_slower_until_the_first_lease_then_by_its_heartbeat() -> None:
    """2 s growing to 15 s, spread by 20 % at most."""
    keeper, now, waits = Keeper(), 0.0, []
    for number in range(8):
        assert keeper.hello_due(now)
        keeper.said_hello(nonce(number), now, 0.5)
        began = now
        while not keeper.hello_due(now):
            now += 0.125
        waits.append(now - began)
    assert waits[0] == 2.0
    assert waits == sorted(waits)
    assert waits[-1] == HELLO_S
    keeper.on_lease(a_lease(heartbeat_s=30), now, now)
    keeper.said_hello(nonce(99), now, 0.0)
    assert keeper.hello_due(now + 24.0)
    keeper.said_hello(nonce(100), now, 0.999)
    assert not keeper.hello_due(now + 35.5)


def test_hq_cannot_make_the_store_shout() -> None:
    """However often an answer asks for another hello at once, at most four go within two seconds."""
    keeper, sent, now = Keeper(), [], 0.0
    while now < 10.0:
        keeper.hello_soon(now)
        if keeper.hello_due(now):
            keeper.said_hello(nonce(len(sent)), now, 0.5)
            sent.append(now)
        now += 0.0625
    for at in sent:
        assert sum(at <= other < at + 1.9 for other in sent) <= 4
    assert len(sent) > 10


def test_a_challenge_is_echoed_for_less_than_hq_takes_it() -> None:
    """After that a hello asks for another first."""
    keeper = Keeper()
    assert not keeper.challenge_fresh(0.0)
    keeper.take_challenge(bytes(16), 10.0)
    assert keeper.challenge_fresh(10.0 + CHALLENGE_S - 1)
    assert not keeper.challenge_fresh(10.0 + CHALLENGE_S)
    assert CHALLENGE_S < sync.CHALLENGE_S


@pytest.mark.parametrize("state", [{"locked": True}, {"failed": True}])
def test_no_seconds_are_told_while_dark(state: dict[str, bool]) -> None:
    """A page shows no remaining time that means nothing."""
    keeper = Keeper()
    keeper.on_lease(a_lease(), 10.0, 10.0)
    keeper.begin()
    lease = keeper.view(10.0, **({"locked": False, "failed": False, "policy": True} | state))
    assert (lease.left_s, lease.length_s) == (0, 0)
