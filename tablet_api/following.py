"""Answers a request with the floor's stream, in the form that is wanted of it.

I/O: answers HTTP requests (flask) from the gateway's watch.
"""

from flask import Response, request

from runtime.web_server import UNBOUNDED
from tablet_api import asking
from tablet_api.errors import GatewayAwayError
from tablet_api.gateway_client import ANSWER_TIMEOUT_S
from tablet_api.stream import Encode, Stream
from wire import query


def follow(encode: Encode) -> Response:
    """The events of the session that asks, until either side has enough. Without the gateway it begins dark.

    Raises:
        Problem: nobody is signed in.
    """
    session = asking.session()
    parts = asking.parts()
    opened = None
    try:
        watching = parts.gateway.watch(session)
        try:
            first = watching.receive(ANSWER_TIMEOUT_S)
        except GatewayAwayError:
            watching.close()
            raise
        match first:
            case query.Roster():
                opened = (watching, first)
            case None:
                watching.close()
            case other:
                watching.close()
                asking.no(other)
    except GatewayAwayError:
        opened = None
    request.environ.get(UNBOUNDED, lambda: None)()
    stream = Stream(parts.gateway, session, parts.clock, parts.stopping, opened, encode)
    response = Response(parts.counted(stream.events()), mimetype="text/event-stream")
    response.call_on_close(stream.close)
    return response
