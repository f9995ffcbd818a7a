"""What HQ keeps of a policy beside what stores get: impact assessments, recipients, and the words of the notices.

Pure: no I/O, no clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hq.notice_words import Words


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
class Papers:
    """Of a whole policy; `purposes` by their ids."""

    words: tuple[Words, ...] = ()
    recipients: tuple[Recipient, ...] = ()
    purposes: Mapping[str, Paper] = field(default_factory=dict)
