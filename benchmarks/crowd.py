"""A hundred tablets as far as the store's box can tell: each follows the floor over TLS and acknowledges it.

    python -m benchmarks.crowd < ORDER     JSON in: where, and each tablet's session; JSON out when standard input ends

One process and one loop, so that it takes little of the cores that the box's programs need. It notes when each stream
first told of a call for help and of who attends it: nothing else is kept.

I/O: loopback, standard input and output.
"""

import asyncio
import json
import re
import ssl
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

_ACKNOWLEDGE_S: Final = 2.0  # what takes nothing away is acknowledged so often at most, as the page does it
_OF_ONE_ADDRESS: Final = 5
_VERSION: Final = re.compile(rb'data-version="(\d+)"')
_BYTES: Final = 4 * 2**20  # of one event
Told = list[tuple[int, float, str, bool, str | None]]


class _Tablet:
    """One tablet: a stream, and a connection for what it says."""

    def __init__(self, number: int, order: Mapping[str, Any], context: ssl.SSLContext) -> None:
        self._number = number
        self._order = order
        self._context = context
        self._head = f"Host: {order['host']}\r\nAuthorization: Bearer {order['sessions'][number]}\r\n"
        self._states: dict[str, tuple[bool, str | None]] = {}
        self._version = self._acknowledged = ""
        self._acknowledged_s = 0.0
        self._urgent = asyncio.Event()
        self.told: Told = []
        self.bytes = self.events = 0
        self.zones = 0
        self._zones: dict[str, str] = {}

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        source = f"127.0.1.{1 + self._number // _OF_ONE_ADDRESS}"  # the tablet API bounds what one address may hold
        return await asyncio.open_connection(
            self._order["host"], self._order["port"], ssl=self._context, limit=_BYTES, local_addr=(source, 0)
        )

    async def follow(self, ready: asyncio.Semaphore) -> None:
        """Reads the stream until it is cancelled."""
        async with ready:
            reader, writer = await self._open()
            writer.write(f"GET {self._order['path']} HTTP/1.1\r\n{self._head}\r\n".encode())
            if b" 200 " not in await reader.readline():
                raise RuntimeError("the stream was refused")
            name = ""
            while name != "roster":
                name = await self._event(reader, name)
        while True:
            name = await self._event(reader, name)

    async def _event(self, reader: asyncio.StreamReader, name: str) -> str:
        line = await reader.readline()
        if not line:
            raise RuntimeError("a stream ended")
        self.bytes += len(line)
        if line.startswith(b"event: "):
            return line[7:-1].decode()
        if name in ("roster", "change"):
            if line.startswith(b"data: {"):
                self._take(json.loads(line[6:]), name, time.monotonic())
            elif (version := _VERSION.search(line)) is not None:  # a page's
                self.events += 1
                self._shows(version[1].decode(), name == "roster")
        return name

    def _take(self, body: Mapping[str, Any], name: str, now_s: float) -> None:
        self.events += 1
        for one in body["visits"]:
            handle, zone, state = one["handle"], one["zone"], (one["help"], one["attended_by"])
            if self._states.get(handle, (False, None)) != state:
                self.told.append((self._number, now_s, handle, *state))
            self._states[handle] = state
            self.zones += self._zones.get(handle, zone) != zone
            self._zones[handle] = zone
        self._shows(body["version"], name == "roster" or bool(body["gone"]))

    def _shows(self, version: str, urgent: bool) -> None:
        self._version = version
        if urgent:
            self._urgent.set()

    async def acknowledge(self) -> None:
        """Says which version it shows, until it is cancelled."""
        reader, writer = await self._open()
        while True:
            try:
                await asyncio.wait_for(self._urgent.wait(), _ACKNOWLEDGE_S)
            except TimeoutError:
                pass
            self._urgent.clear()
            if self._acknowledged == self._version:
                continue
            self._acknowledged = self._version
            body = json.dumps({"version": self._version})
            writer.write(
                f"POST /api/v1/floor/acks HTTP/1.1\r\n{self._head}Content-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            status = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1]
            if status != b"204":
                raise RuntimeError(f"an acknowledgement was answered with {status.decode()}")


async def _run(order: Mapping[str, Any], ended: asyncio.Event) -> dict[str, Any]:
    context = ssl.create_default_context(cafile=order["authority"])
    tablets = [_Tablet(number, order, context) for number in range(len(order["sessions"]))]
    opening = asyncio.Semaphore(8)
    going = [asyncio.create_task(one.follow(opening)) for one in tablets]
    while not all(one.events for one in tablets):
        _raise(going)
        await asyncio.sleep(0.05)
    going += [asyncio.create_task(one.acknowledge()) for one in tablets]
    print("open", flush=True)
    while not ended.is_set():
        _raise(going)
        await asyncio.sleep(0.1)
    for task in going:
        task.cancel()
    return {
        "told": [told for one in tablets for told in one.told],
        "events": sum(one.events for one in tablets),
        "bytes": sum(one.bytes for one in tablets),
        "zones": tablets[0].zones,
    }


def _raise(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done():
            task.result()


async def _main() -> None:
    order = json.loads(await asyncio.to_thread(sys.stdin.readline))
    ended, loop = asyncio.Event(), asyncio.get_running_loop()

    def until_the_end() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=until_the_end, daemon=True).start()
    print(json.dumps(await _run(order, ended)), flush=True)


if __name__ == "__main__":
    asyncio.run(_main())
