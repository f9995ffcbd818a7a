"""Measures suggestions on real baskets: `python -m benchmarks suggestions [FILE]`, or by this file's path.

I/O: reads a file, processes, standard output; the clock.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

if not __package__:  # run by its path: our packages lie beside this folder, whose modules have names of packages
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import suggestions_retail
from benchmarks.report import Row, machine
from benchmarks.suggestions_baskets import PARTS, Baskets, BasketsError, read
from benchmarks.suggestions_measures import NAMES, RESAMPLES, Interval, Measured, differences, measured
from benchmarks.suggestions_runs import GUARDED, MEMBERSHIP, METHODS, Place, Ran, RunError
from benchmarks.suggestions_runs import run as run_apart
from benchmarks.suggestions_told import Found, Method, Sorts, as_json, lines

RIVALS: Final = ("TIFU-KNN", "UP-CF")
OURS: Final = "ours"
SEED: Final = 7
_QUICK: Final = 12  # one in so many shoppers

ABOUT: Final = """\
Suggests the next basket of the `test` shoppers by six methods and measures how much of it each finds.

FILE is JSON: {"history": {shopper: [[item, …], …]}, "future": {shopper: [item, …]}, "train": [shopper, …],
"validate": […], "test": […]}, oldest basket first, and perhaps "days": {shopper: [day, …]}, a whole number a basket,
with one more for the future basket's day where it is known when the suggestions are made. Without FILE: Online Retail.
"""
ENTERS: Final = """\
what enters what:
  histories of all shoppers (train, validate, test)   every table, neighbour and weight, always
  future baskets of `train`       with --strict: nothing at all. Without it they are counted as one more basket of
                                  those shoppers' histories, for every method alike
  future baskets of `validate`    the choice of TIFU-KNN's and UP-CF's parameters, nothing else. Ours does not see
                                  them: its weights are learned from the last baskets of each history, by tables of
                                  what came before each of them
  future baskets of `test`        the figures, nothing else
  the future basket's day         with "days" that have one more: ours is told it, as a store knows the day of a visit

the figures: Recall, nDCG (its ideal runs over all true items) and PHR (shoppers with a hit) at 10 and 20; seconds with
tuning or learning; memory above the baskets themselves; and ours minus TIFU-KNN and UP-CF with the interval that holds
95 of 100 resamples of the test shoppers (paired bootstrap).
"""


def main(arguments: Sequence[str]) -> int:
    """Measures and prints; exit 0. A bad file: one line with the remedy, exit 1; so too where a part failed."""
    parser = argparse.ArgumentParser(
        prog="suggestions", description=ABOUT, epilog=ENTERS, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="the baskets (perhaps .gz)")
    parser.add_argument("--strict", action="store_true", help="nobody's future basket enters any table")
    parser.add_argument("--only", metavar="NAME,…", help=f"some of: {', '.join(METHODS)}")
    parser.add_argument(
        "--guard", action="store_true", help="also ours with 5 %% of the items flagged, and the guard on"
    )
    parser.add_argument("--membership", action="store_true", help="also what ours' tables tell of who was learned from")
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help="of the bootstrap (%(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="of the bootstrap and the flags (%(default)s)")
    parser.add_argument("--quick", action="store_true", help=f"one in {_QUICK} shoppers, to see that it runs")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    chosen = parser.parse_args(arguments)
    names = list(METHODS) if chosen.only is None else [name.strip() for name in chosen.only.split(",")]
    if unknown := [name for name in names if name not in METHODS]:
        parser.error(f"there is {', '.join(METHODS)}, and no {unknown[0]!r}")
    if chosen.guard and OURS not in names:
        parser.error("--guard measures ours: name it in --only")
    if chosen.resamples < 100:
        parser.error("--resamples: at least 100")
    title = "Online Retail" if chosen.file is None else chosen.file.name
    try:
        baskets = suggestions_retail.baskets() if chosen.file is None else read(chosen.file)
        found, failed = find(title, fewer(baskets) if chosen.quick else baskets, names, chosen)
    except BasketsError as error:
        print(f"suggestions: {error}", file=sys.stderr)
        return 1
    if chosen.json:
        print(json.dumps(as_json(found), indent=1))
    else:
        print(f"{time.strftime('%Y-%m-%d', time.gmtime())}: {machine()}\n")
        print("\n".join(lines(found)))
    for error in failed:
        print(f"suggestions: {error}", file=sys.stderr)
    return 1 if failed else 0


def find(
    title: str, baskets: Baskets, names: Sequence[str], chosen: argparse.Namespace
) -> tuple[Found, list[RunError]]:
    """All that was asked for, and what failed: that is left out, and takes nothing else with it."""
    failed: list[RunError] = []

    def tried(name: str, place: Place, *arguments: object) -> Ran | None:
        try:
            return run_apart(name, place, *arguments)
        except RunError as error:
            failed.append(error)
            return None

    tries = {name: tried(name, METHODS[name], baskets, chosen.strict) for name in names}
    ran = {name: one for name, one in tries.items() if one is not None}
    methods = {name: method(one, baskets) for name, one in ran.items()}
    guarded = tried("guard", GUARDED, ran[OURS].gave[2], baskets, chosen.seed) if chosen.guard and OURS in ran else None
    membership = tried("membership", MEMBERSHIP, baskets, chosen.seed) if chosen.membership else None
    apart = against({name: one.measured for name, one in methods.items()}, chosen.seed, chosen.resamples)
    found = Found(
        title,
        baskets,
        chosen.strict,
        methods,
        apart,
        sorts(guarded) if guarded is not None else None,
        membership.gave if membership is not None else None,
    )
    return found, failed


def fewer(baskets: Baskets) -> Baskets:
    """One in so many shoppers of each part."""
    train, validate, test = (getattr(baskets, part)[::_QUICK] for part in PARTS)
    kept = {*train, *validate, *test}
    history = {shopper: past for shopper, past in baskets.history.items() if shopper in kept}
    return Baskets(history, baskets.future, train, validate, test, baskets.days)


def method(ran: Ran, baskets: Baskets) -> Method:
    """A method's suggestions, measured."""
    tops, chosen = ran.gave[:2]
    found = measured(tops, baskets.future, baskets.test)
    return Method(found, chosen, ran.seconds, ran.processor_s, ran.added_bytes)


def sorts(ran: Ran) -> Sorts:
    """The guard's cost."""
    cost = ran.gave
    told = {"without the guard": cost.plain, "behind the flags": cost.flags, "behind the whole guard": cost.habits}
    told[f"without the guard from the newest {cost.lines} lines alone"] = cost.record
    return Sorts(
        {
            f"{what}, {of}": one.means()
            for what, shown in told.items()
            for of, one in (("of all true items", shown.of_all), ("of those that may be shown", shown.of_showable))
        },
        {what: shown.flagged for what, shown in told.items()},
        cost.flagged,
        cost.items,
    )


def against(found: Mapping[str, Measured], seed: int, resamples: int) -> dict[str, dict[str, Interval]]:
    """Ours minus each of the published methods that ran."""
    if OURS not in found:
        return {}
    return {rival: differences(found[OURS], found[rival], seed, resamples) for rival in RIVALS if rival in found}


def run(quick: bool) -> list[Row]:
    """Online Retail, strict, as rows beside TIFU-KNN and UP-CF."""
    baskets = suggestions_retail.baskets()
    baskets = fewer(baskets) if quick else baskets
    found = {name: method(run_apart(name, METHODS[name], baskets, True), baskets).measured for name in (OURS, *RIVALS)}
    means = {name: one.means() for name, one in found.items()}
    rows = []
    for rival, each in against(found, SEED, RESAMPLES).items():
        for name in NAMES:
            figure, theirs, one = means[OURS][name], means[rival][name], each[name]
            rows.append(
                Row(
                    f"{name}, ours ({one.low:+.4f} to {one.high:+.4f} apart)",
                    f"{figure:.4f}",
                    f"{theirs:.4f} {rival}",
                    figure / theirs if theirs else None,
                )
            )
    return rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
