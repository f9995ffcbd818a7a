"""Every page of the centre and the console, in English and German, full and empty: axe-core finds nothing."""

import re
from collections.abc import Iterable

import pytest
from playwright.sync_api import Page

from hq.console_roles import MAY, Role, View
from hq.web.console_door import MENU
from tests.hq.headquarters import STORE
from tests.hq.web import console_world
from tests.hq.web.centre_life import live
from tests.hq.web.conftest import Open, axe
from tests.hq.web.place import Place

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium", "openssl"), pytest.mark.long]

LOCALES = {"en": "en-GB", "de": "de-DE"}
CENTRE = (
    "/", "/centre/purposes/assist", "/centre/purposes/suggest", "/centre/purposes/contact.email", "/centre/stores",
    f"/centre/stores/{STORE}", f"/centre/stores/add/{STORE}", "/centre/mirror", "/centre/receipts", "/centre/profile",
    "/centre/purchases", "/centre/mutes", "/centre/phones", "/centre/copy", "/centre/erasure", "/sessions",
)  # fmt: skip
CONSOLE = (
    "/console", "/console/stores", "/console/stores/store-3", "/console/alerts", "/console/alerts?past=1",
    "/console/policy", "/console/policy/main/1", "/console/refused", "/console/hooks", "/console/models",
    "/console/questions", "/console/questions?done=1", "/console/requests", "/console/members",
    "/console/figures?axis=channel", "/console/figures?axis=wait", "/console/figures/work",
    "/console/figures/work?what=dark",
)  # fmt: skip
# Pages that a test reaches by what stands on another one, or that are no pages: files, pictures, ends of a form.
REACHED = re.compile(
    r"\.svg$|\.csv$|/file|/proof|/download|^/centre/(left|receipts/question|erasure/|copy/)|"
    r"^/centre$|^/console/(looks|notices)/|sign-(in|out)|^/console/figures/release"
)


def seen(page: Page, paths: Iterable[str], language: str) -> None:
    """Opens each, and looks."""
    for path in paths:
        answer = page.goto(path)
        assert answer is not None and answer.status == 200, path
        assert page.evaluate("document.documentElement.lang") == language, path
        axe(page, f"{path} in {language}")


@pytest.mark.parametrize("language", LOCALES)
def test_every_page_of_the_centre_is_for_everybody(opened: Open, place: Place, language: str) -> None:
    """Of a member who lived through some months, and of one who is new; on a phone."""
    if language == next(iter(LOCALES)):
        live(place)
    for member in ("ada", "ben"):
        page = opened("phone", "/", member=member, locale=LOCALES[language])
        there = [path for path in CENTRE if member == "ada" or path != f"/centre/stores/{STORE}"]
        seen(page, there, language)
        if member == "ada":
            page.goto("/centre/receipts")
            ask = page.locator("article a[href*='/question']").first.get_attribute("href")
            seen(page, [ask or ""], language)


@pytest.mark.parametrize("language", LOCALES)
def test_every_page_of_the_console_is_for_everybody(opened: Open, place: Place, language: str) -> None:
    """By each role that may see it, with something in every list; a look with each of its sections."""
    if language == next(iter(LOCALES)):
        console_world.fill(place, weeks=2)
    views = {path: view for view, path, _ in MENU}
    for role in (Role.PRIVACY, Role.INTEGRATOR):
        page = opened("wide", "/console", member=None, staff=role, locale=LOCALES[language])
        others = frozenset() if role is Role.PRIVACY else {Role.PRIVACY}  # looked at already
        seen(page, [one for one in CONSOLE if role in _roles(views, one) and not others & _roles(views, one)], language)
    page = opened("wide", "/console/members", member=None, staff=Role.PRIVACY, locale=LOCALES[language])
    page.locator("[name=member]").fill("ada")
    page.locator("[name=reason]").select_option("fault")
    page.locator("[name=words]").fill("the app showed nothing")
    page.locator("main form button").first.click()
    page.wait_for_url("**/console/looks/*")
    look = page.url.partition("?")[0]
    seen(page, [f"{look}?section={one}" for one in ("choices", "history", "receipts", "requests", "values")], language)


def _roles(views: dict[str, View], path: str) -> frozenset[Role]:
    """Who may see it; the overview everybody."""
    return next((MAY[view] for start, view in views.items() if path.startswith(start)), frozenset(Role))


def test_no_page_is_left_out(place: Place) -> None:
    """Every address of the centre and the console that answers with a page is looked at above."""
    rules = {
        rule.rule
        for rule in place.app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and re.match(r"/centre|/console|/$|/sessions", rule.rule)
    }
    named = [re.compile("^" + re.sub(r"<[^>]+>", "[^/]+", rule) + "$") for rule in rules]
    looked = {path.partition("?")[0] for path in (*CENTRE, *CONSOLE)}
    left = {
        rule.pattern for rule in named
        if not any(rule.match(path) for path in looked) and not REACHED.search(rule.pattern.strip("^$"))
    }  # fmt: skip
    assert left == set()
