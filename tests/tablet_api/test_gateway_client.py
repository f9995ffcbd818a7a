"""Asking the gateway, while it is there and while it is not."""

import threading
import time
from pathlib import Path

import pytest

from tablet_api import gateway_client
from tablet_api.errors import AwayReason, GatewayAwayError
from tablet_api.gateway_client import GatewayClient
from tests.fakes.gateway import FakeGateway
from tests.tablet_api.floor_of import visit
from wire import query
from wire.errors import WireError
from wire.query import AskFloor, AskStatus, Refused, RefusedReason, Roster, Status


def test_a_question_is_answered(gateway: FakeGateway, link: GatewayClient) -> None:
    """Each question gets its own reply, on one line."""
    session = gateway.sign_in()
    for _ in range(3):
        assert isinstance(link.ask(AskStatus()), Status)
        assert isinstance(link.ask(AskFloor(session)), Roster)
    assert link.ask(AskFloor(bytes(32))) == Refused(RefusedReason.SIGNED_OUT)
    assert len(gateway._lines) == 1


def test_many_threads_ask_at_once(gateway: FakeGateway, link: GatewayClient) -> None:
    """No thread gets another's reply, and at most eight lines are kept."""
    sessions = [gateway.sign_in(one) for one in ("mara", "tom") * 8]
    found: list[bool] = []

    def ask(session: bytes, associate: str) -> None:
        for _ in range(20):
            reply = link.ask(query.AskSession(session))
            found.append(isinstance(reply, query.SessionView) and reply.associate == associate)

    threads = [
        threading.Thread(target=ask, args=(session, ("mara", "tom")[n % 2])) for n, session in enumerate(sessions)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [True] * 320
    assert len(link._idle) <= 8


def test_a_gateway_that_comes_back_is_found(gateway: FakeGateway, link: GatewayClient) -> None:
    """While it is away each question says so; afterwards the next one is answered, with nothing to reset."""
    assert isinstance(link.ask(AskStatus()), Status)
    gateway.stop()
    for _ in range(2):
        with pytest.raises(GatewayAwayError) as raised:
            link.ask(AskStatus())
        assert raised.value.reason is AwayReason.ABSENT
    gateway.start()
    assert isinstance(link.ask(AskStatus()), Status)


def test_a_restart_between_two_questions_is_not_noticed(gateway: FakeGateway, link: GatewayClient) -> None:
    """A pooled line that the gateway closed is not used."""
    assert isinstance(link.ask(AskStatus()), Status)
    gateway.stop()
    gateway.start()
    assert isinstance(link.ask(AskStatus()), Status)


@pytest.mark.parametrize(
    "said",
    [
        bytes(4),
        b"\xff\xff\xff\xff",
        (5).to_bytes(4, "big") + b"noise",
        query.frame(99, query.Accepted()),
        query.frame(1, query.AskStatus()),
    ],
    ids=["empty", "huge", "no CBOR", "another number", "a question"],
)
def test_nonsense_is_refused_and_the_line_given_up(gateway: FakeGateway, link: GatewayClient, said: bytes) -> None:
    """A frame that is no reply to this question ends the line; the next question is asked on a new one."""
    gateway.garbage = said
    with pytest.raises(GatewayAwayError) as raised:
        link.ask(AskStatus())
    assert raised.value.reason is AwayReason.NONSENSE
    gateway.garbage = None
    assert isinstance(link.ask(AskStatus()), Status)


def test_a_question_out_of_bounds_is_not_sent(gateway: FakeGateway, link: GatewayClient) -> None:
    """What `wire.query` has no room for raises, and reaches nobody."""
    with pytest.raises(WireError):
        link.ask(query.SignIn(bytes(32), "x" * 65, "1"))
    assert gateway.asked == []
    assert isinstance(link.ask(AskStatus()), Status)


def test_a_watch_follows_the_roster(gateway: FakeGateway, link: GatewayClient) -> None:
    """Each roster comes as it is told; in between there is nothing."""
    watching = link.watch(gateway.sign_in())
    first = watching.receive(5)
    assert isinstance(first, Roster)
    assert first.visits == ()
    assert watching.receive(0) is None
    gateway.show(visit(1))
    second = watching.receive(5)
    assert isinstance(second, Roster)
    assert second.visits == (visit(1),)
    watching.close()


def test_a_watch_ends_with_the_gateway(gateway: FakeGateway, link: GatewayClient) -> None:
    """Whoever follows is told at once that nobody answers any more."""
    watching = link.watch(gateway.sign_in())
    watching.receive(5)
    gateway.stop()
    with pytest.raises(GatewayAwayError):
        watching.receive(5)
    watching.close()


def test_closing_ends_a_waiting_watch(gateway: FakeGateway, link: GatewayClient) -> None:
    """A program that stops does not wait for the next roster."""
    watching = link.watch(gateway.sign_in())
    watching.receive(5)
    ended = threading.Event()

    def follow() -> None:
        with pytest.raises(GatewayAwayError):
            watching.receive(60)
        ended.set()

    thread = threading.Thread(target=follow)
    thread.start()
    link.close()
    assert ended.wait(10)
    thread.join(10)
    watching.close()
    with pytest.raises(GatewayAwayError) as raised:
        link.ask(AskStatus())
    assert raised.value.reason is AwayReason.CLOSED


def test_no_socket_is_absence(tmp_path: Path) -> None:
    """A path at which nothing is, and one at which nobody listens."""
    with pytest.raises(GatewayAwayError) as raised:
        GatewayClient(tmp_path / "none").ask(AskStatus())
    assert raised.value.reason is AwayReason.ABSENT
    assert "gateway_socket" in raised.value.hint


def test_no_more_than_so_many_are_asked_at_once(
    gateway: FakeGateway, link: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks beyond them waits for a place, and is told that the gateway is silent where none comes free."""
    monkeypatch.setattr(gateway_client, "ANSWER_TIMEOUT_S", 2.0)
    gateway.silent = True
    told: list[AwayReason] = []

    def ask() -> None:
        try:
            link.ask(AskStatus())
        except GatewayAwayError as error:
            told.append(error.reason)

    threads = [threading.Thread(target=ask) for _ in range(gateway_client.MOST_ASKING + 8)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 10
    while len(gateway.asked) < gateway_client.MOST_ASKING and time.monotonic() < end:
        time.sleep(0.01)
    assert len(gateway.asked) == gateway_client.MOST_ASKING
    for thread in threads:
        thread.join(10)
    assert told == [AwayReason.SILENT] * len(threads)
