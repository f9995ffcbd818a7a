"""Problem documents: which kind a library's error is."""

import pytest

from runtime.problems import Form, Kind, Problem


class Some(Kind):
    """A web that names few kinds."""

    BAD_REQUEST = Form("bad-request", 400, "The request cannot be read.")
    NOT_FOUND = Form("not-found", 404, "There is nothing to show here.")
    INTERNAL = Form("internal", 500, "Something is wrong here.")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, Some.NOT_FOUND),
        (400, Some.BAD_REQUEST),
        (415, Some.BAD_REQUEST),
        (500, Some.INTERNAL),
        (501, Some.INTERNAL),
    ],
)
def test_a_status_is_told_by_the_kind_that_the_web_has_for_it(status: int, kind: Some) -> None:
    """What it has no kind for is a bad request, or a fault of ours."""
    assert Some.of_status(status) is kind


def test_a_document_says_no_more_than_there_is() -> None:
    """Type, title and status always; the wait and the fields only where there are some."""
    least = {"type": "urn:consentry:problem:not-found", "title": "There is nothing to show here.", "status": 404}
    assert Problem(Some.NOT_FOUND, 0, ()).document() == least
    assert Problem(Some.NOT_FOUND, 3, ["pin"]).document() == least | {"retry_after_s": 3, "fields": ["pin"]}
