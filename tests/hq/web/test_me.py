"""The member's own calls, as the loyalty app makes them: choices, phones, profile, rights; each once."""

import json

from hq import membership, purchases
from hq.database import writing
from hq.purchases_told import Bought, Kind, Purchase
from tests.hq.headquarters import STORE, items, text
from tests.hq.web.me_app import ME, PRESENCE, App, change, given, said
from tests.hq.web.place import Place


def test_a_member_gives_and_takes_back_what_they_like(app: App) -> None:
    """By a store's code, a purpose, its scopes; a channel of the brand; and all of it in one call."""
    change(app, {"act": "add-store", "store": f"https://hq.example/centre/stores/add/{STORE}"})
    found = change(app, PRESENCE, {"act": "give", "purpose": "assist", "scopes": ["size.shoe", "diet"]})
    assert given(found, "assist") == {"size.shoe", "diet"} and given(found, "presence") == set()
    assert found["mode"] == "help" and found["name"] == "invited"
    found = change(app, {"act": "withdraw", "purpose": "assist", "scopes": ["diet"]}, {"act": "name", "name": "never"})
    assert given(found, "assist") == {"size.shoe"} and found["name"] == "never"
    found = change(app, {"act": "give", "purpose": "contact.email"})
    channels = {one.get("channel"): one["given"] for brand in found["brands"] for one in brand["purposes"]}
    assert channels["email"] and not channels["push"]
    found = change(app, {"act": "pause"})
    assert (found["mode"], found["resumes_to"]) == ("quiet", "help")
    assert change(app, {"act": "resume"})["mode"] == "help"
    found = change(app, {"act": "leave"})
    assert given(found, "assist") is None and given(found, "presence") is None
    assert not any(one["given"] for brand in found["brands"] for one in brand["purposes"])
    assert change(app, {"act": "remove-store", "store": STORE})["stores"] == []


def test_a_profile_takes_what_is_good_and_names_every_line_that_is_not(app: App) -> None:
    """In any order, malformed ones too; what is deleted goes first."""
    problem = said(
        app.patch(f"{ME}/profile", json={"changes": [
            {"act": "correct", "scope": "no.such", "text": "1"},
            {"act": "correct", "scope": "size.shoe", "text": "38"},
            {"act": "correct", "scope": "size.top", "text": "M", "texts": ["L"]},
            {"act": "correct", "scope": "fit.jacket", "text": 7},
            {"act": "correct", "scope": "language", "texts": ["Deutsch"]},
            {"act": "drop", "scope": "wishlist"},
            {"act": "delete", "scope": "size.shoe"},
        ]}), 422,
    )  # fmt: skip
    assert [(one["line"], one["field"], one["reason"]) for one in problem["refused"]] == [
        (0, "scope", "undeclared_scope"), (2, "text", "malformed"), (3, "text", "malformed"), (5, "item", "malformed"),
    ]  # fmt: skip
    held = {one["scope"]: one for one in said(app.get(f"{ME}/profile"))["values"]}
    assert set(held) == {"size.shoe", "language"}


def test_nothing_is_given_before_its_notice_was_served(place: Place, name: str) -> None:
    """Neither a purpose nor a phone; a withdrawal always."""
    app = App(place, name)
    assert change(app, PRESENCE, status=403)["code"] == "notice-not-served"
    assert said(app.post(f"{ME}/phones", json={}), 403)["code"] == "notice-not-served"
    change(app, {"act": "leave"})


def test_a_phone_gets_its_secret_once_however_often_the_call_is_made(place: Place, app: App) -> None:
    """The same key: the same phone and secret; another call under it: 409; removed: unknown."""
    headers = {"Idempotency-Key": "first phone"}
    made = said(app.post(f"{ME}/phones", json={}, headers=headers), 201)
    again = app.post(f"{ME}/phones", json={}, headers=headers)
    assert said(again, 201) == made and again.headers["Idempotency-Replayed"] == "true"
    assert len(bytes.fromhex(made["presence_secret"])) == 32 and made["slot_s"] == 600
    listed = said(app.get(f"{ME}/phones"))["phones"]
    assert [one["id"] for one in listed] == [made["id"]] and "presence_secret" not in listed[0]
    body = json.dumps({"changes": [{"act": "leave"}]})
    assert said(app.patch(f"{ME}/choices", data=body, content_type="application/json", headers=headers), 409)
    said(place.app_client("ben").delete(f"{ME}/phones/{made['id']}"), 404)
    said(app.delete(f"{ME}/phones/{made['id']}"), 204)
    said(app.delete(f"{ME}/phones/{made['id']}"), 404)
    said(app.delete(f"{ME}/phones/zz"), 404)


def test_a_member_sees_values_and_what_an_associate_would_see(place: Place, app: App, name: str) -> None:
    """Source and dates of each; corrected, it is the member's own word, and so it stands in the mirror."""
    place.hq.office.set_profile(name, [text("size.shoe", "41"), items("wishlist", "Boots", "Hat")], place.hq.now_ms)
    change(app, PRESENCE, {"act": "give", "purpose": "assist", "stores": [STORE]})
    place.hq.later(1)
    asked = [
        {"act": "correct", "scope": "size.shoe", "text": "42"},
        {"act": "drop", "scope": "wishlist", "item": "i-1"},
    ]
    values = {one["scope"]: one for one in said(app.patch(f"{ME}/profile", json={"changes": asked}))["values"]}
    assert values["size.shoe"]["text"] == "42" and values["size.shoe"]["surface"] == "app"
    assert values["size.shoe"]["source"] == "zero" and not values["size.shoe"]["stale"]
    assert [one["label"] for one in values["wishlist"]["items"]] == ["Boots"]
    mirror = said(app.get(f"{ME}/mirror?store={STORE}"))
    assert mirror["walking"] is None and mirror["role"] == "associate"
    lead = {one["scope"]: one for one in mirror["asked"]["lead"]}
    assert lead["size.shoe"]["text"] == "42" and lead["size.shoe"]["why"]["purpose"] == "assist"
    said(app.get(f"{ME}/mirror?store={STORE}&role=nobody"), 422)
    said(app.get(f"{ME}/mirror?store=nowhere"), 404)
    said(app.patch(f"{ME}/profile", json={"changes": [{"act": "delete", "scope": "size.shoe"}]}))
    assert '"42"' not in json.dumps(said(app.get(f"{ME}/mirror?store={STORE}"))), "no value; a minute may be 42"


def test_mutes_and_what_felt_creepy(app: App) -> None:
    """An item, a theme for good, and back; a line that felt creepy mutes its item."""
    said(app.post(f"{ME}/mutes", json={"what": "theme", "id": "baby"}), 204)
    creepy = {"what": "felt-creepy", "store": STORE, "scope": "wishlist", "purpose": "assist", "item": "sku-1"}
    said(app.post(f"{ME}/mutes", json=creepy), 204)
    listed = said(app.get(f"{ME}/mutes"))["mutes"]
    assert {(one["what"], one["id"]) for one in listed} == {("theme", "baby"), ("item", "sku-1")}
    said(app.delete(f"{ME}/mutes?what=item&id=sku-1"), 204)
    assert [one["id"] for one in said(app.get(f"{ME}/mutes"))["mutes"]] == ["baby"]
    said(app.post(f"{ME}/mutes", json={"what": "theme"}), 422)
    said(app.post(f"{ME}/mutes", json={"what": "gift", "purchase": "00" * 16}), 404)
    said(app.post(f"{ME}/mutes", json=creepy | {"scope": "size.hat"}), 422)


def test_help_receipts_questions_and_proposals_of_nobody_are_empty(app: App) -> None:
    """A new member has none, and none of another's."""
    assert said(app.get(f"{ME}/help")) == {"state": "none"}
    assert said(app.get(f"{ME}/receipts")) == {"receipts": [], "more": False}
    assert said(app.get(f"{ME}/questions")) == {"questions": []}
    assert said(app.get(f"{ME}/proposals")) == {"proposals": []}
    assert said(app.get(f"{ME}/purchases")) == {"purchases": []}
    said(app.get(f"{ME}/receipts?event=berlin-1/00000000/1"), 404)
    said(app.post(f"{ME}/questions", json={"event": "berlin-1/00000000/1", "kind": "why"}), 422)
    said(app.post(f"{ME}/proposals", json={"ref": "berlin-1/00/1", "answer": "confirm"}), 404)


def test_an_export_and_the_erasure_are_followed_to_their_end(place: Place, app: App) -> None:
    """Asked of every store; the erasure's reference serves without signing in, for nobody is left to sign in."""
    change(app, PRESENCE)
    made = said(app.post(f"{ME}/exports"), 202)
    assert [one["progress"] for one in made["stores"]] == ["waiting"] and not made["complete"]
    whole = said(app.get(f"{ME}/exports/{made['reference']}"))
    assert whole["hq"]["choices"] and not whole["complete"]
    said(place.app_client("ben").get(f"{ME}/exports/{made['reference']}"), 404)
    said(app.post(f"{ME}/erasure", json={"confirm": "no"}), 422)
    headers = {"Idempotency-Key": "the end"}
    gone = said(app.post(f"{ME}/erasure", json={"confirm": "erase everything"}, headers=headers), 202)
    assert not gone["done"] and [one["store"] for one in gone["stores"]] == [STORE]
    said(app.get(f"{ME}/choices"), 401)
    nobody = place.client()
    assert said(nobody.get(f"/api/v1/erasures/{gone['reference']}")) == gone
    said(nobody.get("/api/v1/erasures/0011223344556677"), 404)


def test_without_signing_in_nothing_is_answered(place: Place) -> None:
    """Every call of a member's, and no word of why."""
    nobody = place.client()
    for rule in place.app.url_map.iter_rules():
        if rule.rule.startswith(ME) and not rule.arguments:
            for method in (rule.methods or set()) & {"GET", "POST", "PATCH", "DELETE"}:
                response = nobody.open(rule.rule, method=method, json={} if method in ("POST", "PATCH") else None)
                assert response.status_code in (401, 422), (method, rule.rule)


def test_a_moment_asks_with_the_notice_that_it_serves(app: App) -> None:
    """So that the answer can be yes at once; then there is rest."""
    found = said(app.get(f"{ME}/moments?moment=store-added&store={STORE}&language=de"))
    assert found["ask"] == "presence" and found["because"] == "never"
    assert found["notice"]["language"] == "de" and found["notice"]["what"]
    change(app, PRESENCE | {"notice": found["notice"]["notice"], "language": "de"})
    assert said(app.get(f"{ME}/moments?moment=help-done")) == {"ask": None}
    said(app.get(f"{ME}/moments?moment=bored"), 422)


def test_a_notice_may_be_read_in_a_language_that_no_page_speaks(app: App) -> None:
    """Its tag is taken and proved; what is no tag is refused."""
    change(app, PRESENCE | {"language": "pt-BR"})
    assert "pt-BR" in json.dumps(said(app.get(f"{ME}/consents"))["records"])
    said(app.get(f"{ME}/moments?moment=help-done&language=fr"))
    for wrong in ("x", "en_GB", "en\n", "a-very-long-language"):
        change(app, PRESENCE | {"language": wrong}, status=422)


def test_a_purchase_is_marked_and_every_choice_is_proved(place: Place, app: App, name: str) -> None:
    """A gift stands in no value any more, in words or by a mute; a choice comes with its record and receipt."""
    bought = Purchase("r-1", Kind.PURCHASE, STORE, "till", place.hq.now_s, (Bought("sku-1", "Perfume", 1),))
    with writing(place.hq.engine) as connection:
        locked = membership.lock_by_id(connection, place.hq.keys.custody, [name])
        purchases.put(connection, next(iter(locked.values())), [(bought, place.hq.now_ms + 10**10)], {})
        purchases.renew(connection, locked, place.hq.now_ms)
    (found,) = said(app.get(f"{ME}/purchases"))["purchases"]
    assert found["lines"] == [{"item": "sku-1", "label": "Perfume", "quantity": 1}] and found["kind"] == "purchase"
    values = lambda: [one["scope"] for one in said(app.get(f"{ME}/profile"))["values"]]  # noqa: E731
    assert values() == ["history.store"]
    marked = {"purchase": found["id"], "item": "sku-1"}
    said(app.patch(f"{ME}/purchases", json=marked | {"mark": "not-mine"}), 204)
    assert values() == []
    said(app.delete(f"{ME}/mutes?what=gift&purchase={found['id']}&item=sku-1"), 204)
    assert values() == ["history.store"]
    said(app.post(f"{ME}/mutes", json=marked | {"what": "gift"}), 204)
    assert said(app.get(f"{ME}/purchases"))["purchases"][0]["lines"][0]["mark"] == "gift" and values() == []
    said(app.post(f"{ME}/mutes", json={"what": "gift", "purchase": found["id"], "item": "sku-2"}), 404)
    for wrong in ("00", "zz", "00" * 16):
        said(app.delete(f"{ME}/purchases/{wrong}"), 404)
    said(app.delete(f"{ME}/purchases/{found['id']}"), 204)
    assert said(app.get(f"{ME}/purchases"))["purchases"] == []
    said(app.delete(f"{ME}/purchases/{found['id']}"), 404)
    change(app, PRESENCE)
    proved = said(app.get(f"{ME}/consents"))
    assert len(proved["records"]) == len(proved["receipts"]) == 1 and proved["jwks"] and proved["notices"]
