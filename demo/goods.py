"""`python -m demo.goods` makes the demo's goods from the purchases of a real web shop: items, histories, tables.

It takes about a minute, and what it makes is kept in `demo/shop`: a demo that learns for a minute shows nothing
meanwhile. The purchases are those of Online Retail (`benchmarks/data`), whose last day becomes yesterday.

I/O: reads the purchases, writes the files; the other part reads these.
"""

import csv
import gzip
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from wire.member import Item

SHOP: Final = Path(__file__).parent / "shop"
ITEMS: Final = SHOP / "items.jsonl"
HISTORIES: Final = SHOP / "histories.json"
TABLES: Final = SHOP / "affinity"
SOURCE: Final = Path(__file__).parent.parent / "benchmarks" / "data"
MOST_ITEMS: Final = 500
MOST_PEOPLE: Final = 1_500  # whose last baskets teach the weights
MOST_LINES: Final = 90  # of a history: as many as a record bears well
DAY_S: Final = 86_400
# By words of a name: the category of an item, the first that fits; and its themes.
CATEGORIES: Final = (
    ("lights", ("LIGHT", "LANTERN", "LAMP", "CANDLE")),
    ("bags", ("BAG", "SHOPPER", "RUCKSACK", "PURSE")),
    ("kitchen", ("CAKE", "MUG", "CUP", "TEA", "PLATE", "BOWL", "TIN", "JAR", "LUNCH", "SPOON", "NAPKIN", "BAKING")),
    ("decoration", ("HEART", "FRAME", "SIGN", "CLOCK", "BUNTING", "GARLAND", "DECORATION", "HOOK", "MIRROR")),
    ("paper", ("CARD", "WRAP", "PAPER", "STICKER", "TAPE", "CHALKBOARD", "PENCIL", "NOTEBOOK")),
    ("toys", ("TOY", "GAME", "DOLL", "PUZZLE", "SKITTLES", "CHILD", "KIDS", "SPACEBOY", "DOLLY")),
    ("garden", ("GARDEN", "BIRD", "PLANT", "WATERING", "SEED")),
)  # fmt: skip
THEMES: Final = (
    ("christmas", ("CHRISTMAS", "XMAS", "SANTA", "SNOW", "REINDEER", "ADVENT", "NOEL")),
    ("easter", ("EASTER",)),
    ("baby", ("BABY", "NURSERY")),
    ("children", ("CHILD", "KIDS", "SPACEBOY", "DOLLY GIRL", "TOY")),
    ("wedding", ("WEDDING", "BRIDE", "CONFETTI")),
)
# By words of a name, too: what is suggested to nobody who did not say that it may be, or who may be too young.
FLAGS: Final = (("special:health", ("SO POORLY",)), ("adult", ("WITH WINE",)))


def items() -> Iterator[bytes]:
    """The lines of the catalog, as `consentry-hq catalog publish` takes them."""
    yield from ITEMS.read_bytes().splitlines()


def history(name: str, now_s: int) -> tuple[Item, ...]:
    """What a member of the demo bought, the newest first and the newest of it yesterday; none for who has none."""
    kept = json.loads(HISTORIES.read_text())
    return tuple(
        Item(item, label, now_s - before_days * DAY_S, quantity, False)
        for before_days, item, label, quantity in kept.get(name, ())
    )


# --- made once, by hand ----------------------------------------------------------------------------------------------


def main() -> None:
    """Makes the files anew."""
    from hq.learning.learn import History, Settings, learn  # of HQ's extra, which a demo does not need
    from wire import affinity

    names = {row["StockCode"]: row["Description"] for row in _rows("items")}
    baskets: dict[str, dict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    sold: Counter[str] = Counter()
    for row in _rows("transactions"):
        if int(row["Quantity"]) > 0 and row["StockCode"][:1].isdigit():
            day = int(datetime.fromisoformat(row["InvoiceDate"]).replace(tzinfo=UTC).timestamp()) // DAY_S
            baskets[row["CustomerID"]][day][row["StockCode"]] += int(row["Quantity"])
            sold[row["StockCode"]] += 1
    listed = {item for item, _ in sold.most_common(MOST_ITEMS)}
    last_day = max(day for days in baskets.values() for day in days)
    own = {
        customer: {
            day: kept for day, lines in days.items() if (kept := {i: n for i, n in lines.items() if i in listed})
        }
        for customer, days in baskets.items()
    }
    histories = [
        History(tuple(tuple(sorted(lines)) for _, lines in sorted(days.items())), tuple(sorted(days)))
        for days in own.values()
        if days
    ]
    made = affinity.encode(learn(histories, Settings(most_people=MOST_PEOPLE), _say))
    TABLES.mkdir(exist_ok=True)
    for old in TABLES.iterdir():
        old.unlink()
    for part, body in made.items():
        (TABLES / part).write_bytes(body)
    with ITEMS.open("w") as lines:
        for item in sorted(listed):
            lines.write(json.dumps(_told(item, names[item])) + "\n")
    chosen = sorted(own, key=lambda one: (-_regular(own[one], last_day), one))
    own_lines = {
        name: [
            [last_day - day + 1, item, _called(names[item]), min(quantity, 4)]
            for day, lines_of in sorted(own[customer].items(), reverse=True)
            for item, quantity in sorted(lines_of.items())
        ]
        for name, customer in zip(("mara", "jonas"), chosen, strict=False)
    }
    HISTORIES.write_text(
        "{\n" + ",\n".join(f' "{name}": [\n{_listed(own_lines[name])}\n ]' for name in own_lines) + "\n}\n"
    )


def _say(stage: str, done: int, of: int) -> None:
    print(stage, done, of, file=sys.stderr)


def _rows(what: str) -> Iterator[dict[str, str]]:
    with gzip.open(SOURCE / f"online-retail-{what}.csv.gz", "rt", newline="") as lines:
        yield from csv.DictReader(lines)


def _listed(lines: list[list[object]]) -> str:
    return ",\n".join(f"  {json.dumps(line)}" for line in lines)


def _only(lines: Counter[str], listed: set[str]) -> dict[str, int]:
    return {item: quantity for item, quantity in lines.items() if item in listed}


def _regular(days: dict[int, dict[str, int]], last_day: int) -> int:
    """How well a history tells of habits: items bought on several days, in not too many lines, and lately."""
    lines = sum(map(len, days.values()))
    if not days or lines > MOST_LINES or last_day - max(days) > 30:
        return -1
    times = Counter(item for lines_of in days.values() for item in lines_of)
    return sum(count - 1 for count in times.values() if count > 1)


def _called(name: str) -> str:
    return " ".join(name.split()).capitalize()


def _told(item: str, name: str) -> dict[str, object]:
    category = next((one for one, words in CATEGORIES if any(word in name for word in words)), "home")
    themes = [one for one, words in THEMES if any(word in name for word in words)]
    flags = [one for one, words in FLAGS if any(word in name for word in words)]
    told: dict[str, object] = {
        "id": item,
        "name": _called(name),
        "path": ["gifts and home", category],
        "themes": themes,
    }
    return told | ({"flags": flags} if flags else {})


if __name__ == "__main__":
    main()
