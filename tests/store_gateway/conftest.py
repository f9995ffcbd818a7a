"""A replica on its own cache file, and an HQ in memory at the other end of the line."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from store_gateway.replica import Replica
from tests.fakes.hq import STORE, FakeHQ, Line, a_main_policy, a_store_policy


@pytest.fixture
def hq() -> FakeHQ:
    """An HQ that has published a policy."""
    found = FakeHQ()
    found.policy(a_main_policy(), a_store_policy())
    return found


@pytest.fixture
def cache_file(tmp_path: Path) -> Path:
    """Where the replica keeps its cache."""
    return tmp_path / "cache.sqlite3"


@pytest.fixture
def start(hq: FakeHQ, cache_file: Path) -> Iterator[Callable[[], Line]]:
    """Starts the store's replica; a second call is a restart of the box's process."""
    lines: list[Line] = []

    def begin() -> Line:
        if lines:
            lines[-1].replica.close()
        replica = Replica(STORE, cache_file, hq.box(), "test/1", chance=lambda: 0.5)
        lines.append(Line(replica, hq, lines[-1].now_s if lines else 1_000.0))
        return lines[-1]

    yield begin
    for line in lines:
        line.replica.close()


@pytest.fixture
def line(start: Callable[[], Line]) -> Line:
    """A store that is live."""
    begun = start()
    begun.up()
    assert begun.live()
    return begun
