"""The probe's tablet: pairs, signs in and follows the floor over HTTPS, as any tablet of the store.

I/O: http.client, ssl and socket; their only importer but for the gateway's sockets.
"""

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from probe.errors import Reason, Unseen
from probe.screen import SILENT_S
from probe.settings import Settings
from runtime.errors import ConfigError
from wire.views import ProbeKit

_ANSWER_S = 10.0
_MOST_BYTES = 1024 * 1024  # of one answer, and of one line of the stream


class _Line(http.client.HTTPConnection):
    """A connection to the address that is configured, in the name that the certificate bears."""

    def __init__(self, settings: Settings, trust: ssl.SSLContext | None, timeout_s: float) -> None:
        super().__init__(settings.name, settings.port, timeout=timeout_s)
        self._address = settings.host, settings.port
        self._trust = trust
        self._timeout_s = timeout_s

    def connect(self) -> None:
        """Dials, and lets the far end prove its name."""
        plain = socket.create_connection(self._address, self._timeout_s)
        self.sock = plain if self._trust is None else self._trust.wrap_socket(plain, server_hostname=self.host)


class Tablet:
    """See the module. Every call raises Unseen where it does not get what it asked for."""

    def __init__(self, settings: Settings) -> None:
        """Raises: ConfigError, where the authority cannot be read."""
        self._settings = settings
        try:
            self._trust = None if settings.ca is None else ssl.create_default_context(cafile=str(settings.ca))
        except OSError as error:
            raise ConfigError(settings.ca or Path("ca"), "", "certificates in PEM are expected") from error

    def pair(self, kit: ProbeKit) -> str:
        """The tablet's token."""
        asked = {"code": kit.code, "label": "", "want_token": True}
        return str(self._call("POST", "/api/v1/pairings", asked)["token"])

    def sign_in(self, token: str, kit: ProbeKit) -> tuple[str, int]:
        """The session's token, and after how many seconds without a touch it ends."""
        asked = {"associate": kit.associate, "pin": kit.pin, "want_token": True}
        shown = self._call("POST", "/api/v1/sessions", asked, token)
        return str(shown["token"]), int(shown["idle_s"])

    def touch(self, session: str) -> None:
        """Somebody looks at the tablet."""
        self._call("GET", "/api/v1/floor", None, session)

    def acknowledge(self, session: str, version: str) -> None:
        """This version of the floor is on the glass."""
        self._call("POST", "/api/v1/floor/acks", {"version": version}, session)

    def stream(self, session: str) -> Iterator[tuple[str, str]]:
        """The events of the floor as (name, text), until it ends or says nothing for too long."""
        line = _Line(self._settings, self._trust, SILENT_S)
        try:
            line.request("GET", "/api/v1/floor/events", headers=_headers(session))
            answer = line.getresponse()
            if answer.status != 200:
                raise _refused(answer)
            yield from _events(answer)
        except TimeoutError:
            raise Unseen(Reason.SILENT) from None
        except (OSError, http.client.HTTPException):
            raise Unseen(Reason.NO_TABLETS) from None
        finally:
            line.close()

    def _call(self, method: str, path: str, asked: dict[str, Any] | None, token: str = "") -> dict[str, Any]:
        line = _Line(self._settings, self._trust, _ANSWER_S)
        try:
            body = None if asked is None else json.dumps(asked).encode()
            line.request(method, path, body, _headers(token))
            answer = line.getresponse()
            if not 200 <= answer.status < 300:
                raise _refused(answer)
            content = answer.read(_MOST_BYTES)
            shown = json.loads(content) if content else {}
        except (OSError, http.client.HTTPException, ValueError):
            raise Unseen(Reason.NO_TABLETS) from None
        finally:
            line.close()
        if not isinstance(shown, dict):
            raise Unseen(Reason.NO_TABLETS)
        return shown


def _headers(token: str) -> dict[str, str]:
    headers = {"Accept": "application/json, text/event-stream", "User-Agent": "consentry-probe"}
    headers["Content-Type"] = "application/json"
    return headers | ({"Authorization": f"Bearer {token}"} if token else {})


def _refused(answer: http.client.HTTPResponse) -> Unseen:
    text = answer.read(_MOST_BYTES)
    return Unseen(Reason.REFUSED, again=answer.status == 401, unpaired=answer.status == 401 and b"unpaired" in text)


def _events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, str]]:
    name, text = "message", ""
    while True:
        raw = answer.readline(_MOST_BYTES)
        if not raw:
            raise Unseen(Reason.ENDED, again=True)
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not line:
            if text:
                yield name, text
            name, text = "message", ""
        elif line.startswith("event:"):
            name = line.removeprefix("event:").strip()
        elif line.startswith("data:"):
            text += line.removeprefix("data:").strip()
