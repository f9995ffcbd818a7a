"""Which notice was in force when somebody chose, and in which version a text stands: what an event's proof says of it.

I/O: sqlalchemy.
"""

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import Connection, select

from hq.errors import Reason, Refused
from hq.ledger import Entry
from hq.ledger_proof import Proof
from hq.notices_tables import notice_servings, policy_notices, policy_versions
from hq.state import NO_NOTICE, Choice, EventKind

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
        return replace(choice, notice=before[-1][2])

    def proved(self, entries: Iterable[Entry], now_ms: int) -> list[Entry]:
        """These events, the proof of each grant with what HQ knows of its notice: versions, and how it was served.

        The notice's version is that of the policy which first had this very text, the purpose's that which last
        changed materially until then; of another platform's text both stay open. What a proof says already stays.
        """
        listed = list(entries)
        served = self._served(listed, now_ms)
        return [
            replace(one, event=replace(one.event, proof=self._with(one, served.get((one.member, _notice(one))))))
            if one.event.choice.kind is EventKind.GRANT
            else one
            for one in listed
        ]

    def _with(self, entry: Entry, shown: tuple[str, str] | None) -> Proof:
        proof, choice = entry.event.proof, entry.event.choice
        language, surface = shown or ("", "")
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

    def _served(self, entries: list[Entry], now_ms: int) -> dict[tuple[bytes, bytes], tuple[str, str]]:
        """Language and surface of the last serving of each (member, notice) before its choice."""
        chosen = {
            (one.member, _notice(one)): now_ms if one.event.chosen_s is None else one.event.chosen_s * 1000 + SKEW_MS
            for one in entries
        }
        members = sorted({member for member, _ in chosen})
        found: dict[tuple[bytes, bytes], tuple[str, str]] = {}
        for start in range(0, len(members), _CHUNK):
            wanted = select(notice_servings).where(notice_servings.c.member.in_(members[start : start + _CHUNK]))
            for row in self._connection.execute(wanted.order_by(notice_servings.c.at_ms, notice_servings.c.id)):
                if row.at_ms <= chosen.get((row.member, row.notice), -1):
                    found[row.member, row.notice] = (row.language, row.surface)
        return found


def _notice(entry: Entry) -> bytes:
    return entry.event.choice.notice
