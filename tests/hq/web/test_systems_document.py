"""The systems' part of the OpenAPI document is true: whatever is generated from it is answered as it says."""

import re
import warnings

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hq import systems
from hq.database import writing
from hq.systems import EVERY_BRAND, MOST_EACH_MINUTE, Right
from tests.hq.web.place import Place

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
OURS = r"^/api/v1/(consent-events|members|purchases|events|catalog|staff|changes|contacts)"


def test_the_document_is_made_without_a_doubt_and_is_one(place: Place) -> None:
    """No warning that two schemas go by one name; each schema is one, each reference leads on, each name is once."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        app = place.another()
        answer = app.test_client().get("/api/v1/openapi.json", base_url=place.address)
    document = answer.get_json()
    schemas = document["components"]["schemas"]
    assert document["openapi"].startswith("3.1")
    assert len(schemas) > 40
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    for reference in set(re.findall(r'"\$ref": ?"([^"]+)"', answer.get_data(as_text=True))):
        found = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/")]
    operations = [one for path in document["paths"].values() for one in path.values() if isinstance(one, dict)]
    named = [one["operationId"] for one in operations if "operationId" in one]
    assert len(named) == len(set(named))
    assert all(one["responses"] for one in operations)


@pytest.mark.long
def test_what_is_generated_from_the_document_is_answered_as_it_says(place: Place) -> None:
    """No server's error; each answer has a documented status, type and form."""
    with writing(place.hq.engine) as connection:
        rights = tuple(Right)
        key = systems.add(
            connection, "all", "", rights, [EVERY_BRAND], (), place.hq.now_ms, MOST_EACH_MINUTE
        )  # fmt: skip
    headers = {"Authorization": f"Bearer {key}"}
    document = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", place.app).include(path_regex=OURS)
    tried = set()
    for found in document.get_all_operations():
        operation = found.ok()

        @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy())
        def each(case: schemathesis.Case) -> None:
            tried.add(case.operation.label)
            case.call_and_validate(headers=headers, checks=CHECKS)

        each()
    assert len(tried) == 13
