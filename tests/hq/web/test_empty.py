"""What pages say of whom nothing is known yet, and of a list that is full; without a browser, in both languages."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from hq import choices, choosing, closings, sessions
from hq.console_roles import Role
from hq.database import open_database, reading, writing
from hq.door import MOST_STORES
from hq.web import app as application
from runtime.base64url import to_text
from tests.hq.web.place import ALWAYS, Place

GERMAN = {"Accept-Language": "de"}
# What a new member's pages say, in English and German.
CENTRE = {
    "/centre/stores": ("No store yet", "Noch kein Geschäft"),
    "/centre/profile": ("Nothing is held of you", "Über Sie ist nichts gespeichert"),
    "/centre/purchases": ("No purchases", "Keine Einkäufe"),
    "/centre/receipts": ("Nobody has looked", "Niemand hat hingesehen"),
    "/centre/phones": ("No phone", "Kein Telefon"),
}
# What the console says before anything happened.
CONSOLE = {
    "/console/alerts": ("Nothing is wrong", Role.OPERATIONS),
    "/console/refused": ("Nothing was refused", Role.INTEGRATOR),
    "/console/hooks": ("No system is called", Role.INTEGRATOR),
    "/console/questions": ("No questions", Role.PRIVACY),
    "/console/questions?done=1": ("No questions", Role.PRIVACY),
    "/console/requests": ("No requests", Role.PRIVACY),
    "/console/stores?find=nowhere": ("No store is like that", Role.OPERATIONS),
    "/console/figures": ("Nothing was released yet", Role.PRIVACY),
    "/console/figures/work": ("Nothing was measured", Role.PRIVACY),
}


def page(client: FlaskClient, place: Place, path: str, german: bool = False) -> str:
    """A page's HTML."""
    answer = client.get(path, base_url=place.address, headers=GERMAN if german else {})
    assert answer.status_code == 200, path
    return answer.get_data(as_text=True)


@pytest.mark.parametrize("path", CENTRE)
def test_a_new_members_pages_say_that_there_is_nothing_and_what_to_do(place: Place, path: str) -> None:
    """A heading and a sentence, in the reader's language, and no empty list."""
    ben = place.signed_in("ben")
    for text, german in zip(CENTRE[path], (False, True), strict=True):
        shown = page(ben, place, path, german)
        assert text in shown
        assert 'class="empty"' in shown
        assert "<ul></ul>" not in shown and "<tbody></tbody>" not in shown


@pytest.mark.parametrize("path", CONSOLE)
def test_an_empty_list_of_the_console_says_so(place: Place, path: str) -> None:
    """With what will stand there, and without a table's head over nothing."""
    text, role = CONSOLE[path]
    client = place.staff(role)
    for german in (False, True):
        shown = page(client, place, path, german)
        assert ("page empty" in shown) and ("<tbody" not in shown)
        assert (text in shown) is not german


def test_an_hq_without_a_policy_says_how_one_comes(place: Place, tmp_path: Path) -> None:
    """A new one, where nothing was published."""
    engine = open_database(f"sqlite:///{tmp_path}/new.db")
    try:
        with writing(engine) as connection:
            secret = sessions.begin_staff(connection, "p-1", "Nora", Role.PRIVACY, ALWAYS, place.hq.now_ms)
        client = application.create(
            engine, place.hq.keys, lambda: place.hq.now_ms, place.settings, version="0", mono=time.monotonic
        ).test_client()
        client.set_cookie("__Host-consentry-staff", to_text(secret), secure=True)
        for german in (False, True):
            shown = page(client, place, "/console/policy", german)
            assert "page empty" in shown and "<tbody" not in shown
            assert ("No policy yet" in shown) is not german
            assert "consentry-hq policy publish" in shown
    finally:
        engine.dispose()


@pytest.mark.long
def test_the_fifty_first_store_is_refused_in_words(place: Place) -> None:
    """By the page in the reader's language, which says what to do; the app's call has the reason."""
    hq, draft = place.hq, place.hq.draft
    names = [f"shop-{number}" for number in range(MOST_STORES + 1)]
    for name in names:
        hq.office.add_store(name, name, bytes(32), "main", hq.now_ms)
    hq.draft = replace(draft, stores=(*draft.stores, *(replace(draft.stores[0], store=name) for name in names)))
    hq.publish()
    for name in names[:MOST_STORES]:
        choosing.add_store(hq.office, "ben", name, hq.now_ms)
    ben = place.signed_in("ben")
    for german, sentence in (
        (False, "You have 50 stores on your list, which is the most. Please take one off first."),
        (True, "Sie haben 50 Geschäfte auf Ihrer Liste, mehr sind es nicht. Bitte nehmen Sie erst eines herunter."),
    ):
        answer = ben.post(
            "/centre/stores", data={"store": names[-1]}, base_url=place.address, headers=GERMAN if german else {}
        )
        assert (answer.status_code, sentence in answer.get_data(as_text=True)) == (422, True)
    given = {"act": "give", "purpose": "presence", "stores": [names[-1]]}
    answer = place.app_client("ben").patch("/api/v1/me/choices", json={"changes": [given]})
    assert answer.status_code == 422
    (line,) = answer.json["refused"]
    assert (line["reason"], line["hint"]) == ("too_many", "at most 50 stores: remove one first")
    with reading(hq.engine) as connection:
        listed = choices.of_member(connection, hq.keys, "ben", hq.now_ms).stores
    assert (len(listed), names[-1] in {one.store for one in listed}) == (MOST_STORES, False)
    closings.remove_store(hq.office, "ben", names[0], hq.now_ms, "preference-centre")
    assert ben.post("/centre/stores", data={"store": names[-1]}, base_url=place.address).status_code in (200, 303)
