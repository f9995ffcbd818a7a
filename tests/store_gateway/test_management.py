"""What managers and operators see of tablets, how a tablet is unpaired, and browsers that are too old."""

from dataclasses import replace

import pytest

from store_gateway import tablet_list
from store_gateway.errors import CacheReason
from tests.store_gateway.pad import ANYBODY, DARK, OPERATOR, SIGNED_OUT, UNPAIRED, Pad, idles
from tests.world import World, a_policy
from wire import query, sync, synthetic
from wire.browsers import BrowserRule, Family
from wire.query import Refused, RefusedReason
from wire.sync import EventKind

OUTDATED = Refused(RefusedReason.OUTDATED)
OLD, NEW = (f"Mozilla/5.0 (Linux; Android 10; K) Chrome/{one}.0.0.0 Safari/537.36" for one in (119, 120))


def listed(world: World, manager: Pad) -> tuple[query.TabletLine, ...]:
    """What a manager sees."""
    reply = world.ask(query.AskTablets(manager.session))
    assert isinstance(reply, query.Tablets)
    return reply.tablets


def strict(least: int = 120, *, unknown: bool | None = None) -> World:
    """A store whose policy names a least browser."""
    policy = a_policy()
    rules = (BrowserRule(Family.CHROMIUM, least),)
    return World(replace(policy, main=replace(policy.main, browsers=rules, unknown_browsers=unknown)))


def test_a_manager_sees_each_tablet_and_who_is_signed_in() -> None:
    """Label, browser by name as it said last, since when paired, last seen, locked or not; the probe's is not there."""
    world = World()
    till = Pad(world, "ada", "Till", OLD)
    world.passes(10)
    manager = Pad(world, "max", "Office", NEW)
    Pad(world, None, "Spare")
    world.ask(query.LockSession(till.session))
    world.now_s += 60
    assert isinstance(till.finished(query.Unlock(till.session, "0000", NEW)), Refused)
    lines = {one.label: one for one in listed(world, manager)}
    paired_ms = lines["Till"].paired_ms
    assert lines["Till"] == query.TabletLine(
        till.id, "Till", "Chrome 120", paired_ms, world.now_ms, "Ada", locked=True, own=False
    )
    assert (lines["Office"].own, lines["Office"].associate, lines["Office"].seen_ms) == (True, "Max", world.now_ms)
    assert (lines["Spare"].browser, lines["Spare"].associate, lines["Spare"].seen_ms) == ("", None, None)
    assert world.now_ms - 71_000 <= paired_ms <= world.now_ms - 70_000


def test_the_probes_tablet_is_neither_listed_nor_unpaired() -> None:
    """It is nobody's, and the store's alarm hangs on it."""
    world = World()
    manager = Pad(world, "max")
    paired = world.ask(query.Pair(world.gateway._doors.pairing.mint_probe(world.now_s), "", "consentry-probe"))
    assert isinstance(paired, query.Paired)
    assert [one.own for one in listed(world, manager)] == [True]
    assert world.ask(query.Unpair(manager.session, paired.id)) == query.Withheld()
    assert [one.label for one in world.replica.tablets()].count(synthetic.LABEL) == 1


def test_a_manager_unpairs_a_lost_tablet() -> None:
    """Its session, stream and secret end at once, and HQ is told; what is not there is 404, on the own tablet too."""
    world = World()
    lost, manager = Pad(world), Pad(world, "max")
    assert world.ask(query.Unpair(manager.session, lost.id)) == query.Accepted()
    assert lost.floor() == lost.unlock() == SIGNED_OUT
    assert lost.sign_in("ada") == UNPAIRED
    assert world.replica.events[-1] == (EventKind.PAIRING, None, sync.Pairing(lost.id, False))
    assert world.ask(query.Unpair(manager.session, lost.id)) == query.Withheld()
    world.replica.fail = CacheReason.DISK_FULL
    assert world.ask(query.Unpair(manager.session, manager.id)) == DARK
    world.replica.fail = None
    assert world.ask(query.Unpair(manager.session, manager.id)) == query.Accepted()
    assert manager.floor() == SIGNED_OUT


def test_an_operator_lists_and_unpairs_on_the_own_socket_alone() -> None:
    """Without a session; as lines to read."""
    world = World()
    till = Pad(world, "ada", "Till", NEW)
    reply = world.gateway.answer(query.AskTablets(None), OPERATOR, world.now_s)
    assert isinstance(reply, query.Tablets)
    assert tablet_list.text(reply) == (
        f"{till.id} Till; paired 2026-11-21 12:00 UTC; Chrome 120; not seen since the gateway started; signed in Ada\n"
    )
    assert tablet_list.text(query.Tablets(())) == "no tablet is paired\n"
    unpair = query.Unpair(None, till.id)
    assert world.gateway.answer(unpair, ANYBODY, world.now_s) == Refused(RefusedReason.FORBIDDEN)
    assert world.gateway.answer(unpair, OPERATOR, world.now_s) == query.Accepted()
    assert till.floor() == SIGNED_OUT


def test_a_manager_pairs_a_tablet() -> None:
    """By a code like an operator's."""
    world = World()
    code = world.ask(query.MintTabletCode(Pad(world, "max").session))
    assert isinstance(code, query.PairingCode)
    assert isinstance(world.ask(query.Pair(code.code, "", "")), query.Paired)


def test_a_browser_below_policys_minimum_is_not_paired() -> None:
    """The code is spent; a new enough one, and one that is not known, are."""
    world = strict()
    code = world.gateway.answer(query.MintPairing(), OPERATOR, world.now_s)
    assert isinstance(code, query.PairingCode)
    assert world.ask(query.Pair(code.code, "", OLD)) == OUTDATED
    assert world.replica.tablets() == ()
    assert world.ask(query.Pair(code.code, "", NEW)) == Refused(RefusedReason.WRONG)
    assert Pad(world, "ada", "", NEW).id != Pad(world, "ada", "", "").id


def test_policy_may_keep_unknown_browsers_out() -> None:
    """Where it says so; the probe is no browser, and comes in."""
    world = strict(unknown=False)
    code = world.gateway.answer(query.MintPairing(), OPERATOR, world.now_s)
    assert isinstance(code, query.PairingCode)
    assert world.ask(query.Pair(code.code, "", "Lynx/2.9")) == OUTDATED
    minted = world.gateway._doors.pairing.mint_probe(world.now_s)
    assert isinstance(world.ask(query.Pair(minted, "", "consentry-probe")), query.Paired)


@pytest.mark.parametrize("locked", [False, True])
def test_a_tablet_whose_browser_became_too_old_is_unpaired(locked: bool) -> None:
    """At the sign-in and at the unlock, before the PIN is looked at: told why, recorded, counted."""
    world = World()
    pad = Pad(world, "ada", "", NEW)
    main = replace(a_policy().main, version=2, browsers=(BrowserRule(Family.CHROMIUM, 121),))
    world.hq_says(world.replica.put_policy(replace(a_policy(), main=main)))
    if locked:
        idles(world)
        assert pad.finished(query.Unlock(pad.session, "0000", NEW)) == OUTDATED
    else:
        assert pad.sign_in("ada", "0000", NEW) == OUTDATED
    assert pad.sign_in("ada") == UNPAIRED
    assert pad.floor() == SIGNED_OUT
    assert world.replica.events[-1] == (EventKind.PAIRING, None, sync.Pairing(pad.id, False))
    counted = {one.name: one.value for one in world.gateway.status(world.now_s, operator=False).counters}
    assert (counted["browsers_outdated_total"], counted["pins_wrong_total"]) == (1, 0)
