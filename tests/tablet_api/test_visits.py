"""The acts on a visit over HTTP: what the gateway is asked, what is answered, what is refused before it is asked."""

import dataclasses
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.fakes.gateway import FakeGateway, handle
from tests.tablet_api.floor_of import card, fill, line, visit
from tests.tablet_api.test_calls import kind, url
from wire import acts
from wire.acts import CatalogLine
from wire.events import HandOverReason
from wire.items import ItemList, MuteKind, Response
from wire.policy import Section
from wire.query import Entry

SUGGESTED = line("suggested", "Might fit", None, Entry("Trail sock", None, None, False, "sku-1"))


@pytest.fixture(autouse=True)
def one_visit(gateway: FakeGateway) -> None:
    """A visit with suggestions and a wish list, in a store that sells two things."""
    fill(gateway, visit(1))
    shown = card(visit(1))
    gateway.put_card(dataclasses.replace(shown, sections=(*shown.sections, Section.SUGGESTIONS)), tell=False)
    gateway.sections[handle(1), Section.SUGGESTIONS] = (SUGGESTED,)
    gateway.names[handle(1)] = "Kim"
    gateway.catalog = (
        CatalogLine("sku-1", "Trail sock", ("socks",), ("sport",)),
        CatalogLine("sku-2", "Rain hat", (), ()),
    )


def asked(gateway: FakeGateway) -> Any:
    """The last question, without its session."""
    return dataclasses.replace(gateway.asked[-1], session=bytes(32))  # type: ignore[call-arg]


NOBODY = bytes(32)


def test_who_introduced_themself_is_named_on_the_card(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """Nothing but the visit is said; the card has the name afterwards."""
    assert signed_in.get(url(1)).json["name"] is None  # type: ignore[index]
    assert signed_in.post(url(1, "/introduction")).status_code == 204
    assert asked(gateway) == acts.Introduce(NOBODY, handle(1))
    assert signed_in.get(url(1)).json["name"] == "Kim"  # type: ignore[index]


@pytest.mark.parametrize(("field", "associate", "role"), [("to_associate", "tom", None), ("to_role", None, "tom")])
def test_a_visit_is_handed_over_to_a_person_or_a_role(
    signed_in: FlaskClient, gateway: FakeGateway, field: str, associate: str | None, role: str | None
) -> None:
    """With one of the fixed reasons."""
    gateway.sign_in("tom")
    body = {"action": "hand-over", field: "tom", "reason": "language"}
    assert signed_in.post(url(1, "/attendance"), json=body).status_code == 204
    assert asked(gateway) == acts.HandOver(NOBODY, handle(1), associate, role, HandOverReason.LANGUAGE)


@pytest.mark.parametrize(
    "body",
    [
        {"action": "hand-over"},
        {"action": "hand-over", "to_associate": "tom"},
        {"action": "hand-over", "reason": "language"},
        {"action": "hand-over", "to_associate": "tom", "to_role": "manager", "reason": "language"},
        {"action": "hand-over", "to_associate": "tom", "reason": "because"},
        {"action": "hand-over", "to_associate": "", "reason": "language"},
        {"action": "attending", "to_associate": "tom"},
        {"action": "done", "reason": "language"},
        {"action": "leave"},
        {},
    ],
)
def test_half_a_hand_over_is_none(signed_in: FlaskClient, gateway: FakeGateway, body: dict[str, str]) -> None:
    """One target and a reason, and neither with another action; nobody is asked."""
    before = len(gateway.asked)
    response = signed_in.post(url(1, "/attendance"), json=body)
    assert (response.status_code, kind(response)) == (422, "malformed")
    assert len(gateway.asked) == before


def test_it_can_be_chosen_who_takes_over(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """Who is signed in now, and the roles of the floor."""
    gateway.sign_in("tom")
    assert signed_in.get("/api/v1/colleagues").json == {
        "associates": [{"associate": "tom", "name": "Tom", "role": "manager"}],
        "roles": [{"id": "associate", "label": "Associate"}, {"id": "manager", "label": "Manager"}],
    }


def test_the_roster_and_the_card_say_what_was_handed_over_to_me(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """The reason, else nothing."""
    handed = HandOverReason.NEEDS_EXPERT
    gateway.show(visit(1, handed_over=handed), visit(2))
    gateway.put_card(dataclasses.replace(gateway.cards[handle(1)], handed_over=handed))
    roster = signed_in.get("/api/v1/floor").json
    assert [one["handed_over"] for one in roster["visits"]] == ["needs-expert", None]  # type: ignore[index]
    assert signed_in.get(url(1)).json["handed_over"] == "needs-expert"  # type: ignore[index]


@pytest.mark.parametrize("response", Response)
def test_what_became_of_a_suggestion_is_said_by_its_item(
    signed_in: FlaskClient, gateway: FakeGateway, response: Response
) -> None:
    """The id stands on the card's suggestions, and on nothing else."""
    shown = signed_in.get(url(1, "?section=suggestions")).json
    assert [one["item"] for one in shown["lines"][0]["entries"]] == ["sku-1"]  # type: ignore[index]
    body = {"item": "sku-1", "response": response.value}
    assert signed_in.post(url(1, "/outcomes"), json=body).status_code == 204
    assert asked(gateway) == acts.Respond(NOBODY, handle(1), "sku-1", response)


def test_a_category_is_muted(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """What is muted is said by its kind and id."""
    assert signed_in.post(url(1, "/mutes"), json={"what": "theme", "id": "sku-1"}).status_code == 204
    assert asked(gateway) == acts.MuteFor(NOBODY, handle(1), MuteKind.THEME, "sku-1")


def test_an_item_is_found_and_proposed(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """By words of its name; one of it where no number is said."""
    found = signed_in.get("/api/v1/catalog?q=hat").json
    assert found == {"items": [{"item": "sku-2", "name": "Rain hat", "path": [], "themes": []}]}
    body: dict[str, object] = {"to": "wishlist", "item": "sku-2"}
    assert signed_in.post(url(1, "/items"), json=body).status_code == 204
    assert asked(gateway) == acts.Propose(NOBODY, handle(1), ItemList.WISHLIST, "sku-2", 1)
    assert signed_in.post(url(1, "/items"), json=body | {"quantity": 9}).status_code == 204
    assert asked(gateway).quantity == 9


@pytest.mark.parametrize("quantity", [0, 10, -1, "2", True, 1.5, None])
def test_a_quantity_is_a_number_from_1_to_9(signed_in: FlaskClient, gateway: FakeGateway, quantity: object) -> None:
    """Anything else is asked of nobody."""
    before = len(gateway.asked)
    response = signed_in.post(url(1, "/items"), json={"to": "basket", "item": "sku-2", "quantity": quantity})
    assert (response.status_code, response.json["fields"]) == (422, ["quantity"])  # type: ignore[index]
    assert len(gateway.asked) == before


@pytest.mark.parametrize("where", [1, 77])
@pytest.mark.parametrize(
    ("rest", "body"),
    [
        ("/outcomes", {"item": "sku-9", "response": "shown"}),
        ("/mutes", {"what": "item", "id": "sku-9"}),
        ("/items", {"to": "basket", "item": "sku-1"}),
        ("/items", {"to": "wishlist", "item": "sku-9"}),
    ],
)
def test_what_may_not_be_named_is_answered_like_what_never_was(
    signed_in: FlaskClient, where: int, rest: str, body: dict[str, str]
) -> None:
    """One 404, byte for byte, for an item that is not on the card, a list that is not shared, and no visit at all."""
    response = signed_in.post(url(where, rest), json=body)
    never = signed_in.post(url(78, "/introduction"))
    assert response.status_code == 404
    assert response.data == never.data
