"""What tests of certificates at HQ share: one that a public issuer gives, what is held, what was raised."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from hq import certificates
from hq.alarm_tables import alarms
from hq.certificate_job import Renewals
from hq.certificate_tables import certificates as rows
from hq.database import reading, writing
from hq.settings import Certificates
from tests.fakes.store import FakeStore
from tests.hq.headquarters import STORE, Headquarters
from tests.wire.issuer import LIFE, Issuer, Pair

NAME = "berlin-1.shops.example.org"
ISSUER = Issuer("A public issuer")
HALF_MS = int(LIFE.total_seconds() * 500)
LATE_MS = int(LIFE.total_seconds() * 1000 * 2 / 3)


def at(hq: Headquarters) -> datetime:
    """HQ's clock."""
    return datetime.fromtimestamp(hq.now_ms / 1000, UTC)


def issue(hq: Headquarters, name: str = NAME, **more: object) -> Pair:
    """A new one that begins now."""
    return ISSUER.issue(name, at=at(hq), **more)  # type: ignore[arg-type]


def gone(state: Path) -> bool:
    """Whether the program whose `/proc/PID/stat` this is has ended."""
    try:
        return state.read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def later(hq: Headquarters, seconds: float) -> None:
    """Time goes on; nothing else of HQ is looked at."""
    hq.now_ms += int(seconds * 1000)


def put(hq: Headquarters, pair: Pair) -> None:
    """As `consentry-hq certificate put` does."""
    with writing(hq.engine) as connection:
        certificates.put(connection, hq.keys.custody, STORE, pair.chain, pair.key, hq.now_ms)


def name(hq: Headquarters, chosen: str = NAME) -> None:
    """As `consentry-hq certificate name` does."""
    with writing(hq.engine) as connection:
        certificates.name(connection, STORE, chosen)


def raised(hq: Headquarters) -> dict[str, str]:
    """The open alarms of the store, with their details."""
    with reading(hq.engine) as connection:
        found = connection.execute(select(alarms).where(alarms.c.over_ms.is_(None), alarms.c.store == STORE))
        return {row.alarm: row.detail for row in found}


def held(hq: Headquarters) -> bytes | None:
    """The id of what HQ delivers."""
    with reading(hq.engine) as connection:
        found: bytes | None = connection.scalar(select(rows.c.id).where(rows.c.store == STORE))
        return found


def talk(hq: Headquarters, store: FakeStore, times: int = 1) -> None:
    """Some hellos."""
    for _ in range(times):
        store.say(hq.answers, store.hello())


def renew(hq: Headquarters, settings: Certificates) -> int:
    """One look of the one process that does it."""
    return Renewals(hq.engine, hq.keys.custody, settings).tick(hq.now_ms)


def leave(pair: Pair, folder: Path) -> None:
    """As certbot does."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fullchain.pem").write_bytes(pair.chain)
    (folder / "privkey.pem").write_bytes(pair.key)
