"""What an associate says of a hint of good manners: no more of it in this session.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass

from wire.hints import HintId
from wire.views import Secret


@dataclass(frozen=True, slots=True, repr=False)
class DismissHint:
    """This hint is not to come again in this session. → Accepted | Withheld (no such hint) | Refused"""

    session: Secret
    hint: HintId
