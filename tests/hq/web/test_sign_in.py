"""Signing in: links by e-mail through a real mail server, sessions and what ends them, limits at the door."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from hq import erasure, limits, mailing, signing_in, web_tables
from hq.database import reading, writing
from hq.limits import Limit
from hq.web.letters import Letters
from hq.web_settings import Encryption, MailServer
from tests.fakes.told import certificate
from tests.hq.headquarters import Headquarters
from tests.hq.web.place import MEMBERS, Place, free_port
from tests.postgresql import dumped

ADA = MEMBERS["ada"]
SESSION = "__Host-consentry-session"
REDIRECT = "com.example.app:/signed-in"


class Mailbox:
    """What a mail server was handed."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.port = free_port()
        self.refuses = False

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """As aiosmtpd calls it."""
        if self.refuses:
            return "451 later"
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        return "250 OK"


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    """A real mail server on loopback."""
    found = Mailbox()
    controller = Controller(found, hostname="127.0.0.1", port=found.port)
    controller.start()
    yield found
    controller.stop()


@pytest.fixture(scope="module")
def place(place_hq: Headquarters, mailbox: Mailbox) -> Place:
    """HQ's web that mails by it."""
    server = MailServer(host="127.0.0.1", sender="choices@example.com", port=mailbox.port, encryption=Encryption.NONE)
    return Place(place_hq, mail=server, app_redirects=(REDIRECT,))


@pytest.fixture(autouse=True)
def _fresh(place: Place, mailbox: Mailbox) -> None:
    """Each test an hour later, with all tries given back and nothing in the mailbox."""
    place.hq.now_ms += 3_600_000
    mailbox.mails.clear()
    mailbox.refuses = False


def letters(place: Place) -> Letters:
    """What sends the mails, as a program that has just started."""
    assert place.settings.mail is not None
    line = mailing.Mailing(place.settings.mail, "")
    return Letters(place.hq.engine, place.hq.keys.custody, place.app, place.settings, line)


def ask(client: FlaskClient, address: str, **headers: str) -> TestResponse:
    """Asks for a link."""
    return client.post("/sign-in", data={"address": address, "next": "/sessions"}, headers=headers)


def link_in(mail: EmailMessage) -> str:
    """The path of the link in a mail."""
    found = re.search(r"https://\S+?(/sign-in/link/\S+)", mail.get_content())
    assert found
    return found[1]


def sign_in(place: Place, mailbox: Mailbox, client: FlaskClient) -> str:
    """Ada's way in; the token that was used."""
    assert ask(client, ADA).headers["Location"] == "/sign-in/sent"
    assert letters(place).tick(place.hq.now_ms) == 1
    token = link_in(mailbox.mails[-1]).rpartition("/")[2]
    answer = client.post("/sign-in/link", data={"token": token})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sessions")
    return token


def test_a_link_leads_in_and_serves_once(place: Place, mailbox: Mailbox, client: FlaskClient) -> None:
    """The mail comes in the language asked in; to look at the link is not to use it; a second use is told as over."""
    ask(client, f" {ADA.upper()} ", **{"Accept-Language": "de"})
    letters(place).tick(place.hq.now_ms)
    (mail,) = mailbox.mails
    assert (mail["To"], mail["From"], mail["Auto-Submitted"]) == (ADA, "choices@example.com", "auto-generated")
    assert "Ihr Link zum Anmelden" in mail["Subject"]
    path = link_in(mail)
    for _ in range(2):  # a program that checks mails, then the member
        assert client.get(path).status_code == 200
    used = client.post("/sign-in/link", data={"token": path.rpartition("/")[2]})
    cookie = next(one for one in used.headers.getlist("Set-Cookie") if one.startswith(SESSION))
    assert all(part in cookie for part in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax"))
    assert client.get("/sessions").status_code == 200
    assert client.post("/sign-in/link", data={"token": path.rpartition("/")[2]}).status_code == 410
    assert client.get(path).status_code == 410


def test_a_link_is_of_the_browser_that_asked(place: Place, mailbox: Mailbox, client: FlaskClient) -> None:
    """Whoever reads the mail elsewhere gets nothing, and does not use it up; nor does a browser with its own cookie."""
    ask(client, ADA)
    letters(place).tick(place.hq.now_ms)
    path = link_in(mailbox.mails[-1])
    thief = place.client()
    ask(thief, "nobody@example.com")
    for other in (thief, place.client()):
        assert other.get(path).status_code == 410
        assert other.post("/sign-in/link", data={"token": path.rpartition("/")[2]}).status_code == 410
        assert other.get("/sessions").status_code == 303
    assert client.get(path).status_code == 200


def test_a_link_is_over_after_a_quarter_of_an_hour(place: Place, mailbox: Mailbox, client: FlaskClient) -> None:
    """One millisecond before it serves, then it does not, and what was kept of it goes."""
    ask(client, ADA)
    letters(place).tick(place.hq.now_ms)
    path = link_in(mailbox.mails[-1])
    place.hq.now_ms += signing_in.LINK_MS - 1
    assert client.get(path).status_code == 200
    place.hq.now_ms += 1
    assert client.get(path).status_code == 410
    with writing(place.hq.engine) as connection:
        assert signing_in.forget(connection, place.hq.now_ms) > 0
        assert connection.scalar(select(func.count()).select_from(web_tables.sign_in_links)) == 0


def test_nobody_learns_who_is_a_member(place: Place, mailbox: Mailbox) -> None:
    """With an address that nobody has the answer, its headers and what is written are the same; no mail goes out."""
    answers, rows = [], []
    for address in (ADA, "nobody@example.com"):
        before = _rows(place)
        answers.append(ask(place.client(), address))
        rows.append([after - held for held, after in zip(before, _rows(place), strict=True)])
    assert rows[0] == rows[1] == [1, 1]
    known, unknown = answers
    assert (known.status_code, known.data) == (unknown.status_code, unknown.data)
    shapes = [[(name, anyones(value)) for name, value in one.headers] for one in answers]
    assert shapes[0] == shapes[1]
    assert letters(place).tick(place.hq.now_ms) == 1
    assert [mail["To"] for mail in mailbox.mails] == [ADA]
    with reading(place.hq.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(web_tables.sign_in_mails)) == 0


def anyones(header: str) -> str:
    """A header without its secret and the second at which it ends, which are others each time."""
    return re.sub(r"Expires=[^;]+;", "Expires=…;", re.sub(r"=[\w-]{43};", "=…;", header))


def _rows(place: Place) -> list[int]:
    with reading(place.hq.engine) as connection:
        tables = (web_tables.sign_in_links, web_tables.sign_in_mails)
        return [connection.scalar(select(func.count()).select_from(one)) or 0 for one in tables]


@pytest.mark.parametrize("address", [ADA, "nobody@example.com"])
def test_an_address_is_not_flooded(place: Place, mailbox: Mailbox, address: str) -> None:
    """After four links the fifth is refused with how long to wait, known or not, from whichever browser."""
    answers = [ask(place.client(), address) for _ in range(5)]
    assert [one.status_code for one in answers] == [303] * 4 + [429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 300
    letters(place).tick(place.hq.now_ms)
    assert len(mailbox.mails) == (4 if address == ADA else 0)


@pytest.mark.parametrize(
    "address", ["", "ada", "a@b", "a b@example.com", "x" * 300 + "@example.com", "a@b.de\nBcc: c@d.de"]
)
def test_what_is_no_address_is_asked_for_again(client: FlaskClient, address: str) -> None:
    """The form comes back with a sentence, and nothing of a mail's header can be smuggled in."""
    answer = ask(client, address)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.get_data(as_text=True)


def test_a_mail_server_that_is_away_delays_the_link(place: Place, mailbox: Mailbox, client: FlaskClient) -> None:
    """What was not taken is tried again, by whichever program comes next; once it is taken it is sent no more."""
    mailbox.refuses = True
    ask(client, ADA)
    assert letters(place).tick(place.hq.now_ms) == 0
    mailbox.refuses = False
    assert letters(place).tick(place.hq.now_ms) == 0  # not at once
    place.hq.now_ms += 5_000
    assert letters(place).tick(place.hq.now_ms) == 1
    assert letters(place).tick(place.hq.now_ms + 120_000) == 0
    assert len(mailbox.mails) == 1


def test_a_link_is_handed_over_by_starttls_alone(place: Place, client: FlaskClient, tmp_path: Path) -> None:
    """With the login, once the server proved its name; one that does not prove it, or offers none, hears nothing."""
    trusted, context = certificate(tmp_path)
    seen: list[tuple[bool, LoginPassword]] = []

    def known(server: Any, session: Any, envelope: Any, mechanism: str, login: LoginPassword) -> AuthResult:
        seen.append((session.ssl is not None, login))
        return AuthResult(success=True)

    found = Mailbox()
    controller = Controller(
        found, hostname="127.0.0.1", port=found.port, tls_context=context, require_starttls=True,
        authenticator=known, auth_required=True,
    )  # fmt: skip
    hers = MailServer(host="127.0.0.1", sender="choices@example.com", port=found.port, login="hq", ca=trusted)
    assert hers.encryption is Encryption.STARTTLS, "without a word about it"

    def by(wanted: MailServer) -> Letters:
        line = mailing.Mailing(wanted, "open sesame")
        return Letters(place.hq.engine, place.hq.keys.custody, place.app, place.settings, line)

    ask(client, ADA)
    controller.start()
    try:
        assert by(replace(hers, ca=None)).tick(place.hq.now_ms) == 0, "nobody vouches for this server"
        assert (found.mails, seen) == ([], [])
        place.hq.now_ms += 5_000
        assert by(hers).tick(place.hq.now_ms) == 1
    finally:
        controller.stop()
    assert seen == [(True, LoginPassword(b"hq", b"open sesame"))]
    assert client.get(link_in(found.mails[-1])).status_code == 200
    ask(client, ADA)
    bare = Mailbox()
    controller = Controller(bare, hostname="127.0.0.1", port=bare.port)
    controller.start()
    try:
        assert by(replace(hers, port=bare.port)).tick(place.hq.now_ms) == 0, "no STARTTLS, no link"
    finally:
        controller.stop()
    assert bare.mails == []


def test_what_lets_in_is_not_in_the_database(
    place: Place, mailbox: Mailbox, client: FlaskClient, needs: Callable[[str], str]
) -> None:
    """Neither token, cookie nor address can be read from it, not even the address's hash without HQ's key."""
    token = sign_in(place, mailbox, client)
    cookie = client.get_cookie(SESSION)
    assert cookie is not None
    content = whole(place, needs)
    assert len(content) > 100_000
    for secret in (token, cookie.value, ADA, "Android"):
        assert secret.encode() not in content
        assert secret.encode().hex().encode() not in content  # as PostgreSQL writes bytes down


def whole(place: Place, needs: Callable[[str], str]) -> bytes:
    """All that the database holds: its files, or what pg_dump reads of PostgreSQL's."""
    engine = place.hq.engine
    if engine.dialect.name == "postgresql":
        return dumped(engine.url, needs)
    return b"".join(one.read_bytes() for one in Path(str(engine.url.database)).parent.iterdir() if one.is_file())


def test_a_session_ends_by_itself(place: Place, mailbox: Mailbox) -> None:
    """Without use after a fortnight, and at the latest after ninety days; each use counts."""
    unused, used = place.client(), place.client()
    for client in (unused, used):
        sign_in(place, mailbox, client)
    begun_ms = place.hq.now_ms
    for _ in range(6):
        place.hq.now_ms += 13 * 86_400_000
        assert used.get("/sessions").status_code == 200
    assert unused.get("/sessions").status_code == 303
    place.hq.now_ms = begun_ms + 90 * 86_400_000 - 1
    assert used.get("/sessions").status_code == 200
    place.hq.now_ms += 1
    assert used.get("/sessions").status_code == 303


def test_a_stolen_cookie_is_worth_nothing_after_signing_out(
    place: Place, mailbox: Mailbox, client: FlaskClient
) -> None:
    """Signing out here, there or everywhere ends the session itself, not only the cookie."""
    for end in ("/sign-out", "/sessions/end-all"):
        sign_in(place, mailbox, client)
        stolen = client.get_cookie(SESSION)
        assert stolen is not None
        thief = place.client()
        thief.set_cookie(SESSION, stolen.value, secure=True)
        assert thief.get("/sessions").status_code == 200
        assert client.post(end).status_code == 303
        assert thief.get("/sessions").status_code == 303
        place.hq.now_ms += 3_600_000


def test_a_member_sees_and_ends_what_is_signed_in(place: Place, mailbox: Mailbox) -> None:
    """Each by the name of its browser; another member's is as one that never was."""
    here, there, other = place.signed_in(), place.signed_in(), place.signed_in("ben")
    listed = here.get("/api/v1/me/sessions").json
    assert {one["browser"] for one in listed["sessions"]} == {"Firefox Android"}
    theirs = other.get("/api/v1/me/sessions").json["sessions"][0]["id"]
    assert here.delete(f"/api/v1/me/sessions/{theirs}").status_code == 404
    mine = next(one["id"] for one in there.get("/api/v1/me/sessions").json["sessions"] if one["is_this"])
    assert here.post("/sessions/end", data={"session": mine}).status_code == 303
    assert [one.get("/sessions").status_code for one in (here, there, other)] == [200, 303, 200]


def test_an_erased_member_is_signed_out_everywhere(place: Place, mailbox: Mailbox) -> None:
    """Sessions, tokens, links under way and addresses go with the member."""
    place.hq.office.add_member("eve", 18, "DE", place.hq.now_ms)
    browser, app = place.signed_in("eve"), place.app_client("eve")
    path = place.link("eve")
    assert app.get("/api/v1/me/sessions").status_code == 200
    erasure.erase(place.hq.engine, place.hq.keys, "eve", place.hq.now_ms)
    assert browser.get("/sessions").status_code == 303
    assert app.get("/api/v1/me/sessions").status_code == 401
    assert browser.get(path).status_code == 410


def test_the_app_changes_a_code_into_a_token(place: Place) -> None:
    """With its verifier, once; what it can do then ends with the member's word."""
    verifier, challenge = "v" * 64, "w1TpKUdYE9hUAcNSeeSRFioHDxfUxuHho_JHAfZ_vDM"
    browser = place.signed_in()
    asked = {"redirect_uri": REDIRECT, "code_challenge": challenge, "code_challenge_method": "S256", "state": "s&1"}
    page = browser.get("/app/sign-in", query_string=asked)
    assert "form-action 'self' com.example.app:" in page.headers["Content-Security-Policy"]
    app = place.app.test_client()

    def code() -> str:
        answer = browser.post("/app/sign-in", data=asked)
        found = re.fullmatch(rf"{re.escape(REDIRECT)}\?code=([\w-]{{43}})&state=s%261", answer.headers["Location"])
        assert found
        return found[1]

    def change(one: str, proof: str = verifier, redirect: str = REDIRECT) -> TestResponse:
        return app.post("/api/v1/tokens", json={"code": one, "code_verifier": proof, "redirect_uri": redirect})

    first = code()
    granted = change(first)
    assert granted.status_code == 201
    bearer = {"Authorization": f"Bearer {granted.json['token']}"}
    assert app.get("/api/v1/me/sessions", headers=bearer).json["sessions"][0]["kind"] == "app"
    assert change(first).status_code == 410
    assert change(code(), proof="w" * 64).status_code == 410
    assert change(code(), redirect="com.other:/x").status_code == 410
    late = code()
    place.hq.now_ms += signing_in.CODE_MS
    assert change(late).status_code == 410
    assert app.delete("/api/v1/tokens/current", headers=bearer).status_code == 204
    assert app.get("/api/v1/me/sessions", headers=bearer).status_code == 401
    assert browser.get("/app/sign-in", query_string=asked | {"redirect_uri": "com.evil:/x"}).status_code == 403


@settings(max_examples=60)
@given(st.one_of(st.text(max_size=30), st.sampled_from(["//e.com", "/\\e.com", "https://e.com", "/%5c", "/x?y=1"])))
def test_nobody_is_led_to_another_site(address: str) -> None:
    """The page to go on to is a path of ours, whatever was asked for."""
    found = signing_in.onward(address)
    assert found.startswith("/")
    assert not found.startswith(("//", "/\\"))
    assert found in (address, "/")
    assert found.isprintable()


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, 4_000), min_size=1, max_size=12))
def test_no_more_tries_than_are_given_back(place: Place, waits: list[int]) -> None:
    """In any stretch of time at most the burst and what was given back; a refusal says when the next one goes."""
    limit, began_ms = Limit(burst=3, each_ms=1_000), place.hq.now_ms
    who, taken = f"{time.monotonic_ns()}".encode(), 0
    now_ms = began_ms
    for wait_ms in waits:
        now_ms += wait_ms
        with writing(place.hq.engine) as connection:
            wait_s = limits.take(connection, who, "test", limit, now_ms)
            taken += not wait_s
            if wait_s:
                assert limits.take(connection, who, "test", limit, now_ms + wait_s * 1000) == 0
                now_ms += wait_s * 1000
                taken += 1
        assert taken <= limit.burst + (now_ms - began_ms) // limit.each_ms
