"""The six members of the demo: what each shares, and what each chose.

Times of choice are given by whoever opens the shop. Values are invented; purchases are those of real people of a real
shop (`demo.goods`).

I/O: reads the histories, by `demo.goods`.
"""

from dataclasses import dataclass, replace
from typing import Final

from demo import goods
from demo.phones import Format
from wire.member import Field, Item, Mode, NameChoice, SourceClass, Value, ValueClass

ROLES: Final = ("associate", "manager")
DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True, repr=False)
class Shopper:
    """One member. `shares` are the scopes granted of all in `profile`; `stores` those that may recognise the phone.

    `suggests`: scopes that suggestions may be made from; none: no suggestions.
    """

    name: str
    choice: str  # in words, for the story
    mode: Mode
    format: Format
    profile: dict[str, Value]
    shares: tuple[str, ...]
    stores: tuple[str, ...] = ("demo",)
    name_choice: NameChoice = NameChoice.INVITED
    age_at_least: int = 21
    suggests: tuple[str, ...] = ()


def text(value: str) -> Value:
    """A value of one text."""
    return Value(text=value)


def texts(*values: str) -> Value:
    """A value of several texts."""
    return Value(texts=values)


def item_id(label: str) -> str:
    """The id of what the shop sells under this name."""
    return label.lower().replace(" ", "-")


def items(*labels: str) -> Value:
    """A value of items."""
    return Value(items=tuple(Item(item_id(label), label, None, None, False) for label in labels))


# What the shop sells beside gifts and things for the home (`demo.goods`): name and category.
SOLD: Final = (
    ("Trail shoe Karst", "shoes"),
    ("Trail shoe Kestrel", "shoes"),
    ("Hiking boot Brocken", "shoes"),
    ("Wool socks, 2 pairs", "socks"),
    ("Rain jacket Sund", "jackets"),
    ("Fleece jacket Förde", "jackets"),
    ("Running cap", "hats"),
    ("Rain hat", "hats"),
)

# Of what stands on a list or in a basket: how many hours ago it was put there.
PUT_HOURS: Final = {"Trail shoe Karst": 12 * 24, "Rain jacket Sund": 4 * 24, "Wool socks, 2 pairs": 2}

CAST: Final = (
    Shopper(
        "Mara",
        "asks for help when she wants it; shares her name, size, fit, wish list and basket, and wants suggestions",
        Mode.HELP,
        Format.IPHONE,
        {
            "name.first": text("Mara"),
            "size.shoe": text("39"),
            "fit.jacket": text("slim"),
            "language": texts("German", "English"),
            "wishlist": items("Trail shoe Karst", "Rain jacket Sund"),
            "basket.online": items("Wool socks, 2 pairs"),
        },
        ("name.first", "size.shoe", "fit.jacket", "wishlist", "basket.online"),
        suggests=("wishlist", "basket.online", "history.store"),
    ),
    Shopper(
        "Jonas",
        "may be seen, and shares what he likes and speaks; his purchases are for suggestions alone",
        Mode.OPEN,
        Format.COMPANY,
        {
            "name.first": text("Jonas"),
            "language": texts("German"),
            "brand.liked": texts("Karst", "Sund"),
            "size.shoe": text("44"),
        },
        ("language", "brand.liked"),
        suggests=("history.store",),
    ),
    Shopper(
        "Aylin",
        "may be seen, and shares nothing else",
        Mode.OPEN,
        Format.SERVICE,
        {"name.first": text("Aylin"), "size.shoe": text("37"), "colour.avoided": texts("yellow")},
        (),
    ),
    Shopper(
        "Tom",
        "wants to be left alone today (quiet)",
        Mode.QUIET,
        Format.BEACON,
        {"name.first": text("Tom"), "size.shoe": text("42")},
        ("name.first", "size.shoe"),
    ),
    Shopper(
        "Lena",
        "is fourteen",
        Mode.OPEN,
        Format.IPHONE,
        {},  # HQ takes no profile of who is so young
        (),
        age_at_least=14,
    ),
    Shopper(
        "Otto",
        "chose another store, not this one",
        Mode.OPEN,
        Format.COMPANY,
        {"name.first": text("Otto"), "size.shoe": text("45")},
        ("name.first", "size.shoe"),
        stores=("elsewhere",),
    ),
)


def fields(shopper: Shopper, now_s: int) -> tuple[Field, ...]:
    """The shopper's profile as HQ takes it, confirmed yesterday, and what they bought until then."""
    at_s = now_s - DAY_S
    said = tuple(
        Field(scope, _dated(value, now_s), SourceClass.ZERO, "app", ValueClass.PERSONAL, at_s, at_s)
        for scope, value in shopper.profile.items()
    )
    bought = goods.history(shopper.name.lower(), now_s)
    if not bought:
        return said
    value = Value(items=bought)
    return (*said, Field("history.store", value, SourceClass.FIRST, "till", ValueClass.TRANSACTIONAL, at_s, at_s))


def _dated(value: Value, now_s: int) -> Value:
    """The value with the times at which each of its items was put there."""
    if value.items is None:
        return value
    return Value(items=tuple(replace(one, at_s=now_s - PUT_HOURS[one.label] * 3_600) for one in value.items))
