"""A store that speaks the real protocol with HQ, as far as HQ can tell: a boot, its keys, and a map of records.

It does what it is told and asks for what differs; it keeps no lease and shows nothing.

I/O: the system's random generator.
"""

import secrets
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hq.answers import Answers
from wire import envelope, tree
from wire.errors import WireError
from wire.keys import KeySet, make_sealing_private, open_key_set, sealing_private, sealing_public, sealing_public_bytes
from wire.sync import (
    HQ,
    KINDS,
    Certificate,
    CertificateFault,
    Challenge,
    Children,
    EpochShare,
    Event,
    Events,
    Held,
    Hello,
    Lease,
    LetGo,
    Message,
    Readiness,
    Record,
    RecordRange,
    Records,
    Refusal,
    Unlock,
    Want,
    Wanted,
    parse_instance,
)
from wire.tree import Node


class FakeStore:
    """One boot of one store. `now_ms` gives HQ's time, in which the messages arrive."""

    def __init__(
        self, store: str, identity: Ed25519PrivateKey, root: Ed25519PublicKey, key_set: bytes, now_ms: Callable[[], int]
    ) -> None:
        self.store = store
        self.identity = identity
        self.root = root
        self.key_set: KeySet = open_key_set(root, key_set)
        self.now_ms = now_ms
        self.incarnation = secrets.token_bytes(16)
        self.ticket = b""
        self.shares: tuple[EpochShare, ...] = ()
        self.epoch = 0
        self.last_event = 0
        self.let_go: tuple[LetGo, ...] = ()
        self.heard: list[Message] = []
        self.lease: Lease | None = None
        self.certificate: Certificate | None = None  # the last that came
        self.certificate_id: bytes | None = None  # what the hello says of it
        self.certificate_fault: CertificateFault | None = None
        self.boot_again()

    def boot_again(self) -> None:
        """A new boot: other keys, locked, no challenge; the cache stays as it was."""
        self.boot = secrets.token_bytes(16)
        self.sealing_raw = make_sealing_private()
        self.challenge = b""
        self.readiness = Readiness.LOCKED
        self.number = 0
        self.digest_keys: dict[str, bytes] = {}
        self.rows: dict[str, dict[bytes, Record]] = getattr(self, "rows", {})
        self.lease = None

    # --- up ----------------------------------------------------------------------------------------------------------

    def close(self, message: Message) -> bytes:
        """The payload for HQ."""
        self.number += 1
        sealing = self.key_set.sealing[-1]
        header = envelope.Header(
            self.store, HQ, KINDS[type(message)], self.number, self.boot, self.challenge, 0, sealing.number
        )
        return envelope.close(header, message, self.identity, sealing_public(sealing.public))

    def hello(self) -> Hello:
        """The heartbeat as things stand."""
        held = tuple(self.held(name) for name in self.digest_keys) if self.readiness is not Readiness.LOCKED else ()
        return Hello(
            nonce=secrets.token_bytes(16),
            incarnation=self.incarnation,
            sealing_key=sealing_public_bytes(self.sealing_raw),
            held=held,
            last_event=self.last_event,
            key_set_version=self.key_set.version,
            readiness=self.readiness,
            ticket=self.ticket,
            let_go=self.let_go,
            software="fake",
            epoch=self.epoch,
            certificate=self.certificate_id,
            certificate_fault=self.certificate_fault,
        )

    def events(self, *events: Event, after: int | None = None) -> Events:
        """A batch without a gap before it; what is missing in it was let go, as `let_go` says."""
        numbers = [one.number for one in events]
        return Events(
            self.incarnation,
            events,
            after=min(numbers, default=1) - 1 if after is None else after,
            through=max(numbers, default=0),
            freed=0,
            let_go=sum(one.count for one in self.let_go),
        )

    # --- down --------------------------------------------------------------------------------------------------------

    def take(self, payload: bytes) -> Message | None:
        """Opens and applies a payload of HQ; None where it is a key set or for another boot."""
        try:
            self.key_set = open_key_set(self.root, payload)
            return None
        except WireError:
            parsed = envelope.parse(payload)
        if parsed.header.boot != self.boot:
            return None
        signer = next(one for one in self.key_set.signing if one.number == parsed.header.signed_by)
        key = Ed25519PublicKey.from_public_bytes(signer.public)
        message = envelope.open_(parsed, self.store, key, sealing_private(self.sealing_raw))
        self.heard.append(message)
        self._apply(message)
        return message

    def _apply(self, message: Message) -> None:
        match message:
            case Challenge() | Refusal():
                self.challenge = message.challenge
            case Unlock():
                self.shares, self.ticket = message.shares, message.ticket
                self.epoch = max(self.epoch, *(one.epoch for one in message.shares))
                self.digest_keys |= {one.instance: one.key for one in message.digest_keys}
                for name in self.digest_keys:
                    self.rows.setdefault(name, {})
                if self.readiness is Readiness.LOCKED:
                    self.readiness = Readiness.DARK
            case Certificate():
                self.certificate = message
            case Lease():
                self.lease, self.challenge = message, message.challenge
                named = {one.instance for one in message.roots}
                for name in set(self.digest_keys) - named:
                    del self.digest_keys[name]
                    self.rows.pop(name, None)
            case Records():
                for part in message.parts:
                    for record in part.records:
                        self.put(part.instance, record)
            case RecordRange():
                self._range(message)

    def put(self, instance: str, record: Record) -> None:
        """Applied exactly when its seq is greater than the one held."""
        held = self.rows.setdefault(instance, {}).get(record.key)
        if held is None or record.seq > held.seq:
            self.rows[instance][record.key] = record

    def _range(self, found: RecordRange) -> None:
        rows = self.rows.setdefault(found.instance, {})
        keep = {record.key for record in found.records}
        if found.part == 1:
            for key, record in list(rows.items()):
                place = tree.path(self.digest_keys[found.instance], key)
                if place.startswith(found.first) and key not in keep and record.seq <= found.as_of and found.parts == 1:
                    del rows[key]
        for record in found.records:
            self.put(found.instance, record)

    # --- what is held ------------------------------------------------------------------------------------------------

    def node(self, name: str) -> Node:
        """The root of what is held of an instance."""
        total = Node()
        collection = parse_instance(name)[0]
        for record in self.rows.get(name, {}).values():
            if record.body is not None:
                hashed = tree.body_hash(record.body)
                digest = tree.digest(self.digest_keys[name], collection, record.key, record.seq, hashed)
                total = total.plus(digest)
        return total

    def held(self, name: str) -> Held:
        """As the hello tells it."""
        node = self.node(name)
        seq = max((record.seq for record in self.rows.get(name, {}).values()), default=0)
        return Held(name, node.root, node.count, seq)

    def agrees(self) -> bool:
        """Whether everything that the last lease names is held exactly so."""
        assert self.lease is not None
        return all(
            (self.node(one.instance).root, self.node(one.instance).count) == (one.root, one.count)
            for one in self.lease.roots
        )

    # --- a conversation ----------------------------------------------------------------------------------------------

    def say(self, answers: Answers, message: Message) -> list[Message]:
        """One message up, and what comes back, applied."""
        replies = answers.answer(self.close(message), self.now_ms())
        assert all(one.store == self.store for one in replies)
        return [found for one in replies if (found := self.take(one.payload)) is not None]

    def come_up(self, answers: Answers) -> None:
        """Hello, challenge, unlock, lease: as after a start."""
        for _ in range(4):
            self.say(answers, self.hello())
            if self.lease is not None:
                return
        raise AssertionError(f"no lease; heard {[type(one).__name__ for one in self.heard]}")

    def fill(self, answers: Answers) -> int:
        """Asks for what differs from the last lease until all of it is there; how many nodes were asked for."""
        assert self.lease is not None
        asked = 0
        for root in self.lease.roots:
            node = self.node(root.instance)
            waiting = [] if (node.root, node.count) == (root.root, root.count) else [b""]
            while waiting:
                asked += 1
                wanted = Wanted.node(root.instance, waiting.pop())
                for message in self.say(answers, Want(secrets.token_bytes(16), (wanted,))):
                    if isinstance(message, Children):
                        waiting += [message.prefix + bytes([child.byte]) for child in message.nodes]
        return asked
