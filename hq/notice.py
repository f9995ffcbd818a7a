"""A notice: what a member is told about one purpose, in every language of its policy, and its exact bytes.

The bytes are JSON, UTF-8, keys sorted, no spaces; their SHA-256 is what `wire.policy.Purpose.notice` and every consent
event name. One notice holds all languages, so that a hash tells what was said, and the language beside it in which.

Pure: no I/O, no clock.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hq.errors import Reason, Refused

FORMAT = "consentry-notice/1"
MOST_WORDS = 120  # of what, how, why and benefit together
_FALLBACK = "en"


@dataclass(frozen=True, slots=True)
class ScopeFact:
    """What stores do with one scope: a value older than `retention_days` is not shown, at most `most_items` are.

    Not `shown`: something is made of it, and it is shown to nobody for this.
    """

    id: str
    retention_days: int
    most_items: int
    least_source: int
    special: str
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """What stores and HQ do for one purpose, as its policy says; the generated part of a text is made of nothing else.

    `stores`: (id, label). `blind`: (store, zone) where nobody is shown. `recipients`: (id, name, country).
    """

    scopes: tuple[ScopeFact, ...]
    roles: tuple[str, ...]
    stores: tuple[tuple[str, str], ...]
    blind: tuple[tuple[str, str], ...]
    recipients: tuple[tuple[str, str, str], ...]
    retention_days: int
    legal_basis: str


@dataclass(frozen=True, slots=True)
class Text:
    """What a member reads in one language. The first four, at most 120 words, stand at the choice.

    `full`: paragraphs, and `details`: headings with their lines, one tap away.
    """

    language: str
    label: str
    what: str
    how: str
    why: str
    benefit: str
    full: tuple[str, ...]
    details: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def words(self) -> int:
        """How many words stand at the choice."""
        return len(" ".join((self.what, self.how, self.why, self.benefit)).split())


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice; `texts` by language. `hash` is the SHA-256 of its bytes, 32 bytes."""

    hash: bytes
    policy: str
    purpose: str
    facts: Facts
    texts: Mapping[str, Text]

    @property
    def languages(self) -> tuple[str, ...]:
        """In which it can be read."""
        return tuple(self.texts)

    def in_(self, language: str) -> Text:
        """The text in that language (a tag such as "de" or "de-AT"), else in its base, else in English, else any."""
        for wanted in (language, language.split("-")[0].lower(), _FALLBACK):
            if wanted in self.texts:
                return self.texts[wanted]
        return next(iter(self.texts.values()))


def written(policy: str, purpose: str, facts: Facts, texts: Mapping[str, Text]) -> bytes:
    """The notice's exact bytes."""
    said = {one: {key: value for key, value in dataclasses.asdict(text).items() if key != "language"}
            for one, text in texts.items()}  # fmt: skip
    table = {"format": FORMAT, "policy": policy, "purpose": purpose, "facts": _table(facts), "texts": said}
    return json.dumps(table, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def read(content: bytes) -> Notice:
    """The notice of these bytes.

    Raises:
        Refused: no notice of ours, such as another platform's text.
    """
    try:
        table = json.loads(content)
        if table["format"] != FORMAT:
            raise ValueError
        return Notice(
            hash=hash_of(content),
            policy=table["policy"],
            purpose=table["purpose"],
            facts=_facts(table["facts"]),
            texts={language: _text(language, one) for language, one in table["texts"].items()},
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(Reason.MALFORMED, "notice", f"a notice of the form {FORMAT}") from error


def hash_of(content: bytes) -> bytes:
    """SHA-256 of a notice's bytes."""
    return hashlib.sha256(content).digest()


def plain(notice: Notice, language: str) -> list[str]:
    """All that the notice says in a language, line by line, as versions are compared."""
    text = notice.in_(language)
    lines = [text.label, text.what, text.how, text.why, text.benefit, *text.full]
    for heading, listed in text.details:
        lines += [heading, *listed]
    return lines


def _table(facts: Facts) -> dict[str, Any]:
    """The facts as they are written: what holds of most is left out, so that notices of before keep their bytes."""
    scopes = [dataclasses.asdict(one) for one in facts.scopes]
    for scope in scopes:
        if scope["shown"]:
            del scope["shown"]
    return dataclasses.asdict(facts) | {"scopes": scopes}


def _facts(table: dict[str, Any]) -> Facts:
    return Facts(
        scopes=tuple(ScopeFact(**one) for one in table["scopes"]),
        roles=tuple(table["roles"]),
        stores=tuple((store, label) for store, label in table["stores"]),
        blind=tuple((store, zone) for store, zone in table["blind"]),
        recipients=tuple((name, label, country) for name, label, country in table["recipients"]),
        retention_days=table["retention_days"],
        legal_basis=table["legal_basis"],
    )


def _text(language: str, table: dict[str, Any]) -> Text:
    return Text(
        language=language,
        label=table["label"],
        what=table["what"],
        how=table["how"],
        why=table["why"],
        benefit=table["benefit"],
        full=tuple(table["full"]),
        details=tuple((heading, tuple(lines)) for heading, lines in table["details"]),
    )
