"""What a store's code that suggests gets of a member: item ids, times and counts, and nothing that a person could read.

Every name, label, text and word in the member's record and in the catalog is a canary, and none of them is found.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from types import BuiltinMethodType

import pytest

from consent.suggest import choose
from consent.suggest.guard import Terms
from consent.suggest.journey import COHORT, STAGE, Act
from consent.suggest.signals import Behaviour
from tests.store_gateway.test_acts import BASKET, card_of, only
from tests.store_gateway.test_explaining import explain
from tests.store_gateway.test_offers import DAY_S, HISTORY, SCOPE, concluding
from tests.world import HEALTH, TEXTS, World
from wire import acts, query
from wire.catalog import CatalogItem
from wire.items import MuteKind, Response
from wire.member import Field, Item, Member, Mode, Muted, SourceClass, Value, ValueClass
from wire.policy import AgeRule, Policy, Section, ValueType

LAND = "canary-land"
ITEMS = ("tea", "cup", "soap", "hat")
LISTS = (HISTORY, "history.online", "returns", "wishlist", BASKET)
SERVICE = "service.open"
USED = (*LISTS, SERVICE, SCOPE, STAGE, COHORT)
MUTED = "gloves"


def leaves(thing: object) -> Iterator[object]:
    """Every text, number and enum that can be reached from it; of anything else that stands there it fails."""
    if thing is None or isinstance(thing, str | bytes | int | float | Enum):
        yield thing
    elif isinstance(thing, BuiltinMethodType):
        yield from leaves(thing.__self__)
    elif isinstance(thing, Mapping):
        yield from leaves((*thing.keys(), *thing.values()))
    elif isinstance(thing, tuple | list | set | frozenset):
        for part in thing:
            yield from leaves(part)
    else:
        names = [one.name for one in fields(thing)] if is_dataclass(thing) else [*type(thing).__slots__]
        for name in names:
            yield from leaves(getattr(thing, name))


def canaries(thing: object) -> set[str]:
    """Those that can be read in it, in its parts or in how it shows itself."""
    return {text for text in (repr(thing), *map(str, leaves(thing))) if "canary" in text}


def policy() -> Policy:
    """Everything that suggestions can be made of may be used for them, and what is concluded may be shown."""
    told = concluding()
    (history,) = (one for one in told.main.scopes if one.id == HISTORY)
    known = {one.id: one for one in told.main.scopes}
    others = (replace(history, id=one) for one in ("history.online", "returns"))
    case = replace(history, id=SERVICE, value_type=ValueType.TEXTS)
    wishes = replace(known["wishlist"], used_for=("suggest",))
    scopes = (*(known | {"wishlist": wishes}).values(), *others, case)
    return replace(told, main=replace(told.main, scopes=scopes, ages=(*told.main.ages, AgeRule(LAND, 16))))


def listed(scope: str, now_s: int) -> Field:
    """Things of several days: all were bought, one came back and is in the basket, another is wished for."""
    days = {HISTORY: (70, 49, 28, 9), "history.online": (30,)}.get(scope, (4,))
    things = {BASKET: ("hat",), "returns": ("hat",), "wishlist": ("soap",)}.get(scope, ITEMS)
    items = [
        Item(item, f"canary-label-{scope}-{item}-{ago}", now_s - (ago + at) * DAY_S, 2, False)
        for ago in days
        for at, item in enumerate(things)
    ]
    return field(scope, Value(items=tuple(items)), now_s)


def field(scope: str, value: Value, now_s: int) -> Field:
    """A value from a surface that is a canary, too."""
    return Field(scope, value, SourceClass.FIRST, f"canary-surface-{scope}", ValueClass.PERSONAL, now_s - 9, now_s - 9)


def record(member: Member, now_s: int) -> Member:
    """A member of whom every text is a canary, and of whom all may be used."""
    texts = (field(scope, Value(text=f"canary-text-{scope}"), now_s) for scope in (*TEXTS, HEALTH))
    case = field(SERVICE, Value(texts=("canary-case",)), now_s)
    proof = {"event": b"canary-event-of-", "notice": b"canary-notice-that-was-shown-to-"}
    given = (
        replace(one, roles=(*one.roles, "canary-role"), zones_excluded=("canary-zone",), **proof)
        for one in (*member.statements, replace(member.statements[0], purpose="suggest", scopes=USED))
    )
    return replace(
        member,
        statements=tuple(given),
        fields=(*texts, case, *(listed(one, now_s) for one in LISTS)),
        jurisdiction=LAND,
        acts_incarnation=b"canary-incarnate",
        mutes=(Muted(MuteKind.ITEM, MUTED),),
    )


def test_what_suggests_gets_item_ids_times_and_counts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a member and catalog full of canaries none reaches it, on the first visit and after an answer on the next."""
    given: list[tuple[object, ...]] = []

    def noting(name: str) -> None:
        real = getattr(choose, name)
        monkeypatch.setattr(choose, name, lambda *got: given.append(got) or real(*got))

    noting("choose")
    noting("explain")
    world = World(policy())
    for item in (*ITEMS, MUTED):
        world.replica.shelf.items[item] = CatalogItem(
            f"canary-name-{item}",
            ("all", item.upper()),
            (f"theme-{item}",),
            (),
            "canary-picture",
            "canary-page",
            "shoes",
        )
    person = world.joins(Mode.OPEN)
    told = record(person.member, world.now_ms // 1000)
    world.changes(person, **{one.name: getattr(told, one.name) for one in fields(told)})
    assert len(canaries(person.member)) > 40, "what is looked for can be found"
    for _ in range(2):
        world.walks(person, 6)
        tablet = world.tablet()
        handle = only(world, tablet)
        lines = card_of(world, tablet, handle, Section.SUGGESTIONS).lines
        assert [line.scope for line in lines][:2] == [SCOPE, STAGE]
        (item, *_) = (entry.item for entry in lines[0].entries)
        assert lines[0].entries[0].text == f"canary-name-{item}", "names come after it"
        assert isinstance(explain(world, str(item), handle=handle), query.Explained)
        assert world.ask(acts.Respond(tablet.session, handle, str(item), Response.DECLINED)) == query.Accepted()
        world.passes(300)
    assert len(given) >= 4
    for got in given:
        assert not canaries(got)
        assert person.pseudonym not in leaves(got)
        did, terms = got[-5], got[-4]
        assert isinstance(did, Behaviour) and isinstance(terms, Terms)
        assert did.bought and did.basket and did.wishlist and did.journey is not None
        words = {one for one in leaves(did) if not isinstance(one, int | None)}
        assert words == {*ITEMS, *Act, STAGE, COHORT}
    assert got[-4].memory.items, "the next visit knows the answer"
