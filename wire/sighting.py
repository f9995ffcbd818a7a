"""What an edge tells the gateway: datagrams of sightings, and of its own health.

One CBOR array in deterministic encoding (RFC 8949 4.2.1) a datagram, at most 8 KiB:

    [1, 1, node, [[token, rssi_dbm / null, count, first_ms, last_ms], ...]]        1 to 190 rows
    [1, 2, node, adapter, state, reason / null, last_advert_ms, adverts, candidates, drops,
     [[reason, count], ...]]                                                    restarts, reasons ascending

The first number is the version. Times are milliseconds of the sender's CLOCK_BOOTTIME, which a
gateway on the same machine shares. What decodes re-encodes to the same bytes.

Pure: no I/O, no clock.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final, NoReturn

from wire import cbor
from wire.errors import Reason, WireError

DATAGRAM_BYTES = 8192
ROWS_MAX = 190  # a row is 41 bytes at most, the head 48: every batch fits a datagram
TOKEN_BYTES = 16
RSSI_MIN_DBM = -127
RSSI_MAX_DBM = 20  # the range of HCI's RSSI (Core Specification 4.E.7.7.65.2)
COUNT_MAX = 65535
UINT_MAX = 2**64 - 1

REPLAY = "replay"  # adapter: no radio but recorded adverts
NO_ADAPTER = "none"  # adapter: no radio was ever found

_VERSION: Final = 1
_SIGHTINGS: Final = 1
_HEALTH: Final = 2
_NODE = re.compile(r"[a-z0-9-]{1,40}")
_ADAPTER = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}|replay|none")


class RadioState(IntEnum):
    """How an edge's radio fares."""

    HEARING = 0
    RECOVERING = 1
    ILL = 2


class RadioReason(StrEnum):
    """What stands between an edge and the air."""

    NO_DBUS = "no_dbus"
    NO_BLUEZ = "no_bluez"
    NO_PERMISSION = "no_permission"
    NO_RADIO = "no_radio"
    OTHER_RADIO = "other_radio"
    BLOCKED = "blocked"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    SILENT = "silent"
    FAILED = "failed"


_REASONS: Final = frozenset(reason.value for reason in RadioReason)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One token as one node heard it for up to half a second.

    `token` is 16 bytes; `rssi_dbm` the strongest signal, None where not known; `count` how many
    adverts; `first_ms` and `last_ms` boot-clock milliseconds of the sender.
    """

    node: str
    token: bytes = field(repr=False)
    rssi_dbm: int | None
    count: int
    first_ms: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class Batch:
    """The sightings of one datagram: 1 to `ROWS_MAX`, all of one node."""

    node: str
    sightings: tuple[Sighting, ...]


@dataclass(frozen=True, slots=True)
class Health:
    """The state of one radio; counters run since the edge started.

    `adapter` is its address ("AA:BB:CC:DD:EE:FF"), `REPLAY` or `NO_ADAPTER`; `reason` is what keeps it from hearing
    now, None while it hears; `last_advert_ms` boot-clock milliseconds of the last advert of anybody, 0 before the
    first; `adverts` of anybody, `candidates` of them with a candidate token, `drops` what was heard and not forwarded,
    `restarts` how many steps of recovery were taken for each reason, by reason ascending, none of them 0.
    """

    node: str
    adapter: str
    state: RadioState
    reason: RadioReason | None
    last_advert_ms: int
    adverts: int
    candidates: int
    drops: int
    restarts: tuple[tuple[RadioReason, int], ...]


def encode_batch(node: str, sightings: Sequence[Sighting]) -> list[bytes]:
    """The datagrams that carry these sightings of `node`, in order; none for none.

    Raises: WireError where one is out of the ranges above or of another node.
    """
    _check_node(node)
    datagrams = []
    for at in range(0, len(sightings), ROWS_MAX):
        rows = [_row(node, sighting) for sighting in sightings[at : at + ROWS_MAX]]
        datagrams.append(cbor.encode([_VERSION, _SIGHTINGS, node, rows]))
    return datagrams


def encode_health(health: Health) -> bytes:
    """The datagram of one radio's state.

    Raises: WireError where a value is out of range.
    """
    _check_health(health)
    return cbor.encode(
        [
            _VERSION,
            _HEALTH,
            health.node,
            health.adapter,
            int(health.state),
            health.reason.value if health.reason is not None else None,
            health.last_advert_ms,
            health.adverts,
            health.candidates,
            health.drops,
            [[reason.value, count] for reason, count in health.restarts],
        ]
    )


def decode(datagram: bytes) -> Batch | Health:
    """What a datagram from an edge says.

    Raises: WireError for anything that `encode_batch` or `encode_health` would not have made.
    """
    if len(datagram) > DATAGRAM_BYTES:
        raise WireError(Reason.SIZE, f"at most {DATAGRAM_BYTES} bytes")
    match cbor.decode(datagram):
        case [int(version), int(kind), str(node), list(rows)] if _is(version, kind, _SIGHTINGS):
            _check_node(node)
            if not 1 <= len(rows) <= ROWS_MAX:
                raise WireError(Reason.SHAPE, f"1 to {ROWS_MAX} sightings")
            return Batch(node, tuple(_sighting(node, row) for row in rows))
        case [
            int(version),
            int(kind),
            str(node),
            str(adapter),
            int(state),
            None | str() as reason,
            int(last_advert_ms),
            int(adverts),
            int(heard),
            int(drops),
            list(restarts),
        ] if _is(version, kind, _HEALTH):
            try:
                known = RadioState(_number(state))
                why = RadioReason(reason) if reason is not None else None
            except ValueError:
                raise WireError(Reason.SHAPE, "a known state of a radio, and a known reason") from None
            counts = tuple(_restarts(row) for row in restarts)
            health = Health(node, adapter, known, why, last_advert_ms, adverts, heard, drops, counts)
            _check_health(health)
            return health
        case _:
            raise WireError(Reason.SHAPE, "sightings or health, version 1")


def _is(version: int, kind: int, wanted: int) -> bool:
    return _number(version) == _VERSION and _number(kind) == wanted


def _number(value: object) -> int:
    """A number that is no truth value: Python counts True as 1, CBOR does not."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise WireError(Reason.SHAPE, "a whole number")
    return value


def _sighting(node: str, row: object) -> Sighting:
    match row:
        case [bytes(token), None | int() as rssi_dbm, int(count), int(first_ms), int(last_ms)]:
            sighting = Sighting(node, token, rssi_dbm, count, first_ms, last_ms)
        case _:
            raise WireError(Reason.SHAPE, "a sighting of five values")
    _row(node, sighting)
    return sighting


def _restarts(row: object) -> tuple[RadioReason, int]:
    match row:
        case [str(reason), int(count)] if reason in _REASONS:
            return RadioReason(reason), count
        case _:
            raise WireError(Reason.SHAPE, "a known reason and a count")


def _row(node: str, sighting: Sighting) -> list[object]:
    """The row of a sighting, checked; reading and writing hold to the same ranges."""
    rssi_dbm, count, first_ms, last_ms = sighting.rssi_dbm, sighting.count, sighting.first_ms, sighting.last_ms
    if not (
        sighting.node == node
        and len(sighting.token) == TOKEN_BYTES
        and (rssi_dbm is None or (type(rssi_dbm) is int and RSSI_MIN_DBM <= rssi_dbm <= RSSI_MAX_DBM))
        and type(count) is type(first_ms) is type(last_ms) is int
        and 1 <= count <= COUNT_MAX
        and 0 <= first_ms <= last_ms <= UINT_MAX
    ):
        _refuse(node, sighting)
    return [sighting.token, rssi_dbm, count, first_ms, last_ms]


def _refuse(node: str, sighting: Sighting) -> NoReturn:
    """Says what is wrong with a sighting."""
    rssi_dbm = sighting.rssi_dbm
    if sighting.node != node:
        raise WireError(Reason.SHAPE, "sightings of one node")
    if len(sighting.token) != TOKEN_BYTES:
        raise WireError(Reason.SHAPE, f"a token of {TOKEN_BYTES} bytes")
    if rssi_dbm is not None and not RSSI_MIN_DBM <= _number(rssi_dbm) <= RSSI_MAX_DBM:
        raise WireError(Reason.SHAPE, f"a signal of {RSSI_MIN_DBM} to {RSSI_MAX_DBM} dBm, or none")
    if not 1 <= _number(sighting.count) <= COUNT_MAX:
        raise WireError(Reason.SHAPE, f"a count of 1 to {COUNT_MAX}")
    _number(sighting.first_ms), _number(sighting.last_ms)
    raise WireError(Reason.SHAPE, "milliseconds of the boot clock, first before last")


def _check_node(node: str) -> None:
    if not _NODE.fullmatch(node):
        raise WireError(Reason.SHAPE, "a node of 1 to 40 characters a-z, 0-9 and -")


def _check_health(health: Health) -> None:
    _check_node(health.node)
    if not _ADAPTER.fullmatch(health.adapter):
        raise WireError(Reason.SHAPE, "an adapter's address, replay or none")
    for number in (health.last_advert_ms, health.adverts, health.candidates, health.drops):
        if not 0 <= _number(number) <= UINT_MAX:
            raise WireError(Reason.SHAPE, "counters and times as unsigned 64-bit numbers")
    reasons = [reason for reason, _ in health.restarts]
    if reasons != sorted(set(reasons)) or any(not 1 <= _number(count) <= UINT_MAX for _, count in health.restarts):
        raise WireError(Reason.SHAPE, "restarts by reason, ascending, each at least one")
