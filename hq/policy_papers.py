"""What HQ keeps of a policy beside what stores get: impact assessments, recipients, the notices' words, figures' rules.

Pure: no I/O, no clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from hq.notice_words import Words
from wire.schema import Range


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who receives something outside of the stores: an id, the name that members read, and a country such as DE."""

    id: str
    name: str
    country: str


@dataclass(frozen=True, slots=True)
class Paper:
    """Of one purpose: the reference of its impact assessment, the ids of its recipients.

    `material`: whether what this version changes in its notice matters to members, so that they may be asked again.
    """

    dpia_ref: str = ""
    recipients: tuple[str, ...] = ()
    material: bool = True


@dataclass(frozen=True, slots=True)
class FigurePolicy:
    """How figures of members are released (docs/figures.md). Epsilons in thousandths.

    least_members: k, how many must stand behind a figure and behind a difference. epsilon_milli: what one table costs.
    budget_milli: what all tables of one purpose and day may cost.
    """

    least_members: Annotated[int, Range(5, 10_000)] = 10
    epsilon_milli: Annotated[int, Range(1, 100_000)] = 500
    budget_milli: Annotated[int, Range(1, 100_000)] = 8_000


@dataclass(frozen=True, slots=True)
class Papers:
    """Of a whole policy; `purposes` by their ids."""

    words: tuple[Words, ...] = ()
    recipients: tuple[Recipient, ...] = ()
    purposes: Mapping[str, Paper] = field(default_factory=dict)
    figures: FigurePolicy = FigurePolicy()
