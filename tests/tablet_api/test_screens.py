"""Every screen, at both sizes, light and dark: axe-core finds nothing, nothing is wider than the glass."""

import os
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.fakes.gateway import FakeGateway
from tests.tablet_api.conftest import SIZES, Open
from tests.tablet_api.screens import STORIES, WANTED, lost

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium", "openssl")]

# Rules about single pages of a site; this is an application with one screen at a time.
AXE = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}


@pytest.mark.parametrize("size", ["phone", pytest.param("tablet", marks=pytest.mark.long)])
def test_every_screen_is_for_everybody(opened: Open, gateway: FakeGateway, size: str) -> None:
    """No violation of WCAG 2.2 AA that a program can find, and nobody has to scroll sideways."""
    page = opened(size, signed_in=False)
    axe = Axe()
    drawing = WANTED in os.environ
    seen: list[str] = []

    def look(name: str) -> None:
        seen.append(name)
        for scheme in ("dark", "light") if size == "phone" or drawing else ("light",):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            _draw(page, f"{name}-{size}" + ("-dark" if scheme == "dark" else ""))
            found = axe.run(page, options=AXE)
            assert found.violations_count == 0, f"{name}, {size}, {scheme}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0], name

    for story in STORIES:
        if story is not lost or drawing:  # it takes twelve seconds of silence
            story(page, gateway, look)
    assert len(seen) == len(set(seen)) > 12


def _draw(page: Page, name: str) -> None:
    folder = os.environ.get(WANTED)
    if folder and (not name.endswith("-dark") or name.startswith(("floor-tablet", "card-phone"))):
        page.evaluate("document.fonts.ready")
        page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled")
