"""How each matter stands, how long a refusal rests, and the history of one member, from any events."""

import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from hq.asking import Told, Why, why_ask
from hq.ledger_proof import Party, Proof, Status
from hq.ledger_state import history, is_given, refused_until, stands
from hq.state import REFUSAL_RESTS_S, Choice, Event, EventKind, fold

NOW_S = 5_000
RECORDED_S = 2_000
STORES = ("a", "b")
PURPOSES = ("presence", "assist", "contact.email")


def made(number: int, chosen_s: int | None, choice: Choice, recorded_s: int = RECORDED_S) -> Event:
    """An event."""
    return Event(number.to_bytes(16, "big"), "test", chosen_s, recorded_s, choice)


def grant(number: int, chosen_s: int | None, *scopes: str, purpose="assist", stores=("a",), until_s=9_000, brand="x"):
    """A grant to a brand's store, or of a contact to the brand."""
    choice = Choice(EventKind.GRANT, purpose, scopes, stores, ("associate",), until_s=until_s, brand=brand)
    return made(number, chosen_s, choice)


def closing(number: int, chosen_s: int | None, kind=EventKind.WITHDRAWAL, purpose=None, stores=None, brand=None):
    """A withdrawal or a refusal; None means all."""
    return made(number, chosen_s, Choice(kind, purpose, None, stores, brand=brand))


def status(*events: Event, now_s: int = NOW_S) -> list[tuple[str, str | None, str | None, Status]]:
    """Each matter."""
    return [(one.purpose, one.scope, one.store, one.status) for one in stands(events, now_s)]


def test_a_matter_is_given_renewed_expired_withdrawn_or_refused() -> None:
    """Each state of a consent comes from the events alone, and from the time."""
    first = grant(1, 10, "diet")
    assert status(first) == [("assist", "diet", "a", Status.GIVEN)]
    assert status(first, grant(2, 20, "diet")) == [("assist", "diet", "a", Status.RENEWED)]
    assert status(first, now_s=9_000) == [("assist", "diet", "a", Status.EXPIRED)]
    assert status(first, closing(2, 20)) == [("assist", "diet", "a", Status.WITHDRAWN)]
    assert ("assist", "diet", "a", Status.REFUSED) in status(first, closing(2, 20, EventKind.REFUSAL, "assist"))
    assert status(closing(2, 20, EventKind.REFUSAL, "assist")) == [("assist", None, None, Status.REFUSED)]
    assert status() == []


def test_what_counts_for_nothing_says_so() -> None:
    """A choice that was recorded as invalid stands nowhere and is told as such."""
    invalid = replace(grant(1, 10, "diet"), choice=replace(grant(1, 10, "diet").choice, status=Status.INVALIDATED))
    assert fold([invalid]).statements == ()
    assert status(invalid) == [("assist", "diet", "a", Status.INVALIDATED)]
    assert status(invalid, grant(2, 5, "diet")) == [("assist", "diet", "a", Status.GIVEN)]


def test_a_contact_stands_for_its_brand_and_is_closed_by_brand() -> None:
    """What one brand may do another may not; a withdrawal of the one leaves the other."""
    events = [
        grant(1, 10, purpose="contact.email", stores=(), brand="x"),
        grant(2, 10, purpose="contact.email", stores=(), brand="y"),
    ]
    assert fold(events).statements == ()
    assert {one.channel for one in stands(events, NOW_S)} == {"email"}
    assert is_given(events, "contact.email", NOW_S, brand="x")
    assert not is_given(events, "contact.email", NOW_S, brand="z")
    events.append(closing(3, 20, purpose="contact.email", brand="x"))
    assert [is_given(events, "contact.email", NOW_S, brand=one) for one in ("x", "y")] == [False, True]
    events.append(closing(4, 30))
    assert not is_given(events, "contact.email", NOW_S)


def test_a_refusal_rests_for_ninety_days_unless_the_member_agrees_later() -> None:
    """From the day of the refusal; of more it counts for the part, of a part not for more."""
    no = closing(1, 100, EventKind.REFUSAL, "assist")
    assert refused_until([no], "assist") == 100 + REFUSAL_RESTS_S
    assert refused_until([no], "assist", store="a", scope="diet") == 100 + REFUSAL_RESTS_S
    assert refused_until([no], "suggest") is None
    assert refused_until([no, grant(2, 101, "diet")], "assist", store="a") is None
    assert refused_until([no, grant(2, 99, "diet")], "assist", store="a") == 100 + REFUSAL_RESTS_S
    here = closing(1, 100, EventKind.REFUSAL, "assist", stores=("a",))
    assert refused_until([here], "assist", store="a") == 100 + REFUSAL_RESTS_S
    assert refused_until([here], "assist", store="b") is None
    assert refused_until([closing(1, None, EventKind.REFUSAL, "assist")], "assist") == RECORDED_S + REFUSAL_RESTS_S
    ahead = closing(1, RECORDED_S + 10**9, EventKind.REFUSAL, "assist")
    assert refused_until([ahead], "assist") == RECORDED_S + REFUSAL_RESTS_S
    faster = grant(2, RECORDED_S + 50, "diet")
    faster = replace(faster, recorded_s=RECORDED_S + 50)
    assert refused_until([faster, closing(1, RECORDED_S + 50, EventKind.REFUSAL, "assist")], "assist") == (
        RECORDED_S + REFUSAL_RESTS_S
    ), "it ended what a faster clock had written"


def test_a_rest_is_counted_by_the_clock_that_recorded_it() -> None:
    """Nobody waits for a year because a clock was a year ahead, and none asks at once where no time is known."""
    told = [Told(bytes(32), material=True, at_s=0)]
    for chosen_s in (RECORDED_S + 365 * 86_400, None):
        no = closing(1, chosen_s, EventKind.REFUSAL, "assist", brand="x")
        over_s = RECORDED_S + REFUSAL_RESTS_S
        assert why_ask([no], "assist", "x", told, over_s - 1) is None
        assert why_ask([no], "assist", "x", told, over_s) is Why.EXPIRED


def test_an_older_refusal_of_a_contact_at_a_store_rests_for_its_brand() -> None:
    """As it is recorded today; with scopes that a contact does not have, too."""
    for stores, scopes in ((("a",), None), ((), ()), (("a",), ("diet",))):
        no = replace(closing(1, 100, EventKind.REFUSAL, "contact.email"), choice=Choice(
            EventKind.REFUSAL, "contact.email", scopes, stores))  # fmt: skip
        assert refused_until([no], "contact.email", brand="x") == 100 + REFUSAL_RESTS_S
        assert [(one.store, one.status) for one in stands([no], NOW_S)] == [(None, Status.REFUSED)]


CHOICES = st.one_of(
    st.builds(
        lambda purpose, stores, brand, until_s: Choice(
            EventKind.GRANT, purpose, ("diet",) if purpose == "assist" else (),
            () if purpose == "contact.email" else tuple(stores), ("r",), until_s=until_s, brand=brand,
        ),
        st.sampled_from(PURPOSES), st.lists(st.sampled_from(STORES), min_size=1, unique=True),
        st.sampled_from(("x", "y")), st.sampled_from((1_500, 9_000)),
    ),
    st.builds(
        lambda kind, purpose, stores, brand: Choice(kind, purpose, None, stores, brand=brand),
        st.sampled_from((EventKind.WITHDRAWAL, EventKind.REFUSAL)), st.none() | st.sampled_from(PURPOSES),
        st.none() | st.just(("a",)), st.none() | st.just("x"),
    ),
)  # fmt: skip
EVENTS = st.lists(st.tuples(CHOICES, st.none() | st.integers(0, 3_000)), max_size=10).map(
    lambda rows: [made(number, chosen_s, choice) for number, (choice, chosen_s) in enumerate(rows)]
)


@settings(max_examples=40)
@given(EVENTS, st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing_of_what_is_told(events: list[Event], chance) -> None:
    """Matters, refusals and history are those of the set of events."""
    shuffled = events + events[: len(events) // 2]
    chance.shuffle(shuffled)
    assert stands(shuffled, NOW_S) == stands(events, NOW_S)
    assert history(shuffled, NOW_S) == history(events, NOW_S)
    for purpose in PURPOSES:
        assert refused_until(shuffled, purpose) == refused_until(events, purpose)


@settings(max_examples=40)
@given(EVENTS)
def test_what_is_told_as_given_is_what_the_fold_lets_stand(events: list[Event]) -> None:
    """One truth: a matter is given exactly where a statement stands and has not run out."""
    standing = fold(events)
    told = {(one.purpose, one.scope or "", one.store or "", one.brand) for one in stands(events, NOW_S) if one.is_given}
    stood = {}
    for one in (*standing.statements, *standing.wide):
        for scope in one.scopes or ("",):
            place = (one.purpose, scope, one.store, standing.brands.get(one.event))
            stood[place] = stood.get(place, True) and one.until_s > NOW_S
    assert told == {place for place, valid in stood.items() if valid}


@settings(max_examples=40)
@given(EVENTS, st.sampled_from(("x", "y")), st.integers(0, 3_000))
def test_one_brand_never_moves_what_stands_for_another(events: list[Event], brand: str, chosen_s: int) -> None:
    """Whatever a member grants to a brand, or takes back from it, no other brand's statements change."""
    more = [
        grant(100, chosen_s, "diet", stores=STORES, brand=brand),
        closing(101, chosen_s + 1, purpose="presence", brand=brand),
    ]

    def others(found: list[Event]) -> set[tuple[str, str, tuple[str, ...], bytes]]:
        standing = fold(found)
        return {
            (one.store, one.purpose, one.scopes, one.event)
            for one in (*standing.statements, *standing.wide)
            if standing.brands[one.event] != brand
        }

    assert others([*events, *more]) == others(events)


def test_the_history_tells_what_was_chosen_and_what_ran_out() -> None:
    """Oldest first, as plain values: given, renewed, expired; with who chose and how."""
    parent = Proof(by=Party.PARENT, by_reference="p-1", surface="desk")
    events = [
        grant(1, 10, "diet", until_s=100),
        replace(grant(2, 200, "diet", until_s=300), proof=parent),
        grant(3, 250, "diet", until_s=4_000),
        made(4, 260, Choice(EventKind.MODE)),
    ]
    told = history(events, NOW_S)
    assert [one["status"] for one in told] == ["given", "expired", "renewed", "renewed", None, "expired"]
    assert told[2]["proof"]["by"] == "parent"
    assert told[0]["chosen"] == "1970-01-01T00:00:10+00:00"
    assert json.loads(json.dumps(told)) == told
