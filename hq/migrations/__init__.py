"""The revisions of HQ's database, from the first release on, and what Alembic runs them with."""
