"""Reads a request's header lines, and refuses every form that two readers could understand differently.

What comes between a tablet and the box (a proxy, a scanner of a retailer's network) must not see another request than
we do. RFC 9112 lets a server refuse all of these; no browser and no library sends them.

Pure: no I/O, no clock.
"""

import re
from typing import Final, Protocol

MOST_LINES: Final = 100
_NAME: Final = re.compile(
    rb"[!#$%&'*+.^`|~0-9A-Za-z-]{1,256}"
)  # a token (RFC 9110 5.6.2) without underscore: see `read`
_VALUE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_TARGET: Final = re.compile(rb"/[\x21-\x7e]*")
# Whoever sends one of these twice has two readers in mind. Others are lists, and are joined.
_ONCE: Final = frozenset(
    {
        b"Host", b"Content-Length", b"Transfer-Encoding", b"Content-Type", b"Content-Encoding", b"Authorization",
        b"Origin", b"Cookie", b"Sec-Fetch-Site", b"Expect", b"User-Agent",
    }
)  # fmt: skip


class Lines(Protocol):
    """Where lines come from, each with its end; an empty one: there are no more."""

    def readline(self) -> bytes: ...


def read(lines: Lines) -> dict[bytes, bytes]:
    """The header's fields by name, in title case; values without the spaces around them.

    Refused are lines that do not end in CR LF, folded lines (they begin with a space), a space before the colon,
    control characters, underscores in names (the environment of an application knows no difference to a hyphen), and
    repeated fields of which there is one.

    Raises:
        ValueError: refused; says nothing of what was sent.
    """
    found: dict[bytes, bytes] = {}
    for _ in range(MOST_LINES + 1):
        line = lines.readline()
        if line == b"\r\n":
            return found
        if not line.endswith(b"\r\n"):
            raise ValueError("a header that does not end")
        name, colon, value = line[:-2].partition(b":")
        if not colon or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError("a line that is no field")
        name, value = name.title(), value.strip(b" \t")
        if name not in found:
            found[name] = value
        elif name in _ONCE:
            raise ValueError("a field that is there twice")
        else:
            found[name] += b", " + value
    raise ValueError("too many lines")


def is_target(target: bytes) -> bool:
    """Whether a request's target is a path of ours: no other scheme, no `*`, printable, nothing but ASCII."""
    return _TARGET.fullmatch(target) is not None and not target.startswith(b"//")
