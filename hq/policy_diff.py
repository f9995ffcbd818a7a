"""What one version of a policy changes against another, in plain words.

Pure: no I/O, no clock.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hq import policy_versions
from hq.notice_binding import facts
from hq.notice_facts import widenings
from hq.policy_rules import Draft
from hq.policy_written import table_of

_KEYS = ("id", "store", "jurisdiction", "language", "family")  # by which the tables of a list are known
_MOST_CHARACTERS = 48


@dataclass(frozen=True, slots=True)
class Told:
    """What becomes of one purpose's notice. `wider`: in what the policy goes further than before, in plain words."""

    purpose: str
    says: str
    wider: tuple[str, ...]


def told(before: Draft | None, draft: Draft) -> list[Told]:
    """Of every purpose whose notice changes, is new or goes.

    Raises:
        Refused: what goes further than before is marked as not material.
    """
    held = {} if before is None else {one.id: one for one in before.main.purposes}
    found = []
    for purpose, (hashed, material) in policy_versions.changes(before, draft).items():
        old = held.pop(purpose, None)
        if before is None or old is None:
            found.append(Told(purpose, "is new: members may be asked about it", ()))
        elif old.notice != hashed:
            (new,) = (one for one in draft.main.purposes if one.id == purpose)
            known = facts(old, before.main, before.stores, before.papers)
            wider = tuple(widenings(known, facts(new, draft.main, draft.stores, draft.papers)))
            asks = "materially: members may be asked again" if material else "not materially: nobody is asked again"
            found.append(Told(purpose, f"changes {asks}", wider))
    return found + [Told(one, "is gone: what was granted for it ends in every store", ()) for one in held]


def lines(before: Draft, draft: Draft) -> list[str]:
    """Every key that differs, as `path: old → new`."""
    return list(_differences("", table_of(before), table_of(draft)))


def _differences(path: str, old: Any, new: Any) -> Iterator[str]:
    if old == new:
        return
    old, new = _by_key(old), _by_key(new)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*old, *(one for one in new if one not in old)]:
            where = f"{path}.{name}" if path else str(name)
            if name not in new:
                yield f"{where}: gone"
            elif name not in old:
                yield f"{where}: new{_named(new[name])}"
            else:
                yield from _differences(where, old[name], new[name])
        return
    yield f"{path}: {_said(old)} → {_said(new)}"


def _by_key(value: Any) -> Any:
    """A list of tables by their ids; anything else as it is."""
    if isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        key = next((one for one in _KEYS if all(one in row for row in value)), None)
        if key is not None:
            return {row[key]: row for row in value}
    return {} if value == [] else value


def _named(value: Any) -> str:
    if isinstance(value, Mapping):
        label = value.get("label", value.get("name", ""))
        return f" ({label})" if label else ""
    return f" ({_said(value)})"


def _said(value: Any) -> str:
    if isinstance(value, list):
        value = ", ".join(str(one) for one in value)
    if value == {}:
        return "none"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS].rstrip()}…"
