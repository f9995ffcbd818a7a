"""What HQ spends on choices, folds, audiences and a member's page, beside the bare database doing the same.

Every statement that HQ sends is kept with its values, and sent again to a copy of the database, by the driver alone,
as soon as the work is done: the same inserts and reads in the same transactions, and nothing else. So the copy stays as
HQ's database is, and no more is kept than one work's statements. Wall clock on both sides.

I/O: processes, folders in the temporary directory; the clock.
"""

import hashlib
import json
import os
import secrets
import shutil
import tempfile
import time
import timeit
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import cbor2
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, select

from benchmarks.report import Row, percentile
from hq import importer, ledger, membership, publication, sessions
from hq.database import connect, open_database, reading, writing
from hq.sessions import Kind, Way
from hq.state import fold
from hq.tables import members
from hq.web import app as application
from hq.web.providers import Providers
from runtime.base64url import to_text
from tests.hq.headquarters import ROLES, STORE, Headquarters, text
from tests.hq.web.place import ALWAYS, web
from tests.postgresql import make_database, server
from wire.member import Mode

MEMBERS: Final = 20_000
CHOICES: Final = 500  # one transaction each
PAGES: Final = 500
_AT_ONCE: Final = 500
_LINES: Final = 2_000


def run(quick: bool, members_count: int | None = None) -> list[Row]:
    """The figures. `quick`: 400 members and a tenth of the rest."""
    count = members_count or (400 if quick else MEMBERS)
    rows = _floor()
    for name, opened in (("SQLite", _sqlite), ("PostgreSQL", _postgresql)):
        if name == "PostgreSQL" and shutil.which("initdb") is None:
            continue
        with opened() as place:
            rows += _rows(name, place, count, 10 if quick else 1)
    return rows


@dataclass(frozen=True, slots=True)
class _Place:
    """A database of HQ, and how a copy of it is made, of which nothing is open."""

    engine: Engine
    copy: Callable[[], Engine]


@contextmanager
def _sqlite() -> Iterator[_Place]:
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{folder}/hq.db")

        def copy() -> Engine:
            for suffix in ("", "-shares"):
                shutil.copyfile(f"{folder}/hq.db{suffix}", f"{folder}/bare.db{suffix}")
            return connect(f"sqlite:///{folder}/bare.db")

        yield _Place(engine, copy)
        engine.dispose()


@contextmanager
def _postgresql() -> Iterator[_Place]:
    with server(lambda program: shutil.which(program) or program, "fsync=on") as url:
        engine = open_database(make_database(url, "hq"))
        yield _Place(engine, lambda: connect(make_database(url, "bare", "hq")))
        engine.dispose()


@dataclass(frozen=True, slots=True)
class _Spent:
    """Seconds by the clock and of this thread's own processor time: of each work, and of its statements alone."""

    taken_s: list[float]
    own_s: list[float]
    bare_s: list[float]
    bare_own_s: list[float]


class _Beside:
    """A copy of the database to which everything is sent again that HQ sends to its own."""

    def __init__(self, place: _Place) -> None:
        place.engine.dispose()  # what is open may not be copied
        self._bare = place.copy()
        self._raw = self._bare.raw_connection()
        self._sent: list[tuple[str, Any, bool] | None] = []  # statement, values, whether many; None: the end of one
        event.listen(place.engine, "before_cursor_execute", self._note)
        for which in ("commit", "rollback"):
            event.listen(place.engine, which, self._end)

    def _note(self, *arguments: Any) -> None:
        _, _, statement, values, _, many = arguments
        self._sent.append((statement, list(values) if many else values, many))

    def _end(self, connection: object) -> None:
        self._sent.append(None)

    def __call__(self, works: Iterable[Callable[[], object]]) -> "_Spent":
        """What each work took, and what its statements take alone."""
        spent = _Spent([], [], [], [])
        for work in works:
            self._sent = []
            for done, clock, own in ((work, spent.taken_s, spent.own_s), (self._again, spent.bare_s, spent.bare_own_s)):
                began_s, began_own_s = time.perf_counter(), time.thread_time()
                done()
                clock.append(time.perf_counter() - began_s)
                own.append(time.thread_time() - began_own_s)
        return spent

    def _again(self) -> None:
        cursor = self._raw.cursor()
        for one in self._sent:
            if one is None:
                self._raw.commit()
                continue
            statement, values, many = one
            if many:
                cursor.executemany(statement, values)
            else:
                cursor.execute(statement, values)
                if cursor.description is not None:
                    cursor.fetchall()
        self._raw.commit()

    def close(self) -> None:
        """Lets the copy go."""
        self._raw.close()
        self._bare.dispose()


def _rows(name: str, place: _Place, count: int, part: int) -> list[Row]:
    hq = Headquarters(place.engine)
    beside = _Beside(place)
    rows = _rates(f"events taken a second by import on {name}", 2 * count, beside(_imports(hq, count)))
    choices = [_choice(hq, number) for number in range(CHOICES // part)]
    rows += _rates(f"events taken a second on {name}, a transaction each", len(choices), beside(choices))
    references = _references(hq)
    chunks = [references[start : start + _AT_ONCE] for start in range(0, len(references), _AT_ONCE)]
    rows += _rates(
        f"members folded a second on {name}, of {count:,}", count,
        beside(lambda chunk=chunk: _fold(hq, chunk) for chunk in chunks),  # type: ignore[misc]
    )  # fmt: skip
    rows += _rates(
        f"members of one store's audience judged a second on {name}", count,
        beside(lambda chunk=chunk: _audience(hq, chunk) for chunk in chunks),  # type: ignore[misc]
    )  # fmt: skip
    clients: list[FlaskClient] = []
    beside([lambda: clients.append(_client(hq)), lambda: _page(clients[0])])  # templates are compiled once
    spent = beside([lambda: _page(clients[0])] * (PAGES // part))
    beside.close()
    return [*rows, *_spreads(f"the preference centre's first page on {name}", spent)]


def _imports(hq: Headquarters, count: int) -> Iterator[Callable[[], object]]:
    """The import in files of 2,000 lines, each made when its turn comes."""
    for start in range(0, count, _LINES):
        numbers = range(start, min(start + _LINES, count))
        lines = [json.dumps(_line(hq, number)).encode() for number in numbers]
        yield lambda lines=lines: importer.run(hq.engine, hq.keys, lines, hq.now_ms)  # type: ignore[misc]


def _floor() -> list[Row]:
    """What nobody who keeps these promises can spare, whatever the database: keys, seals, hashes, and CBOR by cbor2."""
    key, wrapped_by, about, said = (os.urandom(size) for size in (32, 32, 12, 126))
    owner, row, previous = (os.urandom(size) for size in (23, 60, 32))
    own = ChaCha20Poly1305(wrapped_by)
    nonce = bytes(12)
    kept = (
        own.encrypt(nonce, key, owner),
        ChaCha20Poly1305(key).encrypt(nonce, about, row),
        [ChaCha20Poly1305(key).encrypt(nonce, said, row) for _ in range(2)],
    )
    fields: tuple[object, ...] = (
        1,
        "assist",
        ["size.shoe"],
        ["berlin-1"],
        ["associate"],
        [],
        2**30,
        2**31,
        bytes(32),
        1,
        "main",
        "DE",
    )
    plain = cbor2.dumps(dict(enumerate(fields)))

    def take() -> None:
        sealed = ChaCha20Poly1305(key).encrypt(os.urandom(12), said, row)
        hashlib.sha256(previous + row + sealed).digest()

    def open_() -> None:
        seal = ChaCha20Poly1305(own.decrypt(nonce, kept[0], owner))
        seal.decrypt(nonce, kept[1], row)
        for one in kept[2]:
            seal.decrypt(nonce, one, row)

    return [
        Row(what, f"{_least_us(work):.1f} µs", "–", None)
        for what, work in (
            ("floor: an event sealed under its member's key and hashed into the chain", take),
            ("floor: a member's key, row and two events opened", open_),
            ("floor: one event's 126 bytes of CBOR read by cbor2, unjudged", lambda: cbor2.loads(plain)),
        )
    ]


_SAID: Final[tuple[object, ...]] = (
    1,
    "assist",
    ["size.shoe"],
    ["berlin-1"],
    ["associate"],
    [],
    1_770_000_000,
    1_790_000_000,
    bytes(32),
    1,
)


def _least_us(work: Callable[[], object]) -> float:
    return min(timeit.repeat(work, number=200, repeat=50)) / 200 * 1e6


def _rates(what: str, count: int, spent: _Spent) -> list[Row]:
    """By the clock, and by this process's own time, which other programs do not lengthen; a server's is not in it."""
    found = []
    for how, taken_s, bare_s in (
        ("", sum(spent.taken_s), sum(spent.bare_s)),
        (" of its own time", sum(spent.own_s), sum(spent.bare_own_s)),
    ):
        bare = f"{count / bare_s:,.0f} (bare database)"
        found.append(Row(what.replace("a second", f"a second{how}"), f"{count / taken_s:,.0f}", bare, bare_s / taken_s))
    return found


def _spreads(what: str, spent: _Spent) -> list[Row]:
    return [
        Row(f"{what}, {word}{how}", f"{own * 1e3:.1f} ms", f"{least * 1e3:.1f} ms (bare database)", own / least)
        for how, taken_s, bare_s in (("", spent.taken_s, spent.bare_s), (", own time", spent.own_s, spent.bare_own_s))
        for word, share in (("median", 0.5), ("p99", 0.99))
        for own, least in [(percentile(taken_s, share), percentile(bare_s, share))]
    ]


def _line(hq: Headquarters, number: int) -> dict[str, Any]:
    grant = {"stores": [STORE], "roles": list(ROLES), "until_days": 365}
    return {
        "member": f"m-{number}", "age_at_least": 18, "jurisdiction": "DE", "chosen": hq.now_s,
        "phones": [secrets.token_hex(32)],
        "grants": [{"purpose": "presence", **grant}, {"purpose": "assist", "scopes": ["size.shoe"], **grant}],
        "profile": {"size.shoe": {"value": str(number), "collected": hq.now_s}},
    }  # fmt: skip


def _choice(hq: Headquarters, number: int) -> Callable[[], object]:
    member = f"m-{number % 100}"
    match number % 4:
        case 0:
            return lambda: hq.office.set_mode(member, Mode.OPEN, hq.now_ms)
        case 1:
            return lambda: hq.office.withdraw(member, hq.now_ms, scopes=("size.shoe",))
        case 2:
            return lambda: hq.grant(member, "assist", "size.shoe")
        case _:
            return lambda: hq.office.set_profile(member, [text("size.shoe", str(number))], hq.now_ms)


def _references(hq: Headquarters) -> list[bytes]:
    with reading(hq.engine) as connection:
        return list(connection.scalars(select(members.c.id).order_by(members.c.id)))


def _fold(hq: Headquarters, chunk: list[bytes]) -> None:
    """What stands of these members, from their events."""
    with writing(hq.engine) as connection:
        locked = membership.lock(connection, hq.keys.custody, chunk)
        for events in ledger.of_members(connection, locked).values():
            fold(events)


def _audience(hq: Headquarters, chunk: list[bytes]) -> None:
    """Whether each is in the store's audience, and with what, compared with what the store was told."""
    with writing(hq.engine) as connection:
        locked = membership.lock(connection, hq.keys.custody, chunk)
        publication.refresh(connection, hq.keys, locked, hq.now_ms)


def _client(hq: Headquarters) -> FlaskClient:
    """A browser in which a member is signed in."""
    settings = web()
    made = application.create(
        hq.engine, hq.keys, lambda: hq.now_ms, settings,
        version="0", mono=time.monotonic, providers=Providers(settings.members, settings.staff, {}),
    )  # fmt: skip
    with writing(hq.engine) as connection:
        custody = hq.keys.custody
        member = custody.references(connection, ["m-7"])["m-7"]
        began = sessions.begin(connection, custody, member, Kind.MEMBER, Way.LINK, ALWAYS, "Firefox", hq.now_ms)
    client = made.test_client()
    client.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
    client.set_cookie("__Host-consentry-session", to_text(began), secure=True)
    return client


def _page(client: FlaskClient) -> None:
    answer = client.get("/", base_url="https://localhost")
    assert answer.status_code == 200, answer.status
    assert answer.get_data()
