"""A replica in memory, with the methods of `store_gateway.replica.Replica` and verbs that say what HQ says.

Time is an argument. `fail` makes every write raise, as a full disk does.

Pure: no I/O, no clock.
"""

import hashlib
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import replace

from consent.suggest.memory import NOTHING, Came, after
from consent.visit import NOTHING_DENIED, Denied
from store_gateway.core.phones import bucket_of
from store_gateway.errors import CacheError, CacheReason
from store_gateway.memories import ends_memory, lets_suggest, lets_tell
from store_gateway.replica import NO_CHANGES, Changes, Tablet
from store_gateway.trust import Trust
from wire import query, sync
from wire.catalog import CatalogItem
from wire.condition import Agreement
from wire.member import Member, Mode, Staff
from wire.policy import Policy
from wire.query import DarkReason, Light
from wire.suggestions import DEFAULT, Memory

Keys = tuple[bytes, ...]
Entry = tuple[sync.EventKind, bytes | None, object]
MEMBERS_KEY = bytes(range(32))


class FakeShelf:
    """What the catalog says: `items` by id; and the tables of others' habits: `parts` by name."""

    def __init__(self) -> None:
        self.items: dict[str, CatalogItem] = {}
        self.parts: dict[str, bytes] = {}

    def tables_stamp(self) -> tuple[tuple[str, bytes, int], ...]:
        """Another one where the parts are others."""
        root = hashlib.sha256(repr(sorted(self.parts.items())).encode()).digest()
        return (("affinity/main", root, len(self.parts)),) if self.parts else ()

    def part(self, name: str) -> bytes | None:
        """One of them."""
        return self.parts.get(name)

    def stamp(self) -> tuple[tuple[str, bytes, int], ...]:
        """Another one where the items are others."""
        root = hashlib.sha256(repr(sorted(self.items.items())).encode()).digest()
        return (("catalog/main", root, len(self.items)),) if self.items else ()

    def item(self, item: str) -> CatalogItem | None:
        """One of them."""
        return self.items.get(item)

    def walk(self) -> Iterator[tuple[str, CatalogItem]]:
        """All of them."""
        yield from tuple(self.items.items())


class FakeReplica:
    """See the module. `epoch_ms`: trusted time at boot-clock 0; None: there is none yet."""

    def __init__(self, policy: Policy | None, epoch_ms: int | None) -> None:
        self.epoch_ms = epoch_ms
        self.members: dict[bytes, Member] = {}
        self.keys: dict[int, dict[bytes, Keys]] = {}
        self.people: dict[str, Staff] = {}
        self.denials: dict[bytes, Denied] = {}
        self.memories: dict[bytes, Memory] = {}
        self.events: list[tuple[sync.EventKind, bytes | None, object]] = []
        self.reason = DarkReason.NONE
        self.fail: CacheReason | None = None
        self.filling = False
        self.reads = 0
        self.trust = Trust(None, bytes(32), secrets.token_bytes)
        self.shelf = FakeShelf()
        self.tasks: list[query.Task] = []
        self._policy = policy
        self._tablets: dict[str, Tablet] = {}
        self._waiting = NO_CHANGES
        self._shown = DarkReason.NONE

    # --- what HQ says ------------------------------------------------------------------------------------------------

    def dark(self, reason: DarkReason) -> None:
        """The light, from the next tick on; NONE is live."""
        self.reason = reason

    def put_policy(self, policy: Policy | None) -> Changes:
        """Another policy pair."""
        self._policy = policy
        return Changes(policy=True)

    def put_member(self, pseudonym: bytes, member: Member | None) -> Changes:
        """A member's record; None: gone."""
        if member is None:
            self.members.pop(pseudonym, None)
        else:
            self.members[pseudonym] = member
        if member is None or not self._lets(member):
            self.memories.pop(pseudonym, None)
        modes = {pseudonym: member.mode if member is not None else None}
        return Changes(members=frozenset({pseudonym}), modes=modes, urgent=True)

    def put_keys(self, day: int, pseudonym: bytes, keys: Keys) -> Changes:
        """A member's day keys."""
        held = self.keys.setdefault(day, {})
        held[pseudonym] = keys
        bucket = bucket_of(pseudonym)
        entries = tuple(sorted(one for one in held.items() if bucket_of(one[0]) == bucket))
        return Changes(
            keyring_days=frozenset({day}),
            keyed=frozenset(one for one, _ in entries),
            buckets={(day, bucket): entries},
        )

    def drop_keys(self, day: int) -> Changes:
        """A day is over."""
        del self.keys[day]
        return Changes(keyring_days=frozenset({day}), days_gone=frozenset({day}))

    def put_staff(self, associate: str, staff: Staff | None) -> Changes:
        """An associate's record."""
        if staff is None:
            self.people.pop(associate, None)
        else:
            self.people[associate] = staff
        return Changes(staff=frozenset({associate}), urgent=True)

    def say(self, changes: Changes) -> bytes:
        """A payload that brings these changes."""
        self._waiting = changes
        return b"changes"

    # --- the replica -------------------------------------------------------------------------------------------------

    def lease(self, now_mono_s: float) -> query.Lease:
        """Live with a minute left, or dark."""
        reason = DarkReason.DISK if self.failed() else self.reason
        if reason is DarkReason.NONE and self._policy is None:
            reason = DarkReason.NO_POLICY
        if reason is DarkReason.NONE:
            return query.Lease(Light.LIVE, reason, 60, 120, self.trusted_ms(now_mono_s))
        light = Light.LOCKED if reason is DarkReason.STARTING else Light.DARK
        return query.Lease(light, reason, 0, 0, None)

    def live(self, now_mono_s: float) -> bool:
        """Whether the store may disclose."""
        return self.lease(now_mono_s).light is Light.LIVE

    def disk(self) -> tuple[int, int, int]:
        """Room on the disk, the cache's size, events that wait."""
        return 10**9, 10**6, len(self.events)

    def outbox_bytes(self) -> int:
        """What the events take."""
        return 300 * len(self.events)

    def instances(self) -> tuple[tuple[str, Agreement, int], ...]:
        """The members and the policy."""
        agreement = Agreement.FILLING if self.filling else Agreement.AGREES
        return (("members/berlin-1", agreement, len(self.members)), ("policy/main", agreement, 2))

    def trusted_ms(self, now_mono_s: float) -> int | None:
        """Trusted time."""
        return None if self.epoch_ms is None else self.epoch_ms + int(now_mono_s * 1000)

    def members_key(self) -> bytes | None:
        """The digest key of the members."""
        return MEMBERS_KEY

    def policy(self) -> Policy | None:
        """The policy in force."""
        return self._policy

    def member(self, pseudonym: bytes) -> Member | None:
        """A member's record."""
        self.reads += 1
        return self.members.get(pseudonym)

    def denied(self, pseudonym: bytes) -> Denied:
        """What was withdrawn here."""
        return self.denials.get(pseudonym, NOTHING_DENIED)

    def memory(self, pseudonym: bytes) -> Memory:
        """What became of suggestions to this member."""
        return self.memories.get(pseudonym, NOTHING)

    def _remember(self, entries: Iterable[Entry], now_mono_s: float) -> None:
        for _, pseudonym, body in entries:
            member = self.members.get(pseudonym or b"")
            if pseudonym is not None and isinstance(body, sync.SuggestionOutcome) and member is not None:
                day = (self.trusted_ms(now_mono_s) or 0) // 86_400_000
                store = self._policy.store.store if self._policy else ""
                if lets_tell(body, member, self.denied(pseudonym), self._policy, store, day * 86_400):
                    came = Came(body.response.value)
                    self.memories[pseudonym] = after(self.memory(pseudonym), body.item, came, day, DEFAULT)

    def _lets(self, member: Member, now_s: int = 0) -> bool:
        return lets_suggest(member, self._policy, self._policy.store.store if self._policy else "", now_s)

    def staff(self, associate: str) -> Staff | None:
        """An associate's record."""
        return self.people.get(associate)

    def all_staff(self) -> tuple[tuple[str, Staff], ...]:
        """Everybody."""
        return tuple(sorted(self.people.items()))

    def key_days(self) -> tuple[int, ...]:
        """The days held."""
        return tuple(sorted(self.keys))

    def day_keys(self, pseudonym: bytes) -> tuple[tuple[int, Keys], ...]:
        """One member's keys."""
        return tuple((day, held[pseudonym]) for day, held in sorted(self.keys.items()) if pseudonym in held)

    def keyring(self, day: int) -> Iterator[tuple[bytes, Keys]]:
        """Everybody's keys of a day."""
        yield from tuple(self.keys.get(day, {}).items())

    def modes(self) -> Iterator[tuple[bytes, Mode]]:
        """Everybody's mode."""
        yield from tuple((pseudonym, member.mode) for pseudonym, member in self.members.items())

    def on_payload(self, payload: bytes, fast: bool, now_mono_s: float) -> Changes:
        """What `say` prepared; anything else is noise."""
        changes, self._waiting = self._waiting, NO_CHANGES
        return changes if payload == b"changes" else NO_CHANGES

    def tick(self, now_mono_s: float) -> Changes:
        """Tells of a changed light."""
        reason = self.lease(now_mono_s).reason
        changed, self._shown = reason is not self._shown, reason
        return Changes(light=True, urgent=True) if changed else NO_CHANGES

    def work(self, most_rows: int, now_mono_s: float) -> tuple[Changes, bool]:
        """There is no fill."""
        return NO_CHANGES, False

    def upkeep(self, task: query.Task, now_mono_s: float) -> bool:
        """Notes what an operator asked for."""
        self.tasks.append(task)
        return True

    def on_link(self, up: bool, now_mono_s: float) -> None:
        """Nothing to do."""

    def outgoing(self) -> list[bytes]:
        """Nothing to say."""
        return []

    def record(self, now_mono_s: float, *entries: Entry) -> int:
        """Keeps events, or none."""
        self._check()
        self.events += entries
        self._remember(entries, now_mono_s)
        return len(self.events)

    def deny(self, pseudonym: bytes, scope: str | None, withdrawal: sync.Withdrawal, now_mono_s: float) -> Changes:
        """A denial and its event."""
        self._check()
        before = self.denied(pseudonym)
        self.denials[pseudonym] = (
            replace(before, everything=True) if scope is None else replace(before, scopes=before.scopes | {scope})
        )
        if ends_memory(self.denials[pseudonym]):
            self.memories.pop(pseudonym, None)
        self.events.append((sync.EventKind.WITHDRAWAL, pseudonym, replace(withdrawal, scope=scope)))
        return Changes(members=frozenset({pseudonym}), urgent=True)

    def mute(self, pseudonym: bytes, mute: sync.Mute, now_mono_s: float, *before: Entry) -> Changes:
        """A mute's denial and its event, behind others."""
        self._check()
        self.events += before
        self._remember(before, now_mono_s)
        denied = self.denied(pseudonym)
        self.denials[pseudonym] = replace(denied, mutes=denied.mutes | {(mute.what, mute.id)})
        self.events.append((sync.EventKind.MUTE, pseudonym, mute))
        return Changes(members=frozenset({pseudonym}))

    def add_tablet(self, tablet: Tablet) -> None:
        """Keeps a tablet."""
        self._check()
        self._tablets[tablet.id] = tablet
        self.events.append((sync.EventKind.PAIRING, None, sync.Pairing(tablet.id, True)))

    def tablet(self, secret_hash: bytes) -> Tablet | None:
        """The tablet with this secret."""
        return next((one for one in self._tablets.values() if one.secret_hash == secret_hash), None)

    def tablets(self) -> tuple[Tablet, ...]:
        """All tablets."""
        return tuple(self._tablets.values())

    def unpair(self, tablet_id: str, now_mono_s: float) -> None:
        """Forgets a tablet, and the event."""
        self._check()
        self._tablets.pop(tablet_id, None)
        self.events.append((sync.EventKind.PAIRING, None, sync.Pairing(tablet_id, False)))

    def set_pin(self, pin: sync.PinSet, now_mono_s: float) -> None:
        """A PIN in force at once, and its event."""
        self._check()
        before = self.people[pin.associate]
        set_ms = max(self.trusted_ms(now_mono_s) or 0, (before.pin_set_ms or 0) + 1)
        self.people[pin.associate] = replace(before, pin_verifier=pin.verifier, pin_set_ms=set_ms)
        self.events.append((sync.EventKind.PIN_SET, None, replace(pin, set_ms=set_ms)))

    def counters(self) -> dict[str, int]:
        """None."""
        return {}

    def failed(self) -> bool:
        """Whether writes fail."""
        return self.fail is not None

    def _check(self) -> None:
        if self.fail is not None:
            raise CacheError(self.fail)
