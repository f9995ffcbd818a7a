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
from hq.state import Choice, Event, EventKind, is_wide
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

    The member's own counts from the least age on; a parent may agree only for somebody who cannot alone.
    `age_at_least` 0: not known, which counts as below.
    """
    asked = [of(one) for one in jurisdictions] or [of("")]
    if party is Party.PARENT:
        return all(one.parent and age_at_least < one.least_age for one in asked)
    if party is Party.MEMBER:
        return all(age_at_least >= one.least_age for one in asked)
    return all(one.delegate for one in asked)


def check(choice: Choice, party: Party, age_at_least: int, jurisdiction: str) -> None:
    """Passes what may be chosen at this age; a contact or media needs a yes that counts. Stores judge by themselves.

    Raises:
        Refused: the member's own grant of these while they are below the age, or it is not known.
    """
    if party is Party.MEMBER and not _counts(choice, party, age_at_least, jurisdiction):
        hint = "a member who is known to have reached the age from which they can agree alone, or a parent's yes"
        raise Refused(Reason.NO_PROFILE_BELOW_AGE, "member", hint)


def counts_now(event: Event, age_at_least: int, jurisdiction: str) -> bool:
    """Whether an event that was taken before still counts at the age that is known now; of stores they judge it."""
    return event.proof.by is Party.DELEGATE or _counts(event.choice, event.proof.by, age_at_least, jurisdiction)


def _counts(choice: Choice, party: Party, age_at_least: int, jurisdiction: str) -> bool:
    if choice.kind is not EventKind.GRANT or not is_wide(choice.purpose or ""):
        return True
    return counts(party, age_at_least, _asked(choice, jurisdiction))


def _asked(choice: Choice, jurisdiction: str) -> set[str]:
    return {one for one in (choice.jurisdiction, jurisdiction) if one}


def judged(choice: Choice, party: Party, age_at_least: int, jurisdiction: str) -> Choice:
    """The choice as it is to be recorded: a grant by somebody who could not grant it for another never counts.

    The member's own is recorded as it is: it counts from the age on. `jurisdiction`: the member's own, empty where it
    is not known; that of the stores stands in the choice.
    """
    own = choice.kind is not EventKind.GRANT or party is Party.MEMBER
    if own or counts(party, age_at_least, _asked(choice, jurisdiction)):
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
