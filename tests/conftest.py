"""What all tests share: programs that may be missing, how long properties are tried, and which files begin first."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", deadline=None, max_examples=5000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# A shell that starts the tests in the background has them ignore Ctrl-C, and the programs under test would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Debian keeps servers in /usr/sbin, and PostgreSQL's by version, neither of which is on everybody's path.
_DATABASE = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")))[-1:]
os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", *_DATABASE])

# Half a minute and more each: none of them is begun when all others are done. By turns those that wait and those
# that compute, so that three at once neither stand still nor crowd each other out.
LONGEST = (
    "demo/test_demo.py",
    "contracts/test_sync.py",
    "system/test_bad_input.py",
    "tablet_api/test_browser.py",
    "system/test_outages.py",
    "tablet_api/test_manager_pages.py",
    "clusters/test_engines.py",
    "tablet_api/test_screens.py",
    "edge/test_recovery_process.py",
    "hq/web/test_centre_browser.py",
    "system/test_visit.py",
    "tablet_api/test_openapi.py",
    "system/test_canaries.py",
    "benchmarks/test_benchmarks.py",
    "contracts/test_exactly_once.py",
    "store_gateway/test_replication.py",
    "proof/test_sentences.py",
    "store_gateway/test_replica_faults.py",
    "hq/test_revisions.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where the files are spread over processes (`make test`), the longest begin first."""
    if hasattr(config, "workerinput"):
        first = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
        items.sort(key=lambda item: first.get(item.path, len(first)))


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
