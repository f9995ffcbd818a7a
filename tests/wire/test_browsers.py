"""Browsers by what they say of themselves, and what policy makes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.browsers import BrowserRule, Family, allowed, browser

_APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_GOOGLE = "AppleWebKit/537.36 (KHTML, like Gecko)"
SEEN = [
    (f"Mozilla/5.0 (Linux; Android 10; K) {_GOOGLE} Chrome/128.0.0.0 Safari/537.36", Family.CHROMIUM, 128,
     "Chrome 128"),
    (f"Mozilla/5.0 (X11; Linux x86_64) {_GOOGLE} HeadlessChrome/131.0.0.0 Safari/537.36", Family.CHROMIUM, 131,
     "Chrome 131"),
    (f"Mozilla/5.0 (Windows NT 10.0) {_GOOGLE} Chrome/127.0.0.0 Safari/537.36 Edg/127.0.0.0", Family.CHROMIUM, 127,
     "Edge 127"),
    (f"Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-X200) {_GOOGLE} SamsungBrowser/25.0 Chrome/121.0.0.0 Safari/537.36",
     Family.CHROMIUM, 121, "Samsung Internet 25"),
    ("Mozilla/5.0 (Android 14; Tablet; rv:130.0) Gecko/130.0 Firefox/130.0", Family.FIREFOX, 130, "Firefox 130"),
    (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_APPLE} Version/17.5 Safari/605.1.15", Family.SAFARI, 17,
     "Safari 17"),
    (f"Mozilla/5.0 (iPhone; CPU iPhone OS 16_7_2 like Mac OS X) {_APPLE} Version/16.6 Mobile/15E148 Safari/604.1",
     Family.SAFARI, 16, "Safari 16"),
    (f"Mozilla/5.0 (iPad; CPU OS 17_2 like Mac OS X) {_APPLE} CriOS/120.0.6099.119 Mobile/15E148 Safari/604.1",
     Family.SAFARI, 17, "Chrome 120"),
    (f"Mozilla/5.0 (iPhone; CPU iPhone OS 15_1 like Mac OS X) {_APPLE} FxiOS/120.0 Mobile/15E148 Safari/605.1.15",
     Family.SAFARI, 15, "Firefox 120"),
    ("consentry-probe", None, 0, ""),
    ("", None, 0, ""),
]  # fmt: skip
RULES = (BrowserRule(Family.CHROMIUM, 120), BrowserRule(Family.SAFARI, 17))


@pytest.mark.parametrize(("said", "family", "version", "name"), SEEN, ids=[one[3] or "unknown" for one in SEEN])
def test_a_browser_is_known_by_its_engine_and_called_by_its_name(
    said: str, family: Family | None, version: int, name: str
) -> None:
    """Of what real browsers send; on iOS the engine is Safari's, whatever stands on the icon."""
    assert (browser(said).family, browser(said).version, browser(said).name) == (family, version, name)


def test_policy_names_the_least_version_of_a_family() -> None:
    """At the least version it may, below it may not; without rules anything may; what has no rule is as policy says."""
    chrome = f"Mozilla/5.0 (Linux; Android 10; K) {_GOOGLE} Chrome/%d.0.0.0 Safari/537.36"
    assert allowed(chrome % 120, RULES, unknown=False)
    assert not allowed(chrome % 119, RULES, unknown=True)
    assert allowed(chrome % 1, None, unknown=False) and allowed("", (), unknown=False)
    for unruled in ("", "Mozilla/5.0 (Android 14; Tablet; rv:130.0) Gecko/130.0 Firefox/130.0"):
        assert allowed(unruled, RULES, unknown=True) and not allowed(unruled, RULES, unknown=False)


@given(st.text(max_size=200), st.booleans())
def test_any_text_is_judged(said: str, unknown: bool) -> None:
    """Whatever is sent, there is an answer; what is not known is not let in where policy says so."""
    found = browser(said)
    assert found.family is not None or not allowed(said, RULES, unknown=False)
    assert allowed(said, None, unknown=unknown)
