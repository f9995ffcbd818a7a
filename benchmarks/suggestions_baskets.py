"""Baskets for measuring suggestions: read strictly from JSON, each fault with its remedy; written; split by a seed.

The file: `{"history": {shopper: [[item, …], …]}, "future": {shopper: [item, …]}, "train": [shopper, …], "validate":
[…], "test": […]}`, oldest basket first, and perhaps `"days": {shopper: [day, …]}`: a whole number a basket, never
falling; one more than there are baskets is the future basket's day. Shoppers and items are texts or whole numbers.

I/O: reads and writes a file.
"""

import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PARTS: Final = ("train", "validate", "test")
_SHARES: Final = {"train": 72, "validate": 8, "test": 20}
_KEYS: Final = ("history", "future", *PARTS)


class BasketsError(ValueError):
    """The file is not what is described above; the message says where, and what to do."""


@dataclass(frozen=True, slots=True)
class Baskets:
    """What shoppers bought. Every shopper of `train`, `validate` and `test` is in `history` with a basket.

    Every one of `validate` and `test` has a future basket; no shopper is in two parts. Items are unique in a basket.
    """

    history: Mapping[str, Sequence[Sequence[str]]]
    future: Mapping[str, Sequence[str]]
    train: tuple[str, ...]
    validate: tuple[str, ...]
    test: tuple[str, ...]
    days: Mapping[str, Sequence[int]] | None = None

    def days_of(self, shopper: str) -> Sequence[int] | None:
        """One day for each basket of the history."""
        return None if self.days is None else self.days[shopper][: len(self.history[shopper])]

    def future_day(self, shopper: str) -> int | None:
        """The future basket's day, where the file tells."""
        if self.days is None or len(self.days[shopper]) == len(self.history[shopper]):
            return None
        return self.days[shopper][-1]

    def items(self) -> int:
        """How many different items the histories hold."""
        return len({item for baskets in self.history.values() for basket in baskets for item in basket})


def read(path: Path) -> Baskets:
    """The file's baskets; `.gz` is unpacked.

    Raises:
        BasketsError: it cannot be read or is not of the form.
    """
    try:
        packed = path.read_bytes()
        written = json.loads(gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed)
    except OSError as error:
        raise BasketsError(f"{path}: cannot be read ({error.strerror or error}); name a file of baskets") from error
    except (ValueError, EOFError, RecursionError) as error:
        raise BasketsError(f"{path}: is no JSON ({error}); write it with json.dump") from error
    try:
        return parse(written)
    except BasketsError as error:
        raise BasketsError(f"{path}: {error}") from None


def parse(written: Any) -> Baskets:
    """Baskets from what JSON held.

    Raises:
        BasketsError: it is not of the form.
    """
    if not isinstance(written, dict):
        raise BasketsError(f"is {_kind(written)}; write an object with the keys {', '.join(_KEYS)}, and perhaps days")
    if missing := [key for key in _KEYS if key not in written]:
        raise BasketsError(f"lacks {', '.join(missing)}; there must be {', '.join(_KEYS)}, and perhaps days")
    if unknown := sorted(set(written) - {*_KEYS, "days"}):
        raise BasketsError(f"has the unknown key {unknown[0]!r}; remove it (known: {', '.join(_KEYS)}, days)")
    history = {
        shopper: _history(shopper, baskets) for shopper, baskets in _object(written["history"], "history").items()
    }
    future = {
        shopper: _basket(items, f"future[{shopper!r}]")
        for shopper, items in _object(written["future"], "future").items()
    }
    parts = {part: _part(written[part], part, history, future) for part in PARTS}
    _check_apart(parts)
    return Baskets(history, future, parts["train"], parts["validate"], parts["test"], _days(written, history))


def write(path: Path, baskets: Baskets) -> None:
    """The file that `read` reads, the same bytes for the same baskets; `.gz` is packed."""
    written: dict[str, object] = {
        "history": {shopper: [list(basket) for basket in found] for shopper, found in baskets.history.items()},
        "future": {shopper: list(items) for shopper, items in baskets.future.items()},
        **{part: list(getattr(baskets, part)) for part in PARTS},
    }
    if baskets.days is not None:
        written["days"] = {shopper: list(days) for shopper, days in baskets.days.items()}
    text = json.dumps(written, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)


def split(shoppers: Iterable[str], seed: int) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Train, validate and test: 72, 8 and 20 of 100, by a hash of seed and shopper, so in whatever order they come."""
    ordered = sorted(shoppers, key=lambda shopper: hashlib.sha256(f"{seed}/{shopper}".encode()).digest())
    test, validate = len(ordered) // 5, len(ordered) * 8 // 100
    return tuple(ordered[test + validate :]), tuple(ordered[test : test + validate]), tuple(ordered[:test])


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", type(None): "null", bool: "true or false"}
    return names.get(type(value), "a number")


def _object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BasketsError(f"{where} is {_kind(value)}; write an object with a key for each shopper")
    return value


def _list(value: object, where: str, of: str) -> list[Any]:
    if not isinstance(value, list):
        raise BasketsError(f"{where} is {_kind(value)}; write a list of {of}")
    return value


def _name(value: object, where: str) -> str:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise BasketsError(f"{where} is {value!r}; name items and shoppers by a text or a whole number")


def _basket(value: object, where: str) -> list[str]:
    items = [_name(item, where) for item in _list(value, where, "items")]
    if not items:
        raise BasketsError(f"{where} is empty; leave out baskets that hold nothing, and shoppers without any")
    return list(dict.fromkeys(items))


def _history(shopper: str, value: object) -> list[list[str]]:
    where = f"history[{shopper!r}]"
    baskets = _list(value, where, "baskets, oldest first")
    if not baskets:
        raise BasketsError(f"{where} has no basket; leave out shoppers without any")
    return [_basket(basket, f"{where}[{at}]") for at, basket in enumerate(baskets)]


def _part(value: object, part: str, history: Mapping[str, object], future: Mapping[str, object]) -> tuple[str, ...]:
    shoppers = tuple(_name(shopper, part) for shopper in _list(value, part, "shoppers"))
    if not shoppers:
        raise BasketsError(f"{part} is empty; put about {_SHARES[part]} of 100 there")
    seen = set()
    for shopper in shoppers:
        if shopper in seen:
            raise BasketsError(f"{part} names {shopper!r} twice; name each shopper once")
        seen.add(shopper)
        for what, found in (("history", history), ("future", future)):
            if shopper not in found and (part, what) != ("train", "future"):
                raise BasketsError(f"{part} names {shopper!r}, who has no {what}; add it or take the shopper out")
    return shoppers


def _check_apart(parts: Mapping[str, tuple[str, ...]]) -> None:
    first: dict[str, str] = {}
    for part, shoppers in parts.items():
        for shopper in shoppers:
            if shopper in first:
                raise BasketsError(f"{shopper!r} is in {first[shopper]} and in {part}; leave each in one part")
            first[shopper] = part


def _days(written: Mapping[str, Any], history: Mapping[str, Sequence[object]]) -> dict[str, list[int]] | None:
    if written.get("days") is None:
        return None
    told = _object(written["days"], "days")
    days = {}
    for shopper, baskets in history.items():
        if shopper not in told:
            raise BasketsError(f"days lacks {shopper!r}; tell the days of every shopper of history, or leave days out")
        found = _list(told[shopper], f"days[{shopper!r}]", "whole numbers, one a basket")
        if len(found) not in (len(baskets), len(baskets) + 1):
            raise BasketsError(
                f"days[{shopper!r}] has {len(found)} for {len(baskets)} baskets; tell one a basket, "
                "and perhaps one more for the future basket"
            )
        whole = [
            int(day) if isinstance(day, int | float) and not isinstance(day, bool) and day == day // 1 else None
            for day in found
        ]
        if None in whole or whole != sorted(whole):
            raise BasketsError(f"days[{shopper!r}] must be whole numbers that never fall; sort the baskets by day")
        days[shopper] = whole
    return days
