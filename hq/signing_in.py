"""Lets members in without a password of ours: one-time links by e-mail, and one-time codes for the app.

A link serves once, for 15 minutes, and only in the browser that asked for it. Whoever asks is told the same and waits
as long whether somebody has the address or not: either way the same rows are written, and the mail goes out later.

I/O: sqlalchemy, and the system's random generator.
"""

import base64
import hashlib
import hmac
import os
import re
from dataclasses import dataclass
from typing import Annotated, Final

from sqlalchemy import Connection, delete, insert, select, update

from hq import addresses
from hq.custody import KEY_BYTES, REFERENCE_BYTES, Custody, Place, Seal, bound
from hq.sessions import SECRET_BYTES, hashed
from hq.tables import members
from hq.web_tables import app_codes, provider_visits, sign_in_links, sign_in_mails
from wire import schema
from wire.schema import Size

LINK_MS: Final = 15 * 60_000
CODE_MS: Final = 60_000
VISIT_MS: Final = 10 * 60_000
MOST_ONWARD: Final = 400
_ID_BYTES: Final = 16
_CLAIMED_MS: Final = 60_000  # a mail that another process took, and did not send, is due again after so long
_ONWARD: Final = re.compile(r"/(?!/)[!-~]*")
CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636 4.1


@dataclass(frozen=True, slots=True, repr=False)
class Letter:
    """What stands sealed in a mail that waits."""

    address: Annotated[str, Size(1, 1016)]
    token: Annotated[str, Size(43, 43)]


@dataclass(frozen=True, slots=True, repr=False)
class Due:
    """A mail that is to be sent now. `letter` None: nobody has the address, and nothing is sent."""

    id: bytes
    letter: Letter | None
    language: str
    tries: int


def onward(address: str) -> str:
    """`address` if it is a page of ours to go on to, else the first one."""
    return address if len(address) <= MOST_ONWARD and _ONWARD.fullmatch(address) and "\\" not in address else "/"


def _to_text(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).rstrip(b"=").decode()


# --- links ------------------------------------------------------------------------------------------------------


def ask_link(
    connection: Connection, custody: Custody, address: str, browser: bytes, after: str, language: str, now_ms: int
) -> None:
    """Has a link sent to whoever has this address; `browser` is the secret that the browser keeps meanwhile.

    Raises:
        Refused: no address.
    """
    member = addresses.find(connection, custody, address)
    token = os.urandom(SECRET_BYTES)
    mail = os.urandom(_ID_BYTES)
    # Nobody's letter is written and sealed like anybody's, under a key that is gone at once.
    whose = member or os.urandom(REFERENCE_BYTES)
    seal = custody.of_members(connection, [whose]).get(whose) or Seal(os.urandom(KEY_BYTES))
    letter = Letter(addresses.plain(address), _to_text(token))
    content = seal.close(schema.encode(letter), bound(Place.SIGN_IN_MAIL, whose, mail))
    _write_link(connection, token, browser, member, after, now_ms)
    connection.execute(
        insert(sign_in_mails).values(
            id=mail, member=member, content=content, language=language, due_ms=now_ms, tries=0, ends_ms=now_ms + LINK_MS
        )
    )


def make_link(connection: Connection, member: bytes, now_ms: int, after: str = "/") -> str:
    """A link's token for this member in whichever browser opens it first: for a person at the counter, or the demo."""
    token = os.urandom(SECRET_BYTES)
    _write_link(connection, token, None, member, after, now_ms)
    return _to_text(token)


def _write_link(
    connection: Connection, token: bytes, browser: bytes | None, member: bytes | None, after: str, now_ms: int
) -> None:
    connection.execute(
        insert(sign_in_links).values(
            hash=hashed(token), browser=None if browser is None else hashed(browser), member=member,
            onward=onward(after), ends_ms=now_ms + LINK_MS,
        )
    )  # fmt: skip


def is_open(connection: Connection, token: bytes, browser: bytes | None, now_ms: int) -> bool:
    """Whether this link would let this browser in now."""
    row = connection.execute(select(sign_in_links).where(sign_in_links.c.hash == hashed(token))).first()
    return row is not None and _serves(row.browser, row.member, row.ends_ms, browser, now_ms)


def use_link(connection: Connection, token: bytes, browser: bytes | None, now_ms: int) -> tuple[bytes, str] | None:
    """Uses a link up: the member's reference and the page to go on to; None: it is over, used, or another browser's.

    A link that another browser brings stays whole for the one that asked.
    """
    chosen = select(sign_in_links).where(sign_in_links.c.hash == hashed(token)).with_for_update()
    row = connection.execute(chosen).first()
    if row is None or not _serves(row.browser, row.member, row.ends_ms, browser, now_ms):
        return None
    connection.execute(delete(sign_in_links).where(sign_in_links.c.hash == row.hash))
    return row.member, row.onward


def _serves(bound_to: bytes | None, member: bytes | None, ends_ms: int, browser: bytes | None, now_ms: int) -> bool:
    if member is None or now_ms >= ends_ms:
        return False
    return bound_to is None or (browser is not None and hmac.compare_digest(bound_to, hashed(browser)))


# --- mails ------------------------------------------------------------------------------------------------------


def mail_is_due(connection: Connection, now_ms: int) -> bool:
    """Whether some mail is: asked first, so that nothing is locked where none is."""
    chosen = select(sign_in_mails.c.id).where(sign_in_mails.c.due_ms <= now_ms).limit(1)
    return connection.scalar(chosen) is not None


def take_mail(connection: Connection, custody: Custody, now_ms: int) -> Due | None:
    """The next mail that is due, for this process alone for a minute; None: none is."""
    chosen = (
        select(sign_in_mails)
        .where(sign_in_mails.c.due_ms <= now_ms)
        .order_by(sign_in_mails.c.due_ms)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = connection.execute(chosen).first()
    if row is None:
        return None
    later = {"due_ms": now_ms + _CLAIMED_MS, "tries": row.tries + 1}
    connection.execute(update(sign_in_mails).where(sign_in_mails.c.id == row.id).values(later))
    seals = custody.of_members(connection, [] if row.member is None else [row.member])
    letter = None
    if row.member in seals and now_ms < row.ends_ms:
        opened = seals[row.member].open(row.content, bound(Place.SIGN_IN_MAIL, row.member, row.id))
        letter = schema.decode(Letter, opened)
    return Due(row.id, letter, row.language, row.tries)


def mail_is_sent(connection: Connection, mail: bytes) -> None:
    """It need not be sent any more."""
    connection.execute(delete(sign_in_mails).where(sign_in_mails.c.id == mail))


def mail_failed(connection: Connection, mail: bytes, again_ms: int) -> None:
    """It is due again at `again_ms`; once its link is over it goes with `forget`."""
    connection.execute(update(sign_in_mails).where(sign_in_mails.c.id == mail).values(due_ms=again_ms))


# --- identity providers -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class Visit:
    """A sign-in that is under way at an identity provider."""

    realm: str
    nonce: str
    verifier: str
    onward: str


def begin_visit(connection: Connection, state: str, browser: bytes, visit: Visit, now_ms: int) -> None:
    """Remembers what the provider's answer must fit, for ten minutes."""
    connection.execute(
        insert(provider_visits).values(
            hash=hashed(state.encode()), browser=hashed(browser), realm=visit.realm, nonce=visit.nonce,
            verifier=visit.verifier, onward=onward(visit.onward), ends_ms=now_ms + VISIT_MS,
        )
    )  # fmt: skip


def end_visit(connection: Connection, state: str, browser: bytes | None, realm: str, now_ms: int) -> Visit | None:
    """What was remembered, once; None: nothing, or it is over, another browser's or for somebody else."""
    chosen = select(provider_visits).where(provider_visits.c.hash == hashed(state.encode())).with_for_update()
    row = connection.execute(chosen).first()
    if row is None or browser is None or not hmac.compare_digest(row.browser, hashed(browser)):
        return None
    connection.execute(delete(provider_visits).where(provider_visits.c.hash == row.hash))
    if row.realm != realm or now_ms >= row.ends_ms:
        return None
    return Visit(row.realm, row.nonce, row.verifier, row.onward)


# --- the app ----------------------------------------------------------------------------------------------------


def make_code(connection: Connection, member: bytes, challenge: str, redirect: str, now_ms: int) -> str:
    """A code for the app, for a minute; `challenge` is BASE64URL(SHA-256(verifier)), as RFC 7636 has it."""
    code = os.urandom(SECRET_BYTES)
    row = {"hash": hashed(code), "member": member, "challenge": challenge, "redirect": redirect}
    connection.execute(insert(app_codes).values(**row, ends_ms=now_ms + CODE_MS))
    return _to_text(code)


def use_code(connection: Connection, code: bytes, verifier: str, redirect: str, now_ms: int) -> bytes | None:
    """Uses a code up: the member's reference; None: it is over, used, or not this app's. Used up it is either way."""
    row = connection.execute(select(app_codes).where(app_codes.c.hash == hashed(code)).with_for_update()).first()
    if row is None:
        return None
    connection.execute(delete(app_codes).where(app_codes.c.hash == row.hash))
    if not _VERIFIER.fullmatch(verifier) or now_ms >= row.ends_ms or redirect != row.redirect:
        return None
    made = _to_text(hashlib.sha256(verifier.encode()).digest())
    member: bytes = row.member
    return member if hmac.compare_digest(made, row.challenge) else None


# --- what time and erasure end ----------------------------------------------------------------------------------


def lock(connection: Connection, member: bytes) -> bool:
    """Locks a member's row before a session begins; False: erased meanwhile."""
    chosen = select(members.c.content).where(members.c.id == member).with_for_update()
    return connection.scalar(chosen) is not None


def forget(connection: Connection, now_ms: int) -> int:
    """Deletes what is over: links, mails, visits, codes; how many rows."""
    gone = 0
    for table in (sign_in_links, sign_in_mails, provider_visits, app_codes):
        gone += connection.execute(delete(table).where(table.c.ends_ms <= now_ms)).rowcount
    return gone
