"""The age bands that are kept of a member, instead of an age or a birth date.

Pure: no I/O, no clock.
"""

BANDS = (13, 14, 15, 16, 18, 21)  # what `wire.member.Member.age_at_least` may say; 0: unknown, or below all of them


def band(years: int) -> int:
    """The highest band that somebody of so many years has reached, at least; 0: none, or not known."""
    return max((one for one in BANDS if one <= years), default=0)
