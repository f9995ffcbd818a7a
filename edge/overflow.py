"""Decides which iPhone in the background is asked for its token next, and which are left in peace (format F4).

The overflow bit is no name: one app in 128 has the same, so most phones with it may be strangers. What was learnt of a
phone is kept by its radio address, as its D-Bus path spells it, and only here: in memory, for at most `PHONES_MAX`
phones, until `FORGET_S` after their last advert. iOS takes a new address at about that pace.

The radios of a box share what was learnt, and each has limits of its own: a phone is asked by one of them, and is then
heard by all of them. So a radio in a blind zone hides it without a read of its own.

docs/radio.md, "iPhones in the background"; docs/decisions/0032-asking-is-rationed.md.

Pure: no I/O, no clock.
"""

from collections import Counter, deque
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

READ_S: Final = 8.0  # docs/protocol.md, section 2: connecting, reading and leaving together
READS_MAX: Final = 20  # the same: begun within any minute
MINUTE_S: Final = 60.0
ASK_S: Final = 5.5  # of READ_S: to connect, find the characteristic and read it
LEAVE_S: Final = 1.5  # of READ_S at least: to leave, also where BlueZ does not answer
CONNECTING_S: Final = 20.0  # of any minute: the scan is off while a radio connects
PHONES_MAX: Final = 1024  # a real crowd was 800 addresses in 195 s, not all of them with the bit (docs/radio.md)
FORGET_S: Final = 900.0  # after the last advert: an address of iOS lives about 15 minutes
FRESH_S: Final = 11.0  # a controller that filters duplicates tells a steady phone once in 10.4 s
# A token read at the last moment of its slot, from a phone that rotates 60 s late, is accepted for 540 s more; the last
# of them are for waiting in the queue. After TOKEN_S it is not repeated, read again or not.
AGAIN_S: Final = 480.0
TOKEN_S: Final = 600.0
FOREIGN_S: Final = 900.0
PAUSES_S: Final = (30.0, 120.0, 480.0, 900.0)  # after each failure in a row of one phone
BACK_S: Final = 10.0  # between two reads of a phone that comes from the foreground again and again
RADIO_S: Final = 10.0  # after a read that failed for a reason of the radio's own


class Outcome(StrEnum):
    """How a read ended."""

    TOKEN = "token"  # noqa: S105, the kind of an answer
    FOREIGN = "foreign"  # another app's phone: no such service or characteristic
    MALFORMED = "malformed"  # our characteristic, and not 01 and 16 bytes
    REFUSED = "refused"  # it wants pairing, or forbids reading
    NO_ANSWER = "no_answer"  # not done within READ_S
    FAILED = "failed"  # it left, or the link broke
    RADIO = "radio"  # nothing that the phone did: no BlueZ, no radio, another connection in the way


class _Phone:
    """What a box has learnt of one phone; times on the boot clock. `until_mono_s` is how long the token is repeated."""

    __slots__ = ("asked_mono_s", "due_mono_s", "heard_mono_s", "reading", "token", "until_mono_s")

    def __init__(self, now_mono_s: float) -> None:
        self.heard_mono_s = now_mono_s
        self.due_mono_s = 0.0
        self.asked_mono_s = 0.0
        self.token: bytes | None = None
        self.until_mono_s = 0.0
        self.reading = False


class _Ear:
    """What one radio knows of one phone.

    `due_mono_s` is for this radio, after `failures` of its own in a row; `counted` as held back, since it became due.
    """

    __slots__ = ("counted", "due_mono_s", "failures", "heard_mono_s", "rssi_dbm")

    def __init__(self, rssi_dbm: int, now_mono_s: float) -> None:
        self.rssi_dbm = rssi_dbm
        self.heard_mono_s = now_mono_s
        self.due_mono_s = 0.0
        self.failures = 0
        self.counted = False


class Memory:
    """The phones with the overflow bit that a box has met lately."""

    __slots__ = ("_phones",)

    def __init__(self) -> None:
        self._phones: dict[str, _Phone] = {}  # the one heard longest ago comes first

    def __len__(self) -> int:
        """How many phones are remembered."""
        return len(self._phones)

    def heard(self, path: str, now_mono_s: float) -> _Phone:
        """The phone at a D-Bus path of any radio, which was heard now."""
        name = _name(path)
        phone = self._phones.pop(name, None) or _Phone(now_mono_s)
        phone.heard_mono_s = now_mono_s
        _make_room(self._phones, now_mono_s)
        self._phones[name] = phone
        if phone.token is not None and now_mono_s >= phone.until_mono_s:
            phone.token = None
        return phone

    def get(self, path: str) -> _Phone | None:
        """The same, None where it is not remembered."""
        return self._phones.get(_name(path))

    def forget(self, now_mono_s: float) -> None:
        """Forgets whoever was not heard for long."""
        _forget(self._phones, now_mono_s)


class Planner:
    """One radio's reads. At most one is open: from `begin` to `end`.

    `outcomes` counts the reads by how they ended; `held_back` counts the times that a phone was due and a limit made
    it wait. `memory` is one for all radios of a box.
    """

    __slots__ = (
        "_asked", "_ears", "_linked_mono_s", "_memory", "_open", "_rest_until_mono_s", "_spans",
        "held_back", "outcomes",
    )  # fmt: skip

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory if memory is not None else Memory()
        self._ears: dict[str, _Ear] = {}  # the one heard longest ago comes first
        self._spans: deque[tuple[float, float]] = deque()  # when it connected, within a minute
        self._asked: deque[float] = deque()  # when reads began within a minute
        self._open: tuple[str, float] | None = None
        self._linked_mono_s: float | None = None
        self._rest_until_mono_s = 0.0
        self.outcomes: Counter[Outcome] = Counter()
        self.held_back = 0

    def __len__(self) -> int:
        """How many phones this radio remembers."""
        return len(self._ears)

    def hear(self, path: str, rssi_dbm: int, now_mono_s: float) -> bytes | None:
        """One advert with the bit, of the phone at this D-Bus path. Returns its token (16 bytes) if that is known.

        `rssi_dbm` of -127 is "not known", and weaker than any.
        """
        ear = self._ears.pop(path, None) or _Ear(rssi_dbm, now_mono_s)
        ear.rssi_dbm = rssi_dbm
        ear.heard_mono_s = now_mono_s
        _make_room(self._ears, now_mono_s)
        self._ears[path] = ear
        return self._memory.heard(path, now_mono_s).token

    def front(self, path: str, now_mono_s: float) -> None:
        """The phone at this path sent an iBeacon: its app came to the foreground, and may say something else by now.

        Its token is void: repeating the old one would, for example, cancel a call for help that was made there.
        """
        phone = self._memory.get(path)
        if phone is not None and phone.token is not None:
            phone.token = None
            phone.due_mono_s = max(now_mono_s, phone.asked_mono_s + BACK_S)

    def begin(self, now_mono_s: float) -> str | None:
        """The path of the phone to read now, the strongest that is due; None for none, or not yet.

        The read counts as open until `end`.
        """
        if self._open is not None:
            return None
        _forget(self._ears, now_mono_s)
        self._memory.forget(now_mono_s)
        if not self._may_ask(now_mono_s):
            for _, ear, _ in self._due(now_mono_s):
                if not ear.counted:
                    ear.counted = True
                    self.held_back += 1
            return None
        strongest = max(self._due(now_mono_s), key=lambda row: row[1].rssi_dbm, default=None)
        if strongest is None:
            return None
        path, ear, phone = strongest
        ear.counted = False
        phone.asked_mono_s = now_mono_s
        phone.reading = True
        self._open = (path, now_mono_s)
        self._asked.append(now_mono_s)
        return path

    def linked(self, now_mono_s: float) -> None:
        """The open read has its link: from here on the radio hears again."""
        self._linked_mono_s = now_mono_s

    def end(self, outcome: Outcome, token: bytes | None, now_mono_s: float) -> int | None:
        """The open read ended so; `token` is 16 bytes for `TOKEN`, else None.

        Returns the signal in dBm of the phone's last advert, None if the phone was forgotten in between.
        """
        if self._open is None:
            raise RuntimeError("no read is open")
        path, began_mono_s = self._open
        self._spans.append((began_mono_s, now_mono_s if self._linked_mono_s is None else self._linked_mono_s))
        self._open = self._linked_mono_s = None
        self.outcomes[outcome] += 1
        if outcome is Outcome.RADIO:
            self._rest_until_mono_s = now_mono_s + RADIO_S
        phone, ear = self._memory.get(path), self._ears.get(path)
        if phone is not None:
            phone.reading = False
            match outcome:
                case Outcome.TOKEN:
                    phone.token = token
                    phone.until_mono_s = now_mono_s + TOKEN_S
                    phone.due_mono_s = now_mono_s + AGAIN_S
                case Outcome.FOREIGN | Outcome.MALFORMED | Outcome.REFUSED:
                    phone.token = None
                    phone.due_mono_s = now_mono_s + FOREIGN_S
                case Outcome.NO_ANSWER | Outcome.FAILED | Outcome.RADIO:
                    pass
        if ear is None:
            return None
        if outcome in (Outcome.NO_ANSWER, Outcome.FAILED):
            ear.due_mono_s = now_mono_s + PAUSES_S[min(ear.failures, len(PAUSES_S) - 1)]
            ear.failures += 1
        elif outcome is not Outcome.RADIO:
            ear.failures = 0
        return ear.rssi_dbm

    def _due(self, now_mono_s: float) -> Iterator[tuple[str, _Ear, _Phone]]:
        fresh_mono_s = now_mono_s - FRESH_S
        for path, ear in self._ears.items():
            if ear.due_mono_s <= now_mono_s and ear.heard_mono_s >= fresh_mono_s:
                phone = self._memory.get(path)
                if phone is not None and phone.due_mono_s <= now_mono_s and not phone.reading:
                    yield path, ear, phone

    def _may_ask(self, now_mono_s: float) -> bool:
        """Whether a read may begin: also one that connects for READ_S keeps every minute within its bounds."""
        since_mono_s = now_mono_s - MINUTE_S
        while self._asked and self._asked[0] <= since_mono_s:
            self._asked.popleft()
        while self._spans and self._spans[0][1] <= since_mono_s:
            self._spans.popleft()
        connecting_s = sum(ended - max(began, since_mono_s) for began, ended in self._spans)
        rested = now_mono_s >= self._rest_until_mono_s
        return rested and len(self._asked) < READS_MAX and connecting_s + READ_S <= CONNECTING_S


def _make_room(kept: dict[str, _Phone] | dict[str, _Ear], now_mono_s: float) -> None:
    """Forgets who was not heard for long and, where no place is free for one more, who was heard longest ago."""
    _forget(kept, now_mono_s)
    if len(kept) >= PHONES_MAX:
        del kept[next(iter(kept))]


def _forget(kept: dict[str, _Phone] | dict[str, _Ear], now_mono_s: float) -> None:
    while kept:
        name = next(iter(kept))
        if kept[name].heard_mono_s > now_mono_s - FORGET_S:
            return
        del kept[name]


def _name(path: str) -> str:
    """What is the same in the paths of one phone at all radios of a box."""
    return path.rsplit("/", 1)[-1]
