"""The flags of the catalog that say what may be suggested, and the one way in which they are read.

Others, such as "new", say something to people and decide nothing.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable

NEVER = "never"  # to nobody, not even to who buys it regularly
ONLY_IF_BOUGHT = "only_if_bought"
ADULT = "adult"
SPECIAL = "special:"  # and the name of a special category
_PLAIN = frozenset({NEVER, ONLY_IF_BOUGHT, ADULT})


def guarding(flags: Iterable[str]) -> frozenset[str]:
    """Those that decide, as they are compared: case, blanks and hyphens do not matter, since a slip must not open."""
    found = (_compared(one) for one in flags)
    return frozenset(one for one in found if one in _PLAIN or one.startswith(SPECIAL))


def special_categories(flags: Iterable[str]) -> frozenset[str]:
    """The special categories that these flags name; "" where one names none, which nobody can grant."""
    return frozenset(one.removeprefix(SPECIAL) for one in guarding(flags) if one.startswith(SPECIAL))


def is_for_all(flags: Iterable[str]) -> bool:
    """Whether what bears these flags may be offered to somebody of whom nothing is known."""
    return not guarding(flags)


def category(name: str) -> str:
    """The name of a special category as it is compared."""
    return "_".join(name.casefold().replace("-", " ").replace("_", " ").split())


def _compared(flag: str) -> str:
    head, colon, tail = flag.partition(":")
    word = category(head)
    if word == "special":  # without a category, too: it is not known which
        return SPECIAL + category(tail)
    return word if not colon else f"{word}:{category(tail)}"
