"""The keys of consent receipts, as anybody gets them."""

from flask.testing import FlaskClient

from hq import consent_export
from hq.consent_export_record import Controller
from hq.database import writing
from tests.hq.web.place import Place


def test_a_receipt_verifies_by_what_is_published_without_a_sign_in(place: Place, client: FlaskClient) -> None:
    """JSON Web Keys under a well-known name, public halves alone, never stored by anybody between."""
    with writing(place.hq.engine) as connection:
        told = consent_export.export(connection, place.hq.keys, "ada", Controller("x", "y"), place.hq.now_ms)
    found = client.get("/.well-known/jwks.json")
    assert (found.status_code, found.headers["Cache-Control"]) == (200, "no-store")
    assert found.is_json
    assert all("d" not in one for one in found.json["keys"])
    assert told["receipts"]
    assert all(consent_export.verify(one, found.json) for one in told["receipts"])
