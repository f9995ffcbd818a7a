"""The languages of pages: which one a request wants, and its sentences from the message catalogues.

English stands in the sources, marked with `_(…)`; every other language has catalogues `<language>/*.po` in a folder of
words, one for each part of the pages. They are compiled in memory at the start, so that none is ever stale and no step
builds them.

I/O: flask_babel; its only importer. Reads the folder of words at the start.
"""

import gettext as standard
import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from importlib.resources.abc import Traversable
from typing import Final

import flask_babel  # type: ignore[import-untyped]
from babel import Locale, UnknownLocaleError
from babel.messages import mofile, pofile
from babel.messages.catalog import Catalog
from babel.support import Translations
from flask import Flask, g, has_request_context, request

SOURCE: Final = "en"  # the language that the sources are written in


def gettext(sentence: str, **values: object) -> str:
    """The sentence in the present language, with `%(name)s` filled in."""
    return str(flask_babel.gettext(sentence, **values))


def mark(sentence: str) -> str:
    """The sentence itself; it is in the catalogues, and is translated by `gettext` where it is said."""
    return sentence


def catalogues(words: Traversable, language: str) -> dict[str, Catalog]:
    """The catalogues of a language by part, as they lie in a folder of words."""
    folder = words / language
    if not folder.is_dir():
        return {}
    found = {}
    for one in sorted(folder.iterdir(), key=lambda file: file.name):
        if one.name.endswith(".po"):
            with one.open("rb") as reading:
                found[one.name.removesuffix(".po")] = pofile.read_po(reading, locale=language)
    return found


@cache
def _compiled(words: Traversable, language: str) -> Translations:
    merged = Translations()
    for catalogue in catalogues(words, language).values():
        compiled = io.BytesIO()
        mofile.write_mo(compiled, catalogue)
        compiled.seek(0)
        merged.merge(Translations(compiled))
    return merged


class _Domain(flask_babel.Domain):  # type: ignore[misc]
    def __init__(self, words: Traversable, languages: tuple[str, ...]) -> None:
        super().__init__(translation_directories=[])
        # Whatever a package's files come as can be hashed; Traversable alone does not say so.
        self._languages = {
            language: _compiled(words, language)  # type: ignore[arg-type]
            for language in languages
            if language != SOURCE
        }
        self._source = Translations()

    def get_translations(self) -> standard.NullTranslations:
        """The sentences of the language that the present request or `speaking` wants."""
        locale = flask_babel.get_locale()
        return self._source if locale is None else self._languages.get(str(locale), self._source)


class _Babel(flask_babel.Babel):  # type: ignore[misc]
    words: Traversable
    languages: tuple[str, ...]

    @cached_property
    def domain_instance(self) -> _Domain:
        """The one domain."""
        return _Domain(self.words, self.languages)


def install(app: Flask, cookie: str, words: Traversable, languages: tuple[str, ...]) -> None:
    """Lets the pages of `app` speak one of `languages`, whose catalogues are in `words`.

    The one that a page names in its address (`g.language`), else that of `cookie`, else the browser's, else English.
    """

    def wanted() -> str:
        if not has_request_context():
            return SOURCE
        chosen = g.get("language") or request.cookies.get(cookie, "")
        if chosen in languages:
            return str(chosen)
        asked = (one.partition("-")[0].lower() for one in request.accept_languages.values())  # what is liked best first
        return next((one for one in asked if one in languages), SOURCE)

    babel = _Babel(app, default_locale=SOURCE, locale_selector=wanted)
    babel.words, babel.languages = words, languages
    _ = babel.domain_instance  # now, not at the first request
    app.jinja_env.globals.update(language=current, direction=direction, languages=names(languages))


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
