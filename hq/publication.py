"""Brings members' records and the keyring's buckets up to what stands now, at every store that they concern.

A caller locks the members first, then appends events, then comes here: the counters are locked last.

I/O: sqlalchemy.
"""

from collections import defaultdict
from collections.abc import Collection as Several
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from hq import audience as audiences
from hq import ledger, membership, records
from hq.custody import Custody
from hq.custody_tables import member_keys
from hq.errors import SealBroken
from hq.keys import PAIRWISE_NUMBER, Keys, pseudonym
from hq.membership import Locked
from hq.state import Standing, fold
from hq.tables import audience, phones, stores
from wire import keyring, schema
from wire.errors import WireError
from wire.member import Field
from wire.policy import MAIN_KEY, MainPolicy, Policy, StorePolicy, store_key
from wire.sync import Collection, bucket_key, instance
from wire.token import day_key

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Seat:
    """One (member, store) that may be or have been in an audience."""

    member: bytes
    store: str
    row: Row[Any] | None  # of `audience`; None: not there yet


class Policies:
    """The policies that stores are under, each read and decoded once in a transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._names: dict[str, str | None] = {}
        self._mains: dict[str, MainPolicy | None] = {}
        self._found: dict[str, Policy | None] = {}

    def name(self, store: str) -> str | None:
        """The name of the store's policy; None: no such store."""
        if store not in self._names:
            self._names[store] = self._connection.scalar(_POLICY_OF, {"store": store})
        return self._names[store]

    def main(self, name: str) -> MainPolicy | None:
        """The shared part of a policy by its name; None: not published."""
        if name not in self._mains:
            found = records.body(self._connection, instance(Collection.POLICY, name), MAIN_KEY)
            self._mains[name] = None if found is None else _main_of(found)
        return self._mains[name]

    def of(self, store: str) -> Policy | None:
        """Both records of the store's policy, or None while one is missing."""
        if store not in self._found:
            name = self.name(store)
            main = None if name is None else self.main(name)
            own = None
            if name is not None and main is not None:
                own = records.body(self._connection, instance(Collection.POLICY, name), store_key(store))
            self._found[store] = None if main is None or own is None else Policy(main, _own_of(own))
        return self._found[store]


_POLICY_OF = select(stores.c.policy).where(stores.c.id == bindparam("store"))


# What a policy's record says does not change: it is read anew from the database and decoded where it is new.
@lru_cache(64)
def _main_of(body: bytes) -> MainPolicy:
    return schema.decode(MainPolicy, body)


@lru_cache(256)
def _own_of(body: bytes) -> StorePolicy:
    return schema.decode(StorePolicy, body)


def refresh(
    connection: Connection,
    keys: Keys,
    locked: Mapping[bytes, Locked],
    now_ms: int,
    *,
    urgent: bool = False,
    phones_changed: bool = False,
) -> int:
    """Evaluates these locked members at all their stores and commits what changed; returns how many records that was.

    `phones_changed`: their buckets are made anew even where their place did not change.
    """
    if not locked:
        return 0
    now_s = now_ms // 1000
    events = ledger.of_members(connection, locked)
    standing = {member: fold(events.get(member, ())) for member in locked}
    fields = membership.fields(connection, locked)
    seats = seats_of(connection, standing)
    named = sorted({seat.store for seat in seats})
    rings = [one.name for one in records.keyrings(connection, named)]
    commit = records.begin(connection, [*(instance(Collection.MEMBERS, one) for one in named), *rings])
    # A day may have begun while we waited for the locks. Whoever touches a keyring holds its store's members' counter.
    late = {one.name for one in records.keyrings(connection, named)} - set(rings)
    if late:
        commit.instances.update(records.begin(connection, late).instances)
    new, known = [], []
    touched: dict[str, dict[bytes, bytes | None]] = defaultdict(dict)
    for seat, found in judged(connection, locked, standing, fields, seats, now_s):
        old = seat.row
        known_as = pseudonym(keys, seat.store, seat.member) if old is None else old.pseudonym
        present = found.body is not None
        commit.put(instance(Collection.MEMBERS, seat.store), known_as, found.encoded)
        bucket = int.from_bytes(bucket_key(known_as), "big")
        if phones_changed or present != (old is not None and old.present):
            touched[seat.store][known_as] = seat.member if present else None
        if old is None:
            new.append(_audience_row(seat, known_as, bucket, present, found.due_s))
        elif (old.present, old.due_s) != (present, found.due_s):
            known.append({"b_store": seat.store, "b_member": seat.member, "present": present, "due_s": found.due_s})
    if new:
        connection.execute(insert(audience), new)
    if known:
        connection.execute(_UPDATE_PLACE, known)
    carried = {one: locked[one] for places in touched.values() for one in places.values() if one is not None}
    secrets = membership.secrets(connection, carried)
    for store, places in touched.items():
        turned = {known_as: secrets.get(one or b"", []) for known_as, one in places.items()}
        _turn_buckets(connection, keys.custody, commit, store, turned)
    return commit.write(now_ms, urgent=urgent)


def judged(
    connection: Connection, locked: Mapping[bytes, Locked], standing: Mapping[bytes, Standing],
    fields: Mapping[bytes, tuple[Field, ...]], seats: Iterable[Seat], now_s: int,
) -> Iterator[tuple[Seat, audiences.Place]]:  # fmt: skip
    """Each seat with the member's place there, as the fold, what HQ knows and the store's policy give it now."""
    policies = Policies(connection)
    for seat in seats:
        known_of = locked[seat.member].about
        about = audiences.Known(known_of.age_at_least, known_of.jurisdiction, fields.get(seat.member, ()))
        old = seat.row
        acts = audiences.Acts() if old is None else audiences.Acts(old.acts_incarnation, old.acts_through)
        policy, brand = policies.of(seat.store), policies.name(seat.store) or ""
        yield seat, audiences.place(standing[seat.member], about, acts, seat.store, policy, now_s, brand)


_UPDATE_PLACE = update(audience).where(
    audience.c.store == bindparam("b_store"), audience.c.member == bindparam("b_member")
)


def _turn_buckets(
    connection: Connection, custody: Custody, commit: records.Commit, store: str, turned: Mapping[bytes, list[bytes]]
) -> None:
    """Puts the built buckets of these members, by pseudonym, with the day keys of their phones, or without them.

    Whoever else is in a bucket stays as its record says: the counters are locked, and every change of a member or of a
    phone came this way. A record that cannot be read is made anew from all its members.
    """
    buckets: dict[int, list[bytes]] = defaultdict(list)
    for known_as in turned:
        buckets[int.from_bytes(bucket_key(known_as), "big")].append(known_as)
    for ring in _rings(commit, store):
        wanted = {bucket.to_bytes(2, "big"): listed for bucket, listed in buckets.items() if bucket < ring.filled}
        try:
            held = commit.bodies(ring.name, wanted)
            for key, listed in wanted.items():
                entries = {one: tuple(day_key(secret, ring.day or 0) for secret in turned[one]) for one in listed}
                commit.put(ring.name, key, keyring.replaced(held.get(key, b""), entries) or None)
        except (SealBroken, WireError):
            put_buckets(connection, custody, commit, store, list(buckets))


def _rings(commit: records.Commit, store: str, only_day: int | None = None) -> list[records.Instance]:
    """The store's keyrings among the locked instances; of this one day alone."""
    kept = [one for one in commit.instances.values() if one.store == store and one.collection is Collection.KEYRING]
    return [one for one in kept if one.day is not None and only_day in (None, one.day)]


def put_buckets(
    connection: Connection,
    custody: Custody,
    commit: records.Commit,
    store: str,
    buckets: Several[int],
    *,
    only_day: int | None = None,
) -> None:
    """Puts these buckets of a store's keyrings, as the audience is now; of a day still being built, those built.

    `only_day`: these buckets of this one day, built or not.
    """
    rings = _rings(commit, store, only_day)
    if not rings:
        return
    secrets = _secrets(connection, custody, store, buckets)
    for ring in rings:
        for bucket in buckets:
            if only_day is None and bucket >= ring.filled:
                continue
            commit.put(ring.name, bucket.to_bytes(2, "big"), _bucket(secrets.get(bucket, {}), ring.day))


def buckets(
    connection: Connection, custody: Custody, ring: records.Instance, wanted: Several[int]
) -> dict[int, bytes | None]:
    """What each of these buckets of a keyring must hold, as the audience is now; None: nothing."""
    secrets = _secrets(connection, custody, ring.store or "", wanted)
    return {bucket: _bucket(secrets.get(bucket, {}), ring.day) for bucket in wanted}


def _bucket(phones_of: Mapping[bytes, Sequence[bytes]], day: int | None) -> bytes | None:
    """The day keys by pseudonym, packed."""
    if day is None or not phones_of:
        return None
    return keyring.pack(
        [(known_as, tuple(day_key(secret, day) for secret in found)) for known_as, found in phones_of.items()]
    )


def _secrets(
    connection: Connection, custody: Custody, store: str, buckets: Several[int]
) -> dict[int, dict[bytes, list[bytes]]]:
    found: dict[int, dict[bytes, list[bytes]]] = defaultdict(lambda: defaultdict(list))
    listed = sorted(buckets)
    for start in range(0, len(listed), _CHUNK):
        chunk = listed[start : start + _CHUNK]
        # A day is built in runs of buckets; to name hundreds of them takes longer than to read them.
        is_run = chunk[-1] - chunk[0] + 1 == len(chunk)
        among = audience.c.bucket.between(chunk[0], chunk[-1]) if is_run else audience.c.bucket.in_(chunk)
        wanted = (
            select(
                audience.c.bucket, audience.c.pseudonym, audience.c.member,
                phones.c.id, phones.c.secret, member_keys.c.wrapped,
            )
            .join(phones, phones.c.member == audience.c.member)
            .join(member_keys, member_keys.c.member == audience.c.member)
            .where(
                audience.c.store == store,
                among,
                audience.c.present.is_(True),
            )
            .order_by(phones.c.id)
        )  # fmt: skip
        for bucket, known_as, member, phone, secret, wrapped in connection.execute(wanted):
            seal = custody.member(member, wrapped)
            found[bucket][known_as].append(membership.phone_secret(seal, phone, member, secret))
    return found


def seats_of(connection: Connection, standing: Mapping[bytes, Standing]) -> list[Seat]:
    """Every store where one of these members has or had a place, or is to have one."""
    known: dict[tuple[bytes, str], Row[Any]] = {}
    names = sorted(standing)
    for start in range(0, len(names), _CHUNK):
        seated = connection.execute(_SEATED, {"members": names[start : start + _CHUNK]})
        known.update({(row.member, row.store): row for row in seated})
    places = set(known) | {(name, store) for name, found in standing.items() for store in found.stores()}
    return [Seat(member, store, known.get((member, store))) for member, store in sorted(places)]


_SEATED = select(audience).where(audience.c.member.in_(bindparam("members", expanding=True)))


def _audience_row(seat: Seat, known_as: bytes, bucket: int, present: bool, due_s: int | None) -> dict[str, Any]:
    return {
        "store": seat.store,
        "member": seat.member,
        "pseudonym": known_as,
        "key_number": PAIRWISE_NUMBER,
        "bucket": bucket,
        "present": present,
        "due_s": due_s,
        "acts_incarnation": None,
        "acts_through": 0,
    }
