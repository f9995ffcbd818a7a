"""The real sockets: who may speak, what noise does, and that nobody waits for anybody."""

import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import ConfigError, UnavailableError
from store_gateway import sockets
from store_gateway.counts import Counts
from store_gateway.streams import MOST_CONNECTIONS, MOST_IN_FLIGHT, Door, Line, Streams
from wire import query
from wire.query import Refused, RefusedReason

MINE = frozenset({os.getuid()})
NOT_MINE = frozenset({os.getuid() + 1})
Asked = tuple[Line, int, query.Request]


class Server:
    """Streams on a socket; requests wait in `asked`, closed lines in `gone`."""

    def __init__(self, path: Path, allowed: frozenset[int]) -> None:
        self.path = path
        self.asked: Queue[Asked] = Queue()
        self.gone: Queue[Line] = Queue()
        self.counts = Counts()
        self.listener = sockets.bind(path, socket.SOCK_STREAM)
        self.streams = Streams(
            [(self.listener, allowed, Door.TABLETS)],
            lambda line, number, request: self.asked.put((line, number, request)),
            self.gone.put,
            self.counts,
        )
        self.streams.start()

    def connect(self) -> socket.socket:
        """A client."""
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.connect(str(self.path))
        line.settimeout(5)
        return line

    def stop(self) -> None:
        """Ends."""
        self.streams.stop()
        self.listener.close()


Serve = Callable[[frozenset[int]], Server]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts servers and ends them."""
    started: list[Server] = []

    def start(allowed: frozenset[int]) -> Server:
        started.append(Server(tmp_path / f"{len(started)}.sock", allowed))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def received(line: socket.socket) -> tuple[int, query.Reply] | None:
    """The next reply; None: closed."""
    head = _exactly(line, 4)
    if head is None:
        return None
    body = _exactly(line, query.length(head))
    return query.read_reply(body) if body is not None else None


def _exactly(line: socket.socket, size: int) -> bytes | None:
    found = b""
    while len(found) < size:
        try:
            part = line.recv(size - len(found))
        except ConnectionResetError:
            return None
        if not part:
            return None
        found += part
    return found


def test_a_question_is_handed_on_and_its_answer_comes_back(serve: Serve) -> None:
    """Several may be under way on one connection; answers bear their numbers, in any order."""
    server = serve(MINE)
    with server.connect() as line:
        line.sendall(query.frame(7, query.AskStatus()) + query.frame(8, query.SignOut(bytes(32))))
        asked = [server.asked.get(timeout=5), server.asked.get(timeout=5)]
        assert [number for _, number, _ in asked] == [7, 8]
        for far, number, _ in reversed(asked):
            far.reply(number, query.Accepted())
        assert [received(line), received(line)] == [(8, query.Accepted()), (7, query.Accepted())]


def test_an_account_that_is_not_named_is_turned_away(serve: Serve) -> None:
    """By its uid, whatever the file's mode lets through: closed without a word, and counted."""
    server = serve(NOT_MINE)
    with server.connect() as line:
        try:
            line.sendall(query.frame(1, query.AskStatus()))
        except BrokenPipeError:
            pass
        assert received(line) is None
    assert server.asked.empty()
    assert server.counts.strangers == 1


@pytest.mark.parametrize(
    "noise",
    [
        b"\x00\x00\x00\x00",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x01\x00",
        b"\x00\x00\x00\x05hello",
        query.frame(1, query.Accepted()),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_a_malformed_frame_is_refused_and_ends_the_connection(serve: Serve, noise: bytes) -> None:
    """Too long, empty, no CBOR, no request: `malformed`, then the end; others go on."""
    server = serve(MINE)
    with server.connect() as good, server.connect() as bad:
        bad.sendall(noise)
        assert received(bad) == (0, Refused(RefusedReason.MALFORMED))
        assert received(bad) is None
        good.sendall(query.frame(1, query.AskStatus()))
        assert server.asked.get(timeout=5)[1] == 1
    assert server.counts.malformed == 1


@given(noise=st.lists(st.binary(max_size=300), max_size=6))
def test_no_noise_stops_the_server(noise: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever bytes come, cut wherever, the next one who asks is answered."""
    server = _shared(tmp_path_factory)
    with server.connect() as bad:
        try:
            for part in noise:
                bad.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass
    with server.connect() as good:
        good.sendall(query.frame(5, query.AskStatus()))
        while True:
            far, number, _ = server.asked.get(timeout=5)
            far.reply(number, query.Accepted())
            if number == 5:
                break
        assert received(good) == (5, query.Accepted())


_SHARED: list[Server] = []


def _shared(tmp_path_factory: pytest.TempPathFactory) -> Server:
    if not _SHARED:
        _SHARED.append(Server(tmp_path_factory.mktemp("noise") / "s.sock", MINE))
    return _SHARED[0]


@pytest.fixture(scope="module", autouse=True)
def _stop_shared() -> Iterator[None]:
    yield
    while _SHARED:
        _SHARED.pop().stop()


def test_too_many_requests_and_connections_are_bounded(serve: Serve) -> None:
    """Beyond the bound of a connection: busy; beyond the bound of connections: closed and counted."""
    server = serve(MINE)
    with server.connect() as line:
        line.sendall(b"".join(query.frame(n, query.AskStatus()) for n in range(MOST_IN_FLIGHT + 1)))
        assert received(line) == (MOST_IN_FLIGHT, Refused(RefusedReason.BUSY, 1))
        lines = [server.connect() for _ in range(MOST_CONNECTIONS - 1)]
        with server.connect() as late:
            assert received(late) is None
        for one in lines:
            one.close()
    assert server.counts.refused == 1


def test_an_operator_gets_in_while_tablets_take_all_places(tmp_path: Path) -> None:
    """A tablet API that opens all it can does not keep an operator from asking why."""
    counts = Counts()
    listeners = [sockets.bind(tmp_path / name, socket.SOCK_STREAM) for name in ("tablets", "operator")]
    streams = Streams(
        [(listeners[0], MINE, Door.TABLETS), (listeners[1], MINE, Door.OPERATOR)],
        lambda line, number, request: line.reply(number, query.Accepted()),
        lambda line: None,
        counts,
    )
    streams.start()
    lines = []
    for name in ["tablets"] * MOST_CONNECTIONS + ["operator"]:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.connect(str(tmp_path / name))
        line.settimeout(5)
        line.sendall(query.frame(1, query.AskStatus()))
        assert received(line) == (1, query.Accepted())
        lines.append(line)
    streams.stop()
    for one in (*lines, *listeners):
        one.close()
    assert counts.refused == 0


def test_what_was_for_an_earlier_watch_is_not_sent_under_the_next_ones_number(serve: Serve) -> None:
    """The far end could take one session's roster for another's."""
    server = serve(MINE)
    lease = query.Lease(query.Light.LIVE, query.DarkReason.NONE, 1, 2, 3)
    with server.connect() as line:
        line.sendall(query.frame(1, query.Watch(bytes(32))))
        far, number, _ = server.asked.get(timeout=5)
        far.watched(number)
        visit = query.Visit(bytes(16), False, None, False, None, None, None, None, 0, None, False)
        for version in range(1, 501):  # more than the socket takes: the newest waits in its slot
            far.push(query.Roster(version, 0, lease, (visit,) * 400, False))
        far.watched(2)
        far.reply(2, query.Accepted())
        told = []
        while (got := received(line)) != (2, query.Accepted()):
            assert got is not None and got[0] == 1
        far.finish(Refused(RefusedReason.SIGNED_OUT))
        while (got := received(line)) is not None:
            told.append(got)
        assert told == [(2, Refused(RefusedReason.SIGNED_OUT))]


def test_a_watch_has_one_slot_and_the_newest_state_wins(serve: Serve) -> None:
    """Whoever does not read makes no backlog: after a thousand states the last one comes, soon."""
    server = serve(MINE)
    lease = query.Lease(query.Light.LIVE, query.DarkReason.NONE, 1, 2, 3)
    with server.connect() as line, server.connect() as other:
        line.sendall(query.frame(9, query.Watch(bytes(32))))
        far, number, _ = server.asked.get(timeout=5)
        far.watched(number)
        visit = query.Visit(bytes(16), False, None, False, None, None, None, None, 0, None, False)
        for version in range(1, 1001):
            far.push(query.Roster(version, 0, lease, (visit,) * 400, False))
        far.push(query.CardChanged(bytes(16), 1))
        far.push(query.CardChanged(bytes(16), 2))
        other.sendall(query.frame(1, query.AskStatus()))
        far_other, number, _ = server.asked.get(timeout=5)
        far_other.reply(number, query.Accepted())
        assert received(other) == (1, query.Accepted())
        versions, cards = [], []
        while not versions or versions[-1] != 1000 or not cards or cards[-1] != 2:
            got = received(line)
            assert got is not None and got[0] == 9
            if isinstance(got[1], query.Roster):
                versions.append(got[1].version)
            elif isinstance(got[1], query.CardChanged):
                cards.append(got[1].version)
        assert versions == sorted(versions)
        assert len(versions) < 200
        far.finish(Refused(RefusedReason.SIGNED_OUT))
        assert received(line) == (9, Refused(RefusedReason.SIGNED_OUT))
        assert received(line) is None


def test_a_closed_connection_is_told(serve: Serve) -> None:
    """So that its watch ends."""
    server = serve(MINE)
    line = server.connect()
    line.sendall(query.frame(1, query.AskStatus()))
    far, _, _ = server.asked.get(timeout=5)
    line.close()
    assert server.gone.get(timeout=5) is far
    far.reply(1, query.Accepted())
    far.push(query.Accepted())


def test_datagrams_carry_their_senders_uid(tmp_path: Path) -> None:
    """The kernel says who sent each; a long one is cut and so refused by its size."""
    path = tmp_path / "s.sock"
    with sockets.bind(path, socket.SOCK_DGRAM) as listener, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as edge:
        edge.sendto(b"hello", str(path))
        edge.sendto(bytes(20_000), str(path))
        assert sockets.receive(listener) == (b"hello", os.getuid())
        assert len(sockets.receive(listener)[0]) == 8193
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_stale_socket_is_replaced_and_a_living_one_is_not(tmp_path: Path, kind: socket.SocketKind) -> None:
    """After kill -9 the file is left over; a second gateway beside a living one says so and ends."""
    path = tmp_path / "s.sock"
    first = sockets.bind(path, kind)
    with pytest.raises(UnavailableError, match="another gateway runs"):
        sockets.bind(path, kind)
    first.close()
    sockets.bind(path, kind).close()


def test_a_file_in_the_way_is_not_removed(tmp_path: Path) -> None:
    """Only sockets are cleared away."""
    path = tmp_path / "s.sock"
    path.write_text("mine")
    with pytest.raises(UnavailableError, match="cannot be bound"):
        sockets.bind(path, socket.SOCK_STREAM)
    assert path.read_text() == "mine"


def test_accounts_are_names_or_numbers() -> None:
    """An account that this machine does not know is an error of the configuration, with its key."""
    config = Path("gateway.toml")
    assert sockets.uids(("root", "12345"), config, "edge_users") == {0, 12345}
    with pytest.raises(ConfigError, match="edge_users"):
        sockets.uids(("no-such-account-here",), config, "edge_users")


def test_many_threads_may_push_at_once(serve: Serve) -> None:
    """Answers from several threads come whole."""
    server = serve(MINE)
    with server.connect() as line:
        line.sendall(b"".join(query.frame(n, query.AskStatus()) for n in range(MOST_IN_FLIGHT)))
        asked = [server.asked.get(timeout=5) for _ in range(MOST_IN_FLIGHT)]
        threads = [threading.Thread(target=far.reply, args=(number, query.Accepted())) for far, number, _ in asked]
        for thread in threads:
            thread.start()
        numbers = {got[0] for _ in asked if (got := received(line)) is not None}
        for thread in threads:
            thread.join()
        assert numbers == set(range(MOST_IN_FLIGHT))
