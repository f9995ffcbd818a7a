"""Several scopes decided at once, as each of them is by itself.

Whatever the members, visits and policies are.
"""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.decide import Allow, Deny, Ground, Rule, Verdicts, decide, declared, presence, usable
from consent.visit import NOTHING_DENIED
from tests.strategies import (
    MAIN,
    NOW_S,
    POLICY,
    PRESENT,
    SCOPES,
    UNHEARD_OF,
    VISIT,
    denials,
    fields_of,
    member,
    members,
    policies,
    roles,
    scope_rule,
    statement,
    text_field,
    visits,
)

EVERY = (*SCOPES, UNHEARD_OF)


@given(members, denials, roles, visits, policies, st.permutations(EVERY))
def test_scopes_asked_at_once_are_decided_as_one_by_one(someone, denied, role, visit, policy, scopes):
    """Verdicts on several scopes are those on each of them, in any order, to be shown and to be used."""
    declarations = tuple(replace(one, used_for=("suggest", "assist")) for one in policy.main.scopes)
    asked = (role, visit, replace(policy, main=replace(policy.main, scopes=declarations)), NOW_S)
    verdicts = Verdicts(someone, denied, *asked)
    assert verdicts.standing == presence(someone, denied, *asked)
    for scope in scopes:
        assert verdicts.declaration(scope) == declared(declarations, scope)
        assert verdicts.shown(scope) == decide(someone, denied, scope, *asked)
        for purpose in ("suggest", "assist", "presence"):
            assert verdicts.used(scope, purpose) == usable(someone, denied, scope, purpose, *asked)
        if isinstance(verdicts.standing, Deny):
            assert verdicts.shown(scope) == verdicts.standing


@settings(max_examples=40)
@given(members, denials, roles, visits, policies, st.sampled_from(SCOPES).flatmap(fields_of))
def test_a_value_made_here_counts_instead_of_the_records(someone, denied, role, visit, policy, made):
    """The verdicts are those on a record that has this value of the scope and no other, and else is the same."""
    others = tuple(one for one in someone.fields if one.scope != made.scope)
    laid = replace(someone, fields=(*others, made))
    asked = (role, visit, policy, NOW_S)
    verdicts = Verdicts(someone, denied, *asked, {made.scope: made})
    for scope in EVERY:
        assert verdicts.shown(scope) == decide(laid, denied, scope, *asked)
        assert verdicts.used(scope, "suggest") == usable(laid, denied, scope, "suggest", *asked)


@pytest.mark.parametrize("order", [1, -1])
def test_each_scope_is_judged_by_what_speaks_of_it(order):
    """By its own grants and purposes, whatever was asked before; and one that is declared twice is declared never."""
    scopes = (
        *(scope_rule(scope) for scope in ("size.shoe", "fit.jacket", "name.first", "diet", "diet")),
        scope_rule("colour.liked", purposes=("of-nobody",)),
    )
    policy = replace(POLICY, main=replace(MAIN, scopes=scopes))
    fields = tuple(text_field(scope, "42") for scope in dict.fromkeys(one.id for one in scopes))
    granted = (statement("size.shoe", until_s=NOW_S), statement("fit.jacket"), statement("diet"))
    verdicts = Verdicts(member(PRESENT, *granted, fields=fields), NOTHING_DENIED, "associate", VISIT, policy, NOW_S)
    expected = {
        "size.shoe": Deny(Rule.NO_LONGER_VALID),
        "fit.jacket": Allow("assist", Ground.GRANT, granted[1].from_s, granted[1].until_s),
        "name.first": Deny(Rule.NOT_GRANTED),
        "diet": Deny(Rule.UNKNOWN_SCOPE),
        "colour.liked": Deny(Rule.UNKNOWN_PURPOSE),
    }
    assert {scope: verdicts.shown(scope) for scope in [*expected][::order]} == expected
