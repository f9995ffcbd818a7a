"""The demo tells the story that the README shows, can be played with, and leaves nothing behind however it ends."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.waiting import until

TOP = Path(__file__).parent.parent.parent
BROKERS = [
    "--embedded-broker",
    pytest.param("", marks=[pytest.mark.needs("mosquitto"), pytest.mark.long], id="mosquitto"),
]
LIVE = re.compile(r"http://localhost:(\d+)(/demo/[\w-]+)")

OWN = re.compile(r"http://localhost:(\d+)/sign-in/link/([\w-]{43})")

pytestmark = pytest.mark.system


@contextmanager
def demo(folder: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """The demo in a process group of its own, as a terminal would have it, its folder in `folder`."""
    command = [sys.executable, "-P", "-m", "demo", *filter(None, options)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1,
        env={**os.environ, "TMPDIR": str(folder)}, process_group=0,
    ) as running:  # fmt: skip
        try:
            yield running
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A temporary folder with a short path, empty again at the end of each test."""
    made = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    yield made
    assert list(made.iterdir()) == [], "the demo left files behind"
    made.rmdir()


def read_until(running: "subprocess.Popen[str]", wanted: str, lines: int = 200) -> str:
    """The first line that holds `wanted`."""
    assert running.stdout is not None
    for _ in range(lines):
        line = running.stdout.readline()
        if wanted in line:
            return line
        if not line:
            assert running.stderr is not None
            pytest.fail(f"ended without {wanted!r}: {running.stderr.read()}")
    pytest.fail(f"{wanted!r} was not printed")


def below(pid: int) -> set[int]:
    """The processes that this one started, and those that they started."""
    parents = {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError, IndexError):
            stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            if stat[0] != "Z":
                parents[int(entry.name)] = int(stat[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def shared_memory() -> set[str]:
    """What lies in shared memory, but for what a database of tests beside these keeps there."""
    found = Path("/dev/shm").iterdir() if Path("/dev/shm").is_dir() else ()
    return {path.name for path in found if not path.name.startswith("PostgreSQL.")}


@pytest.mark.parametrize("broker", BROKERS)
def test_the_story_is_the_transcript_of_the_readme(folder: Path, broker: str) -> None:
    """Line by line, but for the link's port and token; exit 0, nothing on stderr, nothing left behind."""
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^```\n\$ make demo ARGS=--story\n(.*?)^```", readme, re.M | re.S)
    assert found
    before = shared_memory()
    with demo(folder, "--story", broker) as running:
        told, complained = running.communicate(timeout=180)
    assert complained == ""
    assert running.returncode == 0
    assert LIVE.sub("http://localhost:8080/demo/…", told) == found.group(1)
    assert shared_memory() <= before


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 0, marks=pytest.mark.long)]
)
def test_a_living_shop_can_be_played_with_and_ends_cleanly(folder: Path, number: int, code: int) -> None:
    """The link signs a browser in, a typed line is played, and Ctrl-C or SIGTERM leaves no process and no file."""
    before = shared_memory()
    with demo(folder) as running:
        link = LIVE.search(read_until(running, "The store is live"))
        assert link
        started = below(running.pid)
        assert len(started) >= 5
        assert page(int(link.group(1)), link.group(2))
        own = OWN.search(read_until(running, "own choices"))
        assert own
        assert signs_in(int(own.group(1)), own.group(2))
        assert running.stdin is not None
        running.stdin.write("help Mara\nnonsense\nwithdraw Mara no.such\n")
        read_until(running, "help waits in Shoes")
        os.kill(running.pid, number)
        _, complained = running.communicate(timeout=60)
        assert (running.returncode, complained) == (code, "")
    assert started & below(1) == set()
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)
    assert shared_memory() <= before


def signs_in(port: int, token: str) -> bool:
    """Opens Mara's own link as a browser does: a button, then her choices."""
    connection = http.client.HTTPConnection("localhost", port, timeout=20)
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://localhost:{port}"}
    connection.request("POST", "/sign-in/link", f"token={token}", form)
    answer = connection.getresponse()
    answer.read()
    cookies = "; ".join(value.split(";")[0] for name, value in answer.getheaders() if name == "Set-Cookie")
    assert (answer.status, answer.getheader("Location")) == (303, "/")
    connection.request("GET", "/", headers={"Cookie": cookies})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status == 200 and b"Stop everything" in content


def page(port: int, link: str) -> bool:
    """Opens the demo link as a browser does: it gives cookies and goes on to the page, whose floor answers."""
    connection = http.client.HTTPConnection("localhost", port, timeout=20)
    connection.request("GET", link)
    answer = connection.getresponse()
    answer.read()
    cookies = "; ".join(value.split(";")[0] for name, value in answer.getheaders() if name == "Set-Cookie")
    assert (answer.status, answer.getheader("Location")) == (303, "/")
    for path in ("/", "/api/v1/floor"):
        connection.request("GET", path, headers={"Cookie": cookies})
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, path
    connection.close()
    return b'"light":"live"' in content.replace(b" ", b"")


def test_killed_it_leaves_no_process_and_the_next_run_removes_its_files(folder: Path) -> None:
    """`kill -9` of the demo ends all its programs; what it left in the temporary folder goes with the next run."""
    before = shared_memory()
    with demo(folder) as running:
        read_until(running, "The store is live")
        started = below(running.pid)
        running.kill()
        running.wait()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started), within_s=60)
    assert shared_memory() <= before
    assert len(list(folder.iterdir())) == 1
    with demo(folder) as running:
        read_until(running, "The store is live")
        assert len(list(folder.iterdir())) == 1
        os.kill(running.pid, signal.SIGTERM)
        running.communicate(timeout=60)


def test_a_port_that_is_taken_is_told(folder: Path) -> None:
    """One line with the remedy, exit 69, and nothing left behind."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with demo(folder, "--port", str(port)) as running:
            _, complained = running.communicate(timeout=60)
    assert running.returncode == 69
    assert complained.splitlines() == [f"__main__.py: no port from {port} to {port} is free: end what uses them"]
