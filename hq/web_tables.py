"""The tables of signing in: members' e-mail addresses, links on their way, sessions, and how often was tried.

Times are Unix milliseconds (`_ms`) UTC. Of a link, a code and a session only a hash is kept; an address stands sealed
under its member's key, beside what finds it again (HMAC-SHA256 under a key of HQ's).

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from hq.tables import METADATA

member_addresses = Table(
    "member_addresses",
    METADATA,
    Column("lookup", LargeBinary(32), primary_key=True),
    Column("member", LargeBinary(16), ForeignKey("members.id"), nullable=False, index=True),
    Column("content", LargeBinary, nullable=False),  # sealed
    Column("added_ms", BigInteger, nullable=False),
)

# A row for each time that somebody asked for a link, also with an address that nobody has: they are told alike.
sign_in_links = Table(
    "sign_in_links",
    METADATA,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("browser", LargeBinary(32), nullable=True),  # a hash, as all of them; None: any browser (a command made it)
    Column("member", LargeBinary(16), ForeignKey("members.id"), nullable=True, index=True),
    Column("onward", String(400), nullable=False),  # the page to go on to
    Column("ends_ms", BigInteger, nullable=False, index=True),
)

# Mail that is to be sent, so that it is neither lost nor the asker kept waiting by a mail server.
sign_in_mails = Table(
    "sign_in_mails",
    METADATA,
    Column("id", LargeBinary(16), primary_key=True),
    Column("member", LargeBinary(16), ForeignKey("members.id"), nullable=True, index=True),
    Column("content", LargeBinary, nullable=False),  # sealed: address and link; noise where nobody has the address
    Column("language", String(16), nullable=False),
    Column("due_ms", BigInteger, nullable=False, index=True),
    Column("tries", Integer, nullable=False),
    Column("ends_ms", BigInteger, nullable=False),
)

# A sign-in that was sent to an identity provider and has not come back.
provider_visits = Table(
    "provider_visits",
    METADATA,
    Column("hash", LargeBinary(32), primary_key=True),  # of the state
    Column("browser", LargeBinary(32), nullable=False),
    Column("realm", String(8), nullable=False),  # member, staff
    Column("nonce", String(64), nullable=False),
    Column("verifier", String(64), nullable=False),
    Column("onward", String(400), nullable=False),
    Column("ends_ms", BigInteger, nullable=False, index=True),
)

# A one-time code that the app changes into a token.
app_codes = Table(
    "app_codes",
    METADATA,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("member", LargeBinary(16), ForeignKey("members.id"), nullable=False, index=True),
    Column("challenge", String(64), nullable=False),
    Column("redirect", String(400), nullable=False),
    Column("ends_ms", BigInteger, nullable=False, index=True),
)

sessions = Table(
    "web_sessions",
    METADATA,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("handle", LargeBinary(8), nullable=False, unique=True),
    Column("kind", String(8), nullable=False),  # member, app, staff
    Column("way", String(8), nullable=False),  # link, provider
    Column("member", LargeBinary(16), ForeignKey("members.id"), nullable=True),
    Column("subject", String(255), nullable=True),  # of staff: the provider's word
    Column("name", String(255), nullable=True),
    Column("role", String(16), nullable=True),
    Column("browser", LargeBinary, nullable=True),  # sealed: what the browser says of itself
    Column("made_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),  # to the minute or so
    Column("idle_ms", BigInteger, nullable=False),  # how long it lasts without use
    Column("ends_ms", BigInteger, nullable=False),
    Index("web_sessions_member", "member", "kind"),
    Index("web_sessions_seen", "seen_ms"),
)

tries = Table(
    "tries",
    METADATA,
    Column("who", LargeBinary(32), primary_key=True),  # a keyed hash, or what is none of a person
    Column("what", String(32), primary_key=True),
    Column("full_ms", BigInteger, nullable=False, index=True),  # when all tries are given back; then the row may go
)

# What ends with a member.
OF_A_MEMBER = (member_addresses, sign_in_links, sign_in_mails, app_codes, sessions)
