"""The public page about privacy, and the call that tells a member what can be chosen."""

import hashlib
import json
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import expect
from sqlalchemy import select

from hq import notice, notice_diff
from hq.database import reading
from hq.notice_diff import Kind
from hq.notices_tables import notice_servings
from hq.policy_rules import Draft
from tests.hq.web.conftest import Open, axe
from tests.hq.web.place import Place

GERMAN = {"Accept-Language": "de-AT,de;q=0.9"}


def second(draft: Draft) -> Draft:
    """The next version: help may be kept a year longer, and a sentence is shorter."""
    english, german = draft.papers.words
    own = replace(english.purposes["assist"], benefit="Help that fits you: your size and your taste.")
    words = (replace(english, purposes={**english.purposes, "assist": own}), german)
    purposes = tuple(
        replace(one, retention_days=1095) if one.id == "assist" else one for one in draft.main.purposes
    )  # fmt: skip
    main = replace(draft.main, version=draft.main.version + 1, purposes=purposes)
    return replace(draft, main=main, papers=replace(draft.papers, words=words))


@pytest.fixture(scope="module")
def versions(place: Place) -> Place:
    """A day later the second version is published."""
    place.hq.later(86_400)
    place.hq.office.publish_policy(second(place.hq.draft), place.hq.now_ms)
    return place


def served(place: Place, member: str) -> list[tuple[str, str, str]]:
    """(purpose, language, surface) of what was served to a member."""
    wanted = select(notice_servings).where(
        notice_servings.c.member == place.reference(member), notice_servings.c.surface != "command"
    )
    with reading(place.hq.engine) as connection:
        rows = connection.execute(wanted.order_by(notice_servings.c.id)).all()
    return [(row.purpose, row.language, row.surface) for row in rows]


def test_what_can_be_chosen_is_told_and_recorded(versions: Place) -> None:
    """In the member's language, with what the choice has to name; before, the choice is refused, after it is taken."""
    app = versions.app_client("ben")
    choice = {"changes": [{"act": "give", "purpose": "presence", "stores": ["berlin-1"]}]}
    refused = app.patch("/api/v1/me/choices", json=choice)
    assert (refused.status_code, refused.get_json()["code"]) == (403, "notice-not-served")
    assert app.post("/api/v1/me/phones", json={}).get_json()["code"] == "notice-not-served"
    assert served(versions, "ben") == []
    found = app.get("/api/v1/notices", headers=GERMAN)
    assert (found.status_code, found.headers["Cache-Control"]) == (200, "no-store")
    listed = found.get_json()["notices"]
    assert [one["purpose"] for one in listed][:3] == ["presence", "assist", "suggest"]
    presence = listed[0]
    assert presence["label"] == "Im Laden erkannt werden"
    assert presence["ask"] == "never"
    assert set(presence) == {"notice", "brand", "purpose", "language", "label", "what", "how", "why", "benefit", "full",
                             "details", "scopes", "ask"}  # fmt: skip
    assert {
        "scope": "diet",
        "special": "health or belief",
        "retention_days": 365,
        "most_items": 6,
        "shown": True,
    } in listed[1]["scopes"]
    assert served(versions, "ben") == [(one["purpose"], "de", "app") for one in listed]
    choice["changes"][0] |= {"notice": presence["notice"], "language": "de"}
    assert app.patch("/api/v1/me/choices", json=choice).status_code == 200
    exact = app.get(f"/privacy/notices/{presence['notice']}")
    assert hashlib.sha256(exact.data).hexdigest() == presence["notice"]
    assert json.loads(exact.data)["texts"]["de"]["what"] == presence["what"]


def test_what_is_asked_for_is_what_is_recorded(versions: Place) -> None:
    """Of one purpose, at one store, in another language; what is nowhere is nowhere."""
    app = versions.app_client("ada")
    (found,) = app.get("/api/v1/notices?store=berlin-1&purpose=insight&language=en-GB").get_json()["notices"]
    assert (found["purpose"], found["language"]) == ("insight", "en")
    assert served(versions, "ada") == [("insight", "en", "app")]
    assert app.get("/api/v1/notices?store=nowhere").status_code == 404
    assert app.get("/api/v1/notices?purpose=nothing").status_code == 404
    assert app.get("/api/v1/notices?language=%3Cb%3E").status_code == 422
    assert versions.client().get("/api/v1/notices").status_code == 401


def test_the_privacy_page_is_for_everybody(versions: Place, client: FlaskClient) -> None:
    """No sign-in; every purpose in the reader's language, with all that the policy says; nothing is recorded."""
    before = len(served(versions, "ada"))
    page = client.get("/privacy", headers=GERMAN).get_data(as_text=True)
    assert page.count("<article") == len(versions.hq.draft.main.purposes)
    assert "Brief &amp; Bote GmbH (DE)" in page
    assert "2 Fassungen, und was sich änderte" in page
    assert "Apotheke" in page
    signed_in = versions.signed_in().get("/privacy").get_data(as_text=True)
    assert "Show what I share to who helps me" in signed_in
    assert len(served(versions, "ada")) == before


def test_every_version_is_told_with_what_it_changed(versions: Place, client: FlaskClient) -> None:
    """Word by word, newest first, for eyes and ears; each with its exact bytes."""
    page = client.get("/privacy/main/assist").get_data(as_text=True)
    assert page.index("members may be asked again") < page.index("the first")
    assert '<del><span class="unseen">removed: </span>2</del>' in page
    assert '<ins><span class="unseen">added: </span>3</ins>' in page
    assert "your open case" in page
    german = client.get("/privacy/main/assist", headers=GERMAN).get_data(as_text=True)
    assert '<del><span class="unseen">entfernt: </span>2</del>' in german
    for nowhere in (
        "/privacy/main/nothing",
        "/privacy/other/assist",
        "/privacy/notices/zz",
        f"/privacy/notices/{'00' * 32}",
    ):
        assert client.get(nowhere).status_code == 404


def test_a_difference_is_told_word_by_word() -> None:
    """What stays stays readable; whole lines come and go; what is the same is not told."""
    before = ["the same", "We keep it for 2 years.", "this goes"]
    after = ["the same", "We keep it for 3 years.", "", "this comes, and more"]
    found = notice_diff.lines(before, after)
    assert [(piece.kind, piece.text) for piece in found[0]] == [
        (Kind.SAME, "We keep it for"), (Kind.GONE, "2"), (Kind.NEW, "3"), (Kind.SAME, "years."),
    ]  # fmt: skip
    assert notice_diff.lines(before, before) == []
    long = " ".join(str(number) for number in range(2_500))
    assert [piece.kind for piece in notice_diff.lines([long], ["short"])[0]] == [Kind.GONE, Kind.NEW]
    assert [piece.kind for line in notice_diff.lines([], ["a", "b"]) for piece in line] == [Kind.NEW, Kind.NEW]


@pytest.mark.browser
@pytest.mark.needs("chromium", "openssl")
def test_the_page_is_read_without_a_script_and_by_everybody(versions: Place, opened: Open) -> None:
    """Nobody signed in, no script: the full text opens, the versions are a tap away; axe-core finds nothing."""
    page = opened("phone", "/privacy", member=None, javascript=False)
    page.locator("#main-assist summary").click()
    expect(page.locator("#main-assist").get_by_text("For at most 3 years.")).to_be_visible()
    page.locator("#main-assist").get_by_role("link").click()
    expect(page.locator("del").first).to_be_visible()
    page = opened("phone", "/privacy/main/assist", member=None)
    axe(page, "versions")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_text_is_the_same_on_the_page_and_in_the_notice(versions: Place, client: FlaskClient) -> None:
    """Every line of what is in force stands on the page."""
    from html import escape

    page = client.get("/privacy").get_data(as_text=True)
    draft = second(versions.hq.draft)
    with reading(versions.hq.engine) as connection:
        from hq import notices

        for one in notices.in_force(connection):
            for line in notice.plain(one, "en"):
                assert escape(line, quote=False).replace("'", "&#39;").replace('"', "&#34;") in page, line
    assert draft.main.version == 2
