"""A whole store in memory: what is heard, what HQ says, what the tablets see."""

from dataclasses import replace

import pytest

from store_gateway.errors import CacheReason
from store_gateway.gateway import Asker
from tests.world import HEALTH, STORE, TEXTS, World
from wire import query, sync
from wire.member import Mode, Staff
from wire.policy import Section
from wire.query import Action, DarkReason, Light, Refused, RefusedReason, Withheld
from wire.sighting import Health, RadioReason, RadioState
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
    actions = [body.action for _, _, body in world.replica.events if isinstance(body, sync.Attendance)]
    assert actions == ["attending", "done"]


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


def test_an_ill_radio_freezes_the_departures_of_those_it_alone_hears() -> None:
    """While a radio is ill nobody leaves for silence; when it is well again silence counts anew."""
    world = World()
    person = world.joins(Mode.OPEN)
    world.walks(person, 6)
    health = Health("shoes-1", "AA:BB:CC:DD:EE:FF", RadioState.ILL, RadioReason.SILENT, 0, 0, 0, 0, ())
    world.gateway.on_sighting(health, world.now_s)
    tablet = world.tablet()
    world.passes(250)
    assert world.tablet_sees()
    well = Health("shoes-1", "AA:BB:CC:DD:EE:FF", RadioState.HEARING, None, 0, 0, 0, 0, ())
    world.gateway.on_sighting(well, world.now_s)
    world.passes(30)
    assert world.floor(world.tablet()).visits
    world.passes(40)
    assert not world.floor(world.tablet()).visits
    assert tablet.ended is None


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
