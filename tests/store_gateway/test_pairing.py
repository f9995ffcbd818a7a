"""A tablet is paired with its event or not at all, on a real cache file; the rest is in `test_doors`."""

import secrets

import pytest

from store_gateway.errors import CacheError, CacheReason
from store_gateway.outbox import Outbox
from store_gateway.pairing import Pairing
from store_gateway.tries import Tries
from tests.fakes.hq import FakeHQ, Line
from wire import query, schema, sync
from wire.query import DarkReason, Refused, RefusedReason
from wire.sync import EventKind


def pair(line: Line) -> query.Paired | Refused:
    """A fresh code, used."""
    found = Pairing("berlin-1", line.replica, secrets.token_bytes, Tries(), lambda gone: None)
    code = found.mint(line.now_s).code
    return found.pair(query.Pair(code, "Till", "Fox"), line.now_s)


def told(hq: FakeHQ) -> list[sync.Pairing]:
    """What HQ heard of pairings."""
    return [schema.decode(sync.Pairing, one.body) for one in hq.events.values() if one.kind is EventKind.PAIRING]


def test_hq_hears_of_a_pairing(line: Line, hq: FakeHQ) -> None:
    """At the time at which the tablet was paired."""
    reply = pair(line)
    assert isinstance(reply, query.Paired)
    line.run(30)
    assert told(hq) == [sync.Pairing(reply.id, True)]
    (tablet,) = line.replica.tablets()
    assert [one.at_ms for one in hq.events.values()] == [tablet.paired_ms]


def test_where_the_event_cannot_be_kept_no_tablet_is_paired(
    line: Line, hq: FakeHQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody holds a pairing of which HQ never hears."""

    def full(*_: object) -> int:
        raise CacheError(CacheReason.DISK_FULL)

    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "add", full)
        assert pair(line) == Refused(RefusedReason.DARK)
        assert line.replica.lease(line.now_s).reason is DarkReason.DISK
    line.run(30)
    assert line.live()
    assert line.replica.tablets() == ()
    assert told(hq) == []
