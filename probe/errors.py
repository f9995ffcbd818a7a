"""What keeps the probe from seeing.

    Unseen(reason)      somebody did not answer as they should; tried again

Pure: no I/O, no clock.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why nothing can be seen now; the word in the log."""

    NO_GATEWAY = "no_gateway"  # its socket does not answer
    NOT_YET = "not_yet"  # the gateway is locked, or HQ has never granted anything here
    NO_TABLETS = "no_tablets"  # the tablet API does not answer, or not over a TLS that can be trusted
    REFUSED = "refused"  # it answers and says no
    SILENT = "silent"  # the stream said nothing for too long
    ENDED = "ended"  # the stream ended


class Unseen(Exception):
    """The probe's tablet shows nothing now. `again`: its session is over; `unpaired`: its pairing is."""

    def __init__(self, reason: Reason, *, again: bool = False, unpaired: bool = False) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.again = again
        self.unpaired = unpaired
