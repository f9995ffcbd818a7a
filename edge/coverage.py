"""What one receiver hears of a test phone, and whether that is enough for a store.

The installer holds the phone at the receiver for the first seconds. The candidate token that is strongest then is the
phone's: no beacon and no visitor is as near. After that its signal is judged where the installer goes with it. A phone
changes its token every ten minutes, so a token that begins where the phone's ends is taken for its next one.

Pure: no I/O, no clock.
"""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from edge.coalesce import TOKENS_MAX
from wire.sighting import RSSI_MAX_DBM, RSSI_MIN_DBM

HOLD_MS: Final = 5_000  # at the receiver; not judged
WINDOW_MS: Final = 3_000  # the gateway's filter: the 80th percentile of so long (docs/radio.md)
WINDOWS_LEAST: Final = 5  # to judge by
GAP_MS: Final = 10_000  # an owner that is silent for so long loses the phone to another zone
GOOD_SHARE: Final = 0.9  # of the windows at or above `enter_dbm`
_NEXT_MS: Final = 15_000  # within which the next token begins: some controllers report a steady phone once in 10.24 s


class Verdict(StrEnum):
    """Whether the receiver hears the phone well enough."""

    NOTHING = "nothing"
    NO_PHONE = "no_phone"
    TOO_SHORT = "too_short"
    GAPS = "gaps"
    TOO_WEAK = "too_weak"
    PATCHY = "patchy"
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class Limits:
    """The signals at which the store lets a member arrive and leave, in dBm."""

    enter_dbm: int = -80
    exit_dbm: int = -88


@dataclass(frozen=True, slots=True)
class Found:
    """What was heard until now; times in ms since listening began, signals in dBm, most of it of the phone alone.

    `all_signals` and `signals` are (time, signal) of everybody and of the phone, the phone's after it was held at the
    receiver; `windows` are the phone's as the store filters them. `strength` is the phone's 10th, 50th and 90th
    percentile, None where there is none; `gap_ms` the 95th percentile of its silences, `longest_gap_ms` the longest.
    """

    gone_ms: int
    adverts: int
    candidates: int
    holding: bool
    all_signals: Sequence[tuple[int, int]]
    signals: Sequence[tuple[int, int]]
    phone_adverts: int
    windows: Sequence[int]
    strength: tuple[int, int, int] | None
    gap_ms: int
    longest_gap_ms: int
    verdict: Verdict
    enough: float


class Coverage:
    """Everything that one receiver heard, by token where there was one; nothing else tells one advert from another."""

    __slots__ = ("_adverts", "_candidates", "_limits", "_signals", "_times", "_tracks")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._times = array("q")
        self._signals = array("b")
        self._tracks: dict[bytes, tuple[array[int], array[int]]] = {}  # times, signals (RSSI_MIN_DBM: not known)
        self._adverts = 0
        self._candidates = 0

    def hear(self, tokens: tuple[bytes, ...], rssi_dbm: int | None, at_ms: int) -> None:
        """One advert of anybody, as `edge.coalesce.Coalescer.hear` takes it; times ascend."""
        self._adverts += 1
        if rssi_dbm is None or not RSSI_MIN_DBM <= rssi_dbm <= RSSI_MAX_DBM:
            rssi_dbm = RSSI_MIN_DBM
        if rssi_dbm != RSSI_MIN_DBM:
            self._times.append(at_ms)
            self._signals.append(rssi_dbm)
        self._candidates += bool(tokens)
        for token in tokens:
            track = self._tracks.get(token)
            if track is None:
                if len(self._tracks) >= TOKENS_MAX:
                    continue
                track = self._tracks[token] = (array("q"), array("b"))
            track[0].append(at_ms)
            track[1].append(rssi_dbm)

    def found(self, gone_ms: int) -> Found:
        """What is to be said after so long."""
        heard = self._phone()
        judged_from = heard[0][0] + HOLD_MS if heard else 0
        judged = [(at, signal) for at, signal in heard if at >= judged_from]
        known = [(at, signal) for at, signal in judged if signal != RSSI_MIN_DBM]
        windows = _windows(known, judged_from)
        strength = sorted(signal for _, signal in known)
        gaps = _gaps([at for at, _ in judged], judged_from, gone_ms) if heard else []
        gap_ms = percentile(sorted(gaps), 0.95) if gaps else 0
        enough = sum(one >= self._limits.enter_dbm for one in windows) / len(windows) if windows else 0.0
        return Found(
            gone_ms,
            self._adverts,
            self._candidates,
            not heard or gone_ms < judged_from,
            list(zip(self._times, self._signals, strict=True)),
            known,
            len(judged),
            windows,
            (percentile(strength, 0.1), percentile(strength, 0.5), percentile(strength, 0.9)) if strength else None,
            gap_ms,
            max(gaps, default=0),
            self._verdict(bool(heard), gone_ms - judged_from, gap_ms, windows, enough),
            enough,
        )

    def _verdict(self, phone: bool, judged_ms: int, gap_ms: int, windows: Sequence[int], enough: float) -> Verdict:
        if not self._adverts:
            return Verdict.NOTHING
        if not phone:
            return Verdict.NO_PHONE
        if judged_ms < WINDOWS_LEAST * WINDOW_MS:
            return Verdict.TOO_SHORT
        if gap_ms > GAP_MS or not windows:
            return Verdict.GAPS
        if enough >= GOOD_SHARE:
            return Verdict.GOOD
        return Verdict.PATCHY if percentile(sorted(windows), 0.5) >= self._limits.enter_dbm else Verdict.TOO_WEAK

    def _phone(self) -> list[tuple[int, int]]:
        """(time, signal) of the phone, whatever token it had; none before a candidate with a signal was heard."""
        began = [times[0] for times, signals in self._tracks.values() if max(signals) > RSSI_MIN_DBM]
        if not began:
            return []
        # At the receiver: the strongest of those heard within the first seconds of the first candidate.
        held_ms = min(began) + HOLD_MS
        token: bytes | None = max(self._tracks, key=lambda one: self._strength_until(one, held_ms))
        heard: list[tuple[int, int]] = []
        seen = set()
        while token is not None:
            seen.add(token)
            times, signals = self._tracks[token]
            heard += zip(times, signals, strict=True)
            ended = times[-1]
            following = [
                other
                for other, (others, _) in self._tracks.items()
                if other not in seen and ended <= others[0] <= ended + _NEXT_MS
            ]
            token = max(following, key=lambda one: self._strength_until(one, ended + 2 * _NEXT_MS), default=None)
        return sorted(heard)

    def _strength_until(self, token: bytes, until_ms: int) -> int:
        times, signals = self._tracks[token]
        known = sorted(
            signal for at, signal in zip(times, signals, strict=True) if at <= until_ms and signal != RSSI_MIN_DBM
        )
        return percentile(known, 0.5) if known else RSSI_MIN_DBM


def percentile(ascending: Sequence[int], share: float) -> int:
    """The value at or below which `share` of them lie (nearest rank); there must be one."""
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)]


def _windows(signals: Sequence[tuple[int, int]], from_ms: int) -> list[int]:
    """The 80th percentile of each window in which there was a signal."""
    windows: dict[int, list[int]] = {}
    for at, signal in signals:
        windows.setdefault((at - from_ms) // WINDOW_MS, []).append(signal)
    return [percentile(sorted(one), 0.8) for one in windows.values()]


def _gaps(times: Sequence[int], from_ms: int, until_ms: int) -> list[int]:
    """The silences between the adverts, and those before the first and after the last."""
    ends = [from_ms, *times, max(until_ms, from_ms)]
    return [later - earlier for earlier, later in pairwise(ends)]
