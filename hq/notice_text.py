"""Makes the notices of a policy: the retailer's words, and beside them what the policy itself says.

The generated part is made of the policy's scopes, roles, stores, blind zones, recipients and retention each time
anew, so that no text can say otherwise than stores do.

Pure: no I/O, no clock.
"""

from collections import defaultdict
from collections.abc import Sequence

from consent.decide import is_blind
from hq import notice
from hq.notice import Facts, ScopeFact, Text
from hq.notice_words import PurposeWords, Words
from wire.policy import StorePolicy

_YEAR_DAYS = 365
MOST_STORES = 50  # that a text names; the facts have all


def text_of(purpose: str, facts: Facts, words: Words, stores: Sequence[StorePolicy]) -> Text:
    """One purpose's text in one language; its words are judged before (`notice_rules`)."""
    own = words.purposes[purpose]
    scopes = [words.scopes[one.id] for one in facts.scopes]
    roles = [words.roles[one] for one in facts.roles]
    blind = _blind(words, facts, stores)
    kept = _span(facts.retention_days, words)
    said = {
        "retention": kept,
        "scopes": _listed(scopes, words),
        "roles": _listed(roles, words),
        "stores": _listed(_some([label for _, label in facts.stores], words), words),
        "blind": _listed(blind, words),
        "recipients": _listed([name for _, name, _ in facts.recipients], words),
    }
    lines = words.lines
    details: list[tuple[str, tuple[str, ...]]] = []
    shown = tuple(_scope(one, words) for one in facts.scopes if one.shown)
    used = tuple(_used(one, words) for one in facts.scopes if not one.shown)
    details += [one for one in ((lines.scopes_heading, shown), (lines.used_heading, used)) if one[1]]
    details.append((lines.roles_heading, tuple(roles) or (lines.nobody,)))
    if facts.stores:
        details.append((lines.stores_heading, tuple(_some([label for _, label in facts.stores], words))))
    if blind:
        details.append((lines.blind_heading, tuple(blind)))
    details.append((lines.retention_heading, (lines.retention.format(retention=kept),)))
    receives = tuple(lines.recipient.format(recipient=name, country=country) for _, name, country in facts.recipients)
    details.append((lines.recipients_heading, receives or (lines.no_recipient,)))
    details.append((lines.legal_heading, (words.legal_bases.get(facts.legal_basis, facts.legal_basis),)))
    return Text(
        language=words.language,
        label=own.label,
        what=_filled(own.what, said),
        how=_filled(own.how, said),
        why=_filled(own.why, said),
        benefit=_filled(own.benefit, said),
        full=_paragraphs(own, said),
        details=tuple(details),
    )


def bytes_of(
    policy: str, purpose: str, facts: Facts, words: Sequence[Words], stores: Sequence[StorePolicy]
) -> bytes:  # fmt: skip
    """The exact bytes of one purpose's notice, with all languages."""
    texts = {one.language: text_of(purpose, facts, one, stores) for one in words}
    return notice.written(policy, purpose, facts, texts)


def _filled(text: str, said: dict[str, str]) -> str:
    return " ".join(text.format_map(said).split())


def _paragraphs(own: PurposeWords, said: dict[str, str]) -> tuple[str, ...]:
    return tuple(_filled(one, said) for one in own.full.split("\n\n") if one.strip())


def _listed(names: Sequence[str], words: Words) -> str:
    return ", ".join(names) if names else words.lines.none


def _some(names: list[str], words: Words) -> list[str]:
    """The first of many, and how many more there are."""
    if len(names) <= MOST_STORES:
        return names
    return [*names[:MOST_STORES], words.lines.stores_more.format(n=len(names) - MOST_STORES)]


def _scope(fact: ScopeFact, words: Words) -> str:
    lines = words.lines
    said = {"scope": words.scopes[fact.id], "retention": _span(fact.retention_days, words)}
    if fact.special:
        return lines.scope_special.format(**said, special=words.specials.get(fact.special, fact.special))
    if fact.most_items > 1:
        return lines.scope_list.format(**said, most=fact.most_items)
    return lines.scope.format(**said)


def _used(fact: ScopeFact, words: Words) -> str:
    lines = words.lines
    said = {"scope": words.scopes[fact.id], "retention": _span(fact.retention_days, words)}
    if fact.special:
        return lines.used_special.format(**said, special=words.specials.get(fact.special, fact.special))
    return lines.used.format(**said)


def _span(days: int, words: Words) -> str:
    lines = words.lines
    years, rest = divmod(days, _YEAR_DAYS)
    if years and not rest:
        return (lines.year if years == 1 else lines.years).format(n=years)
    return (lines.day if days == 1 else lines.days).format(n=days)


def _blind(words: Words, facts: Facts, stores: Sequence[StorePolicy]) -> list[str]:
    """Each sort of blind zone once; where zones of that sort are blind in some stores only, with those stores."""
    blind: dict[str, list[str]] = defaultdict(list)
    seen: dict[str, list[str]] = defaultdict(list)
    facts_blind = set(facts.blind)
    for store in stores:
        for zone in store.zones:
            name = words.zone_kinds.get(zone.kind, zone.label) if zone.kind else zone.label
            if (store.store, zone.id) in facts_blind and is_blind(zone):
                blind[name].append(store.label)
            else:
                seen[name].append(store.label)
    return [
        words.lines.blind_there.format(zone=name, stores=", ".join(_some(list(dict.fromkeys(where)), words)))
        if name in seen
        else name
        for name, where in sorted(blind.items())
    ]
