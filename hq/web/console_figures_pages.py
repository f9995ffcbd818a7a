"""The console's figures: what was released of members, what Consentry's own work measures; charts, tables, downloads.

I/O: answers HTTP requests (flask) from HQ's database.
"""

from collections.abc import Sequence
from typing import Any, Final

from flask import Response

from hq import figures, figures_charts, figures_delays, figures_job, figures_policy, figures_rows
from hq.console_roles import View
from hq.figures import Release
from hq.figures_charts import Theme
from hq.figures_model import AXES, OUTCOMES, WAITS, Axis, Outcome, Population, SpanKind, span_of
from hq.figures_noise import MICRO
from hq.web import asking, console_door, pages
from hq.web.schemas import Query, text, word
from runtime.web_languages import gettext, mark

POPULATIONS: Final[dict[Population, str]] = {
    Population.ASKED: mark("Consent"),
    Population.GIVEN: mark("Withdrawals"),
    Population.ENDED: mark("Renewals"),
    Population.SEEN: mark("Visits"),
    Population.SUGGESTED: mark("Suggestions"),
}
ABOUT: Final[dict[Population, str]] = {
    Population.ASKED: mark("Of the members to whom a notice was shown for the first time: who granted, who refused, "
                           "who chose nothing within a week."),
    Population.GIVEN: mark("Of the members who granted: who withdrew within 30 days."),
    Population.ENDED: mark("Of the members whose grant came to its end: who granted again."),
    Population.SEEN: mark("Of the members who grant insight and stood on a store's floor: who asked for help."),
    Population.SUGGESTED: mark("Of the members who grant insight and to whom a card suggested something: who took "
                               "any of it on that day, who declined, who said nothing."),
}  # fmt: skip
OUTCOME_WORDS: Final[dict[Outcome, str]] = {
    Outcome.GIVEN: mark("granted (consent rate)"),
    Outcome.REFUSED: mark("refused (opt-out rate)"),
    Outcome.NONE: mark("no choice"),
    Outcome.WITHDRAWN: mark("withdrawn"),
    Outcome.KEPT: mark("kept"),
    Outcome.RENEWED: mark("renewed"),
    Outcome.LAPSED: mark("not renewed"),
    Outcome.HELPED: mark("asked for help"),
    Outcome.PRESENT: mark("did not ask"),
    Outcome.TAKEN: mark("took something"),
    Outcome.DECLINED: mark("declined"),
    Outcome.IGNORED: mark("said nothing"),
}
AXIS_WORDS: Final[dict[Axis, str]] = {
    Axis.ALL: mark("all together"),
    Axis.CHANNEL: mark("by channel"),
    Axis.STORE: mark("by store"),
    Axis.NOTICE: mark("by notice version"),
    Axis.WAIT: mark("time to the first choice"),
    Axis.RULE: mark("by rule"),
    Axis.ZONE: mark("by zone"),
    Axis.STAGE: mark("by stage"),
    Axis.PLACE: mark("by zone and stage"),
}
SPAN_WORDS: Final[dict[SpanKind, str]] = {
    SpanKind.DAY: mark("days"),
    SpanKind.WEEK: mark("weeks"),
    SpanKind.MONTH: mark("months"),
}
WAIT_WORDS: Final[dict[str, str]] = {
    "minute": mark("within a minute"),
    "hour": mark("within an hour"),
    "day": mark("within a day"),
    "week": mark("within a week"),
}
_SHOWN: Final = {SpanKind.DAY: 30, SpanKind.WEEK: 26, SpanKind.MONTH: 24}
_MOST_LINES: Final = 6
CSV: Final = "text/csv; charset=utf-8"
SVG: Final = "image/svg+xml"


class FiguresAsked(Query):
    """Which figures."""

    population = word(*(one.value for one in Population), required=False, load_default=Population.ASKED.value)
    purpose = text(64, 0, required=False, load_default="")
    span = word(*(one.value for one in SpanKind), required=False, load_default=SpanKind.WEEK.value)
    axis = word(*(one.value for one in Axis), required=False, load_default=Axis.ALL.value)
    theme = word(*(one.value for one in Theme), required=False, load_default=Theme.LIGHT.value)


class WorkAsked(Query):
    """Which measurements."""

    what = word("delays", "dark", required=False, load_default="delays")
    span = word(*(one.value for one in SpanKind), required=False, load_default=SpanKind.DAY.value)
    store = text(40, 0, required=False, load_default="")
    theme = word(*(one.value for one in Theme), required=False, load_default=Theme.LIGHT.value)


def make() -> pages.Part:
    """The pages."""
    part = pages.Part("console-figures")

    @part.get("/console/figures")
    def shown() -> Response:
        """Released figures."""
        return _figures()

    @part.get("/console/figures/chart.svg")
    def chart() -> Response:
        """The same as lines; an image of the page."""
        console_door.enter(View.FIGURES)
        asked = _asked()
        return Response(_drawn(asked, _found(asked)), content_type=SVG)

    @part.get("/console/figures/figures.csv")
    def download() -> Response:
        """The same as a file."""
        console_door.enter(View.FIGURES)
        asked = _asked()
        written = figures_rows.figures_csv(_found(asked), asked["population"], asked["axis"])
        return _file(written, f"{asked['population'].value}-{asked['purpose'] or 'visits'}-{asked['axis'].value}.csv")

    @part.post("/console/figures/release")
    def release() -> Response:
        """Releases what is due."""
        console_door.enter(View.RELEASE)
        parts = asking.parts()
        done, refused = figures_job.release_due(parts.engine, parts.keys, asking.now_ms(), most=200)
        sentence = gettext("%(done)s tables released, %(refused)s refused: their budget is spent.",
                           done=done, refused=refused)  # fmt: skip
        return pages.done("/console/figures", sentence)

    @part.get("/console/figures/work")
    def work() -> Response:
        """Delays of withdrawals, dark minutes."""
        who, asked = console_door.enter(View.FIGURES), pages.asked(WorkAsked)
        query = {"what": asked["what"], "span": asked["span"], "store": asked["store"]}
        return console_door.show(
            "work.html", who, asked=asked, rows=_measured(asked)[::-1],
            spans=_ways("/console/figures/work", query, "span", SPAN_WORDS),
            chart=console_door.address("/console/figures/work.svg", **query),
            file=console_door.address("/console/figures/work.csv", **query),
        )  # fmt: skip

    @part.get("/console/figures/work.svg")
    def work_chart() -> Response:
        """The same as lines."""
        console_door.enter(View.FIGURES)
        asked = pages.asked(WorkAsked)
        found = _measured(asked)
        labels = [one.span.label for one in found]
        if asked["what"] == "dark":
            title, unit = gettext("Dark minutes"), ""
            series: dict[str, Sequence[float | None]] = {title: [float(one.minutes) for one in found]}
        else:
            title, unit = gettext("From withdrawal to dark, in seconds"), "s"
            series = {
                gettext("median"): [one.median_ms / 1000 for one in found],
                gettext("95th percentile"): [one.p95_ms / 1000 for one in found],
                gettext("worst"): [one.worst_ms / 1000 for one in found],
            }
        drawn = figures_charts.lines(title, labels, series, Theme(asked["theme"]), unit)
        return Response(drawn, content_type=SVG)

    @part.get("/console/figures/work.csv")
    def work_download() -> Response:
        """The same as a file."""
        console_door.enter(View.FIGURES)
        asked = pages.asked(WorkAsked)
        found = _measured(asked)
        written = figures_rows.dark_csv(found) if asked["what"] == "dark" else figures_rows.delays_csv(found)
        return _file(written, f"{asked['what']}.csv")

    return part


def _asked() -> dict[str, Any]:
    asked = pages.asked(FiguresAsked)
    population, kind, axis = Population(asked["population"]), SpanKind(asked["span"]), Axis(asked["axis"])
    if axis not in AXES[population]:
        axis = Axis.ALL
    if population in figures_job.OF_VISITS:
        asked["purpose"] = figures_job.VISITS
    elif not asked["purpose"]:
        with asking.reading() as connection:
            known = figures_job.purposes(connection)
        asked["purpose"] = "presence" if "presence" in known or not known else known[0]
    return {**asked, "population": population, "span": kind, "axis": axis}


def _found(asked: dict[str, Any]) -> list[Release]:
    with asking.reading() as connection:
        return figures.series(
            connection, asked["population"], asked["purpose"], asked["span"], asked["axis"], _SHOWN[asked["span"]]
        )


def _figures() -> Response:
    who = console_door.enter(View.FIGURES)
    asked = _asked()
    found = _found(asked)
    population, kind, axis = asked["population"], asked["span"], asked["axis"]
    today = span_of(kind, console_door.today())
    with asking.reading() as connection:
        known, rules = figures_job.purposes(connection), figures_policy.in_force(connection)
        spent = figures.spent(connection, asked["purpose"], found[-1].sheet.span if found else today)
    query = {"population": population.value, "purpose": asked["purpose"], "span": kind.value, "axis": axis.value}
    outcomes = [] if axis is Axis.WAIT else [gettext(OUTCOME_WORDS[one]) for one in OUTCOMES[population]]
    return console_door.show(
        "figures.html", who, asked={name: getattr(value, "value", value) for name, value in asked.items()},
        about=gettext(ABOUT[population]), outcomes=outcomes, rows=_rows(found, axis), least=rules.least,
        axis_label=gettext(AXIS_WORDS[axis]), by=axis is not Axis.ALL, purposes=known,
        waits=[_wait(figures_rows.median_wait(one)) for one in found[-1:]] if axis is Axis.WAIT else [],
        spent=f"{spent / MICRO:g}", budget=f"{rules.budget_micro / MICRO:g}", scale=found[-1].scale if found else None,
        populations=_ways("/console/figures", {"span": kind.value}, "population", POPULATIONS, population),
        spans=_ways("/console/figures", query, "span", SPAN_WORDS, kind),
        axes=[(one.value, gettext(AXIS_WORDS[one])) for one in AXES[population]],
        chart=console_door.address("/console/figures/chart.svg", **query),
        file=console_door.address("/console/figures/figures.csv", **query),
        of_visits=population in figures_job.OF_VISITS, may_release=who.colleague.may(View.RELEASE),
    )  # fmt: skip


def _rows(found: list[Release], axis: Axis) -> list[dict[str, Any]]:
    return [
        {"span": one.span, "value": _value(one.value, axis), "count": one.count,
         "parts": list(zip(one.counts, one.rates, strict=True))}
        for one in figures_rows.rows(found)
    ]  # fmt: skip


def _value(value: str, axis: Axis) -> str:
    if axis is Axis.WAIT:
        return _wait(value)
    return value or (gettext("no store") if axis is Axis.STORE else "–")


def _wait(name: str | None) -> str:
    return gettext(WAIT_WORDS[name]) if name in WAIT_WORDS else "–"


def _ways(path: str, query: dict[str, str], name: str, words: Any, here: Any = None) -> list[dict[str, Any]]:
    return [
        {"address": console_door.address(path, **{**query, name: one.value}), "label": gettext(label),
         "here": one == here or (here is None and query.get(name) == one.value)}
        for one, label in words.items()
    ]  # fmt: skip


def _drawn(asked: dict[str, Any], found: list[Release]) -> bytes:
    """Rates of all together as one line an outcome; of a split the leading rate, a line for each of the largest."""
    population, axis = asked["population"], asked["axis"]
    labels = [one.sheet.span.label for one in found]
    tables = [{line.value: line for line in one.lines} for one in found]
    series: dict[str, Sequence[float | None]] = {}
    unit, title = "%", gettext(POPULATIONS[population])
    if axis is Axis.WAIT:
        unit, title = "", gettext(AXIS_WORDS[axis])
        for name, _ in WAITS:
            series[_wait(name)] = [table[name].count if name in table else None for table in tables]
    elif axis is Axis.ALL:
        for outcome in OUTCOMES[population]:
            series[gettext(OUTCOME_WORDS[outcome])] = [_percent(table.get(""), outcome) for table in tables]
    else:
        leading = figures_rows.LEADING[population]
        title = gettext(OUTCOME_WORDS[leading])
        sizes: dict[str, int] = {}
        for table in tables:
            for value, line in table.items():
                sizes[value] = sizes.get(value, 0) + (line.count or 0)
        for value in sorted(sizes, key=lambda one: (-sizes[one], one))[:_MOST_LINES]:
            series[_value(value, axis)] = [_percent(table.get(value), leading) for table in tables]
    return figures_charts.lines(title, labels, series, Theme(asked["theme"]), unit)


def _percent(line: figures.Line | None, outcome: Outcome) -> float | None:
    rate = None if line is None else line.rate(outcome)
    return None if rate is None else round(rate * 100, 1)


def _measured(asked: dict[str, Any]) -> list[Any]:
    kind = SpanKind(asked["span"])
    read: Any = figures_delays.dark if asked["what"] == "dark" else figures_delays.delays
    with asking.reading() as connection:
        found: list[Any] = read(connection, kind, console_door.today(), _SHOWN[kind], asked["store"] or None)
    return found


def _file(written: str, name: str) -> Response:
    response = Response(written, content_type=CSV)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
