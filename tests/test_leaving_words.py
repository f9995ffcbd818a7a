"""Nothing that people read offers to turn Bluetooth off as the way to leave: it is not, and costs them headphones."""

import re
from pathlib import Path

import pytest

from provisioning.sign_texts import TEXTS
from tests.provisioning.test_sign import every_text

TOP = Path(__file__).parents[1]
_READ = ("*.md", "*.po", "*.pot", "*.html", "*.js", "*.toml", "*.txt")
_SKIPPED = {".git", ".venv", "node_modules", "build", "dist"}
_SENTENCE = re.compile(r"(?<=[.!?:;])\s+|\n\s*\n|\n(?=msg|[-|#*])")
_RADIO = re.compile(r"bluetooth(?![\w-])", re.I)
_OFF = re.compile(
    r"\b(turn|turns|turning|turned|switch|switches|switching|switched|shut|shutting|power|put)\b[^.]*\boff\b"
    r"|\boff\b[^.]*\b(turn|switch)|\b(disabl|deactivat)\w*|\baus\b|\b(aus|ab)(schalt|stell|mach|geschalt|zuschalt)\w*|\bdeaktivier\w*",
    re.I,
)


def offers(text: str) -> list[str]:
    """The sentences that speak of Bluetooth and of turning it off."""
    text = re.sub(r'"\n"|(?<!\n)\n(?!\n|msg|[-|#*])', " ", text)
    return [one for one in _SENTENCE.split(text) if _RADIO.search(one) and _OFF.search(one)]


def documents() -> list[Path]:
    """Everything of ours that is read by people: documents, pages, catalogues, notices."""
    found = (path for form in _READ for path in TOP.rglob(form))
    return sorted(path for path in found if not _SKIPPED.intersection(path.relative_to(TOP).parts))


@pytest.mark.parametrize(
    "text",
    [
        "To leave, turn Bluetooth off.", "Simply switch off\nyour Bluetooth.", "Disable Bluetooth to stop this",
        "Schalten Sie Bluetooth aus.", "Sie können Bluetooth ausschalten!", 'msgstr "Bluetooth "\n"abschalten"',
    ],
)  # fmt: skip
def test_such_a_sentence_would_be_found(text: str) -> None:
    """In either language, over the ends of lines."""
    assert offers(text)


def test_no_text_offers_to_turn_bluetooth_off() -> None:
    """Not in documents, pages, catalogues, notices or on the sign."""
    read = documents()
    assert {".md", ".html", ".toml"} <= {path.suffix for path in read}
    found = {path.relative_to(TOP).as_posix(): offers(path.read_text("utf-8", "replace")) for path in read}
    assert {path: sentences for path, sentences in found.items() if sentences} == {}
    for text in TEXTS.values():
        assert not [part for part in every_text(text) if _RADIO.search(part)]
