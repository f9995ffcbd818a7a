"""A Bluetooth controller that is a program: what Linux and BlueZ ask of it by HCI it answers, enough to scan with.

It speaks through /dev/vhci (the kernel module hci_vhci, and root), so the kernel and bluetoothd above it are the real
ones. A test puts advertisements on its air, and can give it the ailments of real controllers.

I/O: /dev/vhci, in a thread of its own.
"""

import os
import select
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

_COMMAND, _EVENT = 0x01, 0x04  # HCI packet types: Core Specification 4.A.2
_COMMAND_COMPLETE, _LE_META = 0x0E, 0x3E
_REPORT: Final = 0x02  # LE advertising report: 4.E.7.7.65.2
_OK: Final = b"\0"

RESET: Final = 0x0C03
READ_ADDRESS: Final = 0x1009
SET_SCAN_ENABLE: Final = 0x200C


class Kind(IntEnum):
    """What sort of advertisement a report tells of."""

    CONNECTABLE = 0
    SCANNABLE = 2
    PLAIN = 3
    SCAN_RESPONSE = 4


class Ailment(Enum):
    """What is wrong with a controller that says it scans."""

    NONE = "it reports"
    UNTIL_STOPPED = "it reports nothing until scanning was off for a while"
    UNTIL_RESET = "it reports nothing until it is reset, as by powering it off and on"


class Duplicates(Enum):
    """What a controller that is asked to drop duplicates does."""

    REPORTED = "reports them all the same"
    DROPPED = "reports the same address with the same bytes once per scan"


@dataclass(frozen=True, slots=True)
class Switch:
    """One time that scanning was switched on or off, seconds of the boot clock."""

    at_s: float
    on: bool


def _supported_commands() -> bytes:
    octets = bytearray(64)
    bits = {5: (6, 7), 14: (3, 5, 6), 15: (1,), 25: (0, 1, 2, 4, 5, 6, 7), 26: range(8), 27: range(8), 28: range(4)}
    for octet, ones in bits.items():
        for one in ones:
            octets[octet] |= 1 << one
    return bytes(octets)


# Replies by opcode, after the status of success: Core Specification 4.E.7.
_REPLIES: Final[dict[int, bytes]] = {
    0x0C14: bytes(248),  # name
    0x0C23: bytes(3),  # class
    0x0C25: bytes(2),  # voice
    0x0C38: b"\1",  # one IAC
    0x0C39: bytes((1, 0x33, 0x8B, 0x9E)),  # the general one
    0x1001: struct.pack("<BHBHH", 9, 0, 9, 0x05F1, 0),  # version 5.0
    0x1002: _supported_commands(),
    0x1003: bytes((0, 0, 0, 0, 0x60, 0, 0, 0)),  # features: LE, and no BR/EDR
    0x1005: struct.pack("<HBHH", 251, 0, 8, 0),  # buffers
    0x2002: struct.pack("<HB", 251, 8),  # LE buffers
    0x2003: bytes(8),  # LE features
    0x2007: struct.pack("b", 4),  # advertising power
    0x200F: bytes((8,)),  # size of the accept list
    0x201C: bytes.fromhex("ffffffffff030000"),  # LE states
    0x2023: struct.pack("<HHHH", 27, 328, 27, 328),
    0x202A: bytes((8,)),  # size of the resolving list
    0x202F: struct.pack("<HHHH", 251, 2120, 251, 2120),
    0x204B: struct.pack("bb", -20, 10),
}


class Controller:
    """One controller with `address` ("AA:…"), there from its making to `close`; `index` is the N of its hciN.

    `boot_s` is the clock. `heals_after_s` is how long scanning has to be off for `UNTIL_STOPPED` to end.
    """

    def __init__(
        self,
        address: str,
        *,
        duplicates: Duplicates = Duplicates.REPORTED,
        boot_s: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        heals_after_s: float = 0.1,  # between two scans of one discovery Linux pauses for 0.013 s
    ) -> None:
        self.address = address
        self.ailment = Ailment.NONE
        self.scanning = False
        self.switches: list[Switch] = []
        self.reported = 0
        self._bytes = bytes.fromhex(address.replace(":", ""))[::-1]
        self._duplicates = duplicates
        self._boot_s = boot_s
        self._heals_after_s = heals_after_s
        self._filters = False
        self._reported: set[tuple[str, int, bytes]] = set()
        self._writing = threading.Lock()
        self._vhci = os.open("/dev/vhci", os.O_RDWR | os.O_CLOEXEC)
        self._over = os.eventfd(0, os.EFD_CLOEXEC)
        os.write(self._vhci, b"\xff\x00")  # make me a controller
        self.index = int.from_bytes(os.read(self._vhci, 260)[2:4], "little")
        self._answering = threading.Thread(target=self._answer, name=f"hci{self.index}", daemon=True)
        self._answering.start()

    def close(self) -> None:
        """Pulls it out."""
        # A read that waits would keep the kernel from noticing.
        os.eventfd_write(self._over, 1)
        self._answering.join()
        with self._writing:
            self.scanning = False
            os.close(self._vhci)
        os.close(self._over)

    def report(self, address: str, raw: bytes, rssi_dbm: int, kind: Kind = Kind.PLAIN) -> bool:
        """One advertisement (AD structures) is on the air; whether this controller reported it."""
        with self._writing:
            if not self.scanning or self.ailment is not Ailment.NONE:
                return False
            if self._filters and self._duplicates is Duplicates.DROPPED:
                same = (address, kind, raw)
                if same in self._reported:
                    return False
                self._reported.add(same)
            body = bytes((_REPORT, 1, kind, 1)) + bytes.fromhex(address.replace(":", ""))[::-1]
            body += bytes((len(raw),)) + raw + rssi_dbm.to_bytes(1, "little", signed=True)
            try:
                os.write(self._vhci, bytes((_EVENT, _LE_META, len(body))) + body)
            except OSError:
                return False  # powered off between the look and the word
            self.reported += 1
            return True

    def _answer(self) -> None:
        while True:
            ready, _, _ = select.select([self._vhci, self._over], [], [])
            if self._over in ready:
                return
            packet = os.read(self._vhci, 4096)
            if packet[0] == _COMMAND:
                opcode, length = struct.unpack("<HB", packet[1:4])
                self._obey(opcode, packet[4 : 4 + length])

    def _obey(self, opcode: int, parameters: bytes) -> None:
        with self._writing:
            reply = _OK
            if opcode == READ_ADDRESS:
                reply += self._bytes
            elif opcode == SET_SCAN_ENABLE:
                self._switch(bool(parameters[0]), bool(parameters[1]))
            elif opcode == RESET:
                self.ailment = Ailment.NONE
                self._switch(False, False)
            else:
                reply += _REPLIES.get(opcode, b"")
            body = bytes((_EVENT, _COMMAND_COMPLETE, 3 + len(reply), 1)) + opcode.to_bytes(2, "little") + reply
            try:
                os.write(self._vhci, body)
            except OSError:
                return

    def _switch(self, on: bool, filters: bool) -> None:
        now_s = self._boot_s()
        if on and not self.scanning and self.ailment is Ailment.UNTIL_STOPPED:
            off_s = now_s - self.switches[-1].at_s if self.switches else self._heals_after_s
            if off_s >= self._heals_after_s:
                self.ailment = Ailment.NONE
        if on is not self.scanning:
            self.switches.append(Switch(now_s, on))
        self.scanning, self._filters = on, filters
        self._reported.clear()
