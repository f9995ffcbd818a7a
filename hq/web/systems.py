"""Lists the calls for other systems.

Pure: no I/O, no clock.
"""

from typing import Final

from hq.web import systems_api, systems_contacts_api, systems_out_api
from hq.web.api import Calls

CALLS: Final[tuple[Calls, ...]] = (systems_api.calls, systems_out_api.calls, systems_contacts_api.calls)
