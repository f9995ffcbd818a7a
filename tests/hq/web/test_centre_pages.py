"""The preference centre by its forms alone, as a browser without a script sends them: each choice is in the ledger."""

import json
import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from hq import choices, collections, erasure, felt, gpc, ledger, looks, membership, questions
from hq.choices import Choices
from hq.console_roles import Colleague, Role
from hq.database import reading, writing
from hq.door import Grant
from hq.looks import LookReason, Section
from hq.state import Event, EventKind, fold
from runtime.base64url import to_text
from tests.hq.headquarters import DAY_S, NOON_MS, STORE
from tests.hq.web.centre_life import live
from tests.hq.web.place import Place
from wire.member import Mode, NameChoice
from wire.sync import Collection

HASH = re.compile(r'name="notice" value="([\w-]{43})"')


@pytest.fixture(scope="module", autouse=True)
def lived(place: Place) -> None:
    """Ada has lived through some months."""
    live(place)


@pytest.fixture
def ada(place: Place) -> Iterator[FlaskClient]:
    """Ada's browser; each test a minute later."""
    place.hq.later(60)
    yield place.signed_in()


def send(place: Place, client: FlaskClient, path: str, status: int = 303, **form: object) -> str:
    """Sends a form; the page that follows."""
    answer = client.post(path, data=form, headers={"Origin": place.settings.public_url})
    assert answer.status_code == status, answer.text
    return client.get(answer.headers["Location"]).text if status == 303 else answer.text


def standing(place: Place, member: str = "ada") -> Choices:
    """What stands."""
    with reading(place.hq.engine) as connection:
        return choices.of_member(connection, place.hq.keys, member, place.hq.now_ms)


def given(place: Place, member: str = "ada") -> set[str]:
    """The purposes that are given."""
    found = standing(place, member)
    listed = [*(one.purposes for one in found.stores), *(one.purposes for one in found.brands)]
    return {one.purpose for purposes in listed for one in purposes if one.given}


def events(place: Place, member: str = "ada") -> list[Event]:
    """The member's consent events."""
    with writing(place.hq.engine) as connection:
        locked = membership.lock_by_id(connection, place.hq.keys.custody, [member])
        return next(iter(ledger.of_members(connection, locked).values()), [])


def test_nobody_sees_a_page_who_is_not_signed_in(place: Place, client: FlaskClient) -> None:
    """Each leads to the sign-in and back; a form does nothing."""
    for path in ("/", "/centre/profile", f"/centre/stores/add/{STORE}"):
        answer = client.get(path)
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/sign-in")
    assert "next=%2Fcentre%2Fstores%2Fadd%2Fberlin-1" in answer.headers["Location"]
    before = standing(place).version
    client.post("/centre/leave", headers={"Origin": place.settings.public_url})
    assert standing(place).version == before


def test_the_first_page_says_in_a_sentence_what_is_shared(ada: FlaskClient) -> None:
    """And lists each purpose, each channel, what waits and the way out."""
    page = ada.get("/").text
    assert "In Berlin Mitte staff see you only once you ask for help." in page
    assert "your shoe size" in page
    assert "Trail cap Ora" in page
    for purpose in ("presence", "assist", "suggest", "insight", "contact-email", "contact-push", "media"):
        assert f'id="purpose-{purpose}"' in page
    assert "Stop everything now" in page
    german = ada.get("/", headers={"Accept-Language": "de"}).text
    assert "In Berlin Mitte sieht Sie das Personal erst, wenn Sie um Hilfe bitten." in german
    assert "Ihre Schuhgröße" in german


def test_what_is_only_used_is_not_said_to_be_seen(place: Place) -> None:
    """Who lets us suggest from purchases, and no more, reads that staff see suggestions, and no purchase."""
    place.hq.join("cem")
    place.hq.grant("cem", "suggest", "suggestions", "history.store")
    page = place.signed_in("cem").get("/").text
    assert "suggestions for you" in page
    assert "what you bought in stores" not in page
    own = place.signed_in("cem").get("/centre/purposes/suggest").text
    assert own.count("Used, and shown to nobody.") > 1
    assert "nobody is shown it for this" in own


def test_the_switch_the_pause_and_the_name_are_one_form_each(place: Place, ada: FlaskClient) -> None:
    """Every event says that it came by the preference centre."""
    send(place, ada, "/centre/mode", mode="open")
    assert standing(place).mode is Mode.OPEN
    place.hq.later(5)
    assert "You are on pause" in send(place, ada, "/centre/pause")
    assert standing(place).mode is Mode.QUIET
    place.hq.later(5)
    send(place, ada, "/centre/resume")
    assert standing(place).mode is Mode.OPEN
    send(place, ada, "/centre/name", name="always")
    assert standing(place).name is NameChoice.ALWAYS
    place.hq.later(5)
    send(place, ada, "/centre/mode", mode="help")
    send(place, ada, "/centre/name", name="invited")
    assert {one.method for one in events(place) if one.choice.kind is EventKind.MODE} == {"preference-centre"}
    assert send(place, ada, "/centre/mode", 422, mode="loud")


@pytest.mark.parametrize("purpose", ["insight", "contact.email"])
def test_each_purpose_is_given_and_stopped_by_itself(place: Place, ada: FlaskClient, purpose: str) -> None:
    """With the notice that was shown as its proof; nothing else moves."""
    before = given(place)
    page = ada.get(f"/centre/purposes/{purpose}").text
    found = HASH.search(page)
    assert found is not None
    store = {} if purpose.startswith(("contact.", "media")) else {"store": STORE}
    place.hq.later(1)
    said = send(place, ada, f"/centre/purposes/{purpose}", act="give", notice=found[1], **store)
    assert given(place) == before | {purpose}
    grant = max((one for one in events(place) if one.choice.purpose == purpose), key=lambda one: one.recorded_s)
    assert (grant.method, to_text(grant.choice.notice), grant.proof.notice_language) == (
        "preference-centre",
        found[1],
        "en",
    )
    assert "you can stop it here at any time" in said
    place.hq.later(1)
    send(place, ada, f"/centre/purposes/{purpose}", act="stop")
    assert given(place) == before


def test_one_scope_is_stopped_and_shared_again(place: Place, ada: FlaskClient) -> None:
    """The others stay; a special category is given alone, and never with the rest."""
    page = ada.get("/centre/purposes/assist").text
    notice = HASH.search(page)[1]  # type: ignore[index]
    path, store = "/centre/purposes/assist", {"store": STORE}

    def shared() -> set[str]:
        (one,) = (one for one in standing(place).stores[0].purposes if one.purpose == "assist")
        return {scope.scope for scope in one.scopes if scope.given}

    before = shared()
    send(place, ada, path, act="stop", scope="size.shoe", **store)
    assert shared() == before - {"size.shoe"}
    place.hq.later(2)
    send(place, ada, path, act="give", scope="size.shoe", notice=notice, **store)
    place.hq.later(2)
    send(place, ada, path, act="give", scope="diet", notice=notice, **store)
    assert shared() == before | {"diet"}
    send(place, ada, path, act="stop", scope="diet", **store)
    nothing = send(place, ada, path, 422, act="give", notice=notice, picks="1", **store)
    assert "Please check" in nothing
    assert shared() == before


@pytest.mark.parametrize("purpose", ["a%0d%0aSet-Cookie:x=y", "A", "x" * 65])
def test_what_is_no_purpose_is_nothing(place: Place, ada: FlaskClient, purpose: str) -> None:
    """Neither for a look nor for a form, whatever its name would do to a header."""
    before = standing(place).version
    assert ada.get(f"/centre/purposes/{purpose}").status_code == 404
    assert send(place, ada, f"/centre/purposes/{purpose}", 404, act="stop")
    assert standing(place).version == before


def test_a_no_is_kept_and_rests(place: Place) -> None:
    """It is an event of its own, and the first page does not ask again."""
    ben = place.signed_in("ben")
    page = send(place, ben, "/centre/stores", store=STORE) and ben.get("/").text
    asked = re.search(r'<a class="button wide" href="/centre/purposes/([\w.]+)">Read and decide', page)
    assert asked is not None
    purpose = asked[1]
    notice = HASH.search(ben.get(f"/centre/purposes/{purpose}").text)[1]  # type: ignore[index]
    place.hq.later(1)
    said = send(place, ben, f"/centre/purposes/{purpose}", act="refuse", notice=notice)
    assert "90 days" in said
    assert any(one.choice.kind is EventKind.REFUSAL and one.choice.purpose == purpose for one in events(place, "ben"))
    assert f'href="/centre/purposes/{purpose}">Read and decide' not in ben.get("/").text
    send(place, ben, "/centre/stores/remove", store=STORE)


def test_a_notice_that_was_not_shown_proves_nothing(place: Place) -> None:
    """Whoever never opened the page cannot agree by a form of their own."""
    ben = place.signed_in("ben")
    send(place, ben, "/centre/stores", store=STORE)
    answer = send(place, ben, "/centre/purposes/suggest", 403, act="give", store=STORE)
    assert "notice" in answer
    assert given(place, "ben") == set()
    send(place, ben, "/centre/stores/remove", store=STORE)


def test_stores_come_by_their_qr_code_and_go_with_everything(place: Place) -> None:
    """By the link, or by what stands below the code; an unknown one is said in words."""
    ben = place.signed_in("ben")
    assert "Begin with a store" in ben.get("/").text
    assert "Berlin Mitte" in ben.get(f"/centre/stores/add/{STORE}").text
    listed = send(place, ben, "/centre/stores", store=f"choices.example.com/leave/{STORE}")
    assert "Berlin Mitte" in listed
    assert "on your list already" in ben.get(f"/centre/stores/add/{STORE}").text
    assert "no store that we know" in send(place, ben, "/centre/stores", 422, store="atlantis")
    assert ben.get("/centre/stores/add/atlantis").status_code == 404
    assert ben.get("/centre/stores/atlantis").status_code == 404
    send(place, ben, "/centre/stores/remove", store=STORE)
    assert standing(place, "ben").stores == ()


def test_what_a_store_confirmed_is_said_with_its_time(place: Place, ada: FlaskClient) -> None:
    """In the store's own time zone."""
    page = ada.get("/centre/stores").text
    assert re.search(r"Berlin Mitte (has followed|confirmed|shows nobody)|on its way to Berlin Mitte", page)


def test_every_value_has_its_source_and_is_corrected_confirmed_and_deleted(place: Place, ada: FlaskClient) -> None:
    """What was corrected is the member's own word from today."""
    page = ada.get("/centre/profile").text
    assert "Your own word, in the app" in page
    assert "From our own records, from your purchases" in page
    assert "This is old, so no store shows it." in page
    page = send(place, ada, "/centre/profile/confirm", scope="fit.jacket")
    assert "This is old" not in page
    page = send(place, ada, "/centre/profile", scope="size.shoe", text=" 39 ")
    assert "39" in page and "Your own word, on this page" in page
    page = send(place, ada, "/centre/profile", scope="brand.liked", text="Alba\nTerra\n\nAlba")
    assert "Alba · Terra" in page
    page = send(place, ada, "/centre/profile/delete", scope="brand.liked")
    assert "Alba · Terra" not in page
    page = send(place, ada, "/centre/profile/items/delete", scope="wishlist", item="i-1")
    assert "Trail sock" not in page and "Rain jacket Alba" in page
    assert send(place, ada, "/centre/profile", 422, scope="shoe.colour", text="red")


def test_a_gift_is_marked_and_seen_by_nobody(place: Place, ada: FlaskClient) -> None:
    """It is out of the values that stores are sent; taken back, it is in them again."""
    page = ada.get("/centre/purchases").text
    assert "Baby blanket Luna" in page
    purchase = re.search(r'name="purchase" value="([\w-]{22})"><input type="hidden" name="item" value="i-3"', page)
    assert purchase is not None
    page = send(place, ada, "/centre/purchases", purchase=purchase[1], item="i-3", mark="gift")
    assert "a gift" in page
    assert "Baby blanket Luna" not in ada.get("/centre/profile").text
    send(place, ada, "/centre/purchases", purchase=purchase[1], item="i-3", mark="none")
    assert "Baby blanket Luna" in ada.get("/centre/profile").text


def test_one_purchase_is_deleted_with_all_its_lines(place: Place, ada: FlaskClient) -> None:
    """It stands on no page any more, and the others do."""
    page = ada.get("/centre/purchases").text
    purchase = re.search(r'name="purchase" value="([\w-]{22})"><input type="hidden" name="item" value="i-3"', page)
    assert purchase is not None
    page = send(place, ada, "/centre/purchases/delete", purchase=purchase[1])
    assert "Deleted, here and in every store." in page and "Running shoe Terra" in page
    assert "Baby blanket Luna" not in page and "Wool hat Mio" not in page
    assert "Wool hat Mio" not in ada.get("/centre/profile").text
    send(place, ada, "/centre/purchases/delete", 422, purchase=purchase[1])


def test_a_theme_is_muted_for_good_in_one_form(place: Place, ada: FlaskClient) -> None:
    """And allowed again in one."""
    assert "All baby things" in ada.get("/centre/mutes").text
    page = send(place, ada, "/centre/mutes", kind="theme", id="baby", act="mute")
    assert "never suggested" in page
    assert any(one.id == "baby" for one in fold(events(place)).mutes)
    place.hq.later(1)
    page = send(place, ada, "/centre/mutes", kind="theme", id="baby", act="unmute")
    assert "never suggested" not in page


def test_a_theme_without_a_word_is_called_by_something_of_it(place: Place, ada: FlaskClient) -> None:
    """Never by its id: nobody is to read what a retailer's catalog calls it."""
    lines = [{"id": "sku-77", "name": "Lake boat Rhea", "path": [], "themes": ["q3-x"]}]
    bodies = collections.catalog_lines(json.dumps(one).encode() for one in lines)
    collections.publish(place.hq.engine, Collection.CATALOG, "lakes", bodies, place.hq.now_ms)
    page = send(place, ada, "/centre/mutes", kind="theme", id="q3-gone", act="mute")
    shown = re.sub(r"<[^>]*>", " ", page)
    assert "Everything like Lake boat Rhea" in shown and "Something that is no longer sold" in shown
    assert "q3-" not in shown
    place.hq.later(1)
    send(place, ada, "/centre/mutes", kind="theme", id="q3-gone", act="unmute")


def test_the_mirror_shows_what_is_shared_and_nothing_else(place: Place, ada: FlaskClient) -> None:
    """Nobody while the mode is help and nobody calls; a line that felt creepy is noted."""
    page = ada.get("/centre/mirror").text
    assert "Nobody is told that you are there." in page
    assert page.count('class="glass"') == 1
    for value in ("Deutsch", "Rain jacket Alba"):
        assert value in page
    assert "slim, long sleeves" not in page  # held, and not shared
    said = send(place, ada, "/centre/mirror/felt", store=STORE, scope="wishlist", purpose="assist")
    assert "Thank you for telling us" in said
    suggested = {"store": STORE, "scope": "suggestions", "purpose": "suggest", "item": "sku-1", "reason": "goes-with"}
    assert "no longer suggested" in send(place, ada, "/centre/mirror/felt", **suggested)
    with reading(place.hq.engine) as connection:
        assert {one.scope for one in felt.counts(connection, "main")} >= {"wishlist", "goes-with"}, "the reason counts"
    assert ada.get("/centre/mirror?store=atlantis").status_code == 404


def test_the_mirror_is_looked_into_as_any_role_in_any_zone(place: Place, ada: FlaskClient) -> None:
    """What fits the zone leads, a role that was not granted is told of nobody, nor is any in a blind zone."""

    def look(**asked: str) -> str:
        return ada.get("/centre/mirror", query_string={"store": STORE} | asked).text

    anywhere, shoes = look(), look(zone="shoes")
    assert '<option value="associate" selected>' in anywhere and '<option value="shoes" selected>' in shoes
    leads = [re.findall(r'class="mirror-label">([^<]+)', page)[0] for page in (look(zone="jackets"), shoes)]
    assert leads[1] == "Shoe size"
    assert 'class="glass" id="asked"' in shoes
    for asked in ({"role": "stylist"}, {"role": "cashier"}, {"zone": "pharmacy"}, {"zone": "fitting"}):
        assert 'class="glass" id=' not in look(**asked), asked
    for wrong in ({"role": "owner"}, {"zone": "moon"}):
        assert ada.get("/centre/mirror", query_string={"store": STORE} | wrong).status_code == 422
    sent = {"store": STORE, "scope": "wishlist", "purpose": "assist", "role": "associate", "zone": "shoes"}
    assert '<option value="shoes" selected>' in send(place, ada, "/centre/mirror/felt", **sent)


def test_receipts_are_sentences_and_can_be_questioned_and_proven(place: Place, ada: FlaskClient) -> None:
    """When, where, who by role, what and why; nobody of the staff is named."""
    page = ada.get("/centre/receipts").text
    saw = "On Saturday, 21 November at 11:02 an associate of the store Berlin Mitte saw your shoe size, your wish list"
    assert saw in page
    assert "because you had asked for help" in page
    assert "your help was handed over to a stylist: an expert is needed" in page
    assert "nina" not in page
    german = ada.get("/centre/receipts", headers={"Accept-Language": "de"}).text
    assert "Am Samstag, dem 21. November um 11:02 sah jemand von der Beratung im Geschäft Berlin Mitte Ihre" in german
    event = re.search(r'name="event" value="([^"]+)"><input type="hidden" name="scope" value="size.shoe"', page)
    assert event is not None
    form = ada.get(f"/centre/receipts/question?event={event[1]}").text
    assert "I was not there" in form
    assert "in a few words" in send(place, ada, "/centre/receipts/question", 422, event=event[1], kind="other")
    page = send(place, ada, "/centre/receipts/question", event=event[1], kind="not-there", words="I was at home.")
    assert "I was at home." in page and "You have an answer by" in page
    with reading(place.hq.engine) as connection:
        (asked,) = questions.of_member(connection, place.hq.keys.custody, place.reference("ada"))
    assert asked.event == event[1]
    page = send(place, ada, "/centre/receipts/felt", event=event[1], scope="size.shoe")
    assert "Thank you for telling us" in page
    proof = ada.get(f"/centre/receipts/proof?event={event[1]}")
    assert json.loads(proof.text)["store"] == STORE
    assert place.signed_in("ben").get(f"/centre/receipts/question?event={event[1]}").status_code == 404
    assert place.signed_in("ben").get(f"/centre/receipts/proof?event={event[1]}").status_code == 404


def test_a_look_at_headquarters_stands_among_the_receipts(place: Place, ada: FlaskClient) -> None:
    """With the reason that was given, and nobody's name; in the reader's language."""
    colleague = Colleague("privacy-1", Role.PRIVACY)
    with writing(place.hq.engine) as connection:
        custody, now_ms = place.hq.keys.custody, place.hq.now_ms
        whose = place.reference("ada")
        look = looks.begin(connection, custody, colleague, whose, LookReason.COMPLAINT, "letter of the 3rd", now_ms)
        looks.show(connection, custody, colleague, look, [Section.CHOICES], now_ms)
    page = ada.get("/centre/receipts").text
    assert "somebody who answers for privacy at headquarters saw your choices, because of a complaint." in page
    assert "letter of the 3rd" in page and "privacy-1" not in page
    german = ada.get("/centre/receipts", headers={"Accept-Language": "de"}).text
    assert "sah jemand vom Datenschutzteam in der Zentrale Ihre Auswahl, wegen einer Beschwerde." in german


def test_a_proposal_waits_until_the_member_says_so(place: Place, ada: FlaskClient) -> None:
    """Added, it is on the wish list; it is not asked again."""
    page = ada.get("/").text
    ref = re.search(r'name="proposal" value="([^"]+)"', page)
    assert ref is not None
    page = send(place, ada, "/centre/proposals", proposal=ref[1], answer="confirm")
    assert "Trail cap Ora" not in page
    assert "Trail cap Ora" in ada.get("/centre/profile").text


def test_a_browsers_signal_is_heard_told_and_asked_about_once(place: Place, ada: FlaskClient) -> None:
    """`Sec-GPC: 1`: partners are off at once, by the method `gpc`; the member's own answer ends the question."""
    notice = HASH.search(ada.get("/centre/purposes/media").text)[1]  # type: ignore[index]
    place.hq.later(1)
    send(place, ada, "/centre/purposes/media", act="give", notice=notice)
    assert "Your browser asks" not in ada.get("/").text
    place.hq.later(1)
    page = ada.get("/", headers={"Sec-GPC": "1"}).text
    assert "Your browser asks us not to sell or share what is yours" in page and "We do not" in page
    assert "we ask once which of the two you meant" in page
    assert "media" not in given(place)
    heard = [one for one in events(place) if one.method == gpc.METHOD]
    assert [one.choice.purpose for one in heard] == ["media"]
    place.hq.later(60)
    assert "One of your browsers asked us" in ada.get("/").text  # another browser, which sends nothing
    place.hq.later(1)
    page = send(place, ada, "/centre/signal", answer="stay-off")
    assert "we ask once" not in page
    ada.get("/", headers={"Sec-GPC": "1"})
    assert len([one for one in events(place) if one.method == gpc.METHOD]) == 1
    place.hq.later(1)
    send(place, ada, "/centre/purposes/media", act="give", notice=notice)
    place.hq.later(1)
    page = ada.get("/", headers={"Sec-GPC": "1"}).text
    assert "You agreed to the use by brand partners all the same" in page
    assert "media" in given(place)
    send(place, ada, "/centre/purposes/media", act="stop")


def test_phones_a_copy_and_erasure(place: Place) -> None:
    """A phone goes; a copy holds what HQ holds; erasure is asked for twice, and who was erased sees how far it is."""
    place.hq.join("cleo", "size.shoe")
    cleo = place.signed_in("cleo")
    phone = re.search(r'name="phone" value="([\w-]+)"', cleo.get("/centre/phones").text)
    assert phone is not None
    assert "No phone" in send(place, cleo, "/centre/phones", phone=phone[1])
    page = send(place, cleo, "/centre/copy")
    assert "Berlin Mitte has not answered yet." in page or "Berlin has not answered yet." in page
    for _ in range(2):
        send(place, cleo, "/centre/copy")
    assert "You have asked already" in send(place, cleo, "/centre/copy")
    copy = re.search(r"/centre/copy/file\?copy=([\w-]+)", page)
    assert copy is not None
    assert json.loads(cleo.get(f"/centre/copy/file?copy={copy[1]}").text)["hq"]["member"] == "cleo"
    assert place.signed_in("ben").get(f"/centre/copy/file?copy={copy[1]}").status_code == 404
    assert "Please tick this first" in send(place, cleo, "/centre/erasure", 422)
    page = send(place, cleo, "/centre/erasure", sure="yes")
    assert "Everything of yours is erased here" in page and "has not confirmed yet" in page
    assert cleo.get("/").status_code == 303
    assert place.client().get("/erasure/AAAAAAAAAAA").status_code == 404


def test_an_erasure_is_found_by_its_reference_alone_and_not_by_guessing(place: Place) -> None:
    """A member's id that looks like a reference finds nothing; who tries often has to wait."""
    member = "0123456789abcdef"
    place.hq.join(member)
    reference = erasure.erase(place.hq.engine, place.hq.keys, member, place.hq.now_ms)
    nobody = place.client()
    assert nobody.get(f"/erasure/{to_text(bytes.fromhex(member))}").status_code == 404
    assert "has not confirmed yet" in nobody.get(f"/erasure/{to_text(reference)}").text
    tried = [nobody.get("/erasure/AAAAAAAAAAA").status_code for _ in range(20)]
    assert tried[0] == 404 and tried[-1] == 429


def test_a_browsers_signal_is_heard_by_whatever_it_opens(place: Place) -> None:
    """A call that is made with its session, the list of sessions, the page about privacy; an app is no browser."""
    signal = {"Sec-GPC": "1"}
    for number, path in enumerate(("/api/v1/me/choices", "/sessions", "/privacy")):
        member = f"private-{number}"
        place.hq.office.add_member(member, 18, "DE", place.hq.now_ms)
        assert place.app_client(member).get("/api/v1/me/choices", headers=signal).status_code == 200
        assert events(place, member) == []
        browser = place.signed_in(member)
        for _ in range(2):
            assert browser.get(path, headers=signal).status_code == 200
        assert [(one.method, one.choice.purpose) for one in events(place, member)] == [(gpc.METHOD, "media")]
    place.hq.later(1)
    brought = Grant("media", (), until_days=9, chosen_s=place.hq.now_s, brand="main")
    place.hq.office.grant(member, brought, place.hq.now_ms, "import")
    place.hq.later(1)
    assert "media" in given(place, member)
    assert browser.get("/sessions", headers=signal).status_code == 200
    assert "media" not in given(place, member), "what somebody else brought is no answer of the member's"


def test_everything_ends_with_one_form(place: Place, ada: FlaskClient) -> None:
    """Nothing is given any more, anywhere; the page says so, and what each store has confirmed."""
    assert given(place) >= {"presence", "assist"}
    page = send(place, ada, "/centre/leave")
    assert "Nothing of yours is shared any more" in page and "What the stores say" in page
    assert given(place) == set()
    assert place.hq.record("ada") is None
    place.hq.check()


def test_no_page_has_a_members_id_or_a_script_of_its_own(place: Place, ada: FlaskClient) -> None:
    """Handles in their place; `NOON_MS` is the day on which all of this happens."""
    assert place.hq.now_ms > NOON_MS
    for path in ("/", "/centre/profile", "/centre/receipts", "/centre/phones", "/centre/copy", "/centre/stores"):
        page = ada.get(path).text
        assert '"ada"' not in page
        assert "style=" not in page and "onclick" not in page


def test_who_has_no_store_is_asked_again_about_what_ran_out_and_about_nothing_new(place: Place) -> None:
    """A channel that was agreed to for the brand alone. The last of these tests: time goes far on."""
    asks = 'class="notice stack ask" id="asked"'
    place.hq.office.add_member("dora", 18, "DE", place.hq.now_ms)
    grant = Grant("contact.email", (), until_days=90, chosen_s=place.hq.now_s, brand="main")
    place.hq.office.grant("dora", grant, place.hq.now_ms)
    assert asks not in place.signed_in("dora").get("/").text
    place.hq.later(91 * DAY_S)
    page = place.signed_in("dora").get("/").text
    assert asks in page and "its time is over" in page
    assert 'class="button wide" href="/centre/purposes/contact.email"' in page
    assert standing(place, "dora").stores == ()
