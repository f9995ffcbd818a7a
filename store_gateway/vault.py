"""What the unlocked cache holds, as the gateway asks for it: members, staff, keys, policy, denials, events, tablets.

I/O: the cache file, through `store_gateway.cache`.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TypeVar

from consent.visit import Denied
from store_gateway.cache import Cache
from store_gateway.core import admit
from store_gateway.denials import Denials
from store_gateway.disclosure_log import Sign
from store_gateway.epochs import Epochs
from store_gateway.holdings import Holdings, Instance, Span
from store_gateway.memories import Memories, ends_memory, lets_suggest, lets_tell
from store_gateway.outbox import Entry, Outbox
from store_gateway.paired import PairedTablets
from store_gateway.paired import Tablet as Tablet
from store_gateway.people import People
from store_gateway.seal import Entropy
from store_gateway.touched import Bucket as Bucket
from store_gateway.touched import Touched as Touched
from wire import keyring, schema, sync
from wire.catalog import CatalogItem
from wire.errors import WireError
from wire.items import SuggestionOutcome
from wire.member import Member, Mode, Staff
from wire.policy import MAIN_KEY, Policy, store_key
from wire.suggestions import DEFAULT, Memory, SuggestionPolicy
from wire.sync import Collection, EventKind, Part

T = TypeVar("T")

RECENT_MEMBERS = 256  # decoded, for the few who are present: at most some megabytes
_DAY_MS = 86_400_000
_SWEPT = 16  # memories in one slice: some milliseconds
_MODE_AT = 2  # a member's body begins: map of n, key 0, mode
_MODES = {mode.value: mode for mode in Mode}


class Vault:
    """An unlocked cache."""

    __slots__ = ("_cache", "_recent", "_store", "denials", "holdings", "memories", "outbox", "paired", "people",
                 "policy", "refused_bodies")  # fmt: skip

    def __init__(self, cache: Cache, epochs: Epochs, entropy: Entropy, store: str) -> None:
        """Opens everything. Raises: CacheError."""
        self._cache = cache
        self._store = store
        self.holdings = Holdings(cache, epochs, entropy)
        self.outbox = Outbox(cache, self.holdings.buckets, entropy)
        self.denials = Denials(cache, self.holdings.buckets)
        self.memories = Memories(cache, self.holdings.buckets, self.outbox.tag)
        self.people = People(cache, self.holdings)
        self.paired = PairedTablets(cache, self.holdings.buckets)
        self.refused_bodies = 0
        self._recent: OrderedDict[bytes, Member | None] = OrderedDict()
        self._check_good()
        self.policy = self._good_policy()

    @contextmanager
    def writing(self, now_mono_s: float) -> Iterator[None]:
        """One transaction: rows, roots, events, denials, PINs and memories together. Raises: CacheError."""
        with (
            self.denials.transaction(), self.people.transaction(), self.outbox.transaction(),
            self.memories.transaction(), self.holdings.transaction(now_mono_s),
        ):  # fmt: skip
            yield

    # --- what HQ says ------------------------------------------------------------------------------------------------

    def apply(self, parts: tuple[Part, ...], now_mono_s: float) -> Touched:
        """Applies what one transaction at HQ changed, in one transaction. Raises: CacheError."""
        touched = Touched()
        with self.writing(now_mono_s):
            for part in parts:
                held = self.holdings.instances.get(part.instance)
                if held is not None:  # else a day whose digest key is on its way: it is filled then
                    self.holdings.apply(held, part.records, partial(self._note, touched))
        self._after(touched)
        return touched

    def apply_spans(self, spans: Iterable[tuple[Instance, Span]], now_mono_s: float) -> Touched:
        """Applies pieces of ranges in one transaction. Raises: CacheError."""
        touched = Touched()
        with self.writing(now_mono_s):
            for held, span in spans:
                self.holdings.apply_span(held, span, partial(self._note, touched))
        self._after(touched)
        return touched

    def raise_floors(self, held: Instance, as_of: int, spans: Iterable[tuple[bytes, bytes]], now_mono_s: float) -> None:
        """HQ holds what we hold below the nodes of these spans. Raises: CacheError."""
        with self.writing(now_mono_s):
            for first, last in spans:
                self.holdings.raise_floor(held, first, last, as_of)

    def drop(self, name: str, touched: Touched) -> None:
        """Forgets an instance that HQ names no more; its rows go in slices. Raises: CacheError."""
        held = self.holdings.instances[name]
        if held.collection is Collection.MEMBERS:
            touched.anew = True
        if held.collection is Collection.STAFF:
            touched.staff.update(key.decode("utf-8", "replace") for key, _ in self.holdings.walk(held))
        try:
            with self._cache.transaction():
                self.holdings.drop(name)
                if held.collection is Collection.MEMBERS:
                    self.memories.erase_all()
                if held.collection is Collection.POLICY:
                    self._cache.erase_local("good", "name is not null")
        except BaseException:
            self.holdings.instances[name] = held  # the file has it still
            raise
        if held.day is not None:
            touched.days.add(held.day)
            touched.days_gone.add(held.day)
        if held.collection is Collection.POLICY:
            touched.policy = True
        touched.gone = True
        self._recent.clear()
        self._after(touched)

    def _note(self, touched: Touched, held: Instance, key: bytes, body: bytes | None) -> None:
        """One record counted, inside of its transaction."""
        touched.records += 1
        if held.collection is Collection.MEMBERS:
            touched.members.add(key)
            touched.modes[key] = _mode(body) if body is not None else None
            if body is None:
                touched.gone = True
                self.memories.erase(key)
            elif self.denials.any_of(key) or self.memories.any_of(key):
                self._note_member(key, _decoded(Member, body))
        elif held.collection is Collection.KEYRING and held.day is not None:
            touched.days.add(held.day)
            entries = self._unpacked(body)
            touched.keyed.update(pseudonym for pseudonym, _ in entries)
            touched.buckets[held.day, int.from_bytes(key, "big")] = entries
        elif held.collection is Collection.STAFF:
            touched.staff.add(key.decode("utf-8", "replace"))
            touched.gone = True
            self.people.fold(key, body)
        elif held.collection is Collection.POLICY and key in (MAIN_KEY, store_key(self._store)):
            self._note_policy(key, body, touched)

    def _note_member(self, pseudonym: bytes, member: Member | None) -> None:
        if member is not None and self.denials.any_of(pseudonym):
            self.denials.fold(pseudonym, member)
        if member is None or not lets_suggest(member, self.policy, self._store):
            self.memories.erase(pseudonym)

    def _note_policy(self, key: bytes, body: bytes | None, touched: Touched) -> None:
        name = key.decode()
        if body is None:
            self._cache.erase_local("good", "name = ?", name)
        elif admit.is_good(key, body, self._store):
            sealed = self.holdings.buckets.close_local("good", key, body)
            self._cache.put_local("good", {"name": name, "sealed": sealed})
        else:
            self.refused_bodies += 1
            return
        touched.policy = True

    def _after(self, touched: Touched) -> None:
        for pseudonym in touched.members:
            self._recent.pop(pseudonym, None)
        if touched.policy:
            self.policy = self._good_policy()

    def _check_good(self) -> None:
        """What is in force is what the record says, where that is good: an older row may have been put in its place."""
        for held in self.holdings.of(Collection.POLICY):
            for key in (MAIN_KEY, store_key(self._store)):
                body = self.holdings.body(held, key)
                if body is not None and body != self._good(key) and admit.is_good(key, body, self._store):
                    with self._cache.transaction():
                        self._note_policy(key, body, Touched())

    def _good(self, key: bytes) -> bytes:
        rows = self._cache.local("good", "name = ?", key.decode())
        return self.holdings.buckets.open_local("good", key, rows[0]["sealed"]) if rows else b""

    def _good_policy(self) -> Policy | None:
        main = admit.main_policy(self._good(MAIN_KEY))
        store = admit.store_policy(self._good(store_key(self._store)), self._store)
        return Policy(main, store) if main is not None and store is not None else None

    # --- what is asked -----------------------------------------------------------------------------------------------

    def member(self, pseudonym: bytes) -> Member | None:
        """A member's record. Raises: CacheError."""
        if pseudonym in self._recent:
            self._recent.move_to_end(pseudonym)
            return self._recent[pseudonym]
        member = self._one(Collection.MEMBERS, pseudonym, Member)
        self._recent[pseudonym] = member
        if len(self._recent) > RECENT_MEMBERS:
            self._recent.popitem(last=False)
        return member

    def staff(self, associate: str) -> Staff | None:
        """An associate's record. Raises: CacheError."""
        return self.people.staff(associate)

    def catalog_item(self, item: str) -> CatalogItem | None:
        """What the catalog says of an item; None: nothing, or its body was refused. Raises: CacheError."""
        return self._one(Collection.CATALOG, item.encode("utf-8", "replace"), CatalogItem)

    def affinity(self, part: str) -> bytes | None:
        """A part of the model of others' habits, opaque; None: none. Raises: CacheError."""
        bodies = (self.holdings.body(held, part.encode()) for held in self.holdings.of(Collection.AFFINITY))
        return next((body for body in bodies if body is not None), None)

    def _one(self, collection: Collection, key: bytes, shape: type[T]) -> T | None:
        for held in self.holdings.of(collection):
            body = self.holdings.body(held, key)
            if body is not None:
                return _decoded(shape, body)
        return None

    def key_days(self) -> tuple[int, ...]:
        """The days of which a keyring is held."""
        return tuple(sorted(held.day for held in self.holdings.of(Collection.KEYRING) if held.day is not None))

    def keyring(self, day: int) -> Iterator[tuple[bytes, tuple[bytes, ...]]]:
        """Pseudonyms and day keys of one day. Raises: CacheError."""
        for held in tuple(self.holdings.of(Collection.KEYRING)):
            if held.day == day:
                for _, body in self.holdings.walk(held):
                    yield from self._unpacked(body)

    def day_keys(self, pseudonym: bytes) -> tuple[tuple[int, tuple[bytes, ...]], ...]:
        """One member's (day, day keys of the phones that day). Raises: CacheError."""
        found: list[tuple[int, tuple[bytes, ...]]] = []
        for held in tuple(self.holdings.of(Collection.KEYRING)):
            entries = self._unpacked(self.holdings.body(held, sync.bucket_key(pseudonym)))
            if held.day is not None:
                found += [(held.day, day_keys) for one, day_keys in entries if one == pseudonym]
        return tuple(found)

    def _unpacked(self, body: bytes | None) -> tuple[tuple[bytes, tuple[bytes, ...]], ...]:
        try:
            return keyring.unpack(body) if body is not None else ()
        except WireError:
            self.refused_bodies += 1
            return ()

    def modes(self) -> Iterator[tuple[bytes, Mode]]:
        """Pseudonyms and modes. Raises: CacheError.

        Only the mode is read: decoding 100,000 whole records takes ten times as long, and whoever shows one decodes it.
        """
        for held in tuple(self.holdings.of(Collection.MEMBERS)):
            for pseudonym, body in self.holdings.walk(held):
                mode = _mode(body)
                if mode is not None:
                    yield pseudonym, mode

    # --- what happens here -------------------------------------------------------------------------------------------

    def record(self, entries: tuple[Entry, ...], at_ms: int, now_mono_s: float) -> int:
        """Keeps events. Raises: CacheError, WireError."""
        with self.writing(now_mono_s):
            number = self.outbox.add(entries, at_ms)
            self._remember(entries, at_ms)
            return number

    def _remember(self, entries: Iterable[Entry], at_ms: int) -> None:
        """What became of suggestions, of who lets this store suggest, inside of the transaction of the events."""
        for _, pseudonym, body in entries:
            if pseudonym is not None and isinstance(body, SuggestionOutcome):
                member, denied = self.member(pseudonym), self.denials.of(pseudonym)
                of = self.policy, self._store, at_ms // 1000
                if member is not None and lets_tell(body, member, denied, *of):
                    self.memories.note(pseudonym, body, at_ms // _DAY_MS, self._rules())

    def sweep_memories(self, at_ms: int, now_mono_s: float) -> bool:
        """Once a day, some at a time: forgets what time alone ended; whether there may be more. Raises: CacheError."""
        day = at_ms // _DAY_MS
        found = self.memories.unswept(day, _SWEPT)
        if found:
            with self.writing(now_mono_s):
                for pseudonym in found:
                    member = self.member(pseudonym)
                    if member is None or not lets_suggest(member, self.policy, self._store, at_ms // 1000):
                        self.memories.erase(pseudonym)
                    else:
                        self.memories.tidy(pseudonym, day, self._rules())
        return bool(found)

    def _rules(self) -> SuggestionPolicy:
        return (self.policy.main.suggestions if self.policy is not None else None) or DEFAULT

    def memory(self, pseudonym: bytes) -> Memory:
        """What became of suggestions to this member. Raises: CacheError."""
        return self.memories.of(pseudonym)

    def deny(self, pseudonym: bytes, withdrawal: sync.Withdrawal, at_ms: int, now_mono_s: float) -> None:
        """Keeps a denial and its event. Raises: CacheError, WireError."""
        with self.writing(now_mono_s):
            number = self.outbox.add([(EventKind.WITHDRAWAL, pseudonym, withdrawal)], at_ms)
            self.denials.add(number, pseudonym, withdrawal.scope)
            if ends_memory(self.denials.of(pseudonym)):
                self.memories.erase(pseudonym)

    def mute(self, pseudonym: bytes, mute: sync.Mute, at_ms: int, now_mono_s: float, *before: Entry) -> None:
        """Keeps a mute, in force at once, and its event, behind others. Raises: CacheError, WireError."""
        with self.writing(now_mono_s):
            number = self.outbox.add([*before, (EventKind.MUTE, pseudonym, mute)], at_ms)
            self.denials.add(number, pseudonym, (mute.what, mute.id))
            self._remember(before, at_ms)

    def put_head(self, sign: Sign, at_ms: int, now_mono_s: float) -> None:
        """Keeps a signed head of the log, to go up with the events. Raises: CacheError."""
        with self.writing(now_mono_s):
            head = self.outbox.log.head(sign, at_ms, now_mono_s)
            self.outbox.add([(EventKind.LOG_HEAD, None, head)], at_ms)

    def settle_denials(self, through: int, now_mono_s: float) -> None:
        """The members agree as of an answer by which HQ had stored the events up to `through`. Raises: CacheError."""
        gone = [pseudonym for pseudonym in self.denials.of_events(through) if not self._holds(pseudonym)]
        if gone:
            with self.writing(now_mono_s):
                for pseudonym in gone:
                    self.denials.erase(pseudonym, through)

    def _holds(self, pseudonym: bytes) -> bool:
        return any(self.holdings.body(held, pseudonym) is not None for held in self.holdings.of(Collection.MEMBERS))

    def erase_member(self, pseudonym: bytes, now_mono_s: float) -> tuple[Touched, int, int, int]:
        """Erases all that is of one member, in one transaction; how many live records, denials and events that was.

        A keyring record in which others are too goes whole: HQ, which has erased the member, sends it without.
        Raises: CacheError.
        """
        touched, records = Touched(), 0
        with self.writing(now_mono_s):
            for held in self.holdings.of(Collection.MEMBERS):
                records += self.holdings.remove(held, pseudonym, partial(self._note, touched))
            for held in self.holdings.of(Collection.KEYRING):
                key = sync.bucket_key(pseudonym)
                if any(one == pseudonym for one, _ in self._unpacked(self.holdings.body(held, key))):
                    records += self.holdings.remove(held, key, partial(self._note, touched))
            self.memories.erase(pseudonym)
            denials = self.denials.erase_member(pseudonym)
            events = self.outbox.erase_member(pseudonym)
        touched.members.add(pseudonym)
        touched.modes.setdefault(pseudonym, None)
        touched.gone = True
        self._after(touched)
        return touched, records, denials, events

    def denied(self, pseudonym: bytes) -> Denied:
        """What was withdrawn here."""
        return self.denials.of(pseudonym)

    def set_pin(self, pin: sync.PinSet, at_ms: int, now_mono_s: float) -> None:
        """Keeps a PIN that was set here, in force at once, and its event. Raises: CacheError, WireError."""
        set_ms = self.people.next_ms(pin.associate, at_ms)
        with self.writing(now_mono_s):
            number = self.outbox.add([(EventKind.PIN_SET, None, replace(pin, set_ms=set_ms))], at_ms)
            self.people.put_pin(number, pin.associate, pin.verifier, set_ms)

    def add_tablet(self, tablet: Tablet, now_mono_s: float) -> None:
        """Keeps a tablet, and the event. Raises: CacheError."""
        with self.writing(now_mono_s):
            self.paired.put(tablet)
            self.outbox.add([(EventKind.PAIRING, None, sync.Pairing(tablet.id, True))], tablet.paired_ms)

    def unpair(self, tablet_id: str, at_ms: int, now_mono_s: float) -> None:
        """Forgets a tablet, and keeps the event. Raises: CacheError."""
        with self.writing(now_mono_s):
            self.paired.erase(tablet_id)
            self.outbox.add([(EventKind.PAIRING, None, sync.Pairing(tablet_id, False))], at_ms)

    def tablets(self) -> tuple[Tablet, ...]:
        """All tablets. Raises: CacheError."""
        return self.paired.all()


def _mode(body: bytes) -> Mode | None:
    return _MODES.get(body[_MODE_AT]) if len(body) > _MODE_AT and body[1] == 0 else None


def _decoded(shape: type[T], body: bytes) -> T | None:
    try:
        return schema.decode(shape, body)
    except WireError:
        return None
