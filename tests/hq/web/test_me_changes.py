"""Many changes of a member's choices in one call of the loyalty app: what takes away is made whatever is beside it."""

import json
from typing import Any

import pytest
from sqlalchemy import event

from hq import changes, choosing
from hq.database import reading
from hq.errors import Reason, Refused
from hq.matching import Match
from hq.office import Office
from hq.web import me_lines
from tests.hq.headquarters import STORE
from tests.hq.web.me_app import ME, PRESENCE, App, change, given, said
from tests.hq.web.place import Place
from wire.member import Mode


def test_of_many_changes_each_is_taken_by_itself(place: Place, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as may be of those that give, the rest listed; all that takes away, wherever it stands in the list."""
    assert me_lines.MOST_CHANGES == 50
    monkeypatch.setattr(me_lines, "MOST_CHANGES", most := 5)
    change(app, PRESENCE, {"act": "give", "purpose": "assist", "scopes": ["size.shoe", "diet"]})
    place.hq.later(1)
    names = [{"act": "name", "name": "always"}] * (most + 2)
    gone = [{"act": "withdraw", "purpose": "assist", "scopes": [one]} for one in ["size.shoe", "diet"] * most]
    problem = change(app, *names, *gone, status=422)
    assert problem["reason"] == "too_many"
    assert [(one["line"], one["field"]) for one in problem["refused"]] == [
        (most, "changes"), (most + 1, "changes"),
    ]  # fmt: skip
    found = said(app.get(f"{ME}/choices"))
    assert (given(found, "assist"), found["name"]) == (None, "always")
    values = [{"act": "correct", "scope": "size.shoe", "text": str(one)} for one in range(most + 1)]
    body = {"changes": [*values, {"act": "delete", "scope": "diet"}]}
    assert [one["line"] for one in said(app.patch(f"{ME}/profile", json=body), 422)["refused"]] == [most]


def test_of_equal_changes_that_take_away_one_is_made(place: Place, app: App) -> None:
    """However often a call names it, the ledger has it once, and each that is refused is listed; of modes the last."""

    def events() -> int:
        with reading(place.hq.engine) as connection:
            return changes.newest(connection)

    change(app, PRESENCE)
    place.hq.later(1)
    before = events()
    nameless = {"act": "remove-store"}
    gone = [{"act": "withdraw", "purpose": "presence"}, {"purpose": "presence", "act": "withdraw", "until_days": "x"}]
    problem = change(app, nameless, *gone * 10, {"act": "name", "name": "never"}, nameless, status=422)
    assert [one["line"] for one in problem["refused"]] == [0, 22]
    assert events() == before + 2, "the withdrawal in its two forms, and the name"
    change(app, *({"act": "leave", "until_days": days} for days in range(1, 20)))
    assert events() == before + 3, "whatever is said beside it"
    change(app, {"act": "mode", "mode": "help"}, {"act": "mode", "mode": "open"}, {"act": "mode", "mode": "help"})
    assert said(app.get(f"{ME}/choices"))["mode"] == "help"


def test_many_different_withdrawals_cost_what_one_does_and_no_more_for_each(place: Place, app: App) -> None:
    """They are one change of the member: asked of the database is as much for three hundred as for one."""
    asked: list[str] = []

    def costs(*changes: dict[str, Any], status: int = 200) -> int:
        asked.clear()
        change(app, *changes, status=status)
        return len(asked)

    def different(count: int) -> list[dict[str, Any]]:
        return [
            {"act": act, "purpose": "assist", "scopes": ["diet", f"no.such{number}"]}
            for number in range(count)
            for act in ("withdraw", "refuse")
        ] + [{"act": "remove-store", "store": f"elsewhere-{number}"} for number in range(count)]

    change(app, PRESENCE, {"act": "give", "purpose": "assist", "scopes": ["diet", "size.shoe"]})
    listen = (place.hq.engine, "before_cursor_execute", lambda *said: asked.append(said[2]))
    event.listen(*listen)
    try:
        few, many = costs(*different(1)), costs(*different(100))
    finally:
        event.remove(*listen)
    assert many <= few + 3, "a long list is read in a few pieces"
    assert given(said(app.get(f"{ME}/choices")), "assist") == {"size.shoe"}


def test_what_takes_away_works_whatever_is_refused_beside_it(place: Place, app: App) -> None:
    """One call: the withdrawal holds, the grant that no policy knows is named by its place, field and reason."""
    change(app, PRESENCE)
    place.hq.later(1)
    problem = change(
        app, {"act": "give", "purpose": "mind-reading", "stores": [STORE], "scopes": ["size.shoe"]},
        {"act": "leave"}, status=422,
    )  # fmt: skip
    assert problem["code"] == "refused" and [one["line"] for one in problem["refused"]] == [0]
    assert problem["refused"][0]["reason"] == "undeclared_purpose"
    assert given(said(app.get(f"{ME}/choices")), "presence") is None


def test_what_nobody_ever_declared_is_taken_back_from_nobody_in_silence(place: Place, app: App) -> None:
    """A mistyped purpose or brand is named by its place, and ends nothing; what was meant beside it ends."""
    given_here = {"act": "give", "purpose": "assist", "scopes": ["diet"]}
    change(app, PRESENCE, given_here, {"act": "give", "purpose": "contact.email"})
    place.hq.later(1)
    problem = change(
        app, {"act": "withdraw", "purpose": "asist"}, {"act": "withdraw", "purpose": "contact.e-mail"},
        {"act": "refuse", "purpose": "asist"}, {"act": "withdraw", "brand": "mian"},
        {"act": "withdraw", "purpose": "contact.email", "brand": "main"}, {"act": "withdraw", "purpose": "media"},
        status=422,
    )  # fmt: skip
    assert [(one["line"], one["field"], one["reason"]) for one in problem["refused"]] == [
        *((line, "purpose", "undeclared_purpose") for line in range(3)), (3, "brand", "no_policy"),
    ]  # fmt: skip
    assert "asist" not in json.dumps(problem)
    found = said(app.get(f"{ME}/choices"))
    assert given(found, "assist") == {"diet"}
    assert not any(one["given"] for brand in found["brands"] for one in brand["purposes"])


def test_a_change_that_lacks_something_keeps_no_other_from_being_made(place: Place, app: App) -> None:
    """A taking-away without its store beside the way out of everything, and a wish without its purpose: both named."""
    change(app, PRESENCE)
    place.hq.later(1)
    problem = change(
        app, {"act": "remove-store"}, {"act": "leave"}, {"act": "give"}, {"act": "name", "name": "always"},
        {"act": "withdraw", "purpose": "media", "stores": [f"{STORE}\n"]}, status=422,
    )  # fmt: skip
    told = [(one["line"], one["field"], one["reason"]) for one in problem["refused"]]
    assert told == [(0, "store", "malformed"), (2, "purpose", "malformed"), (4, "stores", "malformed")]
    found = said(app.get(f"{ME}/choices"))
    assert given(found, "presence") is None and found["name"] == "always"


def test_an_app_that_shows_an_older_state_gives_nothing_and_takes_back_all_the_same(place: Place, app: App) -> None:
    """`If-Match` guards what opens; a withdrawal needs no match."""
    first = app.get(f"{ME}/choices").headers["ETag"]
    change(app, PRESENCE, If_Match=first)
    second = app.get(f"{ME}/choices").headers["ETag"]
    assert second != first
    place.hq.later(1)
    assert change(app, {"act": "mode", "mode": "open"}, status=412, If_Match=first)["code"] == "stale"
    assert change(app, {"act": "leave"}, {"act": "mode", "mode": "open"}, status=412, If_Match=first)
    found = said(app.get(f"{ME}/choices"))
    assert found["mode"] == "help" and given(found, "presence") is None


def test_a_malformed_change_keeps_no_withdrawal_from_being_made(place: Place, app: App) -> None:
    """Of a change of another form beside it, or of what in itself does not say what is taken back."""
    wrong: list[Any] = [{"act": "dance"}, {"act": "give", "purpose": 7}, "leave", 3, {"act": "mode", "mode": "loud"}]
    for way_out, status in (
        ({"act": "leave"}, 422),
        ({"act": "leave", "reason": "none of your business"}, 422),
        ({"act": "withdraw", "purpose": "presence", "until_days": "soon"}, 422),
    ):
        change(app, PRESENCE)
        place.hq.later(1)
        problem = change(app, *wrong, way_out, status=status)
        assert [(one["line"], one["reason"]) for one in problem["refused"]] == [
            (line, "malformed") for line in range(5)
        ]
        assert problem["refused"][1]["field"] == "purpose" and "business" not in json.dumps(problem)
        assert given(said(app.get(f"{ME}/choices")), "presence") is None
        place.hq.later(1)
    change(app, PRESENCE)
    place.hq.later(1)
    said(app.patch(f"{ME}/choices", json={"changes": [{"act": "leave"}], "reason": "mine"}))
    assert given(said(app.get(f"{ME}/choices")), "presence") is None
    place.hq.later(1)
    change(app, PRESENCE)
    narrow = change(app, {"act": "withdraw", "purpose": "presence", "scope": ["diet"]}, status=422)
    assert [one["line"] for one in narrow["refused"]] == [0], "what may have been meant narrower is asked again"
    assert given(said(app.get(f"{ME}/choices")), "presence") is not None


def test_two_apps_that_show_one_state_do_not_both_open_it(place: Place, app: App, name: str) -> None:
    """What somebody else wrote between comparing and writing is seen; what the app wrote itself is no other's."""
    shown = app.get(f"{ME}/choices").headers["ETag"]
    counter = Office(place.hq.engine, place.hq.keys, Match(frozenset({shown.strip('"')})))
    match = counter.guard
    assert isinstance(match, Match)
    change(app, {"act": "name", "name": "always"})  # another app, after this one was found to be up to date
    with pytest.raises(Refused) as found:
        counter.set_mode(name, Mode.OPEN, place.hq.now_ms, method="app")
    assert found.value.reason is Reason.STALE
    match.opens = False
    counter.withdraw(name, place.hq.now_ms, method="app")
    match.opens = True
    with pytest.raises(Refused):
        choosing.add_store(counter, name, STORE, place.hq.now_ms)
    fresh = app.get(f"{ME}/choices").headers["ETag"]
    several = [{"act": "pause"}, {"act": "add-store", "store": STORE}, {"act": "name", "name": "invited"}]
    found_now = change(app, *several, If_Match=fresh)
    assert (found_now["mode"], found_now["name"], len(found_now["stores"])) == ("quiet", "invited", 1)
    assert found_now["stores"][0]["store"] == STORE
