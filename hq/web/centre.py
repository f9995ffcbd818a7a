"""Lists the pages of the preference centre, and what is public beside them.

Pure: no I/O, no clock.
"""

from collections.abc import Callable
from typing import Final

from hq.web import (
    centre_home,
    centre_mirror,
    centre_mutes,
    centre_own,
    centre_profile,
    centre_purposes,
    centre_receipts,
    centre_stores,
    gpc_pages,
    leave_pages,
)
from hq.web.pages import Part

PAGES: Final[tuple[Callable[[], Part], ...]] = (
    centre_home.make,
    centre_purposes.make,
    centre_stores.make,
    centre_profile.make,
    centre_mutes.make,
    centre_mirror.make,
    centre_receipts.make,
    centre_own.make,
    leave_pages.make,
    gpc_pages.make,
)
