"""A blind zone's radio proves by what it counts that it hears, and by nothing else."""

import pytest

from store_gateway.core.directory import Resolved
from store_gateway.core.presence import Presence
from tests.store_gateway.core.test_presence import ANN, NOON_MS, SLOT
from tests.world import a_policy, entropy
from wire.sighting import Health, RadioState
from wire.token import Kind


@pytest.mark.parametrize("started_s", [None, 6, 15, 25])
def test_an_edge_that_was_started_again_proves_nothing(started_s: int | None) -> None:
    """Its count begins at 0: who went into the pharmacy stays hidden while its radio hears nobody."""
    presence = Presence(entropy(), lambda pseudonym, visit, now_ms: True)
    presence.govern(a_policy().store)
    at_s = 0.0

    def hears(node: str, dbm: int) -> None:
        presence.hear(Resolved(ANN, Kind.PRESENCE, SLOT, None), b"t" * 16, node, dbm, at_s, NOON_MS + int(at_s * 1000))

    for half in range(2 * 60):
        at_s = half / 2
        if half % 10 == 0:
            started = started_s is not None and at_s >= 20 + started_s
            told = Health("pharmacy-1", "none", RadioState.HEARING, None, 0, 0 if started else min(half, 40), 0, 0, ())
            presence.radio(told, at_s)
        hears("shoes-1", -74)
        if 10 <= at_s < 20:
            hears("pharmacy-1", -50)  # and then it hangs, while the member stands there
        presence.tick(at_s + 0.1, NOON_MS + int(at_s * 1000))
        assert at_s < 10 or presence.visit(ANN) is None, at_s
