"""Draws the sign at a store's door: what happens there, and how to leave, with the QR code of the page for it.

I/O: fpdf and segno; their only importer. Nothing is read or written.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import segno
from fpdf import FPDF

from provisioning.errors import RefusedError
from provisioning.sign_texts import TEXTS, Paper, SignText

MOST_NAME: Final = 60
QUIET_MODULES: Final = 4  # of white around the code (ISO/IEC 18004, 5.3.8)
_WIDTH_MM: Final = 210.0  # everything is measured for A4; A5 has the same form
_EDGE_MM: Final = 18.0
_CODE_MM: Final = 62.0
_FONT: Final = "helvetica"
_LEADING: Final = 1.32  # of a line's height to its type
_MM_A_POINT: Final = 25.4 / 72
_INK, _SOFT, _FRAME = (17, 24, 39), (75, 85, 99), (31, 64, 104)


_SIZES_MM: Final = {Paper.A4: (210.0, 297.0), Paper.A5: (148.0, 210.0)}


def page_address(hq: str, store: str) -> str:
    """Where the QR code leads: HQ's public page for leaving this store.

    Raises: RefusedError where `hq` is no address of an HTTPS server alone.
    """
    wrong = RefusedError("the address of HQ's pages has another form", "for example --hq https://hq.example.com")
    try:
        parts = urlsplit(hq)
        port = parts.port
    except ValueError as error:
        raise wrong from error
    if parts.scheme != "https" or not parts.hostname or port == 0 or not hq.isascii():
        raise wrong
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise wrong
    return f"https://{parts.netloc.lower()}/leave/{store}"


def matrix(address: str) -> list[list[bool]]:
    """The modules of the QR code, dark ones True, without the quiet zone; a quarter of it may be soiled."""
    made = segno.make_qr(address, error="q", boost_error=False)
    return [[bool(module) for module in row] for row in made.matrix]


def draw(name: str, address: str, languages: Sequence[str], paper: Paper, now: datetime) -> bytes:
    """The PDF, a page for each language. `name`: what people call the store.

    Raises: RefusedError for a name that is too long, or that PDF's own fonts cannot write.
    """
    if not 1 <= len(name) <= MOST_NAME:
        raise RefusedError("the store's name does not fit the sign", f"--name with 1 to {MOST_NAME} characters")
    try:
        name.encode("latin-1")
    except UnicodeEncodeError as error:
        raise RefusedError(
            "the store's name has letters that the sign's font lacks", "write it in Latin letters"
        ) from error
    sheet = _Sheet(paper)
    sheet.pdf.set_title(f"{name}: {TEXTS[languages[0]].heading}")
    sheet.pdf.set_lang(languages[0])
    sheet.pdf.set_creation_date(now)
    modules = matrix(address)
    for language in languages:
        sheet.page(name, address, TEXTS[language], modules)
    return bytes(sheet.pdf.output())


def runs(modules: Sequence[Sequence[bool]]) -> Iterator[tuple[int, int, int]]:
    """(row, first column, how many) of dark modules side by side."""
    for row, line in enumerate(modules):
        begin = None
        for column, dark in enumerate([*line, False]):
            if dark and begin is None:
                begin = column
            elif not dark and begin is not None:
                yield row, begin, column - begin
                begin = None


class _Sheet:
    """A document of one size, drawn in the millimetres of A4."""

    def __init__(self, paper: Paper) -> None:
        self._scale = _SIZES_MM[paper][0] / _WIDTH_MM
        self.pdf = FPDF(unit="mm", format=_SIZES_MM[paper])
        self.pdf.set_auto_page_break(False)
        self.pdf.set_margin(0)
        self.pdf.c_margin = 0

    def page(self, name: str, address: str, text: SignText, modules: Sequence[Sequence[bool]]) -> None:
        """One language's page."""
        self.pdf.add_page()
        inner_mm = _WIDTH_MM - 2 * _EDGE_MM
        y_mm = self._text(name, _EDGE_MM, _EDGE_MM, inner_mm, 16, color=_SOFT)
        y_mm = self._text(text.heading, _EDGE_MM, y_mm + 3, inner_mm, 27, bold=True)
        y_mm = self._text(text.about, _EDGE_MM, y_mm + 8, inner_mm, 19, bold=True, color=_FRAME)
        for paragraph in text.happens:
            y_mm = self._text(paragraph, _EDGE_MM, y_mm + 2.5, inner_mm, 15)
        top_mm = y_mm + 10
        self._rule(top_mm - 4, inner_mm)
        y_mm = self._text(text.leave, _EDGE_MM, top_mm + 3, inner_mm, 20, bold=True, color=_FRAME)
        beside_mm = _EDGE_MM + _CODE_MM + 10
        code_mm = y_mm + 5
        self._code(modules, _EDGE_MM, code_mm)
        under_mm = self._text(text.page, _EDGE_MM, code_mm + _CODE_MM + 3, _CODE_MM, 11, bold=True)
        self._text(address.removeprefix("https://"), _EDGE_MM, under_mm + 0.5, _CODE_MM, 11)
        y_mm = code_mm - 3
        for number, (way, what) in enumerate(text.ways, 1):
            y_mm = self._text(f"{number}  {way}", beside_mm, y_mm + 4, inner_mm - _CODE_MM - 10, 16, bold=True)
            y_mm = self._text(what, beside_mm, y_mm + 1, inner_mm - _CODE_MM - 10, 14.5)
        y_mm = max(y_mm, code_mm + _CODE_MM + 18)
        self._text(text.then, _EDGE_MM, y_mm + 6, inner_mm, 15)

    def _text(
        self, text: str, x_mm: float, y_mm: float, width_mm: float, size: float, *, bold: bool = False,
        color: tuple[int, int, int] = _INK,
    ) -> float:  # fmt: skip
        """Writes text and returns where it ends, in the millimetres of A4."""
        self.pdf.set_font(_FONT, "B" if bold else "", size * self._scale)
        self.pdf.set_text_color(*color)
        self.pdf.set_xy(x_mm * self._scale, y_mm * self._scale)
        line_mm = size * _MM_A_POINT * _LEADING * self._scale
        self.pdf.multi_cell(width_mm * self._scale, line_mm, text, align="L", new_x="LEFT", new_y="NEXT")
        return float(self.pdf.get_y()) / self._scale

    def _rule(self, y_mm: float, width_mm: float) -> None:
        self.pdf.set_fill_color(*_FRAME)
        self.pdf.rect(_EDGE_MM * self._scale, y_mm * self._scale, width_mm * self._scale, 0.8 * self._scale, style="F")

    def _code(self, modules: Sequence[Sequence[bool]], x_mm: float, y_mm: float) -> None:
        """The QR code as filled rectangles, its quiet zone the paper's own white."""
        side_mm = _CODE_MM / (len(modules) + 2 * QUIET_MODULES) * self._scale
        left_mm, top_mm = x_mm * self._scale, y_mm * self._scale
        self.pdf.set_fill_color(0, 0, 0)
        for row, column, count in runs(modules):
            self.pdf.rect(
                left_mm + (column + QUIET_MODULES) * side_mm, top_mm + (row + QUIET_MODULES) * side_mm,
                count * side_mm, side_mm, style="F",
            )  # fmt: skip
