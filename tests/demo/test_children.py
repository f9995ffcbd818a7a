"""The demo's programs start, say that they are ready, and none outlives the demo."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.children import Children
from demo.errors import DemoError
from tests.waiting import until

READY = (
    "import os, socket, sys, time;"
    "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1', os.environ['NOTIFY_SOCKET']);"
    "time.sleep(600)"
)


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    """Programs in a folder, all ended afterwards."""
    started = Children(tmp_path)
    yield started
    started.stop_all()


def python(code: str) -> list[str]:
    """A command line that runs this code."""
    return [sys.executable, "-c", code]


def alive(pid: int) -> bool:
    """Whether a process runs (one that ended and is not reaped does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_program_is_waited_for_until_it_is_ready(children: Children) -> None:
    """`wait_ready` returns when the program says so, and the program runs on."""
    children.start("one", python(READY))
    children.wait_ready("one", 20)
    assert children.ended() is None


def test_a_program_that_ends_at_once_tells_why(children: Children) -> None:
    """The error names the program and repeats its last line."""
    children.start("one", python("import sys; sys.exit('the disk is full')"))
    with pytest.raises(DemoError, match="one did not start: the disk is full"):
        children.wait_ready("one", 20)


def test_a_program_that_says_nothing_is_given_up(children: Children) -> None:
    """A program that hangs does not hang the demo."""
    children.start("one", python("import time; time.sleep(600)"))
    with pytest.raises(DemoError, match="one did not start: it said nothing"):
        children.wait_ready("one", 0.3)


def test_a_program_that_ends_later_is_noticed(children: Children) -> None:
    """`check` names the one that ended by itself."""
    children.start("one", python("pass"), says_ready=False)
    until(lambda: children.ended() == "one")
    with pytest.raises(DemoError, match="one ended by itself"):
        children.check()


def test_stopping_leaves_nothing(children: Children, tmp_path: Path) -> None:
    """After `stop` process and socket are gone, also of a program that ignores SIGTERM politely asked."""
    children.start("one", python(READY))
    children.wait_ready("one", 20)
    pid = children.pid("one")
    assert children.stop("one") == -signal.SIGTERM
    assert not alive(pid)
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_children_die_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    """`kill -9` of the demo ends its programs too."""
    code = (
        "import sys, time; from pathlib import Path; from demo.children import Children;"
        "children = Children(Path(sys.argv[1]));"
        "children.start('one', [sys.executable, '-c', 'import time; time.sleep(600)'], says_ready=False);"
        "print(children.pid('one'), flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    until(lambda: not alive(pid))
