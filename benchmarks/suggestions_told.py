"""What the measurements of suggestions found, as Markdown tables for people and as one object for programs.

Pure: no I/O, no clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.suggestions_baskets import PARTS, Baskets
from benchmarks.suggestions_measures import NAMES, Interval, Measured


@dataclass(frozen=True, slots=True)
class Method:
    """One method's figures, the parameters that it chose, and what it took."""

    measured: Measured
    chosen: str
    seconds: float
    processor_s: float
    added_bytes: int


@dataclass(frozen=True, slots=True)
class Sorts:
    """The same suggestions without the guard and behind it: figures by what they are of, and flagged items shown."""

    figures: Mapping[str, Mapping[str, float]]
    shown: Mapping[str, int]
    flagged: int
    items: int


@dataclass(frozen=True, slots=True)
class Found:
    """All of one run. `apart`: ours minus others, by their names. `guarded`, `membership`: where it was asked for."""

    title: str
    baskets: Baskets
    strict: bool
    methods: Mapping[str, Method]
    apart: Mapping[str, Mapping[str, Interval]]
    guarded: Sorts | None = None
    membership: Mapping[str, float] | None = None


def as_json(found: Found) -> dict[str, Any]:
    """For programs."""
    told: dict[str, Any] = {
        "file": found.title,
        "strict": found.strict,
        "shoppers": {part: len(getattr(found.baskets, part)) for part in PARTS},
        "items": found.baskets.items(),
        "methods": {
            name: {
                **{figure: round(value, 6) for figure, value in one.measured.means().items()},
                "chosen": one.chosen,
                "seconds": round(one.seconds, 2),
                "processor_s": round(one.processor_s, 2),
                "added_bytes": one.added_bytes,
            }
            for name, one in found.methods.items()
        },
        "ours minus": {
            other: {
                name: {"difference": round(one.difference, 6), "low": round(one.low, 6), "high": round(one.high, 6)}
                for name, one in each.items()
            }
            for other, each in found.apart.items()
        },
    }
    if found.guarded is not None:
        sorts = found.guarded
        told["guard"] = {
            "flagged": sorts.flagged, "items": sorts.items, "flagged shown": dict(sorts.shown),
            **{what: {name: round(value, 6) for name, value in each.items()} for what, each in sorts.figures.items()},
        }  # fmt: skip
    if found.membership is not None:
        told["membership"] = dict(found.membership)
    return told


def lines(found: Found) -> list[str]:
    """For people."""
    baskets = found.baskets
    parts = ", ".join(f"{len(getattr(baskets, part)):,} {part}" for part in PARTS)
    dated = "with days" if baskets.days is not None else "without days"
    told = [
        f"### Suggestions: {found.title}, {'strict' if found.strict else 'not strict'}",
        "",
        f"{len(baskets.history):,} shoppers ({parts}), {baskets.items():,} items, {dated}.",
        "",
        *_head("method", [*NAMES, "seconds (of processor)", "memory added"]),
    ]
    for name, one in found.methods.items():
        figures = [f"{value:.4f}" for value in one.measured.means().values()]
        took = [f"{one.seconds:.1f} ({one.processor_s:.1f})", f"{one.added_bytes / 2**20:.0f} MiB"]
        told.append(_row(name, [*figures, *took]))
    if found.apart:
        told += ["", *_head("ours minus", NAMES)]
        for other, each in found.apart.items():
            told.append(
                _row(other, [f"{one.difference:+.4f} ({one.low:+.4f} to {one.high:+.4f})" for one in each.values()])
            )
    told += ["", *(f"- {name}: {one.chosen}" for name, one in found.methods.items() if one.chosen)]
    if found.guarded is not None:
        told += ["", *_guarded(found.guarded)]
    if found.membership is not None:
        told += ["", "; ".join(f"{name} {value:g}" for name, value in found.membership.items())]
    return told


def _guarded(sorts: Sorts) -> list[str]:
    return [
        f"{sorts.flagged:,} of {sorts.items:,} items flagged.",
        "",
        *_head("ours", [*NAMES, "flagged items shown"]),
        *(
            _row(what, [*(f"{value:.4f}" for value in each.values()), f"{sorts.shown[what.split(',')[0]]:,}"])
            for what, each in sorts.figures.items()
        ),
    ]


def _head(first: str, names: Sequence[str]) -> list[str]:
    return [_row(first, names), "|---" * (len(names) + 1) + "|"]


def _row(first: str, cells: Sequence[str]) -> str:
    return f"| {' | '.join([first, *cells])} |"
