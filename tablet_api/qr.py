"""A link as a QR code that a page draws: one path of squares, without a style of its own.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass

import segno

QUIET = 4  # modules around it, by ISO/IEC 18004


@dataclass(frozen=True, slots=True, repr=False)
class QrCode:
    """`size`: how many modules it is wide and high, with its quiet zone; `path`: for the `d` of an SVG path."""

    size: int
    path: str


def of(link: str) -> QrCode:
    """The code of this link, which a phone reads also where a seventh of it cannot be seen (level M)."""
    rows = [bytes(row) for row in segno.make(link, error="m", micro=False).matrix]
    parts = []
    for number, row in enumerate(rows):
        at = 0
        while (begins := row.find(b"\x01", at)) >= 0:
            at = row.find(b"\x00", begins)
            at = len(row) if at < 0 else at
            parts.append(f"M{begins + QUIET} {number + QUIET}h{at - begins}v1h{begins - at}z")
    return QrCode(len(rows) + 2 * QUIET, "".join(parts))
