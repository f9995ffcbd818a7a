"""HQ's custody on PostgreSQL: a dump shows no canary, keys are wrapped anew, and a member is erased."""

import secrets
import subprocess
from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from hq import erasure, ledger, membership, rewrap
from hq.custody import Custody
from hq.database import reading
from tests.fakes.store import FakeStore
from tests.hq.headquarters import STORE, WRAPPING, Headquarters
from tests.hq.test_custody import CANARIES, live

DATABASE = "postgresql"
pytestmark = pytest.mark.long


@pytest.fixture
def store(hq: Headquarters) -> FakeStore:
    """A store that is up."""
    made = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    made.come_up(hq.answers)
    return made


def dump(needs: Callable[[str], str], engine: Engine) -> bytes:
    """What `pg_dump` writes, with the text of every bytea beside its hex."""
    url = make_url(engine.url).set(drivername="postgresql").render_as_string(hide_password=False)
    # Policies and notices lie open, and name scopes.
    open_ones = [f"--exclude-table-data={name}" for name in ("notices", "policy_versions", "policy_notices")]
    command = [needs("pg_dump"), *open_ones, "--dbname", url]
    found = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    hexes = [one.removeprefix(b"\\\\x") for line in found.splitlines() for one in line.split(b"\t")]
    return found + b"\n".join(bytes.fromhex(one.decode()) for one in hexes if _is_hex(one))


def _is_hex(one: bytes) -> bool:
    return bool(one) and len(one) % 2 == 0 and set(one) <= set(b"0123456789abcdef")


def test_no_canary_is_in_what_pg_dump_writes(needs, hq: Headquarters, store: FakeStore) -> None:
    """Policy names the scopes that there are; no member's value, id, secret or day key is there."""
    needles, known_as = live(hq, store)
    found = dump(needs, hq.engine)
    assert known_as in found
    assert [needle for needle in needles if needle in found] == []


def test_keys_are_wrapped_anew_and_a_member_is_erased(hq: Headquarters, store: FakeStore) -> None:
    """As on SQLite."""
    live(hq, store)
    new = secrets.token_bytes(32)
    both = Custody([WRAPPING, new])
    assert rewrap.rewrap(hq.engine, both) > 3
    assert rewrap.count_old(hq.engine, both) == 0
    alone = Custody([new])
    with reading(hq.engine) as connection:
        assert membership.fields(connection, membership.lock_by_id(connection, both, [CANARIES[0]]))
    alone.attach(hq.engine)
    object.__setattr__(hq.keys, "custody", alone)
    erasure.erase(hq.engine, hq.keys, CANARIES[0], hq.now_ms)
    with reading(hq.engine) as connection:
        assert ledger.first_broken(connection) is None
        assert alone.references(connection, [CANARIES[0]]) == {}
    hq.check()
