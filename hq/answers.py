"""Answers what stores say: hello by challenge, unlock, lease or refusal, want by children or range, events by storing.

Nothing is concluded from a message that does not echo a fresh challenge. What fails a check is counted and dropped.

I/O: sqlalchemy, and the system's random generator.
"""

import itertools
import os
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Engine, Row, insert, select, update

from hq import publication, records, shares, store_events
from hq.database import reading, writing
from hq.days import valid_days
from hq.fill import answer_node
from hq.keys import Keys, is_fresh, make_challenge
from hq.tables import incarnations, links, stores
from wire import envelope
from wire.errors import Reason, WireError
from wire.keys import sealing_public
from wire.sync import (
    HQ,
    KINDS,
    Challenge,
    Collection,
    DigestKey,
    Done,
    Events,
    Hello,
    Lease,
    Message,
    Readiness,
    Refusal,
    RefusalReason,
    Root,
    Unlock,
    Want,
)

_DEFAULT_LEASE_S, _DEFAULT_HEARTBEAT_S = 120, 15  # while no policy says otherwise


@dataclass(frozen=True, slots=True)
class Reply:
    """A payload for a store's `down`."""

    store: str
    payload: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Peer:
    """Whom a message is for: one boot of one store."""

    store: str
    boot: bytes
    sealing_key: bytes
    key_set_version: int = 0  # of HQ's keys, as the store knows them; 0: not known


class Sealer:
    """Signs and seals what HQ says; numbers rise per start. Safe in several threads."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def close(self, peer: Peer, message: Message, nonce: bytes = b"") -> bytes:
        """The payload for this boot.

        Raises:
            WireError: the message has not its form, or the boot's key is none.
        """
        with self._lock:
            number = next(self._numbers)
        signer = self._keys.signer(peer.key_set_version)
        header = envelope.Header(
            sender=HQ,
            recipient=peer.store,
            kind=KINDS[type(message)],
            number=number,
            boot=peer.boot,
            nonce=nonce,
            signed_by=signer.number,
            sealed_to=0,
        )
        return envelope.close(header, message, signer.key, sealing_public(peer.sealing_key))


class Answers:
    """HQ's side of the conversation. Keeps no state that matters: any HQ process may answer any message."""

    def __init__(self, engine: Engine, keys: Keys, sealer: Sealer | None = None) -> None:
        self._engine = engine
        self._keys = keys
        self._sealer = sealer or Sealer(keys)
        self.dropped: Counter[str] = Counter()  # by reason

    def answer(self, payload: bytes, now_ms: int) -> list[Reply]:
        """The replies to one payload from some store's `up`.

        Raises:
            DatabaseUnavailable: nothing was concluded; the store will say it again.
        """
        try:
            parsed = envelope.parse(payload)
            with reading(self._engine) as connection:
                row = connection.execute(select(stores).where(stores.c.id == parsed.header.sender)).first()
            if row is None:
                raise WireError(Reason.SENDER, "expected a store that HQ knows")
            sender_key = Ed25519PublicKey.from_public_bytes(row.identity)
            opening = self._keys.sealing.get(parsed.header.sealed_to)
            if opening is None:
                # Sealed to a key that is gone: the store slept through a rotation. It will say again what is lost now.
                envelope.verify(parsed, HQ, sender_key)
                self.dropped["sealed_to_old_key"] += 1
                return [Reply(row.id, self._keys.key_set)]
            message = envelope.open_(parsed, HQ, sender_key, opening)
            return self._answer(row, parsed.header, message, now_ms)
        except WireError as error:
            self.dropped[error.reason.value] += 1
            return []

    def _answer(self, store: Row[Any], header: envelope.Header, message: Message, now_ms: int) -> list[Reply]:
        fresh = is_fresh(self._keys, store.id, header.boot, header.nonce, now_ms // 1000)
        match message:
            case Hello() if not fresh:
                peer = Peer(store.id, header.boot, message.sealing_key)
                challenge = make_challenge(self._keys, store.id, header.boot, now_ms // 1000)
                return [Reply(store.id, self._sealer.close(peer, Challenge(challenge), message.nonce))]
            case Hello():
                return self._hello(store, header, message, now_ms)
            case Want() if fresh:
                return self._want(store, header, message)
            case Events() if fresh:
                with writing(self._engine) as connection:
                    store_events.take(connection, self._keys, store.id, message, now_ms)
                return []
            case Done() if fresh:
                return []
            case Want() | Events() | Done():
                self.dropped["stale"] += 1
                return []
            case _:
                self.dropped["direction"] += 1
                return []

    def _hello(self, store: Row[Any], header: envelope.Header, hello: Hello, now_ms: int) -> list[Reply]:
        """Everything about this hello comes out of one snapshot; only then is the link noted."""
        now_s = now_ms // 1000
        peer = Peer(store.id, header.boot, hello.sealing_key)
        challenge = make_challenge(self._keys, store.id, header.boot, now_s)
        with reading(self._engine) as connection:
            held = _valid(records.of_store(connection, store.id, store.policy), now_s)
            epoch = _incarnation(connection, store.id, hello.incarnation)
            policy = publication.Policies(connection).of(store.id)
        replies: list[Reply] = []
        if hello.key_set_version < self._keys.key_set_version:
            replies.append(Reply(store.id, self._keys.key_set))
        seqs = {one.name: one.seq for one in held}
        if any(one.seq > seqs.get(one.instance, one.seq) for one in hello.held):
            refusal = Refusal(RefusalReason.AHEAD_OF_HQ, challenge)
            return [*replies, Reply(store.id, self._sealer.close(peer, refusal, hello.nonce))]
        lease_s = policy.main.lease_s if policy else _DEFAULT_LEASE_S
        heartbeat_s = policy.main.heartbeat_s if policy else _DEFAULT_HEARTBEAT_S
        is_locked = hello.readiness is Readiness.LOCKED
        with writing(self._engine) as connection:
            if epoch is None:
                epoch = _make_incarnation(connection, store.id, hello, now_ms)
            held_shares = shares.of(connection, store.id, hello.incarnation)
            is_leased = not is_locked and hello.ticket == epoch.ticket
            _note_link(connection, peer, hello, now_ms, now_ms + lease_s * 1000 if is_leased else None)
            let_go = sum(one.count for one in hello.let_go)
            if let_go != epoch.let_go:
                connection.execute(update(incarnations).where(*_row_of(store.id, epoch)).values(let_go=let_go))
        if not is_leased or not seqs.keys() <= {one.instance for one in hello.held}:
            digest_keys = tuple(DigestKey(one.name, one.digest_key) for one in held)
            unlock = Unlock(hello.incarnation, held_shares, digest_keys, epoch.ticket)
            replies.append(Reply(store.id, self._sealer.close(peer, unlock, hello.nonce)))
        if is_leased:
            lease = Lease(
                lease_s=lease_s,
                heartbeat_s=heartbeat_s,
                hq_ms=now_ms,
                roots=tuple(Root(one.name, one.node.root, one.node.count, one.seq) for one in held),
                key_days=tuple(one.day for one in held if one.day is not None),
                events_through=epoch.events_through,
                challenge=challenge,
            )
            replies.append(Reply(store.id, self._sealer.close(peer, lease, hello.nonce)))
        return replies

    def _want(self, store: Row[Any], header: envelope.Header, want: Want) -> list[Reply]:
        replies = []
        with reading(self._engine) as connection:
            link = connection.execute(select(links).where(links.c.store == store.id)).first()
            if link is None or link.boot != header.boot:
                self.dropped["stale"] += 1
                return []
            peer = Peer(store.id, header.boot, link.sealing_key)
            held = {one.name: one for one in records.of_store(connection, store.id, store.policy)}
            for node in want.nodes:
                found = held.get(node.instance)
                if found is None:
                    self.dropped["instance"] += 1
                    continue
                messages = answer_node(connection, found, node)
                replies += [Reply(store.id, self._sealer.close(peer, one, want.nonce)) for one in messages]
        return replies


def _valid(held: list[records.Instance], now_s: int) -> list[records.Instance]:
    days = valid_days(now_s)
    return [one for one in held if one.collection is not Collection.KEYRING or one.day in days]


def _incarnation(connection: Connection, store: str, incarnation: bytes) -> Row[Any] | None:
    wanted = select(incarnations).where(incarnations.c.store == store, incarnations.c.incarnation == incarnation)
    return connection.execute(wanted).first()


def _row_of(store: str, epoch: Row[Any]) -> tuple[Any, Any]:
    return incarnations.c.store == store, incarnations.c.incarnation == epoch.incarnation


def _make_incarnation(connection: Connection, store: str, hello: Hello, now_ms: int) -> Row[Any]:
    incarnation = hello.incarnation
    # The store's row first: two HQ processes must not make two shares for one cache.
    connection.execute(select(stores.c.id).where(stores.c.id == store).with_for_update())
    if _incarnation(connection, store, incarnation) is None:
        connection.execute(
            insert(incarnations).values(
                store=store,
                incarnation=incarnation,
                ticket=os.urandom(16),
                events_through=0,
                let_go=0,
                lost=0,
                made_ms=now_ms,
            )
        )
        shares.make(connection, store, incarnation, hello.epoch, now_ms)
    made = _incarnation(connection, store, incarnation)
    assert made is not None  # it was written in this transaction
    return made


def _note_link(connection: Connection, peer: Peer, hello: Hello, now_ms: int, lease_until_ms: int | None) -> None:
    """Remembers this boot, to which records are sealed from now on, and how long the store had no lease."""
    told = {
        "boot": peer.boot,
        "sealing_key": peer.sealing_key,
        "incarnation": hello.incarnation,
        "readiness": int(hello.readiness),
        "software": hello.software,
        "hello_ms": now_ms,
    }
    old = connection.execute(select(links).where(links.c.store == peer.store).with_for_update()).first()
    if old is None:
        connection.execute(
            insert(links).values(store=peer.store, **told, lease_until_ms=lease_until_ms or 0, dark_ms=0)
        )  # fmt: skip
        return
    more: dict[str, int] = {}
    if lease_until_ms is not None:
        gap_ms = max(0, now_ms - old.lease_until_ms) if old.lease_until_ms else 0
        more = {"lease_until_ms": lease_until_ms, "dark_ms": old.dark_ms + gap_ms}
    connection.execute(update(links).where(links.c.store == peer.store).values(**told, **more))
