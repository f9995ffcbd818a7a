"""A policy's rules by their names, made once for the many members whom it is asked about.

Pure: no I/O, no clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from wire.policy import MainPolicy, Purpose, ScopeRule

_MOST_KEPT = 64


@dataclass(frozen=True, slots=True)
class Declared:
    """What a policy declares. `all_purposes`: of each scope those for which it may be granted; `ages`: the least age
    in years of each jurisdiction that has a rule."""

    main: MainPolicy
    purposes: Mapping[str, Purpose]
    scopes: Mapping[str, ScopeRule]
    all_purposes: Mapping[str, frozenset[str]]
    roles: frozenset[str]
    ages: Mapping[str, int]


_KEPT: dict[int, Declared] = {}  # by identity; each holds its policy, so that no other gets its number


def of(main: MainPolicy) -> Declared:
    """The rules of this very policy."""
    found = _KEPT.get(id(main))
    if found is not None and found.main is main:
        return found
    ages: dict[str, int] = {}
    for one in main.ages:
        ages[one.jurisdiction] = max(one.least_age, ages.get(one.jurisdiction, 0))
    purposes: dict[str, Purpose] = {}
    for purpose in main.purposes:
        purposes.setdefault(purpose.id, purpose)
    found = Declared(
        main=main,
        purposes=purposes,
        scopes={one.id: one for one in main.scopes},
        all_purposes={one.id: frozenset(one.all_purposes) for one in main.scopes},
        roles=frozenset(one.id for one in main.roles),
        ages=ages,
    )
    if len(_KEPT) >= _MOST_KEPT:
        _KEPT.clear()
    _KEPT[id(main)] = found
    return found
