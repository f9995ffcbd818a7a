"""How a program ends: exit code, one line, and cleaned up."""

import signal
import subprocess
import sys
import textwrap

import pytest


def started(body: str) -> subprocess.Popen[str]:
    """A program whose main is `body`, run by `runtime.cli.run`."""
    source = (
        "import sys, signal, threading\n"
        "from pathlib import Path\n"
        "from runtime import cli, logs\n"
        "from runtime.errors import *\n"
        "def main():\n" + textwrap.indent(textwrap.dedent(body), "    ") + "\ncli.run(main, 'part')\n"
    )
    return subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("body", "code"), [("return None", 0), ("return 0", 0), ("return 3", 3)])
def test_what_main_returns_is_the_exit_code(body: str, code: int) -> None:
    """None counts as 0."""
    with started(body) as program:
        assert program.wait(20) == code


@pytest.mark.parametrize(
    ("body", "code", "part"),
    [
        ("raise ConfigError(Path('/etc/x.toml'), 'port', 'a number')", 78, "/etc/x.toml: port: a number: correct the"),
        ("raise UnavailableError('no radio', 'plug one in')", 69, "no radio: plug one in"),
    ],
)
def test_a_known_failure_is_one_line_and_its_code(body: str, code: int, part: str) -> None:
    """The operator reads what is wrong and what to do, and no traceback."""
    with started(body) as program:
        _, errors = program.communicate(timeout=20)
    assert program.returncode == code
    assert part in errors
    assert errors.count("\n") == 1


def test_with_logs_set_up_the_failure_is_a_log_line() -> None:
    """A service says it in the form of all its lines."""
    with started("logs.setup('edge'); raise UnavailableError('no radio', 'plug one in')") as program:
        _, errors = program.communicate(timeout=20)
    assert errors == 'event=cannot_run process=edge level=error reason="no radio" remedy="plug one in"\n'


def test_a_crash_tells_the_place_and_not_the_message() -> None:
    """An unforeseen exception's text could hold a member's value: type and place are told."""
    with started("logs.setup('edge'); int('Marta Kowalska')") as program:
        _, errors = program.communicate(timeout=20)
    assert program.returncode == 70
    assert "event=crashed" in errors
    assert "exception=ValueError" in errors
    assert "Marta" not in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_signals_end_it_cleaned_up(number: signal.Signals, code: int) -> None:
    """SIGTERM and Ctrl-C run every `finally`, quietly."""
    body = """
        try:
            print("up", flush=True)
            threading.Event().wait()
        finally:
            print("clean", flush=True)
    """
    with started(body) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "up\n"
        program.send_signal(number)
        rest, errors = program.communicate(timeout=20)
    assert (rest, errors, program.returncode) == ("clean\n", "", code)


def test_a_loop_that_waits_is_told_to_stop() -> None:
    """`stop_on_signals` lets the main loop end by itself."""
    body = """
        stop = threading.Event()
        cli.stop_on_signals(stop.set)
        print("up", flush=True)
        stop.wait()
        return 5
    """
    with started(body) as program:
        assert program.stdout is not None
        program.stdout.readline()
        program.terminate()
        assert program.wait(20) == 5


def test_a_signal_that_interrupts_another_is_no_standstill() -> None:
    """SIGTERM again and Ctrl-C while the first one is being obeyed, under a lock: the program ends all the same."""
    body = """
        lock, ended = threading.Lock(), threading.Event()

        def stop():
            with lock:
                signal.raise_signal(signal.SIGTERM)
                signal.raise_signal(signal.SIGINT)
            ended.set()

        cli.stop_on_signals(stop)
        print("up", flush=True)
        ended.wait()
        return 5
    """
    with started(body) as program:
        assert program.stdout is not None
        program.stdout.readline()
        program.terminate()
        assert program.wait(20) == 5


def test_a_signal_never_waits_for_a_lock_of_the_main_loop() -> None:
    """`stop` is called while the main thread holds the lock that it needs, and the program ends when it lets go."""
    body = """
        ended = threading.Event()
        cli.stop_on_signals(ended.set)
        with ended._cond:  # where `wait` and `set` both pass
            signal.raise_signal(signal.SIGTERM)
            for _ in range(1000):
                pass
        ended.wait()
        return 5
    """
    with started(body) as program:
        assert program.wait(20) == 5


def test_a_hangup_is_obeyed_each_time() -> None:
    """SIGHUP calls its own part and ends nothing."""
    body = """
        stop, hung_up = threading.Event(), threading.Semaphore(0)
        cli.stop_on_signals(stop.set, hung_up.release)
        for _ in range(2):
            signal.raise_signal(signal.SIGHUP)
            hung_up.acquire()
        assert not stop.is_set()
        signal.raise_signal(signal.SIGINT)
        stop.wait()
        return 5
    """
    with started(body) as program:
        assert program.wait(20) == 5


def test_a_reader_that_has_enough_is_no_failure() -> None:
    """`consentry-hq … | head -1` ends quietly."""
    body = "for _ in range(100000): print('x' * 100)"
    with started(body) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.readline()
        program.stdout.close()
        assert program.stderr.read() == ""
        assert program.wait(20) == 0


def test_the_parser_knows_version_and_config() -> None:
    """Every program has both options."""
    body = """
        sys.argv = ["consentry-x", "--help"]
        cli.parser("consentry-x", "Says hello.", Path("/etc/consentry/x.toml")).parse_args()
    """
    with started(body) as program:
        shown, _ = program.communicate(timeout=20)
    assert program.returncode == 0
    assert "--version" in shown
    assert "(default: /etc/consentry/x.toml)" in shown
