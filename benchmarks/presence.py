"""How well the rules of presence tell who is on the floor and where, beside a plain rule on the same sightings.

The simulated shop of `tests/floor`: the real gateway hears what its receivers fold; the truth is known. Nothing is
measured of this machine: the figures follow from the seeds.

I/O: none but what `benchmarks.report` prints.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from benchmarks.report import Row, percentile
from tests.floor.figures import Figures, Plain, measure
from tests.floor.people import Crowd
from tests.floor.plan import RECEIVERS, Plan
from tests.floor.simulation import Simulation

RUN_S: Final = 1_800
COMES_S: Final = 1_200  # so that most go home before a run ends
SHOPPERS: Final = 20
PASSERS: Final = 20
RUNS: Final = 6


def run(quick: bool) -> list[Row]:
    """The figures. `quick`: one run of five minutes, and nothing but the usual shop."""
    if quick:
        return _rows("", *_measure(Plan(), 1, 600))
    slow = Plan(receivers=tuple(replace(one, slow=True) for one in RECEIVERS))
    strict = Plan(enter_dbm=-72, dwell_s=10)
    return [
        *_rows("", *_measure(Plan(), RUNS, RUN_S)),
        *_rows("strict policy (-72 dBm, 10 s): ", *_measure(strict, RUNS // 2, RUN_S)),
        *_rows("slow controllers: ", *_measure(slow, RUNS // 2, RUN_S)),
        *_in_blind_zones(),
    ]


def _measure(plan: Plan, runs: int, run_s: int) -> tuple[Figures, Figures]:
    ours, theirs = Figures(), Figures()
    for seed in range(runs):
        crowd = Crowd(plan, seed)
        walkers = [*crowd.shoppers(SHOPPERS, COMES_S * run_s / RUN_S), *crowd.passers_by(PASSERS, run_s * 0.85)]
        plain = Plain(plan)
        simulation = Simulation(plan, walkers, seed, "ada", plain.heard)
        plain.follow(simulation, run_s)
        measure(simulation, plain, ours, theirs)
    return ours, theirs


def _rows(which: str, ours: Figures, theirs: Figures) -> list[Row]:
    rows = []
    for share, name in ((0.5, "median"), (0.95, "p95")):
        rows.append(_row(f"{which}arrival delay, {name}", ours.arrivals_s, theirs.arrivals_s, share))
    shown = [waited_s for waited_s in ours.helps_s if math.isfinite(waited_s)]
    if shown:
        calls = f"{len(ours.helps_s)} calls, {len(ours.helps_s) - len(shown)} never shown"
        rows.append(Row(f"{which}help to the tablet, median ({calls})", _s(percentile(shown, 0.5))))
        rows.append(Row(f"{which}help to the tablet, p95", _s(percentile(shown, 0.95))))
        rows.append(Row(f"{which}help to the tablet, longest", _s(max(shown))))
    for share, name in ((0.05, "p5"), (0.5, "median"), (0.95, "p95")):
        rows.append(_row(f"{which}departure error, {name}", ours.departures_s, theirs.departures_s, share))
    rows.append(Row(f"{which}zone accuracy", f"{ours.accuracy:.1%}", f"{theirs.accuracy:.1%}"))
    rows.append(Row(f"{which}present in an open zone and not shown", _share(ours), _share(theirs)))
    passers = f"{ours.passers} passed by"
    rows.append(Row(f"{which}false arrivals a day ({passers})", f"{ours.false_a_day:.0f}", f"{theirs.false_a_day:.0f}"))
    rows.append(Row(f"{which}shown while in a blind zone", _leak(ours), _leak(theirs)))
    return rows


def _row(what: str, ours: Sequence[float], theirs: Sequence[float], share: float) -> Row:
    return Row(
        what,
        _s(percentile(ours, share)) if ours else "none",
        _s(percentile(theirs, share)) if theirs else "none",
    )


def _in_blind_zones() -> list[Row]:
    """People who stay in the blind zones for ten minutes, with the pharmacy's radio well and ill."""
    rows = []
    for ill in (False, True):
        ours, theirs = Figures(), Figures()
        for seed in range(4):
            plan = Plan()
            crowd = Crowd(plan, 100 + seed)
            walkers = [*crowd.browsers("pharmacy", 6, 600), *crowd.browsers("fitting", 6, 600)]
            plain = Plain(plan)
            simulation = Simulation(plan, walkers, seed, "ada", plain.heard)
            if ill:
                simulation.falls_ill("pharmacy-1")
            plain.follow(simulation, 590)
            measure(simulation, plain, ours, theirs)
        what = "the pharmacy's radio ill" if ill else "all radios well"
        rows.append(Row(f"staying in a blind zone, {what}: shown", _leak(ours), _leak(theirs)))
    return rows


def _share(found: Figures) -> str:
    return f"{found.hidden_s / max(1.0, found.hidden_s + found.shown_s):.1%}"


def _leak(found: Figures) -> str:
    return f"{found.leaked_s:.1f} s of {found.blind_s:.0f} s"


def _s(seconds: float) -> str:
    return f"{seconds:.1f} s"
