"""The orders that go in slices: export and erase one member, roll to a new epoch, recall.

Each is a generator of steps: True where there is more to do at once, False where something is waited for, last the
outcome with its result. Whatever power leaves half done is done again from the start by the order that comes again.

I/O: the cache file, through `store_gateway.vault` and `store_gateway.epochs`.
"""

from collections.abc import Callable, Iterator
from typing import Final

from store_gateway.buckets import LOCAL, Place
from store_gateway.cache import Cache
from store_gateway.epochs import Epochs
from store_gateway.orders import EPOCH_BYTES, PSEUDONYM_BYTES, SINCE_BYTES, Host, Step
from store_gateway.recall import recall as recalled
from store_gateway.vault import Touched, Vault
from wire import schema, sync, tree
from wire.orders import Denial, DenialKind, EraseResult, ExportResult, KeyDay
from wire.sync import Collection, Event, MuteKind, Order, Outcome, Verb

_EVENTS_AT_ONCE = 64
_MOST_EVENTS = 65_535
_FAILED: Final = (Outcome.FAILED, b"")
_MUTES = {
    MuteKind.ITEM: DenialKind.ITEM,
    MuteKind.CATEGORY: DenialKind.CATEGORY,
    MuteKind.THEME: DenialKind.THEME,
}

Note = Callable[[Touched], None]


def export(host: Host, order: Order, note: Note, now_mono_s: float) -> Iterator[Step]:
    """Everything that is held of one pseudonym: what `wire.orders.ExportResult` says."""
    vault, _, _ = _unlocked(host)
    pseudonym = order.subject or b""
    if len(pseudonym) != PSEUDONYM_BYTES:
        yield _FAILED
        return
    record, seq = None, 0
    for held in vault.holdings.of(Collection.MEMBERS):
        found = vault.holdings.record(held, pseudonym)
        if found is not None:
            record, seq = found
    key_days = tuple(KeyDay(day, len(day_keys)) for day, day_keys in vault.day_keys(pseudonym))
    denied = vault.denied(pseudonym)
    denials = [Denial(DenialKind.EVERYTHING, "")] if denied.everything else []
    denials += [Denial(DenialKind.SCOPE, scope) for scope in sorted(denied.scopes)]
    denials += [Denial(_MUTES[what], name) for what, name in sorted(denied.mutes)]
    events: list[Event] = []
    for event in vault.outbox.of_member(pseudonym):
        events.append(event)
        if len(events) % _EVENTS_AT_ONCE == 0:
            yield True
    memory = vault.memory(pseudonym)
    result = ExportResult(
        record, seq, key_days, tuple(denials), tuple(events[:_MOST_EVENTS]), memory if memory.items else None
    )  # fmt: skip
    is_empty = record is None and not (key_days or denials or events or memory.items)
    yield (Outcome.NOTHING_TO_DO, b"") if is_empty else (Outcome.DONE, schema.encode(result))


def erase(host: Host, order: Order, note: Note, now_mono_s: float) -> Iterator[Step]:
    """What is held of one member goes, and every bucket in which it ever lay gets a new key.

    The old keys are wrapped by the present epoch still: they end when HQ has the store roll to the next one.
    """
    vault, cache, _ = _unlocked(host)
    pseudonym = order.subject or b""
    if len(pseudonym) != PSEUDONYM_BYTES:
        yield _FAILED
        return
    touched, records, denials, events = vault.erase_member(pseudonym, now_mono_s)
    note(touched)
    for held in (*vault.holdings.of(Collection.MEMBERS), *vault.holdings.of(Collection.KEYRING)):
        host.replication.drop(held.name)  # what was asked for before this may hold the member still
    with cache.transaction():
        cache.forget_results()  # of exports
    yield True
    buckets = 0
    for place in (*_places(vault, pseudonym), LOCAL):
        for _ in vault.holdings.buckets.reseal(place):
            yield True
        buckets += 1
    yield from _clear_log(cache)
    yield Outcome.DONE, schema.encode(EraseResult(records, denials, events, buckets))


def roll(host: Host, order: Order, note: Note, now_mono_s: float) -> Iterator[Step]:
    """The keys are wrapped by the epoch that the order names, and no earlier one is needed any more."""
    _, cache, epochs = _unlocked(host)
    number = int.from_bytes(order.subject or b"", "big")
    if len(order.subject or b"") != EPOCH_BYTES or not number:
        yield _FAILED
        return
    while not epochs.begin(number):
        yield False  # HQ's answer to the next hello brings the share
    yield True
    if epochs.oldest < epochs.newest:
        while epochs.rewrap():
            yield True
        epochs.finish()
        yield from _clear_log(cache)
    yield Outcome.DONE, b""


def recall(host: Host, order: Order, note: Note, now_mono_s: float) -> Iterator[Step]:
    """What is held of all members, for an HQ that was restored from a backup."""
    vault, cache, _ = _unlocked(host)
    if len(order.subject or b"") != SINCE_BYTES:
        yield _FAILED
        return
    for result in recalled(cache, vault, int.from_bytes(order.subject or b"", "big")):
        yield True if result is None else (Outcome.DONE, result)


def _places(vault: Vault, pseudonym: bytes) -> Iterator[Place]:
    """The buckets in which a member's record and day keys lie, or lay."""
    for held in tuple(vault.holdings.instances.values()):
        if held.collection is Collection.MEMBERS:
            path = tree.path(held.digest_key, pseudonym)
        elif held.collection is Collection.KEYRING:
            path = tree.path(held.digest_key, sync.bucket_key(pseudonym))
        else:
            continue
        yield vault.holdings.buckets.place(held.id, held.name, path)


def _clear_log(cache: Cache) -> Iterator[Step]:
    """What was written over goes out of SQLite's log too. Two steps: the second finds nothing left to copy."""
    cache.checkpoint(truncate=False)
    yield True
    cache.checkpoint(truncate=True)
    yield True


def _unlocked(host: Host) -> tuple[Vault, Cache, Epochs]:
    assert host.vault is not None and host.cache is not None and host.epochs is not None  # else it has not begun
    return host.vault, host.cache, host.epochs


WORKS = {Verb.EXPORT: export, Verb.ERASE: erase, Verb.ROLL: roll, Verb.RECALL: recall}
