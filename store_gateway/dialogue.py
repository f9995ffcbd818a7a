"""Speaks with HQ: hello, challenge, unlock, lease, records, the filling of what differs, events.

Everything that it is told may be late, repeated or replayed; what answers nothing we asked is counted and dropped.

I/O: the cache file, through `store_gateway.cache`.
"""

import dataclasses
import math
from collections import Counter
from collections.abc import Callable

from runtime.logs import Log
from store_gateway.cache import MAX_SEQ, Cache
from store_gateway.core.fill import Fill, Start
from store_gateway.core.lease import Keeper
from store_gateway.courier import Arrived, Courier
from store_gateway.errors import CacheError, CacheReason
from store_gateway.holdings import Instance
from store_gateway.keys import BoxKeys
from store_gateway.seal import Entropy, Seal, check_of, epoch_key, verify_check
from store_gateway.vault import Touched, Vault
from wire import merkle, sync
from wire.errors import WireError
from wire.sync import GATING, Collection, Readiness, Wanted
from wire.tree import Node

NONCE_BYTES = 16
_PERSIST_TIME_MS = 3_600_000  # an hour: so much too late at most is a key set's expiry judged after a start
_NEW_CHALLENGE_S = 5.0

_log = Log("dialogue")


class Dialogue:
    """One boot's conversation. `cache` None: it could not be opened; `vault` None: locked."""

    def __init__(self, store: str, box: BoxKeys, software: str, entropy: Entropy, chance: Callable[[], float]) -> None:
        self._store = store
        self._box = box
        self._software = software
        self._entropy = entropy
        self._chance = chance
        self._fill = Fill()
        self._queue: list[sync.Message] = []
        self._link = False
        self._settled_mono_s = -math.inf  # of the hello whose lease the members agreed with last
        self._unlocked_mono_s = -math.inf  # when the newest hello was sent that an unlock answered
        self.courier = Courier(store, box, entropy)
        self.keeper = Keeper()
        self.counts: Counter[str] = Counter()
        self.cache: Cache | None = None
        self.vault: Vault | None = None

    def use(self, cache: Cache) -> None:
        """The cache is open; it may hold a newer key set than the box was given."""
        self.cache = cache
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

    def outgoing(self) -> list[bytes]:
        """What is to go up, each once."""
        messages, self._queue = self._queue, []
        return [self.courier.close(message, self.keeper.challenge) for message in messages]

    def advance(self, readiness: Readiness, now_mono_s: float) -> None:
        """Does what is due: compares, asks, says hello, sends events. Raises: CacheError."""
        self._compare(now_mono_s)
        if not self._link or self.cache is None:
            return
        if self.keeper.hello_due(now_mono_s):
            self._say_hello(self.cache, readiness, now_mono_s)
        if self.vault is None:
            return
        self._sign_head(self.vault, now_mono_s)
        if not (self._fill.due(now_mono_s) or self.vault.outbox.waits()):
            return
        if not self.keeper.challenge_fresh(now_mono_s):
            self.keeper.hello_within(_NEW_CHALLENGE_S)  # HQ concludes nothing from an old echo
            return
        if self._fill.due(now_mono_s):
            nonce = self._entropy(NONCE_BYTES)
            self._queue.append(sync.Want(nonce, self._fill.next_wants(nonce, now_mono_s)))
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
        self._queue.append(
            sync.Hello(
                nonce=nonce,
                incarnation=cache.header.incarnation,
                sealing_key=self.courier.sealing_key,
                held=self.vault.holdings.held() if self.vault is not None else (),
                last_event=cache.header.last_event,
                key_set_version=self.courier.key_set.version,
                readiness=readiness,
                ticket=cache.header.ticket,
                let_go=self.vault.outbox.let_go() if self.vault is not None else (),
                software=self._software,
                epoch=1 if cache.header.key_check else 0,
            )
        )

    # --- what comes down ---------------------------------------------------------------------------------------------

    def take(self, payload: bytes, now_mono_s: float, touched: Touched) -> None:
        """A message from the broker. Raises: CacheError where it could not be kept."""
        if self.courier.is_key_set(payload):
            self._take_key_set(payload)
            return
        known_ms = self.keeper.trusted_ms(now_mono_s) or 0
        arrived = self.courier.open(payload, max(known_ms, self.cache.header.trusted_ms if self.cache else 0))
        if arrived is not None:
            self.counts[f"in_{arrived.kind.name.lower()}"] += 1
            self._on_message(arrived, now_mono_s, touched)

    def _take_key_set(self, payload: bytes) -> None:
        try:
            if self.courier.take_key_set(payload) and self.cache is not None:
                self.cache.put_header(dataclasses.replace(self.cache.header, key_set=payload))
        except WireError as error:
            self.courier.dropped[error.reason.value] += 1

    def _on_message(self, arrived: Arrived, now_mono_s: float, touched: Touched) -> None:
        match arrived.message:
            case sync.Challenge() | sync.Unlock() | sync.Lease() | sync.Refusal() as answer:
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
                node = Wanted.node(
                    answer.instance, answer.prefix if isinstance(answer, sync.Children) else answer.first
                )
                held = self.vault.holdings.instances.get(answer.instance) if self.vault is not None else None
                if self.vault is None or held is None or not self._fill.is_asked(node, arrived.nonce):
                    self.courier.dropped["unasked"] += 1
                else:
                    self._on_node(self.vault, held, node, answer, now_mono_s, touched)
            case sync.Order():
                self.counts["orders_unsupported"] += 1
            case _:
                self.courier.dropped["kind"] += 1

    def _on_answer(
        self,
        answer: sync.Challenge | sync.Unlock | sync.Lease | sync.Refusal,
        sent_mono_s: float,
        now_mono_s: float,
        touched: Touched,
    ) -> None:
        self.keeper.heard(now_mono_s)
        match answer:
            case sync.Challenge():
                self.keeper.take_challenge(answer.challenge, now_mono_s)
                self.keeper.hello_soon(now_mono_s)
            case sync.Unlock():
                if sent_mono_s < self._unlocked_mono_s:
                    self.courier.dropped["older_unlock"] += (
                        1  # a recording: its ticket and digest keys are not the newest
                    )
                elif self.cache is not None:
                    self._unlocked_mono_s = sent_mono_s
                    self._unlock(self.cache, answer, touched)
                    self.keeper.hello_soon(now_mono_s)
            case sync.Lease():
                self.keeper.take_challenge(answer.challenge, now_mono_s)
                if self.vault is not None and self.keeper.on_lease(answer, sent_mono_s, now_mono_s):
                    self._on_offer(self.vault, answer, sent_mono_s, now_mono_s, touched)
            case sync.Refusal():
                self.keeper.take_challenge(answer.challenge, now_mono_s)
                self.keeper.on_refusal(answer.reason, sent_mono_s)
                _log.error("refused", reason=answer.reason.name.lower(), remedy="ask HQ's operator about this store")

    def _unlock(self, cache: Cache, unlock: sync.Unlock, touched: Touched) -> None:
        header = cache.header
        if unlock.incarnation != header.incarnation:
            self.courier.dropped["other_incarnation"] += 1
            return
        if self.vault is None:
            epoch = Seal(epoch_key(self._box.secret, unlock.shares[-1].share, header.incarnation), self._entropy)
            if header.key_check:
                verify_check(epoch, header.incarnation, header.key_check)
            else:
                header = dataclasses.replace(header, key_check=check_of(epoch, header.incarnation))
            cache.put_header(dataclasses.replace(header, ticket=unlock.ticket))
            self.vault = Vault(cache, epoch, self._entropy, self._store)
            touched.policy = True
            touched.days.update(self.vault.key_days())
            touched.anew = True
            _log.info("unlocked", instances=len(self.vault.holdings.instances))
        elif header.ticket != unlock.ticket:
            cache.put_header(dataclasses.replace(header, ticket=unlock.ticket))
        for name in self.vault.holdings.learn(unlock.digest_keys):
            self._fill.drop(name)
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
        vault.outbox.free(lease.events_through, sent_mono_s)
        named = {root.instance for root in lease.roots}
        for held in tuple(vault.holdings.instances.values()):
            if held.name not in named or (held.day is not None and held.day not in lease.key_days):
                vault.drop(held.name, touched)
                self._fill.drop(held.name)
        assert self.cache is not None  # the vault is its content
        trusted_ms = self.keeper.trusted_ms(now_mono_s) or 0
        if trusted_ms >= self.cache.header.trusted_ms + _PERSIST_TIME_MS:
            self.cache.put_header(dataclasses.replace(self.cache.header, trusted_ms=trusted_ms))

    def _on_node(
        self,
        vault: Vault,
        held: Instance,
        node: Wanted,
        answer: sync.Children | sync.RecordRange,
        now_mono_s: float,
        touched: Touched,
    ) -> None:
        """What HQ holds at a node that we asked for."""
        below: tuple[bytes, ...] = ()
        if isinstance(answer, sync.RecordRange):
            parts = self._fill.collect(node, answer, now_mono_s)
            if parts is None:
                return
            touched.join(vault.apply_range(held, parts, now_mono_s))
        else:
            own = vault.holdings.nodes_below(held, node.first)
            named = {
                node.first + bytes([child.byte]): Node(int.from_bytes(child.digest, "little"), child.count)
                for child in answer.nodes
            }
            empty = tuple(prefix for byte in range(256) if (prefix := node.first + bytes([byte])) not in named)
            equal = tuple(prefix for prefix, hqs in named.items() if own.get(prefix, Node()) == hqs)
            touched.join(vault.apply_children(held, answer.as_of, empty, equal, now_mono_s))
            below = tuple(sorted(named.keys() - set(equal)))
        if self._fill.answered(node, below, now_mono_s):
            self.keeper.hello_soon(now_mono_s)  # the round ended: HQ's newest root is to be compared

    # --- the roots ---------------------------------------------------------------------------------------------------

    def _compare(self, now_mono_s: float) -> None:
        """Begins the lease on offer where the gating instances agree; asks for what differs once it had its time."""
        offer = self.keeper.offer
        if offer is None or self.vault is None:
            return
        differing: list[str] = []
        gates = False
        for root in offer.lease.roots:
            held = self.vault.holdings.instances.get(root.instance)
            if held is not None and _agrees(held, root):
                self._fill.agreed(held.name)
                self.vault.holdings.settle(held, root.as_of)
                if held.collection is sync.Collection.MEMBERS and offer.sent_mono_s > self._settled_mono_s:
                    self._settled_mono_s = offer.sent_mono_s
                    self.vault.settle_denials(offer.lease.events_through, now_mono_s)
                continue
            gates = gates or root.instance.split("/")[0] in _GATING_WORDS
            if held is not None:
                differing.append(held.name)
        if not gates:
            self.keeper.begin()
        waits = gates and not self.keeper.wait_over(now_mono_s)
        for name in differing:
            held = self.vault.holdings.instances[name]
            if waits and held.seq > 0:
                continue  # messages under way may make them equal; what is still empty needs its fill at once
            match self._fill.start(name, offer.sent_mono_s, now_mono_s):
                case Start.BEGUN:
                    self.counts["rounds"] += 1
                case Start.QUARANTINED:
                    self.counts["quarantined"] += 1
                    _log.error("quarantined", instance=name, remedy="tried again by itself; report it if it goes on")
                case Start.NOT_NOW:
                    pass


_GATING_WORDS = frozenset(collection.name.lower() for collection in GATING)


def _seq(records: sync.Records) -> int:
    """Of the change: as the members' records have it, where there are any."""
    parts = sorted(records.parts, key=lambda part: not part.instance.startswith("members/"))
    return max((record.seq for part in parts[:1] for record in part.records), default=0)


def _agrees(held: Instance, root: sync.Root) -> bool:
    if root.as_of > MAX_SEQ:
        return False
    as_of = held.deltas.root_as_of(held.node, root.as_of)
    return as_of.root == root.root and as_of.count == root.count
