"""The benchmarks run to their end and print ratios; no figure is judged, since a test machine does other things."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PAGE = (TOP / "docs" / "benchmarks.md").read_text(encoding="utf-8")


def measured(*arguments: str) -> str:
    """What the program prints."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments], cwd=TOP, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_rows(printed: str, least: int) -> None:
    """Every row has a figure, and each with a baseline the ratio to it."""
    rows = [line.split(" | ") for line in printed.splitlines() if line.startswith("| ") and "what" not in line]
    assert len(rows) >= least
    for _, figure, baseline, ratio in rows:
        assert re.search(r"\d", figure)
        assert (baseline == "–") == (ratio.rstrip(" |") == "–")
        assert baseline == "–" or float(ratio.rstrip(" |")) > 0


@pytest.mark.long
def test_the_directory_is_measured() -> None:
    """Rates for three sizes and three sorts of token, and what the table costs, each beside a baseline."""
    printed = measured("directory", "--quick")
    check_rows(printed, 12)
    assert re.match(r"\d{4}-\d\d-\d\d: .+ cores, .+; Linux .+; Python 3\.\d+\.\d+; commit ", printed)


@pytest.mark.long
@pytest.mark.system
@pytest.mark.needs("dbus-daemon")
def test_the_edge_is_measured() -> None:
    """The real edge beside a bare bleak callback, and its decoder beside another where that is installed."""
    before = set(Path("/tmp").glob("consentry-bench-*"))
    printed = measured("edge", "--quick")
    check_rows(printed, 5)
    assert "a bare bleak callback" in printed
    assert ("Theengs' decoder |" in printed) != ("TheengsDecoder is not installed" in printed)
    assert set(Path("/tmp").glob("consentry-bench-*")) <= before


@pytest.mark.long
@pytest.mark.system
@pytest.mark.needs("mosquitto")
def test_answers_to_tablets_are_measured() -> None:
    """Fifty members are present on the real programs, floor and cards are asked for, and all of it is gone after."""
    before = set(Path("/tmp").glob("consentry-bench-*"))
    check_rows(measured("tablets", "--quick"), 6)
    assert set(Path("/tmp").glob("consentry-bench-*")) <= before


@pytest.mark.long
@pytest.mark.system
@pytest.mark.needs("mosquitto")
def test_a_busy_floor_is_measured() -> None:
    """Eight tablets follow the real programs while members call and walk, and all is gone after."""
    before = set(Path("/tmp").glob("consentry-bench-*"))
    printed = measured("busy", "--quick")
    check_rows(printed, 30)
    assert "eight calls a second, pages: events to all tablets | " in printed
    assert set(Path("/tmp").glob("consentry-bench-*")) <= before


@pytest.mark.long
@pytest.mark.needs("openssl")
def test_attacks_are_measured() -> None:
    """The floor is asked for in peace and during four attacks."""
    check_rows(measured("hostile", "--quick"), 5)


def test_epochs_are_measured() -> None:
    """A roll and an erasure on a real file: their longest steps, and what they write."""
    check_rows(measured("epochs", "--quick"), 12)


@pytest.mark.long
@pytest.mark.system
@pytest.mark.needs("mosquitto")
def test_a_fill_is_measured() -> None:
    """A real store is filled, catches up and takes single changes, and the bare sum runs beside it."""
    before = set(Path("/tmp").glob("consentry-bench-*"))
    printed = measured("sync", "--quick")
    check_rows(printed, 11)
    assert "first fill of 2,000 members" in printed
    assert set(Path("/tmp").glob("consentry-bench-*")) <= before


@pytest.mark.long
@pytest.mark.system
@pytest.mark.needs("mosquitto")
def test_a_withdrawals_way_is_measured() -> None:
    """Real streams lose the visit, with and without a fill beside, and bare messages pass the same broker."""
    printed = measured("withdrawal", "--quick")
    check_rows(printed, 7)
    assert "while a catalog of 2,000 items fills" in printed


def test_an_unknown_benchmark_is_named() -> None:
    """A name that is none ends with what there is."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "speed"], cwd=TOP, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert ", ".join(("directory", "edge", "tablets")) in done.stderr


def test_the_page_tells_of_each() -> None:
    """Each benchmark has its section, and the page says how to repeat it and which long run was green."""
    for name in ("directory", "edge", "tablets", "memory", "sync", "withdrawal"):
        assert f"`{name}`" in PAGE
    assert "python -m benchmarks" in PAGE
    assert re.search(r"^Last green `make test-long`: ", PAGE, re.M)


@pytest.mark.long
@pytest.mark.system
@pytest.mark.needs("mosquitto", "initdb", "postgres")
def test_what_ten_thousand_stores_need_is_measured() -> None:
    """Answers, outbox and places on both databases, and the topics on a real broker."""
    printed = measured("scale", "--quick")
    check_rows(printed, 20)
    assert "on PostgreSQL" in printed


@pytest.mark.long
@pytest.mark.system
@pytest.mark.needs("initdb", "postgres")
def test_what_hq_spends_beside_its_database_is_measured() -> None:
    """Imports, single choices, folds, an audience and a member's page, each beside its own statements sent again."""
    printed = measured("hq", "--quick")
    check_rows(printed, 12)
    assert "on PostgreSQL" in printed
