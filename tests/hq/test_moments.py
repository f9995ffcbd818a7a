"""At which moments a member is asked about what: one purpose, where it fits, and seldom."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hq import moments
from hq.asking import Why
from hq.database import writing
from hq.errors import Refused
from hq.moments import Ask, Moment, fitting
from tests.hq.headquarters import STORE, Headquarters

PURPOSES = ("presence", "assist", "suggest", "insight", "contact.email", "contact.push", "media")
DAY_MS = 86_400_000


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(Moment),
    st.dictionaries(st.sampled_from(PURPOSES), st.sampled_from(Why)),
    st.sets(st.sampled_from(PURPOSES)),
)
def test_what_is_asked_may_be_asked_and_has_rested(moment: Moment, may_ask: dict[str, Why], rested: set[str]) -> None:
    """Never what the notices' rule forbids or was asked lately; what is new only where it fits."""
    found = fitting(moment, may_ask, rested)
    if found is None:
        return
    assert may_ask[found.purpose] is found.why and found.purpose not in rested
    assert found.why is not Why.NEVER or moment is not Moment.OPENED
    assert found.why is not Why.NEVER or found.purpose != "media"


def test_each_moment_asks_about_what_fits_it() -> None:
    """After help about help, after buying about suggestions and channels, at the door about presence."""
    anything = dict.fromkeys(PURPOSES, Why.NEVER)
    assert {moment: fitting(moment, anything, ()) for moment in Moment} == {
        Moment.OPENED: None,
        Moment.STORE_ADDED: Ask("presence", Why.NEVER),
        Moment.HELP_DONE: Ask("assist", Why.NEVER),
        Moment.BOUGHT: Ask("suggest", Why.NEVER),
    }
    assert fitting(Moment.BOUGHT, anything, ("suggest",)) == Ask("contact.email", Why.NEVER)
    assert fitting(Moment.OPENED, anything | {"media": Why.EXPIRED}, ()) == Ask("media", Why.EXPIRED)


def test_after_one_question_there_is_none_for_a_week(hq: Headquarters) -> None:
    """And the same one not for 30 days, answered or not; nobody is asked for a member who is not."""
    hq.office.add_member("m-1", 18, "DE", hq.now_ms)

    def asked(moment: Moment, days: float) -> str | None:
        with writing(hq.engine) as connection:
            found = moments.ask(connection, hq.keys, "m-1", moment, hq.now_ms + int(days * DAY_MS), STORE)
        return None if found is None else found.purpose

    assert asked(Moment.STORE_ADDED, 0) == "presence"
    assert asked(Moment.HELP_DONE, 6.9) is None
    assert asked(Moment.STORE_ADDED, 7) == "assist"
    assert asked(Moment.STORE_ADDED, 14) is None
    assert asked(Moment.STORE_ADDED, 30) == "presence"
    with writing(hq.engine) as connection, pytest.raises(Refused):
        moments.ask(connection, hq.keys, "nobody", Moment.OPENED, hq.now_ms)
