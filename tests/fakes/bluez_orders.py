"""The fake bluetoothd's orders, a JSON object a line on standard input; each is answered with a line."""

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.fakes.bluetoothd import FakeBluetoothd


async def obey(fake: "FakeBluetoothd", order: dict[str, Any]) -> None:
    """Does what one line says."""
    match order:
        case {"advertise": {"address": str(address), "rssi": int() | dict() as rssi, "raw": str(raw), **rest}}:
            fake.advertise(address, rssi, bytes.fromhex(raw), rest.get("interval_s", 0.25), rest.get("for_s", 3600.0))
        case {"silence": str(address)}:
            fake.silence(address)
        case {"power": bool(on), **rest}:
            fake.power(on, rest.get("adapter", "hci0"))
        case {"remove": str(name)}:
            fake.remove(name)
        case {"add": dict(radio)}:
            fake.add(**radio)
        case {"fail": {"member": str(member), "error": str(error), **rest}}:
            fake.fail(member, error, rest.get("times", 1), rest.get("name", ""))
        case {"stick": str(name)}:
            fake.stick(name)
        case {"hang": {"member": str(member), **rest}}:
            fake.hang(member, rest.get("times", 1), rest.get("name", ""))
        case {"kill": True}:
            await fake.kill()
        case {"stop": True}:
            await fake.stop()
        case {"start": True}:
            await fake.start()
        case _:
            raise ValueError("no such order")


async def serve(fake: "FakeBluetoothd") -> None:
    """Starts the daemon, does what each line says and answers it; ends when standard input does."""
    await fake.start()
    print(json.dumps({"ready": True}), flush=True)
    orders = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        try:
            await obey(fake, json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        else:
            print(json.dumps({"ok": True}), flush=True)
    await fake.close()
