"""What holds for every page and call of HQ's web: who may ask, what each answer says, what is logged."""

import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import request
from flask.testing import FlaskClient
from sqlalchemy import event

from hq.web import asking, service
from hq.web.app import MOST_BODY_BYTES
from runtime import web_server
from runtime.web_server import Server
from tests.hq.web.conftest import Counted
from tests.hq.web.place import Place

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


def rules(place: Place, *methods: str) -> Iterator[tuple[str, str]]:
    """Each method and path of the application, with something in the place of its arguments."""
    for rule in place.app.url_map.iter_rules():
        path = rule.rule
        for name in rule.arguments:
            path = path.replace(f"<{name}>", "x").replace(f"<path:{name}>", "x")
        for method in sorted((rule.methods or set()) & set(methods)):
            if "<" not in path:
                yield method, path


def test_another_site_changes_nothing(place: Place) -> None:
    """Whatever is not read is refused from another site's page, with Ada's cookie or without, by both of its signs."""
    tried = list(rules(place, *UNSAFE))
    assert len(tried) > 10
    browser = place.app.test_client()
    browser.set_cookie("__Host-consentry-session", place.session("ada"), secure=True)
    for signs in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://e.example"}):
        for method, path in tried:
            assert browser.open(path, method=method, headers=signs).status_code == 403, (method, path)
    embedded = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    assert browser.get("/sessions", headers=embedded).status_code == 403
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert browser.get("/sessions", headers=followed).status_code == 200


def test_a_path_with_nul_is_nothing_before_any_question_to_the_database(place: Place) -> None:
    """PostgreSQL takes no such text, so that anybody could make it fail; the page that says so does not repeat it."""
    browser, asked = place.signed_in(), []
    listener = lambda *given: asked.append(given[2])  # noqa: E731
    event.listen(place.hq.engine, "before_cursor_execute", listener)
    try:
        for path in ("/leave/%00", "/privacy/%00/x", "/centre/stores/add/%00", "/erasure/%00", "/api/v1/erasures/%00"):
            answer = browser.get(path)
            assert answer.status_code == 404 and "\0" not in answer.text, path
    finally:
        event.remove(place.hq.engine, "before_cursor_execute", listener)
    assert asked == []


def test_every_answer_is_kept_by_nobody_and_runs_nothing_foreign(place: Place, client: FlaskClient) -> None:
    """no-store, no frame, no script but ours, no value into a sink; whether it is a page, a call or a refusal."""
    for path in ("/sign-in", "/sessions", "/nowhere", "/api/v1/me/sessions", "/openapi.json", "/api/v1/nowhere"):
        headers = client.get(path).headers
        assert headers["Cache-Control"] == "no-store", path
        policy = headers["Content-Security-Policy"]
        for part in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for"):
            assert part in policy
        assert "unsafe" not in policy
        assert headers["Strict-Transport-Security"].startswith("max-age=")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
    page = client.get("/sign-in").get_data(as_text=True)
    assert "<style" not in page
    assert " style=" not in page
    assert " onclick=" not in page


def test_a_page_by_another_name_is_refused(place: Place) -> None:
    """A name that somebody made point here is not ours (DNS rebinding); behind a proxy it is the proxy's to say."""
    client = place.client()
    assert client.get("/sign-in", headers={"Host": "evil.example"}).status_code == 421
    assert client.get("/sign-in", headers={"Host": f"localhost:{place.port}"}).status_code == 200


def test_what_is_missing_is_told_in_the_callers_form(client: FlaskClient) -> None:
    """A person gets a page, a program a problem document with a stable type, and neither a value of its own back."""
    page = client.get("/<script>alert(1)</script>", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert b"alert(1)" not in page.data
    document = client.get("/api/v1/secret-name")
    assert document.content_type == "application/problem+json"
    assert document.json == {
        "type": "urn:consentry:problem:not-found", "title": "There is nothing to show here.",
        "status": 404, "code": "not-found",
    }  # fmt: skip
    assert client.post("/sign-in").status_code in (404, 422)
    method = client.put("/api/v1/tokens", json={})
    assert (method.status_code, method.headers["Allow"]) == (405, "OPTIONS, POST")


def test_a_body_is_bounded_by_what_its_call_may_need(client: FlaskClient) -> None:
    """64 kB where a few fields are sent, whatever the server itself would read."""
    body = json.dumps({"code": "x" * 70_000})
    assert client.post("/api/v1/tokens", data=body, content_type="application/json").status_code == 413
    assert client.post("/sign-in", data={"address": "x" * 70_000}).status_code == 413


@pytest.mark.parametrize(
    "body", [b"{", b"[" * 20_000, b'{"code": ' + b"9" * 6_000 + b"}", b"\xff\xfe", b"null", b'{"code": "x", "more": 1}']
)
def test_a_body_that_is_none_is_refused(client: FlaskClient, body: bytes) -> None:
    """Neither a parser's limit nor a field too many makes an error of ours; no value comes back."""
    answer = client.post("/api/v1/tokens", data=body, content_type="application/json")
    assert answer.status_code in (400, 422)
    assert answer.content_type == "application/problem+json"
    assert set(answer.json.get("fields", ())) <= {"code", "code_verifier", "redirect_uri"}


def test_the_log_names_nobody(place: Place, signed_in: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    """A line a request: method, call, status and how long; no path, no query, no address, no member."""
    caplog.set_level(logging.INFO)
    token = place.link("ada").rpartition("/")[2]
    signed_in.get(f"/sign-in/link/{token}?q=secret-q", environ_base={"REMOTE_ADDR": "192.0.2.77"})
    signed_in.delete("/api/v1/me/sessions/secret-handle")
    said = caplog.text
    assert 'call="/sign-in/link/<token>"' in said
    assert 'call="/api/v1/me/sessions/<session>"' in said
    for secret in (token, "secret-q", "192.0.2.77", "secret-handle", "ada"):
        assert secret not in said


def test_the_document_describes_the_calls(client: FlaskClient) -> None:
    """OpenAPI 3.1, at either address, and every call that needs a secret says which."""
    told = client.get("/openapi.json").json
    assert told == client.get("/api/v1/openapi.json").json
    assert told["openapi"] == "3.1.0"
    assert "/api/v1/tokens" in told["paths"]
    for path, calls in told["paths"].items():
        if path.startswith("/api/v1/me/"):
            for method, call in calls.items():
                if method != "parameters":
                    assert {name for one in call["security"] for name in one} == {"session", "bearer"}, path


def test_a_callers_address_is_the_proxys_word_only_where_one_is_named(place: Place) -> None:
    """Without proxies a made-up header changes no limit; with one the address that it saw is counted."""
    seen: list[str] = []
    for hops in (0, 1):
        behind = place.another(proxy_hops=hops)
        behind.before_request(lambda: seen.append(str(request.remote_addr)))
        behind.test_client().get("/healthz", headers={"X-Forwarded-For": "198.51.100.1, 192.0.2.9"})
    assert seen == ["127.0.0.1", "192.0.2.9"]


def test_addresses_of_ipv4_are_told_apart_however_a_proxy_writes_them(place: Place) -> None:
    """One in the form of IPv6 counts as itself, and not with all others of IPv4; of IPv6 a whole /64 is one."""

    def peer(address: str) -> bytes:
        with place.app.test_request_context(environ_base={"REMOTE_ADDR": address}):
            return asking.peer()

    assert peer("::ffff:192.0.2.1") == peer("192.0.2.1") != peer("::ffff:192.0.2.2")
    assert peer("2001:db8::1") == peer("2001:db8::2") != peer("2001:db8:0:1::1")


def test_served_over_tls_it_bounds_what_it_reads(place: Place, web_certificate: tuple[Path, Path]) -> None:
    """A header or a body beyond the bounds is refused in one line, and the server goes on."""
    context = web_server.tls(*web_certificate)
    server = Server(
        place.app, ("127.0.0.1", 0), context, time.monotonic, Counted(), service.told, most_body_bytes=MOST_BODY_BYTES
    )
    thread = threading.Thread(target=server.run, args=(lambda: None,), daemon=True)
    thread.start()

    def answer(request: bytes) -> bytes:
        trusting = ssl.create_default_context(cafile=str(web_certificate[0]))
        with (
            socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain,
            trusting.wrap_socket(plain, server_hostname="localhost") as line,
        ):
            line.sendall(request)
            return line.recv(65_536)

    host = f"Host: localhost:{place.port}\r\n".encode()
    try:
        assert b" 413 " in answer(b"GET / HTTP/1.1\r\n" + host + b"X: " + b"a" * 20_000 + b"\r\n\r\n").split(b"\r\n")[0]
        large = (
            b"POST /api/v1/tokens HTTP/1.1\r\n" + host + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        )
        assert b" 413 " in answer(large % (MOST_BODY_BYTES + 1)).split(b"\r\n")[0]
        assert b" 200 " in answer(b"GET /healthz HTTP/1.1\r\n" + host + b"\r\n").split(b"\r\n")[0]
    finally:
        server.stop()
        thread.join(10)


def test_no_state_is_kept_in_a_program(place: Place) -> None:
    """A second program on the same database knows the first one's sign-ins, and lets a link be used but once."""
    other = place.another()
    path = place.link("ada", "/sessions")
    token = {"token": path.rpartition("/")[2]}
    first, second = place.app.test_client(), other.test_client()
    assert first.post("/sign-in/link", data=token).status_code == 303
    assert second.post("/sign-in/link", data=token).status_code == 410
    cookie = first.get_cookie("__Host-consentry-session")
    assert cookie is not None
    second.set_cookie("__Host-consentry-session", cookie.value, secure=True)
    assert second.get("/sessions").status_code == 200
