"""The demo's way in, and that it is there in the demo only."""

import pytest
from flask import Flask

from tablet_api import forms
from tests.fakes.gateway import FakeGateway


def enter(app: Flask, gateway: FakeGateway) -> str:
    """Pairs and signs in as the demo does; the link."""
    gateway.codes.add("CODE")
    demo = app.test_client(use_cookies=False)
    tablet = demo.post("/api/v1/pairings", json={"code": "CODE", "want_token": True}).get_json()["token"]
    signed_in = demo.post(
        "/api/v1/sessions",
        json={"associate": "mara", "pin": "4711"},
        headers={"Authorization": f"Bearer {tablet}"},
    )
    session = signed_in.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    answer = demo.post("/demo/links", json={"tablet": tablet, "session": session})
    assert answer.status_code == 201
    link = answer.get_json()["link"]
    assert isinstance(link, str)
    return link


def test_the_link_signs_a_browser_in(demo_app: Flask, gateway: FakeGateway) -> None:
    """One address to open: it sets both cookies, plain ones, and goes on to the page."""
    link = enter(demo_app, gateway)
    browser = demo_app.test_client()
    answer = browser.get(link)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    cookies = answer.headers.getlist("Set-Cookie")
    assert len(cookies) == 2
    assert all("HttpOnly" in one and "SameSite=Strict" in one and "Secure" not in one for one in cookies)
    assert browser.get("/api/v1/sessions/current").get_json()["name"] == "Mara"


def test_the_page_signs_itself_in(demo_app: Flask, gateway: FakeGateway) -> None:
    """Opening `/` is enough; a newer session replaces the cookies of an older one, an equal one sets none."""
    browser = demo_app.test_client()
    assert "Set-Cookie" not in browser.get("/").headers
    link = enter(demo_app, gateway)
    assert "Set-Cookie" in browser.get("/").headers
    assert browser.get("/api/v1/floor").status_code == 200
    assert "Set-Cookie" not in browser.get("/").headers
    gateway.sessions.clear()
    assert enter(demo_app, gateway) == link, "the link that was printed stays good"
    browser.get("/")
    assert browser.get("/api/v1/floor").status_code == 200


@pytest.mark.parametrize("body", [None, [], {}, {"tablet": "x", "session": "y"}, {"tablet": 1, "session": 2}])
def test_noise_makes_no_link(demo_app: Flask, body: object) -> None:
    """Only two secrets make a link; a wrong token opens nothing."""
    assert demo_app.test_client().post("/demo/links", json=body).status_code == 422
    assert demo_app.test_client().get("/demo/wrong").status_code == 404
    assert demo_app.test_client().get("/demo/").status_code == 404


def test_no_other_name_reaches_the_demo(demo_app: Flask, gateway: FakeGateway) -> None:
    """A web page that points a name of its own at loopback is refused, on every address."""
    link = enter(demo_app, gateway)
    for host in ("evil.example", "localhost.evil.example:8080", "127.0.0.1.evil.example", "[::2]", "user@evil"):
        for path in ("/", link, "/api/v1/floor"):
            assert demo_app.test_client().get(path, headers={"Host": host}).status_code in (400, 403)
    for host in ("localhost:8080", "127.0.0.1:8080", "[::1]:8080", "localhost"):
        assert demo_app.test_client().get("/", headers={"Host": host}).status_code == 303


def test_another_site_makes_no_link(demo_app: Flask) -> None:
    """A page elsewhere cannot sign this browser in as somebody."""
    secret = forms.to_text(bytes(32))
    answer = demo_app.test_client().post(
        "/demo/links", json={"tablet": secret, "session": secret}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
