"""One visit on the real programs: what a member shares is seen, and what is taken back is gone at once."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import paho.mqtt.client as mqtt
import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from demo.phones import Format
from demo.store import now_ms
from demo.tablet import Json, Stream, Tablet
from hq import collections, help_state, leavings, proposals, receipts, records
from hq.database import reading, writing
from hq.help_state import HelpState
from tests.system.store import OTHER, STORE, TEXTS, WITHIN_S, Person, Shop, shown_of, until
from wire import schema
from wire.member import Mode, NameChoice, Staff
from wire.query import ReceiverState
from wire.sighting import RadioReason
from wire.sync import Collection, instance
from wire.token import Kind, day_key, day_of, leave_code, slot_of

pytestmark = pytest.mark.system

AT_ONCE_S = 1.0  # the product's promise for a withdrawal while the network is up
PATIENCE_S = 10.0  # for a machine that does other things: never a benchmark


@pytest.fixture(scope="module")
def tablet(shop: Shop) -> Tablet:
    """A paired tablet with an associate signed in."""
    return shop.tablet()


@pytest.fixture(scope="module")
def stream(shop: Shop, tablet: Tablet) -> Iterator[Stream]:
    """The floor as that tablet follows it."""
    followed = tablet.follow()
    shop.sees(followed, lambda now: now.lease.get("light") == "live", "a live store")
    yield followed
    followed.close()


def gone(handle: str) -> Callable[[Stream], bool]:
    """Whether a visit is on the roster no more."""
    return lambda now: all(one["handle"] != handle for one in now.visits)


@pytest.mark.parametrize("form", list(Format))
def test_help_pressed_shows_a_card_with_only_what_is_shared(
    shop: Shop, tablet: Tablet, stream: Stream, form: Format
) -> None:
    """A phone of each format calls for help: sign and card are shown, with what is shared and nothing else."""
    person = shop.join(Mode.HELP, ("name.first", "size.shoe", "wishlist"), form)
    handle = shop.call_for_help(person, stream)
    visit = next(one for one in stream.visits if one["handle"] == handle)
    assert visit["sign_colour"] and len(visit["sign_digits"]) == 2
    assert visit["zone_label"] == "Shoes"
    card = tablet.card(handle)
    assert card.status == 200
    assert card.body["name"] == person.values["name.first"]
    assert [line["scope"] for line in card.body["lead"]] == ["size.shoe"]
    sections = {name: tablet.card(handle, name).body for name in card.body["sections"]}
    text = shown_of(card.body) + shown_of(sections)
    for scope, value in person.values.items():
        assert (value in text) == (scope in person.shared), scope
    assert "wishlist" in sections
    shop.silent(person)
    tablet.attend(handle, "done")
    shop.sees(stream, gone(handle), "the end of help")


def test_a_withdrawn_field_is_gone_from_the_open_card_at_once(shop: Shop, tablet: Tablet, stream: Stream) -> None:
    """HQ withdraws one field after the other: each time the open stream is told at once, and the card has the rest."""
    person = shop.join(Mode.HELP, TEXTS)
    handle = shop.call_for_help(person, stream)
    left, took_s = ["size.shoe", "fit.jacket", "diet"], []
    assert [line["scope"] for line in tablet.card(handle).body["lead"]] == left
    while left:
        scope = left.pop(0)
        told = len(stream.seen)
        shop.store.office.withdraw(person.member, now_ms(), scopes=(scope,), stores=(STORE,))
        began = time.monotonic()
        shop.sees(stream, smaller(handle, told), "the smaller card", PATIENCE_S)
        took_s.append(time.monotonic() - began)
        card = tablet.card(handle)
        assert person.values[scope] not in shown_of(card.body)
        assert [line["scope"] for line in card.body["lead"]] == left
    assert min(took_s) <= AT_ONCE_S, "not once in three times was it within the second that is promised"
    shop.silent(person)
    tablet.attend(handle, "done")


def smaller(handle: str, told: int) -> Callable[[Stream], bool]:
    """Whether the page was told, since `told` events, to fetch this open card again."""
    return lambda now: any(name == "card" and body["handle"] == handle for name, body in now.seen[told:])


def test_the_leave_to_suggest_withdrawn_clears_suggestions_from_the_open_card(
    shop: Shop, tablet: Tablet, stream: Stream
) -> None:
    """Made in the store from a history that nobody is shown, with a reason; HQ withdraws, and the section is gone."""
    person = shop.join(Mode.OPEN, ("size.shoe",))
    shop.suggests(person, "tea")
    handle = shop.arrive(person, stream)
    until(lambda: "suggestions" in tablet.card(handle).body["sections"], what="the suggestions")
    card = tablet.card(handle, "suggestions").body
    ((entry,),) = (line["entries"] for line in card["lines"])
    assert (entry["text"], entry["suggested"]["place"]) == ("Fine tea", "due-again")
    assert {"kind": "due", "number": 21} in entry["suggested"]["reasons"]
    assert person.values["history.store"] not in shown_of(card)
    told = len(stream.seen)
    shop.store.office.withdraw(person.member, now_ms(), purpose="suggest", stores=(STORE,))
    shop.sees(stream, smaller(handle, told), "the card without suggestions", PATIENCE_S)
    card = tablet.card(handle, "suggestions").body
    assert (card["lines"], "suggestions" in card["sections"]) == ([], False)
    assert [line["scope"] for line in card["lead"]] == ["size.shoe"]
    shop.silent(person)
    shop.store.office.withdraw(person.member, now_ms())
    shop.sees(stream, gone(handle), "the departure")


def test_presence_withdrawn_takes_the_visit_off_the_floor(shop: Shop, tablet: Tablet, stream: Stream) -> None:
    """HQ withdraws everything: the visit is gone from the open stream, and its card answers as one that never was."""
    person = shop.join(Mode.OPEN)
    handle = shop.arrive(person, stream)
    assert tablet.card(handle).status == 200
    shop.store.office.withdraw(person.member, now_ms())
    shop.sees(stream, gone(handle), "the departure", PATIENCE_S)
    refused, never = tablet.card(handle), tablet.card("A" * 22)
    assert (refused.status, refused.body) == (never.status, never.body) == (404, never.body)
    shop.silent(person)


@pytest.mark.parametrize("by", ["tablet", "page"])
def test_a_leave_code_ends_the_visit_and_reaches_hq(shop: Shop, tablet: Tablet, stream: Stream, by: str) -> None:
    """Typed on a tablet or handed on by HQ: gone from the open stream at once, and from the store's audience."""
    person = shop.join(Mode.HELP)
    handle = shop.call_for_help(person, stream)
    now_s = now_ms() // 1000
    code = leave_code(day_key(person.phone.secret, day_of(now_s)), slot_of(now_s))
    office = shop.store.office
    if by == "tablet":
        assert tablet.call("POST", "/api/v1/leavings", {"code": f"{code[:4]} {code[4:]}"}).status == 204
    else:
        with writing(office.engine) as connection:
            assert leavings.ask(connection, STORE, code, now_ms(), b"a" * 32) == 0
    shop.sees(stream, gone(handle), "the departure", PATIENCE_S)
    pseudonym = shop.pseudonym(person)

    def held() -> bool:
        with reading(office.engine) as connection:
            return records.body(connection, f"members/{STORE}", pseudonym) is not None

    until(lambda: not held(), what="the withdrawal at HQ")
    shop.silent(person)


def test_quiet_is_gone(shop: Shop, stream: Stream) -> None:
    """A member who switches to quiet leaves the floor at once, though the phone is still heard."""
    person = shop.join(Mode.OPEN)
    handle = shop.arrive(person, stream)
    shop.store.office.set_mode(person.member, Mode.QUIET, now_ms())
    shop.sees(stream, gone(handle), "the departure", PATIENCE_S)
    others = {one["handle"] for one in stream.visits}
    time.sleep(2)  # heard some times more by now
    assert {one["handle"] for one in stream.visits} <= others
    shop.silent(person)


def test_who_may_not_be_shown_is_not(shop: Shop, stream: Stream) -> None:
    """Quiet, under age, at another store, in mode help without a call: heard by the radio, seen by nobody."""
    people = [
        shop.join(Mode.QUIET),
        shop.join(Mode.OPEN, age_at_least=14),
        shop.join(Mode.OPEN, age_at_least=0),
        shop.join(Mode.OPEN, stores=(OTHER,)),
        shop.join(Mode.HELP),
    ]
    shown = shop.join(Mode.OPEN)
    before = {one["handle"] for one in stream.visits}
    for person in [*people, shown]:
        shop.says(person, Kind.PRESENCE)
    for person in people[:4]:  # help from who is not in the audience is no help
        shop.says(person, Kind.HELP)
    shop.sees(stream, lambda now: bool({one["handle"] for one in now.visits} - before), "the one who is open")
    for _ in range(30):
        assert len({one["handle"] for one in stream.visits} - before) <= 1
        time.sleep(0.1)
    shop.sees(stream, lambda now: len({one["handle"] for one in now.visits} - before) == 1, "the one alone")
    for person in [*people, shown]:
        shop.silent(person)


def test_a_name_that_is_never_told_is_not_told(shop: Shop, tablet: Tablet, stream: Stream) -> None:
    """The choice `never` withholds the name though its scope is granted."""
    person = shop.join(Mode.HELP, TEXTS, name_choice=NameChoice.NEVER)
    handle = shop.call_for_help(person, stream)
    card = tablet.card(handle)
    assert card.body["name"] is None
    assert person.values["name.first"] not in shown_of(card.body)
    assert person.values["size.shoe"] in shown_of(card.body)
    shop.silent(person)
    tablet.attend(handle, "done")


def test_two_associates_do_not_run_for_one_call(shop: Shop, tablet: Tablet, stream: Stream) -> None:
    """The second who says "I help" is told who was first."""
    person = shop.join(Mode.HELP)
    other = shop.tablet(shop.manager)
    handle = shop.call_for_help(person, stream)
    assert tablet.attend(handle, "attending").status == 204
    second = other.attend(handle, "attending")
    assert (second.status, second.body["attended_by"]) == (409, "Nina associate")
    shop.silent(person)
    tablet.attend(handle, "done")


def test_an_act_on_a_visit_goes_the_whole_way_to_hq(shop: Shop, tablet: Tablet, stream: Stream) -> None:
    """Introduced, handed over to a manager, an item proposed: done on the tablet, and on the member's receipts."""
    office = shop.store.office
    lines = [b'{"id": "sku-7", "name": "Trail sock"}', b'{"id": "sku-8", "name": "Trail gin", "flags": ["adult"]}']
    collections.publish(office.engine, Collection.CATALOG, "main", collections.catalog_lines(lines), now_ms())
    with writing(office.engine) as connection:
        collections.give(connection, STORE, Collection.CATALOG, "main")
    person = shop.join(Mode.OPEN, ("name.first", "wishlist"))
    visit = f"/api/v1/visits/{shop.arrive(person, stream)}"
    handle = visit.rsplit("/", 1)[1]
    assert tablet.card(handle).body["name"] is None
    assert tablet.call("POST", f"{visit}/introduction").status == 204
    assert tablet.card(handle).body["name"] == person.values["name.first"]
    manager = shop.tablet(shop.manager)
    assert tablet.call("GET", "/api/v1/colleagues").body["associates"] == [
        {"associate": shop.manager, "name": "Nina manager", "role": "manager"}
    ]
    body = {"action": "hand-over", "to_associate": shop.manager, "reason": "language"}
    assert tablet.call("POST", f"{visit}/attendance", body).status == 204
    (line,) = [one for one in manager.floor().body["visits"] if one["handle"] == handle]
    assert (line["handed_over"], line["attended_by"]) == ("language", "Nina associate")
    assert manager.attend(handle, "attending").status == 204
    assert tablet.attend(handle, "done").status == 409

    def found() -> list[str]:
        return [one["item"] for one in tablet.call("GET", "/api/v1/catalog?q=trail").body["items"]]

    until(lambda: found() == ["sku-7"], what="the catalog")
    for to, item, status in (("wishlist", "sku-7", 204), ("basket", "sku-7", 404), ("wishlist", "sku-8", 404)):
        asked = {"to": to, "item": item, "quantity": 2}
        assert tablet.call("POST", f"{visit}/items", asked).status == status
    with reading(office.engine) as connection:
        reference = office.keys.custody.references(connection, [person.member])[person.member]

    def proposed() -> list[tuple[str, int]]:
        with reading(office.engine) as connection:
            told = proposals.of_member(connection, office.keys, reference, now_ms())
        return [(one.item, one.quantity) for one in told]

    until(lambda: proposed() == [("sku-7", 2)], what="the proposal at HQ")
    with reading(office.engine) as connection:
        said = " / ".join(one.words for one in receipts.of_member(connection, office.keys, reference) if one.words)
    assert "who you are" in said and "handed over to a colleague" in said
    shop.silent(person)


def test_a_role_without_the_floor_sees_nobody(shop: Shop, tablet: Tablet, stream: Stream) -> None:
    """A stock keeper is signed in, and neither roster nor card shows what an associate sees."""
    person = shop.join(Mode.HELP)
    stock = shop.tablet("stock-3")
    handle = shop.call_for_help(person, stream)
    assert tablet.card(handle).status == 200
    assert stock.floor().body.get("visits", []) == []
    assert stock.card(handle).status in (403, 404)
    shop.silent(person)
    tablet.attend(handle, "done")


def test_without_a_session_nothing_is_answered(shop: Shop, stream: Stream) -> None:
    """No cookie, no token: neither roster, card, stream nor status; a wrong PIN signs nobody in."""
    person = shop.join(Mode.HELP)
    handle = shop.call_for_help(person, stream)
    stranger = Tablet(shop.store.address)
    for path in ("/api/v1/floor", "/api/v1/floor/events", f"/api/v1/visits/{handle}", "/api/v1/status"):
        assert stranger.call("GET", path).status == 401, path
    assert stranger.withdraw(handle, None).status == 401
    unpaired = stranger.sign_in(shop.associate, "2580")
    assert unpaired.status == 401
    stranger.pair(shop.store.pairing_code(), "A tablet")
    assert stranger.sign_in(shop.associate, "0000").status == 403
    assert stranger.sign_in("nobody", "0000").status == 403
    shop.silent(person)


def helped(shop: Shop, person: Person) -> HelpState | None:
    """What the member's app would be told by HQ now."""
    with reading(shop.store.office.engine) as connection:
        reference = shop.store.office.keys.custody.reference(connection, person.member)
        assert reference is not None
        found = help_state.of_member(connection, reference, now_ms())
    return found.state if found is not None else None


def test_hq_knows_within_seconds_whether_somebody_is_on_the_way(shop: Shop, tablet: Tablet, stream: Stream) -> None:
    """Pressed: waiting; an associate comes: on the way; done: done. Taken back by the phone: ended."""
    person = shop.join(Mode.HELP)
    assert helped(shop, person) is None
    handle = shop.call_for_help(person, stream)
    until(lambda: helped(shop, person) is HelpState.WAITING, PATIENCE_S, "the state at HQ")
    assert tablet.attend(handle, "attending").status == 204
    until(lambda: helped(shop, person) is HelpState.ON_THE_WAY, PATIENCE_S, "the state at HQ")
    assert tablet.attend(handle, "done").status == 204
    until(lambda: helped(shop, person) is HelpState.DONE, PATIENCE_S, "the state at HQ")
    shop.silent(person)
    other = shop.join(Mode.OPEN)
    shop.call_for_help(other, stream)
    until(lambda: helped(shop, other) is HelpState.WAITING, PATIENCE_S, "the state at HQ")
    shop.says(other, Kind.PRESENCE)
    until(lambda: helped(shop, other) is HelpState.ENDED, WITHIN_S, "the state at HQ")
    shop.silent(other)


def out(stream: Stream) -> list[str]:
    """The zones whose receivers are out, as the tablet was told last."""
    told: list[list[Json]] = [body["radios"] for name, body in list(stream.seen) if name in ("roster", "change")]
    return [one["zone_label"] for one in told[-1]]


@pytest.mark.long
def test_a_radio_that_falls_ill_is_on_the_floor_until_it_hears_again(shop: Shop, stream: Stream) -> None:
    """BlueZ is gone when the edge starts: the tablet is told; BlueZ is back: it is taken away by itself."""
    person = shop.join(Mode.OPEN)
    shop.says(person, Kind.PRESENCE)
    assert out(stream) == []
    shop.stop("edge")
    shop.radio.order({"stop": True})
    shop.store.start_edge(replay=False)
    shop.sees(stream, lambda now: out(now) == ["Shoes"], "the receiver that is out")
    assert [(one.state, one.reason) for one in shop.store.status().radios] == [
        (ReceiverState.ILL, RadioReason.NO_BLUEZ)
    ]
    shop.radio.order({"start": True})
    shop.sees(stream, lambda now: out(now) == [], "the receiver that is back")
    shop.silent(person)


@pytest.mark.long
def test_an_edge_that_died_is_on_the_floor_until_it_is_back(shop: Shop, stream: Stream) -> None:
    """Killed: after three reports that did not come the tablet is told; started again: taken away by itself."""
    until(
        lambda: any(one.state is ReceiverState.HEARING for one in shop.store.status().radios), what="its first report"
    )
    shop.kill("edge")
    shop.sees(stream, lambda now: out(now) == ["Shoes"], "the receiver that is out")
    shop.store.start_edge(replay=False)
    shop.sees(stream, lambda now: out(now) == [], "the receiver that is back")


def test_another_stores_credential_reads_nothing(shop: Shop, tablet: Tablet, stream: Stream) -> None:
    """With Paris's certificate no topic of Berlin's can be read or written, and what is heard opens to nobody."""
    heard: list[str] = []
    granted: list[object] = []
    other = shop.mqtt(*shop.credential_of(OTHER))
    other.on_message = lambda _client, _own, message: heard.append(message.topic)
    other.on_subscribe = lambda _client, _own, _mid, codes, _properties: granted.extend(codes)
    other.on_connect = lambda connected, *_rest: connected.subscribe(
        [("#", 1), (f"consentry/1/{STORE}/down", 1), (f"consentry/1/{STORE}/now", 1), (f"consentry/1/{STORE}/up", 1)]
    )
    other.connect("127.0.0.1", shop.store.broker_port)
    other.loop_start()
    until(lambda: len(granted) == 4, what="an answer to the subscription")
    assert shop.ear is not None
    own_before = len([1 for topic, _ in shop.ear.heard if topic.startswith(f"consentry/1/{STORE}/")])
    other.publish(f"consentry/1/{STORE}/down", b"from Paris", 1)
    person = shop.join(Mode.HELP)
    handle = shop.call_for_help(person, stream)
    shop.store.office.withdraw(person.member, now_ms())
    shop.sees(stream, gone(handle), "the departure")
    until(
        lambda: len([1 for topic, _ in shop.ear.heard if topic.startswith(f"consentry/1/{STORE}/")]) > own_before + 2,
        what="traffic of the store's own",
    )
    assert [topic for topic in heard if topic.startswith(f"consentry/1/{STORE}")] == []
    assert b"from Paris" not in [payload for _, payload in shop.ear.heard]
    other.loop_stop()
    other.disconnect()
    shop.silent(person)


def test_without_a_certificate_nobody_connects(shop: Shop) -> None:
    """The broker turns away who has no certificate of the operator's authority."""
    stranger = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    stranger.tls_set(str(shop.store.at / "etc/consentry/certs/broker-ca.pem"))
    connected: list[object] = []
    stranger.on_connect = lambda *arguments: connected.append(arguments[3])
    try:
        stranger.connect("127.0.0.1", shop.store.broker_port)
        for _ in range(20):
            if stranger.loop(0.1) != mqtt.MQTT_ERR_SUCCESS:
                break
    except OSError:
        pass
    assert [code for code in connected if code == 0] == []


@pytest.mark.long
def test_an_older_bluez_serves_as_well(needs: Callable[[str], str]) -> None:
    """The same on BlueZ 5.66: a call for help, and its card."""
    needs("mosquitto")
    needs("dbus-daemon")
    older = Shop("5.66")
    try:
        tablet = older.open().tablet()
        followed = tablet.follow()
        person = older.join(Mode.HELP, ("size.shoe",), Format.SERVICE)
        card = tablet.card(older.call_for_help(person, followed))
        followed.close()
        assert person.values["size.shoe"] in shown_of(card.body)
    finally:
        older.close()


def test_a_manager_pairs_a_tablet_gives_a_pin_and_takes_the_tablet_back(shop: Shop) -> None:
    """By the real programs: the PIN that an associate chose holds at once, HQ takes it over, the tablet is unknown."""
    manager = shop.tablet(shop.manager)
    shop.store.office.add_staff("new-9", STORE, "Newcomer", "associate", "258013", now_ms())
    listed = lambda: [one["associate"] for one in manager.call("GET", "/api/v1/staff").body["staff"]]  # noqa: E731
    until(lambda: "new-9" in listed(), what="the newcomer")
    made = manager.call("POST", "/api/v1/pairing-codes")
    assert made.status == 201 and made.body["link"].endswith(f"/#pair={made.body['code']}")
    pad = Tablet(shop.store.address)
    assert pad.pair(made.body["code"], "New tablet").status == 201
    code = manager.call("POST", "/api/v1/pin-codes", {"associate": "new-9"}).body["code"]
    asked = {"associate": "new-9", "code": code, "pin": "1234"}
    assert pad.call("POST", "/api/v1/pins", asked, bearer=pad.pairing).status == 422
    assert pad.call("POST", "/api/v1/pins", asked | {"pin": "8254"}, bearer=pad.pairing).status == 204
    assert pad.sign_in("new-9", "258013").status == 403
    assert pad.sign_in("new-9", "8254").status == 201
    assert pad.call("POST", "/api/v1/sessions/current/lock").status == 204
    assert pad.floor().status == 401
    assert pad.call("POST", "/api/v1/sessions/current/unlock", {"pin": "8254"}).status == 200

    until(lambda: _verifies(shop, "8254"), what="the PIN at HQ")
    paired = {one["label"]: one for one in manager.call("GET", "/api/v1/tablets").body["tablets"]}
    assert paired["New tablet"]["associate"] == "Newcomer"
    assert manager.call("DELETE", f"/api/v1/tablets/{paired['New tablet']['id']}").status == 204
    assert pad.floor().status == 401
    assert pad.sign_in("new-9", "8254").status == 401


def _verifies(shop: Shop, pin: str) -> bool:
    """Whether HQ's record of the newcomer has this PIN."""
    with reading(shop.store.office.engine) as connection:
        body = records.body(connection, instance(Collection.STAFF, STORE), b"new-9")
    with suppress(VerifyMismatchError):
        return PasswordHasher().verify(schema.decode(Staff, body or b"").pin_verifier, pin)
    return False
