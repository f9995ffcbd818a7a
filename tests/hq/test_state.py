"""What stands after any history of choices, in any order."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hq.ledger_proof import Status
from hq.state import CLOSING, Choice, Event, EventKind, fold
from wire.events import MuteKind
from wire.member import MOST_MUTES, Mode, Muted, NameChoice

STORES = ("a", "b")
SCOPES = ("size.shoe", "diet", "language")
PURPOSES = ("assist", "suggest")
RECORDED_S = 1000


def grant(number: int, chosen_s: int | None, *scopes: str, purpose: str = "assist", stores=("a",)) -> Event:
    """A grant, recorded at 1000 s."""
    choice = Choice(EventKind.GRANT, purpose, scopes, stores, ("associate",), (), 0, 10_000)
    return Event(number.to_bytes(16, "big"), "test", chosen_s, RECORDED_S, choice)


def refusal(number: int, chosen_s: int | None, purpose="assist", scopes=None, stores=None) -> Event:
    """The member was asked and said no."""
    choice = Choice(EventKind.REFUSAL, purpose, scopes, stores)
    return Event(number.to_bytes(16, "big"), "test", chosen_s, RECORDED_S, choice)


def withdrawal(number: int, chosen_s: int | None, purpose=None, scopes=None, stores=None) -> Event:
    """A withdrawal; None means all."""
    choice = Choice(EventKind.WITHDRAWAL, purpose, scopes, stores)
    return Event(number.to_bytes(16, "big"), "test", chosen_s, RECORDED_S, choice)


def scopes_of(*events: Event) -> set[str]:
    """The scopes that stand."""
    return {scope for one in fold(events).statements for scope in one.scopes}


TIMES = st.none() | st.integers(0, 2000)
CHOICES = st.one_of(
    st.builds(
        lambda purpose, scopes, stores: Choice(
            EventKind.GRANT, purpose, tuple(scopes), tuple(stores), ("r",), (), 0, 1
        ),
        st.sampled_from(PURPOSES),
        st.lists(st.sampled_from(SCOPES), min_size=1, unique=True),
        st.lists(st.sampled_from(STORES), min_size=1, unique=True),
    ),
    st.builds(lambda stores: Choice(EventKind.GRANT, "presence", (), stores), st.just(("a",)) | st.just(STORES)),
    st.builds(
        lambda purpose, scopes, stores: Choice(EventKind.WITHDRAWAL, purpose, scopes, stores),
        st.none() | st.sampled_from((*PURPOSES, "presence")),
        st.none() | st.just(("diet",)),
        st.none() | st.just(("a",)),
    ),
    st.builds(
        lambda kind, purpose, brand: Choice(kind, purpose, None, None, brand=brand),
        st.sampled_from((EventKind.REFUSAL, EventKind.WITHDRAWAL)),
        st.sampled_from((*PURPOSES, "media")),
        st.none() | st.just("x"),
    ),
    st.builds(
        lambda stores, brand, status: Choice(EventKind.GRANT, "media", (), stores, brand=brand, status=status),
        st.sampled_from(((), ("a",))),
        st.sampled_from(("x", "y")),
        st.sampled_from((None, Status.RENEWED, Status.INVALIDATED)),
    ),
    st.builds(lambda mode: Choice(EventKind.MODE, mode=mode), st.sampled_from(Mode)),
    st.builds(lambda name: Choice(EventKind.NAME, name_choice=name), st.sampled_from(NameChoice)),
    st.builds(
        lambda kind, name: Choice(kind, mute=Muted(MuteKind.THEME, name)),
        st.sampled_from((EventKind.MUTE, EventKind.UNMUTE)),
        st.sampled_from(("baby", "garden")),
    ),
)
EVENTS = st.lists(st.tuples(CHOICES, TIMES, st.integers(0, 2000)), max_size=12).map(
    lambda rows: [
        Event(number.to_bytes(16, "big"), "test", chosen_s, recorded_s, choice)
        for number, (choice, chosen_s, recorded_s) in enumerate(rows)
    ]
)


@given(EVENTS, st.randoms())
def test_any_order_and_repetition_of_events_folds_into_one_state(events: list[Event], chance) -> None:
    """What stands depends on what was chosen when, not on which was heard first or how often."""
    shuffled = events + events[: len(events) // 2]
    chance.shuffle(shuffled)
    assert fold(shuffled) == fold(events)


@given(EVENTS, TIMES, st.integers(0, 2000))
def test_a_withdrawal_of_everything_leaves_only_what_was_chosen_later(events, chosen_s, recorded_s) -> None:
    """After it nothing stands but grants whose known time of choice is later than its own."""
    last = Event(b"\xff" * 16, "test", chosen_s, recorded_s, Choice(EventKind.WITHDRAWAL))
    left = fold([*events, last])
    for statement in (*left.statements, *left.wide):
        assert chosen_s is not None
        assert statement.chosen_s is not None
        assert statement.chosen_s > chosen_s


@given(EVENTS, EVENTS)
def test_more_withdrawals_never_let_more_stand(events: list[Event], more: list[Event]) -> None:
    """Adding withdrawals to a history only takes away."""
    added = [
        replace(one, id=b"\xfe" + one.id[1:]) for one in more if one.choice.kind in CLOSING
    ]  # fmt: skip

    def standing(events: list[Event]) -> set[tuple[str, str, str, bytes]]:
        return {
            (one.store, one.purpose, scope, one.event)
            for one in (*fold(events).statements, *fold(events).wide)
            for scope in one.scopes or ("",)
        }

    assert standing([*events, *added]) <= standing(events)


NAMED = ("assist", "presence", "insight", "contact.email", "media", "media.brand")


@given(
    EVENTS,
    st.sampled_from((EventKind.REFUSAL, EventKind.WITHDRAWAL)),
    st.sampled_from(NAMED),
    st.sampled_from((None, (), ("a",), ("gone",))),
    st.sampled_from((None, (), ("diet",))),
    st.sampled_from((None, "x")),
)
def test_every_recorded_closing_ends_what_it_names_whatever_its_age(events, kind, purpose, stores, scopes, brand):
    """Also one of the time when the door let pass a store beside a contact, scopes beside presence, or empty lists."""
    opened = [
        Choice(EventKind.GRANT, each, (), (), brand=of)
        for each in ("contact.email", "media", "media.brand")
        for of in ("x", "y")
    ] + [
        Choice(EventKind.GRANT, each, ("diet",) if each == "assist" else (), STORES, brand="x")
        for each in ("assist", "presence", "insight")
    ]
    grants = [Event(b"\xfe" * 15 + bytes([number]), "t", 10, 1000, one) for number, one in enumerate(opened)]
    last = Event(b"\xff" * 16, "test", 1000, 1000, Choice(kind, purpose, scopes, stores, brand=brand))
    left = fold([*events, *grants, last])
    wide = purpose.startswith(("contact.", "media"))
    for one in (*left.statements, *left.wide):
        is_it = one.purpose == purpose and (one.chosen_s is None or one.chosen_s <= 1000)
        of_brand = brand is None or left.of_brand(one.event, brand)
        at = not stores or one.store in stores or (wide and not one.store)
        of_scopes = purpose != "assist" or not scopes or not {*scopes}.isdisjoint(one.scopes)
        assert not (is_it and of_brand and at and of_scopes), one
    others = {(one.purpose, one.event) for one in (*fold(grants).statements, *fold(grants).wide)}
    alone = fold([*grants, last])
    kept = {(one.purpose, one.event) for one in (*alone.statements, *alone.wide)}
    assert {one for one in others if one[0] != purpose} <= kept, "and nothing else"


def test_the_later_time_of_choice_wins() -> None:
    """A grant after a withdrawal stands, a withdrawal after a grant takes away."""
    assert scopes_of(withdrawal(1, 10), grant(2, 11, "diet")) == {"diet"}
    assert scopes_of(grant(1, 10, "diet"), withdrawal(2, 11)) == set()


def test_a_late_import_never_beats_a_later_withdrawal() -> None:
    """What counts is when it was chosen, not when it was told."""
    late = replace(grant(9, 10, "diet"), recorded_s=5000)
    assert scopes_of(withdrawal(1, 20, "assist"), late) == set()


def test_equal_times_are_a_withdrawal() -> None:
    """In doubt nothing is shown."""
    assert scopes_of(grant(1, 10, "diet"), withdrawal(2, 10)) == set()


def test_an_unknown_time_never_beats_a_withdrawal() -> None:
    """Neither a grant of unknown time nor a withdrawal of unknown time lets anything stand."""
    assert scopes_of(grant(1, None, "diet"), withdrawal(2, 10)) == set()
    assert scopes_of(grant(1, 10, "diet"), withdrawal(2, None)) == set()


def test_a_grant_dated_in_the_future_does_not_win_when_the_day_comes() -> None:
    """The time of recording tells that it was wrong; waiting does not heal it."""
    ahead = grant(1, RECORDED_S + 500, "diet")
    assert scopes_of(ahead, withdrawal(2, 900)) == set()


def test_a_withdrawal_touches_only_what_it_names() -> None:
    """Purpose, scope and store each narrow it; another purpose's grant of the same scope stays."""
    both = [grant(1, 10, "diet", "language", stores=STORES), grant(2, 10, "diet", purpose="suggest")]
    left = fold([*both, withdrawal(3, 20, "assist", ("diet",), ("a",))]).statements
    assert {(one.purpose, one.store, one.scopes) for one in left} == {
        ("assist", "a", ("language",)),
        ("assist", "b", ("diet", "language")),
        ("suggest", "a", ("diet",)),
    }


def test_a_withdrawal_of_a_scope_leaves_presence() -> None:
    """Who hides the shoe size is still recognised."""
    presence = Event(b"p" * 16, "test", 10, RECORDED_S, Choice(EventKind.GRANT, "presence", (), ("a",)))
    left = fold([presence, grant(1, 10, "diet"), withdrawal(2, 20, None, ("diet",))])
    assert left.stores() == {"a"}
    assert fold([presence, withdrawal(2, 20, "presence")]).stores() == frozenset()


def test_a_later_grant_of_some_scopes_replaces_only_those() -> None:
    """The older grant keeps standing for the rest."""
    older, newer = grant(1, 10, "diet", "language"), grant(2, 20, "diet")
    assert [(one.scopes, one.event) for one in fold([older, newer]).statements] == [
        (("diet",), newer.id),
        (("language",), older.id),
    ]


def test_grants_of_one_instant_stand_together() -> None:
    """None of two is picked by chance: each of them has to allow, which the decision sees to."""
    assert len(fold([grant(1, 10, "diet"), grant(2, 10, "diet")]).statements) == 2


def test_modes_default_to_help_and_names_to_invited() -> None:
    """Who chose nothing is not shown to associates unasked."""
    assert (fold([]).mode, fold([]).name_choice) == (Mode.HELP, NameChoice.INVITED)


def test_of_two_modes_at_one_instant_the_quieter_counts() -> None:
    """In doubt nobody is told."""
    rows = [
        Event(bytes([number]) * 16, "test", 10, RECORDED_S, Choice(EventKind.MODE, mode=mode))
        for number, mode in enumerate((Mode.OPEN, Mode.QUIET, Mode.HELP))
    ]
    assert fold(rows).mode is Mode.QUIET
    later = Event(b"x" * 16, "test", 11, RECORDED_S, Choice(EventKind.MODE, mode=Mode.OPEN))
    assert fold([*rows, later]).mode is Mode.OPEN
    assert fold([*rows, replace(later, chosen_s=None)]).mode is Mode.QUIET


def muting(number: int, chosen_s: int | None, name: str, kind: EventKind = EventKind.MUTE) -> Event:
    """A mute of a theme, or its taking back, recorded at 1000 s."""
    return Event(
        number.to_bytes(16, "big"), "test", chosen_s, RECORDED_S, Choice(kind, mute=Muted(MuteKind.THEME, name))
    )


def muted(*events: Event) -> set[str]:
    """What stands."""
    return {one.id for one in fold(events).mutes}


def test_a_mute_stands_until_it_was_taken_back_later() -> None:
    """At the same instant, at an unknown one and at one that had not come, it stands; a withdrawal ends no mute."""
    back = EventKind.UNMUTE
    assert muted(muting(1, 5, "baby")) == {"baby"}
    assert muted(muting(1, 5, "baby"), withdrawal(2, 6)) == {"baby"}
    assert muted(muting(1, 5, "baby"), muting(2, 6, "baby", back)) == set()
    assert muted(muting(1, 5, "baby"), muting(2, 6, "garden", back)) == {"baby"}
    for doubtful in (5, 4, None, RECORDED_S + 1):
        assert muted(muting(1, 5, "baby"), muting(2, doubtful, "baby", back)) == {"baby"}
    assert muted(muting(1, None, "baby"), muting(2, 6, "baby", back)) == {"baby"}
    assert muted(muting(1, 5, "baby"), muting(2, 6, "baby", back), muting(3, 7, "baby")) == {"baby"}


def test_of_more_mutes_than_a_record_bears_the_last_stand() -> None:
    """What the member said just now is never what is left out."""
    many = [muting(number, number, f"t-{number}") for number in range(MOST_MUTES + 40)]
    assert muted(*many) == {f"t-{number}" for number in range(40, MOST_MUTES + 40)}


@given(EVENTS)
def test_a_refusal_takes_away_what_a_withdrawal_would(events: list[Event]) -> None:
    """Saying no when asked ends what stands of it, by the same rules."""
    withdrawn = [
        replace(one, choice=replace(one.choice, kind=EventKind.WITHDRAWAL))
        if one.choice.kind is EventKind.REFUSAL
        else one
        for one in events
    ]
    assert fold(events) == fold(withdrawn)


@given(EVENTS, TIMES, st.integers(0, 2000), TIMES, st.integers(0, 2000))
def test_of_two_statements_the_doubtful_one_never_opens_anything(
    events: list[Event], granted_s, granted_recorded_s: int, closed_s, closed_recorded_s: int
) -> None:
    """A grant stands against a refusal only with a known, past and later time of choice, whatever else was said."""
    opens = replace(grant(1, granted_s, "diet", purpose="suggest"), id=b"\xfd" * 16, recorded_s=granted_recorded_s)
    closes = replace(refusal(2, closed_s, "suggest"), id=b"\xfe" * 16, recorded_s=closed_recorded_s)
    stands = any(one.event == opens.id for one in fold([*events, opens, closes]).statements)
    is_known = granted_s is not None and granted_s <= granted_recorded_s
    assert not stands or (is_known and closed_s is not None and granted_s > closed_s)
    alone = any(one.event == opens.id for one in fold([opens, closes]).statements)
    assert alone == (is_known and closed_s is not None and granted_s > closed_s)


@given(EVENTS)
def test_what_was_recorded_as_invalid_changes_nothing(events: list[Event]) -> None:
    """It is as if it had not been said, but for being told."""
    counted = [one for one in events if one.choice.status is not Status.INVALIDATED]
    assert fold(events) == fold(counted)
