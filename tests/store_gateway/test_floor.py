"""A whole store in memory: what is heard, what HQ says, what the tablets see."""

from dataclasses import replace

import pytest

from store_gateway.calls import MOST_WAITING
from store_gateway.errors import CacheReason
from store_gateway.gateway import Asker
from store_gateway.operator import status_text
from tests.world import HEALTH, STORE, TEXTS, Person, World
from wire import query, sync
from wire.member import Mode, Staff
from wire.policy import Section
from wire.query import Action, DarkReason, Light, Refused, RefusedReason, Withheld
from wire.sighting import Health, RadioReason, RadioState
from wire.sync import HelpStep
from wire.token import Kind

WITHHELD = Withheld()


def test_a_call_for_help_is_seen_at_its_first_sighting() -> None:
    """One help token: the tablet is told at once, with sign, zone and how long."""
    world = World()
    tablet = world.tablet(watches=True)
    person = world.joins(Mode.HELP)
    world.hears(person, Kind.HELP)
    pushed = tablet.pushed[-1]
    assert isinstance(pushed, query.Roster)
    assert pushed.urgent
    (visit,) = pushed.visits
    assert visit.help
    assert visit.sign_colour and visit.sign_digits and len(visit.sign_digits) == 2
    assert visit.zone_label == "Shoes"


def test_the_card_has_only_what_is_shared_and_the_look_is_recorded_first() -> None:
    """Shared scopes are on the card, the others leave no trace, and the record names fields, not values."""
    world = World()
    person = world.joins(Mode.HELP, ("name.first", "size.shoe"))
    world.hears(person, Kind.HELP)
    tablet = world.tablet()
    handle = world.floor(tablet).visits[0].handle
    card = world.card(tablet, handle)
    assert isinstance(card, query.Card)
    assert card.name == "name.first/1"
    assert [line.scope for line in card.lead] == ["size.shoe"]
    assert not card.sections
    (record,) = world.disclosures()
    assert set(record.scopes) == {"name.first", "size.shoe"}
    assert record.reason is sync.ReasonCode.HELP
    assert (record.associate, record.role) == ("ada", "advisor")
    world.card(tablet, handle)
    assert len(world.disclosures()) == 1
    world.card(tablet, handle, Section.WISHLIST)
    assert len(world.disclosures()) == 1


def test_another_session_is_another_disclosure() -> None:
    """Each session that looks is recorded, and each set of scopes."""
    world = World()
    person = world.joins(Mode.OPEN, (*TEXTS, "wishlist"))
    world.walks(person, 6)
    for associate in ("ada", "max"):
        tablet = world.tablet(associate)
        handle = world.floor(tablet).visits[0].handle
        world.card(tablet, handle)
        world.card(tablet, handle, Section.WISHLIST)
    assert len(world.disclosures()) == 4
    assert [one.role for one in world.disclosures(roster=True)] == ["advisor", "manager"]


def test_what_cannot_be_recorded_is_not_shown() -> None:
    """A full disk: no card, an empty floor with the reason; room again: live by itself."""
    world = World()
    person = world.joins(Mode.OPEN)
    world.walks(person, 6)
    tablet = world.tablet(watches=True)
    handle = world.floor(tablet).visits[0].handle
    world.replica.fail = CacheReason.DISK_FULL
    assert world.card(tablet, handle) == Refused(RefusedReason.DARK)
    roster = world.floor(tablet)
    assert (roster.lease.light, roster.lease.reason, roster.visits) == (Light.DARK, DarkReason.DISK, ())
    world.replica.fail = None
    world.walks(person, 1)
    assert world.floor(tablet).visits


def test_a_withdrawal_at_hq_makes_the_open_card_smaller_at_once() -> None:
    """The session with the card open is told; the card then lacks that field; others are told nothing."""
    world = World()
    person = world.joins(Mode.HELP)
    world.hears(person, Kind.HELP)
    looks, other = world.tablet(watches=True), world.tablet("max", watches=True)
    handle = world.floor(looks).visits[0].handle
    before = world.card(looks, handle)
    assert isinstance(before, query.Card) and before.lead
    world.withdraws_at_hq(person, "size.shoe")
    told = [one for one in looks.pushed if isinstance(one, query.CardChanged)]
    assert [one.handle for one in told] == [handle]
    assert not [one for one in other.pushed if isinstance(one, query.CardChanged)]
    after = world.card(looks, handle)
    assert isinstance(after, query.Card)
    assert not after.lead
    assert told[0].version == after.version


@pytest.mark.parametrize("scope", [None, "size.shoe"])
def test_a_withdrawal_in_the_store_works_at_once_and_through_later_records(scope: str | None) -> None:
    """Everything: the visit is gone. One scope: the card is smaller. No later record brings it back."""
    world = World()
    person = world.joins(Mode.OPEN)
    world.walks(person, 6)
    tablet = world.tablet(watches=True)
    handle = world.floor(tablet).visits[0].handle
    world.card(tablet, handle)
    assert world.ask(query.Withdraw(tablet.session, handle, scope)) == query.Accepted()
    for _ in range(2):
        if scope is None:
            assert not world.floor(tablet).visits
            assert world.card(tablet, handle) == WITHHELD
            assert any(isinstance(one, query.Roster) and one.urgent and not one.visits for one in tablet.pushed)
        else:
            card = world.card(tablet, handle)
            assert isinstance(card, query.Card)
            assert not card.lead
        world.changes(person, age_at_least=21)
        world.walks(person, 7)


def test_a_withdrawal_works_in_the_dark() -> None:
    """HQ is away and the floor empty: whoever stood on it can still leave."""
    world = World()
    person = world.joins(Mode.OPEN)
    world.walks(person, 6)
    tablet = world.tablet()
    handle = world.floor(tablet).visits[0].handle
    world.replica.dark(DarkReason.NO_WORD)
    world.passes(1)
    assert world.ask(query.Withdraw(tablet.session, bytes(16), None)) == WITHHELD
    assert world.ask(query.Withdraw(tablet.session, handle, None)) == query.Accepted()
    world.replica.dark(DarkReason.NONE)
    world.walks(person, 10)
    assert not world.floor(tablet).visits


def test_quiet_is_gone_at_once_and_not_recognised_any_more() -> None:
    """Mode quiet: the roster is smaller at once, and the phone's tokens are nobody's."""
    world = World()
    person = world.joins(Mode.OPEN)
    world.walks(person, 6)
    tablet = world.tablet(watches=True)
    assert world.floor(tablet).visits
    world.changes(person, mode=Mode.QUIET)
    last = tablet.pushed[-1]
    assert isinstance(last, query.Roster)
    assert not last.visits and last.urgent
    resolved = world.gateway.counts.resolved
    world.walks(person, 8)
    assert world.gateway.counts.resolved == resolved
    assert not world.floor(tablet).visits


def test_in_mode_help_presence_tokens_are_nobodys() -> None:
    """Only the call is recognised, and when it is done the visit leaves the floor."""
    world = World()
    person = world.joins(Mode.HELP)
    world.walks(person, 8)
    assert world.gateway.counts.resolved == 0
    world.hears(person, Kind.HELP)
    tablet = world.tablet()
    handle = world.floor(tablet).visits[0].handle
    assert world.ask(query.Attend(tablet.session, handle, Action.DONE)) == query.Accepted()
    world.hears(person, Kind.HELP)
    assert not world.floor(tablet).visits
    assert world.card(tablet, handle) == WITHHELD


def test_a_new_phone_and_a_new_member_are_recognised_at_once() -> None:
    """What HQ publishes is laid over the table, without waiting for the next one."""
    world = World()
    world.joins(Mode.OPEN)
    world.passes(1)
    late = world.joins(Mode.HELP)
    world.hears(late, Kind.HELP)
    assert len(world.tablet_sees()) == 1


def test_no_trusted_time_resolves_nothing() -> None:
    """Before HQ's first lease every token is nobody's."""
    world = World()
    person = world.joins(Mode.OPEN)
    epoch, world.replica.epoch_ms = world.replica.epoch_ms, None
    world.walks(person, 8)
    assert world.gateway.counts.resolved == 0
    world.replica.epoch_ms = epoch
    world.walks(person, 8)
    assert len(world.tablet_sees()) == 1


def test_darkness_empties_every_tablet_at_once_and_ends_by_itself() -> None:
    """The lease ended: an empty roster with the reason to all; visits go on unseen."""
    world = World()
    person = world.joins(Mode.OPEN)
    world.walks(person, 6)
    tablets = [world.tablet(one, watches=True) for one in ("ada", "max")]
    world.replica.dark(DarkReason.NO_WORD)
    world.passes(0.1)
    for tablet in tablets:
        last = tablet.pushed[-1]
        assert isinstance(last, query.Roster)
        assert (last.lease.light, last.lease.reason, last.visits, last.urgent) == (
            Light.DARK, DarkReason.NO_WORD, (), True,
        )  # fmt: skip
        assert world.card(tablet, bytes(16)) == Refused(RefusedReason.DARK)
    world.walks(person, 2)
    world.replica.dark(DarkReason.NONE)
    world.passes(0.1)
    for tablet in tablets:
        last = tablet.pushed[-1]
        assert isinstance(last, query.Roster) and last.visits


def test_hidden_and_never_was_are_answered_alike() -> None:
    """A role without the floor, a stranger's handle, a visit that is over: one answer; the refused look is recorded."""
    world = World()
    person = world.joins(Mode.OPEN)
    world.walks(person, 6)
    handle = world.tablet_sees()[0].handle
    stock = world.tablet("sam")
    assert not world.floor(stock).visits
    assert world.card(stock, handle) == world.card(stock, bytes(16)) == WITHHELD
    assert world.ask(query.Attend(stock.session, handle, Action.ATTENDING)) == WITHHELD
    world.passes(0.1)
    (refused,) = world.disclosures(shown=False)
    assert refused.role == "stock" and refused.scopes == ()
    world.passes(300)
    assert world.card(world.tablet(), handle) == WITHHELD


def test_two_who_differ_only_in_what_they_hide_have_equal_cards() -> None:
    """A member who has and hides a value, and one who has none: the same card but for the handle."""
    cards = []
    for hides in (True, False):
        world = World()
        person = world.joins(Mode.OPEN, ("size.shoe",))
        if not hides:
            fields = tuple(one for one in person.member.fields if one.scope == "size.shoe")
            world.changes(person, fields=fields)
        world.walks(person, 6)
        tablet = world.tablet()
        visits = world.floor(tablet).visits
        cards.append((visits, world.card(tablet, visits[0].handle)))
    assert repr(cards[0][0]) and cards[0] == cards[1]


def test_a_special_category_needs_its_own_grant() -> None:
    """Health is shown with a grant that names it alone, and not with a wider one."""
    for shares, shown in (((*TEXTS, HEALTH), True), (TEXTS, False)):
        world = World()
        person = world.joins(Mode.OPEN, shares)
        world.walks(person, 6)
        tablet = world.tablet()
        card = world.card(tablet, world.floor(tablet).visits[0].handle, Section.PREFERENCES)
        assert isinstance(card, query.Card)
        assert (HEALTH in [line.scope for line in card.lines]) is shown


def test_only_one_associate_attends() -> None:
    """The second is told who was first; the first may say it again, and end it."""
    world = World()
    person = world.joins(Mode.HELP)
    world.hears(person, Kind.HELP)
    ada, bo = world.tablet("ada"), world.tablet("bo")
    handle = world.floor(ada).visits[0].handle
    assert world.ask(query.Attend(ada.session, handle, Action.ATTENDING)) == query.Accepted()
    assert world.ask(query.Attend(ada.session, handle, Action.ATTENDING)) == query.Accepted()
    assert world.ask(query.Attend(bo.session, handle, Action.ATTENDING)) == query.Conflict("Ada")
    assert world.ask(query.Attend(bo.session, handle, Action.DONE)) == query.Conflict("Ada")
    assert [visit.attended_by_me for visit in (*world.floor(ada).visits, *world.floor(bo).visits)] == [True, False]
    assert world.ask(query.Attend(ada.session, handle, Action.DONE)) == query.Accepted()
    world.passes(1)
    assert steps(world, person) == [("", HelpStep.WAITING), ("ada", HelpStep.ATTENDING), ("ada", HelpStep.DONE)]


def steps(world: World, person: Person) -> list[tuple[str, HelpStep]]:
    """What was recorded of a member's calls for help: by whom, and what."""
    return [
        (body.associate, body.action)
        for _, pseudonym, body in world.replica.events
        if isinstance(body, sync.Attendance) and pseudonym == person.pseudonym
    ]


@pytest.mark.parametrize("mode", [Mode.HELP, Mode.OPEN])
def test_a_call_that_nobody_answers_is_recorded_to_its_end(mode: Mode) -> None:
    """Waiting, raised to all, timed out: each once, in this order."""
    world = World()
    person = world.joins(mode)
    for _ in range(950):
        world.hears(person, Kind.HELP)
        world.passes(1)
    assert steps(world, person) == [("", HelpStep.WAITING), ("", HelpStep.ESCALATED), ("", HelpStep.TIMED_OUT)]


def test_a_call_that_the_phone_takes_back_is_recorded_as_cancelled() -> None:
    """By presence, by silence, by the member's choice at HQ; nothing of it is recorded twice."""
    world = World()
    presence, silence, quiet = (world.joins(Mode.OPEN) for _ in range(3))
    for person in (presence, silence, quiet):
        world.hears(person, Kind.HELP)
    world.passes(5)
    world.changes(quiet, mode=Mode.QUIET)
    for _ in range(20):
        world.hears(presence, Kind.PRESENCE)
        world.passes(1)
    assert steps(world, silence) == [("", HelpStep.WAITING)]
    world.passes(60)
    for person in (presence, silence, quiet):
        assert steps(world, person) == [("", HelpStep.WAITING), ("", HelpStep.CANCELLED)]


def test_a_call_that_nobody_may_see_is_recorded_nowhere() -> None:
    """In a blind zone, or of a member whom no role may see: HQ learns nothing of it."""
    world = World()
    blind, hidden = world.joins(Mode.HELP), world.joins(Mode.HELP)
    world.changes(hidden, statements=hidden.member.statements[1:])
    for _ in range(10):
        world.hears(blind, Kind.HELP, "pharmacy-1")
        world.hears(hidden, Kind.HELP)
        world.passes(1)
    world.passes(70)
    assert (steps(world, blind), steps(world, hidden)) == ([], [])


def test_who_is_helped_in_a_blind_zone_waits_again_outside() -> None:
    """The visit ended with its associate; the call goes on as one that waits, and its end is recorded once."""
    world = World()
    person = world.joins(Mode.HELP)
    ada = world.tablet("ada")
    world.hears(person, Kind.HELP)
    world.passes(1)
    world.ask(query.Attend(ada.session, world.floor(ada).visits[0].handle, Action.ATTENDING))
    for _ in range(20):
        world.hears(person, Kind.HELP, "pharmacy-1", -40)
        world.passes(1)
    assert not world.floor(ada).visits
    for _ in range(60):
        world.hears(person, Kind.HELP)
        world.passes(1)
    world.ask(query.Attend(ada.session, world.floor(ada).visits[0].handle, Action.DONE))
    world.passes(1)
    assert [step for _, step in steps(world, person)] == [
        HelpStep.WAITING, HelpStep.ATTENDING, HelpStep.WAITING, HelpStep.DONE,
    ]  # fmt: skip


def test_a_call_is_not_lost_while_the_disk_is_full() -> None:
    """The store is dark; when there is room again the call is on the floor, and its record is made, in order."""
    world = World()
    person = world.joins(Mode.HELP)
    ada = world.tablet("ada", watches=True)
    world.replica.fail = CacheReason.DISK_FULL
    for _ in range(10):
        world.hears(person, Kind.HELP)
        world.passes(1)
    assert not world.floor(ada).visits
    assert steps(world, person) == []
    world.replica.fail = None
    world.passes(3)
    last = ada.pushed[-1]
    assert isinstance(last, query.Roster)
    assert [visit.help for visit in last.visits] == [True]
    assert steps(world, person) == [("", HelpStep.WAITING)]
    world.replica.fail = CacheReason.DISK_FULL
    assert world.ask(query.Attend(ada.session, last.visits[0].handle, Action.ATTENDING)) == Refused(RefusedReason.DARK)
    world.replica.fail = None
    world.passes(3)
    assert steps(world, person) == [("", HelpStep.WAITING)], "who attends was told that it did not work"


def test_what_waits_to_be_recorded_is_bounded() -> None:
    """A full disk for hours and a thousand calls: the newest steps are kept."""
    world = World()
    people = [world.joins(Mode.HELP) for _ in range(300)]
    world.replica.fail = CacheReason.DISK_FULL
    for person in people:
        world.hears(person, Kind.HELP)
    world.passes(1)
    world.replica.fail = None
    world.passes(3)
    recorded = [one for one in people if steps(world, one)]
    assert recorded == people[300 - MOST_WAITING :]


def test_a_member_who_is_helped_without_calling_is_recorded_as_before() -> None:
    """Who attends whom is recorded; no call is made of it."""
    world = World()
    person = world.joins(Mode.OPEN)
    world.walks(person, 6)
    ada = world.tablet("ada")
    handle = world.floor(ada).visits[0].handle
    for action in Action:
        assert world.ask(query.Attend(ada.session, handle, action)) == query.Accepted()
    world.passes(1)
    assert steps(world, person) == [("ada", HelpStep.ATTENDING), ("ada", HelpStep.DONE)]


def test_the_oldest_unanswered_call_is_first() -> None:
    """Unanswered calls by age, then answered ones, then those who are just there."""
    world = World()
    there, first, second = world.joins(Mode.OPEN), world.joins(Mode.HELP), world.joins(Mode.HELP)
    world.walks(there, 6)
    world.hears(first, Kind.HELP)
    world.passes(1)
    world.hears(second, Kind.HELP)
    tablet = world.tablet()
    visits = world.floor(tablet).visits
    assert [visit.help for visit in visits] == [True, True, False]
    waits = [visit.waiting_since_ms for visit in visits[:2]]
    assert waits == sorted(waits, key=lambda since: since or 0)
    world.ask(query.Attend(tablet.session, visits[0].handle, Action.ATTENDING))
    assert [visit.attended_by for visit in world.floor(tablet).visits] == [None, "Ada", None]


def test_changes_that_only_add_come_at_most_twice_a_second() -> None:
    """Ten people arrive within a second: a stream is given at most three rosters, the newest last."""
    world = World()
    people = [world.joins(Mode.OPEN) for _ in range(10)]
    tablet = world.tablet(watches=True)
    for _ in range(5):
        for person in people:
            world.hears(person, Kind.PRESENCE)
        world.passes(1)
    before = len(tablet.pushed)
    for person in people:
        world.hears(person, Kind.PRESENCE)
        world.passes(0.1)
    world.passes(0.5)
    pushed = tablet.pushed[before:]
    assert 1 <= len(pushed) <= 4
    assert isinstance(pushed[-1], query.Roster)
    assert len(pushed[-1].visits) == 10


def test_what_a_session_cannot_see_moves_nothing_of_it() -> None:
    """Somebody without a presence grant comes and goes: no news, no version, no count."""
    world = World()
    hidden = world.joins(Mode.OPEN)
    world.changes(hidden, statements=hidden.member.statements[1:])
    tablet = world.tablet(watches=True)
    version = world.floor(tablet).version
    world.walks(hidden, 8)
    world.hears(hidden, Kind.HELP)
    assert world.gateway.counts.resolved
    for told in tablet.pushed:  # a renewed lease may be told: same version, nothing urgent
        assert isinstance(told, query.Roster)
        assert (told.version, told.visits, told.urgent) == (version, (), False) or told is tablet.pushed[0]
    assert world.floor(tablet).version == version
    status = world.ask(query.AskStatus())
    assert isinstance(status, query.Status) and status.visits_open == 0


def test_nothing_that_a_tablet_is_told_counts_who_hides() -> None:
    """In a blind zone, with a call that only advisors see, with a refused look, with `quiet`: the same status.

    The operator's socket tells it all.
    """
    world = World()
    for_advisors = world.joins(Mode.HELP)
    statements = tuple(replace(one, roles=("advisor",)) for one in for_advisors.member.statements)
    world.changes(for_advisors, statements=statements)
    hidden, refused = world.joins(Mode.OPEN), world.joins(Mode.OPEN)
    world.walks(refused, 6)
    tablet = world.tablet("max")
    (visit,) = world.floor(tablet).visits
    heard = world.gateway.counts.sightings
    before, before_operator = status(world), status(world, operator=True)
    for _ in range(8):
        world.hears(hidden, Kind.PRESENCE, "pharmacy-1")
        world.passes(1)
    world.hears(for_advisors, Kind.HELP)
    world.changes(refused, statements=())
    assert world.ask(query.AskCard(tablet.session, visit.handle, None)) == query.Withheld()
    world.changes(hidden, mode=Mode.QUIET)
    world.passes(1)
    world.gateway.counts.sightings = heard  # tokens of strangers are in it too
    assert status(world) == before
    assert status(world, operator=True) != before_operator


def status(world: World, *, operator: bool = False) -> tuple[int, tuple[query.Counter, ...]]:
    """The figures of a status."""
    reply = world.gateway.answer(query.AskStatus(), Asker(operator, None), world.now_s)
    assert isinstance(reply, query.Status)
    return reply.visits_open, reply.counters


def test_an_expired_grant_leaves_the_floor_without_anybodys_doing() -> None:
    """Time alone ends a grant: the roster shrinks within a second or two."""
    world = World()
    person = world.joins(Mode.OPEN)
    ends_s = world.now_ms // 1000 + 10
    person_statements = person.member.statements
    world.changes(
        person,
        statements=tuple(type(one)(**{**_fields(one), "until_s": ends_s}) for one in person_statements),
    )
    world.walks(person, 6)
    tablet = world.tablet(watches=True)
    assert world.floor(tablet).visits
    world.walks(person, 6)
    last = tablet.pushed[-1]
    assert isinstance(last, query.Roster) and not last.visits


def _fields(one: object) -> dict[str, object]:
    return {name: getattr(one, name) for name in type(one).__dataclass_fields__}  # type: ignore[attr-defined]


def test_deactivated_staff_is_out_at_once() -> None:
    """HQ deactivates an associate: the stream ends, the session is nobody's."""
    world = World()
    tablet = world.tablet("ada", watches=True)
    world.hq_says(world.replica.put_staff("ada", Staff("Ada", "advisor", "verifier", False)))
    assert tablet.ended == Refused(RefusedReason.SIGNED_OUT)
    assert world.ask(query.AskFloor(tablet.session)) == Refused(RefusedReason.SIGNED_OUT)


def fares(world: World, seconds: float, state: RadioState = RadioState.HEARING, node: str = "shoes-1") -> None:
    """Time goes by while a receiver says every five seconds how it fares."""
    reason = None if state is RadioState.HEARING else RadioReason.SILENT
    for _ in range(max(1, round(seconds / 5))):
        world.gateway.on_sighting(Health(node, "replay", state, reason, int(world.now_s), 0, 0, 0, ()), world.now_s)
        world.passes(min(5, seconds))


def test_an_ill_radio_freezes_the_departures_of_those_it_alone_hears() -> None:
    """While a radio is ill nobody leaves for silence; when it is well again silence counts anew."""
    world = World()
    person = world.joins(Mode.OPEN)
    world.walks(person, 6)
    tablet = world.tablet()
    fares(world, 250, RadioState.ILL)
    assert world.tablet_sees()
    fares(world, 30)
    assert world.floor(world.tablet()).visits
    fares(world, 40)
    assert not world.floor(world.tablet()).visits
    assert tablet.ended is None


def test_nobody_is_listed_for_ever_because_a_receiver_died() -> None:
    """An edge that says nothing any more freezes departures too, for ten minutes; then who is silent is gone."""
    world = World()
    person = world.joins(Mode.OPEN)
    fares(world, 5)
    world.walks(person, 6)
    world.passes(500)
    assert world.tablet_sees()
    world.passes(200)
    assert not world.tablet_sees()


def test_the_floor_tells_which_receivers_are_out_and_takes_it_back_by_itself() -> None:
    """The zone's label, blind or not, to everybody who follows; nothing in it depends on who is in the store."""
    world = World()
    tablet = world.tablet(watches=True)
    assert world.floor(tablet).radios == ()
    fares(world, 1, RadioState.ILL)
    world.well = ()
    fares(world, 1, RadioState.ILL, "pharmacy-1")
    told = tablet.pushed[-1]
    assert isinstance(told, query.Roster)
    assert told.radios == (query.Outage("Shoes", False), query.Outage("Pharmacy", True))
    assert not told.urgent
    fares(world, 1)
    fares(world, 1, node="pharmacy-1")
    told = tablet.pushed[-1]
    assert isinstance(told, query.Roster)
    assert told.radios == ()
    version = told.version
    fares(world, 5)
    assert world.floor(tablet).version == version


def test_in_the_dark_no_receiver_is_spoken_of() -> None:
    """A dark store shows nothing at all."""
    world = World()
    tablet = world.tablet(watches=True)
    fares(world, 1, RadioState.ILL)
    world.replica.dark(DarkReason.NO_WORD)
    fares(world, 1, RadioState.ILL)
    assert world.floor(tablet).radios == ()
    world.replica.dark(DarkReason.NONE)
    fares(world, 1, RadioState.ILL)
    assert world.floor(tablet).radios == (query.Outage("Shoes", False),)


def test_a_status_lists_every_receiver_with_what_to_do() -> None:
    """Those of the policy by zone, heard or not, and those in no zone; candidates are the operator's alone."""
    world = World()
    fares(world, 1, RadioState.ILL)
    fares(world, 1, node="door-1")
    reply = world.gateway.answer(query.AskStatus(), Asker(True, None), world.now_s)
    assert isinstance(reply, query.Status)
    assert [(one.node, one.zone_label, one.state.value) for one in reply.radios] == [
        ("shoes-1", "Shoes", "ill"), ("shoes-2", "Shoes", "never-heard"), ("hats-1", "Hats", "never-heard"),
        ("pharmacy-1", "Pharmacy", "hearing"), ("door-1", None, "hearing"),
    ]  # fmt: skip
    text = status_text(reply)
    assert "receiver shoes-1 (zone Shoes) ill, silent" in text
    assert "receiver door-1 (in no zone of the policy) hearing" in text
    assert text.count("  remedy: ") == 3
    told = world.ask(query.AskStatus())
    assert isinstance(told, query.Status)
    assert all(one.candidates is None for one in told.radios)


def test_status_names_no_member_and_counts_calls_only() -> None:
    """How many are present is nobody's business; how many calls wait is."""
    world = World()
    there, calls = world.joins(Mode.OPEN), world.joins(Mode.HELP)
    world.walks(there, 6)
    world.hears(calls, Kind.HELP)
    status = world.ask(query.AskStatus())
    assert isinstance(status, query.Status)
    assert (status.store, status.visits_open) == (STORE, 1)
    assert len(query.frame(1, status)) < 8192


def test_a_pairing_code_is_minted_on_the_operators_socket_alone() -> None:
    """The tablets' socket mints nothing."""
    assert World().ask(query.MintPairing()) == Refused(RefusedReason.FORBIDDEN)


@pytest.mark.parametrize("kind", [Kind.PRESENCE, Kind.HELP])
def test_a_slow_radio_in_a_blind_zone_hides_all_the_same(kind: Kind) -> None:
    """The pharmacy's radio reports a steady phone once in 10.24 s or misses one, the next zone's hears it weakly."""
    world = World()
    person = world.joins(Mode.OPEN)
    tablet = world.tablet(watches=True)
    for step in range(500):
        if step % 51 == 0 and step != 102:
            world.hears(person, kind, "pharmacy-1", -50)
        if step % 5 == 2:
            world.hears(person, kind, "shoes-1", -75)
        world.passes(0.2)
    assert not [told for told in tablet.pushed if isinstance(told, query.Roster) and told.visits]
    world.walks(person, 40)
    assert world.floor(tablet).visits


def test_a_visit_ends_in_a_zone_that_the_member_excludes() -> None:
    """Outside again it is another visit, from then on: nobody can tell who hides from who went home."""
    world = World()
    person = world.joins(Mode.OPEN)
    world.changes(person, statements=tuple(replace(one, zones_excluded=("hats",)) for one in person.member.statements))
    tablet = world.tablet(watches=True)
    world.walks(person, 8)
    (first,) = world.floor(tablet).visits
    world.walks(person, 30, "hats-1", -50)
    assert not world.floor(tablet).visits
    out_ms = world.now_ms
    world.walks(person, 30, "shoes-1", -40)
    (again,) = world.floor(tablet).visits
    assert again.handle != first.handle
    assert again.arrived_ms >= out_ms
