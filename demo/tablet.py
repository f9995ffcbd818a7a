"""An associate's tablet without a screen: pairs, signs in, follows the floor and opens cards over HTTP.

It shows what the web page shows and by the same calls. In the demo it signs the visitor's browser in as well.

I/O: http.client; its only importer. A stream is read in a thread of its own.
"""

import base64
import http.client
import http.cookies
import json
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from wire import query

ANSWER_S: Final = 20.0
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What a call was answered with; `body` is {} where there is none."""

    status: int
    body: Json
    cookies: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a tablet API is; with `authority` (a PEM file's path) over TLS, verified against it by `host`."""

    host: str
    port: int
    authority: str | None = None

    def connect(self, timeout_s: float | None) -> http.client.HTTPConnection:
        """A new connection."""
        if self.authority is None:
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout_s)
        context = ssl.create_default_context(cafile=self.authority)
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout_s, context=context)


class Tablet:
    """One tablet and who is signed in on it."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self.pairing = ""
        self.session = ""  # the token of whoever is signed in
        self.cookie = ""  # the same for a browser: the secret of the session alone

    def pair(self, code: str, label: str) -> Answer:
        """Pairs by the one-time code."""
        answer = self.call("POST", "/api/v1/pairings", {"code": code, "label": label, "want_token": True})
        self.pairing = answer.body.get("token", "")
        return answer

    def sign_in(self, associate: str, pin: str) -> Answer:
        """Signs an associate in."""
        answer = self.call("POST", "/api/v1/sessions", {"associate": associate, "pin": pin}, bearer=self.pairing)
        self.cookie = next((one for name, one in answer.cookies.items() if name.endswith("session")), "")
        if self.cookie:
            self.session = _text(query.bound(_raw(self.pairing), _raw(self.cookie)))
        return answer

    def floor(self) -> Answer:
        """The roster."""
        return self.call("GET", "/api/v1/floor")

    def card(self, handle: str, section: str | None = None) -> Answer:
        """The card of a visit."""
        return self.call("GET", f"/api/v1/visits/{handle}" + (f"?section={section}" if section else ""))

    def attend(self, handle: str, action: str) -> Answer:
        """`attending` or `done`."""
        return self.call("POST", f"/api/v1/visits/{handle}/attendance", {"action": action})

    def withdraw(self, handle: str, scope: str | None) -> Answer:
        """The shopper asked in person: one scope, or everything."""
        return self.call("POST", f"/api/v1/visits/{handle}/withdrawals", {"scope": scope})

    def call(self, method: str, path: str, body: Json | None = None, *, bearer: str | None = None) -> Answer:
        """One call on a connection of its own. Raises: OSError where nobody answers."""
        connection = self._address.connect(ANSWER_S)
        try:
            headers = {"Authorization": f"Bearer {self.session if bearer is None else bearer}"}
            encoded = None
            if body is not None:
                encoded = json.dumps(body)
                headers["Content-Type"] = "application/json"
            connection.request(method, path, encoded, headers)
            response = connection.getresponse()
            content = response.read()
            shown = json.loads(content) if content[:1] == b"{" else {}
            cookies = http.cookies.SimpleCookie(response.getheader("Set-Cookie", ""))
            return Answer(response.status, shown, {name: one.value for name, one in cookies.items()})
        finally:
            connection.close()

    def follow(self) -> "Stream":
        """Opens the floor's stream and keeps it in step until it is closed. Raises: OSError."""
        return Stream(self._address, self.session)


def _raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


class Stream:
    """The floor as a page keeps it from server-sent events. Safe to look at from any thread.

    `seen` holds every event in order: name and body.
    """

    def __init__(self, address: Address, session: str) -> None:
        self._connection = address.connect(ANSWER_S)
        self._connection.request("GET", "/api/v1/floor/events", headers={"Authorization": f"Bearer {session}"})
        self._response = self._connection.getresponse()
        if self._response.status != http.client.OK:
            self._connection.close()
            raise ConnectionError(f"the stream was answered with {self._response.status}")
        self._socket = self._connection.sock  # to be shut by `close`, whoever reads
        self._changed = threading.Condition()
        self._lease: Json = {}
        self._visits: dict[str, Json] = {}
        self.seen: list[tuple[str, Json]] = []
        self.ended = False
        self._thread = threading.Thread(target=self._read, name="stream", daemon=True)
        self._thread.start()

    @property
    def lease(self) -> Json:
        """The lease as it was last told."""
        return self._lease

    @property
    def visits(self) -> tuple[Json, ...]:
        """The roster in its order."""
        with self._changed:
            return tuple(self._visits.values())

    def wait(self, true: Callable[["Stream"], bool], within_s: float) -> bool:
        """Whether `true` held of this stream within `within_s`; looked at after each event."""
        end = time.monotonic() + within_s
        with self._changed:
            while not true(self):
                left = end - time.monotonic()
                if left <= 0 or (self.ended and not true(self)):
                    return False
                self._changed.wait(min(left, 0.5))
            return True

    def close(self) -> None:
        """Ends it."""
        with suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(2)
        self._thread.join(ANSWER_S)
        self._connection.close()

    def _read(self) -> None:
        name = ""
        try:
            while line := self._response.readline():
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    with self._changed:
                        self._take(name, json.loads(value))
                        self._changed.notify_all()
        except (OSError, ValueError, http.client.HTTPException):
            pass  # closed here, or cut by the far end
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def _take(self, name: str, body: Json) -> None:
        self.seen.append((name, body))
        if "lease" in body:
            self._lease = body["lease"]
        match name:
            case "roster":
                self._visits = {one["handle"]: one for one in body["visits"]}
            case "dark":
                self._visits = {}
            case "change":
                merged = {**self._visits, **{one["handle"]: one for one in body["visits"]}}
                order = body["order"] if body["order"] is not None else list(merged)
                self._visits = {handle: merged[handle] for handle in order if handle in merged}
