"""The languages of the tablets' pages, and where their words are.

I/O: reads the package's own files at the start.
"""

from importlib import resources
from typing import Final

from flask import Flask

from runtime import web_languages

LANGUAGES: Final = (web_languages.SOURCE, "de")
WORDS: Final = resources.files("tablet_api") / "web" / "words"


def install(app: Flask, cookie: str, languages: tuple[str, ...] = LANGUAGES) -> None:
    """Lets the pages of `app` speak: in the language that `cookie` names, else in the browser's, else in English."""
    web_languages.install(app, cookie, WORDS, languages)
