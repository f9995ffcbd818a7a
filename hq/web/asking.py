"""Who asks, when, and over which transaction: what calls and pages alike begin with.

I/O: reads flask's current request; sqlalchemy.
"""

import hashlib
import hmac
import ipaddress
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from flask import current_app, g, request
from sqlalchemy import Connection

from hq import database, office, sessions
from hq import gpc as signals
from hq.console_roles import Colleague, Role
from hq.limits import Limit, take
from hq.sessions import Kind
from hq.web.errors import Problem, ProblemKind
from hq.web.parts import PARTS, Parts
from runtime.base64url import from_text

_BROWSER_CHARACTERS: Final = 200
BROWSER: Final = "preference-centre"  # the method of a browser in which a member is signed in
_PEER: Final = b"consentry/hq/peer/1"
_BAD_TOKENS: Final = Limit(burst=60, each_ms=1_000)  # of one address: a whole office may be behind it


@dataclass(frozen=True, slots=True, repr=False)
class Member:
    """The member who asks. `reference` is HQ's own (16 bytes), `id` the retailer's; neither is ever shown or logged.

    `method` is the word for consent events: `app` by a bearer token, `preference-centre` by a browser's session.
    """

    reference: bytes
    id: str
    method: str
    session: bytes | None  # the handle of the session, 8 bytes; None: a token of the identity provider

    def __repr__(self) -> str:
        return "Member(…)"


@dataclass(frozen=True, slots=True, repr=False)
class Staff:
    """One of the retailer's own people, with what they may do. `subject` is the provider's word for them."""

    subject: str
    name: str
    role: Role
    session: bytes

    @property
    def colleague(self) -> Colleague:
        """As `hq.console_roles` judges them."""
        return Colleague(self.subject, self.role)

    def __repr__(self) -> str:
        return "Staff(…)"


def parts() -> Parts:
    """What this application was made with."""
    found: Parts = current_app.extensions[PARTS]
    return found


def now_ms() -> int:
    """The time of this request, Unix milliseconds UTC: the same however often it is asked."""
    if "now_ms" not in g:
        g.now_ms = parts().clock_ms()
    found: int = g.now_ms
    return found


def writing() -> AbstractContextManager[Connection]:
    """A transaction that writes. Raises: DatabaseUnavailable, answered with 503."""
    return database.writing(parts().engine)


def reading() -> AbstractContextManager[Connection]:
    """A transaction that reads one instant. Raises: DatabaseUnavailable, answered with 503."""
    return database.reading(parts().engine)


def bearer() -> str | None:
    """The token that the app or a system brings; None: none."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def member() -> Member:
    """The member who is signed in, by a browser's cookie or by the app's token.

    Raises:
        Problem: SIGNED_OUT.
    """
    found = optional_member()
    if found is None:
        raise Problem(ProblemKind.SIGNED_OUT)
    return found


def optional_member() -> Member | None:
    """The same where pages are for everybody; None: nobody is signed in. Their browser's signal is heard."""
    if "member" not in g:
        found = g.member = _found_member()
        if found is not None and found.method == BROWSER and gpc() and is_news(found):
            hear(found)
    known: Member | None = g.member
    return known


def _found_member() -> Member | None:
    token = bearer()
    if token is not None and "." in token:  # of the identity provider: a JWT
        wanted = parts().providers.member_of(token, now_ms())
        if wanted is None:
            limit(peer(), "bad-token", _BAD_TOKENS)
            return None
        with reading() as connection:
            reference = parts().keys.custody.reference(connection, wanted)
        return None if reference is None else Member(reference, wanted, "app", None)
    kind = Kind.MEMBER if token is None else Kind.APP
    secret = from_text(request.cookies.get(parts().cookies.session, "") if token is None else token, 32)
    if secret is None:
        return None
    found = sessions.find_member(parts().engine, parts().keys.custody, kind, secret, now_ms())
    if found is None:
        return None
    method = BROWSER if token is None else "app"
    return Member(found.reference, found.id, method, found.handle)


def staff(*wanted: Role) -> Staff:
    """Who of the retailer's own people is signed in, with one of these roles; with none named, any role serves.

    Raises:
        Problem: SIGNED_OUT, or FORBIDDEN: none of these roles.
    """
    g.realm = "staff"
    secret = from_text(request.cookies.get(parts().cookies.staff, ""), 32)
    found = None if secret is None else sessions.find_staff(parts().engine, secret, now_ms())
    if found is None:
        raise Problem(ProblemKind.SIGNED_OUT)
    if wanted and found.role not in wanted:
        raise Problem(ProblemKind.FORBIDDEN)
    return Staff(found.subject, found.name, found.role, found.handle)


def gpc() -> bool:
    """Whether the browser says that nothing of this person may be sold or shared (`Sec-GPC: 1`)."""
    return request.headers.get("Sec-GPC", "").strip() == "1"


def is_news(found: Member) -> bool:
    """Whether the browser's signal says what was not recorded yet."""
    with reading() as connection:
        return signals.is_news(connection, parts().keys, found.reference, now_ms())


def hear(found: Member) -> signals.Heard:
    """Records what the browser's signal says that was not recorded yet."""
    with writing() as connection:
        declared = [one.id for main in office.all_policies(connection) for one in main.purposes]
        return signals.hear(connection, parts().keys, found.reference, declared, now_ms())


def peer() -> bytes:
    """16 bytes that stand for the address that asks, an IPv6 address with its whole /64; the address is not kept."""
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        network = b""
    else:
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None  # as some proxies say IPv4
        address = mapped or address
        network = address.packed if address.version == 4 else address.packed[:8]
    return tag(network)


def tag(stated: bytes) -> bytes:
    """16 bytes that follow from what is stated and tell nothing of it, for counting tries."""
    key = hmac.digest(parts().keys.challenge, _PEER, "sha256")
    return hmac.new(key, stated, hashlib.sha256).digest()[:16]


def limit(who: bytes, what: str, limited: Limit) -> None:
    """Counts one more try; committed at once, whatever comes of the request.

    Raises:
        Problem: THROTTLED, with how long to wait.
    """
    with writing() as connection:
        wait_s = take(connection, who, what, limited, now_ms())
    if wait_s:
        raise Problem(ProblemKind.THROTTLED, retry_after_s=wait_s)


def browser() -> str:
    """What the browser or the app that asks says of itself, at most 200 characters."""
    return request.headers.get("User-Agent", "")[:_BROWSER_CHARACTERS]
