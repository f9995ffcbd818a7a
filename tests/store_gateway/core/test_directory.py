"""Tokens are recognised by whoever holds the day key, in the slots that count, and by nobody else."""

import mmap
import os
from collections.abc import Iterable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store_gateway.build_table import build
from store_gateway.core import directory as directory_module
from store_gateway.core.directory import MOST_LAID, Directory
from store_gateway.core.phones import HELP_BIT, PRESENCE_BIT, bucket_of
from store_gateway.core.table import HEAD_BYTES, Table, head, size_for
from wire.token import Kind, day_of_slot, sign, token

SLOT = 3_000_000
DAY = SLOT // 144
BOTH = HELP_BIT | PRESENCE_BIT


@dataclass(frozen=True)
class Phone:
    """One phone of a member of its own, on one day."""

    pseudonym: bytes
    kinds: int
    day: int
    day_key: bytes


def phone(number: int, kinds: int = BOTH, day: int = DAY) -> Phone:
    """With keys of its own; pseudonyms lie evenly, as real ones do."""
    return Phone(
        (number * 40_503 % 65_536).to_bytes(2, "big") + number.to_bytes(14, "big"),
        kinds,
        day,
        (number * 7919 + day).to_bytes(16, "little"),
    )


def empty() -> Directory:
    """Nobody, and no table."""
    return Directory(lambda size: mmap.mmap(-1, size), lambda block: None)


def tables(found: Directory, slots: Iterable[int]) -> dict[int, Table]:
    """What the child would make of it now."""
    made: dict[int, bytearray] = {}

    def allot(slot: int, size: int) -> bytearray:
        made[slot] = bytearray(size)
        return made[slot]

    build(found.phones.rows, found.phones.kinds, found.phones.days, tuple(slots), allot)
    return {slot: Table(memoryview(block)) for slot, block in made.items()}


def adopt(found: Directory, made: dict[int, Table], number: int) -> None:
    """All of them."""
    for slot, table in made.items():
        found.adopt(slot, table, number)


def put(found: Directory, one: Phone) -> None:
    """HQ says so."""
    found.phones.begin_day(one.day)
    found.put_kinds(one.pseudonym, one.kinds)
    found.put_keys(one.day, one.pseudonym, (one.day_key,))


def directory(phones: Iterable[Phone], now_slot: int = SLOT) -> Directory:
    """With these phones in its tables."""
    found = empty()
    for one in phones:
        put(found, one)
    due = found.roll(now_slot)
    adopt(found, tables(found, due.missing), found.number)
    assert found.roll(now_slot) == directory_module.Due((), ())
    return found


@given(
    kinds=st.lists(st.sampled_from([HELP_BIT, BOTH]), min_size=1, max_size=40),
    kind=st.sampled_from(Kind),
    offset=st.integers(-4, 4),
    border=st.integers(0, 143),
    laid=st.booleans(),
)
def test_exactly_the_tokens_of_accepted_slots_and_kinds_resolve(
    kinds: list[int], kind: Kind, offset: int, border: int, laid: bool
) -> None:
    """Slots before, of and after now; a kind only where the mode allows it; over midnight; in a table or laid over."""
    now_slot = DAY * 144 + border
    phones = [phone(number, one, day) for number, one in enumerate(kinds) for day in (DAY - 1, DAY, DAY + 1)]
    found = directory(() if laid else phones, now_slot)
    for one in phones if laid else ():
        put(found, one)
    while found.lay(7):
        pass
    slot = now_slot + offset
    for one in phones:
        if one.day != day_of_slot(slot):
            continue
        who = found.resolve(token(one.day_key, kind, slot), now_slot)
        if abs(offset) <= 1 and one.kinds >> kind & 1:
            assert who is not None
            assert (who.pseudonym, who.kind, who.slot) == (one.pseudonym, kind, slot)
            shown = sign(one.day_key, slot)
            assert who.sign == ((shown.colour.value, f"{shown.digits:02d}") if kind is Kind.HELP else None)
        else:
            assert who is None


@given(noise=st.lists(st.binary(min_size=16, max_size=16), max_size=50))
def test_noise_is_nobodys(noise: list[bytes]) -> None:
    """Random tokens resolve to nothing, with and without a table."""
    for found in (empty(), directory(phone(number) for number in range(50))):
        assert [found.resolve(one, SLOT) for one in noise] == [None] * len(noise)


def test_an_equal_fingerprint_is_not_enough() -> None:
    """A token whose first eight bytes are a member's and whose rest is not is nobody's."""
    one = phone(1)
    right = token(one.day_key, Kind.HELP, SLOT)
    found = directory([one])
    assert found.resolve(right[:8] + bytes(8), SLOT) is None
    assert found.resolve(right, SLOT) is not None


def test_two_members_with_equal_fingerprints_are_both_known() -> None:
    """The whole token decides between the rows to which a fingerprint leads."""
    both = [phone(1), phone(2)]
    found = empty()
    for one in both:
        put(found, one)
    found.roll(SLOT)
    heard = [token(one.day_key, Kind.HELP, SLOT) for one in both]
    for mine in heard:  # no pair of real keys is known whose tokens begin alike: the table says that they do
        fingerprint = int.from_bytes(mine[:8], "big")
        content = fingerprint.to_bytes(8, "little") * 2 + b"".join(
            number.to_bytes(4, "little") for number in (0, 2, 1, 0)
        )
        assert HEAD_BYTES + len(content) == size_for(2)
        found.adopt(SLOT, Table(memoryview(head(2, 2, SLOT, memoryview(content)) + content)), found.number)
        who = found.resolve(mine, SLOT)
        assert who is not None and who.pseudonym == both[heard.index(mine)].pseudonym


def test_a_change_takes_the_tables_word_away_at_once() -> None:
    """A member who went quiet is unknown, one in mode help by help alone, new keys soon; repeats included."""
    one, other = phone(1), phone(2)
    found = directory([one, other])
    tokens = {kind: token(one.day_key, kind, SLOT) for kind in Kind}
    assert all(found.resolve(heard, SLOT) for heard in tokens.values())
    found.put_kinds(one.pseudonym, HELP_BIT)
    assert found.resolve(tokens[Kind.PRESENCE], SLOT) is None
    assert found.resolve(tokens[Kind.HELP], SLOT) is not None
    found.put_kinds(one.pseudonym, 0)
    assert found.resolve(tokens[Kind.HELP], SLOT) is None
    new_key = os.urandom(16)
    found.put_kinds(one.pseudonym, BOTH)
    found.put_keys(DAY, one.pseudonym, [new_key])
    found.lay(10)
    assert found.resolve(tokens[Kind.HELP], SLOT) is None
    assert found.resolve(token(new_key, Kind.HELP, SLOT + 1), SLOT) is not None
    assert found.resolve(token(other.day_key, Kind.HELP, SLOT), SLOT) is not None


def test_a_row_that_is_anothers_now_does_not_answer_for_the_first() -> None:
    """A table names rows by number: where another member has the row, the old token is nobody's."""
    one, other = phone(1), phone(2)
    found = directory([one])
    assert found.resolve(token(one.day_key, Kind.HELP, SLOT), SLOT) is not None
    found.put_keys(DAY, one.pseudonym, ())
    found.put_kinds(one.pseudonym, 0)
    put(found, other)
    assert found.phones.rows == 1
    found.lay(10)
    assert found.resolve(token(one.day_key, Kind.HELP, SLOT), SLOT) is None
    who = found.resolve(token(other.day_key, Kind.HELP, SLOT), SLOT)
    assert who is not None and who.pseudonym == other.pseudonym


def test_a_table_read_before_a_change_does_not_undo_it() -> None:
    """What changed while the tables were made stays laid over them; what changed before is in them."""
    one, other = phone(1), phone(2)
    found = directory([one])
    early, number = tables(found, range(SLOT - 1, SLOT + 3)), found.number
    put(found, other)
    found.lay(10)
    found.put_kinds(one.pseudonym, 0)
    adopt(found, early, number)
    assert found.resolve(token(one.day_key, Kind.HELP, SLOT), SLOT) is None
    assert found.resolve(token(other.day_key, Kind.HELP, SLOT), SLOT) is not None
    before = found.tokens
    adopt(found, tables(found, range(SLOT - 1, SLOT + 3)), found.number)
    assert (before, found.tokens) == (8, 8)
    assert found.resolve(token(other.day_key, Kind.HELP, SLOT + 1), SLOT) is not None


def test_a_table_that_missed_a_change_is_not_taken() -> None:
    """A slot that was let go and is held again, or a directory that was cleared, waits for tables made since."""
    one, other = phone(1), phone(2)
    found = directory([one])
    early, number = tables(found, [SLOT]), found.number
    found.roll(SLOT + 40)
    put(found, other)
    found.roll(SLOT)
    adopt(found, early, number)
    assert SLOT in found.roll(SLOT).missing
    adopt(found, tables(found, [SLOT]), found.number)
    early, number = tables(found, [SLOT]), found.number
    assert found.resolve(token(other.day_key, Kind.HELP, SLOT), SLOT) is not None
    found.clear()
    put(found, other)
    found.roll(SLOT)
    adopt(found, early, number)
    assert SLOT in found.roll(SLOT).missing


def test_of_too_many_at_once_the_rest_waits_for_the_next_tables() -> None:
    """Who was known stays known, a bounded number is laid over, the tables are stale, and then all are in."""
    one = phone(10**6)
    found = directory([one])
    assert found.resolve(token(one.day_key, Kind.HELP, SLOT), SLOT) is not None
    others = [phone(number) for number in range(1, MOST_LAID + 100)]
    for other in others:
        put(found, other)
    while found.lay(500):
        pass
    assert found.resolve(token(one.day_key, Kind.PRESENCE, SLOT), SLOT) is not None
    known = [found.resolve(token(other.day_key, Kind.HELP, SLOT), SLOT) is not None for other in others]
    assert known.count(True) == MOST_LAID
    due = found.roll(SLOT)
    assert (due.missing, set(due.stale)) == ((), set(range(SLOT - 1, SLOT + 3)))
    adopt(found, tables(found, due.stale), found.number)
    assert found.roll(SLOT).stale == ()
    assert all(found.resolve(token(other.day_key, Kind.HELP, SLOT), SLOT) for other in others)


def test_who_is_present_is_not_one_of_too_many() -> None:
    """New keys of a phone heard lately are laid over at once, however many others change."""
    one = phone(10**6)
    found = directory([one])
    assert found.resolve(token(one.day_key, Kind.HELP, SLOT), SLOT) is not None
    for number in range(1, MOST_LAID + 10):
        put(found, phone(number))
    new_key = os.urandom(16)
    found.put_keys(DAY, one.pseudonym, (new_key,))
    assert found.resolve(token(new_key, Kind.HELP, SLOT), SLOT) is not None


def test_a_slot_that_begins_knows_who_is_present() -> None:
    """Whatever time it is said to be, who was heard lately is laid over; the others wait for the tables."""
    here, gone, never = phone(1), phone(2), phone(3)
    found = directory([here, gone, never])
    assert found.resolve(token(gone.day_key, Kind.PRESENCE, SLOT), SLOT) is not None
    found.turn_over()
    assert found.resolve(token(here.day_key, Kind.PRESENCE, SLOT), SLOT) is not None
    found.turn_over()
    for now_slot in (SLOT + 40, SLOT - 40):
        due = found.roll(now_slot)
        assert due.missing == (now_slot, now_slot + 1, now_slot - 1, now_slot + 2)
        found.lay(10)
        for slot in (now_slot - 1, now_slot, now_slot + 1):
            assert found.resolve(token(here.day_key, Kind.PRESENCE, slot), now_slot) is not None
            assert found.resolve(token(gone.day_key, Kind.PRESENCE, slot), now_slot) is None
            assert found.resolve(token(never.day_key, Kind.PRESENCE, slot), now_slot) is None
    assert found.resolve(token(here.day_key, Kind.PRESENCE, SLOT), SLOT - 40) is None


def test_a_day_is_dropped_when_no_slot_can_need_it() -> None:
    """Its keys stay while time may step back a little, and go 20 minutes after midnight, as HQ's do."""
    midnight = (DAY + 1) * 144
    found = directory([phone(1, day=DAY), phone(1, day=DAY + 1)], midnight - 1)
    for now_slot in (midnight, midnight + 1):
        found.roll(now_slot)
        assert set(found.phones.days) == {DAY, DAY + 1}
    found.roll(midnight + 2)
    assert set(found.phones.days) == {DAY + 1}


def test_keys_of_a_day_without_a_slot_cost_nothing() -> None:
    """Tomorrow's keys come all evening: no table is stale, and nothing is laid over."""
    found = directory([phone(1)])
    found.phones.begin_day(DAY + 1)
    found.put_bucket(DAY + 1, bucket_of(phone(1).pseudonym), [(phone(1).pseudonym, (os.urandom(16),))])
    assert not found.lay(0)
    assert found.roll(SLOT).stale == ()


def test_nobody_is_known_after_all_was_cleared() -> None:
    """Whatever was in a table, laid over or heard before."""
    one = phone(1)
    found = directory([one])
    heard = token(one.day_key, Kind.HELP, SLOT)
    assert found.resolve(heard, SLOT) is not None
    found.clear()
    found.roll(SLOT)
    assert found.resolve(heard, SLOT) is None
    assert (len(found.phones), found.tokens, found.size_bytes) == (0, 0, 0)


def test_what_was_resolved_is_remembered_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it the older ones are looked up again, and everybody stays known."""
    monkeypatch.setattr(directory_module, "_MOST_HEARD", 8)
    phones = [phone(number) for number in range(1, 30)]
    found = directory(phones)
    for _ in range(2):
        for one in phones:
            for slot in (SLOT - 1, SLOT, SLOT + 1):
                who = found.resolve(token(one.day_key, Kind.PRESENCE, slot), SLOT)
                assert who is not None and who.pseudonym == one.pseudonym


def test_one_phone_bears_one_mark_and_two_phones_two() -> None:
    """So that a member's second phone does not end what the first began."""
    found = empty()
    found.phones.begin_day(DAY)
    found.put_kinds(b"p" * 16, BOTH)
    keys = (b"1" * 16, b"2" * 16)
    found.put_keys(DAY, b"p" * 16, keys)
    due = found.roll(SLOT)
    adopt(found, tables(found, due.missing), found.number)
    marks = []
    for key in keys:
        heard = [found.resolve(token(key, kind, slot), SLOT) for kind in Kind for slot in (SLOT, SLOT + 1)]
        marks.append({one.phone for one in heard if one is not None})
    assert [len(one) for one in marks] == [1, 1] and marks[0] != marks[1]
