"""What counts as a touch of a tablet: not what its page asks for by itself."""

from tests.store_gateway.pad import LOCKED
from tests.world import World
from wire import query
from wire.member import Mode
from wire.policy import Section


def test_a_card_that_renews_itself_keeps_no_session_open() -> None:
    """The page asks again for each card that is told as changed: after 300 s without a touch it is locked even so."""
    world = World()
    shopper, tablet = world.joins(Mode.OPEN), world.tablet(watches=True)
    world.walks(shopper, 6)
    handle = world.floor(tablet).visits[0].handle
    assert isinstance(world.card(tablet, handle), query.Card)
    touched_s, told, renewed = world.now_s, len(tablet.pushed), 0
    while tablet.ended is None and world.now_s - touched_s < 600:
        minute = int(world.now_s - touched_s) // 60
        world.walks(shopper, 10, ("door", "shoes-1")[minute % 2])
        new, told = tablet.pushed[told:], len(tablet.pushed)
        if any(isinstance(one, query.CardChanged) and one.handle == handle for one in new):
            assert isinstance(world.card(tablet, handle), query.Card)
            renewed += 1
    assert renewed > 1
    assert (tablet.ended, world.now_s - touched_s) == (LOCKED, 300)


def test_opening_a_card_or_a_section_of_it_is_a_touch() -> None:
    """Each, the first time; also of another card, and of one that may not be shown."""
    world = World()
    shopper, tablet = world.joins(Mode.OPEN), world.tablet(watches=True)
    world.walks(shopper, 6)
    handle = world.floor(tablet).visits[0].handle
    opened = [(handle, None), (handle, Section.HISTORY), (bytes(16), None), (handle, Section.WISHLIST)]
    for one, section in opened:
        world.walks(shopper, 200)
        world.card(tablet, one, section)
    world.walks(shopper, 290)
    assert tablet.ended is None
    assert world.card(tablet, handle) != LOCKED, "it is open: no touch"
    world.walks(shopper, 20)
    assert tablet.ended == LOCKED
