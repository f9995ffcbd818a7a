"""Visits and cards for the tests of the tablet API; every value on them is unlike any other."""

from tests.fakes.gateway import NOW_MS, handle
from wire.policy import Section
from wire.query import Card, Entry, Line, Visit, Why

COLOURS = ("red", "orange", "yellow", "green", "cyan", "blue", "violet", "white")
ZONES = (
    ("shoes", "Shoes"),
    ("sports", "Sports"),
    ("kids", "Children’s wear"),
    ("home", "Home and kitchen"),
    ("coats", "Coats and jackets"),
)
WHY = Why("assist", "help in the store", NOW_MS - 100 * 86_400_000, NOW_MS + 265 * 86_400_000)


def visit(number: int, *, helps: bool = True, minutes: int = 2, now_ms: int = NOW_MS, **more: object) -> Visit:
    """Visit `number`: waiting for help since `minutes`, or just present."""
    zone, label = ZONES[number % len(ZONES)]
    shown: dict[str, object] = {
        "handle": handle(number),
        "help": helps,
        "waiting_since_ms": now_ms - minutes * 60_000 if helps else None,
        "escalated": False,
        "sign_colour": COLOURS[number % 8] if helps else None,
        "sign_digits": f"{number * 37 % 100:02d}" if helps else None,
        "zone": zone,
        "zone_label": label,
        "arrived_ms": now_ms - (minutes + 3) * 60_000,
        "attended_by": None,
        "attended_by_me": False,
    }
    return Visit(**(shown | more))  # type: ignore[arg-type]


def line(scope: str, label: str, text: str | None = None, *entries: Entry) -> Line:
    """One fact."""
    return Line(scope, label, text, entries, WHY)


SHOE = line("size.shoe", "Shoe size", "42 ½")
JACKET = line("fit.jacket", "Jacket fit", "Slim, long sleeves")
LANGUAGE = line("language", "Language", "English, German")
COLOUR = line("colour.avoided", "Colours to avoid", "Yellow")
WISHES = line(
    "wishlist",
    "Wish list",
    None,
    Entry("Trail running shoe Kestrel", NOW_MS - 3 * 86_400_000, None, False),
    Entry("Rain jacket Alba", NOW_MS - 30 * 86_400_000, 2, True),
)


def card(of: Visit, name: str | None = None, version: int = 1) -> Card:
    """The card of a visit: three facts, and two sections that hold something."""
    return Card(
        handle=of.handle,
        version=version,
        as_of_ms=NOW_MS,
        help=of.help,
        waiting_since_ms=of.waiting_since_ms,
        sign_colour=of.sign_colour,
        sign_digits=of.sign_digits,
        zone=of.zone,
        zone_label=of.zone_label,
        attended_by=of.attended_by,
        attended_by_me=of.attended_by_me,
        name=name,
        lead=(SHOE, JACKET, LANGUAGE),
        sections=(Section.PREFERENCES, Section.WISHLIST),
        section=None,
        lines=(),
    )


def fill(gateway: object, *visits: Visit) -> None:
    """Gives each visit a card with its sections, and shows them all."""
    for one in visits:
        gateway.put_card(card(one), tell=False)  # type: ignore[attr-defined]
        gateway.sections[(one.handle, Section.PREFERENCES)] = (SHOE, COLOUR)  # type: ignore[attr-defined]
        gateway.sections[(one.handle, Section.WISHLIST)] = (WISHES,)  # type: ignore[attr-defined]
    gateway.show(*visits)  # type: ignore[attr-defined]
