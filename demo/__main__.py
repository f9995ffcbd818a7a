"""consentry-demo: one store, one visit, on this machine, with the real programs and simulated phones.

I/O: the command line, a temporary folder, the console.
"""

import fcntl
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Final

from demo.living import Living
from demo.scene import ELSEWHERE, POLICY, Scene
from demo.store import Plan, free_port
from demo.story import tell
from runtime import cli

_PREFIX: Final = "consentry-demo-"
_LOCK: Final = "running"
_FIRST_PORT: Final = 8080
_PORTS: Final = 20
_EPILOG: Final = """\
Everything runs on loopback, from a temporary folder that is removed at the end (Ctrl-C): the broker (mosquitto where
it is installed, else one in Python), HQ, gateway, tablet API and edge, with keys made for this one run.
"""


def main() -> None:
    """Runs the command line; does not return."""
    cli.run(_run, "demo")


def _run() -> int:
    parser = cli.parser(
        "consentry-demo", "One store, one visit, on this machine: the real programs, simulated phones.", None, _EPILOG
    )
    parser.add_argument("--story", action="store_true", help="play the story once, print it, and end")
    parser.add_argument("--embedded-broker", action="store_true", help="the broker in Python even if mosquitto is here")
    parser.add_argument("--keep", action="store_true", help="keep the folder at the end, with the programs' logs in it")
    parser.add_argument("--port", type=int, metavar="N", help=f"of the tablets' page (default: from {_FIRST_PORT} on)")
    chosen = parser.parse_args()
    first, tries = (chosen.port, 1) if chosen.port else (_FIRST_PORT, _PORTS)
    _say("Consentry: one store, one visit, on this machine.")
    with (
        _folder(chosen.keep) as folder,
        _scene(folder, free_port(first, tries), chosen.embedded_broker, web=not chosen.story) as scene,
    ):
        scene.open(_progress)
        _progress("")
        _say(f"The store is live. A tablet, signed in: {scene.link()}")
        if not chosen.story:  # which plays Mara's choices itself
            _say(f"Mara's own choices, on her phone: {scene.member_link('Mara')}")
        _say("")
        if chosen.story:
            tell(scene, _say)
        else:
            _say("Ctrl-C ends the demo and removes everything.")
            Living(scene, _say, Random()).keep_on()
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def _progress(step: str) -> None:
    """One line that is written over, on a console; nothing where the output goes to a file."""
    if sys.stdout.isatty():
        print(f"\r\x1b[K{f'  starting: {step} …' if step else ''}", end="", flush=True)


@contextmanager
def _folder(keep: bool) -> Iterator[Path]:
    """A folder of this run, removed at the end; what runs that were killed left behind is removed first."""
    top = Path(tempfile.gettempdir())
    for old in top.glob(f"{_PREFIX}*"):
        _remove_if_left(old)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            if keep:
                (folder / _LOCK).unlink()  # so that no later run takes it for left behind
                _say(f"Kept: {folder}")
            else:
                shutil.rmtree(folder, ignore_errors=True)


def _remove_if_left(folder: Path) -> None:
    try:
        with (folder / _LOCK).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the run that made it has ended, however it did
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return  # it runs, or is somebody else's


@contextmanager
def _scene(folder: Path, port: int, embedded: bool, web: bool) -> Iterator[Scene]:
    _progress("keys and members")
    plan = Plan(POLICY, others=(ELSEWHERE,), http=True, tablet_port=port, embedded=embedded, web=web)
    scene = Scene(folder, plan)
    try:
        yield scene
    finally:
        # Whoever is impatient presses Ctrl-C twice; the second one must not leave half of it behind.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        _progress("")
        scene.close()


if __name__ == "__main__":
    main()
