"""Every personal value is a string that occurs nowhere else: after a whole scenario it is found only where it may be.

Looked into: what all programs wrote to stderr, the gateway's files, all that crossed the broker and both Unix sockets,
the metrics, and all that the tablet was ever sent. Looked for: values of members, their ids, pseudonyms, secrets and
day keys; addresses and tokens of phones, strangers' too.
"""

import base64
import json
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.phones import Format
from demo.store import now_ms
from demo.strangers import crowd
from demo.tablet import Stream, Tablet
from store_gateway import operator
from tests.system.store import STORE, TEXTS, Person, Shop, day_keys, of_value, until
from wire import air, token
from wire.member import Mode, NameChoice
from wire.sighting import Health, RadioReason, RadioState, encode_health
from wire.token import Kind

pytestmark = pytest.mark.system

STRANGERS = list(crowd(42))


class Seen:
    """All that came out of the store during the scenario."""

    def __init__(
        self,
        shop: Shop,
        people: dict[str, Person],
        answers: list[str],
        shown: dict[str, set[str]],
        metrics: bytes,
        statuses: str,
    ) -> None:
        assert shop.ear is not None
        self.metrics = metrics
        self.statuses = statuses.encode()
        self.people = people
        self.shown = shown
        self.answers = "\n".join(answers).encode()
        self.logs = {path.name: path.read_bytes() for path in (shop.folder / "logs").iterdir()}
        self.files = {
            str(path.relative_to(shop.folder)): path.read_bytes()
            for path in (shop.store.at / "state").rglob("*")
            if path.is_file()
        }
        self.database = {
            path.name: path.read_bytes() for path in (shop.folder / "hq/state").rglob("*") if path.is_file()
        }
        self.traffic = b"".join(topic.encode() + payload for topic, payload in shop.ear.heard)
        self.sightings, self.queries = (bytes(line.heard) for line in shop.lines)
        assert shop.bell is not None
        self.rung, self.news = b"".join(shop.bell.told), shop.bell.news
        self.pseudonyms = {name: shop.pseudonym(person) for name, person in people.items()}

    def places(self) -> Iterator[tuple[str, bytes]]:
        """Everything but what a tablet may be sent."""
        yield from self.logs.items()
        yield from self.files.items()
        yield "broker traffic", self.traffic
        yield "bells", self.rung
        yield "metrics", self.metrics
        yield "statuses", self.statuses

    def everywhere(self) -> Iterator[tuple[str, bytes]]:
        """Everything."""
        yield from self.places()
        yield "sightings socket", self.sightings
        yield "tablets socket", self.queries
        yield "tablet", self.answers


def metrics(shop: Shop) -> bytes:
    """What `/metrics` tells, health and readiness too."""
    context = ssl.create_default_context(cafile=shop.store.address.authority)
    base = f"https://127.0.0.1:{shop.store.tablet_port}"
    found = b""
    for path in ("/metrics", "/healthz", "/readyz", "/openapi.json", "/"):
        with urllib.request.urlopen(base + path, context=context, timeout=20) as answer:
            found += answer.read()
    return found


@pytest.fixture(scope="module")
def seen(needs: object) -> Iterator[Seen]:
    """A day in the shop, in short: strangers, calls, looks, sections, withdrawals, outages, restarts."""
    assert callable(needs)
    needs("mosquitto")
    needs("dbus-daemon")
    shop = Shop(taps=True)
    answers: list[str] = []
    try:
        shop.open()
        for heard in STRANGERS:
            shop.radio.advertise(heard, 0.5)
        people = {
            "helped": shop.join(Mode.HELP, ("name.first", "size.shoe", "wishlist", "history.store"), Format.IPHONE),
            "open": shop.join(Mode.OPEN, ("fit.jacket", "brand.liked"), name_choice=NameChoice.ALWAYS),
            "quiet": shop.join(Mode.QUIET, TEXTS),
            "young": shop.join(Mode.OPEN, TEXTS, age_at_least=13),
            "left": shop.join(Mode.OPEN, TEXTS, Format.SERVICE),
            "in person": shop.join(Mode.HELP, ("diet", "fit.jacket")),
            "suggested to": shop.join(Mode.OPEN, ("size.shoe",)),
        }
        shop.suggests(people["suggested to"], "tea")
        shown = scenario(shop, people, answers)
        told = metrics(shop)
        statuses = operator.status_text(shop.store.status()) + help_told(shop, people["helped"])
        for name in ("edge", "tablets", "gateway", "hq"):  # what is written at the end is written then
            shop.stop(name)
        yield Seen(shop, people, answers, shown, told, statuses)
    finally:
        shop.close()


def help_told(shop: Shop, person: Person) -> str:
    """What `consentry-hq help` says of a member."""
    command = [sys.executable, "-m", "hq", "help", person.member, "--config", str(shop.store.hq_config)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def falls_ill(shop: Shop, node: str) -> None:
    """A receiver says that its radio is ill."""
    health = Health(node, "none", RadioState.ILL, RadioReason.NO_RADIO, 0, 0, 0, 0, ((RadioReason.NO_RADIO, 1),))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.sendto(encode_health(health), str(shop.folder / "sightings.tap"))


def scenario(shop: Shop, people: dict[str, Person], answers: list[str]) -> dict[str, set[str]]:
    """Plays it; what the tablet was sent goes to `answers`. Returns which scopes of whom it was meant to see."""
    tablet = shop.tablet()
    stream = tablet.follow()
    for person in people.values():
        shop.says(person, Kind.PRESENCE)
    helped = shop.call_for_help(people["helped"], stream)
    until(lambda: len(stream.visits) >= 4, what="the arrival of all who may be seen")
    falls_ill(shop, "door-1")
    everything(shop, tablet, stream, answers)
    tablet.attend(helped, "attending")
    shop.store.office.withdraw(people["helped"].member, now_ms(), scopes=("size.shoe",), stores=(STORE,))
    shop.store.office.withdraw(people["left"].member, now_ms())
    until(lambda: len(stream.visits) == 3, what="the departure")
    edited = [of_value("size.shoe", people["helped"].values["size.shoe"], now_ms() // 1000)]
    shop.store.office.set_profile(people["helped"].member, edited, now_ms())
    everything(shop, tablet, stream, answers)
    for visit in stream.visits:
        acts(tablet, visit["handle"], answers)
    everything(shop, tablet, stream, answers)
    in_person = shop.call_for_help(people["in person"], stream)
    everything(shop, tablet, stream, answers)
    answers.append(json.dumps(tablet.withdraw(in_person, "diet").body))
    answers.append(json.dumps(tablet.withdraw(in_person, None).body))
    answers.append(json.dumps(tablet.card(in_person).body))
    answers.append(json.dumps(tablet.sign_in("nobody", "1234").body))
    answers.append(json.dumps(tablet.call("POST", "/api/v1/sessions", {"associate": 3}).body))
    tablet = shop.tablet()
    shop.stop("hq")
    until(lambda: stream.lease["light"] == "dark", what="darkness")
    everything(shop, tablet, stream, answers)
    shop.start("hq")
    shop.store.wait_live(30)
    everything(shop, tablet, stream, answers)
    shop.kill("gateway")
    shop.start("gateway")
    tablet = shop.tablet(shop.manager)
    again = tablet.follow()
    shop.sees(again, lambda now: len(now.visits) >= 2, "those who are still there")
    everything(shop, tablet, again, answers)
    falls_ill(shop, "door-1")
    shop.sees(again, lambda now: '"radios": [{' in json.dumps(now.seen[-1][1]), "a receiver that is out")
    answers.append(json.dumps(tablet.call("GET", "/api/v1/status").body))
    for followed in (stream, again):
        answers.extend(json.dumps(body) for _, body in followed.seen)
        followed.close()
    return {
        "helped": {"name.first", "size.shoe", "wishlist", "history.store"},
        "open": {"fit.jacket", "brand.liked"},
        "left": set(TEXTS) - {"name.first"},  # never asked for help, so not invited to use the name
        "in person": {"diet", "fit.jacket"},
        "suggested to": {"size.shoe"},  # and the history is used for suggestions alone
    }


def acts(tablet: Tablet, handle: str, answers: list[str]) -> None:
    """A busy associate does all that can be done to a visit."""
    for rest, body in (
        ("introduction", {}),
        ("attendance", {"action": "hand-over", "to_role": "manager", "reason": "other-zone"}),
        ("outcomes", {"item": "sku-1", "response": "not-for-me"}),
        ("mutes", {"what": "theme", "id": "sku-1"}),
        ("items", {"to": "wishlist", "item": "sku-1"}),
    ):
        answers.append(json.dumps(tablet.call("POST", f"/api/v1/visits/{handle}/{rest}", body).body))
    answers.extend(json.dumps(tablet.call("GET", f"/api/v1/{path}").body) for path in ("colleagues", "catalog?q=a"))


def everything(shop: Shop, tablet: Tablet, stream: Stream, answers: list[str]) -> None:
    """A curious associate looks at all that there is."""
    answers.append(json.dumps(tablet.floor().body))
    for visit in stream.visits:
        card = tablet.card(visit["handle"])
        answers.append(json.dumps(card.body))
        sections = ("preferences", "wishlist", "basket", "history", "service", "suggestions")
        answers.extend(json.dumps(tablet.card(visit["handle"], section).body) for section in sections)


def forms(raw: bytes) -> tuple[bytes, ...]:
    """The ways in which bytes may be written."""
    return (
        raw,
        raw.hex().encode(),
        raw.hex().upper().encode(),
        base64.b64encode(raw).rstrip(b"="),
        base64.urlsafe_b64encode(raw).rstrip(b"="),
        raw[::-1],
    )


def found(needles: Iterator[bytes] | list[bytes], places: Iterator[tuple[str, bytes]]) -> set[str]:
    """The places in which one of these stands."""
    wanted = [needle for needle in needles if needle]
    return {name for name, content in places for needle in wanted if needle in content}


def test_the_ear_and_the_taps_heard_something(seen: Seen) -> None:
    """What is not found was really looked for: the traffic, the sockets, the files and logs are there."""
    assert len(seen.traffic) > 50_000
    assert len(seen.sightings) > 5_000
    assert len(seen.queries) > 5_000
    assert sum(map(len, seen.files.values())) > 20_000
    assert set(seen.logs) >= {"edge.log", "gateway.log", "tablets.log", "hq.log", "broker.log"}
    assert b"consentry" in seen.metrics
    assert b"receiver door-1 (in no zone of the policy) ill, no_radio" in seen.statuses
    assert b"in berlin-1 since" in seen.statuses
    assert b"no_radio" in seen.answers


def test_bells_say_a_zone_and_nothing_of_anybody(seen: Seen) -> None:
    """Both calls rang, and their ends; no visit's handle, sign or time is among what was told."""
    assert {tuple(one) for one in seen.news} == {("event", "store", "zone", "zone_label", "waiting", "escalated", "at")}
    assert [one["event"] for one in seen.news].count("help-waiting") >= 2
    assert {"help-answered", "help-none"} <= {one["event"] for one in seen.news}
    assert {one["zone"] for one in seen.news} == {None, "shoes"}
    visits = [visit for answer in seen.answers.decode().splitlines() for visit in handles_in(json.loads(answer))]
    assert len(set(visits)) >= 3
    assert not [one for one in visits if one.encode() in seen.rung]


def handles_in(answer: object) -> Iterator[str]:
    """Every visit's handle in an answer, however deep."""
    if isinstance(answer, dict):
        yield from (value for name, value in answer.items() if name == "handle" and isinstance(value, str))
    for part in answer.values() if isinstance(answer, dict) else answer if isinstance(answer, list) else ():
        yield from handles_in(part)


def test_no_value_is_in_logs_files_traffic_or_metrics(seen: Seen) -> None:
    """Not one value of any member, shared or hidden."""
    values = [value.encode() for person in seen.people.values() for value in person.values.values()]
    assert found(values, seen.places()) == set()


def test_the_tablet_was_sent_what_is_shared_and_nothing_else(seen: Seen) -> None:
    """Each granted value was sent to it, no other value was, over HTTP or over the gateway's socket."""
    for name, person in seen.people.items():
        for scope, value in person.values.items():
            sent = value.encode() in seen.answers
            if scope in seen.shown.get(name, set()):
                assert sent, (name, scope)
            else:
                assert not sent, (name, scope)
                assert value.encode() not in seen.queries, (name, scope)


def test_something_was_suggested_and_what_it_was_made_of_stayed_where_it_is(seen: Seen) -> None:
    """The suggestion came to the tablet under the catalog's name, with its reason; the history's words did not."""
    assert b'"text": "Fine tea"' in seen.answers and b'"kind": "due"' in seen.answers
    words = seen.people["suggested to"].values["history.store"].encode()
    assert found([words], seen.everywhere()) == set()


def test_no_member_is_named_outside_of_hq(seen: Seen) -> None:
    """Neither ids nor pseudonyms, in any way of writing bytes; on the tablet neither."""
    ids = [person.member.encode() for person in seen.people.values()]
    pseudonyms = [form for one in seen.pseudonyms.values() for form in forms(one)]
    assert found(ids + pseudonyms, seen.everywhere()) == set()


def test_no_key_is_anywhere(seen: Seen) -> None:
    """Neither presence secrets nor day keys, in any way of writing bytes."""
    keys = [one for person in seen.people.values() for one in (person.phone.secret, *day_keys(person))]
    assert found([form for one in keys for form in forms(one)], seen.everywhere()) == set()


def test_strangers_leave_no_trace(seen: Seen) -> None:
    """No address is anywhere; what may be a token is on the way to the gateway and nowhere else."""
    addresses = [one.address.encode() for one in STRANGERS]
    addresses += [one.replace(b":", b"_") for one in addresses] + [one.lower() for one in addresses]
    addresses += [bytes.fromhex(one.address.replace(":", "")) for one in STRANGERS]
    assert found(addresses, without_the_radio(seen.everywhere())) == set()
    candidates = [one for heard in STRANGERS for one in air.candidates(heard.raw, air.TEST_COMPANY)]
    assert len(candidates) == 12
    assert any(one in seen.sightings for one in candidates), "the edge forwards what only the gateway can judge"
    everywhere = [(name, content) for name, content in seen.everywhere() if name != "sightings socket"]
    assert found([form for one in candidates for form in forms(one)], without_the_radio(iter(everywhere))) == set()
    others = [heard.raw for heard in STRANGERS if not air.candidates(heard.raw, air.TEST_COMPANY)]
    assert found(others, without_the_radio(seen.everywhere())) == set(), "the rest does not leave the edge"


def test_members_tokens_are_forwarded_and_written_nowhere(seen: Seen) -> None:
    """A token is on the way to the gateway, and in no log, file, message, metric or page."""
    slot = token.slot_of(now_ms() // 1000)
    tokens = [
        token.token(token.day_key(person.phone.secret, token.day_of_slot(one)), kind, one)
        for person in seen.people.values()
        for kind in Kind
        for one in range(slot - 2, slot + 2)
    ]
    assert any(one in seen.sightings for one in tokens)
    everywhere = [(name, content) for name, content in seen.everywhere() if name != "sightings socket"]
    assert found([form for one in tokens for form in forms(one)], without_the_radio(iter(everywhere))) == set()


def without_the_radio(places: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """All but the log of the fake bluetoothd, which is no part of the product."""
    return ((name, content) for name, content in places if name != Path("bluetoothd.log").name)


def test_hqs_database_holds_no_member_in_the_clear(seen: Seen) -> None:
    """Neither values, ids, secrets and day keys, nor what stores reported of anybody, nor names of staff."""
    assert sum(map(len, seen.database.values())) > 100_000
    assert any(one in content for one in seen.pseudonyms.values() for content in seen.database.values())
    needles = [value.encode() for person in seen.people.values() for value in person.values.values()]
    needles += [person.member.encode() for person in seen.people.values()] + [b"Nina associate"]
    keys = [one for person in seen.people.values() for one in (person.phone.secret, *day_keys(person))]
    needles += [form for one in keys for form in forms(one)]
    assert found(needles, iter(seen.database.items())) == set()
