"""The one decision: may this role see this scope of this member, on this visit, now.

The only way from the cache to a card. It denies on every doubt, and says by which rule; HQ's mirror decides with
the same code.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from consent.grants import PRESENCE, SUGGEST, carrying, lapse
from consent.verdict import Allow as Allow
from consent.verdict import Deny as Deny
from consent.verdict import Ground as Ground
from consent.verdict import Rule as Rule
from consent.visit import Denied, Visit
from wire.member import Field, Member, Mode, Statement, Value
from wire.policy import MainPolicy, Policy, Purpose, ScopeRule, Section, ValueType, Zone, must_be_blind

DAY_S = 86_400


class _Named(Protocol):
    @property
    def id(self) -> str: ...


N = TypeVar("N", bound=_Named)


def decide(
    member: Member, denied: Denied, scope: str, role: str, visit: Visit, policy: Policy, now_s: int
) -> Allow | Deny:
    """Whether `role` may see the member's `scope` now, and for which purpose: the first in the policy's order.

    `now_s`: Unix seconds UTC of trusted time. Includes `presence`: who may not stand on the roster has no card.
    """
    return decide_each(member, denied, (scope,), role, visit, policy, now_s)[scope]


def decide_each(
    member: Member, denied: Denied, scopes: Iterable[str], role: str, visit: Visit, policy: Policy, now_s: int
) -> dict[str, Allow | Deny]:
    """`decide` for each of these scopes; whether the visit may stand on the roster is looked at once."""
    standing = presence(member, denied, role, visit, policy, now_s)
    return {scope: _decided(standing, member, denied, scope, role, visit, policy, now_s) for scope in scopes}


def usable(
    member: Member, denied: Denied, scope: str, purpose: str, role: str, visit: Visit, policy: Policy, now_s: int
) -> Allow | Deny:
    """Whether something that `role` is shown now may be made of the member's `scope`, for this purpose and no other.

    Nothing of the scope itself may be shown for it: that is `decide`'s. `now_s`: Unix seconds UTC of trusted time.
    """
    return usable_each(member, denied, (scope,), purpose, role, visit, policy, now_s)[scope]


def usable_each(
    member: Member,
    denied: Denied,
    scopes: Iterable[str],
    purpose: str,
    role: str,
    visit: Visit,
    policy: Policy,
    now_s: int,
) -> dict[str, Allow | Deny]:
    """`usable` for each of these scopes; whether the visit may stand on the roster is looked at once."""
    standing = presence(member, denied, role, visit, policy, now_s)
    return {scope: _used(standing, member, denied, scope, purpose, role, visit, policy, now_s) for scope in scopes}


def presence(member: Member, denied: Denied, role: str, visit: Visit, policy: Policy, now_s: int) -> Allow | Deny:
    """Whether the visit may stand on this role's roster now."""
    refused = _visit_refused(member, denied, role, visit, policy)
    return Deny(refused) if refused else _granted(member, PRESENCE, None, role, visit, policy, now_s)


def declared(declarations: Iterable[N], wanted: str) -> N | None:
    """The one declaration of that id; None where there is none, or more than one, which decides nothing."""
    found = [one for one in declarations if one.id == wanted]
    return found[0] if len(found) == 1 else None


def is_blind(zone: Zone) -> bool:
    """Whether whoever is in this zone is shown to nobody."""
    return zone.blind or must_be_blind(zone.kind)


def is_complete(purpose: Purpose) -> bool:
    """Whether a purpose has legal basis, retention, notice and record of processing."""
    return bool(
        purpose.legal_basis and purpose.retention_days and len(purpose.notice) == 32 and purpose.record_of_processing
    )


def _decided(
    standing: Allow | Deny,
    member: Member,
    denied: Denied,
    scope: str,
    role: str,
    visit: Visit,
    policy: Policy,
    now_s: int,
) -> Allow | Deny:
    """`decide`, of a visit that stands so."""
    scope_rule = _open(standing, member, denied, scope, policy, now_s)
    if isinstance(scope_rule, Rule):
        return Deny(scope_rule)
    denials = []
    for purpose in scope_rule.purposes:
        if purpose == SUGGEST and scope_rule.section is not Section.SUGGESTIONS:
            denials.append(Deny(Rule.NO_PURPOSE))  # who lets us suggest has not let us show of what
            continue
        verdict = _granted(member, purpose, scope_rule, role, visit, policy, now_s)
        if isinstance(verdict, Allow):
            return verdict
        denials.append(verdict)
    return denials[0] if denials else Deny(Rule.NO_PURPOSE)


def _used(
    standing: Allow | Deny,
    member: Member,
    denied: Denied,
    scope: str,
    purpose: str,
    role: str,
    visit: Visit,
    policy: Policy,
    now_s: int,
) -> Allow | Deny:
    """`usable`, of a visit that stands so."""
    scope_rule = _open(standing, member, denied, scope, policy, now_s)
    if isinstance(scope_rule, Rule):
        return Deny(scope_rule)
    if purpose not in (scope_rule.used_for or ()):
        return Deny(Rule.NO_PURPOSE)
    return _granted(member, purpose, scope_rule, role, visit, policy, now_s)


def _open(
    standing: Allow | Deny, member: Member, denied: Denied, scope: str, policy: Policy, now_s: int
) -> ScopeRule | Rule:
    """The scope's declaration, where the visit may be shown and the value is one; or why not."""
    if isinstance(standing, Deny):
        return standing.rule
    if scope in denied.scopes:
        return Rule.DENIED_IN_STORE
    scope_rule = declared(policy.main.scopes, scope)
    if scope_rule is None:
        return Rule.UNKNOWN_SCOPE
    refused = _value_refused([one for one in member.fields if one.scope == scope], scope_rule, now_s)
    return scope_rule if refused is None else refused


def _visit_refused(member: Member, denied: Denied, role: str, visit: Visit, policy: Policy) -> Rule | None:
    if denied.everything:
        return Rule.DENIED_IN_STORE
    if member.mode is Mode.HELP and not visit.help:
        return Rule.NO_CALL_FOR_HELP
    if member.mode is not Mode.HELP and member.mode is not Mode.OPEN:
        return Rule.QUIET
    staff_role = declared(policy.main.roles, role)
    if staff_role is None:
        return Rule.UNKNOWN_ROLE
    if not staff_role.sees_floor:
        return Rule.ROLE_SEES_NO_FLOOR
    if visit.zone is not None:
        zone = declared(policy.store.zones, visit.zone)
        if zone is None:
            return Rule.UNKNOWN_ZONE
        if is_blind(zone):
            return Rule.BLIND_ZONE
    return _age_refused(member, policy)


def _age_refused(member: Member, policy: Policy) -> Rule | None:
    """The strictest rule of the store's jurisdiction and, where it is stated, of the member's own."""
    least = 0
    for jurisdiction in {policy.store.jurisdiction, member.jurisdiction or policy.store.jurisdiction}:
        ages = [rule.least_age for rule in policy.main.ages if rule.jurisdiction == jurisdiction]
        if not ages:
            return Rule.UNKNOWN_JURISDICTION
        least = max(least, *ages)
    if member.age_at_least >= least:
        return None
    if member.age_at_least == 0:
        return None if policy.main.unknown_age_is_of_age else Rule.UNKNOWN_AGE
    return Rule.UNDER_AGE


def _granted(
    member: Member, purpose: str, scope: ScopeRule | None, role: str, visit: Visit, policy: Policy, now_s: int
) -> Allow | Deny:
    stated = declared(policy.main.purposes, purpose)
    if stated is None:
        return Deny(Rule.UNKNOWN_PURPOSE)
    if not is_complete(stated):
        return Deny(Rule.INCOMPLETE_PURPOSE)
    latest = carrying(member, policy.store.store, purpose, scope.id if scope else None, now_s)
    if isinstance(latest, Rule):
        return Deny(latest)
    for statement in latest:
        refused = _statement_refused(statement, scope, role, visit, policy.main, now_s)
        if refused is not None:
            return Deny(refused)
    ground = Ground.EXPLICIT_GRANT if scope is not None and scope.special else Ground.GRANT
    since_s = max(max(one.from_s, one.chosen_s or 0) for one in latest)
    return Allow(purpose, ground, since_s, min(one.until_s for one in latest))


def _statement_refused(
    statement: Statement, scope: ScopeRule | None, role: str, visit: Visit, main: MainPolicy, now_s: int
) -> Rule | None:
    lapsed = lapse(statement, now_s)
    if lapsed is not None:
        return lapsed
    if statement.policy_version > main.version:
        return Rule.NEWER_POLICY
    if role not in statement.roles:
        return Rule.ROLE_NOT_GRANTED
    if statement.zones_excluded and visit.zone is None:
        return Rule.ZONE_NOT_KNOWN
    if visit.zone in statement.zones_excluded:
        return Rule.ZONE_EXCLUDED
    if scope is not None and scope.special and statement.scopes != (scope.id,):
        return Rule.NEEDS_EXPLICIT_GRANT
    return None


def _value_refused(fields: Sequence[Field], scope: ScopeRule, now_s: int) -> Rule | None:
    if len(fields) != 1:
        return Rule.SEVERAL_VALUES if fields else Rule.NO_VALUE
    field = fields[0]
    if _type_of(field.value) is not scope.value_type:
        return Rule.WRONG_TYPE
    if not (field.value.text or field.value.texts or field.value.items):
        return Rule.NO_VALUE
    if field.source > scope.least_source:
        return Rule.SOURCE_NOT_ADMITTED
    if field.collected_s > now_s or field.confirmed_s > now_s:
        return Rule.VALUE_FROM_FUTURE
    if now_s - field.confirmed_s > scope.retention_days * DAY_S:
        return Rule.VALUE_TOO_OLD
    return None


def _type_of(value: Value) -> ValueType | None:
    """The one form that the value has; None where it has none or more."""
    forms = [
        form
        for form, part in (
            (ValueType.TEXT, value.text),
            (ValueType.TEXTS, value.texts),
            (ValueType.ITEMS, value.items),
        )
        if part is not None
    ]
    return forms[0] if len(forms) == 1 else None
