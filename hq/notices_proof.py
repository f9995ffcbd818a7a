"""No grant and no phone before the notice: judges what a choice is based on, for every way in.

A grant, and a phone, need a serving of that very notice to that member before the choice. Who vouches for what was
shown elsewhere (a command, an import) names the notice, and this is recorded as a serving by that source in the same
transaction.

I/O: sqlalchemy.
"""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, func, insert, select

from hq.errors import Reason, Refused
from hq.ledger import Entry
from hq.notices import DAY_MS, first_ms
from hq.notices_tables import notice_servings, policy_notices, policy_versions
from hq.state import PRESENCE, Choice, EventKind
from hq.tables import notices

# Who says what was shown to a member elsewhere; everybody else has shown it here, and that was recorded.
VOUCHING = frozenset({"command", "import"})
OF_NOBODY = "synthetic"  # the method of members behind whom nobody stands
SKEW_MS = 300_000  # a clock elsewhere may be behind by so much
_CHUNK = 500


def check(connection: Connection, entries: Iterable[Entry], now_ms: int) -> None:
    """Passes events whose notices were served before, or are vouched for; of other kinds every event passes.

    Raises:
        Refused: a grant whose notice was not served to its member, or is no longer in force, or is not known.
    """
    for entry in entries:
        event = entry.event
        if event.choice.kind is not EventKind.GRANT or event.method == OF_NOBODY:
            continue
        if event.method in VOUCHING:
            check_known(connection, event.choice)
            continue
        hashed = event.choice.notice
        chosen_ms = now_ms if event.chosen_s is None else min(now_ms, event.chosen_s * 1000 + SKEW_MS)
        at_ms = first_ms(connection, entry.member, [hashed]).get(hashed)
        if at_ms is None or at_ms > chosen_ms or not _is_in_force(connection, event.choice):
            raise not_served()


def record(connection: Connection, entries: Iterable[Entry], now_ms: int) -> None:
    """Records what was vouched for as served by that source, at the time of choice; once for each notice."""
    wanted: dict[tuple[bytes, bytes], Entry] = {}
    for entry in entries:
        if entry.event.choice.kind is EventKind.GRANT and entry.event.method in VOUCHING:
            wanted.setdefault((entry.member, entry.event.choice.notice), entry)
    for member, hashed in _among(connection, wanted):
        del wanted[member, hashed]
    purposes = _of(connection, {hashed for _, hashed in wanted})
    rows = []
    for (member, hashed), entry in wanted.items():
        event = entry.event
        at_ms = now_ms if event.chosen_s is None else min(now_ms, event.chosen_s * 1000)
        policy, purpose = purposes.get(hashed, (event.choice.brand or "", event.choice.purpose or ""))
        rows.append({
            "member": member, "notice": hashed, "policy": policy, "purpose": purpose,
            "language": event.proof.notice_language or "", "surface": event.method, "store": "",
            "day": at_ms // DAY_MS, "at_ms": at_ms,
        })  # fmt: skip
    if rows:
        connection.execute(insert(notice_servings), rows)


def prove(connection: Connection, entries: Sequence[Entry], now_ms: int) -> None:
    """`check`, then `record`. Raises: Refused, and then nothing was recorded."""
    check(connection, entries, now_ms)
    record(connection, entries, now_ms)


def check_known(connection: Connection, choice: Choice) -> None:
    """Passes a grant by a notice whose text is kept: of another platform, or ours for this very brand and purpose.

    Raises:
        Refused: the text is not known (`keep` makes it so), or is ours and about something else.
    """
    hashed = choice.notice
    ours = select(policy_notices.c.policy, policy_notices.c.purpose).where(policy_notices.c.notice == hashed)
    found = connection.execute(ours.distinct()).all()
    if any(one.purpose == choice.purpose and choice.brand in (None, one.policy) for one in found):
        return
    if found:
        raise Refused(Reason.UNKNOWN_NOTICE, "notice", "a notice of this brand and purpose, or another platform's")
    if connection.scalar(select(notices.c.hash).where(notices.c.hash == hashed)) is None:
        raise Refused(Reason.UNKNOWN_NOTICE, "notice", "the SHA-256 of a notice whose text HQ keeps (notice keep)")


def prove_phone(connection: Connection, member: bytes, method: str, hashed: bytes | None, now_ms: int) -> None:
    """Passes a phone of a member who was told what presence is: by the notice named, else by any that is in force.

    A source that vouches and names none means the one that is in force, where there is one only.

    Raises:
        Refused: it was not served to the member.
    """
    if method == OF_NOBODY:
        return
    wanted = {one: policy for one, policy in of_presence(connection).items() if hashed is None or one == hashed}
    if told(connection, [member], wanted):
        return
    if method not in VOUCHING or len(wanted) != 1:
        raise not_served()
    _vouch(connection, [member], wanted, method, now_ms)


def of_presence(connection: Connection) -> dict[bytes, str]:
    """The presence notices in force, each with its policy."""
    newest = (
        select(policy_versions.c.policy, func.max(policy_versions.c.version).label("version"))
        .group_by(policy_versions.c.policy)
        .subquery()
    )
    wanted = select(policy_notices.c.notice, policy_notices.c.policy).join(
        newest, (newest.c.policy == policy_notices.c.policy) & (newest.c.version == policy_notices.c.version)
    )
    rows = connection.execute(wanted.where(policy_notices.c.purpose == PRESENCE)).all()
    return {row.notice: row.policy for row in rows}


def told(connection: Connection, members: Iterable[bytes], hashes: Iterable[bytes]) -> set[bytes]:
    """Those of these members who were served one of these notices."""
    listed, wanted = sorted(members), list(hashes)
    found: set[bytes] = set()
    for start in range(0, len(listed), _CHUNK):
        chosen = select(notice_servings.c.member).where(
            notice_servings.c.member.in_(listed[start : start + _CHUNK]), notice_servings.c.notice.in_(wanted)
        )
        found.update(one for one in connection.scalars(chosen) if one is not None)
    return found


def vouch_presence(connection: Connection, members: Sequence[bytes], method: str, now_ms: int) -> None:
    """Records that a source told these members what presence is; the caller saw that one such notice is in force."""
    if members:
        _vouch(connection, members, of_presence(connection), method, now_ms)


def _vouch(
    connection: Connection, members: Sequence[bytes], presence: Mapping[bytes, str], method: str, now_ms: int
) -> None:  # fmt: skip
    ((hashed, policy),) = presence.items()
    rows = [{
        "member": one, "notice": hashed, "policy": policy, "purpose": PRESENCE, "language": "", "surface": method,
        "store": "", "day": now_ms // DAY_MS, "at_ms": now_ms,
    } for one in members]  # fmt: skip
    connection.execute(insert(notice_servings), rows)


def not_served() -> Refused:
    """What a choice gets whose notice the member has not been shown."""
    return Refused(Reason.NOTICE_NOT_SERVED, "notice", "the notice that is in force, served to this member before")


def _is_in_force(connection: Connection, choice: Choice) -> bool:
    """Whether the grant's notice is its brand's present one of its purpose."""
    wanted = select(policy_notices.c.policy, func.max(policy_notices.c.version)).where(
        policy_notices.c.notice == choice.notice, policy_notices.c.purpose == (choice.purpose or "")
    )
    if choice.brand is not None:
        wanted = wanted.where(policy_notices.c.policy == choice.brand)
    for policy, version in connection.execute(wanted.group_by(policy_notices.c.policy)).all():
        newest = select(func.max(policy_versions.c.version)).where(policy_versions.c.policy == policy)
        if connection.scalar(newest) == version:
            return True
    return False


def _among(connection: Connection, wanted: Iterable[tuple[bytes, bytes]]) -> set[tuple[bytes, bytes]]:
    """Those of these (member, notice) that were served."""
    pairs = set(wanted)
    listed = sorted({member for member, _ in pairs})
    found: set[tuple[bytes, bytes]] = set()
    for start in range(0, len(listed), _CHUNK):
        chosen = select(notice_servings.c.member, notice_servings.c.notice).where(
            notice_servings.c.member.in_(listed[start : start + _CHUNK])
        )
        found.update((row.member, row.notice) for row in connection.execute(chosen))
    return found & pairs


def _of(connection: Connection, hashes: set[bytes]) -> dict[bytes, tuple[str, str]]:
    """Of which policy and purpose each of these notices is, as far as they are ours."""
    wanted = select(policy_notices.c.notice, policy_notices.c.policy, policy_notices.c.purpose)
    rows = connection.execute(wanted.where(policy_notices.c.notice.in_(hashes)))
    return {row.notice: (row.policy, row.purpose) for row in rows}
