"""The simulated phones and strangers say what real ones would."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.phones import Format, Phone, adverts, current_token
from demo.strangers import crowd, stranger
from wire import air, token
from wire.token import Kind

NOW_S = 1_800_000_000
SECRET = bytes(range(32))


def read(phone: Phone, raw: bytes, unix_s: int) -> list[tuple[Kind, int] | None]:
    """What a holder of the phone's day key reads in an advert."""
    day_key = token.day_key(phone.secret, token.day_of(unix_s))
    return [token.read_token(day_key, one) for one in air.candidates(raw, phone.company_id)]


@pytest.mark.parametrize("form", list(Format))
@pytest.mark.parametrize("kind", list(Kind))
def test_a_phone_says_its_token_in_its_format(form: Format, kind: Kind) -> None:
    """Every advert of every format holds exactly the token of the slot and kind."""
    phone = Phone(SECRET, form)
    for heard in adverts(phone, kind, NOW_S, Random(0)):
        assert read(phone, heard.raw, NOW_S) == [(kind, token.slot_of(NOW_S))]
        assert len(heard.raw) <= 31  # it fits a legacy advertisement


def test_an_iphone_alternates_two_formats() -> None:
    """F1 beside other Apple data can be lost, so the app also says F3."""
    first, second = adverts(Phone(SECRET, Format.IPHONE), Kind.PRESENCE, NOW_S, Random(0))
    assert first.raw[3:9] == bytes.fromhex("1aff4c000215")
    assert second.raw[3:5] == bytes.fromhex("1107")


def test_a_phone_rotates_around_its_slot_with_its_address() -> None:
    """A phone that is off by 40 s changes token and address 40 s before the border, and not before."""
    border_s = (NOW_S // 600 + 1) * 600
    phone = Phone(SECRET, Format.COMPANY, shift_s=40)
    before, at = (adverts(phone, Kind.PRESENCE, border_s - off, Random(0))[0] for off in (41, 40))
    assert current_token(phone, Kind.PRESENCE, border_s - 40) != current_token(phone, Kind.PRESENCE, border_s - 41)
    assert before.address != at.address
    assert before.raw != at.raw


@given(number=st.integers(0, 10_000))
def test_a_stranger_is_no_member_and_is_the_same_every_time(number: int) -> None:
    """What strangers send decodes, fits the air, repeats, and is understood by no day key."""
    heard = stranger(number)
    assert heard == next(crowd(1, number))
    assert len(heard.raw) <= 31
    assert heard.raw == b"".join(bytes((len(value) + 1, kind)) + value for kind, value in air.structures(heard.raw))
    assert all(one is None for one in read(Phone(SECRET, Format.COMPANY), heard.raw, NOW_S))


def test_some_strangers_send_what_looks_like_a_token() -> None:
    """Only a holder of day keys tells them apart, so the crowd must have them."""
    assert sum(bool(air.candidates(one.raw, air.TEST_COMPANY)) for one in crowd(70)) == 20
