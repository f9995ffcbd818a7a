"""Lists the parts of HQ's web: whoever makes one adds a line here.

Pure: no I/O, no clock.
"""

from collections.abc import Callable
from typing import Final

from hq.web import (
    centre,
    ledger_pages,
    me_choices_api,
    me_own_api,
    me_rights_api,
    notices_api,
    privacy_pages,
    sessions_pages,
    sign_in_pages,
    tokens,
)
from hq.web.api import Calls
from hq.web.console import PAGES as CONSOLE
from hq.web.pages import Part
from hq.web.systems import CALLS as SYSTEMS

# Pages, each part made anew for an application.
PAGES: Final[tuple[Callable[[], Part], ...]] = (
    sign_in_pages.make,
    sessions_pages.make,
    ledger_pages.make,
    privacy_pages.make,
    *CONSOLE,
    *centre.PAGES,
)

# Calls of the API, documented at /api/v1/openapi.json in this order.
CALLS: Final[tuple[Calls, ...]] = (
    tokens.calls,
    notices_api.calls,
    me_choices_api.calls,
    me_own_api.calls,
    me_rights_api.calls,
    *SYSTEMS,
)  # fmt: skip
