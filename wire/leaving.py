"""What the tablet API asks the gateway when a shopper leaves by code.

Pure: no I/O, no clock.
"""

from dataclasses import dataclass
from typing import Annotated

from wire.schema import Size
from wire.views import Secret


@dataclass(frozen=True, slots=True, repr=False)
class Leave:
    """The eight digits that a shopper's app shows. The reply does not tell whether they are right.

    → Accepted | Refused
    """

    session: Secret
    code: Annotated[str, Size(8, 8)]
