"""Every screen of HQ's web, light and dark: axe-core finds nothing, nothing is wider than the glass."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.hq.web.conftest import Open, axe
from tests.hq.web.place import Place
from tests.hq.web.screens import LONGER, STORIES, WANTED, Story

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium", "openssl")]


_STORIES = [*STORIES, *(pytest.param(one, marks=pytest.mark.long) for one in LONGER)]


@pytest.mark.parametrize("story", _STORIES, ids=lambda story: story.__name__)
def test_every_screen_is_for_everybody(opened: Open, place: Place, story: Story) -> None:
    """No violation of WCAG 2.2 AA that a program can find, in light and dark, and nobody scrolls sideways."""
    seen: list[str] = []

    def look(page: Page, name: str) -> None:
        seen.append(name)
        at = page.evaluate("scrollY")  # axe-core moves the page
        for scheme in ("dark", "light"):
            page.evaluate("at => scrollTo(0, at)", at)
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            folder = os.environ.get(WANTED)
            if folder:
                page.evaluate("document.fonts.ready")
                dark = "-dark" if scheme == "dark" else ""
                page.screenshot(path=Path(folder) / f"hq-{name}{dark}.png", animations="disabled")
            axe(page, f"{name}, {scheme}")

    story(opened, place, look)
    assert len(seen) == len(set(seen)) > 0
