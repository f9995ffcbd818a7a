"""What a transaction on the cache changed, so that whoever shows something can look again.

Pure: no I/O, no clock.
"""

from wire.member import Mode

Bucket = tuple[tuple[bytes, tuple[bytes, ...]], ...]  # (pseudonym, day keys of the phones)


class Touched:
    """What a transaction changed. `records`: how many counted; `gone`: a withdrawal or the like is among them."""

    __slots__ = (
        "anew",
        "buckets",
        "days",
        "days_gone",
        "gone",
        "keyed",
        "leavings",
        "members",
        "modes",
        "policy",
        "records",
        "staff",
        "unpaired",
        "withdrawn",
    )

    def __init__(self) -> None:
        self.withdrawn: list[tuple[int, int]] = []  # (seq, HQ's commit in ms) of what HQ wants to know the effect of
        self.members: set[bytes] = set()
        self.modes: dict[bytes, Mode | None] = {}  # of the members whose record changed
        self.keyed: set[bytes] = set()  # whose day keys are in a keyring record that changed
        self.buckets: dict[tuple[int, int], Bucket] = {}  # by day and bucket, what such a record says now
        self.staff: set[str] = set()
        self.days: set[int] = set()
        self.days_gone: set[int] = set()
        self.anew = False  # not told piece by piece: all is to be read again
        self.policy = False
        self.gone = False
        self.unpaired: set[str] = set()  # tablets
        self.leavings: list[str] = []  # codes from HQ's public page
        self.records = 0

    def join(self, other: "Touched") -> None:
        """Adds what another transaction changed."""
        self.members |= other.members
        self.modes |= other.modes
        self.withdrawn += other.withdrawn
        self.keyed |= other.keyed
        self.buckets |= other.buckets
        self.days_gone |= other.days_gone
        self.anew |= other.anew
        self.staff |= other.staff
        self.days |= other.days
        self.policy |= other.policy
        self.gone |= other.gone
        self.unpaired |= other.unpaired
        self.leavings += other.leavings
        self.records += other.records
