"""What is written as TOML is read as the same values."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from provisioning import toml

texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = texts | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.lists(texts)
keys = st.from_regex(r"[a-z_][a-z0-9_]{0,20}", fullmatch=True)


@given(st.dictionaries(keys, scalars | st.dictionaries(keys, scalars) | st.lists(st.dictionaries(keys, scalars))))
def test_every_table_comes_back(table: dict[str, object]) -> None:
    """Round trip over every text, whatever it holds."""
    assert tomllib.loads(toml.dumps(table)) == table  # type: ignore[arg-type]


@given(st.dictionaries(keys, scalars), st.lists(keys))
def test_what_is_none_is_left_out(table: dict[str, object], absent: list[str]) -> None:
    """None is no key at all."""
    whole = {**table, **dict.fromkeys(absent)}
    rest = {key: value for key, value in whole.items() if value is not None}
    assert tomllib.loads(toml.dumps(whole, "a comment")) == rest  # type: ignore[arg-type]
