"""Signing in by OpenID Connect, against a real provider on loopback: members, their app's tokens, and staff."""

import base64
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from oidc_provider_mock import User, run_server_in_thread

from hq.console_roles import Role
from hq.web.providers import Providers
from hq.web_settings import Provider, StaffProvider
from tests.hq.headquarters import Headquarters
from tests.hq.web.place import Place

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
STAFF = {
    "nora": {"name": "Nora Sanders", "groups": ["all", "consentry-privacy"]},
    "two": {"groups": ["consentry-privacy", "consentry-operations"]},
    "none": {"groups": "all"},
}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A provider that knows Ada, a stranger, and some of staff."""
    people = [User(sub="ada"), User(sub="stranger"), *(User(sub=one, claims=claims) for one, claims in STAFF.items())]
    with run_server_in_thread(user_claims=people) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture(scope="module")
def place(place_hq: Headquarters, issuer: str) -> Place:
    """HQ's web with this provider for both."""
    members = Provider(issuer=issuer, client_id="centre", audiences=("loyalty-app",))
    staff = StaffProvider(issuer=issuer, client_id="console", roles_claim="groups")
    found = Place(place_hq, members=members, staff=staff)
    found.hq.now_ms = time.time_ns() // 1_000_000  # the provider has a clock of its own
    return found


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *place: Any) -> None:
        """Nowhere: the test goes there itself."""


def at_provider(address: str, sub: str) -> str:
    """Signs in there as `sub`; the path to which the browser is sent back."""
    asked = urllib.request.Request(address, urllib.parse.urlencode({"sub": sub}).encode())
    with pytest.raises(urllib.error.HTTPError) as sent:
        urllib.request.build_opener(_Stay).open(asked, timeout=10)
    parts = urllib.parse.urlsplit(sent.value.headers["Location"])
    return f"{parts.path}?{parts.query}"


def go(client: FlaskClient, sub: str, door: str = "/sign-in/provider?next=/sessions") -> Any:
    """The whole way; the answer to coming back."""
    leaving = client.get(door)
    assert leaving.status_code == 303
    return client.get(at_provider(leaving.headers["Location"], sub))


def test_a_member_signs_in_by_the_provider(place: Place, client: FlaskClient) -> None:
    """With PKCE, state and nonce; back on the page that was wanted. The same answer does not serve twice."""
    leaving = client.get("/sign-in/provider?next=/sessions")
    asked = urllib.parse.parse_qs(urllib.parse.urlsplit(leaving.headers["Location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [f"{place.address}/sign-in/answer"]
    assert all(len(asked[name][0]) >= 30 for name in ("state", "nonce", "code_challenge"))
    back = at_provider(leaving.headers["Location"], "ada")
    answer = client.get(back)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sessions")
    assert client.get("/sessions").status_code == 200
    assert place.client().get(back).status_code == 410
    assert client.get(back).status_code == 410


def test_an_answer_is_of_the_browser_that_left(place: Place, client: FlaskClient) -> None:
    """Nobody is signed in as somebody else by a link that was prepared (login CSRF), nor with a guessed state."""
    back = at_provider(client.get("/sign-in/provider").headers["Location"], "ada")
    victim = place.client()
    victim.get("/sign-in/provider")
    assert victim.get(back).status_code == 410
    assert victim.get("/sessions").status_code == 303
    assert client.get("/sign-in/answer?code=x&state=guessed").status_code == 410
    assert client.get("/sign-in/answer?state=x").status_code == 410
    assert client.get("/sign-in/answer").status_code == 422
    staff_door = back.replace("/sign-in/answer", "/console/sign-in/answer")
    assert client.get(staff_door).status_code == 410


def test_whom_hq_does_not_know_is_told_so(place: Place, client: FlaskClient) -> None:
    """An account without a membership gets in nowhere."""
    assert go(client, "stranger").status_code == 403
    assert client.get("/sessions").status_code == 303


def test_a_code_that_is_none_and_a_token_for_another_are_refused(place: Place, client: FlaskClient) -> None:
    """Whatever the provider does not vouch for ends as a link that is over."""
    back = at_provider(client.get("/sign-in/provider").headers["Location"], "ada")
    state = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["state"][0]
    assert (
        client.get(f"/sign-in/answer?{urllib.parse.urlencode({'code': 'made-up', 'state': state})}").status_code == 410
    )
    assert client.get("/sessions").status_code == 303


def token(issuer: str, sub: str, client_id: str) -> str:
    """An ID token of the provider, as the app gets it there."""
    redirect = "http://localhost/app"
    asked = {"response_type": "code", "client_id": client_id, "redirect_uri": redirect, "scope": "openid", "nonce": sub}
    address = f"{issuer}/oauth2/authorize?{urllib.parse.urlencode(asked)}"
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(at_provider(address, sub)).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect}
    change = urllib.request.Request(f"{issuer}/oauth2/token", urllib.parse.urlencode(form).encode())
    change.add_header("Authorization", "Basic " + base64.b64encode(f"{client_id}:x".encode()).decode())
    with urllib.request.urlopen(change, timeout=10) as answer:
        found: str = json.load(answer)["id_token"]
        return found


def test_the_app_may_bring_the_providers_token(place: Place, issuer: str) -> None:
    """Of a member, for the app, in its time and with the provider's signature; any other is nobody's."""
    app = place.app.test_client()

    def status(bearer: str) -> int:
        return app.get("/api/v1/me/sessions", headers={"Authorization": f"Bearer {bearer}"}).status_code

    good = token(issuer, "ada", "loyalty-app")
    assert status(good) == 200
    assert status(token(issuer, "ada", "another-app")) == 401
    assert status(token(issuer, "stranger", "loyalty-app")) == 401
    head, claims, signature = good.split(".")
    assert status(f"{head}.{claims}.{signature[:-8]}AAAAAAAA") == 401
    bare = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    assert status(f"{bare}.{claims}.") == 401
    stated = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert status(jwt.encode({"alg": "RS256"}, stated, RSAKey.generate_key(2048))) == 401
    for nonsense in ("a.b.c", "..", "x." * 5000, "é.è.ê"):
        assert status(nonsense) == 401
    began_ms = place.hq.now_ms
    place.hq.now_ms += 2 * 3_600_000
    assert status(good) == 401
    place.hq.now_ms = began_ms


def test_staff_sign_in_with_one_role(place: Place, client: FlaskClient) -> None:
    """The role is the provider's word; who has none of ours or several is not let in, and members' doors stay shut."""
    assert client.get("/console").headers["Location"].startswith("/console/sign-in")
    for sub in ("two", "none"):
        assert go(client, sub, "/console/sign-in/provider").status_code == 403
    answer = go(client, "nora", "/console/sign-in/provider?next=/console")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console")
    cookie = client.get_cookie("__Host-consentry-staff")
    assert cookie is not None
    assert client.get("/sessions").headers["Location"].startswith("/sign-in")
    assert client.get("/console").status_code == 200
    place.hq.now_ms += 1_800_000
    assert client.get("/console").status_code == 303
    place.hq.now_ms -= 1_800_000
    client.post("/console/sign-out")
    client.set_cookie("__Host-consentry-staff", cookie.value, secure=True)
    assert client.get("/console").status_code == 303


def test_a_members_session_opens_no_console(place: Place) -> None:
    """Each kind of secret opens its own doors only."""
    member = place.session("ada")
    thief = place.client()
    thief.set_cookie("__Host-consentry-staff", member, secure=True)
    assert thief.get("/console").status_code == 303
    thief.set_cookie("__Host-consentry-session", place.staff_session(Role.PRIVACY), secure=True)
    assert thief.get("/sessions").status_code == 303
    bearer = {"Authorization": f"Bearer {member}"}
    assert place.app.test_client().get("/api/v1/me/sessions", headers=bearer).status_code == 401


def test_a_provider_that_is_away_is_told_so(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """The door stays usable, says that the service does not answer, and the log names no address."""
    away = Provider(issuer="http://localhost:9", client_id="centre", confidential=False)
    found = place.another(members=away)
    for _ in range(2):
        answer = found.test_client().get("/sign-in/provider")
        assert answer.status_code == 502
        assert answer.headers["Retry-After"] == "5"
    said = [one.getMessage() for one in caplog.records if "provider_away" in one.getMessage()]
    assert len(said) == 1  # the second did not wait for it again
    assert "localhost" not in said[0]
    assert "does not answer" in answer.get_data(as_text=True)


class _Issuer(ThreadingHTTPServer):
    """A provider that publishes one key, and counts what it is asked."""

    daemon_threads = True

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "first"})
        self.asked: list[str] = []
        self.is_away = False
        super().__init__(("127.0.0.1", 0), _Publishing)
        self.issuer = f"http://127.0.0.1:{self.server_address[1]}"

    def token(self, now_ms: int, kid: str = "first", key: ECKey | None = None) -> str:
        """A token for Ada."""
        stated = {"iss": self.issuer, "aud": "centre", "sub": "ada", "exp": now_ms // 1000 + 90_000}
        return jwt.encode({"alg": "ES256", "kid": kid}, stated, key or self.key)


class _Publishing(BaseHTTPRequestHandler):
    server: _Issuer

    def do_GET(self) -> None:
        """Addresses, or keys."""
        self.server.asked.append(self.path)
        self.send_response(503 if self.server.is_away else 200)
        self.end_headers()
        keys = {"keys": [self.server.key.as_dict(private=False)]}
        addresses = {"issuer": self.server.issuer, "jwks_uri": f"{self.server.issuer}/keys"}
        self.wfile.write(json.dumps(keys if self.path == "/keys" else addresses).encode())

    def log_message(self, *args: object) -> None:
        """Nothing."""


def test_no_token_makes_hq_ask_often_and_known_keys_outlast_an_absence() -> None:
    """What is no token asks nothing, an unknown key once a minute; a new key is found, an old one serves on."""
    now_ms = 1_800_000_000_000
    with _Issuer() as issuer:
        thread = threading.Thread(target=issuer.serve_forever, args=(0.02,))
        thread.start()
        providers = Providers(Provider(issuer=issuer.issuer, client_id="centre"), None)
        bare = base64.urlsafe_b64encode(b'{"alg":"none","kid":"x"}').rstrip(b"=").decode()
        for nonsense in ("a.b", "a.b.c", "..", f"{bare}.e30.AA"):
            assert providers.member_of(nonsense, now_ms) is None
        assert issuer.asked == []
        good = issuer.token(now_ms)
        assert providers.member_of(good, now_ms) == "ada"
        assert len(issuer.asked) == 2
        other = ECKey.generate_key("P-256")
        for tried in range(5):
            assert providers.member_of(issuer.token(now_ms, f"made-up-{tried}", other), now_ms + 60_001) is None
            assert providers.member_of(issuer.token(now_ms, "first", other), now_ms + 120_002) is None
        assert issuer.asked[2:] == ["/keys"]
        later_ms = now_ms + 2 * 3_600_000
        issuer.is_away = True
        for tried in range(3):
            assert providers.member_of(good, later_ms + tried) == "ada"
        assert len(issuer.asked) == 4, "it was asked again, in vain, and once"
        issuer.is_away, issuer.key = False, ECKey.generate_key("P-256", {"kid": "second"})
        assert providers.member_of(issuer.token(now_ms, "second"), later_ms + 60_010) == "ada"
        issuer.shutdown()
        thread.join()


def test_bad_tokens_are_counted_by_where_they_come_from(place: Place) -> None:
    """Who brings many is told to wait; somebody elsewhere is not."""
    app = place.app.test_client()

    def status(peer: str) -> int:
        bearer = {"Authorization": "Bearer a.b"}
        return app.get("/api/v1/me/sessions", headers=bearer, environ_base={"REMOTE_ADDR": peer}).status_code

    assert [status("192.0.2.7") for _ in range(61)] == [401] * 60 + [429]
    assert status("192.0.2.8") == 401
