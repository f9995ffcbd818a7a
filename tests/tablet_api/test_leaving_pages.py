"""The screen for leaving by code: one sentence after every code, in words that anybody understands."""

import dataclasses
import re

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import expect

from tests.fakes.gateway import FakeGateway
from tests.tablet_api.conftest import SIZES, Open
from tests.tablet_api.test_calls import DARK
from tests.tablet_api.test_pages import HERE, HTMX, text
from wire import query
from wire.query import Light, RefusedReason

SENT = "If the code is right, the phone shows it now."
GERMAN = "Wenn der Code stimmt, zeigt das Telefon es jetzt an."
browser = [pytest.mark.browser, pytest.mark.needs("chromium", "openssl")]


def sent(signed_in: FlaskClient, code: str, status: int = 200) -> str:
    """The form after a code."""
    answer = signed_in.post("/leaving", data={"code": code}, headers=HTMX, base_url=HERE)
    assert answer.status_code == status
    return text(answer)


def test_every_code_has_the_same_sentence(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """The page is byte by byte the same, and what was typed is not in it."""
    pages = {sent(signed_in, code) for code in ("1234 5678", "00000000", "98-76-54-32")}
    assert len(pages) == 1
    (page,) = pages
    assert SENT in page
    assert not re.search(r"\d{4}.?\d{4}", page.replace("0000 0000", ""))
    assert [one.code for one in gateway.asked if isinstance(one, query.Leave)] == ["12345678", "00000000", "98765432"]


def test_in_the_dark_it_says_when_the_phone_will_show_it(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """Of any code."""
    gateway.burn(DARK)
    assert "it holds from now on" in sent(signed_in, "12345678")
    assert sent(signed_in, "12345678") == sent(signed_in, "00000000")


def test_locked_throttled_and_mistyped_are_said(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """Each in a sentence beside the field; none about the code itself."""
    assert "Please type the eight digits" in sent(signed_in, "1234", 422)
    gateway.burn(dataclasses.replace(DARK, light=Light.LOCKED))
    assert "locked and can compare no code" in sent(signed_in, "12345678", 503)
    gateway.refuse = RefusedReason.THROTTLED
    page = sent(signed_in, "12345678", 429)
    assert 'data-seconds="3"' in page
    assert SENT not in page


def test_it_is_reached_from_the_menu_and_from_the_dark(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """A page of its own, for whoever is signed in."""
    assert 'href="/leaving"' in text(signed_in.get("/", base_url=HERE))
    page = text(signed_in.get("/leaving", base_url=HERE))
    assert "<h1" in page
    assert SENT not in page
    signed_in.delete_cookie("__Host-consentry-session", domain="localhost")
    assert signed_in.get("/leaving", base_url=HERE).status_code == 401


def test_in_german_it_is_calm_german(signed_in: FlaskClient) -> None:
    """Form, answer and what is wrong."""
    words = {"Accept-Language": "de", **HTMX}
    answer = signed_in.post("/leaving", data={"code": "12345678"}, headers=words, base_url=HERE)
    assert GERMAN in text(answer)
    assert "Die acht Ziffern" in text(answer)
    wrong = signed_in.post("/leaving", data={"code": "1"}, headers=words, base_url=HERE)
    assert "Bitte geben Sie die acht Ziffern" in text(wrong)


@pytest.mark.parametrize("size", list(SIZES))
class TestInABrowser:
    """On the glass."""

    pytestmark = browser

    def test_an_associate_types_a_code_by_keyboard_alone(self, opened: Open, gateway: FakeGateway, size: str) -> None:
        """Typed, sent by Enter; the sentence appears, the field is empty and has the focus for the next one."""
        page = opened(size, path="/leaving")
        expect(page.locator("#leaving-code")).to_be_focused()
        page.keyboard.type("1234 5678")
        page.keyboard.press("Enter")
        page.get_by_text(SENT).wait_for()
        assert page.input_value("#leaving-code") == ""
        assert page.evaluate("document.activeElement.id") == "leaving-code"
        page.keyboard.type("12")
        page.keyboard.press("Enter")
        page.get_by_text("Please type the eight digits").wait_for()
        assert page.get_by_text(SENT).count() == 0
        assert [one.code for one in gateway.asked if isinstance(one, query.Leave)] == ["12345678"]

    def test_it_fits_at_twice_the_text(self, opened: Open, size: str) -> None:
        """At 200 % text nothing is cut off and nobody scrolls sideways; the screens' own test has axe look at it."""
        page = opened(size, path="/leaving")
        page.fill("#leaving-code", "12345678")
        page.click("#leaving-submit")
        page.get_by_text(SENT).wait_for()
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.locator("#leaving-submit").is_visible()

    def test_the_dark_screen_leads_there(self, opened: Open, gateway: FakeGateway, size: str) -> None:
        """Two taps and eight digits while headquarters is away; a locked store offers nothing."""
        gateway.burn(DARK)
        page = opened(size)
        page.get_by_role("link", name="A shopper wants to leave").click()
        page.fill("#leaving-code", "12345678")
        page.click("#leaving-submit")
        page.get_by_text("it holds from now on").wait_for()
        gateway.burn(dataclasses.replace(DARK, light=Light.LOCKED))
        page.goto("/")
        page.locator("#screen-calm, #calm-text").first.wait_for()
        assert page.get_by_role("link", name="A shopper wants to leave").count() == 0
