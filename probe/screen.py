"""What the probe's tablet shows, by what the stream of the floor said.

Pure: no I/O, no clock.
"""

import json
from typing import Any

from wire.events import Seen

SILENT_S = 12.0  # the tablets' page blanks itself after so long without a word


class Screen:
    """The floor of one stream. A role that only the synthetic member is shown to sees it, or nobody."""

    def __init__(self) -> None:
        self._visits: set[str] = set()
        self._live = False
        self.version: str | None = None  # of the newest roster that is shown and not acknowledged yet

    @property
    def seen(self) -> Seen:
        """What is on the glass."""
        if not self._live:
            return Seen.DARK
        return Seen.SHOWN if self._visits else Seen.GONE

    def take(self, event: str, text: str) -> None:
        """One server-sent event; what is no floor changes nothing.

        Raises:
            ValueError: it has not the form that the API gives it.
        """
        if event not in ("roster", "change", "dark"):
            return
        body = json.loads(text)
        if not isinstance(body, dict):
            raise ValueError("an object is expected")
        if event == "dark":
            self._visits, self._live = set(), False
        else:
            if event == "roster":
                self._visits = set()
            self._visits |= {str(one["handle"]) for one in _listed(body, "visits")}
            self._visits -= {str(one) for one in _listed(body, "gone")}
            self._live = True
        self.version = str(body.get("version", "0"))


def _listed(body: dict[str, Any], name: str) -> list[Any]:
    found = body.get(name, [])
    if not isinstance(found, list):
        raise ValueError("a list is expected")
    return found
