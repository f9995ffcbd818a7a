"""Calls other systems when members changed something: signed, in order, tried again for three days, never lost.

A hook stands where its cursor is (hq.changes): one message is under way at a time, and says the same in each try. What
was not taken for three days is kept as a dead letter, and the next message goes on; so is at once what does not open
of a message, and the rest of it is said. Several HQ processes may run it: who sends puts the next try off first.

Source: Standard Webhooks 1.0 (headers, signature, secrets).

I/O: sqlalchemy, and the system's random generator; the post does its own.
"""

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from hq import changes, contacts, systems, systems_refused
from hq.alarms import Alarm, clear, raise_
from hq.changes_tables import dead_letters, hooks
from hq.custody import Custody, Place, Purpose, bound
from hq.database import reading, writing
from hq.errors import DatabaseUnavailable, HookNotTaken, Reason, Refused, SealBroken
from hq.systems import Right
from runtime.errors import UnavailableError
from runtime.logs import Log

_LOG = Log("hooks")
MOST_HOOKS = 5  # of a system
MOST_AT_ONCE = 100  # changes in a message
GIVE_UP_MS = 3 * 86_400_000
BROKEN_GIVE_UP_MS = 3_600_000  # a secret that was changed does not mend by itself
ROTATES_MS = 86_400_000  # so long the old secret signs too
_FIRST_PAUSE_MS = 5_000
_MOST_PAUSE_MS = 6 * 3_600_000
_FAILED_PAUSE_MS = 300_000  # after something of HQ's own failed
_SECRET_BYTES = 32
_ID_BYTES = 8
_MOST_REASON = 64  # characters
_PREFIX = "whsec_"

Post = Callable[[str, bytes, Mapping[str, str]], None]  # url, body, headers; raises HookNotTaken


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook as an operator sees it. Times are Unix milliseconds UTC; `behind`: events not yet told of.

    `failed_ms`, `failure`: the last try that came to nothing since a message was taken; None: none did.
    """

    id: bytes
    system: str
    url: str
    behind: int
    tries: int
    due_ms: int
    told_ms: int | None
    dead: int
    failed_ms: int | None
    failure: str | None


# --- keeping ------------------------------------------------------------------------------------------------------


def add(connection: Connection, custody: Custody, system: str, url: str, now_ms: int) -> tuple[bytes, str]:
    """A hook of a system that is told of changes from now on; its id, and its secret, shown this once.

    Raises:
        Refused: no such system, one without the right, or too many.
    """
    found = systems.find(connection, system)
    if found is None:
        raise Refused(Reason.UNKNOWN_SYSTEM, "system", "the id of a system that is not revoked")
    if not found.may(Right.CHANGES):
        raise Refused(Reason.FORBIDDEN, "system", f"a system with the right `{Right.CHANGES}`")
    held = connection.scalars(select(hooks.c.id).where(hooks.c.system == system)).all()
    if len(held) >= MOST_HOOKS:
        raise Refused(Reason.TOO_MANY, "system", f"at most {MOST_HOOKS} hooks of a system")
    hook, secret = os.urandom(_ID_BYTES), os.urandom(_SECRET_BYTES)
    sealed = custody.to_seal(connection, Purpose.SYSTEMS).close(secret, bound(Place.HOOK, hook))
    row = {"id": hook, "system": system, "url": url, "secret": sealed, "through": changes.newest(connection),
           "tries": 0, "due_ms": now_ms, "added_ms": now_ms}  # fmt: skip
    connection.execute(insert(hooks).values(row))
    return hook, shown(secret)


def rotate(connection: Connection, custody: Custody, hook: bytes, now_ms: int) -> str:
    """A new secret, shown this once; for a day the old one signs beside it. Raises: Refused, where there is no such."""
    row = connection.execute(select(hooks).where(hooks.c.id == hook).with_for_update()).first()
    if row is None:
        raise _unknown()
    secret = os.urandom(_SECRET_BYTES)
    seal = custody.to_seal(connection, Purpose.SYSTEMS)
    sealed = seal.close(secret, bound(Place.HOOK, hook))
    changed = {"secret": sealed, "old_secret": row.secret, "old_until_ms": now_ms + ROTATES_MS, "due_ms": now_ms}
    try:
        seal.open(row.secret, bound(Place.HOOK, hook))
    except SealBroken:
        changed |= {"old_secret": None, "old_until_ms": None}  # what cannot sign is why there is a new one
    connection.execute(update(hooks).where(hooks.c.id == hook).values(changed))
    return shown(secret)


def remove(connection: Connection, hook: bytes, now_ms: int) -> None:
    """Deletes a hook and its dead letters. Raises: Refused, where there is no such."""
    connection.execute(delete(dead_letters).where(dead_letters.c.hook == hook))
    if connection.execute(delete(hooks).where(hooks.c.id == hook)).rowcount != 1:
        raise _unknown()
    _clear(connection, now_ms)


def retry(connection: Connection, hook: bytes, now_ms: int) -> int:
    """Goes back to the first dead letter and tells all from there on again, at once; how many letters that were.

    Who is told something twice knows it by the numbers of its changes.

    Raises: Refused, where there is no such hook.
    """
    row = connection.execute(select(hooks).where(hooks.c.id == hook).with_for_update()).first()
    if row is None:
        raise _unknown()
    letters = connection.execute(select(dead_letters).where(dead_letters.c.hook == hook)).all()
    through = min([one.after for one in letters] + [row.through])
    changed = {"through": through, "sending": None, "first_ms": None, "tries": 0, "due_ms": now_ms}
    connection.execute(update(hooks).where(hooks.c.id == hook).values(changed))
    connection.execute(delete(dead_letters).where(dead_letters.c.hook == hook))
    _clear(connection, now_ms)
    return len(letters)


def _clear(connection: Connection, now_ms: int) -> None:
    """Ends the alarm once no dead letter is left."""
    if connection.execute(select(dead_letters.c.id).limit(1)).first() is None:
        clear(connection, Alarm.HOOK_GIVEN_UP, "", now_ms)


def listed(connection: Connection) -> list[Hook]:
    """All hooks, by system."""
    newest = changes.newest(connection)
    counted = select(dead_letters.c.hook, func.count()).group_by(dead_letters.c.hook)
    dead = {row[0]: row[1] for row in connection.execute(counted)}
    wanted = select(hooks).order_by(hooks.c.system, hooks.c.added_ms, hooks.c.id)
    return [
        Hook(
            row.id, row.system, row.url, newest - row.through, row.tries, row.due_ms, row.told_ms,
            dead.get(row.id, 0), row.failed_ms, row.failure,
        )
        for row in connection.execute(wanted)
    ]  # fmt: skip


def _unknown() -> Refused:
    return Refused(Reason.UNKNOWN_SYSTEM, "hook", "the id of a hook, 16 hex digits")


def shown(secret: bytes) -> str:
    """A secret as Standard Webhooks writes it."""
    return _PREFIX + base64.b64encode(secret).decode()


def signature(secret: bytes, message: str, at_s: int, body: bytes) -> str:
    """`v1,` and HMAC-SHA256 over id, time and body, in base64."""
    signed = f"{message}.{at_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


# --- sending ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class _Message:
    url: str
    body: bytes
    headers: dict[str, str]
    hook: bytes
    sending: int
    tries: int
    over: bool


class Hooks:
    """See the module. `now_ms` is Unix milliseconds UTC."""

    def __init__(self, engine: Engine, custody: Custody, post: Post) -> None:
        self._engine = engine
        self._custody = custody
        self._post = post

    def tick(self, now_ms: int) -> int:
        """Says what is due, one message a hook; returns how many were taken. What fails with one holds up no other.

        Raises:
            DatabaseUnavailable: nothing was said.
        """
        with reading(self._engine) as connection:
            newest = changes.newest(connection)
            wanted = select(hooks.c.id).where(hooks.c.through < newest, hooks.c.due_ms <= now_ms)
            due = connection.scalars(wanted.order_by(hooks.c.due_ms)).all()
        return sum(self._try(one, now_ms) for one in due)

    def _try(self, hook: bytes, now_ms: int) -> bool:
        try:
            return self._send(hook, now_ms)
        except SealBroken as error:
            with suppress(DatabaseUnavailable):
                self._stuck(hook, now_ms, error)
            return False
        except UnavailableError as error:
            _LOG.error("hook_failed", hook=hook.hex(), reason=error.text, remedy=error.remedy)
        with suppress(DatabaseUnavailable), writing(self._engine) as connection:
            here = (hooks.c.id == hook, hooks.c.due_ms <= now_ms)
            connection.execute(update(hooks).where(*here).values(due_ms=now_ms + _FAILED_PAUSE_MS))
        return False

    def _send(self, hook: bytes, now_ms: int) -> bool:
        message = self._claim(hook, now_ms)
        if message is None:
            return False
        try:
            self._post(message.url, message.body, message.headers)
        except HookNotTaken as error:
            if message.over or error.gone:
                self._give_up(message, now_ms, error)
            else:
                self._note(message, now_ms, error)
                _LOG.warning(
                    "hook_not_taken", hook=hook.hex(), reason=error.text, tries=message.tries, remedy=error.remedy
                )
            return False
        with writing(self._engine) as connection:
            self._end(connection, message, now_ms, told_ms=now_ms)
        return True

    def _claim(self, hook: bytes, now_ms: int) -> _Message | None:
        """The message that is due, its next try put off; None: there is none, or it is another process's."""
        with writing(self._engine) as connection:
            row = connection.execute(select(hooks).where(hooks.c.id == hook).with_for_update()).first()
            if row is None or row.due_ms > now_ms:
                return None
            system = systems.find(connection, row.system)
            if system is None or not system.may(Right.CHANGES):
                connection.execute(update(hooks).where(hooks.c.id == hook).values(due_ms=now_ms + _MOST_PAUSE_MS))
                return None
            most = MOST_AT_ONCE if row.sending is None else row.sending - row.through
            page = changes.after(connection, self._custody, system, row.through, most)
            sending, following = page.next, changes.cursor(connection, page.next)
            secrets = self._secrets(connection, row, now_ms)
            if page.unreadable and row.sending is None:
                self._leave_out(connection, row, page, now_ms)
            if not page.changes:  # nothing that this system may know
                nothing = {"through": sending, "sending": None, "first_ms": None, "tries": 0, "due_ms": now_ms}
                connection.execute(update(hooks).where(hooks.c.id == hook).values(nothing))
                return None
            first_ms = row.first_ms or now_ms
            pause_ms = min(_FIRST_PAUSE_MS * 3 ** min(row.tries, 12), _MOST_PAUSE_MS)
            changed = {"sending": sending, "first_ms": first_ms, "tries": row.tries + 1, "due_ms": now_ms + pause_ms}
            connection.execute(update(hooks).where(hooks.c.id == hook).values(changed))
        body = _body(page, following, first_ms)
        name, at_s = f"msg_{hook.hex()}_{row.through}_{following}", now_ms // 1000
        signatures = " ".join(signature(one, name, at_s, body) for one in secrets)
        headers = {"webhook-id": name, "webhook-timestamp": str(at_s), "webhook-signature": signatures,
                   "content-type": "application/json"}  # fmt: skip
        over = now_ms - first_ms >= GIVE_UP_MS
        return _Message(row.url, body, headers, hook, sending, row.tries + 1, over)

    def _leave_out(self, connection: Connection, row: Any, page: changes.Page, now_ms: int) -> None:
        """What of a page does not open becomes a dead letter, so that nothing waits behind it; the row is locked."""
        reason = f"{len(page.unreadable)} changes do not open"
        _keep_letter(connection, row, page.unreadable[0] - 1, page.unreadable[-1], now_ms, reason)
        changes.note_unreadable(connection, row.system, page, now_ms)

    def _stuck(self, hook: bytes, now_ms: int, error: SealBroken) -> None:
        """A hook whose secret does not open, so that nothing can be signed: tried every 5 minutes for an hour, then
        all there is is given up.
        """
        with writing(self._engine) as connection:
            row = connection.execute(select(hooks).where(hooks.c.id == hook).with_for_update()).first()
            if row is None or row.due_ms > now_ms:
                return
            first_ms = row.first_ms or now_ms
            over = now_ms - first_ms >= BROKEN_GIVE_UP_MS
            if over:
                _bury(connection, row, changes.newest(connection), now_ms, error.text)
            else:
                changed = {"tries": row.tries + 1, "first_ms": first_ms, "due_ms": now_ms + _FAILED_PAUSE_MS,
                           "failed_ms": now_ms, "failure": error.text[:_MOST_REASON]}  # fmt: skip
                connection.execute(update(hooks).where(hooks.c.id == hook).values(changed))
        if over:
            _LOG.error("hook_given_up", hook=hook.hex(), reason=error.text, tries=row.tries + 1, remedy=error.remedy)
        else:
            _LOG.error("hook_failed", hook=hook.hex(), reason=error.text, remedy=error.remedy)

    def _note(self, message: _Message, now_ms: int, error: HookNotTaken) -> None:
        with suppress(DatabaseUnavailable), writing(self._engine) as connection:
            here = (hooks.c.id == message.hook, hooks.c.sending == message.sending)
            said = {"failed_ms": now_ms, "failure": error.text[:_MOST_REASON]}
            connection.execute(update(hooks).where(*here).values(said))

    def _secrets(self, connection: Connection, row: object, now_ms: int) -> list[bytes]:
        seal = self._custody.to_open(connection, Purpose.SYSTEMS)
        hook, old, until_ms = (getattr(row, name) for name in ("id", "old_secret", "old_until_ms"))
        sealed = [getattr(row, "secret")]  # noqa: B009 - of any row
        if old is not None and until_ms is not None and until_ms > now_ms:
            sealed.append(old)
        return [seal.open(one, bound(Place.HOOK, hook)) for one in sealed]

    def _give_up(self, message: _Message, now_ms: int, error: HookNotTaken) -> None:
        with writing(self._engine) as connection:
            row = connection.execute(select(hooks).where(hooks.c.id == message.hook).with_for_update()).first()
            if row is None or row.sending != message.sending:
                return
            _bury(connection, row, message.sending, now_ms, error.text)
        _LOG.error(
            "hook_given_up", hook=message.hook.hex(), reason=error.text, tries=message.tries,
            remedy="mend the other system, then: consentry-hq hook retry",
        )  # fmt: skip

    def _end(self, connection: Connection, message: _Message, now_ms: int, *, told_ms: int | None) -> None:
        ended = {"through": message.sending, "sending": None, "first_ms": None, "tries": 0, "due_ms": now_ms,
                 "told_ms": told_ms, "failed_ms": None, "failure": None}  # fmt: skip
        here = (hooks.c.id == message.hook, hooks.c.sending == message.sending)
        connection.execute(update(hooks).where(*here).values(ended))


def _bury(connection: Connection, row: Any, through: int, now_ms: int, reason: str) -> None:
    """Makes what a hook was to be told next a dead letter, and tells operators; the row is locked."""
    said = {"failed_ms": now_ms, "failure": reason[:_MOST_REASON]}
    _keep_letter(connection, row, row.through, through, now_ms, reason)
    ended = {"through": through, "sending": None, "first_ms": None, "tries": 0, "due_ms": now_ms, **said}
    connection.execute(update(hooks).where(hooks.c.id == row.id).values(ended))


def _keep_letter(connection: Connection, row: Any, after: int, through: int, now_ms: int, reason: str) -> None:
    letter = {"hook": row.id, "after": after, "through": through, "made_ms": now_ms, "reason": reason[:_MOST_REASON]}
    connection.execute(insert(dead_letters).values(letter))
    raise_(connection, Alarm.HOOK_GIVEN_UP, "", now_ms, f"hook={row.id.hex()} system={row.system} reason={reason}")


def sweep(engine: Engine, now_ms: int) -> None:
    """Lets go what was kept for other systems long enough. Raises: DatabaseUnavailable."""
    with writing(engine) as connection:
        changes.forget(connection, now_ms)
        contacts.forget(connection, now_ms)
        systems_refused.forget(connection, now_ms)


def _body(page: changes.Page, following: str, first_ms: int) -> bytes:
    """The message: what Standard Webhooks names type, timestamp and content."""
    at = datetime.fromtimestamp(first_ms // 1000, UTC).isoformat().replace("+00:00", "Z")
    told = {"type": "consentry.changes", "timestamp": at,
            "data": {"changes": changes.plain(page.changes), "next": following,
                     "unreadable": len(page.unreadable)}}  # fmt: skip
    return json.dumps(told, separators=(",", ":")).encode()
