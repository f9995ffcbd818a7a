"""Whether what a policy says of suggestions makes sense: scopes that are declared and special, rules that there are.

Pure: no I/O, no clock.
"""

from collections.abc import Iterator

from consent.journeys import CONCLUSIONS
from consent.suggest.choose import EVERYTHING
from consent.suggest.rank import ReasonKind
from hq.errors import Reason, Refused
from wire.flags import category
from wire.policy import MainPolicy, Section, ValueType


def rules(main: MainPolicy) -> frozenset[str]:
    """The rules of suggestions that can be switched off: kinds of reasons, and scopes that something is made of.

    And what is concluded beside them, by the scopes under which it stands.
    """
    used = {one.id for one in main.scopes if one.used_for or one.id in CONCLUSIONS}
    return frozenset((EVERYTHING, *(one.value for one in ReasonKind), *used))


def problems(main: MainPolicy) -> Iterator[Refused]:
    """Everything that is wrong, first first."""
    for one in main.scopes:
        of_items, beside = one.value_type is ValueType.ITEMS, one.section is Section.SUGGESTIONS
        if one.id in CONCLUSIONS and not (of_items and beside):
            hint = 'value_type = "items" and section = "suggestions": the store makes it, beside suggestions'
            yield Refused(Reason.POLICY_INCONSISTENT, f"scopes.{one.id}", hint)
        elif beside and not of_items:
            hint = 'value_type = "items", or another section: neither flags nor mutes can be asked of texts'
            yield Refused(Reason.POLICY_INCONSISTENT, f"scopes.{one.id}", hint)
    said = main.suggestions
    if said is None:
        return
    if said.declined_rest_days <= said.ignore_rest_days:
        hint = "more than ignore_rest_days: what was declined rests for longer than what was passed over"
        yield Refused(Reason.POLICY_INCONSISTENT, "suggestions.declined_rest_days", hint)
    special = {one.id for one in main.scopes if one.special}
    seen: set[str] = set()
    for special_scope in said.specials:
        where = f"suggestions.specials.{special_scope.category}"
        if special_scope.scope not in special:
            yield Refused(Reason.UNDECLARED_SCOPE, where, "a scope that this policy declares, with `special`")
        if category(special_scope.category) in seen:
            yield Refused(Reason.POLICY_INCONSISTENT, where, "each category once")
        seen.add(category(special_scope.category))
    known = rules(main)
    for key, named in (("rules_off", said.rules_off), ("rules_resting", [one.rule for one in said.rules_resting])):
        if any(one not in known for one in named):
            hint = f"kinds of reasons, or scopes that are used for suggestions: {', '.join(sorted(known))}"
            yield Refused(Reason.POLICY_INCONSISTENT, f"suggestions.{key}", hint)
