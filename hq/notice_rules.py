"""Whether the words of a policy's notices are enough: every purpose told, every scope named, short and without a gap.

Pure: no I/O, no clock.
"""

from collections.abc import Iterator, Sequence

from hq.errors import Reason, Refused
from hq.notice import MOST_WORDS, Facts
from hq.notice_text import text_of
from hq.notice_words import LINE_PLACES, MAY_BE_MISSING, PARTS, PLACES, Words, places
from wire.policy import StorePolicy


def of_language(words: Words) -> Iterator[Refused]:
    """What is wrong with a language's lines."""
    where = f"notices.{words.language}"
    if not 2 <= len(words.language) <= 16:
        yield Refused(Reason.MALFORMED, where, "a tag of a language, such as en or pt-BR")
    for name, needed in LINE_PLACES.items():
        if name in MAY_BE_MISSING and not getattr(words.lines, name):
            continue
        if (places(getattr(words.lines, name)) or set()) != set(needed):
            wanted = ", ".join(f"{{{one}}}" for one in sorted(needed))
            yield Refused(Reason.POLICY_INCOMPLETE, f"{where}.lines.{name}", f"a line that names {wanted}, and no more")


def of_purpose(purpose: str, facts: Facts, words: Words, stores: Sequence[StorePolicy]) -> Iterator[Refused]:
    """What is wrong with one purpose's words in one language."""
    where = f"notices.{words.language}.purposes.{purpose}"
    own = words.purposes.get(purpose)
    if own is None:
        yield Refused(Reason.POLICY_INCOMPLETE, where, f"what members are told of it: {', '.join(PARTS)}")
        return
    found = []
    for part in PARTS:
        text = getattr(own, part)
        if not text:
            found.append(Refused(Reason.POLICY_INCOMPLETE, f"{where}.{part}", "a text"))
            continue
        named = places(text)
        if named is None or not named <= PLACES:
            hint = f"in braces only {', '.join(sorted(PLACES))}"
            found.append(Refused(Reason.MALFORMED, f"{where}.{part}", hint))
    for scope in facts.scopes:
        if not words.scopes.get(scope.id, "").strip():
            at = f"notices.{words.language}.scopes.{scope.id}"
            found.append(Refused(Reason.POLICY_INCOMPLETE, at, "a word by which the text names this scope"))
    if not all(one.shown for one in facts.scopes):
        for name in MAY_BE_MISSING:
            if not getattr(words.lines, name):
                at = f"notices.{words.language}.lines.{name}"
                found.append(Refused(Reason.POLICY_INCOMPLETE, at, "a line of what is used for a purpose, not shown"))
    for role in facts.roles:
        if not words.roles.get(role, "").strip():
            at = f"notices.{words.language}.roles.{role}"
            found.append(Refused(Reason.POLICY_INCOMPLETE, at, "a word by which the text names who may see it"))
    yield from found
    if not found and not any(of_language(words)):
        count = text_of(purpose, facts, words, stores).words
        if count > MOST_WORDS:
            hint = f"at most {MOST_WORDS} words in what, how, why and benefit together, not {count}"
            yield Refused(Reason.TOO_LARGE, where, hint)
