"""One store's replica of what HQ says, and the lease under which the store may disclose.

Used by the one state thread only. `now_mono_s` is CLOCK_BOOTTIME in seconds, everywhere.

I/O: the cache file, through `store_gateway.cache`.
"""

import random
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from consent.visit import Denied
from store_gateway.keys import BoxKeys
from wire import query, sync
from wire.member import Member, Mode, Staff
from wire.policy import Policy
from wire.sync import EventKind


@dataclass(frozen=True, slots=True)
class Changes:
    """What one call changed, so that whoever shows something can look again.

    members: pseudonyms whose record or local denial is another. keyring_days: UTC days whose keys are others or were
    dropped. policy: another policy pair is in force. staff: associates' ids. light: light or its reason is another.
    urgent: a withdrawal, the fast lane or darkness; goes to the tablets at once.
    After an unlock everything that the cache holds is new: `policy` and all `keyring_days` say so, `members` does not.
    """

    members: frozenset[bytes] = frozenset()
    keyring_days: frozenset[int] = frozenset()
    policy: bool = False
    staff: frozenset[str] = frozenset()
    light: bool = False
    urgent: bool = False


NO_CHANGES = Changes()


@dataclass(frozen=True, slots=True)
class Tablet:
    """A paired tablet. `secret_hash`: SHA-256 of its secret. Until the unlock, label and browser are empty."""

    id: str
    secret_hash: bytes
    label: str
    browser: str
    paired_ms: int


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
        raise NotImplementedError

    def close(self) -> None:
        """Closes the cache file."""
        raise NotImplementedError

    def lease(self, now_mono_s: float) -> query.Lease:
        """Whether the store may disclose now, and why not."""
        raise NotImplementedError

    def live(self, now_mono_s: float) -> bool:
        """Whether the store may disclose now: to be asked in every answer."""
        raise NotImplementedError

    def trusted_ms(self, now_mono_s: float) -> int | None:
        """Trusted time, Unix milliseconds UTC; None before HQ's first lease."""
        raise NotImplementedError

    def policy(self) -> Policy | None:
        """The last good pair of policy records."""
        raise NotImplementedError

    def member(self, pseudonym: bytes) -> Member | None:
        """The member's record; None: unknown, gone, or its body was refused."""
        raise NotImplementedError

    def denied(self, pseudonym: bytes) -> Denied:
        """What was withdrawn in this store and HQ has not folded in yet."""
        raise NotImplementedError

    def staff(self, associate: str) -> Staff | None:
        """An associate's record, active or not."""
        raise NotImplementedError

    def key_days(self) -> tuple[int, ...]:
        """The UTC days of which a keyring is held, ascending."""
        raise NotImplementedError

    def keyring(self, day: int) -> Iterator[tuple[bytes, tuple[bytes, ...]]]:
        """(pseudonym, day keys of the member's phones) of one day, in slices: other calls may come between."""
        raise NotImplementedError

    def modes(self) -> Iterator[tuple[bytes, Mode]]:
        """(pseudonym, mode) of all members, in slices; may name one whose record `member` then refuses."""
        raise NotImplementedError

    def on_payload(self, payload: bytes, fast: bool, now_mono_s: float) -> Changes:
        """A message from the broker; `fast`: on the topic `now`. What is wrong with it is counted, never raised."""
        raise NotImplementedError

    def tick(self, now_mono_s: float) -> Changes:
        """Heartbeat, retries, the end of a lease; at least every 0.2 s."""
        raise NotImplementedError

    def on_link(self, up: bool, now_mono_s: float) -> None:
        """The connection to the broker came or went."""
        raise NotImplementedError

    def outgoing(self) -> list[bytes]:
        """Envelopes for the topic `up`, each handed out once; to be fetched after every other call."""
        raise NotImplementedError

    def record(self, now_mono_s: float, *entries: tuple[EventKind, bytes | None, object]) -> int:
        """Keeps events (kind, pseudonym, body: the kind's dataclass of `wire.sync`) in one transaction.

        Returns the last one's number. Raises: CacheError; then none is kept and the store is dark.
        """
        raise NotImplementedError

    def deny(self, pseudonym: bytes, scope: str | None, withdrawal: sync.Withdrawal, now_mono_s: float) -> Changes:
        """A withdrawal in the store: local denial and event in one transaction. Raises: CacheError."""
        raise NotImplementedError

    def add_tablet(self, tablet: Tablet) -> None:
        """Keeps a paired tablet. Raises: CacheError."""
        raise NotImplementedError

    def tablet(self, secret_hash: bytes) -> Tablet | None:
        """The tablet with this secret."""
        raise NotImplementedError

    def tablets(self) -> tuple[Tablet, ...]:
        """All paired tablets."""
        raise NotImplementedError

    def remove_tablet(self, tablet_id: str) -> None:
        """Forgets a tablet; unknown is fine. Raises: CacheError."""
        raise NotImplementedError

    def counters(self) -> dict[str, int]:
        """Counts since the start, by name."""
        raise NotImplementedError

    def failed(self) -> bool:
        """The disk could not be written or the cache is not sound: dark until a write succeeds."""
        raise NotImplementedError
