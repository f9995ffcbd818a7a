"""What `consentry-hq receipts` and `delays` print."""

import argparse
import json

import pytest

from hq.errors import Refused
from hq.receipt_commands import PART
from tests.fakes.store import FakeStore
from tests.hq.headquarters import STORE, Headquarters
from wire import merkle, schema
from wire.merkle import Frontier
from wire.sync import Applied, Disclosure, Event, EventKind, LogHead, ReasonCode

SAID = Disclosure(
    b"h" * 16, "nina", "advisor", "t-1", ("size.shoe",), ("assist",), "grant", ReasonCode.HELP, True, False,
    b"s" * 16, b"t" * 16,
)  # fmt: skip


@pytest.fixture
def told(hq: Headquarters) -> Headquarters:
    """HQ after a store told of a look, its log's head, and four withdrawals that took effect."""
    hq.join("m-1", "size.shoe")
    hq.join("m-2")
    store = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    store.come_up(hq.answers)
    look = Event(1, EventKind.DISCLOSURE, hq.now_ms, hq.pseudonym("m-1"), schema.encode(SAID))
    grown = Frontier().append(merkle.leaf_of(1, hq.now_ms, look.pseudonym, SAID))
    signed = hq.identity.sign(merkle.head_input(STORE, store.incarnation, 1, grown.root, hq.now_ms))
    head = LogHead(1, grown.root, grown.peaks, signed)
    applied = [Applied(7, 100, 2, 2), Applied(8, 300, 1, 1), Applied(9, 200, 0, 0), Applied(10, 9_000, 1, 2)]
    bodies = [(EventKind.LOG_HEAD, head), *((EventKind.APPLIED, one) for one in applied)]
    events = [
        Event(number, kind, hq.now_ms, None, schema.encode(body)) for number, (kind, body) in enumerate(bodies, 2)
    ]
    store.say(hq.answers, store.events(look, *events))
    return hq


def run(hq: Headquarters, command: str, **chosen: object) -> int | None:
    """One command."""
    defaults = {"member": None, "prove": None, "verify": False, "store": None}
    return PART.runs[command, ""](hq.office, argparse.Namespace(**{**defaults, **chosen}), hq.now_ms)


def test_receipts_are_listed_and_proven(told: Headquarters, capsys: pytest.CaptureFixture[str]) -> None:
    """Store, role, fields and why, and nobody of the staff; by its name a receipt is proven."""
    run(told, "receipts", member="m-1")
    line, total = capsys.readouterr().out.splitlines()
    assert total == "1 receipts"
    for part in (STORE, "advisor", "help", "size.shoe", "for assist"):
        assert part in line
    assert "nina" not in line
    run(told, "receipts", member="m-1", prove=line.split()[-1])
    proof = json.loads(capsys.readouterr().out)
    assert merkle.verify_receipt(proof, told.identity.public_key())
    run(told, "receipts", member="m-2")
    assert capsys.readouterr().out == "0 receipts\n"


def test_the_logs_are_verified(told: Headquarters, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each store; all are whole."""
    assert run(told, "receipts", verify=True) is None
    assert capsys.readouterr().out == f"{STORE}: the log is whole\n"


@pytest.mark.parametrize(
    "chosen", [{}, {"member": "m-1", "verify": True}, {"member": "m-9"}, {"member": "m-2", "prove": f"{STORE}/00/1"}]
)
def test_what_makes_no_sense_is_refused(told: Headquarters, chosen: dict[str, object]) -> None:
    """Neither or both, a member who is none, a receipt that is another's."""
    with pytest.raises(Refused):
        run(told, "receipts", **chosen)


def test_delays_are_told_by_store(told: Headquarters, capsys: pytest.CaptureFixture[str]) -> None:
    """Count, median, 95th percentile, worst, and how many a tablet did not confirm."""
    for store in (None, STORE):
        run(told, "delays", store=store)
        title, line = capsys.readouterr().out.splitlines()
        assert title.split()[:5] == ["store", "count", "median", "p95", "worst"]
        assert line.split()[:9] == [STORE, "4", "200", "ms", "9000", "ms", "9000", "ms", "1"]
    run(told, "delays", store="berlin-9")
    assert len(capsys.readouterr().out.splitlines()) == 1
