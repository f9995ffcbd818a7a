"""What HQ's web says and what its catalogues translate; `python -m tests.hq.web.catalogues` tells what differs.

A sentence stands in the sources in `_("…")` (templates), `gettext("…")` or `mark("…")` (Python). Its translation is an
entry of exactly one `words/<language>/<part>.po`.
"""

import sys
from collections import Counter
from functools import lru_cache
from pathlib import Path

from babel.messages.extract import extract_from_dir

from hq.web.languages import LANGUAGES, SOURCE, catalogues

PACKAGE = Path(__file__).parent.parent.parent.parent / "hq" / "web"
METHODS = [("templates/**.*", "jinja2.ext.babel_extract"), ("**.py", "python")]
OPTIONS = {"templates/**.*": {"trimmed": "false", "silent": "false"}}
KEYWORDS = {"_": None, "gettext": None, "mark": None}


@lru_cache
def said() -> dict[str, list[str]]:
    """Each sentence of the sources, and where it is said."""
    found: dict[str, list[str]] = {}
    for name, line, sentence, _, _ in extract_from_dir(PACKAGE, METHODS, OPTIONS, KEYWORDS):
        assert isinstance(sentence, str), f"{name}:{line}: no plural forms here"
        found.setdefault(sentence, []).append(f"{name}:{line}")
    return found


def differences(language: str) -> list[str]:
    """What is missing, stale, doubled or unfit in a language; empty where all is well."""
    sources = said()
    entries = [
        (part, str(entry.id), str(entry.string), entry)
        for part, catalogue in catalogues(language).items()
        for entry in catalogue
        if entry.id
    ]
    known = Counter(sentence for _, sentence, _, _ in entries)
    found = [f"missing, said in {places[0]}: {one!r}" for one, places in sources.items() if one not in known]
    found += [f"translated twice: {one!r}" for one, times in known.items() if times > 1]
    for part, sentence, translated, entry in entries:
        if sentence not in sources:
            found.append(f"{part}.po: said nowhere: {sentence!r}")
        if not translated or entry.fuzzy:
            found.append(f"{part}.po: not translated: {sentence!r}")
        found += [f"{part}.po: {error}: {sentence!r}" for error in entry.check()]
    return found


if __name__ == "__main__":
    wrong = [f"{one}: {line}" for one in LANGUAGES if one != SOURCE for line in differences(one)]
    print("\n".join(wrong) or "Every sentence is there in every language.")
    sys.exit(bool(wrong))
