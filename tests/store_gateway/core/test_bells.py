"""What rings in a zone, and that no more than the roster is in it."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from consent.visit import HandedOver, Visit
from store_gateway.core.bells import Bell, Bells, News
from wire.events import HandOverReason

LABELS = {"shoes": "Shoes", "hats": "Hats"}


def a_call(handle: bytes = b"a" * 16, zone: str | None = "shoes", **changes: object) -> Visit:
    """A visit on which help waits."""
    return dataclasses.replace(Visit(handle, 0, zone, help=True, waiting_since_ms=0), **changes)  # type: ignore[arg-type]


def rung(*looks: tuple[Visit, ...]) -> list[tuple[str, str | None, int, int]]:
    """What rings at the last of these looks, the first one's own resets aside."""
    bells = Bells("associate")
    bells.look((), LABELS, 0)
    found: tuple[Bell, ...] = ()
    for visits in looks:
        found = bells.look(visits, LABELS, 7)
    return [(one.news.value, one.zone, one.waiting, one.escalated) for one in found]


def test_a_gateway_that_starts_puts_every_lamp_out() -> None:
    """Each zone once, and the place without one: a lamp may be on since before."""
    bells = Bells("associate")
    found = bells.look((), LABELS, None)
    assert {(one.zone, one.zone_label) for one in found} == {(None, None), ("shoes", "Shoes"), ("hats", "Hats")}
    assert {(one.news, one.waiting, one.at_ms) for one in found} == {(News.NONE, 0, None)}
    assert bells.look((), LABELS, None) == ()
    assert [one.zone for one in bells.look((), {**LABELS, "new": "New"}, 1)] == ["new"]


def test_a_call_rings_once_and_its_end_says_how() -> None:
    """Waiting, then answered or over; what goes on rings nothing."""
    waits, attended = (a_call(),), (a_call(attended_by="nina"),)
    assert rung(waits) == [("help-waiting", "shoes", 1, 0)]
    assert rung(waits, waits) == []
    assert rung(waits, attended) == [("help-answered", "shoes", 0, 0)]
    assert rung(waits, attended, ()) == []
    assert rung(waits, ()) == [("help-over", "shoes", 0, 0)]
    assert rung(attended) == []
    assert rung(attended, waits) == [("help-waiting", "shoes", 1, 0)]


def test_a_call_that_is_handed_over_to_the_role_rings_for_it_and_one_to_a_colleague_does_not() -> None:
    """The colleague's tablet says it; where nobody takes it in time it waits for all again, and rings."""
    attended = a_call(attended_by="nina")
    to_all, to_one, to_others = (
        dataclasses.replace(attended, handed_over=HandedOver("nina", associate, role, HandOverReason.BREAK))
        for associate, role in ((None, "associate"), ("omar", None), (None, "stylist"))
    )
    assert rung((attended,), (to_all,)) == [("help-waiting", "shoes", 1, 0)]
    assert rung((attended,), (to_one,)) == []
    assert rung((attended,), (to_others,)) == []
    assert rung((attended,), (to_one,), (a_call(),)) == [("help-waiting", "shoes", 1, 0)]


def test_who_walks_about_without_calling_rings_nothing() -> None:
    """Only help rings."""
    assert rung((Visit(b"a" * 16, 0, "shoes"),)) == []


def test_nobody_came_in_time() -> None:
    """Escalated, once; a call that is so from the first look says it at once."""
    late = (a_call(escalated=True),)
    assert rung((a_call(),), late) == [("help-escalated", "shoes", 1, 1)]
    assert rung((a_call(),), late, late) == []
    assert rung(late) == [("help-escalated", "shoes", 1, 1)]
    assert rung(late, (a_call(),)) == [("help-waiting", "shoes", 1, 0)]


def test_a_call_that_moves_leaves_one_lamp_and_lights_another() -> None:
    """Both zones are told, and a bell need not ring again."""
    assert rung((a_call(),), (a_call(zone="hats"),)) == [("help-moved", "hats", 1, 0), ("help-moved", "shoes", 0, 0)]
    assert rung((a_call(),), (a_call(zone=None),)) == [("help-moved", None, 1, 0), ("help-moved", "shoes", 0, 0)]
    both = (a_call(), a_call(b"b" * 16, "hats"))
    attended = (a_call(zone="hats", attended_by="nina"), both[1])
    assert rung(both, attended) == [("help-answered", "shoes", 0, 0)]


def test_of_several_news_in_a_zone_the_most_pressing_is_told_with_the_count() -> None:
    """One bell a zone and look."""
    first, second = a_call(), a_call(b"b" * 16)
    assert rung((first, second)) == [("help-waiting", "shoes", 2, 0)]
    assert rung((first,), (second,)) == [("help-waiting", "shoes", 1, 0)]
    late = dataclasses.replace(first, escalated=True)
    assert rung((first,), (late, second)) == [("help-escalated", "shoes", 2, 1)]


calls = st.lists(
    st.builds(
        a_call,
        handle=st.sampled_from([bytes([number]) * 16 for number in range(4)]),
        zone=st.sampled_from([None, "shoes", "hats"]),
        escalated=st.booleans(),
        attended_by=st.sampled_from([None, "nina"]),
        help=st.booleans(),
    ),
    unique_by=lambda visit: visit.handle,
    max_size=4,
).map(tuple)


@given(st.lists(calls, max_size=8))
def test_a_lamp_that_follows_the_counts_is_always_right(looks: list[tuple[Visit, ...]]) -> None:
    """Whatever happens, the newest bell of each zone tells how many wait there."""
    bells, lamps = Bells("associate"), dict[str | None, tuple[int, int]]()
    for visits in [(), *looks]:
        for bell in bells.look(visits, LABELS, 0):
            lamps[bell.zone] = bell.waiting, bell.escalated
        waits = [one for one in visits if one.help and one.attended_by is None]
        for zone in (None, "shoes", "hats"):
            there = [one for one in waits if one.zone == zone]
            assert lamps[zone] == (len(there), sum(one.escalated for one in there))


@given(calls)
def test_a_bell_holds_nothing_of_a_visit(visits: tuple[Visit, ...]) -> None:
    """Other handles, signs, times and names ring the same."""
    changed = tuple(
        dataclasses.replace(
            one, handle=bytes(15) + one.handle[:1], arrived_ms=99, sign=("red", "42"), waiting_since_ms=5,
            attended_by="omar" if one.attended_by else None, attended_name="Omar", invited=True,
        )
        for one in visits
    )  # fmt: skip
    assert Bells("associate").look(visits, LABELS, 0) == Bells("associate").look(changed, LABELS, 0)
