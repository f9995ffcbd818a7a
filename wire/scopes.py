"""Names of disclosable fields: dotted lower-case words, such as `size.shoe`.

A scope's meaning (label, type, sensitivity, retention) is declared in `policy`, never here.

Pure: no I/O, no clock.
"""

import re

SCOPE_MAX_BYTES = 64
_SCOPE = re.compile(r"[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*", re.ASCII)


def is_scope(text: str) -> bool:
    """Whether `text` has the form of a scope (it may still be undeclared)."""
    return len(text) <= SCOPE_MAX_BYTES and _SCOPE.fullmatch(text) is not None
