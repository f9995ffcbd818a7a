"""The sign for the door, read back from its PDF: the words, where they stand, and where the QR code leads."""

import re
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from provisioning import sign
from provisioning.__main__ import run
from provisioning.errors import RefusedError
from provisioning.sign_texts import TEXTS, Paper, SignText
from tests.provisioning.test_main import folder as folder

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ADDRESS = "https://hq.example.com/leave/berlin-1"
POINTS = {Paper.A4: (595.28, 841.89), Paper.A5: (419.53, 595.28)}
MM = 72 / 25.4


def pages(pdf: bytes) -> list[str]:
    """What draws each page."""
    streams = re.findall(rb"/Filter /FlateDecode\n/Length \d+\n>>\nstream\n(.*?)\nendstream", pdf, re.S)
    found = [zlib.decompress(one).decode("latin-1") for one in streams]
    return [one for one in found if "BT" in one]


def lines(page: str) -> list[tuple[float, str]]:
    """(height above the paper's lower edge in points, text) of each line."""
    found = re.findall(r"BT (?:[\d.]+ )([\d.]+) Td .*?\((.*?)(?<!\\)\) Tj", page)
    return [(float(y), re.sub(r"\\(.)", r"\1", text)) for y, text in found]


def words(page: str) -> str:
    """All text of a page, its lines joined."""
    return " ".join(text.strip() for _, text in lines(page))


def modules(page: str) -> list[list[bool]]:
    """The QR code as it is drawn: black rectangles, put back into their grid."""
    black = page[page.index("0.000 g" if "0.000 g" in page else "0 g") :]
    drawn = [tuple(map(float, one)) for one in re.findall(r"([\d.-]+) ([\d.-]+) ([\d.-]+) ([\d.-]+) re f", black)]
    side = min(abs(height) for _, _, _, height in drawn)
    left, top = min(x for x, _, _, _ in drawn), max(y for _, y, _, _ in drawn)
    size = 1 + round((top - min(y for _, y, _, _ in drawn)) / side)
    grid = [[False] * size for _ in range(size)]
    for x, y, width, _ in drawn:
        for column in range(round((x - left) / side), round((x + width - left) / side)):
            grid[round((top - y) / side)][column] = True
    return grid


def read(grid: list[list[bool]]) -> str:
    """What a phone reads of an undamaged code of version 4 with quality Q (ISO/IEC 18004): bytes in two blocks."""
    size = 33
    assert len(grid) == size
    bits = "".join(str(int(grid[8][column])) for column in (0, 1, 2, 3, 4, 5, 7, 8))
    form = int(bits, 2) ^ 0b10101000
    assert form >> 6 == 0b11, "quality Q"
    mask = form >> 3 & 7
    masks = [
        lambda r, c: (r + c) % 2, lambda r, c: r % 2, lambda r, c: c % 3, lambda r, c: (r + c) % 3,
        lambda r, c: (r // 2 + c // 3) % 2, lambda r, c: r * c % 2 + r * c % 3,
        lambda r, c: (r * c % 2 + r * c % 3) % 2, lambda r, c: ((r + c) % 2 + r * c % 3) % 2,
    ]  # fmt: skip

    def is_function(row: int, column: int) -> bool:
        corner = (row < 9 and (column < 9 or column >= size - 8)) or (row >= size - 8 and column < 9)
        aligned = 24 <= row <= 28 and 24 <= column <= 28
        return corner or aligned or row == 6 or column == 6

    stream, column, upwards = "", size - 1, True
    while column > 0:
        column -= column == 6
        for row in range(size - 1, -1, -1) if upwards else range(size):
            for at in (column, column - 1):
                if not is_function(row, at):
                    stream += str(int(grid[row][at] ^ (masks[mask](row, at) == 0)))
        column, upwards = column - 2, not upwards
    words = [int(stream[at : at + 8], 2) for at in range(0, 48 * 8, 8)]
    data = "".join(f"{word:08b}" for word in words[0::2] + words[1::2])
    assert data[:4] == "0100", "bytes"
    count = int(data[4:12], 2)
    return bytes(int(data[12 + 8 * at : 20 + 8 * at], 2) for at in range(count)).decode()


@pytest.mark.parametrize("paper", list(Paper))
def test_it_says_what_happens_and_how_to_leave_in_each_language(paper: Paper) -> None:
    """A page for each, with the store's name, the three ways, and the page's address in words."""
    found = pages(sign.draw("Schuhhaus Müller", ADDRESS, ["de", "en"], paper, NOW))
    assert len(found) == 2
    for page, language in zip(found, ("de", "en"), strict=True):
        shown, text = words(page), TEXTS[language]
        for expected in ("Schuhhaus Müller", text.heading, *text.happens, text.leave, text.then, text.page):
            assert expected in shown
        for number, (way, what) in enumerate(text.ways, 1):
            assert f"{number} {way}" in re.sub(" +", " ", shown)
            assert what in shown
        assert "hq.example.com/leave/berlin-1" in shown


@pytest.mark.parametrize("paper", list(Paper))
def test_the_qr_code_leads_to_the_stores_page(paper: Paper) -> None:
    """As it is drawn, read by a decoder that is not the library's."""
    pdf = sign.draw("Berlin", ADDRESS, ["en"], paper, NOW)
    assert read(modules(pages(pdf)[0])) == ADDRESS


def test_the_qr_code_is_large_and_has_its_quiet_zone() -> None:
    """At least 0.8 mm a module on the smaller paper, and four modules of white around it."""
    page = pages(sign.draw("Berlin", ADDRESS, ["en"], Paper.A5, NOW))[0]
    black = page[page.index("0.000 g" if "0.000 g" in page else "0 g") :]
    drawn = [tuple(map(float, one)) for one in re.findall(r"([\d.-]+) ([\d.-]+) ([\d.-]+) ([\d.-]+) re f", black)]
    side = min(abs(height) for _, _, _, height in drawn)
    assert side >= 0.8 * MM
    left, right = min(x for x, _, _, _ in drawn), max(x + width for x, _, width, _ in drawn)
    low, high = min(y for _, y, _, _ in drawn) - side, max(y for _, y, _, _ in drawn)
    for x, y in ((float(x), float(y)) for x, y in re.findall(r"BT ([\d.]+) ([\d.]+) Td", page)):
        beside = low <= y <= high
        assert not beside or x >= right + sign.QUIET_MODULES * side or x < left - sign.QUIET_MODULES * side


@pytest.mark.parametrize("paper", list(Paper))
@pytest.mark.parametrize("language", sorted(TEXTS))
def test_everything_is_on_the_paper(paper: Paper, language: str) -> None:
    """Also with the longest name and a long address: nothing runs over the lower edge, of which printers lose 5 mm."""
    address = sign.page_address("https://preference-centre.customer-data.example-retailer.com:8443", "a" * 40)
    pdf = sign.draw("W" * 30 + " " + "W" * 29, address, [language], paper, NOW)
    (page,) = pages(pdf)
    width, height = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)[0]
    assert (float(width), float(height)) == pytest.approx(POINTS[paper], abs=0.1)
    assert all(y >= 5 * MM for y, _ in lines(page))


def every_text(text: SignText) -> list[str]:
    """All that is written of one language."""
    ways = [part for way in text.ways for part in way]
    return [text.heading, text.about, *text.happens, text.leave, *ways, text.then, text.page]


def test_the_languages_are_whole_and_can_be_written() -> None:
    """Each has all parts, in letters that PDF's own fonts have."""
    assert set(TEXTS) == {"de", "en"}
    for text in TEXTS.values():
        assert (len(text.happens), len(text.ways)) == (3, 3)
        for part in every_text(text):
            assert part.strip() == part
            part.encode("latin-1")


@pytest.mark.parametrize(
    "hq",
    ["http://hq.example.com", "hq.example.com", "https://", "https://hq.example.com/x", "https://hq.example.com?x",
     "https://me@hq.example.com", "https://hq.example.com:99999", "https://hö.example.com"],
)  # fmt: skip
def test_an_address_that_is_not_hqs_alone_is_refused(hq: str) -> None:
    """The code leads to an HTTPS page without anything behind it."""
    with pytest.raises(RefusedError):
        sign.page_address(hq, "berlin-1")


@pytest.mark.parametrize("name", ["", "W" * 61, "Обувь"])
def test_a_name_that_does_not_fit_is_refused(name: str) -> None:
    """Rather than drawn with holes."""
    with pytest.raises(RefusedError):
        sign.draw(name, ADDRESS, ["en"], Paper.A4, NOW)


def test_the_command_writes_both_sizes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the bundles, readable by whoever prints them; a dry run writes none, an unknown store has none."""
    at = ["--folder", str(folder), "--hq", "https://HQ.example.com/"]
    run(["sign", "berlin-1", *at, "--dry-run"])
    assert not (folder / "signs").exists()
    run(["sign", "berlin-1", *at, "--name", "Berlin Mitte", "--language", "de", "--language", "en"])
    assert ADDRESS in capsys.readouterr().out
    for paper in Paper:
        file = folder / "signs" / "berlin-1" / f"sign-{paper.value}.pdf"
        assert file.stat().st_mode & 0o777 == 0o644
        assert "Berlin Mitte" in words(pages(file.read_bytes())[0])
    run(["doctor", "--folder", str(folder), "--offline"])
    with pytest.raises(RefusedError):
        run(["sign", "berlin-9", *at])
