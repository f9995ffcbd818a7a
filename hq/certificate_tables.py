"""The table of the certificates that stores show to their tablets.

I/O: sqlalchemy, its schema language only.
"""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, String, Table

from hq.tables import METADATA

certificates = Table(
    "certificates",
    METADATA,
    Column("store", String(40), ForeignKey("stores.id"), primary_key=True),
    Column("name", String(253), nullable=False),
    Column("id", LargeBinary(16), nullable=True),  # of what is delivered; None: none yet, or withdrawn
    Column("chain", LargeBinary, nullable=True),  # PEM
    Column("sealed_key", LargeBinary, nullable=True),  # PEM, under the key of this purpose
    Column("serial", String(48), nullable=False, default=""),  # hex, to revoke it at its issuer
    Column("not_after_ms", BigInteger, nullable=False, default=0),
    Column("renew_ms", BigInteger, nullable=False, default=0),  # half of its life; 0: none yet
    Column("late_ms", BigInteger, nullable=False, default=0),  # two thirds of it
    Column("next_ms", BigInteger, nullable=False, default=0),  # the issuer is not asked before
    Column("fails", Integer, nullable=False, default=0),  # one after the other
    Column("ended", Boolean, nullable=False, default=False),  # withdrawn: stores are told, nothing is renewed
)
