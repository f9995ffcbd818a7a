"""Does what HQ orders, each once: remembers what it did, and answers the same to an order that comes again.

What ends something at once (`lockdown`, `wipe`, `unpair`, `leave`) is done when it comes; `export`, `erase`, `roll` and
`recall` go in slices of some milliseconds, one order after the other. An order is remembered when it is done: killed
before that, HQ sends it again and it is done again, harmlessly. docs/protocol.md, section 8, says which are held or
refused.

I/O: the cache file, through `store_gateway.cache`.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from runtime.logs import Log
from store_gateway.cache import Cache
from store_gateway.cache_keys import DoneRow
from store_gateway.core.lease import Keeper
from store_gateway.epochs import Epochs
from store_gateway.errors import CacheError
from store_gateway.replication import Replication
from store_gateway.vault import Touched, Vault
from wire import schema, sync, tree
from wire.errors import WireError
from wire.limits import MAX_BODY_BYTES
from wire.orders import WipeResult
from wire.sync import Collection, Done, Order, Outcome, Verb

MOST_HELD = 64  # orders that wait at once; HQ sends the others again
PSEUDONYM_BYTES = 16
EPOCH_BYTES = 4
SINCE_BYTES = 8
_WIPED_MS = 2**53  # as `until_ms`, with the events that were lost: of a wipe, which is remembered for ever
_KEEP_MS = 24 * 3_600_000  # an order is remembered so long after its end

# What these take away HQ can give again, so they do not wait for the first trusted time; nor does what a restored HQ
# asks for before it gives leases again.
_UNTIMED = frozenset({Verb.LOCKDOWN, Verb.WIPE, Verb.RECALL})
_UNLOCKED = frozenset({Verb.EXPORT, Verb.ERASE, Verb.ROLL, Verb.UNPAIR, Verb.LEAVE, Verb.RECALL})
_ABOUT_A_FILE = frozenset({Verb.WIPE, Verb.ROLL})

# True: there is more to do at once; False: something is waited for; last, the outcome with its result.
Step = bool | tuple[Outcome, bytes]
Work = Callable[["Host", Order, Callable[[Touched], None], float], Iterator[Step]]

_log = Log("orders")


class Host(Protocol):
    """Whose orders these are."""

    cache: Cache | None
    vault: Vault | None
    epochs: Epochs | None
    keeper: Keeper
    replication: Replication

    def lock_down(self, now_mono_s: float, touched: Touched) -> None: ...
    def begin_anew(self, order: bytes, now_mono_s: float, touched: Touched) -> None: ...


class Orders:
    """The orders of one boot. `works`: what is done in slices, by verb."""

    __slots__ = ("_host", "_jobs", "_outgoing", "_touched", "_waiting", "_works")

    def __init__(self, host: Host, works: Mapping[Verb, Work]) -> None:
        self._host = host
        self._works = works
        self._waiting: dict[bytes, Order] = {}  # for trusted time, or for the unlock
        self._jobs: deque[tuple[Order, Iterator[Step]]] = deque()
        self._outgoing: deque[Done] = deque()
        self._touched = Touched()

    # --- what comes --------------------------------------------------------------------------------------------------

    def take(self, order: Order, now_mono_s: float, touched: Touched) -> None:
        """An order came. Raises: CacheError; then it is not done, and will come again."""
        cache = self._host.cache
        if cache is None or order.id in self._waiting or any(one.id == order.id for one, _ in self._jobs):
            return
        known = cache.done(order.id)
        if known is not None:
            self._answer_again(known)
        elif order.incarnation != cache.header.incarnation:
            # Of a cache that is no more nothing can be wiped or rolled. Anything else HQ gives anew to this one.
            if order.verb in _ABOUT_A_FILE:
                self._say(order, Outcome.NOTHING_TO_DO)
        else:
            self._judge(cache, order, now_mono_s, touched)

    def _judge(self, cache: Cache, order: Order, now_mono_s: float, touched: Touched) -> None:
        now_ms = self._host.keeper.trusted_ms(now_mono_s)
        if now_ms is not None and now_ms > order.not_after_ms:
            self._say(order, Outcome.TOO_LATE)
        elif (now_ms is None and order.verb not in _UNTIMED) or (
            self._host.vault is None and order.verb in _UNLOCKED
        ):  # fmt: skip
            if len(self._waiting) < MOST_HELD:
                self._waiting[order.id] = order
        else:
            self._begin(cache, order, now_mono_s, touched)

    def _begin(self, cache: Cache, order: Order, now_mono_s: float, touched: Touched) -> None:
        _log.info("order", verb=order.verb.name.lower(), order=order.id.hex())
        match order.verb:
            case Verb.LOCKDOWN:
                self._host.lock_down(now_mono_s, touched)  # first: whatever the disk says
                self._end(cache, order, Outcome.DONE)
            case Verb.WIPE:
                self._jobs.clear()
                self._waiting.clear()
                self._outgoing.clear()
                self._host.begin_anew(order.id, now_mono_s, touched)
            case Verb.UNPAIR:
                self._unpair(cache, order, now_mono_s, touched)
            case Verb.LEAVE if order.code is not None and order.code.isascii() and order.code.isdecimal():
                self._end(cache, order, Outcome.DONE)  # whether it was right HQ learns by the withdrawal alone
                touched.leavings.append(order.code)
            case verb if verb in self._works:
                if verb is Verb.ROLL:
                    self._host.keeper.hello_soon(now_mono_s)  # its answer brings the share, unless it is here
                self._jobs.append((order, self._works[verb](self._host, order, self._note, now_mono_s)))
            case verb:
                _log.warning("order_unsupported", verb=verb.name.lower(), remedy="install a version that knows it")
                self._end(cache, order, Outcome.FAILED)

    def wiped(self, order: bytes, events_lost: int) -> None:
        """The file that an order to `wipe` named is overwritten and gone. Raises: CacheError."""
        cache = self._host.cache
        if cache is not None and any(order):  # not one that HQ had us begin without an order
            with cache.transaction():
                # The new cache may still be locked: nothing can be sealed, and a count needs no seal.
                cache.put_done(DoneRow(order, int(Outcome.DONE), _WIPED_MS + events_lost, None))
            self._parts(order, Outcome.DONE, schema.encode(WipeResult(events_lost)))

    def _unpair(self, cache: Cache, order: Order, now_mono_s: float, touched: Touched) -> None:
        vault = self._host.vault
        assert vault is not None  # it is unlocked
        tablet = (order.subject or b"").decode("utf-8", "replace")
        at_ms = self._host.keeper.trusted_ms(now_mono_s) or 0
        is_paired = any(one.id == tablet for one in vault.tablets())
        outcome = Outcome.DONE if is_paired else Outcome.NOTHING_TO_DO
        with vault.writing(now_mono_s):
            if is_paired:
                cache.erase_local("tablets", "id = ?", tablet)
                vault.outbox.add([(sync.EventKind.PAIRING, None, sync.Pairing(tablet, False))], at_ms)
            self._remember(cache, order, outcome, b"")
        self._parts(order.id, outcome, b"")
        touched.unpaired.add(tablet)
        touched.gone = True

    # --- slices ------------------------------------------------------------------------------------------------------

    def advance(self, now_mono_s: float, touched: Touched) -> None:
        """Takes up what waited and can be judged now. Raises: CacheError."""
        if not self._waiting:
            return
        cache, now_ms = self._host.cache, self._host.keeper.trusted_ms(now_mono_s)
        for order in list(self._waiting.values()):
            ready = now_ms is not None and (self._host.vault is not None or now_ms > order.not_after_ms)
            if cache is not None and (ready or (order.verb in _UNTIMED and self._host.vault is not None)):
                del self._waiting[order.id]
                self._judge(cache, order, now_mono_s, touched)

    def work(self, now_mono_s: float, touched: Touched) -> bool:
        """One slice of the first order in the row; whether there is more to do at once.

        One whose result has no form, or that ends without an outcome, has failed: it would not end otherwise the next
        time. Raises: CacheError; that order is given up until it comes again.
        """
        if not self._jobs:
            return False
        order, steps = self._jobs[0]
        now_ms = self._host.keeper.trusted_ms(now_mono_s) or 0
        try:
            step = next(steps, (Outcome.FAILED, b""))
        except WireError as error:
            _log.error(
                "order_failed", verb=order.verb.name.lower(), order=order.id.hex(), reason=error.reason.value,
                remedy="report it",
            )  # fmt: skip
            step = Outcome.FAILED, b""
        except CacheError:
            self._jobs.popleft()
            raise
        if isinstance(step, tuple):
            self._jobs.popleft()
            cache = self._host.cache
            if cache is not None:
                self._end(cache, order, *step)
                with cache.transaction():
                    cache.forget_done(now_ms - _KEEP_MS)
            step = True
        elif not step:
            self._jobs.popleft()
            if now_ms <= order.not_after_ms:
                self._jobs.append((order, steps))
            else:
                self._say(order, Outcome.TOO_LATE)
        touched.join(self._touched)
        self._touched = Touched()
        return step

    def _note(self, touched: Touched) -> None:
        self._touched.join(touched)

    def stop(self) -> None:
        """The cache is locked: whatever was being done comes again."""
        self._jobs.clear()

    @property
    def busy(self) -> bool:
        """Whether an order is being done."""
        return bool(self._jobs)

    # --- answers -----------------------------------------------------------------------------------------------------

    def outgoing(self) -> list[Done]:
        """What is to be said to HQ, each part once; it asks again for what gets lost."""
        said, self._outgoing = list(self._outgoing), deque()
        return said

    @property
    def waits(self) -> bool:
        """Whether `outgoing` would give something."""
        return bool(self._outgoing)

    def _end(self, cache: Cache, order: Order, outcome: Outcome, result: bytes = b"") -> None:
        with cache.transaction():
            self._remember(cache, order, outcome, result)
        self._parts(order.id, outcome, result)

    def _remember(self, cache: Cache, order: Order, outcome: Outcome, result: bytes) -> None:
        vault = self._host.vault
        sealed = vault.holdings.buckets.close_local("done", order.id, result) if vault is not None and result else None
        column = _erased(vault, order.subject or b"") if order.verb is Verb.ERASE and vault is not None else None
        cache.put_done(DoneRow(order.id, int(outcome), order.not_after_ms, sealed, column))

    def _answer_again(self, known: DoneRow) -> None:
        vault = self._host.vault
        if known.sealed is None:
            is_wiped = known.until_ms >= _WIPED_MS
            self._parts(
                known.id,
                Outcome(known.outcome),
                schema.encode(WipeResult(known.until_ms - _WIPED_MS)) if is_wiped else b"",
            )
        elif vault is not None:  # locked, the result cannot be told: it is asked for again
            opened = vault.holdings.buckets.open_local("done", known.id, known.sealed)
            self._parts(known.id, Outcome(known.outcome), opened)

    def _say(self, order: Order, outcome: Outcome) -> None:
        """An answer that is not remembered, since it will always be the same."""
        _log.info("order_not_done", verb=order.verb.name.lower(), order=order.id.hex(), outcome=outcome.name.lower())
        self._parts(order.id, outcome, b"")

    def _parts(self, order: bytes, outcome: Outcome, result: bytes) -> None:
        pieces = [result[at : at + MAX_BODY_BYTES] for at in range(0, len(result), MAX_BODY_BYTES)] or [b""]
        self._outgoing.extend(
            Done(order, outcome, number, len(pieces), piece) for number, piece in enumerate(pieces, 1)
        )  # fmt: skip


def _erased(vault: Vault, pseudonym: bytes) -> bytes | None:
    """What an HQ that was restored from an older backup finds the member by; None: no members' key is held."""
    return next((tree.column(one.digest_key, pseudonym) for one in vault.holdings.of(Collection.MEMBERS)), None)
