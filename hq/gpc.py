"""What a browser's signal against sale and sharing (`Sec-GPC: 1`) means for a member, and its recording.

The first signal of a signed-in browser withdraws every purpose by which partners use what a member shares, in all
stores, with the method `gpc`. Where the member had agreed to such a purpose, they are asked once which of the two they
meant; until they answer, the signal holds. What they choose afterwards, in the preference centre or in the app, stands.

Source: Global Privacy Control, W3C, sections 3 and 4.

I/O: sqlalchemy, and the system's random generator.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import Connection

from hq import door, ledger, membership, publication
from hq.errors import Reason, Refused
from hq.keys import Keys
from hq.ledger import Entry
from hq.ledger_proof import Evidence, Proof
from hq.notices_history import History
from hq.state import Choice, Event, EventKind, fold
from wire.member import Statement

METHOD = "gpc"
PURPOSE = "media"
OWN_METHODS = frozenset({"preference-centre", "app"})  # by which members choose themselves, and saw what the signal did
_EVENT_BYTES = 16
_PROOF = Proof(surface="preference-centre", evidence=Evidence.HEADER, text="Sec-GPC: 1")


class Answer(Enum):
    """What became of the one question."""

    NOT_ASKED = "not-asked"  # there was nothing to conflict with
    OPEN = "open"
    GIVEN = "given"


@dataclass(frozen=True, slots=True)
class Heard:
    """What a signal means after these events. `since_s`: when the first one was recorded; None: none was."""

    to_record: bool
    answer: Answer
    since_s: int | None


def is_sale_or_share(purpose: str) -> bool:
    """Whether a purpose hands a member's things on to others: `media`, and what is named below it."""
    return purpose == PURPOSE or purpose.startswith(f"{PURPOSE}.")


def judge(events: Iterable[Event], now_s: int) -> Heard:
    """What is to be done about one more signal of a browser of this member's now, and whether they are to be asked.

    What ran out, or would have by now, conflicts with nothing. `now_s`: Unix seconds UTC.
    """
    listed = list(events)
    signals = [one for one in listed if one.method == METHOD and one.choice.kind is EventKind.WITHDRAWAL]
    if not signals:
        return Heard(to_record=True, answer=Answer.NOT_ASKED, since_s=None)
    first = min(signals, key=lambda one: one.recorded_s)
    last_s = max(one.recorded_s for one in signals)
    answers = {one.id for one in listed if _is_answer(one, signals)}
    again = any(one.event not in answers for one in _shared(listed, now_s))
    conflicts = bool(_shared((one for one in listed if one.method != METHOD and one.recorded_s <= last_s), now_s))
    answer = Answer.GIVEN if answers else Answer.OPEN if conflicts else Answer.NOT_ASKED
    return Heard(to_record=again, answer=answer, since_s=first.recorded_s)


def _shared(events: Iterable[Event], at_s: int) -> list[Statement]:
    """What these events come to of such purposes that has not run out at a time: of stores, or of all of a brand."""
    found = fold(events)
    return [one for one in (*found.statements, *found.wide) if is_sale_or_share(one.purpose) and one.until_s > at_s]


def _is_about(choice: Choice) -> bool:
    return choice.purpose is not None and is_sale_or_share(choice.purpose)


def _is_answer(one: Event, signals: Iterable[Event]) -> bool:
    """Whether the member chose this themself after a signal that is about the same brand."""
    return (
        one.method in OWN_METHODS
        and _is_about(one.choice)
        and any(_is_same_brand(one.choice, each.choice) and _is_after(one, each) for each in signals)
    )


def _is_same_brand(one: Choice, other: Choice) -> bool:
    return one.brand is None or other.brand is None or one.brand == other.brand


def _is_after(one: Event, signal: Event) -> bool:
    """A grant of the very second of the signal loses against it, so it was no answer to it."""
    chosen_s = one.recorded_s if one.chosen_s is None else one.chosen_s
    return chosen_s > signal.recorded_s or (chosen_s == signal.recorded_s and one.choice.kind is not EventKind.GRANT)


def is_news(connection: Connection, keys: Keys, member: bytes, now_ms: int) -> bool:
    """Whether one more signal of a browser of this member's, by HQ's reference, would end something or is the first."""
    found = membership.opened(connection, keys.custody, [member])
    return member in found and judge(ledger.of_members(connection, found)[member], now_ms // 1000).to_record


def named(purposes: Iterable[str]) -> list[str]:
    """What a signal withdraws: `media`, and of these purposes all below it."""
    return list(dict.fromkeys([PURPOSE, *(one for one in purposes if is_sale_or_share(one))]))


def hear(
    connection: Connection, keys: Keys, member: bytes, purposes: Sequence[str], now_ms: int
) -> Heard:  # fmt: skip
    """A signal of a browser in which this member, by HQ's reference, is signed in; in a transaction that writes.

    `purposes`: all that policies declare. Nothing is written where the signal says nothing new.

    Raises:
        Refused: no such member.
    """
    locked = membership.lock(connection, keys.custody, [member])
    if not locked:
        raise Refused(Reason.UNKNOWN_MEMBER, "member", "a member")
    heard = judge(ledger.of_members(connection, locked)[member], now_ms // 1000)
    if not heard.to_record:
        return heard
    entries = [Entry(member, _withdrawal(purpose, now_ms)) for purpose in named(purposes)]
    ledger.append(connection, History(connection).proved(entries, now_ms), locked)
    publication.refresh(connection, keys, locked, now_ms, urgent=True)
    return judge(ledger.of_members(connection, locked)[member], now_ms // 1000)


def _withdrawal(purpose: str, now_ms: int) -> Event:
    choice = door.check_withdrawal(purpose, None, None)
    return Event(os.urandom(_EVENT_BYTES), METHOD, now_ms // 1000, now_ms // 1000, choice, _PROOF)
