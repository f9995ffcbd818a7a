"""Sends datagrams to the gateway's socket; never waits, and counts what it drops.

Each datagram names the socket anew, so a gateway that starts, ends or starts again needs no reconnect.

I/O: a Unix datagram socket.
"""

import errno
import socket
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class SendFault(StrEnum):
    """Why a datagram was dropped."""

    AWAY = "gateway_away"  # no socket, or nobody listens
    SLOW = "gateway_slow"  # its queue is full
    DENIED = "not_permitted"
    FAILED = "failed"
    BROKER_AWAY = "broker_away"  # of a satellite: no connection to the store's broker
    BROKER_SLOW = "broker_slow"  # of a satellite: the network does not take it quickly enough


REMEDIES = {
    SendFault.AWAY: "start the gateway: systemctl start consentry-gateway; compare gateway_socket in both files",
    SendFault.SLOW: "look at the load of the gateway: journalctl --unit consentry-gateway",
    SendFault.DENIED: "let the edge write to gateway_socket: its account belongs to the group consentry-sockets",
    SendFault.FAILED: "look at gateway_socket: it names a Unix datagram socket, at most 107 bytes long",
    SendFault.BROKER_AWAY: "look for link_down before this line; compare [satellite] with the store's broker",
    SendFault.BROKER_SLOW: "look at the network between this box and the store's: what is late is dropped",
}

_BY_ERRNO = {
    errno.ENOENT: SendFault.AWAY,
    errno.ECONNREFUSED: SendFault.AWAY,
    errno.ENOTDIR: SendFault.AWAY,
    errno.ECONNRESET: SendFault.AWAY,
    errno.EPIPE: SendFault.AWAY,
    errno.EAGAIN: SendFault.SLOW,
    errno.ENOBUFS: SendFault.SLOW,
    errno.EINTR: SendFault.SLOW,
    errno.EACCES: SendFault.DENIED,
    errno.EPERM: SendFault.DENIED,
}


class Sends(Protocol):
    """Where an edge's datagrams go: the gateway's socket on this box, or for a satellite the store's broker."""

    def send(self, datagram: bytes) -> SendFault | None:
        """Hands one datagram over without waiting; None where it is on its way, else why it was dropped."""

    def close(self) -> None:
        """Ends it; `send` must not follow."""


class Sender:
    """The way to one gateway on this box."""

    __slots__ = ("_address", "_socket")

    def __init__(self, gateway_socket: Path) -> None:
        self._address = str(gateway_socket)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)

    def send(self, datagram: bytes) -> SendFault | None:
        """Hands one datagram over; None where the gateway's queue has it, else why it was dropped."""
        try:
            self._socket.sendto(datagram, self._address)
        except OSError as error:
            return _BY_ERRNO.get(error.errno or 0, SendFault.FAILED)
        return None

    def close(self) -> None:
        """Ends it; `send` must not follow."""
        self._socket.close()
