"""What can be done at HQ, each call one transaction: consent event, records, counters and outbox together.

The command line, the import, the demo and the tests all come through here. `now_ms` is Unix milliseconds UTC.

I/O: sqlalchemy, and the system's random generator.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Protocol

from argon2 import PasswordHasher
from sqlalchemy import Connection, Engine, delete, func, insert, select

from hq import (
    collections,
    door,
    jurisdictions,
    ledger,
    membership,
    notices_proof,
    policy_publishing,
    profile_age,
    publication,
    records,
    regulation,
)
from hq import staff as people
from hq.database import writing
from hq.door import Grant
from hq.errors import Reason, Refused
from hq.keys import Keys
from hq.ledger import Entry
from hq.ledger_choices import choices_of as choices_of
from hq.ledger_proof import BY_THE_MEMBER, Proof
from hq.membership import About, Locked
from hq.named import Named
from hq.notices_history import History
from hq.policy_rules import Draft
from hq.state import Choice, Event, EventKind, fold
from hq.synthetic_choices import is_synthetic
from hq.tables import instances, phones, staff, stores
from wire import keyring, schema, synthetic
from wire.member import MOST_MUTES, Field, Mode, Muted, NameChoice, Staff
from wire.policy import MAIN_KEY, MainPolicy
from wire.sync import Collection, instance, is_store
from wire.token import SECRET_BYTES

# PINs are verified in the gateway, one at a time, at 19 MiB (OWASP's parameters for argon2id).
_PINS = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_LEAST_PIN = 4
_EVENT_BYTES = 16
MOST_OWN_MUTES = MOST_MUTES // 2  # that a member sets; a merge and stores may bring as many more, all of which hold


class Guard(Protocol):
    """What watches over changes of one member's choices (`hq.matching.Match`)."""

    def writing(self, connection: Connection, one: Locked) -> AbstractContextManager[None]:
        """Around what is written of the member, who is locked in this transaction. Raises: Refused."""


class Office:
    """HQ's counter: every call writes all or nothing. `Refused` at the door, `DatabaseUnavailable` behind it.

    `guard`: of a counter that serves one call about one member.
    """

    def __init__(self, engine: Engine, keys: Keys, guard: Guard | None = None) -> None:
        self.engine = engine
        self.guard = guard
        keys.custody.attach(engine)
        self.keys = keys

    # --- stores and policy ---------------------------------------------------------------------------------------

    def add_store(
        self,
        store: str,
        label: str,
        identity: bytes,
        policy: str,
        now_ms: int,
        shared: Mapping[Collection, Sequence[str]] | None = None,
    ) -> None:
        """Adds a store by its id and the 32 public bytes of its box's identity key; `policy` is a policy's name.

        `shared`: the names of the catalogs and models that it replicates too.
        """
        if not is_store(store) or not is_store(policy):
            raise Refused(Reason.MALFORMED, "store", "lower-case letters, digits and hyphens, at most 40")
        if len(identity) != 32:
            raise Refused(Reason.MALFORMED, "identity", "the public identity key of the box, 32 bytes")
        with writing(self.engine) as connection:
            if connection.scalar(select(stores.c.id).where(stores.c.id == store)) is not None:
                raise Refused(Reason.EXISTS, "store", "an id that no store has")
            connection.execute(
                insert(stores).values(id=store, label=label, identity=identity, policy=policy, added_ms=now_ms)
            )
            records.give(connection, store, records.make_instance(connection, Collection.POLICY, policy))
            records.make_instance(connection, Collection.MEMBERS, store)
            records.make_instance(connection, Collection.STAFF, store)
            for collection, names in (shared or {}).items():
                for name in names:
                    collections.give(connection, store, collection, name)

    def publish_policy(self, draft: Draft, now_ms: int) -> int:
        """Publishes a policy after `policy_rules.check`; returns how many records changed.

        All members of its stores are due for a new evaluation then, which `hq.clock_job` does, in batches.
        """
        written = policy_publishing.judged(draft)  # of ten thousand stores it takes seconds
        with writing(self.engine) as connection:
            return policy_publishing.publish(connection, written, now_ms)

    # --- members -------------------------------------------------------------------------------------------------

    def add_member(
        self, member: str, age_at_least: int, jurisdiction: str, now_ms: int, *, reserved: bool = False
    ) -> None:
        """Adds a member; `age_at_least` in years, 0 where it is unknown; `jurisdiction` "" where it is unknown."""
        door.check_id(member, "member", reserved=reserved)
        _check_age(age_at_least, jurisdiction)
        with writing(self.engine) as connection:
            if self.keys.custody.reference(connection, member) is not None:
                raise Refused(Reason.EXISTS, "member", "an id that no member has")
            membership.make(connection, self.keys.custody, [About(member, age_at_least, jurisdiction)], now_ms)

    def change_age(self, member: str, age_at_least: int, jurisdiction: str, now_ms: int) -> None:
        """Corrects a member's age and jurisdiction; who turns out to be too young has no profile from then on."""
        _check_age(age_at_least, jurisdiction)
        with self._change(member, now_ms, urgent=True) as (connection, locked):
            found = _only(locked)
            changed = replace(found, about=About(member, age_at_least, jurisdiction))
            membership.change(connection, [changed])
            locked[found.reference] = changed
            profile_age.clear(connection, locked, all_policies(connection))

    def add_phone(
        self, member: str, now_ms: int, secret: bytes | None = None, *, method: str = "command",
        notice: bytes | None = None,
    ) -> tuple[bytes, bytes]:  # fmt: skip
        """Adds a phone; returns its id and its presence secret, which only the phone shall hold beside HQ.

        `notice`: the presence notice that the member was shown; None: any in force (`notices_proof.prove_phone`).
        """
        made = os.urandom(SECRET_BYTES) if secret is None else secret
        if len(made) != SECRET_BYTES:
            raise Refused(Reason.MALFORMED, "secret", f"{SECRET_BYTES} bytes")
        with self._change(member, now_ms, phones_changed=True) as (connection, locked):
            one = _only(locked)
            held = select(func.count()).select_from(phones).where(phones.c.member == one.reference)
            if (connection.scalar(held) or 0) >= keyring.MAX_PHONES:
                raise Refused(Reason.TOO_MANY, "phone", f"at most {keyring.MAX_PHONES} phones of a member")
            notices_proof.prove_phone(connection, one.reference, method, notice, now_ms)
            (phone,) = membership.add_phones(connection, [(one, made)], now_ms)
        return phone, made

    def remove_phone(self, member: str, phone: bytes, now_ms: int) -> None:
        """Removes a phone: from now on no store recognises it."""
        with self._change(member, now_ms, urgent=True, phones_changed=True) as (connection, locked):
            whose = _only(locked).reference
            gone = connection.execute(delete(phones).where(phones.c.id == phone, phones.c.member == whose))
            if gone.rowcount != 1:
                raise Refused(Reason.UNKNOWN_PHONE, "phone", "the id of a phone of this member")

    # --- choices -------------------------------------------------------------------------------------------------

    def grant(
        self, member: str, grant: Grant, now_ms: int, method: str = "command", proof: Proof = BY_THE_MEMBER
    ) -> tuple[bytes, ...]:
        """Records a grant and publishes what it allows; returns the ids of the consent events.

        Its notice was served to the member before, or `method` vouches for that (`notices_proof.prove`).
        One for each brand and jurisdiction that the stores are of. A parent's or delegate's, where the law does not
        let them agree, is recorded as invalid and allows nothing; the member's own of contacts and media is refused
        while they are below the age, or it is not known.
        """
        frame = door.check_times(grant, now_ms // 1000)
        with self._change(member, now_ms, urgent=True) as (connection, locked):
            policies = publication.Policies(connection)
            about = _only(locked).about
            history = History(connection)
            choices = choices_of(policies, frame, grant.notice, reserved=is_synthetic(member))
            if grant.notice is None and method in notices_proof.VOUCHING:
                choices = [history.as_shown(one, grant.chosen_s) for one in choices]
            for one in choices:
                regulation.check(one, proof.by, about.age_at_least, about.jurisdiction)
            events = [
                _event(
                    regulation.judged(one, proof.by, about.age_at_least, about.jurisdiction),
                    method, grant.chosen_s, now_ms, proof,
                )
                for one in choices
            ]  # fmt: skip
            entries = history.proved([Entry(_only(locked).reference, one) for one in events], now_ms)
            notices_proof.prove(connection, entries, now_ms)
            ledger.append(connection, entries, locked)
        return tuple(one.id for one in events)

    def refuse(
        self, member: str, refusal: Choice, now_ms: int, method: str = "command", proof: Proof = BY_THE_MEMBER
    ) -> bytes:
        """Records that the member was asked and said no (`door.check_refusal`); it ends what stands of it.

        The id of the consent event; of several, the first.

        Raises:
            Refused: as `withdraw`.
        """
        return self._choose(member, refusal, now_ms, None, method, proof)

    def withdraw(
        self,
        member: str,
        now_ms: int,
        *,
        purpose: str | None = None,
        scopes: tuple[str, ...] | None = None,
        stores: tuple[str, ...] | None = None,
        brand: str | None = None,
        chosen_s: int | None = None,
        method: str = "command",
        proof: Proof = BY_THE_MEMBER,
    ) -> bytes:
        """Records a withdrawal and takes out what it ends, on the fast lane; what is not named means all.

        Without a time of choice it was chosen now: no later than this can it have been. The id of the consent event;
        of several, the first: a purpose about a whole brand ends for the brand of each store (`door.for_brands`).

        Raises:
            Refused: it names a purpose or brand that no policy ever declared (`hq.named`).
        """
        choice = door.check_withdrawal(purpose, scopes or None, stores or None, brand)
        return self._choose(member, choice, now_ms, chosen_s, method, proof)

    def set_mode(
        self, member: str, mode: Mode, now_ms: int, *, chosen_s: int | None = None, method: str = "command"
    ) -> bytes:
        """Records the member's own switch."""
        return self._choose(member, Choice(kind=EventKind.MODE, mode=mode), now_ms, chosen_s, method)

    def set_name(
        self, member: str, choice: NameChoice, now_ms: int, *, chosen_s: int | None = None, method: str = "command"
    ) -> bytes:
        """Records when the first name may be shown."""
        return self._choose(member, Choice(kind=EventKind.NAME, name_choice=choice), now_ms, chosen_s, method)

    def mute(self, member: str, muted: Muted, now_ms: int, method: str = "command") -> bytes:
        """Records that the member wants no suggestion of this any more, in any store."""
        choice = door.check_mute(EventKind.MUTE, muted)
        with self._change(member, now_ms, urgent=True) as (connection, locked):
            one = _only(locked).reference
            standing = fold(ledger.of_members(connection, locked)[one]).mutes
            if len(standing) >= MOST_OWN_MUTES and muted not in standing:
                raise Refused(Reason.TOO_MANY, "mute", f"at most {MOST_OWN_MUTES} items, categories and themes")
            event = _event(choice, method, now_ms // 1000, now_ms)
            ledger.append(connection, [Entry(one, event)], locked)
        return event.id

    def unmute(self, member: str, muted: Muted, now_ms: int, method: str = "command") -> bytes:
        """Records that the member takes a mute back; where there is none, nothing changes."""
        return self._choose(member, door.check_mute(EventKind.UNMUTE, muted), now_ms, None, method)

    def _choose(
        self, member: str, choice: Choice, now_ms: int, chosen_s: int | None, method: str,
        proof: Proof = BY_THE_MEMBER,
    ) -> bytes:  # fmt: skip
        when_s = now_ms // 1000 if chosen_s is None else chosen_s
        with self._change(member, now_ms, urgent=True) as (connection, locked):
            Named(connection).check(choice)
            made = door.for_brands(choice, publication.Policies(connection).name)
            events = [_event(one, method, when_s, now_ms, proof) for one in made]
            entries = History(connection).proved([Entry(_only(locked).reference, one) for one in events], now_ms)
            ledger.append(connection, entries, locked)
        return events[0].id

    # --- profile -------------------------------------------------------------------------------------------------

    def set_profile(self, member: str, fields: Sequence[Field], now_ms: int) -> None:
        """Sets these values of the member's profile, replacing those of the same scopes."""
        with self._change(member, now_ms, urgent=True) as (connection, locked):
            put_fields(connection, locked, fields, all_policies(connection))

    # --- staff ---------------------------------------------------------------------------------------------------

    def add_staff(
        self, associate: str, store: str, name: str, role: str, pin: str | None, now_ms: int, *, reserved: bool = False
    ) -> None:
        """Adds an associate, or changes name, role and PIN of one; the PIN is kept as an argon2id verifier only.

        `pin` None: the PIN stays as it is; who had none, or was deactivated, sets one in the store by a manager's code.
        """
        door.check_id(associate, "id", reserved=reserved)
        if pin is not None and not (pin.isascii() and pin.isdecimal() and _LEAST_PIN <= len(pin) <= 12):
            raise Refused(Reason.WEAK_PIN, "pin", f"{_LEAST_PIN} to 12 digits")
        verifier = None if pin is None else _PINS.hash(pin)
        with writing(self.engine) as connection:
            policy = publication.Policies(connection).of(store)
            if policy is None:
                raise Refused(Reason.NO_POLICY, "store", "a store whose policy is published")
            if role not in {one.id for one in policy.main.roles} or (role == synthetic.ROLE) is not reserved:
                raise Refused(Reason.UNDECLARED_ROLE, "role", "a role that the store's policy declares")
            held = people.of(connection, associate, store) if verifier is None else None
            hired = Staff(name, role, verifier or "", active=True, pin_set_ms=now_ms)
            if held is not None and held.active:
                hired = replace(hired, pin_verifier=held.pin_verifier, pin_set_ms=held.pin_set_ms)
            people.put(connection, associate, {store: hired}, now_ms)

    def deactivate_staff(self, associate: str, store: str, now_ms: int) -> None:
        """From now on the associate cannot sign in, and is signed out."""
        with writing(self.engine) as connection:
            there = (staff.c.store == store, staff.c.id == associate)
            row = connection.execute(select(staff).where(*there).with_for_update()).first()
            if row is None:
                raise Refused(Reason.UNKNOWN_STAFF, "id", "an associate of this store")
            body = records.body(connection, instance(Collection.STAFF, store), associate.encode())
            name = "" if body is None else schema.decode(Staff, body).name
            gone = Staff(name, row.role, "", active=False, pin_set_ms=now_ms)
            people.put(connection, associate, {store: gone}, now_ms)

    # --- within one transaction ----------------------------------------------------------------------------------

    @contextmanager
    def _change(
        self, member: str, now_ms: int, *, urgent: bool = False, phones_changed: bool = False
    ) -> Iterator[tuple[Connection, dict[bytes, Locked]]]:
        """Locks a member, lets the caller change what is theirs, then brings their records up to it."""
        with writing(self.engine) as connection:
            locked = membership.lock_by_id(connection, self.keys.custody, [member])
            if not locked:
                raise Refused(Reason.UNKNOWN_MEMBER, "member", "the id of a member")
            with self.guarded(connection, _only(locked)):
                yield connection, locked
            publication.refresh(
                connection, self.keys, locked, now_ms, urgent=urgent, phones_changed=phones_changed
            )  # fmt: skip

    def guarded(self, connection: Connection, one: Locked) -> AbstractContextManager[None]:
        """Around what is written of a locked member. Raises: Refused, by the guard."""
        return nullcontext() if self.guard is None else self.guard.writing(connection, one)


def _only(locked: dict[bytes, Locked]) -> Locked:
    (found,) = locked.values()
    return found


def put_fields(
    connection: Connection, locked: dict[bytes, Locked], fields: Sequence[Field], policies: Sequence[MainPolicy]
) -> None:
    """Writes values of the profile of the one member who is locked.

    Raises:
        Refused: one that no policy declares, too many bytes in all, or a member who is not old enough for a profile.
    """
    if fields:
        profile_age.check(_only(locked).about, policies, "member")
    for field in fields:
        door.check_field(field, policies)
    member = _only(locked).reference
    found = {one.scope: one for one in (*membership.fields(connection, locked).get(member, ()), *fields)}
    if sum(len(schema.encode(one)) for one in found.values()) > door.MAX_PROFILE_BYTES:
        raise Refused(Reason.TOO_LARGE, "profile", f"at most {door.MAX_PROFILE_BYTES} bytes in all")
    membership.put_fields(connection, locked, {member: found.values()})


def all_policies(connection: Connection) -> list[MainPolicy]:
    """The shared part of every published policy."""
    titles = connection.scalars(select(instances.c.name).where(instances.c.collection == int(Collection.POLICY))).all()
    bodies = [records.body(connection, title, MAIN_KEY) for title in titles]
    return [schema.decode(MainPolicy, body) for body in bodies if body is not None]


def _event(
    choice: Choice, method: str, chosen_s: int | None, now_ms: int, proof: Proof = BY_THE_MEMBER
) -> Event:  # fmt: skip
    return Event(os.urandom(_EVENT_BYTES), method, chosen_s, now_ms // 1000, choice, door.check_proof(proof))


def _check_age(age_at_least: int, jurisdiction: str) -> None:
    if not 0 <= age_at_least <= 150:
        raise Refused(Reason.MALFORMED, "age_at_least", "0 (unknown) to 150 years")
    jurisdictions.check(jurisdiction)
