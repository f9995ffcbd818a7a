"""Suggestions in a whole store in memory: made from what is granted for it, said why, and a no is heard."""

import json
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest

from consent.suggest.journey import COHORT, STAGE
from demo import goods
from store_gateway.errors import CacheReason
from tests.store_gateway.test_acts import BASKET, card_of, only, outcomes, recorded, sells
from tests.world import Person, Tablet, World, a_policy
from wire import acts, query
from wire.catalog import CatalogItem
from wire.concluded import Concluded, Evidence
from wire.items import MuteKind, Response, SuggestionOutcome
from wire.member import Field, Item, Mode, SourceClass, State, Statement, Value, ValueClass
from wire.policy import Policy, ScopeRule, Section, ValueType
from wire.suggested import SuggestedKind, SuggestedPlace
from wire.suggestions import SpecialScope, Stage, SuggestionPolicy
from wire.sync import EventKind
from wire.token import Kind

DAY_S = 86_400
HISTORY, SCOPE = "history.store", "suggestions"
TEA, CUP, SOAP = "tea", "cup", "soap"  # soap was bought once
REGULAR = ((70, TEA), (70, CUP), (49, TEA), (49, SOAP), (28, TEA), (28, CUP))  # days ago


def suggesting() -> Policy:
    """The usual policy with suggestions made here, from a history and a basket."""
    policy = a_policy()

    def scope(id: str, section: Section, shown: tuple[str, ...], used: tuple[str, ...] | None) -> ScopeRule:
        return ScopeRule(id, id, ValueType.ITEMS, SourceClass.THIRD, "", 3650, 20, section, shown, used)

    added = (
        scope(HISTORY, Section.HISTORY, ("assist",), ("suggest",)),
        scope(BASKET, Section.BASKET, ("assist",), ("suggest",)),
        scope(SCOPE, Section.SUGGESTIONS, ("suggest",), None),
    )
    return replace(policy, main=replace(policy.main, scopes=(*policy.main.scopes, *added)))


def bought(now_s: int, lines: tuple[tuple[int, str], ...] = REGULAR) -> Field:
    """A history of these lines."""
    items = tuple(Item(item, f"bought/{item}", now_s - days * DAY_S, 1, False) for days, item in lines)
    return Field(HISTORY, Value(items=items), SourceClass.FIRST, "till", ValueClass.TRANSACTIONAL, now_s - 9, now_s - 9)


def lets(person: Person, *scopes: str, roles: tuple[str, ...] = ("advisor", "manager")) -> Statement:
    """The leave to suggest, of these scopes."""
    return replace(person.member.statements[0], purpose="suggest", scopes=scopes, roles=roles)


def regular(world: World) -> Person:
    """Somebody on a visit who buys tea every three weeks, and lets the store suggest from it."""
    sells(world, **dict.fromkeys((TEA, CUP, SOAP), ()))
    person = world.joins(Mode.OPEN)
    fields = (*person.member.fields, bought(world.now_ms // 1000))
    world.changes(person, statements=(*person.member.statements, lets(person, HISTORY, SCOPE)), fields=fields)
    world.walks(person, 6)
    return person


def suggested(world: World, tablet: Tablet, handle: bytes) -> tuple[query.Entry, ...]:
    """What stands in the section, which is opened for it."""
    lines = card_of(world, tablet, handle, Section.SUGGESTIONS).lines
    return lines[0].entries if lines else ()


def ids(entries: tuple[query.Entry, ...]) -> list[str | None]:
    """Which items."""
    return [one.item for one in entries]


def test_a_regular_purchase_is_suggested_with_its_reason_and_under_the_catalogs_name() -> None:
    """From the history that was granted for it alone, which nobody is shown; recorded by scope and purpose."""
    world = World(suggesting())
    regular(world)
    tablet = world.tablet()
    handle = only(world, tablet)
    assert Section.HISTORY not in card_of(world, tablet, handle).sections
    (tea, cup) = sorted(suggested(world, tablet, handle), key=lambda one: str(one.item), reverse=True)
    assert (tea.item, tea.text) == (TEA, "Blue tea")
    assert tea.suggested is not None and tea.suggested.place is SuggestedPlace.DUE_AGAIN
    usual = (SuggestedKind.EVERY, SuggestedKind.DUE)
    assert [one.number for one in tea.suggested.reasons if one.kind in usual] == [21]
    assert tea.suggested.themes == ("sport",)
    assert cup.item == CUP
    shown = world.disclosures()[-1]
    assert SCOPE in shown.scopes and "suggest" in shown.purposes and HISTORY not in shown.scopes


def test_what_stands_where_they_are_comes_first_among_equals() -> None:
    """By the zone that the catalog says of an item; it says so where nothing weightier fills the line."""
    world = World(suggesting())
    person = regular(world)
    alike = bought(world.now_ms // 1000, (*((ago, item) for ago in (70, 49, 28) for item in (TEA, CUP)), (7, SOAP)))
    world.changes(person, fields=(*(one for one in person.member.fields if one.scope != HISTORY), alike))
    tablet = world.tablet()
    handle = only(world, tablet)
    assert ids(suggested(world, tablet, handle)) == [CUP, TEA]
    world.replica.shelf.items[TEA] = replace(world.replica.shelf.items[TEA], zone="shoes")
    world.settle()
    tea, cup = suggested(world, tablet, handle)
    assert (tea.item, cup.item) == (TEA, CUP)
    said = [SuggestedKind.NEAR in {reason.kind for reason in one.suggested.reasons} for one in (tea, cup)]
    assert said == [True, False]


@pytest.mark.parametrize("kind", ["no grant of the list", "of another role", "of another zone", "withdrawn here"])
def test_what_may_not_be_used_here_suggests_nothing_and_looks_like_nothing(kind: str) -> None:
    """A history withheld from this role or zone feeds no suggestion: the card equals that of who bought nothing."""
    cards = []
    for buys in (True, False):
        world = World(suggesting())
        person = regular(world)
        granted = {
            "no grant of the list": (lets(person, HISTORY),),
            "of another role": (lets(person, SCOPE), lets(person, HISTORY, roles=("manager",))),
            "of another zone": (lets(person, SCOPE), replace(lets(person, HISTORY), zones_excluded=("shoes",))),
            "withdrawn here": (lets(person, SCOPE), lets(person, HISTORY)),
        }[kind]
        kept = tuple(one for one in person.member.statements if one.purpose != "suggest")
        fields = tuple(one for one in person.member.fields if buys or one.scope != HISTORY)
        world.changes(person, statements=(*kept, *granted), fields=fields)
        tablet = world.tablet()
        handle = only(world, tablet)
        if kind == "withdrawn here":
            assert world.ask(query.Withdraw(tablet.session, handle, HISTORY)) == query.Accepted()
        cards.append([card_of(world, tablet, handle, section) for section in (None, *Section)])
    assert cards[0] == cards[1]
    assert all(Section.SUGGESTIONS not in card.sections for card in cards[0])


def test_what_hq_says_is_suggested_is_not_what_stands_there() -> None:
    """Under the scope of the store's own suggestions nobody else's are shown."""
    world = World(suggesting())
    at_s = world.now_ms // 1000 - 60
    told = Field(SCOPE, Value(items=(Item(SOAP, "Soap!", None, None, False),)), SourceClass.FIRST, "hq",
                 ValueClass.ENGAGEMENT, at_s, at_s)  # fmt: skip
    person = regular(world)
    world.changes(person, fields=(*person.member.fields, told))
    tablet = world.tablet()
    assert SOAP not in ids(suggested(world, tablet, only(world, tablet)))


def test_it_stays_as_it_is_for_the_visit_and_is_shown_once() -> None:
    """Looked at again, by another tablet too, it is the same and says no second time that it was shown."""
    world = World(suggesting())
    regular(world)
    ada, bo = world.tablet("ada"), world.tablet("bo")
    handle = only(world, ada)
    first = suggested(world, ada, handle)
    world.passes(5)
    assert suggested(world, bo, handle) == suggested(world, ada, handle) == first
    assert outcomes(world) == [(one.item, Response.SHOWN, "shoes") for one in first]


def test_a_no_is_heard_on_this_visit_and_on_the_next() -> None:
    """Not now: it goes from the open card of everybody, and stays away; what was taken says so."""
    world = World(suggesting())
    person = regular(world)
    ada, bo = world.tablet("ada"), world.tablet("bo", watches=True)
    handle = only(world, ada)
    suggested(world, bo, handle)
    suggested(world, ada, handle)
    assert world.ask(acts.Respond(ada.session, handle, TEA, Response.DECLINED)) == query.Accepted()
    assert [one.handle for one in bo.pushed if isinstance(one, query.CardChanged)] == [handle]
    assert world.ask(acts.Respond(ada.session, handle, CUP, Response.TAKEN)) == query.Accepted()
    (cup,) = suggested(world, ada, handle)
    assert cup.item == CUP and cup.suggested is not None and cup.suggested.answer is Response.TAKEN
    world.passes(300)
    assert [one for one in outcomes(world) if one[1] is Response.IGNORED] == []
    world.walks(person, 6)
    ada = world.tablet()
    assert TEA not in ids(suggested(world, ada, only(world, ada)))


def test_what_is_passed_over_three_times_rests() -> None:
    """A visit that ends without a word on it says so, and after the third the item is not shown again."""
    world = World(suggesting())
    person = regular(world)
    for visit in range(1, 4):
        tablet = world.tablet()
        assert TEA in ids(suggested(world, tablet, only(world, tablet)))
        world.passes(300)
        ignored = [one for one in outcomes(world) if one[:2] == (TEA, Response.IGNORED)]
        assert ignored == [(TEA, Response.IGNORED, "shoes")] * visit
        world.walks(person, 6)
    tablet = world.tablet()
    assert card_of(world, tablet, only(world, tablet)).sections.count(Section.SUGGESTIONS) == 0


def test_who_declines_a_category_soon_sees_less_than_half_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of real goods, by tables of real purchases: within ten showings, other items of it that nobody declined too."""
    world = World(suggesting())
    items = {one["id"]: one for one in map(json.loads, goods.items()) if "id" in one}
    world.replica.shelf.items = {
        id: CatalogItem(one["name"], tuple(one["path"]), (), (), "", "") for id, one in items.items()
    }
    world.replica.shelf.parts = {one.name: one.read_bytes() for one in goods.TABLES.iterdir()}
    for what in ("stamp", "tables_stamp"):  # looked at each tick, and long to make of so many
        monkeypatch.setattr(world.replica.shelf, what, cache(getattr(world.replica.shelf, what)))
    person = world.joins(Mode.OPEN)
    now_s = world.now_ms // 1000
    told = replace(bought(now_s), value=Value(items=goods.history("mara", now_s)))
    world.changes(person, statements=(*person.member.statements, lets(person, HISTORY, SCOPE)), fields=(told,))
    world.passes(5)
    shares, shown, category = [], 0, ""
    while shown < 10 and len(shares) < 3:
        world.walks(person, 6)
        tablet = world.tablet()
        handle = only(world, tablet)
        found = [(str(one.item), items[str(one.item)]["path"][-1]) for one in suggested(world, tablet, handle)]
        category = category or Counter(one for _, one in found).most_common(1)[0][0]
        declined = [item for item, of in found if of == category]
        shares.append(len(declined) / len(found))
        shown += len(declined)
        for item in declined:
            assert world.ask(acts.Respond(tablet.session, handle, item, Response.DECLINED)) == query.Accepted()
        world.passes(300)
    assert shares[0] >= 1 / 3
    assert max(shares[1:]) <= shares[0] / 2
    assert shown <= 10


def concluding() -> Policy:
    """The same, with what is concluded of a shopper."""
    policy = suggesting()
    made = next(one for one in policy.main.scopes if one.id == SCOPE)
    scopes = (*policy.main.scopes, *(replace(made, id=one, label=one) for one in (STAGE, COHORT)))
    return replace(policy, main=replace(policy.main, scopes=scopes))


def choosing(world: World, *scopes: str) -> Person:
    """The regular shopper, who put something into the online basket three days ago and lets these scopes be used."""
    person = regular(world)
    at_s = world.now_ms // 1000 - 3 * DAY_S
    basket = Field(BASKET, Value(items=(Item(SOAP, "Soap", at_s, 1, False),)), SourceClass.ZERO, "app",
                   ValueClass.ENGAGEMENT, at_s, at_s)  # fmt: skip
    kept = tuple(one for one in person.member.statements if one.purpose != "suggest")
    world.changes(person, statements=(*kept, lets(person, *scopes)), fields=(*person.member.fields, basket))
    return person


def told(world: World) -> list[tuple[str, Response, str | None, Stage | None]]:
    """The outcomes of tea and cups, with the stage; each with the reason that led."""
    found = [one for one in recorded(world, EventKind.OUTCOME) if isinstance(one, SuggestionOutcome)]
    assert all(one.reason is not None for one in found)
    return [(one.item, one.response, one.zone, one.stage) for one in found]


def test_what_becomes_of_a_suggestion_is_told_with_zone_stage_and_reason_of_its_first_showing() -> None:
    """Also when the shopper has gone on or asks for help meanwhile: of what was shown a share can be told."""
    world = World(concluding())
    person = choosing(world, HISTORY, BASKET, SCOPE, STAGE, COHORT)
    tablet = world.tablet()
    handle = only(world, tablet)
    section = card_of(world, tablet, handle, Section.SUGGESTIONS)
    (stage,) = (line for line in section.lines if line.scope == STAGE)
    assert stage.entries[0].concluded == Concluded(Stage.CHOOSING, None, Evidence.BASKET_WEEK, 1)
    assert STAGE in world.disclosures()[-1].scopes
    shown = {(item, Response.SHOWN, "shoes", Stage.CHOOSING) for item in (TEA, CUP)}
    assert {*told(world)} == shown
    world.hears(person, Kind.HELP)
    world.passes(0.1)
    section = card_of(world, tablet, handle, Section.SUGGESTIONS)
    (stage,) = (line for line in section.lines if line.scope == STAGE)
    assert stage.entries[0].concluded == Concluded(Stage.BUYING, None, Evidence.HELP, None)
    assert world.ask(acts.Respond(tablet.session, handle, TEA, Response.TAKEN)) == query.Accepted()
    world.passes(1200)
    assert {*told(world)} == shown | {
        (TEA, Response.TAKEN, "shoes", Stage.CHOOSING), (CUP, Response.IGNORED, "shoes", Stage.CHOOSING)
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["not granted", "withdrawn here", "of another role"])
def test_a_stage_that_may_not_be_shown_is_neither_told_nor_used(kind: str) -> None:
    """The card has no line of it, and HQ is told of no stage; suggestions go on."""
    world = World(concluding())
    person = choosing(world, HISTORY, BASKET, SCOPE, *((STAGE,) if kind == "withdrawn here" else ()))
    if kind == "of another role":
        statements = (*person.member.statements, lets(person, STAGE, roles=("manager",)))
        world.changes(person, statements=statements)
    tablet = world.tablet()
    handle = only(world, tablet)
    if kind == "withdrawn here":
        assert world.ask(query.Withdraw(tablet.session, handle, STAGE)) == query.Accepted()
    lines = card_of(world, tablet, handle, Section.SUGGESTIONS).lines
    assert [line.scope for line in lines] == [SCOPE]
    assert {*told(world)} == {(item, Response.SHOWN, "shoes", None) for item in (TEA, CUP)}


@pytest.mark.parametrize("kind", ["here", "at HQ", "run out", "of another role"])
def test_a_stage_withdrawn_while_the_card_is_open_is_told_no_more(kind: str) -> None:
    """Neither with an answer nor with a silence, whether the visit goes on or ends; what is not the stage still is."""
    world = World(concluding())
    person = choosing(world, HISTORY, BASKET, SCOPE, STAGE)
    tablet = world.tablet()
    handle = only(world, tablet)
    card_of(world, tablet, handle, Section.SUGGESTIONS)
    shown = told(world)
    assert {one[3] for one in shown} == {Stage.CHOOSING}
    kept = tuple(one for one in person.member.statements if one.purpose != "suggest")
    rest = {
        "at HQ": (),
        "run out": (replace(lets(person, STAGE), until_s=world.now_ms // 1000 + 9),),
        "of another role": (lets(person, STAGE, roles=("manager",)),),
    }
    if kind == "here":
        assert world.ask(query.Withdraw(tablet.session, handle, STAGE)) == query.Accepted()
    else:
        world.changes(person, statements=(*kept, lets(person, HISTORY, BASKET, SCOPE), *rest[kind]))
    world.passes(20)
    assert world.ask(acts.Respond(tablet.session, handle, TEA, Response.TAKEN)) == query.Accepted()
    world.passes(300)
    assert told(world)[len(shown) :] == [
        (TEA, Response.TAKEN, "shoes", None), (CUP, Response.IGNORED, "shoes", None)
    ]  # fmt: skip


def test_where_the_shopper_has_gone_takes_no_stage_from_what_was_shown_elsewhere() -> None:
    """The stage may not be shown where they are now: what it was where the item was shown first may still be told."""
    policy = concluding()
    shoes = next(one for one in policy.store.zones if one.id == "shoes")
    zones = (replace(shoes, nodes=("shoes-1",)), replace(shoes, id="coats", label="Coats", nodes=("coats-1",)))
    world = World(replace(policy, store=replace(policy.store, zones=zones)))
    person = choosing(world, HISTORY, BASKET, SCOPE)
    elsewhere = replace(lets(person, STAGE), zones_excluded=("coats",))
    world.changes(person, statements=(*person.member.statements, elsewhere))
    tablet = world.tablet()
    handle = only(world, tablet)
    card_of(world, tablet, handle, Section.SUGGESTIONS)
    world.walks(person, 60, "coats-1")
    assert [line.scope for line in card_of(world, tablet, handle, Section.SUGGESTIONS).lines] == [SCOPE]
    assert world.ask(acts.Respond(tablet.session, handle, TEA, Response.TAKEN)) == query.Accepted()
    assert told(world)[-1] == (TEA, Response.TAKEN, "shoes", Stage.CHOOSING)


def test_nothing_is_concluded_of_a_catalog_that_was_not_read_yet() -> None:
    """An item is flagged, and what guards the catalog is known later: until then no line rests on any item."""
    world = World(concluding())
    choosing(world, HISTORY, BASKET, SCOPE, STAGE, COHORT)
    tablet = world.tablet()
    handle = only(world, tablet)

    def scopes() -> list[str]:
        return [line.scope for line in card_of(world, tablet, handle, Section.SUGGESTIONS).lines]

    assert scopes() == [SCOPE, STAGE]
    sells(world, hat=())  # read at once, and what comes in the same moment later
    assert scopes() == [SCOPE, STAGE]
    sells(world, scarf=())
    assert scopes() == [SCOPE]
    world.passes(2)
    assert scopes() == [SCOPE, STAGE]
    sells(world, gloves=())
    sells(world, **{SOAP: ("special:health",)})  # on which the stage rests
    assert scopes() == [SCOPE]
    world.passes(2)
    assert scopes() == [SCOPE]


def test_a_muted_theme_takes_all_of_it_from_the_open_card() -> None:
    """At once, and the section with the last of it."""
    world = World(suggesting())
    regular(world)
    tablet = world.tablet(watches=True)
    handle = only(world, tablet)
    assert suggested(world, tablet, handle)
    assert world.ask(acts.MuteFor(tablet.session, handle, MuteKind.THEME, "sport")) == query.Accepted()
    assert any(isinstance(one, query.CardChanged) for one in tablet.pushed)
    assert Section.SUGGESTIONS not in card_of(world, tablet, handle).sections


def test_a_flag_that_comes_during_the_visit_takes_the_item_away() -> None:
    """The catalog says never: before it was read anew as a whole, and after."""
    world = World(suggesting())
    regular(world)
    tablet = world.tablet()
    handle = only(world, tablet)
    assert TEA in ids(suggested(world, tablet, handle))
    sells(world, **{TEA: ("never",)})
    assert TEA not in ids(suggested(world, tablet, handle))
    world.passes(2)
    assert TEA not in ids(suggested(world, tablet, handle))


def partnered(world: World, *items: str, diet_until_s: int | None = None) -> Person:
    """Somebody on a visit of whom a partner's list says these items; and who lets a diet say something until then."""
    person = world.joins(Mode.OPEN)
    at_s = world.now_ms // 1000 - 9
    listed = tuple(Item(one, one, None, None, False) for one in items)
    theirs = Field("theirs", Value(items=listed), SourceClass.SECOND, "partner", ValueClass.ENGAGEMENT, at_s, at_s)
    added = [lets(person, "theirs")]
    if diet_until_s is not None:
        added.append(replace(lets(person, "diet"), until_s=diet_until_s))
    fields = (*person.member.fields, theirs)
    world.changes(person, statements=(*person.member.statements, *added), fields=fields)
    world.walks(person, 6)
    return person


def with_partner() -> Policy:
    """The usual policy with a partner's list, and a diet that says whether things of health may be suggested."""
    policy = suggesting()
    made = next(one for one in policy.main.scopes if one.id == SCOPE)
    used = tuple(replace(one, used_for=("suggest",)) if one.id == "diet" else one for one in policy.main.scopes)
    told = SuggestionPolicy(specials=(SpecialScope("health", "diet"),))
    scopes = (*used, replace(made, id="theirs", label="theirs"))
    return replace(policy, main=replace(policy.main, scopes=scopes, suggestions=told))


def test_a_special_grant_that_ends_during_the_visit_takes_its_items_away() -> None:
    """From the open card, in the second it ends, as from a card that is opened later; what needs none stays."""
    world = World(with_partner())
    sells(world, vitamin=("special:health",), sock=())
    until_s = world.now_ms // 1000 + 30
    partnered(world, "vitamin", "sock", diet_until_s=until_s)
    tablet = world.tablet()
    handle = only(world, tablet)
    assert ids(suggested(world, tablet, handle)) == ["vitamin", "sock"]
    world.passes(until_s - world.now_ms // 1000 - 1)
    assert ids(suggested(world, tablet, handle)) == ["vitamin", "sock"]
    world.passes(1)
    assert ids(suggested(world, tablet, handle)) == ["sock"]


def test_a_flag_counts_at_once_for_what_somebody_else_suggests() -> None:
    """Also while a catalog that changed a moment ago is read anew; what was not flagged stays all the time."""
    world = World(with_partner())
    sells(world, hat=(), sock=(), scarf=(), **{f"i{number}": () for number in range(300)})
    world.passes(120)
    partnered(world, "hat", "sock", "scarf")
    tablet = world.tablet()
    handle = only(world, tablet)
    assert ids(suggested(world, tablet, handle)) == ["hat", "sock", "scarf"]
    sells(world, hat=("never",))
    world.passes(0.2)
    assert ids(suggested(world, tablet, handle)) == ["sock", "scarf"]
    sells(world, sock=("never",))
    for _ in range(6):
        assert ids(suggested(world, tablet, handle)) == ["scarf"]
        world.passes(1)


def test_the_leave_to_suggest_withdrawn_at_hq_clears_the_open_card_and_the_memory() -> None:
    """The open card is told at once, the section is gone, and nothing of earlier suggestions is remembered."""
    world = World(suggesting())
    person = regular(world)
    tablet = world.tablet(watches=True)
    handle = only(world, tablet)
    assert suggested(world, tablet, handle)
    assert world.replica.memory(person.pseudonym).items
    statements = tuple(one for one in person.member.statements if one.purpose != "suggest")
    gone = replace(lets(person), state=State.WITHDRAWN, chosen_s=world.now_ms // 1000 - 1)
    world.changes(person, statements=(*statements, gone))
    assert [one.handle for one in tablet.pushed if isinstance(one, query.CardChanged)] == [handle]
    card = card_of(world, tablet, handle, Section.SUGGESTIONS)
    assert (card.lines, Section.SUGGESTIONS in card.sections) == ((), False)
    assert not world.replica.memory(person.pseudonym).items


@pytest.mark.parametrize("kind", ["here", "of two scopes", "run out"])
def test_after_the_leave_to_suggest_nothing_more_is_said_or_remembered(kind: str) -> None:
    """The visit ends without a word, and HQ gets no item of it; the leave to use a history is no leave to suggest."""
    world = World(suggesting())
    person = regular(world)
    tablet = world.tablet()
    handle = only(world, tablet)
    assert suggested(world, tablet, handle)
    before, now_s = outcomes(world), world.now_ms // 1000
    kept = tuple(one for one in person.member.statements if one.purpose != "suggest")
    gone = replace(lets(person, SCOPE), state=State.WITHDRAWN, chosen_s=now_s - 1)
    if kind == "here":
        assert world.ask(query.Withdraw(tablet.session, handle, SCOPE)) == query.Accepted()
    elif kind == "of two scopes":
        world.changes(person, statements=(*kept, lets(person, HISTORY), gone))
    else:
        world.changes(person, statements=(*kept, replace(lets(person, HISTORY, SCOPE), until_s=now_s + 9)))
    world.passes(300)
    assert outcomes(world) == before
    assert kind == "run out" or not world.replica.memory(person.pseudonym).items


def test_the_leave_for_what_others_suggest_is_none_for_the_stores_own() -> None:
    """The store's own are withdrawn, a list of somebody else's stays: of the own nothing more is said or remembered."""
    policy = concluding()
    made = next(one for one in policy.main.scopes if one.id == SCOPE)
    scopes = (*policy.main.scopes, replace(made, id="theirs", label="theirs"))
    world = World(replace(policy, main=replace(policy.main, scopes=scopes)))
    person = choosing(world, HISTORY, BASKET, SCOPE, STAGE, "theirs")
    at_s = world.now_ms // 1000 - 60
    theirs = Field("theirs", Value(items=(Item(TEA, "Tea", None, None, False), Item(SOAP, "Soap", None, None, False))),
                   SourceClass.FIRST, "hq", ValueClass.ENGAGEMENT, at_s, at_s)  # fmt: skip
    tablet = world.tablet()
    handle = only(world, tablet)
    card_of(world, tablet, handle, Section.SUGGESTIONS)
    before, memory = told(world), world.replica.memory(person.pseudonym)
    kept = tuple(one for one in person.member.statements if one.purpose != "suggest")
    left = (*kept, lets(person, HISTORY, BASKET, STAGE, "theirs"))
    world.changes(person, statements=left, fields=(*person.member.fields, theirs))
    assert world.replica.memory(person.pseudonym) == memory
    card_of(world, tablet, handle, Section.SUGGESTIONS)
    assert world.ask(acts.Respond(tablet.session, handle, TEA, Response.TAKEN)) == query.Accepted()
    world.passes(300)
    found = [one for one in recorded(world, EventKind.OUTCOME) if isinstance(one, SuggestionOutcome)][len(before) :]
    said = {(one.item, one.response): (one.stage, one.reason) for one in found}
    assert said == dict.fromkeys(
        ((SOAP, Response.SHOWN), (TEA, Response.TAKEN), (SOAP, Response.IGNORED)), (None, None)
    )


def test_what_cannot_be_recorded_as_shown_is_not_shown() -> None:
    """The card and what it suggests are one transaction."""
    world = World(suggesting())
    regular(world)
    tablet = world.tablet()
    handle = only(world, tablet)
    card_of(world, tablet, handle)
    world.replica.fail = CacheReason.DISK_FULL
    assert not isinstance(world.card(tablet, handle, Section.SUGGESTIONS), query.Card)
    assert outcomes(world) == []
