"""What comes over the store's own broker: whose it is, what it says, how each receiver fares."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from store_gateway.core.reception import ADVERTS_PER_S, HEALTH_S, MESSAGES_PER_S, RECEIVER_SILENT_S, Reception
from tests.store_gateway.core.test_satellite import NOW_S, TOKEN, batch, frame
from wire.air import TEST_COMPANY
from wire.receivers import Receiver, ReceiverKind
from wire.sighting import NO_ADAPTER, Batch, Health, RadioReason, RadioState, Sighting

THERE = (
    Receiver(ReceiverKind.SATELLITE, "back", ("shoes-1",)),
    Receiver(ReceiverKind.OPENMQTTGATEWAY, "OMG_1", ("door-1",)),
    Receiver(ReceiverKind.THEENGS, "till", ("till-1",)),
)
BACK = "consentry/1/berlin-1/satellite/back"
DOOR, DOOR_STATE = "home/OMG_1/BTtoMQTT/608757", "home/OMG_1/LWT"
TILL = "home/till/BTtoMQTT/undecoded"


def a_reception() -> Reception:
    """Three receivers, the broker connected."""
    found = Reception("berlin-1", THERE, TEST_COMPANY, NOW_S)
    found.link(True, NOW_S)
    return found


def advert(token: bytes | None = TOKEN, rssi: int = -60, **more: Any) -> bytes:
    """What a cheap receiver says of an advert."""
    told = {"id": "60:87:57:4C:9B:C2", "rssi": rssi, **more}
    if token is not None:
        told["manufacturerdata"] = "4c000215" + token.hex() + "00000000c5"
    return json.dumps(told).encode()


def of_node(healths: tuple[Health, ...], node: str) -> Health:
    """The health of one node."""
    return next(one for one in healths if one.node == node)


def test_the_subscriptions_are_the_receivers_own_topics() -> None:
    """Nothing wider: no other store's satellites, no other gateway's adverts."""
    assert set(a_reception().topics) == {
        BACK, "home/OMG_1/BTtoMQTT/#", "home/OMG_1/LWT", "home/till/BTtoMQTT/#", "home/till/LWT",
    }  # fmt: skip


def test_each_receiver_is_heard_at_its_own_node() -> None:
    """A satellite's frame, and adverts of both kinds of cheap receivers, by the gateway's boot clock."""
    reception = a_reception()
    heard = reception.take(BACK, frame(1), False, NOW_S)
    assert isinstance(heard, Batch)
    assert heard.node == "shoes-1"
    for topic, node in ((DOOR, "door-1"), (TILL, "till-1")):
        assert reception.take(topic, advert(), False, NOW_S) == Batch(
            node, (Sighting(node, TOKEN, -60, 1, 5_000_000, 5_000_000),)
        )


def test_a_strangers_advert_moves_a_count_and_nothing_else() -> None:
    """It is heard, so the receiver is well; nothing goes on."""
    reception = a_reception()
    assert reception.take(DOOR, advert(None, name="Nina's watch"), False, NOW_S) is None
    assert reception.counters()["receivers_adverts_total"] == 1
    assert of_node(reception.tick(NOW_S), "door-1").state is RadioState.HEARING


def test_a_topic_of_nobody_is_counted_and_dropped() -> None:
    """Another store's satellite, an unknown receiver, a topic below another's state."""
    reception = a_reception()
    for topic in (
        "consentry/1/paris-2/satellite/back", "consentry/1/berlin-1/satellite/front", BACK + "/x", "home/other/LWT",
        "home/OMG_1/SYStoMQTT", DOOR_STATE + "/x", "home/OMG_1", "", "home",
    ):  # fmt: skip
        assert reception.take(topic, frame(1), False, NOW_S) is None
    assert reception.counters()["receivers_unknown_total"] == 9


def test_a_satellite_speaks_for_no_node_of_another_receiver() -> None:
    """Counted as foreign."""
    reception = a_reception()
    assert reception.take(BACK, frame(1, datagram=batch("door-1")), False, NOW_S) is None
    assert reception.counters()["receivers_foreign_total"] == 1


def test_what_the_broker_kept_is_not_heard() -> None:
    """A retained advert is of any time."""
    reception = a_reception()
    assert reception.take(DOOR, advert(), True, NOW_S) is None
    assert reception.take(BACK, frame(1), True, NOW_S) is None
    assert reception.counters()["receivers_retained_total"] == 2


def test_a_receiver_that_went_is_ill_at_once_and_then_is_told_of_no_more() -> None:
    """By the broker's word, its last will, retained or not; an advert or "online" brings it back."""
    reception = a_reception()
    reception.take(DOOR, advert(), False, NOW_S)
    gone = reception.take(DOOR_STATE, b"offline", True, NOW_S + 1)
    assert isinstance(gone, Health)
    assert (gone.node, gone.state, gone.reason) == ("door-1", RadioState.ILL, RadioReason.NO_ANSWER)
    assert (gone.adverts, gone.candidates, gone.last_advert_ms) == (1, 1, 5_000_000)
    assert reception.take(DOOR_STATE, b"offline", False, NOW_S + 1) is None
    assert [one.node for one in reception.tick(NOW_S + 1)] == ["till-1"]
    assert reception.take(DOOR_STATE, b"online", False, NOW_S + 2) is None
    assert of_node(reception.tick(NOW_S + 1 + HEALTH_S), "door-1").state is RadioState.HEARING
    reception.take(DOOR_STATE, b"offline", False, NOW_S + 7)
    reception.take(DOOR, advert(None), False, NOW_S + 8)
    assert of_node(reception.tick(NOW_S + 12), "door-1").state is RadioState.HEARING
    assert reception.take(DOOR_STATE, b"maybe", False, NOW_S + 8) is None
    assert reception.counters()["receivers_malformed_total"] == 1


def test_a_receiver_that_hears_nobody_for_half_a_minute_is_ill() -> None:
    """A shop is never silent; the next advert of anybody makes it well."""
    reception = a_reception()
    begun = of_node(reception.tick(NOW_S), "till-1")
    assert begun == Health("till-1", NO_ADAPTER, RadioState.RECOVERING, RadioReason.SILENT, 0, 0, 0, 0, ())
    later_s = NOW_S + RECEIVER_SILENT_S
    ill = of_node(reception.tick(later_s), "till-1")
    assert (ill.state, ill.reason) == (RadioState.ILL, RadioReason.SILENT)
    reception.take(TILL, advert(None), False, later_s + 1)
    well = of_node(reception.tick(later_s + HEALTH_S), "till-1")
    assert (well.state, well.reason) == (RadioState.HEARING, None)


def test_health_is_told_each_five_seconds_and_only_with_a_broker() -> None:
    """Without one nobody knows, and the receivers are away like any other."""
    reception = a_reception()
    assert len(reception.tick(NOW_S)) == 2
    assert reception.tick(NOW_S + HEALTH_S - 0.1) == ()
    reception.link(False, NOW_S + 6)
    assert reception.tick(NOW_S + 600) == ()
    reception.link(True, NOW_S + 601)
    assert of_node(reception.tick(NOW_S + 602), "door-1").state is RadioState.RECOVERING


def test_a_flood_of_one_receiver_is_bounded_and_takes_nothing_from_the_others() -> None:
    """Beyond its allowance its messages are dropped unread, and counted."""
    reception = a_reception()
    heard = sum(
        reception.take(BACK, frame(n, 70_000 + n), False, NOW_S + n / 1000) is not None for n in range(1, 10_001)
    )
    most = MESSAGES_PER_S[ReceiverKind.SATELLITE]
    assert most * 10 <= heard <= most * 12.5
    figures = reception.counters()
    assert figures["receivers_flood_total"] == 10_000 - heard
    assert reception.take(DOOR, advert(), False, NOW_S + 10) is not None
    passed = sum(reception.take(TILL, advert(), False, NOW_S) is not None for _ in range(5_000))
    assert passed == 2 * ADVERTS_PER_S


@given(st.lists(st.tuples(st.sampled_from([BACK, DOOR, DOOR_STATE, TILL, "x"]), st.binary(max_size=60),
                          st.booleans()), max_size=20))  # fmt: skip
def test_nonsense_on_every_topic_is_dropped_and_the_good_is_heard_after_it(said: list[tuple[str, bytes, bool]]) -> None:
    """No exception, and no state that keeps the next one out."""
    reception = a_reception()
    for topic, payload, retained in said:
        found = reception.take(topic, payload, retained, NOW_S)
        assert found is None or isinstance(found, Health)
    assert reception.take(BACK, frame(1), False, NOW_S) is not None
    assert reception.take(DOOR, advert(), False, NOW_S) is not None


def test_the_figures_for_tablets_do_not_count_members() -> None:
    """Candidates are told nowhere but in the operator's health."""
    reception = a_reception()
    reception.take(DOOR, advert(), False, NOW_S)
    assert not any("candidates" in name for name in reception.counters())
    assert reception.figures()["OMG_1"] == {"adverts": 1, "candidates": 1}
