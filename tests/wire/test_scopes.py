"""A scope is a dotted name of lower-case words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.scopes import SCOPE_MAX_BYTES, is_scope

WORD = st.text("abcxyz019", min_size=1, max_size=5)


@pytest.mark.parametrize("scope", ["diet", "size.shoe", "history.store", "size.shoe-width", "a.b_c.d1", "x" * 64])
def test_scopes(scope):
    """What the contract names, and names like them."""
    assert is_scope(scope)


@pytest.mark.parametrize(
    "text", ["", "1st", "Size", "size.", ".size", "size..shoe", "size shoe", "größe", "size\n", "x" * 65, "size.\u0661"]
)
def test_others_are_none(text):
    """Empty parts, capitals, other letters and anything longer are no scopes."""
    assert not is_scope(text)


@given(st.lists(WORD, min_size=1, max_size=6))
def test_joined_words_are_a_scope_where_they_fit(words):
    """Words joined by dots, the first beginning with a letter, in 64 bytes."""
    text = ".".join(["a" + words[0], *words[1:]])
    assert is_scope(text) == (len(text) <= SCOPE_MAX_BYTES)
