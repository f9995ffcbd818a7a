"""What HQ spends on choices, folds, audiences and a member's page, beside the bare database doing the same.

Every statement that HQ sends is kept with its values, and sent again to a copy of the database as it was before, by the
driver alone: the same inserts and reads in the same transactions, and nothing else. Wall clock on both sides.

I/O: processes, folders in the temporary directory; the clock.
"""

import json
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

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


def run(quick: bool, members_count: int | None = None) -> list[Row]:
    """The figures. `quick`: 400 members and a tenth of the rest."""
    count = members_count or (400 if quick else MEMBERS)
    rows = []
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
    copy: Callable[[str], Engine]


@contextmanager
def _sqlite() -> Iterator[_Place]:
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{folder}/hq.db")

        def copy(name: str) -> Engine:
            for suffix in ("", "-shares"):
                shutil.copyfile(f"{folder}/hq.db{suffix}", f"{folder}/{name}.db{suffix}")
            return connect(f"sqlite:///{folder}/{name}.db")

        yield _Place(engine, copy)
        engine.dispose()


@contextmanager
def _postgresql() -> Iterator[_Place]:
    with server(lambda program: shutil.which(program) or program, "fsync=on") as url:
        engine = open_database(make_database(url, "hq"))
        yield _Place(engine, lambda name: connect(make_database(url, name, "hq")))
        engine.dispose()


@dataclass(frozen=True, slots=True)
class _Tape:
    """What was sent to the database: statement, values, whether many; None at the end of a transaction."""

    sent: list[tuple[str, Any, bool] | None] = field(default_factory=list)

    def note(self, *arguments: Any) -> None:
        """SQLAlchemy's `before_cursor_execute`."""
        _, _, statement, values, _, many = arguments
        self.sent.append((statement, list(values) if many else values, many))

    def end(self, connection: object) -> None:
        """SQLAlchemy's `commit`; a `rollback` ends likewise."""
        self.sent.append(None)


def _beside(place: _Place, name: str, works: list[Callable[[], object]]) -> tuple[list[float], list[float]]:
    """How long each took, in seconds, and how long its statements take on a copy of the database as it was before."""
    place.engine.dispose()  # what is open may not be copied
    bare = place.copy(name)
    taken_s, tapes = [], []
    for work in works:
        tape = _Tape()
        listeners = (("before_cursor_execute", tape.note), ("commit", tape.end), ("rollback", tape.end))
        for which, listener in listeners:
            event.listen(place.engine, which, listener)
        began_s = time.perf_counter()
        work()
        taken_s.append(time.perf_counter() - began_s)
        for which, listener in listeners:
            event.remove(place.engine, which, listener)
        tapes.append(tape)
    raw = bare.raw_connection()
    bare_s = [_again(raw, tape) for tape in tapes]
    raw.close()
    bare.dispose()
    return taken_s, bare_s


def _again(raw: Any, tape: _Tape) -> float:
    began_s = time.perf_counter()
    cursor = raw.cursor()
    for one in tape.sent:
        if one is None:
            raw.commit()
            continue
        statement, values, many = one
        if many:
            cursor.executemany(statement, values)
        else:
            cursor.execute(statement, values)
            if cursor.description is not None:
                cursor.fetchall()
    raw.commit()
    return time.perf_counter() - began_s


def _rows(name: str, place: _Place, count: int, part: int) -> list[Row]:
    hq = Headquarters(place.engine)
    lines = [json.dumps(_line(hq, number)).encode() for number in range(count)]
    taken, bare = _beside(place, "import", [lambda: importer.run(hq.engine, hq.keys, lines, hq.now_ms)])
    rows = [_rate(f"events taken a second by import on {name}", 2 * count, taken, bare)]
    choices = [_choice(hq, number) for number in range(CHOICES // part)]
    taken, bare = _beside(place, "choices", choices)
    rows.append(_rate(f"events taken a second on {name}, a transaction each", len(choices), taken, bare))
    references = _references(hq)
    chunks = [references[start : start + _AT_ONCE] for start in range(0, len(references), _AT_ONCE)]
    taken, bare = _beside(place, "fold", [lambda chunk=chunk: _fold(hq, chunk) for chunk in chunks])
    rows.append(_rate(f"members folded a second on {name}, of {count:,}", count, taken, bare))
    taken, bare = _beside(place, "audience", [lambda chunk=chunk: _audience(hq, chunk) for chunk in chunks])
    rows.append(_rate(f"members of one store's audience judged a second on {name}", count, taken, bare))
    client = _client(hq)
    _page(client)  # templates are compiled once
    taken, bare = _beside(place, "page", [lambda: _page(client)] * (PAGES // part))
    return [*rows, *_spread(f"the preference centre's first page on {name}", taken, bare)]


def _rate(what: str, count: int, taken_s: list[float], bare_s: list[float]) -> Row:
    spent_s, least_s = sum(taken_s), sum(bare_s)
    return Row(what, f"{count / spent_s:,.0f}", f"{count / least_s:,.0f} (bare database)", least_s / spent_s)


def _spread(what: str, taken_s: list[float], bare_s: list[float]) -> list[Row]:
    return [
        Row(f"{what}, {word}", f"{own * 1e3:.1f} ms", f"{least * 1e3:.1f} ms (bare database)", own / least)
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
