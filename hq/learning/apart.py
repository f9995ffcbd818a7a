"""Has a model learned in a process of its own: it gets histories alone, holds up nobody, and gives its memory back.

It is started anew and inherits nothing: no key, no connection, no member.

I/O: multiprocessing, and the priority of that process.
"""

import multiprocessing
import os
from contextlib import suppress
from multiprocessing.connection import Connection
from threading import Event

from hq.learning.errors import LearningFailed
from hq.learning.findings import Asked, Found, Progress

_POLL_S = 0.5
_NICER = 10
_END_S = 5.0
# A thread for each of many cores would be more than HQ's unit lets it have. Whoever set them keeps what they set.
_THREADS = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}


def study(asked: Asked, progress: Progress, stop: Event | None = None) -> Found:
    """As `hq.learning.study.study`, in another process. `stop` ends it.

    Raises:
        LearningFailed: it ended without a model, or was stopped.
    """
    for name, number in _THREADS.items():
        os.environ.setdefault(name, number)
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe()
    learner = spawning.Process(target=_learn, args=(theirs,), name="consentry-hq-learning", daemon=True)
    learner.start()
    theirs.close()  # so that the end of the other side is seen here
    try:
        ours.send(asked)
        while True:
            if stop is not None and stop.is_set():
                raise LearningFailed("learning was stopped", "start it again")
            if ours.poll(_POLL_S):
                said = ours.recv()
                if isinstance(said, Found):
                    return said
                progress(*said)
    except (EOFError, OSError) as error:
        raise LearningFailed("learning ended without a model", "see that there is memory enough, then again") from error
    finally:
        ours.close()
        if learner.is_alive():
            learner.terminate()
        learner.join(_END_S)


def _learn(theirs: Connection) -> None:
    """What the other process does."""
    with suppress(OSError):
        os.nice(_NICER)
    from hq.learning.study import study as learned  # here alone: it loads what the asking process does without

    asked = theirs.recv()
    theirs.send(learned(asked, lambda stage, done, of: theirs.send((stage, done, of))))
    theirs.close()
