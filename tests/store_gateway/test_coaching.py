"""A hint on a card, sent away by a tap, for that session alone."""

from dataclasses import replace

from tests.world import Tablet, World, a_policy
from wire import query
from wire.coaching import DismissHint
from wire.hints import Hint, HintText
from wire.member import Mode
from wire.token import Kind

TEXTS = (HintText("en", "Ask before you use this."),)


def a_world(*ids: str) -> World:
    """A store whose policy has these hints, with one call on the floor."""
    policy = a_policy()
    hints = tuple(Hint(id, TEXTS, (), (), (), ()) for id in ids)
    world = World(replace(policy, main=replace(policy.main, hints=hints)))
    world.hears(world.joins(Mode.HELP), Kind.HELP)
    return world


def card(world: World, tablet: Tablet) -> query.Card:
    """The first card on the floor."""
    found = world.card(tablet, world.floor(tablet).visits[0].handle)
    assert isinstance(found, query.Card)
    return found


def test_a_card_has_one_hint_until_it_is_dismissed_and_then_none() -> None:
    """The tablet that has the card open is told; nothing else of the card is another."""
    world = a_world("one", "two", "three")
    tablet, other = world.tablet(watches=True), world.tablet("bo", watches=True)
    before = card(world, tablet)
    assert before.hint is not None
    assert card(world, other).hint == before.hint
    assert world.ask(DismissHint(tablet.session, before.hint.id)) == query.Accepted()
    after = card(world, tablet)
    assert replace(before, hint=None, version=0, as_of_ms=0) == replace(after, version=0, as_of_ms=0)
    told = [one for one in tablet.pushed if isinstance(one, query.CardChanged)]
    assert [one.version for one in told] == [after.version]
    assert card(world, other).hint == before.hint, "what one associate knows another may need"
    assert not [one for one in other.pushed if isinstance(one, query.CardChanged)]


def test_the_next_session_has_it_again() -> None:
    """Nothing of it is kept anywhere."""
    world = a_world("one")
    tablet = world.tablet(watches=True)
    assert card(world, tablet).hint is not None
    world.ask(DismissHint(tablet.session, "one"))
    assert card(world, tablet).hint is None
    assert not [body for _, _, body in world.replica.events if "one" in repr(body)]
    world.ask(query.SignOut(tablet.session))
    assert card(world, world.tablet()).hint is not None


def test_what_is_no_hint_cannot_be_dismissed() -> None:
    """Nor does a session fill the memory with names."""
    world = a_world("one")
    tablet = world.tablet()
    assert world.ask(DismissHint(tablet.session, "two")) == query.Withheld()
    assert isinstance(world.ask(DismissHint(bytes(32), "one")), query.Refused)


def test_a_hint_is_in_no_record_of_a_disclosure() -> None:
    """It discloses nothing, and a look with another hint is no other look."""
    world = a_world("one", "two")
    tablet = world.tablet()
    found = card(world, tablet)
    assert found.hint is not None
    world.ask(DismissHint(tablet.session, found.hint.id))
    card(world, tablet)
    assert len(world.disclosures()) == 1
