"""Every example of docs/integrating.md, run in its order against HQ's web, over HTTP with curl."""

import json
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from hq import collections, systems, webhooks
from hq.database import writing
from hq.systems import EVERY_BRAND, Right
from tests.hq.headquarters import STORE
from tests.hq.web.place import Place
from wire.sync import Collection

DOCUMENT = (Path(__file__).parents[3] / "docs/integrating.md").read_text(encoding="utf-8")
AT_MS = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture
def address(place: Place) -> Iterator[str]:
    """HQ's web over plain HTTP on this machine."""
    place.hq.now_ms = AT_MS
    server = make_server("127.0.0.1", 0, place.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


def test_every_example_does_what_the_document_says(place: Place, address: str, needs: Callable[[str], str]) -> None:
    """In the order of the document: what is taken, new, refused, decided and told."""
    with writing(place.hq.engine) as connection:
        key = systems.add(connection, "crm", "", tuple(Right), [EVERY_BRAND], (), place.hq.now_ms)
        collections.give(connection, STORE, Collection.CATALOG, "shoes")
    variables = {"HQ": address, "KEY": key, "PATH": os.environ["PATH"], "DECISION": ""}
    needs("curl")
    told = []
    for example in re.findall(r"^```sh\n(.*?)\n```$", DOCUMENT, re.M | re.S):
        done = subprocess.run(["sh", "-c", example], env=variables, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        told.append(json.loads(done.stdout))
        for decision in told[-1].get("decisions", ()):
            variables["DECISION"] = decision["id"]
    members, merged, consent, profile, purchases, events, catalog, staff, decided, result, changes, gone = told
    assert members == {"taken": 2, "new": 2, "refused": []}
    assert f"`{json.dumps(members)}`" in DOCUMENT
    counted = [(one["taken"], one["new"]) for one in (merged, consent, profile, purchases, events, catalog, staff)]
    assert counted == [(1, 1), (4, 4), (1, 1), (1, 1), (1, 1), (4, 2), (1, 1)]
    assert [(one["line"], one["reason"]) for one in purchases["refused"]] == [(2, "no-consent")]
    assert [(one["line"], one["reason"]) for one in events["refused"]] == [(2, "no-consent")]
    assert decided["decisions"][0]["decision"] == "allow"
    assert (result["taken"], result["new"]) == (1, 1)
    kinds = [one["kind"] for one in changes["changes"] if one["member"] == "m-1"]
    assert (sorted(kinds), changes["more"]) == (["given", "given", "given", "withdrawn"], False)
    assert len(gone["erasure"]) == 16


def test_a_message_is_verified_as_the_document_says() -> None:
    """What HQ signs passes; another body, another secret and an old message do not."""
    (listing,) = re.findall(r"^```python\n(.*?)\n```$", DOCUMENT, re.M | re.S)
    made: dict[str, Callable[..., bool]] = {}
    exec(listing, made)
    secret, body = b"\x07" * 32, b'{"type":"consentry.changes"}'
    headers = {
        "webhook-id": "msg_1", "webhook-timestamp": "1000",
        "webhook-signature": "v1,other " + webhooks.signature(secret, "msg_1", 1000, body),
    }  # fmt: skip
    verify, shown = made["verify"], webhooks.shown(secret)
    assert verify(shown, headers, body, 1000.0)
    assert not verify(shown, headers, body + b" ", 1000.0)
    assert not verify(webhooks.shown(b"\x08" * 32), headers, body, 1000.0)
    assert not verify(shown, headers, body, 1301.0)
