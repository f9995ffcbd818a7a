"""Whoever is present and goes on advertising is never unknown for more than two seconds, whatever becomes of the time.

The child needs 15 s for its tables here, as for a million members on a small box, and what it makes is what it saw when
it began. A phone changes its token within a minute of the slot's border. Time is an argument.
"""

import random
from collections.abc import Callable, Iterator

import pytest

from store_gateway.core.directory import Directory
from store_gateway.core.phones import bucket_of
from store_gateway.keyring import Built, Keyring, Order, give_back, nameless
from tests.fakes.replica import FakeReplica
from tests.world import a_member, make_here
from wire.member import Mode
from wire.token import Kind, day_key, token

DAY = 20_778
MIDNIGHT_MS = (DAY + 1) * 86_400_000
CHILD_S = 15.0
MOST_S = 2.0  # what the store may need
STEP_S = 0.5
OPEN = a_member(DAY * 86_400, Mode.OPEN, (), "1")


class Phone:
    """A member's phone: what it says depends on its own clock, which is right."""

    def __init__(self, number: int) -> None:
        chance = random.Random(number)
        self.pseudonym = chance.randbytes(16)
        self.secret = chance.randbytes(32)
        self.turns_ms = chance.randrange(-60_000, 60_000)
        self.heard_s = 0.0  # when it was last recognised
        self.longest_s = 0.0  # that it was not

    def key(self, day: int) -> bytes:
        """The key of one UTC day."""
        return day_key(self.secret, day)

    def says(self, now_ms: int) -> bytes:
        """The token on the air."""
        slot = (now_ms - self.turns_ms) // 600_000
        return token(self.key(slot // 144), Kind.PRESENCE, slot)


class Shop:
    """A keyring with its directory, members who are present, and members who come later."""

    def __init__(self, begin_ms: int, days: tuple[int, ...] = (DAY, DAY + 1), present: int = 8) -> None:
        self.now_s, self.now_ms = 1_000.0, begin_ms
        self.replica = FakeReplica(None, 0)
        self.present = [Phone(number) for number in range(present)]
        self.later = [Phone(1_000 + number) for number in range(3)]
        for phone in (*self.present, *self.later):
            self.replica.put_member(phone.pseudonym, OPEN)
            for day in days:
                self.replica.put_keys(day, phone.pseudonym, (phone.key(day),))
        self.under_way: list[tuple[float, Order, Built | None]] = []
        self.child = make_here
        self.directory = Directory(nameless, give_back)
        self.keyring = Keyring(self.replica, self.directory, self._order)
        self.passes(CHILD_S + 2)
        for phone in self.present:
            assert self.knows(phone)
            phone.longest_s, phone.heard_s = 0.0, self.now_s

    def _order(self, order: Order) -> None:
        self.under_way.append((self.now_s + CHILD_S, order, self.child(order)))

    def knows(self, phone: Phone) -> bool:
        """Whether what it says now is resolved now."""
        who = self.directory.resolve(phone.says(self.now_ms), self.now_ms // 600_000)
        assert who is None or who.pseudonym == phone.pseudonym
        return who is not None

    def passes(self, seconds: float, *, jump_s: float = 0.0) -> None:
        """Time goes by: the tables come when they are made, and whoever is present is heard twice a second.

        jump_s: before that, trusted time and phones are elsewhere at once.
        """
        self.now_ms += round(jump_s * 1000)
        for _ in range(round(seconds / STEP_S)):
            self.now_s += STEP_S
            self.now_ms += round(STEP_S * 1000)
            while self.under_way and self.under_way[0][0] <= self.now_s:
                _, order, built = self.under_way.pop(0)
                self.keyring.built(built or Built(order.number, {}), self.now_s)
            while self.keyring.work(self.now_ms // 600_000, self.now_s):
                pass
            for phone in self.present:
                if self.knows(phone):
                    phone.heard_s = self.now_s
                phone.longest_s = max(phone.longest_s, self.now_s - phone.heard_s)

    def sleeps(self, seconds: float) -> None:
        """The box was suspended: both clocks went on, and nothing else did. Nobody could be recognised meanwhile."""
        self.now_s += seconds
        self.now_ms += round(seconds * 1000)
        for phone in self.present:
            phone.heard_s = self.now_s

    def hq_gives(self, day: int) -> None:
        """The day's keys of everybody, bucket by bucket."""
        everybody = sorted((phone.pseudonym, (phone.key(day),)) for phone in (*self.present, *self.later))
        for bucket in {bucket_of(pseudonym) for pseudonym, _ in everybody}:
            entries = tuple(one for one in everybody if bucket_of(one[0]) == bucket)
            self.keyring.put_bucket(day, bucket, entries)
        self.replica.keys[day] = dict(everybody)
        self.keyring.lay()

    def longest_s(self) -> float:
        """For how long anybody who was present was not known."""
        return max(phone.longest_s for phone in self.present)


def at(hour: int, minute: int, second: int = 0) -> int:
    """Unix milliseconds of this time of the day before the midnight."""
    return DAY * 86_400_000 + ((hour * 60 + minute) * 60 + second) * 1000


def test_the_day_changes_and_nobody_notices() -> None:
    """Tables across the border hold tokens of both days' keys; yesterday's keys go when no slot needs them."""
    shop = Shop(at(23, 50))
    shop.passes(29 * 60)
    assert shop.longest_s() <= STEP_S
    assert set(shop.directory.phones.days) == {DAY, DAY + 1}
    shop.passes(3 * 60)
    assert shop.longest_s() <= STEP_S
    assert set(shop.directory.phones.days) == {DAY + 1}
    assert all(shop.knows(phone) for phone in shop.later)


def test_hq_is_away_at_midnight() -> None:
    """Tomorrow's keys came in the evening: the night needs no word of HQ; yesterday's keys go by themselves."""
    shop = Shop(at(23, 55))
    assert shop.replica.key_days() == (DAY, DAY + 1)  # nobody takes one away
    shop.passes(26 * 60)
    assert shop.longest_s() <= STEP_S
    assert set(shop.directory.phones.days) == {DAY + 1}


@pytest.mark.parametrize(
    ("delivered_ms", "away_s"), [(at(23, 59, 58), 62.0), (MIDNIGHT_MS + 5_000, 67.0), (MIDNIGHT_MS + 130_000, 192.0)]
)
def test_keys_that_come_late_count_at_once_for_who_is_present(delivered_ms: int, away_s: float) -> None:
    """Whose clock turned already cannot be known before its key is there, and is then; others by the next tables."""
    shop = Shop(at(23, 55), days=(DAY,))
    shop.passes((delivered_ms - shop.now_ms) / 1000)
    assert shop.longest_s() <= away_s
    for phone in shop.present:
        phone.longest_s, phone.heard_s = 0.0, shop.now_s
    shop.hq_gives(DAY + 1)
    shop.passes(CHILD_S + MOST_S)
    assert shop.longest_s() <= STEP_S
    shop.passes(CHILD_S + MOST_S)
    assert all(shop.knows(phone) for phone in shop.later)
    shop.passes(11 * 60)
    assert shop.longest_s() <= STEP_S


@pytest.mark.parametrize("jump_s", [-1_800.0, -86_000.0, -600.0, 600.0, 1_800.0, 5 * 3_600.0])
def test_time_is_corrected(jump_s: float) -> None:
    """By minutes or hours, either way: who is present is laid over at once, everybody else follows with the tables."""
    shop = Shop(at(12, 0) if jump_s > -80_000 else at(23, 57))
    shop.passes(120)
    shop.passes(3, jump_s=jump_s)
    assert shop.longest_s() <= MOST_S
    shop.passes(CHILD_S)
    assert all(shop.knows(phone) for phone in shop.later)
    shop.passes(12 * 60)
    assert shop.longest_s() <= MOST_S


@pytest.mark.parametrize(("begin_ms", "jump_s"), [(MIDNIGHT_MS + 600_000, -1_800.0), (at(23, 45), 1_800.0)])
def test_time_is_corrected_over_midnight(begin_ms: int, jump_s: float) -> None:
    """Half an hour back from ten past midnight, and half an hour on to a quarter past: both days' keys are there."""
    shop = Shop(begin_ms)
    shop.passes(60)
    shop.passes(16 * 60, jump_s=jump_s)
    assert shop.longest_s() <= MOST_S


def test_time_steps_back_to_a_day_that_was_let_go() -> None:
    """Its keys are read again where the replica still holds them; where it does not, nobody can be known."""
    shop = Shop(MIDNIGHT_MS + 1_500_000)
    assert set(shop.directory.phones.days) == {DAY + 1}
    shop.passes(10, jump_s=-2_400.0)
    assert set(shop.directory.phones.days) == {DAY, DAY + 1}
    assert shop.longest_s() <= MOST_S


def test_time_goes_to_and_fro_while_the_child_works() -> None:
    """Tables that come for slots nobody holds any more are let go, and the right ones are ordered."""
    shop = Shop(at(12, 0))
    for jump_s in (3_600.0, -3_000.0, 7_000.0, -6_000.0):
        shop.passes(CHILD_S / 2, jump_s=jump_s)
    assert shop.longest_s() <= MOST_S
    shop.passes(2 * CHILD_S)
    assert all(shop.knows(phone) for phone in shop.later)


@pytest.mark.parametrize("hours", [1, 3, 13])
def test_a_box_that_slept_wakes(hours: int) -> None:
    """Who is still there is known at once, also when the day changed meanwhile; the others when the tables are made."""
    shop = Shop(at(11, 30))
    shop.sleeps(hours * 3_600)
    shop.passes(3)
    assert shop.longest_s() <= MOST_S
    shop.passes(CHILD_S)
    assert all(shop.knows(phone) for phone in shop.later)


def test_no_table_can_be_made() -> None:
    """The child fails again and again: who is present stays known, slot after slot."""
    shop = Shop(at(12, 0))
    shop.child = lambda order: Built(order.number, {})
    shop.passes(35 * 60)
    assert shop.longest_s() <= MOST_S
    assert shop.keyring.failures > 10
    assert not any(shop.knows(phone) for phone in shop.later)
    shop.child = make_here
    shop.passes(2 * CHILD_S + 10)
    assert all(shop.knows(phone) for phone in shop.later)


def crowd(members: int, keys_of: Callable[[int], bytes]) -> Iterator[tuple[int, list[tuple[bytes, tuple[bytes, ...]]]]]:
    """Buckets of so many members."""
    by_bucket: dict[int, list[tuple[bytes, tuple[bytes, ...]]]] = {}
    for number in range(members):
        chance = random.Random(f"crowd {number}")
        pseudonym = chance.randbytes(16)
        by_bucket.setdefault(bucket_of(pseudonym), []).append((pseudonym, (keys_of(number),)))
    yield from by_bucket.items()


def test_hq_publishes_in_bulk() -> None:
    """65,000 members are new, then go quiet, then are gone: who is present stays known, and the new ones follow."""
    shop = Shop(at(12, 0))
    newcomers = list(crowd(65_000, lambda number: (number + 1).to_bytes(16, "big")))
    own = {bucket_of(phone.pseudonym): [] for phone in (*shop.present, *shop.later)}
    for phone in (*shop.present, *shop.later):
        own[bucket_of(phone.pseudonym)].append((phone.pseudonym, (phone.key(DAY),)))
    for number, (bucket, entries) in enumerate(newcomers):
        for pseudonym, _ in entries:
            shop.keyring.put_kinds(pseudonym, 3)
        shop.keyring.put_bucket(DAY, bucket, [*entries, *own.get(bucket, ())])
        shop.keyring.lay()
        if number % 256 == 0:
            shop.passes(STEP_S)
    shop.passes(2 * CHILD_S)
    assert shop.longest_s() <= STEP_S
    assert len(shop.directory.phones) == 65_000 + len(shop.present) + len(shop.later)
    assert shop.directory.tokens == 8 * len(shop.directory.phones)
    someone = token(newcomers[7][1][0][1][0], Kind.HELP, shop.now_ms // 600_000)
    assert shop.directory.resolve(someone, shop.now_ms // 600_000) is not None
    for bucket, entries in newcomers:
        for pseudonym, _ in entries:
            shop.keyring.put_kinds(pseudonym, 0)
        shop.keyring.put_bucket(DAY, bucket, own.get(bucket, ()))
    assert shop.directory.resolve(someone, shop.now_ms // 600_000) is None
    shop.passes(11 * 60)
    assert shop.longest_s() <= STEP_S
    assert len(shop.directory.phones) == len(shop.present) + len(shop.later)
