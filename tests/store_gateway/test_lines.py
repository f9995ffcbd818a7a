"""Lines are drawn once for all, and anew only where a visit changed."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from consent.visit import HandedOver, Visit
from store_gateway import lines
from store_gateway.lines import Shared
from wire.events import HandOverReason

HANDLES = [bytes([number]) * 16 for number in range(4)]
GIVEN = st.builds(
    HandedOver, st.sampled_from(["anna", "ben"]), st.sampled_from(["anna", None]),
    st.sampled_from(["associate", None]), st.sampled_from(HandOverReason),
)  # fmt: skip
VISITS = st.builds(
    Visit,
    handle=st.sampled_from(HANDLES),
    arrived_ms=st.integers(0, 2),
    zone=st.sampled_from(["shoes", None]),
    help=st.booleans(),
    waiting_since_ms=st.sampled_from([None, 5]),
    sign=st.sampled_from([None, ("red", "07")]),
    attended_by=st.sampled_from([None, "anna"]),
    attended_name=st.sampled_from([None, "Anna"]),
    handed_over=st.none() | GIVEN,
)
ROSTERS = st.lists(VISITS, unique_by=lambda visit: visit.handle).map(
    lambda visits: tuple((visit.handle, visit) for visit in visits)
)


@given(st.lists(ROSTERS, min_size=1, max_size=4))
def test_whatever_was_before_the_lines_are_those_of_the_visits(rosters):
    """After any rosters the lines are as if drawn for the first time, in order, and nobody's own."""
    shared = Shared()
    for seen in rosters:
        before = {line.handle: line for line in shared.lines}
        drawn = dict(shared.drawn)
        shared.follow(seen, None)
        fresh = Shared()
        fresh.follow(seen, None)
        assert shared.lines == fresh.lines
        assert [line.handle for line in shared.lines] == [visit.handle for _, visit in seen]
        assert not any(line.attended_by_me or line.handed_over for line in shared.lines)
        assert set(shared.drawn) == {visit.handle for _, visit in seen}
        for (_, visit), line in zip(seen, shared.lines, strict=True):
            if visit.handle in drawn and drawn[visit.handle][0] == visit:
                assert line is before[visit.handle]


def test_what_is_urgent():
    """A visit that is gone, a call that begins, ends, is raised, taken or handed over; not a zone, nor an arrival."""
    visit = Visit(HANDLES[0], 1, zone="shoes")
    calls = replace(visit, help=True, waiting_since_ms=5, sign=("red", "07"))

    def drawn(*visits):
        shared = Shared()
        shared.follow(tuple((one.handle, one) for one in visits), None)
        return shared.lines

    other = Visit(HANDLES[1], 1)
    for after in ((), (calls,), (other,)):
        assert lines.is_urgent(drawn(visit), drawn(*after))
    for after in (visit, replace(calls, escalated=True), replace(calls, attended_by="anna", attended_name="Anna")):
        assert lines.is_urgent(drawn(calls), drawn(after))
    for after in ((replace(visit, zone=None),), (visit, other)):
        assert not lines.is_urgent(drawn(visit), drawn(*after))
