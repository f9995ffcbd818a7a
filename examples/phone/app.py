"""The loyalty app's side of HQ's API: signing in, choosing, what it keeps on the phone. Python's own library only."""

import base64
import hashlib
import http.cookiejar
import json
import secrets
import ssl
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

TRIES = 3


class Refused(Exception):
    """HQ said no, in a problem document (RFC 9457)."""

    def __init__(self, status: int, problem: dict) -> None:
        super().__init__(f"{status} {problem.get('code', '')}: {problem.get('title', '')}")
        self.status = status
        self.problem = problem


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """An app follows the redirection to itself, and no library does it for it."""

    def redirect_request(self, *_: object) -> None:
        """None: the redirection is the answer."""
        return


class Hq:
    """HQ at its public address. `token`: of the app, once it is signed in."""

    def __init__(self, address: str, token: str = "", ca: str | None = None) -> None:
        self.address = address.rstrip("/")
        self.token = token
        self._context = ssl.create_default_context(cafile=ca)

    def sign_in(self, link: str, redirect: str) -> None:
        """Lets the app in: a browser's two taps, with the link from the mail, then a code that only this app can use.

        In a real app the first two steps are a custom tab or ASWebAuthenticationSession, and a person taps.
        """
        https = urllib.request.HTTPSHandler(context=self._context)
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        browser = urllib.request.build_opener(https, jar, NoRedirect())
        self._post(browser, "/sign-in/link", {"token": link.rstrip("/").rpartition("/")[2]})
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        state = secrets.token_urlsafe(16)
        asked = {"redirect_uri": redirect, "code_challenge": challenge, "code_challenge_method": "S256", "state": state}
        answer = self._post(browser, "/app/sign-in", asked)
        told = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer).query))
        if told.get("state") != state:
            raise Refused(403, {"code": "state", "title": "This is not the answer to what the app asked."})
        code = {"code": told["code"], "code_verifier": verifier, "redirect_uri": redirect}
        self.token = self.call("POST", "/api/v1/tokens", code)["token"]

    def _post(self, browser: urllib.request.OpenerDirector, path: str, form: dict) -> str:
        body = urllib.parse.urlencode(form).encode()
        try:
            with browser.open(urllib.request.Request(self.address + path, body), timeout=20) as answer:
                raise Refused(answer.status, {"code": "sign-in", "title": "The sign-in asks for something else."})
        except urllib.error.HTTPError as answer:
            if answer.code != 303:
                raise Refused(answer.code, {"code": "sign-in", "title": "The link is no longer valid."}) from None
            return answer.headers["Location"]

    def call(self, method: str, path: str, body: dict | None = None) -> dict:
        """One call. What writes bears a key, so that it is done once however often the network makes us ask."""
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if method != "GET" and self.token:
            headers["Idempotency-Key"] = secrets.token_urlsafe(16)
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, sent, headers, method=method)
        for left in reversed(range(TRIES)):
            try:
                with urllib.request.urlopen(request, timeout=20, context=self._context) as answer:
                    return json.loads(answer.read() or b"{}")
            except urllib.error.HTTPError as error:
                if error.code < 500 or not left:
                    raise Refused(error.code, json.loads(error.read() or b"{}")) from None
            except OSError:
                if not left:
                    raise
        raise AssertionError("unreachable")


class Kept:
    """What the phone keeps: in a real app the presence secret lies in the Keychain or behind the Keystore."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.held = json.loads(file.read_text()) if file.exists() else {}

    def put(self, **values: object) -> None:
        """Written at once, for this account alone."""
        self.held |= values
        self.file.touch(mode=0o600)
        self.file.write_text(json.dumps(self.held))
