"""What docs/protocol.md, section 2, lets a receiver take from an advertisement: a second reading, by other means.

`wire.air` walks with an index and compares fields; this one cuts the bytes down and matches whole structures against
patterns. Slow, and written to be compared with the page at a glance.
"""

import re
from collections.abc import Iterable, Mapping
from uuid import UUID

_BASE = UUID("00000000-0000-1000-8000-00805f9b34fb").bytes


def structures(raw: bytes) -> list[bytes]:
    """The whole structures, length byte included, up to a length of 0 or an overrun."""
    found = []
    while raw and raw[0] and len(raw) > raw[0]:
        whole, raw = raw[: raw[0] + 1], raw[raw[0] + 1 :]
        found.append(whole)
    return found


def candidates(raw: bytes, company_id: int) -> tuple[bytes, ...]:
    """F1, F2 and F3 as the table of the page has them, each token once."""
    company = re.escape(company_id.to_bytes(2, "little"))
    found = []
    for whole in structures(raw):
        f1 = re.fullmatch(rb"\x1a\xff\x4c\x00\x02\x15(.{16}).{5}", whole, re.DOTALL)
        f2 = re.fullmatch(rb"\x15\xff" + company + rb"\x01.(.{16})", whole, re.DOTALL)
        f3 = re.fullmatch(rb".[\x06\x07]((?:.{16})*)", whole, re.DOTALL)
        if f1 or f2:
            found.append((f1 or f2)[1])
        elif f3:
            found += [bytes(reversed(one)) for one in re.findall(rb".{16}", f3[1], re.DOTALL)]
    return tuple(dict.fromkeys(found))


def candidates_of_properties(
    manufacturer: Mapping[int, bytes], service_uuids: Iterable[str], company_id: int
) -> set[bytes]:
    """The same of what BlueZ shows: a value a company, and UUIDs as text, those of 16 and 32 bits spelled out."""
    found = set()
    for company, value in manufacturer.items():
        found |= set(candidates(bytes((len(value) + 3, 0xFF)) + company.to_bytes(2, "little") + value, company_id))
    return found | {UUID(text).bytes for text in service_uuids if UUID(text).bytes[4:] != _BASE[4:]}


def apple_has_overflow(value: bytes, bit: int) -> bool:
    """F4: the mask as one number of 128 bits, the first bit on the air the highest; it follows type 0x01 at once."""
    while value and value[0] != 0x01:
        value = value[2 + value[1] :] if len(value) > 1 else b""
    mask = value[1:17]
    return len(mask) == 16 and int.from_bytes(mask, "big") >> (127 - bit) & 1 == 1


def has_overflow(raw: bytes, bit: int) -> bool:
    """The same of whole structures."""
    apple = [whole[4:] for whole in structures(raw) if whole[1:4] == b"\xff\x4c\x00"]
    return any(apple_has_overflow(value, bit) for value in apple)
