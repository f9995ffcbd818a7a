"""Fuzzes one target with atheris, from its seeds: `python -m tests.fuzz TARGET [--runs N]`.

    python -m tests.fuzz candidates --runs 1000000
    python -m tests.fuzz candidates --input crash-…       runs one input again

Ends with 0 after so many runs, otherwise with what broke and the input that did it, kept in a file of the folder where
it was started. What is found is added to `tests/fuzz/seeds/TARGET/` when it is mended.
"""

import argparse
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["wire", "edge"]):
    from tests.fuzz.targets import TARGETS

SEEDS = Path(__file__).parent / "seeds"
INPUT_BYTES = 600  # an extended advertisement with its scan response, in raw bytes; lines and datagrams may be longer


def main() -> None:
    """Does not return: libFuzzer ends the program."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz one reader with random bytes.")
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--runs", type=int, default=1_000_000, help="how many inputs to try (1,000,000)")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers; 0 is another one each time")
    parser.add_argument("--input", type=Path, help="run this one input and end")
    chosen = parser.parse_args()
    target = TARGETS[chosen.target]
    if chosen.input is not None:
        target(chosen.input.read_bytes())
        return
    # Single files, no folder: libFuzzer would add to it what reached something new.
    seeds = ",".join(str(seed) for seed in sorted((SEEDS / chosen.target).iterdir()))
    arguments = [f"-runs={chosen.runs}", f"-seed={chosen.seed}", f"-max_len={INPUT_BYTES}", "-timeout=10"]
    atheris.Setup([sys.argv[0], *arguments, f"-seed_inputs={seeds}"], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
