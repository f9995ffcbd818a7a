"""Builds the baskets' file of Online Retail: `python -m benchmarks.suggestions_retail OUT.json`.

A basket is a purchase invoice, in the order of times (then numbers). A return (its number begins with C) is no basket;
it takes its quantity from the newest basket before it that holds the item, and an item of which nothing was kept drops
out. From a history only those returns take that came before the future basket: nobody could know the later ones.
Postage, fees and entries by hand are no items. Who has fewer than three baskets left is left out, as TIFU-KNN's authors
do; the last basket is the future.

I/O: reads the copy below `benchmarks/data`, writes a file.
"""

import argparse
import csv
import gzip
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.suggestions_baskets import Baskets, split, write

COPY: Final = Path(__file__).parent / "data" / "online-retail-transactions.csv.gz"
SEED: Final = 7
LEAST_BASKETS: Final = 3
_GOODS = re.compile(r"\d{5}")  # postage, fees and the like have codes of letters
_EPOCH: Final = datetime(1970, 1, 1)


class _Line(NamedTuple):
    at: datetime
    invoice: str
    item: str
    quantity: int  # below 0: came back


class _Basket(NamedTuple):
    at: datetime
    kept: dict[str, int]  # item to how many


def baskets(seed: int = SEED, copy: Path = COPY) -> Baskets:
    """The shop's baskets, split by the seed; days since 1970."""
    history, future, days = {}, {}, {}
    for customer, lines in sorted(_customers(copy).items()):
        found = _kept(sorted(lines))
        if len(found) < LEAST_BASKETS:
            continue
        *past, last = found
        history[customer] = [list(basket.kept) for basket in past]
        future[customer] = list(last.kept)
        days[customer] = [(basket.at - _EPOCH).days for basket in found]
    return Baskets(history, future, *split(history, seed), days)


def _customers(copy: Path) -> dict[str, list[_Line]]:
    customers = defaultdict(list)
    for line in _lines(copy):
        if _GOODS.match(line["StockCode"]):
            at = datetime.fromisoformat(line["InvoiceDate"])
            customers[line["CustomerID"]].append(_Line(at, line["InvoiceNo"], line["StockCode"], int(line["Quantity"])))
    return customers


def _lines(copy: Path) -> Iterator[dict[str, str]]:
    with gzip.open(copy, "rt", encoding="ascii", newline="") as read:
        yield from csv.DictReader(read)


def _kept(lines: list[_Line]) -> list[_Basket]:
    """The baskets of which something was kept, as it was known when the last of them was bought."""
    bought = _invoices(lines)
    while bought:
        known = [_Basket(basket.at, dict(basket.kept)) for basket in bought]
        for line in lines:
            if line.quantity < 0:
                _take_back(line, known[-1:] if line.at > bought[-1].at else known)
        if known[-1].kept:
            return [basket for basket in known if basket.kept]
        gone = bought.pop()  # it all came back, so the one before is the last
        lines = [line for line in lines if line.at <= gone.at]
    return []


def _invoices(lines: list[_Line]) -> list[_Basket]:
    found: dict[str, _Basket] = {}
    for line in lines:
        if line.quantity > 0:
            kept = found.setdefault(line.invoice, _Basket(line.at, {})).kept
            kept[line.item] = kept.get(line.item, 0) + line.quantity
    return list(found.values())


def _take_back(line: _Line, known: list[_Basket]) -> None:
    left = -line.quantity
    for basket in reversed(known):
        if left and basket.at <= line.at and line.item in basket.kept:
            taken = min(left, basket.kept[line.item])
            left -= taken
            basket.kept[line.item] -= taken
            if not basket.kept[line.item]:
                del basket.kept[line.item]


def main() -> int:
    """Writes the file; exit 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.suggestions_retail", description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--seed", type=int, default=SEED, help="of the split into train, validate and test")
    arguments = parser.parse_args()
    write(arguments.out, baskets(arguments.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
