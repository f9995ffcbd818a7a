"""What the law asks at least in each jurisdiction: least ages, and whether parents and delegates may agree.

The figures stand in `regulation.toml` beside this module, each with its source. A policy may be stricter.

I/O: reads the file that is shipped beside it, once.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from hq.ages import BANDS
from hq.errors import Reason, Refused
from hq.ledger_proof import Party, Status
from hq.state import Choice, EventKind
from wire.policy import MainPolicy

_FILE = "regulation.toml"
_BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class Law:
    """What one jurisdiction asks at least; see the file."""

    least_age: int
    parent: bool
    delegate: bool
    source: str


@cache
def laws() -> Mapping[str, Law]:
    """All that are listed, by jurisdiction, and the baseline by that word."""
    table = tomllib.loads((files("hq") / _FILE).read_text(encoding="utf-8"))
    return {code: Law(**row) for code, row in table.items()}


def of(jurisdiction: str) -> Law:
    """The law of a jurisdiction such as "DE" or "US-CA"; of one that is not listed, or not known, the baseline."""
    found = laws()
    return found.get(jurisdiction) or found.get(jurisdiction.split("-", 1)[0]) or found[_BASELINE]


def counts(party: Party, age_at_least: int, jurisdictions: Iterable[str]) -> bool:
    """Whether a grant by this party for a member of this age counts: in each of the jurisdictions.

    A parent may agree only for somebody who cannot alone. `age_at_least` 0: not known, which counts as below.
    """
    asked = [of(one) for one in jurisdictions] or [of("")]
    if party is Party.PARENT:
        return all(one.parent and age_at_least < one.least_age for one in asked)
    return party is Party.MEMBER or all(one.delegate for one in asked)


def judged(choice: Choice, party: Party, age_at_least: int, jurisdiction: str) -> Choice:
    """The choice as it is to be recorded: a grant by somebody who could not grant it is, and never counts.

    `jurisdiction`: the member's own, empty where it is not known; that of the stores stands in the choice.
    """
    asked = {one for one in (choice.jurisdiction, jurisdiction) if one}
    if choice.kind is not EventKind.GRANT or counts(party, age_at_least, asked):
        return choice
    return replace(choice, status=Status.INVALIDATED)


def problems(main: MainPolicy) -> Iterator[Refused]:
    """Where a policy is laxer than the law."""
    for rule in main.ages:
        least = of(rule.jurisdiction).least_age
        where = f"ages.{rule.jurisdiction}"
        if rule.least_age < least:
            yield Refused(Reason.POLICY_LAXER, where, f"at least {least} years")
        if rule.least_age > BANDS[-1]:
            yield Refused(Reason.POLICY_INCONSISTENT, where, f"at most {BANDS[-1]} years: no more is known of anybody")
    if main.unknown_age_is_of_age:
        yield Refused(Reason.POLICY_LAXER, "unknown_age_is_of_age", "false: an unknown age counts as below")
