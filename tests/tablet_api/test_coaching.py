"""Hints on the tablet: the JSON of a card's one, its language, and the tap that sends it away."""

import dataclasses

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask.testing import FlaskClient
from playwright.sync_api import expect
from werkzeug.test import TestResponse

from tablet_api.coaching import text_of
from tests.fakes.gateway import FakeGateway
from tests.tablet_api.conftest import SIZES, Open
from tests.tablet_api.floor_of import card, fill, visit
from tests.tablet_api.test_calls import kind
from tests.tablet_api.test_pages import HERE, HTMX, address, text
from wire.coaching import DismissHint
from wire.hints import CardHint, HintText

ASK = CardHint("ask-first", (HintText("en", "Ask."), HintText("de", "Fragen Sie."), HintText("pt-BR", "Pergunte.")))

TEXTS = {one.language: one.text for one in ASK.texts}


@pytest.mark.parametrize(
    ("spoken", "language"),
    [((), "en"), (("de",), "de"), (("de-AT",), "de"), (("pt",), "pt-BR"), (("pt-PT",), "pt-BR"), (("fr",), "en"),
     (("fr", "de"), "de"), (("fr", "en-GB"), "en")],
)  # fmt: skip
def test_a_hint_is_shown_in_the_best_language_that_it_has(spoken: tuple[str, ...], language: str) -> None:
    """English where it has none of those that are spoken."""
    assert text_of(TEXTS, spoken) == (language, TEXTS[language])


def test_a_hint_without_english_is_shown_in_its_first_language() -> None:
    """Better than none."""
    assert text_of({"de": "Fragen Sie."}, ("fr",)) == ("de", "Fragen Sie.")


def dismiss(client: FlaskClient, body: object, **headers: str) -> TestResponse:
    """One tap."""
    return client.post("/api/v1/hints/dismissals", json=body, headers={"Sec-Fetch-Site": "same-origin", **headers})


def shown(signed_in: FlaskClient, gateway: FakeGateway, hint: CardHint | None) -> object:
    """The card's hint, as JSON."""
    one = visit(1)
    fill(gateway, one)
    gateway.cards[one.handle] = dataclasses.replace(card(one), hint=hint)
    floor = signed_in.get("/api/v1/floor").get_json()
    return signed_in.get(f"/api/v1/visits/{floor['visits'][0]['handle']}").get_json()["hint"]


def test_a_card_tells_its_hint_in_all_languages_or_null(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """A native app chooses as the page does."""
    texts = [{"language": one.language, "text": one.text} for one in ASK.texts]
    assert shown(signed_in, gateway, ASK) == {"id": "ask-first", "texts": texts}
    assert shown(signed_in, gateway, None) is None


def test_a_tap_sends_a_hint_away(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """By its id; what is no hint is not found."""
    response = dismiss(signed_in, {"hint": "ask-first"})
    assert (response.status_code, response.data) == (204, b"")
    assert [one.hint for one in gateway.asked if isinstance(one, DismissHint)] == ["ask-first"]
    assert kind(dismiss(signed_in, {"hint": "another"})) == "not-found"


@pytest.mark.parametrize("body", [{}, {"hint": ""}, {"hint": "x" * 65}, {"hint": "ä" * 33}, {"hint": 3}, {"id": "x"}])
def test_a_malformed_id_never_reaches_the_gateway(
    signed_in: FlaskClient, gateway: FakeGateway, body: dict[str, object]
) -> None:
    """Refused by its form."""
    assert kind(dismiss(signed_in, body)) == "malformed"
    assert not [one for one in gateway.asked if isinstance(one, DismissHint)]


def test_only_who_is_signed_in_and_only_from_our_page(tablet: FlaskClient, signed_in: FlaskClient) -> None:
    """As every call that changes something."""
    assert kind(dismiss(tablet, {"hint": "ask-first"})) in ("signed-out", "unpaired")
    assert dismiss(signed_in, {"hint": "ask-first"}, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403


def the_card(signed_in: FlaskClient, language: str = "en") -> str:
    """Its page."""
    answer = signed_in.get(address(1), base_url=HERE, headers={"Accept-Language": language})
    return text(answer)


def test_the_pages_card_says_its_hint_in_the_pages_language(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """With a way to send it away; without a hint no trace of one."""
    shown(signed_in, gateway, ASK)
    assert ">Ask.</p>" in the_card(signed_in)
    assert 'lang="de" dir="auto">Fragen Sie.</p>' in the_card(signed_in, "de")
    shown(signed_in, gateway, None)
    assert "card-hint" not in the_card(signed_in)


def test_a_tap_on_the_page_draws_the_card_anew(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """The card comes back as the gateway shows it now, also where the policy changed meanwhile."""
    shown(signed_in, gateway, ASK)
    for hint in ("ask-first", "of an older policy"):
        answer = signed_in.post(address(1, "/hints"), data={"hint": hint}, headers=HTMX, base_url=HERE)
        assert answer.status_code == 200
        assert 'id="card"' in text(answer)
    assert [one.hint for one in gateway.asked if isinstance(one, DismissHint)] == ["ask-first", "of an older policy"]


@pytest.mark.browser
@pytest.mark.needs("chromium", "openssl")
@pytest.mark.parametrize("size", SIZES)
def test_a_hint_is_read_and_sent_away_by_keyboard(opened: Open, gateway: FakeGateway, size: str) -> None:
    """The focus stays on the card when the button that had it is gone; axe has nothing to say."""
    one = visit(1, now_ms=gateway.now_ms)
    fill(gateway, one)
    gateway.cards[one.handle] = dataclasses.replace(gateway.cards[one.handle], hint=ASK)
    page = opened(size)
    page.locator(".row").first.click()
    expect(page.locator("#card-hint-text")).to_have_text("Ask.")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.locator("#card-hint-away").focus()
    gateway.cards[one.handle] = dataclasses.replace(gateway.cards[one.handle], hint=None, version=2)
    page.keyboard.press("Enter")
    expect(page.locator("#card-hint")).to_have_count(0)
    assert page.evaluate("document.activeElement.id") == "card"
