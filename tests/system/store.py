"""A whole store for a system test: the real programs, a real broker, a fake bluetoothd, and taps on every wire.

It builds on the demo's own pieces (provisioned folder, keeper of programs, phones, tablet); what is here is what only a
test needs: the radio, canaries as values, an ear on the broker and on both sockets, and faults.
"""

import base64
import itertools
import json
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import paho.mqtt.client as mqtt

from demo.phones import Format, Heard, Phone, adverts
from demo.store import Plan, Store, now_ms
from demo.tablet import Json, Stream, Tablet
from hq import collections
from hq import keys as hq_keys
from hq.database import reading, writing
from hq.door import Grant
from provisioning import identity
from tests.fakes.private_bus import PrivateBus
from wire import token
from wire.member import Field, Item, Mode, NameChoice, SourceClass, Value, ValueClass
from wire.sync import Collection
from wire.token import Kind

POLICY = Path(__file__).with_name("policy.toml")
STORE = "berlin-1"
OTHER = "paris-2"
ROLES = ("associate", "manager")
PIN = "2580"
WITHIN_S = 30.0  # of patience, on a busy machine; the product's own limits are told where they are asserted
TEXTS = ("name.first", "size.shoe", "fit.jacket", "diet")
LISTS = ("brand.liked", "language")
ITEMS = ("wishlist", "history.store")


def until(true: Callable[[], bool], within_s: float = WITHIN_S, what: str = "it") -> None:
    """Waits for something to become true."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, f"{what} did not happen within {within_s} s"
        time.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Person:
    """A member of the test: each value is a string that occurs nowhere else."""

    member: str
    phone: Phone
    values: dict[str, str]
    shared: tuple[str, ...]
    address: str = field(default="")

    def hidden(self) -> dict[str, str]:
        """What the member does not share."""
        return {scope: value for scope, value in self.values.items() if scope not in self.shared}


class Radio:
    """The air of the shop: a bluetoothd without radio, driven line by line."""

    def __init__(self, bus: PrivateBus, version: str, log: Path) -> None:
        self._log = log.open("ab")
        self._run = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.bluetoothd", "--bus", bus.address, "--version", version],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
            cwd=Path(__file__).parent.parent.parent,
        )  # fmt: skip
        self._answer()

    def _answer(self) -> None:
        assert self._run.stdout is not None
        line = json.loads(self._run.stdout.readline())
        assert "error" not in line, line

    def order(self, order: Json) -> None:
        """Tells the daemon one thing and waits until it is done."""
        assert self._run.stdin is not None
        self._run.stdin.write(json.dumps(order).encode() + b"\n")
        self._run.stdin.flush()
        self._answer()

    def advertise(self, heard: Heard, interval_s: float = 0.3) -> None:
        """Puts an advert on the air until its address is silenced."""
        self.order(
            {"advertise": {"address": heard.address, "rssi": heard.rssi_dbm, "raw": heard.raw.hex(),
                           "interval_s": interval_s}}
        )  # fmt: skip

    def silence(self, address: str) -> None:
        """Takes an address off the air."""
        self.order({"silence": address})

    def close(self) -> None:
        """Ends the daemon."""
        self._run.kill()
        self._run.wait()
        for pipe in (self._run.stdin, self._run.stdout, self._log):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()


class Shop:
    """One running store with everything around it."""

    def __init__(self, version: str = "5.82", taps: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="consentry-"))  # short: socket paths end at 107 bytes
        self._bus = PrivateBus(self.folder)
        self._numbers = itertools.count(1)
        self.store = Store(
            self.folder, Plan(POLICY, STORE, others=(OTHER,)), {"DBUS_SYSTEM_BUS_ADDRESS": self._bus.address}
        )
        self.people: list[Person] = []
        self._speaking: dict[str, list[str]] = {}
        self.bell: Bell | None = None
        self.ear: Ear | None = None
        self.lines: list[Line] = []
        if taps:
            self._lay_taps()
            self.bell = Bell(self.store.config_of("gateway"), self.store.at / "credentials/gateway")
        self._bus.start()
        self.radio = Radio(self._bus, version, self.folder / "logs/bluetoothd.log")
        for number, role in enumerate(("associate", "manager", "stock"), 1):
            self.store.office.add_staff(f"{role}-{number}", STORE, f"Nina {role}", role, PIN, now_ms())
        self.associate = "associate-1"
        self.manager = "manager-2"

    # --- life ------------------------------------------------------------------------------------------------------

    def open(self) -> "Shop":
        """Starts all and returns when the store is live."""
        self.store.start_broker()
        if self.ear is not None:
            self.ear.start()
        for start in (self.store.start_hq, self.store.start_gateway, self.store.start_tablets):
            start()
        self.store.start_edge(replay=False)
        self.store.wait_ready("hq", "gateway", "tablets", "edge")
        return self

    def close(self) -> None:
        """Ends all and removes the folder."""
        if self.ear is not None:
            self.ear.stop()
        for line in self.lines:
            line.close()
        self.store.close()
        if self.bell is not None:
            self.bell.close()
        self.radio.close()
        self._bus.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name: str) -> None:
        """Starts one program again and waits until it is ready."""
        {"hq": self.store.start_hq, "gateway": self.store.start_gateway, "tablets": self.store.start_tablets,
         "broker": self.store.start_broker}[name]()  # fmt: skip
        self.store.wait_ready(name)

    def stop(self, name: str) -> None:
        """Ends one program as systemd would."""
        self.store.children.stop(name)

    def kill(self, name: str) -> None:
        """Ends one program as a power cut would."""
        self.store.children.kill(name)

    def log(self, name: str) -> str:
        """What a program wrote to stderr so far."""
        return self.store.children.log(name).read_text()

    # --- the tablets' side -----------------------------------------------------------------------------------------

    def tablet(self, associate: str | None = None) -> Tablet:
        """A newly paired tablet, an associate signed in on it, once the store is live."""
        self.store.wait_live(WITHIN_S)
        made = Tablet(self.store.address)
        assert made.pair(self.store.pairing_code(), "Test tablet").status == 201
        assert made.sign_in(associate or self.associate, PIN).status == 201
        return made

    @staticmethod
    def sees(stream: Stream, true: Callable[[Stream], bool], what: str, within_s: float = WITHIN_S) -> None:
        """Waits until a stream shows something."""
        assert stream.wait(true, within_s), f"{what} was not shown within {within_s} s; lease {stream.lease}"

    # --- members ---------------------------------------------------------------------------------------------------

    def join(
        self,
        mode: Mode = Mode.HELP,
        shares: Iterable[str] = TEXTS,
        form: Format = Format.COMPANY,
        name_choice: NameChoice = NameChoice.INVITED,
        stores: tuple[str, ...] = (STORE,),
        age_at_least: int = 21,
    ) -> Person:
        """A new member signs up at HQ, with a canary in every field."""
        number, office, now = next(self._numbers), self.store.office, now_ms()
        member = f"member-{number}-{secrets.token_hex(6)}"
        values = {scope: f"cnry{number}{secrets.token_hex(8)}" for scope in (*TEXTS, *LISTS, *ITEMS)}
        chosen_s = now // 1000 - 240  # within what clocks may differ from the publication of the notices
        office.add_member(member, age_at_least, "DE", now)
        if age_at_least >= 16:  # below, HQ takes nothing down
            office.set_profile(member, [of_value(scope, value, now // 1000) for scope, value in values.items()], now)
        office.set_mode(member, mode, now, chosen_s=chosen_s)
        office.set_name(member, name_choice, now, chosen_s=chosen_s)
        office.grant(member, Grant("presence", stores, ROLES, until_days=300, chosen_s=chosen_s), now)
        for scope in shares:  # each a grant of its own, so that a special category may be among them
            grant = Grant("assist", stores, ROLES, (scope,), until_days=300, chosen_s=chosen_s)
            office.grant(member, grant, now)
        _, secret = office.add_phone(member, now)
        person = Person(member, Phone(secret, form), values, tuple(shares))
        self.people.append(person)
        return person

    def suggests(self, person: Person, item: str) -> None:
        """The store sells an item that the member buys every third week; it may suggest it, and not show the list."""
        office, now = self.store.office, now_ms()
        lines = [json.dumps({"id": item, "name": f"Fine {item}", "themes": ["breakfast"]}).encode()]
        collections.publish(office.engine, Collection.CATALOG, "main", collections.catalog_lines(lines), now)
        with writing(office.engine) as connection:
            collections.give(connection, STORE, Collection.CATALOG, "main")
        label, now_s = f"{person.values['history.store']}-label", now // 1000
        bought = tuple(Item(item, label, now_s - days * 86_400, 1, False) for days in (22, 43, 64))
        history = Field("history.store", Value(items=bought), SourceClass.FIRST, "till", ValueClass.TRANSACTIONAL,
                        now_s - 86_400, now_s - 86_400)  # fmt: skip
        office.set_profile(person.member, [history], now)
        grant = Grant("suggest", (STORE,), ROLES, ("suggestions", "history.store"), until_days=300,
                      chosen_s=now_s - 240)  # fmt: skip
        office.grant(person.member, grant, now)

    def says(self, person: Person, kind: Kind) -> None:
        """The member's phone says its token of this kind, from now on."""
        self.silent(person)
        heard = adverts(person.phone, kind, now_ms() // 1000, Random(0))
        self._speaking[person.member] = [one.address for one in heard]
        for number, one in enumerate(heard):
            # One address says one thing to BlueZ; a phone that alternates formats has two adverts in turn.
            self.radio.advertise(replace(one, address=one.address[:-1] + str(number)))
            self._speaking[person.member][number] = one.address[:-1] + str(number)

    def silent(self, person: Person) -> None:
        """The member's phone is heard no more."""
        for address in self._speaking.pop(person.member, []):
            self.radio.silence(address)

    def call_for_help(self, person: Person, stream: Stream) -> str:
        """The member asks for help; returns the visit's handle once the tablet shows it."""
        before = {one["handle"] for one in stream.visits}

        def called(now: Stream) -> bool:
            return any(one["help"] and one["handle"] not in before for one in now.visits)

        self.says(person, Kind.HELP)
        self.sees(stream, called, "the call for help")
        return next(one["handle"] for one in stream.visits if one["handle"] not in before and one["help"])

    def arrive(self, person: Person, stream: Stream) -> str:
        """The member, in mode open, comes in; returns the visit's handle once the tablet shows it."""
        before = {one["handle"] for one in stream.visits}
        self.says(person, Kind.PRESENCE)
        self.sees(stream, lambda now: bool({one["handle"] for one in now.visits} - before), "the arrival")
        return next(one["handle"] for one in stream.visits if one["handle"] not in before)

    # --- taps ------------------------------------------------------------------------------------------------------

    def _lay_taps(self) -> None:
        """An account on the broker that may read everything, and a listener in the middle of both sockets."""
        self.ear = Ear(self)
        sockets = self.store.at / "run"
        sockets.mkdir(exist_ok=True, mode=0o750)
        for program, name, kind in (
            ("edge", "sightings", socket.SOCK_DGRAM),
            ("tablets", "tablets", socket.SOCK_STREAM),
        ):
            tap = self.folder / f"{name}.tap"
            config = self.store.config_of(program)
            text = config.read_text()
            assert f"{sockets}/{name}.sock" in text
            config.write_text(text.replace(f"{sockets}/{name}.sock", str(tap)))
            self.lines.append(Line(tap, sockets / f"{name}.sock", kind))

    def certificate(self, name: str) -> tuple[Path, Path]:
        """A certificate and key for the broker in any name, signed by its authority."""
        key = identity.make_tls_key()
        issuer = [(self.folder / "authority" / one).read_bytes() for one in ("broker-ca.pem", "broker-ca.key")]
        subject = identity.Subject(name, identity.Use.CLIENT)
        made = identity.make_certificate(subject, key, issuer[0], issuer[1], datetime.now(UTC))
        files = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        for path, content in zip(files, (made, key), strict=True):
            path.write_bytes(content)
        return files

    def mqtt(self, certificate: Path, key: Path) -> mqtt.Client:
        """A client of the broker, not connected yet."""
        made = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        ca = self.store.at / "etc/consentry/certs/broker-ca.pem"
        made.tls_set(str(ca), str(certificate), str(key), cert_reqs=ssl.CERT_REQUIRED)
        return made

    def credential_of(self, store: str) -> tuple[Path, Path]:
        """A store's certificate and key for the broker."""
        at = self.folder / "stores" / store
        return at / "etc/consentry/certs/store.pem", at / "credentials/gateway/broker-key"

    def hq_keys(self) -> hq_keys.Keys:
        """HQ's keys, to make what only HQ could."""
        return self.store.office.keys

    def pseudonym(self, person: Person) -> bytes:
        """The member's name at this store."""
        with reading(self.store.office.engine) as connection:
            reference = self.hq_keys().custody.reference(connection, person.member)
        assert reference is not None
        return hq_keys.pseudonym(self.hq_keys(), STORE, reference)


class Bell:
    """A bell of the store, which the gateway is configured to ring by a webhook; it keeps all that it is told."""

    def __init__(self, config: Path, credentials: Path) -> None:
        told: list[bytes] = []

        class Takes(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                told.append(str(self.headers).encode() + content)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.told = told
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Takes)
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()
        url = f"http://127.0.0.1:{self._server.server_address[1]}/help"
        config.write_text(f'{config.read_text()}\n[on_help.webhook]\nurl = "{url}"\n')
        (credentials / "help-hook-secret").write_bytes(base64.b64encode(secrets.token_bytes(32)))

    @property
    def news(self) -> list[Json]:
        """What it was told, as JSON."""
        return [json.loads(one[one.rindex(b"{") :]) for one in self.told]

    def close(self) -> None:
        """Nobody listens any more."""
        self._server.shutdown()
        self._server.server_close()


class Ear:
    """Hears every topic of the broker, by an account that provisioning would never make."""

    def __init__(self, shop: Shop) -> None:
        acl = shop.folder / "broker/etc/mosquitto/consentry/topics.acl"
        acl.write_text(acl.read_text() + "\nuser ear\ntopic readwrite #\n")
        self._shop = shop
        self._client = shop.mqtt(*shop.certificate("ear"))
        self._client.on_connect = lambda connected, *_rest: connected.subscribe("#", 1)
        self._client.on_message = lambda _client, _own, message: self.heard.append((message.topic, message.payload))
        self._client.reconnect_delay_set(1, 1)
        self.heard: list[tuple[str, bytes]] = []

    def start(self) -> None:
        """Connects, and hears from the first message on."""
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_rest: subscribed.set()
        self._client.connect("127.0.0.1", self._shop.store.broker_port)
        self._client.loop_start()
        assert subscribed.wait(WITHIN_S)

    def say(self, topic: str, payload: bytes) -> None:
        """Publishes anything anywhere."""
        self._client.publish(topic, payload, 1)

    def stop(self) -> None:
        """Disconnects."""
        self._client.disconnect()
        self._client.loop_stop()


class Line:
    """A listener in the middle of a Unix socket: passes everything on, and keeps a copy."""

    def __init__(self, tap: Path, behind: Path, kind: socket.SocketKind) -> None:
        self._behind = behind
        self._sockets: list[socket.socket] = []
        self.heard = bytearray()
        door = socket.socket(socket.AF_UNIX, kind)
        door.bind(str(tap))
        self._sockets.append(door)
        if kind is socket.SOCK_STREAM:
            door.listen()
        self._door = door
        threading.Thread(target=self._datagrams if kind is socket.SOCK_DGRAM else self._accept, daemon=True).start()

    def close(self) -> None:
        """Ends it."""
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _datagrams(self) -> None:
        out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sockets.append(out)
        with suppress(OSError):
            while datagram := self._door.recv(65536):
                self.heard += datagram
                with suppress(OSError):  # the gateway is away: the edge would have lost it too
                    out.sendto(datagram, str(self._behind))

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._door.accept()
                far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                try:
                    far.connect(str(self._behind))
                except OSError:
                    near.close()
                    far.close()
                    continue
                self._sockets += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                self.heard += chunk
                target.sendall(chunk)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def of_value(scope: str, value: str, now_s: int) -> Field:
    """A field with this value, in the type that the test's policy declares for its scope."""
    if scope in LISTS:
        made = Value(texts=(value,))
    elif scope in ITEMS:
        made = Value(items=(Item(f"{value}-item", f"{value}-label", None, None, False),))
    else:
        made = Value(text=value)
    at_s = now_s - 86_400
    return Field(scope, made, SourceClass.ZERO, "app", ValueClass.PERSONAL, at_s, at_s)


def shown_of(card: Json) -> str:
    """Everything that a card says, as one text to look for values in."""
    return json.dumps(card)


def day_keys(person: Person) -> tuple[bytes, ...]:
    """The day keys of the member's phone that a store may hold now."""
    today = token.day_of(now_ms() // 1000)
    return tuple(token.day_key(person.phone.secret, day) for day in (today - 1, today, today + 1))


def grants(shop: Shop, member: str, scope: str) -> bool:
    """Whether HQ still has the member's grant of this scope at the store."""
    from hq import ledger, membership
    from hq.database import reading
    from hq.state import fold

    with reading(shop.store.office.engine) as connection:
        locked = membership.lock_by_id(connection, shop.store.office.keys.custody, [member])
        (events,) = ledger.of_members(connection, locked).values()
        found = fold(events)
    return any(scope in one.scopes and one.store == STORE for one in found.statements)
