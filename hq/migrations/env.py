"""Runs revisions in the transaction that `hq.revisions` opened; Alembic loads it by its path.

I/O: alembic.
"""

from alembic import context

from hq import revisions

context.configure(connection=context.config.attributes["connection"], **revisions.OPTIONS)
context.run_migrations()
