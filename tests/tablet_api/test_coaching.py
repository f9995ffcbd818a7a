"""Hints on the tablet: the JSON of a card's one, its language, and the tap that sends it away."""

import dataclasses

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tablet_api.coaching import text_of
from tests.fakes.gateway import FakeGateway
from tests.tablet_api.floor_of import card, fill, visit
from tests.tablet_api.test_calls import kind
from wire.coaching import DismissHint
from wire.hints import CardHint, HintText

ASK = CardHint("ask-first", (HintText("en", "Ask."), HintText("de", "Fragen Sie."), HintText("pt-BR", "Pergunte.")))


@pytest.mark.parametrize(
    ("spoken", "language"),
    [((), "en"), (("de",), "de"), (("de-AT",), "de"), (("pt",), "pt-BR"), (("pt-PT",), "pt-BR"), (("fr",), "en"),
     (("fr", "de"), "de"), (("fr", "en-GB"), "en")],
)  # fmt: skip
def test_a_hint_is_shown_in_the_best_language_that_it_has(spoken: tuple[str, ...], language: str) -> None:
    """English where it has none of those that are spoken."""
    assert text_of(ASK, spoken) == (language, {one.language: one.text for one in ASK.texts}[language])


def test_a_hint_without_english_is_shown_in_its_first_language() -> None:
    """Better than none."""
    assert text_of(CardHint("x", (HintText("de", "Fragen Sie."),)), ("fr",)) == ("de", "Fragen Sie.")


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
