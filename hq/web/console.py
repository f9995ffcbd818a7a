"""Lists the parts of the console.

Pure: no I/O, no clock.
"""

from collections.abc import Callable
from typing import Final

from hq.web import (
    console_figures_pages,
    console_hooks_pages,
    console_member_pages,
    console_models_pages,
    console_pages,
    console_policy_pages,
)
from hq.web.pages import Part

PAGES: Final[tuple[Callable[[], Part], ...]] = (
    console_pages.make,
    console_hooks_pages.make,
    console_policy_pages.make,
    console_member_pages.make,
    console_figures_pages.make,
    console_models_pages.make,
)
