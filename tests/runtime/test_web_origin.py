"""Whether a request comes from a page of ours."""

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from runtime.web_origin import is_ours

OURS = "https://hq.example"


@pytest.mark.parametrize(
    ("method", "headers", "ours"),
    [
        ("POST", {}, True),
        ("POST", {"Sec-Fetch-Site": "same-origin", "Origin": OURS}, True),
        ("POST", {"Sec-Fetch-Site": "same-site"}, False),
        ("POST", {"Sec-Fetch-Site": "none"}, False),
        ("POST", {"Origin": "null"}, False),
        ("DELETE", {"Origin": "https://other.example"}, False),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, True),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, False),
    ],
)
def test_from_another_page_only_a_link_may_be_followed(method: str, headers: dict[str, str], ours: bool) -> None:
    """What says nothing of where it comes from is no browser, and may."""
    request = Request(EnvironBuilder(method=method, headers=headers).get_environ())
    assert is_ours(request, OURS) is ours
