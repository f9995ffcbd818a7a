"""The demo's goods are whole: the tables open, and what two real people bought is sold and suggests something."""

import json

import pytest

from consent import offered
from consent.journeys import CONCLUSIONS
from consent.offered import Around
from consent.suggest import choose
from consent.suggest.guard import GuardRule, Terms
from consent.suggest.model import Model
from consent.suggest.shelf import ShelfMaker
from consent.suggest.signals import Behaviour, Bought
from demo import goods
from demo.cast import CAST, SOLD, fields, item_id
from tests.strategies import member
from wire import affinity
from wire.concluded import Cohort
from wire.suggested import SuggestedPlace
from wire.suggestions import DEFAULT, Stage

NOW_S = 1_795_262_400  # 2026-11-21 12:00 UTC
YEAR_S = 365 * 86_400
CONCLUDED: dict[str, set[object]] = {"Mara": {Stage.BUYING}, "Jonas": {Cohort.NEW_THINGS}}
SHARING = [one for one in CAST if one.suggests]


@pytest.mark.parametrize("shopper", SHARING, ids=lambda one: str(one.name))
def test_three_things_are_due_again_and_three_are_new(shopper: object) -> None:
    """For each shopper of the demo who wants suggestions, each with a reason and under the name it is sold by.

    Of one is said how far she is, of the other how he buys.
    """
    assert shopper in SHARING and len(SHARING) == 2
    maker, names = ShelfMaker(), {}
    for line in goods.items():
        told = json.loads(line)
        maker.put(told["id"], told["path"], told["themes"], told.get("flags", ()))
        names[told["id"]] = told["name"]
    for name, category in SOLD:
        maker.put(item_id(name), ("outdoor", category), (), ())
        names[item_id(name)] = name
    tables = affinity.decode(lambda part: path.read_bytes() if (path := goods.TABLES / part).exists() else None)
    assert tables is not None
    around = Around(shelf=maker.made(), name=names.get, model=Model.of(tables))
    for now_s in range(NOW_S, NOW_S + YEAR_S, YEAR_S // 12):  # the story says how many there are, on any day
        someone = member(fields=fields(shopper, now_s))  # type: ignore[arg-type]
        scopes = frozenset({*shopper.suggests, *CONCLUSIONS})
        did = offered.behaviour(someone, scopes, now_s)
        assert len(did.bought) > 50 and {one.item for one in did.bought} <= names.keys()
        assert max(one.day for one in did.bought) < now_s // 86_400
        entries = offered.entries(choose.choose(did, Terms(), around.shelf, around.model, DEFAULT), around)
        places = [one.suggested.place for one in entries if one.suggested is not None and one.suggested.reasons]
        said: set[object] = {
            (one.concluded.stage or one.concluded.cohort) for one in entries if one.concluded is not None
        }
        assert CONCLUDED[shopper.name] <= said, now_s
        assert places == [SuggestedPlace.DUE_AGAIN] * 3 + [SuggestedPlace.NEW] * 3, now_s


@pytest.mark.parametrize(("item", "rule", "by"), [("22835", "special", "health"), ("21166", "adult", None)])
def test_two_things_are_sold_that_are_suggested_to_nobody_and_it_is_told_why(
    item: str, rule: str, by: str | None
) -> None:
    """What is bought by who is ill, and what nobody too young may have: the guard refuses both, whatever was bought."""
    maker = ShelfMaker()
    for line in goods.items():
        told = json.loads(line)
        maker.put(told["id"], told["path"], told["themes"], told.get("flags", ()))
    for bought in ((), goods.history("mara", NOW_S)):
        did = Behaviour(tuple(Bought(one.item, NOW_S // 86_400, 1) for one in bought), now_day=NOW_S // 86_400)
        verdict = choose.explain(item, did, Terms(), maker.made(), None, DEFAULT).verdict
        assert (verdict.rule, verdict.by) == (GuardRule(rule), by)
