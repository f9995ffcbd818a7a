"""Sees everything that HQ ever said, and therefore knows what a store may still show.

It judges from outside: from the messages that arrived and the times at which they did, never from what a replica
says of itself.

Pure: no I/O, no clock.
"""

from collections import defaultdict
from dataclasses import dataclass

from hq.keys import Keys
from hq.sealer import Peer, Sealer
from wire import schema
from wire.member import Member
from wire.sync import SCHEMAS, Collection, Kind, Lease, Message, RecordRange, Records, Refusal, instance


@dataclass(frozen=True, slots=True)
class Said:
    """What one payload of HQ holds, and for whom."""

    store: str
    boot: bytes
    nonce: bytes
    message: Message


@dataclass(frozen=True, slots=True)
class Denial:
    """A withdrawal made in the store: everything, or one scope; `number` is its event's."""

    incarnation: bytes
    number: int
    scope: str | None


class OverheardSealer(Sealer):
    """HQ's sealer, which tells the witness what is in each payload."""

    def __init__(self, keys: Keys, witness: "Witness") -> None:
        super().__init__(keys)
        self._witness = witness

    def close_encoded(self, peer: Peer, kind: Kind, message: bytes, nonce: bytes = b"") -> bytes:
        """As HQ's, and overheard."""
        payload = super().close_encoded(peer, kind, message, nonce)
        self._witness.overhear(payload, Said(peer.store, peer.boot, nonce, schema.decode(SCHEMAS[kind], message)))
        return payload


class Witness:
    """See the module. One for a whole chain of stores."""

    def __init__(self) -> None:
        self.said: dict[bytes, Said] = {}
        self._bodies: dict[tuple[str, bytes], dict[int, Member | None]] = defaultdict(dict)
        self._received: dict[tuple[str, bytes], int] = {}
        self._denials: dict[tuple[str, bytes], list[Denial]] = defaultdict(list)
        self._sent_s: dict[bytes, float] = {}
        self._until_s: dict[bytes, float] = {}
        self._refused_s: dict[bytes, float] = {}

    # --- what happened -----------------------------------------------------------------------------------------------

    def overhear(self, payload: bytes, said: Said) -> None:
        """HQ made this payload."""
        self.said[payload] = said
        own = instance(Collection.MEMBERS, said.store)
        match said.message:
            case Records(parts):
                found = [one for part in parts if part.instance == own for one in part.records]
            case RecordRange(instance=name, records=records) if name == own:
                found = list(records)
            case _:
                return
        for one in found:
            body = None if one.body is None else schema.decode(Member, one.body)
            self._bodies[said.store, one.key][one.seq] = body

    def hello(self, nonce: bytes, now_s: float) -> None:
        """A box said hello at this time of its boot clock."""
        self._sent_s[nonce] = now_s

    def arrived(self, payload: bytes, store: str, boot: bytes, *, opened: bool) -> None:
        """A payload reached a box that runs as this boot; `opened`: its cache was unlocked already."""
        said = self.said.get(payload)
        if said is None or (said.store, said.boot) != (store, boot):
            return
        sent_s = self._sent_s.get(said.nonce)
        match said.message:
            case Records(parts) if opened:
                for part in parts:
                    if part.instance == instance(Collection.MEMBERS, store):
                        for one in part.records:
                            place = store, one.key
                            self._received[place] = max(one.seq, self._received.get(place, 0))
            case Lease(lease_s=lease_s) if sent_s is not None:
                self._until_s[boot] = max(sent_s + lease_s, self._until_s.get(boot, 0.0))
            case Refusal() if sent_s is not None:
                self._refused_s[boot] = max(sent_s, self._refused_s.get(boot, 0.0))

    def denied(self, store: str, pseudonym: bytes, denial: Denial) -> None:
        """A withdrawal was made in the store, and the store said yes."""
        self._denials[store, pseudonym].append(denial)

    # --- what follows ------------------------------------------------------------------------------------------------

    def may_disclose(self, boot: bytes, now_s: float) -> bool:
        """Whether any lease that ever reached this boot still runs."""
        return now_s < self._until_s.get(boot, 0.0)

    def standing(self, store: str, pseudonym: bytes) -> list[Member]:
        """Every record of the member that HQ made, at or after the newest that reached the store, less what is denied.

        A store may hold any of them, since a fill may have brought a later one; it may hold no other.
        """
        received = self._received.get((store, pseudonym), 0)
        return [
            body
            for seq, body in self._bodies[store, pseudonym].items()
            if seq >= received and body is not None and self._folded(store, pseudonym, body, None)
        ]

    def may_show(self, store: str, pseudonym: bytes, scope: str) -> bool:
        """Whether some record that may be held grants this scope, with each denial of it folded in."""
        return any(
            any(one.scope == scope for one in body.fields) and self._folded(store, pseudonym, body, scope)
            for body in self.standing(store, pseudonym)
        )

    def newest(self, store: str, pseudonym: bytes) -> int:
        """The seq of the newest record that reached the store."""
        return self._received.get((store, pseudonym), 0)

    def _folded(self, store: str, pseudonym: bytes, body: Member, scope: str | None) -> bool:
        return all(
            body.acts_incarnation == one.incarnation and body.acts_through >= one.number
            for one in self._denials[store, pseudonym]
            if one.scope is None or one.scope == scope
        )
