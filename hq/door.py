"""HQ's door: whether a choice or a value that somebody brings can be taken, judged by the store's policy.

Pure: no I/O, no clock.
"""

import re
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace

from hq import declared
from hq.audience import DAY_S, value_type
from hq.errors import Reason, Refused
from hq.ledger_proof import Proof, Status
from hq.state import CLOSING, NO_NOTICE, Choice, EventKind, has_scopes, is_wide
from hq.synthetic_choices import is_synthetic
from wire import schema, synthetic
from wire.errors import WireError
from wire.member import Field, Muted
from wire.policy import MainPolicy
from wire.scopes import is_scope

MOST_STORES = 50
MOST_UNTIL_S = 2**40
MAX_PROFILE_BYTES = 32 * 1024  # so that the member's record holds it beside the statements
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}", re.ASCII)
_SKEW_S = 300  # a clock elsewhere may be ahead by so much before a time counts as future


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant as somebody brings it. `until_s` or `until_days`, counted from the time of choice.

    `chosen_s` None: not known. `notice` None: the one that the policy names now. A purpose about the whole brand
    (contacts, media) may name the `brand` instead of stores. `status` RENEWED: the member was asked again.
    """

    purpose: str
    stores: tuple[str, ...]
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    zones_excluded: tuple[str, ...] = ()
    until_days: int | None = None
    until_s: int | None = None
    from_s: int | None = None
    chosen_s: int | None = None
    notice: bytes | None = None
    brand: str | None = None
    status: Status | None = None


def check_id(text: str, field: str, *, reserved: bool = False) -> None:
    """Passes the id of a member or an associate: 1 to 64 letters, digits and `. _ : @ -`.

    `reserved`: it may be one of those that are kept for synthetic members and their associate.

    Raises:
        Refused: another form.
    """
    if not reserved and (is_synthetic(text) or text == synthetic.ASSOCIATE):
        raise Refused(Reason.MALFORMED, field, f"another id: `{synthetic.ASSOCIATE}` stands for nobody")
    if _ID.fullmatch(text) is None:
        raise Refused(Reason.MALFORMED, field, "1 to 64 letters, digits and . _ : @ -")


def check_times(grant: Grant, now_s: int) -> Choice:
    """The grant's frame as a choice, its times judged; stores, scopes and roles are judged by `check_scopes`.

    Raises:
        Refused: it has no end, has ended, or its time of choice has not come yet.
    """
    if grant.chosen_s is not None and grant.chosen_s > now_s + _SKEW_S:
        raise Refused(Reason.TIME_IN_FUTURE, "chosen", "a time of choice that has come")
    until_s = grant.until_s
    if until_s is None:
        if grant.chosen_s is None:
            raise Refused(Reason.TIME_UNKNOWN, "chosen", "the time of choice, from which the end is counted")
        if grant.until_days is None:
            raise Refused(Reason.MALFORMED, "until", "an end: a grant has one")
        until_s = grant.chosen_s + grant.until_days * DAY_S
    from_s = grant.from_s if grant.from_s is not None else (grant.chosen_s or now_s)
    if not 0 <= from_s < until_s <= MOST_UNTIL_S:
        raise Refused(Reason.MALFORMED, "until", "an end after the beginning")
    if until_s <= now_s:
        raise Refused(Reason.ALREADY_OVER, "until", "an end that has not passed")
    check_stores(grant)
    if bool(grant.scopes) != has_scopes(grant.purpose):
        expected = "at least one scope, but for presence, insight, contacts and media, which have none"
        raise Refused(Reason.MALFORMED, "scopes", expected)
    if len(set(grant.scopes)) != len(grant.scopes):
        raise Refused(Reason.MALFORMED, "scopes", "each scope once")
    return _checked(
        Choice(
            kind=EventKind.GRANT,
            purpose=grant.purpose,
            scopes=grant.scopes,
            stores=grant.stores,
            roles=grant.roles,
            zones_excluded=grant.zones_excluded,
            from_s=from_s,
            until_s=until_s,
            brand=grant.brand,
            status=grant.status,
        )
    )


def check_stores(grant: Grant) -> None:
    """Passes 1 to 50 stores, each once; or none, where the whole brand is meant and named.

    Raises:
        Refused: other stores than that.
    """
    if is_wide(grant.purpose) and not grant.stores:
        if grant.brand is None:
            raise Refused(Reason.MALFORMED, "brand", "the brand, or stores of it")
    elif not 1 <= len(grant.stores) <= MOST_STORES or len(set(grant.stores)) != len(grant.stores):
        raise Refused(Reason.TOO_MANY, "stores", f"1 to {MOST_STORES} stores, each once; all stores are not offered")


def check_scopes(choice: Choice, main: MainPolicy, zones: Set[str], notice: bytes | None) -> Choice:
    """The choice (of `check_times`) for a brand, or for stores of it: by the brand's policy and its stores' zones.

    Raises:
        Refused: the policy does not declare something that the choice names.
    """
    declares = declared.of(main)
    purpose = declares.purposes.get(choice.purpose or "")
    if purpose is None:
        raise Refused(Reason.UNDECLARED_PURPOSE, "purpose", "a purpose that the store's policy declares")
    rules = declares.scopes
    scopes = choice.scopes or ()
    for scope in scopes:
        if scope not in rules:
            raise Refused(Reason.UNDECLARED_SCOPE, "scopes", "scopes that the store's policy declares")
        if choice.purpose not in declares.all_purposes[scope]:
            raise Refused(Reason.SCOPE_NOT_FOR_PURPOSE, "scopes", "scopes that this purpose may disclose or use")
        if rules[scope].special and len(scopes) > 1:
            raise Refused(Reason.SPECIAL_NEEDS_OWN_GRANT, "scopes", "a grant of its own for a special category")
    if not declares.roles.issuperset(choice.roles):
        raise Refused(Reason.UNDECLARED_ROLE, "roles", "roles that the store's policy declares")
    if any(zone not in zones for zone in choice.zones_excluded):
        raise Refused(Reason.UNDECLARED_ZONE, "zones_excluded", "zones of the stores that are named")
    shown = notice if notice is not None else purpose.notice or NO_NOTICE
    found = replace(choice, notice=shown, policy_version=main.version)
    return found if notice is None else _checked(found)  # what policy gives is within its bounds


def check_withdrawal(
    purpose: str | None, scopes: tuple[str, ...] | None, stores: tuple[str, ...] | None, brand: str | None = None
) -> Choice:
    """A withdrawal as a choice; None or nothing named means all.

    It needs no policy in force. Whether what it names was ever declared is for `hq.named`.

    Raises:
        Refused: a name that cannot be one.
    """
    return _closing(EventKind.WITHDRAWAL, purpose, scopes, stores, brand)


def check_refusal(
    purpose: str,
    scopes: tuple[str, ...] | None = None,
    stores: tuple[str, ...] | None = None,
    brand: str | None = None,
    notice: bytes | None = None,
) -> Choice:
    """A refusal as a choice; None or nothing named means all of that purpose.

    `notice`: the hash of the text that was shown, 32 bytes.

    Raises:
        Refused: a name that cannot be one.
    """
    made = _closing(EventKind.REFUSAL, purpose, scopes, stores, brand)
    return _checked(replace(made, notice=NO_NOTICE if notice is None else notice))


def _closing(
    kind: EventKind,
    purpose: str | None,
    scopes: tuple[str, ...] | None,
    stores: tuple[str, ...] | None,
    brand: str | None,
) -> Choice:
    """Scopes of a purpose that has none are left out: with them it would end nothing."""
    named = scopes if purpose is None or has_scopes(purpose) else None
    return _checked(Choice(kind=kind, purpose=purpose, scopes=named or None, stores=stores or None, brand=brand))


def for_brands(choice: Choice, brand_of: Callable[[str], str | None]) -> list[Choice]:
    """The same, and what ends a purpose about a whole brand at a store ends it for the store's brand: never nothing.

    `brand_of`: the brand of a store; None: no such store.
    """
    if choice.kind not in CLOSING or choice.stores is None or not is_wide(choice.purpose or ""):
        return [choice]
    stated = [choice.brand] if choice.brand is not None else [brand_of(store) for store in choice.stores]
    brands = sorted({one for one in stated if one is not None})
    return [replace(choice, stores=None, brand=one) for one in brands] or [choice]


def check_proof(proof: Proof) -> Proof:
    """Passes what proves a choice.

    Raises:
        Refused: a text or a reference that is too long, or a digest that is none.
    """
    try:
        schema.encode(proof)
    except WireError as error:
        raise Refused(Reason.MALFORMED, "proof", error.hint) from error
    return proof


def check_mute(kind: EventKind, muted: Muted) -> Choice:
    """A mute, or its taking back, as a choice; what it names may be in no catalog any more.

    Raises:
        Refused: a name that cannot be one.
    """
    return _checked(Choice(kind=kind, mute=muted))


def check_field(field: Field, policies: Sequence[MainPolicy]) -> int:
    """Passes a value whose scope some policy declares, with the type that it declares; how long its CBOR is, in bytes.

    Raises:
        Refused: undeclared, of another type, or too large.
    """
    if not is_scope(field.scope):
        raise Refused(Reason.MALFORMED, "scope", "dotted lower-case words, such as size.shoe")
    scopes = [declared.of(policy).scopes for policy in policies]
    rules = [found[field.scope] for found in scopes if field.scope in found]
    if not rules:
        raise Refused(Reason.UNDECLARED_SCOPE, field.scope, "a scope that a policy declares")
    forms = [field.value.text, field.value.texts, field.value.items]
    if sum(one is not None for one in forms) != 1 or value_type(field) not in {rule.value_type for rule in rules}:
        expected = " or ".join(sorted({rule.value_type.name.lower() for rule in rules}))
        raise Refused(Reason.WRONG_TYPE, field.scope, f"a value of type {expected}")
    try:
        size_bytes = len(schema.encode(field))
    except WireError as error:
        raise Refused(Reason.MALFORMED, field.scope, error.hint) from error
    if size_bytes > MAX_PROFILE_BYTES:
        raise Refused(Reason.TOO_LARGE, field.scope, f"at most {MAX_PROFILE_BYTES} bytes")
    return size_bytes


def _checked(choice: Choice) -> Choice:
    try:
        schema.encode(choice)
    except WireError as error:
        raise Refused(Reason.MALFORMED, choice.kind.name.lower(), error.hint) from error
    return choice
