"""Switches a rule of suggestions off in all stores of a policy where it felt creepy too often; people switch it on.

It counts what felt so since the rule was switched on last, against how often it suggested something in the same days,
as stores tell it; of a rule that is no kind of reason, against the looks at suggestions. Looks are counted only once a
rule felt so often enough, and only up to where they decide.

I/O: sqlalchemy.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection, Engine, select

from consent.grants import SUGGEST
from consent.suggest.choose import EVERYTHING
from consent.suggest.rank import ReasonKind
from hq import alarms, event_bodies, outcomes, policy_versions, suggestion_rules, suggestion_switch
from hq.alarms import Alarm
from hq.choosing_tables import felt_counts
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.keys import Keys
from hq.publication import Policies
from hq.tables import store_events, stores
from wire import schema
from wire.errors import WireError
from wire.events import Disclosure, EventKind
from wire.suggestions import DEFAULT, SuggestionPolicy

_DAY_MS = 86_400_000
_AT_ONCE = 500
_KINDS = frozenset(one.value for one in ReasonKind)


def tick(engine: Engine, keys: Keys, now_ms: int) -> int:
    """Switches off what is past its policy's thresholds; returns how many records changed. Raises: as `writing`."""
    with reading(engine) as connection:
        found = {policy: over(connection, keys, policy, now_ms) for policy in _told(connection)}
    changed = 0
    for policy, rules in found.items():
        if not rules:
            continue
        try:
            with writing(engine) as connection:
                changed += _switch_off(connection, policy, rules, now_ms)
        except Refused:  # somebody published at the same time: the next look sees what is in force
            with writing(engine) as connection:
                alarms.raise_(connection, Alarm.RULE_OFF, "", now_ms, f"{policy}: not yet {', '.join(sorted(rules))}")
    return changed


def over(connection: Connection, keys: Keys, policy: str, now_ms: int) -> frozenset[str]:
    """The rules of a policy that are past its thresholds and not off yet."""
    main = Policies(connection).main(policy)
    if main is None:
        return frozenset()
    said = main.suggestions or DEFAULT
    counted = _counted(connection, policy, said, now_ms)
    known = suggestion_rules.rules(main) - set(said.rules_off)
    often = {rule for rule, times in counted.items() if times > said.felt_most and rule in known}
    if not often:
        return frozenset()
    since = {rule: _on_since_day(connection, policy, rule) for rule in often}
    found = set()
    for rule, day in since.items():
        times = counted[rule] if day is None else _counted(connection, policy, said, now_ms, day)[rule]
        if times > said.felt_most and _is_share(connection, keys, policy, said, rule, times, day, now_ms):
            found.add(rule)
    return frozenset(found)


def switch(connection: Connection, policy: str, rule: str, now_ms: int, *, on: bool) -> int:
    """A person switches a rule on or off; returns how many records changed.

    Raises:
        Refused: no such policy or rule, or it is so already.
    """
    draft = policy_versions.of(connection, policy)
    if draft is None:
        raise Refused(Reason.UNKNOWN_VERSION, "POLICY", "a policy that was published")
    said = draft.main.suggestions or DEFAULT
    if rule not in suggestion_rules.rules(draft.main) or (rule in said.rules_off) is not on:
        raise Refused(Reason.POLICY_INCONSISTENT, "RULE", "a rule of suggestions that is not so already")
    off = [one for one in said.rules_off if one != rule] if on else [*said.rules_off, rule]
    changed = suggestion_switch.publish(connection, draft, replace(said, rules_off=tuple(off)), now_ms)
    if on and not _is_any_off(connection):
        alarms.clear(connection, Alarm.RULE_OFF, "", now_ms)
    return changed


def _switch_off(connection: Connection, policy: str, rules: frozenset[str], now_ms: int) -> int:
    new: list[str] = []

    def off(said: SuggestionPolicy) -> SuggestionPolicy:
        new.extend(sorted(rules - set(said.rules_off)))  # another process may have been quicker
        return replace(said, rules_off=(*said.rules_off, *new))

    changed = suggestion_switch.by_itself(connection, policy, off, now_ms)
    if new:  # where it may not be published, the alarm is repeated until somebody did
        alarms.raise_(connection, Alarm.RULE_OFF, "", now_ms, f"{policy}: {', '.join(new)}")
    return changed or 0


def _told(connection: Connection) -> list[str]:
    return list(connection.scalars(select(felt_counts.c.policy).distinct().order_by(felt_counts.c.policy)))


def _counted(
    connection: Connection, policy: str, said: SuggestionPolicy, now_ms: int, after_day: int | None = None
) -> Mapping[str, int]:
    """How often each rule felt creepy in policy's span, or since that day."""
    first = max(now_ms // _DAY_MS - said.felt_days, -1 if after_day is None else after_day)
    wanted = select(felt_counts.c.scope, felt_counts.c.times).where(
        felt_counts.c.policy == policy, felt_counts.c.purpose == SUGGEST, felt_counts.c.day > first
    )
    found: Counter[str] = Counter()
    for row in connection.execute(wanted):
        found[row.scope] += row.times
    return found


def _on_since_day(connection: Connection, policy: str, rule: str) -> int | None:
    """The day on which somebody switched the rule on last; None: nobody ever had to."""
    found, was_off = None, False
    for version in policy_versions.listed(connection, policy):
        draft = policy_versions.of(connection, policy, version.version)
        is_off = draft is not None and rule in (draft.main.suggestions or DEFAULT).rules_off
        if was_off and not is_off:
            found = version.at_ms // _DAY_MS
        was_off = is_off
    return found


def _is_share(
    connection: Connection, keys: Keys, policy: str, said: SuggestionPolicy, rule: str, times: int,
    after_day: int | None, now_ms: int,
) -> bool:  # fmt: skip
    """Whether it felt so more often than policy's share of what the rule suggested in those days."""
    if said.felt_permille == 0:
        return True
    enough = -(-times * 1000 // said.felt_permille)  # shown so often, the share is not above
    first = max(now_ms // _DAY_MS - said.felt_days, -1 if after_day is None else after_day) + 1
    if rule in _KINDS:
        return outcomes.shown(connection, policy, rule, first) < enough
    return _looks(connection, keys, policy, first * _DAY_MS, enough) < enough


def _looks(connection: Connection, keys: Keys, policy: str, since_ms: int, most: int) -> int:
    """How many looks at suggestions the policy's stores recorded since; it stops at `most`."""
    wanted = (
        select(store_events)
        .join(stores, stores.c.id == store_events.c.store)
        .where(
            stores.c.policy == policy,
            store_events.c.kind == int(EventKind.DISCLOSURE),
            store_events.c.at_ms >= since_ms,
        )
    )
    found = 0
    for chunk in connection.execute(wanted.execution_options(yield_per=_AT_ONCE)).partitions():
        for body in event_bodies.open_(connection, keys, chunk):
            try:
                said = schema.decode(Disclosure, body) if body is not None else None
            except WireError:
                continue  # of a store that says nonsense; its log has told so
            found += said is not None and said.shown and EVERYTHING in said.scopes
        if found >= most:
            break
    return found


def _is_any_off(connection: Connection) -> bool:
    found = Policies(connection)
    mains = (found.main(name) for name in connection.scalars(select(stores.c.policy).distinct()))
    return any(main is not None and main.suggestions is not None and main.suggestions.rules_off for main in mains)
