"""The server-sent events of the floor, over real sockets."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from flask import Flask

from tablet_api import forms
from tablet_api.server import Server
from tests.fakes.gateway import LIVE, FakeGateway, handle
from tests.tablet_api.conftest import Serve
from tests.tablet_api.floor_of import card, fill, visit
from wire.query import DarkReason, Lease, Light

DARK = Lease(Light.DARK, DarkReason.NO_WORD, 0, 0, None)
Next = Callable[..., tuple[str, dict[str, Any]]]


@contextmanager
def following(server: Server, secret: bytes, source: str = "127.0.0.1") -> Iterator[Next]:
    """Yields a function that gives the next event, beats left out unless asked for."""
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20, source_address=(source, 0))
    line.request("GET", "/api/v1/floor/events", headers={"Authorization": f"Bearer {forms.to_text(secret)}"})
    answer = line.getresponse()
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["Cache-Control"] == "no-store"

    def following_one(beats: bool = False) -> tuple[str, dict[str, Any]]:
        name = ""
        while raw := answer.readline():
            key, _, value = raw.decode().rstrip("\n").partition(": ")
            if key == "event":
                name = value
            elif key == "data" and (name != "beat" or beats):
                assert answer.readline() == b"\n"
                return name, json.loads(value)
        raise EOFError

    try:
        yield following_one
    finally:
        line.close()


def until(condition: Callable[[], bool]) -> None:
    """Waits until it holds; fails after ten seconds."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.01)


def test_roster_change_card_dark_and_back(app: Flask, serve: Serve, gateway: FakeGateway) -> None:
    """The whole roster first, then what differs; a card's change; darkness; and the whole roster again."""
    fill(gateway, visit(1), visit(2))
    with following(serve(app, False), gateway.sign_in()) as event:
        name, body = event()
        assert name == "roster"
        assert len(body["visits"]) == 2
        gateway.drop_card(handle(1))
        name, body = event()
        assert (name, body["gone"], body["visits"]) == ("change", [forms.to_text(handle(1))], [])
        assert body["order"] == [forms.to_text(handle(2))]
        assert event()[0] == "card"
        gateway.put_card(card(visit(2), version=2**63))
        name, body = event()
        assert (name, body) == ("card", {"handle": forms.to_text(handle(2)), "version": str(2**63)})
        gateway.burn(DARK)
        name, body = event()
        assert (name, body["lease"]["reason"]) == ("dark", "no-word")
        assert "visits" not in body
        gateway.burn(LIVE)
        name, body = event()
        assert (name, [one["handle"] for one in body["visits"]]) == ("roster", [forms.to_text(handle(2))])


def test_it_beats(app: Flask, serve: Serve, gateway: FakeGateway) -> None:
    """Where nothing changes, something is heard all the same."""
    with following(serve(app, False), gateway.sign_in()) as event:
        assert event()[0] == "roster"
        assert event(beats=True) == ("beat", {})


def test_the_gateway_goes_and_comes(app: Flask, serve: Serve, gateway: FakeGateway) -> None:
    """An open stream goes dark with `no-gateway`, stays open, and is live again by itself."""
    fill(gateway, visit(1))
    with following(serve(app, False), gateway.sign_in()) as event:
        assert event()[0] == "roster"
        gateway.stop()
        name, body = event()
        assert (name, body["lease"]["reason"], body["version"]) == ("dark", "no-gateway", "0")
        gateway.start()
        name, body = event()
        assert (name, len(body["visits"])) == ("roster", 1)


def test_a_stream_that_begins_without_the_gateway(app: Flask, serve: Serve, gateway: FakeGateway) -> None:
    """It is dark from its first event, and live when the gateway comes."""
    secret = gateway.sign_in()
    gateway.stop()
    with following(serve(app, False), secret) as event:
        assert event()[1]["lease"]["reason"] == "no-gateway"
        gateway.start()
        assert event()[0] == "roster"


def test_many_changes_are_folded(app: Flask, serve: Serve, gateway: FakeGateway) -> None:
    """A hundred calm changes at once are one or two events, and the last of them is the newest state."""
    with following(serve(app, False), gateway.sign_in()) as event:
        assert event()[0] == "roster"
        for number in range(100):
            gateway.show(visit(number % 7, helps=False))
        events = [event()]
        while events[-1][1]["version"] != str(gateway.version):
            events.append(event())
        assert len(events) <= 3


def test_a_hundred_streams_are_told_of_a_withdrawal(app: Flask, serve: Serve, gateway: FakeGateway) -> None:
    """Each of a hundred tablets has its own stream, hears that somebody is gone, and a call beside them is answered."""
    fill(gateway, visit(1), visit(2))
    server = serve(app, False)
    with ExitStack() as open_streams:
        secrets = [gateway.sign_in() for _ in range(100)]
        # At most 16 connections an address: ten tablets each at ten.
        events = [
            open_streams.enter_context(following(server, secret, f"127.0.1.{1 + number // 10}"))
            for number, secret in enumerate(secrets)
        ]
        assert [event()[0] for event in events] == ["roster"] * 100
        gateway.drop_card(handle(1))
        gone = forms.to_text(handle(1))
        for event in events:
            name, body = event()
            assert (name, body["gone"]) == ("change", [gone])
        line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        line.request("GET", "/api/v1/floor", headers={"Authorization": f"Bearer {forms.to_text(secrets[0])}"})
        assert len(json.loads(line.getresponse().read())["visits"]) == 1
        line.close()


def test_a_session_that_ends_ends_its_stream(app: Flask, serve: Serve, gateway: FakeGateway) -> None:
    """Signed out elsewhere or idle: the stream closes, and the next one is refused."""
    server = serve(app, False)
    secret = gateway.sign_in()
    with following(server, secret) as event:
        assert event()[0] == "roster"
        gateway.end_sessions()
        with pytest.raises(EOFError):
            event()
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    line.request("GET", "/api/v1/floor/events", headers={"Authorization": f"Bearer {forms.to_text(secret)}"})
    assert line.getresponse().status == 401
    line.close()


def test_a_tablet_that_leaves_is_let_go(app: Flask, serve: Serve, gateway: FakeGateway) -> None:
    """The gateway's watch ends soon after the tablet is gone."""
    with following(serve(app, False), gateway.sign_in()) as event:
        assert event()[0] == "roster"
        until(lambda: gateway.watchers == 1)
    gateway.show(visit(1), urgent=True)
    time.sleep(0.1)
    gateway.show(visit(2), urgent=True)
    until(lambda: gateway.watchers == 0)


def test_asking_for_the_head_of_a_stream_opens_nothing(app: Flask, serve: Serve, gateway: FakeGateway) -> None:
    """No line to the gateway stays behind an answer that has no body."""
    server = serve(app, False)
    secret = forms.to_text(gateway.sign_in())
    for _ in range(4):
        line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        line.request("HEAD", "/api/v1/floor/events", headers={"Authorization": f"Bearer {secret}"})
        assert line.getresponse().status == 200
        line.close()
    until(lambda: gateway.watchers == 0)
