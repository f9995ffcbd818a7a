"""The themes that every retailer may name: whose ids stand here is called by words in every catalogue of words.

A catalog may name others; they are called by a plain word, and never by their id.

Pure: no I/O, no clock.
"""

from typing import Final

KNOWN: Final = (
    "alcohol",
    "baby",
    "children",
    "christmas",
    "easter",
    "fathers-day",
    "fitness",
    "mothers-day",
    "pets",
    "valentine",
    "weight-loss",
    "wedding",
)
