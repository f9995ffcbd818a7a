"""HQ's connections on a real broker: own topics alone, the nodes in turn, and a broker that stands still."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from hq.publisher import Link
from hq.settings import Broker
from tests.clusters.engines import free_ports, until
from tests.hq.test_service import Broker as Mosquitto
from wire import sync

WITHIN_S = 30.0


@pytest.fixture
def broker(needs, tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker of this test's own."""
    made = Mosquitto(needs("mosquitto"), tmp_path)
    yield made
    made.stop()


@contextmanager
def running(at: Broker, on_payload: Callable[[str, bytes], None] | None = None, name: str = "t") -> Iterator[Link]:
    """A link that is kept up."""
    link, stop = Link(at, None, name, on_payload), threading.Event()
    thread = threading.Thread(target=link.run, args=(stop,))
    thread.start()
    try:
        until(lambda: link.is_up, WITHIN_S, "the connection")
        yield link
    finally:
        stop.set()
        thread.join(WITHIN_S)


def at(*ports: int) -> Broker:
    """A broker of so many nodes."""
    return Broker("127.0.0.1", ports[0], tls=False, more_hosts=tuple(f"127.0.0.1:{port}" for port in ports[1:]))


def test_only_what_is_followed_is_heard(broker: Mosquitto) -> None:
    """Topics come and go on the same connection, and are there again on the next one."""
    heard: list[str] = []
    with ExitStack() as stack:
        link = stack.enter_context(running(at(broker.port), lambda topic, payload: heard.append(topic), "hq"))
        speaker = stack.enter_context(running(at(broker.port), name="store"))

        def say(*stores: str) -> list[str]:
            heard.clear()
            for store in stores:
                speaker.send([(sync.up(store), b"x")])

            def last() -> bool:
                speaker.send([(sync.up("last"), b"x")])
                return sync.up("last") in heard

            until(last, WITHIN_S, "the last one")
            return [topic for topic in heard if topic != sync.up("last")]

        def only(expected: list[str], *stores: str) -> None:
            """Soon: what is followed is on its way to the broker."""
            until(lambda: say(*stores) == [sync.up(store) for store in expected], WITHIN_S, f"{expected} alone")

        names = [f"s-{number}" for number in range(1_000)]  # more than one packet of them
        link.follow(map(sync.up, [*names, "last"]))
        only(["s-0", "s-999"], "s-0", "s-999", "other")
        link.follow(map(sync.up, ["other", "s-5", "last"]))
        only(["s-5", "other"], "s-0", "s-5", "other")
        broker.stop()
        until(lambda: not link.is_up and not speaker.is_up, WITHIN_S, "the end of the connections")
        broker.start()
        until(lambda: link.is_up and speaker.is_up, WITHIN_S, "the next connections")
        only(["s-5", "other"], "s-0", "s-5", "other")


def test_a_node_that_is_gone_is_passed_over(broker: Mosquitto) -> None:
    """Whichever is tried first, the one that is there is found."""
    for number in range(3):
        with running(at(*free_ports(2), broker.port), name=f"t-{number}") as link:
            assert link.send([("a", b"b")]) == [True]


def test_a_node_that_never_answers_is_given_up(broker: Mosquitto, monkeypatch) -> None:
    """It takes the connection and says nothing: the next one is tried."""
    monkeypatch.setattr("hq.publisher._ACCEPTED_S", 1.0)
    monkeypatch.setattr("hq.publisher.random.random", lambda: 0.0)  # the silent one first
    with socket.create_server(("127.0.0.1", 0)) as silent, running(at(silent.getsockname()[1], broker.port)) as link:
        assert link.send([("a", b"b")]) == [True]


def test_a_broker_that_stands_still_holds_up_nobody(broker: Mosquitto) -> None:
    """Answers are dropped and counted once the queue is full, and messages are not taken for sent."""
    with running(at(broker.port)) as link:
        broker._running.send_signal(signal.SIGSTOP)
        try:
            link.post([("a", bytes(40_000))] * 1_500)  # returns, though no socket takes 60 MB
            assert 0 < link.counts["not_posted"] <= 500  # what the kernel's buffers took has left
            assert link.send([("a", b"b")] * 3) == [False] * 3
        finally:
            broker._running.send_signal(signal.SIGCONT)
        until(lambda: link.send([("a", b"b")]) == [True], WITHIN_S, "the queue's end")
