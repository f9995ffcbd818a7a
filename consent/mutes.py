"""What a member wants no suggestion of: the record's mutes, and over them those that were made in this store.

Pure: no I/O, no clock.
"""

from consent.visit import Denied
from wire.events import MuteKind
from wire.member import Member


def mutes(member: Member, denied: Denied) -> frozenset[tuple[MuteKind, str]]:
    """Everything that is muted for the member: items, categories and themes, by id."""
    return denied.mutes | {(one.what, one.id) for one in member.mutes or ()}


def is_muted(member: Member, denied: Denied, what: MuteKind, name: str) -> bool:
    """Whether this item, category or theme is muted for the member.

    An item's own categories and themes are other questions: what is muted by any of them is not suggested.
    """
    return (what, name) in mutes(member, denied)
