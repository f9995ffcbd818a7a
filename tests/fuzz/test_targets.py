"""The fuzzed readers hold on their seeds, and on so many random inputs that libFuzzer steers."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

TOP = Path(__file__).parents[2]
SEEDS = Path(__file__).parent / "seeds"
RUNS = 100_000
_INTEL = pytest.mark.skipif(platform.machine() != "x86_64", reason="atheris is there for x86_64 only")


def _fuzz(folder: Path, *arguments: str, program: tuple[str, ...] = ("-m", "tests.fuzz")) -> tuple[int, str]:
    """The exit code, and what it said."""
    environment = {**os.environ, "PYTHONPATH": str(TOP), "TMPDIR": str(folder)}
    done = subprocess.run(
        [sys.executable, *program, *arguments], cwd=folder, env=environment, capture_output=True, timeout=1200
    )
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_every_reader_holds_on_its_seeds(name):
    """Seeds are there for each target and for no other, and each is read as it must be."""
    assert {folder.name for folder in SEEDS.iterdir()} == set(TARGETS)
    seeds = sorted((SEEDS / name).iterdir())
    assert len(seeds) >= 2
    for seed in seeds:
        TARGETS[name](seed.read_bytes())


@pytest.mark.parametrize("name", sorted(TARGETS))
@given(st.binary(max_size=80))
def test_every_reader_holds_on_noise(name, noise):
    """Bytes of no form at all are read as they must be."""
    TARGETS[name](noise)


@_INTEL
@pytest.mark.long
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_every_reader_holds_where_the_fuzzer_leads(name, tmp_path):
    """So many inputs, grown from the seeds by what they reach, and none breaks it; nothing is left behind."""
    code, said = _fuzz(tmp_path, name, "--runs", str(RUNS))
    assert code == 0, said
    assert re.search(rf"Done {RUNS} runs", said)
    assert list(tmp_path.iterdir()) == []


@_INTEL
@pytest.mark.long
def test_the_fuzzer_finds_what_is_wrong(tmp_path):
    """A reader that breaks on four certain bytes, none of them in a seed, is found, and the input is kept."""
    (tmp_path / "wrong.py").write_text(
        "import sys\n"
        "import atheris\n"
        "import tests.fuzz.__main__ as fuzz\n"
        "def wrong(noise):\n"
        "    if noise[:1] == b'o' and noise[1:2] == b'u' and noise[2:3] == b'r' and noise[3:4] == b's':\n"
        "        raise AssertionError('found')\n"
        "fuzz.TARGETS['candidates'] = atheris.instrument_func(wrong)\n"
        "fuzz.main()\n"
    )
    code, said = _fuzz(tmp_path, "candidates", "--runs", "1000000", program=("wrong.py",))
    assert code != 0
    assert "AssertionError: found" in said
    [kept] = tmp_path.glob("crash-*")
    assert kept.read_bytes().startswith(b"ours")
