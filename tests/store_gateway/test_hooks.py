"""A real web server and a real broker as the far ends of bells, good ones and all kinds of bad ones."""

import base64
import contextlib
import importlib.util
import itertools
import json
import os
import queue
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import paho.mqtt.client as mqtt
import pytest

from runtime.config import load
from runtime.errors import ConfigError, CredentialError
from store_gateway import ringer, webhook
from store_gateway.connection import Plan
from store_gateway.core.bells import Bell, News
from store_gateway.errors import HELP_BROKER_REMEDIES, HOOK_REMEDIES, HookError, HookReason, LinkReason
from store_gateway.hook_settings import HelpBroker, OnHelp, Webhook, is_inside
from store_gateway.lamps import LampChannel
from store_gateway.on_help import HelpHooks
from store_gateway.ringer import Ringer
from store_gateway.webhook import WebhookChannel
from tests.store_gateway.test_hq_link import LONG_AGO, Issued, Mosquitto, issue

EXAMPLES = Path(__file__).parents[2] / "examples/on-help"
KEY = bytes(range(32))
NOW_S = 1_800_000_000
WAITING = Bell(News.WAITING, "shoes", "Shoes", 1, 0, NOW_S * 1000)
ANSWERED = Bell(News.ANSWERED, "shoes", "Shoes", 0, 0, NOW_S * 1000 + 4_000)
HATS = Bell(News.WAITING, "hats", "Hüte", 2, 1, NOW_S * 1000)


class Far:
    """A web server: what it heard, and how it answers."""

    def __init__(self) -> None:
        self.heard: queue.Queue[tuple[str, dict[str, str], bytes]] = queue.Queue()
        self.statuses: list[int] = []  # of the next answers; then 204
        far = self

        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                far.heard.put((self.path, {name.lower(): value for name, value in self.headers.items()}, content))
                status = far.statuses.pop(0) if far.statuses else 204
                self.send_response(status)
                if status == 307:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/help?store=1"

    def take(self) -> tuple[str, dict[str, str], bytes]:
        """The next request."""
        return self.heard.get(timeout=10)

    def close(self) -> None:
        """Nobody listens any more."""
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def far() -> Iterator[Far]:
    """A web server."""
    made = Far()
    yield made
    made.close()


def a_channel(url: str, ca: Path | None = None) -> WebhookChannel:
    """A webhook there."""
    return WebhookChannel("berlin-1", Webhook(url, ca), KEY, lambda: float(NOW_S))


def refused_by(channel: WebhookChannel) -> HookReason:
    """Why it does not get through."""
    with pytest.raises(HookError) as found:
        channel.send(WAITING, "id-1")
    return found.value.reason


def until(true: Callable[[], object], what: str) -> None:
    """Waits for something to become true."""
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def closed_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


@pytest.fixture(scope="module")
def receiver() -> ModuleType:
    """The receiver that we show to others, with the same secret."""
    os.environ["HELP_SECRET"] = "whsec_" + base64.b64encode(KEY).decode()
    spec = importlib.util.spec_from_file_location("receiver", EXAMPLES / "webhook/__main__.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    del os.environ["HELP_SECRET"]
    return made


# --- the webhook ---------------------------------------------------------------------------------------------------


def test_a_post_says_what_happened_where_and_nothing_else(far: Far) -> None:
    """Exactly these keys, in JSON, at the path that is configured."""
    a_channel(far.url).send(HATS, "id-1")
    path, headers, content = far.take()
    assert path == "/help?store=1"
    assert headers["content-type"] == "application/json"
    assert json.loads(content) == {
        "event": "help-waiting", "store": "berlin-1", "zone": "hats", "zone_label": "Hüte", "waiting": 2,
        "escalated": 1, "at": "2027-01-15T08:00:00+00:00",
    }  # fmt: skip


def test_the_example_receiver_takes_what_is_signed_and_nothing_that_was_changed(far: Far, receiver: ModuleType) -> None:
    """By the same rules as any library of Standard Webhooks: body, id, time and secret are bound together."""
    receiver.time = type("Clock", (), {"time": staticmethod(lambda: NOW_S + 10.0)})
    a_channel(far.url).send(WAITING, "id-1")
    _, headers, content = far.take()
    assert receiver.is_right(headers, content)
    assert not receiver.is_right(headers, content.replace(b"berlin-1", b"berlin-2"))
    assert not receiver.is_right({**headers, "webhook-id": "id-2"}, content)
    assert not receiver.is_right({**headers, "webhook-timestamp": str(NOW_S + 1)}, content)
    assert not receiver.is_right({**headers, "webhook-signature": "v1,AAAA"}, content)
    assert not receiver.is_right({}, content)
    receiver.time = type("Clock", (), {"time": staticmethod(lambda: NOW_S + 301.0)})
    assert not receiver.is_right(headers, content), "what is old may have been kept by somebody"


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example of its specification's reference libraries, to the byte."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = webhook.signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_example_receiver_runs(far: Far) -> None:
    """As its README says, with the real gateway's channel before it: said once, though it came twice."""
    port = closed_port()
    secret = base64.b64encode(KEY).decode()
    with subprocess.Popen(
        [sys.executable, EXAMPLES / "webhook", str(port)], stdout=subprocess.PIPE,
        env={**os.environ, "HELP_SECRET": secret},
    ) as child:  # fmt: skip
        try:
            channel = WebhookChannel("berlin-1", Webhook(f"http://127.0.0.1:{port}/", None), KEY, time.time)
            until(lambda: not socket.socket().connect_ex(("127.0.0.1", port)), "listening")
            channel.send(HATS, "id-1")
            channel.send(HATS, "id-1")
            channel.send(ANSWERED, "id-2")
            wrong = WebhookChannel("berlin-1", Webhook(f"http://127.0.0.1:{port}/", None), bytes(32), time.time)
            assert refused_by(wrong) is HookReason.REFUSED
            assert child.stdout is not None
            assert child.stdout.readline() == "help-waiting in Hüte, 2 waiting\n".encode()
            assert child.stdout.readline() == b"help-answered in Shoes, 0 waiting\n"
        finally:
            child.kill()


@pytest.mark.parametrize("status", [199 + 101, 307, 403, 404, 500, 503])
def test_any_answer_but_yes_is_a_refusal(far: Far, status: int) -> None:
    """A redirection is not followed: what is configured is who is told."""
    far.statuses = [status]
    assert refused_by(a_channel(far.url)) is HookReason.REFUSED
    far.take()
    assert far.heard.empty()


def test_nobody_there() -> None:
    """A port that is closed."""
    assert refused_by(a_channel(f"http://127.0.0.1:{closed_port()}/")) is HookReason.UNREACHABLE


def test_who_says_nothing_is_left_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """A far end that takes the connection and hangs."""
    monkeypatch.setattr(webhook, "TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert refused_by(a_channel(f"http://127.0.0.1:{silent.getsockname()[1]}/")) is HookReason.SILENT


def test_who_answers_byte_by_byte_is_left_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, and the whole never."""
    monkeypatch.setattr(webhook, "WHOLE_S", 0.3)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as slow:

        def drip() -> None:
            line, _ = slow.accept()
            with line, contextlib.suppress(OSError):
                line.recv(4096)
                while not over.wait(0.02):
                    line.sendall(b"H")

        threading.Thread(target=drip, daemon=True).start()
        try:
            assert refused_by(a_channel(f"http://127.0.0.1:{slow.getsockname()[1]}/")) is HookReason.SILENT
        finally:
            over.set()


def test_who_talks_nonsense_is_refused() -> None:
    """Something that speaks no HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def speak() -> None:
            line, _ = silent.accept()
            line.recv(4096)
            line.sendall(b"220 ready for mail\r\n\r\n")
            line.close()

        threading.Thread(target=speak, daemon=True).start()
        assert refused_by(a_channel(f"http://127.0.0.1:{silent.getsockname()[1]}/")) is HookReason.REFUSED


@pytest.fixture(scope="module")
def authority() -> Issued:
    """An authority of the house."""
    return issue("house", None, LONG_AGO, 20_000)


@pytest.mark.parametrize("trusted", [True, False])
def test_https_wants_a_certificate_of_the_authority(far: Far, authority: Issued, tmp_path: Path, trusted: bool) -> None:
    """With the right one it is told, with any other nothing leaves the box."""
    ca, _ = (authority if trusted else issue("else", None, LONG_AGO, 20_000)).write(tmp_path, "ca")
    certificate, key = issue("localhost", authority, LONG_AGO, 20_000).write(tmp_path, "far")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    far.server.socket = context.wrap_socket(far.server.socket, server_side=True)
    channel = a_channel(f"https://localhost:{far.port}/help", ca)
    if trusted:
        channel.send(WAITING, "id-1")
        assert far.take()[0] == "/help"
    else:
        assert refused_by(channel) is HookReason.TLS
        assert far.heard.empty()


def test_plain_http_goes_nowhere_but_into_the_stores_network(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of the inner network that leads outside is found out before anything is said."""
    monkeypatch.setattr(webhook, "is_inside", lambda address: address != "127.0.0.1")
    assert refused_by(a_channel(far.url)) is HookReason.OUTSIDE
    assert far.heard.empty()
    assert [is_inside(one) for one in ("10.1.2.3", "192.168.0.9", "127.0.0.1", "fe80::1", "fd00::1")] == [True] * 5
    assert [is_inside(one) for one in ("9.9.9.9", "2620:fe::fe", "198.18.0.1")][:2] == [False] * 2


def test_an_authority_that_is_none_is_a_wrong_configuration(tmp_path: Path) -> None:
    """Said at the start, with the file."""
    (tmp_path / "ca.pem").write_text("nothing", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"ca.pem"):
        a_channel("https://localhost/", tmp_path / "ca.pem")


@pytest.mark.parametrize(
    "content", [b"", b"short", base64.b64encode(bytes(23)), base64.b64encode(bytes(65)), b"*" * 44]
)
def test_a_bad_secret_is_refused_and_never_repeated(tmp_path: Path, content: bytes) -> None:
    """Base64 of 24 to 64 bytes, as Standard Webhooks asks for."""
    (tmp_path / webhook.KEY_CREDENTIAL).write_bytes(content)
    with pytest.raises(CredentialError) as found:
        webhook.secret(tmp_path)
    assert not content or content.decode() not in str(found.value)


@pytest.mark.parametrize("form", [b"%s", b"whsec_%s", b"%s\n", b" whsec_%s \n"])
def test_the_secret_is_taken_as_people_write_it(tmp_path: Path, form: bytes) -> None:
    """With the prefix of Standard Webhooks and a line's end, or without."""
    (tmp_path / webhook.KEY_CREDENTIAL).write_bytes(form % base64.b64encode(KEY))
    assert webhook.secret(tmp_path) == KEY


# --- the ringer ----------------------------------------------------------------------------------------------------


class Stub:
    """A channel that does what a test says."""

    name = "stub"

    def __init__(self) -> None:
        self.sent: list[tuple[Bell, str]] = []
        self.tried: list[str] = []
        self.failing: HookReason | None = None
        self.hold = threading.Event()
        self.hold.set()

    def send(self, bell: Bell, id: str) -> None:
        """Takes it, or not."""
        self.tried.append(id)
        self.hold.wait(10)
        if self.failing is not None:
            raise HookError(self.failing)
        self.sent.append((bell, id))


class Rings:
    """A ringer before a stub, with a clock that a test moves."""

    def __init__(self) -> None:
        self.stub = Stub()
        self.now_s = 100.0
        marks = map(str, itertools.count())
        self.ringer = Ringer(self.stub, lambda: next(marks), lambda: self.now_s, (0.005,))
        self.ringer.start()

    @property
    def counts(self) -> dict[str, int]:
        """What it counted."""
        return {name.removeprefix("hook_stub_"): count for name, count in self.ringer.counters().items()}


@pytest.fixture
def rings() -> Iterator[Rings]:
    """A ringer before a stub."""
    made = Rings()
    yield made
    made.stub.hold.set()
    made.ringer.stop()


def test_a_hook_that_hangs_holds_nobody_up_and_hears_only_the_newest(rings: Rings) -> None:
    """A thousand bells in no time; when it takes again it hears of each zone once."""
    rings.stub.hold.clear()
    rings.ringer.ring(HATS)
    until(lambda: rings.stub.tried, "the first try")
    began_s = time.monotonic()
    for _ in range(500):
        rings.ringer.ring(WAITING)
        rings.ringer.ring(ANSWERED)
    assert time.monotonic() - began_s < 5
    rings.stub.hold.set()
    until(lambda: len(rings.stub.sent) == 2, "both zones")
    assert [bell for bell, _ in rings.stub.sent] == [HATS, ANSWERED]


def test_what_failed_is_tried_again_under_its_id_and_said_once(rings: Rings, caplog: pytest.LogCaptureFixture) -> None:
    """The far end can tell a repetition; the operator reads one line, and one when it is over."""
    caplog.set_level("INFO")
    rings.stub.failing = HookReason.REFUSED
    rings.ringer.ring(WAITING)
    until(lambda: len(rings.stub.tried) > 3, "some tries")
    rings.stub.failing = None
    until(lambda: rings.stub.sent, "the bell")
    assert len(set(rings.stub.tried)) == 1
    lines = [record.getMessage() for record in caplog.records]
    assert sum("hook_failed" in line and "reason=refused" in line for line in lines) == 1
    assert sum("hook_works" in line for line in lines) == 1
    assert "Shoes" not in "".join(lines)
    assert rings.counts["sent"] == 1
    assert rings.counts["failed_refused"] >= 3


def test_a_bell_that_is_late_is_given_up_and_every_zone_is_told_when_the_hook_is_back(rings: Rings) -> None:
    """A lamp may have missed its end: it must not burn for ever."""
    rings.ringer.ring(HATS)
    until(lambda: rings.stub.sent, "the first")
    rings.stub.failing = HookReason.UNREACHABLE
    rings.ringer.ring(ANSWERED)
    until(lambda: len(rings.stub.tried) > 2, "tries")
    rings.now_s += ringer.LATE_S
    until(lambda: rings.counts.get("given_up"), "giving up")
    tried = len(rings.stub.tried)
    time.sleep(0.05)
    assert len(rings.stub.tried) == tried, "nothing is left to try"
    rings.stub.failing, rings.stub.sent = None, []
    rings.ringer.ring(HATS)
    until(lambda: len(rings.stub.sent) == 2, "the zone that was missed")
    told = {bell.zone: (bell.news, bell.waiting) for bell, _ in rings.stub.sent}
    assert told == {"hats": (News.WAITING, 2), "shoes": (News.NONE, 0)}


def test_every_reason_has_its_remedy() -> None:
    """What the operator reads."""
    assert set(HOOK_REMEDIES) == set(HookReason)
    assert set(HELP_BROKER_REMEDIES) == set(LinkReason)


# --- the broker ----------------------------------------------------------------------------------------------------


class House:
    """The house's broker, over TLS with names and passwords, and somebody who listens on it."""

    def __init__(self, needs: Callable[[str], str], folder: Path, authority: Issued) -> None:
        self.ca, _ = authority.write(folder, "ca")
        certificate, key = issue("localhost", authority, LONG_AGO, 20_000).write(folder, "broker")
        names = folder / "names"
        names.touch(mode=0o600)
        for name in ("consentry", "lamp"):
            subprocess.run([needs("mosquitto_passwd"), "-b", names, name, name], check=True)
        (folder / "topics").write_text("user consentry\ntopic write store/help/#\nuser lamp\ntopic read store/help/#\n")
        self.broker = Mosquitto(
            needs("mosquitto"), folder,
            f"cafile {self.ca}\ncertfile {certificate}\nkeyfile {key}\npassword_file {names}\nacl_file {folder}/topics",
        )  # fmt: skip
        (folder / "help-broker-password").write_text("consentry\n")
        (folder / "help-hook-secret").write_bytes(base64.b64encode(KEY))
        self.broker.start()

    def settings(self, **changes: object) -> HelpBroker:
        """The gateway's table."""
        usual: dict[str, object] = {
            "host": "localhost", "ca": self.ca, "certificate": None, "login": "consentry", "topic": "store/help",
            "port": self.broker.port,
        }  # fmt: skip
        return HelpBroker(**(usual | changes))  # type: ignore[arg-type]

    def listens(self) -> "queue.Queue[tuple[str, bytes, bool]]":
        """Everything below the topic, from now on."""
        heard: queue.Queue[tuple[str, bytes, bool]] = queue.Queue()
        ready = threading.Event()
        line = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        line.username_pw_set("lamp", "lamp")
        line.tls_set(str(self.ca))
        line.tls_insecure_set(True)
        line.on_connect = lambda *_: line.subscribe("store/help/#", 1)
        line.on_subscribe = lambda *_: ready.set()
        line.on_message = lambda _, __, found: heard.put((found.topic, found.payload, found.retain))
        line.connect("localhost", self.broker.port)
        line.loop_start()
        assert ready.wait(10)
        return heard


@pytest.fixture
def house(needs: Callable[[str], str], tmp_path: Path, authority: Issued) -> Iterator[House]:
    """The house's broker."""
    made = House(needs, tmp_path, authority)
    yield made
    made.broker.kill()


def some(heard: "queue.Queue[tuple[str, bytes, bool]]", count: int) -> list[tuple[str, bytes, bool]]:
    """The next so many messages, sorted."""
    return sorted(heard.get(timeout=10) for _ in range(count))


@pytest.mark.needs("mosquitto")
def test_both_hooks_ring_and_a_lamp_that_comes_late_knows_the_state(house: House, far: Far, tmp_path: Path) -> None:
    """Event and state over TLS with a password; the state is kept, the event is not."""
    heard = house.listens()
    settings = OnHelp(Webhook(far.url, None), house.settings())
    hooks = HelpHooks("berlin-1", settings, tmp_path, time.monotonic, time.time, chance=lambda: 0.0)
    hooks.start()
    try:
        hooks.ring(HATS)
        event, state = some(heard, 2)
        assert event[0] == "store/help/events" and json.loads(event[1])["waiting"] == 2
        assert state == ("store/help/state/hats", b"escalated", False)
        assert json.loads(far.take()[2]) == json.loads(event[1])
        hooks.ring(WAITING)
        hooks.ring(Bell(News.OVER, None, None, 0, 0, None))
        assert [one[:2] for one in some(heard, 4)][2:] == [
            ("store/help/state/*", b"none"), ("store/help/state/shoes", b"waiting"),
        ]  # fmt: skip
        late = some(house.listens(), 3)
        assert late == [
            ("store/help/state/*", b"none", True), ("store/help/state/hats", b"escalated", True),
            ("store/help/state/shoes", b"waiting", True),
        ]  # fmt: skip
        assert hooks.counters()["hook_mqtt_sent"] == 3
    finally:
        hooks.stop()


@pytest.mark.needs("mosquitto")
def test_a_broker_that_was_away_is_told_the_state_when_it_is_back(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed and started again it has forgotten everything; every zone is told anew."""
    monkeypatch.setattr("store_gateway.connection.FIRST_WAIT_S", 0.05)
    hooks = HelpHooks("berlin-1", OnHelp(None, house.settings()), tmp_path, time.monotonic, time.time)
    hooks.start()
    try:
        hooks.ring(HATS)
        hooks.ring(WAITING)
        until(lambda: hooks.counters().get("hook_mqtt_sent", 0) >= 2, "two bells")
        house.broker.kill()
        hooks.ring(ANSWERED)
        until(lambda: hooks.counters().get("hook_mqtt_failed_unreachable"), "a failure")
        house.broker.start()
        kept = some(house.listens(), 2)
        states = {topic.rpartition("/")[2]: payload for topic, payload, _ in kept if "/state/" in topic}
        while states != {"hats": b"escalated", "shoes": b"none"}:
            kept = some(house.listens(), 2)
            states = {topic.rpartition("/")[2]: payload for topic, payload, _ in kept if "/state/" in topic}
            time.sleep(0.1)
    finally:
        hooks.stop()


@pytest.mark.needs("mosquitto")
@pytest.mark.parametrize("retain", [True, False])
def test_what_is_kept_is_the_operators_choice(house: House, tmp_path: Path, retain: bool) -> None:
    """`retain = false`: a lamp that comes late hears nothing."""
    up = threading.Event()
    channel = LampChannel("berlin-1", house.settings(retain=retain), tmp_path, up.set, lambda: 0.0)
    channel.start()
    try:
        assert up.wait(10)
        channel.send(Bell(News.WAITING, "a/b #1", "A", 1, 0, 0), "id-1")
        time.sleep(0.3)
        heard = house.listens()
        time.sleep(0.3)
        found = [] if heard.empty() else [heard.get()]
        assert found == ([("store/help/state/a%2Fb%20%231", b"waiting", True)] if retain else [])
    finally:
        channel.stop()


@pytest.mark.needs("mosquitto")
def test_a_wrong_password_is_told_with_its_remedy(
    house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And neither it nor the name is in a log."""
    (tmp_path / "help-broker-password").write_text("another-secret")
    channel = LampChannel("berlin-1", house.settings(), tmp_path, lambda: None, lambda: 0.0)
    channel.start()
    try:
        until(lambda: any("lane=help" in one.getMessage() for one in caplog.records), "a line")
        with pytest.raises(HookError):
            channel.send(WAITING, "id-1")
    finally:
        channel.stop()
    lines = "".join(one.getMessage() for one in caplog.records)
    assert "reason=refused" in lines and "on_help.mqtt" in lines
    assert "another-secret" not in lines


@pytest.mark.needs("mosquitto")
def test_the_example_lamp_goes_on_and_off(house: House, tmp_path: Path) -> None:
    """As its first lines say, against the real broker."""
    hooks = HelpHooks("berlin-1", OnHelp(None, house.settings(topic="store/help")), tmp_path, time.monotonic, time.time)
    text = (EXAMPLES / "lamp.py").read_text(encoding="utf-8").replace("consentry/help/", "store/help/")
    (tmp_path / "lamp.py").write_text(text, encoding="utf-8")
    command = [sys.executable, tmp_path / "lamp.py", "localhost", str(house.broker.port), house.ca, "lamp", "lamp"]
    hooks.start()
    hooks.ring(WAITING)
    with subprocess.Popen([*command, "shoes"], stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"on\n"
            hooks.ring(Bell(News.ESCALATED, "shoes", "Shoes", 1, 1, 0))
            assert child.stdout.readline() == b"blinking\n"
            hooks.ring(ANSWERED)
            assert child.stdout.readline() == b"off\n"
        finally:
            child.kill()
            hooks.stop()


# --- the configuration ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"webhook": {"url": "http://bells.example.com/"}}, "https:// is expected"),
        ({"webhook": {"url": "http://93.184.216.34/"}}, "https:// is expected"),
        ({"webhook": {"url": "ftp://bells.local/"}}, "webhook.url"),
        ({"webhook": {"url": "https://bells.local:99999/"}}, "port"),
        ({"mqtt": {"host": "house.local"}}, "ca is expected"),
        ({"mqtt": {"host": "house.local", "tls": False}}, "loopback"),
        ({"mqtt": {"host": "house.local", "ca": "/x", "topic": "store/#"}}, "mqtt.topic"),
        ({"role": "associate"}, "at least one"),
        ({"webhook": {"url": "https://bells.local/"}, "role": "synthetic"}, "role of a person"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_refused_with_its_key(tmp_path: Path, table: dict[str, object], words: str) -> None:
    """Said at the start, in one line."""
    with pytest.raises(ConfigError, match=words):
        load(written(tmp_path, table), OnHelp)


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.7/bell", "http://bells.local:8080", "http://[fd00::7]/", "http://till.lan/x?y=1",
     "http://localhost/", "https://bells.example.com:8443/help"],
)  # fmt: skip
def test_a_right_address_is_taken(tmp_path: Path, url: str) -> None:
    """Plain HTTP inside the store, HTTPS anywhere."""
    found = load(written(tmp_path, {"webhook": {"url": url}}), OnHelp)
    assert found.webhook == Webhook(url, None)
    assert found.role == "associate"


def written(folder: Path, table: dict[str, object]) -> Path:
    """A configuration of this table alone."""
    lines = []
    for name, value in sorted(table.items(), key=lambda one: isinstance(one[1], dict)):
        if isinstance(value, dict):
            lines += [f"[{name}]", *(f"{key} = {json.dumps(one)}" for key, one in value.items())]
        else:
            lines.append(f"{name} = {json.dumps(value)}")
    (folder / "on-help.toml").write_text("\n".join(lines), encoding="utf-8")
    return folder / "on-help.toml"


def test_a_connections_plan_shows_no_password() -> None:
    """Whatever prints it."""
    assert "secret" not in repr(Plan("help", "x", None, None, (), 1, {}, None, ("name", "secret")))  # type: ignore[arg-type]
