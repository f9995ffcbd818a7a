"""Acts of which nothing came: the page says so in plain words, and never that it was done."""

import dataclasses

import pytest
from flask.testing import FlaskClient

from tests.fakes.gateway import FakeGateway, handle
from tests.tablet_api.floor_of import card, fill, visit
from tests.tablet_api.test_pages import HERE, HTMX, address, text
from tests.tablet_api.test_visits import SUGGESTED
from wire.acts import CatalogLine
from wire.policy import Section

GERMAN = {**HTMX, "Accept-Language": "de"}


@pytest.fixture(autouse=True)
def one_visit(gateway: FakeGateway) -> None:
    """A visit with suggestions and a wish list."""
    fill(gateway, visit(1))
    shown = card(visit(1))
    gateway.put_card(dataclasses.replace(shown, sections=(*shown.sections, Section.SUGGESTIONS)), tell=False)
    gateway.sections[handle(1), Section.SUGGESTIONS] = (SUGGESTED,)
    gateway.catalog = (CatalogLine("sku-1", "Trail sock", ("socks",), ("sport",)),)


@pytest.mark.parametrize("scope", ["", "size.shoe"])
def test_a_withdrawal_that_reached_nobody_is_not_called_done(
    signed_in: FlaskClient, gateway: FakeGateway, scope: str
) -> None:
    """Of who is gone, and of a handle that never was, byte for byte alike: nothing was changed, and what helps."""
    gateway.drop_card(handle(1))
    gone, never = (
        signed_in.post(address(one, "/withdrawals"), data={"scope": scope}, headers=HTMX, base_url=HERE)
        for one in (1, 99)
    )
    assert (gone.status_code, gone.data) == (never.status_code, never.data)
    assert gone.status_code == 410
    assert "is not on the floor now. Nothing was changed; they can leave by code." in text(gone)
    assert "Done" not in text(gone)
    german = signed_in.post(address(1, "/withdrawals"), data={"scope": scope}, headers=GERMAN, base_url=HERE)
    assert "Es wurde nichts geändert" in text(german)


@pytest.mark.parametrize(("scope", "said"), [("", "Nothing of this shopper"), ("size.shoe", "no longer shared")])
def test_a_withdrawal_that_was_accepted_is_done(signed_in: FlaskClient, scope: str, said: str) -> None:
    """Everything closes the card; one line leaves it smaller."""
    done = signed_in.post(address(1, "/withdrawals"), data={"scope": scope}, headers=HTMX, base_url=HERE)
    assert done.status_code == 200
    assert said in text(done)
    assert ('id="card"' in text(done)) is bool(scope)
    assert "42 ½" not in text(done)


def test_a_hand_over_to_who_just_left_is_asked_anew(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """The card as it is now, without them, and a sentence; once they are there it is handed over."""
    tom = gateway.sign_in("tom")
    sent = {"action": "hand-over", "to_associate": "tom", "reason": "break"}
    gateway.sessions.pop(tom)
    refused = signed_in.post(address(1, "/attendance"), data=sent, headers=HTMX, base_url=HERE)
    assert refused.status_code == 409
    assert "They are not signed in any more. Choose somebody else." in text(refused)
    assert 'id="card"' in text(refused)
    assert "Handed over" not in text(refused)
    gateway.sign_in("tom")
    done = signed_in.post(address(1, "/attendance"), data=sent, headers=HTMX, base_url=HERE)
    assert (done.status_code, "Handed over" in text(done)) == (200, True)


ACTS = [
    ("/outcomes", {"item": "sku-9", "response": "taken"}, "This is not suggested any more. Nothing was noted."),
    ("/mutes", {"what": "theme", "id": "boats"}, "This is not suggested any more. Nothing was noted."),
    ("/items", {"to": "wishlist", "item": "sku-9", "quantity": "1"}, "This cannot be proposed any more."),
]


@pytest.mark.parametrize(("path", "sent", "said"), ACTS)
def test_what_is_not_there_any_more_leaves_the_card_open(
    signed_in: FlaskClient, path: str, sent: dict[str, str], said: str
) -> None:
    """A suggestion that went, a theme nobody suggests, an item that is not sold: the card, and a sentence."""
    answer = signed_in.post(address(1, path), data=sent, headers=HTMX, base_url=HERE)
    assert answer.status_code == 409
    assert said in text(answer)
    assert 'id="card"' in text(answer)


@pytest.mark.parametrize(
    ("path", "sent"),
    [*((path, sent) for path, sent, _ in ACTS), ("/attendance", {"action": "attending"}), ("/introduction", {})],
)
def test_an_act_for_who_is_gone_closes_the_card_with_a_word(
    signed_in: FlaskClient, gateway: FakeGateway, path: str, sent: dict[str, str]
) -> None:
    """Likewise alike to a handle that never was."""
    gateway.drop_card(handle(1))
    gone, never = (signed_in.post(address(one, path), data=sent, headers=HTMX, base_url=HERE) for one in (1, 99))
    assert (gone.status_code, gone.data) == (never.status_code, never.data)
    assert gone.status_code == 410
    assert "This shopper is not on the floor now. Nothing was changed." in text(gone)
    assert 'id="card"' not in text(gone)
