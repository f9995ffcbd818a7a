"""The tables of contacts: what was decided about each, and each brand's rules of how often and when.

Times are Unix milliseconds UTC.

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, String, Table

from hq.tables import METADATA

# One row a contact that was allowed. By which channel, about what, and what became of it stands sealed.
contacts = Table(
    "contacts",
    METADATA,
    Column("id", LargeBinary(16), primary_key=True),
    Column("member", LargeBinary(16), ForeignKey("members.id"), nullable=False),
    Column("content", LargeBinary, nullable=False),  # sealed hq.contacts.Contact
    Column("at_ms", BigInteger, nullable=False, index=True),
    Index("contacts_member", "member", "at_ms"),
)

contact_rules = Table(
    "contact_rules",
    METADATA,
    Column("brand", String(40), primary_key=True),
    Column("content", LargeBinary, nullable=False),  # hq.contacts_rules.Rules as CBOR
    Column("set_ms", BigInteger, nullable=False),
)
