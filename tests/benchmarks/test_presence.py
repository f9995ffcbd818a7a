"""The simulated floor is measured to its end; no figure is judged."""

import re

from benchmarks import presence
from tests.benchmarks.test_benchmarks import PAGE


def test_presence_is_measured_beside_a_plain_rule() -> None:
    """Arrivals, help, departures, zones, false arrivals and blind zones: each row has a figure, most a plain rule's."""
    rows = presence.run(quick=True)
    assert len(rows) >= 10
    assert all(re.search(r"\d|none", row.figure) for row in rows)
    assert sum(bool(re.search(r"\d", row.baseline)) for row in rows) >= 7
    for name in ("arrival delay", "help to the tablet", "departure error", "zone accuracy", "false arrivals", "blind"):
        assert any(name in row.what for row in rows)
        assert name in PAGE
    assert "`presence`" in PAGE
