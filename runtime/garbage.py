"""Collects garbage between two pieces of work, and never within one.

Left alone, Python collects wherever a number of objects happens to be reached: in the midst of an answer, which then
takes some milliseconds longer, as objects are looked at that no answer touched for a while.

I/O: none; it tells this process's collector when to run.
"""

import gc

YOUNG = 700  # objects more than went since the last time, as Python has it
_OFTEN = 10  # so often the youngest, before those that outlived them are looked at
_SELDOM = 100  # and so often these, before all are


def settle() -> None:
    """What is loaded now stays: it is not looked at again, and nothing is collected but by `between`."""
    gc.collect()
    gc.freeze()
    gc.disable()


def between() -> None:
    """Called where nobody waits for an answer: collects, where enough was made since."""
    young, middle, old = gc.get_count()
    if young < YOUNG:
        return
    gc.collect(0 if middle < _OFTEN else 1 if old < _SELDOM else 2)
