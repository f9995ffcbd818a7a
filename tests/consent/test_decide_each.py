"""Several scopes decided at once, as each of them is by itself.

Whatever the members, visits and policies are.
"""

from dataclasses import replace

from hypothesis import given

from consent.decide import decide, decide_each, usable, usable_each
from tests.strategies import NOW_S, SCOPES, UNHEARD_OF, denials, members, policies, roles, visits


@given(members, denials, roles, visits, policies)
def test_scopes_asked_at_once_are_decided_as_one_by_one(someone, denied, role, visit, policy):
    """Verdicts on several scopes are those on each of them, to be shown and to be used."""
    rules = replace(
        policy,
        main=replace(policy.main, scopes=tuple(replace(one, used_for=("assist",)) for one in policy.main.scopes)),
    )
    scopes = (*SCOPES, UNHEARD_OF)
    asked = (role, visit, rules, NOW_S)
    shown = decide_each(someone, denied, scopes, *asked)
    assert shown == {scope: decide(someone, denied, scope, *asked) for scope in scopes}
    found = usable_each(someone, denied, scopes, "assist", *asked)
    assert found == {scope: usable(someone, denied, scope, "assist", *asked) for scope in scopes}
