"""How the receivers of a store fare, as the gateway knows it: by what they say of themselves, and by their silence."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from store_gateway.core.receivers import AWAY_S, FORGET_S, FREEZE_S, MOST_UNPLACED, STEADY_S, Receivers
from wire.policy import Zone
from wire.sighting import Health, RadioReason, RadioState
from wire.views import MOST_RADIOS, Outage, Radio, ReceiverState

SHOES = Zone("shoes", "Shoes", "sales", ("shoes-1", "shoes-2"), False, (), None)
PHARMACY = Zone("pharmacy", "Pharmacy", "pharmacy", ("pharmacy-1",), False, (), None)
REPORT_S = 5.0


def health(
    node: str = "shoes-1", state: RadioState = RadioState.HEARING, reason: RadioReason | None = None, **more: object
) -> Health:
    """What a receiver says of itself."""
    told = Health(node, "AA:BB:CC:DD:EE:FF", state, reason, 1, 1_000, 10, 3, ((RadioReason.SILENT, 2),))
    return replace(told, **more)  # type: ignore[arg-type]


ILL = health(state=RadioState.ILL, reason=RadioReason.NO_BLUEZ)


class Store:
    """Receivers with a clock: each of those that live says every five seconds how it fares."""

    def __init__(self, *zones: Zone) -> None:
        self.receivers = Receivers()
        self.receivers.govern(zones or (SHOES, PHARMACY))
        self.now_s = 100.0
        self.living: dict[str, Health] = {}

    def says(self, *told: Health) -> None:
        """These say this from now on, at once and every five seconds."""
        for one in told:
            self.living[one.node] = one
            self.receivers.heard(one, self.now_s)
        self.receivers.tick(self.now_s)

    def dies(self, node: str) -> None:
        """No word of it any more."""
        del self.living[node]

    def passes(self, seconds: float) -> None:
        """Time goes by in seconds."""
        for _ in range(round(seconds)):
            self.now_s += 1
            if self.now_s % REPORT_S == 0:
                for one in self.living.values():
                    self.receivers.heard(replace(one, last_advert_ms=int(self.now_s)), self.now_s)
            self.receivers.tick(self.now_s)

    @property
    def ill(self) -> frozenset[str]:
        """For whom departures wait now."""
        return self.receivers.ill(self.now_s)

    def view(self, node: str, *, operator: bool = True) -> Radio:
        """One of them as a status tells it."""
        return next(one for one in self.receivers.views(self.now_s, operator=operator) if one.node == node)


def test_a_receiver_of_the_policy_that_was_never_heard_is_told() -> None:
    """It is named with its zone, freezes nobody, and stands on no tablet's floor."""
    store = Store()
    assert [(one.node, one.zone_label, one.state) for one in store.receivers.views(0, operator=True)] == [
        ("shoes-1", "Shoes", ReceiverState.NEVER_HEARD),
        ("shoes-2", "Shoes", ReceiverState.NEVER_HEARD),
        ("pharmacy-1", "Pharmacy", ReceiverState.NEVER_HEARD),
    ]
    store.passes(60)
    assert store.ill == frozenset()
    assert store.receivers.outages() == ()


def test_an_ill_radio_freezes_is_told_and_both_end_when_it_hears() -> None:
    """At its first word, and at its next."""
    store = Store()
    store.says(health(), ILL)
    assert store.ill == {"shoes-1"}
    assert store.receivers.outages() == (Outage("Shoes", False),)
    assert store.view("shoes-1").reason is RadioReason.NO_BLUEZ
    store.says(health())
    assert store.ill == frozenset()
    assert store.receivers.outages() == ()


def test_an_edge_that_says_nothing_for_fifteen_seconds_is_away() -> None:
    """Its process died, its box is off, its network is cut: departures wait as with an ill radio."""
    store = Store()
    store.says(health(), health("shoes-2"))
    store.passes(30)
    store.dies("shoes-1")
    store.passes(AWAY_S - REPORT_S)
    assert store.ill == frozenset()
    store.passes(REPORT_S)
    assert store.ill == {"shoes-1"}
    assert store.view("shoes-1").state is ReceiverState.AWAY
    assert store.receivers.outages() == (Outage("Shoes", False),)
    store.says(health())
    assert (store.ill, store.receivers.outages()) == (frozenset(), ())


def test_a_radio_that_recovers_hears_nobody_leave_only_after_it_was_ill() -> None:
    """Recovering alone freezes nobody; on the way from ill to hearing it still does, and is still told."""
    store = Store()
    recovering = health(state=RadioState.RECOVERING, reason=RadioReason.SILENT)
    store.says(recovering)
    assert (store.ill, store.receivers.outages()) == (frozenset(), ())
    store.says(ILL)
    store.says(recovering)
    assert (store.ill, store.receivers.outages()) == ({"shoes-1"}, (Outage("Shoes", False),))
    store.says(health())
    assert (store.ill, store.receivers.outages()) == (frozenset(), ())


def test_departures_wait_for_ten_minutes_at_most() -> None:
    """After that whoever it alone heard is gone by silence; that it is out is still told."""
    store = Store()
    store.says(ILL)
    store.passes(FREEZE_S - 1)
    assert store.ill == {"shoes-1"}
    store.passes(1)
    assert store.ill == frozenset()
    store.passes(3600)
    assert store.ill == frozenset()
    assert store.receivers.outages() == (Outage("Shoes", False),)


def test_a_radio_that_comes_and_goes_gains_no_time_by_it() -> None:
    """The ten minutes begin anew only after it heard for longer than anybody may be silent."""
    store = Store()
    for _ in range(20):
        store.says(ILL)
        store.passes(30)
        store.says(health())
        store.passes(30)
    store.says(ILL)
    assert store.ill == frozenset()
    store.says(health())
    store.passes(STEADY_S + 1)
    store.says(ILL)
    assert store.ill == {"shoes-1"}


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from([*RadioState, None]), st.integers(1, 120)), max_size=40),
)
def test_nobody_is_frozen_for_longer_than_the_bound(told: list[tuple[RadioState | None, int]]) -> None:
    """Whatever it says, however it dies: between two stretches of steady hearing a receiver freezes 600 s at most."""
    store = Store()
    store.says(health())
    frozen_s, heard_s = 0, 0
    for state, seconds in told:
        if state is None:
            store.living.pop("shoes-1", None)
        else:
            store.says(health(state=state))
        for _ in range(seconds):
            store.passes(1)
            hears = store.view("shoes-1").state is ReceiverState.HEARING
            heard_s = heard_s + 1 if hears else 0
            assert not (hears and store.ill)
            frozen_s = 0 if heard_s >= STEADY_S else frozen_s + bool(store.ill)
            assert frozen_s <= FREEZE_S


def test_made_up_names_take_no_place_from_the_stores_own() -> None:
    """A flood of nodes in no zone is bounded, ends by itself, and the policy's nodes are heard all the same."""
    store = Store()
    for number in range(10_000):
        store.receivers.heard(health(f"made-up-{number}"), store.now_s)
    store.says(ILL)
    views = store.receivers.views(store.now_s, operator=True)
    assert len(views) == MOST_UNPLACED + 3
    assert store.ill == {"shoes-1"}
    store.passes(AWAY_S + 1)
    assert store.receivers.outages() == (Outage("Shoes", False), Outage("", False))
    store.passes(FORGET_S)
    assert len(store.receivers.views(store.now_s, operator=True)) == 3
    assert store.receivers.outages() == (Outage("Shoes", False),)


def test_a_receiver_in_no_zone_is_told_too() -> None:
    """It owns nobody's zone; a status names it, and its outage has no label."""
    store = Store()
    store.says(health("door-1"))
    assert store.view("door-1").zone_label is None
    store.says(health("door-1", RadioState.ILL, RadioReason.SILENT))
    assert store.ill == {"door-1"}
    assert store.receivers.outages() == (Outage("", False),)


def test_what_was_heard_in_a_blind_zone_is_the_operators_alone() -> None:
    """And counts of what may be phones everywhere; that a blind zone's receiver is out is told like any other's."""
    store = Store()
    store.says(health(), health("pharmacy-1"))
    seen, blind = (store.view(node, operator=False) for node in ("shoes-1", "pharmacy-1"))
    assert (seen.adverts, seen.candidates, seen.drops, seen.silent_s) == (1_000, None, 3, 0)
    assert (blind.adverts, blind.candidates, blind.drops, blind.silent_s) == (None, None, None, None)
    told = store.view("pharmacy-1")
    assert (told.adverts, told.candidates, told.drops, told.silent_s) == (1_000, 10, 3, 0)
    store.says(replace(ILL, node="pharmacy-1"))
    assert store.receivers.outages() == (Outage("Pharmacy", True),)


def test_the_last_advert_is_told_by_the_gateways_own_clock() -> None:
    """A satellite's clock is another: what counts is when a report said that something was heard since the last one."""
    store = Store()
    store.says(health(last_advert_ms=2**63))
    store.living.clear()
    for _ in range(8):
        store.passes(REPORT_S)
        store.receivers.heard(health(state=RadioState.RECOVERING, last_advert_ms=2**63), store.now_s)
    assert store.view("shoes-1").silent_s == 8 * REPORT_S
    store.says(health(last_advert_ms=2**63 + 1))
    assert store.view("shoes-1").silent_s == 0


def test_a_new_policy_moves_receivers_between_zones() -> None:
    """What was heard stays; only its zone is another, and a node of no zone any more is told as such."""
    store = Store()
    store.says(ILL)
    store.receivers.govern((replace(SHOES, label="Boots"),))
    assert store.receivers.outages() == (Outage("Boots", False),)
    store.receivers.govern(())
    assert store.receivers.outages() == (Outage("", False),)
    assert [one.node for one in store.receivers.views(store.now_s, operator=True)] == ["shoes-1"]


def test_with_more_receivers_than_fit_those_that_are_out_are_told_first() -> None:
    """The largest policy fits a status."""
    zones = [Zone(f"z{n}", f"z{n}", "", tuple(f"n{n}-{m}" for m in range(32)), False, (), None) for n in range(128)]
    store = Store(*zones)
    store.says(health("n127-31", RadioState.ILL, RadioReason.SILENT))
    views = store.receivers.views(store.now_s, operator=True)
    assert len(views) == MOST_RADIOS
    assert views[0].node == "n127-31"
