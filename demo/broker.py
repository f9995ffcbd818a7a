"""The demo's MQTT broker, on loopback alone: mosquitto where it is installed, else amqtt in a Python of its own.

    python -m demo.broker PORT FOLDER     runs amqtt, with the certificates in FOLDER, until it is ended

Both speak TLS with the certificates that provisioning wrote. mosquitto also asks for each one's certificate and keeps
stores to their own topics, as in a store; amqtt does not. Whatever crosses either is sealed and signed inside.

I/O: the broker's socket; amqtt is imported here alone.
"""

import asyncio
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
_PLACE: Final = "etc/mosquitto"


def installed() -> str | None:
    """The path of mosquitto, or None; Debian keeps it in /usr/sbin, which is not on everybody's path."""
    return shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"]))


def start(children: Children, bundle: Path, port: int, embedded: bool = False) -> None:
    """Starts a broker with provisioning's `bundle` for it and returns when it takes connections on `port`.

    `embedded`: amqtt even where mosquitto is installed. Raises: DemoError where it does not start.
    """
    mosquitto = None if embedded else installed()
    if mosquitto is None:
        children.start("broker", python("demo.broker", str(port), str(bundle / _PLACE / "consentry")))
        children.wait_ready("broker", START_S)
        return
    children.start("broker", [mosquitto, "-c", str(bundle / _PLACE / "conf.d/consentry.conf")], says_ready=False)
    for _ in range(round(START_S / _LOOK_S)):
        children.check()
        with socket.socket() as knock:
            knock.settimeout(_LOOK_S)
            if knock.connect_ex((HOST, port)) == 0:
                return
        children.pause(_LOOK_S)
    raise DemoError("the broker takes no connections", "look whether a firewall closes loopback")


async def _serve(port: int, folder: Path) -> None:
    from amqtt.broker import Broker  # type: ignore[import-untyped]

    listener = {
        "type": "tcp",
        "bind": f"{HOST}:{port}",
        "ssl": True,
        "cafile": str(folder / "ca.pem"),
        "certfile": str(folder / "server.pem"),
        "keyfile": str(folder / "server.key"),
    }
    anybody = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    broker = Broker({"listeners": {"default": listener}, "plugins": anybody})
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await broker.start()
    Notify.from_environment().ready()
    await ended.wait()
    await broker.shutdown()


def main(arguments: Sequence[str]) -> int:
    """The command line of the embedded broker."""
    if len(arguments) != 2 or not arguments[0].isdecimal():
        sys.stderr.write("usage: python -m demo.broker PORT FOLDER\n")
        return 2
    asyncio.run(_serve(int(arguments[0]), Path(arguments[1])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
