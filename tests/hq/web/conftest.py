"""HQ's web on a database with members and a policy: without a browser, and in Chromium over TLS.

A test that asks for `place` runs on SQLite and on PostgreSQL, as in the folder above: on PostgreSQL as a long test,
unless `QUICK` names it. In a browser only what `BROWSED` names runs on both.
"""

import itertools
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Page

from hq import notices
from hq.console_roles import Role
from hq.database import open_database, writing
from hq.web.service import told
from runtime import web_server
from runtime.web_server import Server
from tests.browsers import chromium as chromium
from tests.browsers import self_signed
from tests.hq.headquarters import Headquarters, on_sqlite
from tests.hq.web.me_app import App
from tests.hq.web.place import Place
from tests.postgresql import drop_database, make_database

_NAMES = itertools.count(1)
SIZES = {"phone": (390, 844), "wide": (1280, 860)}
AXE = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
QUICK = {"test_a_receipt_verifies_by_what_is_published_without_a_sign_in"}
BROWSED = {
    "test_it_all_works_without_a_script_and_by_keyboard",
    "test_one_line_is_stopped_without_losing_ones_place",
    "test_stopping_takes_no_more_taps_than_agreeing",
}
Open = Callable[..., Page]


class Counted:
    """Counts nothing."""

    def add(self, name: str, label: str = "", amount: int = 1) -> None:
        """Passed over."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test on both databases; all of a module's on one of them, then on the other."""
    if "place_hq" not in metafunc.fixturenames:
        return
    name = metafunc.function.__name__
    if metafunc.definition.get_closest_marker("browser") and name not in BROWSED:
        on = ["sqlite"]
    else:
        on = ["sqlite", pytest.param("postgresql", marks=() if name in QUICK else pytest.mark.long)]
    metafunc.parametrize("place_hq", on, indirect=True, scope="module")


@pytest.fixture(scope="module")
def place_hq(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Headquarters]:
    """The HQ of a module's place, nobody in it."""
    if request.param == "sqlite":
        found = on_sqlite(tmp_path_factory.mktemp("hq"))
        yield found
        found.engine.dispose()
        return
    server, (template, made) = request.getfixturevalue("postgresql"), request.getfixturevalue("postgresql_hq")
    name = f"hq_{secrets.token_hex(6)}"
    found = made.copied(open_database(make_database(server, name, template)))
    yield found
    found.engine.dispose()
    drop_database(server, name)


@pytest.fixture(scope="module")
def place(place_hq: Headquarters) -> Place:
    """One HQ with its web for a module; its clock moves only by `place.hq.later(s)`."""
    return Place(place_hq)


@pytest.fixture
def client(place: Place) -> FlaskClient:
    """A browser in which nobody is signed in."""
    return place.client()


@pytest.fixture
def signed_in(place: Place) -> FlaskClient:
    """A browser in which Ada is signed in."""
    return place.signed_in()


@pytest.fixture
def app_client(place: Place) -> FlaskClient:
    """Ada's app."""
    return place.app_client()


@pytest.fixture
def staff_client(place: Place) -> Callable[[Role], FlaskClient]:
    """`staff_client(Role.PRIVACY)`: a browser in which somebody with this role is signed in."""
    return place.staff


@pytest.fixture(scope="session")
def web_certificate(tmp_path_factory: pytest.TempPathFactory, needs: Callable[[str], str]) -> tuple[Path, Path]:
    """A throw-away certificate for localhost, and its key."""
    return self_signed(needs("openssl"), tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def address(place: Place, web_certificate: tuple[Path, Path]) -> Iterator[str]:
    """The address at which the module's web is served over TLS."""
    context = web_server.tls(*web_certificate)
    served = Server(place.app, ("127.0.0.1", place.port), context, time.monotonic, Counted(), told, most_per_address=64)
    thread = threading.Thread(target=served.run, args=(lambda: None,), daemon=True)
    thread.start()
    yield place.address
    served.stop()
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def opened(chromium: Browser, place: Place, address: str) -> Iterator[Open]:
    """`opened("phone", path="/")` opens a page, with Ada signed in unless `member` is another or None.

    `staff=Role.…` signs staff in besides; `javascript=False` goes without scripts; what else is given goes to the
    browser's context. A complaint of the content security policy, or an error of a script, fails the test.
    """
    contexts = []
    complaints: list[str] = []

    def begin(
        size: str = "phone",
        path: str = "/",
        member: str | None = "ada",
        staff: Role | None = None,
        javascript: bool = True,
        **options: Any,
    ) -> Page:
        width, height = SIZES[size]
        context = chromium.new_context(
            base_url=address, viewport={"width": width, "height": height}, ignore_https_errors=True,
            java_script_enabled=javascript, **options,
        )  # fmt: skip
        contexts.append(context)
        context.set_default_timeout(10_000)
        named = {"session": None if member is None else place.session(member)}
        named["staff"] = None if staff is None else place.staff_session(staff)
        for name, secret in named.items():
            if secret is not None:
                context.add_cookies(
                    [
                        {
                            "name": f"__Host-consentry-{name}", "value": secret, "url": address,
                            "secure": True, "httpOnly": True, "sameSite": "Lax",
                        }
                    ]
                )  # fmt: skip
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        page.goto(path)
        return page

    yield begin
    for context in contexts:
        context.close()
    assert complaints == []


def axe(page: Page, name: str = "") -> None:
    """Nothing that axe-core finds, and nobody has to scroll sideways."""
    place = page.evaluate("scrollY")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")  # there the tabs lie over nothing
    found = Axe().run(page, options=AXE)
    page.evaluate("place => scrollTo(0, place)", place)
    assert found.violations_count == 0, f"{name}: {found.generate_report()}"
    viewport = page.viewport_size
    assert viewport is not None
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], name


@pytest.fixture
def name(place: Place) -> str:
    """A new member who chose nothing yet."""
    made = f"member-{next(_NAMES)}"
    place.hq.office.add_member(made, 18, "DE", place.hq.now_ms)
    place.hq.later(1)
    return made


@pytest.fixture
def app(place: Place, name: str) -> App:
    """The member's app, to which every notice was served."""
    with writing(place.hq.engine) as connection:
        notices.serve(connection, place.hq.keys, name, "en", "app", place.hq.now_ms)
    place.hq.later(1)
    return App(place, name)
