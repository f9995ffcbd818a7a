"""The page by which a tablet comes to trust the box, with and without TLS; what it installs; a browser that did."""

import hashlib
import http.client
import os
import plistlib
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Error, Page, sync_playwright

from provisioning import identity
from store_gateway.authority import Authority
from store_gateway.authority import load as load_authority
from store_gateway.settings import Tablets
from tablet_api import app as application
from tablet_api import first_contact
from tablet_api.certificates import Shelf
from tablet_api.gateway_client import GatewayClient
from tablet_api.metrics import Metrics
from tablet_api.server import Server, tls
from tablet_api.trust_pages import ANDROID, IPAD, Step
from tests.browsers import ARGUMENTS
from tests.fakes.gateway import FakeGateway
from tests.tablet_api.conftest import SIZES, Serve
from tests.wire.issuer import Issuer
from wire.trust import CertificateKit, Certificates, CertificateSource, fingerprint, id_of

NAME = "berlin-1.shops.example.org"
NAMES = (NAME, "berlin-1.local")
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A store's authority as provisioning places it on the box."""
    folder, key = tmp_path_factory.mktemp("authority"), identity.make_tls_key()
    (folder / "authority.pem").write_bytes(identity.make_authority("Consentry tablets of berlin-1", key, NOW, NAMES))
    (folder / "authority-key").write_bytes(key)
    return load_authority(Tablets(NAMES, folder / "authority.pem"), folder)


@pytest.fixture
def trusting(own: Authority, link: GatewayClient, stopping: threading.Event, metrics: Metrics) -> Flask:
    """The application, which knows the store's authority."""
    return application.create(
        link, version="0", clock=time.monotonic, stopping=stopping, metrics=metrics, authority=lambda: own.pem
    )


@pytest.fixture
def stranger(trusting: Flask) -> FlaskClient:
    """A tablet that nobody has paired."""
    return trusting.test_client()


def test_it_needs_no_pairing_and_shows_the_fingerprint(stranger: FlaskClient, own: Authority) -> None:
    """In either language, as the browser or the link wants it."""
    whole = fingerprint(own.pem)
    assert whole.replace(":", "").lower() == hashlib.sha256(ssl.PEM_cert_to_DER_cert(own.pem.decode())).hexdigest()
    english = stranger.get("/trust").text.replace("<wbr>", "")
    assert whole in english
    assert "Trust this store’s box" in english
    for german in (
        stranger.get("/trust?lang=de").text.replace("<wbr>", ""),
        stranger.get("/trust", headers={"Accept-Language": "de-AT,de;q=0.9"}).text.replace("<wbr>", ""),
    ):
        assert "Dem Filialrechner vertrauen" in german
        assert "trust/pictures/ipad-1.svg?lang=de" in german
        assert whole in german


def test_what_is_installed_is_the_authority_and_nothing_else(stranger: FlaskClient, own: Authority) -> None:
    """As DER for Android, and in a profile for iPadOS, the same one each time."""
    der = ssl.PEM_cert_to_DER_cert(own.pem.decode())
    plain = stranger.get("/trust/consentry.crt")
    assert (plain.data, plain.content_type) == (der, "application/x-x509-ca-cert")
    profile = stranger.get("/trust/consentry.mobileconfig")
    assert profile.content_type == "application/x-apple-aspen-config"
    assert profile.data == stranger.get("/trust/consentry.mobileconfig").data
    found = plistlib.loads(profile.data)
    (payload,) = found["PayloadContent"]
    assert (found["PayloadType"], payload["PayloadType"]) == ("Configuration", "com.apple.security.root")
    assert payload["PayloadContent"] == der


@pytest.mark.parametrize("step", [*IPAD, *ANDROID], ids=lambda step: step.name)
def test_each_step_is_drawn_in_both_languages(stranger: FlaskClient, step: Step) -> None:
    """A picture without a script, a style or anything from elsewhere."""
    english, german = (stranger.get(f"/trust/pictures/{step.name}.svg?lang={one}").text for one in ("en", "de"))
    assert english.startswith("<svg")
    for drawn in (english, german):
        assert "<script" not in drawn
        assert "<style" not in drawn
        assert "href" not in drawn
    assert english != german


def test_before_the_gateway_has_said_it_there_is_nothing_to_install(tablet: FlaskClient) -> None:
    """A calm sentence, and no download that would be empty."""
    assert "Try again in a minute" in tablet.get("/trust").text
    for one in ("consentry.crt", "consentry.mobileconfig", "pictures/none.svg"):
        assert tablet.get(f"/trust/{one}").status_code == 404


@pytest.fixture
def plain(own: Authority, metrics: Metrics) -> Iterator[Server]:
    """The page over plain HTTP."""
    serving = Server(first_contact.create(lambda: own.pem, metrics), ("127.0.0.1", 0), None, time.monotonic, metrics)
    thread = threading.Thread(target=serving.run, args=(lambda: None,), daemon=True)
    thread.start()
    yield serving
    serving.stop()
    thread.join(10)


def test_plain_http_serves_that_page_and_nothing_else(plain: Server, own: Authority) -> None:
    """Everything else leads to it; nothing is taken, no cookie set."""

    def ask(method: str, path: str) -> tuple[int, str, str]:
        line = http.client.HTTPConnection("127.0.0.1", plain.port, timeout=10)
        line.request(method, path, headers={"Host": "berlin-1.local:8080"})
        answer = line.getresponse()
        told = answer.read().decode()
        assert "Set-Cookie" not in answer.headers
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        line.close()
        return answer.status, answer.headers.get("Location", ""), told

    assert fingerprint(own.pem) in ask("GET", "/trust")[2].replace("<wbr>", "")
    assert ask("GET", "/")[:2] == (303, "/trust")
    assert ask("GET", "/api/v1/floor")[:2] == (303, "/trust")
    assert ask("POST", "/api/v1/pairings")[:2] == (303, "/trust")
    assert ask("POST", "/trust")[0] == 405


# --- a browser -------------------------------------------------------------------------------------------------------


@pytest.fixture
def shown(
    trusting: Flask, own: Authority, serve: Serve, gateway: FakeGateway, link: GatewayClient,
    authority: tuple[Path, Path], metrics: Metrics,
) -> tuple[Server, Issuer]:  # fmt: skip
    """The box with both certificates: of a public issuer's and of its own."""
    issuer = Issuer("A public issuer")
    chain, key = own.issue(NOW)
    public = issuer.issue(NAME, at=NOW - timedelta(hours=1))
    kits = (
        CertificateKit(CertificateSource.HQ, id_of(public.chain), (NAME,), public.chain, public.key, 0),
        CertificateKit(CertificateSource.OWN, id_of(chain), NAMES, chain, key, 0),
    )
    gateway.certificates = Certificates(kits, own.pem)
    serving = serve(trusting, True)
    Shelf(link, tls(*authority), serving.renew, metrics).look()
    return serving, issuer


@pytest.fixture
def visiting(tmp_path: Path, needs: Callable[[str], str]) -> Iterator[Callable[[bytes | None], Page]]:
    """`visiting(root)`: a page of a browser that trusts this root beside those it was shipped with, and no other."""
    opened: list[Browser] = []
    with sync_playwright() as playwright:

        def visit(root: bytes | None) -> Page:
            home = tmp_path / f"home-{len(opened)}"
            store = home / ".pki/nssdb"
            store.mkdir(parents=True)
            certutil = [needs("certutil"), "-d", f"sql:{store}"]
            subprocess.run([*certutil, "-N", "--empty-password"], check=True, capture_output=True)
            if root is not None:
                (home / "root.pem").write_bytes(root)
                trust = [*certutil, "-A", "-t", "C,,", "-n", "the store", "-i", str(home / "root.pem")]
                subprocess.run(trust, check=True, capture_output=True)
            mapped = ", ".join(f"MAP {name} 127.0.0.1" for name in (*NAMES, "elsewhere.example"))
            begun = playwright.chromium.launch(
                executable_path=needs("chromium"), args=[*ARGUMENTS, f"--host-resolver-rules={mapped}"],
                env={**os.environ, "HOME": str(home)},
            )  # fmt: skip
            opened.append(begun)
            return begun.new_page()

        yield visit
        for one in opened:
            one.close()


def opens(page: Page, name: str, port: int) -> str:
    """Empty where the page opens without a warning, else Chromium's word."""
    try:
        answer = page.goto(f"https://{name}:{port}/trust")
        assert answer is not None
        assert answer.status == 200
        return ""
    except Error as error:
        return error.message.split("net::")[1].split()[0]


@pytest.mark.browser
@pytest.mark.needs("chromium", "certutil", "openssl")
def test_a_browser_that_installed_the_authority_opens_the_box_without_a_warning(
    shown: tuple[Server, Issuer], own: Authority, visiting: Callable[[bytes | None], Page]
) -> None:
    """By the name that it is called by without DNS; HQ's name it does not trust, nor anybody else's."""
    serving, _ = shown
    stranger = visiting(None)
    assert opens(stranger, "berlin-1.local", serving.port) == "ERR_CERT_AUTHORITY_INVALID"
    page = visiting(own.pem)
    assert opens(page, "berlin-1.local", serving.port) == ""
    assert opens(page, "elsewhere.example", serving.port) == "ERR_CERT_COMMON_NAME_INVALID"
    assert opens(page, NAME, serving.port) == "ERR_CERT_AUTHORITY_INVALID"


@pytest.mark.browser
@pytest.mark.needs("chromium", "certutil", "openssl")
def test_a_browser_that_knows_the_issuer_opens_hqs_name_without_a_warning(
    shown: tuple[Server, Issuer], visiting: Callable[[bytes | None], Page]
) -> None:
    """Nothing has to be installed for it."""
    serving, issuer = shown
    page = visiting(issuer.root)
    assert opens(page, NAME, serving.port) == ""
    assert opens(page, "berlin-1.local", serving.port) == "ERR_CERT_AUTHORITY_INVALID"


@pytest.mark.browser
@pytest.mark.needs("chromium", "openssl")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["en", "de"])
def test_the_page_is_readable_by_everybody(chromium: Browser, plain: Server, size: str, language: str) -> None:
    """axe finds nothing, nothing sticks out, pictures are there; on plain HTTP, in light and dark, with large text."""
    width, height = SIZES[size]
    complaints: list[str] = []
    for scheme in ("light", "dark"):
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text))
        page.goto(f"http://127.0.0.1:{plain.port}/trust?lang={language}")
        assert page.locator("img").count() == len(IPAD) + len(ANDROID)
        assert all(page.locator("img").evaluate_all("all => all.map(one => one.complete && one.naturalWidth > 0)"))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        folder = os.environ.get("CONSENTRY_SCREENS")
        if folder and scheme == "light":
            page.screenshot(path=Path(folder) / f"trust-{size}-{language}.png", full_page=True)
        assert Axe().run(page).response["violations"] == []
        context.close()
    assert complaints == []
