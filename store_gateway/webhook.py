"""Posts a bell as JSON to a webhook, signed so that whoever gets it knows that it is this store's and new.

The signature is that of Standard Webhooks (standardwebhooks.com): HMAC-SHA256 with the shared secret over id, time and
body. Redirections are not followed, proxies not used: what is configured is who is told.

I/O: http.client and ssl; their only importer here but for the broker's.
"""

import base64
import binascii
import hashlib
import hmac
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from runtime.config import credential
from runtime.errors import ConfigError, CredentialError
from store_gateway.core.bells import Bell
from store_gateway.errors import HookError, HookReason
from store_gateway.hook_settings import Webhook, is_inside

KEY_CREDENTIAL: Final = "help-hook-secret"
_PREFIX: Final = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64  # of the secret, as Standard Webhooks asks for
TIMEOUT_S: Final = 5.0  # of each step of a conversation
WHOLE_S: Final = 15.0  # of all of it: who answers byte by byte is as good as silent
_MOST_REPLY_BYTES: Final = 1024


def secret(credentials_dir: Path | None) -> bytes:
    """The shared secret: the credential is base64 of 24 to 64 bytes, perhaps behind `whsec_`.

    Raises: CredentialError.
    """
    found = credential(KEY_CREDENTIAL, credentials_dir)
    try:
        decoded = base64.b64decode(found.strip().removeprefix(_PREFIX.encode()), validate=True)
    except binascii.Error:
        decoded = b""
    if not LEAST_BYTES <= len(decoded) <= MOST_BYTES:
        words = f"base64 of {LEAST_BYTES} to {MOST_BYTES} bytes is expected, such as `openssl rand -base64 32` gives"
        raise CredentialError(Path(KEY_CREDENTIAL), "", words)
    return decoded


def body(store: str, bell: Bell) -> bytes:
    """What a hook is told: nothing of a person."""
    at = None if bell.at_ms is None else datetime.fromtimestamp(bell.at_ms / 1000, UTC).isoformat(timespec="seconds")
    told = {
        "event": bell.news.value,
        "store": store,
        "zone": bell.zone,
        "zone_label": bell.zone_label,
        "waiting": bell.waiting,
        "escalated": bell.escalated,
        "at": at,
    }
    return json.dumps(told, ensure_ascii=False).encode()


def signature(key: bytes, id: str, at_s: int, content: bytes) -> str:
    """The header `webhook-signature` (Standard Webhooks, section "Signature scheme")."""
    signed = b".".join((id.encode(), str(at_s).encode(), content))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


class WebhookChannel:
    """See the module. `wall_s()` gives Unix seconds: the time of a try, which the far end compares with its own."""

    name = "webhook"

    def __init__(self, store: str, settings: Webhook, key: bytes, wall_s: Callable[[], float]) -> None:
        """Raises: ConfigError, where `ca` holds no certificates."""
        parts = urlsplit(settings.url)
        self._store = store
        self._host, self._port = parts.hostname or "", parts.port
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._trust = _trust(settings.ca) if parts.scheme == "https" else None
        self._key = key
        self._wall_s = wall_s

    def send(self, bell: Bell, id: str) -> None:
        """One POST. Raises: HookError, where there is no answer of 200 to 299."""
        content, at_s = body(self._store, bell), int(self._wall_s())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "consentry-gateway",
            "webhook-id": id,
            "webhook-timestamp": str(at_s),
            "webhook-signature": signature(self._key, id, at_s, content),
        }
        line = self._line()
        late = threading.Event()
        cut = threading.Timer(WHOLE_S, _cut, (line, late))
        cut.daemon = True
        try:
            cut.start()
            line.connect()
            if self._trust is None and not is_inside(line.sock.getpeername()[0]):
                raise HookError(HookReason.OUTSIDE)
            line.request("POST", self._path, content, headers)
            answer = line.getresponse()
            answer.read(_MOST_REPLY_BYTES)
        except ssl.SSLError as error:
            raise HookError(HookReason.TLS) from error
        except TimeoutError as error:
            raise HookError(HookReason.SILENT) from error
        except (OSError, ValueError) as error:  # ValueError: a name that cannot be one
            raise HookError(HookReason.SILENT if late.is_set() else HookReason.UNREACHABLE) from error
        except http.client.HTTPException as error:
            raise HookError(HookReason.SILENT if late.is_set() else HookReason.REFUSED) from error
        finally:
            cut.cancel()
            line.close()
        if not 200 <= answer.status < 300:
            raise HookError(HookReason.REFUSED)

    def _line(self) -> http.client.HTTPConnection:
        if self._trust is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        return http.client.HTTPSConnection(self._host, self._port, timeout=TIMEOUT_S, context=self._trust)


def _cut(line: http.client.HTTPConnection, late: threading.Event) -> None:
    late.set()
    with suppress(OSError):
        if line.sock is not None:
            line.sock.shutdown(socket.SHUT_RDWR)


def _trust(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca is None else str(ca))
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(ca or Path("ca"), "", "certificates in PEM are expected") from error
