"""Which browser a tablet says it is, by name and version, and by what decides about updates: the engine's family.

Read from the User-Agent that browsers send, which anybody may forge: this keeps tablets up to date and nobody out. It
is a table of our own, since what is asked is small: three engines make all of them, and each writes its version in one
place (Chrome/N, Firefox/N, Version/N; what runs on iOS is Safari's engine under whatever name, and shows the system's
version only).

Pure: no I/O, no clock.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from wire.schema import Range

MOST_RULES = 3


class Family(StrEnum):
    """Who makes the engine."""

    CHROMIUM = "chromium"  # Chrome, Edge, Samsung Internet, Opera, Android's WebView
    FIREFOX = "firefox"
    SAFARI = "safari"  # and every browser on iOS


@dataclass(frozen=True, slots=True)
class BrowserRule:
    """The least major version of a family with which a tablet may be used."""

    ROW = True
    family: Family
    least: Annotated[int, Range(1, 100_000)]


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser by the name that people know, such as "Edge 128". `family` None: one that is not known."""

    family: Family | None
    version: int  # the engine's, major; 0: not known
    name: str


# Before Chrome's own name, since they bear that one too; then by what people call them.
_NAMED = (
    ("Edge", r"Edg(?:A|iOS)?/(\d+)"),
    ("Samsung Internet", r"SamsungBrowser/(\d+)"),
    ("Opera", r"(?:OPR|OPT)/(\d+)"),
    ("Chrome", r"(?:HeadlessChrome|Chromium|Chrome|CriOS)/(\d+)"),
    ("Firefox", r"(?:Firefox|FxiOS)/(\d+)"),
    ("Safari", r"Version/(\d+)[.\d]* (?:Mobile/\S+ )?Safari"),
)
_IOS = re.compile(r"(?:iPhone|iPad|iPod).* OS (\d+)[_.]")
_CHROME = re.compile(r"(?:HeadlessChrome|Chromium|Chrome)/(\d+)")
_FIREFOX = re.compile(r"Firefox/(\d+)")
_SAFARI = re.compile(r"Version/(\d+)[.\d]* (?:Mobile/\S+ )?Safari")


def browser(user_agent: str) -> Browser:
    """What this text says; never fails."""
    family, version = _engine(user_agent)
    for name, form in _NAMED:
        found = re.search(form, user_agent)
        if found is not None and family is not None:
            return Browser(family, version, f"{name} {_number(found[1])}")
    if family is not None:
        return Browser(family, version, f"{family.value.capitalize()} {version}")
    return Browser(None, 0, "")


def allowed(user_agent: str, rules: tuple[BrowserRule, ...] | None, *, unknown: bool) -> bool:
    """Whether policy lets this browser in; `unknown`: what of one that is not known, or whose family has no rule."""
    if not rules:
        return True
    found = browser(user_agent)
    for rule in rules:
        if rule.family is found.family:
            return found.version >= rule.least
    return unknown


def _engine(user_agent: str) -> tuple[Family | None, int]:
    for family, form in (
        (Family.SAFARI, _IOS), (Family.CHROMIUM, _CHROME), (Family.FIREFOX, _FIREFOX), (Family.SAFARI, _SAFARI),
    ):  # fmt: skip
        # An iPad says that it is a Macintosh, and then bears Safari's own version, which is the system's.
        found = form.search(user_agent)
        if found is not None:
            return family, _number(found[1])
    return None, 0


def _number(digits: str) -> int:
    return int(digits[:6])
