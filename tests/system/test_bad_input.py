"""What comes in wrong, from any side, is dropped and counted: no crash, and nothing shown that should not be."""

import contextlib
import os
import random
import resource
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from demo.store import now_ms
from demo.tablet import Stream, Tablet
from hq import records
from hq.database import reading, writing
from hq.tables import links
from tests import programs
from tests.system.store import STORE, TEXTS, Person, Shop, of_value, shown_of, until
from wire import envelope, query, schema, sync
from wire.keys import sealing_public
from wire.member import Member, Mode
from wire.sync import Collection, instance

pytestmark = pytest.mark.system

PROGRAMS = ("hq", "gateway", "tablets", "edge", "broker")


@pytest.fixture
def tablet(shop: Shop) -> Tablet:
    """A paired tablet with an associate signed in."""
    return shop.tablet()


@pytest.fixture
def stream(shop: Shop, tablet: Tablet) -> Iterator[Stream]:
    """The floor as that tablet follows it, live at first."""
    followed = tablet.follow()
    shop.sees(followed, lambda now: now.lease.get("light") == "live", "a live store")
    yield followed
    followed.close()


@pytest.fixture(autouse=True)
def _nothing_crashes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test does: every program that ran runs on under its own number, and none wrote of a crash."""
    if "shop" not in request.fixturenames:
        yield
        return
    shop: Shop = request.getfixturevalue("shop")
    yield
    assert shop.store.children.ended() is None
    for name in PROGRAMS[:4]:
        assert "event=crashed" not in shop.log(name), name
        assert "Traceback" not in shop.log(name), name


def counter(shop: Shop, name: str) -> int:
    """One of the gateway's counts."""
    return next((one.value for one in shop.store.status().counters if one.name == name), 0)


def serves(shop: Shop, tablet: Tablet, stream: Stream) -> None:
    """The store still does its work: a change at HQ arrives, a call for help is shown with its card."""
    person = shop.join(Mode.HELP, ("size.shoe",))
    handle = shop.call_for_help(person, stream)
    text = shown_of(tablet.card(handle).body)
    assert person.values["size.shoe"] in text
    assert not [value for value in person.hidden().values() if value in text]
    shop.silent(person)
    tablet.attend(handle, "done")


def garbage(real: bytes) -> list[bytes]:
    """What looks less and less like the real thing."""
    chance = random.Random(real)
    flipped = [bytearray(real) for _ in range(40)]
    for one in flipped:
        one[chance.randrange(len(one))] ^= 1 << chance.randrange(8)
    return [
        b"",
        b"\x00",
        b"\xff" * 100,
        b"\x9f" * 1000,  # arrays that never end
        b"\x81" * 1000,  # arrays in arrays
        b"{}",
        chance.randbytes(1000),
        *(real[: len(real) * part // 8] for part in range(1, 8)),
        real + b"\x00",
        *map(bytes, flipped),
    ]


def test_nonsense_on_every_topic_is_counted_and_dropped(shop: Shop, tablet: Tablet, stream: Stream) -> None:
    """Malformed, truncated, altered and oversized payloads on `down`, `now` and `up` change nothing."""
    assert shop.ear is not None
    serves(shop, tablet, stream)
    before = sum(one.value for one in shop.store.status().counters if one.name.startswith("dropped_"))
    real = {topic: payload for topic, payload in shop.ear.heard if topic.startswith(f"consentry/1/{STORE}/")}
    assert len(real) == 3
    sent = 0
    for topic in real:
        for payload in garbage(real[topic]):
            shop.ear.say(topic, payload)
            sent += 1
        shop.ear.say(topic, os.urandom(sync.MAX_PAYLOAD_BYTES))
    ended: list[object] = []
    huge = shop.mqtt(*shop.certificate("ear"))
    huge.on_connect = lambda client, *_rest: client.publish(sync.down(STORE), os.urandom(10 * sync.MAX_PAYLOAD_BYTES))
    huge.on_disconnect = lambda *arguments: ended.append(arguments[3])
    huge.connect("127.0.0.1", shop.store.broker_port)
    huge.loop_start()
    until(lambda: bool(ended), what="the broker's end of a connection that sends what is too large")
    huge.loop_stop()
    until(
        lambda: (
            sum(one.value for one in shop.store.status().counters if one.name.startswith("dropped_"))
            >= before + sent * 2 // 3
        ),  # two of three topics are the store's
        what="the count of what was dropped",
    )
    assert stream.lease["light"] == "live"
    serves(shop, tablet, stream)


def test_everything_said_before_said_again_changes_nothing(shop: Shop, tablet: Tablet, stream: Stream) -> None:
    """A recording of all traffic, played again in any order: who withdrew stays withdrawn, the roots stay equal."""
    assert shop.ear is not None
    gone, stays = shop.join(Mode.OPEN), shop.join(Mode.OPEN, ("size.shoe",))
    handle, other = shop.arrive(gone, stream), shop.arrive(stays, stream)
    shop.store.office.withdraw(gone.member, now_ms())
    shop.sees(stream, lambda now: handle not in {one["handle"] for one in now.visits}, "the departure")
    card = tablet.card(other).body
    recorded = list(shop.ear.heard)
    random.Random(5).shuffle(recorded)
    for topic, payload in recorded:
        shop.ear.say(topic, payload)
    until(lambda: counter(shop, "stale") > 0, what="a stale record")
    time.sleep(3)
    assert handle not in {one["handle"] for one in stream.visits}
    assert tablet.card(handle).status == 404
    assert unchanging(tablet.card(other).body) == unchanging(card)
    assert stream.lease["light"] == "live"
    serves(shop, tablet, stream)
    shop.silent(gone)
    shop.silent(stays)


def unchanging(card: dict[str, object]) -> dict[str, object]:
    """A card without its time."""
    return {name: value for name, value in card.items() if name != "as_of"}


def test_what_somebody_else_signed_is_not_taken(shop: Shop, tablet: Tablet, stream: Stream) -> None:
    """A whole and well-sealed record that opens everything up, with a signature that is not HQ's: dropped."""
    assert shop.ear is not None
    person = shop.join(Mode.HELP, ("size.shoe",))
    handle = shop.call_for_help(person, stream)
    opened = altered(shop, person, lambda member: replace(member, mode=Mode.OPEN, fields=all_fields(person)))
    record = sync.Record(shop.pseudonym(person), 2**60, schema.encode(opened))
    message = sync.Records((sync.Part(instance(Collection.MEMBERS, STORE), (record,)),))
    with reading(shop.store.office.engine) as connection:
        link = connection.execute(select(links).where(links.c.store == STORE)).one()
    before = counter(shop, "dropped_signature")
    for recipient in (STORE, "paris-2"):
        signed_by = shop.hq_keys().signers[-1].number
        header = envelope.Header(sync.HQ, recipient, sync.Kind.RECORDS, 10**6, link.boot, b"", signed_by, 0)
        forged = envelope.close(header, message, Ed25519PrivateKey.generate(), sealing_public(link.sealing_key))
        for lane in ("down", "now"):
            shop.ear.say(f"consentry/1/{STORE}/{lane}", forged)
    until(lambda: counter(shop, "dropped_signature") >= before + 2, what="the count")
    text = shown_of(tablet.card(handle).body)
    assert not [value for value in person.hidden().values() if value in text]
    shop.silent(person)
    tablet.attend(handle, "done")


def all_fields(person: Person) -> tuple[object, ...]:
    """Everything the member has, whatever the member shares."""
    return tuple(of_value(scope, value, now_ms() // 1000) for scope, value in person.values.items())


def altered(shop: Shop, person: Person, how: Callable[[Member], Member]) -> Member:
    """The member's record at the store, changed."""
    with reading(shop.store.office.engine) as connection:
        body = records.body(connection, instance(Collection.MEMBERS, STORE), shop.pseudonym(person))
    assert body is not None
    return how(schema.decode(Member, body))


def publish(shop: Shop, person: Person, body: bytes) -> None:
    """HQ itself, gone wrong, says this of a member: sealed, signed, and in the tree."""
    title = instance(Collection.MEMBERS, STORE)
    with writing(shop.store.office.engine) as connection:
        commit = records.begin(connection, [title])
        commit.put(title, shop.pseudonym(person), body)
        commit.write(now_ms(), urgent=True)


def test_an_undeclared_scope_in_a_body_is_denied(shop: Shop, tablet: Tablet, stream: Stream) -> None:
    """HQ sends a scope that no policy declares, granted and with a value: it is not shown, what is declared is."""
    person = shop.join(Mode.HELP, ("size.shoe",))
    handle = shop.call_for_help(person, stream)

    def with_more(member: Member) -> Member:
        grant = next(one for one in member.statements if one.purpose == "assist")
        secret = replace(of_value("size.shoe", "cnrysecret", now_ms() // 1000), scope="secret.scope")
        undeclared = replace(grant, scopes=("secret.scope",), event=b"x" * 16)
        return replace(member, statements=(*member.statements, undeclared), fields=(*member.fields, secret))

    told = len(stream.seen)
    publish(shop, person, schema.encode(altered(shop, person, with_more)))
    until(lambda: counter(shop, "in_records") > 0)
    time.sleep(1)
    card = tablet.card(handle)
    assert card.status == 200
    assert "cnrysecret" not in shown_of(card.body)
    assert person.values["size.shoe"] in shown_of(card.body)
    for name in card.body["sections"]:
        assert "cnrysecret" not in shown_of(tablet.card(handle, name).body)
    assert "cnrysecret" not in str(stream.seen[told:])
    shop.silent(person)
    tablet.attend(handle, "done")


@pytest.mark.parametrize("body", [b"", b"\x00", b"\xa0", os.urandom(4000), b"\xff" * 48 * 1024], ids=len)
def test_a_body_that_is_no_member_is_kept_and_unusable(shop: Shop, tablet: Tablet, stream: Stream, body: bytes) -> None:
    """A refused body counts in the tree, so the lease goes on, and the member is shown no more."""
    person = shop.join(Mode.HELP)
    handle = shop.call_for_help(person, stream)
    publish(shop, person, body)
    shop.sees(stream, lambda now: handle not in {one["handle"] for one in now.visits}, "the departure")
    assert tablet.card(handle).status == 404
    time.sleep(2)  # two heartbeats: the roots were compared
    assert stream.lease["light"] == "live"
    shop.silent(person)


def test_nonsense_on_the_sightings_socket_is_counted_and_dropped(shop: Shop, tablet: Tablet, stream: Stream) -> None:
    """Any datagram at all, thousands of them: counted, and phones are heard as before."""
    path = str(shop.store.at / "run/sightings.sock")
    before = counter(shop, "socket_malformed_total")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as edge:
        edge.settimeout(10)
        for payload in garbage(b"\x84\x01\x01\x66edge-1\x81" + os.urandom(40)) * 20:
            edge.sendto(payload or b"\x01", path)
        edge.sendto(os.urandom(60_000), path)
    until(lambda: counter(shop, "socket_malformed_total") >= before + 500, what="the count")
    serves(shop, tablet, stream)


@pytest.mark.parametrize("name", ["tablets.sock", "operator.sock"])
def test_nonsense_on_a_stream_socket_ends_that_connection_alone(
    shop: Shop, tablet: Tablet, stream: Stream, name: str
) -> None:
    """Frames that are none, too long, half, or never read: others are answered meanwhile."""
    path = str(shop.store.at / "run" / name)
    held = []
    real = query.frame(1, query.AskStatus())
    for payload in [*garbage(real), b"\xff\xff\xff\xff", b"\x00\x10\x00\x00" + b"\x81" * 100, real[:3]]:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.connect(path)
        with contextlib.suppress(OSError):
            line.sendall(payload)
        held.append(line)
    greedy = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)  # asks without end and never reads an answer
    greedy.settimeout(1)
    greedy.connect(path)
    with contextlib.suppress(OSError):
        for _ in range(20_000):
            greedy.sendall(real)
    serves(shop, tablet, stream)
    for line in (*held, greedy):
        line.close()
    serves(shop, tablet, stream)


def test_a_foreign_frame_on_the_tablets_socket_gets_no_operators_answer(shop: Shop) -> None:
    """A pairing code is not to be had where tablets ask."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(10)
        line.connect(str(shop.store.at / "run/tablets.sock"))
        line.sendall(query.frame(7, query.MintPairing()))
        answer = line.makefile("rb")
        number, reply = query.read_reply(answer.read(query.length(answer.read(query.LENGTH_BYTES))))
    assert (number, reply) == (7, query.Refused(query.RefusedReason.FORBIDDEN))


@pytest.mark.parametrize("program", ["edge", "gateway", "tablets", "hq"])
@pytest.mark.parametrize("fault", ["unknown key", "missing key", "wrong type", "not TOML", "not there"])
def test_a_broken_configuration_is_told_in_one_line(shop: Shop, tmp_path: Path, program: str, fault: str) -> None:
    """Exit 78, and one line that names the file and the key."""
    source = shop.store.hq_config if program == "hq" else shop.store.config_of(program)
    needed = {"edge": "node", "gateway": "store", "tablets": "certificate", "hq": "keys"}[program]
    text = source.read_text()
    file = tmp_path / source.name
    broken, key = {
        "unknown key": (f"colour = 3\n{text}", "colour"),
        "missing key": ("\n".join(line for line in text.splitlines() if not line.startswith(f"{needed} ")), needed),
        "wrong type": (
            text.replace(f"\n{needed} = ", f"\n{needed} = 3 # ").replace(f"{needed} = ", f"{needed} = 3 # "),
            needed,
        ),
        "not TOML": ("= = =", ""),
        "not there": ("", ""),
    }[fault]
    if fault != "not there":
        file.write_text(broken)
    module = {"gateway": "store_gateway", "tablets": "tablet_api"}.get(program, program)
    done = programs.program(module).run(*(["serve"] if program == "hq" else []), "--config", file)
    assert done.returncode == 78, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert str(file) in done.stderr
    assert key in done.stderr
    assert "Traceback" not in done.stderr


# --- the disk: each with a store of its own, which it may spoil -----------------------------------------------------


@pytest.fixture
def spoilt(needs: Callable[[str], str]) -> Iterator[Shop]:
    """A store whose disk a test may spoil, not started yet."""
    needs("mosquitto")
    needs("dbus-daemon")
    made = Shop()
    mounted = False
    state = str(made.store.at / "state")
    if os.geteuid() == 0:
        mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", state]
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield made
    finally:
        made.store.close()
        if mounted:
            subprocess.run(["umount", state], check=True)
        made.close()


@contextlib.contextmanager
def no_room(shop: Shop) -> Iterator[None]:
    """The gateway can write nothing more: a full tmpfs, or, where nothing may be mounted, a limit on its files."""
    state = shop.store.at / "state"
    if os.path.ismount(state):
        filler = state / "filler"
        with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
            while True:
                stream.write(bytes(512))
        try:
            yield
        finally:
            filler.unlink()
        return
    pid = shop.store.children.pid("gateway")
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_shows_nothing_and_recovers_by_itself(spoilt: Shop) -> None:
    """No look can be recorded, so none is allowed; dark with the reason; with room again, live again."""
    shop = spoilt.open()
    tablet = shop.tablet()
    stream = tablet.follow()
    person = shop.join(Mode.HELP, TEXTS)
    handle = shop.call_for_help(person, stream)
    with no_room(shop):
        seen = set()

        def refused() -> bool:
            answer = tablet.card(handle)
            seen.add(answer.status)
            return answer.status == 503

        for _ in range(3000):  # what still fits into the file's last pages is recorded, and then no more
            if refused():
                break
            shop.store.office.set_profile(
                person.member, [of_value("fit.jacket", os.urandom(200).hex(), now_ms() // 1000)], now_ms()
            )
        assert seen <= {200, 503}
        assert 503 in seen
        shop.sees(stream, lambda now: now.lease["reason"] == "disk", "darkness")
        assert stream.visits == ()
        assert tablet.withdraw(handle, None).status == 503  # said, so that the associate does not believe it done
        limited = not os.path.ismount(shop.store.at / "state")  # then the log could not be written either
        assert limited or "event=cache_failed" in shop.log("gateway")
    shop.sees(stream, lambda now: now.lease["light"] == "live", "light")
    shop.sees(stream, lambda now: bool(now.visits), "the visit")
    assert tablet.card(stream.visits[0]["handle"]).status == 200
    stream.close()


LONG = pytest.mark.long


@pytest.mark.parametrize(
    "how", ["pages", "cut", *(pytest.param(how, marks=LONG) for how in ("header", "emptied", "text"))]
)
def test_a_corrupted_cache_file_shows_nothing(shop: Shop, how: str) -> None:
    """The file is damaged while the gateway is off: no crash, nothing shown from it; moved away, it is filled anew."""
    person = shop.join(Mode.OPEN)
    stream = shop.tablet().follow()
    shop.arrive(person, stream)
    stream.close()
    shop.stop("gateway")
    file = shop.store.at / "state/cache.db"
    damage(file, how)
    shop.start("gateway")
    time.sleep(3)
    until(lambda: shop.store.children.ended() is not None or settled(shop.store.light()), what="light, or why not")
    assert shop.store.children.ended() is None
    lease = shop.store.light()
    if lease.light is not query.Light.LIVE:  # else what was damaged was noticed and made anew from HQ
        assert lease.reason is query.DarkReason.DISK
        failed = [line for line in shop.log("gateway").splitlines() if "event=cache_failed" in line]
        assert failed
        assert "remedy=" in failed[-1]
        shop.stop("gateway")
        for path in file.parent.glob("cache.db*"):
            path.unlink()
        shop.start("gateway")
    stream = shop.tablet().follow()
    shop.sees(stream, lambda now: bool(now.visits), "the visit again")
    stream.close()
    shop.silent(person)


def settled(lease: query.Lease) -> bool:
    """The store is live, or dark for what is on its disk."""
    return lease.light is query.Light.LIVE or lease.reason is query.DarkReason.DISK


def damage(file: Path, how: str) -> None:
    """Spoils a file in one way."""
    content = bytearray(file.read_bytes())
    assert len(content) > 20_000
    chance = random.Random(3)
    if how == "header":
        content[:100] = chance.randbytes(100)
    elif how == "pages":
        for at in range(4096, len(content), 97):
            content[at] ^= 0x55
    elif how == "cut":
        del content[len(content) // 3 :]
    elif how == "emptied":
        content.clear()
    else:
        content[:] = b"this is no database\n" * 2000
    for other in file.parent.glob("cache.db-*"):
        other.unlink()
    file.write_bytes(content)


def test_a_cache_of_another_box_opens_nothing(spoilt: Shop) -> None:
    """A disk in another box: the secret is another one, so it stays locked, with the reason."""
    shop = spoilt.open()
    shop.tablet()
    shop.stop("gateway")
    secret = shop.store.at / "credentials/gateway/box-secret"
    own = secret.read_bytes()
    secret.write_bytes(os.urandom(32))
    shop.start("gateway")
    until(lambda: "reason=wrong-key" in shop.log("gateway"), what="the reason in the log")
    assert shop.store.light().light is not query.Light.LIVE
    shop.stop("gateway")
    secret.write_bytes(own)
    shop.start("gateway")
    shop.store.wait_live(30)
