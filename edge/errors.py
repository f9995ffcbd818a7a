"""Why an edge cannot hear, each with what the operator can do about it.

    runtime.errors.ProgramError
    ├── UnavailableError                   69
    │   └── RadioError(reason)             no D-Bus, no BlueZ, no permission, no radio, or it does not scan
    ├── NodeError                          64, no radio of that name is configured
    ├── ReplayError                        66, the file to replay cannot be read
    └── RecordError                        73, the file to record into cannot be made or written

Pure: no I/O, no clock.
"""

import errno
from typing import Final

from runtime.errors import ProgramError, UnavailableError
from wire.sighting import RadioReason

_SAID: Final[dict[RadioReason, tuple[str, str]]] = {
    RadioReason.NO_DBUS: (
        "no system D-Bus",
        "start it: systemctl start dbus.socket; in a container, mount /run/dbus/system_bus_socket",
    ),
    RadioReason.NO_BLUEZ: (
        "BlueZ is not running",
        "install and start it: apt-get install bluez; systemctl enable --now bluetooth",
    ),
    RadioReason.NO_PERMISSION: (
        "no permission to use BlueZ",
        "run as the system user consentry-edge (systemd/sysusers.d), or add this account to the group bluetooth",
    ),
    RadioReason.NO_RADIO: (
        "no Bluetooth radio",
        "plug one in, or look why the kernel has none: dmesg | grep -i bluetooth",
    ),
    RadioReason.OTHER_RADIO: (
        "the configured radio is not there",
        "plug it in, or correct `adapter`: consentry-edge adapters shows what there is",
    ),
    RadioReason.BLOCKED: (
        "the radio cannot be powered on",
        "unblock it: rfkill unblock bluetooth; then unplug it and plug it in again",
    ),
    RadioReason.BUSY: (
        "the radio is busy with another scan or pairing",
        "stop the other program: busctl tree org.bluez; systemctl restart bluetooth",
    ),
    RadioReason.NO_ANSWER: ("BlueZ does not answer", "restart it: systemctl restart bluetooth"),
    RadioReason.SILENT: (
        "the radio scans and hears nobody",
        "unplug it and plug it in again; if that does not help, replace it",
    ),
    RadioReason.FAILED: (
        "BlueZ refused the scan",
        "look why: journalctl --unit bluetooth; then systemctl restart bluetooth",
    ),
}


class RadioError(UnavailableError):
    """The radio cannot be used now, for `reason`; `name` is the D-Bus error or exception behind it.

    What was scanning before is not any more; another try later is right.
    """

    def __init__(self, reason: RadioReason, name: str = "") -> None:
        text, remedy = _SAID[reason]
        super().__init__(text, remedy)
        self.reason = reason
        self.name = name


class ReplayError(ProgramError):
    """The file with recorded adverts cannot be read."""

    exit_code = 66  # EX_NOINPUT of sysexits.h


class RecordError(ProgramError):
    """The file to record into cannot be made or written; what it holds already are whole lines."""

    exit_code = 73  # EX_CANTCREAT


class NodeError(ProgramError):
    """No radio of that name is configured; `there` are those that are."""

    exit_code = 64  # EX_USAGE

    def __init__(self, there: str) -> None:
        super().__init__("no radio of that node is configured", f"name one of: {there}")


# D-Bus error names: the D-Bus specification, systemd's activation, doc/org.bluez.Adapter.rst.
_BY_NAME: Final = {
    "org.freedesktop.DBus.Error.AccessDenied": RadioReason.NO_PERMISSION,
    "org.freedesktop.DBus.Error.AuthFailed": RadioReason.NO_PERMISSION,
    "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired": RadioReason.NO_PERMISSION,
    "org.freedesktop.DBus.Error.ServiceUnknown": RadioReason.NO_BLUEZ,
    "org.freedesktop.DBus.Error.NameHasNoOwner": RadioReason.NO_BLUEZ,
    "org.freedesktop.DBus.Error.UnknownObject": RadioReason.NO_RADIO,
    "org.freedesktop.DBus.Error.UnknownMethod": RadioReason.NO_RADIO,  # BlueZ, for a path that is gone
    "org.freedesktop.DBus.Error.UnknownInterface": RadioReason.NO_RADIO,
    "org.freedesktop.DBus.Error.NoReply": RadioReason.NO_ANSWER,
    "org.freedesktop.DBus.Error.Timeout": RadioReason.NO_ANSWER,
    "org.freedesktop.DBus.Error.TimedOut": RadioReason.NO_ANSWER,
    "org.freedesktop.DBus.Error.Disconnected": RadioReason.NO_DBUS,
    "org.freedesktop.DBus.Error.NoServer": RadioReason.NO_DBUS,
    "org.bluez.Error.NotReady": RadioReason.BLOCKED,
    "org.bluez.Error.Blocked": RadioReason.BLOCKED,
    "org.bluez.Error.NotAuthorized": RadioReason.NO_PERMISSION,
    "org.bluez.Error.InProgress": RadioReason.BUSY,
    "org.bluez.Error.Busy": RadioReason.BUSY,
}
_NO_SERVICE: Final = ("org.freedesktop.DBus.Error.Spawn.", "org.freedesktop.systemd1.")


def of_dbus_error(name: str) -> RadioError:
    """The RadioError for an error that came back over D-Bus, by its name."""
    if name.startswith(_NO_SERVICE):
        return RadioError(RadioReason.NO_BLUEZ, name)
    return RadioError(_BY_NAME.get(name, RadioReason.FAILED), name)


def of_lost_bus(error: OSError | EOFError) -> RadioError:
    """The RadioError for a socket to D-Bus that cannot be opened or broke."""
    name = type(error).__name__
    if isinstance(error, TimeoutError):
        return RadioError(RadioReason.NO_ANSWER, name)
    # A reset right after connecting is how the bus turns away a user it does not know, such as that of
    # DynamicUser= (measured on systemd 252 and 257).
    if isinstance(error, PermissionError | ConnectionResetError) or (
        isinstance(error, OSError) and error.errno == errno.EPERM
    ):
        return RadioError(RadioReason.NO_PERMISSION, name)
    return RadioError(RadioReason.NO_DBUS, name)
