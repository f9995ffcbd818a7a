"""A leave code over HTTP: taken as people read it out, and answered alike whether it is right."""

import dataclasses

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from tests.fakes.gateway import FakeGateway
from tests.tablet_api.test_calls import DARK, kind
from wire import query
from wire.query import Light, RefusedReason

LEAVINGS = "/api/v1/leavings"


def leave(signed_in: FlaskClient, code: object, **headers: str) -> TestResponse:
    """One code, by an associate."""
    return signed_in.post(LEAVINGS, json={"code": code}, headers={"Sec-Fetch-Site": "same-origin", **headers})


def asked(gateway: FakeGateway) -> list[str]:
    """The codes that came to the gateway."""
    return [one.code for one in gateway.asked if isinstance(one, query.Leave)]


@pytest.mark.parametrize("code", ["12345678", "1234 5678", "12 34 56 78", " 1234-5678 "])
def test_a_code_is_taken_as_people_read_it_out(signed_in: FlaskClient, gateway: FakeGateway, code: str) -> None:
    """Spaces and hyphens do not matter."""
    response = leave(signed_in, code)
    assert (response.status_code, response.data) == (204, b"")
    assert asked(gateway) == ["12345678"]


@pytest.mark.parametrize("code", ["", "1234567", "123456789", "1234567a", "١٢٣٤٥٦٧٨", "1" * 40, 12345678, None, ["1"]])
def test_what_is_not_eight_digits_never_reaches_the_gateway(
    signed_in: FlaskClient, gateway: FakeGateway, code: object
) -> None:
    """It is refused by its form, and what was typed is not repeated."""
    response = leave(signed_in, code)
    assert (response.status_code, kind(response)) == (422, "malformed")
    assert response.get_json()["fields"] == ["code"]
    assert asked(gateway) == []


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(code=st.from_regex(r"[0-9]{8}", fullmatch=True))
def test_every_code_is_answered_byte_by_byte_alike(signed_in: FlaskClient, gateway: FakeGateway, code: str) -> None:
    """Status, headers and body."""
    one, other = (leave(signed_in, each) for each in (code, "00000000"))
    assert (one.status, one.data) == (other.status, other.data)
    assert list(one.headers) == list(other.headers)


def test_too_many_tries_wait(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """And are told for how long."""
    gateway.refuse = RefusedReason.THROTTLED
    response = leave(signed_in, "12345678")
    assert (response.status_code, kind(response), response.headers["Retry-After"]) == (429, "throttled", "3")


def test_in_the_dark_it_is_taken_and_of_a_locked_store_refused(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """The refusal says nothing of the code."""
    gateway.burn(DARK)
    assert leave(signed_in, "12345678").status_code == 204
    gateway.burn(dataclasses.replace(DARK, light=Light.LOCKED))
    response = leave(signed_in, "12345678")
    assert (response.status_code, kind(response)) == (503, "dark")


def test_nobody_leaves_by_a_tablet_on_which_nobody_is_signed_in(tablet: FlaskClient, gateway: FakeGateway) -> None:
    """As for every call."""
    assert kind(tablet.post(LEAVINGS, json={"code": "12345678"})) in ("signed-out", "unpaired")
    assert asked(gateway) == []


def test_another_site_ends_no_visit(signed_in: FlaskClient, gateway: FakeGateway) -> None:
    """A page from elsewhere cannot send a code in an associate's name."""
    response = leave(signed_in, "12345678", **{"Sec-Fetch-Site": "cross-site"})
    assert (response.status_code, kind(response)) == (403, "cross-site")
    assert asked(gateway) == []
