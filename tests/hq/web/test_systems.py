"""The calls for other systems: keys, rights, limits, calls done once, and what is listed of lines that are refused."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hq import erasure, systems, systems_refused
from hq.database import reading, writing
from hq.systems import EVERY_BRAND, Right
from tests.hq.headquarters import STORE
from tests.hq.web.place import Place


@pytest.fixture(scope="module")
def keys(place: Place) -> Iterator[dict[str, Any]]:
    """Keys: of a system with all rights, of one that may bring purchases alone, of one that may call twice a minute."""
    place.hq.grant("ada", "assist", "size.shoe", "history.store", "wishlist")
    with writing(place.hq.engine) as connection:
        made = {
            "all": systems.add(connection, "all", "", tuple(Right), [EVERY_BRAND], (), place.hq.now_ms),
            "till": systems.add(connection, "till", "", [Right.PURCHASES], [], [STORE], place.hq.now_ms),
            "busy": systems.add(connection, "busy", "", [Right.CHANGES], ["main"], (), place.hq.now_ms, 2),
            "slow": systems.add(connection, "slow", "", [Right.EVENTS], ["main"], (), place.hq.now_ms, 2),
            "long": [
                systems.add(connection, "a" * 39 + last, "", [Right.CHANGES], ["main"], (), place.hq.now_ms, 1)
                for last in "xy"
            ],
        }
    yield made


def by(place: Place, key: str) -> Any:
    """A system that shows this key."""
    client = place.app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    return client


def bought(place: Place, reference: str, **more: object) -> dict[str, object]:
    """A purchase of Ada's."""
    items = [{"item": "boots", "label": "Boots"}]
    return {"member": "ada", "reference": reference, "store": STORE, "at": place.hq.now_s - 60, "items": items, **more}


def test_without_a_key_and_with_another_systems_rights(place: Place, keys: dict[str, str]) -> None:
    """401 and 403, as problem documents; a member's session is no system's key."""
    strangers: list[Any] = [place.client(), place.signed_in(), by(place, "csk_" + "A" * 43)]
    for client in strangers:
        answer = client.get("/api/v1/changes")
        assert (answer.status_code, answer.json["code"]) == (401, "unknown-system")
    unread = place.client().post("/api/v1/purchases", data="{", content_type="application/json")
    assert unread.status_code == 401, "nothing is read before the key"
    for answer in (
        by(place, keys["till"]).get("/api/v1/changes"),
        by(place, keys["till"]).put("/api/v1/staff", json=[{}]),
        by(place, keys["till"]).delete("/api/v1/members/ada"),
    ):
        assert (answer.status_code, answer.json["code"]) == (403, "forbidden")


def test_over_the_limit_a_system_is_told_how_long_to_wait(place: Place, keys: dict[str, str]) -> None:
    """429 with Retry-After; another system is not held up; after the wait it goes on."""
    busy = by(place, keys["busy"])
    assert [busy.get("/api/v1/changes").status_code for _ in range(3)] == [200, 200, 429]
    answer = busy.get("/api/v1/changes")
    assert (answer.json["code"], answer.headers["Retry-After"]) == ("throttled", "30")
    assert by(place, keys["all"]).get("/api/v1/changes").status_code == 200
    place.hq.now_ms += 30_000
    assert busy.get("/api/v1/changes").status_code == 200
    assert [by(place, key).get("/api/v1/changes").status_code for key in keys["long"]] == [200, 200]


def test_ten_thousand_lines_get_in_however_slow_the_limit_is(place: Place, keys: dict[str, Any]) -> None:
    """Of a system of two calls a minute: after the wait that it is told; one line more is refused unread."""
    slow, line = by(place, keys["slow"]), b"1\n"
    post = lambda many: slow.post("/api/v1/events", data=line * many, content_type="application/x-ndjson")  # noqa: E731
    assert post(10_001).json["reason"] == "too_many"
    answer = post(10_000)
    for _ in range(2):
        assert answer.status_code == 429
        place.hq.now_ms += int(answer.headers["Retry-After"]) * 1000
        answer = post(10_000)
        if answer.status_code == 422:
            break
    assert len(answer.json["refused"]) == 10_000, "no line was an object"


def test_what_is_refused_is_listed_and_the_rest_is_taken(place: Place, keys: dict[str, str]) -> None:
    """As JSON and as NDJSON; nothing of a value is repeated; a call of bad lines only is a problem that lists them."""
    till = by(place, keys["till"])
    rows = [bought(place, "1"), bought(place, "2", at="canary"), bought(place, "3", member="nobody")]
    for body, kind in (
        (json.dumps(rows), "application/json"),
        ("\n".join(map(json.dumps, rows)), "application/x-ndjson"),
    ):
        answer = till.post("/api/v1/purchases", data=body, content_type=kind)
        assert answer.status_code == 200
        assert [(one["line"], one["field"], one["reason"]) for one in answer.json["refused"]] == [
            (2, "at", "malformed"),
            (3, "member", "unknown_member"),
        ]
        assert answer.json["taken"] == 1
        assert b"canary" not in answer.data
    assert till.post("/api/v1/purchases", json=rows).json["new"] == 0
    answer = till.post("/api/v1/purchases", json=rows[1:])
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    assert [one["line"] for one in answer.json["refused"]] == [1, 2]
    answer = till.post("/api/v1/purchases", data="{", content_type="application/json")
    assert (answer.status_code, answer.json["code"], answer.json["reason"]) == (422, "refused", "malformed")


def test_a_key_for_a_call_makes_it_once(place: Place, keys: dict[str, str]) -> None:
    """The same answer, also to what would now be nothing new; for another call the key is a conflict."""
    till = by(place, keys["till"])
    headers = {"Idempotency-Key": "k-1"}
    answers = [till.post("/api/v1/purchases", json=[bought(place, "9")], headers=headers).json for _ in range(2)]
    assert answers == [{"taken": 1, "new": 1, "refused": []}] * 2
    answer = till.post("/api/v1/purchases", json=[bought(place, "10")], headers=headers)
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")


def test_the_browsers_signal_makes_it_another_call(place: Place, keys: dict[str, str]) -> None:
    """The same key and lines with `Sec-GPC: 1` are a conflict, not the answer of before: what it ends is not lost."""
    system = by(place, keys["all"])
    row = {"member": "ada", "purpose": "assist", "state": "withdrawn", "scopes": ["language"], "chosen": place.hq.now_s}
    post = lambda **more: system.post("/api/v1/consent-events", json=[row], headers={"Idempotency-Key": "g-1", **more})  # noqa: E731
    assert post().status_code == post(**{"Sec-GPC": "0"}).status_code == 200
    answer = post(**{"Sec-GPC": "1"})
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")


def test_every_call_of_a_system_that_may_all(place: Place, keys: dict[str, str]) -> None:
    """Members, consent, values, events, items, associates come in; the changes tell; an erased member is gone."""
    system, now_s = by(place, keys["all"]), place.hq.now_s
    chosen = {"member": "new-1", "state": "given", "stores": [STORE], "chosen": now_s - 9}
    assist = chosen | {"purpose": "assist", "scopes": ["size.shoe", "wishlist"]}
    saved = {"member": "new-1", "kind": "saved", "item": "b", "label": "B", "at": now_s}
    told = [
        system.post("/api/v1/members", json=[{"member": "new-1", "age_at_least": 18, "jurisdiction": "DE"}]),
        system.post(
            "/api/v1/consent-events",
            json=[
                chosen | {"purpose": "presence"},
                assist,
            ],
            headers={"Sec-GPC": "1"},
        ),
        system.put("/api/v1/members/new-1/profile", json=[{"scope": "size.shoe", "value": "41", "collected": now_s}]),
        system.post("/api/v1/events", json=saved),
        system.put("/api/v1/catalog/items?catalog=shoes", json=[{"id": "b", "name": "Boots"}]),
        system.put("/api/v1/staff", json=[{"associate": "nina", "store": STORE, "name": "Nina", "role": "associate"}]),
    ]
    assert [(one.status_code, one.json["new"]) for one in told] == [(200, n) for n in (1, 3, 1, 1, 1, 1)]
    assert system.post("/api/v1/members", json=[{"member": "new-2"}]).json["new"] == 1
    assert system.post("/api/v1/members/merge", json=[{"from": "new-2", "into": "new-1"}]).json["new"] == 1
    assert system.post("/api/v1/members", json=[{"member": "new-2"}]).json["new"] == 0, "it leads to the other"
    page = system.get("/api/v1/changes").json
    mine = [(one["kind"], one["method"]) for one in page["changes"] if one["member"] == "new-1"]
    assert sorted(mine) == [("given", "import"), ("given", "import"), ("withdrawn", "gpc")]
    led = [(one["kind"], one["into"]) for one in page["changes"] if one["member"] == "new-2"]
    assert (led, page["unreadable"]) == ([("merged", "new-1")], 0)
    answer = system.delete("/api/v1/members/new-1")
    assert (answer.status_code, len(answer.json["erasure"])) == (202, 16)
    assert system.delete("/api/v1/members/new-1").status_code == 404
    gone = system.get(f"/api/v1/changes?after={page['next']}").json["changes"]
    assert [(one["kind"], one["member"]) for one in gone] == [("erased", "new-1"), ("erased", "new-2")]
    denied = system.post("/api/v1/contacts/decisions", json={"member": "ada", "channel": "email"}).json
    assert denied == {"decisions": [{"line": 1, "decision": "deny", "reason": "consent"}], "refused": []}
    answer = system.put("/api/v1/members/ada/profile", json=[{"scope": "birth.date", "value": "1", "collected": now_s}])
    assert (answer.status_code, answer.json["refused"][0]["reason"]) == (422, "no-purpose")


def test_members_are_erased_one_a_line_and_once(place: Place, keys: dict[str, Any]) -> None:
    """Each with its erasure; who is no member is listed, also where all are none; a system of one brand erases none."""
    system, names = by(place, keys["all"]), ("gone-1", "gone-2")
    for name in names:
        place.hq.office.add_member(name, 18, "DE", place.hq.now_ms)
    rows: list[Any] = [{"member": names[1]}, {"member": "nobody"}, 7, {"member": names[0]}, {"member": names[0]}]
    with writing(place.hq.engine) as connection:
        brand = systems.add(connection, "brand", "", [Right.MEMBERS], ["main"], (), place.hq.now_ms)
    assert by(place, brand).delete("/api/v1/members", json=rows).json["code"] == "forbidden"
    told = [system.delete("/api/v1/members", json=rows, headers={"Idempotency-Key": "e-1"}) for _ in range(2)]
    assert {one.status_code for one in told} == {202} and told[0].json == told[1].json
    begun = {one["line"]: one["erasure"] for one in told[0].json["erasures"]}
    assert [(one["line"], one["reason"]) for one in told[0].json["refused"]] == [
        (2, "unknown_member"), (3, "malformed"), (5, "unknown_member"),
    ]  # fmt: skip
    with reading(place.hq.engine) as connection:
        found = {line: erasure.of_reference(connection, bytes.fromhex(one)) for line, one in begun.items()}
        assert list(found) == [1, 4] and None not in found.values()
        assert place.hq.keys.custody.references(connection, names) == {}
    again = system.delete("/api/v1/members", json=rows)
    assert (again.status_code, len(again.json["refused"])) == (422, 5)
    kept = system.get("/api/v1/openapi.json").json["paths"]["/api/v1/members/{member}"]["delete"]["parameters"]
    assert [one["name"] for one in kept] == ["Idempotency-Key"]


def test_a_cursor_that_hq_does_not_know_is_refused(place: Place, keys: dict[str, Any]) -> None:
    """410 where it is ahead of all events, or of another event than that of its number; what is none is malformed."""
    system = by(place, keys["all"])
    newest = system.get("/api/v1/changes").json["next"]
    number, short = newest.split("-")
    other = f"{int(short, 16) ^ 1:08x}"
    for known in (newest, number, "0"):
        assert system.get(f"/api/v1/changes?after={known}").status_code == 200
    assert system.get(f"/api/v1/changes?after={newest}").json["next"] == newest
    for unknown in (f"{number}-{other}", str(int(number) + 1), f"0-{short}", "9" * 16):
        answer = system.get(f"/api/v1/changes?after={unknown}")
        assert (answer.status_code, answer.json["code"]) == (410, "cursor-unknown")
    for wrong in ("-1", "x", newest[:-1], f"{newest}0", f"{newest}%0A", "0%0A", "9" * 17, ""):
        assert system.get(f"/api/v1/changes?after={wrong}").status_code == 422


def test_the_calls_are_in_the_document(place: Place) -> None:
    """With what secures them."""
    paths = by(place, "").get("/api/v1/openapi.json").json["paths"]
    for path, method in (("/purchases", "post"), ("/changes", "get"), ("/members/{member}", "delete")):
        assert paths[f"/api/v1{path}"][method]["security"] == [{"system": []}]


def test_ten_thousand_lines_with_three_bad_ones(place: Place, keys: dict[str, Any]) -> None:
    """9,997 are taken, three listed with line, field and reason and kept without a value; again, nothing is new."""
    names = [f"m-{number}" for number in range(10)]
    for name in names:
        place.hq.join(name, "history.store")
    rows: list[object] = [bought(place, f"r-{number}", member=names[number % 10]) for number in range(10_000)]
    rows[17] = "no object"
    rows[4_000] = bought(place, "r-x", at="yesterday-canary")
    rows[9_999] = bought(place, "r-y", member="m-canary")
    body = "\n".join(map(json.dumps, rows))
    for new in (9_997, 0):
        answer = by(place, keys["till"]).post("/api/v1/purchases", data=body, content_type="application/x-ndjson")
        assert (answer.status_code, answer.json["taken"], answer.json["new"]) == (200, 9_997, new)
        assert [(one["line"], one["field"], one["reason"]) for one in answer.json["refused"]] == [
            (18, "", "malformed"), (4_001, "at", "malformed"), (10_000, "member", "unknown_member"),
        ]  # fmt: skip
        assert b"canary" not in answer.data
    with reading(place.hq.engine) as connection:
        kept = systems_refused.newest(connection, limit=3)
        assert [(one.system, one.call, one.line) for one in kept] == [
            ("till", "purchases", 10_000), ("till", "purchases", 4_001), ("till", "purchases", 18),
        ]  # fmt: skip
        assert "canary" not in str(kept)
        counted = {(one[0], one[2]): one[3] for one in systems_refused.counts(connection, 0)}
        assert counted["till", "malformed"] >= 4
    place.hq.check()
