"""What a member of some months has lived through: values, purchases, a look in the store, a mute, a proposal.

I/O: the database of the test.
"""

import json

from hq import choosing, collections, publication, purchases
from hq.database import writing
from hq.membership import lock_by_id
from hq.purchases_told import Bought, Kind, Purchase
from tests.fakes.store import FakeStore
from tests.hq.headquarters import DAY_S, STORE, items, text, texts
from tests.hq.web.place import Place
from wire import merkle, schema
from wire.events import HandOverReason
from wire.items import ItemList, MuteKind, Proposal
from wire.member import Muted
from wire.merkle import Frontier
from wire.sync import Attendance, Collection, Disclosure, Event, EventKind, HelpStep, LogHead, ReasonCode

YEAR_S = 365 * DAY_S
EXPERT = HandOverReason.NEEDS_EXPERT


def live(place: Place, member: str = "ada") -> FakeStore:
    """Gives `ada` all of it; the store's box, which is up and in step."""
    hq = place.hq
    office, old_s = hq.office, hq.now_s - 4 * YEAR_S
    hq.grant(member, "assist", "wishlist", "history.store", "name.first")
    choosing.add_store(office, member, STORE, hq.now_ms)
    office.set_profile(
        member,
        [
            text("name.first", "Ada"), text("size.shoe", "38 ½"), texts("language", "Deutsch", "English"),
            text("fit.jacket", "slim, long sleeves", at_s=old_s), items("wishlist", "Rain jacket Alba", "Trail sock"),
        ],
        hq.now_ms,
    )  # fmt: skip
    office.mute(member, Muted(MuteKind.ITEM, "i-7"), hq.now_ms)
    buy(place, member)
    sell(place)
    store = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    store.come_up(hq.answers)
    store.fill(hq.answers)
    store.say(hq.answers, store.events(*looked(place, member, store)))
    hq.later(90)
    store.say(hq.answers, store.hello())
    return store


def sell(place: Place) -> None:
    """What the stores have, some of it of a theme."""
    told = [
        {"id": "i-7", "name": "Candle Nox", "path": ["home"], "themes": ["christmas"]},
        {"id": "i-8", "name": "Dog blanket Rex", "path": ["home"], "themes": ["pets", "camping"]},
    ]
    bodies = collections.catalog_lines(json.dumps(one).encode() for one in told)
    collections.publish(place.hq.engine, Collection.CATALOG, "main", bodies, place.hq.now_ms)


def buy(place: Place, member: str) -> None:
    """A purchase in the store, one online, and a return."""
    hq = place.hq
    told = [
        Purchase("P-1", Kind.PURCHASE, STORE, "till", hq.now_s - 9 * DAY_S, (Bought("i-1", "Running shoe Terra", 1),)),
        Purchase(
            "P-2", Kind.PURCHASE, "", "shop", hq.now_s - 5 * DAY_S,
            (Bought("i-2", "Wool hat Mio", 1), Bought("i-3", "Baby blanket Luna", 2)),
        ),
        Purchase("P-3", Kind.RETURN, STORE, "till", hq.now_s - 2 * DAY_S, (Bought("i-1", "Running shoe Terra", 1),)),
    ]  # fmt: skip
    with writing(hq.engine) as connection:
        locked = lock_by_id(connection, hq.keys.custody, [member])
        (one,) = locked.values()
        purchases.put(connection, one, [(each, hq.now_ms + YEAR_S * 1000) for each in told], {})
        publication.refresh(connection, hq.keys, purchases.renew(connection, locked, hq.now_ms), hq.now_ms)


def looked(place: Place, member: str, store: FakeStore) -> list[Event]:
    """An associate helped: saw them on the list and on the card, handed over, and proposed something."""
    hq = place.hq
    known, began_ms = hq.pseudonym(member), hq.now_ms - 2 * 3_600_000
    seen = [_seen(1, (), roster=True), _seen(2, ("size.shoe", "wishlist", "language"), roster=False)]
    grown = Frontier()
    for number, one in enumerate(seen, 1):
        grown = grown.append(merkle.leaf_of(number, began_ms + number * 60_000, known, one))
    head_ms = began_ms + 5 * 60_000
    signed = hq.identity.sign(merkle.head_input(STORE, store.incarnation, len(seen), grown.root, head_ms))
    said = [
        *((EventKind.DISCLOSURE, known, one) for one in seen),
        (EventKind.ATTENDANCE, known, Attendance("nina", HelpStep.HANDED_OVER, "associate", None, "stylist", EXPERT)),
        (EventKind.PROPOSAL, known, Proposal(ItemList.WISHLIST, "Trail cap Ora", 1, "associate", "nina", "t-1")),
        (EventKind.LOG_HEAD, None, LogHead(len(seen), grown.root, grown.peaks, signed)),
    ]
    return [
        Event(number, kind, began_ms + number * 60_000, whom, schema.encode(body))
        for number, (kind, whom, body) in enumerate(said, 1)
    ]


def _seen(number: int, scopes: tuple[str, ...], *, roster: bool) -> Disclosure:
    purposes = ("presence", "assist") if scopes else ("presence",)
    salts = bytes([number]) * 16, bytes([number + 100]) * 16
    return Disclosure(
        b"h" * 16, "nina", "associate", "t-1", scopes, purposes, "grant", ReasonCode.HELP, True, roster, *salts
    )
