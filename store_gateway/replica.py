"""One store's replica of what HQ says, and the lease under which the store may disclose.

Used by the one state thread only. `now_mono_s` is CLOCK_BOOTTIME in seconds, everywhere.

I/O: the cache file, through `store_gateway.cache`.
"""

import dataclasses
import random
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from consent.suggest.memory import NOTHING
from consent.visit import NOTHING_DENIED, Denied
from runtime.logs import Log
from store_gateway.changes import NO_CHANGES as NO_CHANGES
from store_gateway.changes import Changes as Changes
from store_gateway.dialogue import Dialogue
from store_gateway.disposal import opened
from store_gateway.errors import CacheError, CacheReason
from store_gateway.keys import BoxKeys
from store_gateway.outbox import Entry
from store_gateway.shelf import Shelf
from store_gateway.vault import Tablet as Tablet
from store_gateway.vault import Touched, Vault
from wire import query, sync
from wire.condition import Agreement
from wire.member import Member, Mode, Staff
from wire.policy import Policy
from wire.query import DarkReason, Light
from wire.suggestions import Memory
from wire.sync import Readiness

_RECOVER_S = 2.0
_SMALL = 8  # members of one message that go to the tablets at once: a withdrawn field is not to wait
_STICKY = frozenset({CacheReason.CORRUPT, CacheReason.WRONG_KEY, CacheReason.NEWER, CacheReason.PUT_BACK})

_log = Log("replica")


class Replica:
    """See the module. `entropy(n)` gives n random bytes, `chance()` a number in [0, 1)."""

    def __init__(
        self,
        store: str,
        cache_file: Path,
        box: BoxKeys,
        software: str,
        *,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Opens or makes the cache. Never raises for a bad file: then the replica is `failed` and dark."""
        self._file = cache_file
        self._entropy = entropy
        self._hq = Dialogue(store, box, software, entropy, chance)
        self.trust = self._hq.trust  # what proves this box to tablets, locked or not
        self.shelf = Shelf(lambda: self._hq.vault, lambda: self._failing(None))
        self._failure: CacheReason | None = None
        self._recover_at = 0.0
        self._shown = (Light.LOCKED, DarkReason.STARTING)
        with self._failing(0.0):
            self._hq.use(opened(cache_file, entropy))

    def close(self) -> None:
        """Closes the cache file."""
        if self._hq.cache is not None:
            self._hq.cache.close()

    # --- what holds --------------------------------------------------------------------------------------------------

    def lease(self, now_mono_s: float) -> query.Lease:
        """Whether the store may disclose now, and why not."""
        return self._hq.keeper.view(
            now_mono_s,
            locked=self._hq.vault is None,
            failed=self.failed(),
            policy=self.policy() is not None,
            quarantined=self._hq.replication.gates,
        )

    def live(self, now_mono_s: float) -> bool:
        """Whether the store may disclose now: to be asked in every answer."""
        return self.lease(now_mono_s).light is Light.LIVE

    def trusted_ms(self, now_mono_s: float) -> int | None:
        """Trusted time, Unix milliseconds UTC; None before HQ's first lease."""
        return self._hq.keeper.trusted_ms(now_mono_s)

    def failed(self) -> bool:
        """The disk could not be written or the cache is not sound: dark until a write succeeds."""
        return self._failure is not None

    def counters(self) -> dict[str, int]:
        """Counts since the start, by name."""
        counts = {**self._hq.counts, **self._hq.trust.counts}
        counts |= {f"dropped_{reason}": count for reason, count in self._hq.courier.dropped.items()}
        if self._hq.vault is not None:
            counts["stale"] = self._hq.vault.holdings.stale
            counts["refused_bodies"] = self._hq.vault.refused_bodies
            counts["events_waiting"] = self._hq.vault.outbox.waiting()
            counts["quarantined_now"] = len(self._hq.replication.quarantined())
            counts["checked_rows"] = self._hq.replication.proof.rows
            counts["checks"] = self._hq.replication.proof.done
        return counts

    def members_key(self) -> bytes | None:
        """The digest key of the store's members, from which what is synthetic derives; None while locked."""
        if self._hq.vault is None:
            return None
        return next((one.digest_key for one in self._hq.vault.holdings.of(sync.Collection.MEMBERS)), None)

    def disk(self) -> tuple[int, int, int]:
        """Bytes free beside the cache, bytes of the cache, events that wait; 0 where the disk does not say."""
        waiting = self._hq.vault.outbox.waiting() if self._hq.vault is not None else 0
        try:
            return shutil.disk_usage(self._file.parent).free, self._file.stat().st_size, waiting
        except OSError:
            return 0, 0, waiting

    def outbox_bytes(self) -> int:
        """What the events that are kept take on the disk."""
        return self._hq.vault.outbox.size_bytes if self._hq.vault is not None else 0

    def instances(self) -> tuple[tuple[str, Agreement, int], ...]:
        """Each instance that is held: its name, whether it agrees with HQ, how many records it has."""
        if self._hq.vault is None:
            return ()
        held = self._hq.vault.holdings.instances
        return tuple((name, self._hq.replication.agreement(name), held[name].node.count) for name in sorted(held))

    def policy(self) -> Policy | None:
        """The last good pair of policy records."""
        return self._hq.vault.policy if self._hq.vault is not None else None

    def member(self, pseudonym: bytes) -> Member | None:
        """The member's record; None: unknown, gone, or its body was refused."""
        try:
            return self._hq.vault.member(pseudonym) if self._hq.vault is not None else None
        except CacheError as error:
            self._fail(error, None)
            return None

    def denied(self, pseudonym: bytes) -> Denied:
        """What was withdrawn in this store and HQ has not folded in yet."""
        return self._hq.vault.denied(pseudonym) if self._hq.vault is not None else NOTHING_DENIED

    def memory(self, pseudonym: bytes) -> Memory:
        """What became of suggestions to this member in this store."""
        try:
            return self._hq.vault.memory(pseudonym) if self._hq.vault is not None else NOTHING
        except CacheError as error:
            self._fail(error, None)
            return NOTHING

    def staff(self, associate: str) -> Staff | None:
        """An associate's record, active or not."""
        try:
            return self._hq.vault.staff(associate) if self._hq.vault is not None else None
        except CacheError as error:
            self._fail(error, None)
            return None

    def all_staff(self) -> tuple[tuple[str, Staff], ...]:
        """Everybody's id and record, active or not."""
        try:
            return tuple(self._hq.vault.people.all()) if self._hq.vault is not None else ()
        except CacheError as error:
            self._fail(error, None)
            return ()

    def key_days(self) -> tuple[int, ...]:
        """The UTC days of which a keyring is held, ascending."""
        return self._hq.vault.key_days() if self._hq.vault is not None else ()

    def day_keys(self, pseudonym: bytes) -> tuple[tuple[int, tuple[bytes, ...]], ...]:
        """One member's (day, day keys of the phones that day), of every day held."""
        try:
            return self._hq.vault.day_keys(pseudonym) if self._hq.vault is not None else ()
        except CacheError as error:
            self._fail(error, None)
            return ()

    def keyring(self, day: int) -> Iterator[tuple[bytes, tuple[bytes, ...]]]:
        """(pseudonym, day keys of the member's phones) of one day, in slices: other calls may come between."""
        with self._failing(None):
            if self._hq.vault is not None:
                yield from self._hq.vault.keyring(day)

    def modes(self) -> Iterator[tuple[bytes, Mode]]:
        """(pseudonym, mode) of all members, in slices; may name one whose record `member` then refuses."""
        with self._failing(None):
            if self._hq.vault is not None:
                yield from self._hq.vault.modes()

    # --- what happens in the store -----------------------------------------------------------------------------------

    def record(self, now_mono_s: float, *entries: Entry) -> int:
        """Keeps events (kind, pseudonym, body: the kind's dataclass of `wire.sync`) in one transaction.

        Returns the last one's number. Raises: CacheError; then none is kept and the store is dark.
        """
        with self._writing(now_mono_s) as vault:
            return vault.record(entries, self.trusted_ms(now_mono_s) or 0, now_mono_s)

    def deny(self, pseudonym: bytes, scope: str | None, withdrawal: sync.Withdrawal, now_mono_s: float) -> Changes:
        """A withdrawal in the store: local denial and event in one transaction. Raises: CacheError."""
        with self._writing(now_mono_s) as vault:
            stated = dataclasses.replace(withdrawal, scope=scope)
            vault.deny(pseudonym, stated, self.trusted_ms(now_mono_s) or 0, now_mono_s)
        touched = Touched()
        touched.members.add(pseudonym)
        touched.gone = True
        return self._changes(touched, now_mono_s)

    def mute(self, pseudonym: bytes, mute: sync.Mute, now_mono_s: float, *before: Entry) -> Changes:
        """A mute in the store, in force at once: local denial and event in one transaction. Raises: CacheError.

        `before`: events that are kept with it and stand before it.
        """
        with self._writing(now_mono_s) as vault:
            vault.mute(pseudonym, mute, self.trusted_ms(now_mono_s) or 0, now_mono_s, *before)
        touched = Touched()
        touched.members.add(pseudonym)
        return self._changes(touched, now_mono_s)

    def add_tablet(self, tablet: Tablet) -> None:
        """Keeps a paired tablet and records it in one transaction. Raises: CacheError."""
        with self._writing(None) as vault:
            vault.add_tablet(tablet, 0.0)

    def tablet(self, secret_hash: bytes) -> Tablet | None:
        """The tablet with this secret."""
        return next((tablet for tablet in self.tablets() if tablet.secret_hash == secret_hash), None)

    def tablets(self) -> tuple[Tablet, ...]:
        """All paired tablets."""
        with self._failing(None):
            if self._hq.vault is not None:
                return self._hq.vault.tablets()
            if self._hq.cache is not None:
                return tuple(
                    Tablet(row["id"], row["secret_hash"], "", "", 0) for row in self._hq.cache.local("tablets")
                )
        return ()

    def unpair(self, tablet_id: str, now_mono_s: float) -> None:
        """Forgets a tablet and records it in one transaction; unknown is fine. Raises: CacheError."""
        with self._writing(now_mono_s) as vault:
            vault.unpair(tablet_id, self.trusted_ms(now_mono_s) or 0, now_mono_s)

    def set_pin(self, pin: sync.PinSet, now_mono_s: float) -> None:
        """A PIN that an associate set here, in force at once: local and event in one transaction. Raises: CacheError.

        Its `set_ms` is given here: now, and later than that of the PIN that it replaces.
        """
        with self._writing(now_mono_s) as vault:
            vault.set_pin(pin, self.trusted_ms(now_mono_s) or 0, now_mono_s)

    # --- the conversation with HQ ------------------------------------------------------------------------------------

    def on_payload(self, payload: bytes, fast: bool, now_mono_s: float) -> Changes:
        """A message from the broker; `fast`: on the topic `now`. What is wrong with it is counted, never raised."""
        touched = Touched()
        with self._failing(now_mono_s):
            self._hq.take(payload, now_mono_s, touched)
            if self._failure is CacheReason.WRONG_KEY and self._hq.vault is not None:
                self._failure = None
            if touched.records:
                self._wrote()
        return self._advanced(touched, now_mono_s, fast)

    def tick(self, now_mono_s: float) -> Changes:
        """Heartbeat, retries, the end of a lease; at least every 0.2 s."""
        if self._failure is not None and self._failure not in _STICKY and now_mono_s >= self._recover_at:
            with self._failing(now_mono_s):
                cache = self._hq.cache or opened(self._file, self._entropy)
                if self._hq.cache is None:
                    self._hq.use(cache)
                cache.put_header(cache.header)
                self._wrote()
        return self._advanced(Touched(), now_mono_s, False)

    def work(self, most_rows: int, now_mono_s: float) -> tuple[Changes, bool]:
        """A slice of what nobody waits for, of about so many rows; what changed, and whether there is more."""
        touched, more = Touched(), False
        if not self.failed():
            with self._failing(now_mono_s):
                more = self._hq.work(most_rows, now_mono_s, touched)
        if not more:
            return NO_CHANGES, False
        if touched.records:
            self._wrote()
        return self._advanced(touched, now_mono_s, False), True

    def upkeep(self, task: query.Task, now_mono_s: float) -> bool:
        """What an operator asks for; False while locked."""
        if self._hq.vault is None:
            return False
        match task:
            case query.Task.RETRY:
                _log.info("retry", instances=self._hq.replication.retry())
                self._hq.keeper.hello_soon(now_mono_s)
            case query.Task.CHECK:
                self._hq.replication.proof.hurry(self._hq.vault.holdings)
        return True

    def on_link(self, up: bool, now_mono_s: float) -> None:
        """The connection to the broker came or went."""
        self._hq.on_link(up, now_mono_s)

    def outgoing(self) -> list[bytes]:
        """Envelopes for the topic `up`, each handed out once; to be fetched after every other call."""
        return self._hq.outgoing()

    def _advanced(self, touched: Touched, now_mono_s: float, fast: bool) -> Changes:
        light = self.lease(now_mono_s).light
        readiness = Readiness.LIVE if light is Light.LIVE else Readiness.DARK
        with self._failing(now_mono_s):
            self._hq.advance(readiness if self._hq.vault is not None else Readiness.LOCKED, now_mono_s)
        if touched.records:
            _log.info(
                "applied", records=touched.records, members=len(touched.members), days=len(touched.days),
                staff=len(touched.staff), policy=touched.policy, fast=fast,
            )  # fmt: skip
        return self._changes(touched, now_mono_s, fast)

    def _changes(self, touched: Touched, now_mono_s: float, fast: bool = False) -> Changes:
        before, lease = self._shown, self.lease(now_mono_s)
        self._shown = (lease.light, lease.reason)
        changed = bool(touched.members or touched.staff or touched.days or touched.policy or touched.unpaired)
        went_dark = before[0] is Light.LIVE and lease.light is not Light.LIVE
        return Changes(
            members=frozenset(touched.members),
            keyring_days=frozenset(touched.days),
            keyed=frozenset(touched.keyed),
            modes=touched.modes,
            buckets=touched.buckets,
            days_gone=frozenset(touched.days_gone),
            anew=touched.anew,
            policy=touched.policy,
            staff=frozenset(touched.staff),
            light=self._shown != before,
            withdrawn=tuple(touched.withdrawn),
            unpaired=frozenset(touched.unpaired),
            leavings=tuple(touched.leavings),
            urgent=went_dark or touched.gone or (changed and (fast or 0 < len(touched.members) <= _SMALL)),
        )

    # --- failures ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _failing(self, now_mono_s: float | None) -> Iterator[None]:
        """A failure of the cache makes the store dark and is said once."""
        try:
            yield
        except CacheError as error:
            self._fail(error, now_mono_s)

    @contextmanager
    def _writing(self, now_mono_s: float | None) -> Iterator[Vault]:
        """The vault to write to; a failure makes the store dark, and the caller is told. Raises: CacheError."""
        if self._hq.vault is None:
            raise CacheError(CacheReason.LOCKED)
        try:
            yield self._hq.vault
        except CacheError as error:
            self._fail(error, now_mono_s)
            raise
        self._wrote()

    def _fail(self, error: CacheError, now_mono_s: float | None) -> None:
        if self._failure is not error.reason:
            _log.error("cache_failed", reason=error.reason.value, remedy=error.hint)
        if self._failure not in _STICKY:
            self._failure = error.reason
        self._recover_at = (now_mono_s or 0.0) + _RECOVER_S
        self._hq.counts["cache_failures"] += 1

    def _wrote(self) -> None:
        """A write succeeded: what only hindered writing is over."""
        if self._failure is CacheReason.OUTBOX_FULL and self._hq.vault and not self._hq.vault.outbox.has_room:
            return
        if self._failure is not None and self._failure not in _STICKY:
            _log.info("cache_recovered", reason=self._failure.value)
            self._failure = None
