"""What an operator asks of one suggestion, and is told: what the catalog says of the item, and what decided.

What decided about a member is told only so far as the role may see it (`store_gateway.explaining`).

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from typing import Annotated

from wire.schema import Count, Range, Size
from wire.suggested import SuggestedPlace

_Word = Annotated[str, Size(1, 64)]


@dataclass(frozen=True, slots=True, repr=False)
class Explain:
    """Why an item is suggested, or not, on the card of a visit for a role; on the operator's socket only.

    → Explained | Withheld | Refused
    """

    handle: Annotated[bytes, Size(16, 16)]
    item: _Word
    role: _Word

    def __repr__(self) -> str:
        return "Explain(…)"


@dataclass(frozen=True, slots=True)
class Explained:
    """What decided. `flags`: the item's that guard it, and those of its categories and themes.

    `rule`: a word of `consent.suggest.guard.GuardRule`, "chosen", "switched-off", "stage" or "not-chosen". `place` and
    `position` (from 1): of what stands on the card. `off`: the rule that is switched off or rests.
    """

    rule: _Word
    flags: Annotated[tuple[_Word, ...], Count(64)]
    place: SuggestedPlace | None = None
    position: Annotated[int, Range(1, 1000)] | None = None
    off: _Word | None = None
