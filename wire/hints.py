"""Short hints of good manners, as a policy declares them and as a card carries one.

A hint is tied to what is visible on a card and to nothing else: purposes, the reason of the look, the zone's kind, the
role. What a retailer may write into one is judged at HQ (`hq.hint_rules`).

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from typing import Annotated

from wire.events import ReasonCode
from wire.schema import Count, Size

HINT_CHARACTERS = 90  # read at a glance, beside a shopper
MOST_HINTS = 32
HintId = Annotated[str, Size(1, 64)]


@dataclass(frozen=True, slots=True)
class HintText:
    """What it says in one language: a tag such as "en" or "pt-BR", and at most 90 characters."""

    ROW = True
    language: Annotated[str, Size(2, 16)]
    text: Annotated[str, Size(1, 360)]


@dataclass(frozen=True, slots=True)
class Hint:
    """A hint of a policy. It fits a card where each list is empty or holds one that is visible there.

    `purposes`: of a line on the card; `presence` is on every card. `zone_kinds`: the kind of the zone that it names.
    """

    id: HintId
    texts: Annotated[tuple[HintText, ...], Count(16)]
    purposes: Annotated[tuple[Annotated[str, Size(1, 64)], ...], Count(16)]
    reasons: Annotated[tuple[ReasonCode, ...], Count(2)]
    zone_kinds: Annotated[tuple[Annotated[str, Size(1, 32)], ...], Count(16)]
    roles: Annotated[tuple[Annotated[str, Size(1, 64)], ...], Count(32)]


@dataclass(frozen=True, slots=True)
class CardHint:
    """The one hint that a card carries, in all its languages: the page knows which it speaks."""

    id: HintId
    texts: Annotated[tuple[HintText, ...], Count(16)]
