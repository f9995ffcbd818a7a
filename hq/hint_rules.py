"""Whether the hints of a policy may be published: short, in words that name nothing which may be hidden.

A hint stands beside a card. Were it to speak of a diet, an associate would take it as a word about this shopper.

Pure: no I/O, no clock.
"""

import re
from collections.abc import Iterator

from hq.errors import Reason, Refused
from wire.hints import HINT_CHARACTERS, Hint
from wire.policy import MainPolicy, must_be_blind

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_SOFTWARE = re.compile(r"[0-9]+(\.[0-9]+){1,3}([a-z0-9.+-]{0,32})")


def problems(main: MainPolicy) -> Iterator[Refused]:
    """Everything that is wrong with the hints, and with the release that is wanted."""
    names = {name for one in main.scopes for name in (_words(one.label), _words(one.id), _words(one.special)) if name}
    seen: set[str] = set()
    for hint in main.hints or ():
        where = f"hints.{hint.id}"
        if hint.id in seen:
            yield Refused(Reason.POLICY_INCONSISTENT, where, "each name once")
        seen.add(hint.id)
        yield from _texts(where, hint, names)
        yield from _ties(where, hint, main)
    if main.software_wanted is not None and _SOFTWARE.fullmatch(main.software_wanted) is None:
        yield Refused(Reason.MALFORMED, "software_wanted", "a version such as 1.4.0")


def _texts(where: str, hint: Hint, names: set[tuple[str, ...]]) -> Iterator[Refused]:
    if not hint.texts:
        yield Refused(Reason.POLICY_INCOMPLETE, f"{where}.texts", 'a text for at least one language: { en = "…" }')
    languages = [one.language for one in hint.texts]
    if len(set(languages)) < len(languages):
        yield Refused(Reason.POLICY_INCONSISTENT, f"{where}.texts", "each language once")
    for one in hint.texts:
        place = f"{where}.texts.{one.language}"
        if _LANGUAGE.fullmatch(one.language) is None:
            yield Refused(Reason.MALFORMED, place, "the tag of a language, such as en or pt-BR")
        if not one.text.strip() or not one.text.isprintable():
            yield Refused(Reason.MALFORMED, place, "one line of words")
        if len(one.text) > HINT_CHARACTERS:
            yield Refused(Reason.TOO_LARGE, place, f"at most {HINT_CHARACTERS} characters, to be read at a glance")
        words = _words(one.text)
        if any(words[at : at + len(name)] == name for name in names for at in range(len(words))):
            hidden = "words that name no scope: whoever reads them takes them for a word about this shopper"
            yield Refused(Reason.POLICY_INCONSISTENT, place, hidden)


def _ties(where: str, hint: Hint, main: MainPolicy) -> Iterator[Refused]:
    if not {one.id for one in main.purposes}.issuperset(hint.purposes):
        yield Refused(Reason.UNDECLARED_PURPOSE, f"{where}.purposes", "purposes that this policy declares")
    if not {one.id for one in main.roles}.issuperset(hint.roles):
        yield Refused(Reason.UNDECLARED_ROLE, f"{where}.roles", "roles that this policy declares")
    if any(must_be_blind(kind) for kind in hint.zone_kinds):
        yield Refused(Reason.POLICY_INCONSISTENT, f"{where}.zone_kinds", "kinds of zones in which somebody is shown")


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.casefold()))
