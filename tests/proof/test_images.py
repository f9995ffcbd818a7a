"""An old copy put back, a clone, two boxes with one identity, HQ from yesterday: what was taken back stays so."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from consent.visit import NOTHING_DENIED
from hq import alarms, erasure, recovering, recovery
from hq.alarms import Alarm
from hq.custody_tables import erasures
from hq.database import reading
from hq.erasure import Progress
from tests.proof.chain import SCOPES, Box, Chain
from wire.events import Mute, MuteKind
from wire.member import Muted
from wire.query import DarkReason, Light


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """One store, live, with three members."""
    made = Chain(tmp_path)
    for name in ("m-1", "m-2", "m-3"):
        made.join(name, *SCOPES)
    made.up()
    made.run(20)
    yield made
    made.close()


def alarmed(chain: Chain) -> set[str]:
    """The alarms that are open."""
    with reading(chain.hq.engine) as connection:
        return {row.alarm for row in alarms.open_alarms(connection)}


def known(chain: Chain, name: str) -> bytes:
    """The member's pseudonym."""
    found = chain.hq.pseudonym(name)
    assert found is not None
    return found


def looks(chain: Chain, box: Box, seconds: float) -> bool:
    """Lets time pass and looks at the tablet all the while; whether anything was ever shown."""
    shown = False
    for _ in range(int(seconds / 5)):
        chain.run(5)
        box.check_shown()
        shown = shown or bool(box.sees())
    return shown


def withdraw_here(box: Box, pseudonym: bytes) -> None:
    """In the store, everything."""
    for secrets in box.chain.secrets.values():
        box.calls(secrets[0])
    assert box.withdraws(pseudonym, None)


def test_an_old_image_of_the_cache_gets_no_lease(chain: Chain) -> None:
    """Put back after the box had started again since: dark and refused for ever, HQ is alarmed; a wiped box goes on."""
    (box,) = chain.boxes
    box.copy_to(box.file.with_suffix(".old"))
    box.restart()
    chain.settle()
    withdraw_here(box, known(chain, "m-1"))
    chain.hq.office.withdraw("m-2", chain.hq.now_ms)
    chain.run(30)
    box.put_back(box.file.with_suffix(".old"))
    assert not looks(chain, box, 300)
    assert box.light() == (Light.LOCKED, DarkReason.RESTORED)
    assert Alarm.STALE_TICKET in alarmed(chain)
    box.wipe()
    chain.settle()
    chain.check_end()
    assert box.member(known(chain, "m-1")) is None
    assert box.member(known(chain, "m-2")) is None


def test_an_image_of_the_same_boot_is_no_older_truth(chain: Chain) -> None:
    """Put back within the boot in which it was made: what was withdrawn since is not shown, no event is lost unseen."""
    (box,) = chain.boxes
    box.copy_to(box.file.with_suffix(".old"))
    withdraw_here(box, known(chain, "m-1"))
    chain.hq.office.withdraw("m-2", chain.hq.now_ms)
    chain.run(30)
    incarnation = box.incarnation
    stored = chain.stored_events(box)
    box.put_back(box.file.with_suffix(".old"))
    box.kept.clear()
    shown = looks(chain, box, 60)
    assert alarmed(chain), "HQ knows more of this cache than the cache itself, and says nothing"
    if shown or box.live():
        chain.run(60)
        after = chain.stored_events(box)
        assert box.incarnation != incarnation or len(after) >= len(stored) + len(box.kept), "events took numbers twice"


@pytest.mark.long
def test_of_a_box_and_its_clone_one_has_the_lease(chain: Chain) -> None:
    """Two programs on copies of one file: never both live beyond a lease, and HQ is alarmed."""
    (box,) = chain.boxes
    twin_file = box.file.with_suffix(".twin")
    box.copy_to(twin_file)
    twin = Box(chain, box.store, box.keys, twin_file)
    chain.boxes.append(twin)
    twin.link(True)
    chain.run(150)  # a lease that was given before may end first
    for _ in range(30):
        chain.run(5)
        assert not (box.live() and twin.live())
        box.check_shown()
        twin.check_shown()
    assert Alarm.STALE_TICKET in alarmed(chain)
    chain.hq.office.withdraw("m-1", chain.hq.now_ms)
    chain.run(150)
    for one in chain.boxes:
        assert known(chain, "m-1") not in one.sees()


@pytest.mark.long
def test_of_two_boxes_with_one_identity_one_has_the_lease(chain: Chain) -> None:
    """A second box with the store's keys and an empty cache: one is live, the other refused, and HQ is alarmed."""
    (box,) = chain.boxes
    other = Box(chain, box.store, box.keys, box.file.with_name("other.db"))
    chain.boxes.append(other)
    other.link(True)
    chain.run(150)
    for _ in range(30):
        chain.run(5)
        assert not (box.live() and other.live())
        box.check_shown()
        other.check_shown()
    assert alarmed(chain) & {Alarm.STALE_TICKET}


@pytest.mark.long
def test_an_old_boots_recorded_hello_puts_nobody_out(chain: Chain) -> None:
    """Recorded just before the program began again, and replayed while its challenge is fresh."""
    (box,) = chain.boxes
    chain.run(20)
    box.restart()
    recorded = [one for one in chain.broker.recorded if one.topic == "up"]
    chain.run(3)
    assert box.live()
    for _ in range(8):
        for parcel in recorded:
            chain.deliver(parcel)
        chain.run(5)
        assert box.live(), box.light()
    chain.hq.office.withdraw("m-1", chain.hq.now_ms)
    chain.carry()
    assert box.member(known(chain, "m-1")) is None, "HQ seals to a boot that is gone"
    assert not alarmed(chain)


def test_hq_restored_from_yesterday_takes_nothing_back_into_the_light(chain: Chain, tmp_path: Path) -> None:
    """Stores that know more make HQ refuse and alarm; after `recover` what was withdrawn meanwhile is withdrawn, and
    all agree."""
    (box,) = chain.boxes
    chain.back_up_hq(tmp_path / "backup.db")
    chain.hq.office.withdraw("m-1", chain.hq.now_ms)
    chain.hq.office.withdraw("m-2", chain.hq.now_ms, scopes=("size.shoe",))
    chain.run(30)
    withdraw_here(box, known(chain, "m-3"))
    chain.run(30)
    known_as = {name: known(chain, name) for name in ("m-1", "m-2", "m-3")}
    stored = chain.stored_events(box)[-1][0]
    chain.restore_hq(tmp_path / "backup.db")
    chain.run(200)
    assert not box.live() and not box.sees()
    assert Alarm.AHEAD_OF_HQ in alarmed(chain)
    recover(chain)
    chain.settle()
    chain.hq.later(600)  # a token calls once
    chain.run(20)
    box.calls(chain.secrets["m-2"][0])
    assert known_as["m-2"] in box.sees(), "and the store works again"
    chain.check_end(lost_through=stored)
    assert Alarm.EVENTS_LOST in alarmed(chain), "what went down with HQ's database is not passed over in silence"
    assert box.member(known_as["m-1"]) is None
    assert box.member(known_as["m-3"]) is None
    second = box.member(known_as["m-2"])
    assert second is not None and "size.shoe" not in {one.scope for one in second.fields}


def test_hq_restored_from_yesterday_erases_again_and_forgets_no_mute(tmp_path: Path) -> None:
    """One store did the erasure, the other was out of reach: its member's key, which the backup brought back, is
    destroyed, and the other store is told; a mute made in a store and one made at HQ stand, and no denial stays."""
    chain = Chain(tmp_path, stores=2)
    for name in ("m-1", "m-2", "m-3"):
        chain.join(name, *SCOPES)
    chain.up()
    chain.run(20)
    near, far = chain.boxes
    hq = chain.hq
    far_known = hq.pseudonym("m-1", far.store)
    known_as = {name: known(chain, name) for name in ("m-1", "m-2", "m-3")}
    assert far_known is not None
    chain.back_up_hq(tmp_path / "backup.db")
    far.link(False)
    chain.erase("m-1")
    baby, item = Muted(MuteKind.THEME, "baby"), Muted(MuteKind.ITEM, "i-1")
    hq.office.mute("m-3", baby, hq.now_ms)
    near.replica.mute(known_as["m-2"], Mute(item.what, item.id, "nina", "tablet-1"), near.now_s)
    chain.run(60)
    folded = near.member(known_as["m-2"])
    assert folded is not None and folded.mutes == (item,)
    near.replica.mute(known_as["m-2"], Mute(baby.what, baby.id, "nina", "tablet-1"), near.now_s)
    stored = chain.stored_events(near)[-1][0]
    assert far.member(far_known) is not None, "nobody told it"
    chain.restore_hq(tmp_path / "backup.db")
    chain.run(20)
    far.link(True)
    assert near.member(known_as["m-1"]) is None
    with reading(hq.engine) as connection:
        assert hq.keys.custody.reference(connection, "m-1") is not None, "the backup has it still"
    recover(chain)
    with reading(hq.engine) as connection:
        assert hq.keys.custody.reference(connection, "m-1") is None
    chain.settle()
    with reading(hq.engine) as connection:
        (reference,) = connection.scalars(select(erasures.c.id)).all()
        (told,) = erasure.find(connection, hq.keys, reference.hex())
    assert {one.store: one.progress for one in told.stores} == dict.fromkeys((near.store, far.store), Progress.DONE)
    assert near.member(known_as["m-1"]) is None
    assert far.member(far_known) is None
    for name, muted in (("m-2", (item, baby)), ("m-3", (baby,))):
        member = near.member(known_as[name])
        assert member is not None and member.mutes == muted
        assert near.replica.denied(known_as[name]) == NOTHING_DENIED
    chain.check_end(lost_through=stored)
    chain.close()


def recover(chain: Chain) -> None:
    """`consentry-hq recover`, while HQ serves."""
    engine = chain.hq.engine
    number = recovering.begin(engine, chain.hq.now_ms)
    for _ in range(60):
        chain.run(10)
        recovering.advance(engine, chain.hq.keys, number, chain.hq.now_ms)
        states = {one.state for one in recovery.progress(engine, number) if one.seen}
        if not states & {recovery.State.WAITING, recovery.State.ANSWERED}:
            break
    else:
        raise AssertionError(recovery.progress(engine, number))
    assert not any(box.sees() for box in chain.boxes), "shown while HQ recovers"
    list(recovering.end(engine, number, chain.hq.now_ms))


@pytest.mark.long
def test_hq_restored_while_nobody_withdrew_recovers_too(chain: Chain, tmp_path: Path) -> None:
    """Also where only profiles changed, and where stores come back one after the other."""
    (box,) = chain.boxes
    chain.back_up_hq(tmp_path / "backup.db")
    chain.hq.publish(session_idle_s=61)
    chain.run(30)
    chain.restore_hq(tmp_path / "backup.db")
    box.restart()
    chain.run(200)
    assert not box.live()
    recover(chain)
    chain.settle()
    chain.check_end(lost_through=1)


@pytest.mark.long
def test_a_recording_of_before_the_restore_brings_nothing_back(chain: Chain, tmp_path: Path) -> None:
    """All that HQ ever said before, replayed after the recovery."""
    (box,) = chain.boxes
    chain.back_up_hq(tmp_path / "backup.db")
    chain.hq.office.withdraw("m-1", chain.hq.now_ms)
    chain.run(30)
    known_as = known(chain, "m-1")
    chain.restore_hq(tmp_path / "backup.db")
    chain.run(20)
    recover(chain)
    chain.settle()
    before = box.held()
    stored = chain.stored_events(box)
    for parcel in list(chain.broker.recorded):
        chain.deliver(parcel)
    assert (box.held(), chain.stored_events(box)) == (before, stored)
    assert box.member(known_as) is None
    chain.run(60)
    chain.settle()
    chain.check_end(lost_through=1)
