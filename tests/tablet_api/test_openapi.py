"""The OpenAPI document is true: whatever is generated from it, valid or not, is answered as it says."""

import contextlib
from collections import Counter

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tablet_api import forms
from tests.fakes.gateway import FakeGateway, handle
from tests.tablet_api.floor_of import fill, visit

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]


POSITIVE, NEGATIVE = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
TABLETS_OWN = ("/api/v1/sessions", "/api/v1/pins")  # asked with the tablet's secret, before anybody is signed in


@pytest.mark.parametrize(
    ("mode", "who", "examples"),
    [
        pytest.param(POSITIVE, "tom", 6, id="valid, of a manager"),
        pytest.param(NEGATIVE, "tom", 5, id="invalid, of a manager"),
        pytest.param(POSITIVE, None, 3, id="valid, of nobody"),
        pytest.param(NEGATIVE, None, 3, id="invalid, of nobody"),
        pytest.param(POSITIVE, "mara", 300, id="valid, of an associate", marks=pytest.mark.long),
        pytest.param(NEGATIVE, "mara", 300, id="invalid, of an associate", marks=pytest.mark.long),
        pytest.param(POSITIVE, "tom", 300, id="many valid, of a manager", marks=pytest.mark.long),
        pytest.param(NEGATIVE, "tom", 300, id="many invalid, of a manager", marks=pytest.mark.long),
    ],
)
def test_what_is_generated_from_the_document_is_answered_as_it_says(
    app: Flask, gateway: FakeGateway, mode: GenerationMode, who: str | None, examples: int
) -> None:
    """No server's error; each answer has a documented status, type and form. Who is not signed in gets nothing done."""
    app.logger.disabled = True
    # An event stream has no end: its form is tested where it is read.
    document = schemathesis.openapi.from_wsgi("/openapi.json", app).exclude(path="/api/v1/floor/events")
    tried: Counter[str] = Counter()
    for found in document.get_all_operations():
        operation = found.ok()
        secured = bool(operation.definition.raw.get("security"))

        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy(generation_mode=mode), real=st.booleans())
        def each(case: schemathesis.Case, real: bool) -> None:
            if not gateway.cards:
                fill(gateway, visit(1), visit(2, helps=False))
            gateway.codes.add("AAAA")
            for grown in (gateway.tablets, gateway.sessions, gateway.locked, gateway.asked):
                grown.clear()  # else every case has one more of each, and all answers grow
            if real and isinstance(case.path_parameters, dict) and "handle" in case.path_parameters:
                case.path_parameters["handle"] = forms.to_text(handle(1))
            if who is None:
                secret = bytes(32)
            else:
                secret = gateway.pair() if case.path in TABLETS_OWN else gateway.sign_in(who)
            headers = {"Authorization": f"Bearer {forms.to_text(secret)}"}
            answer = case.call_and_validate(headers=headers, checks=CHECKS)
            if who is None and secured:  # noqa: B023 - called within this turn
                assert answer.status_code in (400, 401, 405, 413, 415, 422)
            tried[f"{case.method} {case.path}"] += 1

        with contextlib.suppress(Unsatisfiable):  # a call that takes nothing has nothing invalid
            each()
    assert len(tried) >= (25 if mode is POSITIVE else 15)


def test_the_document_is_openapi_3_1_and_names_every_call(app: Flask) -> None:
    """Each call of the API is in it, and nothing of the demo or the page."""
    document = app.test_client().get("/openapi.json").get_json()
    assert document["openapi"] == "3.1.0"
    calls = {
        (path, method) for path, methods in document["paths"].items() for method in methods if method != "parameters"
    }
    assert calls == {
        ("/api/v1/pairings", "post"),
        ("/api/v1/sessions", "post"),
        ("/api/v1/sessions/current", "get"),
        ("/api/v1/sessions/current", "delete"),
        ("/api/v1/sessions/current/lock", "get"),
        ("/api/v1/sessions/current/lock", "post"),
        ("/api/v1/sessions/current/unlock", "post"),
        ("/api/v1/pins", "post"),
        ("/api/v1/pairing-codes", "post"),
        ("/api/v1/tablets", "get"),
        ("/api/v1/tablets/{tablet}", "delete"),
        ("/api/v1/staff", "get"),
        ("/api/v1/pin-codes", "post"),
        ("/api/v1/floor", "get"),
        ("/api/v1/hints/dismissals", "post"),
        ("/api/v1/floor/events", "get"),
        ("/api/v1/floor/acks", "post"),
        ("/api/v1/visits/{handle}", "get"),
        ("/api/v1/visits/{handle}/attendance", "post"),
        ("/api/v1/visits/{handle}/withdrawals", "post"),
        ("/api/v1/visits/{handle}/introduction", "post"),
        ("/api/v1/visits/{handle}/outcomes", "post"),
        ("/api/v1/visits/{handle}/mutes", "post"),
        ("/api/v1/visits/{handle}/items", "post"),
        ("/api/v1/colleagues", "get"),
        ("/api/v1/catalog", "get"),
        ("/api/v1/leavings", "post"),
        ("/api/v1/status", "get"),
        ("/api/v1/figures", "get"),
        ("/healthz", "get"),
        ("/readyz", "get"),
        ("/metrics", "get"),
    }
    assert set(document["components"]["securitySchemes"]) == {"tablet", "session", "bearer"}
