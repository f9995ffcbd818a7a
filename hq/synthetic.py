"""The synthetic member of each store: every hour granted, seen on a tablet's stream, withdrawn, gone; or an alarm.

Nobody stands behind it. It goes every member's way, from the office to a tablet's stream, whose probe in the store
tells what it saw (`wire.events.Synthetic`). HQ judges by its own clock, so a store that says nothing is told of too.
Any HQ process may take a step; who does puts the next one off first.

I/O: sqlalchemy.
"""

import hashlib
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, insert, select, update

from hq import alarms, membership, records, synthetic_choices
from hq.alarm_watch import is_open
from hq.alarms import Alarm
from hq.database import reading, writing
from hq.door import Grant
from hq.errors import Refused
from hq.office import Office
from hq.publication import Policies
from hq.synthetic_reports import Phase
from hq.synthetic_tables import synthetic_rounds
from hq.tables import links, phones
from runtime.logs import Log
from wire import synthetic
from wire.member import Mode
from wire.policy import Policy
from wire.sync import Collection, instance

PERIOD_S = 3600
SPARE_MS = 60_000  # beyond the lease, for slow tablets and the report's way
CLAIM_MS = 30_000  # a step that began and did not end is taken again after so long
_LOOK_MS = 30_000
_AT_ONCE = 50
_METHOD = "synthetic"
_AGE = 150  # old enough anywhere
_LOG = Log("synthetic")


class Rounds:
    """See the module. `period_s`: from one grant at a store to the next. `now_ms` is Unix milliseconds UTC."""

    def __init__(self, engine: Engine, office: Office, period_s: int = PERIOD_S) -> None:
        self._engine = engine
        self._office = office
        self._period_ms = period_s * 1000
        self._looked_ms = 0

    def tick(self, now_ms: int) -> int:
        """Takes each step that is due; returns how many.

        Raises:
            DatabaseUnavailable: a step that was begun is taken again.
        """
        if abs(now_ms - self._looked_ms) >= min(_LOOK_MS, self._period_ms // 4):
            self._looked_ms = now_ms
            self._meet(now_ms)
        with reading(self._engine) as connection:
            chosen = (
                select(synthetic_rounds.c.store)
                .where(synthetic_rounds.c.due_ms <= now_ms)
                .order_by(synthetic_rounds.c.due_ms)
                .limit(_AT_ONCE)
            )
            due = connection.scalars(chosen).all()
        return sum(self._step(store, now_ms) for store in due)

    def _meet(self, now_ms: int) -> None:
        """Begins to watch the stores that had a lease; spread over the period, so that they do not all come at once."""
        with reading(self._engine) as connection:
            watched = select(synthetic_rounds.c.store)
            chosen = select(links.c.store).where(links.c.lease_until_ms > 0, links.c.store.not_in(watched))
            new = connection.scalars(chosen).all()
        for store in new:
            with writing(self._engine) as connection:
                # The link's row lock: two processes must not both begin.
                connection.execute(select(links.c.store).where(links.c.store == store).with_for_update())
                here = synthetic_rounds.c.store == store
                if connection.scalar(select(synthetic_rounds.c.store).where(here)) is not None:
                    continue
                spread = int.from_bytes(hashlib.sha256(store.encode()).digest()[:4], "big") / 2**32
                wait_ms = int(self._period_ms * (0.25 + 0.75 * spread))
                row = {"store": store, "phase": Phase.REST, "due_ms": now_ms + wait_ms, "granted_ms": 0,
                       "withdrawn_ms": 0}  # fmt: skip
                connection.execute(insert(synthetic_rounds).values(row))

    def _step(self, store: str, now_ms: int) -> bool:
        with writing(self._engine) as connection:
            here = synthetic_rounds.c.store == store
            row = connection.execute(select(synthetic_rounds).where(here).with_for_update()).first()
            if row is None or row.due_ms > now_ms:
                return False  # another process took it
            policy = Policies(connection).of(store)
            wait_ms = self._wait_ms(policy)
            self._note(connection, store, due_ms=now_ms + CLAIM_MS)
            match Phase(row.phase):
                case Phase.REST:
                    link = connection.execute(select(links).where(links.c.store == store)).first()
                    begins = link is not None and _may_begin(policy, link, now_ms, 2 * wait_ms)
                    if not begins:
                        self._note(connection, store, due_ms=now_ms + self._period_ms // 12)
                        return True
                    # Before the grant: what the store says of it must not come too early.
                    self._note(connection, store, granted_ms=now_ms, seen_ms=None, gone_ms=None)
                case Phase.GRANTED:
                    if row.seen_ms is None:
                        self._raise(connection, store, "grant", wait_ms, now_ms)
                    self._note(connection, store, withdrawn_ms=now_ms, gone_ms=None, phase=Phase.WITHDRAWN)
                case Phase.WITHDRAWN:
                    if row.gone_ms is None:
                        self._raise(connection, store, "withdrawal", wait_ms, now_ms)
                    elif row.seen_ms is not None:
                        alarms.clear(connection, Alarm.WITHDRAWAL_NOT_SEEN, store, now_ms)
                    rest_ms = max(row.granted_ms + self._period_ms, now_ms + self._period_ms // 12)
                    self._note(connection, store, phase=Phase.REST, due_ms=rest_ms)
                    return True
        try:
            if row.phase == Phase.REST:
                self._grant(store, row.made_of, now_ms)
                self._settle(store, phase=Phase.GRANTED, due_ms=now_ms + wait_ms)
            else:
                self._office.withdraw(synthetic_choices.member_of(store), now_ms, stores=(store,), method=_METHOD)
                self._settle(store, due_ms=now_ms + wait_ms)
        except Refused as error:
            # A policy from before there were synthetic members, for one: published again it has their role.
            _LOG.warning("synthetic_refused", store=store, reason=error.reason.value, remedy="publish the policy again")
        return True

    def _wait_ms(self, policy: Policy | None) -> int:
        """How long a store has to show, and to hide again: the lease and a little, at most a third of a round."""
        needs_ms = (policy.main.lease_s + policy.store.dwell_s) * 1000 if policy is not None else 0
        return min(needs_ms + SPARE_MS, self._period_ms // 3)

    def _grant(self, store: str, made_of: bytes | None, now_ms: int) -> None:
        member = synthetic_choices.member_of(store)
        with reading(self._engine) as connection:
            title = instance(Collection.MEMBERS, store)
            found = next(one for one in records.of_store(connection, store) if one.name == title)
            key = records.keys_of(connection, found).digest_key
        hashed = hashlib.sha256(b"consentry/synthetic/1" + key).digest()[:16]
        if hashed != made_of:
            self._make(member, synthetic.phone_secret(key), now_ms)
            self._office.add_staff(
                synthetic.ASSOCIATE,
                store,
                "Synthetic member",
                synthetic.ROLE,
                synthetic.pin(key),
                now_ms,
                reserved=True,
            )
            self._settle(store, made_of=hashed)
        with writing(self._engine) as connection:
            for reference in membership.lock_by_id(connection, self._office.keys.custody, [member]):
                synthetic_choices.forget(connection, reference)
        self._office.set_mode(member, Mode.OPEN, now_ms, method=_METHOD)
        grant = Grant("presence", (store,), (synthetic.ROLE,), until_days=1, chosen_s=now_ms // 1000)
        self._office.grant(member, grant, now_ms, method=_METHOD)

    def _make(self, member: str, secret: bytes, now_ms: int) -> None:
        """The member with one phone, which has this secret."""
        custody = self._office.keys.custody
        with reading(self._engine) as connection:
            is_there = custody.reference(connection, member) is not None
        if not is_there:
            self._office.add_member(member, _AGE, "", now_ms, reserved=True)
        with writing(self._engine) as connection:
            for reference in membership.lock_by_id(connection, custody, [member]):
                connection.execute(delete(phones).where(phones.c.member == reference))
        self._office.add_phone(member, now_ms, secret, method=_METHOD)

    def _raise(self, connection: Connection, store: str, what: str, wait_ms: int, now_ms: int) -> None:
        detail = f"the {what} was not seen within {wait_ms // 1000} s"
        alarms.raise_(connection, Alarm.WITHDRAWAL_NOT_SEEN, store, now_ms, detail)

    def _settle(self, store: str, **values: Any) -> None:
        with writing(self._engine) as connection:
            self._note(connection, store, **values)

    @staticmethod
    def _note(connection: Connection, store: str, **values: Any) -> None:
        connection.execute(update(synthetic_rounds).where(synthetic_rounds.c.store == store).values(**values))


def _may_begin(policy: Policy | None, link: Row[Any], now_ms: int, lasts_ms: int) -> bool:
    """Whether a round has a chance: the store has a lease, and it is open until the round's end.

    Without a lease it shows nobody anything, and STORE_SILENT tells of it; a closed store shows nobody either.
    """
    if policy is None or link.lease_until_ms <= now_ms:
        return False
    return is_open(policy.store, now_ms) and is_open(policy.store, now_ms + lasts_ms)
