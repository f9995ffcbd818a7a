"""How the store is, for operators and managers: lease, people signed in, receivers, counters; no member in it.

I/O: the cache, through the replica.
"""

from collections.abc import Callable, Mapping

from store_gateway.condition import Condition
from store_gateway.core.directory import Directory
from store_gateway.core.receivers import Receivers
from store_gateway.counts import Counts
from store_gateway.doors import Doors
from store_gateway.keyring import Keyring
from store_gateway.replica import Replica
from store_gateway.standing import Standing
from wire import query


class StatusBoard:
    """See the module. `link_counters` counts what the connection to the broker did; `installed` as for Condition."""

    def __init__(
        self,
        store: str,
        software: str,
        replica: Replica,
        doors: Doors,
        standing: Standing,
        receivers: Receivers,
        keyring: Keyring,
        directory: Directory,
        counts: Counts,
        link_counters: Callable[[], Mapping[str, int]],
        hook_counters: Callable[[], Mapping[str, int]],
        installed: Callable[[], str],
    ) -> None:
        self._store = store
        self._software = software
        self._replica = replica
        self._doors = doors
        self._standing = standing
        self._receivers = receivers
        self._keyring = keyring
        self._directory = directory
        self._counts = counts
        self._link_counters = link_counters
        self._hook_counters = hook_counters
        self._condition = Condition(replica, software, installed)

    def status(self, now_mono_s: float, *, operator: bool) -> query.Status:
        """Figures that a member moves whom a tablet may not see are the operator's alone.

        These are: what was resolved, recorded, applied, and calls that some role does not see, with what they rang.
        """
        now_ms = self._replica.trusted_ms(now_mono_s) if self._replica.live(now_mono_s) else None
        figures = [self._counts.told(), self._doors.counters(), self._link_counters()]
        if operator:
            figures += [self._counts.of_members(), self._replica.counters(), self._hook_counters()]
            tokens = self._directory.tokens
            figures.append({"directory_tokens": tokens, "directory_builds_failed": self._keyring.failures})
            phones = self._directory.phones
            figures.append({"directory_phones": len(phones), "directory_refused": phones.refused})
        return query.Status(
            store=self._store,
            store_label=self._doors.store_label(),
            lease=self._replica.lease(now_mono_s),
            software=self._software,
            sessions=self._doors.sessions,
            tablets=self._doors.tablets,
            visits_open=0 if now_ms is None else self._standing.waiting(now_ms, some=operator),
            counters=self._counts.as_counters(*figures),
            radios=self._receivers.views(now_mono_s, operator=operator),
            certificates=self._replica.trust.views(),
            condition=self._condition.told(now_mono_s, operator=operator),
        )
