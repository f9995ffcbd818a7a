"""Of two statements on one matter the later choice carries, and in every doubt the withdrawal."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.grants import carrying, in_force
from consent.verdict import Rule
from tests.strategies import DAY_S, NOW_S, STORE, member, members, statement, statements
from wire.member import State

GRANT = statement("size.shoe")
WITHDRAWAL = replace(GRANT, state=State.WITHDRAWN)


def carried(*given_statements, scope="size.shoe", purpose="assist"):
    """What carries on one matter, whatever the order of the statements."""
    forward = carrying(member(*given_statements), STORE, purpose, scope, NOW_S)
    backward = carrying(member(*reversed(given_statements)), STORE, purpose, scope, NOW_S)
    assert forward == backward or set(forward) == set(backward)
    return forward


def at(one, chosen_s):
    """The statement with another time of choice."""
    return replace(one, chosen_s=chosen_s)


def test_a_grant_alone_carries():
    """One grant on a matter is what counts there."""
    assert carried(GRANT) == (GRANT,)


@pytest.mark.parametrize(
    "withdrawn_s",
    [NOW_S - 10 * DAY_S, NOW_S - 1, NOW_S, NOW_S + 1, NOW_S + 10 * DAY_S, None],
    ids=["equal", "later", "now", "future", "far future", "unknown"],
)
def test_a_withdrawal_wins_unless_it_was_chosen_earlier(withdrawn_s):
    """Chosen later, at the same time, at an unknown time or in the future: the withdrawal wins."""
    assert carried(GRANT, at(WITHDRAWAL, withdrawn_s)) is Rule.WITHDRAWN


def test_a_later_grant_wins_over_an_earlier_withdrawal():
    """Who grants again after a withdrawal is shown again."""
    assert carried(GRANT, at(WITHDRAWAL, NOW_S - 11 * DAY_S)) == (GRANT,)


@pytest.mark.parametrize(("chosen_s", "rule"), [(None, Rule.CHOICE_UNTIMED), (NOW_S + 1, Rule.CHOICE_IN_FUTURE)])
def test_a_grant_without_a_credible_time_of_choice_carries_nothing(chosen_s, rule):
    """A grant whose time of choice is unknown or in the future is a doubt."""
    assert carried(at(GRANT, chosen_s)) is rule


def test_a_late_import_never_beats_the_withdrawal_made_after_its_choice():
    """A grant chosen long ago and imported today loses against the withdrawal in between."""
    imported = replace(GRANT, from_s=NOW_S, chosen_s=NOW_S - 100 * DAY_S)
    assert carried(at(WITHDRAWAL, NOW_S - 50 * DAY_S), imported) is Rule.WITHDRAWN


def test_a_narrower_later_grant_replaces_the_wider_one():
    """The later choice counts even where it allows less."""
    narrower = replace(GRANT, roles=("manager",), chosen_s=NOW_S - 1)
    assert carried(GRANT, narrower) == (narrower,)


def test_grants_of_one_instant_come_together():
    """Two grants of the same moment both count, so that both have to allow."""
    other = replace(GRANT, roles=("manager",))
    assert set(carried(GRANT, other)) == {GRANT, other}


def test_a_withdrawal_of_a_purpose_covers_every_scope():
    """A withdrawal that names no scope withdraws all of its purpose."""
    assert carried(GRANT, replace(WITHDRAWAL, scopes=(), chosen_s=NOW_S - 1)) is Rule.WITHDRAWN


def test_a_withdrawal_of_presence_counts_however_it_is_scoped():
    """Presence is one matter: no scope written beside it makes the withdrawal miss."""
    present = statement(purpose="presence")
    away = replace(present, state=State.WITHDRAWN, scopes=("size.shoe",), chosen_s=NOW_S - 1)
    assert carried(present, away, scope=None, purpose="presence") is Rule.WITHDRAWN


def test_another_store_or_purpose_is_another_matter():
    """What was said for another store, purpose or scope carries nothing here."""
    assert carried(replace(GRANT, store="paris-9")) is Rule.OTHER_STORE
    assert carried(GRANT, purpose="suggest") is Rule.NOT_GRANTED
    assert carried(GRANT, scope="diet") is Rule.NOT_GRANTED
    assert carried(GRANT, scope=None) is Rule.NOT_GRANTED
    assert carried(GRANT, replace(WITHDRAWAL, store="paris-9", chosen_s=NOW_S)) == (GRANT,)


def test_in_force_narrows_a_grant_to_what_was_not_withdrawn():
    """Of a grant of two scopes one withdrawn scope goes and the other stays."""
    both = statement("size.shoe", "fit.jacket")
    gone = statement("fit.jacket", state=State.WITHDRAWN, chosen_s=NOW_S - 1)
    assert in_force(member(both, gone), STORE, NOW_S) == (replace(both, scopes=("size.shoe",)),)


@pytest.mark.parametrize("now_s", [GRANT.from_s - 1, GRANT.until_s])
def test_nothing_is_in_force_before_its_begin_or_from_its_end_on(now_s):
    """The begin is inclusive, the end exclusive."""
    assert in_force(member(replace(GRANT, chosen_s=0)), STORE, now_s) == ()
    assert in_force(member(replace(GRANT, chosen_s=0)), STORE, GRANT.from_s) != ()
    assert in_force(member(replace(GRANT, chosen_s=0)), STORE, GRANT.until_s - 1) != ()


@given(members, st.data())
def test_order_and_repetition_change_nothing(someone, data):
    """The same statements in any order, some told twice, carry the same."""
    shuffled = data.draw(st.permutations(someone.statements + someone.statements[:3]))
    again = in_force(replace(someone, statements=tuple(shuffled)), STORE, NOW_S)
    assert set(again) == set(in_force(someone, STORE, NOW_S))


@given(members, statements)
def test_one_more_withdrawal_never_brings_a_grant_into_force(someone, drawn):
    """Adding a withdrawal, whatever it says, leaves at most the grants that were."""
    withdrawal = replace(drawn, state=State.WITHDRAWN)
    before = {
        (one.purpose, one.event, scope) for one in in_force(someone, STORE, NOW_S) for scope in one.scopes or (None,)
    }
    after = in_force(replace(someone, statements=(*someone.statements, withdrawal)), STORE, NOW_S)
    assert {(one.purpose, one.event, scope) for one in after for scope in one.scopes or (None,)} <= before


@given(members)
def test_in_force_holds_only_live_grants_of_this_store(someone):
    """Whatever is in force was given, for this store, at a known time not in the future, and is valid now."""
    for one in in_force(someone, STORE, NOW_S):
        assert one.state is State.GIVEN
        assert one.store == STORE
        assert one.chosen_s is not None
        assert one.chosen_s <= NOW_S
        assert one.from_s <= NOW_S < one.until_s
