"""How the stores are divided among the processes that live."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hq.rendezvous import ID_BYTES, owned, owner

IDS = st.binary(min_size=ID_BYTES, max_size=ID_BYTES)
LIVE = st.sets(IDS, min_size=1, max_size=8)
STORES = [f"store-{number}" for number in range(200)]


@given(LIVE)
def test_each_store_has_exactly_one_process(live: set[bytes]) -> None:
    """Where all see the same, the parts are disjoint and cover everything."""
    counted = Counter(store for one in live for store in owned(one, live, STORES))
    assert counted == Counter(STORES)


@given(LIVE, IDS)
def test_only_what_a_newcomer_takes_moves(live: set[bytes], new: bytes) -> None:
    """And only what a leaver had: each other store stays where it is."""
    before = {store: owner(store, live - {new} or live) for store in STORES}
    after = {store: owner(store, live | {new}) for store in STORES}
    assert {after[store] for store in STORES if after[store] != before[store]} <= {new}


def test_the_parts_are_of_about_one_size() -> None:
    """10,000 stores over 8 processes: none has a fifth more than its share."""
    stores = [f"berlin-{number}" for number in range(10_000)]
    live = [bytes([number]) * ID_BYTES for number in range(8)]
    counted = Counter(owner(store, live) for store in stores)
    assert max(counted.values()) < 1.2 * 1250
    assert min(counted.values()) > 0.8 * 1250


@given(LIVE, st.data())
def test_whoever_sees_only_some_of_the_living_leaves_no_store_alone(live: set[bytes], data: st.DataObject) -> None:
    """Clocks that differ hide processes from each other: then two answer for a store, never none."""
    views = {one: {one} | data.draw(st.sets(st.sampled_from(sorted(live)))) for one in live}
    answered = frozenset().union(*(owned(one, views[one], STORES) for one in live))
    assert answered == frozenset(STORES)


@given(LIVE)
def test_the_order_in_which_they_are_seen_changes_nothing(live: set[bytes]) -> None:
    """Whatever the database lists first."""
    assert [owner(store, sorted(live)) for store in STORES] == [
        owner(store, sorted(live, reverse=True)) for store in STORES
    ]
