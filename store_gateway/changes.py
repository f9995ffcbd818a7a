"""What a call to the replica changed, so that whoever shows something can look again.

Pure: no I/O, no clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from store_gateway.vault import Bucket
from wire.member import Mode


@dataclass(frozen=True, slots=True)
class Changes:
    """What one call changed.

    members: pseudonyms whose record or local denial is another. keyring_days: UTC days whose keys are others or were
    dropped; keyed: pseudonyms in the records that changed them. policy: another policy pair is in force.
    modes: of the members whose record is another, None where there is none; buckets: by day and bucket of the keyring,
    all that it holds now; days_gone: days whose keys were dropped whole, before `buckets`. What the directory needs.
    staff: associates' ids. light: light or its reason is another.
    unpaired: tablets that HQ took the pairing of. leavings: codes that HQ's public page was given.
    urgent: a withdrawal, the fast lane or darkness; goes to the tablets at once.
    withdrawn: (seq, HQ's commit in Unix milliseconds) of each change of which HQ wants to know when it took effect.
    After an unlock everything that the cache holds is new: `anew` says so, `policy` and all `keyring_days`, but not
    `members`; the same where HQ began the members anew.
    """

    members: frozenset[bytes] = frozenset()
    keyring_days: frozenset[int] = frozenset()
    keyed: frozenset[bytes] = frozenset()
    modes: Mapping[bytes, Mode | None] = field(default_factory=dict)
    buckets: Mapping[tuple[int, int], Bucket] = field(default_factory=dict)
    days_gone: frozenset[int] = frozenset()
    anew: bool = False
    policy: bool = False
    staff: frozenset[str] = frozenset()
    light: bool = False
    urgent: bool = False
    withdrawn: tuple[tuple[int, int], ...] = ()
    unpaired: frozenset[str] = frozenset()
    leavings: tuple[str, ...] = ()


NO_CHANGES = Changes()
