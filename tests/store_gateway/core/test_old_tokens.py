"""What BlueZ tells once more, though the phone says something else by now: no call begins, goes on or ends by it."""

import pytest

from store_gateway.core.presence import Ended, What
from tests.store_gateway.core.test_presence import ANN, SLOT, Floor
from wire.token import Kind


@pytest.mark.parametrize("slots", [(SLOT, SLOT + 1), (SLOT + 1, SLOT)])
def test_a_token_of_a_call_that_is_over_is_no_part_of_the_next(slots: tuple[int, int]) -> None:
    """Heard before the new call's token or after, it neither changes the sign nor keeps the call alive."""
    floor = Floor()
    floor.hear(Kind.HELP, slot=SLOT + 1)
    floor.presence.done(ANN)
    floor.passes(0.5)
    for slot in slots:
        floor.hear(Kind.HELP, slot=slot)
    floor.passes(0.1)
    visit = floor.presence.visit(ANN)
    assert visit is not None
    assert visit.sign == ("red", f"{SLOT % 100:02d}")
    for _ in range(5):
        floor.hear(Kind.PRESENCE, slot=SLOT + 1)
        floor.hear(Kind.HELP, slot=SLOT + 1)
        floor.passes(0.5)
    assert [one.why for one in floor.moves if one.what is What.CALL_ENDED] == [Ended.CANCELLED]


def test_an_older_presence_token_cancels_no_call() -> None:
    """It was heard before the call and told again by another radio; one of the call's own slot does cancel."""
    floor = Floor()
    floor.hear(Kind.HELP, slot=SLOT + 1)
    for _ in range(8):
        floor.hear(Kind.PRESENCE, "shoes-2", slot=SLOT)
        floor.passes(0.5)
    visit = floor.presence.visit(ANN)
    assert visit is not None and visit.help
    for _ in range(5):
        floor.hear(Kind.PRESENCE, slot=SLOT + 1)
        floor.passes(0.5)
    assert [one.why for one in floor.moves if one.what is What.CALL_ENDED] == [Ended.CANCELLED]


def test_beside_a_newer_presence_token_a_help_token_begins_no_call() -> None:
    """As after a start of the gateway, which knows nothing of the call that it was; the next slot's token does call."""
    floor = Floor()
    floor.hear(Kind.PRESENCE)
    for _ in range(4):
        floor.hear(Kind.HELP, slot=SLOT - 1)
        floor.passes(0.5)
    assert not floor.moves
    floor.hear(Kind.HELP)
    floor.passes(0.1)
    assert floor.said(What.CALLED) == 1
