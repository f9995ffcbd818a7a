"""The screens of the preference centre and of leaving, one after the other.

I/O: the browser of the test.
"""

from collections.abc import Callable
from weakref import WeakKeyDictionary

from playwright.sync_api import Page

from tests.fakes.store import FakeStore
from tests.hq.headquarters import STORE
from tests.hq.web.centre_life import live
from tests.hq.web.conftest import axe
from tests.hq.web.place import Place

Look = Callable[[Page, str], None]
_LIVED: WeakKeyDictionary[Place, FakeStore] = WeakKeyDictionary()
_FIRST = {
    "purpose": "/centre/purposes/suggest",
    "mirror": "/centre/mirror",
    "receipts": "/centre/receipts",
}
_PAGES = {
    "profile": "/centre/profile",
    "purchases": "/centre/purchases",
    "mutes": "/centre/mutes",
    "stores": "/centre/stores",
    "store": f"/centre/stores/{STORE}",
    "store-add": f"/centre/stores/add/{STORE}",
    "purpose-given": "/centre/purposes/assist",
    "phones": "/centre/phones",
    "copy": "/centre/copy",
    "erase": "/centre/erasure",
}


def _once(place: Place) -> None:
    """Ada has lived through some months, once; the store's box was heard just now."""
    if place not in _LIVED:
        _LIVED[place] = live(place)
    store = _LIVED[place]
    store.fill(place.hq.answers)
    place.hq.later(30)
    store.say(place.hq.answers, store.hello())


def glance(opened: Callable[..., Page], place: Place, look: Look) -> None:
    """What is seen most: the first page, a purpose, the mirror, the receipts."""
    _once(place)
    page = opened("phone")
    look(page, "centre")
    for name, path in _FIRST.items():
        page.goto(path)
        look(page, f"centre-{name}")


def centre(opened: Callable[..., Page], place: Place, look: Look) -> None:
    """Every other page, and the end of everything."""
    _once(place)
    page = opened("phone")
    for name, path in _PAGES.items():
        page.goto(path)
        look(page, f"centre-{name}")
    page.goto("/centre/receipts")
    page.locator("article summary").nth(1).click()
    page.get_by_role("link", name="Ask about it").first.click()
    look(page, "centre-question")
    wide = opened("wide")
    look(wide, "centre-wide")
    for path in (*_FIRST.values(), *_PAGES.values()):
        wide.goto(path)
        axe(wide, f"{path} on a tablet")
    german = opened("phone", locale="de-DE")
    look(german, "centre-german")
    place.hq.later(5)
    page.goto("/")
    page.locator("#stop-everything").click()
    page.wait_for_url("**/centre/left")
    look(page, "centre-left")


def signal(opened: Callable[..., Page], place: Place, look: Look) -> None:
    """A browser that asks for nothing to be sold or shared, and a member who had said something else."""
    _once(place)
    page = opened("phone", "/centre/purposes/media", member="ada")
    place.hq.later(2)
    page.locator("#agree").click()
    page.locator("#stop").wait_for()
    place.hq.later(60)
    page = opened("phone", member="ada", extra_http_headers={"Sec-GPC": "1"})
    look(page, "centre-signal")


def leaving(opened: Callable[..., Page], place: Place, look: Look) -> None:
    """Whoever scanned the sign at the door."""
    page = opened("phone", f"/leave/{STORE}", member=None)
    look(page, "leave")
    page.get_by_label("The eight digits").fill("1234 5678")
    page.get_by_role("button", name="Leave now").click()
    look(page, "leave-sent")
    page.goto("/leave/nowhere")
    look(page, "leave-unknown")
    german = opened("phone", f"/leave/{STORE}?language=de", member=None)
    look(german, "leave-german")
