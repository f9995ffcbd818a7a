"""Reads policies for the console: the versions, what one changed against another, how many it concerns.

I/O: sqlalchemy.
"""

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, literal, select, tuple_

from hq import notice, notices, policy_versions, policy_written
from hq.console_lists import PAGE, Page
from hq.notices import Published
from hq.notices_tables import policy_versions as version_rows
from hq.policy_versions import Version
from hq.publication import Policies
from hq.tables import audience, stores

TENS = 10
_CONTEXT = 2  # lines around a change
_MOST_LINES = 2000


@dataclass(frozen=True, slots=True)
class Changed:
    """A line of a difference. `sign`: "+" new, "-" gone, " " as it was, "…" lines were left out here."""

    sign: str
    text: str


@dataclass(frozen=True, slots=True)
class Affected:
    """Whom a policy concerns. `members` at least so many, in whole tens; 0: fewer than ten, or none."""

    stores: int
    members: int


@dataclass(frozen=True, slots=True)
class RuleAway:
    """A rule of suggestions that is off, or rests in a zone and at a stage (empty: in all, at all).

    until_day: its last day, counted from 1970-01-01; None: until somebody switches it on, or the author says so.
    """

    policy: str
    rule: str
    zone: str = ""
    stage: str = ""
    is_off: bool = True
    until_day: int | None = None


@dataclass(frozen=True, slots=True)
class VersionPage:
    """One version. `before`: the version against which it is compared, None: none was before.

    texts: for each notice that changed its purpose and the difference of what members read.
    """

    version: Version
    newest: int
    before: int | None
    lines: tuple[Changed, ...]
    texts: tuple[tuple[Published, tuple[Changed, ...]], ...]
    affected: Affected


def versions_page(connection: Connection, *, after: str = "", limit: int = PAGE) -> Page[Version]:
    """All versions of all policies, the newest first."""
    rows = version_rows.c
    wanted = select(rows.policy, rows.version, rows.at_ms)
    at, _, rest = after.partition("~")
    policy, _, version = rest.partition("~")
    if at.isdecimal() and version.isdecimal() and len(at) <= 18 and len(version) <= 10:
        last = (literal(int(at), rows.at_ms.type), literal(policy), literal(int(version), rows.version.type))
        wanted = wanted.where(tuple_(rows.at_ms, rows.policy, rows.version) < tuple_(*last))
    ordered = wanted.order_by(rows.at_ms.desc(), rows.policy.desc(), rows.version.desc()).limit(limit + 1)
    found = [Version(row.policy, row.version, row.at_ms) for row in connection.execute(ordered)]
    last_one = found[limit - 1] if len(found) > limit else None
    key = None if last_one is None else f"{last_one.at_ms}~{last_one.policy}~{last_one.version}"
    return Page(tuple(found[:limit]), key)


def rules_away(connection: Connection) -> list[RuleAway]:
    """The rules of suggestions that are off or rest now, by policy."""
    policies = Policies(connection)
    names = connection.scalars(select(stores.c.policy).distinct().order_by(stores.c.policy)).all()
    found: list[RuleAway] = []
    for name in names:
        main = policies.main(name)
        if main is not None and main.suggestions is not None:
            found += [RuleAway(name, one) for one in main.suggestions.rules_off]
            found += [
                RuleAway(name, one.rule, one.zone or "", one.stage or "", is_off=False, until_day=one.until_day)
                for one in main.suggestions.rules_resting
            ]
    return found


def version_page(
    connection: Connection, policy: str, version: int, against: int | None, language: str
) -> VersionPage | None:
    """One version beside another of the same policy, by default the one before it; None: there is no such version."""
    rows = version_rows.c
    listed = connection.execute(
        select(rows.version, rows.at_ms).where(rows.policy == policy).order_by(rows.version)
    ).all()  # fmt: skip
    at_ms = {row.version: row.at_ms for row in listed}
    if version not in at_ms:
        return None
    earlier = [one for one in at_ms if one < version]
    before = against if against in at_ms and against != version else (max(earlier) if earlier else None)
    texts = [] if before is None else _texts(connection, policy, before, version, language)
    return VersionPage(
        Version(policy, version, at_ms[version]), max(at_ms), before,
        tuple(_difference(_written(connection, policy, before), _written(connection, policy, version))),
        tuple(texts), _affected(connection, policy),
    )  # fmt: skip


def _written(connection: Connection, policy: str, version: int | None) -> list[str]:
    draft = None if version is None else policy_versions.of(connection, policy, version)
    if draft is None:
        return []
    return json.dumps(policy_written.table_of(draft), ensure_ascii=False, indent=1, sort_keys=True).splitlines()


def _texts(
    connection: Connection, policy: str, before: int, version: int, language: str
) -> Iterator[tuple[Published, tuple[Changed, ...]]]:
    published = notices.versions(connection, policy)
    old = {one.purpose: one.notice for one in published if one.version == before}
    for one in published:
        if one.version == version and old.get(one.purpose) != one.notice:
            lines = [_read(connection, hashed, language) for hashed in (old.get(one.purpose), one.notice)]
            yield one, tuple(_difference(*lines))


def _read(connection: Connection, hashed: bytes | None, language: str) -> list[str]:
    found = None if hashed is None else notices.of_hash(connection, hashed)
    return [] if found is None else notice.plain(found, language)


def _difference(before: Sequence[str], after: Sequence[str]) -> Iterator[Changed]:
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    told = 0
    for number, group in enumerate(matcher.get_grouped_opcodes(_CONTEXT)):
        if number:
            yield Changed("…", "")
        for tag, a0, a1, b0, b1 in group:
            lines = [Changed(" ", one) for one in before[a0:a1]] if tag == "equal" else [
                *(Changed("-", one) for one in before[a0:a1]), *(Changed("+", one) for one in after[b0:b1])
            ]  # fmt: skip
            yield from lines
            told += len(lines)
        if told > _MOST_LINES:
            yield Changed("…", "")
            return


def _affected(connection: Connection, policy: str) -> Affected:
    under = select(stores.c.id).where(stores.c.policy == policy)
    count = connection.scalar(select(func.count()).select_from(under.subquery())) or 0
    members = connection.scalar(
        select(func.count(audience.c.member.distinct())).where(audience.c.store.in_(under), audience.c.present)
    )
    return Affected(count, (members or 0) // TENS * TENS)
