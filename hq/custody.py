"""Keeps personal values sealed: a key per member and per purpose, all wrapped under a key outside of the database.

Sealed form: nonce 12 ‖ ChaCha20-Poly1305 (RFC 8439). Wrapped form: mark of the wrapping key 8 ‖ the sealed key. A key
is opened for one transaction and kept nowhere: whoever deletes its row has destroyed it in every HQ process at once.

I/O: sqlalchemy, and the system's random generator.
"""

import hashlib
import hmac
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from sqlalchemy import Connection, Engine, bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from hq.custody_tables import member_keys, purpose_keys
from hq.errors import KeyMismatch, SealBroken
from hq.systems_tables import merges
from hq.tables import members
from wire.keys import mark
from wire.tree import DIGEST_KEY_BYTES

KEY_BYTES = 32
MARK_BYTES = 8
REFERENCE_BYTES = 16
NAME_BYTES = 16
SEALED_MORE_BYTES = 28  # nonce and tag
_NONCE_BYTES = 12  # random: no key seals near the 2^32 values at which 96 random bits might repeat
_CHUNK = 500
_OPTION = "consentry_custody"
_NAME = b"consentry/name/1"
_CONTEXT = b"consentry/hq/sealed/1"
_REMEDY = "start HQ with the wrapping key under which this database was sealed"


class Place(StrEnum):
    """The columns that hold sealed values: what was sealed in one opens in no other."""

    MEMBER = "members.content"
    PHONE = "phones.secret"
    PROFILE = "profiles.content"
    CHOICE = "consent_events.choice"
    RECORD = "records.body"
    OUTBOX = "outbox.message"
    EVENT = "store_events.body"
    SHARE = "incarnations.share"
    CERTIFICATE = "certificates.sealed_key"
    ADDRESS = "member_addresses.content"
    SESSION = "web_sessions.browser"
    SIGN_IN_MAIL = "sign_in_mails.content"
    LOOK = "looks.words"
    QUESTION = "questions.words"
    ANSWER = "questions.answer"
    FELT = "felt.content"
    REPEAT = "repeats.answer"
    PURCHASE = "purchases.content"
    PURCHASE_MARKS = "purchases.marks"
    CONTACT = "contacts.content"
    SYSTEM_CALL = "system_calls.answer"
    HOOK = "hooks.secret"
    GONE_MEMBER = "gone_members.content"
    TRAINING = "trainings.sealed_key"  # and what is sealed under it


class Purpose(StrEnum):
    """The keys that are no member's and no instance's."""

    LOOKUP = "lookup"  # makes of a member's id what the database knows it by
    OUTBOX = "outbox"
    EVENTS = "store_events"  # of events that name no member
    SHARES = "shares"
    CERTIFICATES = "certificates"  # the private keys of stores' certificates
    TRAININGS = "trainings"  # of the keys of models
    SYSTEMS = "systems"  # what is kept for other systems and is no member's


_PLACES = {one: _CONTEXT + b"\x00" + one.encode() for one in Place}


_LENGTHS = [length.to_bytes(2, "big") for length in range(256)]


def bound(place: Place, *parts: bytes) -> bytes:
    """Associated data: the column and whose row it is, each part with its length (at most 65,535 bytes)."""
    made = _PLACES[place]
    for one in parts:
        length = len(one)
        made += (_LENGTHS[length] if length < 256 else length.to_bytes(2, "big")) + one
    return made


class Seal:
    """Seals and opens under one 32-byte key. Never shown."""

    __slots__ = ("_aead", "_key")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._aead = ChaCha20Poly1305(key)

    def __repr__(self) -> str:
        return "Seal(…)"

    def name(self, stated: bytes) -> bytes:
        """16 bytes that follow from what is stated, and tell nothing of it without this key."""
        return hashlib.blake2b(stated, digest_size=NAME_BYTES, key=self._key, person=_NAME).digest()

    def close(self, content: bytes, bound_to: bytes) -> bytes:
        """nonce ‖ ciphertext; 28 bytes longer than `content`."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, content, bound_to)

    def open(self, sealed: bytes, bound_to: bytes) -> bytes:
        """What was sealed for the same place.

        Raises:
            SealBroken: changed, cut, of another place or of another key.
        """
        try:
            return self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)
        except (InvalidTag, ValueError):
            raise SealBroken("a sealed value does not open", "see whether rows were changed outside of HQ") from None


class InstanceKeys:
    """What belongs to one instance of a collection and ends with it: its digest key (32 bytes), its bodies' seal."""

    __slots__ = ("_bound", "_seal", "digest_key")

    def __init__(self, name: str, digest_key: bytes, key: bytes) -> None:
        self.digest_key = digest_key
        self._seal = Seal(key)
        self._bound = bound(Place.RECORD, name.encode())

    def __repr__(self) -> str:
        return "InstanceKeys(…)"

    def close(self, key: bytes, seq: int, body: bytes | None) -> bytes | None:
        """A record's body as it stands in its row; None of none."""
        return None if body is None else self._seal.close(body, self._bound + seq.to_bytes(8, "big") + key)

    def open(self, key: bytes, seq: int, sealed: bytes | None) -> bytes | None:
        """The body of a record's row. Raises: SealBroken."""
        return None if sealed is None else self._seal.open(sealed, self._bound + seq.to_bytes(8, "big") + key)


@dataclass(frozen=True, slots=True, repr=False)
class NewKey:
    """A member's new key: what seals under it, and how it stands in the database."""

    seal: Seal
    wrapped: bytes


def of(connection: Connection) -> "Custody":
    """The custody attached to the connection's engine."""
    found = connection.get_execution_options().get(_OPTION)
    if not isinstance(found, Custody):
        raise KeyMismatch("the database was opened without its keys", _REMEDY)
    return found


class Custody:
    """What opens HQ's database. `wrapping`: the wrapping keys, 32 bytes each, the one in use last. Never shown."""

    __slots__ = ("_mark", "_wrapping")

    def __init__(self, wrapping: Sequence[bytes]) -> None:
        self._wrapping = {mark(one): Seal(one) for one in wrapping}
        self._mark = mark(wrapping[-1])

    def __repr__(self) -> str:
        return "Custody(…)"

    def attach(self, engine: Engine) -> None:
        """From now on what is read and written over this engine is opened and sealed by `of`."""
        engine.update_execution_options(**{_OPTION: self})

    # --- wrapping ------------------------------------------------------------------------------------------------

    @property
    def newest(self) -> bytes:
        """The mark of the wrapping key in use, 8 bytes: what is wrapped under it begins with it."""
        return self._mark

    def wrap(self, key: bytes, whose: bytes) -> bytes:
        """A key as it may stand in the database, for this owner alone."""
        return self._mark + self._wrapping[self._mark].close(key, b"wrap\x00" + whose)

    def unwrap(self, wrapped: bytes, whose: bytes) -> bytes:
        """The key.

        Raises:
            KeyMismatch: it was wrapped under a key that HQ was not started with. SealBroken: changed.
        """
        found = self._wrapping.get(wrapped[:MARK_BYTES])
        if found is None:
            raise KeyMismatch("the database was sealed under another wrapping key", _REMEDY)
        return found.open(wrapped[MARK_BYTES:], b"wrap\x00" + whose)

    def rewrap(self, wrapped: bytes, whose: bytes) -> bytes:
        """The same key under the wrapping key in use. Raises: as `unwrap`."""
        return self.wrap(self.unwrap(wrapped, whose), whose)

    # --- members -------------------------------------------------------------------------------------------------

    def new_members(self, references: Iterable[bytes]) -> dict[bytes, NewKey]:
        """New keys for new members, as they are to be written into `member_keys`."""
        made = {one: os.urandom(KEY_BYTES) for one in references}
        return {one: NewKey(Seal(key), self.wrap(key, member_owner(one))) for one, key in made.items()}

    def member(self, reference: bytes, wrapped: bytes) -> Seal:
        """A member's seal, of its row in `member_keys`. Raises: as `unwrap`."""
        return Seal(self.unwrap(wrapped, member_owner(reference)))

    def of_members(self, connection: Connection, references: Iterable[bytes]) -> dict[bytes, Seal]:
        """The seals of these members; who was erased has none. Raises: as `unwrap`."""
        found = {}
        listed = sorted(set(references))
        for start in range(0, len(listed), _CHUNK):
            chosen = select(member_keys).where(member_keys.c.member.in_(listed[start : start + _CHUNK]))
            found.update({row.member: self.member(row.member, row.wrapped) for row in connection.execute(chosen)})
        return found

    def seal(self, connection: Connection, reference: bytes, content: bytes, place: bytes) -> bytes:
        """Seals one value under a member's key; many go by `of_members`.

        Raises:
            KeyError: the member was erased. KeyMismatch, SealBroken: as `unwrap`.
        """
        return self.of_members(connection, [reference])[reference].close(content, place)

    def open(self, connection: Connection, reference: bytes, sealed: bytes, place: bytes) -> bytes:
        """Opens one value. Raises: as `seal`."""
        return self.of_members(connection, [reference])[reference].open(sealed, place)

    def lookup(self, connection: Connection, ids: Iterable[str], *, making: bool = False) -> dict[str, bytes]:
        """HMAC-SHA256(lookup key, id) of each, 32 bytes; none where nobody was ever a member.

        What UTF-8 cannot carry, such as an unpaired surrogate, is nobody's id, and is not in the answer. `making`: in
        a transaction that writes, so that the key may be made.
        """
        key = self._purpose_key(connection, Purpose.LOOKUP, making=making)
        if key is None:
            return {}
        made = {}
        for one in ids:
            with suppress(UnicodeEncodeError):
                made[one] = hmac.digest(key, one.encode(), "sha256")
        return made

    def references(self, connection: Connection, ids: Iterable[str]) -> dict[str, bytes]:
        """HQ's own name of each of these members, 16 bytes; who is not a member is not in the answer."""
        names = {digest: one for one, digest in self.lookup(connection, ids).items()}
        found = {}
        listed = sorted(names)
        for start in range(0, len(listed), _CHUNK):
            chunk = {"lookups": listed[start : start + _CHUNK]}
            found.update({names[lookup]: one for one, lookup in connection.execute(_REFERENCES, chunk)})
        # An id that was merged into another one leads to it (hq.systems_merge).
        left = sorted(digest for digest, one in names.items() if one not in found)
        for start in range(0, len(left), _CHUNK):
            chunk = {"lookups": left[start : start + _CHUNK]}
            found.update({names[lookup]: one for one, lookup in connection.execute(_SURVIVORS, chunk)})
        return found

    def reference(self, connection: Connection, member: str) -> bytes | None:
        """HQ's own name of a member, 16 bytes; None: no such member."""
        return self.references(connection, [member]).get(member)

    # --- instances and purposes ----------------------------------------------------------------------------------

    def make_instance(self, name: str) -> bytes:
        """A new instance's keys, wrapped: what stands in its row, and ends with it."""
        return self.wrap(os.urandom(DIGEST_KEY_BYTES + KEY_BYTES), instance_owner(name))

    def instance(self, name: str, wrapped: bytes) -> InstanceKeys:
        """An instance's keys. Raises: as `unwrap`."""
        raw = self.unwrap(wrapped, instance_owner(name))
        return InstanceKeys(name, raw[:DIGEST_KEY_BYTES], raw[DIGEST_KEY_BYTES:])

    def to_seal(self, connection: Connection, purpose: Purpose) -> Seal:
        """The seal of a purpose, in a transaction that writes: made where it is missing. Raises: as `unwrap`."""
        key = self._purpose_key(connection, purpose, making=True)
        assert key is not None  # it was made
        return Seal(key)

    def to_open(self, connection: Connection, purpose: Purpose) -> Seal:
        """The seal of a purpose under which something was sealed before.

        Raises:
            SealBroken: it is gone. KeyMismatch: as `unwrap`.
        """
        key = self._purpose_key(connection, purpose, making=False)
        if key is None:
            raise SealBroken("a key of HQ is gone from the database", "restore the database")
        return Seal(key)

    def _purpose_key(self, connection: Connection, purpose: Purpose, *, making: bool) -> bytes | None:
        # Not remembered: a key that was made in a transaction that then fails must not be used again.
        wrapped = connection.scalar(_WRAPPED, {"purpose": purpose.value})
        if wrapped is None and making:
            made = self.wrap(os.urandom(KEY_BYTES), purpose_owner(purpose))
            try:
                with connection.begin_nested():
                    connection.execute(insert(purpose_keys).values(purpose=purpose.value, wrapped=made))
                return self.unwrap(made, purpose_owner(purpose))
            except IntegrityError:  # another HQ process made it meanwhile
                wrapped = connection.scalar(_WRAPPED, {"purpose": purpose.value})
        return None if wrapped is None else self.unwrap(wrapped, purpose_owner(purpose))


# Made once: to make a statement anew costs as much as to send it.
_WRAPPED = select(purpose_keys.c.wrapped).where(purpose_keys.c.purpose == bindparam("purpose"))
_REFERENCES = select(members.c.id, members.c.lookup).where(members.c.lookup.in_(bindparam("lookups", expanding=True)))
_SURVIVORS = select(merges.c.survivor, merges.c.lookup).where(merges.c.lookup.in_(bindparam("lookups", expanding=True)))


def member_owner(reference: bytes) -> bytes:
    """Whose a wrapped member's key is."""
    return b"member\x00" + reference


def instance_owner(name: str) -> bytes:
    """Whose wrapped instance keys are."""
    return b"instance\x00" + name.encode()


def purpose_owner(purpose: str) -> bytes:
    """Whose a wrapped purpose's key is."""
    return b"purpose\x00" + purpose.encode()


def share_owner(store: str, incarnation: bytes, epoch: int) -> bytes:
    """Whose a wrapped share of a cache's key is."""
    return b"share\x00" + incarnation + epoch.to_bytes(4, "big") + store.encode()
