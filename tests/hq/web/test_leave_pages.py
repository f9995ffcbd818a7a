"""The public page behind the sign at the door: one answer to every code, and nothing kept of who asks."""

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from hq.database import reading
from hq.leave_tables import leave_tries
from hq.order_tables import orders
from tests.hq.headquarters import STORE
from tests.hq.web.conftest import Open
from tests.hq.web.place import Place

PAGE = f"/leave/{STORE}"


def orders_of(place: Place) -> int:
    """How many orders the store was given."""
    with reading(place.hq.engine) as connection:
        return connection.scalar(select(func.count()).select_from(orders)) or 0


def test_it_says_what_happens_here_in_either_language_without_script_or_cookie(client: FlaskClient) -> None:
    """By the browser's language, or by the one that the address names; the blind zones are named."""
    english = client.get(PAGE, headers={"Accept-Language": "en"})
    german = client.get(PAGE, headers={"Accept-Language": "de-AT, de;q=0.9, en;q=0.5"})
    named = client.get(f"{PAGE}?language=de", headers={"Accept-Language": "en"})
    assert "Not be recognised here" in english.text and "Berlin Mitte" in english.text
    assert "Fitting rooms" in english.text
    assert "Hier nicht erkannt werden" in german.text
    assert '<html lang="de"' in german.text and '<html lang="de"' in named.text
    for answer in (english, german, named):
        assert answer.status_code == 200
        assert "<script" not in answer.text
        assert answer.headers.getlist("Set-Cookie") == []
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_right_and_a_wrong_code_get_one_answer_and_become_an_order(
    place: Place, client: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """Spaces and hyphens do not matter; no log line names the address that asks, nor the code."""
    before = orders_of(place)
    origin = place.settings.public_url
    answers = [
        client.post(PAGE, data={"code": code}, headers={"Origin": origin}, environ_base={"REMOTE_ADDR": "192.0.2.77"})
        for code in ("1234 5678", "8765-4321")
    ]
    assert {one.status_code for one in answers} == {200}
    assert answers[0].data == answers[1].data
    assert "are kept for this store" in answers[0].text  # its box has no lease here
    assert orders_of(place) == before + 2
    assert answers[0].headers.getlist("Set-Cookie") == []
    logged = capsys.readouterr().err
    assert "192.0.2.77" not in logged and "12345678" not in logged and STORE not in logged
    with reading(place.hq.engine) as connection:
        kept = connection.scalars(select(leave_tries.c.address)).all()
    assert all(b"192.0.2.77" not in one for one in kept) and any(kept)


@pytest.mark.parametrize("address", [PAGE.upper().replace("/LEAVE", "/leave"), f"{PAGE}/"])
def test_an_address_as_people_type_it_is_the_stores(place: Place, client: FlaskClient, address: str) -> None:
    """In capitals, or with a slash at the end; so are the digits that are sent there."""
    assert client.get(address).text == client.get(PAGE).text
    before = orders_of(place)
    answer = client.post(address, data={"code": "1234 5678"}, environ_base={"REMOTE_ADDR": "192.0.2.9"})
    assert answer.status_code == 200
    assert orders_of(place) == before + 1


@pytest.mark.parametrize("code", ["", "1234567", "abcdefgh", "1" * 500])
def test_what_is_no_code_is_said_and_costs_nothing(place: Place, client: FlaskClient, code: str) -> None:
    """The form comes back with a sentence, and the store is given nothing."""
    before = orders_of(place)
    answer = client.post(PAGE, data={"code": code}, headers={"Origin": place.settings.public_url})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert orders_of(place) == before


def test_one_address_waits_after_five_tries_and_another_does_not(place: Place, client: FlaskClient) -> None:
    """The same whether any code was right; the wait is told in words and as a header."""
    place.hq.later(3600)

    def send(address: str) -> int:
        answer = client.post(
            PAGE, data={"code": "11112222"}, headers={"Origin": place.settings.public_url},
            environ_base={"REMOTE_ADDR": address},
        )  # fmt: skip
        if answer.status_code == 429:
            assert int(answer.headers["Retry-After"]) > 0
            assert re.search(r"wait \d+ seconds", answer.text)
        return answer.status_code

    assert [send("198.51.100.1") for _ in range(6)] == [200] * 5 + [429]
    assert send("198.51.100.2") == 200


def test_a_store_that_nobody_knows_is_said_plainly(client: FlaskClient, place: Place) -> None:
    """For a look as for a code."""
    origin = {"Origin": place.settings.public_url}
    for answer in (
        client.get("/leave/nowhere"),
        client.post("/leave/nowhere", data={"code": "12345678"}, headers=origin),
    ):
        assert answer.status_code == 404
        assert "We know no such store" in answer.text


def test_gpc_is_announced(client: FlaskClient) -> None:
    """As the specification wants it."""
    answer = client.get("/.well-known/gpc.json")
    assert answer.json == {"gpc": True, "lastUpdate": "2026-11-22"}
    assert answer.content_type == "application/json"


@pytest.mark.browser
@pytest.mark.needs("chromium", "openssl")
def test_whoever_scans_the_sign_leaves_without_a_script(opened: Open) -> None:
    """The field, the button, the one answer; readable for everybody."""
    page = opened("phone", f"{PAGE}?language=de", member=None, javascript=False)
    page.get_by_label("Die acht Ziffern").fill("1234 5678")
    page.get_by_role("button", name="Jetzt verlassen").click()
    assert "zehn Minuten" in page.get_by_role("status").inner_text()
