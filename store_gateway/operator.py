"""What an operator asks a running gateway by its own socket: a pairing code, its state.

I/O: the operator's socket.
"""

import socket
from datetime import UTC, datetime
from pathlib import Path

import segno

from runtime.errors import UnavailableError
from store_gateway.errors import ROOM_REMEDIES, UPDATE_REMEDIES, receiver_remedy
from wire import query
from wire.condition import Condition
from wire.errors import WireError
from wire.trust import CertificateSource

_TIMEOUT_S = 10.0


def ask(path: Path, request: query.Request) -> query.Reply:
    """The answer to one request.

    Raises: UnavailableError where no gateway answers there, or not to this account.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as line:
            line.settimeout(_TIMEOUT_S)
            line.connect(str(path))
            line.sendall(query.frame(1, request))
            size = query.length(_exactly(line, query.LENGTH_BYTES))
            return query.read_reply(_exactly(line, size))[1]
    except (OSError, EOFError, WireError) as error:
        remedy = "start the gateway, and ask as one of operator_users"
        raise UnavailableError(f"{path}: no answer", remedy) from error


def _exactly(line: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        part = line.recv(size - len(received))
        if not part:
            raise EOFError
        received += part
    return bytes(received)


def pairing_text(code: query.PairingCode, tablets_url: str) -> str:
    """A pairing code for people: as a link, as a QR code, and to type."""
    # Behind '#': no server and no log ever sees it (the page reads it and takes it away).
    link = f"{tablets_url.rstrip('/')}/#pair={code.code}"
    groups = "-".join(code.code[at : at + 4] for at in range(0, len(code.code), 4))
    return f"{qr(link)}\n{link}\ncode {groups}\nIt works once, for {code.for_s} seconds.\n"


def qr(link: str) -> str:
    """A QR code in half blocks, light on dark as a terminal is."""
    rows = [list(row) for row in segno.make(link, error="m", micro=False).matrix_iter(border=2)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    blocks = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
    return "\n".join(
        "".join(blocks[bool(above), bool(below)] for above, below in zip(rows[at], rows[at + 1], strict=True))
        for at in range(0, len(rows), 2)
    )


def status_text(status: query.Status) -> str:
    """The state for people, one line each: the store, its receivers by zone, counters."""
    lease = status.lease
    lines = [
        f"store {status.store} ({status.store_label})",
        f"software {status.software}",
        f"light {lease.light.value}" + (f", {lease.reason.value}" if lease.reason.value != "none" else ""),
        f"lease {lease.left_s} of {lease.length_s} s left",
        f"tablets {status.tablets}, signed in {status.sessions}, calls for help waiting {status.visits_open}",
    ]
    lines += [
        f"certificate of {'HQ' if one.source is CertificateSource.HQ else 'the own authority'} for {one.name}, "
        f"until {datetime.fromtimestamp(one.not_after_ms / 1000, UTC).date()}"
        for one in status.certificates
    ]
    if status.condition is not None:
        lines += _condition_lines(status.condition)
    for radio in status.radios:
        lines += _radio_lines(radio)
    lines += [
        f"{counter.name}{f'{{{counter.label}}}' if counter.label else ''} {counter.value}"
        for counter in status.counters
    ]
    return "\n".join(lines) + "\n"


# What each rule of a suggestion means, for people. What is not here says itself.
_DECIDED = {
    "chosen": "it stands on the card",
    "stage": "the shopper just bought of its category: nothing of that is new now",
    "not-chosen": "it does not stand on the card: others are likelier, or the member's own word or past is against it",
    "switched-off": "it does not stand on the card: the rule that would bring it is switched off or rests",
    "unknown-item": "no catalog of this store knows it",
    "never": "the catalog flags it so that nobody gets it",
    "only-if-bought": "the catalog wants it bought on several days before, and it was not",
    "returned": "it was returned as often as it was kept",
    "declined": "it was declined in this store",
    "ignored": "it was shown too often without a word",
    "no-habit": "it was bought, but not on several days lately",
}


def explained_text(told: query.Explained) -> str:
    """What decided about a suggestion, for people."""
    lines = [f"rule {told.rule}: {_DECIDED.get(told.rule, told.rule)}"]
    if told.place is not None:
        lines.append(f"place {told.place.value}" + (f", number {told.position}" if told.position is not None else ""))
    if told.off is not None:
        lines.append(f"switched off: {told.off}")
    lines.append(f"flags of the catalog: {', '.join(told.flags) or 'none that guard'}")
    return "\n".join([*lines, "this look is recorded"]) + "\n"


def _condition_lines(found: Condition) -> list[str]:
    """The disk, the software, and each instance with what it holds."""
    disk, versions = found.disk, found.versions
    parts = [f"disk {disk.room.value}, {_megabytes(disk.free_bytes)} free"]
    if disk.cache_bytes is not None:
        parts.append(f"cache {_megabytes(disk.cache_bytes)}")
    if disk.outbox_bytes is not None:
        parts.append(f"{disk.events_waiting or 0} events wait for HQ, {_megabytes(disk.outbox_bytes)} kept")
    lines = ["; ".join(parts)]
    if disk.room in ROOM_REMEDIES:
        lines.append(f"  remedy: {ROOM_REMEDIES[disk.room]}")
    wanted = "policy wants no certain one" if versions.wanted is None else f"policy wants {versions.wanted}"
    lines.append(f"version {versions.running} runs, {versions.installed} is installed, {wanted}")
    if versions.update in UPDATE_REMEDIES:
        lines.append(f"  remedy: {UPDATE_REMEDIES[versions.update]}")
    for one in found.instances:
        records = f", {one.records} records" if one.records is not None else ""
        lines.append(f"replica {one.name} {one.agreement.value}{records}")
    return lines


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"


def _radio_lines(radio: query.Radio) -> list[str]:
    """One receiver: how it fares, and what to do about it where something is."""
    zone = f"zone {radio.zone_label}" if radio.zone_label is not None else "in no zone of the policy"
    parts = [f"receiver {radio.node} ({zone}) {radio.state.value}"]
    if radio.reason is not None:
        parts[0] += f", {radio.reason.value}"
    if radio.silent_s is not None:
        parts.append(f"last advert {radio.silent_s} s ago")
    if radio.adverts is not None:
        parts.append(f"adverts {radio.adverts}, candidates {radio.candidates or 0}, dropped {radio.drops or 0}")
    if radio.restarts:
        parts.append("restarts " + " ".join(f"{one.reason.value} {one.count}" for one in radio.restarts))
    remedy = receiver_remedy(radio.state, radio.reason)
    return ["; ".join(parts), *([f"  remedy: {remedy}"] if remedy is not None else [])]
