"""Speaks with HQ: hello, challenge, unlock, lease, records, the filling of what differs, events.

Everything that it is told may be late, repeated or replayed; what answers nothing we asked is counted and dropped.

I/O: the cache file, through `store_gateway.cache`.
"""

import dataclasses
import math
from collections import Counter, deque
from collections.abc import Callable, Iterator

from runtime.built import BUILT_MS
from runtime.logs import Log
from store_gateway import disposal
from store_gateway.cache import Cache
from store_gateway.core.lease import Keeper
from store_gateway.courier import Arrived, Courier
from store_gateway.disposal import Wiped
from store_gateway.epochs import Epochs
from store_gateway.errors import CacheError, CacheReason
from store_gateway.keys import BoxKeys
from store_gateway.order_works import WORKS
from store_gateway.orders import Orders
from store_gateway.replication import NONCE_BYTES, Replication
from store_gateway.seal import Entropy
from store_gateway.trust import Trust
from store_gateway.vault import Touched, Vault
from wire import merkle, sync
from wire.errors import WireError
from wire.sync import Collection, Readiness

_PERSIST_TIME_MS = 3_600_000  # an hour: so much too late at most is a key set's expiry judged after a start
_NEW_CHALLENGE_S = 5.0
_DAY_MS, _GRACE_MS = 86_400_000, 20 * 60_000  # slot now-1 still needs yesterday's keys
_SILENT = 4  # heartbeats without a lease; before, trusted time, which may be ahead of HQ's, ends no day that HQ names
_NO_ORDER = bytes(16)
_Answer = sync.Challenge | sync.Unlock | sync.Lease | sync.Refusal | sync.Certificate

_log = Log("dialogue")


class Dialogue:
    """One boot's conversation. `cache` None: it could not be opened; `vault` None: locked."""

    def __init__(self, store: str, box: BoxKeys, software: str, entropy: Entropy, chance: Callable[[], float]) -> None:
        self._store = store
        self._box = box
        self._software = software
        self._entropy = entropy
        self._chance = chance
        self._queue: list[sync.Message] = []
        self._link = False
        self._settled_mono_s = -math.inf  # of the hello whose lease the members agreed with last
        self._silent_mono_s = -math.inf  # when HQ is taken to say nothing, if it gives no lease before
        self._unlocked_mono_s = -math.inf  # when the newest hello was sent that an unlock answered
        self.courier = Courier(store, box, entropy)
        self.keeper = Keeper()
        self.counts: Counter[str] = Counter()
        self.replication = Replication(entropy, self.counts)
        self.cache: Cache | None = None
        self.vault: Vault | None = None
        self.epochs: Epochs | None = None
        self.orders = Orders(self, WORKS)
        self.trust = Trust(box.authority, box.secret, entropy)
        self._wiping: deque[tuple[Wiped, Iterator[None]]] = deque()

    def use(self, cache: Cache) -> None:
        """The cache is open; it may hold a newer key set than the box was given."""
        self.cache = cache
        self.trust.use(cache)
        self._wiping = deque((one, disposal.overwrite(one)) for one in disposal.left(cache.file))
        try:
            if cache.header.key_set:
                self.courier.take_key_set(cache.header.key_set)
        except WireError as error:
            raise CacheError(CacheReason.CORRUPT) from error

    # --- what goes up ------------------------------------------------------------------------------------------------

    def on_link(self, up: bool, now_mono_s: float) -> None:
        """The connection to the broker came or went; what was not handed out yet is made anew."""
        self._link = up
        self._queue.clear()
        if self.vault is not None:
            self.vault.outbox.rewind()
        if up:
            self.keeper.hello_soon(now_mono_s)
            self.replication.relink()

    def outgoing(self) -> list[bytes]:
        """What is to go up, each once."""
        messages, self._queue = self._queue, []
        return [self.courier.close(message, self.keeper.challenge) for message in messages]

    def advance(self, readiness: Readiness, now_mono_s: float) -> None:
        """Does what is due: compares, asks, says hello, sends events. Raises: CacheError."""
        self._compare(now_mono_s)
        self.trust.tick(self.keeper.trusted_ms(now_mono_s), self.cache.header.trusted_ms if self.cache else 0)
        if self.vault is not None:
            self.replication.proof.idle(self.vault.holdings, now_mono_s)
        if not self._link or self.cache is None:
            return
        if self.keeper.hello_due(now_mono_s):
            self._say_hello(self.cache, readiness, now_mono_s)
        if self.orders.waits:
            if self.keeper.challenge_fresh(now_mono_s):
                self._queue += self.orders.outgoing()
            else:
                self.keeper.hello_within(_NEW_CHALLENGE_S)
        if self.vault is None or self.keeper.refused is sync.RefusalReason.STALE_TICKET:
            return
        self._sign_head(self.vault, now_mono_s)
        if not (self.replication.due(now_mono_s) or self.vault.outbox.waits()):
            return
        if not self.keeper.challenge_fresh(now_mono_s):
            self.keeper.hello_within(_NEW_CHALLENGE_S)  # HQ concludes nothing from an old echo
            return
        if self.replication.due(now_mono_s):
            self._queue.append(self.replication.want(now_mono_s))
        while self.vault.outbox.waits():
            self._queue.append(self.vault.outbox.events(now_mono_s))

    def _sign_head(self, vault: Vault, now_mono_s: float) -> None:
        """HQ is to see soon, and hourly, to what the log of disclosures grew."""
        at_ms = self.keeper.trusted_ms(now_mono_s)
        if at_ms is None or not vault.outbox.log.head_due(now_mono_s) or self.cache is None:
            return
        incarnation = self.cache.header.incarnation

        def sign(size: int, root: bytes, head_ms: int) -> bytes:
            return self._box.identity.sign(merkle.head_input(self._store, incarnation, size, root, head_ms))

        vault.put_head(sign, at_ms, now_mono_s)

    def _say_hello(self, cache: Cache, readiness: Readiness, now_mono_s: float) -> None:
        nonce = self._entropy(NONCE_BYTES)
        self.keeper.said_hello(nonce, now_mono_s, self._chance())
        self.counts["hellos"] += 1
        said = sync.Hello(
            nonce=nonce, incarnation=cache.header.incarnation, sealing_key=self.courier.sealing_key,
            held=self.vault.holdings.held() if self.vault is not None else (),
            last_event=cache.header.last_event, key_set_version=self.courier.key_set.version, readiness=readiness,
            ticket=cache.header.ticket, let_go=self.vault.outbox.let_go() if self.vault is not None else (),
            software=self._software, quarantined=self.replication.quarantined(),
            epoch=self.epochs.known if self.epochs is not None else min(cache.epochs(), default=0),
            certificate=self.trust.seen, certificate_fault=self.trust.fault,
        )  # fmt: skip
        self._queue.append(said)

    # --- what comes down ---------------------------------------------------------------------------------------------

    def take(self, payload: bytes, now_mono_s: float, touched: Touched) -> None:
        """A message from the broker. Raises: CacheError where it could not be kept."""
        if self.courier.is_key_set(payload):
            self._take_key_set(payload)
            return
        trusted_ms, kept_ms = self.keeper.trusted_ms(now_mono_s) or 0, self.cache.header.trusted_ms if self.cache else 0
        had_ended = self.courier.ended
        arrived = self.courier.open(payload, max(trusted_ms, kept_ms, BUILT_MS))
        self.keeper.keys_ended = self.courier.ended
        if self.courier.ended and not had_ended:
            _log.error("hq_keys_ended", remedy="HQ's operator makes a new key set: consentry-provision hq")
        if arrived is not None:
            self.counts[f"in_{arrived.kind.name.lower()}"] += 1
            self._on_message(arrived, now_mono_s, touched)

    def _take_key_set(self, payload: bytes) -> None:
        """One is in force where it is kept, so that no start brings an older one back; else HQ sends it again."""
        before = self.courier.key_set
        try:
            if self.cache is not None and self.courier.take_key_set(payload):
                self.cache.put_header(dataclasses.replace(self.cache.header, key_set=payload))
                self.keeper.keys_ended = False
        except WireError as error:
            self.courier.dropped[error.reason.value] += 1
        except CacheError:
            self.courier.key_set = before
            raise

    def _on_message(self, arrived: Arrived, now_mono_s: float, touched: Touched) -> None:
        match arrived.message:
            case sync.Challenge() | sync.Unlock() | sync.Lease() | sync.Refusal() | sync.Certificate() as answer:
                sent_mono_s = self.keeper.sent_at(arrived.nonce)
                if sent_mono_s is None:
                    self.courier.dropped["void_answer"] += 1
                else:
                    self._on_answer(answer, sent_mono_s, now_mono_s, touched)
            case sync.Records() as records:
                if self.vault is None:
                    self.courier.dropped["locked"] += 1
                else:
                    applied = self.vault.apply(records.parts, now_mono_s)
                    if applied.records and records.committed_ms is not None:
                        applied.withdrawn.append((_seq(records), records.committed_ms))
                    touched.join(applied)
            case sync.Children() | sync.RecordRange() as answer:
                ended = None
                if self.vault is not None:
                    ended = self.replication.on_answer(self.vault, answer, arrived.nonce, now_mono_s)
                if ended is None:
                    self.courier.dropped["unasked"] += 1
                elif ended:
                    self.keeper.hello_soon(now_mono_s)  # the round ended: HQ's newest root is to be compared
            case sync.Order() as order:
                self.counts["orders"] += 1
                self.orders.take(order, now_mono_s, touched)
            case _:
                self.courier.dropped["kind"] += 1

    def _on_answer(self, answer: _Answer, sent_mono_s: float, now_mono_s: float, touched: Touched) -> None:
        self.keeper.heard(now_mono_s)
        match answer:
            case sync.Challenge():
                self.keeper.take_challenge(answer.challenge, now_mono_s)
                self.keeper.hello_soon(now_mono_s)
            case sync.Unlock():
                if sent_mono_s < self._unlocked_mono_s:
                    self.courier.dropped["older_unlock"] += 1  # a recording: its ticket and keys are not the newest
                elif self.cache is not None:
                    self._unlocked_mono_s = sent_mono_s
                    self._unlock(self.cache, answer, touched)
                    self.keeper.hello_soon(now_mono_s)
            case sync.Lease():
                self.keeper.take_challenge(answer.challenge, now_mono_s)
                if self.vault is not None and self.keeper.on_lease(answer, sent_mono_s, now_mono_s):
                    self._on_offer(self.vault, answer, sent_mono_s, now_mono_s, touched)
            case sync.Certificate():
                if self.cache is not None:
                    self.trust.take(self.cache, answer, sent_mono_s, self.keeper.trusted_ms(now_mono_s))
                    self.keeper.hello_soon(now_mono_s)  # HQ is to know how it ended
            case sync.Refusal():
                self.keeper.take_challenge(answer.challenge, now_mono_s)
                if answer.reason is sync.RefusalReason.SHARE_LOST:
                    # One that answers a hello of before the last unlock or lockdown is of an earlier cache.
                    if self.vault is None and self.cache is not None and sent_mono_s >= self._unlocked_mono_s:
                        self.begin_anew(_NO_ORDER, now_mono_s, touched)
                    return
                self.keeper.on_refusal(answer.reason, sent_mono_s)
                if answer.reason is sync.RefusalReason.LOCKDOWN:
                    self._forget_keys(now_mono_s, touched)
                _log.error("refused", reason=answer.reason.name.lower(), remedy="ask HQ's operator about this store")

    def _unlock(self, cache: Cache, unlock: sync.Unlock, touched: Touched) -> None:
        header = cache.header
        if unlock.incarnation != header.incarnation:
            self.courier.dropped["other_incarnation"] += 1
            return
        if self.vault is None:
            epochs = Epochs(cache, self._box.secret, unlock.shares, self._entropy)
            cache.put_header(dataclasses.replace(header, ticket=unlock.ticket))
            self.vault = Vault(cache, epochs, self._entropy, self._store)
            self.epochs = epochs
            touched.policy = True
            touched.days.update(self.vault.key_days())
            touched.anew = True
            _log.info("unlocked", instances=len(self.vault.holdings.instances))
        elif header.ticket != unlock.ticket:
            cache.put_header(dataclasses.replace(header, ticket=unlock.ticket))
        if self.epochs is not None:
            self.epochs.learn(unlock.shares)
        for name in self.vault.holdings.learn(unlock.digest_keys):
            self.replication.drop(name)
            collection, _, day = sync.parse_instance(name)
            if day is not None:
                touched.days.add(day)
                touched.days_gone.add(day)  # under another digest key it begins again
            elif collection is Collection.MEMBERS:
                touched.anew = True

    def _on_offer(
        self, vault: Vault, lease: sync.Lease, sent_mono_s: float, now_mono_s: float, touched: Touched
    ) -> None:
        self.counts["leases"] += 1
        self._silent_mono_s = sent_mono_s + _SILENT * lease.heartbeat_s
        vault.outbox.free(lease.events_through, sent_mono_s)
        named = {root.instance for root in lease.roots}
        for held in tuple(vault.holdings.instances.values()):
            if held.name not in named or (held.day is not None and held.day not in lease.key_days):
                self._drop(vault, held.name, touched)
        assert self.cache is not None  # the vault is its content
        trusted_ms = self.keeper.trusted_ms(now_mono_s) or 0
        if trusted_ms >= self.cache.header.trusted_ms + _PERSIST_TIME_MS:
            self.cache.put_header(dataclasses.replace(self.cache.header, trusted_ms=trusted_ms))

    def _end_day(self, vault: Vault, now_mono_s: float, touched: Touched) -> bool:
        """Where HQ says nothing, trusted time ends a day; whether it ended one. Raises: CacheError."""
        now_ms = self.keeper.trusted_ms(now_mono_s)
        if now_ms is None or now_mono_s < self._silent_mono_s:
            return False
        today = (now_ms - _GRACE_MS) // _DAY_MS
        for held in vault.holdings.of(Collection.KEYRING):
            if held.day is not None and held.day < today:
                self._drop(vault, held.name, touched)
                return True
        return False

    def _drop(self, vault: Vault, name: str, touched: Touched) -> None:
        vault.drop(name, touched)
        self.replication.drop(name)

    # --- the roots ---------------------------------------------------------------------------------------------------

    def _compare(self, now_mono_s: float) -> None:
        """Begins the lease on offer where the gating instances agree; asks for what differs once it had its time."""
        offer = self.keeper.offer
        if offer is None or self.vault is None:
            return
        for held in self.replication.compare(self.vault, self.keeper, offer, now_mono_s):
            if held.collection is sync.Collection.MEMBERS and offer.sent_mono_s > self._settled_mono_s:
                self._settled_mono_s = offer.sent_mono_s
                self.vault.settle_denials(offer.lease.events_through, now_mono_s)

    # --- slices ------------------------------------------------------------------------------------------------------

    def work(self, most_rows: int, now_mono_s: float, touched: Touched) -> bool:
        """A slice of what nobody waits for; whether there is more. Raises: CacheError."""
        if self._wiping:
            self._wipe()
            return True
        if self.vault is not None and self._end_day(self.vault, now_mono_s, touched):
            return True
        self.orders.advance(now_mono_s, touched)
        if self.orders.busy and self.orders.work(now_mono_s, touched):
            return True
        if self.vault is None:
            return False
        if self.vault.holdings.cache.tidy():
            return True
        if self.replication.busy():
            changed, ended = self.replication.work(self.vault, most_rows, now_mono_s)
            touched.join(changed)
            if ended:
                self.keeper.hello_soon(now_mono_s)  # HQ's newest root is to be compared
            return True
        if self.vault.holdings.sweep():
            return True
        at_ms = self.keeper.trusted_ms(now_mono_s)
        return at_ms is not None and self.vault.sweep_memories(at_ms, now_mono_s)

    # --- the end of a cache ------------------------------------------------------------------------------------------

    def lock_down(self, now_mono_s: float, touched: Touched) -> None:
        """Forgets all keys and waits for HQ to unlock the cache again."""
        self._forget_keys(now_mono_s, touched)
        # Later than any hello so far: no answer to one begins a lease again.
        self.keeper.on_refusal(sync.RefusalReason.LOCKDOWN, math.nextafter(now_mono_s, math.inf))
        self.keeper.hello_soon(now_mono_s)
        _log.warning("lockdown", remedy="wait for HQ: consentry-hq order lift")

    def begin_anew(self, order: bytes, now_mono_s: float, touched: Touched) -> None:
        """Destroys the cache and begins a new one, as an order says or as HQ does who cannot open it any more.

        Raises: CacheError; then there is the old cache, or none until the disk can be written again.
        """
        cache = self.cache
        assert cache is not None  # it was named
        events_lost = cache.events_kept()
        cache.destroy_keys(order, events_lost)
        self._forget_keys(now_mono_s, touched)
        self.keeper.end(math.nextafter(now_mono_s, math.inf))
        self.cache = None
        wiped = disposal.retire(cache, order, events_lost)
        _log.warning("cache_begun_anew", events_lost=events_lost, remedy="nothing: HQ fills it again")
        self.cache = disposal.opened(cache.file, self._entropy)
        self.trust.use(self.cache)
        self._wiping.append((wiped, disposal.overwrite(wiped)))
        self.keeper.hello_soon(now_mono_s)

    def _wipe(self) -> None:
        """Overwrites a piece of a file moved aside; whose order it was hears of its end. Raises: CacheError."""
        wiped, steps = self._wiping.popleft()
        try:
            next(steps)
        except StopIteration:
            self.orders.wiped(wiped.order, wiped.events_lost)
        except CacheError:
            self._wiping.append((wiped, disposal.overwrite(wiped)))
            raise
        else:
            self._wiping.appendleft((wiped, steps))

    def _forget_keys(self, now_mono_s: float, touched: Touched) -> None:
        """The share, the epoch and all keys go; an unlock that was asked for before brings none of them back."""
        self._unlocked_mono_s = math.nextafter(now_mono_s, math.inf)
        self.orders.stop()
        if self.vault is None:
            return
        days = self.vault.key_days()
        touched.days.update(days)
        touched.days_gone.update(days)
        touched.policy = touched.anew = touched.gone = True
        self.vault = self.epochs = None
        self.replication = Replication(self._entropy, self.counts)


def _seq(records: sync.Records) -> int:
    """Of the change: as the members' records have it, where there are any."""
    parts = sorted(records.parts, key=lambda part: not part.instance.startswith("members/"))
    return max((record.seq for part in parts[:1] for record in part.records), default=0)
