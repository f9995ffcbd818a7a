"""Names, nodes and topics of what speaks on a store's broker."""

import pytest

from wire.receivers import (
    GATEWAY_NAME,
    NAME_FORM,
    Receiver,
    ReceiverKind,
    adverts_topic,
    check_all,
    satellite_topic,
    state_topic,
)


@pytest.mark.parametrize(
    ("kind", "name", "nodes"),
    [
        (ReceiverKind.SATELLITE, "Back", ("a",)),
        (ReceiverKind.SATELLITE, "", ("a",)),
        (ReceiverKind.SATELLITE, "back/1", ("a",)),
        (ReceiverKind.SATELLITE, "back", ()),
        (ReceiverKind.SATELLITE, "back", tuple(f"n{n}" for n in range(17))),
        (ReceiverKind.SATELLITE, "back", ("A",)),
        (ReceiverKind.OPENMQTTGATEWAY, "OMG+", ("a",)),
        (ReceiverKind.OPENMQTTGATEWAY, "O" * 31, ("a",)),
        (ReceiverKind.OPENMQTTGATEWAY, "OMG", ("a", "b")),
        (ReceiverKind.THEENGS, "#", ("a",)),
        (ReceiverKind.THEENGS, GATEWAY_NAME, ("a",)),
        (ReceiverKind.THEENGS, "T", ("",)),
    ],
)
def test_what_cannot_be_a_receiver_is_refused(kind, name, nodes):
    """No wildcard, no path, no name of the gateway, no node out of its form."""
    with pytest.raises(ValueError, match="a "):
        Receiver(kind, name, nodes)


def test_no_two_bear_one_name_or_speak_for_one_node():
    """Else one could be taken for the other."""
    one = Receiver(ReceiverKind.SATELLITE, "back", ("shoes-1", "shoes-2"))
    check_all((one, Receiver(ReceiverKind.THEENGS, "Back", ("door-1",))))
    with pytest.raises(ValueError, match="name"):
        check_all((one, Receiver(ReceiverKind.THEENGS, "back", ("door-1",))))
    with pytest.raises(ValueError, match="node"):
        check_all((one, Receiver(ReceiverKind.THEENGS, "door", ("shoes-2",))))


def test_the_topics_are_the_documented_ones():
    """As OpenMQTTGateway and Theengs Gateway publish, and as docs/protocol.md has a satellite's."""
    assert adverts_topic("OpenMQTTGateway") == "home/OpenMQTTGateway/BTtoMQTT"
    assert state_topic("TheengsGateway") == "home/TheengsGateway/LWT"
    assert satellite_topic("berlin-1", "back") == "consentry/1/berlin-1/satellite/back"
    assert "." not in NAME_FORM
