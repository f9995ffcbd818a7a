"""What a package's pages say and what its catalogues translate, and what differs.

A sentence stands in the sources in `_("…")` (templates), `gettext("…")` or `mark("…")` (Python). Its translation is an
entry of exactly one `<language>/<part>.po` of the package's words.
"""

import sys
from collections import Counter
from functools import cached_property
from pathlib import Path

from babel.messages.extract import extract_from_dir

from runtime.web_languages import SOURCE, catalogues

KEYWORDS = {"_": None, "gettext": None, "mark": None}


class Said:
    """The sentences of the package in `folder`, whose templates are `templates` and whose catalogues lie in `words`."""

    def __init__(self, folder: Path, templates: str, words: Path, languages: tuple[str, ...]) -> None:
        self._folder, self._templates, self._words = folder, templates, words
        self.languages = languages

    @cached_property
    def said(self) -> dict[str, list[str]]:
        """Each sentence of the sources, and where it is said."""
        methods = [(self._templates, "jinja2.ext.babel_extract"), ("**.py", "python")]
        options = {self._templates: {"trimmed": "false", "silent": "false"}}
        found: dict[str, list[str]] = {}
        for name, line, sentence, _, _ in extract_from_dir(self._folder, methods, options, KEYWORDS):
            assert isinstance(sentence, str), f"{name}:{line}: no plural forms here"
            found.setdefault(sentence, []).append(f"{name}:{line}")
        return found

    def differences(self, language: str) -> list[str]:
        """What is missing, stale, doubled or unfit in a language; empty where all is well."""
        entries = [
            (part, str(entry.id), str(entry.string), entry)
            for part, catalogue in catalogues(self._words, language).items()
            for entry in catalogue
            if entry.id
        ]
        known = Counter(sentence for _, sentence, _, _ in entries)
        found = [f"missing, said in {places[0]}: {one!r}" for one, places in self.said.items() if one not in known]
        found += [f"translated twice: {one!r}" for one, times in known.items() if times > 1]
        for part, sentence, translated, entry in entries:
            if sentence not in self.said:
                found.append(f"{part}.po: said nowhere: {sentence!r}")
            if not translated or entry.fuzzy:
                found.append(f"{part}.po: not translated: {sentence!r}")
            found += [f"{part}.po: {error}: {sentence!r}" for error in entry.check()]
        return found

    def tell(self) -> None:
        """Says what differs and ends the program."""
        wrong = [f"{one}: {line}" for one in self.languages if one != SOURCE for line in self.differences(one)]
        print("\n".join(wrong) or "Every sentence is there in every language.")
        sys.exit(bool(wrong))
