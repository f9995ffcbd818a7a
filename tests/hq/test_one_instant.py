"""Of several grants of one instant each has to allow, at HQ too: the same choice once more lengthens nothing."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from consent.decide import Allow, decide
from consent.visit import NOTHING_DENIED, Visit
from hq import audience, choices, contacts, figures_counts, importer, ledger
from hq.database import reading, writing
from hq.door import Grant
from hq.errors import Refused
from hq.figures_model import Outcome, Population
from hq.ledger_state import history
from hq.publication import Policies
from hq.state import Choice, Event, EventKind, fold
from hq.systems import EVERY_BRAND, Right, System
from hq.systems_intake import Reach
from hq.systems_line import Line
from hq.training_view import View
from tests.hq.headquarters import DAY_S, ROLES, STORE, Headquarters
from tests.hq.test_importer import lines, row
from tests.world import HEALTH, a_policy
from wire.member import Field, Member, Mode, NameChoice, SourceClass, Value, ValueClass

CRM = System("crm", frozenset(Right), frozenset({EVERY_BRAND}), frozenset())
CHOSEN_S = 1_790_000_000
POLICY = a_policy()
SCOPES = ("size.shoe", "name.first", HEALTH)
FIELDS = tuple(
    Field(one, Value(text="x"), SourceClass.ZERO, "app", ValueClass.PERSONAL, CHOSEN_S, CHOSEN_S) for one in SCOPES
)
LONG = 365
ZONES = ("shoes", "hats", None)


def imported(hq: Headquarters, purpose: str, until_days: int, **more: object) -> None:
    """A choice of an hour ago for this store comes from another platform, to end after these days."""
    frame = {"stores": [STORE], "roles": list(ROLES)}
    said = {"purpose": purpose, **frame, "until_days": until_days, **more}
    hello = {"purpose": "presence", **frame, "until_days": 2 * LONG}
    chosen = row("m-1", chosen=hq.now_s - 3600, grants=[hello, said])
    assert importer.run(hq.engine, hq.keys, lines(chosen), hq.now_ms).refused == ()


def shown(hq: Headquarters, scope: str = "size.shoe") -> bool:
    """Whether the store's record and the store's own decision show this to an associate now."""
    found = hq.record("m-1")
    with reading(hq.engine) as connection:
        policy = Policies(connection).of(STORE)
    assert policy is not None
    return found is not None and isinstance(
        decide(found, NOTHING_DENIED, scope, ROLES[0], Visit(b"h" * 16, 0), policy, hq.now_s), Allow
    )


def over_a_year(hq: Headquarters, is_so) -> list[bool]:
    """What is so on the day of the choice, 29 and 31 days after it, and on the last of the longer end."""
    found = []
    for days in (0, 29, 2, LONG - 31 - 1, 1):
        hq.later(days * DAY_S)
        found.append(is_so())
    return found


def test_the_same_choice_imported_again_lengthens_nothing_in_the_store(hq: Headquarters) -> None:
    """The longer end comes second, or first, and after the shorter one has passed what ended stays away."""
    imported(hq, "assist", 30, scopes=["size.shoe"])
    imported(hq, "assist", LONG, scopes=["size.shoe"])
    assert over_a_year(hq, lambda: shown(hq)) == [True, True, False, False, False]


def test_presence_imported_again_lengthens_nothing(hq: Headquarters) -> None:
    """Without it nobody is told that the member is there."""
    imported(hq, "assist", LONG, scopes=["size.shoe"])
    imported(hq, "presence", 30)
    assert over_a_year(hq, lambda: hq.record("m-1") is not None) == [True, True, False, False, False]


def test_a_part_that_ended_leaves_the_other_parts(hq: Headquarters) -> None:
    """What only the longer one names goes on."""
    imported(hq, "assist", 30, scopes=["size.shoe"])
    imported(hq, "assist", LONG, scopes=["wishlist", "size.shoe"])
    hq.later(31 * DAY_S)
    found = hq.record("m-1")
    assert found is not None
    assert {scope for one in found.statements for scope in one.scopes} == {"wishlist"}


def test_the_same_choice_recorded_again_lets_nobody_be_contacted_for_longer(hq: Headquarters) -> None:
    """For the brand as a whole."""
    hq.join("m-1")
    for days in (30, LONG):
        grant = Grant("contact.email", (), (), (), until_days=days, chosen_s=hq.now_s - 3600, brand="main")
        hq.office.grant("m-1", grant, hq.now_ms)

    def may() -> bool:
        line = Line(1, {"member": "m-1", "channel": "email", "brand": "main"})
        ((found,), _) = contacts.decide(hq.engine, hq.keys, CRM, [line], hq.now_ms)
        return found.denied is not contacts.Denied.CONSENT

    assert over_a_year(hq, may) == [True, True, False, False, False]


def test_the_same_choice_imported_again_lets_nothing_be_learned_for_longer(hq: Headquarters) -> None:
    """From either list of purchases."""
    imported(hq, "suggest", LONG, scopes=["history.store", "history.online"])
    imported(hq, "suggest", 30, scopes=["history.store"])

    def scopes() -> set[str]:
        return {scope for _, scope in View(hq.engine, hq.keys, "main", hq.now_ms).grants()}

    hq.later(29 * DAY_S)
    assert scopes() == {"history.store", "history.online"}
    hq.later(2 * DAY_S)
    assert scopes() == {"history.online"}


def test_the_same_choice_again_lets_no_system_write_for_longer(hq: Headquarters) -> None:
    """What was granted last is what counts, and it ended."""
    imported(hq, "assist", 30, scopes=["size.shoe"])
    imported(hq, "assist", LONG, scopes=["size.shoe"])

    def takes() -> bool:
        with writing(hq.engine) as connection:
            one = choices.opened(connection, hq.keys, "m-1")
            standing = fold(ledger.of_members(connection, {one.reference: one})[one.reference])
            try:
                Reach(connection, CRM).check_scope(standing, "size.shoe", "scope", hq.now_s)
            except Refused:
                return False
            return True

    assert takes()
    hq.later(31 * DAY_S)
    assert not takes()


def test_the_member_sees_the_end_that_counts(hq: Headquarters) -> None:
    """In the preference centre, with the roles that both grants name, and nothing once it is over."""
    imported(hq, "assist", 30, scopes=["size.shoe"], roles=["associate", "manager"])
    imported(hq, "assist", LONG, scopes=["size.shoe"], roles=["associate"])

    def told() -> tuple[bool, int | None, int]:
        with reading(hq.engine) as connection:
            (store,) = choices.of_member(connection, hq.keys, "m-1", hq.now_ms).stores
        (found,) = (one for one in store.purposes if one.purpose == "assist")
        return found.given, found.until_s, len(found.roles)

    assert told() == (True, hq.now_s - 3600 + 30 * DAY_S, 1)
    hq.later(31 * DAY_S)
    assert told() == (False, None, 0)


def test_it_is_counted_once_as_run_out(hq: Headquarters) -> None:
    """On the day of the shorter end, and not renewed by what was chosen in the same instant."""
    imported(hq, "assist", 30, scopes=["size.shoe"])
    imported(hq, "assist", LONG, scopes=["size.shoe"])
    ended_s = hq.now_s - 3600 + 30 * DAY_S
    first, last = hq.now_s // DAY_S, hq.now_s // DAY_S + LONG + 1
    hq.later((LONG + 1) * DAY_S)
    with reading(hq.engine) as connection:
        found = figures_counts.collect(connection, hq.keys, Population.ENDED, "assist", first, last, hq.now_ms)
    assert [(one.at_s, one.outcome) for one in found] == [(ended_s, Outcome.LAPSED)]


# --- pure ----------------------------------------------------------------------------------------------------------


def said(number: int, purpose: str, scopes: tuple[str, ...], from_day: int, until_day: int, **more: object) -> Event:
    """A grant of one and the same instant, for these days after it."""
    choice = Choice(
        EventKind.GRANT, purpose, scopes, (STORE,), ("advisor",), (), CHOSEN_S + from_day * DAY_S,
        CHOSEN_S + until_day * DAY_S, policy_version=1, brand="main",
    )  # fmt: skip
    return Event(bytes([number]) * 16, "import", CHOSEN_S, CHOSEN_S + 100, replace(choice, **more))


HELLO = said(200, "presence", (), 0, 3 * LONG)
OPEN = Event(b"m" * 16, "app", CHOSEN_S, CHOSEN_S, Choice(EventKind.MODE, mode=Mode.OPEN))
NAME = Event(b"n" * 16, "app", CHOSEN_S, CHOSEN_S, Choice(EventKind.NAME, name_choice=NameChoice.ALWAYS))


def placed(events: list[Event], now_s: int) -> audience.Place:
    """The member's place at the store."""
    known = audience.Known(18, "DE", FIELDS)
    return audience.place(fold([*events, OPEN, NAME]), known, audience.Acts(), STORE, POLICY, now_s, "main")


def seen(body: Member | None, now_s: int) -> set[tuple[str, str, str | None]]:
    """All that the store shows by this record: which scope to whom and where."""
    return {
        (scope, role, zone)
        for scope in SCOPES
        for role in ("advisor", "manager")
        for zone in ZONES
        if body is not None
        and isinstance(decide(body, NOTHING_DENIED, scope, role, Visit(b"h" * 16, 0, zone=zone), POLICY, now_s), Allow)
    }


def test_it_is_published_anew_when_the_last_of_them_begins_and_the_first_ends() -> None:
    """Between the two, and not before and after, the store is told of it."""
    events = [HELLO, said(1, "assist", ("size.shoe",), 0, 30), said(2, "assist", ("size.shoe",), 10, LONG)]
    days = {day: placed(events, CHOSEN_S + day * DAY_S) for day in (1, 10, 29, 30, 100)}
    told = {day: any(one.purpose == "assist" for one in found.body.statements) for day, found in days.items()}
    assert told == {1: False, 10: True, 29: True, 30: False, 100: False}
    due = {day: (found.due_s - CHOSEN_S) // DAY_S for day, found in days.items()}
    assert due == {1: 10, 10: 30, 29: 30, 30: 3 * LONG, 100: 3 * LONG}


def test_a_grant_that_stands_alone_is_stated_as_it_was_given() -> None:
    """Also where a later one has taken some of its scopes, or one of the same instant is for another brand."""
    one = said(1, "assist", ("size.shoe", "name.first"), 1, 30, roles=("manager", "advisor"), zones_excluded=("hats",))
    later = said(2, "assist", ("name.first",), 0, 9)
    later = replace(later, chosen_s=CHOSEN_S + 50)
    other = said(3, "assist", ("size.shoe",), 0, 2, brand="nord")
    (found,) = (each for each in fold([one, later, other]).statements if each.event == one.id)
    frame = one.choice
    assert (found.scopes, found.roles, found.zones_excluded) == (("size.shoe",), frame.roles, frame.zones_excluded)
    assert (found.from_s, found.until_s) == (frame.from_s, frame.until_s)


def test_where_one_of_them_names_no_brand_they_stand_together() -> None:
    """As older events do; the store, which knows of no brands, would judge them together too."""
    older = said(1, "assist", ("size.shoe",), 0, 30, brand=None)
    standing = fold([older, said(2, "assist", ("size.shoe",), 0, LONG), said(3, "assist", ("name.first",), 0, LONG)])
    days = {one.event[0]: (one.until_s - CHOSEN_S) // DAY_S for one in standing.statements}
    assert days == {1: 30, 2: 30, 3: LONG}


def test_zones_that_no_statement_could_hold_let_nobody_see_it() -> None:
    """Of 65 excluded zones none is forgotten."""
    first = said(1, "assist", ("size.shoe",), 0, 30, zones_excluded=tuple(f"z-{number}" for number in range(33)))
    second = said(2, "assist", ("size.shoe",), 0, 30, zones_excluded=tuple(f"y-{number}" for number in range(32)))
    assert {one.roles for one in fold([first, second]).statements} == {()}


def test_the_history_tells_once_that_it_ran_out() -> None:
    """With the end that came first; what only the other one gave runs out by itself."""
    first, again = said(1, "assist", ("size.shoe",), 0, 30), said(2, "assist", ("size.shoe",), 0, LONG)
    wider = replace(again, choice=replace(again.choice, scopes=("size.shoe", "name.first")))

    def ends(*events: Event) -> list[str]:
        told = history(events, CHOSEN_S + 2 * LONG * DAY_S)
        return [one["event"] for one in told if one["status"] == "expired"]

    assert ends(first, again) == [first.id.hex()]
    assert ends(first, wider) == [first.id.hex(), wider.id.hex()]


DAYS = st.integers(0, 6)
GRANTS = st.builds(
    lambda purpose, scopes, days, roles, zones: (
        purpose, () if purpose == "presence" else tuple(scopes), min(days), max(days) + 1, roles, zones
    ),
    st.sampled_from(("presence", "assist", "assist")),
    st.lists(st.sampled_from(SCOPES), min_size=1, unique=True),
    st.tuples(DAYS, DAYS),
    st.sampled_from((("advisor",), ("manager", "advisor"), ("manager",))),
    st.sampled_from(((), ("hats",), ("shoes",))),
)  # fmt: skip


def grants(rows: list[tuple]) -> list[Event]:
    """These, all of one instant, and presence."""
    return [HELLO] + [
        said(number, purpose, scopes, from_day, until_day, roles=roles, zones_excluded=zones)
        for number, (purpose, scopes, from_day, until_day, roles, zones) in enumerate(rows, 1)
    ]


@settings(max_examples=40)
@given(st.lists(GRANTS, min_size=1, max_size=4), GRANTS)
def test_one_more_grant_of_the_instant_never_shows_more_of_what_was_granted(rows: list[tuple], more: tuple) -> None:
    """At any time, to anybody, anywhere."""
    before, after = grants(rows), grants([*rows, more])
    granted = {scope for one in before for scope in one.choice.scopes or ()}
    for day in range(9):
        now_s = CHOSEN_S + day * DAY_S
        found = {one for one in seen(placed(after, now_s).body, now_s) if one[0] in granted}
        assert found <= seen(placed(before, now_s).body, now_s)


@settings(max_examples=40)
@given(st.lists(GRANTS, min_size=1, max_size=4))
def test_what_the_store_is_sent_decides_as_all_that_was_granted(rows: list[tuple]) -> None:
    """As if the store had been told every grant whole, ended ones too, at any time."""
    events = grants(rows)
    told = placed([HELLO], CHOSEN_S).body
    assert told is not None
    statements = tuple(one for each in events for one in fold([each]).statements)
    whole = replace(told, statements=statements, fields=FIELDS)
    for day in range(9):
        now_s = CHOSEN_S + day * DAY_S
        assert seen(placed(events, now_s).body, now_s) == seen(whole, now_s)


@settings(max_examples=40)
@given(st.lists(GRANTS, min_size=1, max_size=4))
def test_what_was_sent_once_is_decided_alike_later(rows: list[tuple]) -> None:
    """A record that a store holds for longer, because HQ is out of reach, shows no more than a new one."""
    events = grants(rows)
    days = {day: CHOSEN_S + day * DAY_S for day in range(0, 9, 2)}
    bodies = {day: placed(events, now_s).body for day, now_s in days.items()}
    for day, now_s in days.items():
        fresh = seen(bodies[day], now_s)
        assert all(seen(bodies[sent], now_s) <= fresh for sent in days if sent < day)
