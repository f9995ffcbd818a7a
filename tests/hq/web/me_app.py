"""A member's app, as tests of its calls use it."""

from functools import partialmethod
from typing import Any

from werkzeug.test import TestResponse

from tests.hq.headquarters import STORE
from tests.hq.web.place import Place

ME = "/api/v1/me"


class App:
    """A member's app that lets a second go by before each call: of two choices in one the withdrawal would hold."""

    def __init__(self, place: Place, member: str) -> None:
        self._place = place
        self._client = place.app_client(member)

    def _call(self, method: str, path: str, **named: Any) -> TestResponse:
        self._place.hq.now_ms += 1000
        return self._client.open(path, method=method, **named)

    get = partialmethod(_call, "GET")
    post = partialmethod(_call, "POST")
    patch = partialmethod(_call, "PATCH")
    delete = partialmethod(_call, "DELETE")


def said(response: TestResponse, status: int = 200) -> Any:
    """The body of an answer that has this status."""
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.headers["Cache-Control"] == "no-store"
    return response.get_json(silent=True)


def change(app: App, *changes: dict[str, Any], status: int = 200, **headers: str) -> Any:
    """Some changes of the choices."""
    named = {one.replace("_", "-"): value for one, value in headers.items()}
    return said(app.patch(f"{ME}/choices", json={"changes": list(changes)}, headers=named), status)


def given(found: Any, purpose: str, store: str = STORE) -> set[str] | None:
    """The scopes of a purpose that are given at a store; None: the purpose is not given at all."""
    (place,) = [one for one in found["stores"] if one["store"] == store]
    (one,) = [one for one in place["purposes"] if one["purpose"] == purpose]
    return {scope["scope"] for scope in one["scopes"] if scope["given"]} if one["given"] else None


PRESENCE = {"act": "give", "purpose": "presence", "stores": [STORE]}
