"""`consentry-hq figures`: what was released, what Consentry's own work measures, and the rules of releasing.

I/O: the terminal, sqlalchemy.
"""

import argparse
from typing import TYPE_CHECKING

from hq import figures, figures_delays, figures_job, figures_policy, figures_rows
from hq.command_line import Part, actions, command
from hq.database import reading
from hq.figures_model import AXES, DAY_S, OUTCOMES, Axis, Population, SpanKind
from hq.figures_noise import MICRO
from hq.office import Office

if TYPE_CHECKING:
    from hq.command_line import Commands

_SPANS = [one.value for one in SpanKind]


def _options(commands: "Commands") -> None:
    parts = actions(command(commands, "figures", "consent rates, withdrawals, dark minutes, over time"))
    shown = command(parts, "show", "what was released: counts with noise, nothing of few members")
    shown.add_argument("--population", choices=[one.value for one in Population], default=Population.ASKED.value)
    shown.add_argument("--purpose", metavar="ID", default="presence", help="passed over where visits are counted")
    shown.add_argument("--span", choices=_SPANS, default=SpanKind.WEEK.value)
    shown.add_argument("--axis", choices=[one.value for one in Axis], default=Axis.ALL.value)
    shown.add_argument("--csv", action="store_true", help="as a file of commas")
    command(parts, "release", "release what is due; what was released stays as it is")
    for name, about in (
        ("delays", "how long withdrawals took until no tablet showed them"),
        ("dark", "how many minutes stores were dark"),
    ):
        measured = command(parts, name, about)
        measured.add_argument("--store", metavar="ID", help="of this store alone")
        measured.add_argument("--span", choices=_SPANS, default=SpanKind.DAY.value)
        measured.add_argument("--csv", action="store_true", help="as a file of commas")
    command(parts, "rules", "how figures are released from now on, as the policies in force say")


def show(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    """Prints the released tables of one population, purpose, span and axis."""
    population, axis = Population(chosen.population), Axis(chosen.axis)
    purpose = figures_job.VISITS if population in figures_job.OF_VISITS else chosen.purpose
    with reading(office.engine) as connection:
        found = figures.series(connection, population, purpose, SpanKind(chosen.span), axis, 60)
    if chosen.csv:
        print(figures_rows.figures_csv(found, population, axis), end="")
        return
    outcomes = [] if axis is Axis.WAIT else list(OUTCOMES[population])
    form = "{:<12} {:<16} {:>9}" + " {:>18}" * len(outcomes)
    print(form.format("span", axis.value, "count", *(one.value for one in outcomes)))
    for row in figures_rows.rows(found):
        parts = [_with_rate(count, rate) for count, rate in zip(row.counts, row.rates, strict=True)][: len(outcomes)]
        print(form.format(row.span, row.value or "-", "-" if row.count is None else row.count, *parts))
    if axis not in AXES[population]:
        print("there is no such table")
    elif not found:
        print("nothing was released; `consentry-hq figures release` releases what is due")


def _with_rate(count: int | None, rate: float | None) -> str:
    if count is None:
        return "-"
    return str(count) if rate is None else f"{count} ({rate:.1%})"


def _release(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    done, refused = figures_job.release_due(office.engine, office.keys, now_ms)
    print(f"{done} tables released, {refused} refused: their budget is spent")


def _delays(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with reading(office.engine) as connection:
        found = figures_delays.delays(connection, SpanKind(chosen.span), _today(now_ms), 30, chosen.store)
    if chosen.csv:
        print(figures_rows.delays_csv(found), end="")
        return
    form = "{:<12} {:>12} {:>10} {:>10} {:>10}  {}"
    print(form.format("span", "withdrawals", "median", "p95", "worst", "confirmed"))
    for one in found:
        many = f"{one.tens} or more" if one.tens else "under 10"
        told = (f"{ms} ms" for ms in (one.median_ms, one.p95_ms, one.worst_ms))
        print(form.format(one.span.label, many, *told, "by all tablets" if one.confirmed else "not by all tablets"))


def _dark(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with reading(office.engine) as connection:
        found = figures_delays.dark(connection, SpanKind(chosen.span), _today(now_ms), 30, chosen.store)
    if chosen.csv:
        print(figures_rows.dark_csv(found), end="")
        return
    print("{:<12} {:>12}".format("span", "dark minutes"))
    for one in found:
        print(f"{one.span.label:<12} {one.minutes:>12}")


def _rules(office: Office, chosen: argparse.Namespace, now_ms: int) -> None:
    with reading(office.engine) as connection:
        found = figures_policy.in_force(connection)
    print(f"at least {found.least} members behind a figure and a difference; epsilon {found.epsilon_micro / MICRO:g} "
          f"for a table, {found.budget_micro / MICRO:g} for a purpose and day")  # fmt: skip


def _today(now_ms: int) -> int:
    return now_ms // 1000 // DAY_S


PART = Part(
    _options,
    {
        ("figures", "show"): show,
        ("figures", "release"): _release,
        ("figures", "delays"): _delays,
        ("figures", "dark"): _dark,
        ("figures", "rules"): _rules,
    },
)
