"""The store's state and its four doors: a sighting comes in, a message comes in, a question is answered, time passes.

Used by one thread only, which waits for nothing but the cache's disk. `now_mono_s` is CLOCK_BOOTTIME in seconds.

I/O: the cache, through the replica.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from consent.visit import Visit
from runtime.logs import Log
from store_gateway.calls import Calls
from store_gateway.chronicle import Chronicle
from store_gateway.core.directory import Directory
from store_gateway.core.presence import URGENT, Move, Presence, What
from store_gateway.core.receivers import OUT, Receivers
from store_gateway.core.table import SLOT_MS
from store_gateway.counts import Counts
from store_gateway.doors import DARK, SIGNED_OUT, Doors, PinCheck, Session
from store_gateway.errors import CacheError, receiver_remedy
from store_gateway.floor import Floor, Watcher
from store_gateway.keyring import Built, Keyring, Order, give_back, kinds_of, nameless
from store_gateway.looks import WITHHELD, Looks
from store_gateway.probe import Probe
from store_gateway.replica import Changes, Replica
from store_gateway.standing import Standing
from wire import query, sync
from wire.member import Mode
from wire.query import Action, Light, Refused, RefusedReason
from wire.scopes import is_scope
from wire.sighting import Batch, Health

_log = Log("gateway")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: whether on the operator's socket, and where a watch's replies go."""

    operator: bool
    watcher: Watcher | None
    probe: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Checking:
    """The answer waits for a PIN: verify `check`, then call `pin_checked`."""

    check: PinCheck


class Gateway:
    """See the module. `entropy(n)` gives n random bytes; `make_table` hands an order to a `TableMaker`."""

    def __init__(
        self,
        store: str,
        software: str,
        replica: Replica,
        entropy: Callable[[int], bytes],
        make_table: Callable[[Order], None],
        link_counters: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._store = store
        self._software = software
        self._replica = replica
        self._link_counters = link_counters
        self._presence = Presence(entropy, self._may_stand)
        self._directory = Directory(nameless, give_back)
        self._keyring = Keyring(replica, self._directory, make_table)
        self._standing = Standing(replica, self._presence)
        self._looks = Looks(replica, self._standing, self._presence)
        self._calls = Calls(replica, self._presence)
        self._receivers = Receivers()
        self._floor = Floor(replica, self._standing, self._looks, self._receivers.outages)
        self._chronicle = Chronicle(
            replica, self._standing, self._presence, self._floor.unshown, lambda: self.counts.lost, software
        )
        self._doors = Doors(store, replica, entropy)
        self._probe = Probe(replica, self._doors.mint_probe)
        self._changed = True
        self._light = Light.LOCKED
        self.counts = Counts()
        self.eager = False  # something should be told at once: call `tell`

    # --- the four doors ----------------------------------------------------------------------------------------------

    def on_sighting(self, heard: Batch | Health, now_mono_s: float) -> None:
        """What an edge heard. What nobody's is leaves no trace; without trusted time everything is nobody's."""
        if isinstance(heard, Health):
            self._receivers.heard(heard, now_mono_s)
            self._presence.radio(heard, now_mono_s)
            return
        self.counts.sightings += len(heard.sightings)
        self.counts.resolved += self._hear(heard, now_mono_s)

    def on_probe(self, heard: Batch | Health, now_mono_s: float) -> None:
        """What the probe says that it heard; it moves no count."""
        own = self._probe.heard(heard, now_mono_s) if isinstance(heard, Batch) else None
        if own is not None:
            self._hear(own, now_mono_s)

    def _hear(self, heard: Batch, now_mono_s: float) -> int:
        now_ms = self._replica.trusted_ms(now_mono_s)
        if now_ms is None:
            return 0
        slot, resolved = now_ms // SLOT_MS, 0
        self._presence.alive(heard.node, now_mono_s)
        for sighting in heard.sightings:
            who = self._directory.resolve(sighting.token, slot)
            if who is not None:
                resolved += 1
                self._moved(
                    self._presence.hear(who, sighting.token, heard.node, sighting.rssi_dbm, now_mono_s, now_ms),
                    now_mono_s,
                )
        return resolved

    def on_message(self, payload: bytes, fast: bool, now_mono_s: float) -> None:
        """A message from the broker."""
        self._take(self._replica.on_payload(payload, fast, now_mono_s), now_mono_s)

    def on_link(self, up: bool, now_mono_s: float) -> None:
        """The connection to the broker came or went."""
        self._replica.on_link(up, now_mono_s)

    def answer(self, request: query.Request, asker: Asker, now_mono_s: float) -> query.Reply | Checking:
        """The answer, or what it waits for."""
        if asker.probe or isinstance(request, query.AskProbe | query.TellProbe):
            return self._probe.answer(request, now_mono_s) if asker.probe else Refused(RefusedReason.FORBIDDEN)
        match request:
            case query.AskStatus():
                return self.status(now_mono_s, operator=asker.operator)
            case query.MintPairing():
                return self._doors.mint(now_mono_s) if asker.operator else Refused(RefusedReason.FORBIDDEN)
            case query.Upkeep(task):
                if not asker.operator:
                    return Refused(RefusedReason.FORBIDDEN)
                return query.Accepted() if self._replica.upkeep(task, now_mono_s) else DARK
            case query.Pair():
                return self._doors.pair(request, now_mono_s)
            case query.SignIn():
                begun = self._doors.begin(request, now_mono_s)
                return begun if isinstance(begun, Refused) else Checking(begun)
            case query.SignOut():
                self._doors.sign_out(request.session)
                self.eager = self._changed = True
                return query.Accepted()
        active = not isinstance(request, query.AskSession | query.Watch | query.Acknowledge)
        session = self._doors.session(request.session, now_mono_s, active=active)
        if session is None:
            return SIGNED_OUT
        match request:
            case query.AskSession():
                return self._doors.view(session, now_mono_s)
            case query.AskFloor():
                return self._floor.roster(session, now_mono_s)
            case query.Watch():
                if asker.watcher is None:
                    return Refused(RefusedReason.MALFORMED)
                return self._floor.watch(session, asker.watcher, now_mono_s) or Refused(RefusedReason.BUSY, 5)
            case query.Acknowledge():
                self._floor.acknowledge(session, request.version)
                self._chronicle.acknowledged(session.key, request.version, now_mono_s)
                return query.Accepted()
            case query.AskCard():
                now_ms = self._live_ms(now_mono_s)
                if now_ms is None:
                    return DARK
                return self._looks.card(session, request.handle, request.section, now_mono_s, now_ms)
            case query.Attend():
                return self._attend(request, session, now_mono_s)
            case query.Withdraw():
                return self._withdraw(request, session, now_mono_s)

    def tick(self, now_mono_s: float) -> None:
        """Everything that only time does; every 0.1 s."""
        self._take(self._replica.tick(now_mono_s), now_mono_s)
        now_ms = self._replica.trusted_ms(now_mono_s)
        self._watch_receivers(now_mono_s)
        self._moved(self._presence.tick(now_mono_s, now_ms, self._receivers.ill(now_mono_s)), now_mono_s)
        self._doors.tick(now_mono_s)
        light = self._replica.lease(now_mono_s).light
        if light is not self._light:
            self._light = light
            self._changed = True
        self.tell(now_mono_s)
        self._looks.flush(now_mono_s)
        self._calls.flush(now_mono_s)
        self._chronicle.flush(light, now_mono_s)

    # --- what the loop around it needs --------------------------------------------------------------------------------

    def tell(self, now_mono_s: float) -> None:
        """Pushes what is due to the streams."""
        changed, self._changed, self.eager = self._changed, False, False
        self._floor.tell(now_mono_s, lambda session: self._doors.holds(session, now_mono_s), changed=changed)
        self._chronicle.told(now_mono_s)

    def work(self, now_mono_s: float, most_rows: int = 256) -> bool:
        """A slice of work that nobody waits for: about so many rows of a fill, and 1 to 3 ms for the directory.

        Returns whether there is more to do at once.
        """
        changes, more = self._replica.work(most_rows, now_mono_s)
        if more:
            self._take(changes, now_mono_s)
        now_ms = self._replica.trusted_ms(now_mono_s)
        return self._keyring.work(now_ms // SLOT_MS if now_ms is not None else None, now_mono_s) or more

    def on_built(self, built: Built, now_mono_s: float) -> None:
        """Tables of tokens were made, or could not be."""
        self._keyring.built(built, now_mono_s)

    @property
    def tokens(self) -> int:
        """How many tokens the directory's tables hold."""
        return self._directory.tokens

    @property
    def phones(self) -> int:
        """How many phones the directory knows."""
        return len(self._directory.phones)

    def pin_checked(self, check: PinCheck, right: bool, now_mono_s: float) -> query.Reply:
        """The verdict on a PIN, once for each `Checking`."""
        reply = self._doors.finish(check, right, now_mono_s)
        self.eager = self._changed = True  # the tablet's old session ended
        return reply

    def unwatch(self, watcher: Watcher) -> None:
        """A stream was closed."""
        self._floor.unwatch(watcher)

    def outgoing(self) -> list[bytes]:
        """What is to be published."""
        return self._replica.outgoing()

    def status(self, now_mono_s: float, *, operator: bool) -> query.Status:
        """How the store is; no member in it.

        Figures that a member moves whom a tablet may not see are the operator's alone: what was resolved, recorded,
        applied, and calls that some role does not see.
        """
        now_ms = self._live_ms(now_mono_s)
        figures = [self.counts.told(), self._link_counters()]
        if operator:
            figures += [self.counts.of_members(), self._replica.counters()]
            figures.append({"directory_tokens": self.tokens, "directory_builds_failed": self._keyring.failures})
            figures.append({"directory_phones": self.phones, "directory_refused": self._directory.phones.refused})
        return query.Status(
            store=self._store,
            store_label=self._doors.store_label(),
            lease=self._replica.lease(now_mono_s),
            software=self._software,
            sessions=self._doors.sessions,
            tablets=self._doors.tablets,
            visits_open=0 if now_ms is None else self._standing.waiting(now_ms, some=operator),
            counters=self.counts.as_counters(*figures),
            radios=self._receivers.views(now_mono_s, operator=operator),
        )

    # --- changes -----------------------------------------------------------------------------------------------------

    def _take(self, changes: Changes, now_mono_s: float) -> None:
        if changes.policy:
            policy = self._replica.policy()
            self._presence.govern(policy.store if policy is not None else None)
            self._receivers.govern(policy.store.zones if policy is not None else ())
            self._standing.drop_all()
            if policy is not None and not policy.store.hours:
                _log.warning("no_hours", remedy="publish a policy with the store's hours: without them nobody arrives")
        if changes.staff:
            self._doors.staff_changed()
        if changes.unpaired:
            self._doors.unpaired(changes.unpaired)
            self.eager = self._changed = True
        if changes.anew:
            self._keyring.outdated()
            self._standing.drop_all()
        self._chronicle.withdrawn(changes.withdrawn)
        self._relearn(changes, now_mono_s)
        if changes.policy or changes.staff or changes.members or changes.light or changes.keyring_days:
            self._changed = True
        self.eager |= changes.urgent

    def _relearn(self, changes: Changes, now_mono_s: float) -> None:
        """A withdrawal or `quiet` is felt before this returns; a new phone or mode is recognised from here on."""
        for day in changes.days_gone:
            self._keyring.drop_day(day)
        for (day, bucket), entries in changes.buckets.items():
            self._keyring.put_bucket(day, bucket, entries)
        for pseudonym in changes.members:
            self._standing.drop(pseudonym)
            if pseudonym in changes.modes and self._presence.visit(pseudonym) is None:
                # To decode a whole record takes half a millisecond.
                kinds = kinds_of(changes.modes[pseudonym], self._replica.denied(pseudonym))
                self._keyring.put_kinds(pseudonym, kinds)
                if not kinds:
                    self._moved(self._presence.forget(pseudonym), now_mono_s)
            else:
                self._relearn_one(pseudonym, now_mono_s)
        self._keyring.lay()

    def _relearn_one(self, pseudonym: bytes, now_mono_s: float) -> None:
        member, denied = self._standing.record(pseudonym)
        kinds = kinds_of(member.mode if member is not None else None, denied)
        self._keyring.put_kinds(pseudonym, kinds)
        visit = self._presence.visit(pseudonym)
        if not kinds:
            self._moved(self._presence.forget(pseudonym), now_mono_s)
        elif visit is not None and not visit.help and member is not None and member.mode is not Mode.OPEN:
            self._moved(self._presence.leave(pseudonym), now_mono_s)
        if visit is None:
            self._standing.drop(pseudonym)

    def _moved(self, moves: Iterable[Move], now_mono_s: float) -> None:
        for move in moves:
            self._changed = True
            self._standing.moved()
            self._calls.moved(move)
            self._chronicle.moved(move, now_mono_s)
            self.eager |= move.what in URGENT
            if move.what is What.LEFT:
                self._looks.left(move.handle)
                self._standing.drop(move.pseudonym)
            elif move.what is What.CALL_ENDED:
                member, _ = self._standing.record(move.pseudonym)
                if member is None or member.mode is not Mode.OPEN:
                    self._moved(self._presence.leave(move.pseudonym), now_mono_s)

    def _may_stand(self, pseudonym: bytes, visit: Visit, now_ms: int) -> bool:
        return self._standing.may_stand(pseudonym, visit, now_ms)  # which is made after the presence that asks

    def _watch_receivers(self, now_mono_s: float) -> None:
        for turn in self._receivers.tick(now_mono_s):
            self._changed = True
            if turn.state in OUT:
                reason = turn.reason.value if turn.reason is not None else None
                remedy = receiver_remedy(turn.state, turn.reason)
                _log.warning("receiver_out", remedy, node=turn.node, state=turn.state.value, reason=reason)
            else:
                _log.info("receiver_back", node=turn.node)

    # --- answers -----------------------------------------------------------------------------------------------------

    def _live_ms(self, now_mono_s: float) -> int | None:
        """Trusted time while the store may disclose, else None."""
        return self._replica.trusted_ms(now_mono_s) if self._replica.live(now_mono_s) else None

    def _seen(self, session: Session, handle: bytes, now_ms: int | None) -> bytes | None:
        """The pseudonym of a visit that this session may act on; in the dark, of one that it saw before."""
        pseudonym = self._presence.find(handle)
        visit = self._presence.visit(pseudonym) if pseudonym is not None else None
        if pseudonym is None or visit is None:
            return None
        if now_ms is None:
            return pseudonym if self._floor.stood(session.role, handle) else None
        return pseudonym if self._standing.allows(pseudonym, visit, session.role, now_ms) else None

    def _attend(self, asked: query.Attend, session: Session, now_mono_s: float) -> query.Reply:
        now_ms = self._live_ms(now_mono_s)
        if now_ms is None:
            return DARK
        pseudonym = self._seen(session, asked.handle, now_ms)
        visit = self._presence.visit(pseudonym) if pseudonym is not None else None
        if pseudonym is None or visit is None:
            return WITHHELD
        if visit.attended_by is not None and visit.attended_by != session.associate:
            return query.Conflict(visit.attended_name or visit.attended_by)
        if asked.action is Action.ATTENDING and visit.attended_by == session.associate:
            return query.Accepted()
        step = sync.HelpStep.ATTENDING if asked.action is Action.ATTENDING else sync.HelpStep.DONE
        try:
            self._calls.said(pseudonym, session.associate, step, now_mono_s)
        except CacheError:
            return DARK
        if asked.action is Action.ATTENDING:
            self._moved(self._presence.attend(pseudonym, session.associate, session.name), now_mono_s)
        else:
            self._moved(self._presence.done(pseudonym), now_mono_s)
        return query.Accepted()

    def _withdraw(self, asked: query.Withdraw, session: Session, now_mono_s: float) -> query.Reply:
        """Works while the store is dark too: leaving needs nobody's leave."""
        if asked.scope is not None and not is_scope(asked.scope):
            return Refused(RefusedReason.MALFORMED)
        pseudonym = self._seen(session, asked.handle, self._live_ms(now_mono_s))
        if pseudonym is None:
            return WITHHELD
        withdrawal = sync.Withdrawal(asked.scope, session.associate, session.tablet)
        try:
            changes = self._replica.deny(pseudonym, asked.scope, withdrawal, now_mono_s)
        except CacheError:
            return DARK
        self._take(replace(changes, members=changes.members | {pseudonym}), now_mono_s)
        self.eager = True
        return query.Accepted()
