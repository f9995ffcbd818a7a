"""Rings when help waits, by the roster of one role: what no tablet of that role would show rings nothing.

Looked at in the same instant in which the tablets are told. In the dark the roster is empty, and so are the bells.

I/O: the cache, through the replica.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from consent.decide import declared, is_blind
from runtime.logs import Log
from store_gateway.core.bells import Bell, Bells
from store_gateway.floor import MOST_VISITS, RECHECK_S
from store_gateway.standing import Standing
from wire import query
from wire.policy import Policy
from wire.query import Light

_log = Log("help_news")


class Keeper(Protocol):
    """What is needed of the replica."""

    def policy(self) -> Policy | None: ...
    def lease(self, now_mono_s: float) -> query.Lease: ...
    def trusted_ms(self, now_mono_s: float) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Hook:
    """Whose roster is told of, and what rings; `ring` does not block. `counters`: what became of it, for operators."""

    role: str
    ring: Callable[[Bell], None]
    counters: Callable[[], Mapping[str, int]] = dict


class HelpNews:
    """See the module. `hook` None: nobody is told."""

    def __init__(self, keeper: Keeper, standing: Standing, hook: Hook | None) -> None:
        self._keeper = keeper
        self._standing = standing
        self._hook = hook
        self._bells = Bells(hook.role if hook is not None else "")
        self._looked_mono_s = 0.0
        self._light = Light.LOCKED
        self._labels: dict[str, str] = {}  # of the zones that are not blind

    def governed(self) -> None:
        """Another policy is in force, or none: which zones may ring, and does it know the role?"""
        policy = self._keeper.policy()
        self._labels = {}
        if self._hook is None or policy is None:
            return
        self._labels = {zone.id: zone.label for zone in policy.store.zones if not is_blind(zone)}
        role = declared(policy.main.roles, self._hook.role)
        if role is None or not role.sees_floor:
            _log.warning("hook_role_unknown", "set on_help.role to a role of the policy that sees the floor")

    def tell(self, now_mono_s: float, *, changed: bool) -> None:
        """Rings what is news. `changed`: something may look different; else only time passed."""
        if self._hook is None:
            return
        light = self._keeper.lease(now_mono_s).light
        due = now_mono_s - self._looked_mono_s >= RECHECK_S  # grants end without anybody's doing
        if not (changed or due or light is not self._light):
            return
        self._looked_mono_s, self._light = now_mono_s, light
        now_ms = self._keeper.trusted_ms(now_mono_s)
        live = light is Light.LIVE and now_ms is not None
        seen = self._standing.visible(self._hook.role, now_ms)[:MOST_VISITS] if live and now_ms is not None else ()
        for bell in self._bells.look((visit for _, visit in seen), self._labels, now_ms):
            self._hook.ring(bell)
