"""A real consentry-edge process, and the far end of its socket."""

import asyncio
import os
import socket
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

from wire import sighting
from wire.sighting import Batch, Health, Sighting


class Gateway:
    """What the gateway would hear: each datagram, decoded, with when it came (monotonic seconds)."""

    def __init__(self, path: Path) -> None:
        self.datagrams: list[bytes] = []
        self.sightings: list[tuple[float, Sighting]] = []
        self.healths: list[Health] = []
        self._path = path
        self._transport = None

    async def open(self):
        """Binds the socket."""
        gateway = self

        class Reader(asyncio.DatagramProtocol):
            def datagram_received(self, datagram, _):
                gateway._take(datagram)

        self._path.unlink(missing_ok=True)
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            Reader, local_addr=str(self._path), family=socket.AF_UNIX
        )
        return self

    def close(self):
        """Unbinds it."""
        self._transport.close()
        self._path.unlink(missing_ok=True)

    def _take(self, datagram):
        self.datagrams.append(datagram)
        match sighting.decode(datagram):
            case Batch() as batch:
                self.sightings += [(time.monotonic(), one) for one in batch.sightings]
            case Health() as health:
                self.healths.append(health)

    def tokens(self):
        """The tokens heard so far."""
        return {one.token for _, one in self.sightings}

    async def hears(self, token, seconds, since=None):
        """Waits until a sighting of `token` comes after `since`; how many seconds after it that was."""
        since = time.monotonic() if since is None else since
        async with asyncio.timeout(seconds):
            while True:
                for at, one in self.sightings:
                    if one.token == token and at > since:
                        return at - since
                await asyncio.sleep(0.02)


class Running:
    """A process with what it writes to stderr."""

    def __init__(self, process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self):
        while line := await self.process.stderr.readline():
            self.lines.append(line.decode().rstrip("\n"))

    async def says(self, text, seconds=30.0):
        """Waits for a line with this text."""
        async with asyncio.timeout(seconds):
            while True:
                for line in self.lines:
                    if text in line:
                        return line
                await asyncio.sleep(0.02)

    async def end(self):
        """SIGTERM; the exit code."""
        if self.process.returncode is None:
            self.process.terminate()
        code = await asyncio.wait_for(self.process.wait(), 20)
        await self._reading
        await asyncio.sleep(0.1)  # for its last datagrams to be read
        return code

    async def kill(self):
        """SIGKILL."""
        self.process.kill()
        await self.process.wait()
        await self._reading


def write_config(folder, radios=({"node": "till-1"},), **settings):
    """A configuration for an edge whose gateway is in `folder`."""
    known = {"gateway_socket": str(folder / "sightings.sock"), **settings}
    tables = ["".join(f"{key} = {value!r}\n" for key, value in table.items()) for table in (known, *radios)]
    file = folder / "edge.toml"
    file.write_text("[[radios]]\n".join(tables))
    return file


async def start_edge(*arguments, environment=None, stdin=asyncio.subprocess.DEVNULL):
    """Starts it."""
    return Running(
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "edge",
            *map(str, arguments),
            stdin=stdin,
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
        )
    )


@asynccontextmanager
async def edge_and_gateway(folder, environment, **settings):
    """Both, and both gone afterwards."""
    gateway = await Gateway(folder / "sightings.sock").open()
    edge = await start_edge("--config", write_config(folder, **settings), environment=environment)
    try:
        yield edge, gateway
    finally:
        if edge.process.returncode is None:
            await edge.kill()
        gateway.close()
