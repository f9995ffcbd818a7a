"""The table of what members bought, gave back and had mended.

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, LargeBinary, Table

from hq.tables import METADATA

# All that is said stands sealed under the member's key, and so do the member's marks: a system that sends a purchase
# again changes what it said and never what the member said of it.
purchases = Table(
    "purchases",
    METADATA,
    Column("id", LargeBinary(16), primary_key=True),  # made of place and reference under the member's key
    Column("member", LargeBinary(16), ForeignKey("members.id"), nullable=False, index=True),
    Column("content", LargeBinary, nullable=False),  # sealed hq.purchases.Purchase
    Column("marks", LargeBinary, nullable=True),  # sealed hq.purchases.Marks; None: none
    Column("until_ms", BigInteger, nullable=False, index=True),  # how long policy lets HQ keep it
)
