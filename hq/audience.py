"""Who is in a store's audience, and the least that the store must hold of each.

The body names only what the member grants to this store and what its policy declares. The gateway decides again, as if
this had not been done.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from hq import declared
from hq.declared import Declared
from hq.state import PRESENCE, WITHOUT_SCOPE, Standing
from wire import schema
from wire.member import Field, Member, Mode, NameChoice, Statement
from wire.policy import Policy, ScopeRule, ValueType
from wire.sync import MAX_BODY_BYTES

DAY_S = 86_400
NAME_SCOPE = "name.first"
_MOST_FIELDS = 64
_MOST_STATEMENTS = 256


@dataclass(frozen=True, slots=True, repr=False)
class Known:
    """What HQ knows of a member beside the choices."""

    age_at_least: int  # years; 0: unknown
    jurisdiction: str  # empty: unknown
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Acts:
    """Up to which event of a store's cache the member's withdrawals and mutes in the store are folded in."""

    incarnation: bytes | None = None
    through: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """A member's place at one store. `body` None: not in its audience; `encoded`: its CBOR.

    `due_s`: when time alone may change this.
    """

    body: Member | None
    encoded: bytes | None
    due_s: int | None


def place(
    standing: Standing, known: Known, acts: Acts, store: str, policy: Policy | None, now_s: int, brand: str
) -> Place:  # fmt: skip
    """A member's place at a store now. Without a policy nobody is in an audience.

    `brand`: that of the store, the name of its policy. What was granted to another brand serves nobody here.
    """
    if policy is None:
        return Place(None, None, None)
    granted_here = [one for one in standing.statements if one.store == store and standing.of_brand(one.event, brand)]
    ahead = [one for one in granted_here if one.until_s > now_s]
    turns = [one.from_s for one in ahead if one.from_s > now_s] + [one.until_s for one in ahead]
    declares = declared.of(policy.main)
    rules = declares.scopes
    valid = [one for one in ahead if one.from_s <= now_s]
    statements = tuple(_declared(valid, standing, declares))[:_MOST_STATEMENTS]
    if (
        standing.mode is Mode.QUIET
        or not is_of_age(known, policy)
        or not any(one.purpose == PRESENCE for one in statements)
    ):
        return Place(None, None, min(turns, default=None))
    granted = {scope for one in statements for scope in one.scopes}
    fields = [one for one in known.fields if one.scope in granted and _fits(one, rules[one.scope])]
    if standing.name_choice is NameChoice.NEVER:
        fields = [one for one in fields if one.scope != NAME_SCOPE]
    ends = [(one, one.confirmed_s + rules[one.scope].retention_days * DAY_S) for one in fields]
    kept = tuple(one for one, end_s in ends if end_s > now_s)[:_MOST_FIELDS]
    turns += [end_s for _, end_s in ends if end_s > now_s]
    body = Member(
        mode=standing.mode,
        name_choice=standing.name_choice,
        statements=statements,
        fields=kept,
        jurisdiction=known.jurisdiction,
        age_at_least=known.age_at_least,
        acts_incarnation=acts.incarnation,
        acts_through=acts.through,
        mutes=standing.mutes or None,
    )
    return Place(*_shortened(body), min(turns, default=None))


def is_of_age(known: Known, policy: Policy) -> bool:
    """Whether the rules of the store's jurisdiction and of the member's own, where it is known, are met.

    A jurisdiction without a rule is a doubt: then nobody is. An unknown age counts as policy says.
    """
    ages = declared.of(policy.main).ages
    here, own = ages.get(policy.store.jurisdiction), ages.get(known.jurisdiction or policy.store.jurisdiction)
    if here is None or own is None:
        return False
    least = max(here, own)
    return known.age_at_least >= least or (known.age_at_least == 0 and policy.main.unknown_age_is_of_age)


def value_type(found: Field) -> ValueType:
    """Of what type a field's value is."""
    if found.value.items is not None:
        return ValueType.ITEMS
    return ValueType.TEXTS if found.value.texts is not None else ValueType.TEXT


def _declared(statements: Iterable[Statement], standing: Standing, declares: Declared) -> Iterable[Statement]:
    """The statements reduced to what policy declares; one that names no scope any more is dropped."""
    rules, all_purposes = declares.scopes, declares.all_purposes
    for one in statements:
        if one.purpose not in declares.purposes:
            continue
        scopes = tuple(
            scope
            for scope in one.scopes
            if scope in rules
            and one.purpose in all_purposes[scope]
            # A grant of several scopes, of which all but the special one were withdrawn, is no grant of its own.
            and (not rules[scope].special or standing.is_own(one))
        )
        if scopes or (one.purpose in WITHOUT_SCOPE and not one.scopes):
            yield one if scopes == one.scopes else replace(one, scopes=scopes)


def _fits(found: Field, rule: ScopeRule) -> bool:
    return found.source <= rule.least_source and value_type(found) is rule.value_type


def _shortened(body: Member) -> tuple[Member, bytes]:
    """The body with as many of its fields as a record holds, and its CBOR; less is always safe."""
    encoded = schema.encode(body)
    while body.fields and len(encoded) > MAX_BODY_BYTES:
        body = replace(body, fields=body.fields[:-1])
        encoded = schema.encode(body)
    return body, encoded
