"""Which days' keys a store may hold at an instant, and how much of tomorrow's is due (docs/protocol.md, section 5).

Pure: no I/O, no clock.
"""

from wire.sync import KEYRING_BUCKETS
from wire.token import DAY_S

GRACE_S = 20 * 60  # slot now-1 still needs yesterday's keys
AHEAD_S = 6 * 3600  # tomorrow's arrive spread over the last 6 hours
_EARLY_S = 30 * 60  # and are complete so long before midnight: slot now+1 needs them


def valid_days(now_s: int) -> tuple[int, ...]:
    """The UTC days, ascending: today, yesterday for 20 minutes, tomorrow in the last 6 hours."""
    today, into_s = divmod(now_s, DAY_S)
    days = [today]
    if into_s < GRACE_S:
        days.insert(0, today - 1)
    if into_s >= DAY_S - AHEAD_S:
        days.append(today + 1)
    return tuple(days)


def buckets_due(day: int, now_s: int) -> int:
    """How many of a day's buckets, from 0 on, are to be there now."""
    begins_s = day * DAY_S - AHEAD_S
    part = (now_s - begins_s) / (AHEAD_S - _EARLY_S)
    return max(0, min(KEYRING_BUCKETS, int(part * KEYRING_BUCKETS)))
