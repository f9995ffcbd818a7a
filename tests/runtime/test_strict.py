"""A header is read in one way or not at all."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import strict

NAMES = st.from_regex(rb"[A-Za-z][A-Za-z0-9-]{0,20}", fullmatch=True)
VALUES = st.from_regex(rb"[\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]{0,20}[\x21-\x7e])?", fullmatch=True)


def read(header: bytes) -> dict[bytes, bytes]:
    """What is read of it."""
    return strict.read(io.BytesIO(header))


@given(st.dictionaries(NAMES.map(bytes.title), VALUES, max_size=20))
def test_what_is_written_is_read(fields: dict[bytes, bytes]) -> None:
    """Names in title case, values without the spaces around them, in their order."""
    header = b"".join(name.lower() + b": \t" + value + b" \r\n" for name, value in fields.items())
    assert list(read(header + b"\r\n").items()) == list(fields.items())


@given(st.binary(max_size=200) | st.lists(NAMES | VALUES | st.sampled_from([b":", b"\r\n", b"\n", b" "])).map(b"".join))
def test_anything_is_read_or_refused(header: bytes) -> None:
    """Whatever comes gives fields that no other reader cuts elsewhere, or a refusal that repeats nothing."""
    try:
        found = read(header)
    except ValueError as error:
        assert str(error).isascii()
        return
    for name, value in found.items():
        assert not set(name) & set(b"\r\n\0 \t:_")
        assert not set(value) & set(b"\r\n\0")


def test_fields_of_which_there_is_one_are_not_repeated() -> None:
    """Lists are joined; a second length, host, cookie or origin is refused, however it is spelt."""
    assert read(b"Accept: a\r\naccept: b\r\n\r\n") == {b"Accept": b"a, b"}
    for name in (b"Host", b"Content-Length", b"Transfer-Encoding", b"Cookie", b"Origin", b"Authorization"):
        with pytest.raises(ValueError, match="twice"):
            read(name + b": a\r\n" + name.upper() + b": a\r\n\r\n")


def test_a_header_has_so_many_lines() -> None:
    """A hundred fields are read, one more is not, and a header without an end is none."""
    lines = b"".join(b"X-%d: 1\r\n" % number for number in range(strict.MOST_LINES))
    assert len(read(lines + b"\r\n")) == strict.MOST_LINES
    with pytest.raises(ValueError, match="many"):
        read(lines + b"Y: 1\r\n\r\n")
    with pytest.raises(ValueError, match="end"):
        read(lines)


@pytest.mark.parametrize(
    ("target", "ours"),
    [
        (b"/", True), (b"/a?b=%20c", True), (b"*", False), (b"", False), (b"//a", False), (b"http://a/", False),
        (b"/\xc3\xa9", False), (b"/a b", False), (b"/a\tb", False), (b"/a\x7f", False), (b"/a\n", False),
    ],
)  # fmt: skip
def test_targets(target: bytes, ours: bool) -> None:
    """A path of printable ASCII, which no other reader takes for another site's."""
    assert strict.is_target(target) is ours
