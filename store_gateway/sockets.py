"""Binds the gateway's Unix sockets, and knows by uid who is at their far end.

I/O: socket and the files of the runtime directory.
"""

import os
import pwd
import socket
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

from runtime.errors import ConfigError, UnavailableError
from wire.sighting import DATAGRAM_BYTES

MODE = 0o660
_CREDENTIALS = struct.Struct("=iII")  # struct ucred: pid, uid, gid (unix(7))
_BACKLOG = 128


def uids(names: Iterable[str], config: Path, key: str) -> frozenset[int]:
    """The uids of names or of numbers as text.

    Raises: ConfigError for a name that this machine does not know.
    """
    found = set()
    for name in names:
        try:
            found.add(int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid)
        except KeyError:
            raise ConfigError(config, key, "names of accounts on this machine, or their numbers") from None
    return frozenset(found)


def bind(path: Path, kind: socket.SocketKind) -> socket.socket:
    """A bound socket of mode 0660; a stale one of a process that is gone is replaced, a living one is not.

    Raises: UnavailableError where somebody listens there, or it cannot be bound.
    """
    listener = socket.socket(socket.AF_UNIX, kind | socket.SOCK_CLOEXEC)
    try:
        _clear(path, kind)
        mask = os.umask(0o777 & ~MODE)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        os.chmod(path, MODE)
        if kind is socket.SOCK_STREAM:
            listener.listen(_BACKLOG)
        else:
            # Credentials come with each datagram: anybody in the group could have been handed the socket.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    except OSError as error:
        listener.close()
        remedy = "check that the directory is there and that no file of that name is in the way"
        raise UnavailableError(f"{path}: cannot be bound: {os.strerror(error.errno or 0)}", remedy) from error
    except UnavailableError:
        listener.close()
        raise
    return listener


def _clear(path: Path, kind: socket.SocketKind) -> None:
    """Removes a socket at whose other end nobody is."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return  # binding fails, and says so
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, kind | socket.SOCK_CLOEXEC) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError:
            pass  # full, or of another kind: somebody is there
    raise UnavailableError(f"{path}: another gateway runs", "stop it first")


def peer_uid(connection: socket.socket) -> int:
    """The uid of who connected."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[1])


def receive(listener: socket.socket) -> tuple[bytes, int | None]:
    """The next datagram (cut to one byte more than may be) and the uid of its sender, None where it is not told.

    Raises: OSError when the socket was shut down.
    """
    content, notes, _, _ = listener.recvmsg(DATAGRAM_BYTES + 1, socket.CMSG_SPACE(_CREDENTIALS.size))
    for level, kind, note in notes:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS and len(note) == _CREDENTIALS.size:
            return content, int(_CREDENTIALS.unpack(note)[1])
    return content, None
