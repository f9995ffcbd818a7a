"""What one version of a notice says otherwise than the one before, word by word.

Pure: no I/O, no clock.
"""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

_MOST_WORDS = 2_000  # of a pair of passages; longer ones are told whole


class Kind(StrEnum):
    """What became of some words."""

    SAME = "same"
    GONE = "gone"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words of a line."""

    kind: Kind
    text: str


Line = tuple[Piece, ...]


def lines(before: Sequence[str], after: Sequence[str]) -> list[Line]:
    """The lines that differ, each with what stays in it; `before` and `after` as `hq.notice.plain` gives them."""
    found: list[Line] = []
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag == "equal":
            continue
        old, new = before[a0:a1], after[b0:b1]
        for one, other in zip(old, new, strict=False):
            found.append(tuple(_words(one.split(), other.split())))
        found += [(Piece(Kind.GONE, one),) for one in old[len(new) :]]
        found += [(Piece(Kind.NEW, one),) for one in new[len(old) :]]
    return found


def _words(before: list[str], after: list[str]) -> Iterator[Piece]:
    if len(before) + len(after) > _MOST_WORDS:
        yield Piece(Kind.GONE, " ".join(before))
        yield Piece(Kind.NEW, " ".join(after))
        return
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag == "equal":
            yield Piece(Kind.SAME, " ".join(before[a0:a1]))
            continue
        if a1 > a0:
            yield Piece(Kind.GONE, " ".join(before[a0:a1]))
        if b1 > b0:
            yield Piece(Kind.NEW, " ".join(after[b0:b1]))
