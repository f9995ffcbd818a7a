"""What an operator is told of a suggestion: recorded before as a look, and nothing that the role may not see."""

from dataclasses import replace

import pytest

from store_gateway.errors import CacheReason
from store_gateway.gateway import Asker, Checking
from store_gateway.operator import explained_text
from tests.store_gateway.test_acts import card_of, only, sells
from tests.store_gateway.test_offers import CUP, HISTORY, SCOPE, SOAP, TEA, lets, regular, suggested, suggesting
from tests.world import Person, World
from wire import acts, query
from wire.items import MuteKind, Response
from wire.member import Member, Muted
from wire.policy import Section
from wire.query import RefusedReason
from wire.suggested import SuggestedPlace

OPERATOR = Asker(operator=True, watcher=None)


def explain(world: World, item: str, role: str = "advisor", handle: bytes | None = None) -> query.Reply:
    """What an operator is answered of an item, for the one visit."""
    asked = query.Explain(only(world, world.tablet()) if handle is None else handle, item, role)
    reply = world.gateway.answer(asked, OPERATOR, world.now_s)
    assert not isinstance(reply, Checking)
    return reply


def rule(world: World, item: str) -> str:
    """The rule that an operator is told."""
    told = explain(world, item)
    assert isinstance(told, query.Explained)
    assert told.rule in explained_text(told)
    return told.rule


def shows_history(person: Person) -> Member:
    """Their record, with a grant by which the advisor is shown the history itself."""
    assist = replace(person.member.statements[0], purpose="assist", scopes=(HISTORY,), roles=("advisor",))
    return replace(person.member, statements=(*person.member.statements, assist))


def test_what_stands_on_the_card_is_told_with_its_place_and_recorded_before() -> None:
    """As a look of that role by the operator, under the scope of suggestions and no other."""
    world = World(suggesting())
    regular(world)
    told = explain(world, TEA)
    assert isinstance(told, query.Explained)
    assert (told.rule, told.place, told.position) == ("chosen", SuggestedPlace.DUE_AGAIN, told.position)
    look = world.disclosures()[-1]
    assert (look.associate, look.tablet, look.role, look.shown) == ("operator", "operator", "advisor", True)
    assert (look.scopes, look.purposes) == ((SCOPE,), ("presence", "suggest"))
    handle = only(world, world.tablet())
    world.replica.fail = CacheReason.DISK_FULL
    dark = explain(world, TEA, handle=handle)
    assert dark == query.Refused(RefusedReason.DARK), "what cannot be recorded is not told"


def test_the_catalogs_rules_are_told_of_any_item() -> None:
    """What nobody knows, and what nobody gets; with the flags that count for it."""
    world = World(suggesting())
    regular(world)
    sells(world, pill=("never", "new"))
    assert rule(world, "nothing") == "unknown-item"
    told = explain(world, "pill")
    assert isinstance(told, query.Explained) and (told.rule, told.flags) == ("never", ("never",))


def test_what_follows_from_purchases_is_told_to_who_may_see_them_alone() -> None:
    """Soap was bought once: with the leave to suggest from the history it looks like what nobody bought."""
    world = World(suggesting())
    person = regular(world)
    sells(world, brush=())
    assert explain(world, SOAP) == explain(world, "brush")
    assert rule(world, SOAP) == "not-chosen"
    world.changes(person, statements=shows_history(person).statements)
    assert rule(world, SOAP) == "no-habit"
    assert rule(world, "brush") == "not-chosen"


def test_what_members_said_of_themselves_is_told_to_nobody() -> None:
    """A mute looks like any item that was not chosen, whoever may see what."""
    world = World(suggesting())
    person = regular(world)
    muted = (Muted(MuteKind.ITEM, CUP),)
    world.changes(person, statements=shows_history(person).statements, mutes=muted)
    sells(world, brush=(), knife=("adult",))
    assert rule(world, TEA) == "chosen"
    assert explain(world, CUP) == explain(world, "brush")
    assert rule(world, "knife") == "not-chosen"


def declining(item: str, response: Response = Response.DECLINED) -> tuple[World, Person]:
    """A store in which a regular said no to an item of their card."""
    world = World(suggesting())
    person = regular(world)
    tablet = world.tablet()
    handle = only(world, tablet)
    assert item in [one.item for one in suggested(world, tablet, handle)]
    assert world.ask(acts.Respond(tablet.session, handle, item, response)) == query.Accepted()
    return world, person


def test_what_members_said_changes_nothing_of_what_else_is_told() -> None:
    """Never bought, bought once, and declined: with a mute and below the age each is told as without."""
    muted = ((MuteKind.ITEM, "gin"), (MuteKind.ITEM, SOAP), (MuteKind.ITEM, CUP), (MuteKind.THEME, "sport"))
    for mutes, age in (((), 18), ((), 16), *(((Muted(*one),), 18) for one in muted)):
        world, person = declining(CUP)
        sells(world, gin=("only_if_bought", "adult"))
        world.changes(person, statements=shows_history(person).statements, mutes=mutes, age_at_least=age)
        found = [rule(world, item) for item in ("gin", SOAP, CUP)]
        assert found == ["only-if-bought", "no-habit", "declined"], (mutes, age)


def test_what_came_of_a_withheld_history_is_not_told() -> None:
    """Declined of what another role may have suggested: to this one it is told as of what nobody bought."""
    world, person = declining(TEA)
    sells(world, brush=())
    kept = tuple(one for one in person.member.statements if one.purpose != "suggest")
    world.changes(person, statements=(*kept, lets(person, SCOPE), lets(person, HISTORY, roles=("manager",))))
    assert explain(world, TEA) == explain(world, "brush")


@pytest.mark.parametrize("response", [Response.DECLINED, Response.NOT_FOR_ME])
def test_a_no_of_this_visit_is_not_called_chosen(response: Response) -> None:
    """It went from the card; who may see the purchases is told that it was declined, and not whether for good."""
    world, person = declining(TEA, response)
    assert rule(world, TEA) == "not-chosen"
    world.changes(person, statements=shows_history(person).statements)
    assert (rule(world, TEA), rule(world, CUP)) == ("declined", "chosen")


def test_what_is_left_of_the_card_is_told_where_it_stands_now() -> None:
    """A no takes an item away: what stood behind it has moved up."""
    world = World(suggesting())
    regular(world)
    tablet = world.tablet()
    handle = only(world, tablet)
    first, second = [one.item for one in suggested(world, tablet, handle)][:2]
    assert first is not None and second is not None
    before = explain(world, second)
    assert world.ask(acts.Respond(tablet.session, handle, first, Response.DECLINED)) == query.Accepted()
    after = explain(world, second)
    assert isinstance(before, query.Explained) and isinstance(after, query.Explained)
    assert (before.place, before.position) == (after.place, 2) == (SuggestedPlace.DUE_AGAIN, 2)
    assert after.position == 1


def test_who_may_not_be_shown_suggestions_is_as_one_who_never_was() -> None:
    """Another role, and no grant; each refused look is recorded. Only an operator may ask."""
    world = World(suggesting())
    person = regular(world)
    assert explain(world, TEA, role="cashier") == query.Withheld()
    refused = world.disclosures(shown=False)
    assert [(one.associate, one.role, one.scopes) for one in refused] == [("operator", "cashier", ())]
    assert explain(world, TEA, handle=bytes(16)) == query.Withheld()
    world.changes(person, statements=tuple(one for one in person.member.statements if one.purpose != "suggest"))
    assert explain(world, TEA) == query.Withheld()
    tablet = world.tablet()
    handle = only(world, tablet)
    assert world.ask(query.Explain(handle, TEA, "advisor")) == query.Refused(RefusedReason.FORBIDDEN)
    assert Section.SUGGESTIONS not in card_of(world, tablet, handle).sections
