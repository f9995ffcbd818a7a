"""Hostile tablets before real gateway and application: stolen cookies, forged codes, guessed handles, other pages."""

import re
import secrets
import statistics
import threading
import time
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from store_gateway.gateway import Asker, Checking
from tablet_api import app as application
from tablet_api import forms
from tablet_api.metrics import Metrics
from tests.world import PIN, World
from wire import query
from wire.member import Mode
from wire.token import Kind

ASKED = {"base_url": "https://localhost", "headers": {"Sec-Fetch-Site": "same-origin"}}
TABLET, SESSION = "__Host-consentry-tablet", "__Host-consentry-session"
CODE_S = 60.0


class Line:
    """The far end of the gateway's socket, without the socket."""

    failures = 0

    def __init__(self, world: World) -> None:
        self._world = world

    def ask(self, request: query.Request) -> query.Reply:
        """The real gateway's answer; a PIN's verdict comes at once."""
        reply = self._world.gateway.answer(request, Asker(False, None), self._world.now_s)
        if isinstance(reply, Checking):
            right = getattr(reply.check, "pin", None) == PIN and bool(getattr(reply.check, "verifier", ""))
            reply = self._world.gateway.pin_checked(reply.check, right, self._world.now_s)
        self._world.settle()
        return reply

    def watch(self, session: bytes) -> "Line":
        """Follows the floor no further than the first reply, which is all that these tests look at."""
        self._session = session
        return self

    def receive(self, _: float) -> query.Reply:
        """The first reply to a watch."""
        return self.ask(query.AskFloor(self._session))

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def world() -> World:
    """A live store with three members in it; one of them called for help."""
    made = World()
    for _ in range(3):
        person = made.joins(Mode.OPEN)
        made.walks(person, 8)
    made.hears(made.people[0], Kind.HELP)
    made.passes(2)
    return made


@pytest.fixture
def metrics() -> Metrics:
    """The counters of the application."""
    return Metrics()


@pytest.fixture
def app(world: World, metrics: Metrics) -> Flask:
    """The application of that store."""
    return application.create(
        Line(world),  # type: ignore[arg-type]
        version="0", clock=lambda: 0.0, stopping=threading.Event(), metrics=metrics,
    )  # fmt: skip


def code(world: World) -> str:
    """A new pairing code."""
    made = world.gateway.answer(query.MintPairing(), Asker(True, None), world.now_s)
    assert isinstance(made, query.PairingCode)
    return made.code


def post(browser: FlaskClient, path: str, body: object) -> TestResponse:
    """A call of the page itself."""
    return browser.post(path, json=body, **ASKED)


def get(browser: FlaskClient, path: str) -> TestResponse:
    """A call of the page itself."""
    return browser.get(path, **ASKED)


def paired(app: Flask, world: World) -> FlaskClient:
    """A tablet's browser."""
    browser = app.test_client()
    assert post(browser, "/api/v1/pairings", {"code": code(world), "label": "Till"}).status_code == 201
    return browser


@pytest.fixture
def tablet(app: Flask, world: World) -> FlaskClient:
    """A tablet's browser in which an advisor is signed in."""
    browser = paired(app, world)
    assert post(browser, "/api/v1/sessions", {"associate": "ada", "pin": PIN}).status_code == 201
    return browser


def cookie(browser: FlaskClient, name: str) -> str:
    """What a thief would take."""
    found = browser.get_cookie(name)
    assert found is not None
    return found.value


def plant(browser: FlaskClient, name: str, value: str) -> None:
    """The thief's browser has it now."""
    browser.set_cookie(name, value, secure=True)


def slug(answer: TestResponse) -> str:
    """The kind of a problem document."""
    return str(answer.get_json()["type"]).rpartition(":")[2]


def figure(world: World, name: str) -> int:
    """One of the gateway's counters, as `/metrics` shows them."""
    return sum(one.value for one in world.gateway.status(world.now_s, operator=False).counters if one.name == name)


CALLS: list[Callable[[FlaskClient, str], TestResponse]] = [
    lambda browser, _: get(browser, "/api/v1/floor"),
    lambda browser, _: get(browser, "/api/v1/floor/events"),
    lambda browser, _: get(browser, "/api/v1/sessions/current"),
    lambda browser, _: get(browser, "/api/v1/status"),
    lambda browser, _: post(browser, "/api/v1/floor/acks", {"version": "1"}),
    lambda browser, handle: get(browser, f"/api/v1/visits/{handle}"),
    lambda browser, handle: post(browser, f"/api/v1/visits/{handle}/attendance", {"action": "attending"}),
    lambda browser, handle: post(browser, f"/api/v1/visits/{handle}/withdrawals", {"scope": None}),
    lambda browser, handle: post(browser, f"/api/v1/visits/{handle}/introduction", {}),
]


def first_handle(tablet: FlaskClient) -> str:
    """A visit that is on the floor."""
    return str(get(tablet, "/api/v1/floor").get_json()["visits"][0]["handle"])


def test_a_session_stolen_from_a_tablet_is_worth_nothing_on_another(
    app: Flask, world: World, tablet: FlaskClient, metrics: Metrics
) -> None:
    """Every call is refused beside another tablet's cookie, beside none, and as a bearer token; thefts are counted."""
    handle, stolen = first_handle(tablet), cookie(tablet, SESSION)
    other, nobody, native = paired(app, world), app.test_client(), app.test_client()
    for thief in (other, nobody):
        plant(thief, SESSION, stolen)
    before, shown = figure(world, "sessions_stolen_total"), len(world.disclosures())
    for call in CALLS:
        assert call(other, handle).status_code == 401
        assert call(nobody, handle).status_code == 401
    bearer = {"Authorization": f"Bearer {stolen}"}
    assert native.get("/api/v1/floor", base_url="https://localhost", headers=bearer).status_code == 401
    assert figure(world, "sessions_stolen_total") == before + len(CALLS)
    assert len(world.disclosures()) == shown
    assert 'consentry_requests_refused{kind="signed-out"}' in metrics.text()
    assert get(tablet, "/api/v1/floor").status_code == 200  # the tablet that it was taken from goes on


def test_a_stolen_tablets_cookie_shows_nothing_without_a_pin(app: Flask, world: World, tablet: FlaskClient) -> None:
    """Nothing is answered but the sign-in, where wrong PINs are throttled; once unpaired, not even that."""
    handle, thief = first_handle(tablet), app.test_client()
    plant(thief, TABLET, cookie(tablet, TABLET))
    for call in CALLS:
        answer = call(thief, handle)
        assert (answer.status_code, slug(answer)) == (401, "signed-out")
    tries = [post(thief, "/api/v1/sessions", {"associate": "bo", "pin": f"{number:04d}"}) for number in range(8)]
    assert {slug(one) for one in tries} == {"wrong", "throttled"}
    assert slug(tries[-1]) == "throttled"
    assert int(tries[-1].headers["Retry-After"]) > 0
    (lost,) = world.replica.tablets()
    manager = paired(app, world)
    assert post(manager, "/api/v1/sessions", {"associate": "max", "pin": PIN}).status_code == 201
    assert manager.delete(f"/api/v1/tablets/{lost.id}", **ASKED).status_code == 204
    answer = post(thief, "/api/v1/sessions", {"associate": "ada", "pin": PIN})
    assert (answer.status_code, slug(answer)) == (401, "unpaired")
    assert get(tablet, "/api/v1/floor").status_code == 401


def test_both_cookies_of_a_tablet_end_with_its_session(app: Flask, world: World, tablet: FlaskClient) -> None:
    """Who takes both has that session until it ends: by sign-out on the tablet, by idling, by the next sign-in."""
    thief = app.test_client()

    def steal() -> None:
        for name in (TABLET, SESSION):
            plant(thief, name, cookie(tablet, name))

    steal()
    assert get(thief, "/api/v1/floor").status_code == 200
    assert tablet.delete("/api/v1/sessions/current", **ASKED).status_code == 204
    assert get(thief, "/api/v1/floor").status_code == 401
    assert post(tablet, "/api/v1/sessions", {"associate": "ada", "pin": PIN}).status_code == 201
    steal()
    assert post(tablet, "/api/v1/sessions", {"associate": "ada", "pin": PIN}).status_code == 201
    assert get(thief, "/api/v1/floor").status_code == 401
    steal()
    world.passes(301)
    assert get(thief, "/api/v1/floor").status_code == 401


def test_forged_expired_and_replayed_codes_pair_nothing(app: Flask, world: World, metrics: Metrics) -> None:
    """Each is told that it is wrong and no more; many are throttled, and a right code pairs also then."""
    used, expired = code(world), code(world)
    assert post(app.test_client(), "/api/v1/pairings", {"code": used, "label": "a"}).status_code == 201
    world.passes(CODE_S + 1)
    right = code(world)
    forged = [
        used,
        expired,
        "A" * 26,
        right[:-1],
        right + "A",
        right.translate(str.maketrans({right[0]: "A" if right[0] != "A" else "B"})),
        "ｏ" * 8,
    ]
    for wrong in forged:
        browser = app.test_client()
        answer = post(browser, "/api/v1/pairings", {"code": wrong, "label": "b"})
        assert (answer.status_code, slug(answer)) in ((403, "wrong"), (429, "throttled"))
        assert browser.get_cookie(TABLET) is None
    for _ in range(10):
        answer = post(app.test_client(), "/api/v1/pairings", {"code": "A" * 26, "label": "b"})
    assert slug(answer) == "throttled"
    assert 'consentry_requests_refused{kind="wrong"}' in metrics.text()
    assert 'consentry_requests_refused{kind="throttled"}' in metrics.text()
    assert post(app.test_client(), "/api/v1/pairings", {"code": right, "label": "c"}).status_code == 201
    assert len(world.replica.tablets()) == 2


def test_one_code_pairs_one_tablet_however_many_try_at_once(app: Flask, world: World) -> None:
    """Of twenty browsers with the same code in the same moment one is paired."""
    same, found = code(world), []
    begin, lock = threading.Barrier(20), threading.Lock()
    line = app.extensions["consentry"].gateway
    asking = line.ask

    def one_at_a_time(request: query.Request) -> query.Reply:  # as the state thread answers
        with lock:
            return asking(request)

    line.ask = one_at_a_time

    def pair() -> None:
        browser = app.test_client()
        begin.wait()
        found.append(post(browser, "/api/v1/pairings", {"code": same, "label": "x"}).status_code)

    threads = [threading.Thread(target=pair) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found)[0] == 201
    assert found.count(201) == 1
    assert len(world.replica.tablets()) == 1


def withheld(world: World, tablet: FlaskClient) -> dict[str, str]:
    """Handles that this role may not see, each for a reason of its own, and one that never was."""
    gone = str(get(tablet, "/api/v1/floor").get_json()["visits"][-1]["handle"])
    person = next(
        one
        for one in world.people
        if forms.to_text(world.gateway._presence.visit(one.pseudonym).handle) == gone  # type: ignore[union-attr]
    )
    hidden = world.people[1] if world.people[1] is not person else world.people[2]
    visit = world.gateway._presence.visit(hidden.pseudonym)
    assert visit is not None
    world.changes(person, mode=Mode.QUIET)
    world.changes(hidden, statements=tuple(one for one in hidden.member.statements if one.purpose == "presence"))
    return {
        "withdrew": gone,
        "never was": forms.to_text(secrets.token_bytes(16)),
        "no handle": "0",
        "longer": "A" * 200,
        "another form": gone[:-1] + ("A" if gone[-1] != "A" else "Q"),
    }


def test_guessed_handles_are_answered_byte_by_byte_alike(world: World, tablet: FlaskClient) -> None:
    """By every call: a visit that may not be shown, one that was, one that never was, and what is no handle at all."""
    handles = withheld(world, tablet)
    for call in CALLS[5:]:
        answers = {
            (answer.status_code, answer.data, tuple(answer.headers))
            for answer in (call(tablet, handle) for handle in handles.values())
        }
        assert len(answers) == 1
        ((status, body, _),) = answers
        assert status == 404
        assert not re.search(rb"handle|visit|member", body)


@pytest.mark.long
def test_guessed_handles_take_the_same_time(world: World, tablet: FlaskClient) -> None:
    """The medians of 2,000 looks at a visit that withdrew and at one that never was lie within 5 % of each other."""
    handles = withheld(world, tablet)
    taken: dict[str, list[int]] = {"withdrew": [], "never was": []}
    for _ in range(2_000):
        for name, found in taken.items():
            began = time.perf_counter_ns()
            get(tablet, f"/api/v1/visits/{handles[name]}")
            found.append(time.perf_counter_ns() - began)
    first, second = (statistics.median(found) for found in taken.values())
    assert abs(first - second) / first < 0.05


OTHERS = [
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},  # the next store's box is the same site
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Origin": "https://elsewhere"},
    {"Origin": "https://elsewhere"},
    {"Origin": "null"},
    {"Origin": "http://localhost"},
]


@pytest.mark.parametrize("headers", OTHERS)
def test_requests_of_other_pages_change_nothing(
    world: World, tablet: FlaskClient, metrics: Metrics, headers: dict[str, str]
) -> None:
    """Even with the cookies, which a browser would not send: refused and counted; nothing was recorded or done."""
    handle = first_handle(tablet)
    events = len(world.replica.events)
    for path, body in (
        (f"/api/v1/visits/{handle}/withdrawals", {"scope": None}),
        (f"/api/v1/visits/{handle}/attendance", {"action": "attending"}),
        ("/api/v1/sessions", {"associate": "ada", "pin": PIN}),
        ("/api/v1/pairings", {"code": "A" * 26, "label": "x"}),
        ("/sign-out", {}),
    ):
        for kind in ({"json": body}, {"data": "{}", "content_type": "text/plain"}, {"data": {"scope": ""}}):
            answer = tablet.post(path, base_url="https://localhost", headers=headers, **kind)
            assert answer.status_code == 403
            assert "Access-Control-Allow-Origin" not in answer.headers
    assert len(world.replica.events) == events
    assert 'consentry_requests_refused{kind="cross-site"}' in metrics.text()


def test_what_other_pages_read_is_refused_and_links_are_followed(world: World, tablet: FlaskClient) -> None:
    """A frame, an image, a script, a fetch or an event source of another page gets 403; a link opens the page."""
    for site in ("cross-site", "same-site"):
        for mode in ("cors", "no-cors", "websocket"):
            for path in ("/api/v1/floor", "/api/v1/floor/events", f"/api/v1/visits/{first_handle(tablet)}", "/"):
                headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode}
                assert tablet.get(path, base_url="https://localhost", headers=headers).status_code == 403
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}
        assert tablet.get("/", base_url="https://localhost", headers=headers).status_code == 200
