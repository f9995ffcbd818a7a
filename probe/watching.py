"""Runs the probe: a phone that is always there, and a tablet that tells the gateway what it shows.

I/O: threading; the parts that it runs talk to the gateway and the tablet API.
"""

import threading
from collections.abc import Callable

from probe.errors import Reason, Unseen
from probe.gateway import Gateway
from probe.screen import Screen
from probe.tablet import Tablet
from runtime.logs import Log
from wire.query import ProbeKit, Seen

HEARD_S = 1.0  # between two sightings of the phone
AGAIN_S = 2.0
_LOG = Log("probe")


class Probe:
    """See the module. `clock()` gives CLOCK_BOOTTIME in seconds; `alive()` feeds the watchdog."""

    def __init__(self, gateway: Gateway, tablet: Tablet, clock: Callable[[], float], alive: Callable[[], None]) -> None:
        self._gateway = gateway
        self._tablet = tablet
        self._clock = clock
        self._alive = alive
        self._stop = threading.Event()
        self._phone: tuple[bytes, int] | None = None  # its secret, and trusted time less boot time in milliseconds
        self._paired: str | None = None
        self._told: Seen | None = None
        self._reason: Reason | None = None

    def stop(self) -> None:
        """Ends `run`; callable from a signal."""
        self._stop.set()

    def run(self) -> None:
        """Until `stop`."""
        phone = threading.Thread(target=self._advertise, name="phone", daemon=True)
        phone.start()
        while not self._stop.is_set():
            self._alive()
            try:
                self._watch()
            except Unseen as problem:
                if problem.unpaired:
                    self._paired = None
                self._say(problem.reason)
                if self._phone is not None:
                    self._tell(Seen.DARK)
            self._stop.wait(AGAIN_S)
        phone.join(2 * HEARD_S)

    def _watch(self) -> None:
        kit = self._gateway.kit()
        self._learn(kit)
        if self._paired is None:
            self._paired = self._tablet.pair(kit)
        try:
            session, idle_s = self._tablet.sign_in(self._paired, kit)
        except Unseen as problem:
            if problem.reason is Reason.REFUSED:
                self._paired = None  # whatever it was: a new pairing is right again
            raise
        screen, touched_s = Screen(), self._clock()
        self._told = None  # the gateway may be another than before
        self._say(None)
        for event, text in self._tablet.stream(session):
            self._alive()
            try:
                screen.take(event, text)
            except (ValueError, KeyError, TypeError):
                raise Unseen(Reason.NO_TABLETS) from None
            self._tell(screen.seen)
            if screen.version not in (None, "0"):
                self._tablet.acknowledge(session, screen.version or "0")
            screen.version = None
            if self._clock() - touched_s >= idle_s / 3:
                touched_s = self._clock()
                self._tablet.touch(session)
                self._learn(self._gateway.kit())
            if self._stop.is_set():
                return

    def _learn(self, kit: ProbeKit) -> None:
        self._phone = kit.secret, kit.now_ms - int(self._clock() * 1000)

    def _tell(self, seen: Seen) -> None:
        if seen is not self._told and self._gateway.tell(seen):
            self._told = seen

    def _say(self, reason: Reason | None) -> None:
        if reason is self._reason:
            return
        self._reason = reason
        if reason is None:
            _LOG.info("watching")
        elif reason in (Reason.NOT_YET, Reason.ENDED):
            _LOG.info("not_watching", reason=reason)
        else:
            remedy = "see that gateway and tablet API run, and that ca and name are theirs"
            _LOG.warning("not_watching", reason=reason, remedy=remedy)

    def _advertise(self) -> None:
        while not self._stop.wait(HEARD_S):
            if self._phone is not None:
                secret, ahead_ms = self._phone
                boot_ms = int(self._clock() * 1000)
                self._gateway.heard(secret, ahead_ms + boot_ms, boot_ms)
