"""The decision allows on a live grant that fits in everything, and denies on every doubt by its own rule."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.decide import Allow, Deny, Ground, Rule, decide, presence, usable
from consent.visit import NOTHING_DENIED, Denied
from tests.strategies import (
    DAY_S,
    MAIN,
    NOW_S,
    POLICY,
    PRESENT,
    SCOPES,
    STORE,
    STORE_POLICY,
    UNHEARD_OF,
    VISIT,
    any_field,
    denials,
    instances,
    member,
    members,
    policies,
    purpose,
    roles,
    scope_rule,
    statement,
    text_field,
    visits,
    zone,
)
from wire.member import Item, Member, Mode, SourceClass, State, Value
from wire.policy import AgeRule, MainPolicy, Policy, Section, StorePolicy, ValueType

GRANT = statement("size.shoe")
SHOE = text_field("size.shoe", "42")
MEMBER = member(PRESENT, GRANT, fields=(SHOE,))


def decided(
    someone=MEMBER, denied=NOTHING_DENIED, scope="size.shoe", role="associate", visit=VISIT, policy=POLICY, now_s=NOW_S
):
    """The verdict on a case that is allowed but for what the test changes."""
    return decide(someone, denied, scope, role, visit, policy, now_s)


def with_grant(**changes):
    """The member with another grant."""
    return replace(MEMBER, statements=(PRESENT, replace(GRANT, **changes)))


def with_field(**changes):
    """The member with another value."""
    return replace(MEMBER, fields=(replace(SHOE, **changes),))


def with_main(**changes):
    """The policy with another main part."""
    return replace(POLICY, main=replace(MAIN, **changes))


def with_rule(**changes):
    """The policy with another declaration of the scope."""
    return with_main(scopes=(scope_rule("size.shoe", **changes),))


def with_zone(**changes):
    """The policy with another zone where the visit is."""
    return replace(POLICY, store=replace(STORE_POLICY, zones=(replace(zone("entrance"), **changes),)))


def test_a_live_grant_that_fits_allows():
    """Purpose, ground and span of the member's choice come with the allowance."""
    assert decided() == Allow("assist", Ground.GRANT, GRANT.from_s, GRANT.until_s)
    assert presence(MEMBER, NOTHING_DENIED, "associate", VISIT, POLICY, NOW_S) == Allow(
        "presence", Ground.GRANT, PRESENT.from_s, PRESENT.until_s
    )


def used(someone, scope="size.shoe", purpose="suggest", policy=None, **asked):
    """The verdict on using what `suggest` may be made of."""
    rules = with_rule(used_for=("suggest",)) if policy is None else policy
    case = {"denied": NOTHING_DENIED, "role": "associate", "visit": VISIT, "now_s": NOW_S} | asked
    return usable(someone, case["denied"], scope, purpose, case["role"], case["visit"], rules, case["now_s"])


def test_who_lets_us_suggest_is_not_shown_what_it_is_made_of():
    """Granted for suggestions alone, a value may be used and not shown; granted for help alone, the other way round."""
    rules = with_rule(used_for=("suggest",))
    suggest_only = with_grant(purpose="suggest")
    assert decided(suggest_only, policy=rules) == Deny(Rule.NOT_GRANTED)
    assert used(suggest_only) == Allow("suggest", Ground.GRANT, GRANT.from_s, GRANT.until_s)
    assert decided(MEMBER, policy=rules).purpose == "assist"
    assert used(MEMBER) == Deny(Rule.NOT_GRANTED)


def test_a_policy_that_would_show_it_for_suggestions_is_not_followed():
    """Outside of the suggestions `suggest` shows nothing, whatever a policy says that was published before."""
    suggest_only = with_grant(purpose="suggest")
    shown = with_rule(purposes=("assist", "suggest"))
    assert decided(suggest_only, policy=shown) == Deny(Rule.NOT_GRANTED)
    assert decided(suggest_only, policy=with_rule(purposes=("suggest",))) == Deny(Rule.NO_PURPOSE)
    assert used(suggest_only, policy=shown) == Deny(Rule.NO_PURPOSE)


def test_what_may_be_used_is_held_to_what_may_be_shown():
    """Role, zone, time, denial, value and special category are judged alike; another purpose uses nothing."""
    granted = with_grant(purpose="suggest")
    special = with_rule(used_for=("suggest",), special="health")
    bundle = with_grant(purpose="suggest", scopes=("size.shoe", "fit.jacket"))
    old = replace(granted, fields=(replace(SHOE, confirmed_s=NOW_S - 366 * DAY_S),))
    verdicts = {
        "no roster": used(replace(granted, mode=Mode.QUIET)),
        "role": used(granted, role="manager-of-elsewhere"),
        "zone": used(with_grant(purpose="suggest", zones_excluded=("entrance",))),
        "over": used(granted, now_s=GRANT.until_s),
        "denied": used(granted, denied=replace(NOTHING_DENIED, scopes=frozenset({"size.shoe"}))),
        "old": used(old),
        "special": used(bundle, policy=special),
        "purpose": used(granted, purpose="assist"),
        "scope": used(granted, scope=UNHEARD_OF),
    }
    assert {name: verdict.rule for name, verdict in verdicts.items()} == {
        "no roster": Rule.QUIET,
        "role": Rule.UNKNOWN_ROLE,
        "zone": Rule.ZONE_EXCLUDED,
        "over": Rule.NO_LONGER_VALID,
        "denied": Rule.DENIED_IN_STORE,
        "old": Rule.VALUE_TOO_OLD,
        "special": Rule.NEEDS_EXPLICIT_GRANT,
        "purpose": Rule.NO_PURPOSE,
        "scope": Rule.UNKNOWN_SCOPE,
    }
    assert used(granted, policy=special) == Allow("suggest", Ground.EXPLICIT_GRANT, GRANT.from_s, GRANT.until_s)


def test_the_first_purpose_that_allows_is_named():
    """Where two purposes may disclose a scope, the policy's order decides, whatever the order of the grants."""
    items = {"value_type": ValueType.ITEMS, "section": Section.SUGGESTIONS}
    policy = with_rule(purposes=("suggest", "assist"), **items)
    someone = replace(MEMBER, fields=(any_field("size.shoe", Value(items=(Item("sku", "Shoe", None, None, False),))),))
    assert decided(someone, policy=policy).purpose == "assist"
    both = replace(someone, statements=(*MEMBER.statements, replace(GRANT, purpose="suggest")))
    assert decided(both, policy=policy).purpose == "suggest"


@pytest.mark.parametrize("value_type", [ValueType.TEXT, ValueType.TEXTS])
def test_suggestions_that_are_no_items_are_neither_shown_nor_used(value_type):
    """Of a text nobody knows which item it suggests, so no flag, mute or catalog guards it: whoever declared it."""
    value = Value(text="42") if value_type is ValueType.TEXT else Value(texts=("42",))
    granted = replace(GRANT, purpose="suggest")
    someone = replace(MEMBER, statements=(PRESENT, GRANT, granted), fields=(any_field("size.shoe", value),))
    declared = {"value_type": value_type, "purposes": ("assist",), "used_for": ("suggest",)}
    assert isinstance(decided(someone, policy=with_rule(**declared)), Allow)
    suggesting = with_rule(**declared, section=Section.SUGGESTIONS)
    assert decided(someone, policy=suggesting) == Deny(Rule.WRONG_TYPE)
    assert used(someone, policy=suggesting) == Deny(Rule.WRONG_TYPE)


@pytest.mark.parametrize("scope", ["email", "mobile", "address.home", "birth.date", "member.number"])
def test_what_is_never_shown_is_unknown_though_declared_and_granted(scope):
    """As one that no policy declares, to be shown and to be used."""
    granted = (PRESENT, statement(scope), statement(scope, purpose="suggest"))
    someone = member(*granted, fields=(text_field(scope, "x"),))
    policy = with_main(scopes=(scope_rule(scope, used_for=("suggest",)),))
    assert decided(someone, scope=scope, policy=policy) == Deny(Rule.UNKNOWN_SCOPE)
    assert used(someone, scope=scope, policy=policy) == Deny(Rule.UNKNOWN_SCOPE)


VISIT_RULES = {
    Rule.DENIED_IN_STORE: {"denied": Denied(everything=True)},
    Rule.QUIET: {"someone": replace(MEMBER, mode=Mode.QUIET)},
    Rule.NO_CALL_FOR_HELP: {"someone": replace(MEMBER, mode=Mode.HELP), "visit": replace(VISIT, help=False)},
    Rule.UNKNOWN_ROLE: {"role": "stranger"},
    Rule.ROLE_SEES_NO_FLOOR: {"role": "till"},
    Rule.UNKNOWN_ZONE: {"visit": replace(VISIT, zone="cellar")},
    Rule.BLIND_ZONE: {"visit": replace(VISIT, zone="pharmacy")},
    Rule.UNKNOWN_JURISDICTION: {"someone": replace(MEMBER, jurisdiction="XX")},
    Rule.UNKNOWN_AGE: {"someone": replace(MEMBER, age_at_least=0)},
    Rule.UNDER_AGE: {"someone": replace(MEMBER, age_at_least=15)},
    Rule.UNKNOWN_PURPOSE: {"policy": with_main(purposes=(purpose("assist"),))},
    Rule.INCOMPLETE_PURPOSE: {"policy": with_main(purposes=(purpose("presence", legal_basis=""), purpose("assist")))},
    Rule.NOT_GRANTED: {"someone": replace(MEMBER, statements=(GRANT,))},
}
SCOPE_RULES = {
    Rule.DENIED_IN_STORE: {"denied": Denied(scopes=frozenset({"size.shoe"}))},
    Rule.UNKNOWN_PURPOSE: {"policy": with_main(purposes=(purpose("presence"),))},
    Rule.INCOMPLETE_PURPOSE: {"policy": with_main(purposes=(purpose("presence"), purpose("assist", retention_days=0)))},
    Rule.NOT_GRANTED: {"someone": replace(MEMBER, statements=(PRESENT,))},
    Rule.OTHER_STORE: {"someone": with_grant(store="paris-9")},
    Rule.WITHDRAWN: {"someone": with_grant(state=State.WITHDRAWN)},
    Rule.CHOICE_UNTIMED: {"someone": with_grant(chosen_s=None)},
    Rule.CHOICE_IN_FUTURE: {"someone": with_grant(chosen_s=NOW_S + 1)},
    Rule.NOT_YET_VALID: {"someone": with_grant(from_s=NOW_S + 1)},
    Rule.NO_LONGER_VALID: {"someone": with_grant(until_s=NOW_S)},
    Rule.NEWER_POLICY: {"someone": with_grant(policy_version=MAIN.version + 1)},
    Rule.ROLE_NOT_GRANTED: {"someone": with_grant(roles=("manager",))},
    Rule.ZONE_EXCLUDED: {"someone": with_grant(zones_excluded=("entrance",))},
    Rule.ZONE_NOT_KNOWN: {
        "someone": with_grant(zones_excluded=("cellar",)),
        "visit": replace(VISIT, zone=None),
    },
    Rule.UNKNOWN_SCOPE: {"scope": UNHEARD_OF},
    Rule.NO_PURPOSE: {"policy": with_rule(purposes=())},
    Rule.NEEDS_EXPLICIT_GRANT: {
        "someone": with_grant(scopes=("size.shoe", "diet")),
        "policy": with_rule(special="health"),
    },
    Rule.NO_VALUE: {"someone": replace(MEMBER, fields=())},
    Rule.SEVERAL_VALUES: {"someone": replace(MEMBER, fields=(SHOE, text_field("size.shoe", "43")))},
    Rule.WRONG_TYPE: {"policy": with_rule(value_type=ValueType.TEXTS)},
    Rule.SOURCE_NOT_ADMITTED: {"someone": with_field(source=SourceClass.THIRD)},
    Rule.VALUE_FROM_FUTURE: {"someone": with_field(confirmed_s=NOW_S + 1)},
    Rule.VALUE_TOO_OLD: {"someone": with_field(confirmed_s=NOW_S - 365 * DAY_S - 1)},
}


@pytest.mark.parametrize("rule", VISIT_RULES)
def test_each_doubt_about_the_visit_denies_roster_and_card(rule):
    """What refuses the visit refuses every scope too, by the same rule."""
    case = {
        "someone": MEMBER, "denied": NOTHING_DENIED, "role": "associate", "visit": VISIT, "policy": POLICY,
    } | VISIT_RULES[rule]  # fmt: skip
    assert decided(**case) == Deny(rule)
    assert presence(case["someone"], case["denied"], case["role"], case["visit"], case["policy"], NOW_S) == Deny(rule)


@pytest.mark.parametrize("rule", SCOPE_RULES)
def test_each_doubt_about_a_scope_denies_by_its_own_rule(rule):
    """One thing that does not fit is enough, and the verdict names it."""
    assert decided(**SCOPE_RULES[rule]) == Deny(rule)


def test_every_rule_has_a_case():
    """No rule is there that nothing tries."""
    assert {*VISIT_RULES, *SCOPE_RULES} == set(Rule)


def test_an_unknown_zone_is_no_doubt_where_no_zone_is_excluded():
    """A store without zones can be served."""
    assert isinstance(decided(visit=replace(VISIT, zone=None)), Allow)


@pytest.mark.parametrize("kind", ["pharmacy", "Pharmacies", "fitting-room", "restroom", "optician", "Fitting Rooms"])
def test_kinds_of_zones_that_must_be_blind_are_blind(kind):
    """A switch that somebody forgot opens no fitting room."""
    assert decided(policy=with_zone(kind=kind)) == Deny(Rule.BLIND_ZONE)
    assert isinstance(decided(policy=with_zone(kind="shelf")), Allow)


@pytest.mark.parametrize(
    "wrong", [{"legal_basis": ""}, {"retention_days": 0}, {"notice": b"n" * 31}, {"record_of_processing": ""}]
)
def test_a_purpose_that_lacks_something_discloses_nothing(wrong):
    """Legal basis, retention, notice and record of processing: each is needed."""
    policy = with_main(purposes=(purpose("presence"), purpose("assist", **wrong)))
    assert decided(policy=policy) == Deny(Rule.INCOMPLETE_PURPOSE)


def test_a_special_category_is_shown_on_a_grant_of_its_own():
    """A statement that names this scope alone is explicit, and the verdict says so."""
    policy = with_rule(special="health")
    assert decided(policy=policy) == Allow("assist", Ground.EXPLICIT_GRANT, GRANT.from_s, GRANT.until_s)


def test_withdrawing_the_other_scope_makes_a_bundle_no_explicit_grant():
    """A bundle of which one scope is left was still given as a bundle."""
    bundle = statement("size.shoe", "diet")
    gone = statement("diet", state=State.WITHDRAWN, chosen_s=NOW_S - 1)
    someone = replace(MEMBER, statements=(PRESENT, bundle, gone))
    assert isinstance(decided(someone), Allow)
    assert decided(someone, policy=with_rule(special="health")) == Deny(Rule.NEEDS_EXPLICIT_GRANT)


def test_the_stricter_of_two_jurisdictions_counts():
    """The store's rule holds for guests, and the guest's own where it asks for more."""
    ages = (AgeRule("DE", 16), AgeRule("ES", 18))
    guest = replace(MEMBER, jurisdiction="ES", age_at_least=16)
    assert decided(guest, policy=with_main(ages=ages)) == Deny(Rule.UNDER_AGE)
    assert decided(guest, policy=with_main(ages=(AgeRule("DE", 18), AgeRule("ES", 14)))) == Deny(Rule.UNDER_AGE)
    assert isinstance(decided(guest, policy=with_main(ages=(AgeRule("DE", 16), AgeRule("ES", 16)))), Allow)
    assert decided(policy=with_main(ages=())) == Deny(Rule.UNKNOWN_JURISDICTION)


def test_an_unknown_age_is_what_the_policy_says():
    """Where the policy takes an unknown age as of age, it is."""
    assert isinstance(decided(replace(MEMBER, age_at_least=0), policy=with_main(unknown_age_is_of_age=True)), Allow)


@pytest.mark.parametrize(
    "value",
    [
        Value(),
        Value(text=""),
        Value(text="42", texts=("42",)),
        Value(items=(Item("sku", "shoe", None, None, False),)),
    ],
)
def test_an_empty_or_ambiguous_value_is_none(value):
    """No form, two forms, the wrong form, or nothing in it: nothing to show."""
    someone = replace(MEMBER, fields=(any_field("size.shoe", value),))
    assert isinstance(decided(someone), Deny)


# --- properties ---------------------------------------------------------------------------------------------------


def _live(statements, purpose_id, scope, role, visit, policy):
    """The oracle: a grant that nothing speaks against, said the long way round."""

    def about(one):
        if one.store != STORE or one.purpose != purpose_id:
            return False
        if purpose_id == "presence":
            return True
        return scope in one.scopes or (one.state == State.WITHDRAWN and len(one.scopes) == 0)

    def fits(one):
        return (
            one.from_s <= NOW_S
            and one.until_s > NOW_S
            and one.policy_version <= policy.main.version
            and role in set(one.roles)
            and (not one.zones_excluded or (visit.zone is not None and visit.zone not in set(one.zones_excluded)))
        )

    for grant in statements:
        if not about(grant) or grant.state != State.GIVEN or grant.chosen_s is None or grant.chosen_s > NOW_S:
            continue
        beaten = any(
            about(other)
            and (
                (other.state == State.WITHDRAWN and (other.chosen_s is None or other.chosen_s > NOW_S))
                or (other.chosen_s is not None and grant.chosen_s < other.chosen_s <= NOW_S)
                or (other.chosen_s == grant.chosen_s and (other.state == State.WITHDRAWN or not fits(other)))
            )
            for other in statements
        )
        if not beaten and fits(grant):
            return True
    return False


def _alone(statements, purpose_id, scope):
    """The oracle's word on special categories: the newest grants of the scope name nothing else."""
    grants = [one for one in statements if one.purpose == purpose_id and one.store == STORE and scope in one.scopes]
    newest = max((one.chosen_s or 0 for one in grants if (one.chosen_s or 0) <= NOW_S), default=0)
    return all(one.scopes == (scope,) for one in grants if one.chosen_s == newest)


def _known(policy, purpose_id):
    return [one.id for one in policy.main.purposes].count(purpose_id) == 1


def _shown(someone, denied, scope, role, visit, policy):
    """The oracle's whole decision."""
    named = [one for one in policy.main.scopes if one.id == scope]
    fields = [one for one in someone.fields if one.scope == scope]
    if len(named) != 1 or len(fields) != 1 or scope in denied.scopes or denied.everything:
        return False
    if role not in {"associate", "manager"} or visit.zone not in {None, "shoes", "entrance"}:
        return False
    if not (someone.mode == Mode.OPEN or (someone.mode == Mode.HELP and visit.help)):
        return False
    of_age = someone.age_at_least >= 16 or (someone.age_at_least == 0 and policy.main.unknown_age_is_of_age)
    if not of_age or someone.jurisdiction == "XX":
        return False
    if not _known(policy, "presence") or not _live(someone.statements, "presence", None, role, visit, policy):
        return False
    (rule,), (field,) = named, fields
    forms = [part for part in (field.value.text, field.value.texts, field.value.items) if part is not None]
    expected = (field.value.text, field.value.texts, field.value.items)[rule.value_type]
    if len(forms) != 1 or not expected or field.source > rule.least_source:
        return False
    if max(field.collected_s, field.confirmed_s) > NOW_S or field.confirmed_s + rule.retention_days * DAY_S < NOW_S:
        return False
    return any(
        _known(policy, one)
        and _live(someone.statements, one, scope, role, visit, policy)
        and (not rule.special or _alone(someone.statements, one, scope))
        for one in rule.purposes
    )


any_scope = st.sampled_from(("size.shoe", "colour.liked", "diet", "wishlist", "history.store", UNHEARD_OF))


@given(members, denials, roles, visits, policies)
def test_the_decision_is_that_of_the_oracle(someone, denied, role, visit, policy):
    """Nothing is allowed without a live grant, and nothing denied that everything speaks for."""
    for scope in (*SCOPES, UNHEARD_OF):
        verdict = decided(someone, denied, scope, role, visit, policy)
        assert isinstance(verdict, Allow) == _shown(someone, denied, scope, role, visit, policy)
        if isinstance(verdict, Allow):
            assert verdict.since_s <= NOW_S < verdict.until_s


@given(
    instances(Member), any_scope | st.text(), st.text() | roles, visits, instances(MainPolicy), instances(StorePolicy)
)
def test_any_body_is_decided_without_an_error(someone, scope, role, visit, main, store):
    """Whatever the schema lets through gets a verdict, under any policy."""
    verdict = decide(someone, NOTHING_DENIED, scope, role, visit, Policy(main, store), NOW_S)
    assert isinstance(verdict, Allow | Deny)
    assert isinstance(decide(someone, NOTHING_DENIED, scope, role, visit, POLICY, NOW_S), Allow | Deny)


@given(members, any_scope, visits, st.text(max_size=12))
def test_unknown_is_no(someone, scope, visit, word):
    """A scope, a role or a zone that the policy does not know is denied, whatever was granted."""
    if word in {"associate", "manager", "till", "shoes", "entrance", "pharmacy"}:
        return
    every = replace(GRANT, scopes=(word or "x",), roles=(word,))
    someone = replace(someone, statements=(*someone.statements, every))
    assert isinstance(decided(someone, scope=word), Deny)
    assert isinstance(decided(someone, scope=scope, role=word), Deny)
    assert isinstance(decided(someone, scope=scope, visit=replace(visit, zone=word)), Deny)
