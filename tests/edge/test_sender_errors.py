"""Every error of the socket that cannot be had from a real one is told with its cause."""

import errno
import os
from pathlib import Path

import pytest

from edge.sender import Sender, SendFault

EXPECTED = {
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
    errno.EMSGSIZE: SendFault.FAILED,
    errno.ENAMETOOLONG: SendFault.FAILED,
    errno.EPROTOTYPE: SendFault.FAILED,
    errno.EIO: SendFault.FAILED,
    errno.EBADF: SendFault.FAILED,
}


@pytest.mark.parametrize("number", EXPECTED, ids=errno.errorcode.get)
def test_each_error_is_a_counted_drop(mocker, number):
    """sendto raises, and `send` tells why instead."""
    library = mocker.patch("edge.sender.socket.socket")
    library.return_value.sendto.side_effect = OSError(number, os.strerror(number))
    assert Sender(Path("/gone")).send(b"x") is EXPECTED[number]


def test_an_error_without_a_number_is_a_drop_too(mocker):
    """A path longer than a socket's name can be raises an OSError that has no errno."""
    library = mocker.patch("edge.sender.socket.socket")
    library.return_value.sendto.side_effect = OSError("AF_UNIX path too long")
    assert Sender(Path("/gone")).send(b"x") is SendFault.FAILED
