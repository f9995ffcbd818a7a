"""What HQ's web says: every sentence in every language, and nothing that knows left and right."""

import re

import pytest
from flask.testing import FlaskClient

from hq.web.languages import LANGUAGES
from runtime.web_languages import SOURCE
from tests.hq.web.catalogues import PACKAGE, SAID


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != SOURCE])
def test_every_sentence_is_there_in_every_language(language: str) -> None:
    """Nothing is missing, stale, doubled, doubtful, or lacks a place for what is filled in."""
    assert SAID.differences(language) == []
    assert len(SAID.said) > 50


@pytest.mark.parametrize("sheet", sorted((PACKAGE / "static").glob("*.css")), ids=lambda one: one.name)
def test_no_rule_of_the_styles_knows_left_and_right(sheet: object) -> None:
    """Whatever has a side is told by the way of reading, so that it turns with it."""
    rules = sheet.read_text(encoding="utf-8")  # type: ignore[attr-defined]
    assert not re.findall(
        r"(?<![\w-])(?:(?:margin|padding|border)-)?(?:left|right)(?:-\w+)*\s*:|text-align:\s*(?:left|right)", rules
    )


def test_the_language_is_the_chosen_one_then_the_browsers(client: FlaskClient) -> None:
    """German where the browser wants it; what was chosen on the page counts more, and survives."""
    german = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}
    assert '<html lang="de" dir="ltr"' in client.get("/sign-in", headers=german).get_data(as_text=True)
    assert '<html lang="de"' in client.get("/sign-in", headers={"Accept-Language": "de-AT,en;q=0.5"}).text
    chosen = client.post("/language", data={"language": "en", "next": "/sign-in"}, headers=german)
    assert (chosen.status_code, chosen.headers["Location"]) == (303, "/sign-in")
    assert '<html lang="en"' in client.get("/sign-in", headers=german).get_data(as_text=True)
    assert client.post("/language", data={"language": "tlh"}).status_code == 422
    away = client.post("/language", data={"language": "en", "next": "//elsewhere.example"})
    assert away.headers["Location"] == "/"
