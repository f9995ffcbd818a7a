"""Texts that cannot be kept, an unpaired surrogate or a NUL, in lines of other systems: each costs its own line."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from hq import systems
from hq.database import writing
from hq.systems import EVERY_BRAND, Right
from hq.web.systems_guard import NDJSON
from tests.hq.headquarters import STORE
from tests.hq.web.place import Place

TEXTS = {"surrogate": "a\ud800", "nul": "a\0"}
# Of each call its query, a line that can be taken, and where texts stand that are read by what they say.
CALLS: dict[str, tuple[str, dict[str, Any], str]] = {
    "post /consent-events": (
        "",
        {"member": "ada", "purpose": "assist", "state": "given", "scopes": ["wishlist"], "stores": [STORE]},
        "member purpose state scopes stores brand roles zones_excluded notice language reference chosen from until",
    ),
    "post /members": ("", {"member": "eve", "age_at_least": 18, "jurisdiction": "DE"}, "member jurisdiction"),
    "delete /members": ("", {"member": "gone"}, "member"),
    "post /members/merge": ("", {"from": "eve", "into": "ben"}, "from into"),
    "put /members/{member}/profile": (
        "",
        {"scope": "size.shoe", "value": "42"},
        "scope source surface class collected confirmed",
    ),
    "post /purchases": (
        "",
        {"member": "ada", "reference": "1", "store": STORE, "items": [{"item": "a", "label": "A"}]},
        "member reference kind store at",
    ),
    "post /events": ("", {"member": "ada", "kind": "saved", "item": "s", "label": "S"}, "member kind item label at"),
    "put /catalog/items": ("?catalog=shoes", {"id": "b-1", "name": "B"}, "id"),
    "put /staff": (
        "",
        {"associate": "nina", "store": STORE, "name": "Nina", "role": "associate"},
        "associate store name role",
    ),
    "post /contacts/decisions": (
        "",
        {"member": "ada", "channel": "email", "brand": "main"},
        "member channel brand store time_zone",
    ),
    "post /contacts/results": ("", {"result": "sent"}, "decision result currency"),
}
# And deeper within.
DEEPER: dict[str, Callable[[str], list[dict[str, Any]]]] = {
    "post /purchases": lambda text: [
        {"items": [{"item": text, "label": "A"}]},
        {"items": [{"item": "a", "label": text}]},
        {"kind": "return", "of": {"reference": text}},
        {"kind": "return", "of": {"reference": "1", "store": text}},
        {"kind": "service", "items": [], "subject": text, "open": True},
    ],
    "post /contacts/decisions": lambda text: [
        {"offer": {"id": text}},
        *({"offer": {key: [text]}} for key in ("items", "categories", "themes")),
    ],
}
LISTS = {"scopes", "stores", "roles", "zones_excluded"}
TIMES = {"post /consent-events": "chosen", "put /members/{member}/profile": "collected"}
TIMES |= {"post /purchases": "at", "post /events": "at"}


@pytest.fixture(scope="module")
def system(place: Place) -> FlaskClient:
    """A system that may all; Ada shares what it brings."""
    place.hq.grant("ada", "assist", "size.shoe", "history.store", "wishlist")
    with writing(place.hq.engine) as connection:
        key = systems.add(connection, "all", "", tuple(Right), [EVERY_BRAND], (), place.hq.now_ms)
    client = place.app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    return client


def lines(call: str, text: str, now_s: int) -> list[dict[str, Any]]:
    """A line for each place of a text, with this one there; the last line is good."""
    _, good, named = CALLS[call]
    if call in TIMES:
        good = good | {TIMES[call]: now_s - 60}
    bad = [{one: [text] if one in LISTS else text} for one in named.split()]
    return [*(good | one for one in (*bad, *DEEPER.get(call, lambda text: [])(text))), good]


def test_each_call_that_takes_lines_is_in_the_table(system: FlaskClient) -> None:
    """So that a new one is tried as well."""
    paths = system.get("/api/v1/openapi.json").get_json()["paths"]
    taking = {
        f"{method} {path.removeprefix('/api/v1')}"
        for path, methods in paths.items()
        for method, told in methods.items()
        if isinstance(told, dict) and NDJSON in told.get("requestBody", {}).get("content", {})
    }
    assert taking == CALLS.keys()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("call", CALLS)
def test_a_text_that_cannot_be_kept_costs_its_line_alone(
    place: Place, system: FlaskClient, call: str, text: str
) -> None:
    """Wherever it stands in the line: refused as malformed; the good line after it is taken."""
    place.hq.later(2)
    if call == "delete /members":
        place.hq.office.add_member("gone", 18, "DE", place.hq.now_ms)
    method, _, path = call.partition(" ")
    rows = lines(call, text, place.hq.now_s)
    answer = system.open(
        f"/api/v1{path.replace('{member}', 'ada')}{CALLS[call][0]}",
        method=method.upper(),
        data=json.dumps(rows),
        content_type="application/json",
    )
    told = answer.get_json()
    refused = {one["line"]: one["reason"] for one in told["refused"]}
    assert {line: refused.get(line) for line in range(1, len(rows))} == dict.fromkeys(range(1, len(rows)), "malformed")
    if call != "post /contacts/results":  # there was no decision that it could be the result of
        assert (answer.status_code, len(refused)) == (202 if method == "delete" else 200, len(rows) - 1), told
