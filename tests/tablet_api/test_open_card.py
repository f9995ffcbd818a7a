"""The open card on bad networks, in a real browser: nothing outdated stays, and nothing an associate did is lost."""

import dataclasses

import pytest
from playwright.sync_api import Page, Route, expect

from tests.fakes.gateway import FakeGateway
from tests.tablet_api.conftest import Open
from tests.tablet_api.floor_of import card, fill, visit
from wire.events import HandOverReason
from wire.query import Withdraw

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium", "openssl")]

HIDE = """(hidden) => { Object.defineProperty(document, 'hidden', {get: () => hidden, configurable: true});
    document.dispatchEvent(new Event('visibilitychange')); }"""


def shown(opened: Open, gateway: FakeGateway, size: str = "tablet") -> Page:
    """A page with the card of visit 1 open."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    page = opened(size)
    page.locator(".row").click()
    expect(page.get_by_text("Slim, long sleeves")).to_be_visible()
    return page


def change(gateway: FakeGateway, version: int, lines: int = 1) -> None:
    """The card has only so many lead lines now, and the stream says that it changed."""
    whole = card(visit(1, now_ms=gateway.now_ms))
    gateway.put_card(dataclasses.replace(whole, lead=whole.lead[:lines], version=version))


def withdrawn(gateway: FakeGateway) -> int:
    """How many withdrawals the gateway was asked for."""
    return sum(isinstance(one, Withdraw) for one in gateway.asked)


@pytest.mark.parametrize("status", [None, 503])
def test_what_changed_is_not_shown_while_the_box_does_not_answer(
    opened: Open, gateway: FakeGateway, status: int | None
) -> None:
    """A look that fails leaves no line of before, and is made again until the box answers."""
    page = shown(opened, gateway)
    failed = {"HX-Retarget": "#toast", "HX-Reswap": "innerHTML"}
    held: list[Route] = []

    def fail(route: Route) -> None:
        held.append(route)
        if status is None:
            route.abort("connectionrefused")
        else:
            route.fulfill(status=status, body="", headers=failed, content_type="text/html")

    page.route("**/visits/*", fail)
    change(gateway, 2)
    expect(page.get_by_text("Slim, long sleeves")).to_have_count(0)
    expect(page.get_by_role("heading", name="Reconnecting")).to_be_visible()
    page.unroute("**/visits/*")
    expect(page.get_by_text("42 ½")).to_be_visible()
    assert page.locator("#card-lead .line").count() == 1
    assert held


def test_what_changed_is_not_shown_while_the_answer_is_under_way(opened: Open, gateway: FakeGateway) -> None:
    """A look that hangs: the card is empty within the second, and there again when the answer comes."""
    page = shown(opened, gateway)
    held: list[Route] = []
    page.route("**/visits/*", lambda route: held.append(route))  # noqa: PLW0108 - it is marked
    change(gateway, 2)
    expect(page.get_by_text("Slim, long sleeves")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator("#pick")).to_be_visible()
    page.unroute("**/visits/*")
    page.locator(".row").click()
    expect(page.get_by_text("42 ½")).to_be_visible()


def test_a_withdrawal_waits_for_no_look_and_is_replaced_by_none(opened: Open, gateway: FakeGateway) -> None:
    """Tapped while a look hangs and another is due: it is sent all the same, and what comes late shows nothing."""
    page = shown(opened, gateway)
    page.get_by_role("button", name="Stop sharing").click()
    held: list[Route] = []
    page.route("**/visits/*", lambda route: held.append(route))  # noqa: PLW0108 - it is marked
    with page.expect_request("**/visits/*"):
        change(gateway, 2, lines=3)
    page.evaluate("document.querySelector('#stop .all').click()")
    expect(page.locator("#toast")).to_contain_text("Nothing of this shopper is shared")
    assert withdrawn(gateway) == 1
    expect(page.get_by_role("heading", name="All quiet")).to_be_visible()
    expect(page.locator("#card-place")).to_be_empty()


def test_a_withdrawal_is_sent_though_the_tablet_is_laid_down(opened: Open, gateway: FakeGateway) -> None:
    """The page is hidden with the answer under way: nothing is on it, and the withdrawal has reached the gateway."""
    page = shown(opened, gateway)
    page.get_by_role("button", name="Stop sharing").click()
    held: list[Route] = []
    page.route("**/withdrawals*", lambda route: held.append(route))  # noqa: PLW0108 - it is marked
    with page.expect_request("**/withdrawals*"):
        page.get_by_role("button", name="Everything").click()
    page.evaluate(HIDE, True)
    expect(page.locator("#card")).to_have_count(0)
    with page.expect_response("**/withdrawals*"):
        held[0].continue_()
    assert withdrawn(gateway) == 1


@pytest.mark.parametrize("size", ["phone", "tablet"])
def test_what_failed_is_told_in_the_sheet(opened: Open, gateway: FakeGateway, size: str) -> None:
    """A withdrawal that does not get through is told where it was tapped, to ears as well, and can be tapped again."""
    page = shown(opened, gateway, size)
    page.get_by_role("button", name="Stop sharing").click()
    page.route("**/withdrawals*", lambda route: route.abort("connectionreset"), times=1)
    page.get_by_role("button", name="Everything").click()
    expect(page.locator("#stop").get_by_role("alert")).to_be_visible()
    page.get_by_role("button", name="Everything").click()
    expect(page.locator("#card")).to_have_count(0)
    assert withdrawn(gateway) == 1


def test_a_list_that_is_withdrawn_goes_from_the_open_sheet(opened: Open, gateway: FakeGateway) -> None:
    """While an item is being looked for, a list that is not shared any more is not offered any more."""
    page = shown(opened, gateway)
    page.get_by_role("button", name="More …").click()
    page.get_by_role("button", name="Propose an item").click()
    page.get_by_label("Which item?").fill("kestrel")
    expect(page.locator("#item").get_by_text("Their wish list")).to_be_visible()
    whole = card(visit(1, now_ms=gateway.now_ms))
    gateway.put_card(dataclasses.replace(whole, sections=(), version=2))
    expect(page.get_by_text("Their wish list")).to_have_count(0)


def test_a_call_is_heard_also_where_the_page_was_away(opened: Open, gateway: FakeGateway) -> None:
    """Who called while the page was hidden is announced when it is back; who had called before is not, again."""
    fill(gateway, visit(1, now_ms=gateway.now_ms))
    page = opened()
    expect(page.locator(".row")).to_have_count(1)
    page.evaluate(HIDE, True)
    page.evaluate(HIDE, False)
    expect(page.locator(".row")).to_have_count(1)
    expect(page.locator("#announce")).to_have_text("")
    page.evaluate(HIDE, True)
    gateway.show(visit(1, now_ms=gateway.now_ms), visit(2, now_ms=gateway.now_ms), urgent=True)
    page.evaluate(HIDE, False)
    expect(page.locator("#announce")).to_have_text("Help is wanted: Children’s wear")


def test_who_is_handed_a_shopper_hears_it(opened: Open, gateway: FakeGateway) -> None:
    """A hand-over is announced and stands among the waiting, whether or not the shopper had called."""
    one, two = visit(1, now_ms=gateway.now_ms, helps=False), visit(2, now_ms=gateway.now_ms, attended_by="Tom")
    fill(gateway, one, two)
    page = opened()
    expect(page.locator(".row")).to_have_count(2)
    for handed in (
        (dataclasses.replace(one, attended_by="Tom", handed_over=HandOverReason.LANGUAGE), two),
        (one, dataclasses.replace(two, handed_over=HandOverReason.LANGUAGE)),
    ):
        page.evaluate("document.getElementById('announce').textContent = ''")
        gateway.show(*handed, urgent=True)
        expect(page.locator("#announce")).to_contain_text("Handed to you")
        expect(page.locator("#waiting").get_by_text("Handed to you")).to_be_visible()
