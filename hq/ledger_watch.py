"""Holds every consent event against its chain and its signed heads, twice a day, a slice at a time.

A slice is a transaction of its own, so that neither the clock job nor the database waits for a chain of millions.

I/O: sqlalchemy.
"""

from sqlalchemy import Engine

from hq import ledger, ledger_heads
from hq.alarms import Alarm, raise_
from hq.database import reading, writing
from hq.ledger import Link

# Begun so often, a round that ends within as long finds what was changed behind it within a day.
EVERY_MS = 43_200_000
SLICE = 20_000  # rows, about 0.4 s


class LedgerWatch:
    """See the module. A program that begins anew begins a round anew."""

    def __init__(self, engine: Engine, most: int = SLICE) -> None:
        self._engine = engine
        self._most = most
        self._began_ms: int | None = None
        self._link: Link | None = None

    def tick(self, now_ms: int) -> bool:
        """One slice, where a round is due or under way; whether there was one. What is wrong raises an alarm.

        Raises:
            DatabaseUnavailable: the slice is done again.
        """
        if self._link is None:
            if self._began_ms is not None and 0 <= now_ms - self._began_ms < EVERY_MS:
                return False
            self._began_ms, self._link = now_ms, Link()
        wrong = None
        with reading(self._engine) as connection:
            link = ledger.follow(connection, self._link, self._most)
            if link.broken is not None:
                wrong = f"the chain breaks at event {link.broken}"
            elif link.is_end:
                wrong = ledger_heads.missed_by(connection, ledger_heads.all_heads(connection))
        if wrong is not None:
            with writing(self._engine) as connection:
                raise_(connection, Alarm.CONSENT_BROKEN, "", now_ms, wrong)
        self._link = None if wrong is not None or link.is_end else link
        return True
