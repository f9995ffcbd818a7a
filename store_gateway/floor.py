"""The roster of each session, what is pushed to whoever watches it, and the record that a visit stood on it.

A stream has one slot, so that nobody who is slow makes a backlog: the newest state wins. What only adds goes at most
twice a second; a call for help, whatever grows smaller, and darkness go at once. Versions count what this session
could see, and nothing else.

I/O: the cache, through the replica.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from consent.visit import Visit
from store_gateway import lines
from store_gateway.doors import Session
from store_gateway.errors import CacheError
from store_gateway.lines import Lines, Shared
from store_gateway.looks import Looks
from store_gateway.standing import Standing
from wire import query, sync
from wire.policy import Policy
from wire.query import DarkReason, Light

PAUSE_S = 0.5  # two changes a second
RECHECK_S = 1.0  # grants end and values grow old without anybody's doing
LEASE_AGAIN_S = 5.0  # so often at most a renewed lease is told
MOST_VISITS = 1000  # on one roster: a frame has 256 KiB
MOST_WATCHERS = 256
_LEASE_MOVED_S = 2.0


class Keeper(Protocol):
    """What is needed of the replica."""

    def policy(self) -> Policy | None: ...
    def lease(self, now_mono_s: float) -> query.Lease: ...
    def trusted_ms(self, now_mono_s: float) -> int | None: ...
    def record(self, now_mono_s: float, *entries: tuple[sync.EventKind, bytes | None, object]) -> int: ...


class Watcher(Protocol):
    """The far end of a stream. Neither call blocks."""

    def push(self, reply: query.Reply) -> None: ...
    def finish(self, reply: query.Reply) -> None: ...


Content = tuple[Light, DarkReason, Lines, tuple[query.Outage, ...]]
_NOTHING: Content = (Light.DARK, DarkReason.NONE, (), ())


class _View:
    """What one session sees."""

    __slots__ = (
        "acknowledged", "content", "ends_mono_s", "own", "pushed", "pushed_mono_s", "session", "urgent", "version",
        "watchers",
    )  # fmt: skip

    def __init__(self, session: Session) -> None:
        self.session = session
        self.version = 0
        self.content = _NOTHING
        self.urgent = False
        self.pushed = 0  # the version that the streams were given last
        self.pushed_mono_s = 0.0
        self.ends_mono_s = 0.0  # the lease's end as it was told
        self.acknowledged = 0
        self.own: dict[bytes, tuple[query.Visit, query.Visit]] = {}  # lines that this session alone sees so
        self.watchers: list[Watcher] = []


class Floor:
    """See the module. `outages()` gives the zones whose receivers are out."""

    def __init__(
        self, keeper: Keeper, standing: Standing, looks: Looks, outages: Callable[[], tuple[query.Outage, ...]]
    ) -> None:
        self._keeper = keeper
        self._standing = standing
        self._looks = looks
        self._outages = outages
        self._views: dict[bytes, _View] = {}
        self._stood: dict[tuple[str, bytes], bytes] = {}  # (role, handle) of each span that is recorded
        self._shared: dict[str, Shared] = {}  # by role
        self._judged: tuple[Lines, Lines, bool] = ((), (), False)  # what differed last, and whether it was urgent
        self._rechecked_mono_s = 0.0

    def roster(self, session: Session, now_mono_s: float) -> query.Roster:
        """What this session sees now; recorded before it is returned."""
        view = self._view(session)
        lease = self._refresh(view, now_mono_s)
        return self._shown(view, lease, now_mono_s)

    def watch(self, session: Session, watcher: Watcher, now_mono_s: float) -> query.Roster | None:
        """Follows the roster from this one on, and no other; None: too many do."""
        self.unwatch(watcher)
        if sum(len(view.watchers) for view in self._views.values()) >= MOST_WATCHERS:
            return None
        roster = self.roster(session, now_mono_s)
        view = self._view(session)
        for other in view.watchers:
            other.push(roster)
        view.watchers.append(watcher)
        self._was_pushed(view, now_mono_s, now_mono_s + roster.lease.left_s)
        return roster

    def unwatch(self, watcher: Watcher) -> None:
        """The stream was closed."""
        for view in self._views.values():
            if watcher in view.watchers:
                view.watchers.remove(watcher)

    def acknowledge(self, session: Session, version: int) -> None:
        """The tablet shows this version."""
        view = self._view(session)
        view.acknowledged = max(view.acknowledged, min(version, view.version))

    def unshown(self) -> dict[bytes, int]:
        """Of each session with an open stream whose tablet did not say that it shows the newest version: that one."""
        return {
            key: view.version for key, view in self._views.items() if view.watchers and view.acknowledged < view.version
        }

    def stood(self, role: str, handle: bytes) -> bool:
        """Whether this visit stands, or stood when the store went dark, on this role's roster."""
        return (role, handle) in self._stood

    def tell(self, now_mono_s: float, why_not: Callable[[Session], query.Refused | None], *, changed: bool) -> None:
        """Pushes what is due. `changed`: something may look different; else only time passed.

        Sessions that do not hold any more, or are locked, are told so and forgotten: `why_not` says it.
        """
        due = now_mono_s - self._rechecked_mono_s >= RECHECK_S
        if changed or due:
            self._rechecked_mono_s = now_mono_s
        for key, view in list(self._views.items()):
            refused = why_not(view.session)
            if refused is not None:
                del self._views[key]
                self._looks.ended(view.session)
                for watcher in view.watchers:
                    watcher.finish(refused)
                continue
            if not view.watchers:
                continue
            lease = self._keeper.lease(now_mono_s)
            if changed or due or lease.light is not view.content[0]:
                lease = self._refresh(view, now_mono_s)
                self._push_cards(view, lease, now_mono_s)
            self._push(view, lease, now_mono_s)

    def _push(self, view: _View, lease: query.Lease, now_mono_s: float) -> None:
        since_s = now_mono_s - view.pushed_mono_s
        ends_mono_s = now_mono_s + lease.left_s
        if view.pushed == view.version:
            renewed = lease.light is Light.LIVE and abs(ends_mono_s - view.ends_mono_s) >= _LEASE_MOVED_S
            if not renewed or since_s < LEASE_AGAIN_S:
                return
        elif not view.urgent and since_s < PAUSE_S:
            return
        roster = self._shown(view, lease, now_mono_s)
        self._was_pushed(view, now_mono_s, ends_mono_s)
        for watcher in view.watchers:
            watcher.push(roster)

    @staticmethod
    def _was_pushed(view: _View, now_mono_s: float, ends_mono_s: float) -> None:
        view.pushed, view.pushed_mono_s, view.ends_mono_s, view.urgent = view.version, now_mono_s, ends_mono_s, False

    def _push_cards(self, view: _View, lease: query.Lease, now_mono_s: float) -> None:
        if lease.light is not Light.LIVE:
            return
        now_ms = self._keeper.trusted_ms(now_mono_s)
        if now_ms is None:
            return
        for changed in self._looks.changed(view.session, now_ms, len(view.watchers)):
            for watcher in view.watchers:
                watcher.push(changed)

    def _view(self, session: Session) -> _View:
        view = self._views.get(session.key)
        if view is None:
            view = self._views[session.key] = _View(session)
        return view

    def _refresh(self, view: _View, now_mono_s: float) -> query.Lease:
        """Brings a view up to date; what newly stands on it is recorded, or the view is dark."""
        lease = self._keeper.lease(now_mono_s)
        now_ms = self._keeper.trusted_ms(now_mono_s)
        visits: tuple[query.Visit, ...] = ()
        if lease.light is Light.LIVE and now_ms is not None:
            try:
                visits = self._visits(view, now_mono_s, now_ms)
            except CacheError:
                lease = self._keeper.lease(now_mono_s)
                if lease.light is Light.LIVE:
                    lease = replace(lease, light=Light.DARK, reason=DarkReason.DISK, left_s=0, length_s=0)
        if lease.light is not Light.LIVE:
            self._shared.clear()
        radios = self._outages() if lease.light is Light.LIVE else ()
        content = (lease.light, lease.reason, visits, radios)
        if content != view.content or not view.version:
            view.urgent |= self._is_urgent(view.content, content)
            view.content = content
            view.version += 1
        return lease

    def _visits(self, view: _View, now_mono_s: float, now_ms: int) -> Lines:
        session = view.session
        shared = self._shared.setdefault(session.role, Shared())
        seen = self._standing.visible(session.role, now_ms)[:MOST_VISITS]
        if seen is not shared.seen or self._keeper.policy() is not shared.policy:
            self._stand(seen, session, now_mono_s)
            shared.follow(seen, self._keeper.policy())
        own: dict[bytes, tuple[query.Visit, query.Visit]] = {}
        for at in shared.personal:
            visit, line = seen[at][1], shared.lines[at]
            reason = visit.handed_to(session.associate, session.role)
            if reason is not None or visit.attended_by == session.associate:
                kept = view.own.get(visit.handle)
                if kept is None or kept[0] is not line or kept[1].handed_over is not reason:
                    kept = line, lines.for_session(line, visit, session)
                own[visit.handle] = kept
        view.own = own
        if not own:
            return shared.lines
        return tuple(own[line.handle][1] if line.handle in own else line for line in shared.lines)

    def _stand(self, seen: tuple[tuple[bytes, Visit], ...], session: Session, now_mono_s: float) -> None:
        """Records who newly stands on the role's roster, before anybody is told."""
        role = session.role
        handles = {visit.handle for _, visit in seen}
        for key in [key for key in self._stood if key[0] == role and key[1] not in handles]:
            del self._stood[key]
        new = [(pseudonym, visit) for pseudonym, visit in seen if (role, visit.handle) not in self._stood]
        if new:
            entries = [self._looks.standing(pseudonym, visit, session) for pseudonym, visit in new]
            self._keeper.record(now_mono_s, *entries)
            self._stood.update(((role, visit.handle), pseudonym) for pseudonym, visit in new)

    def _is_urgent(self, before: Content, after: Content) -> bool:
        """Whether a visit is gone, a call for help is another, or the light is: judged by what was visible alone."""
        if before[:2] != after[:2]:
            return True
        # Sessions of a role mostly see the very same: judged for the first of them.
        if self._judged[0] is not before[2] or self._judged[1] is not after[2]:
            self._judged = before[2], after[2], lines.is_urgent(before[2], after[2])
        return self._judged[2]

    def _shown(self, view: _View, lease: query.Lease, now_mono_s: float) -> query.Roster:
        light, reason, visits, radios = view.content
        if light is not lease.light:
            lease = replace(lease, light=light, reason=reason, left_s=0, length_s=0)
        now_ms = self._keeper.trusted_ms(now_mono_s) or 0
        return query.Roster(view.version, now_ms, lease, visits, view.urgent, radios)
