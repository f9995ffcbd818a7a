"""A scripted gateway, the application before it, and both served over real sockets."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tablet_api import app as application
from tablet_api import forms, server
from tablet_api.gateway_client import GatewayClient
from tablet_api.metrics import Metrics
from tablet_api.server import Server
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
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "tls-key"
    subprocess.run(
        [
            needs("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout", str(key), "-out", str(certificate),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


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
