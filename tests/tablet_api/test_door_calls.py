"""Locking, PINs by code and a manager's calls, asked as a browser asks them; who may call what."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tablet_api import forms
from tests.fakes import doors
from tests.fakes.gateway import FakeGateway
from tests.tablet_api.test_calls import kind
from wire import query

BASE = "https://localhost"
TABLET = "/api/v1/tablets/tablet-00000001"
Call = tuple[str, str, dict[str, object] | None]
SIGNED_IN: list[Call] = [
    ("GET", "/api/v1/sessions/current", None),
    ("GET", "/api/v1/floor", None),
    ("POST", "/api/v1/floor/acks", {"version": "1"}),
    ("GET", "/api/v1/visits/x", None),
    ("POST", "/api/v1/visits/x/attendance", {"action": "done"}),
    ("POST", "/api/v1/visits/x/withdrawals", {"scope": None}),
    ("POST", "/api/v1/sessions/current/lock", None),
]
MANAGERS: list[Call] = [
    ("GET", "/api/v1/status", None),
    ("POST", "/api/v1/pairing-codes", None),
    ("GET", "/api/v1/tablets", None),
    ("DELETE", TABLET, None),
    ("GET", "/api/v1/staff", None),
    ("POST", "/api/v1/pin-codes", {"associate": "mara"}),
]


def browser(app: Flask, gateway: FakeGateway, role: str) -> FlaskClient:
    """A paired browser in which somebody of this role is signed in."""
    gateway.associates["ann"] = ("Ann", role, "4713")
    found = app.test_client()
    for name, secret in (("tablet", gateway.pair()), ("session", gateway.sign_in("ann"))):
        found.set_cookie(f"__Host-consentry-{name}", forms.to_text(secret), secure=True)
    return found


@pytest.mark.parametrize("role", ["associate", "manager", "privacy", "stock"])
@pytest.mark.parametrize(("method", "path", "body"), [*SIGNED_IN, *MANAGERS])
def test_each_call_is_for_whom_the_table_says(
    app: Flask, gateway: FakeGateway, role: str, method: str, path: str, body: dict[str, object] | None
) -> None:
    """A manager's calls are 403 for every other role; what anybody signed in may call is that for none."""
    gateway.tablet_lines = (doors.line(1, "Shoes 2"),)
    answer = browser(app, gateway, role).open(path, method=method, json=body, base_url=BASE)
    forbidden = (method, path, body) in MANAGERS and role != "manager"
    assert (answer.status_code == 403) is forbidden
    if forbidden:
        assert kind(answer) == "forbidden"


@pytest.mark.parametrize(("method", "path", "body"), [*SIGNED_IN, *MANAGERS, ("GET", "/api/v1/floor/events", None)])
def test_a_locked_session_gets_401_locked(
    app: Flask, gateway: FakeGateway, method: str, path: str, body: dict[str, object] | None
) -> None:
    """A type of its own, so that a page can ask for the PIN alone; for managers too."""
    found = browser(app, gateway, "manager")
    gateway.lock()
    answer = found.open(path, method=method, json=body, base_url=BASE)
    assert (answer.status_code, kind(answer)) == (401, "locked")


def test_the_pin_opens_the_same_session_again(app: Flask, gateway: FakeGateway) -> None:
    """No new cookie is set; a wrong PIN says no more than that."""
    found = browser(app, gateway, "associate")
    assert found.post("/api/v1/sessions/current/lock", base_url=BASE).status_code == 204
    whose = found.get("/api/v1/sessions/current/lock", base_url=BASE).get_json()
    assert whose == {"associate": "ann", "name": "Ann", "store_label": "Rose Street"}
    wrong = found.post("/api/v1/sessions/current/unlock", json={"pin": "0000"}, base_url=BASE)
    assert (wrong.status_code, kind(wrong)) == (403, "wrong")
    opened = found.post("/api/v1/sessions/current/unlock", json={"pin": "4713"}, base_url=BASE)
    assert (opened.status_code, opened.get_json()["name"]) == (200, "Ann")
    assert "Set-Cookie" not in opened.headers
    assert found.get("/api/v1/floor", base_url=BASE).status_code == 200


def test_a_session_is_worth_nothing_on_another_tablet(app: Flask, gateway: FakeGateway) -> None:
    """Its cookie beside another tablet's, alone, or as a token: signed out, or not paired."""
    session = gateway.sign_in()
    thief = app.test_client()
    thief.set_cookie("__Host-consentry-session", forms.to_text(session), secure=True)
    assert kind(thief.get("/api/v1/floor", base_url=BASE)) == "unpaired"
    thief.set_cookie("__Host-consentry-tablet", forms.to_text(bytes(32)), secure=True)
    assert kind(thief.get("/api/v1/floor", base_url=BASE)) == "signed-out"
    asked = gateway.asked[-1]
    assert isinstance(asked, query.AskFloor) and asked.session == query.bound(bytes(32), session)


def test_a_manager_makes_a_pairing_code_with_its_link(app: Flask, gateway: FakeGateway) -> None:
    """The code stands behind '#', by the name that the manager's tablet uses; it pairs."""
    found = browser(app, gateway, "manager")
    shown = found.post("/api/v1/pairing-codes", base_url="https://localhost:8443").get_json()
    assert shown == {
        "code": shown["code"], "for_s": 60, "link": f"https://localhost:8443/#pair={shown['code']}",
    }  # fmt: skip
    assert app.test_client().post("/api/v1/pairings", json={"code": shown["code"]}).status_code == 201


def test_a_manager_lists_tablets_and_unpairs_one(app: Flask, gateway: FakeGateway) -> None:
    """Label, times, browser by name, who is signed in; what is gone or never was is 404."""
    gateway.tablet_lines = (doors.line(2, "Shoes 2", "Mara", locked=True), doors.line(1, ""))
    found = browser(app, gateway, "manager")
    listed = found.get("/api/v1/tablets", base_url=BASE).get_json()["tablets"]
    assert listed[0] == {
        "id": "tablet-00000002", "label": "Shoes 2", "browser": "Chrome 128", "paired": "2026-08-31T10:40:00.000Z",
        "seen": "2026-09-10T00:10:00.000Z", "associate": "Mara", "locked": True, "own": False,
    }  # fmt: skip
    assert (listed[1]["seen"], listed[1]["associate"]) == (None, None)
    assert found.delete(TABLET, base_url=BASE).status_code == 204
    for gone in (TABLET, "/api/v1/tablets/nobodys", f"/api/v1/tablets/{'x' * 65}"):
        assert kind(found.delete(gone, base_url=BASE)) == "not-found"


def test_an_associate_sets_a_pin_by_a_managers_code(app: Flask, gateway: FakeGateway) -> None:
    """The manager gets a code and nothing of a PIN; the associate types it, with spaces or not; it works once."""
    manager = browser(app, gateway, "manager")
    staff = manager.get("/api/v1/staff", base_url=BASE).get_json()["staff"]
    assert {"associate": "mara", "name": "Mara", "role": "associate", "has_pin": True} in staff
    made = manager.post("/api/v1/pin-codes", json={"associate": "mara"}, base_url=BASE)
    assert (made.status_code, made.get_json()) == (
        201, {"code": doors.PIN_CODE, "associate": "mara", "name": "Mara", "for_s": 600},
    )  # fmt: skip
    assert kind(manager.post("/api/v1/pin-codes", json={"associate": "ghost"}, base_url=BASE)) == "not-found"
    bearer = {"Authorization": f"Bearer {forms.to_text(gateway.pair())}"}
    tablet = app.test_client(use_cookies=False)
    asked = {"associate": "mara", "code": "4821 3907", "pin": "1234"}
    weak = tablet.post("/api/v1/pins", json=asked, headers=bearer)
    assert (weak.status_code, kind(weak)) == (422, "weak-pin")
    assert tablet.post("/api/v1/pins", json=asked | {"pin": "8254"}, headers=bearer).status_code == 204
    assert kind(tablet.post("/api/v1/pins", json=asked | {"pin": "8254"}, headers=bearer)) == "wrong"
    assert kind(tablet.post("/api/v1/pins", json=asked | {"pin": "8254"})) == "unpaired"
    entered = tablet.post("/api/v1/sessions", json={"associate": "mara", "pin": "8254"}, headers=bearer)
    assert entered.status_code == 201


def test_the_browser_is_told_at_pairing_sign_in_and_unlock(app: Flask, gateway: FakeGateway) -> None:
    """What the tablet says of itself, cut to 200 bytes; one that is too old gets a type of its own."""
    found = browser(app, gateway, "associate")
    agent = {"User-Agent": "Mozilla/5.0 Firefox/121.0" + "é" * 300}
    asked = {"associate": "ann", "pin": "4713"}
    found.post("/api/v1/sessions", json=asked, base_url=BASE, headers=agent)
    found.post("/api/v1/sessions/current/unlock", json={"pin": "4713"}, base_url=BASE, headers=agent)
    said = [one.browser for one in gateway.asked if isinstance(one, query.SignIn | query.Unlock)]
    assert len(said) == 2 and said[0] == said[1]
    assert said[0] is not None and said[0].startswith("Mozilla") and 190 < len(said[0].encode()) <= 200
    gateway.refuse = query.RefusedReason.OUTDATED
    answer = found.get("/api/v1/floor", base_url=BASE)
    assert (answer.status_code, kind(answer)) == (403, "browser-too-old")
