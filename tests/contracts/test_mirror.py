"""The mirror against a real gateway: what HQ shows a member is what the store's tablet is shown, byte for byte."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from demo import goods
from demo.cast import CAST, fields
from hq import choosing, collections
from hq.database import reading, writing
from hq.door import Grant
from hq.mirror import NOBODY, Mirror, Seen, mirror
from tests.hq.headquarters import DAY_S, STORE, items, text, texts
from tests.proof.chain import Box, Chain
from wire import query, schema
from wire.concluded import Concluded, Evidence
from wire.member import Field, Item, Mode, NameChoice, Value
from wire.policy import Section
from wire.suggestions import Stage
from wire.sync import Collection
from wire.token import Kind, day_key, day_of_slot, token

SHARES = ("name.first", "size.shoe", "brand.liked", "wishlist", "history.store")
METHOD = "command"
MARA = next(one for one in CAST if one.name == "Mara")  # who buys some things regularly


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """One live store, and a member with values in most sections, among them one that no store may see."""
    made = Chain(tmp_path_factory.mktemp("mirror"))
    made.join("m-1", *SHARES)
    at_s = made.hq.now_s
    made.hq.office.set_profile(
        "m-1",
        [
            text("name.first", "Ada", at_s), text("size.shoe", "41", at_s), texts("brand.liked", "Acme", at_s=at_s),
            wishes(at_s),
            text("fit.jacket", "slim", at_s), *fields(MARA, at_s)[-1:],
        ],
        made.hq.now_ms,
    )  # fmt: skip
    sells(made)
    made.up()
    made.run(20)  # the tables come in parts
    yield made
    made.close()


def wishes(at_s: int) -> Field:
    """A wish list of this moment, with something that tells of health, and something too old."""
    found = items("wishlist", "Red boots", "Hat", at_s=at_s)
    (poorly,) = (one["id"] for one in map(json.loads, goods.items()) if "special:health" in one.get("flags", ()))
    hidden = Item(poorly, "For the sick", at_s, 1, False), Item("old", "Long ago", at_s - 731 * DAY_S, 1, False)
    return replace(found, value=Value(items=(hidden[0], *(found.value.items or ()), hidden[1])))


def sells(chain: Chain) -> None:
    """The store has a catalog and tables of others' habits, and the member lets it suggest from the history."""
    hq = chain.hq
    bodies = {
        Collection.CATALOG: collections.catalog_lines(goods.items()),
        Collection.AFFINITY: collections.affinity_files(goods.TABLES),
    }
    for collection, published in bodies.items():
        collections.publish(hq.engine, collection, "main", published, hq.now_ms)
        with writing(hq.engine) as connection:
            collections.give(connection, STORE, collection, "main")
    scopes = ("suggestions", "stage", "cohort", "history.store")
    hq.office.grant(
        "m-1", Grant("suggest", (STORE,), ("associate",), scopes, until_days=300, chosen_s=hq.now_s), hq.now_ms
    )


def says(chain: Chain, kind: Kind, node: str = "node-shoes") -> Box:
    """The member's phone, twice, in front of the shoes."""
    (box,) = chain.boxes
    slot = chain.hq.now_ms // 600_000
    heard = token(day_key(chain.secrets["m-1"][0], day_of_slot(slot)), kind, slot)
    for _ in range(3):
        box.hears_token(heard, node)
        chain.run(3)
    box.hears_token(heard, node)
    return box


def shown(box: Box) -> tuple[query.Visit, query.Card, dict[Section, tuple[query.Line, ...]]] | None:
    """The roster's line, the card and its sections, as the tablet is answered."""
    session = box.session()
    assert session is not None
    roster = box.ask(query.AskFloor(session))
    assert isinstance(roster, query.Roster)
    if not roster.visits:
        return None
    (visit,) = roster.visits
    card = box.ask(query.AskCard(session, visit.handle, None))
    assert isinstance(card, query.Card)
    sections = {}
    for part in card.sections:
        opened = box.ask(query.AskCard(session, visit.handle, part))
        assert isinstance(opened, query.Card)
        sections[part] = opened.lines
    return visit, card, sections


def reflected(chain: Chain, zone: str | None) -> Mirror:
    """What HQ says that an associate would see."""
    with reading(chain.hq.engine) as connection:
        return mirror(connection, chain.hq.keys, "m-1", STORE, chain.hq.now_ms, role="associate", zone=zone)


def card_bytes(card: query.Card) -> bytes:
    """The card without what belongs to the visit: its handle, its times, its sign, and the hint that it draws."""
    return schema.encode(
        replace(
            card, handle=NOBODY, version=0, as_of_ms=0, waiting_since_ms=None, sign_colour=None, sign_digits=None,
            hint=None,
        )
    )  # fmt: skip


def row_bytes(row: query.Visit) -> bytes:
    """The same of a roster's line."""
    return schema.encode(
        replace(row, handle=NOBODY, waiting_since_ms=None, arrived_ms=0, sign_colour=None, sign_digits=None)
    )  # fmt: skip


def same(
    seen: Seen | None,
    found: tuple[query.Visit, query.Card, dict[Section, tuple[query.Line, ...]]] | None,
    forgets: bool = False,
) -> None:
    """Both show nothing, or the same bytes."""
    assert (seen is None) == (found is None)
    if seen is None or found is None:
        return
    visit, card, sections = found
    if forgets:  # HQ does not know what was suggested in vain on the visits before
        own = [seen.sections.get(Section.SUGGESTIONS, ()), sections.get(Section.SUGGESTIONS, ())]
        assert [bool(one) for one in own] == [True, True]
        sections = {**sections, Section.SUGGESTIONS: own[0]}
    assert row_bytes(seen.row) == row_bytes(visit)
    assert card_bytes(seen.card) == card_bytes(card)
    assert dict(seen.sections) == sections
    assert [schema.encode(line) for lines in seen.sections.values() for line in lines] == [
        schema.encode(line) for lines in sections.values() for line in lines
    ]


def test_the_mirror_shows_what_the_tablet_is_shown(chain: Chain) -> None:
    """Asking for help, walking about, the name hidden, a scope withdrawn, quiet: each time the very same."""
    box = says(chain, Kind.HELP)
    asked = reflected(chain, "shoes")
    same(asked.asked, shown(box))
    assert asked.asked is not None and asked.asked.card.name == "Ada" and asked.walking is None
    said = repr([schema.encode(line) for line in asked.asked.card.lead]) + repr(dict(asked.asked.sections))
    assert "slim" not in said
    assert {Section.WISHLIST, Section.HISTORY} & set(asked.asked.sections)
    lines = [*asked.asked.card.lead, *(line for part in asked.asked.sections.values() for line in part)]
    (wished,) = (line for line in lines if line.scope == "wishlist")
    assert [one.text for one in wished.entries] == ["Red boots", "Hat"], "nothing of health, and nothing too old"
    suggested, stage = asked.asked.sections[Section.SUGGESTIONS]
    assert [one.concluded for one in stage.entries] == [Concluded(Stage.CHOOSING, None, Evidence.HELP, None)]
    assert [one.suggested is not None for one in suggested.entries] == [True] * 6

    office = chain.hq.office
    choosing.set_name(office, "m-1", NameChoice.NEVER, chain.hq.now_ms, METHOD)
    choosing.withdraw(office, "m-1", chain.hq.now_ms + 1000, METHOD, purpose="assist", scopes=("brand.liked",))
    chain.run(3)
    again = reflected(chain, "shoes")
    same(again.asked, shown(says(chain, Kind.HELP)))
    assert again.asked is not None and again.asked.card.name is None

    choosing.set_mode(office, "m-1", Mode.OPEN, chain.hq.now_ms, METHOD)
    chain.run(3)
    box = says(chain, Kind.PRESENCE)
    chain.run(30)
    same(reflected(chain, "shoes").walking, shown(says(chain, Kind.PRESENCE)), forgets=True)

    choosing.pause(office, "m-1", chain.hq.now_ms, METHOD)
    chain.run(3)
    hidden = reflected(chain, "shoes")
    assert hidden.walking is None and hidden.asked is None and shown(box) is None


def test_in_a_blind_zone_the_mirror_is_empty(chain: Chain) -> None:
    """As the store would be."""
    choosing.set_mode(chain.hq.office, "m-1", Mode.OPEN, chain.hq.now_ms, METHOD)
    found = reflected(chain, "fitting")
    assert found.walking is None and found.asked is None
