"""What the views of one application share: the gateway, the clock, the cookies' names, the counters.

I/O: keeps callbacks on flask's request context.
"""

import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Final

from flask import Response, after_this_request

from tablet_api.auth import Cookies
from tablet_api.gateway_client import GatewayClient
from tablet_api.metrics import Metrics

PARTS: Final = "consentry"  # under this name in the application's extensions


@dataclass(frozen=True, slots=True)
class Parts:
    """Made once at the start. `clock` gives boot-clock seconds; `stopping` is set when the program ends."""

    gateway: GatewayClient
    cookies: Cookies
    clock: Callable[[], float]
    stopping: threading.Event
    metrics: Metrics

    def after(self, change: Callable[[Response], None]) -> None:
        """Changes the response to this request once it is made, if it is made without a problem or with one."""

        @after_this_request
        def _changed(response: Response) -> Response:
            change(response)
            return response

    def counted(self, events: Iterator[bytes]) -> Generator[bytes]:
        """The same events; counted as an open stream as long as they last."""
        self.metrics.add("streams_open")
        try:
            yield from events
        finally:
            self.metrics.add("streams_open", amount=-1)
