"""Renews the certificates of stores at half their life, and tells where that fails. One HQ process at a time does it.

I/O: sqlalchemy; the issuers do theirs.
"""

import threading
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, Row, and_, or_, select

from hq import certificates
from hq.certificate_issuers import Issued, NotIssued, from_folder, from_hook
from hq.certificate_tables import certificates as rows
from hq.custody import Custody
from hq.database import reading, writing
from hq.errors import Refused
from hq.settings import Certificates
from runtime.logs import Log
from wire.trust import id_of

LOOK_MS: Final = 600_000  # between two looks at a store's folder, for what an operator put there early
_AT_ONCE: Final = 200  # stores of one tick
_SPARE_MS: Final = 60_000  # after a hook's time, before another process may ask

_LOG = Log("certificates")


class Renewals:
    """See the module. `tick` on one thread, which waits for the hook."""

    def __init__(self, engine: Engine, custody: Custody, settings: Certificates) -> None:
        self._engine = engine
        self._custody = custody
        self._settings = settings

    def tick(self, now_ms: int, stop: threading.Event | None = None) -> int:
        """Does what is due at `now_ms`; how many certificates were taken.

        Raises:
            DatabaseUnavailable: the next tick goes on.
        """
        with writing(self._engine) as connection:
            if self._settings.domain is not None:
                certificates.name_all(connection, self._settings.domain)
            certificates.look(connection, now_ms)
        if self._settings.hook is None and self._settings.folder is None:
            return 0
        with reading(self._engine) as connection:
            wanted = select(rows).where(self._due(now_ms)).order_by(rows.c.next_ms, rows.c.store).limit(_AT_ONCE)
            due = connection.execute(wanted).all()
        taken = 0
        for row in due:
            if stop is not None and stop.is_set():
                break
            taken += self._renew(row, now_ms)
        return taken

    def _due(self, now_ms: int) -> ColumnElement[bool]:
        asked = and_(rows.c.ended.is_(False), rows.c.next_ms <= now_ms)
        if self._settings.folder is not None:
            return asked
        return and_(asked, or_(rows.c.id.is_(None), rows.c.renew_ms <= now_ms))

    def _renew(self, row: Row[Any], now_ms: int) -> int:
        until_ms = now_ms + int(self._settings.hook_timeout_s * 1000) + _SPARE_MS
        with writing(self._engine) as connection:
            if not certificates.claim(connection, row, until_ms):
                return 0
        issued = self._ask(row)
        with writing(self._engine) as connection:
            why = self._settle(connection, row, issued, now_ms)
            if why is not None:
                certificates.failed(connection, row, why, now_ms)
                return 0
            certificates.put_off(connection, row.store, now_ms + LOOK_MS)
        if isinstance(issued, Issued) and id_of(issued.chain) != row.id:
            _LOG.info("certificate_renewed", store=row.store)
            return 1
        return 0

    def _settle(self, connection: Connection, row: Row[Any], issued: Issued | NotIssued, now_ms: int) -> str | None:
        """Takes what was issued; what is wrong, where something is."""
        is_due = row.id is None or row.renew_ms <= now_ms
        if isinstance(issued, NotIssued):
            return issued.why if is_due else None
        if id_of(issued.chain) == row.id:
            # A folder has none newer yet, and there is time until it is late; a program was asked for a new one.
            return "the hook gave what was there" if self._settings.folder is None else None
        try:
            with connection.begin_nested():
                certificates.put(connection, self._custody, row.store, issued.chain, issued.key, now_ms)
        except Refused as error:
            return f"what the issuer gave is refused: {error.field}"
        return None

    def _ask(self, row: Row[Any]) -> Issued | NotIssued:
        if self._settings.folder is not None:
            return from_folder(self._settings.folder, row.store)
        assert self._settings.hook is not None  # one of the two is there
        return from_hook(self._settings.hook, row.store, row.name, self._settings.hook_timeout_s)
