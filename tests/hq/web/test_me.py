"""The member's own calls, as the loyalty app makes them: choices, phones, profile, rights; each once."""

import itertools
import json
from functools import partialmethod
from typing import Any

import pytest
from werkzeug.test import TestResponse

from hq import changes, choosing, membership, notices, purchases
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.matching import Match
from hq.office import Office
from hq.purchases_told import Bought, Kind, Purchase
from hq.web import me_lines
from tests.hq.headquarters import STORE, items, text
from tests.hq.web.place import Place
from wire.member import Mode

_ME = "/api/v1/me"
_NAMES = itertools.count(1)


class App:
    """A member's app that lets a second go by before each call: of two choices in one the withdrawal would hold."""

    def __init__(self, place: Place, member: str) -> None:
        self._place = place
        self._client = place.app_client(member)

    def _call(self, method: str, path: str, **named: Any) -> TestResponse:
        self._place.hq.now_ms += 1000
        return self._client.open(path, method=method, **named)

    get = partialmethod(_call, "GET")
    post = partialmethod(_call, "POST")
    patch = partialmethod(_call, "PATCH")
    delete = partialmethod(_call, "DELETE")


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


def said(response: TestResponse, status: int = 200) -> Any:
    """The body of an answer that has this status."""
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.headers["Cache-Control"] == "no-store"
    return response.get_json(silent=True)


def change(app: App, *changes: dict[str, Any], status: int = 200, **headers: str) -> Any:
    """Some changes of the choices."""
    named = {one.replace("_", "-"): value for one, value in headers.items()}
    return said(app.patch(f"{_ME}/choices", json={"changes": list(changes)}, headers=named), status)


def given(found: Any, purpose: str, store: str = STORE) -> set[str] | None:
    """The scopes of a purpose that are given at a store; None: the purpose is not given at all."""
    (place,) = [one for one in found["stores"] if one["store"] == store]
    (one,) = [one for one in place["purposes"] if one["purpose"] == purpose]
    return {scope["scope"] for scope in one["scopes"] if scope["given"]} if one["given"] else None


PRESENCE = {"act": "give", "purpose": "presence", "stores": [STORE]}


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


def test_of_many_changes_each_is_taken_by_itself(place: Place, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as may be of those that give, the rest listed; all that takes away, wherever it stands in the list."""
    assert me_lines.MOST_CHANGES == 50
    monkeypatch.setattr(me_lines, "MOST_CHANGES", most := 5)
    change(app, PRESENCE, {"act": "give", "purpose": "assist", "scopes": ["size.shoe", "diet"]})
    place.hq.later(1)
    names = [{"act": "name", "name": "always"}] * (most + 2)
    gone = [{"act": "withdraw", "purpose": "assist", "scopes": [one]} for one in ["size.shoe", "diet"] * most]
    problem = change(app, *names, *gone, status=422)
    assert problem["reason"] == "too_many"
    assert [(one["line"], one["field"]) for one in problem["refused"]] == [
        (most, "changes"), (most + 1, "changes"),
    ]  # fmt: skip
    found = said(app.get(f"{_ME}/choices"))
    assert (given(found, "assist"), found["name"]) == (None, "always")
    values = [{"act": "correct", "scope": "size.shoe", "text": str(one)} for one in range(most + 1)]
    body = {"changes": [*values, {"act": "delete", "scope": "diet"}]}
    assert [one["line"] for one in said(app.patch(f"{_ME}/profile", json=body), 422)["refused"]] == [most]


def test_of_equal_changes_that_take_away_one_is_made(place: Place, app: App) -> None:
    """However often a call names it, the ledger has it once, and each that is refused is listed; of modes the last."""

    def events() -> int:
        with reading(place.hq.engine) as connection:
            return changes.newest(connection)

    change(app, PRESENCE)
    place.hq.later(1)
    before = events()
    nameless = {"act": "remove-store"}
    gone = [{"act": "withdraw", "purpose": "presence"}, {"purpose": "presence", "act": "withdraw", "until_days": "x"}]
    problem = change(app, nameless, *gone * 10, {"act": "name", "name": "never"}, nameless, status=422)
    assert [one["line"] for one in problem["refused"]] == [0, 22]
    assert events() == before + 3, "the withdrawal in its two forms, and the name"
    change(app, {"act": "mode", "mode": "help"}, {"act": "mode", "mode": "open"}, {"act": "mode", "mode": "help"})
    assert said(app.get(f"{_ME}/choices"))["mode"] == "help"


def test_what_takes_away_works_whatever_is_refused_beside_it(place: Place, app: App) -> None:
    """One call: the withdrawal holds, the grant that no policy knows is named by its place, field and reason."""
    change(app, PRESENCE)
    place.hq.later(1)
    problem = change(
        app, {"act": "give", "purpose": "mind-reading", "stores": [STORE], "scopes": ["size.shoe"]},
        {"act": "leave"}, status=422,
    )  # fmt: skip
    assert problem["code"] == "refused" and [one["line"] for one in problem["refused"]] == [0]
    assert problem["refused"][0]["reason"] == "undeclared_purpose"
    assert given(said(app.get(f"{_ME}/choices")), "presence") is None


def test_a_change_that_lacks_something_keeps_no_other_from_being_made(place: Place, app: App) -> None:
    """A taking-away without its store beside the way out of everything, and a wish without its purpose: both named."""
    change(app, PRESENCE)
    place.hq.later(1)
    problem = change(
        app, {"act": "remove-store"}, {"act": "leave"}, {"act": "give"}, {"act": "name", "name": "always"}, status=422
    )
    told = [(one["line"], one["field"], one["reason"]) for one in problem["refused"]]
    assert told == [(0, "store", "malformed"), (2, "purpose", "malformed")]
    found = said(app.get(f"{_ME}/choices"))
    assert given(found, "presence") is None and found["name"] == "always"


def test_an_app_that_shows_an_older_state_gives_nothing_and_takes_back_all_the_same(place: Place, app: App) -> None:
    """`If-Match` guards what opens; a withdrawal needs no match."""
    first = app.get(f"{_ME}/choices").headers["ETag"]
    change(app, PRESENCE, If_Match=first)
    second = app.get(f"{_ME}/choices").headers["ETag"]
    assert second != first
    place.hq.later(1)
    assert change(app, {"act": "mode", "mode": "open"}, status=412, If_Match=first)["code"] == "stale"
    assert change(app, {"act": "leave"}, {"act": "mode", "mode": "open"}, status=412, If_Match=first)
    found = said(app.get(f"{_ME}/choices"))
    assert found["mode"] == "help" and given(found, "presence") is None


def test_a_malformed_change_keeps_no_withdrawal_from_being_made(place: Place, app: App) -> None:
    """Of a change of another form beside it, or of what in itself does not say what is taken back."""
    wrong: list[Any] = [{"act": "dance"}, {"act": "give", "purpose": 7}, "leave", 3, {"act": "mode", "mode": "loud"}]
    for way_out, status in (
        ({"act": "leave"}, 422),
        ({"act": "leave", "reason": "none of your business"}, 422),
        ({"act": "withdraw", "purpose": "presence", "until_days": "soon"}, 422),
    ):
        change(app, PRESENCE)
        place.hq.later(1)
        problem = change(app, *wrong, way_out, status=status)
        assert [(one["line"], one["reason"]) for one in problem["refused"]] == [
            (line, "malformed") for line in range(5)
        ]
        assert problem["refused"][1]["field"] == "purpose" and "business" not in json.dumps(problem)
        assert given(said(app.get(f"{_ME}/choices")), "presence") is None
        place.hq.later(1)
    change(app, PRESENCE)
    place.hq.later(1)
    said(app.patch(f"{_ME}/choices", json={"changes": [{"act": "leave"}], "reason": "mine"}))
    assert given(said(app.get(f"{_ME}/choices")), "presence") is None
    place.hq.later(1)
    change(app, PRESENCE)
    narrow = change(app, {"act": "withdraw", "purpose": "presence", "scope": ["diet"]}, status=422)
    assert [one["line"] for one in narrow["refused"]] == [0], "what may have been meant narrower is asked again"
    assert given(said(app.get(f"{_ME}/choices")), "presence") is not None


def test_two_apps_that_show_one_state_do_not_both_open_it(place: Place, app: App, name: str) -> None:
    """What somebody else wrote between comparing and writing is seen; what the app wrote itself is no other's."""
    shown = app.get(f"{_ME}/choices").headers["ETag"]
    counter = Office(place.hq.engine, place.hq.keys, Match(frozenset({shown.strip('"')})))
    match = counter.guard
    assert isinstance(match, Match)
    change(app, {"act": "name", "name": "always"})  # another app, after this one was found to be up to date
    with pytest.raises(Refused) as found:
        counter.set_mode(name, Mode.OPEN, place.hq.now_ms, method="app")
    assert found.value.reason is Reason.STALE
    match.opens = False
    counter.withdraw(name, place.hq.now_ms, method="app")
    match.opens = True
    with pytest.raises(Refused):
        choosing.add_store(counter, name, STORE, place.hq.now_ms)
    fresh = app.get(f"{_ME}/choices").headers["ETag"]
    several = [{"act": "pause"}, {"act": "add-store", "store": STORE}, {"act": "name", "name": "invited"}]
    found_now = change(app, *several, If_Match=fresh)
    assert (found_now["mode"], found_now["name"], len(found_now["stores"])) == ("quiet", "invited", 1)
    assert found_now["stores"][0]["store"] == STORE


def test_a_profile_takes_what_is_good_and_names_every_line_that_is_not(app: App) -> None:
    """In any order, malformed ones too; what is deleted goes first."""
    problem = said(
        app.patch(f"{_ME}/profile", json={"changes": [
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
    held = {one["scope"]: one for one in said(app.get(f"{_ME}/profile"))["values"]}
    assert set(held) == {"size.shoe", "language"}


def test_nothing_is_given_before_its_notice_was_served(place: Place, name: str) -> None:
    """Neither a purpose nor a phone; a withdrawal always."""
    app = App(place, name)
    assert change(app, PRESENCE, status=403)["code"] == "notice-not-served"
    assert said(app.post(f"{_ME}/phones", json={}), 403)["code"] == "notice-not-served"
    change(app, {"act": "leave"})


def test_a_phone_gets_its_secret_once_however_often_the_call_is_made(place: Place, app: App) -> None:
    """The same key: the same phone and secret; another call under it: 409; removed: unknown."""
    headers = {"Idempotency-Key": "first phone"}
    made = said(app.post(f"{_ME}/phones", json={}, headers=headers), 201)
    again = app.post(f"{_ME}/phones", json={}, headers=headers)
    assert said(again, 201) == made and again.headers["Idempotency-Replayed"] == "true"
    assert len(bytes.fromhex(made["presence_secret"])) == 32 and made["slot_s"] == 600
    listed = said(app.get(f"{_ME}/phones"))["phones"]
    assert [one["id"] for one in listed] == [made["id"]] and "presence_secret" not in listed[0]
    body = json.dumps({"changes": [{"act": "leave"}]})
    assert said(app.patch(f"{_ME}/choices", data=body, content_type="application/json", headers=headers), 409)
    said(place.app_client("ben").delete(f"{_ME}/phones/{made['id']}"), 404)
    said(app.delete(f"{_ME}/phones/{made['id']}"), 204)
    said(app.delete(f"{_ME}/phones/{made['id']}"), 404)
    said(app.delete(f"{_ME}/phones/zz"), 404)


def test_a_member_sees_values_and_what_an_associate_would_see(place: Place, app: App, name: str) -> None:
    """Source and dates of each; corrected, it is the member's own word, and so it stands in the mirror."""
    place.hq.office.set_profile(name, [text("size.shoe", "41"), items("wishlist", "Boots", "Hat")], place.hq.now_ms)
    change(app, PRESENCE, {"act": "give", "purpose": "assist", "stores": [STORE]})
    place.hq.later(1)
    asked = [
        {"act": "correct", "scope": "size.shoe", "text": "42"},
        {"act": "drop", "scope": "wishlist", "item": "i-1"},
    ]
    values = {one["scope"]: one for one in said(app.patch(f"{_ME}/profile", json={"changes": asked}))["values"]}
    assert values["size.shoe"]["text"] == "42" and values["size.shoe"]["surface"] == "app"
    assert values["size.shoe"]["source"] == "zero" and not values["size.shoe"]["stale"]
    assert [one["label"] for one in values["wishlist"]["items"]] == ["Boots"]
    mirror = said(app.get(f"{_ME}/mirror?store={STORE}"))
    assert mirror["walking"] is None and mirror["role"] == "associate"
    lead = {one["scope"]: one for one in mirror["asked"]["lead"]}
    assert lead["size.shoe"]["text"] == "42" and lead["size.shoe"]["why"]["purpose"] == "assist"
    said(app.get(f"{_ME}/mirror?store={STORE}&role=nobody"), 422)
    said(app.get(f"{_ME}/mirror?store=nowhere"), 404)
    said(app.patch(f"{_ME}/profile", json={"changes": [{"act": "delete", "scope": "size.shoe"}]}))
    assert "42" not in json.dumps(said(app.get(f"{_ME}/mirror?store={STORE}")))


def test_mutes_and_what_felt_creepy(app: App) -> None:
    """An item, a theme for good, and back; a line that felt creepy mutes its item."""
    said(app.post(f"{_ME}/mutes", json={"what": "theme", "id": "baby"}), 204)
    creepy = {"what": "felt-creepy", "store": STORE, "scope": "wishlist", "purpose": "assist", "item": "sku-1"}
    said(app.post(f"{_ME}/mutes", json=creepy), 204)
    listed = said(app.get(f"{_ME}/mutes"))["mutes"]
    assert {(one["what"], one["id"]) for one in listed} == {("theme", "baby"), ("item", "sku-1")}
    said(app.delete(f"{_ME}/mutes?what=item&id=sku-1"), 204)
    assert [one["id"] for one in said(app.get(f"{_ME}/mutes"))["mutes"]] == ["baby"]
    said(app.post(f"{_ME}/mutes", json={"what": "theme"}), 422)
    said(app.post(f"{_ME}/mutes", json={"what": "gift", "purchase": "00" * 16}), 404)
    said(app.post(f"{_ME}/mutes", json=creepy | {"scope": "size.hat"}), 422)


def test_help_receipts_questions_and_proposals_of_nobody_are_empty(app: App) -> None:
    """A new member has none, and none of another's."""
    assert said(app.get(f"{_ME}/help")) == {"state": "none"}
    assert said(app.get(f"{_ME}/receipts")) == {"receipts": [], "more": False}
    assert said(app.get(f"{_ME}/questions")) == {"questions": []}
    assert said(app.get(f"{_ME}/proposals")) == {"proposals": []}
    assert said(app.get(f"{_ME}/purchases")) == {"purchases": []}
    said(app.get(f"{_ME}/receipts?event=berlin-1/00000000/1"), 404)
    said(app.post(f"{_ME}/questions", json={"event": "berlin-1/00000000/1", "kind": "why"}), 422)
    said(app.post(f"{_ME}/proposals", json={"ref": "berlin-1/00/1", "answer": "confirm"}), 404)


def test_an_export_and_the_erasure_are_followed_to_their_end(place: Place, app: App) -> None:
    """Asked of every store; the erasure's reference serves without signing in, for nobody is left to sign in."""
    change(app, PRESENCE)
    made = said(app.post(f"{_ME}/exports"), 202)
    assert [one["progress"] for one in made["stores"]] == ["waiting"] and not made["complete"]
    whole = said(app.get(f"{_ME}/exports/{made['reference']}"))
    assert whole["hq"]["choices"] and not whole["complete"]
    said(place.app_client("ben").get(f"{_ME}/exports/{made['reference']}"), 404)
    said(app.post(f"{_ME}/erasure", json={"confirm": "no"}), 422)
    headers = {"Idempotency-Key": "the end"}
    gone = said(app.post(f"{_ME}/erasure", json={"confirm": "erase everything"}, headers=headers), 202)
    assert not gone["done"] and [one["store"] for one in gone["stores"]] == [STORE]
    said(app.get(f"{_ME}/choices"), 401)
    nobody = place.client()
    assert said(nobody.get(f"/api/v1/erasures/{gone['reference']}")) == gone
    said(nobody.get("/api/v1/erasures/0011223344556677"), 404)


def test_without_signing_in_nothing_is_answered(place: Place) -> None:
    """Every call of a member's, and no word of why."""
    nobody = place.client()
    for rule in place.app.url_map.iter_rules():
        if rule.rule.startswith(_ME) and not rule.arguments:
            for method in (rule.methods or set()) & {"GET", "POST", "PATCH", "DELETE"}:
                response = nobody.open(rule.rule, method=method, json={} if method in ("POST", "PATCH") else None)
                assert response.status_code in (401, 422), (method, rule.rule)


def test_a_moment_asks_with_the_notice_that_it_serves(app: App) -> None:
    """So that the answer can be yes at once; then there is rest."""
    found = said(app.get(f"{_ME}/moments?moment=store-added&store={STORE}&language=de"))
    assert found["ask"] == "presence" and found["because"] == "never"
    assert found["notice"]["language"] == "de" and found["notice"]["what"]
    change(app, PRESENCE | {"notice": found["notice"]["notice"], "language": "de"})
    assert said(app.get(f"{_ME}/moments?moment=help-done")) == {"ask": None}
    said(app.get(f"{_ME}/moments?moment=bored"), 422)


def test_a_notice_may_be_read_in_a_language_that_no_page_speaks(app: App) -> None:
    """Its tag is taken and proved; what is no tag is refused."""
    change(app, PRESENCE | {"language": "pt-BR"})
    assert "pt-BR" in json.dumps(said(app.get(f"{_ME}/consents"))["records"])
    said(app.get(f"{_ME}/moments?moment=help-done&language=fr"))
    for wrong in ("x", "en_GB", "en\n", "a-very-long-language"):
        change(app, PRESENCE | {"language": wrong}, status=422)


def test_a_purchase_is_marked_and_every_choice_is_proved(place: Place, app: App, name: str) -> None:
    """A gift stands in no value any more, in words or by a mute; a choice comes with its record and receipt."""
    bought = Purchase("r-1", Kind.PURCHASE, STORE, "till", place.hq.now_s, (Bought("sku-1", "Perfume", 1),))
    with writing(place.hq.engine) as connection:
        locked = membership.lock_by_id(connection, place.hq.keys.custody, [name])
        purchases.put(connection, next(iter(locked.values())), [(bought, place.hq.now_ms + 10**10)], {})
        purchases.renew(connection, locked)
    (found,) = said(app.get(f"{_ME}/purchases"))["purchases"]
    assert found["lines"] == [{"item": "sku-1", "label": "Perfume", "quantity": 1}] and found["kind"] == "purchase"
    values = lambda: [one["scope"] for one in said(app.get(f"{_ME}/profile"))["values"]]  # noqa: E731
    assert values() == ["history.store"]
    marked = {"purchase": found["id"], "item": "sku-1"}
    said(app.patch(f"{_ME}/purchases", json=marked | {"mark": "not-mine"}), 204)
    assert values() == []
    said(app.delete(f"{_ME}/mutes?what=gift&purchase={found['id']}&item=sku-1"), 204)
    assert values() == ["history.store"]
    said(app.post(f"{_ME}/mutes", json=marked | {"what": "gift"}), 204)
    assert said(app.get(f"{_ME}/purchases"))["purchases"][0]["lines"][0]["mark"] == "gift" and values() == []
    said(app.post(f"{_ME}/mutes", json={"what": "gift", "purchase": found["id"], "item": "sku-2"}), 404)
    for wrong in ("00", "zz", "00" * 16):
        said(app.delete(f"{_ME}/purchases/{wrong}"), 404)
    said(app.delete(f"{_ME}/purchases/{found['id']}"), 204)
    assert said(app.get(f"{_ME}/purchases"))["purchases"] == []
    said(app.delete(f"{_ME}/purchases/{found['id']}"), 404)
    change(app, PRESENCE)
    proved = said(app.get(f"{_ME}/consents"))
    assert len(proved["records"]) == len(proved["receipts"]) == 1 and proved["jwks"] and proved["notices"]
