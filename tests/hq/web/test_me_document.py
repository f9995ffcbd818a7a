"""The app's part of the OpenAPI document is true: whatever is generated from it is answered as it says."""

import contextlib
import json
from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from hq import notices
from hq.database import writing
from hq.sessions import Kind
from hq.web.api import BODY_BYTES
from tests.hq.headquarters import STORE
from tests.hq.web.place import Place

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    negative_data_rejection,
]  # fmt: skip
POSITIVE, NEGATIVE = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
OURS = r"^/api/v1/(me/(?!sessions)|erasures)"
TAKES = ("leave", "pause", "withdraw", "remove-store", "refuse")
LEAST = (("mode", "quiet"), ("name", "never"))


def takes_away(case: schemathesis.Case) -> bool:
    """Whether changes of choices are all of those that may be done for all that is wrong beside them."""
    if case.path != "/api/v1/me/choices" or not isinstance(case.body, dict):
        return False
    changes = case.body.get("changes")
    if not isinstance(changes, list) or not changes:
        return False
    said = [one for one in changes if isinstance(one, dict)]
    takes = [one for one in said if one.get("act") in TAKES or (one.get("act"), one.get(str(one.get("act")))) in LEAST]
    return len(takes) == len(changes)


@pytest.mark.parametrize(
    ("mode", "examples"),
    [
        pytest.param(POSITIVE, 2, id="valid"),
        pytest.param(NEGATIVE, 3, id="invalid", marks=pytest.mark.long),
        pytest.param(POSITIVE, 40, id="many valid", marks=pytest.mark.long),
        pytest.param(NEGATIVE, 40, id="many invalid", marks=pytest.mark.long),
    ],
)
def test_what_is_generated_from_the_document_is_answered_as_it_says(
    place: Place, mode: GenerationMode, examples: int
) -> None:
    """No server's error; each answer has a documented status, type and form."""
    with writing(place.hq.engine) as connection:
        notices.serve(connection, place.hq.keys, "ada", "en", "app", place.hq.now_ms)
    headers = {"Authorization": f"Bearer {place.session('ada', Kind.APP)}"}
    document = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", place.app).include(path_regex=OURS)
    document = document.exclude(path="/api/v1/me/erasure")  # nobody would be left to ask
    tried: Counter[str] = Counter()
    for found in document.get_all_operations():
        operation = found.ok()

        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy(generation_mode=mode), real=st.booleans())
        def each(case: schemathesis.Case, real: bool) -> None:
            if len(json.dumps(case.body, default=str)) > BODY_BYTES // 2:
                return  # refused with 413, which schemathesis does not take for a refusal
            if real and mode is POSITIVE and isinstance(case.query, dict) and "store" in case.query:
                case.query["store"] = STORE
            excluded = [negative_data_rejection] if takes_away(case) else []
            case.call_and_validate(headers=headers, checks=CHECKS, excluded_checks=excluded)
            tried[f"{case.method} {case.path}"] += 1

        with contextlib.suppress(Unsatisfiable):  # a call that takes nothing has nothing invalid
            each()
    assert len(tried) >= (20 if mode is POSITIVE else 10)
