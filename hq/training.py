"""Learns a brand's model from the view, holds it against the one in force, and publishes it only where it is no worse.

Stores get it as the `affinity` collection of the brand's name. What is not better is not kept: of a refused model there
is its card. No version comes back in which somebody withdrew too long ago.

I/O: sqlalchemy.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import Engine, select

from hq import collections, training_card, training_versions
from hq.database import reading, writing
from hq.errors import Reason, Refused
from hq.keys import Keys
from hq.learning.findings import Asked, Found, Progress
from hq.tables import instances, store_instances, stores
from hq.training_card import Card
from hq.training_versions import State, Version, VersionKey
from hq.training_view import Row, View, histories
from wire.affinity import LEAST_CLUSTER
from wire.sync import Collection, instance, is_store

DAY_MS = 86_400_000
LEAVE_MS = 6 * DAY_MS  # so long after somebody withdrew no store has the tables any more; seven days are allowed
REGULAR_MS = 30 * DAY_MS  # after which a model is learned anew
OLDEST_MS = (
    REGULAR_MS + LEAVE_MS
)  # deleted purchases, later gifts and mutes, and what was flagged later are out by then
_TOLD_EVERY = 1000

Learning = Callable[[Asked, Progress], Found]


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training. `is_in_force`: stores get it; else the card says for whom it would be worse."""

    card: Card
    is_in_force: bool


def train(engine: Engine, keys: Keys, brand: str, now_ms: int, learning: Learning, progress: Progress) -> Trained:
    """Learns a new model, and puts it in force where no group fares worse by it.

    Raises:
        Refused: no such brand, a store of another brand has its tables, too few people, or another training ended
            meanwhile. LearningFailed: there is no model. DatabaseUnavailable: in mid-work; the version may be there.
    """
    _check_brand(engine, brand)
    key, people = VersionKey(), set[bytes]()
    view = View(engine, keys, brand, now_ms)
    rows = view.rows(key.person, lambda reference, scope: people.add(key.granting(reference, scope)))
    told = tuple(histories(_counted(rows, progress)))
    with reading(engine) as connection:
        old = training_versions.in_force(connection, brand)
        twin = None if old is None else training_versions.tables(connection, keys.custody, old.number)[1]
    against = None if old is None else old.number
    if sum(len(one) > 1 for one in told) < LEAST_CLUSTER:
        with writing(engine) as connection:
            training_versions.lock(connection)
            card = training_card.empty(training_versions.next_number(connection), brand, now_ms, against)
            training_versions.add(connection, keys.custody, card, State.TOO_FEW, now_ms)
        hint = f"at least {LEAST_CLUSTER} members who grant `suggest` and bought something unflagged on two days"
        raise Refused(Reason.TOO_FEW, "members", hint)
    found = learning(Asked(told, twin), progress)
    with writing(engine) as connection:
        training_versions.lock(connection)
        now = training_versions.in_force(connection, brand)
        if (None if now is None else now.number) != against:
            raise Refused(Reason.STALE, "brand", "no other model put in force meanwhile; train again")
        empty = training_card.empty(training_versions.next_number(connection), brand, now_ms, against)
        card = training_card.card_of(empty, told, view.left_out, found)
        if card.worse:
            training_versions.add(connection, keys.custody, card, State.REFUSED, now_ms)
            return Trained(card, is_in_force=False)
        training_versions.add(
            connection, keys.custody, card, State.KEPT, now_ms, key=key, tables=(found.parts, found.twin), people=people
        )
        training_versions.put_in_force(connection, training_versions.of(connection, brand, card.number))
    publish(engine, keys, brand, now_ms)
    return Trained(card, is_in_force=True)


def publish(engine: Engine, keys: Keys, brand: str, now_ms: int) -> int:
    """Brings stores to what is in force, which may be nothing; returns how many records changed.

    Stores of the brand that replicate no model are given this one. Where another version was put in force, or this one
    destroyed, while it was being written, that one is brought to them after it: whoever ends last looks again.

    Raises:
        Refused: the brand's name is no instance's. DatabaseUnavailable: the batches before are in; publish again.
    """
    changed = 0
    while True:
        with reading(engine) as connection:
            version = training_versions.in_force(connection, brand)
            parts = {} if version is None else training_versions.tables(connection, keys.custody, version.number)[0]
        bodies = {name.encode(): body for name, body in parts.items()}
        changed += collections.publish(engine, Collection.AFFINITY, brand, bodies, now_ms)
        if _settle(engine, brand, version, now_ms):
            return changed


def _settle(engine: Engine, brand: str, published: Version | None, now_ms: int) -> bool:
    """Notes that stores have been brought to this, unless something else is in force by now."""
    with writing(engine) as connection:
        training_versions.lock(connection)
        now = training_versions.in_force(connection, brand)
        if (None if now is None else now.number) != (None if published is None else published.number):
            return False
        has_some = (
            select(store_instances.c.store)
            .join(instances, instances.c.id == store_instances.c.instance)
            .where(instances.c.collection == int(Collection.AFFINITY))
        )
        without = select(stores.c.id).where(stores.c.policy == brand, stores.c.id.not_in(has_some))
        for store in connection.scalars(without).all():
            collections.give(connection, store, Collection.AFFINITY, brand)
        training_versions.note_published(connection, brand, now_ms)
    return True


def roll_back(engine: Engine, keys: Keys, brand: str, number: int | None, now_ms: int) -> Version:
    """Puts an earlier version in force again, the newest where `number` is None; looks first who of it withdrew.

    Raises:
        Refused: there is none, its tables are gone, it is too old, or somebody in it withdrew six days ago or earlier.
    """
    look(engine, keys, brand, now_ms)
    with writing(engine) as connection:
        training_versions.lock(connection)
        kept = [one for one in training_versions.listed(connection, brand) if one.state is State.KEPT]
        if number is not None:
            wanted = training_versions.of(connection, brand, number)
            kept = [one for one in kept if one.number == wanted.number]
        if not kept:
            hint = "a version that was in force before, and whose tables were not destroyed"
            raise Refused(Reason.UNKNOWN_VERSION, "VERSION", hint)
        if must_leave(kept[0], now_ms):
            hint = "a version of the last 36 days, in which nobody withdrew six days ago or earlier"
            raise Refused(Reason.WITHDRAWN, "VERSION", hint)
        training_versions.put_in_force(connection, kept[0])
    publish(engine, keys, brand, now_ms)
    return kept[0]


def look(engine: Engine, keys: Keys, brand: str, now_ms: int) -> None:
    """Looks for each kept version whether all of its people still grant, and notes since when somebody may not.

    Whoever was there at the look before and is missing now left at some time between: it counts as the earliest.
    """
    with reading(engine) as connection:
        versions = [one for one in training_versions.listed(connection, brand) if one.has_tables]
        people = {one.number: training_versions.people(connection, keys.custody, one.number) for one in versions}
    if not versions:
        return
    for reference, scope in View(engine, keys, brand, now_ms).grants():
        for key, missing in people.values():
            missing.discard(key.granting(reference, scope))
    with writing(engine) as connection:
        for one in versions:
            gone_ms = one.checked_ms if one.gone_ms is None and people[one.number][1] else one.gone_ms
            training_versions.note(connection, one.number, now_ms, gone_ms)


def must_leave(version: Version, now_ms: int) -> bool:
    """Whether no store may have it any more: somebody in it withdrew too long ago, or it is too old."""
    is_left = version.gone_ms is not None and now_ms >= version.gone_ms + LEAVE_MS
    return is_left or now_ms >= version.made_ms + OLDEST_MS


def brands(engine: Engine) -> list[str]:
    """The brands that have stores."""
    with reading(engine) as connection:
        return list(connection.scalars(select(stores.c.policy).distinct().order_by(stores.c.policy)))


def _check_brand(engine: Engine, brand: str) -> None:
    if not is_store(brand) or brand not in brands(engine):
        raise Refused(Reason.NO_POLICY, "brand", "the name of a policy that a store is under")
    with reading(engine) as connection:
        wanted = (
            select(stores.c.id)
            .join(store_instances, store_instances.c.store == stores.c.id)
            .join(instances, instances.c.id == store_instances.c.instance)
            .where(instances.c.name == instance(Collection.AFFINITY, brand), stores.c.policy != brand)
        )
        if connection.execute(wanted.limit(1)).first() is not None:
            hint = f"affinity {brand} given to stores of {brand} alone: what members let one brand use serves no other"
            raise Refused(Reason.OTHER_BRAND, "brand", hint)


def _counted(rows: Iterator[Row], progress: Progress) -> Iterator[Row]:
    for number, row in enumerate(rows, 1):
        if number % _TOLD_EVERY == 0:
            progress("purchases read", number, 0)
        yield row
