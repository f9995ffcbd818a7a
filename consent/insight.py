"""Whether a member's visit may be counted in the store's statistics, and which zones the member keeps out of them.

Pure: no I/O, no clock.
"""

from consent.decide import declared, is_complete
from consent.grants import INSIGHT, carrying, lapse
from consent.verdict import Rule
from consent.visit import Denied
from wire.member import Member, Mode
from wire.policy import Policy


def zones_kept_out(member: Member, denied: Denied, policy: Policy, now_s: int) -> frozenset[str] | None:
    """The zones that the member's grant of `insight` excludes; None: the visit is not counted at all.

    `now_s`: Unix seconds UTC of trusted time. Denies on every doubt, as the decision on a card does.
    """
    purpose = declared(policy.main.purposes, INSIGHT)
    if denied.everything or member.mode is Mode.QUIET or purpose is None or not is_complete(purpose):
        return None
    latest = carrying(member, policy.store.store, INSIGHT, None, now_s)
    if isinstance(latest, Rule):
        return None
    if any(lapse(one, now_s) is not None or one.policy_version > policy.main.version for one in latest):
        return None
    return frozenset(zone for one in latest for zone in one.zones_excluded)
