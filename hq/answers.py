"""Opens what stores say and hands it to who answers it: hello, want, events, done.

Nothing is concluded from a message that does not echo a fresh challenge. What fails a check is counted and dropped.

I/O: sqlalchemy.
"""

from collections import Counter
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Engine, Select, exists, select

from hq import hello as hellos
from hq import orders, records, store_events
from hq.database import reading, writing
from hq.fill import answer_node
from hq.keys import Keys, is_fresh
from hq.recovery_tables import recoveries
from hq.sealer import Peer as Peer
from hq.sealer import Reply as Reply
from hq.sealer import Sealer as Sealer
from hq.tables import links, stores
from wire import envelope
from wire.errors import Reason, WireError
from wire.sync import HQ, Done, Events, Hello, Kind, Message, Want

_RECOVERING = exists().where(recoveries.c.ended_ms.is_(None)).label("recovering")


# A store's key that was parsed is used again: it says hello every few seconds.
_public = lru_cache(maxsize=20_000)(Ed25519PublicKey.from_public_bytes)


class Answers:
    """HQ's side of the conversation. Keeps no state that matters: any HQ process may answer any message."""

    def __init__(self, engine: Engine, keys: Keys, sealer: Sealer | None = None) -> None:
        self._engine = engine
        keys.custody.attach(engine)
        self._keys = keys
        self._sealer = sealer or Sealer(keys)
        self._hellos = hellos.Hellos(engine, keys, self._sealer)
        self.dropped: Counter[str] = Counter()  # by reason

    def answer(self, payload: bytes, now_ms: int) -> list[Reply]:
        """The replies to one payload from some store's `up`.

        Raises:
            DatabaseUnavailable: nothing was concluded; the store will say it again.
        """
        try:
            parsed = envelope.parse(payload)
            if parsed.header.kind is Kind.HELLO:
                # All that the answer needs comes with the key that proves the hello: one read.
                facts = self._hellos.read(parsed.header.sender)
                said = self._open(parsed, None if facts is None else facts.row)
                if isinstance(said, Hello) and facts is not None:
                    return self._hello(facts, parsed.header, said, now_ms)
                return self._gone_key(parsed)
            with reading(self._engine) as connection:
                store = connection.execute(_STORE.where(stores.c.id == parsed.header.sender)).first()
            said = self._open(parsed, store)
            return self._gone_key(parsed) if said is None else self._answer(parsed, said, payload, now_ms)
        except WireError as error:
            self.dropped[error.reason.value] += 1
            return []

    def settle(self, now_ms: int) -> None:
        """Writes what is still noted in memory: how long stores are under their leases. Raises: DatabaseUnavailable."""
        self._hellos.beats.write(now_ms)

    def _open(self, parsed: envelope.Envelope, store: Any) -> Message | None:
        """The message, once every check held; None: it is sealed to a key that is gone."""
        if store is None:
            raise WireError(Reason.SENDER, "expected a store that HQ knows")
        sender_key = _public(store.identity)
        opening = self._keys.sealing.get(parsed.header.sealed_to)
        if opening is None:
            envelope.verify(parsed, HQ, sender_key)
            return None
        return envelope.open_(parsed, HQ, sender_key, opening)

    def _gone_key(self, parsed: envelope.Envelope) -> list[Reply]:
        """The store slept through a rotation of HQ's keys. It will say again what is lost now."""
        self.dropped["sealed_to_old_key"] += 1
        return [Reply(parsed.header.sender, self._keys.key_set)]

    def _hello(self, facts: hellos.Facts, header: envelope.Header, hello: Hello, now_ms: int) -> list[Reply]:
        if not is_fresh(self._keys, header.sender, header.boot, header.nonce, now_ms // 1000):
            return self._hellos.challenge(header.sender, header, hello, now_ms)
        return self._hellos.answer(facts, header, hello, now_ms)

    def _answer(self, parsed: envelope.Envelope, said: Message, payload: bytes, now_ms: int) -> list[Reply]:
        store, header = parsed.header.sender, parsed.header
        fresh = is_fresh(self._keys, store, header.boot, header.nonce, now_ms // 1000)
        match said:
            case Want() if fresh:
                with reading(self._engine) as connection:
                    return self._want(connection, header, said)
            case Events() | Done() if fresh:
                with writing(self._engine) as connection:
                    # A copy of the cache gives its events numbers that the real one gives too: whichever came second
                    # would be taken for a repetition, and a withdrawal be lost.
                    if connection.scalar(select(links.c.boot).where(links.c.store == store)) != header.boot:
                        self.dropped["stale"] += 1
                    elif isinstance(said, Events):
                        store_events.take(connection, self._keys, store, said, now_ms)
                    else:
                        orders.done(connection, store, said, now_ms, payload)
            case Want() | Events() | Done():
                self.dropped["stale"] += 1
            case _:
                self.dropped["direction"] += 1
        return []

    def _want(self, connection: Connection, header: envelope.Header, want: Want) -> list[Reply]:
        """Only the boot that holds the ticket is filled, and nobody while HQ recovers what its backup lacks."""
        store, replies = header.sender, []
        link = connection.execute(select(links, _RECOVERING).where(links.c.store == store)).first()
        if link is None or link.boot != header.boot:
            self.dropped["stale"] += 1
            return []
        if link.recovering:
            self.dropped["recovering"] += 1
            return []
        peer = Peer(store, header.boot, link.sealing_key, link.key_set_version)
        held = {one.name: one for one in records.of_store(connection, store)}
        for node in want.nodes:
            found = held.get(node.instance)
            if found is None or len(node.first) != len(node.last) or node.first > node.last:
                self.dropped["instance"] += 1
                continue
            replies += [
                Reply(store, self._sealer.close_encoded(peer, one.kind, one.encoded, want.nonce))
                for one in answer_node(connection, found, node)
            ]
        return replies


_STORE: Select[Any] = select(stores.c.id, stores.c.identity)
