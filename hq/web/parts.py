"""What the views of one application share: the database, the keys, the clock, the settings, what signs people in.

I/O: keeps callbacks on flask's request context.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flask import Response, after_this_request
from sqlalchemy import Engine

from hq.keys import Keys
from hq.web.cookies import Cookies
from hq.web.providers import Providers
from hq.web_settings import Web

PARTS: Final = "consentry-hq"  # under this name in the application's extensions


@dataclass(frozen=True, slots=True)
class Parts:
    """Made once at the start. `clock_ms` gives Unix milliseconds UTC."""

    engine: Engine
    keys: Keys
    clock_ms: Callable[[], int]
    settings: Web
    cookies: Cookies
    providers: Providers

    def after(self, change: Callable[[Response], None]) -> None:
        """Changes the response to this request once it is made, if it is made without a problem or with one."""

        @after_this_request
        def _changed(response: Response) -> Response:
            change(response)
            return response
