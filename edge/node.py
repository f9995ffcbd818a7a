"""One node: what its radio, or a replay, heard and has not sent yet, and what was counted.

Pure: no I/O, no clock.
"""

from collections.abc import Callable, Mapping, Sequence

from edge.coalesce import Coalescer
from edge.overflow import Memory, Outcome, Planner
from edge.radio import Radio
from edge.recording import Advert, tokens_of
from wire.air import candidates_of_properties
from wire.sighting import REPLAY, Health, RadioState, Sighting


class Node:
    """A radio's place in the store, from its radio or, where `radio` is None, from recorded adverts.

    `boot_ms` gives milliseconds of CLOCK_BOOTTIME. `sent` counts the sightings that the gateway took, `unsent` those
    that it did not take, `malformed` lines of a replay. `memory` is one for all nodes of a box.
    """

    __slots__ = ("_boot_ms", "_company_id", "_heard", "_phones", "malformed", "name", "radio", "sent", "unsent")

    def __init__(self, name: str, company_id: int, boot_ms: Callable[[], int], memory: Memory | None = None) -> None:
        self.name = name
        self._company_id = company_id
        self._boot_ms = boot_ms
        self._heard = Coalescer(name)
        self._phones = Planner(memory)
        self.sent = 0
        self.unsent = 0
        self.malformed = 0
        self.radio: Radio | None = None

    def hear(self, manufacturer: Mapping[int, bytes], service_uuids: Sequence[str], rssi_dbm: int) -> None:
        """One advert as BlueZ splits it."""
        tokens = candidates_of_properties(manufacturer, service_uuids, self._company_id)
        if tokens:
            self._heard.hear(tokens, rssi_dbm, self._boot_ms())
        else:
            self._heard.passed()

    def overflow(self, path: str, rssi_dbm: int) -> None:
        """That advert was of an iPhone in the background, at this D-Bus path: a sighting, once its token was read."""
        now_ms = self._boot_ms()
        token = self._phones.hear(path, rssi_dbm, now_ms / 1000)
        if token is not None:
            self._heard.fold((token,), rssi_dbm, now_ms)

    def front(self, path: str) -> None:
        """That advert was an iBeacon of the phone at this D-Bus path."""
        self._phones.front(path, self._boot_ms() / 1000)

    def next_read(self) -> str | None:
        """The D-Bus path of the phone whose token is to be read now; None for none yet."""
        return self._phones.begin(self._boot_ms() / 1000)

    def linked(self) -> None:
        """That phone is connected to."""
        self._phones.linked(self._boot_ms() / 1000)

    def end_read(self, outcome: Outcome, token: bytes | None) -> None:
        """That read ended so; a token (16 bytes) is a sighting with the signal of the phone's last advert."""
        now_ms = self._boot_ms()
        rssi_dbm = self._phones.end(outcome, token, now_ms / 1000)
        if token is not None:
            self._heard.fold((token,), rssi_dbm, now_ms)

    def replay(self, advert: Advert | None, made_up: bytes) -> None:
        """One recorded advert; None is a malformed line, counted as a drop.

        `made_up` (16 bytes) stands for its token where only the flag of one was recorded.
        """
        if advert is None:
            self.malformed += 1
        else:
            self._heard.hear(tokens_of(advert, self._company_id, made_up), advert.rssi_dbm, self._boot_ms())

    def heard_mono_s(self) -> float:
        """When an advert of anybody was last heard, seconds of the boot clock; 0 before the first.

        One without a candidate token counts as heard when this is next asked.
        """
        self._heard.notice(self._boot_ms())
        return self._heard.last_advert_ms / 1000

    @property
    def state(self) -> RadioState:
        """How its radio fares; a replay hears."""
        return self.radio.state if self.radio else RadioState.HEARING

    def take(self) -> list[Sighting]:
        """The sightings of the window that is open; the next one opens."""
        return self._heard.take()

    def health(self) -> Health:
        """How it fares, as the gateway is told."""
        self._heard.notice(self._boot_ms())
        return Health(
            self.name,
            self.radio.adapter if self.radio else REPLAY,
            self.state,
            self.radio.reason if self.radio else None,
            self._heard.last_advert_ms,
            self._heard.adverts,
            self._heard.candidates,
            self._heard.drops + self.unsent + self.malformed + self._phones.outcomes[Outcome.MALFORMED],
            tuple(sorted(self.radio.restarts.items())) if self.radio else (),
        )

    def counters(self) -> dict[str, str | int]:
        """What was counted since the start, for the log; nothing in it tells whom."""
        return {
            "node": self.name,
            "state": self.state.name.lower(),
            "adverts": self._heard.adverts,
            "candidates": self._heard.candidates,
            "sightings": self.sent,
            "no_room": self._heard.drops,
            "unsent": self.unsent,
            "malformed": self.malformed,
            **{f"reads_{outcome.value}": self._phones.outcomes[outcome] for outcome in Outcome},
            "reads_held_back": self._phones.held_back,
            "restarts": self.radio.restarts.total() if self.radio else 0,
        }
