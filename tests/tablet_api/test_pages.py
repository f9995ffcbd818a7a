"""The pages without a browser: screens, fragments, problems in words, languages, static files."""

import dataclasses
import gzip
import re
import threading
import time

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from runtime.web_languages import SOURCE
from tablet_api import app as application
from tablet_api import forms
from tablet_api.gateway_client import GatewayClient
from tablet_api.languages import LANGUAGES
from tablet_api.metrics import Metrics
from tests.fakes.gateway import FakeGateway, handle
from tests.tablet_api.catalogues import SAID
from tests.tablet_api.floor_of import card, fill, line, visit
from wire.query import RefusedReason

HTMX = {"HX-Request": "true"}
HERE = "https://localhost"


def address(number: int, rest: str = "") -> str:
    """The page of visit `number`."""
    return f"/visits/{forms.to_text(handle(number))}{rest}"


def text(answer: TestResponse) -> str:
    """The HTML."""
    assert answer.content_type == "text/html; charset=utf-8"
    return answer.get_data(as_text=True)


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != SOURCE])
def test_every_sentence_is_there_in_every_language(language: str) -> None:
    """Nothing is missing, stale, doubled, doubtful, or lacks a place for what is filled in."""
    assert SAID.differences(language) == []
    assert len(SAID.said) > 100


def test_the_first_screen_is_the_right_one(app: Flask, gateway: FakeGateway) -> None:
    """Pair, then sign in, then the floor; without the gateway it says so, and asks again by itself."""
    browser = app.test_client()
    assert 'id="screen-pair"' in text(browser.get("/", base_url=HERE))
    browser.set_cookie("__Host-consentry-tablet", forms.to_text(gateway.pair()), secure=True)
    assert 'id="screen-signin"' in text(browser.get("/", base_url=HERE))
    browser.set_cookie("__Host-consentry-session", forms.to_text(gateway.sign_in()), secure=True)
    assert 'id="floor"' in text(browser.get("/", base_url=HERE))
    gateway.stop()
    assert 'hx-get="/screen"' in text(browser.get("/", base_url=HERE))


def test_a_locked_screen_says_whose_pin_opens_it(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """Also after the page was loaded anew, and after a wrong PIN."""
    gateway.lock()
    for answer in (
        signed_in.get("/", base_url=HERE),
        signed_in.get("/screen", headers=HTMX, base_url=HERE),
        signed_in.get(address(1), headers=HTMX, base_url=HERE),
        signed_in.post("/unlock", data={"pin": "0000"}, headers=HTMX, base_url=HERE),
    ):
        assert '<p id="locked-who">Mara</p>' in text(answer)


def test_htmx_gets_the_screen_alone(signed_in: FlaskClient) -> None:
    """A page that is open already gets no second document."""
    whole = text(signed_in.get("/", base_url=HERE))
    alone = signed_in.get("/screen", headers=HTMX, base_url=HERE)
    assert whole.startswith("<!doctype html>")
    assert "<html" not in text(alone)
    assert alone.headers["HX-Retarget"] == "#screen"


def test_who_is_not_signed_in_is_asked_to_whatever_was_wanted(app: Flask, gateway: FakeGateway) -> None:
    """401 with the screen that lets one in, for the place of the whole screen; the JSON calls stay documents."""
    browser = app.test_client()
    browser.set_cookie("__Host-consentry-tablet", forms.to_text(gateway.pair()), secure=True)
    for path in (address(1), "/floor/line", "/floor/stream"):
        answer = browser.get(path, headers=HTMX, base_url=HERE)
        assert answer.status_code == 401
        assert 'id="screen-signin"' in text(answer)
        assert (answer.headers["HX-Retarget"], answer.headers["HX-Reswap"]) == ("#screen", "innerHTML")
    assert browser.get("/api/v1/floor", base_url=HERE).content_type == "application/problem+json"


def test_what_may_not_be_shown_equals_what_never_was(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """A card that is withheld and a handle that was never given are answered byte for byte alike."""
    fill(gateway, visit(1))
    gateway.drop_card(handle(1))
    withheld, never = (signed_in.get(address(one), headers=HTMX, base_url=HERE) for one in (1, 99))
    assert (withheld.status_code, withheld.data) == (never.status_code, never.data) == (404, never.data)
    assert list(withheld.headers) == list(never.headers)


@pytest.mark.parametrize("reason", RefusedReason)
def test_every_refusal_is_a_sentence(signed_in: FlaskClient, gateway: FakeGateway, reason: RefusedReason) -> None:
    """Whatever the gateway refuses is told in words, in a place that is there, and none of the code's own names."""
    fill(gateway, visit(1))
    gateway.refuse = reason
    answer = signed_in.post(address(1, "/attendance"), data={"action": "attending"}, headers=HTMX, base_url=HERE)
    assert answer.headers["HX-Retarget"] in ("#toast", "#screen")
    assert 400 <= answer.status_code < 600
    assert "urn:" not in text(answer)
    assert text(answer).strip()


def test_a_form_from_elsewhere_is_refused(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """Another site's page gets nothing done, cookies or not."""
    fill(gateway, visit(1))
    for site in ("cross-site", "same-site", "none"):
        answer = signed_in.post(address(1, "/withdrawals"), headers={"Sec-Fetch-Site": site}, base_url=HERE)
        assert answer.status_code == 403
    assert handle(1) in gateway.cards


def test_only_what_the_form_has_is_taken(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """A field that no schema names, or an action that is none, reaches nobody."""
    fill(gateway, visit(1))
    for sent in ({"action": "attending", "more": "x"}, {"action": "dance"}, {}):
        assert signed_in.post(address(1, "/attendance"), data=sent, headers=HTMX, base_url=HERE).status_code == 422
    for sent in ({"scope": "Not A Scope"}, {"scope": "x" * 100}):
        assert signed_in.post(address(1, "/withdrawals"), data=sent, headers=HTMX, base_url=HERE).status_code == 422
    assert handle(1) in gateway.cards


def test_the_language_is_the_tablets_choice_then_the_browsers(app: Flask) -> None:
    """German where the browser wants it; what was chosen on the tablet counts more; nonsense is English."""
    browser = app.test_client()
    german = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}
    assert '<html lang="de" dir="ltr"' in text(browser.get("/", headers=german, base_url=HERE))
    assert "Dieses Tablet koppeln" in text(browser.get("/", headers=german, base_url=HERE))
    assert '<html lang="en"' in text(browser.get("/", headers={"Accept-Language": "xx"}, base_url=HERE))
    chosen = browser.post("/choices", data={"language": "en"}, headers=HTMX, base_url=HERE)
    assert chosen.headers["HX-Refresh"] == "true"
    assert all(one in chosen.headers["Set-Cookie"] for one in ("HttpOnly", "Secure", "SameSite=Strict", "Path=/"))
    assert '<html lang="en"' in text(browser.get("/", headers=german, base_url=HERE))
    assert "Set-Cookie" not in browser.post("/choices", data={"language": "tlh"}, headers=HTMX, base_url=HERE).headers


def test_a_language_that_is_read_from_the_right_turns_the_page(link: GatewayClient) -> None:
    """`dir` follows the language, also of one whose sentences are not translated yet."""
    app = application.create(
        link, version="0", clock=time.monotonic, stopping=threading.Event(), metrics=Metrics(), spoken=("en", "ar")
    )
    shown = text(app.test_client().get("/", headers={"Accept-Language": "ar"}, base_url=HERE))
    assert '<html lang="ar" dir="rtl"' in shown
    assert "العربية" in shown


def test_no_rule_of_the_styles_knows_left_and_right(app: Flask) -> None:
    """Whatever has a side is told by the way of reading, so that it turns with it."""
    page = text(app.test_client().get("/", base_url=HERE))
    sheet = re.search(r'href="([^"]+app\.css)"', page)
    assert sheet is not None
    rules = app.test_client().get(sheet.group(1)).get_data(as_text=True)
    assert not re.findall(
        r"(?<![\w-])(?:(?:margin|padding|border)-)?(?:left|right)(?:-\w+)*\s*:|text-align:\s*(?:left|right)", rules
    )


def test_static_files_are_sent_compressed_to_who_takes_it(app: Flask) -> None:
    """The same bytes, gzipped once at the start; a whole page weighs less than 100 kB over the line."""
    browser = app.test_client()
    page = browser.get("/", base_url=HERE)
    files = set(re.findall(r'(?:href|src)="(/static/[^"]+\.(?:js|css))"', text(page)))
    weight = len(page.data)
    for name in files:
        plain = browser.get(name)
        packed = browser.get(name, headers={"Accept-Encoding": "gzip"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.data) == plain.data
        weight += len(packed.data)
    assert len(files) > 8
    assert weight < 100_000


def test_the_app_can_be_installed(app: Flask) -> None:
    """Its manifest names icons that are there, in the sizes that tablets ask for."""
    browser = app.test_client()
    manifest = re.search(r'href="([^"]+app\.webmanifest)"', text(browser.get("/", base_url=HERE)))
    assert manifest is not None
    told = browser.get(manifest.group(1)).get_json(force=True)
    assert (told["start_url"], told["display"]) == ("/", "standalone")
    sizes = set()
    for icon in told["icons"]:
        found = browser.get(manifest.group(1).rpartition("/")[0] + "/" + icon["src"])
        assert found.status_code == 200
        assert found.content_type.startswith(icon["type"])
        sizes.add(icon["sizes"])
    assert {"192x192", "512x512"} <= sizes


def test_no_value_of_a_card_gets_into_a_page_but_as_text(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """Markup in a name, a label or a value is escaped wherever it stands."""
    fill(gateway, visit(1, attended_by="<i>A</i>", zone_label="<b>&"))
    nasty = "<script>x</script>\"'&"
    whole = card(visit(1), name=nasty)
    gateway.put_card(dataclasses.replace(whole, lead=(line("language", nasty, nasty),)))
    shown = text(signed_in.get(address(1), headers=HTMX, base_url=HERE))
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") >= 3
