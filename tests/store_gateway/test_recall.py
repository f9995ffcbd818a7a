"""What a store tells an HQ that was restored from a backup: all that it holds of its members, and no value."""

from store_gateway.replica import Replica
from tests.fakes.hq import STORE, TODAY, FakeHQ, Line, a_member
from wire import schema, sync, tree
from wire.member import Member, Mode, Muted
from wire.recall import HELD_BYTES, Denied, Recalled
from wire.sync import Collection, MuteKind, Outcome, Verb

ADA, BEN, EVE = (bytes([number]) * 16 for number in (1, 2, 3))
MEMBERS = sync.instance(Collection.MEMBERS, STORE)
WITHDRAWAL = sync.Withdrawal("size.shoe", "ada", "tablet-1")


def recalled(line: Line, hq: FakeHQ, since: int) -> Recalled:
    """The answer, whole."""
    before = len(line.hq.dones)
    order = hq.order(Verb.RECALL, since.to_bytes(8, "big"))
    line.log.append(line.replica.on_payload(line.hq.say(order), False, line.now_s))
    line.run(3)
    parts = line.hq.dones[before:]
    assert {one.outcome for one in parts} == {Outcome.DONE}
    assert [one.part for one in parts] == list(range(1, parts[0].parts + 1))
    return schema.decode(Recalled, b"".join(one.result for one in parts))


def test_what_came_after_the_backup_is_told_and_the_rest_is_named(line: Line, hq: FakeHQ) -> None:
    """A member as before, one who changed, one who left; statements without values; what was refused in the store."""
    line.tell(hq.member(ADA, a_member()))
    line.tell(hq.member(BEN, a_member()))
    line.tell(hq.member(EVE, a_member()))
    line.run(40)
    since = hq.instances[MEMBERS].n
    line.tell(hq.member(BEN, a_member(Mode.OPEN)))
    line.tell(hq.member(EVE, None))
    line.down()
    line.replica.deny(ADA, "size.shoe", WITHDRAWAL, line.now_s)
    line.replica.mute(ADA, sync.Mute(MuteKind.THEME, "baby", "ada", "tablet-1"), line.now_s)
    line.replica.on_link(True, line.now_s)
    found = recalled(line, hq, since)
    key = hq.instances[MEMBERS].digest_key
    columns = {name: tree.column(key, name) for name in (ADA, BEN, EVE)}
    newer = {one.column: one for one in found.newer}
    assert found.since == since
    assert [found.held[at : at + 16] for at in range(0, len(found.held), HELD_BYTES)] == [columns[ADA]]
    assert newer[columns[BEN]].member is not None
    member = schema.decode(Member, newer[columns[BEN]].member or b"")
    assert (member.mode, member.fields) == (Mode.OPEN, ())
    assert member.statements == a_member(Mode.OPEN).statements
    assert columns[EVE] not in newer or newer[columns[EVE]].member is None
    assert found.denied == (Denied(ADA, 1, "size.shoe", None), Denied(ADA, 2, None, Muted(MuteKind.THEME, "baby")))
    assert found.incarnation == next(iter(hq.shares))
    assert found.erased == ()
    assert found.floors[0].prefix == b""
    assert sync.instance(Collection.KEYRING, STORE, TODAY) in {one.instance for one in found.others}
    assert MEMBERS not in {one.instance for one in found.others}


def test_a_recall_from_the_beginning_names_nobody_as_held(line: Line, hq: FakeHQ) -> None:
    """Then everything is newer; and asking changed nothing."""
    line.tell(hq.member(ADA, a_member()))
    line.run(40)
    found = recalled(line, hq, 0)
    assert (found.held, len(found.newer)) == (b"", 1)
    assert line.replica.member(ADA) is not None
    assert line.live()


def test_whom_it_was_ordered_to_erase_is_told_by_a_hash(line: Line, hq: FakeHQ) -> None:
    """Also after a further erasure and a start; the cache has the member's name nowhere. Its record is told as gone."""
    line.tell(hq.member(ADA, a_member()))
    line.tell(hq.member(BEN, a_member()))
    line.run(40)
    since = hq.instances[MEMBERS].n
    for one in (ADA, EVE):
        line.tell(hq.member(one, None))
        line.log.append(line.replica.on_payload(hq.say(hq.order(Verb.ERASE, one)), False, line.now_s))
        line.run(10)
    line.replica.close()
    line.replica = Replica(STORE, line.replica._file, hq.box(), "test/1")
    line.up()
    key = hq.instances[MEMBERS].digest_key
    assert set(recalled(line, hq, since).erased) == {tree.column(key, one) for one in (ADA, EVE)}
    line.replica.close()
    assert ADA not in line.replica._file.read_bytes()
