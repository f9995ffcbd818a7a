"""Decides which figures may be released: none of few members, and none that tells of few by difference to another.

Withheld is what fewer than k stand behind; what differs from a released figure that holds it, or that it holds, by
fewer than k; and what would leave fewer than k, but somebody, when all released parts are taken from the whole. Of a
figure that is of another kind (another axis, purpose or population) nobody knows beforehand whether it holds the other:
where it happens to, by the members, and fewer than k are left, but somebody, it is withheld, too.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable

from hq.figures_model import Box, Counting


def releasable(
    counting: Counting, wanted: Iterable[Box], released: Iterable[Box], least: int,
    others: Iterable[frozenset[bytes]] = (),
) -> list[Box]:  # fmt: skip
    """Those of the wanted boxes that may be released beside the released ones, wholes first, then many before few.

    least: k, how many must stand behind each figure and each difference. others: who stands behind each released figure
    of other purposes and populations.
    """
    held, apart = list(released), list(others)
    found = []
    for box in sorted(wanted, key=lambda one: (one.outcome is not None, -len(counting.members(one)), one)):
        if _is_safe(counting, box, held, least, apart):
            held.append(box)
            found.append(box)
    return found


def _is_safe(
    counting: Counting, box: Box, held: list[Box], least: int, apart: list[frozenset[bytes]]
) -> bool:  # fmt: skip
    members = counting.members(box)
    if len(members) < least:
        return False
    for other in held:
        if box.holds(other) and _differ_by_few(members, [counting.members(other)], least):
            return False
        if other.holds(box) and _differ_by_few(counting.members(other), [members], least):
            return False
        if _tells_of_few(members, counting.members(other), least):
            return False
    if any(_tells_of_few(members, other, least) for other in apart):
        return False
    return not any(
        _differ_by_few(counting.members(whole), [counting.members(one) for one in parts], least, but_none=True)
        for whole, parts in _splits(box, held)
    )


def _tells_of_few(one: frozenset[bytes], other: frozenset[bytes], least: int) -> bool:
    """Whether one of two holds the other, and somebody, but fewer than `least`, besides."""
    differ = abs(len(one) - len(other))
    return 0 < differ < least and (one < other or other < one)


def _splits(box: Box, held: list[Box]) -> list[tuple[Box, list[Box]]]:
    """Every whole of which parts are released, once this box is: as a part of a released whole, or as the whole."""
    known = set(held)
    children = [one for one in held if box in one.parents()]
    as_part = [
        (parent, [box, *(one for one in held if one.splits_like(box, parent))])
        for parent in box.parents()
        if parent in known
    ]
    as_whole = [(box, [one for one in children if one.splits_like(child, box)]) for child in children]
    return as_part + as_whole


def _differ_by_few(
    whole: frozenset[bytes], parts: list[frozenset[bytes]], least: int, *, but_none: bool = False
) -> bool:
    """Whether fewer than `least` are in the whole and in no part; `but_none`: that nobody is does not count."""
    if len(whole) - sum(len(one) for one in parts) >= least:  # no need to look who they are
        return False
    left = len(whole.difference(*parts))
    return left < least and not (but_none and left == 0)
