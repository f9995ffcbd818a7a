"""Runs a program's commands, each in a process of its own, without importing everything anew for each.

A server imports the program once and opens nothing; each command is a fork of it. It has its own arguments, files,
signals and exit code, as if it had been started; what it lacks is the second that the imports take.
"""

import atexit
import functools
import json
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

TOP = Path(__file__).parents[1]
_SERVER = """
import importlib, json, os, signal, sys
module = sys.argv[1]
main = importlib.import_module(module + ".__main__").main
for line in sys.stdin.buffer:
    asked = json.loads(line)
    child = os.fork()
    if child == 0:
        os.setsid()
        for number, name, flags in ((0, "stdin", os.O_RDONLY), (1, "stdout", os.O_WRONLY), (2, "stderr", os.O_WRONLY)):
            os.dup2(os.open(asked[name], flags), number)
        sys.stdin = open(0, encoding="utf-8")
        sys.stdout, sys.stderr = open(1, "w", encoding="utf-8"), open(2, "w", encoding="utf-8")
        sys.argv = [module, *asked["arguments"]]
        code = 70
        try:
            signal.alarm(int(asked["timeout_s"]))
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    sys.stdout.write(json.dumps(os.waitstatus_to_exitcode(status)) + "\\n")
    sys.stdout.flush()
"""


class Program:
    """One program of ours, such as `hq`."""

    def __init__(self, module: str) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-c", _SERVER, module], cwd=TOP, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._module = module

    def run(self, *arguments: object, stdin: str = "", timeout_s: int = 60) -> subprocess.CompletedProcess[str]:
        """One command; killed after `timeout_s`."""
        assert self._server.stdin is not None and self._server.stdout is not None
        words = [str(one) for one in arguments]
        with tempfile.TemporaryDirectory() as folder:
            files = {name: Path(folder) / name for name in ("stdin", "stdout", "stderr")}
            for name, file in files.items():
                file.write_text(stdin if name == "stdin" else "", encoding="utf-8")
            asked = {name: str(file) for name, file in files.items()}
            self._server.stdin.write(json.dumps({**asked, "arguments": words, "timeout_s": timeout_s}) + "\n")
            self._server.stdin.flush()
            code = json.loads(self._server.stdout.readline())
            told = {
                name: files[name].read_text(encoding="utf-8", errors="surrogateescape") for name in ("stdout", "stderr")
            }
        return subprocess.CompletedProcess([self._module, *words], code, **told)

    def close(self) -> None:
        """The server ends."""
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.close()
        self._server.stdout.close()
        with suppress(subprocess.TimeoutExpired):
            self._server.wait(10)
        self._server.kill()
        self._server.wait()


@functools.cache
def program(module: str) -> Program:
    """A program of ours for all tests of this process of pytest."""
    found = Program(module)
    atexit.register(found.close)
    return found
