"""The card of a visit, made by copying what the decision allows; nothing is ever taken out of a fuller one.

So a card of a member who hides a scope equals, byte for byte, that of a member who has none.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from hashlib import blake2b

from consent import hints
from consent.decide import Verdicts, declared
from consent.grants import PRESENCE
from consent.listed import Lists, SortOf
from consent.mutes import is_muted
from consent.offered import MADE, NOTHING_OFFERED, SCOPE, Offered, laid
from consent.suggest.shelf import EMPTY
from consent.verdict import Allow, Deny, Ground
from consent.visit import Denied, Visit
from wire import query, schema
from wire.items import MuteKind
from wire.member import Field, Item, Member, NameChoice
from wire.policy import Policy, ScopeRule, Section, ValueType
from wire.sync import ReasonCode

NAME_SCOPE = "name.first"  # shown as the card's name, by the member's choice of name, and never as a line
MOST_LEAD = 3
_MOST_PURPOSES = 16  # so many a record of the disclosure can name; what cannot be recorded is not shown
_VERSION_MASK = 2**53 - 1  # a page's numbers are exact up to here


@dataclass(frozen=True, slots=True, repr=False)
class Built:
    """A card, and what has to be recorded before it may leave: which scopes, for which purposes, on what ground."""

    card: query.Card
    scopes: tuple[str, ...]
    purposes: tuple[str, ...]
    rule: Ground
    reason: ReasonCode


@dataclass(frozen=True, slots=True)
class _Shown:
    """A scope that may be shown, with its value."""

    rule: ScopeRule
    field: Field
    allow: Allow


def build(
    member: Member,
    denied: Denied,
    role: str,
    visit: Visit,
    policy: Policy,
    section: Section | None,
    now_ms: int,
    associate: str,
    dismissed: Set[str] = frozenset(),
    offered: Offered = NOTHING_OFFERED,
    sort_of: SortOf = EMPTY.sort,
) -> Built | Deny:
    """The card as `role` may see it now, with the lines of `section` where one is asked for.

    `now_ms`: Unix milliseconds UTC of trusted time. `associate`: the id of who looks. `dismissed`: hints that they want
    no more. `offered`: what is suggested; decided on like any other scope. `sort_of`: what the catalog says of an item
    of a list. Sections hold what does not lead. The order of lines is the policy's. Two cards of one content have one
    version, whenever they were made.
    """
    now_s = now_ms // 1000
    member = laid(member, offered.left(), now_s)
    verdicts = Verdicts(member, denied, role, visit, policy, now_s)
    standing = verdicts.standing
    if isinstance(standing, Deny):
        return standing
    lists = Lists(verdicts, policy, now_s, sort_of)
    shown = _allowed(member, denied, verdicts, policy, offered, lists)
    name = shown.pop(NAME_SCOPE, None)
    zone = declared(policy.store.zones, visit.zone) if visit.zone is not None else None
    order = dict.fromkeys((*(zone.scopes_first if zone else ()), *policy.main.lead))
    lead = [shown[scope] for scope in order if scope in shown][:MOST_LEAD]
    leading = {one.rule.id for one in lead}
    rest = [one for scope, one in shown.items() if scope not in leading]
    asked = [one for one in rest if one.rule.section is section]
    named = _named(member, visit, name)
    colour, digits = visit.sign if visit.help and visit.sign else (None, None)
    card = query.Card(
        handle=visit.handle,
        version=0,
        as_of_ms=0,
        help=visit.help,
        waiting_since_ms=visit.waiting_since_ms if visit.help else None,
        sign_colour=colour,
        sign_digits=digits,
        zone=visit.zone,
        zone_label=zone.label if zone else None,
        attended_by=visit.attended_name,
        attended_by_me=visit.attended_by == associate,
        handed_over=visit.handed_to(associate, role),
        name=named.field.value.text if named else None,
        mode=member.mode,
        lead=tuple(_line(one, policy, offered) for one in lead),
        sections=tuple(part for part in Section if any(one.rule.section is part for one in rest)),
        section=section,
        lines=tuple(_line(one, policy, offered) for one in asked),
    )
    card = replace(card, hint=hints.choose(card, role, policy, dismissed))
    on_it = [*([named] if named else []), *lead, *asked]
    return Built(
        card=replace(card, version=_version(card), as_of_ms=now_ms),
        scopes=tuple(one.rule.id for one in on_it),
        purposes=_purposes(standing, on_it),
        rule=Ground.EXPLICIT_GRANT if any(one.allow.rule is Ground.EXPLICIT_GRANT for one in on_it) else Ground.GRANT,
        reason=ReasonCode.HELP if visit.help else ReasonCode.OPEN,
    )


def _allowed(
    member: Member, denied: Denied, verdicts: Verdicts, policy: Policy, offered: Offered, lists: Lists
) -> dict[str, _Shown]:
    """What may be shown, in the policy's order."""
    fields = {field.scope: field for field in member.fields}
    purposes = dict.fromkeys((PRESENCE, *(purpose for rule in policy.main.scopes for purpose in rule.purposes)))
    recordable = list(purposes)[:_MOST_PURPOSES]
    shown: dict[str, _Shown] = {}
    for rule in policy.main.scopes:
        if rule.id in fields:
            verdict = verdicts.shown(rule.id)
            if not isinstance(verdict, Allow) or verdict.purpose not in recordable:
                continue
            left = lists.left(fields[rule.id], rule, verdict)
            field = _suggestible(left[0], rule, member, denied, offered) if left is not None else None
            if left is not None and field is not None:
                shown[rule.id] = _Shown(rule, field, left[1])
    return shown


def _suggestible(field: Field, rule: ScopeRule, member: Member, denied: Denied, offered: Offered) -> Field | None:
    """Suggestions without what the member muted or declined; None where none is left. All else as it is.

    What others than this store suggest has to be harmless besides. What was concluded names no item.
    """
    is_concluded = rule.id in MADE and rule.id != SCOPE
    if rule.section is not Section.SUGGESTIONS or field.value.items is None or is_concluded:
        return field
    left = tuple(
        one
        for one in field.value.items
        if not is_muted(member, denied, MuteKind.ITEM, one.item)
        and offered.stands(one.item)
        and (rule.id == SCOPE or offered.harmless(one.item))
    )
    return replace(field, value=replace(field.value, items=left)) if left else None


def _named(member: Member, visit: Visit, name: _Shown | None) -> _Shown | None:
    """The name, where it is a text and the member's choice shows it on this visit."""
    invited = member.name_choice is NameChoice.INVITED and visit.invited
    if name is None or name.field.value.text is None:
        return None
    return name if invited or member.name_choice is NameChoice.ALWAYS else None


def _line(shown: _Shown, policy: Policy, offered: Offered) -> query.Line:
    rule, value, allow = shown.rule, shown.field.value, shown.allow
    purpose = declared(policy.main.purposes, allow.purpose)
    why = query.Why(
        purpose=allow.purpose,
        purpose_label=purpose.label if purpose else "",
        since_ms=allow.since_s * 1000,
        until_ms=allow.until_s * 1000,
    )
    entries: tuple[query.Entry, ...] = ()
    if rule.value_type is ValueType.TEXTS:
        entries = tuple(query.Entry(text, None, None, False) for text in value.texts or ())
    elif rule.value_type is ValueType.ITEMS:
        if rule.id in MADE and rule.id != SCOPE:
            entries = offered.under(rule.id)
        else:
            ours = {one.item: one for one in offered.under(SCOPE)} if rule.id == SCOPE else {}
            entries = tuple(ours.get(item.item) or _entry(item, rule.section) for item in value.items or ())
    text = value.text if rule.value_type is ValueType.TEXT else None
    return query.Line(rule.id, rule.label, text, entries[: rule.most_items], why)


def _entry(item: Item, section: Section) -> query.Entry:
    at_ms = item.at_s * 1000 if item.at_s is not None else None
    # Which item it is, only where the tablet says what the shopper made of it.
    suggested = item.item if section is Section.SUGGESTIONS else None
    return query.Entry(item.label, at_ms, item.quantity, item.returned, suggested)


def _purposes(standing: Allow, shown: Iterable[_Shown]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((standing.purpose, *(one.allow.purpose for one in shown))))


def _version(card: query.Card) -> int:
    """A digest of the card with neither version nor time, 53 bits, so that it tells nothing more than the card."""
    return int.from_bytes(blake2b(schema.encode(card), digest_size=8).digest(), "big") & _VERSION_MASK
