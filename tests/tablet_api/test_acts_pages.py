"""The acts on a visit in a real browser, at tablet and at phone size: introduced, handed over, suggested, proposed."""

import dataclasses
import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.fakes.gateway import FakeGateway, handle
from tests.tablet_api.conftest import SIZES, Open
from tests.tablet_api.floor_of import card, fill, line, visit
from wire import acts
from wire.acts import CatalogLine
from wire.events import HandOverReason
from wire.items import ItemList, MuteKind, Response
from wire.policy import Section
from wire.query import Entry
from wire.suggested import Suggested, SuggestedKind, SuggestedPlace, SuggestedReason

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium", "openssl")]


def offer(name: str, item: str, place: SuggestedPlace, kind: SuggestedKind, number: int | None, *themes: str) -> Entry:
    """One suggestion of the store's own."""
    return Entry(name, None, None, False, item, Suggested(place, (SuggestedReason(kind, number),), themes))


SUGGESTED = line(
    "suggestions", "Suggestions", None,
    offer("Trail sock", "sku-1", SuggestedPlace.DUE_AGAIN, SuggestedKind.EVERY, 21),
    offer("Running cap", "sku-2", SuggestedPlace.DUE_AGAIN, SuggestedKind.OFTEN, 4),
    offer("Rain hat", "sku-3", SuggestedPlace.NEW, SuggestedKind.SIMILAR, None, "baby", "lakes"),
    offer("Picnic blanket", "sku-4", SuggestedPlace.NEW, SuggestedKind.WITH_WISHLIST, None, "lakes"),
)  # fmt: skip


def a_floor(gateway: FakeGateway, **more: object) -> None:
    """One shopper who shares a wish list and suggestions, in a store that sells three things; Tom is signed in."""
    one = visit(1, now_ms=gateway.now_ms, **more)
    fill(gateway, one)
    gateway.put_card(dataclasses.replace(card(one), sections=(Section.WISHLIST, Section.SUGGESTIONS)), tell=False)
    gateway.sections[handle(1), Section.SUGGESTIONS] = (SUGGESTED,)
    gateway.names[handle(1)] = "Kim"
    gateway.catalog = (
        CatalogLine("sku-1", "Trail sock", ("clothes", "socks"), ()),
        CatalogLine("sku-2", "Running cap", (), ()),
        CatalogLine("sku-3", "Rain hat", ("hats",), ()),
    )
    gateway.sign_in("tom")


def last(gateway: FakeGateway, kind: type) -> object:
    """The newest question of a kind, without its session."""
    found = [one for one in gateway.asked if isinstance(one, kind)]
    return dataclasses.replace(found[-1], session=bytes(32))  # type: ignore[call-arg]


def more(page: Page, choice: str) -> None:
    """Opens the card's sheet with more to do, and chooses there."""
    page.get_by_role("button", name="More …").click()
    page.get_by_role("button", name=choice).click()


def opened_card(opened: Open, size: str) -> Page:
    """The page with the card."""
    page = opened(size)
    page.locator(".row").click()
    expect(page.locator("#card")).to_be_visible()
    return page


@pytest.mark.parametrize("size", SIZES)
def test_who_introduces_themself_is_named_in_two_taps(opened: Open, gateway: FakeGateway, size: str) -> None:
    """The card bears the name, a sentence says that the shopper can read it, and the choice is there no more."""
    a_floor(gateway, helps=False)
    page = opened_card(opened, size)
    more(page, "They introduced themselves")
    expect(page.get_by_role("heading", name="Kim")).to_be_visible()
    expect(page.locator("#toast")).to_contain_text("They can see in their app")
    page.get_by_role("button", name="More …").click()
    expect(page.get_by_role("button", name="They introduced themselves")).to_have_count(0)


@pytest.mark.parametrize("size", SIZES)
def test_a_visit_is_handed_over_with_a_reason(opened: Open, gateway: FakeGateway, size: str) -> None:
    """Why, then to whom; Enter on a reason chooses nobody."""
    a_floor(gateway)
    page = opened_card(opened, size)
    more(page, "Hand over …")
    sheet = page.get_by_role("dialog", name="Hand over")
    sheet.get_by_label("Another language is needed").check()
    page.keyboard.press("Enter")
    expect(sheet).to_be_visible()
    assert not any(isinstance(one, acts.HandOver) for one in gateway.asked)
    sheet.get_by_role("button", name="Tom").click()
    expect(sheet).to_be_hidden()
    expect(page.locator("#toast")).to_contain_text("Handed over.")
    assert last(gateway, acts.HandOver) == acts.HandOver(bytes(32), handle(1), "tom", None, HandOverReason.LANGUAGE)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_handed_to_me_says_so_and_can_be_taken(opened: Open, gateway: FakeGateway, size: str) -> None:
    """On the list and on the card, though somebody else still helps."""
    a_floor(gateway, attended_by="Tom", handed_over=HandOverReason.NEEDS_EXPERT)
    gateway.put_card(dataclasses.replace(gateway.cards[handle(1)], handed_over=HandOverReason.NEEDS_EXPERT))
    page = opened(size)
    expect(page.locator(".row-sub")).to_contain_text("Handed to you: An expert is needed")
    page.locator(".row").click()
    expect(page.locator("#card-when")).to_contain_text("Handed to you: An expert is needed")
    expect(page.get_by_role("button", name="I’ll help")).to_be_visible()


@pytest.mark.parametrize("size", SIZES)
def test_an_item_is_looked_for_and_proposed(opened: Open, gateway: FakeGateway, size: str) -> None:
    """Words find it as they are typed, and what was found stays while the card changes behind it; a tap proposes it."""
    a_floor(gateway)
    page = opened_card(opened, size)
    more(page, "Propose an item …")
    sheet = page.get_by_role("dialog", name="Propose an item")
    sheet.get_by_label("How many?").fill("2")
    sheet.get_by_label("Which item?").press_sequentially("hat")
    found = sheet.get_by_role("button", name="Rain hat")
    expect(found).to_be_visible()
    shown = gateway.cards[handle(1)]
    gateway.put_card(dataclasses.replace(shown, version=9, lead=shown.lead[:1]))
    expect(page.get_by_text("Slim, long sleeves")).to_have_count(0)
    expect(found).to_be_visible()
    found.click()
    expect(sheet).to_be_hidden()
    expect(page.locator("#toast")).to_contain_text("once they confirm it")
    asked = last(gateway, acts.Propose)
    assert asked == acts.Propose(bytes(32), handle(1), ItemList.WISHLIST, "sku-3", 2)


def test_without_a_shared_list_no_item_is_offered(opened: Open, gateway: FakeGateway) -> None:
    """Who shares none and who has none look alike."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    gateway.put_card(dataclasses.replace(gateway.cards[handle(1)], sections=(Section.PREFERENCES,)), tell=False)
    page = opened_card(opened, "tablet")
    page.get_by_role("button", name="More …").click()
    expect(page.get_by_role("button", name="Hand over …")).to_be_visible()
    expect(page.get_by_role("button", name="Propose an item …")).to_have_count(0)


@pytest.mark.parametrize("size", SIZES)
def test_suggestions_stand_in_two_places_and_each_says_why(opened: Open, gateway: FakeGateway, size: str) -> None:
    """What is due again, what would be new, each with its reason in plain words; and in German, too."""
    a_floor(gateway)
    page = opened_card(opened, size)
    page.get_by_role("button", name="Suggestions").click()
    due, new = (page.get_by_role("list", name=name) for name in ("Due again", "New for them"))
    expect(due.get_by_role("listitem")).to_have_count(2)
    expect(new.get_by_role("listitem")).to_have_count(2)
    expect(due).to_contain_text("Buys this about every 3 weeks")
    expect(due).to_contain_text("Bought 4 times")
    expect(new).to_contain_text("Shoppers with similar baskets like it")
    expect(new).to_contain_text("Goes with their wish list")


@pytest.mark.parametrize("size", SIZES)
def test_a_suggestion_is_answered_in_one_tap(opened: Open, gateway: FakeGateway, size: str) -> None:
    """What they take says so, what is not now or not for them goes, and the others stay; all of it by keyboard, too."""
    a_floor(gateway)
    page = opened_card(opened, size)
    page.get_by_role("button", name="Suggestions").click()
    page.get_by_role("button", name="They take it: Running cap").click()
    expect(page.locator("#toast")).to_contain_text("Noted.")
    cap = page.get_by_role("listitem").filter(has_text="Running cap").last
    expect(cap.locator(".answered")).to_have_text("They take it")
    expect(cap.get_by_role("button")).to_have_count(0)
    page.get_by_role("button", name="Not now: Rain hat").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Rain hat")).to_have_count(0)
    expect(page.locator("#toast")).to_contain_text("for a while")
    asked = last(gateway, acts.Respond)
    assert asked == acts.Respond(bytes(32), handle(1), "sku-3", Response.DECLINED)
    page.get_by_role("button", name="Not for them: Trail sock").click()
    expect(page.get_by_text("Trail sock")).to_have_count(0)
    expect(page.get_by_text("Running cap")).to_be_visible()
    asked = last(gateway, acts.Respond)
    assert asked == acts.Respond(bytes(32), handle(1), "sku-1", Response.NOT_FOR_ME)


@pytest.mark.parametrize("size", SIZES)
def test_a_theme_is_muted_behind_a_second_tap(opened: Open, gateway: FakeGateway, size: str) -> None:
    """Nothing of this kind: it opens to the item's themes, stays open while the card changes, and takes all of one."""
    a_floor(gateway)
    page = opened_card(opened, size)
    page.get_by_role("button", name="Suggestions").click()
    page.locator(".fewer summary").first.click()
    theme = page.get_by_role("button", name="Nothing of this kind", exact=True).first  # lakes: there is no word for it
    expect(page.get_by_role("button", name="All baby things")).to_be_visible()
    gateway.put_card(dataclasses.replace(gateway.cards[handle(1)], version=9, lead=()))
    expect(page.get_by_text("Slim, long sleeves")).to_have_count(0)
    expect(theme).to_be_visible()
    theme.click()
    expect(page.get_by_role("list", name="New for them")).to_have_count(0)
    expect(page.get_by_role("list", name="Due again")).to_be_visible()
    assert last(gateway, acts.MuteFor) == acts.MuteFor(bytes(32), handle(1), MuteKind.THEME, "lakes")


def test_two_tablets_attend_at_once(opened: Open, gateway: FakeGateway) -> None:
    """Both ask before either hears of the other: one helps, the other reads who was first. What one withdraws then is
    gone on both.
    """
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    pages = {"Mara": opened("tablet"), "Tom": opened("phone", associate="tom")}
    held: list[Route] = []
    for page in pages.values():
        page.locator(".row").click()
        expect(page.get_by_text("42 ½")).to_be_visible()
        page.route("**/attendance*", lambda route: held.append(route), times=1)  # noqa: PLW0108 - it is marked
        page.locator("#card-attend").click()
        page.wait_for_timeout(100)
    assert len(held) == 2
    for route in held:
        route.continue_()
    tom = pages["Tom"].locator("#card-when")
    expect(tom).to_have_text(re.compile("You are helping|Mara is helping"))
    name, other = ("Tom", "Mara") if tom.inner_text() == "You are helping" else ("Mara", "Tom")
    expect(pages[name].locator("#card-when")).to_have_text("You are helping")
    expect(pages[other].locator("#card-when")).to_have_text(f"{name} is helping")
    expect(pages[other].locator("#toast")).to_have_text(f"{name} was first.")
    pages[other].get_by_role("button", name="Stop sharing").click()
    pages[other].get_by_role("button", name="Everything").click()
    for page in pages.values():
        expect(page.get_by_text("42 ½")).to_have_count(0)
        expect(page.locator(".row")).to_have_count(0)
