"""What an associate does to a visit, in a whole store in memory: introduced, handed over, suggested, proposed."""

from dataclasses import replace

import pytest

from store_gateway.errors import CacheReason
from tests.store_gateway.test_floor import steps
from tests.world import TEXTS, Person, Tablet, World, a_policy
from wire import acts, query, sync
from wire.catalog import CatalogItem
from wire.events import INTRODUCED, HandOverReason
from wire.items import ItemList, MuteKind, Proposal, Response
from wire.member import Field, Item, Mode, NameChoice, SourceClass, Value, ValueClass
from wire.policy import Policy, ScopeRule, Section, ValueType
from wire.query import Action, DarkReason, Refused, RefusedReason, Withheld
from wire.sync import EventKind, HelpStep
from wire.token import Kind

WITHHELD = Withheld()
SUGGESTED = "suggested"
BASKET = "basket.online"


def selling() -> Policy:
    """The usual policy with suggestions and an online basket."""
    policy = a_policy()

    def scope(id: str, section: Section, purpose: str) -> ScopeRule:
        return ScopeRule(id, id, ValueType.ITEMS, SourceClass.THIRD, "", 3650, 20, section, (purpose,))

    added = (scope(SUGGESTED, Section.SUGGESTIONS, "suggest"), scope(BASKET, Section.BASKET, "assist"))
    return replace(policy, main=replace(policy.main, scopes=(*policy.main.scopes, *added)))


def here(world: World, mode: Mode = Mode.OPEN, shares: tuple[str, ...] = TEXTS, **changes: object) -> Person:
    """A member on a visit."""
    person = world.joins(mode, shares, **changes)
    if mode is Mode.HELP:
        world.hears(person, Kind.HELP)
    else:
        world.walks(person, 6)
    return person


def suggests(world: World, person: Person, *items: str) -> None:
    """HQ says what somebody else suggests, which the member agreed to, of what the store sells."""
    at_s = world.now_ms // 1000 - 60
    found = tuple(Item(one, f"label of {one}", None, None, False) for one in items)
    field = Field(SUGGESTED, Value(items=found), SourceClass.FIRST, "hq", ValueClass.ENGAGEMENT, at_s, at_s)
    grant = replace(person.member.statements[0], purpose="suggest", scopes=(SUGGESTED,))
    sells(world, **{one: () for one in items if one not in world.replica.shelf.items})
    world.changes(
        person, fields=(*person.member.fields, field), statements=(*person.member.statements, grant)
    )  # fmt: skip


def sells(world: World, **flags: tuple[str, ...]) -> None:
    """The catalog: items by id, with flags."""
    for item, said in flags.items():
        world.replica.shelf.items[item] = CatalogItem(f"Blue {item}", ("shoes", "running"), ("sport",), said, "", "")
    world.settle()


def only(world: World, tablet: Tablet) -> bytes:
    """The handle of the one visit."""
    (visit,) = world.floor(tablet).visits
    return visit.handle


def card_of(world: World, tablet: Tablet, handle: bytes, section: Section | None = None) -> query.Card:
    """The card, which there is."""
    card = world.card(tablet, handle, section)
    assert isinstance(card, query.Card)
    return card


def recorded(world: World, kind: EventKind) -> list[object]:
    """The bodies of all events of a kind."""
    return [body for one, _, body in world.replica.events if one is kind]


def outcomes(world: World) -> list[tuple[str, Response, str | None]]:
    """What became of suggestions, as it was recorded."""
    found = [one for one in recorded(world, EventKind.OUTCOME) if isinstance(one, sync.SuggestionOutcome)]
    return [(one.item, one.response, one.zone) for one in found]


# --- introduced ------------------------------------------------------------------------------------------------------


def test_who_introduced_themself_is_named_on_this_visit_and_the_member_can_read_it() -> None:
    """The name comes to the open card at once, recorded before it by role, without a field; the next visit has none."""
    world = World()
    person = here(world)
    tablet = world.tablet(watches=True)
    handle = only(world, tablet)
    assert card_of(world, tablet, handle).name is None
    assert world.ask(acts.Introduce(tablet.session, handle)) == query.Accepted()
    assert [one.handle for one in tablet.pushed if isinstance(one, query.CardChanged)] == [handle]
    assert card_of(world, tablet, handle).name == "name.first/1"
    said = [one for one in world.disclosures() if one.rule == INTRODUCED]
    assert [(one.role, one.scopes, one.reason) for one in said] == [("advisor", (), sync.ReasonCode.OPEN)]
    assert world.ask(acts.Introduce(tablet.session, handle)) == query.Accepted()
    assert len([one for one in world.disclosures() if one.rule == INTRODUCED]) == 1
    world.passes(300)
    world.walks(person, 6)
    tablet = world.tablet()
    assert card_of(world, tablet, only(world, tablet)).name is None


@pytest.mark.parametrize("choice", [NameChoice.NEVER, NameChoice.INVITED])
def test_an_introduction_shows_no_name_that_is_not_shared(choice: NameChoice) -> None:
    """Who never wants to be named, and who does not share the name, are answered alike."""
    world = World()
    shares = TEXTS if choice is NameChoice.NEVER else ("size.shoe",)
    here(world, shares=shares, name_choice=choice)
    tablet = world.tablet(watches=True)
    handle = only(world, tablet)
    before = card_of(world, tablet, handle)
    assert world.ask(acts.Introduce(tablet.session, handle)) == query.Accepted()
    after = card_of(world, tablet, handle)
    assert (after.name, after.version) == (None, before.version)
    assert not [one for one in tablet.pushed if isinstance(one, query.CardChanged)]


def test_an_introduction_that_cannot_be_recorded_has_no_effect() -> None:
    """A full disk: refused as dark, and no name once there is room again."""
    world = World()
    person = here(world)
    tablet = world.tablet()
    handle = only(world, tablet)
    world.replica.fail = CacheReason.DISK_FULL
    assert world.ask(acts.Introduce(tablet.session, handle)) == Refused(RefusedReason.DARK)
    world.replica.fail = None
    world.walks(person, 1)
    assert card_of(world, tablet, handle).name is None


# --- handed over -----------------------------------------------------------------------------------------------------


def hand(tablet: Tablet, handle: bytes, associate: str | None = None, role: str | None = None) -> acts.HandOver:
    """I hand over: an expert is needed."""
    return acts.HandOver(tablet.session, handle, associate, role, HandOverReason.NEEDS_EXPERT)


def test_who_is_signed_in_now_and_the_roles_of_the_floor_can_be_chosen() -> None:
    """Colleagues by name but oneself, nobody whose role sees no floor, nobody whose session is locked or over."""
    world = World()
    tablet = world.tablet("ada")
    for associate in ("max", "sam", "bo"):
        world.tablet(associate)
    found = world.ask(acts.AskColleagues(tablet.session))
    assert isinstance(found, acts.Colleagues)
    assert [(one.associate, one.name, one.role) for one in found.associates] == [
        ("bo", "Bo", "advisor"), ("max", "Max", "manager"),
    ]  # fmt: skip
    assert [(one.id, one.label) for one in found.roles] == [("advisor", "Advisor"), ("manager", "Manager")]
    world.passes(301)
    tablet = world.tablet("ada")
    found = world.ask(acts.AskColleagues(tablet.session))
    assert isinstance(found, acts.Colleagues) and not found.associates


@pytest.mark.parametrize("to", [{"associate": "max"}, {"role": "manager"}])
def test_those_to_whom_a_visit_is_handed_see_it_and_may_take_it(to: dict[str, str]) -> None:
    """They see why, the others see who helps, and only they may take it; the member is on nobody's list twice."""
    world = World()
    person = here(world, Mode.HELP)
    ada, bo, boss = world.tablet("ada"), world.tablet("bo"), world.tablet("max", watches=True)
    handle = only(world, ada)
    assert world.ask(query.Attend(ada.session, handle, Action.ATTENDING)) == query.Accepted()
    assert world.ask(hand(ada, handle, **to)) == query.Accepted()
    pushed = boss.pushed[-1]
    assert isinstance(pushed, query.Roster) and pushed.urgent
    assert [one.handed_over for one in pushed.visits] == [HandOverReason.NEEDS_EXPERT]
    assert card_of(world, boss, handle).handed_over is HandOverReason.NEEDS_EXPERT
    for tablet, mine in ((ada, True), (bo, False)):
        (visit,) = world.floor(tablet).visits
        assert (visit.handed_over, visit.attended_by, visit.attended_by_me) == (None, "Ada", mine)
    assert world.ask(query.Attend(bo.session, handle, Action.ATTENDING)) == query.Conflict("Ada")
    assert world.ask(query.Attend(boss.session, handle, Action.ATTENDING)) == query.Accepted()
    assert world.ask(query.Attend(ada.session, handle, Action.DONE)) == query.Conflict("Max")
    assert not [one for one in world.floor(boss).visits if one.handed_over]
    for _ in range(61):
        world.hears(person, Kind.HELP)
        world.passes(1)
    assert [visit.attended_by for visit in world.floor(bo).visits] == ["Max"]
    assert [step for _, step in steps(world, person)] == [
        HelpStep.WAITING, HelpStep.ATTENDING, HelpStep.HANDED_OVER, HelpStep.ATTENDING,
    ]  # fmt: skip
    (body,) = [one for one in recorded(world, EventKind.ATTENDANCE) if getattr(one, "role", None)]
    assert isinstance(body, sync.Attendance)
    assert (body.associate, body.role, body.reason) == ("ada", "advisor", HandOverReason.NEEDS_EXPERT)
    assert (body.to, body.to_role) == (to.get("associate"), to.get("role"))


def test_what_nobody_takes_within_a_minute_waits_again_for_all() -> None:
    """The call stands as one that nobody answers; HQ is told that it waits."""
    world = World()
    person = here(world, Mode.HELP)
    ada, bo = world.tablet("ada"), world.tablet("bo", watches=True)
    world.tablet("max")
    handle = only(world, ada)
    assert world.ask(hand(ada, handle, "max")) == query.Accepted()
    for _ in range(59):
        world.hears(person, Kind.HELP)
        world.passes(1)
    assert [visit.attended_by for visit in world.floor(bo).visits] == ["Ada"]
    for _ in range(2):
        world.hears(person, Kind.HELP)
        world.passes(1)
    last = bo.pushed[-1]
    assert isinstance(last, query.Roster) and last.urgent
    assert [(visit.help, visit.attended_by) for visit in last.visits] == [(True, None)]
    assert [step for _, step in steps(world, person)] == [HelpStep.WAITING, HelpStep.HANDED_OVER, HelpStep.WAITING]
    assert world.ask(query.Attend(bo.session, handle, Action.ATTENDING)) == query.Accepted()


def test_who_handed_over_may_keep_it_after_all() -> None:
    """Attending again takes it back from those to whom it went."""
    world = World()
    here(world, Mode.HELP)
    ada, boss = world.tablet("ada"), world.tablet("max")
    handle = only(world, ada)
    world.ask(hand(ada, handle, "max"))
    assert world.ask(query.Attend(ada.session, handle, Action.ATTENDING)) == query.Accepted()
    assert [visit.handed_over for visit in world.floor(boss).visits] == [None]
    assert world.ask(query.Attend(boss.session, handle, Action.ATTENDING)) == query.Conflict("Ada")


def test_only_who_helps_hands_over_and_only_to_somebody_of_the_floor() -> None:
    """Another's visit, a stranger, oneself, two targets or none, a role without the floor, a visit that never was."""
    world = World()
    here(world, Mode.HELP)
    ada, bo = world.tablet("ada"), world.tablet("bo")
    world.tablet("sam")
    handle = only(world, ada)
    for associate, role in (
        ("zoe", None),
        ("ada", None),
        ("sam", None),
        (None, "stock"),
        ("bo", "advisor"),
        (None, None),
    ):
        assert world.ask(hand(ada, handle, associate, role)) == WITHHELD
    assert world.ask(hand(ada, bytes(16), "bo")) == WITHHELD
    assert world.ask(query.Attend(bo.session, handle, Action.ATTENDING)) == query.Accepted()
    assert world.ask(hand(ada, handle, "bo")) == query.Conflict("Bo")


def test_whether_a_colleague_may_see_the_visit_is_not_told() -> None:
    """A member who shares with one role alone: handing over to the other is answered as always, and comes back."""
    world = World()
    person = world.joins(Mode.HELP)
    statements = tuple(replace(one, roles=("advisor",)) for one in person.member.statements)
    world.changes(person, statements=statements)
    world.hears(person, Kind.HELP)
    ada, boss = world.tablet("ada"), world.tablet("max")
    handle = only(world, ada)
    assert world.ask(hand(ada, handle, "max")) == query.Accepted()
    assert not world.floor(boss).visits
    assert world.ask(query.Attend(boss.session, handle, Action.ATTENDING)) == WITHHELD


# --- suggestions -----------------------------------------------------------------------------------------------------


def test_what_became_of_a_suggestion_is_recorded_while_it_is_on_this_sessions_card() -> None:
    """Not before the section was asked for, not by another session, not of another item; each thing once a visit.

    That it was shown the box notes by itself, when the section is opened first.
    """
    world = World(selling())
    person = here(world)
    suggests(world, person, "sku-1", "sku-2")
    ada, bo = world.tablet("ada"), world.tablet("bo")
    handle = only(world, ada)
    card_of(world, ada, handle)
    assert world.ask(acts.Respond(ada.session, handle, "sku-1", Response.SHOWN)) == WITHHELD
    (line,) = card_of(world, ada, handle, Section.SUGGESTIONS).lines
    assert [one.item for one in line.entries] == ["sku-1", "sku-2"]
    for tablet, at, item in ((bo, handle, "sku-1"), (ada, handle, "sku-3"), (ada, bytes(16), "sku-1")):
        assert world.ask(acts.Respond(tablet.session, at, item, Response.TAKEN)) == WITHHELD
    for response in (Response.SHOWN, Response.IGNORED, Response.TAKEN, Response.IGNORED, Response.TAKEN):
        assert world.ask(acts.Respond(ada.session, handle, "sku-1", response)) == query.Accepted()
    assert outcomes(world) == [
        ("sku-1", Response.SHOWN, "shoes"),
        ("sku-2", Response.SHOWN, "shoes"),
        ("sku-1", Response.IGNORED, "shoes"),
        ("sku-1", Response.TAKEN, "shoes"),
    ]
    assert not world.denied(person).mutes


def test_not_for_me_mutes_the_item_at_once_and_leaves_no_hole() -> None:
    """The open card is told, the item is gone; with the last one the section is gone, as of who has none."""
    world = World(selling())
    person = here(world)
    suggests(world, person, "sku-1", "sku-2")
    tablet = world.tablet(watches=True)
    handle = only(world, tablet)
    card_of(world, tablet, handle, Section.SUGGESTIONS)
    assert world.ask(acts.Respond(tablet.session, handle, "sku-1", Response.NOT_FOR_ME)) == query.Accepted()
    assert [one.handle for one in tablet.pushed if isinstance(one, query.CardChanged)] == [handle]
    (line,) = card_of(world, tablet, handle, Section.SUGGESTIONS).lines
    assert [one.item for one in line.entries] == ["sku-2"]
    assert world.denied(person).mutes == {(MuteKind.ITEM, "sku-1")}
    assert [one[0] for one in world.replica.events[-2:]] == [EventKind.OUTCOME, EventKind.MUTE]
    assert world.ask(acts.Respond(tablet.session, handle, "sku-2", Response.NOT_FOR_ME)) == query.Accepted()
    card = card_of(world, tablet, handle)
    assert Section.SUGGESTIONS not in card.sections


def test_a_category_or_theme_of_what_is_suggested_can_be_muted() -> None:
    """And nothing else: not what no item on the card belongs to. What is in it is gone with it."""
    for what, name, answer in (
        (MuteKind.CATEGORY, "running", query.Accepted()),
        (MuteKind.THEME, "sport", query.Accepted()),
        (MuteKind.ITEM, "sku", query.Accepted()),
        (MuteKind.THEME, "baby", WITHHELD),
        (MuteKind.CATEGORY, "sport", WITHHELD),
    ):
        world = World(selling())
        person = here(world)
        suggests(world, person, "sku")
        tablet = world.tablet()
        handle = only(world, tablet)
        card_of(world, tablet, handle, Section.SUGGESTIONS)
        assert world.ask(acts.MuteFor(tablet.session, handle, what, name)) == answer
        muted = answer == query.Accepted()
        assert world.denied(person).mutes == ({(what, name)} if muted else set())
        assert (Section.SUGGESTIONS in card_of(world, tablet, handle).sections) is not muted


# --- items for the member --------------------------------------------------------------------------------------------


def test_an_item_is_proposed_for_a_list_that_this_role_may_see() -> None:
    """Recorded for HQ, and nothing on the card is another; without the grant as for what never was."""
    world = World(selling())
    sells(world, sku=())
    person = here(world, shares=("wishlist",))
    tablet = world.tablet()
    handle = only(world, tablet)
    before = card_of(world, tablet, handle, Section.WISHLIST)
    wish = acts.Propose(tablet.session, handle, ItemList.WISHLIST, "sku", 2)
    assert world.ask(wish) == query.Accepted()
    assert card_of(world, tablet, handle, Section.WISHLIST) == before
    assert recorded(world, EventKind.PROPOSAL) == [
        Proposal(ItemList.WISHLIST, "sku", 2, "advisor", "ada", recorded_tablet(world))
    ]
    for changed in (
        replace(wish, to=ItemList.BASKET),
        replace(wish, item="unheard-of"),
        replace(wish, handle=bytes(16)),
    ):
        assert world.ask(changed) == WITHHELD
    world.withdraws_at_hq(person, "wishlist")
    assert world.ask(wish) == WITHHELD


def recorded_tablet(world: World) -> str:
    """The tablet of the one look."""
    return world.disclosures()[0].tablet


@pytest.mark.parametrize("flag", ["never", "adult"])
def test_what_nobody_is_offered_is_neither_found_nor_proposed(flag: str) -> None:
    """As an item that is not in the catalog."""
    world = World(selling())
    sells(world, plain=("new",), other=(flag,))
    here(world, shares=("wishlist",))
    tablet = world.tablet()
    handle = only(world, tablet)
    found = world.ask(acts.AskCatalog(tablet.session, "blue"))
    assert isinstance(found, acts.CatalogFound)
    assert [one.item for one in found.items] == ["plain"]
    assert world.ask(acts.AskCatalog(tablet.session, "other")) == acts.CatalogFound(())
    assert world.ask(acts.Propose(tablet.session, handle, ItemList.WISHLIST, "other", 1)) == WITHHELD


def test_items_are_found_by_words_without_case_and_accents_and_by_their_id() -> None:
    """All words somewhere in the name, in any order; at most twenty."""
    world = World()
    shelf = world.replica.shelf.items
    shelf["4711"] = CatalogItem("Crème brûlée dish", (), (), (), "", "")
    for number in range(30):
        shelf[f"s-{number}"] = CatalogItem(f"Socks {number}", (), (), (), "", "")
    world.settle()
    tablet = world.tablet()

    def found(text: str) -> list[str]:
        reply = world.ask(acts.AskCatalog(tablet.session, text))
        assert isinstance(reply, acts.CatalogFound)
        return [one.item for one in reply.items]

    assert found("DISH creme") == ["4711"]
    assert found("4711") == ["4711"]
    assert found("creme socks") == []
    assert found("  ") == []
    assert len(found("socks")) == 20


# --- who may -------------------------------------------------------------------------------------------------------


def test_nothing_is_done_in_the_dark_or_by_a_role_without_the_floor() -> None:
    """Dark: refused, to all alike. Without the floor: as what never was. Without a session: signed out."""
    world = World(selling())
    sells(world, sku=())
    person = here(world, Mode.HELP, ("wishlist",))
    suggests(world, person, "sku")
    ada, stock = world.tablet("ada"), world.tablet("sam")
    handle = only(world, ada)

    def asks(session: bytes) -> list[query.Request]:
        return [
            acts.Introduce(session, handle),
            acts.HandOver(session, handle, None, "manager", HandOverReason.BREAK),
            acts.Respond(session, handle, "sku", Response.SHOWN),
            acts.MuteFor(session, handle, MuteKind.ITEM, "sku"),
            acts.Propose(session, handle, ItemList.WISHLIST, "sku", 1),
        ]

    world.passes(0.1)
    before = len(world.replica.events)
    assert {repr(world.ask(one)) for one in asks(stock.session)} == {repr(WITHHELD)}
    assert {repr(world.ask(one)) for one in asks(bytes(32))} == {repr(Refused(RefusedReason.SIGNED_OUT))}
    world.replica.dark(DarkReason.NO_WORD)
    world.passes(0.1)
    assert {repr(world.ask(one)) for one in asks(ada.session)} == {repr(Refused(RefusedReason.DARK))}
    assert len(world.replica.events) == before


def test_two_who_differ_only_in_what_they_hide_are_answered_alike_whatever_is_done() -> None:
    """One hides name, wish list, basket and suggestions, the other has none of them: the same answers, step by step."""
    told = []
    for hides in (True, False):
        world = World(selling())
        sells(world, sku=())
        person = here(world, Mode.OPEN, ("size.shoe",))
        suggests(world, person, "sku")
        world.changes(person, statements=person.member.statements[:-1])  # without the grant to suggest
        if not hides:
            world.changes(person, fields=tuple(one for one in person.member.fields if one.scope == "size.shoe"))
        tablet = world.tablet(watches=True)
        handle = only(world, tablet)
        answers: list[object] = [card_of(world, tablet, handle, Section.SUGGESTIONS)]
        for asked in (
            acts.Introduce(tablet.session, handle),
            acts.Respond(tablet.session, handle, "sku", Response.NOT_FOR_ME),
            acts.MuteFor(tablet.session, handle, MuteKind.THEME, "sport"),
            acts.Propose(tablet.session, handle, ItemList.WISHLIST, "sku", 1),
            acts.Propose(tablet.session, handle, ItemList.BASKET, "sku", 1),
            acts.HandOver(tablet.session, handle, None, "manager", HandOverReason.OTHER),
        ):
            answers += [world.ask(asked), world.card(tablet, handle), world.floor(tablet).visits]
        told.append((answers, tablet.pushed))
    assert told[0] == told[1]
