"""The words of a policy's notices in one language, as a retailer writes them: adding a language is adding a file.

Of each purpose a label, what, how, why, benefit and the full text; the names of scopes, roles and kinds of zones; and
the lines of which the generated part is made. In braces stands what the policy says: `{retention}`, `{scopes}`,
`{roles}`, `{stores}`, `{blind}`, `{recipients}`.

Pure: no I/O, no clock.
"""

import dataclasses
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hq.errors import Reason, Refused

PARTS = ("label", "what", "how", "why", "benefit", "full")
MAY_BE_MISSING = ("used_heading", "used", "used_special")
PLACES = frozenset({"retention", "scopes", "roles", "stores", "blind", "recipients"})


@dataclass(frozen=True, slots=True)
class PurposeWords:
    """What the retailer says of one purpose; `full` in paragraphs that an empty line divides."""

    label: str = ""
    what: str = ""
    how: str = ""
    why: str = ""
    benefit: str = ""
    full: str = ""


@dataclass(frozen=True, slots=True)
class Lines:
    """Of what the generated part is made: headings (`…_heading`) and lines, with what they must name in braces."""

    scopes_heading: str
    scope: str  # {scope} {retention}
    scope_special: str  # {scope} {retention} {special}
    scope_list: str  # {scope} {retention} {most}
    roles_heading: str
    nobody: str
    stores_heading: str
    stores_more: str  # {n}
    blind_heading: str
    blind_there: str  # {zone} {stores}
    retention_heading: str
    retention: str  # {retention}
    recipients_heading: str
    recipient: str  # {recipient} {country}
    no_recipient: str
    legal_heading: str
    none: str
    day: str  # {n}
    days: str
    year: str
    years: str
    used_heading: str = ""  # these three are needed where a purpose uses what it does not show
    used: str = ""  # {scope} {retention}
    used_special: str = ""  # {scope} {retention} {special}


LINE_PLACES: Mapping[str, frozenset[str]] = {
    "scope": frozenset({"scope", "retention"}),
    "scope_special": frozenset({"scope", "retention", "special"}),
    "scope_list": frozenset({"scope", "retention", "most"}),
    "used": frozenset({"scope", "retention"}),
    "used_special": frozenset({"scope", "retention", "special"}),
    "blind_there": frozenset({"zone", "stores"}),
    "retention": frozenset({"retention"}),
    "recipient": frozenset({"recipient", "country"}),
    "stores_more": frozenset({"n"}),
    "day": frozenset({"n"}),
    "days": frozenset({"n"}),
    "year": frozenset({"n"}),
    "years": frozenset({"n"}),
}


@dataclass(frozen=True, slots=True)
class Words:
    """One language's words. `zone_kinds`, `legal_bases` and `specials` translate what the policy says; the rest is its
    own label where a word is missing.
    """

    language: str
    name: str
    lines: Lines
    purposes: Mapping[str, PurposeWords]
    scopes: Mapping[str, str]
    roles: Mapping[str, str]
    zone_kinds: Mapping[str, str]
    legal_bases: Mapping[str, str]
    specials: Mapping[str, str]


def parse(table: object, where: str) -> Words:
    """The words of a table that was read from a file; whether they are enough is judged by `notice_rules`.

    Raises:
        Refused: a key is unknown, missing or of another form.
    """
    given = _table(table, where)
    _known(given, where, [one.name for one in dataclasses.fields(Words)])
    lines = _table(given.get("lines"), f"{where}.lines")
    names = [one.name for one in dataclasses.fields(Lines)]
    _known(lines, f"{where}.lines", names)
    given_lines = [name for name in names if lines.get(name) or name not in MAY_BE_MISSING]
    purposes = {}
    for purpose, one in _table(given.get("purposes", {}), f"{where}.purposes").items():
        at = f"{where}.purposes.{purpose}"
        said = _texts(one, at)
        _known(said, at, PARTS)
        purposes[purpose] = PurposeWords(**{part: text.strip() for part, text in said.items()})
    return Words(
        language=_text(given, "language", where),
        name=_text(given, "name", where),
        lines=Lines(**{name: _text(lines, name, f"{where}.lines") for name in given_lines}),
        purposes=purposes,
        scopes=_texts(given.get("scopes", {}), f"{where}.scopes"),
        roles=_texts(given.get("roles", {}), f"{where}.roles"),
        zone_kinds=_texts(given.get("zone_kinds", {}), f"{where}.zone_kinds"),
        legal_bases=_texts(given.get("legal_bases", {}), f"{where}.legal_bases"),
        specials=_texts(given.get("specials", {}), f"{where}.specials"),
    )


def table_of(words: Words) -> dict[str, Any]:
    """The table of which `parse` makes the same words again."""
    return dataclasses.asdict(words)


def places(text: str) -> set[str] | None:
    """What stands in braces in a text; None: the braces do not fit, or ask for more than a name."""
    try:
        found = [(name, spec, conversion) for _, name, spec, conversion in string.Formatter().parse(text)]
    except ValueError:
        return None
    if any(spec or conversion or name == "" for name, spec, conversion in found if name is not None):
        return None
    return {name for name, _, _ in found if name is not None}


def _table(given: object, where: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise Refused(Reason.MALFORMED, where, "expected a table")
    return given


def _texts(given: object, where: str) -> dict[str, str]:
    table = _table(given, where)
    if not all(isinstance(one, str) for one in table.values()):
        raise Refused(Reason.MALFORMED, where, "expected a table of texts")
    return table


def _text(table: dict[str, Any], key: str, where: str) -> str:
    found = table.get(key)
    if not isinstance(found, str) or not found.strip():
        raise Refused(Reason.MALFORMED, f"{where}.{key}", "expected a text")
    return found


def _known(table: dict[str, Any], where: str, names: list[str] | tuple[str, ...]) -> None:
    for key in table:
        if key not in names:
            raise Refused(Reason.MALFORMED, f"{where}.{key}", f"expected one of the keys {', '.join(names)}")
