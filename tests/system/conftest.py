"""A running store for each module of system tests."""

from collections.abc import Iterator

import pytest

from tests.system.store import Shop


@pytest.fixture(scope="module")
def shop(needs: object) -> Iterator[Shop]:
    """A store that is open; what one test switches off it switches on again."""
    assert callable(needs)
    needs("mosquitto")
    needs("dbus-daemon")
    opened = Shop(taps=True)
    try:
        yield opened.open()
    finally:
        opened.close()
