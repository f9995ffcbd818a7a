"""Whether the program lives, whether the store may disclose, and the figures: `/healthz`, `/readyz`, `/metrics`.

I/O: answers HTTP requests (flask) by asking the gateway.
"""

import ipaddress
from typing import Any, Final

from flask import Response, current_app, request
from flask.views import MethodView

from tablet_api import changes, schemas
from tablet_api.api import Calls
from tablet_api.errors import GatewayAwayError, Problem, ProblemKind
from tablet_api.parts import PARTS, Parts
from wire import query
from wire.query import Lease, Light, Radio, ReceiverState

calls = Calls("operation", "/", "What whoever runs the box asks")
_METRICS: Final = "text/plain; version=0.0.4"
_STATES: Final = {state: number for number, state in enumerate(ReceiverState)}  # 0 hearing … 4 never heard


def _parts() -> Parts:
    parts: Parts = current_app.extensions[PARTS]
    return parts


@calls.route("/healthz")
class Health(MethodView):
    """The process."""

    @calls.gives(200, schemas.HealthShown)
    def get(self) -> Any:
        """This process answers."""
        return {"status": "ok"}


@calls.route("/readyz")
class Ready(MethodView):
    """The store."""

    @calls.gives(200, schemas.LeaseShown)
    @calls.also_gives(503, schemas.LeaseShown)
    def get(self) -> Any:
        """The lease: 200 where the store may disclose, else 503; the same form either way."""
        lease = _lease()
        return lease, (200 if lease.light is Light.LIVE else 503)


def _lease() -> Lease:
    try:
        reply = _parts().gateway.ask(query.AskStatus())
    except GatewayAwayError:
        return changes.no_gateway().lease
    return reply.lease if isinstance(reply, query.Status) else changes.no_gateway().lease


@calls.route("/metrics")
class Metrics(MethodView):
    """Figures for Prometheus."""

    @calls.gives(200, {"type": "string"}, content_type=_METRICS)
    @calls.problems(404)
    def get(self) -> Response:
        """Counters of this process and of the gateway; from loopback only."""
        if not _is_loopback(request.remote_addr):
            raise Problem(ProblemKind.NOT_FOUND)
        parts = _parts()
        more: list[tuple[str, str, int]] = [("gateway_failures", "", parts.gateway.failures)]
        try:
            reply = parts.gateway.ask(query.AskStatus())
        except GatewayAwayError:
            reply = None
        if isinstance(reply, query.Status):
            more += [(f"gateway_{one.name}", one.label, one.value) for one in reply.counters]
            more += [("sessions", "", reply.sessions), ("tablets", "", reply.tablets)]
            more += [figure for radio in reply.radios for figure in _of_radio(radio)]
            more += [
                ("certificate_not_after_seconds", one.source.value, one.not_after_ms // 1000)
                for one in reply.certificates
            ]
            more += [("live", "", int(reply.lease.light is Light.LIVE)), ("help_waiting", "", reply.visits_open)]
        return Response(parts.metrics.text(tuple(more)), content_type=_METRICS)


def _of_radio(radio: Radio) -> list[tuple[str, str, int]]:
    """One receiver's figures: its state as a number, what it counted, and its restarts by `node/reason`."""
    figures = [("gateway_radio_state", radio.node, _STATES[radio.state])]
    for name, value in (
        ("silent_seconds", radio.silent_s), ("adverts_total", radio.adverts), ("drops_total", radio.drops)
    ):  # fmt: skip
        if value is not None:
            figures.append((f"gateway_radio_{name}", radio.node, value))
    figures += [
        ("gateway_radio_restarts_total", f"{radio.node}/{one.reason.value}", one.count) for one in radio.restarts
    ]
    return figures


def _is_loopback(address: str | None) -> bool:
    try:
        return address is not None and ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
