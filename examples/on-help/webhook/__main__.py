#!/usr/bin/env python3
"""Receives Consentry's bells: verifies the signature, then says what a headset would.

    HELP_SECRET=$(cat secret) python3 webhook 8080

Python 3.11 or later and nothing else. `HELP_SECRET` is the base64 text that the gateway has as `help-hook-secret`.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = base64.b64decode(os.environ["HELP_SECRET"].strip().removeprefix("whsec_"))
MOST_BYTES, OLDEST_S = 4096, 300
heard: dict[str, float] = {}  # ids of the last minutes: whatever comes twice rings once


def is_right(headers: dict[str, str], body: bytes) -> bool:
    """Whether the store said this, and now."""
    id, at, signatures = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    signed = b".".join((id.encode(), at.encode(), body))
    expected = "v1," + base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    fresh = at.isdecimal() and abs(time.time() - int(at)) < OLDEST_S
    return fresh and any(hmac.compare_digest(one.encode(), expected.encode()) for one in signatures.split())


class Bell(BaseHTTPRequestHandler):
    """One POST is one piece of news."""

    timeout = 10

    def do_POST(self) -> None:
        """Says it aloud, and thanks."""
        size = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(size) if 0 < size <= MOST_BYTES else b""
        headers = {name.lower(): value for name, value in self.headers.items()}
        right = is_right(headers, body)
        self.send_response(204 if right else 403)
        self.end_headers()
        id, now = headers.get("webhook-id", ""), time.time()
        for old in [one for one, at in heard.items() if now - at > OLDEST_S]:
            del heard[old]
        if right and id not in heard:
            heard[id] = now
            news = json.loads(body)
            place = news["zone_label"] or news["zone"] or "the store"
            sys.stdout.write(f"{news['event']} in {place}, {news['waiting']} waiting\n")
            sys.stdout.flush()

    def log_message(self, *_: object) -> None:
        """Nothing: what was said is enough."""


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(sys.argv[1])), Bell).serve_forever()
