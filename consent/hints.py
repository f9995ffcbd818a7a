"""Chooses the one hint of good manners that a card carries: by what is visible on the card, and by nothing else.

So two members who differ only in what they hide get the same hint, byte for byte, and a hint never tells that there is
more. Of those that fit, the visit's handle picks one: cards differ, one card stays as it is.

Pure: no I/O, no clock.
"""

from collections.abc import Set
from hashlib import blake2b

from consent.decide import declared
from consent.grants import PRESENCE
from wire import query
from wire.events import ReasonCode
from wire.hints import CardHint, Hint
from wire.policy import Policy


def choose(card: query.Card, role: str, policy: Policy, dismissed: Set[str] = frozenset()) -> CardHint | None:
    """The hint for this card as `role` sees it, or None.

    `dismissed`: ids of hints that the associate wants no more in this session. Where the one that is picked was
    dismissed there is none, so that no other pops up in its place.
    """
    purposes = {PRESENCE, *(line.why.purpose for line in (*card.lead, *card.lines))}
    reason = ReasonCode.HELP if card.help else ReasonCode.OPEN
    zone = declared(policy.store.zones, card.zone) if card.zone is not None else None
    kind = zone.kind if zone is not None else None
    fits = [
        hint
        for hint in policy.main.hints or ()
        if hint.texts
        and (not hint.purposes or purposes & set(hint.purposes))
        and (not hint.reasons or reason in hint.reasons)
        and (not hint.zone_kinds or kind in hint.zone_kinds)
        and (not hint.roles or role in hint.roles)
    ]
    if not fits:
        return None
    # The largest of their digests, not the n-th of them: one that comes to fit seldom changes which is picked.
    picked = max(fits, key=lambda hint: _lot(card.handle, hint))
    return None if picked.id in dismissed else CardHint(picked.id, picked.texts)


def _lot(handle: bytes, hint: Hint) -> bytes:
    return blake2b(hint.id.encode(), digest_size=8, key=handle).digest()
