"""Which notice was in force when somebody chose, and in which version a text stands: what an event's proof says of it.

I/O: sqlalchemy.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, select

from hq.errors import Reason, Refused
from hq.ledger import Entry
from hq.ledger_proof import Proof
from hq.notices_tables import notice_servings, policy_notices, policy_versions
from hq.state import CLOSING, NO_NOTICE, Choice, EventKind

SKEW_MS = 300_000  # a clock elsewhere may be behind by so much
_CHUNK = 500


class History:
    """The notices of every version of the policies, each read once in a transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._read: dict[tuple[str, str], list[tuple[int, int, bytes, bool]]] = {}

    def as_shown(self, choice: Choice, chosen_s: int | None) -> Choice:
        """A grant for which no notice was named, with the one that was in force when it was chosen.

        Without a time of choice it is the present one: no earlier serving is claimed.

        Raises:
            Refused: nothing was in force then, so HQ cannot say what the member was shown.
        """
        if chosen_s is None or choice.notice == NO_NOTICE:
            return choice
        before = [one for one in self._of(choice) if one[1] <= chosen_s * 1000 + SKEW_MS]
        if not before:
            expected = "the SHA-256 of what was shown then: no notice of this policy was in force at the time of choice"
            raise Refused(Reason.NOTICE_NOT_SERVED, "notice", expected)
        return choice if before[-1][2] == choice.notice else replace(choice, notice=before[-1][2])

    def proved(self, entries: Iterable[Entry], now_ms: int) -> list[Entry]:
        """These events, the proof of each grant with what HQ knows of its notice: versions, and how it was served.

        A refusal or withdrawal of one purpose names the notice of it that the member was served last, where that is of
        one brand's; of all purposes, or of several brands, none. The notice's version is that of the policy which first
        had this very text, the purpose's that which last changed materially until then; of another platform's text both
        stay open. What a proof says already stays.
        """
        listed = list(entries)
        servings = self._servings(listed)
        listed = [_closing_what_was_served(one, servings[one.member], now_ms) for one in listed]
        served = {(one.member, _notice(one)): _last(one, servings[one.member], now_ms) for one in listed}
        return [
            replace(one, event=replace(one.event, proof=self._with(one, served.get((one.member, _notice(one))))))
            if one.event.choice.kind is EventKind.GRANT or one.event.choice.notice != NO_NOTICE
            else one
            for one in listed
        ]

    def _with(self, entry: Entry, shown: Row[Any] | None) -> Proof:
        proof, choice = entry.event.proof, entry.event.choice
        language, surface = ("", "") if shown is None else (shown.language, shown.surface)
        if choice.brand is None and shown is not None:
            choice = replace(choice, brand=shown.policy)
        first = next((one[0] for one in self._of(choice) if one[2] == choice.notice), None)
        material = [one[0] for one in self._of(choice) if first is not None and one[0] <= first and one[3]]
        return replace(
            proof,
            notice_language=proof.notice_language or language or None,
            notice_version=first if proof.notice_version is None else proof.notice_version,
            purpose_version=max(material, default=first) if proof.purpose_version is None else proof.purpose_version,
            surface=proof.surface or surface or None,
        )

    def _of(self, choice: Choice) -> list[tuple[int, int, bytes, bool]]:
        """Version, time, notice and whether it was material, of the choice's brand and purpose, oldest first."""
        name = (choice.brand or "", choice.purpose or "")
        if name not in self._read:
            wanted = (
                select(policy_versions.c.version, policy_versions.c.at_ms, policy_notices.c.notice,
                       policy_notices.c.material)
                .join(
                    policy_notices,
                    (policy_notices.c.policy == policy_versions.c.policy)
                    & (policy_notices.c.version == policy_versions.c.version),
                )
                .where(policy_notices.c.policy == name[0], policy_notices.c.purpose == name[1])
                .order_by(policy_versions.c.version)
            )  # fmt: skip
            rows = self._connection.execute(wanted).all()
            self._read[name] = [(one.version, one.at_ms, one.notice, one.material) for one in rows]
        return self._read[name]

    def _servings(self, entries: list[Entry]) -> dict[bytes, list[Row[Any]]]:
        """What each of these members was served, oldest first."""
        members = sorted({one.member for one in entries if one.event.choice.purpose is not None})
        found: dict[bytes, list[Row[Any]]] = defaultdict(list)
        for start in range(0, len(members), _CHUNK):
            wanted = select(notice_servings).where(notice_servings.c.member.in_(members[start : start + _CHUNK]))
            for row in self._connection.execute(wanted.order_by(notice_servings.c.at_ms, notice_servings.c.id)):
                found[row.member].append(row)
        return found


def _closing_what_was_served(entry: Entry, servings: Sequence[Row[Any]], now_ms: int) -> Entry:
    """A refusal or withdrawal that names no notice, with the one that the member had before them last."""
    choice = entry.event.choice
    if choice.kind not in CLOSING or choice.purpose is None or choice.notice != NO_NOTICE:
        return entry
    of_it = [one for one in servings if one.purpose == choice.purpose and choice.brand in (None, one.policy)]
    seen = [one for one in of_it if one.at_ms <= _until_ms(entry, now_ms)]
    if len({one.policy for one in seen}) != 1:
        return entry
    return replace(entry, event=replace(entry.event, choice=replace(choice, notice=seen[-1].notice)))


def _last(entry: Entry, servings: Sequence[Row[Any]], now_ms: int) -> Row[Any] | None:
    """The last serving of the very notice before the choice."""
    seen = [one for one in servings if one.notice == _notice(entry) and one.at_ms <= _until_ms(entry, now_ms)]
    return seen[-1] if seen else None


def _until_ms(entry: Entry, now_ms: int) -> int:
    return now_ms if entry.event.chosen_s is None else entry.event.chosen_s * 1000 + SKEW_MS


def _notice(entry: Entry) -> bytes:
    return entry.event.choice.notice
