"""Draws figures as lines over time, as an SVG image; the page has the same numbers in a table beside it.

I/O: pygal; its only importer.
"""

import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from xml.etree import ElementTree

import pygal  # type: ignore[import-untyped]
from pygal.style import Style  # type: ignore[import-untyped]

# What pygal puts among Python's importers does not know today's protocol, and serves only maps, of which none is drawn.
sys.meta_path[:] = [one for one in sys.meta_path if type(one).__module__ != "pygal"]

_FONT = "system-ui, sans-serif"
_MOST_LABELS = 8


class Theme(StrEnum):
    """For which pages it is."""

    LIGHT = "light"
    DARK = "dark"


# Colours that people tell apart who see few of them (Okabe and Ito, 2008), a tone for each theme.
_COLOURS = {
    Theme.LIGHT: ("#0072b2", "#b34700", "#00795a", "#8a5a8f", "#8c6d00", "#2f2f2f"),
    Theme.DARK: ("#56b4e9", "#ff9d5c", "#2fc79b", "#d9a3d1", "#f0d442", "#e6e6e6"),
}
_INK = {Theme.LIGHT: "#3d3d45", Theme.DARK: "#d6d6dd"}
_LINE = {Theme.LIGHT: "#dcdce3", Theme.DARK: "#3c3c46"}


def lines(
    title: str, labels: Sequence[str], series: Mapping[str, Sequence[float | None]], theme: Theme, unit: str = ""
) -> bytes:
    """An SVG document without a script; a value that is withheld is a gap in its line.

    unit: "%" for parts of a hundred, else what stands behind the numbers.
    """
    ink, line = _INK[theme], _LINE[theme]
    style = Style(
        background="transparent", plot_background="transparent", foreground=ink, foreground_strong=ink,
        foreground_subtle=line, colors=_COLOURS[theme], font_family=_FONT, label_font_size=15, major_label_font_size=15,
        legend_font_size=15, title_font_size=17, value_font_size=13, no_data_font_size=18, opacity=".9",
        stroke_width="2.5",
        guide_stroke_color=line, major_guide_stroke_color=line,
    )  # fmt: skip
    chart = pygal.Line(
        style=style, width=920, height=400, title=title, legend_at_bottom=True, legend_at_bottom_columns=4, dots_size=4,
        show_minor_x_labels=False, truncate_label=12, print_values=False, x_label_rotation=0, margin=12,
        margin_bottom=28, js=(),
        truncate_legend=24, no_data_text="–", disable_xml_declaration=True, include_x_axis=True, range=None,
        value_formatter=lambda value: f"{value:.0f} {unit}".strip() if value >= 10 or value == int(value)
        else f"{value:.1f} {unit}".strip(),
    )  # fmt: skip
    step = max(1, -(-len(labels) // _MOST_LABELS))
    chart.x_labels = list(labels)
    chart.x_labels_major = list(labels)[::step]
    for name, values in series.items():
        chart.add(name, list(values))
    tree = chart.render_tree()
    for parent in list(tree.iter()):
        for child in [one for one in parent if str(one.tag).rpartition("}")[2] in ("script", "desc")]:
            parent.remove(child)
    drawn: bytes = ElementTree.tostring(tree, encoding="utf-8")
    return drawn
