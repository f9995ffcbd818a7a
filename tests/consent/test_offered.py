"""The way from a record to what suggests is of ids, days and counts; the way back names nothing it was made of."""

from dataclasses import replace

import pytest

from consent import offered
from consent.mutes import MuteKind
from consent.offered import Around, Offered
from consent.suggest.choose import Chosen
from consent.suggest.guard import Guard, GuardRule, Muting, Terms
from consent.suggest.memory import Came
from consent.suggest.rank import Place, Ranked, Reason, ReasonKind
from consent.suggest.shelf import ShelfMaker
from tests.strategies import any_field, member
from wire.items import Response
from wire.member import Item, Value
from wire.suggested import SuggestedKind, SuggestedPlace
from wire.suggestions import DEFAULT
from wire.views import Entry

DAY_S = 86_400
NOW_S = 20_000 * DAY_S + 3_600
ALL = frozenset(offered.SOURCES)


def bought(item: str, days: int, seconds: int = 0, *, returned: bool = False, quantity: int | None = 1) -> Item:
    """A line of a history, `days` ago."""
    return Item(item, f"label of {item}", NOW_S - days * DAY_S - seconds, quantity, returned)


def did(**lists: tuple[Item, ...]) -> offered.Behaviour:
    """What follows from lists, by scope with `_` in the place of the dot."""
    fields = tuple(any_field(scope.replace("_", "."), Value(items=items)) for scope, items in lists.items())
    return offered.behaviour(member(fields=fields), ALL, NOW_S)


def test_kinds_and_places_are_those_of_what_suggests() -> None:
    """The wire's words for reasons, places, mutes and outcomes are the pure code's, by value."""
    assert {one.value for one in SuggestedKind} == {one.value for one in ReasonKind}
    assert {one.value for one in SuggestedPlace} < {one.value for one in Place}
    assert {one.value for one in MuteKind} == {one.value for one in Muting}
    assert {one.value for one in Response} == {one.value for one in Came}


def test_a_day_in_one_way_is_one_basket() -> None:
    """Several receipts of a day are one visit; what was bought online that day is another; days ascend."""
    found = did(
        history_store=(bought("tea", 3), bought("cup", 3, 3_000), bought("tea", 9)),
        history_online=(bought("pot", 3),),
    )
    assert {(one.item, one.day, one.basket, one.online) for one in found.bought} == {
        ("tea", 19_997, 1, False), ("cup", 19_997, 1, False), ("tea", 19_991, 0, False), ("pot", 19_997, 2, True),
    }  # fmt: skip
    assert found.now_day == 20_000


def test_a_visit_over_midnight_is_one_day_and_one_basket() -> None:
    """Two tills five minutes apart are no habit, and an hour earlier they are none either; a day later they are."""
    midnight_s = 3_600  # before `NOW_S`
    sold = ShelfMaker()
    sold.put("wine", ("drinks",), (), ("only_if_bought",))
    shelf = sold.made()
    for later, rule in (
        (300, GuardRule.ONLY_IF_BOUGHT),
        (11 * 3_600, GuardRule.ONLY_IF_BOUGHT),
        (86_400, GuardRule.FREE),
    ):
        found = did(history_store=(bought("wine", 9, midnight_s + 60), bought("wine", 9, midnight_s + 60 - later)))
        assert (len({one.day for one in found.bought}) == len({one.basket for one in found.bought}) == 1) is (
            rule is GuardRule.ONLY_IF_BOUGHT
        )
        assert Guard(found, Terms(), shelf, DEFAULT).judge("wine").rule is rule
    both = did(
        history_store=(bought("wine", 9, midnight_s + 60),), history_online=(bought("wine", 9, midnight_s - 60),)
    )
    assert {one.day for one in both.bought} == {19_990}, "at a till and online"


def test_when_a_guarded_thing_was_bought_moves_no_other_purchase() -> None:
    """The same days of tea and cups, whatever was bought between them."""
    plain = (bought("tea", 9, 3_700), bought("tea", 9, -39_000), bought("cup", 9, -7_000))
    wine = tuple(bought("wine", 9, seconds) for seconds in (30_000, 3_650, 0, -20_000, -39_000))
    days = [(one.item, one.day) for one in did(history_store=plain).bought]
    mixed = did(history_store=(*wine, *plain)).bought
    assert [(one.item, one.day) for one in mixed if one.item != "wine"] == days


def test_what_came_back_is_told_once() -> None:
    """A purchase that says so itself, or the till's receipt of it, and never both; of what was not bought nothing."""
    marked = did(history_store=(bought("tea", 9, returned=True), bought("tea", 30)),
                 returns=(bought("tea", 3, returned=True),))  # fmt: skip
    assert [(one.returned, one.quantity) for one in marked.bought] == [(True, 1), (False, 1)]
    receipt = did(
        history_store=(bought("tea", 9, quantity=2),), returns=(bought("tea", 3, quantity=2), bought("cup", 3))
    )
    assert [(one.item, one.returned, one.quantity, one.basket) for one in receipt.bought] == [
        ("tea", False, 2, 0), ("tea", True, -2, 0),
    ]  # fmt: skip


def test_only_what_may_be_used_is_looked_at() -> None:
    """Of the other lists nothing is there, nor of anything that is no list of items."""
    fields = (
        any_field("history.store", Value(items=(bought("tea", 3),))),
        any_field("wishlist", Value(items=(bought("cup", 1),))),
        any_field("basket.online", Value(text="tea")),
    )
    found = offered.behaviour(member(fields=fields), frozenset({"wishlist", "basket.online"}), NOW_S)
    assert (found.bought, found.basket, found.wishlist) == ((), (), ("cup",))


def test_a_reason_names_no_item_and_a_suggestion_bears_the_catalogs_name() -> None:
    """Nor does anything stand there that has no name, or that no catalog knows."""
    maker = ShelfMaker()
    for item in ("tea", "nameless"):
        maker.put(item, ("drinks",), ("breakfast",), ())
    why = (Reason(ReasonKind.WITH_BOUGHT, None, "a secret"), Reason(ReasonKind.WITH_BOUGHT, None, "another"))
    ranked = [Ranked(item, 1.0, Place.NEW, why, 0) for item in ("tea", "nameless", "unknown")]
    names = {"tea": "Fine tea", "unknown": "Of no catalog"}
    (entry,) = offered.entries(Chosen((), tuple(ranked)), Around(shelf=maker.made(), name=names.get))
    assert (entry.item, entry.text) == ("tea", "Fine tea")
    assert entry.suggested is not None and entry.suggested.themes == ("breakfast",)
    assert [(one.kind, one.number) for one in entry.suggested.reasons] == [(SuggestedKind.WITH_BOUGHT, None)]


@pytest.mark.parametrize("answer", [Response.DECLINED, Response.NOT_FOR_ME])
def test_a_records_own_suggestions_are_never_used(answer: Response) -> None:
    """What is laid over the record is what was made here, or nothing; and a no leaves no hole."""
    theirs = any_field(offered.SCOPE, Value(items=(bought("soap", 1),)))
    someone = member(fields=(theirs,))
    assert offered.laid(someone, (), NOW_S).fields == ()
    entries = tuple(Entry(one, None, None, False, one) for one in ("tea", "cup"))
    left = Offered(entries, {"tea": answer}).left()
    (field,) = offered.laid(someone, left, NOW_S).fields
    assert [one.item for one in field.value.items or ()] == ["cup"]
    assert offered.laid(replace(someone, fields=()), (), NOW_S).fields == ()
