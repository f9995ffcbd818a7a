"""The tablets' server: the one that all our programs serve HTTPS with, telling problems as this API does.

I/O: sockets, by `runtime.web_server`.
"""

from collections.abc import Callable, Mapping

from flask import Flask

from runtime import web_server
from tablet_api import errors
from tablet_api.metrics import Metrics

Context = web_server.Context
tls = web_server.tls


def _told(status: int) -> tuple[str, Mapping[str, object]]:
    problem = errors.of_status(status)
    return problem.kind.value.slug, problem.document()


class Server(web_server.Server):
    """The listening socket and its threads. `run` in the main thread; `stop` from a signal."""

    def __init__(
        self,
        app: Flask,
        address: tuple[str, int],
        context: Context | None,
        clock: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        super().__init__(app, address, context, clock, metrics, _told)
