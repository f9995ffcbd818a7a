"""What a store tells an HQ that was restored from a backup: all that it holds of its members, and no value."""

from collections.abc import Callable

import pytest

from store_gateway.core.floors import Floors
from store_gateway.replica import Replica
from store_gateway.vault import Touched, Vault
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


def the_vault(line: Line) -> Vault:
    """What the unlocked cache holds."""
    vault = line.replica._hq.vault
    assert vault is not None
    return vault


def floors(line: Line) -> Floors:
    """Those that ranges raised for some of the members."""
    return the_vault(line).holdings.instances[MEMBERS].floors


def unlocked(line: Line) -> Line:
    """It was started, and no lease told it the time yet."""
    line.replica.on_link(True, line.now_s)
    line.run(6, carry=lambda payload: line.replica._hq.vault is None)
    return line


def test_a_store_in_mid_fill_tells_the_floor_of_every_node(
    start: Callable[[], Line], hq: FakeHQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HQ went in the middle of a fill and was restored. What is told again after a start of the box is the same."""
    line = start()
    line.up()
    for number in range(300):
        hq.member(number.to_bytes(16, "big"), a_member())  # all lost on the way
    line.run(60, carry=lambda payload: not floors(line).highest)
    monkeypatch.setattr(hq, "node", lambda wanted: [])  # nor does it go on with the fill
    nodes = [node.to_bytes(2, "big") for node in range(65_536)]
    held = [floors(line).at(node) for node in nodes]
    assert {0, 300} == set(held)
    for _ in range(2):
        hq.refuse = sync.RefusalReason.RECOVERING
        line.run(20)
        found = recalled(line, hq, 100)
        told = {one.prefix: one.as_of for one in found.floors}
        assert [max(told.get(node[:length], 0) for length in (0, 1, 2)) for node in nodes] == held
        assert 1 < len(told) == len(found.floors) < 65_536
        hq.refuse = None
        line = unlocked(start())


def test_a_floor_of_every_node_fits(line: Line, hq: FakeHQ) -> None:
    """Each another, below a floor of the whole."""
    line.tell(hq.member(ADA, a_member()))
    line.run(40)
    held = the_vault(line).holdings.instances[MEMBERS]
    assert held.floor == 1
    for node in range(65_536):
        held.floors.raise_(node.to_bytes(2, "big"), node.to_bytes(2, "big"), 2 + node)
    found = recalled(line, hq, 1)
    assert found.floors[0].as_of == 1
    assert len(found.floors) == 1 + 65_536
    assert {one.as_of for one in found.floors} == set(range(1, 2 + 65_536))


def test_members_who_are_gone_meanwhile_are_not_told_by_half(line: Line, hq: FakeHQ) -> None:
    """The order has failed; the store is none the worse."""
    for number in range(130):
        line.tell(hq.member(number.to_bytes(16, "big"), a_member()))
    order = hq.order(Verb.RECALL, (0).to_bytes(8, "big"))
    line.replica.on_payload(hq.say(order), False, line.now_s)
    for _ in range(3):
        line.replica.work(64, line.now_s)
    the_vault(line).drop(MEMBERS, Touched())
    line.run(1)
    assert [(one.order, one.outcome) for one in hq.dones] == [(order.id, Outcome.FAILED)]
    assert not line.replica.failed()
