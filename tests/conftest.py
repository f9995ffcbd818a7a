"""What all tests share: programs that may be missing, and how long properties are tried."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", deadline=None, max_examples=5000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# A shell that starts the tests in the background has them ignore Ctrl-C, and the programs under test would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Debian keeps servers in /usr/sbin, and PostgreSQL's by version, neither of which is on everybody's path.
_DATABASE = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")))[-1:]
os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", *_DATABASE])


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        reason = f"the program {program} is missing: install it, or run `make setup` as root"
        if os.environ.get("CI") == "true":
            pytest.fail(reason + " (nothing is skipped in CI)")
        pytest.skip(reason)
    return path


@pytest.fixture(scope="session")
def needs() -> Callable[[str], str]:
    """`needs("mosquitto")` is its path; where it is missing the test is skipped by name, and fails in CI."""
    return _found


@pytest.fixture(autouse=True)
def _marked_needs(request: pytest.FixtureRequest) -> None:
    for mark in request.node.iter_markers("needs"):
        for program in mark.args:
            _found(program)
