"""A scripted gateway, the application before it, and both served over real sockets."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Page

from tablet_api import app as application
from tablet_api import forms, server
from tablet_api.gateway_client import GatewayClient
from tablet_api.metrics import Metrics
from tablet_api.server import Server
from tests.browsers import chromium as chromium
from tests.browsers import self_signed
from tests.fakes.gateway import FakeGateway


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[FakeGateway]:
    """A gateway that listens."""
    with FakeGateway(tmp_path / "tablets.sock") as fake:
        yield fake


@pytest.fixture
def link(gateway: FakeGateway) -> Iterator[GatewayClient]:
    """The far end of its socket."""
    found = GatewayClient(gateway.path)
    yield found
    found.close()


@pytest.fixture
def stopping() -> threading.Event:
    """Set when the program is to end."""
    return threading.Event()


@pytest.fixture
def metrics() -> Metrics:
    """The counters of the application."""
    return Metrics()


@pytest.fixture
def app(link: GatewayClient, stopping: threading.Event, metrics: Metrics) -> Flask:
    """The application as in a store."""
    return application.create(link, version="0.0.0", clock=time.monotonic, stopping=stopping, metrics=metrics)


@pytest.fixture
def demo_app(link: GatewayClient, stopping: threading.Event, metrics: Metrics) -> Flask:
    """The application as in the demo."""
    return application.create(
        link, version="0.0.0", clock=time.monotonic, stopping=stopping, metrics=metrics, demo_http=True
    )


@pytest.fixture
def tablet(app: Flask) -> FlaskClient:
    """A browser that is not paired."""
    return app.test_client()


@pytest.fixture
def signed_in(app: Flask, gateway: FakeGateway) -> FlaskClient:
    """A paired browser in which Mara is signed in."""
    browser = app.test_client()
    for name, secret in (("tablet", gateway.pair()), ("session", gateway.sign_in())):
        browser.set_cookie(f"__Host-consentry-{name}", forms.to_text(secret), secure=True)
    return browser


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory, needs: Callable[[str], str]) -> tuple[Path, Path]:
    """A throw-away certificate for localhost, and its key."""
    return self_signed(needs("openssl"), tmp_path_factory.mktemp("tls"))


Serve = Callable[[Flask, bool], Server]


@pytest.fixture
def serve(
    authority: tuple[Path, Path], metrics: Metrics, stopping: threading.Event, link: GatewayClient
) -> Iterator[Serve]:
    """`serve(app, tls)` serves it on a free port until the test ends."""
    running: list[tuple[Server, threading.Thread]] = []

    def begin(app: Flask, tls: bool) -> Server:
        context = server.tls(*authority) if tls else None
        serving = Server(app, ("127.0.0.1", 0), context, time.monotonic, metrics)
        thread = threading.Thread(target=serving.run, args=(lambda: None,), daemon=True)
        thread.start()
        running.append((serving, thread))
        return serving

    yield begin
    stopping.set()
    link.close()
    for serving, thread in running:
        serving.stop()
        thread.join(10)
        assert not thread.is_alive()


SIZES = {"phone": (390, 844), "tablet": (1180, 820)}


Open = Callable[..., Page]


@pytest.fixture
def opened(chromium: Browser, app: Flask, serve: Serve, gateway: FakeGateway) -> Iterator[Open]:
    """`opened("tablet")` opens the page with Mara signed in; `signed_in=False`: on a tablet that is not paired."""
    gateway.now_ms = int(time.time() * 1000)
    base = f"https://localhost:{serve(app, True).port}"
    contexts = []
    complaints: list[str] = []

    def begin(
        size: str = "tablet", signed_in: bool = True, path: str = "/", associate: str = "mara", **options: Any
    ) -> Page:
        width, height = SIZES[size]
        context = chromium.new_context(
            base_url=base, viewport={"width": width, "height": height}, ignore_https_errors=True, **options
        )
        contexts.append(context)
        context.set_default_timeout(10_000)
        if signed_in:
            for name, secret in (("tablet", gateway.pair()), ("session", gateway.sign_in(associate))):
                context.add_cookies(
                    [
                        {
                            "name": f"__Host-consentry-{name}",
                            "value": forms.to_text(secret),
                            "url": base,
                            "secure": True,
                            "httpOnly": True,
                            "sameSite": "Strict",
                        }
                    ]
                )
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        page.goto(path)
        return page

    yield begin
    for context in contexts:
        context.close()
    assert complaints == []
