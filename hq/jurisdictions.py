"""Whether a member's jurisdiction has the form of one, and whether any policy says what holds there.

Pure: no I/O, no clock.
"""

import re
from collections.abc import Iterable

from hq.errors import Reason, Refused
from wire.policy import MainPolicy

# ISO 3166-1 alpha-2, or a part of it by ISO 3166-2.
_CODE = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", re.ASCII)


def check(jurisdiction: str, where: str = "jurisdiction") -> None:
    """Passes a code such as "DE" or "US-CA", and the empty one of who did not say.

    Raises:
        Refused: another form, which would count as the strictest law and show the member in no store.
    """
    if jurisdiction and _CODE.fullmatch(jurisdiction) is None:
        raise Refused(Reason.MALFORMED, where, "the code of a country or a part of it, such as DE or US-CA")


def doubt(jurisdiction: str, mains: Iterable[MainPolicy], where: str = "jurisdiction") -> Refused | None:
    """What is to be told of a jurisdiction for which no policy has a rule; None: one has, or it is not known.

    It is taken all the same: the strictest law counts where none is listed, and no store shows the member.
    """
    listed = list(mains)
    ruled = {rule.jurisdiction for main in listed for rule in main.ages}
    if not jurisdiction or not listed or jurisdiction in ruled:
        return None
    expected = "one that a policy's `ages` names; the line was taken, and until one does no store shows this member"
    return Refused(Reason.UNRULED_JURISDICTION, where, expected)
