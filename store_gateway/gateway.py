"""The store's state and its four doors: a sighting comes in, a message comes in, a question is answered, time passes.

Used by one thread only, which waits for nothing but the cache's disk. `now_mono_s` is CLOCK_BOOTTIME in seconds.

I/O: the cache, through the replica.
"""

from collections.abc import Callable, Iterable, Mapping

from consent.visit import Visit
from runtime.logs import Log
from store_gateway.acts import Acts
from store_gateway.answers import Answers
from store_gateway.asking import Asker as Asker
from store_gateway.asking import Checking as Checking
from store_gateway.asking import Effects
from store_gateway.assortment import Assortment
from store_gateway.calls import Calls
from store_gateway.chronicle import Chronicle
from store_gateway.coaching import Coaching
from store_gateway.core.directory import Directory
from store_gateway.core.earshot import Earshot
from store_gateway.core.presence import URGENT, Move, Presence, What
from store_gateway.core.receivers import OUT, Receivers
from store_gateway.core.table import SLOT_MS
from store_gateway.counts import Counts
from store_gateway.doors import Doors, PinCheck, PinMaking
from store_gateway.errors import receiver_remedy
from store_gateway.explaining import Explaining
from store_gateway.floor import Floor, Watcher
from store_gateway.help_news import HelpNews, Hook
from store_gateway.keyring import Built, Keyring, Order, give_back, kinds_of, nameless
from store_gateway.leavings import Leavings
from store_gateway.looks import Looks
from store_gateway.management import Management
from store_gateway.offers import Offers
from store_gateway.probe import Probe
from store_gateway.replica import Changes, Replica
from store_gateway.standing import Standing
from store_gateway.status import StatusBoard
from store_gateway.suggestions import Suggestions
from store_gateway.tables import Aside, Tables
from wire import query, synthetic
from wire.member import Mode
from wire.query import Light
from wire.sighting import RSSI_MIN_DBM, Batch, Health

_log = Log("gateway")


class Gateway:
    """See the module. `entropy(n)` gives n random bytes; `make_table` hands an order to a `TableMaker`.

    `aside` runs what takes long and touches nothing of the state, in another thread where there is one.
    """

    def __init__(
        self,
        store: str,
        software: str,
        replica: Replica,
        entropy: Callable[[int], bytes],
        make_table: Callable[[Order], None],
        link_counters: Callable[[], Mapping[str, int]] = dict,
        hook: Hook | None = None,
        installed: Callable[[], str] | None = None,
        aside: Aside = lambda work: work(),
    ) -> None:
        self._replica = replica
        self._presence = Presence(entropy, self._may_stand)
        self._directory = Directory(nameless, give_back)
        self._keyring = Keyring(replica, self._directory, make_table)
        self._standing = Standing(replica, self._presence)
        self._assortment = Assortment(replica.shelf)
        self._tables = Tables(replica.shelf, aside)
        self._offers = Offers(replica, self._standing, self._assortment, self._tables)
        self._looks = Looks(replica, self._standing, self._presence, self._offers, self._assortment)
        self._calls = Calls(replica, self._presence)
        self._receivers = Receivers()
        self._floor = Floor(replica, self._standing, self._looks, self._receivers.outages)
        self._chronicle = Chronicle(
            replica, self._standing, self._presence, self._floor.unshown, lambda: self.counts.lost, software
        )
        self._help_news = HelpNews(replica, self._standing, hook)
        self._doors = Doors(store, replica, entropy)
        self._probe = Probe(replica, self._doors.pairing.mint_probe)
        self.counts = Counts()
        self._board = StatusBoard(
            store, software, replica, self._doors, self._standing, self._receivers, self._keyring, self._directory,
            self.counts, link_counters, hook.counters if hook is not None else dict, installed or (lambda: software),
        )  # fmt: skip
        effects = Effects(self._moved, self._take, self._stir)
        self._acts = Acts(
            replica, self._standing, self._presence, self._looks, self._calls, self._floor, self._doors.held.all,
            effects,
        )  # fmt: skip
        items = Suggestions(
            replica, self._standing, self._looks, self._acts, self._assortment, self._offers, effects
        )  # fmt: skip
        self._earshot = Earshot(self._directory.phones, self._presence.counts)
        self._leavings = Leavings(replica, self._earshot, effects)
        parts = (self._acts, items, self._leavings, Coaching(replica, self._looks, effects))
        management = Management(replica, self._doors, self._chronicle.figures, self._stir)
        explaining = Explaining(
            replica, self._presence, self._standing.record, self._offers, lambda: self._assortment.sorts
        )
        self._answers = Answers(
            replica, self._doors, self._probe, self._floor, self._chronicle, self._board, management, parts, effects,
            explaining,
        )  # fmt: skip
        self._changed = True
        self._light = Light.LOCKED
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
                if heard.node != synthetic.NODE:
                    self._earshot.heard(who, now_mono_s)
                rssi_dbm = None if sighting.rssi_dbm == RSSI_MIN_DBM else sighting.rssi_dbm  # BlueZ's "not known"
                moves = self._presence.hear(who, sighting.token, heard.node, rssi_dbm, now_mono_s, now_ms)
                self._moved(moves, now_mono_s)
        return resolved

    def on_message(self, payload: bytes, fast: bool, now_mono_s: float) -> None:
        """A message from the broker."""
        self._take(self._replica.on_payload(payload, fast, now_mono_s), now_mono_s)

    def on_link(self, up: bool, now_mono_s: float) -> None:
        """The connection to the broker came or went."""
        self._replica.on_link(up, now_mono_s)

    def answer(self, request: query.Request, asker: Asker, now_mono_s: float) -> query.Reply | Checking:
        """The answer, or what it waits for."""
        return self._answers.answer(request, asker, now_mono_s)

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
        self._leavings.flush(now_mono_s)
        self.tell(now_mono_s)
        self._looks.flush(now_mono_s)
        self._calls.flush(now_mono_s)
        self._chronicle.flush(light, now_mono_s)

    # --- what the loop around it needs --------------------------------------------------------------------------------

    def tell(self, now_mono_s: float) -> None:
        """Pushes what is due to the streams."""
        changed, self._changed, self.eager = self._changed, False, False
        self._floor.tell(now_mono_s, lambda session: self._doors.why_not(session, now_mono_s), changed=changed)
        self._help_news.tell(now_mono_s, changed=changed)
        self._chronicle.told(now_mono_s)

    def work(self, now_mono_s: float, most_rows: int = 256) -> bool:
        """A slice of work that nobody waits for: about so many rows of a fill, and 1 to 3 ms for the directory.

        Returns whether there is more to do at once.
        """
        changes, more = self._replica.work(most_rows, now_mono_s)
        if more:
            self._take(changes, now_mono_s)
        now_ms = self._replica.trusted_ms(now_mono_s)
        more |= self._keyring.work(now_ms // SLOT_MS if now_ms is not None else None, now_mono_s)
        more |= self._tables.work(now_mono_s)
        return self._assortment.work(now_mono_s) or more

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

    def pin_checked(self, check: PinCheck | PinMaking, right: bool | str, now_mono_s: float) -> query.Reply:
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
        """How the store is; no member in it. The loop asks without a socket."""
        return self._board.status(now_mono_s, operator=operator)

    # --- changes -----------------------------------------------------------------------------------------------------

    def _take(self, changes: Changes, now_mono_s: float) -> None:
        if changes.policy:
            policy = self._replica.policy()
            self._presence.govern(policy.store if policy is not None else None)
            self._receivers.govern(policy.store.zones if policy is not None else ())
            self._help_news.governed()
            self._standing.drop_all()
            if policy is not None and not policy.store.hours:
                _log.warning("no_hours", remedy="publish a policy with the store's hours: without them nobody arrives")
        if changes.anew:
            self._doors.forget_names()
        if changes.staff:
            self._doors.staff_changed()
        if changes.unpaired:
            self._doors.unpaired(changes.unpaired)
            self.eager = self._changed = True
        if changes.anew:
            self._keyring.outdated()
            self._standing.drop_all()
        for code in changes.leavings:
            self._leavings.ordered(code, now_mono_s)
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

    def _stir(self) -> None:
        """Something looks different for somebody, and is to be told at once."""
        self.eager = self._changed = True

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
