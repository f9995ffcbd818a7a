"""What is left of a card on the tablet's own disk and in its history after sign-out: nothing."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import BrowserContext, expect, sync_playwright

from tablet_api import forms
from tests.fakes.gateway import FakeGateway
from tests.tablet_api.conftest import SIZES, Serve
from tests.tablet_api.floor_of import card, fill, line, visit

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium", "openssl")]

CANARIES = ("Kanariengelb-Lederstiefel", "Quetzalina")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


@pytest.fixture
def kept(tmp_path: Path, needs: Callable[[str], str]) -> Iterator[tuple[Path, Callable[[], BrowserContext]]]:
    """A browser with a profile folder of its own that outlives it, and how to start it."""
    folder = tmp_path / "profile"
    with sync_playwright() as playwright:

        def start() -> BrowserContext:
            width, height = SIZES["tablet"]
            return playwright.chromium.launch_persistent_context(
                folder, executable_path=needs("chromium"), args=ARGUMENTS, ignore_https_errors=True,
                viewport={"width": width, "height": height},
            )  # fmt: skip

        yield folder, start


def test_after_sign_out_the_profile_holds_nothing_of_a_card(
    kept: tuple[Path, Callable[[], BrowserContext]], app: Flask, serve: Serve, gateway: FakeGateway
) -> None:
    """Not in the history, the caches, any storage, nor anywhere in the profile's files, once the browser has ended."""
    folder, start = kept
    gateway.now_ms = int(time.time() * 1000)
    base = f"https://localhost:{serve(app, True).port}"
    here = visit(3, now_ms=gateway.now_ms)
    fill(gateway, here)
    liked = line("brand.liked", "Brands that they like", CANARIES[0])
    gateway.put_card(replace(card(here, CANARIES[1]), lead=(liked,)), tell=False)
    browser = start()
    page = browser.pages[0]
    for name, secret in (("tablet", gateway.pair()), ("session", gateway.sign_in())):
        browser.add_cookies(
            [{"name": f"__Host-consentry-{name}", "value": forms.to_text(secret), "url": base, "secure": True}]
        )
    page.goto(base)
    page.get_by_role("button", name="Green 11").click()
    for one in CANARIES:
        expect(page.get_by_text(one).first).to_be_visible()
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    kept_by_page = page.evaluate(
        """async () => JSON.stringify([
            {...localStorage}, {...sessionStorage}, await caches.keys(), await indexedDB.databases(),
            history.state, document.documentElement.outerHTML])"""
    )
    page.go_back()
    assert not any(one in kept_by_page + page.content() for one in CANARIES)
    browser.close()
    files = [one for one in folder.rglob("*") if one.is_file()]
    assert any("localhost" in _text(one) for one in files), "the profile is not where this looks"
    found = [one.relative_to(folder) for one in files if any(canary in _text(one) for canary in CANARIES)]
    assert found == []


def _text(file: Path) -> str:
    """A file's bytes as text in either encoding that Chromium uses; other bytes as they come."""
    content = file.read_bytes()
    return content.decode("latin-1") + content.decode("utf-16-le", "ignore") + content[1:].decode("utf-16-le", "ignore")
