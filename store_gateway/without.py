"""Keeps a library from taking in another one, which it would do without because it is there.

Pure: no I/O, no clock.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast


@contextmanager
def without(name: str) -> Iterator[None]:
    """An import of this module fails inside, as where it is not installed."""
    before = sys.modules.get(name)
    sys.modules[name] = cast(ModuleType, None)  # as the import system documents it
    try:
        yield
    finally:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
