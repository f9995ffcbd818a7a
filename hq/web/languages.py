"""The languages of the pages, where their words are, and how a day and a time are told in them.

I/O: reads the package's own files at the start.
"""

from datetime import UTC, datetime
from importlib import resources
from typing import Final

from babel import dates
from flask import Flask

from runtime import web_languages
from runtime.web_languages import current

LANGUAGES: Final = (web_languages.SOURCE, "de")
WORDS: Final = resources.files("hq.web") / "words"


def install(app: Flask, cookie: str) -> None:
    """Lets the pages of `app` speak: in the language that `cookie` names, else in the browser's, else in English."""
    web_languages.install(app, cookie, WORDS, LANGUAGES)
    app.jinja_env.filters.update(day=day, moment=moment)


def _at(stated: str | int) -> datetime:
    if isinstance(stated, int):
        return datetime.fromtimestamp(stated / 1000, UTC)
    return datetime.fromisoformat(stated)


def day(stated: str | int) -> str:
    """A day (of RFC 3339 or Unix milliseconds) in the present language, as it is in UTC."""
    return str(dates.format_date(_at(stated), "medium", current()))


def moment(stated: str | int) -> str:
    """A day with its time, likewise."""
    return str(
        dates.format_datetime(_at(stated), "d. MMM y HH:mm" if current() == "de" else "d MMM y HH:mm", UTC, current())
    )
