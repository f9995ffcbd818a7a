"""Stands in for the air and the store's receiver: one sighting in a datagram, as docs/protocol.md, appendix B has it.

A real phone has no such thing. It advertises, and the store's edge sends these.
"""

import socket


def say(path: str, node: str, heard: bytes, boot_ms: int, rssi_dbm: int = -58) -> None:
    """Tells the gateway that this token was heard at this receiver; `boot_ms`: by the machine's boot clock."""
    datagram = cbor([1, 1, node, [[heard, rssi_dbm, 1, boot_ms, boot_ms]]])
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as gateway:
        gateway.sendto(datagram, path)


def cbor(value: object) -> bytes:
    """Integers, byte strings, texts and arrays in deterministic CBOR (RFC 8949, 4.2.1)."""
    match value:
        case int():
            return head(0, value) if value >= 0 else head(1, -1 - value)
        case bytes():
            return head(2, len(value)) + value
        case str():
            return head(3, len(value.encode())) + value.encode()
        case list():
            return head(4, len(value)) + b"".join(cbor(one) for one in value)
    raise TypeError(type(value).__name__)


def head(kind: int, number: int) -> bytes:
    """A CBOR head in as few bytes as the number needs."""
    if number < 24:
        return bytes([kind << 5 | number])
    for extra, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 256**size:
            return bytes([kind << 5 | extra]) + number.to_bytes(size, "big")
    raise ValueError("at most 64 bits")
