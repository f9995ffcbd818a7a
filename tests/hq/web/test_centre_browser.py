"""The preference centre in a real browser: taps counted, without a script, by keyboard, with large text."""

import re
from dataclasses import replace

import pytest
from playwright.sync_api import Locator, Page, expect

from hq import choices, choosing, closings
from hq.database import reading
from tests.hq.headquarters import STORE
from tests.hq.web.centre_life import live
from tests.hq.web.conftest import Open
from tests.hq.web.place import Place
from wire.member import Mode

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium", "openssl")]
PURPOSES = ("presence", "assist", "suggest", "insight", "contact.email", "contact.push", "media")
KINDS = ("presence", "assist", "contact.email")  # without a scope, with scopes, of the whole brand


@pytest.fixture(scope="module", autouse=True)
def lived(place: Place) -> None:
    """Ada has lived through some months."""
    live(place)


def given(place: Place, member: str) -> set[str]:
    """The purposes that are given."""
    with reading(place.hq.engine) as connection:
        found = choices.of_member(connection, place.hq.keys, member, place.hq.now_ms)
    listed = [*(one.purposes for one in found.stores), *(one.purposes for one in found.brands)]
    return {one.purpose for purposes in listed for one in purposes if one.given}


class Finger:
    """Taps, and counts."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.taps = 0

    def at_home(self) -> "Finger":
        """Begins anew at the first page."""
        self.page.goto("/")
        self.taps = 0
        return self

    def tap(self, what: Locator) -> None:
        """One tap."""
        what.click()
        self.taps += 1


@pytest.mark.parametrize("purposes", [KINDS, pytest.param(PURPOSES, marks=pytest.mark.long)], ids=["kinds", "all"])
def test_stopping_takes_no_more_taps_than_agreeing(opened: Open, place: Place, purposes: tuple[str, ...]) -> None:
    """Counted for one purpose of each kind, or for all, and for everything, from the first page on."""
    page = opened("phone", f"/centre/stores/add/{STORE}", member="ben")
    page.locator("#add-this").click()
    page.wait_for_url("**/centre/stores")
    finger = Finger(page)
    most = 0
    for purpose in purposes:
        row = page.locator(f"#purpose-{purpose.replace('.', '-')}")
        place.hq.later(2)
        finger.at_home().tap(row)
        place.hq.later(2)
        finger.tap(page.locator("#agree"))
        expect(page.locator("#stop")).to_be_visible()
        to_agree = finger.taps
        assert purpose in given(place, "ben")
        place.hq.later(2)
        finger.at_home().tap(row)
        finger.tap(page.locator("#stop"))
        expect(page.locator("#agree")).to_be_visible()
        assert finger.taps <= to_agree, purpose
        assert purpose not in given(place, "ben")
        most += to_agree
    for purpose in ("presence", "insight"):
        place.hq.later(2)
        place.hq.grant("ben", purpose)
    assert given(place, "ben") == {"presence", "insight"}
    place.hq.later(2)
    finger.at_home().tap(page.locator("#stop-everything"))
    expect(page.get_by_role("heading", name="Nothing of yours is shared any more")).to_be_visible()
    assert finger.taps == 1 < most
    assert given(place, "ben") == set()
    closings.remove_store(place.hq.office, "ben", STORE, place.hq.now_ms, "preference-centre")  # as it was before


def test_stopping_a_part_takes_no_more_taps_than_agreeing_to_it(opened: Open, place: Place) -> None:
    """One field at a store, one that is sensitive, one store of several, each channel: from the first page on."""
    draft = place.hq.draft
    place.hq.office.add_store("koeln-1", "Köln", bytes(32), "main", place.hq.now_ms)
    place.hq.draft = replace(
        draft, stores=(*draft.stores, replace(draft.stores[0], store="koeln-1", label="Köln"))
    )  # fmt: skip
    place.hq.publish()
    for store in (STORE, "koeln-1"):
        choosing.add_store(place.hq.office, "ben", store, place.hq.now_ms)
    page = opened("phone", "/centre/purposes/assist", member="ben")
    place.hq.later(2)
    page.locator("#agree").click()
    page.locator("#stop").wait_for()
    finger = Finger(page)
    koeln, here = (page.locator(f"section[aria-labelledby=place-{one}]") for one in ("koeln-1", STORE))

    def taps(purpose: str, where: Locator, name: str) -> int:
        place.hq.later(2)
        finger.at_home().tap(page.locator(f"#purpose-{purpose}"))
        finger.tap(where.get_by_role("button", name=name, exact=True))
        expect(where.get_by_role("button", name=name, exact=True)).to_have_count(0)
        return finger.taps

    def shared(store: str) -> set[str]:
        with reading(place.hq.engine) as connection:
            found = choices.of_member(connection, place.hq.keys, "ben", place.hq.now_ms)
        (one,) = [one for one in found.stores if one.store == store]
        (assist,) = [each for each in one.purposes if each.purpose == "assist"]
        return {each.scope for each in assist.scopes if each.given}

    to_stop = taps("assist", koeln, "Stop: Köln")
    assert shared("koeln-1") == set()
    assert to_stop <= taps("assist", koeln, "Agree: Köln") == 2
    assert "size.shoe" in shared("koeln-1") & shared(STORE)
    for label, scope in (("Shoe size", "size.shoe"), ("Diet", "diet")):
        if scope == "diet":
            assert taps("assist", here, f"Share: {label}") == 2
        to_stop = taps("assist", here, f"Stop: {label}")
        assert scope not in shared(STORE)
        assert to_stop <= taps("assist", here, f"Share: {label}") == 2
    for channel in ("contact.email", "contact.push"):
        name, main = channel.replace(".", "-"), page.locator("main")
        to_agree = taps(name, main, "I agree")
        assert taps(name, main, "Stop it") <= to_agree == 2
        assert channel not in given(place, "ben")
    for store in (STORE, "koeln-1"):  # as it was before
        closings.remove_store(place.hq.office, "ben", store, place.hq.now_ms, "preference-centre")


def test_a_yes_and_a_no_weigh_the_same(opened: Open) -> None:
    """The same size, the same colours, side by side."""
    page = opened("phone", "/centre/purposes/media")
    agree, refuse = page.locator("#agree"), page.locator("#refuse")
    looks = """one => ['color', 'backgroundColor', 'borderColor', 'fontSize', 'fontWeight']
        .map(name => getComputedStyle(one)[name])"""
    assert agree.evaluate(looks) == refuse.evaluate(looks)
    one, other = agree.bounding_box(), refuse.bounding_box()
    assert one is not None and other is not None
    assert abs(one["width"] - other["width"]) < 1 and one["height"] == other["height"] and one["y"] == other["y"]


def test_it_all_works_without_a_script_and_by_keyboard(opened: Open, place: Place) -> None:
    """The switch, a purpose, a theme; each is a form with an answer of its own."""
    page = opened("phone", javascript=False)
    page.get_by_role("button", name="Open").press("Enter")
    expect(page.locator("#mode-open")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("status")).to_have_text("Saved. It holds from now on.")
    with reading(place.hq.engine) as connection:
        mode = choices.of_member(connection, place.hq.keys, "ada", place.hq.now_ms).mode
    assert mode is Mode.OPEN
    place.hq.later(2)
    page.locator("#purpose-insight").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.goto("/centre/mutes")
    page.locator("#theme-baby").press("Enter")
    expect(page.get_by_text("never suggested", exact=True)).to_be_visible()
    page.goto("/centre/mirror")
    page.get_by_text("Why?").first.click()
    expect(page.get_by_text(re.compile("Shared for: Show my preferences")).first).to_be_visible()


def test_one_line_is_stopped_without_losing_ones_place(opened: Open, place: Place) -> None:
    """With a script the list stays where it is: only the line changes, and a sentence passes."""
    page = opened("phone", "/centre/purposes/assist")
    place.hq.later(2)
    line = page.locator(".toggles li").filter(has_text="Shoe size")
    line.get_by_role("button").scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    line.get_by_role("button", name="Stop: Shoe size").click()
    expect(line.get_by_role("button", name="Share: Shoe size")).to_be_visible()
    expect(page.locator("#toast")).to_have_text("Stopped. It works at once.")
    assert abs(page.evaluate("scrollY") - before) < 4
    place.hq.later(2)
    line.get_by_role("button").click()
    expect(line.get_by_role("button", name="Stop: Shoe size")).to_be_visible()


@pytest.mark.parametrize("path", ["/", pytest.param("/centre/purposes/assist", marks=pytest.mark.long)])
def test_text_of_twice_the_size_has_room(opened: Open, path: str) -> None:
    """Nobody scrolls sideways, and nothing is cut off."""
    page = opened("phone", path)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    cut = """() => [...document.querySelectorAll('main :is(button, a, h1, h2, p, label, dd)')].filter(one =>
        one.offsetParent && !one.closest('.unseen') && one.scrollWidth > one.clientWidth + 1
        && getComputedStyle(one).display !== 'inline').map(one => one.textContent.trim())"""
    assert page.evaluate(cut) == []
