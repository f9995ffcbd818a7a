"""What the tablet itself does in a real browser: lock, language, sound, staying awake, and leaving nothing behind."""

import dataclasses
import re

import pytest
from playwright.sync_api import Page, expect

from tablet_api import forms
from tests.fakes.gateway import FakeGateway, handle
from tests.tablet_api.conftest import SIZES, Open
from tests.tablet_api.floor_of import fill, visit

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium", "openssl")]


def type_pin(page: Page, pin: str) -> None:
    """By the keypad."""
    for key in pin:
        page.get_by_role("button", name=key, exact=True).click()


@pytest.mark.parametrize("size", SIZES)
def test_a_locked_session_keeps_the_place(opened: Open, gateway: FakeGateway, size: str) -> None:
    """Idle too long: nobody is on the page, a wrong PIN opens nothing, the right one brings the open card back."""
    fill(gateway, visit(1, now_ms=gateway.now_ms), visit(2, now_ms=gateway.now_ms))
    page = opened(size)
    page.get_by_role("button", name="Orange 37").click()
    expect(page.get_by_text("42 ½")).to_be_visible()
    gateway.lock()
    expect(page.get_by_role("heading", name="Locked")).to_be_visible()
    expect(page.locator("#locked-who")).to_have_text("Mara")
    assert "42 ½" not in page.content()
    assert forms.to_text(handle(1)) not in page.content()
    type_pin(page, "4712")
    page.get_by_role("button", name="Unlock").click()
    expect(page.get_by_role("alert")).to_have_text("That PIN is not right.")
    type_pin(page, "4711")
    page.get_by_role("button", name="Unlock").click()
    expect(page.get_by_text("42 ½")).to_be_visible()
    expect(page.locator("#card-title")).to_have_text("Orange 37")


def test_somebody_else_does_not_get_the_place(opened: Open, gateway: FakeGateway) -> None:
    """Another associate signs in on the locked tablet: the floor, and no card."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    page = opened()
    page.locator(".row").click()
    expect(page.get_by_text("42 ½")).to_be_visible()
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name="Lock").click()
    page.get_by_role("button", name="Somebody else signs in").click()
    page.get_by_label("Your name").fill("tom")
    type_pin(page, "4712")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".row")).to_have_count(1)
    page.wait_for_timeout(300)
    expect(page.locator("#card")).to_have_count(0)


def test_a_tablet_that_nobody_touches_locks_itself(opened: Open, gateway: FakeGateway) -> None:
    """An open card that is fetched again and again does not count as somebody's being there."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    page = opened()
    page.locator(".row").click()
    expect(page.get_by_text("42 ½")).to_be_visible()
    page.evaluate("document.getElementById('floor').dataset.idleS = '1'")
    expect(page.get_by_role("heading", name="Locked")).to_be_visible()
    assert "42 ½" not in page.content()


def test_the_language_is_chosen_on_the_tablet(opened: Open, gateway: FakeGateway) -> None:
    """From the sign-in on in German, times and colours too, and it stays so."""
    fill(gateway, visit(1, now_ms=gateway.now_ms, minutes=2))
    page = opened("phone")
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name="Deutsch").click()
    expect(page.get_by_role("button", name="Orange 37 Sports 2 Min.")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "de"
    page.locator(".row").click()
    expect(page.get_by_text("Wartet seit 2 Min.")).to_be_visible()
    page.get_by_role("button", name="Warum wird mir das gezeigt?").first.click()
    expect(page.get_by_text(re.compile(r"seit 2\. (Juni|Juli|Sept).* bis")).first).to_be_visible()


def test_a_page_that_is_read_from_the_right_is_whole(opened: Open, gateway: FakeGateway) -> None:
    """Turned around, nothing is cut off or lies over another, on the floor and on the card."""
    fill(gateway, *(visit(n, now_ms=gateway.now_ms, helps=n < 4) for n in range(1, 8)))
    for size in SIZES:
        page = opened(size)
        expect(page.locator(".row")).to_have_count(7)
        page.evaluate("document.documentElement.dir = 'rtl'")
        sign, title = (page.locator(f".row {part}").first.bounding_box() for part in (".sign", ".row-title"))
        assert sign is not None and title is not None and sign["x"] > title["x"] + title["width"]
        page.wait_for_timeout(400)
        page.locator(".row").first.click()
        expect(page.locator("#card")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_new_call_sounds_once_unless_the_tablet_is_muted(opened: Open, gateway: FakeGateway) -> None:
    """After the first tap a call for help makes two soft notes; muted, it makes none, and that is kept."""
    count = """() => { const play = HTMLMediaElement.prototype.play; window.heard = [];
        window.first = new Promise((tell) => HTMLMediaElement.prototype.play = function () {
            if (!this.muted) this.addEventListener('ended', () => tell(heard.push(this.duration)), {once: true});
            return play.call(this); }); }"""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    page = opened()
    page.evaluate(count)
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name="Close").click()
    page.wait_for_timeout(400)
    gateway.show(visit(1, now_ms=gateway.now_ms), visit(2, now_ms=gateway.now_ms), urgent=True)
    expect(page.locator("#announce")).to_have_text("Help is wanted: Children’s wear")
    page.evaluate("first")
    assert page.evaluate("heard") == [0.48]
    page.get_by_role("button", name="Menu").click()
    with page.expect_response("**/choices"):
        page.get_by_label("Sound when help is wanted").uncheck()
    page.reload()
    page.evaluate(count)
    page.get_by_role("button", name="Menu").click()
    expect(page.get_by_label("Sound when help is wanted")).not_to_be_checked()
    page.get_by_role("button", name="Close").click()
    gateway.show(*(visit(n, now_ms=gateway.now_ms) for n in (1, 2, 3)), urgent=True)
    expect(page.locator(".row")).to_have_count(3)
    page.wait_for_timeout(700)  # longer than the notes last
    assert page.evaluate("heard") == []


def test_the_screen_stays_awake_while_the_floor_is_open(opened: Open, gateway: FakeGateway) -> None:
    """A wake lock is asked for with the floor, again when the page is back, and let go with the session."""
    page = opened()
    page.context.add_init_script(
        """window.awake = []; Object.defineProperty(navigator, 'wakeLock', {value: {request: async () => {
            const lock = {released: false, release: async () => { lock.released = true; }};
            window.awake.push(lock); return lock; }}});"""
    )
    page.reload()
    expect(page.get_by_role("heading", name="All quiet")).to_be_visible()
    assert page.evaluate("awake.filter(one => !one.released).length") == 1
    gateway.end_sessions()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.evaluate("awake.filter(one => !one.released).length") == 0


def test_two_tablets_attend_at_once(opened: Open, gateway: FakeGateway) -> None:
    """One is first; the other is told who, and sees it on the card."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    page = opened("phone")
    page.locator(".row").click()
    button = page.get_by_role("button", name="I’ll help")
    expect(button).to_be_visible()
    gateway.put_card(dataclasses.replace(gateway.cards[handle(1)], attended_by="Tom"), tell=False)
    button.click()
    expect(page.locator("#toast")).to_have_text("Tom was first.")
    expect(page.get_by_text("Tom is helping")).to_be_visible()
