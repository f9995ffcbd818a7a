"""The one decision: may this role see this scope of this member, on this visit, now.

The only way from the cache to a card. It denies on every doubt, and says by which rule; HQ's mirror decides with
the same code.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol, TypeVar

from consent.grants import PRESENCE, SUGGEST, lapse, latest, speaking
from consent.never_shown import is_never_shown
from consent.verdict import Allow as Allow
from consent.verdict import Deny as Deny
from consent.verdict import Ground as Ground
from consent.verdict import Rule as Rule
from consent.visit import Denied, Visit
from wire.member import Field, Member, Mode, Statement
from wire.policy import MainPolicy, Policy, Purpose, ScopeRule, Section, ValueType, Zone, must_be_blind

DAY_S = 86_400
_NONE: Mapping[str, Field] = MappingProxyType({})
_must_be_blind = lru_cache(maxsize=1024)(must_be_blind)


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
    return Verdicts(member, denied, role, visit, policy, now_s).shown(scope)


def usable(
    member: Member, denied: Denied, scope: str, purpose: str, role: str, visit: Visit, policy: Policy, now_s: int
) -> Allow | Deny:
    """Whether something that `role` is shown now may be made of the member's `scope`, for this purpose and no other.

    Nothing of the scope itself may be shown for it: that is `decide`'s. `now_s`: Unix seconds UTC of trusted time.
    """
    return Verdicts(member, denied, role, visit, policy, now_s).used(scope, purpose)


def presence(member: Member, denied: Denied, role: str, visit: Visit, policy: Policy, now_s: int) -> Allow | Deny:
    """Whether the visit may stand on this role's roster now."""
    return Verdicts(member, denied, role, visit, policy, now_s).standing


def declared(declarations: Iterable[N], wanted: str) -> N | None:
    """The one declaration of that id; None where there is none, or more than one, which decides nothing."""
    found = [one for one in declarations if one.id == wanted]
    return found[0] if len(found) == 1 else None


def is_blind(zone: Zone) -> bool:
    """Whether whoever is in this zone is shown to nobody."""
    return zone.blind or _must_be_blind(zone.kind)


def is_complete(purpose: Purpose) -> bool:
    """Whether a purpose has legal basis, retention, notice and record of processing."""
    return bool(
        purpose.legal_basis and purpose.retention_days and len(purpose.notice) == 32 and purpose.record_of_processing
    )


class Verdicts:
    """The verdicts on one member and visit for one role at one moment; what several rest on is looked at once.

    `standing`: whether the visit may stand on the roster. `made`: by scope, values that count instead of the record's,
    whatever this says. `now_s`: Unix seconds UTC of trusted time. Nothing that was changed after it was made is seen.
    """

    __slots__ = (
        "_denied",
        "_fields",
        "_granted_on",
        "_made",
        "_member",
        "_now_s",
        "_policy",
        "_role",
        "_rules",
        "_stated",
        "_visit",
        "standing",
    )

    def __init__(
        self,
        member: Member,
        denied: Denied,
        role: str,
        visit: Visit,
        policy: Policy,
        now_s: int,
        made: Mapping[str, Field] = _NONE,
    ) -> None:
        self._member, self._denied, self._role, self._visit = member, denied, role, visit
        self._policy, self._now_s, self._made = policy, now_s, made
        self._rules: dict[str, ScopeRule | None] = {}  # None: declared twice
        self._fields: dict[str, list[Field]] = {}
        self._stated: dict[str, Sequence[Statement]] = {}  # by purpose
        self._granted_on: dict[tuple[str | int, ...], Allow | Deny] = {}  # by purpose and the statements that speak
        self.standing: Allow | Deny = self._present()

    def declaration(self, scope: str) -> ScopeRule | None:
        """The one declaration of a scope, as `declared`."""
        if not self._rules:
            rules = self._rules
            for one in self._policy.main.scopes:
                rules[one.id] = None if one.id in rules else one
        return self._rules.get(scope)

    def shown(self, scope: str) -> Allow | Deny:
        """`decide`."""
        scope_rule = self._open(scope)
        if isinstance(scope_rule, Rule):
            return Deny(scope_rule)
        first: Deny | None = None
        for purpose in scope_rule.purposes:
            if purpose == SUGGEST and scope_rule.section is not Section.SUGGESTIONS:
                verdict: Allow | Deny = Deny(Rule.NO_PURPOSE)  # who lets us suggest has not let us show of what
            else:
                verdict = self._granted(purpose, scope_rule)
            if isinstance(verdict, Allow):
                return verdict
            first = first or verdict
        return first or Deny(Rule.NO_PURPOSE)

    def used(self, scope: str, purpose: str) -> Allow | Deny:
        """`usable`."""
        scope_rule = self._open(scope)
        if isinstance(scope_rule, Rule):
            return Deny(scope_rule)
        if purpose not in (scope_rule.used_for or ()):
            return Deny(Rule.NO_PURPOSE)
        return self._granted(purpose, scope_rule)

    def _present(self) -> Allow | Deny:
        refused = _visit_refused(self._member, self._denied, self._role, self._visit, self._policy)
        return Deny(refused) if refused else self._granted(PRESENCE, None)

    def _open(self, scope: str) -> ScopeRule | Rule:
        """The scope's declaration, where the visit may be shown and the value is one; or why not."""
        if isinstance(self.standing, Deny):
            return self.standing.rule
        if scope in self._denied.scopes:
            return Rule.DENIED_IN_STORE
        scope_rule = self.declaration(scope)
        if scope_rule is None or is_never_shown(scope):
            return Rule.UNKNOWN_SCOPE
        return _value_refused(self._values(scope), scope_rule, self._now_s) or scope_rule

    def _values(self, scope: str) -> Sequence[Field]:
        if scope in self._made:
            return (self._made[scope],)
        if not self._fields:
            for one in self._member.fields:
                self._fields.setdefault(one.scope, []).append(one)
        return self._fields.get(scope, ())

    def _granted(self, purpose: str, scope: ScopeRule | None) -> Allow | Deny:
        """What the statements say on one matter. Where the same speak on another of the purpose, they say the same;
        but a special category is judged by itself.
        """
        stated = self._stated.get(purpose)
        if stated is None:
            stated = self._stated[purpose] = [one for one in self._member.statements if one.purpose == purpose]
        on_it = speaking(stated, None if scope is None else scope.id)
        if scope is not None and scope.special:
            return self._judged(purpose, on_it, scope)
        key: tuple[str | int, ...] = (purpose, *map(id, on_it))
        verdict = self._granted_on.get(key)
        if verdict is None:
            verdict = self._granted_on[key] = self._judged(purpose, on_it, None)
        return verdict

    def _judged(self, purpose: str, on_it: Sequence[Statement], special: ScopeRule | None) -> Allow | Deny:
        policy, now_s = self._policy, self._now_s
        stated = declared(policy.main.purposes, purpose)
        if stated is None:
            return Deny(Rule.UNKNOWN_PURPOSE)
        if not is_complete(stated):
            return Deny(Rule.INCOMPLETE_PURPOSE)
        carried = latest(on_it, policy.store.store, now_s)
        if isinstance(carried, Rule):
            return Deny(carried)
        for statement in carried:
            refused = _statement_refused(statement, special, self._role, self._visit, policy.main, now_s)
            if refused is not None:
                return Deny(refused)
        ground = Ground.GRANT if special is None else Ground.EXPLICIT_GRANT
        since_s = max([max(one.from_s, one.chosen_s or 0) for one in carried])
        return Allow(purpose, ground, since_s, min([one.until_s for one in carried]))


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
    here = policy.store.jurisdiction
    asked = {here, member.jurisdiction or here}
    rules = [rule for rule in policy.main.ages if rule.jurisdiction in asked]
    if len({rule.jurisdiction for rule in rules}) < len(asked):
        return Rule.UNKNOWN_JURISDICTION
    least = max(rule.least_age for rule in rules)
    if member.age_at_least >= least:
        return None
    if member.age_at_least == 0:
        return None if policy.main.unknown_age_is_of_age else Rule.UNKNOWN_AGE
    return Rule.UNDER_AGE


def _statement_refused(
    statement: Statement, special: ScopeRule | None, role: str, visit: Visit, main: MainPolicy, now_s: int
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
    if special is not None and statement.scopes != (special.id,):
        return Rule.NEEDS_EXPLICIT_GRANT
    return None


def _value_refused(fields: Sequence[Field], scope: ScopeRule, now_s: int) -> Rule | None:
    if len(fields) != 1:
        return Rule.SEVERAL_VALUES if fields else Rule.NO_VALUE
    field = fields[0]
    if scope.section is Section.SUGGESTIONS and scope.value_type is not ValueType.ITEMS:
        return Rule.WRONG_TYPE  # of texts nobody knows what they suggest: no flag and no mute can be asked
    forms = (field.value.text, field.value.texts, field.value.items)  # by `ValueType`
    if forms.count(None) != len(forms) - 1 or forms[scope.value_type] is None:
        return Rule.WRONG_TYPE
    if not forms[scope.value_type]:
        return Rule.NO_VALUE
    if field.source > scope.least_source:
        return Rule.SOURCE_NOT_ADMITTED
    if field.collected_s > now_s or field.confirmed_s > now_s:
        return Rule.VALUE_FROM_FUTURE
    if now_s - field.confirmed_s > scope.retention_days * DAY_S:
        return Rule.VALUE_TOO_OLD
    return None
