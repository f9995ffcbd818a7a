"""The times and limits that docs/protocol.md tells are those of the programs."""

import re
from pathlib import Path

from hq import orders as hq_orders
from hq import outbox as hq_outbox
from hq import publisher
from store_gateway import connection, outbox
from store_gateway.core import fill, lease
from wire import limits, sync

PAGE = (Path(__file__).parents[2] / "docs/protocol.md").read_text(encoding="utf-8")
TEXT = PAGE.split("## 9 Times, limits and failures")[1].split("\n## ")[0]


def row(name: str) -> str:
    """The row of a table that begins so, without its first column."""
    (found,) = re.findall(rf"^\| {re.escape(name)} \*? ?\| (.*) \|$", TEXT, re.M)
    return str(found)


def test_hellos_are_as_frequent_as_told() -> None:
    """Before and under a lease, with the burst and the jitter."""
    told = row("hello before the first lease")
    assert f"after {lease.FIRST_HELLO_S:.0f} s" in told
    assert f"{lease._GROWTH} times as long, at most {lease.HELLO_S:.0f} s" in told
    assert f"more than {lease._BURST} in {lease._BURST_S:.0f} s" in told
    assert f"± {lease._JITTER * 100:.0f} %" in row("hello under a lease")
    assert f"{lease.CHALLENGE_S:.0f} s of HQ's {sync.CHALLENGE_S} s" in row("a challenge is echoed")
    assert f"{lease.WAIT_S:.0f} s" in row("a difference")


def test_wants_are_as_many_and_as_patient_as_told() -> None:
    """In flight, again, rounds and quarantine."""
    told = row("wants")
    assert f"{fill.IN_FLIGHT} in flight" in told
    assert f"after {fill.RETRY_S:.0f} s" in told
    assert f"more than {fill.MAX_PARTS} parts" in told
    told = row(f"no agreement after {fill.ROUNDS} rounds")
    assert f"{fill.FIRST_QUARANTINE_S:.0f} s" in told
    assert f"{fill.LAST_QUARANTINE_S:,.0f} s" in told


def test_events_go_up_as_told() -> None:
    """Batches and window."""
    told = row("events")
    assert f"at most {outbox.BATCH_EVENTS} and {outbox.BATCH_BYTES // 1024} KiB" in told
    assert f"at most {outbox.MOST_BATCHES} of them" in told
    kinds = ", ".join(str(int(kind)) for kind in outbox.LET_GO[:-1])
    assert f"lets go of kinds {kinds} and {int(outbox.LET_GO[-1])} in that order" in PAGE


def test_both_sides_come_back_as_told() -> None:
    """Reconnections, records and orders."""
    store, hq = re.findall(r"^\| connection \| (.*) \|$", TEXT, re.M)
    assert f"after {connection.FIRST_WAIT_S} s, doubled to {connection.LONGEST_WAIT_S:.0f} s" in store
    assert f"after {publisher._LEAST_PAUSE_S} s, doubled to {publisher._MOST_PAUSE_S:.0f} s" in hq
    assert f"after {hq_outbox.KEEP_MS // 60_000} min" in row("records")
    assert f"every {hq_orders.AGAIN_MS // 1000} s" in row("an order")


def test_the_limits_are_those_of_the_wire() -> None:
    """Sizes and nonces."""
    assert f"{limits.MAX_PAYLOAD_BYTES:,} bytes" in row("size")
    assert f"last {sync.LAST_NONCES} hellos" in row("freshness")
