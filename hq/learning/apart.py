"""Has a model learned in a process of its own: it gets histories alone, holds up nobody, and gives its memory back.

It is started anew and inherits nothing: no key, no connection, no member, and of the environment what a library needs.

I/O: subprocess, a socket pair to it, and its priority.
"""

import os
import subprocess
import sys
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from threading import Event

from hq.learning.errors import LearningFailed
from hq.learning.findings import Asked, Found, Progress

_POLL_S = 0.5
_NICER = 10
_END_S = 5.0
# A thread for each of many cores would be more than HQ's unit lets it have. Whoever set them keeps what they set.
_THREADS = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
_KEPT = (*_THREADS, "LD_LIBRARY_PATH", "TMPDIR")  # of the environment; a unit's names where its credentials lie
_LEARN = "import sys; sys.path[:] = sys.argv[2:]; from hq.learning import apart; apart.learn(int(sys.argv[1]))"


def study(asked: Asked, progress: Progress, stop: Event | None = None) -> Found:
    """As `hq.learning.study.study`, in another process. `stop` ends it.

    Raises:
        LearningFailed: it ended without a model, or was stopped.
    """
    ours, theirs = Pipe()
    with ours:
        with theirs:  # closed here, so that the end of the other side is seen
            learner = _start(theirs.fileno())
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
            hint = "see that there is memory enough, then again"
            raise LearningFailed("learning ended without a model", hint) from error
        finally:
            ours.close()
            learner.terminate()
            with suppress(subprocess.TimeoutExpired):
                learner.wait(_END_S)


def _start(theirs: int) -> "subprocess.Popen[bytes]":
    """Starts the other process, on its end of the pair."""
    environment = _THREADS | {name: os.environ[name] for name in _KEPT if name in os.environ}
    # Its path is ours, as the program was started; where it was started from may be another place by now.
    command = [sys.executable, "-c", _LEARN, str(theirs), *(one or os.getcwd() for one in sys.path)]
    return subprocess.Popen(command, env=environment, pass_fds=(theirs,), stdin=subprocess.DEVNULL)


def learn(theirs: int) -> None:
    """What the other process does; `theirs`: its end of the pair, an open file's number."""
    with suppress(OSError):
        os.nice(_NICER)
    from hq.learning.study import study as learned  # here alone: it loads what the asking process does without

    with Connection(theirs) as asking:
        asked = asking.recv()
        asking.send(learned(asked, lambda stage, done, of: asking.send((stage, done, of))))
