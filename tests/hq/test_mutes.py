"""Mutes at HQ: folded in from stores, set and taken back at HQ, and in the record of every store."""

import argparse

import pytest
from sqlalchemy import select

from hq import mute_commands
from hq.database import reading
from hq.errors import Reason, Refused
from hq.office import MOST_OWN_MUTES
from hq.tables import consent_events
from tests.fakes.store import FakeStore
from tests.hq.headquarters import STORE, Headquarters
from wire import schema
from wire.member import MOST_MUTES, Muted
from wire.sync import Event, EventKind, Mute, MuteKind, Withdrawal

BABY = Muted(MuteKind.THEME, "baby")


@pytest.fixture
def store(hq: Headquarters) -> FakeStore:
    """The store's box, filled."""
    made = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    hq.join("m-1", "size.shoe")
    made.come_up(hq.answers)
    made.fill(hq.answers)
    hq.later(10)
    made.say(hq.answers, made.hello())
    return made


def mute(hq: Headquarters, number: int, one: Muted, body: bytes | None = None) -> Event:
    """The member muted something in the store."""
    said = schema.encode(Mute(one.what, one.id, "nina", "t-1")) if body is None else body
    return Event(number, EventKind.MUTE, hq.now_ms, hq.pseudonym("m-1"), said)


def test_a_mute_in_a_store_is_folded_in_once(hq: Headquarters, store: FakeStore) -> None:
    """It becomes a consent event; from then on the record bears it and names its number."""
    for _ in range(2):
        store.say(hq.answers, store.events(mute(hq, 1, BABY)))
    found = hq.record("m-1")
    assert found is not None
    assert (found.mutes, found.acts_incarnation, found.acts_through) == ((BABY,), store.incarnation, 1)
    with reading(hq.engine) as connection:
        methods = connection.scalars(select(consent_events.c.method).where(consent_events.c.method == "in-store")).all()
    assert len(methods) == 1
    hq.check()


def test_mutes_and_withdrawals_of_one_batch_are_all_folded_in(hq: Headquarters, store: FakeStore) -> None:
    """The record names the last of them; a mute that cannot be read is left to the store, which keeps it denied."""
    gone = Event(2, EventKind.WITHDRAWAL, hq.now_ms, hq.pseudonym("m-1"),
                 schema.encode(Withdrawal("size.shoe", "nina", "t-1")))  # fmt: skip
    item = Muted(MuteKind.ITEM, "i-1")
    store.say(hq.answers, store.events(mute(hq, 1, BABY), gone, mute(hq, 3, item), mute(hq, 4, BABY, b"\x00")))
    found = hq.record("m-1")
    assert found is not None
    assert (set(found.mutes or ()), found.acts_through) == ({BABY, item}, 3)
    assert "size.shoe" not in {scope for one in found.statements for scope in one.scopes}


def test_a_mute_of_a_member_out_of_the_audience_waits_for_the_return(hq: Headquarters, store: FakeStore) -> None:
    """Muted, then everything withdrawn: a later grant brings a record that bears it."""
    everything = Event(2, EventKind.WITHDRAWAL, hq.now_ms, hq.pseudonym("m-1"),
                       schema.encode(Withdrawal(None, "nina", "t-1")))  # fmt: skip
    store.say(hq.answers, store.events(mute(hq, 1, BABY), everything))
    assert hq.record("m-1") is None
    hq.later(10)
    hq.grant("m-1", "presence")
    found = hq.record("m-1")
    assert found is not None
    assert (found.mutes, found.acts_through) == ((BABY,), 2)


def test_the_member_mutes_and_takes_back_at_hq(hq: Headquarters, capsys: pytest.CaptureFixture[str]) -> None:
    """By the commands; taken back, the record says nothing of it."""
    hq.join("m-1", "size.shoe")
    top = argparse.ArgumentParser()
    mute_commands.PART.options(top.add_subparsers(dest="command"))

    def command(name: str, *words: str) -> None:
        hq.now_ms += 1000
        assert not mute_commands.PART.runs[name, ""](hq.office, top.parse_args([name, "m-1", *words]), hq.now_ms)

    for words in (("--theme", "baby"), ("--item", "i-1"), ("--category", "shoes")):
        command("mute", *words)
    found = hq.record("m-1")
    assert found is not None
    assert found.mutes == (Muted(MuteKind.CATEGORY, "shoes"), Muted(MuteKind.ITEM, "i-1"), BABY)
    for words in (("--theme", "baby"), ("--item", "i-1"), ("--category", "shoes")):
        command("unmute", *words)
    found = hq.record("m-1")
    assert found is not None and found.mutes is None
    assert capsys.readouterr().out.count("consent event") == 6
    with pytest.raises(SystemExit):
        top.parse_args(["mute", "m-1"])
    with pytest.raises(SystemExit):
        top.parse_args(["mute", "m-1", "--item", "a", "--theme", "b"])


def test_what_cannot_be_muted_is_refused(hq: Headquarters, store: FakeStore) -> None:
    """A name that cannot be one, an unknown member, one more than a record bears; a mute in a store always holds."""
    for wrong in ("", "x" * 65):
        with pytest.raises(Refused) as refused:
            hq.office.mute("m-1", Muted(MuteKind.ITEM, wrong), hq.now_ms)
        assert refused.value.reason is Reason.MALFORMED
    with pytest.raises(Refused) as refused:
        hq.office.mute("m-9", BABY, hq.now_ms)
    assert refused.value.reason is Reason.UNKNOWN_MEMBER
    many = [mute(hq, number, Muted(MuteKind.ITEM, f"i-{number}")) for number in range(1, MOST_MUTES + 1)]
    store.say(hq.answers, store.events(*many[:MOST_OWN_MUTES]))
    store.say(hq.answers, store.events(*many[MOST_OWN_MUTES:]))
    with pytest.raises(Refused) as refused:
        hq.office.mute("m-1", BABY, hq.now_ms)
    assert refused.value.reason is Reason.TOO_MANY
    hq.office.mute("m-1", Muted(MuteKind.ITEM, "i-7"), hq.now_ms)
    hq.later(10)
    store.say(hq.answers, store.hello())
    store.say(hq.answers, store.events(mute(hq, MOST_MUTES + 1, BABY)))
    found = hq.record("m-1")
    assert found is not None and found.mutes is not None
    assert len(found.mutes) == MOST_MUTES and BABY in found.mutes
