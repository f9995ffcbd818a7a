"""Tells systemd that the program is ready, alive or stopping (sd_notify(3)).

Outside systemd every call does nothing. A line that cannot be sent is dropped: the watchdog then does what it is for.

I/O: the notification socket, never blocking.
"""

import os
import socket
from typing import Final

_SOCKET_VARIABLE: Final = "NOTIFY_SOCKET"


class Notify:
    """One program's line to systemd.

    `watchdog_interval_s` is how often `alive` is to be called (half of WatchdogSec, as sd_watchdog_enabled(3) advises),
    or None where no watchdog waits for this process.
    """

    __slots__ = ("_address", "watchdog_interval_s")

    def __init__(self, address: str | None, watchdog_interval_s: float | None = None) -> None:
        # "@name" is Linux's abstract namespace, in which the first byte is zero.
        self._address = "\0" + address[1:] if address and address.startswith("@") else address
        self.watchdog_interval_s = watchdog_interval_s

    @classmethod
    def from_environment(cls) -> "Notify":
        """As systemd set it for this process."""
        interval_s = None
        timeout, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
        if timeout.isdecimal() and int(timeout) > 0 and pid in ("", str(os.getpid())):
            interval_s = int(timeout) / 2_000_000
        return cls(os.environ.get(_SOCKET_VARIABLE) or None, interval_s)

    def ready(self, status: str = "") -> None:
        """Started: everything that others wait for is there."""
        self._send("READY=1", status)

    def status(self, status: str) -> None:
        """One line for `systemctl status`; names no member."""
        self._send("", status)

    def alive(self) -> None:
        """Feeds the watchdog: to be called by the loop that does the work, not beside it."""
        self._send("WATCHDOG=1", "")

    def stopping(self, status: str = "") -> None:
        """Ending on purpose."""
        self._send("STOPPING=1", status)

    def _send(self, state: str, status: str) -> None:
        if self._address is None:
            return
        text = f"STATUS={' '.join(status.split())}" if status else ""
        message = "\n".join(filter(None, [state, text])).encode()
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.setblocking(False)
                line.sendto(message, self._address)
        except OSError:
            return
