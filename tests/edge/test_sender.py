"""Sending: over a real socket, never waiting, each drop told with its cause."""

import socket

from edge.sender import REMEDIES, Sender, SendFault


def _gateway(path):
    gateway = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    gateway.bind(str(path))
    gateway.settimeout(5)
    return gateway


def test_a_datagram_arrives(tmp_path):
    """What is sent is what the gateway receives."""
    sender = Sender(tmp_path / "sightings.sock")
    with _gateway(tmp_path / "sightings.sock") as gateway:
        assert sender.send(b"heard") is None
        assert gateway.recv(100) == b"heard"
    sender.close()


def test_a_gateway_that_restarts_is_found_again(tmp_path):
    """Away is told while there is no socket or nobody listens; a new gateway gets the next datagram."""
    path = tmp_path / "sightings.sock"
    sender = Sender(path)
    assert sender.send(b"1") is SendFault.AWAY
    _gateway(path).close()
    assert sender.send(b"2") is SendFault.AWAY
    path.unlink()
    with _gateway(path) as gateway:
        assert sender.send(b"3") is None
        assert gateway.recv(100) == b"3"
    path.unlink()
    with _gateway(path) as gateway:
        assert sender.send(b"4") is None
        assert gateway.recv(100) == b"4"
    sender.close()


def test_a_gateway_that_does_not_read_blocks_nothing(tmp_path):
    """A full queue drops the datagram at once, and the next goes through when there is room."""
    sender = Sender(tmp_path / "sightings.sock")
    with _gateway(tmp_path / "sightings.sock") as gateway:
        faults = [sender.send(bytes(8000)) for _ in range(2000)]
        assert faults[0] is None
        assert faults[-1] is SendFault.SLOW
        for _ in range(faults.count(None)):
            gateway.recv(9000)
        assert sender.send(b"again") is None
        assert gateway.recv(100) == b"again"
    sender.close()


def test_every_fault_has_its_remedy():
    """Whatever the cause, the log line ends with what to do."""
    assert set(REMEDIES) == set(SendFault)
