"""The server-sent events of one tablet: a generator that runs in its connection's own thread.

I/O: waits on the gateway's line; the connection writes what it yields.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final

from marshmallow import Schema

from tablet_api import schemas
from tablet_api.changes import Change, EventName, Slot, no_gateway
from tablet_api.errors import GatewayAwayError
from tablet_api.gateway_client import GatewayClient, Watching
from wire.query import CardChanged, Reply, Roster, Visit

BEAT_S: Final = 5.0
LEAST_PAUSE_S: Final = 0.5  # between changes that are not urgent: at most two a second
RETRY_S: Final = 1.0
Body = Roster | Change | CardChanged | None
Encode = Callable[[EventName, Body], bytes]  # an event as it goes over the line
_TURN: Final = threading.BoundedSemaphore(2)  # a hundred streams wake at once: requests wait for two of them, not all
_SHARED: Final = frozenset({"visits", "gone", "order"})
_DIFFERING: Final = schemas.ChangeShown(only=tuple(_SHARED))
_MOST_KEPT: Final = 16
_SCHEMAS: Final[dict[EventName, Schema]] = {
    EventName.ROSTER: schemas.RosterShown(),
    EventName.CHANGE: schemas.ChangeShown(),
    EventName.CARD: schemas.CardChangedShown(),
    EventName.DARK: schemas.DarkShown(),
}


def encode(name: EventName, body: Body) -> bytes:
    """One event as it goes over the line; JSON has no line breaks."""
    if isinstance(body, Change):
        # Most tablets are told of the same visits at once; what is a tablet's own is little.
        told = _text(_SCHEMAS[name].dump(replace(body, visits=(), gone=(), order=None)), without=_SHARED)
        text = f"{told[:-1]},{_differences(body.visits, body.gone, body.order)[1:]}"
    else:
        text = _text({} if body is None else _SCHEMAS[name].dump(body))
    return f"event: {name.value}\ndata: {text}\n\n".encode()


@lru_cache(_MOST_KEPT)
def _differences(visits: tuple[Visit, ...], gone: tuple[bytes, ...], order: tuple[bytes, ...] | None) -> str:
    shown = _DIFFERING.dump({"visits": visits, "gone": gone, "order": order})
    return _text(shown)


def _text(shown: Mapping[str, object], without: frozenset[str] = frozenset()) -> str:
    return json.dumps({name: value for name, value in shown.items() if name not in without}, separators=(",", ":"))


class Stream:
    """One tablet's events, from the gateway's watch.

    While the gateway is away the tablet is told `dark` with `no-gateway`, and the watch is tried again each second.
    `clock` gives boot-clock seconds. `opened` is the watch that the request began with, if there was one, with its
    first reply. `encode` gives the events their form.
    """

    def __init__(
        self,
        gateway: GatewayClient,
        session: bytes,
        clock: Callable[[], float],
        stopping: threading.Event,
        opened: tuple[Watching, Roster] | None,
        encode: Encode,
    ) -> None:
        self._gateway = gateway
        self._session = session
        self._clock = clock
        self._stopping = stopping
        self._encode = encode
        self._watching = opened[0] if opened else None
        self._slot = Slot()
        self._slot.put(opened[1] if opened else no_gateway())

    def events(self) -> Iterator[bytes]:
        """Until the session ends, the program stops, or the far end is gone (then the generator is closed)."""
        try:
            yield b"retry: 1000\n\n"
            last_sent = self._clock() - LEAST_PAUSE_S
            last_beat = self._clock()
            while not self._stopping.is_set():
                now = self._clock()
                if self._slot.waits and (self._slot.urgent or now - last_sent >= LEAST_PAUSE_S):
                    last_sent = now
                    with _TURN:
                        told = [self._encode(name, body) for name, body in self._slot.take()]
                    yield from told
                if now - last_beat >= BEAT_S:
                    last_beat = now
                    yield self._encode(EventName.BEAT, None)
                wake = last_beat + BEAT_S
                if self._slot.waits:
                    wake = min(wake, last_sent + LEAST_PAUSE_S)
                if not self._listen(max(0.0, wake - self._clock())):
                    return
        finally:
            self.close()

    def close(self) -> None:
        """Stops following. `events` does it at its end, but not where nobody ever asks it for one (HEAD)."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.close()

    def _listen(self, timeout_s: float) -> bool:
        """Puts into the slot all that is there; waits at most `timeout_s` for the first. False where it is the end."""
        if self._watching is None:
            self._stopping.wait(min(timeout_s, RETRY_S))
            self._again()
            return True
        try:
            reply = self._watching.receive(max(timeout_s, 0.001))
            while reply is not None:
                if not self._put(reply):
                    return False
                reply = self._watching.receive(0.0)
        except GatewayAwayError:
            self.close()
            self._slot.put(no_gateway())
        return not self._gateway.closed

    def _put(self, reply: Reply) -> bool:
        match reply:
            case Roster() | CardChanged():
                self._slot.put(reply)
                return True
            case _:  # Refused: the session ended. The page asks why with its next call.
                return False

    def _again(self) -> None:
        try:
            self._watching = self._gateway.watch(self._session)
        except GatewayAwayError:
            self._watching = None
