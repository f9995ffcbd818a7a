"""HQ's keys end: the store goes dark, says why, and comes back with a new key set."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from runtime.built import BUILT_AT, BUILT_MS
from store_gateway import dialogue
from tests.fakes.hq import FakeHQ, Line
from wire import keys
from wire.query import DarkReason, Light


def ending(hq: FakeHQ, monkeypatch: pytest.MonkeyPatch, not_after_s: int, version: int) -> None:
    """From now on HQ has a key set that ends then."""
    made = replace(FakeHQ.key_set(hq), not_after_s=not_after_s, version=version)
    monkeypatch.setattr(hq, "key_set", lambda: made)


def shown(line: Line) -> tuple[Light, DarkReason]:
    """The light and why."""
    lease = line.replica.lease(line.now_s)
    return lease.light, lease.reason


def test_a_key_set_that_ends_makes_dark_and_a_new_one_live(
    hq: FakeHQ, start: Callable[[], Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judged by trusted time; the reason is told; the new set comes bare and needs no lease."""
    monkeypatch.setattr(dialogue, "BUILT_MS", 0)  # the line's day is before it
    line = start()
    ending(hq, monkeypatch, line.now_ms // 1000 + 300, 2)
    line.up()
    line.replica.on_payload(keys.sign_key_set(hq.root, hq.key_set()), False, line.now_s)
    assert shown(line) == (Light.LIVE, DarkReason.NONE)
    line.run(600)
    assert shown(line) == (Light.DARK, DarkReason.KEYS_ENDED)
    ending(hq, monkeypatch, 2**39, 3)
    line.replica.on_payload(keys.sign_key_set(hq.root, hq.key_set()), False, line.now_s)
    line.run(30)
    assert shown(line) == (Light.LIVE, DarkReason.NONE)


def test_a_box_without_any_time_judges_by_the_day_it_was_built(
    hq: FakeHQ, start: Callable[[], Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording of HQ's old keys opens nothing on a box whose clock says nothing."""
    ending(hq, monkeypatch, BUILT_MS // 1000 - 1, 1)
    line = start()
    line.up()
    assert shown(line) == (Light.LOCKED, DarkReason.KEYS_ENDED)


def test_the_day_of_building_has_passed() -> None:
    """What is written into the code is true."""
    from datetime import UTC, datetime

    assert datetime.now(UTC) >= BUILT_AT
