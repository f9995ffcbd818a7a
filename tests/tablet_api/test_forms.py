"""Handles, secrets and times as text."""

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from tablet_api import forms


@given(st.binary(min_size=16, max_size=16))
def test_a_handle_comes_back_as_it_went(handle: bytes) -> None:
    """What `to_text` wrote, `handle_of` reads."""
    assert forms.handle_of(forms.to_text(handle)) == handle


@given(st.text())
def test_any_text_gives_a_handle_of_16_bytes(text: str) -> None:
    """A text that is no handle gives one that never was, and the same each time."""
    assert len(forms.handle_of(text)) == 16
    assert forms.handle_of(text) == forms.handle_of(text)


@given(st.binary(min_size=32, max_size=32))
def test_a_secret_has_one_form_only(secret: bytes) -> None:
    """Padding, blanks or other alphabets are not the same secret."""
    text = forms.to_text(secret)
    assert forms.secret_of(text) == secret
    for other in (text + "=", " " + text, text + "\n", text[:-1], text + "A"):
        assert forms.secret_of(other) is None


@given(st.text(max_size=60))
def test_noise_is_no_secret(text: str) -> None:
    """No text of another length is taken, whatever is in it."""
    found = forms.secret_of(text)
    assert found is None or forms.to_text(found) == text


@given(st.integers(min_value=0, max_value=4_102_444_800_000))
def test_an_instant_is_rfc_3339_to_the_millisecond(unix_ms: int) -> None:
    """Reading it gives the same millisecond, in UTC."""
    text = forms.instant(unix_ms)
    assert text.endswith("Z")
    at = datetime.fromisoformat(text)
    assert round(at.timestamp() * 1000) == unix_ms


def test_an_instant_beyond_the_year_9999_is_its_last_one() -> None:
    """The gateway's numbers reach further than RFC 3339; the answer is still one."""
    assert forms.instant(2**53) == "9999-12-31T23:59:59.999Z"
    assert forms.instant(0) == "1970-01-01T00:00:00.000Z"
