"""The demo's MQTT broker, on loopback alone: mosquitto where it is installed, else amqtt in a Python of its own.

    python -m demo.broker PORT            runs amqtt until it is ended

Whatever crosses it is sealed and signed inside, so the demo leaves out the broker's own TLS, accounts and ACL, which a
store has.

I/O: the broker's socket; amqtt is imported here alone.
"""

import asyncio
import getpass
import os
import shutil
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from demo.children import Children, python
from demo.errors import DemoError
from runtime.notify import Notify

HOST: Final = "127.0.0.1"
START_S: Final = 15.0
_LOOK_S: Final = 0.05


def installed() -> str | None:
    """The path of mosquitto, or None; Debian keeps it in /usr/sbin, which is not on everybody's path."""
    return shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"]))


def start(children: Children, folder: Path, port: int, embedded: bool = False) -> None:
    """Starts a broker on `port` of loopback and returns when it takes connections.

    `embedded`: amqtt even where mosquitto is installed. Raises: DemoError where it does not start.
    """
    mosquitto = None if embedded else installed()
    if mosquitto is None:
        children.start("broker", python("demo.broker", str(port)))
        children.wait_ready("broker", START_S)
        return
    file = folder / "mosquitto.conf"
    # `user`: as root mosquitto would change to an account that cannot read the folder.
    file.write_text(
        f"listener {port} {HOST}\nallow_anonymous true\npersistence false\nuser {getpass.getuser()}\n"
        "log_dest stderr\nlog_type error\nlog_type warning\n"
    )
    children.start("broker", [mosquitto, "-c", str(file)], says_ready=False)
    for _ in range(round(START_S / _LOOK_S)):
        children.check()
        with socket.socket() as knock:
            knock.settimeout(_LOOK_S)
            if knock.connect_ex((HOST, port)) == 0:
                return
        children.pause(_LOOK_S)
    raise DemoError("the broker takes no connections", "look whether a firewall closes loopback")


async def _serve(port: int) -> None:
    from amqtt.broker import Broker  # type: ignore[import-untyped]

    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await broker.start()
    Notify.from_environment().ready()
    await ended.wait()
    await broker.shutdown()


def main(arguments: Sequence[str]) -> int:
    """The command line of the embedded broker."""
    if len(arguments) != 1 or not arguments[0].isdecimal():
        sys.stderr.write("usage: python -m demo.broker PORT\n")
        return 2
    asyncio.run(_serve(int(arguments[0])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
