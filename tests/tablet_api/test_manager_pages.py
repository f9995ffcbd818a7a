"""A manager's pages and the page on which a PIN is chosen."""

import re

import pytest
import segno
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import expect

from tablet_api import forms, manager_texts, qr
from tests.fakes import doors
from tests.fakes.gateway import FakeGateway
from tests.tablet_api.conftest import SIZES, Open
from tests.tablet_api.test_door_calls import browser
from tests.tablet_api.test_pages import HERE, HTMX, text
from wire.condition import Agreement, Condition, Disk, Instance, Room, Update, Versions
from wire.query import Radio, ReceiverState, RefusedReason
from wire.sighting import RadioReason
from wire.store_figures import FigureDay

PAGES = ("/manager/status", "/manager/tablets", "/manager/pins")
in_a_browser = [pytest.mark.browser, pytest.mark.needs("chromium", "openssl")]


@pytest.fixture
def manager(app: Flask, gateway: FakeGateway) -> FlaskClient:
    """A manager's browser."""
    gateway.tablet_lines = (doors.line(2, "Shoes 2", "Mara"), doors.line(1, "Till", locked=True, own=True))
    return browser(app, gateway, "manager")


@pytest.mark.parametrize("path", PAGES)
def test_a_managers_pages_are_for_managers(app: Flask, gateway: FakeGateway, manager: FlaskClient, path: str) -> None:
    """Anybody else gets a sentence and no page; the menu offers them to managers alone."""
    page = manager.get(path, base_url=HERE)
    assert page.status_code == 200 and "<h1" in text(page)
    assert path in text(manager.get("/", base_url=HERE))
    other = browser(app, gateway, "associate")
    assert other.get(path, base_url=HERE).status_code == 403
    assert path not in text(other.get("/", base_url=HERE))
    gateway.lock()
    assert 'id="screen-locked"' in text(manager.get(path, base_url=HERE))


def test_a_pairing_code_is_drawn_and_written(manager: FlaskClient, gateway: FakeGateway) -> None:
    """The QR code is that of the link; the code stands there in groups; no style is in it, and each time it is new."""
    page = text(manager.post("/manager/pairing-codes", headers=HTMX, base_url=HERE))
    (path,) = re.findall(r'<path d="([^"]+)"', page)
    (code,) = gateway.codes
    assert path == qr.of(f"{HERE}/#pair={code}").path
    assert re.sub(r"<[^>]+>|\s", "", page).count(code) == 1
    assert "style" not in page and 'data-left="60"' in page
    assert code not in text(manager.post("/manager/pairing-codes", headers=HTMX, base_url=HERE))


def test_the_drawing_is_the_code() -> None:
    """Every dark module and no other, with four light ones around."""
    link = "https://berlin-1.shops.example:8443/#pair=ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    drawn = qr.of(link)
    dark = set()
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", drawn.path):
        dark |= {(int(x) + step, int(y)) for step in range(int(width))}
    matrix = segno.make(link, error="m", micro=False).matrix
    wanted = {(x + qr.QUIET, y + qr.QUIET) for y, row in enumerate(matrix) for x, bit in enumerate(row) if bit}
    assert dark == wanted
    assert drawn.size == len(matrix) + 2 * qr.QUIET


def test_a_tablet_is_unpaired_after_a_question(manager: FlaskClient, gateway: FakeGateway) -> None:
    """The list is shown anew, with a sentence; what was unpaired meanwhile is said, and is no mistake."""
    page = text(manager.get("/manager/tablets", base_url=HERE))
    assert "Mara is signed in" in page and "This is the tablet in your hand" in page
    first = manager.post("/manager/tablets/tablet-00000002/unpair", headers=HTMX, base_url=HERE)
    assert "Unpaired." in text(first) and "Shoes 2" not in text(first)
    again = manager.post("/manager/tablets/tablet-00000002/unpair", headers=HTMX, base_url=HERE)
    assert "unpaired already" in text(again)
    gateway.refuse = RefusedReason.DARK
    assert [one.label for one in gateway.tablet_lines] == ["Till"]


def test_the_status_is_in_words(manager: FlaskClient, gateway: FakeGateway) -> None:
    """A receiver with what to do about it; nothing of anybody."""
    gateway.radios = (
        Radio("node-1", "Shoes", ReceiverState.ILL, next(iter(RadioReason)), None, None, None, None, ()),
        Radio("node-2", None, ReceiverState.HEARING, None, 1, 5, None, 0, ()),
    )
    page = text(manager.get("/manager/status", base_url=HERE))
    assert "does not hear" in page and 'class="remedy"' in page and "node-2" in page
    german = text(manager.get("/manager/status", base_url=HERE, headers={"Accept-Language": "de"}))
    assert "empfängt nicht" in german and "Zustand" in german


def test_the_last_days_are_told_to_the_manager_alone(app: Flask, manager: FlaskClient, gateway: FakeGateway) -> None:
    """Dark time and delays in words on the page, in numbers by the call; nothing to an associate, no page of few."""
    assert "The last days" not in text(manager.get("/manager/status", base_url=HERE))
    day_ms = 86_400_000
    few = FigureDay(20_000 * day_ms, 86_400, 0, 0, None, None, None)
    many = FigureDay(20_001 * day_ms, 80_000, 150, 30, 500, 1000, 2500)
    gateway.figure_days = (many, few)
    page = text(manager.get("/manager/status", base_url=HERE))
    assert "dark for 3 min" in page and "after 0.5 s (half of them), 2.5 s" in page
    assert "never dark" in page and "fewer than ten withdrawals" in page
    german = text(manager.get("/manager/status", base_url=HERE, headers={"Accept-Language": "de"}))
    assert "3 Min. dunkel" in german
    told = manager.get("/api/v1/figures", base_url=HERE).get_json()["days"]
    assert told[0] == {
        "day": "2024-10-05T00:00:00.000Z", "measured_s": 80_000, "dark_s": 150, "withdrawals": 30, "median_ms": 500,
        "p95_ms": 1000, "worst_ms": 2500,
    }  # fmt: skip
    assert (told[1]["withdrawals"], told[1]["median_ms"]) == (0, None)
    other = browser(app, gateway, "associate")
    assert other.get("/api/v1/figures", base_url=HERE).status_code == 403


@pytest.mark.parametrize("update", Update)
def test_what_is_to_be_done_about_the_software_is_told(
    app: Flask, manager: FlaskClient, gateway: FakeGateway, update: Update
) -> None:
    """Disk, release and what agrees with headquarters, each in words."""
    disk = Disk(Room.LOW, 900_000_000, None, None, None)
    wanted = Versions("0.1.0", "0.1.0", "0.2.0", update)
    gateway.condition = Condition(disk, (Instance("policy/main", Agreement.AGREES, None),), wanted)
    page = text(manager.get("/manager/status", base_url=HERE))
    with app.test_request_context():
        words = manager_texts.words()
    for told in (words["update"][update], words["room"][Room.LOW], words["agreement"][Agreement.AGREES], "(0.2.0)"):
        assert str(told) in page, told


def test_an_associate_chooses_a_pin(app: Flask, gateway: FakeGateway, manager: FlaskClient) -> None:
    """By the manager's code; each way in which it can fail has its sentence, and a weak PIN keeps what was typed."""
    made = text(manager.post("/manager/pin-codes", data={"associate": "mara"}, headers=HTMX, base_url=HERE))
    assert "Code for Mara" in made and doors.PIN_CODE in re.sub(r"<[^>]+>|\s", "", made)
    tablet = app.test_client()
    assert 'id="screen-pair"' in text(tablet.get("/pin", headers=HTMX, base_url=HERE))
    tablet.set_cookie("__Host-consentry-tablet", forms.to_text(gateway.pair()), secure=True)
    assert 'hx-get="/pin"' in text(tablet.get("/", base_url=HERE))
    asked = {"associate": "mara", "code": "48213907"}

    def sent(status: int, **more: str) -> str:
        answer = tablet.post("/pin", data=asked | more, headers=HTMX, base_url=HERE)
        assert answer.status_code == status
        return text(answer)

    weak = sent(422, pin="1234")
    assert "another PIN" in weak and 'value="48213907"' in weak and 'value="mara"' in weak
    wrong = sent(403, pin="8254", code="11111111")
    assert "do not go together" in wrong and "11111111" not in wrong
    assert "Please fill in" in sent(422, pin="")
    done = sent(200, pin="8254")
    assert 'id="screen-signin"' in done and "Your new PIN holds now." in done
    assert gateway.associates["mara"][2] == "8254"


def manages(gateway: FakeGateway) -> None:
    """Whoever is signed in is a manager, in a store with tablets."""
    gateway.tablet_lines = (doors.line(2, "Shoes 2", "Mara"), doors.line(1, "Till"))
    gateway.associates["mara"] = ("Mara", "manager", "4711")


@pytest.mark.parametrize(("size", "scheme"), list(zip(SIZES, ("light", "dark"), strict=True)))
class TestInABrowser:
    """On the glass."""

    pytestmark = in_a_browser

    def test_a_manager_pairs_and_unpairs_by_keyboard_alone(
        self, opened: Open, gateway: FakeGateway, size: str, scheme: str
    ) -> None:
        """The code appears and leaves when it is over; a new one comes on request; a question before a tablet goes."""
        manages(gateway)
        gateway.code_s = 3
        page = opened(size, path="/manager/tablets", color_scheme=scheme)
        page.get_by_role("button", name="Pair a tablet").press("Enter")
        expect(page.get_by_role("img", name="QR code")).to_be_visible()
        expect(page.locator("[data-left]")).to_have_text(re.compile(r"0:0[123]"))
        expect(page.get_by_text("The code is over.")).to_be_visible()
        expect(page.locator(".qr")).to_have_count(0)
        gateway.code_s = 60
        page.get_by_role("button", name="New code").press("Enter")
        expect(page.get_by_role("img", name="QR code")).to_be_visible()
        assert not Axe().run(page).response["violations"]
        page.get_by_role("button", name="Unpair").first.press("Enter")
        assert not Axe().run(page).response["violations"]
        page.get_by_role("dialog").get_by_role("button", name="Unpair").press("Enter")
        expect(page.get_by_text("Shoes 2")).to_have_count(0)
        expect(page.get_by_text("Unpaired. It shows nothing any more.")).to_be_visible()

    def test_every_page_is_sound_and_fits(self, opened: Open, gateway: FakeGateway, size: str, scheme: str) -> None:
        """axe-core finds nothing, and nothing sticks out to the side, at 200 % text too."""
        manages(gateway)
        gateway.radios = (
            Radio("node-1", "Shoes", ReceiverState.ILL, next(iter(RadioReason)), None, None, None, None, ()),
        )
        page = opened(size, path="/manager/status", color_scheme=scheme)
        for path in (*PAGES, "/pin"):
            answer = page.goto(path)
            assert answer is not None and answer.status == 200
            expect(page.locator("h1").first).to_be_visible()
            if path == "/manager/pins":
                page.get_by_role("button", name="Make a code").first.click()
                expect(page.get_by_text("Code for")).to_be_visible()
            assert not Axe().run(page).response["violations"], path
            page.evaluate("document.documentElement.style.fontSize = '200%'")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
