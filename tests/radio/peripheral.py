"""iPhones in the background for the real BlueZ: bumble plays a controller, and phones that can be connected to.

    python -m tests.radio.peripheral        as root, with systemd, BlueZ and /dev/vhci; ends with 0, or says what failed

The kernel and bluetoothd are the real ones above a controller that is bumble's. Phones are bumble's whole stack each;
strangers are reports alone. A real consentry-edge reads the phones and tells a socket of ours.

I/O: /dev/vhci, through bumble; a Unix socket; a process.
"""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

from bumble import hci, smp
from bumble.controller import Controller
from bumble.device import Device
from bumble.gatt import (
    GATT_BATTERY_LEVEL_CHARACTERISTIC,
    GATT_BATTERY_SERVICE,
    Characteristic,
    Service,
)
from bumble.host import Host
from bumble.link import LocalLink
from bumble.transport import open_transport

from wire import air, sighting
from wire.sighting import Batch, Health, Sighting

RADIO = "AA:BB:CC:00:00:01"
BIT = air.overflow_bit(air.SERVICE_UUID)
MASK = bytes(0x80 >> BIT % 8 if at == BIT // 8 else 0 for at in range(16))
# As recent iPhones send it: nearby info in the advertisement, the overflow area behind another TLV in the response.
NEARBY = bytes.fromhex("02011a0aff4c001005031c0a0b0c")
RESPONSE = b"\x19\xff\x4c\x00\x10\x03\x02\x0b\x00\x01" + MASK
FOREIGN_SERVICE = "9aa4730f-b25c-4cc3-b821-c931559fc196"
MEMBERS = {f"C0:00:00:00:01:{number:02X}": bytes([number + 1] * 16) for number in range(10)}  # in format F1
WANTED_S = 240.0  # where a read does not end in time on an emulated processor, the second comes 30 s later
READ = Characteristic.Properties.READ


class Sky(LocalLink):
    """bumble's link, which takes every sender for one with a random address; Linux connects with its public one."""

    def send_acl_data(self, sender_controller, destination_address, transport, data):
        receiver = self.find_le_controller(destination_address)
        links = sender_controller.le_connections.values()
        sender = next((link.self_address for link in links if link.peer_address == destination_address), None)
        if receiver is not None and sender is not None:
            asyncio.get_running_loop().call_soon(lambda: receiver.on_link_acl_data(sender, transport, data))


class Receiver(Controller):
    """The controller that Linux has: legacy commands only, as cheap radios, and a connection that can be cancelled.

    `deaf` are the spans (monotonic seconds) in which a scan that was on was off for a connection.
    """

    def __init__(self, *arguments, **options):
        super().__init__("receiver", *arguments, **options)
        self.le_features = hci.LeFeatureMask.LE_ENCRYPTION
        self.signals: dict[str, int] = {}
        self.most_links = 0
        self.deaf: list[tuple[float, float]] = []
        self._off_at: float | None = None

    def on_advertising_pdu(self, pdu):
        address = str(pdu.advertiser_address).split("/")[0]
        kinds = hci.HCI_LE_Advertising_Report_Event.EventType
        self.report(address, NEARBY, self.signals.get(address, -60), kinds.ADV_IND)
        self.report(address, RESPONSE, self.signals.get(address, -60), kinds.SCAN_RSP)
        pending = self.pending_le_connection
        if pending is not None and pending.peer_address == pdu.advertiser_address:
            self.create_le_connection(pdu.advertiser_address)
            self.most_links = max(self.most_links, len(self.le_connections))

    def report(self, address, raw, rssi_dbm, kind=hci.HCI_LE_Advertising_Report_Event.EventType.ADV_NONCONN_IND):
        """One advert on the air; heard where the scan is on."""
        if self.le_scan_enable:
            report = hci.HCI_LE_Advertising_Report_Event.Report(
                event_type=kind, address_type=1, address=hci.Address(address), data=raw, rssi=rssi_dbm
            )
            self.send_hci_packet(hci.HCI_LE_Advertising_Report_Event([report]))

    def on_hci_le_set_scan_enable_command(self, command):
        now = time.monotonic()
        if command.le_scan_enable and self._off_at is not None:
            self.deaf.append((self._off_at, now))
        self._off_at = None if command.le_scan_enable else now
        return super().on_hci_le_set_scan_enable_command(command)

    def on_hci_le_create_connection_cancel_command(self, _command):
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        cancelled = hci.HCI_LE_Connection_Complete_Event(
            status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            connection_handle=0,
            role=0,
            peer_address_type=pending.peer_address_type,
            peer_address=pending.peer_address,
            connection_interval=0,
            peripheral_latency=0,
            supervision_timeout=0,
            central_clock_accuracy=0,
        )
        asyncio.get_running_loop().call_soon(self.send_hci_packet, cancelled)
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)


class Iphone:
    """A phone in the background: the overflow bit, and services. It counts links, and requests to pair.

    Like every iPhone it has a battery service that may be read only over an encrypted link.
    """

    def __init__(self, sky, address, services):
        self.address = address
        self.links = 0
        self.pairings = 0
        host = Host()
        host.controller = Controller(address, link=sky)
        self._device = Device(name="phone", address=hci.Address(address), host=host)
        locked = Characteristic.Permissions.READABLE | Characteristic.Permissions.READ_REQUIRES_ENCRYPTION
        battery = Characteristic(GATT_BATTERY_LEVEL_CHARACTERISTIC, READ, locked, bytes([50]))
        for service in (Service(GATT_BATTERY_SERVICE, [battery]), *services):
            self._device.add_service(service)
        self._device.on("connection", self._on_link)

    def _on_link(self, _link):
        self.links += 1

    async def appear(self):
        """Begins to advertise, and does so again after each link."""
        await self._device.power_on()
        manager = self._device.smp_manager
        on_smp_pdu = manager.on_smp_pdu

        def on_request(connection, pdu):
            self.pairings += pdu[0] == smp.CommandCode.PAIRING_REQUEST
            return on_smp_pdu(connection, pdu)

        manager.on_smp_pdu = on_request
        await self._device.start_advertising(
            advertising_data=NEARBY, own_address_type=hci.OwnAddressType.RANDOM, auto_restart=True,
            advertising_interval_min=300.0, advertising_interval_max=300.0,
        )  # fmt: skip


def token_service(value, permissions=Characteristic.Permissions.READABLE):
    """Our service, as the app has it."""
    return Service(str(air.SERVICE_UUID), [Characteristic(str(air.CHARACTERISTIC_UUID), READ, permissions, value)])


class Gateway:
    """The far end of the edge's socket: what was told of each token, and when."""

    def __init__(self, path):
        self.sightings: dict[bytes, list[tuple[float, Sighting]]] = defaultdict(list)
        self.health: Health | None = None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def _read(self):
        match sighting.decode(self._socket.recv(sighting.DATAGRAM_BYTES)):
            case Batch() as batch:
                for one in batch.sightings:
                    self.sightings[one.token].append((time.monotonic(), one))
            case Health() as health:
                self.health = health


def say(**what):
    """A line of what was found."""
    print(json.dumps(what), flush=True)


async def run(folder):
    """The whole scenario; raises AssertionError with what is wrong."""
    sky = Sky()
    vhci = await open_transport("vhci")
    receiver = Receiver(host_source=vhci.source, host_sink=vhci.sink, link=sky, public_address=RADIO)
    locked = Characteristic.Permissions.READABLE | Characteristic.Permissions.READ_REQUIRES_ENCRYPTION
    token = bytes(range(16))
    phones = {
        "member": Iphone(sky, "C0:00:00:00:02:01", [token_service(air.answer(token))]),
        "foreign": Iphone(sky, "C0:00:00:00:02:02", [Service(FOREIGN_SERVICE, [])]),
        "other answer": Iphone(sky, "C0:00:00:00:02:03", [token_service(b"\x02" + token)]),
        "wants pairing": Iphone(sky, "C0:00:00:00:02:04", [token_service(air.answer(token), locked)]),
    }
    away = "C0:00:00:00:02:05"  # advertises, and never answers
    receiver.signals = {phone.address: -70 - number for number, phone in enumerate(phones.values())}

    async def others():
        while True:
            for address, one in MEMBERS.items():
                receiver.report(address, air.f1(one, os.urandom(4) + b"\xc5"), -65)
            receiver.report(away, NEARBY, -80, hci.HCI_LE_Advertising_Report_Event.EventType.ADV_IND)
            receiver.report(away, RESPONSE, -80, hci.HCI_LE_Advertising_Report_Event.EventType.SCAN_RSP)
            await asyncio.sleep(0.5)

    gateway = Gateway(folder / "sightings.sock")
    config = folder / "edge.toml"
    config.write_text(
        f"gateway_socket = '{folder / 'sightings.sock'}'\n[[radios]]\nnode = 'till-1'\nadapter = '{RADIO}'\n"
    )
    edge = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edge", "--config", config, stderr=asyncio.subprocess.PIPE
    )
    playing = asyncio.create_task(others())
    await _until(lambda: len(gateway.sightings) >= len(MEMBERS), "the members in F1 are heard")
    began = time.monotonic()
    for phone in phones.values():
        await phone.appear()
    await _until(lambda: token in gateway.sightings, "the token of the phone in the background is read")
    say(read_after_s=round(time.monotonic() - began, 1), rssi_dbm=gateway.sightings[token][0][1].rssi_dbm)
    await _until(lambda: all(phone.links for phone in phones.values()), "every phone is connected to")
    await _until(lambda: gateway.health is not None and gateway.health.drops == 1, "the other answer is a counted drop")
    await _until(lambda: _span_s(gateway, token) >= 10, "it stays heard")
    await asyncio.sleep(max(0.0, began + 45 - time.monotonic()))
    ended = time.monotonic()
    edge.terminate()
    log = (await edge.stderr.read()).decode()
    assert await edge.wait() == 0, log
    playing.cancel()

    links = {name: phone.links for name, phone in phones.items()}
    pairings = {name: phone.pairings for name, phone in phones.items()}
    deaf = [(since, until) for since, until in receiver.deaf if since >= began]
    deaf_s = sum(until - since for since, until in deaf)
    gaps = [
        later - earlier
        for one in MEMBERS.values()
        for (earlier, _), (later, _) in pairwise([row for row in gateway.sightings[one] if began <= row[0] <= ended])
    ]
    counters = next(line for line in reversed(log.splitlines()) if "event=counters" in line)
    kept = sorted(str(path) for path in Path("/var/lib/bluetooth").rglob("*") if "C0:00:00:00:02" in path.name)
    say(links=links, pairings=pairings, most_links=receiver.most_links)
    say(of_s=round(ended - began, 1), scan_off_s=round(deaf_s, 1), longest_off_s=round(max(b - a for a, b in deaf), 1))
    say(longest_gap_s=round(max(gaps), 1), member_span_s=round(_span_s(gateway, token), 1), kept=len(kept))
    say(counters=" ".join(part for part in counters.split() if part.startswith("reads_")))
    for name in ("foreign", "other answer"):
        assert links[name] == 1 or "reads_no_answer=1 " not in counters, "a phone that answered is not asked again"
    assert receiver.most_links == 1, "one link at a time"
    assert "reads_token=1 " in counters and "reads_foreign=1 " in counters and "reads_malformed=1 " in counters, (
        counters
    )
    assert "reads_no_answer=0" not in counters, "who does not answer is given up"
    assert max(gaps) < 12, "members in F1 are heard throughout"
    assert deaf_s <= 20 / 60 * max(60.0, ended - began), "most of the time belongs to the scan"
    assert not any(":".join(["C0", "00", "00"]) in line or "C0_00_00" in line for line in log.splitlines()), log
    for name in ("member", "foreign", "other answer"):
        assert pairings[name] == 0, "no phone is asked to pair: run bluetoothd without its plugins"
    assert not kept, "BlueZ keeps no address on disk"


def _span_s(gateway, token):
    rows = gateway.sightings[token]
    return rows[-1][0] - rows[0][0] if rows else 0.0


async def _until(condition, what):
    try:
        async with asyncio.timeout(WANTED_S):
            while not condition():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(what) from None


def prepare():
    """BlueZ as the boxes run it, by the drop-in of systemd/, where it does not run so yet."""
    dropped = Path("/etc/systemd/system/bluetooth.service.d/consentry.conf")
    if not dropped.exists():
        dropped.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(__file__).parents[2] / "systemd/bluetooth.service.d" / dropped.name, dropped)
    shown = ["systemctl", "show", "bluetooth", "--property=MainPID", "--value"]
    running = Path("/proc", subprocess.run(shown, check=True, capture_output=True, text=True).stdout.strip(), "cmdline")
    if not running.exists() or b"--noplugin=*" not in running.read_bytes():
        subprocess.run(["systemctl", "daemon-reload"], check=True)
        subprocess.run(["systemctl", "restart", "bluetooth"], check=True)


def main():
    """The command line."""
    prepare()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))
    say(ok=True)


if __name__ == "__main__":
    main()
