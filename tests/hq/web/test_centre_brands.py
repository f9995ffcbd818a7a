"""The preference centre of a retailer with two brands: what is done at one brand's notice is done of that one."""

import re
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask.testing import FlaskClient

from hq import choosing
from hq.door import Grant
from hq.state import EventKind
from tests.hq.headquarters import STORE
from tests.hq.web.place import Place
from tests.hq.web.test_centre_pages import events, standing

VIENNA = "vienna-1"


@pytest.fixture(scope="module", autouse=True)
def two(place: Place) -> None:
    """The brand `nord` beside `main`, whose notices are in English alone; Ada and Ben have a store of each."""
    hq = place.hq
    hq.join("cleo")
    identity = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    hq.office.add_store(VIENNA, "Vienna", identity, "nord", hq.now_ms)
    own = replace(hq.draft.stores[0], store=VIENNA, label="Vienna")
    papers = replace(hq.draft.papers, words=tuple(one for one in hq.draft.papers.words if one.language == "en"))
    hq.office.publish_policy(replace(hq.draft, name="nord", stores=(own,), papers=papers), hq.now_ms)
    hq.tick()
    hq.grant("ada", "assist", "size.shoe", stores=(VIENNA,))
    for member in ("ada", "ben"):
        for store in (STORE, VIENNA):
            choosing.add_store(hq.office, member, store, hq.now_ms)


def article(page: str, brand: str) -> str:
    """One brand's part of a purpose's page."""
    (found,) = [one for one in page.split("<article")[1:] if f"<h2>{brand}</h2>" in one]
    return found.split("</article>")[0]


def press(place: Place, client: FlaskClient, brand: str, button: str, path: str, **headers: str) -> None:
    """Sends the form of a button in that brand's part, with what the page put into it."""
    part = article(client.get(path, headers=headers).text, brand)
    (form,) = [one for one in re.findall(r"<form.*?</form>", part, re.S) if f">{button}</button>" in one]
    sent: dict[str, list[str]] = {}
    for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form):
        sent.setdefault(name, []).append(value)
    place.hq.later(2)
    origin = {"Origin": place.settings.public_url}
    assert client.post(path, data=sent, headers=origin | headers).status_code == 303


def test_what_is_stopped_or_refused_at_one_brand_stands_at_the_other(place: Place) -> None:
    """Assistance in stores, and a channel of the brand as a whole; a no is said of the brand whose notice was read."""
    ada, ben = place.signed_in("ada"), place.signed_in("ben")

    def given(purpose: str) -> list[str]:
        found = standing(place)
        places = [(one.store, one.purposes) for one in found.stores] + [
            (one.brand, one.purposes) for one in found.brands
        ]
        return [name for name, purposes in places for one in purposes if one.purpose == purpose and one.given]

    assert given("assist") == [STORE, VIENNA]
    press(place, ada, "nord", "Stop it", "/centre/purposes/assist")
    assert given("assist") == [STORE]
    for brand in ("main", "nord"):
        press(place, ada, brand, "I agree", "/centre/purposes/contact.email")
    press(place, ada, "main", "Stop it", "/centre/purposes/contact.email")
    assert given("contact.email") == ["nord"]
    press(place, ben, "nord", "No, thanks", "/centre/purposes/suggest")
    (no,) = [one for one in events(place, "ben") if one.choice.kind is EventKind.REFUSAL]
    assert (no.choice.purpose, no.choice.brand) == ("suggest", "nord")


def test_the_language_of_a_choice_is_that_of_the_notice(place: Place) -> None:
    """A German page shows an English notice where the brand has no other: English is what was read."""
    ben = place.signed_in("ben")
    for brand, language in (("main", "de"), ("nord", "en")):
        press(place, ben, brand, "Ich stimme zu", "/centre/purposes/insight", **{"Accept-Language": "de"})
        newest = max(events(place, "ben"), key=lambda one: one.recorded_s)
        assert (newest.choice.brand, newest.proof.notice_language) == (brand, language)


def test_the_first_page_tells_what_staff_may_see_and_not_what_is_only_used(place: Place) -> None:
    """What was given to suggestions alone is used and never shown; given to help it is named; in both languages."""
    cleo = place.signed_in("cleo")
    words = (
        ("en", "nothing else of yours", "Then they may see your shoe size."),
        ("de", "Sonst sieht es nichts von Ihnen", "Ihre Schuhgröße"),
    )
    for purpose, is_seen in (("suggest", False), ("assist", True)):
        place.hq.grant("cleo", purpose, "size.shoe")
        place.hq.later(1)
        for language, bare, seen in words:
            page = cleo.get("/", headers={"Accept-Language": language}).text
            sentence = re.search(r'id="sentence">([^<]*)<', page)[1]  # type: ignore[index]
            assert (seen in sentence, bare in sentence) == (is_seen, not is_seen)


def test_the_first_page_says_that_partners_may_use_something_in_no_store_too(place: Place) -> None:
    """Who has no store and let partners in is not told that nothing is shared; in both languages, until it ends."""
    place.hq.office.add_member("dora", 18, "DE", place.hq.now_ms)
    dora = place.signed_in("dora")
    words = (
        ("en", "The use by brand partners is switched on"),
        ("de", "Die Nutzung durch Markenpartner ist eingeschal"),
    )

    def told() -> list[bool]:
        pages = [(dora.get("/", headers={"Accept-Language": language}).text, one) for language, one in words]
        return [one in re.search(r'id="sentence">([^<]*)<', page)[1] for page, one in pages]  # type: ignore[index]

    assert told() == [False, False]
    grant = Grant("media", (), until_days=9, chosen_s=place.hq.now_s, brand="nord")
    place.hq.office.grant("dora", grant, place.hq.now_ms)
    assert told() == [True, True]
    place.hq.later(1)
    press(place, dora, "nord", "Stop it", "/centre/purposes/media")
    assert told() == [False, False]
