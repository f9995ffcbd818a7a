"""Every screen of the tablet, one after the other; `python -m tests.tablet_api.screens` draws them into docs/screens/.

A part adds its screens as a function in `STORIES`: it leads the page to each and calls `look(name)` there.
"""

import dataclasses
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Page, expect

from tests.fakes import doors
from tests.fakes.gateway import LIVE, FakeGateway, handle
from tests.tablet_api.floor_of import fill, visit
from tests.tablet_api.test_acts_pages import a_floor
from wire.condition import Agreement, Condition, Disk, Instance, Room, Update, Versions
from wire.events import HandOverReason
from wire.hints import CardHint, HintText
from wire.query import DarkReason, Lease, Light, Outage, Radio, ReceiverState, RefusedReason
from wire.sighting import RadioReason

FOLDER: Final = Path(__file__).parent.parent.parent / "docs" / "screens"
HINT: Final = CardHint(
    "ask-first",
    (HintText("en", "Ask before you use this."), HintText("de", "Fragen Sie, bevor Sie etwas davon verwenden.")),
)
WANTED: Final = "CONSENTRY_SCREENS"  # in the environment: the folder to draw into
Look = Callable[[str], None]
Story = Callable[[Page, FakeGateway, Look], None]


def busy(gateway: FakeGateway) -> None:
    """A Saturday: some wait, one is helped, some are happy to be noticed."""
    now_ms = gateway.now_ms
    fill(
        gateway,
        visit(3, now_ms=now_ms, minutes=7, escalated=True),
        visit(1, now_ms=now_ms, minutes=4),
        visit(6, now_ms=now_ms, minutes=3, attended_by="Tom", attended_by_me=False),
        visit(4, now_ms=now_ms, minutes=0),
        visit(8, now_ms=now_ms, helps=False, minutes=12),
        visit(7, now_ms=now_ms, helps=False, minutes=64),
        visit(10, now_ms=now_ms, helps=False, minutes=5, zone=None, zone_label=None),
    )


def gate(page: Page, gateway: FakeGateway, look: Look) -> None:
    """From a tablet that is not paired to an empty floor."""
    gateway.codes.add("AB12CD34")
    look("pair")
    page.get_by_role("textbox").first.fill("wrong")
    page.locator("#pair-submit").click()
    expect(page.locator("#pair-wrong")).not_to_be_empty()
    look("pair-wrong")
    page.get_by_role("textbox").first.fill("ab12-cd34")
    page.locator("#pair-submit").click()
    expect(page.locator("#screen-signin")).to_be_visible()
    look("sign-in")
    page.locator("#signin-name").fill("mara")
    for key in "4712":
        page.get_by_role("button", name=key, exact=True).click()
    page.locator("#signin-submit").click()
    expect(page.locator("#signin-wrong")).not_to_be_empty()
    for key in "471":
        page.get_by_role("button", name=key, exact=True).click()
    look("sign-in-wrong")
    page.get_by_role("button", name="1", exact=True).click()
    gateway.wrong_pins = 5
    page.locator("#signin-submit").click()
    expect(page.locator("#signin-wrong [data-seconds]")).not_to_be_empty()
    look("sign-in-throttled")
    gateway.wrong_pins = 0
    for key in "4711":
        page.get_by_role("button", name=key, exact=True).click()
    page.locator("#signin-submit").click()
    expect(page.locator("#empty")).to_be_visible()
    look("empty")


def floor(page: Page, gateway: FakeGateway, look: Look) -> None:
    """The floor, a card and all that is done with it."""
    busy(gateway)
    expect(page.locator(".row")).to_have_count(7)
    look("floor")
    gateway.fall_out(Outage("Shoes", False))
    expect(page.locator("#outage")).to_be_visible()
    gateway.burn(Lease(Light.LIVE, DarkReason.NONE, 50, 120, gateway.now_ms - 70_000))
    expect(page.locator("body[data-lease=waning]")).to_be_attached()
    look("floor-lease-ends")
    gateway.fall_out()
    gateway.burn(LIVE)
    expect(page.locator("#outage")).to_be_hidden()
    page.wait_for_timeout(400)  # a tap right after rows moved is not taken
    page.get_by_role("button", name="Green 11").or_(page.get_by_role("button", name="Grün 11")).click()
    expect(page.locator("#card")).to_be_visible()
    look("card")
    page.locator("#section-wishlist-head").click()
    page.locator(".why").first.click()
    expect(page.get_by_text("Rain jacket Alba")).to_be_visible()
    look("card-open")
    page.locator("#card-attend").click()
    expect(page.locator("#card-done")).to_be_visible()
    look("card-helping")
    page.locator("#card-stop").click()
    expect(page.locator("#stop")).to_be_visible()
    look("stop")
    page.locator("#stop [data-closes]").click()
    page.keyboard.press("Escape")
    expect(page.locator("#card")).to_have_count(0)
    page.locator("[data-sheet=menu]").click()
    look("menu")
    page.locator("#menu [data-closes]").click()


def shut(page: Page, gateway: FakeGateway, look: Look) -> None:
    """What keeps somebody from the floor: the PIN, a page of another role, an old browser, a box that is away."""
    gateway.lock()
    expect(page.locator("#locked-who")).to_have_text("Mara")
    look("pin-lock")
    for key in "4711":
        page.get_by_role("button", name=key, exact=True).click()
    page.locator("#signin-submit").click()
    expect(page.locator("#floor")).to_be_visible()
    page.goto("/manager/status")
    look("problem")
    gateway.refuse = RefusedReason.OUTDATED
    page.goto("/")
    look("outdated")
    gateway.refuse = None
    gateway.stop()
    page.goto("/")
    look("away")
    gateway.start()
    expect(page.locator("#floor")).to_be_visible(timeout=20_000)


def again(page: Page, gateway: FakeGateway, look: Look) -> None:
    """Signing out while the box is not to be heard: it is tried until it is."""
    page.route("**/sign-out", lambda route: route.abort())
    page.locator("[data-sheet=menu]").click()
    page.locator("#menu [hx-post='/sign-out']").click()
    expect(page.locator("#screen-calm use[href='#icon-again']")).to_be_attached()
    look("reconnecting-to-sign-out")
    page.unroute("**/sign-out")
    expect(page.locator("#screen-signin")).to_be_visible(timeout=20_000)


def calm(page: Page, gateway: FakeGateway, look: Look) -> None:
    """When there is nothing to show."""
    gateway.burn(Lease(Light.DARK, DarkReason.NO_WORD, 0, 0, gateway.now_ms - 9 * 60_000))
    expect(page.locator("#screen-calm")).to_be_visible()
    look("dark")
    gateway.burn(Lease(Light.LOCKED, DarkReason.STARTING, 0, 0, None))
    expect(page.locator("#screen-calm use[href='#icon-lock']")).to_be_attached()
    look("locked")
    gateway.burn(LIVE)
    expect(page.locator("#floor")).to_be_visible(timeout=20_000)


def lost(page: Page, gateway: FakeGateway, look: Look) -> None:
    """The box is not to be heard."""
    page.route("**/floor/**", lambda route: route.abort())
    page.evaluate("window.stop()")
    expect(page.locator("#screen-calm use[href='#icon-again']")).to_be_attached(timeout=20_000)
    look("reconnecting")
    page.unroute("**/floor/**")
    expect(page.locator("#floor")).to_be_visible(timeout=20_000)


def acts(page: Page, gateway: FakeGateway, look: Look) -> None:
    """More that can be done for a shopper: introduced, handed over, an item proposed, suggestions answered."""
    a_floor(gateway, helps=False)
    gateway.cards[handle(1)] = dataclasses.replace(gateway.cards[handle(1)], hint=HINT)
    expect(page.locator(".row")).to_have_count(1)
    page.wait_for_timeout(1_200)  # a tap right after rows moved is not taken, and these move late
    page.locator(".row").click()
    expect(page.locator("#card")).to_be_visible()
    page.locator("#section-suggestions-head").click()
    expect(page.get_by_text("Trail sock")).to_be_visible()
    expect(page.locator("#card-hint")).to_be_visible()
    look("card-suggestions")
    page.locator(".answers button").first.click()
    expect(page.locator(".answered")).to_be_visible()
    page.locator(".fewer summary").first.click()
    look("card-suggestions-fewer")
    page.locator("#card-more-acts").click()
    look("more")
    page.locator("#more-hand-over").click()
    expect(page.locator("#hand-over")).to_be_visible()
    look("hand-over")
    page.locator("#hand-over [data-closes]").click()
    page.locator("#card-more-acts").click()
    page.locator("#more-item").click()
    page.locator("#item-words").press_sequentially("ra")
    expect(page.locator("#item-found .choice")).to_have_count(2)
    look("item")
    page.locator("#item > [data-closes]").click()
    page.keyboard.press("Escape")
    expect(page.locator("#card")).to_have_count(0)
    gateway.show(visit(1, now_ms=gateway.now_ms, attended_by="Tom", handed_over=HandOverReason.NEEDS_EXPERT))
    expect(page.locator(".row.waits")).to_be_visible()
    look("floor-handed-over")


def leaving(page: Page, gateway: FakeGateway, look: Look) -> None:
    """A shopper reads out a code."""
    page.goto("/leaving")
    look("leaving")
    page.locator("#leaving-code").fill("1234 5678")
    page.locator("#leaving-submit").click()
    expect(page.locator("#leaving-told")).not_to_be_empty()
    look("leaving-sent")
    page.goto("/")
    expect(page.locator("#floor")).to_be_visible()


def managed(page: Page, gateway: FakeGateway, look: Look) -> None:
    """What a manager keeps in order: status, tablets, a pairing code, a code for a PIN; and how it is used."""
    before = dict(gateway.sessions)
    gateway.sessions = {one: dataclasses.replace(view, role="manager") for one, view in before.items()}
    gateway.tablet_lines = (doors.line(3, "Shoes 2", "Mara", own=True), doors.line(2, "Till", "Tom", locked=True))
    gateway.radios = (
        Radio("shoes-1", "Shoes", ReceiverState.HEARING, None, 1, 5, None, 0, ()),
        Radio("kids-1", "Kids", ReceiverState.ILL, RadioReason.NO_RADIO, None, None, None, None, ()),
    )
    gateway.condition = Condition(
        Disk(Room.AMPLE, 18_000_000_000, None, None, None),
        (
            Instance("members/rose-street", Agreement.AGREES, None),
            Instance("policy/main", Agreement.AGREES, None),
            Instance("catalog/shoes", Agreement.FILLING, None),
        ),
        Versions("0.1.0", "0.1.0", "0.2.0", Update.BEHIND),
    )
    page.goto("/manager/status")
    look("manager-status")
    page.goto("/manager/tablets")
    page.locator("#pairing-code button").click()
    expect(page.locator(".qr")).to_be_visible()
    look("manager-tablets")
    page.locator("#tablets [data-sheet]").last.click()
    look("manager-unpair")
    page.goto("/manager/pins")
    page.locator(".kept button").first.click()
    expect(page.locator("#one-time")).to_be_visible()
    look("manager-pins")
    page.goto("/pin")
    look("choose-pin")
    gateway.sessions, gateway.radios, gateway.condition = before, (), None
    page.goto("/")
    expect(page.locator("#floor")).to_be_visible()


STORIES: Final[tuple[Story, ...]] = (gate, floor, acts, leaving, managed, shut, calm, lost, again)

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    os.environ[WANTED] = str(FOLDER)
    sys.exit(pytest.main(["-q", str(Path(__file__).parent / "test_screens.py"), *sys.argv[1:]]))
