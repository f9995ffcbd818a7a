"""The languages of the pages: which one a request wants, and its sentences from the message catalogues.

English stands in the sources, marked with `_(…)`; every other language has catalogues `words/<language>/*.po`, one
for each part of the web. They are compiled in memory at the start, so that none is ever stale and no step builds them.

I/O: flask_babel; its only importer. Reads the package's own files at the start.
"""

import gettext as standard
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from importlib import resources
from typing import Final

import flask_babel  # type: ignore[import-untyped]
from babel import Locale, UnknownLocaleError, dates
from babel.messages import mofile, pofile
from babel.messages.catalog import Catalog
from babel.support import Translations
from flask import Flask, g, has_request_context, request

SOURCE: Final = "en"  # the language that the sources are written in
LANGUAGES: Final = (SOURCE, "de")


def gettext(sentence: str, **values: object) -> str:
    """The sentence in the present language, with `%(name)s` filled in."""
    return str(flask_babel.gettext(sentence, **values))


def mark(sentence: str) -> str:
    """The sentence itself; it is in the catalogues, and is translated by `gettext` where it is said."""
    return sentence


def catalogues(language: str) -> dict[str, Catalog]:
    """The catalogues of a language by part, as they are shipped."""
    folder = resources.files("hq.web") / "words" / language
    if not folder.is_dir():
        return {}
    found = {}
    for one in sorted(folder.iterdir(), key=lambda file: file.name):
        if one.name.endswith(".po"):
            with one.open("rb") as reading:
                found[one.name.removesuffix(".po")] = pofile.read_po(reading, locale=language)
    return found


def _compiled(language: str) -> Translations:
    merged = Translations()
    for catalogue in catalogues(language).values():
        compiled = io.BytesIO()
        mofile.write_mo(compiled, catalogue)
        compiled.seek(0)
        merged.merge(Translations(compiled))
    return merged


class _Domain(flask_babel.Domain):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(translation_directories=[])
        self._languages = {language: _compiled(language) for language in LANGUAGES if language != SOURCE}
        self._source = Translations()

    def get_translations(self) -> standard.NullTranslations:
        """The sentences of the language that the present request or `speaking` wants."""
        locale = flask_babel.get_locale()
        return self._source if locale is None else self._languages.get(str(locale), self._source)


class _Babel(flask_babel.Babel):  # type: ignore[misc]
    @cached_property
    def domain_instance(self) -> _Domain:
        """The one domain."""
        return _Domain()


def install(app: Flask, cookie: str, languages: tuple[str, ...] = LANGUAGES) -> None:
    """Lets the pages of `app` speak: in the language that `cookie` names, else in the browser's, else in English."""

    def wanted() -> str:
        if not has_request_context():
            return SOURCE
        chosen = g.get("language") or request.cookies.get(cookie, "")  # a page may name it in its address
        if chosen in languages:
            return str(chosen)
        asked = (one.partition("-")[0].lower() for one in request.accept_languages.values())  # what is liked best first
        return next((one for one in asked if one in languages), SOURCE)

    babel = _Babel(app, default_locale=SOURCE, locale_selector=wanted)
    _ = babel.domain_instance  # now, not at the first request
    app.jinja_env.filters.update(day=day, moment=moment)
    app.jinja_env.globals.update(language=current, direction=direction, languages=names(languages))


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


def names(languages: tuple[str, ...]) -> list[tuple[str, str]]:
    """Each language with its own name for itself."""
    return [(one, Locale.parse(one).get_display_name(one) or one) for one in languages]


def current() -> str:
    """The language that is spoken now."""
    return str(flask_babel.get_locale() or SOURCE)


def direction() -> str:
    """`ltr` or `rtl`: which way the present language is read."""
    try:
        return str(Locale.parse(current()).text_direction)
    except (UnknownLocaleError, ValueError):
        return "ltr"


@contextmanager
def speaking(app: Flask, language: str) -> Iterator[None]:
    """For what is rendered outside of a request: a stream's events."""
    with app.app_context(), flask_babel.force_locale(language):
        yield
