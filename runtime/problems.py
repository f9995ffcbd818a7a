"""What a problem document (RFC 9457) is made of, for every web of ours.

    Problem                               the answer is a problem document; has a kind

Pure: no I/O, no clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Self

TYPE_PREFIX: Final = "urn:consentry:problem:"
CONTENT_TYPE: Final = "application/problem+json"
# What a library's error of a status is called among the kinds; whatever else is BAD_REQUEST or INTERNAL.
_OF_STATUS: Final = {
    404: "NOT_FOUND",
    405: "METHOD",
    408: "TOO_SLOW",
    411: "LENGTH",
    413: "TOO_LARGE",
    414: "TOO_LONG",
    415: "MEDIA_TYPE",
    421: "OTHER_NAME",
    422: "MALFORMED",
    501: "UNSUPPORTED",
    505: "VERSION",
}


@dataclass(frozen=True, slots=True)
class Form:
    """The fixed parts of a problem document. `slug` and `status` are a promise to whoever calls."""

    slug: str
    status: int
    title: str


class Kind(Enum):
    """The problem documents of a web. It has BAD_REQUEST and INTERNAL, and of the other names above what it wants."""

    _value_: Form

    @property
    def slug(self) -> str:
        """The last part of the `type`, also for counting."""
        return self._value_.slug

    @property
    def type(self) -> str:
        """The stable `type` of the document."""
        return TYPE_PREFIX + self._value_.slug

    @property
    def status(self) -> int:
        """The HTTP status that goes with it."""
        return self._value_.status

    @property
    def title(self) -> str:
        """One sentence for a person."""
        return self._value_.title

    @classmethod
    def of_status(cls, status: int) -> Self:
        """The kind for an HTTP error that a library raised."""
        kinds = cls.__members__
        return kinds.get(_OF_STATUS.get(status, ""), kinds["BAD_REQUEST" if status < 500 else "INTERNAL"])


class Problem(Exception):
    """Answer with this problem document. `fields` are names of our own schemas, never what was sent."""

    kind: Kind

    def __init__(self, kind: Kind, retry_after_s: int, fields: Sequence[str]) -> None:
        super().__init__(kind.type)
        self.kind = kind
        self.retry_after_s = retry_after_s
        self.fields = tuple(fields)

    def document(self) -> dict[str, object]:
        """The members of the problem document."""
        document: dict[str, object] = {"type": self.kind.type, "title": self.kind.title, "status": self.kind.status}
        if self.retry_after_s:
            document["retry_after_s"] = self.retry_after_s
        if self.fields:
            document["fields"] = list(self.fields)
        return document
