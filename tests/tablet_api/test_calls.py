"""The calls of a tablet, asked as a browser asks them; the gateway behind is scripted."""

import dataclasses

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from runtime.problems import TYPE_PREFIX
from store_gateway.errors import receiver_remedy
from tablet_api import forms, texts
from tests.fakes.gateway import FakeGateway, handle
from tests.tablet_api.floor_of import card, fill, visit
from wire import query
from wire.member import Mode
from wire.policy import Section
from wire.query import (
    Action,
    DarkReason,
    Lease,
    Light,
    Outage,
    Radio,
    ReceiverState,
    RefusedReason,
    Restarts,
)
from wire.sighting import RadioReason

DARK = Lease(Light.DARK, DarkReason.NO_WORD, 0, 0, None)
PROTECTED = [
    ("GET", "/api/v1/floor", None),
    ("GET", "/api/v1/floor/events", None),
    ("GET", "/api/v1/sessions/current", None),
    ("DELETE", "/api/v1/sessions/current", None),
    ("POST", "/api/v1/floor/acks", {"version": "1"}),
    ("GET", "/api/v1/visits/x", None),
    ("POST", "/api/v1/visits/x/attendance", {"action": "done"}),
    ("POST", "/api/v1/visits/x/withdrawals", {"scope": None}),
    ("GET", "/api/v1/status", None),
]


def kind(response: TestResponse) -> str:
    """The kind of a problem document, after a look at the rest of it."""
    assert response.content_type == "application/problem+json"
    document = response.get_json()
    assert document["status"] == response.status_code
    assert document["title"]
    assert set(document) <= {"type", "title", "status", "retry_after_s", "fields", "attended_by"}
    found = document["type"]
    assert isinstance(found, str)
    return found.removeprefix(TYPE_PREFIX)


def url(number: int, rest: str = "") -> str:
    """The address of a visit."""
    return f"/api/v1/visits/{forms.to_text(handle(number))}{rest}"


# --- pairing and signing in ---


def test_a_code_pairs_once_and_gives_a_strict_cookie(tablet: FlaskClient, gateway: FakeGateway) -> None:
    """The cookie is Secure, HttpOnly, SameSite=Strict, for the whole host and no domain; the code is used up."""
    gateway.codes.add("CODE")
    answer = tablet.post("/api/v1/pairings", json={"code": "CODE", "label": "Shoes 2"})
    assert answer.status_code == 201
    assert answer.get_json() == {"id": "tablet-1", "store": "rose-street", "store_label": "Rose Street"}
    name, _, rest = answer.headers["Set-Cookie"].partition("=")
    assert name == "__Host-consentry-tablet"
    attributes = {part.strip().partition("=")[0] for part in rest.split(";")[1:]}
    assert {"Secure", "HttpOnly", "SameSite", "Path"} <= attributes
    assert "Domain" not in attributes
    assert "SameSite=Strict" in rest
    assert forms.secret_of(rest.split(";")[0]) in gateway.tablets
    again = tablet.post("/api/v1/pairings", json={"code": "CODE"})
    assert (again.status_code, kind(again)) == (403, "wrong")


def test_a_native_app_gets_a_bearer_token_instead(app: Flask, gateway: FakeGateway) -> None:
    """With `want_token` no cookie is set, and the tokens open the same doors."""
    gateway.codes.add("CODE")
    native = app.test_client(use_cookies=False)
    paired = native.post("/api/v1/pairings", json={"code": "CODE", "want_token": True})
    assert "Set-Cookie" not in paired.headers
    bearer = {"Authorization": f"Bearer {paired.get_json()['token']}"}
    entered = native.post(
        "/api/v1/sessions", json={"associate": "mara", "pin": "4711", "want_token": True}, headers=bearer
    )
    assert "Set-Cookie" not in entered.headers
    assert entered.get_json()["name"] == "Mara"
    bearer = {"Authorization": f"Bearer {entered.get_json()['token']}"}
    assert native.get("/api/v1/floor", headers=bearer).status_code == 200


def test_signing_in_and_out(app: Flask, gateway: FakeGateway) -> None:
    """Name and PIN open a session in this browser; signing out ends it at the gateway and forgets it here."""
    browser = app.test_client()
    browser.set_cookie("__Host-consentry-tablet", forms.to_text(gateway.pair()), secure=True)
    assert kind(browser.get("/api/v1/floor", base_url="https://localhost")) == "signed-out"
    answer = browser.post("/api/v1/sessions", json={"associate": "mara", "pin": "4711"}, base_url="https://localhost")
    assert answer.status_code == 201
    assert "token" not in answer.get_json()
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-consentry-session=")
    for attribute in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
        assert attribute in cookie
    assert "Max-Age" not in cookie
    shown = browser.get("/api/v1/sessions/current", base_url="https://localhost").get_json()
    assert (shown["associate"], shown["role"], shown["store_label"]) == ("mara", "associate", "Rose Street")
    left = browser.delete("/api/v1/sessions/current", base_url="https://localhost")
    assert left.status_code == 204
    assert gateway.sessions == {}
    assert kind(browser.get("/api/v1/floor", base_url="https://localhost")) == "signed-out"


def test_wrong_pins_are_not_told_from_wrong_names_and_are_slowed(app: Flask, gateway: FakeGateway) -> None:
    """A wrong PIN and an unknown name give the same bytes; after five it says when to come back."""
    bearer = {"Authorization": f"Bearer {forms.to_text(gateway.pair())}"}
    answers = [
        app.test_client().post("/api/v1/sessions", json={"associate": name, "pin": "0000"}, headers=bearer)
        for name in ("mara", "nobody", "mara", "nobody", "mara")
    ]
    assert {answer.get_data() for answer in answers} == {answers[0].get_data()}
    slowed = app.test_client().post("/api/v1/sessions", json={"associate": "mara", "pin": "4711"}, headers=bearer)
    assert (slowed.status_code, kind(slowed)) == (429, "throttled")
    assert slowed.headers["Retry-After"] == "30"


def test_an_unpaired_tablet_cannot_sign_in(tablet: FlaskClient, gateway: FakeGateway) -> None:
    """Without a tablet's secret nothing is even asked; with a forged one the gateway says no."""
    asked = {"associate": "mara", "pin": "4711"}
    assert kind(tablet.post("/api/v1/sessions", json=asked)) == "unpaired"
    assert gateway.asked == []
    forged = {"Authorization": f"Bearer {forms.to_text(bytes(32))}"}
    assert kind(tablet.post("/api/v1/sessions", json=asked, headers=forged)) == "unpaired"


@pytest.mark.parametrize(("method", "path", "body"), PROTECTED)
def test_every_call_needs_a_session(
    tablet: FlaskClient, gateway: FakeGateway, method: str, path: str, body: dict[str, object] | None
) -> None:
    """Without a secret, and with one that the gateway does not know, it is 401 with a problem document."""
    bare = tablet.open(path, method=method, json=body)
    assert (bare.status_code, kind(bare)) == (401, "unpaired")
    assert bare.headers["WWW-Authenticate"] == "Bearer"
    forged = tablet.open(
        path, method=method, json=body, headers={"Authorization": f"Bearer {forms.to_text(bytes(32))}"}
    )
    assert (forged.status_code, kind(forged)) == (401, "signed-out")


# --- the floor and its cards ---


def test_the_roster_is_what_the_gateway_gave(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """Order, signs and times come through; nothing that the schema does not name."""
    fill(gateway, visit(2, minutes=9), visit(1, helps=False))
    shown = signed_in.get("/api/v1/floor", base_url="https://localhost").get_json()
    assert [one["handle"] for one in shown["visits"]] == [forms.to_text(handle(2)), forms.to_text(handle(1))]
    assert shown["visits"][0] == {
        "handle": forms.to_text(handle(2)),
        "help": True,
        "waiting_since": forms.instant(gateway.now_ms - 540_000),
        "escalated": False,
        "sign_colour": "yellow",
        "sign_digits": "74",
        "zone": "kids",
        "zone_label": "Children’s wear",
        "arrived": forms.instant(gateway.now_ms - 720_000),
        "attended_by": None,
        "attended_by_me": False,
        "handed_over": None,
    }
    assert set(shown) == {"version", "as_of", "lease", "visits", "radios"}


def test_a_card_and_its_sections(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """Three facts, each with its reason; the lines of a section only where it is asked for."""
    fill(gateway, visit(1))
    shown = signed_in.get(url(1), base_url="https://localhost").get_json()
    assert [line["scope"] for line in shown["lead"]] == ["size.shoe", "fit.jacket", "language"]
    assert shown["lead"][0]["why"]["purpose_label"] == "help in the store"
    assert shown["sections"] == ["preferences", "wishlist"]
    assert (shown["section"], shown["lines"]) == (None, [])
    assert (shown["mode"], shown["help"]) == ("help", True)
    part = signed_in.get(url(1, "?section=wishlist"), base_url="https://localhost").get_json()
    assert part["section"] == "wishlist"
    assert [entry["returned"] for entry in part["lines"][0]["entries"]] == [False, True]
    asked = [one for one in gateway.asked if isinstance(one, query.AskCard)]
    assert [one.section for one in asked] == [None, Section.WISHLIST]
    gateway.put_card(dataclasses.replace(gateway.cards[handle(1)], mode=Mode.OPEN))
    assert signed_in.get(url(1), base_url="https://localhost").get_json()["mode"] == "open"


def test_two_cards_that_differ_in_what_is_hidden_are_equal(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """What the gateway withheld leaves no trace in the answer: equal cards are equal bytes, headers too."""
    fill(gateway, visit(1))
    first = signed_in.get(url(1), base_url="https://localhost")
    gateway.sections[(handle(1), Section.HISTORY)] = ()
    second = signed_in.get(url(1), base_url="https://localhost")
    assert first.get_data() == second.get_data()
    assert list(first.headers) == list(second.headers)


@pytest.mark.parametrize("path", [url(77), "/api/v1/visits/x", "/api/v1/visits/%00", f"/api/v1/visits/{'A' * 500}"])
@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [
        ("GET", "", None),
        ("GET", "?section=wishlist", None),
        ("POST", "/attendance", {"action": "attending"}),
        ("POST", "/withdrawals", {"scope": None}),
        ("POST", "/withdrawals", {"scope": "size.shoe"}),
    ],
)
def test_hidden_never_was_and_malformed_are_the_same_404(
    signed_in: FlaskClient, gateway: FakeGateway, path: str, method: str, rest: str, body: dict[str, object] | None
) -> None:
    """Nobody can tell a visit that may not be shown from one that never was, or from noise; each is asked alike."""
    gateway.show(visit(1))  # present, but has no card: the gateway withholds it
    hidden = signed_in.open(url(1) + rest, method=method, json=body, base_url="https://localhost")
    other = signed_in.open(path + rest, method=method, json=body, base_url="https://localhost")
    assert hidden.status_code == other.status_code == 404
    assert hidden.get_data() == other.get_data()
    assert list(hidden.headers) == list(other.headers)
    assert len(gateway.asked) == 2


def test_who_helps(app: Flask, signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """The first who says so helps; the second learns who was first; then the help is done."""
    fill(gateway, visit(1))
    other = {"Authorization": f"Bearer {forms.to_text(gateway.sign_in('tom'))}"}
    path = url(1, "/attendance")
    assert signed_in.post(path, json={"action": "attending"}, base_url="https://localhost").status_code == 204
    late = app.test_client().post(path, json={"action": "attending"}, headers=other)
    assert (late.status_code, kind(late)) == (409, "taken")
    assert late.get_json()["attended_by"] == "Mara"
    assert signed_in.post(path, json={"action": "done"}, base_url="https://localhost").status_code == 204
    actions = [one.action for one in gateway.asked if isinstance(one, query.Attend)]
    assert actions == [Action.ATTENDING, Action.ATTENDING, Action.DONE]


def test_withdrawing_one_scope_and_everything(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """One scope takes its line away; everything takes the card away."""
    fill(gateway, visit(1))
    path = url(1, "/withdrawals")
    assert signed_in.post(path, json={"scope": "size.shoe"}, base_url="https://localhost").status_code == 204
    shown = signed_in.get(url(1), base_url="https://localhost").get_json()
    assert [line["scope"] for line in shown["lead"]] == ["fit.jacket", "language"]
    assert signed_in.post(path, json={"scope": None}, base_url="https://localhost").status_code == 204
    assert signed_in.get(url(1), base_url="https://localhost").status_code == 404
    assert signed_in.get("/api/v1/floor", base_url="https://localhost").get_json()["visits"] == []


def test_forgetting_the_scope_withdraws_nothing(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """Everything is `null`, said aloud; an empty request is malformed."""
    fill(gateway, visit(1))
    answer = signed_in.post(url(1, "/withdrawals"), json={}, base_url="https://localhost")
    assert (answer.status_code, kind(answer)) == (422, "malformed")
    assert not [one for one in gateway.asked if isinstance(one, query.Withdraw)]


def test_the_tablet_says_what_it_shows(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """Versions are whole 64-bit numbers, as text."""
    for version in ("0", "7", str(2**64 - 1)):
        answer = signed_in.post("/api/v1/floor/acks", json={"version": version}, base_url="https://localhost")
        assert answer.status_code == 204
    assert gateway.acknowledged == [0, 7, 2**64 - 1]
    for wrong in (7, "-1", "1.0", "", str(2**64), "٣", None, ["1"]):
        answer = signed_in.post("/api/v1/floor/acks", json={"version": wrong}, base_url="https://localhost")
        assert kind(answer) == "malformed"


# --- the gateway's refusals and absence ---


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (RefusedReason.UNPAIRED, 401),
        (RefusedReason.SIGNED_OUT, 401),
        (RefusedReason.WRONG, 403),
        (RefusedReason.THROTTLED, 429),
        (RefusedReason.FORBIDDEN, 403),
        (RefusedReason.DARK, 503),
        (RefusedReason.BUSY, 503),
        (RefusedReason.MALFORMED, 422),
    ],
)
def test_every_refusal_has_its_problem(
    signed_in: FlaskClient, gateway: FakeGateway, reason: RefusedReason, status: int
) -> None:
    """Each reason of the gateway is one stable type, with when to come back where that helps."""
    gateway.refuse = reason
    answer = signed_in.get(url(1), base_url="https://localhost")
    assert (answer.status_code, kind(answer)) == (status, reason.value)
    waits = reason in (RefusedReason.THROTTLED, RefusedReason.BUSY)
    assert ("Retry-After" in answer.headers) == waits


def test_dark_is_an_answer_of_the_floor(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """A dark store shows nobody, and says why."""
    fill(gateway, visit(1))
    gateway.burn(DARK)
    shown = signed_in.get("/api/v1/floor", base_url="https://localhost").get_json()
    assert (shown["lease"]["light"], shown["lease"]["reason"], shown["visits"]) == ("dark", "no-word", [])


def test_without_the_gateway_the_floor_is_dark_and_recovers(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """`no-gateway` while it is away, every other call 503; afterwards all is as before, by itself."""
    fill(gateway, visit(1))
    gateway.stop()
    shown = signed_in.get("/api/v1/floor", base_url="https://localhost").get_json()
    assert (shown["lease"]["light"], shown["lease"]["reason"], shown["visits"]) == ("dark", "no-gateway", [])
    away = signed_in.get(url(1), base_url="https://localhost")
    assert (away.status_code, kind(away)) == (503, "no-gateway")
    assert signed_in.get("/readyz").status_code == 503
    assert signed_in.get("/healthz").status_code == 200
    gateway.start()
    assert len(signed_in.get("/api/v1/floor", base_url="https://localhost").get_json()["visits"]) == 1
    assert signed_in.get("/readyz").status_code == 200


def test_signing_out_without_the_gateway_forgets_the_session_here(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """The tablet is free of the session even if the gateway cannot be told."""
    gateway.stop()
    answer = signed_in.delete("/api/v1/sessions/current", base_url="https://localhost")
    assert (answer.status_code, kind(answer)) == (503, "no-gateway")
    assert kind(signed_in.get("/api/v1/floor", base_url="https://localhost")) == "signed-out"


# --- operation ---


def test_the_status_is_for_managers(app: Flask, signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """An associate is refused; a manager sees lease, tablets and counters."""
    refused = signed_in.get("/api/v1/status", base_url="https://localhost")
    assert (refused.status_code, kind(refused)) == (403, "forbidden")
    manager = {"Authorization": f"Bearer {forms.to_text(gateway.sign_in('tom'))}"}
    shown = app.test_client().get("/api/v1/status", headers=manager).get_json()
    assert shown["store"] == "rose-street"
    assert shown["counters"] == [{"name": "adverts_total", "label": "resolved", "value": 7}]
    assert shown["radios"] == []


ILL = Radio("shoes-1", "Shoes", ReceiverState.ILL, RadioReason.NO_BLUEZ, 70, 900, 33, 4, (
    Restarts(RadioReason.NO_BLUEZ, 12), Restarts(RadioReason.SILENT, 3),
))  # fmt: skip
NEVER = Radio('"door"', None, ReceiverState.NEVER_HEARD, None, None, None, None, None, ())


def test_the_status_lists_receivers_with_what_to_do(app: Flask, gateway: FakeGateway) -> None:
    """By zone, each with its state, the reason and the remedy; how many adverts may be members' is never told."""
    gateway.radios = (ILL, NEVER)
    manager = {"Authorization": f"Bearer {forms.to_text(gateway.sign_in('tom'))}"}
    first, second = app.test_client().get("/api/v1/status", headers=manager).get_json()["radios"]
    assert first == {
        "node": "shoes-1",
        "zone_label": "Shoes",
        "state": "ill",
        "reason": "no_bluez",
        "remedy": "Ask the operator to start Bluetooth on its box.",
        "silent_s": 70,
        "adverts": 900,
        "drops": 4,
        "restarts": [{"reason": "no_bluez", "count": 12}, {"reason": "silent", "count": 3}],
    }
    assert (second["zone_label"], second["state"], second["adverts"]) == (None, "never-heard", None)
    assert "name is right" in second["remedy"]


def test_the_figures_name_every_receiver(tablet: FlaskClient, gateway: FakeGateway) -> None:
    """Its state as a number and its counts; a name with quotation marks breaks nothing."""
    gateway.radios = (ILL, NEVER)
    lines = tablet.get("/metrics").get_data(as_text=True).splitlines()
    assert {line for line in lines if "radio" in line} == {
        'consentry_gateway_radio_state{kind="shoes-1"} 2',
        'consentry_gateway_radio_silent_seconds{kind="shoes-1"} 70',
        'consentry_gateway_radio_adverts_total{kind="shoes-1"} 900',
        'consentry_gateway_radio_drops_total{kind="shoes-1"} 4',
        'consentry_gateway_radio_restarts_total{kind="shoes-1/no_bluez"} 12',
        'consentry_gateway_radio_restarts_total{kind="shoes-1/silent"} 3',
        'consentry_gateway_radio_state{kind="\\"door\\""} 4',
    }


@pytest.mark.parametrize("reason", RadioReason)
def test_each_reason_has_its_remedy(reason: RadioReason) -> None:
    """For the manager on the tablet, and for the operator on the box."""
    assert texts.remedy(ReceiverState.ILL, reason)
    assert receiver_remedy(ReceiverState.ILL, reason)
    for state in (ReceiverState.AWAY, ReceiverState.NEVER_HEARD):
        assert texts.remedy(state, None)
        assert receiver_remedy(state, None)
    assert texts.remedy(ReceiverState.HEARING, None) is receiver_remedy(ReceiverState.HEARING, None) is None


def test_the_floor_tells_which_receivers_are_out(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """The zone's label, and whether anybody in it could be listed: no more."""
    gateway.fall_out(Outage("Shoes", False), Outage("Pharmacy", True))
    shown = signed_in.get("/api/v1/floor", base_url="https://localhost").get_json()
    assert shown["radios"] == [{"zone_label": "Shoes", "blind": False}, {"zone_label": "Pharmacy", "blind": True}]


def test_the_figures_are_for_loopback(tablet: FlaskClient) -> None:
    """Prometheus' text on the box itself; elsewhere there is nothing at that address."""
    shown = tablet.get("/metrics")
    assert 'consentry_gateway_adverts_total{kind="resolved"} 7' in shown.get_data(as_text=True).splitlines()
    assert shown.content_type.startswith("text/plain")
    for address in ("192.0.2.7", "::ffff:192.0.2.7", "nonsense", ""):
        assert tablet.get("/metrics", environ_overrides={"REMOTE_ADDR": address}).status_code == 404


# --- hostile requests ---


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost"},
        {"Origin": "https://localhost:444"},
    ],
)
def test_other_sites_change_nothing(signed_in: FlaskClient, gateway: FakeGateway, headers: dict[str, str]) -> None:
    """A POST or DELETE that another page sends is refused before the gateway is asked, cookies or not."""
    fill(gateway, visit(1))
    for method, path, body in PROTECTED:
        if method != "GET":
            answer = signed_in.open(path, method=method, json=body, headers=headers, base_url="https://localhost")
            assert (answer.status_code, kind(answer)) == (403, "cross-site")
    assert gateway.asked == []
    own = {"Sec-Fetch-Site": "same-origin", "Origin": "https://localhost"}
    answer = signed_in.post("/api/v1/floor/acks", json={"version": "1"}, headers=own, base_url="https://localhost")
    assert answer.status_code == 204


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/pairings", {"code": 7}),
        ("/api/v1/pairings", {"code": ""}),
        ("/api/v1/pairings", {"code": "x" * 65}),
        ("/api/v1/pairings", {"code": "é" * 40}),
        ("/api/v1/pairings", {"code": "\ud800"}),
        ("/api/v1/pairings", {"code": "x", "more": 1}),
        ("/api/v1/pairings", {"code": "x", "want_token": "yes"}),
        ("/api/v1/pairings", []),
        ("/api/v1/pairings", "CODE"),
        ("/api/v1/visits/x/attendance", {"action": "run"}),
        ("/api/v1/visits/x/withdrawals", {"scope": "Not A Scope"}),
        ("/api/v1/visits/x/withdrawals", {"scope": ""}),
    ],
)
def test_wrong_forms_are_refused_without_being_repeated(
    signed_in: FlaskClient, gateway: FakeGateway, path: str, body: object
) -> None:
    """422, naming at most a field of our own; nothing reaches the gateway."""
    answer = signed_in.post(path, json=body, base_url="https://localhost")
    assert (answer.status_code, kind(answer)) == (422, "malformed")
    assert set(answer.get_json().get("fields", [])) <= {"code", "want_token", "action", "scope"}
    assert gateway.asked == []


def test_what_is_no_json_is_refused(tablet: FlaskClient) -> None:
    """A form's body, broken JSON and bytes are problems, and never a crash."""
    for body, content_type, status in (
        (b"code=x", "application/x-www-form-urlencoded", 422),
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 20_000, "application/json", 400),
        (b'{"code": ' + b"9" * 5_000 + b"}", "application/json", 400),
        (b'{"code": "' + b"x" * 70_000 + b'"}', "application/json", 413),
    ):
        answer = tablet.post("/api/v1/pairings", data=body, content_type=content_type)
        kind(answer)
        assert answer.status_code == status


def test_what_is_not_offered(tablet: FlaskClient) -> None:
    """Unknown addresses and methods are problems too; nothing of the demo is there."""
    assert kind(tablet.get("/nothing")) == "not-found"
    assert kind(tablet.get("/demo/abc")) == "not-found"
    wrong = tablet.put("/api/v1/floor")
    assert kind(wrong) == "method-not-allowed"
    assert "GET" in wrong.headers["Allow"]
    assert tablet.post("/demo/links", json={}).status_code in (404, 405)


def test_every_answer_but_hashed_files_is_not_kept(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """`no-store` and a policy without inline code everywhere; files below a hash are kept for good."""
    fill(gateway, visit(1))
    for path in ("/", "/api/v1/floor", url(1), url(2), "/openapi.json", "/healthz", "/nothing", "/static/x/app.js"):
        answer = signed_in.get(path, base_url="https://localhost")
        assert answer.headers["Cache-Control"] == "no-store"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    page = signed_in.get("/").get_data(as_text=True)
    script = page.partition('src="')[2].partition('"')[0]
    kept = signed_in.get(script)
    assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert kept.content_type.startswith("text/javascript")
    missing = signed_in.get(script.replace("trusted.js", "none.js"))
    assert missing.status_code == 404
    assert missing.headers["Cache-Control"] == "no-store"


def test_the_page_has_no_inline_code_and_asks_nobody_else(tablet: FlaskClient) -> None:
    """No style or script stands in the page, no address of another host, and every text is there."""
    page = tablet.get("/").get_data(as_text=True)
    assert "style=" not in page
    assert "://" not in page
    assert "onclick" not in page
    for part in page.split("<script")[1:]:
        head, _, body = part.partition(">")
        assert 'type="application/json"' in head or not body.partition("</script>")[0].strip()


def test_a_reply_of_the_wrong_kind_is_the_gateways_fault(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """An answer that does not belong to the question shows nothing."""
    fill(gateway, visit(1))
    gateway.answer = lambda request: query.Accepted()  # type: ignore[method-assign]
    assert kind(signed_in.get(url(1), base_url="https://localhost")) == "no-gateway"
    gateway.answer = lambda request: card(dataclasses.replace(visit(1)))  # type: ignore[method-assign]
    answer = signed_in.post(url(1, "/withdrawals"), json={"scope": None}, base_url="https://localhost")
    assert kind(answer) == "no-gateway"
