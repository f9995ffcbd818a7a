"""A dbus-daemon of our own in a temporary folder: what a test takes for the system bus."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

_CONFIG = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
    <allow user="*"/>
    {denied}
  </policy>
</busconfig>
"""
_DENIED = '<deny send_destination="org.bluez"/>'


class PrivateBus:
    """One dbus-daemon. `address` is what DBUS_SYSTEM_BUS_ADDRESS is set to; it outlives a restart.

    With `deny_bluez` nobody may speak to org.bluez, as for an account without permission.
    """

    def __init__(self, folder: Path, *, deny_bluez: bool = False) -> None:
        self.socket = folder / "bus"
        self.address = f"unix:path={self.socket}"
        self._config = folder / "bus.conf"
        self._config.write_text(_CONFIG.format(address=self.address, denied=_DENIED if deny_bluez else ""))
        self._daemon: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process for which this is the system bus."""
        return {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": self.address}

    def start(self) -> "PrivateBus":
        """Starts the daemon and returns when it answers."""
        program = shutil.which("dbus-daemon")
        assert program is not None, "dbus-daemon is missing"
        self.socket.unlink(missing_ok=True)
        self._daemon = subprocess.Popen(
            [program, f"--config-file={self._config}", "--nofork", "--nopidfile"], stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        while True:
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(str(self.socket))
                except OSError:
                    assert self._daemon.poll() is None and time.monotonic() < deadline, "dbus-daemon did not start"
                    time.sleep(0.01)
                else:
                    return self

    def kill(self) -> None:
        """Kills the daemon; whoever was connected loses the connection."""
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon.wait()
            self._daemon = None

    def __enter__(self) -> "PrivateBus":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()
