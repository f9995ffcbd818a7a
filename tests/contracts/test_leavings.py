"""Leaving by code over the whole way: a tablet's HTTP or HQ's page, the real gateway, its cache, HQ, and back."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from hq import leavings
from hq.database import reading, writing
from hq.tables import consent_events
from store_gateway.gateway import Asker, Checking
from tablet_api import app as application
from tablet_api.metrics import Metrics
from tests.proof.chain import ASSOCIATE, Box, Chain
from tests.world import PIN
from wire import query, sync
from wire.member import Mode
from wire.query import Light
from wire.sync import Verb
from wire.token import day_key, day_of_slot, leave_code

PAGE = "page"
TABLET = "tablet"


class Line:
    """The far end of the gateway's socket, without the socket."""

    failures = 0

    def __init__(self, box: Box) -> None:
        self._box = box

    def ask(self, request: query.Request) -> query.Reply:
        """The real gateway's answer."""
        reply = self._box.gateway.answer(request, Asker(False, None), self._box.now_s)
        if isinstance(reply, Checking):
            reply = self._box.gateway.pin_checked(reply.check, reply.check.pin == PIN, self._box.now_s)  # type: ignore[union-attr]
        self._box.settle()
        return reply


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """One live store with two members in it who called for help."""
    made = Chain(tmp_path)
    for name in ("m-1", "m-2"):
        made.join(name, "size.shoe")
    made.up()
    for name in ("m-1", "m-2"):
        made.boxes[0].calls(made.secrets[name][0])
    made.run(1)
    assert len(made.boxes[0].sees()) == 2
    yield made
    made.close()


@pytest.fixture
def tablet(chain: Chain) -> FlaskClient:
    """A tablet's browser in which the associate is signed in."""
    box = chain.boxes[0]
    line = Line(box)
    app = application.create(
        line,  # type: ignore[arg-type]
        version="0", clock=lambda: 0.0, stopping=threading.Event(), metrics=Metrics(),
    )  # fmt: skip
    client = app.test_client()
    code = box.ask_operator(query.MintPairing())
    assert isinstance(code, query.PairingCode)
    asked = {"base_url": "https://localhost", "headers": {"Sec-Fetch-Site": "same-origin"}}
    assert client.post("/api/v1/pairings", json={"code": code.code, "label": "Till"}, **asked).status_code == 201
    assert client.post("/api/v1/sessions", json={"associate": ASSOCIATE, "pin": PIN}, **asked).status_code == 201
    return client


def leave(tablet: FlaskClient, chain: Chain, code: str) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Status, body and headers of one try on the tablet; then a second passes."""
    response = tablet.post(
        "/api/v1/leavings", json={"code": code}, base_url="https://localhost",
        headers={"Sec-Fetch-Site": "same-origin"},
    )  # fmt: skip
    chain.run(1)
    return response.status_code, response.data, list(response.headers)


def ask_hq(chain: Chain, code: str) -> int:
    """One try on HQ's page; then a second passes."""
    with writing(chain.hq.engine) as connection:
        wait_s = leavings.ask(connection, chain.boxes[0].store, code, chain.hq.now_ms, b"a" * 32)
    chain.run(1)
    return wait_s


def code_of(chain: Chain, name: str, slots: int = 0) -> str:
    """What the member's app shows now."""
    slot = chain.hq.now_ms // 600_000 + slots
    return leave_code(day_key(chain.secrets[name][0], day_of_slot(slot)), slot)


def seen(chain: Chain) -> set[bytes | None]:
    """The pseudonyms on the floor."""
    return set(chain.boxes[0].sees())


def choices(chain: Chain) -> list[tuple[bytes, int | None]]:
    """Whoever left by code as HQ's record has it: member and time of choice."""
    with reading(chain.hq.engine) as connection:
        rows = connection.execute(select(consent_events).where(consent_events.c.method == "leave-code")).all()
    return [(row.member, row.chosen_s) for row in rows]


def wrong_code(chain: Chain) -> str:
    """One that nobody's app shows now."""
    shown = {code_of(chain, name, slots) for name in chain.secrets for slots in (-1, 0, 1)}
    return next(code for code in ("31415926", "27182818") if code not in shown)


def test_the_right_code_on_a_tablet_reaches_hqs_record(chain: Chain, tablet: FlaskClient) -> None:
    """A wrong one is answered byte by byte the same and changes nothing; HQ withdraws presence there at that time."""
    said = leave(tablet, chain, wrong_code(chain))
    assert len(seen(chain)) == 2
    chosen_s = chain.hq.now_ms // 1000
    assert leave(tablet, chain, code_of(chain, "m-1")) == said
    assert said[:2] == (204, b"")
    assert seen(chain) == {chain.hq.pseudonym("m-2")}
    chain.run(30)
    ((_, found_s),) = choices(chain)
    assert found_s is not None
    assert 0 <= found_s - chosen_s <= 1
    assert (chain.hq.record("m-1"), chain.hq.day_keys("m-1")) == (None, ())
    chain.check_end()
    chain.hq.later(5)
    chain.hq.grant("m-1", "presence")
    chain.run(600, step_s=10)
    chain.settle()
    chain.boxes[0].calls(chain.secrets["m-1"][0])
    chain.run(1)
    assert chain.hq.pseudonym("m-1") in seen(chain), "whoever allows it again is recognised again"


def test_the_right_code_on_hqs_page_does_the_same(chain: Chain, tablet: FlaskClient, tmp_path: Path) -> None:
    """By an order that tells HQ nothing; and once it is answered neither side has a code in any file."""
    wrong, right = wrong_code(chain), code_of(chain, "m-1")
    assert ask_hq(chain, wrong) == 0
    chain.run(30)
    assert len(seen(chain)) == 2
    assert chain.orders_open() == 0
    assert sync.EventKind.WITHDRAWAL not in {kind for _, kind in chain.stored_events(chain.boxes[0])}
    assert ask_hq(chain, right) == 0
    assert chain.hq.pseudonym("m-1") not in seen(chain)
    chain.run(30)
    assert len(choices(chain)) == 1
    chain.check_end()
    with chain.hq.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    for file in tmp_path.rglob("*"):
        held = file.read_bytes() if file.is_file() else b""
        assert wrong.encode() not in held, file.name
        assert right.encode() not in held, file.name


def test_while_hq_is_away_and_in_the_dark_a_tablet_ends_a_visit(chain: Chain, tablet: FlaskClient) -> None:
    """It is on the disk within a second, over a crash too; HQ learns it with the time at which it was said."""
    box = chain.boxes[0]
    box.link(False)
    chain.run(130)
    assert box.light()[0] is Light.DARK
    for name in ("m-1", "m-2"):
        box.calls(chain.secrets[name][0])
    chosen_s = chain.hq.now_ms // 1000
    assert leave(tablet, chain, code_of(chain, "m-1"))[0] == 204
    chain.run(5)
    box.crash()
    assert choices(chain) == []
    box.link(True)
    chain.settle()
    for name in ("m-1", "m-2"):
        box.calls(chain.secrets[name][0])
    chain.run(1)
    assert seen(chain) == {chain.hq.pseudonym("m-2")}
    ((_, found_s),) = choices(chain)
    assert found_s is not None
    assert 0 <= found_s - chosen_s <= 1
    chain.check_end()


def test_quiet_and_locked_each_code_is_nobodys(chain: Chain, tablet: FlaskClient) -> None:
    """In mode `quiet` HQ has taken the keys back; a box that is locked down has none, and says so of every code."""
    chain.hq.office.set_mode("m-1", Mode.QUIET, chain.hq.now_ms)
    chain.run(5)
    assert leave(tablet, chain, code_of(chain, "m-1"))[:2] == (204, b"")
    assert ask_hq(chain, code_of(chain, "m-1")) == 0
    chain.run(30)
    assert choices(chain) == []
    box = chain.boxes[0]
    chain.order(box, Verb.LOCKDOWN)
    chain.run(30)
    assert box.light()[0] is Light.LOCKED
    said = [leave(tablet, chain, code) for code in (code_of(chain, "m-2"), wrong_code(chain))]
    assert said[0] == said[1]
    assert said[0][0] == 503
