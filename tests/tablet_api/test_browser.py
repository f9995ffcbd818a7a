"""The web app in a real browser, over TLS: pairing to withdrawal, at tablet and at phone size."""

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Error, Page, expect

from tablet_api import forms, texts
from tests.fakes.gateway import LIVE, FakeGateway, handle
from tests.tablet_api.conftest import SIZES, Open
from tests.tablet_api.floor_of import card, fill, line, visit
from wire.policy import Section
from wire.query import DarkReason, Lease, Light, Outage

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium", "openssl")]

DARK = Lease(Light.DARK, DarkReason.NO_WORD, 0, 0, None)


def rows(page: Page) -> list[str]:
    """The titles of the rows, in order."""
    return [text for text in page.locator(".row-title").all_inner_texts() if text]


def test_pair_sign_in_help_and_sign_out(opened: Open, gateway: FakeGateway) -> None:
    """An associate who has never seen it: a code, a name and a PIN, a card, help, done, and away."""
    gateway.codes.add("AB12CD34")
    page = opened("phone", signed_in=False)
    page.get_by_label("Pairing code").fill("wrong")
    page.get_by_role("button", name="Pair", exact=True).click()
    expect(page.locator("#pair-wrong")).to_contain_text("not right")
    page.get_by_label("Pairing code").fill("ab12-cd34")
    page.get_by_role("button", name="Pair", exact=True).click()
    page.get_by_label("Your name").fill("mara")
    for key in "4712":
        page.get_by_role("button", name=key, exact=True).click()
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#signin-wrong")).to_contain_text("do not go together")
    page.locator("body").press("4")  # a keyboard serves as well
    for key in "711":
        page.get_by_role("button", name=key, exact=True).click()
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="All quiet")).to_be_visible()
    fill(gateway, visit(3, now_ms=gateway.now_ms))
    page.get_by_role("button", name="Green 11").click()
    expect(page.get_by_text("42 ½")).to_be_visible()
    page.get_by_role("button", name="I’ll help").click()
    page.get_by_role("button", name="Help is done").click()
    expect(page.get_by_role("button", name="Help is done")).to_be_hidden()
    page.get_by_role("button", name="Floor").click()
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert gateway.sessions == {}
    page.go_back()
    expect(page.get_by_text("42 ½")).to_have_count(0)


def test_a_qr_codes_link_pairs_and_leaves_no_code_behind(opened: Open, gateway: FakeGateway) -> None:
    """The code stands behind `#`, is used at once, and is gone from the address."""
    gateway.codes.add("CODE")
    page = opened(signed_in=False, path="/#pair=CODE")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert "CODE" not in page.url
    assert len(gateway.tablets) == 1


@pytest.mark.parametrize("size", SIZES)
def test_a_withdrawn_line_goes_from_the_open_card(opened: Open, gateway: FakeGateway, size: str) -> None:
    """HQ withdraws one field: its line goes, the others stay, and nothing tells that there was one."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    page = opened(size)
    page.locator(".row").click()
    expect(page.get_by_text("Slim, long sleeves")).to_be_visible()
    whole = card(visit(1, now_ms=gateway.now_ms))
    gateway.put_card(type(whole)(**_fields(whole) | {"lead": whole.lead[:1], "version": 2}))
    expect(page.get_by_text("Slim, long sleeves")).to_have_count(0)
    expect(page.get_by_text("42 ½")).to_be_visible()
    assert page.locator("#card-lead .line").count() == 1
    assert "Jacket" not in page.content()


def _fields(of: object) -> dict[str, Any]:
    return {name: getattr(of, name) for name in type(of).__dataclass_fields__}  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", SIZES)
def test_a_member_who_goes_takes_the_open_card_along(opened: Open, gateway: FakeGateway, size: str) -> None:
    """Mode quiet, or everything withdrawn elsewhere: row and card are gone from the page and from its document."""
    fill(gateway, visit(1, now_ms=gateway.now_ms), visit(2, now_ms=gateway.now_ms))
    page = opened(size)
    page.locator(".row").first.click()
    expect(page.get_by_text("Slim, long sleeves")).to_be_visible()
    gateway.drop_card(handle(1))
    expect(page.get_by_text("Slim, long sleeves")).to_have_count(0)
    expect(page.locator(".row")).to_have_count(1)
    assert "Orange 37" not in page.content()
    assert page.url.endswith("/")


def test_sections_and_reasons_come_on_request(opened: Open, gateway: FakeGateway) -> None:
    """A section is asked for when it is tapped, not before; each line says why it is shown."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    page = opened()
    page.locator(".row").click()
    expect(page.get_by_text("42 ½")).to_be_visible()
    assert page.get_by_text("Rain jacket Alba").count() == 0
    page.get_by_role("button", name="Wish list").click()
    expect(page.get_by_text("Rain jacket Alba")).to_be_visible()
    asked = [one.section for one in gateway.asked if hasattr(one, "section")]
    assert set(asked) == {None, Section.WISHLIST}
    page.get_by_role("button", name="Why am I shown this?").first.click()
    expect(page.get_by_text("Shared for: help in the store").first).to_be_visible()


def test_two_taps_withdraw_one_scope_or_everything(opened: Open, gateway: FakeGateway) -> None:
    """Stop sharing, then what: it works at once, and says so plainly."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    page = opened("phone")
    page.locator(".row").click()
    page.get_by_role("button", name="Stop sharing").click()
    page.get_by_role("button", name="Shoe size").click()
    expect(page.get_by_text("Done. It is no longer shared.")).to_be_visible()
    expect(page.get_by_text("42 ½")).to_have_count(0)
    page.get_by_role("button", name="Stop sharing").click()
    page.get_by_role("button", name="Everything").click()
    expect(page.get_by_role("heading", name="All quiet")).to_be_visible()
    assert gateway.cards == {}


@pytest.mark.parametrize("size", SIZES)
def test_a_receiver_that_is_out_is_told_calmly_and_taken_back(opened: Open, gateway: FakeGateway, size: str) -> None:
    """Where, and what it means there; with a blind zone nobody is spoken of; it goes when the receiver hears again."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    page = opened(size)
    said = page.get_by_role("status").filter(has_text="is out")
    expect(page.locator(".row")).to_have_count(1)
    expect(page.locator("#outage")).to_be_hidden()
    gateway.fall_out(Outage("Shoes", False))
    expect(said).to_have_text("The receiver in Shoes is out. Someone who left there may still be listed.")
    gateway.fall_out(Outage("Pharmacy", True))
    expect(said).to_have_text("The receiver in Pharmacy is out. Some calls may not show meanwhile.")
    gateway.fall_out(Outage("", False))
    expect(said).to_have_text("A receiver is out. Someone who left there may still be listed.")
    gateway.fall_out(Outage("Shoes", False), Outage("Hats", False), Outage("Shoes", False))
    expect(page.locator("#outage")).to_have_text(
        "The receivers in Shoes and Hats are out. Someone who left there may still be listed."
    )
    gateway.fall_out(Outage("Shoes", False), Outage("Pharmacy", True), Outage("", False))
    expect(page.locator("#outage")).to_have_text(
        "The receiver in Shoes is out. A receiver is out. Someone who left there may still be listed. "
        "The receiver in Pharmacy is out. Some calls may not show meanwhile."
    )
    gateway.burn(DARK)
    expect(page.get_by_role("heading", name="The floor is closed")).to_be_visible()
    expect(page.locator("#outage")).to_have_text("")
    gateway.burn(LIVE)
    expect(page.locator("#outage")).to_contain_text("Shoes")
    gateway.fall_out()
    expect(page.locator("#outage")).to_be_hidden()
    expect(page.locator(".row")).to_have_count(1)


def test_a_receiver_that_falls_out_moves_no_row_under_a_finger(opened: Open, gateway: FakeGateway) -> None:
    """While a finger is down the line waits."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    page = opened("phone")
    expect(page.locator(".row")).to_have_count(1)
    box = page.locator(".row").bounding_box()
    page.evaluate(
        "document.getElementById('list').dispatchEvent(new PointerEvent('pointerdown', {pointerType: 'touch'}))"
    )
    gateway.fall_out(Outage("Shoes", False))
    page.wait_for_timeout(1500)
    assert page.locator(".row").bounding_box() == box
    page.evaluate("window.dispatchEvent(new PointerEvent('pointerup', {pointerType: 'touch'}))")
    expect(page.locator("#outage")).to_contain_text("The receiver in Shoes is out.")


def test_dark_locked_and_back(opened: Open, gateway: FakeGateway) -> None:
    """Each says why, shows nobody, and goes by itself."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    page = opened()
    page.locator(".row").click()
    expect(page.get_by_text("42 ½")).to_be_visible()
    gateway.burn(DARK)
    expect(page.get_by_text("No word from headquarters; closed until it is back.", exact=False)).to_be_visible()
    assert "42 ½" not in page.content()
    assert "Orange" not in page.locator("main").inner_html()
    gateway.burn(Lease(Light.LOCKED, DarkReason.STARTING, 0, 0, None))
    expect(page.get_by_role("heading", name="Locked")).to_be_visible()
    gateway.burn(LIVE)
    expect(page.locator(".row")).to_have_count(1)
    gateway.stop()
    expect(page.get_by_text("The store’s box does not answer.", exact=False)).to_be_visible()
    gateway.start()
    expect(page.locator(".row")).to_have_count(1)


def _time_on_the_wall(page: Page, at_ms: int) -> str:
    """Hours and minutes as this browser's own zone has them."""
    return str(page.evaluate("ms => new Date(ms).toTimeString().slice(0, 5)", at_ms))


def test_each_reason_is_told_in_plain_words(opened: Open, gateway: FakeGateway) -> None:
    """Why it is closed, since when nothing was heard, and what ends it; and no word of the code's own."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    page = opened("phone")
    expect(page.locator(".row")).to_have_count(1)
    heard_ms = gateway.now_ms - 9 * 60_000
    time_told = _time_on_the_wall(page, heard_ms)
    for reason in [one for one in DarkReason if one is not DarkReason.NONE]:
        light = Light.LOCKED if reason is DarkReason.STARTING else Light.DARK
        lease = Lease(light, reason, 0, 0, heard_ms)
        gateway.burn(lease)
        words = str(texts.dark(lease).text).replace(str(texts.time(heard_ms, "clock")), time_told)
        expect(page.locator("#calm-text")).to_have_text(words)
        said = page.locator("#screen-calm").inner_text()
        assert time_told in said
        assert "{" not in said and "_" not in said
        assert page.locator(".row").count() == 0


def test_a_lease_that_runs_out_is_counted_down_from_half_of_it(opened: Open, gateway: FakeGateway) -> None:
    """Up to date; then since when HQ is silent and how long until it closes, each second; renewed, quiet again."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    gateway.lease = Lease(Light.LIVE, DarkReason.NONE, 119, 120, gateway.now_ms)
    page = opened("tablet")
    chip = page.locator("#lease")
    expect(chip).to_have_text("Up to date ")
    heard_ms = gateway.now_ms - 58_000
    place = page.locator(".row").bounding_box()
    gateway.burn(Lease(Light.LIVE, DarkReason.NONE, 62, 120, heard_ms))
    expect(chip).to_contain_text("Up to date")
    expect(chip).to_contain_text("closes in 1:00")
    expect(chip).to_contain_text(f"No word from headquarters since {_time_on_the_wall(page, heard_ms)}")
    expect(chip).to_contain_text("closes in 0:58")
    assert page.locator(".row").bounding_box() == place
    gateway.burn(Lease(Light.LIVE, DarkReason.NONE, 118, 120, gateway.now_ms))
    expect(chip).to_have_text("Up to date ")
    gateway.burn(Lease(Light.LIVE, DarkReason.CATCHING_UP, 40, 120, gateway.now_ms))
    expect(chip).to_contain_text("Catching up with headquarters")


@pytest.mark.parametrize("size", SIZES)
def test_the_countdown_is_spoken_seldom_and_seen_beside_a_card(opened: Open, gateway: FakeGateway, size: str) -> None:
    """A screen reader hears it once on the way, not each second; over an open card it is still there, and fits."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    gateway.lease = Lease(Light.LIVE, DarkReason.NONE, 50, 120, gateway.now_ms - 70_000)
    page = opened(size)
    page.evaluate(
        """() => { window.spoken = []; new MutationObserver(() => spoken.push(
            document.getElementById('lease-told').textContent)).observe(
            document.getElementById('lease-told'), {childList: true, characterData: true, subtree: true}); }"""
    )
    page.locator(".row").click()
    expect(page.get_by_text("42 ½")).to_be_visible()
    expect(page.locator("#lease")).to_contain_text("closes in 0:47")
    expect(page.locator("#lease")).to_be_visible()
    assert page.locator("#lease-left").get_attribute("aria-hidden") == "true"
    assert len(page.evaluate("spoken")) <= 1
    box, back = page.locator("#lease").bounding_box(), page.locator("#card-back").bounding_box()
    width = SIZES[size][0]
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width
    if size == "phone" and back is not None:
        assert back["x"] + back["width"] <= box["x"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_page_that_hears_nothing_blanks_and_comes_back(opened: Open, gateway: FakeGateway) -> None:
    """Twelve seconds of silence, by the page's own clock: nothing is shown; then what is heard is shown again."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    page = opened()
    page.locator(".row").click()
    expect(page.get_by_text("42 ½")).to_be_visible()
    page.context.set_offline(True)
    page.route("**/api/**", lambda route: route.abort())
    page.evaluate("window.stop()")  # ends the open stream too, which going offline alone does not
    expect(page.get_by_role("heading", name="Reconnecting")).to_be_visible(timeout=25_000)
    assert "42 ½" not in page.content()
    page.unroute("**/api/**")
    page.context.set_offline(False)
    expect(page.get_by_text("42 ½")).to_be_visible(timeout=20_000)


def test_a_hidden_page_holds_nothing(opened: Open, gateway: FakeGateway) -> None:
    """Behind another app the page is empty and follows nothing; back in front it is where it was."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    page = opened()
    page.locator(".row").click()
    expect(page.get_by_text("42 ½")).to_be_visible()
    hide = """Object.defineProperty(document, 'hidden', {get: () => %s, configurable: true});
        document.dispatchEvent(new Event('visibilitychange'))"""
    page.evaluate(hide % "true")
    assert "42 ½" not in page.content()
    assert rows(page) == []
    page.evaluate(hide % "false")
    expect(page.get_by_text("42 ½")).to_be_visible()


def test_nothing_is_kept(opened: Open, gateway: FakeGateway) -> None:
    """No storage, no cache, no database of the browser holds anything; scripts cannot read the cookies."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    page = opened()
    page.locator(".row").click()
    expect(page.get_by_text("42 ½")).to_be_visible()
    kept = page.evaluate(
        "async () => [localStorage.length, sessionStorage.length, (await caches.keys()).length, document.cookie,"
        " (await indexedDB.databases()).length, (await navigator.serviceWorker.getRegistrations()).length]"
    )
    assert kept == [0, 0, 0, "", 0, 0]


def test_rows_do_not_move_under_a_finger(opened: Open, gateway: FakeGateway) -> None:
    """While a finger is down nothing shifts; who is gone is blank at once; afterwards the order is right."""
    first, second, third = (visit(n, now_ms=gateway.now_ms) for n in (1, 2, 3))
    fill(gateway, first, second)
    page = opened("phone")
    expect(page.locator(".row")).to_have_count(2)
    box = page.locator(".row").nth(1).bounding_box()
    assert box is not None
    page.evaluate(
        "document.getElementById('list').dispatchEvent(new PointerEvent('pointerdown', {pointerType: 'touch'}))"
    )
    fill(gateway, third, second)
    expect(page.locator(".row")).to_have_count(1)
    assert page.locator(".row").first.bounding_box() == box
    assert rows(page) == ["Yellow 74"]
    page.evaluate("window.dispatchEvent(new PointerEvent('pointerup', {pointerType: 'touch'}))")
    expect(page.locator(".row")).to_have_count(2)
    assert rows(page) == ["Green 11", "Yellow 74"]


@pytest.mark.parametrize("size", SIZES)
def test_a_long_list_grows_where_somebody_scrolls(opened: Open, gateway: FakeGateway, size: str) -> None:
    """Not all of a full shop stands in the page at once, all of it is counted, and the last is a scroll away."""
    present = [visit(one, now_ms=gateway.now_ms, helps=one < 50, minutes=one) for one in range(120)]
    fill(gateway, *present)
    page = opened(size)
    expect(page.locator("#here-count")).to_have_text("70")
    assert page.locator(".row").count() < 60
    long = page.evaluate("document.querySelector('#rest').getBoundingClientRect().bottom")
    for _ in range(9):
        page.locator(".row").last.scroll_into_view_if_needed()
        page.locator("#rest").scroll_into_view_if_needed()
    expect(page.locator(".row")).to_have_count(120)
    assert page.locator("#rest").bounding_box()["height"] == 0  # type: ignore[index]
    end = page.evaluate("document.querySelector('#rest').getBoundingClientRect().bottom + scrollY")
    assert end < 1.2 * long  # the room that was kept was about what the rows take
    page.locator(".row").last.press("Enter")
    expect(page.locator("#card")).to_be_visible()


def test_the_tablet_says_what_is_on_the_glass(opened: Open, gateway: FakeGateway) -> None:
    """Each roster that was painted is acknowledged, the newest last."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    page = opened()
    expect(page.locator(".row")).to_have_count(1)
    gateway.show(urgent=True)
    expect(page.get_by_role("heading", name="All quiet")).to_be_visible()
    end = time.monotonic() + 10
    while not gateway.acknowledged or gateway.acknowledged[-1] != gateway.version:
        assert time.monotonic() < end
        page.wait_for_timeout(20)
    assert gateway.acknowledged == sorted(gateway.acknowledged)


def test_what_a_member_wrote_is_text(opened: Open, gateway: FakeGateway) -> None:
    """Markup in a value is shown as it was written, and does nothing."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    nasty = "<img src=x onerror=alert(1)>&amp;"
    whole = card(visit(1, now_ms=gateway.now_ms), name=nasty)
    gateway.put_card(type(whole)(**_fields(whole) | {"lead": (line("language", nasty, nasty),)}))
    page = opened()
    page.on("dialog", lambda dialog: pytest.fail("a script ran"))
    page.locator(".row").click()
    expect(page.get_by_role("heading", name=nasty)).to_be_visible()
    expect(page.locator(".line-value")).to_have_text(nasty)
    assert page.locator("#card img").count() == 0


def test_a_session_that_ends_asks_for_the_pin(opened: Open, gateway: FakeGateway) -> None:
    """Idle too long: the page is empty and asks who is there."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    page = opened()
    page.locator(".row").click()
    expect(page.get_by_text("42 ½")).to_be_visible()
    gateway.end_sessions()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert "42 ½" not in page.content()


def test_it_works_by_keyboard_alone(opened: Open, gateway: FakeGateway) -> None:
    """Tab to a row, Enter opens, Escape closes and the focus is back on the row."""
    fill(gateway, visit(1, now_ms=gateway.now_ms), visit(2, now_ms=gateway.now_ms))
    page = opened()
    expect(page.locator(".row")).to_have_count(2)
    page.wait_for_timeout(400)
    page.get_by_role("button", name="Menu").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#card-title")).to_have_text("Yellow 74")
    page.keyboard.press("Escape")
    expect(page.locator("#card")).to_be_hidden()
    assert page.evaluate("document.activeElement.classList.contains('row')")


# What scrolls sideways, of the page and of its parts.
BEYOND = """
    [document.documentElement, ...document.querySelectorAll('.list, .pane')]
        .filter(one => one.scrollWidth > one.clientWidth).map(one => [one.className, one.scrollWidth, one.clientWidth])
"""


@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_cut_off_at_double_text_size(opened: Open, gateway: FakeGateway, size: str) -> None:
    """At 200 % text nobody has to scroll sideways, on the floor and on the card; targets are at least 44 px."""
    fill(gateway, *(visit(n, now_ms=gateway.now_ms, helps=n < 4) for n in range(1, 24)))
    page = opened(size)
    expect(page.locator(".row")).to_have_count(23)
    small = page.evaluate(
        "[...document.querySelectorAll('button, input')].filter(one => one.offsetParent)"
        ".filter(one => one.offsetHeight < 44 || one.offsetWidth < 44).map(one => one.outerHTML)"
    )
    assert small == []
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert page.evaluate(BEYOND) == []
    page.locator(".row").first.click()
    expect(page.locator("#card")).to_be_visible()
    assert page.evaluate(BEYOND) == []


def test_on_low_glass_what_can_be_done_covers_nothing_of_the_card(opened: Open, gateway: FakeGateway) -> None:
    """As on a phone held sideways, and in large text: it stands behind the card, and not over it."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    page = opened("phone")
    page.set_viewport_size({"width": 844, "height": 390})
    page.locator(".row").first.click()
    expect(page.locator("#card")).to_be_visible()
    edges = "['.sections', '#card-acts'].map(one => document.querySelector(one).getBoundingClientRect())"
    assert page.evaluate(f"(([card, acts]) => card.bottom <= acts.top)({edges})")


def test_no_request_leaves_the_store(opened: Open, gateway: FakeGateway) -> None:
    """Everything that the page loads is from the store's own box, and each file is loaded once."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    page = opened()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    expect(page.locator(".row")).to_have_count(1)
    base = re.match(r"https://localhost:\d+/", page.url)
    assert base is not None
    assert all(url.startswith(base.group()) for url in asked)
    assert not [url for url in asked if forms.to_text(handle(1)) in url]


def test_inline_code_is_refused(opened: Open, gateway: FakeGateway) -> None:
    """Even a script that got into the document by some mistake would not run."""
    page = opened()
    with pytest.raises(Error):
        page.add_script_tag(content="window.ran = true")
    assert page.evaluate("window.ran") is None
