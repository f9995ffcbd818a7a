"""What proves a choice: who made it and for whom, before which text, on what surface, and what is kept as evidence.

It stands sealed beside the choice, under the member's key (`hq.ledger`): it ends with the member.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Annotated

from wire.member import Name
from wire.schema import Range, Size, exactly

MOST_TEXT_BYTES = 512
MOST_REFERENCE_BYTES = 128


class Party(IntEnum):
    """Who chose for the member."""

    MEMBER = 1
    DELEGATE = 2  # whom the member authorised, such as an agent
    PARENT = 3  # the holder of parental responsibility


class Status(StrEnum):
    """How a consent stands: the states of W3C DPV (docs/consent.md). Expiry is never written; it comes by itself."""

    GIVEN = "given"
    RENEWED = "renewed"  # given again while it was in force, or after its end
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    INVALIDATED = "invalidated"  # recorded, and never counted: who chose could not choose this
    UNKNOWN = "unknown"  # never asked, or never answered


class Evidence(IntEnum):
    """Of what kind the evidence is."""

    SCREEN = 1  # a switch or button that the member used, signed in
    HEADER = 2  # a signal of the browser, such as Sec-GPC
    DOCUMENT = 3  # a signed form
    RECORDING = 4  # of a call or a conversation
    FOREIGN = 5  # a record or receipt of another consent platform
    SPOKEN = 6  # told to a member of the staff


@dataclass(frozen=True, slots=True, repr=False)
class Proof:
    """Evidence of one choice; every field may be missing but the party, the member by default.

    `by_reference` is opaque: what the parent or delegate is known by elsewhere, never a name. `notice_language` is a
    BCP 47 tag, `notice_version` the number of the text in its series. `digest` is the SHA-256 of what is kept
    elsewhere, `text` a few words instead of it.
    """

    by: Party = Party.MEMBER
    by_reference: Annotated[str, Size(1, MOST_REFERENCE_BYTES)] | None = None
    notice_language: Annotated[str, Size(2, 35)] | None = None
    notice_version: Annotated[int, Range(0, 2**32)] | None = None
    purpose_version: Annotated[int, Range(0, 2**32)] | None = None
    surface: Name | None = None  # such as "app 5.1" or "preference-centre"
    evidence: Evidence | None = None
    digest: Annotated[bytes, exactly(32)] | None = None
    text: Annotated[str, Size(1, MOST_TEXT_BYTES)] | None = None

    def __repr__(self) -> str:
        return f"Proof(by={self.by.name}, …)"


BY_THE_MEMBER = Proof()
