"""A day on which this version was being written, and so a time that has passed for certain wherever it runs.

Whoever releases a version sets it to the day of the release (CONTRIBUTING.md). A box that never heard the time judges
the end of HQ's keys by it.

Pure: no I/O, no clock.
"""

from datetime import UTC, datetime

BUILT_AT = datetime(2026, 11, 22, tzinfo=UTC)
BUILT_MS = int(BUILT_AT.timestamp()) * 1000
