"""Whether a policy may be published: complete purposes, declared names, zones that must be blind.

A retailer cannot publish what the member's rights forbid, by mistake or on purpose.

Pure: no I/O, no clock.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from consent.grants import SUGGEST
from consent.never_shown import is_never_shown
from hq import hint_rules, notice_binding, notice_rules, regulation, suggestion_rules
from hq.errors import Reason, Refused
from hq.policy_papers import FigurePolicy, Paper, Papers
from hq.state import PRESENCE
from wire import synthetic
from wire.errors import WireError
from wire.policy import Hours, MainPolicy, Role, Section, StorePolicy, Zone, must_be_blind
from wire.schema import encode
from wire.scopes import is_scope
from wire.sync import is_store

_MOST_ROLES = 31  # and one of HQ's own
_NEVER_SHOWN = "no e-mail, phone number, address, birth date, member number or radio identifier"


@dataclass(frozen=True, slots=True, repr=False)
class Draft:
    """A policy that somebody wrote: its name, the shared part, each store's own part, the notices by their hash.

    `papers` is what HQ keeps of it beside what stores get. The notices follow from the rest (`bind`).
    """

    name: str
    main: MainPolicy
    stores: tuple[StorePolicy, ...]
    notices: dict[bytes, bytes]
    papers: Papers = field(default_factory=Papers)


def bind(draft: Draft) -> Draft:
    """The draft with the notices that its own content makes, whatever it was changed in."""
    main, made = notice_binding.bound(draft.name, draft.main, draft.stores, draft.papers)
    return replace(draft, main=main, notices=made)


def check(draft: Draft) -> None:
    """Passes what may be published.

    Raises:
        Refused: with the first thing that is wrong and where it stands.
    """
    for problem in problems(draft):
        raise problem


def problems(draft: Draft) -> Iterator[Refused]:
    """Everything that is wrong, first first."""
    if not is_store(draft.name):
        yield Refused(Reason.MALFORMED, "name", "lower-case letters, digits and hyphens, at most 40")
    yield from _purposes(draft)
    yield from _scopes(draft.main)
    main = draft.main
    yield from _once("roles", [one.id for one in main.roles])
    if synthetic.ROLE in {one.id for one in main.roles}:
        yield Refused(Reason.POLICY_INCONSISTENT, f"roles.{synthetic.ROLE}", "another id: that role is HQ's own")
    if len(main.roles) > _MOST_ROLES:
        yield Refused(Reason.TOO_MANY, "roles", f"at most {_MOST_ROLES} roles")
    yield from _once("ages", [one.jurisdiction for one in main.ages])
    if not main.ages:
        yield Refused(Reason.POLICY_INCOMPLETE, "ages", "at least one rule of the least age")
    yield from regulation.problems(main)
    yield from _once("browsers", [one.family.value for one in main.browsers or ()])
    if main.heartbeat_s >= main.lease_s:
        yield Refused(Reason.POLICY_INCONSISTENT, "heartbeat_s", "less than lease_s, or every lease would run out")
    declared = {one.id for one in main.scopes}
    for scope in main.lead:
        if scope not in declared:
            yield Refused(Reason.UNDECLARED_SCOPE, f"lead: {scope}", "a scope that this policy declares")
    yield from _figures(draft.papers.figures)
    yield from _once("stores", [one.store for one in draft.stores])
    ruled = {one.jurisdiction for one in main.ages}
    for store in draft.stores:
        if store.jurisdiction not in ruled:
            where = f"stores.{store.store}.jurisdiction"
            yield Refused(Reason.POLICY_INCOMPLETE, where, "a jurisdiction with a rule in `ages`, or nobody is served")
        yield from _store(store, declared)
    yield from hint_rules.problems(main)
    yield from suggestion_rules.problems(main)
    parts: list[tuple[str, object]] = [("main", main), *((f"stores.{one.store}", one) for one in draft.stores)]
    for where, part in parts:
        try:
            encode(part)
        except WireError as error:
            yield Refused(Reason.MALFORMED, where, error.hint)


def with_synthetic(main: MainPolicy) -> MainPolicy:
    """The policy as stores get it: with the role that nobody has and to which synthetic members are shown."""
    return replace(main, roles=(*main.roles, Role(synthetic.ROLE, "Synthetic member", True)))


def _figures(found: FigurePolicy) -> Iterator[Refused]:
    try:
        encode(found)
    except WireError as error:
        yield Refused(Reason.MALFORMED, "figures", error.hint)
    if found.epsilon_milli > found.budget_milli:
        yield Refused(Reason.POLICY_INCONSISTENT, "figures.epsilon_milli", "not above budget_milli: one table costs it")


def _purposes(draft: Draft) -> Iterator[Refused]:
    yield from _once("purposes", [one.id for one in draft.main.purposes])
    if PRESENCE not in {one.id for one in draft.main.purposes}:
        yield Refused(Reason.POLICY_INCOMPLETE, "purposes", "a purpose `presence`: without it nobody is recognised")
    if not draft.papers.words:
        yield Refused(Reason.POLICY_INCOMPLETE, "notices", "the words of the notices, in at least one language")
    yield from _once("notices", [one.language for one in draft.papers.words])
    for words in draft.papers.words:
        yield from notice_rules.of_language(words)
    made = bind(draft)
    for one, again in zip(draft.main.purposes, made.main.purposes, strict=True):
        where = f"purposes.{one.id}"
        yield from notice_binding.problems(one, draft.main, draft.stores, draft.papers)
        missing = [
            name
            for name, there in (
                ("legal_basis", one.legal_basis),
                ("retention_days", one.retention_days),
                ("notice", one.notice),
                ("record_of_processing", one.record_of_processing),
                ("dpia_ref", draft.papers.purposes.get(one.id, Paper()).dpia_ref),
            )
            if not there
        ]
        if missing:
            yield Refused(Reason.POLICY_INCOMPLETE, where, f"a purpose needs {', '.join(missing)}")
        elif one.notice not in draft.notices:
            yield Refused(Reason.POLICY_INCOMPLETE, f"{where}.notice", "the text of the notice beside its hash")
        elif one.notice != again.notice:
            yield Refused(Reason.POLICY_INCONSISTENT, f"{where}.notice", "the notice that this policy makes")
    yield from _recipients(draft.papers)


def _recipients(papers: Papers) -> Iterator[Refused]:
    yield from _once("recipients", [one.id for one in papers.recipients])
    listed = {one.id for one in papers.recipients}
    for one in papers.recipients:
        if not one.name.strip() or not one.country.strip():
            yield Refused(Reason.POLICY_INCOMPLETE, f"recipients.{one.id}", "a name and a country")
    for purpose, paper in papers.purposes.items():
        if any(one not in listed for one in paper.recipients):
            where = f"purposes.{purpose}.recipients"
            yield Refused(Reason.POLICY_INCONSISTENT, where, "recipients that this policy lists")


def _scopes(main: MainPolicy) -> Iterator[Refused]:
    yield from _once("scopes", [one.id for one in main.scopes])
    purposes = {one.id for one in main.purposes}
    for one in main.scopes:
        where = f"scopes.{one.id}"
        if not is_scope(one.id):
            yield Refused(Reason.MALFORMED, where, "dotted lower-case words, such as size.shoe")
        if is_never_shown(one.id):
            hint = f"no such scope, or another id if it is none of these: {_NEVER_SHOWN} ever leaves the gateway"
            yield Refused(Reason.POLICY_INCONSISTENT, where, hint)
        if not one.all_purposes:
            hint = "at least one purpose that may disclose it, or use it (`used_for`)"
            yield Refused(Reason.POLICY_INCOMPLETE, f"{where}.purposes", hint)
        for key, listed in (("purposes", one.purposes), ("used_for", one.used_for or ())):
            if any(purpose not in purposes for purpose in listed):
                yield Refused(Reason.UNDECLARED_PURPOSE, f"{where}.{key}", "purposes that this policy declares")
        if not set(one.purposes).isdisjoint(one.used_for or ()):
            yield Refused(Reason.POLICY_INCONSISTENT, f"{where}.used_for", "purposes that do not disclose it anyway")
        if SUGGEST in one.purposes and one.section is not Section.SUGGESTIONS:
            hint = "`suggest` among `used_for`: who lets us suggest has not let us show of what"
            yield Refused(Reason.POLICY_INCONSISTENT, f"{where}.purposes", hint)
        if one.retention_days == 0:
            yield Refused(Reason.POLICY_INCOMPLETE, f"{where}.retention_days", "at least one day")


def _store(store: StorePolicy, scopes: set[str]) -> Iterator[Refused]:
    where = f"stores.{store.store}"
    if not is_store(store.store):
        yield Refused(Reason.MALFORMED, where, "lower-case letters, digits and hyphens, at most 40")
    if store.exit_dbm >= store.enter_dbm:
        yield Refused(Reason.POLICY_INCONSISTENT, f"{where}.exit_dbm", "less than enter_dbm")
    try:
        ZoneInfo(store.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield Refused(Reason.MALFORMED, f"{where}.time_zone", "a name of the IANA database, such as Europe/Berlin")
    yield from _hours(f"{where}.hours", store.hours)
    yield from _once(f"{where}.zones", [one.id for one in store.zones])
    yield from _once(f"{where}.zones.nodes", [node for one in store.zones for node in one.nodes])
    for zone in store.zones:
        yield from _zone(f"{where}.zones.{zone.id}", zone, scopes)


def _zone(where: str, zone: Zone, scopes: set[str]) -> Iterator[Refused]:
    if must_be_blind(zone.kind) and not zone.blind:
        yield Refused(Reason.POLICY_NOT_BLIND, where, "blind = true: such a zone must be blind")
    if any(scope not in scopes for scope in zone.scopes_first):
        yield Refused(Reason.UNDECLARED_SCOPE, f"{where}.scopes_first", "scopes that this policy declares")
    yield from _hours(f"{where}.hours", zone.hours or ())


def _hours(where: str, hours: tuple[Hours, ...]) -> Iterator[Refused]:
    if any(one.from_min >= one.until_min for one in hours):
        yield Refused(Reason.POLICY_INCONSISTENT, where, "each span begins before it ends")


def _once(where: str, names: Iterable[str]) -> Iterator[Refused]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield Refused(Reason.POLICY_INCONSISTENT, f"{where}.{name}", "each name once")
        seen.add(name)
