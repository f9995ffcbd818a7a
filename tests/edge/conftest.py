"""A private bus in place of the system's, for tests that speak D-Bus."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.private_bus import PrivateBus


@pytest.fixture
def bus(needs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateBus]:
    """A D-Bus daemon that this process takes for the system bus."""
    needs("dbus-daemon")
    with PrivateBus(tmp_path) as bus:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
        yield bus
