"""Every screen of HQ's web; `python -m tests.hq.web.screens` draws them into docs/screens/, as `hq-….png`.

A part adds its screens as a function in `STORIES`: it opens pages and calls `look(page, name)` at each.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Page

from tests.hq.web import centre_stories, console_stories
from tests.hq.web.place import Place

FOLDER: Final = Path(__file__).parents[3] / "docs" / "screens"
WANTED: Final = "CONSENTRY_SCREENS"  # in the environment: the folder to draw into
Look = Callable[[Page, str], None]
Story = Callable[[Callable[..., Page], Place, Look], None]


def sign_in(opened: Callable[..., Page], place: Place, look: Look) -> None:
    """From the door to what is signed in."""
    page = opened("phone", "/sign-in", member=None)
    look(page, "sign-in")
    page.get_by_label("e-mail").fill("ada@example.com")
    page.get_by_role("button", name="Send me a link").click()
    page.wait_for_url("**/sign-in/sent")
    look(page, "sign-in-sent")
    page.goto(place.link("ada"))
    look(page, "sign-in-link")
    page.goto("/sign-in/link/used-before")
    look(page, "sign-in-over")
    page = opened("phone", "/sessions")
    look(page, "sessions")


def privacy(opened: Callable[..., Page], place: Place, look: Look) -> None:
    """What is in force, the full text of one purpose, and what a version changed."""
    from tests.hq.web.test_privacy import second

    place.hq.later(86_400)
    place.hq.office.publish_policy(second(place.hq.draft), place.hq.now_ms)
    page = opened("phone", "/privacy", member=None)
    look(page, "privacy")
    page.locator("#main-presence summary").click()
    page.locator("#main-presence details").evaluate("one => one.scrollIntoView()")
    look(page, "privacy-full")
    page.goto("/privacy/main/assist")
    look(page, "privacy-versions")


STORIES: Final[tuple[Story, ...]] = (sign_in, centre_stories.glance)
# In `make test-long` alone; the pages' own tests look at each of these in `make test`.
LONGER: Final[tuple[Story, ...]] = (
    centre_stories.leaving,
    privacy,
    centre_stories.signal,
    centre_stories.centre,
    console_stories.console,
)

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    os.environ[WANTED] = str(FOLDER)
    sys.exit(pytest.main(["-q", str(Path(__file__).parent / "test_screens.py"), *sys.argv[1:]]))
