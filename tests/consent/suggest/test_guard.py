"""Which items may be suggested at all: each rule by itself, and that doubt is a no."""

from dataclasses import replace

import pytest

from consent.suggest.guard import Guard, GuardRule, Muting, Terms, Verdict
from consent.suggest.memory import NOTHING, Came, after
from consent.suggest.shelf import Sort
from consent.suggest.signals import Behaviour, Bought
from tests.consent.suggest.shop import TODAY, behaviour, bought, shelf
from wire.flags import guarding, special_categories
from wire.items import MuteKind
from wire.suggestions import DEFAULT

NOTHING_KNOWN = Terms()
REGULAR = bought("item", 70, 50, 30, 10)


def rule(
    flags: tuple[str, ...] = (), terms: Terms = NOTHING_KNOWN, did: Behaviour | None = None, item: str = "item"
) -> GuardRule:
    """What decides about one item of these flags."""
    sold = shelf(("item", "other"), item=flags)
    return Guard(did if did is not None else behaviour(), terms, sold, DEFAULT).judge(item).rule


def test_what_nothing_speaks_against_is_free() -> None:
    """An item that the catalog knows, without flags, bought regularly or never."""
    assert rule() is GuardRule.FREE
    assert rule(did=behaviour(*REGULAR)) is GuardRule.FREE
    assert rule(("new", "reduced", "neverending", "adult-education")) is GuardRule.FREE, "flags that guard nothing"


def test_an_item_that_no_catalog_knows_is_not_suggested() -> None:
    """Not even to who bought it again and again."""
    assert rule(item="gone", did=behaviour(*bought("gone", 9, 6, 3))) is GuardRule.UNKNOWN_ITEM


def test_never_is_not_for_regulars_either() -> None:
    """Nor for who is of age, granted everything, and took it before."""
    terms = Terms(
        age_at_least=21, specials=frozenset({"health"}), memory=after(NOTHING, "item", Came.TAKEN, 9, DEFAULT)
    )
    assert rule(("never",), terms, behaviour(*REGULAR)) is GuardRule.NEVER


@pytest.mark.parametrize("flag", ["Never", " never ", "NEVER"])
def test_a_slip_of_the_pen_does_not_open(flag: str) -> None:
    """Case, blanks and hyphens do not matter; a special category that is not named is granted to nobody."""
    assert rule((flag,)) is GuardRule.NEVER
    assert guarding(("Only-If bought",)) == {"only_if_bought"}
    assert special_categories(("Special: Sexual-Life",)) == {"sexual_life"}
    assert rule(("special",), Terms(specials=frozenset({"health"}))) is GuardRule.SPECIAL


def test_only_if_bought_needs_two_occasions() -> None:
    """Not one, nor two baskets of one day, nor one that went back, nor what lies years behind."""
    flags = ("only_if_bought",)
    assert rule(flags) is GuardRule.ONLY_IF_BOUGHT
    assert rule(flags, did=behaviour(*bought("item", 9))) is GuardRule.ONLY_IF_BOUGHT
    same_day = behaviour(Bought("item", TODAY, 1), Bought("item", TODAY, 2))
    assert rule(flags, did=same_day) is GuardRule.ONLY_IF_BOUGHT
    assert rule(flags, did=behaviour(*bought("item", 9), *bought("item", 5, returned=True))) is GuardRule.ONLY_IF_BOUGHT
    assert (
        rule(flags, did=behaviour(*bought("item", 9, 5), *bought("item", 4, quantity=-1))) is GuardRule.ONLY_IF_BOUGHT
    )
    assert rule(flags, did=behaviour(*bought("item", 900, 800, 740))) is GuardRule.ONLY_IF_BOUGHT
    assert rule(flags, did=behaviour(*bought("item", 9, 5))) is GuardRule.FREE
    assert rule(flags, did=behaviour(*bought("other", 9, 5, 3))) is GuardRule.ONLY_IF_BOUGHT, "of the item itself"


def test_adult_needs_an_age_that_is_known() -> None:
    """Unknown is below; policy says which age."""
    for age, expected in ((0, GuardRule.ADULT), (16, GuardRule.ADULT), (18, GuardRule.FREE), (21, GuardRule.FREE)):
        assert rule(("adult",), Terms(age_at_least=age)) is expected
    policy = replace(DEFAULT, adult_age=21)
    sold = shelf(("item",), item=("adult",))
    assert Guard(behaviour(), Terms(age_at_least=18), sold, policy).judge("item").rule is GuardRule.ADULT


def test_a_special_category_needs_its_own_explicit_grant() -> None:
    """That of another does not do, and all that an item bears have to be there."""
    both = ("special:health", "special:religion")
    assert rule(("special:health",)) is GuardRule.SPECIAL
    assert rule(("special:health",), Terms(specials=frozenset({"religion"}))) is GuardRule.SPECIAL
    assert rule(("special:health",), Terms(specials=frozenset({"Health"}))) is GuardRule.FREE
    assert rule(both, Terms(specials=frozenset({"health"}))) is GuardRule.SPECIAL
    assert rule(both, Terms(specials=frozenset({"health", "religion"}))) is GuardRule.FREE


def test_mutes_of_items_categories_and_themes_are_for_good() -> None:
    """Each says what it was; a mute of a category or theme covers what comes new into it."""
    sold = shelf(("item", "other"))
    for mute, expected in (
        (("item", "item"), Verdict(GuardRule.MUTED_ITEM)),
        (("category", "ITEM"), Verdict(GuardRule.MUTED_CATEGORY, "ITEM")),
        (("category", "Shop"), Verdict(GuardRule.MUTED_CATEGORY, "Shop")),
        (("theme", "all"), Verdict(GuardRule.MUTED_THEME, "all")),
    ):
        guard = Guard(behaviour(*REGULAR), Terms(mutes=frozenset({mute})), sold, DEFAULT)
        assert guard.judge("item") == expected
    guard = Guard(behaviour(), Terms(mutes=frozenset({(MuteKind.THEME, "t-item")})), sold, DEFAULT)
    assert (guard.judge("item").rule, guard.judge("other").rule) == (GuardRule.MUTED_THEME, GuardRule.FREE)
    assert {one.value for one in Muting} == {one.value for one in MuteKind}


def test_what_came_back_as_often_as_it_stayed_is_not_suggested() -> None:
    """Whether the purchase says so or the till's receipt; kept more often than returned it may be."""
    assert rule(did=behaviour(*bought("item", 9, returned=True))) is GuardRule.RETURNED
    assert rule(did=behaviour(*bought("item", 9), *bought("item", 5, quantity=-1))) is GuardRule.RETURNED
    assert rule(did=behaviour(*bought("item", 30, 20), *bought("item", 5, returned=True))) is GuardRule.FREE
    both = behaviour(*bought("item", 30, 20), *bought("item", 9, 5, returned=True))
    assert rule(did=both) is GuardRule.RETURNED


def test_one_purchase_is_no_habit() -> None:
    """Nor are several within one visit; nor what was bought long ago alone."""
    assert rule(did=behaviour(*bought("item", 9))) is GuardRule.NO_HABIT
    assert rule(did=behaviour(Bought("item", TODAY, 1), Bought("item", TODAY, 2, 5))) is GuardRule.NO_HABIT
    assert rule(did=behaviour(*bought("item", 900, 800))) is GuardRule.NO_HABIT
    assert rule(did=behaviour(*bought("item", 9, 5))) is GuardRule.FREE


def test_silence_and_a_no_are_heard() -> None:
    """Shown three times without a word, or declined, it rests; what stands on this visit's card stays there."""
    memory = NOTHING
    for ago in (9, 6, 3):
        memory = after(memory, "item", Came.SHOWN, TODAY - ago, DEFAULT)
    assert rule(terms=Terms(memory=memory)) is GuardRule.IGNORED
    assert rule(terms=Terms(memory=memory, showing=frozenset({"item"}))) is GuardRule.FREE
    declined = after(NOTHING, "item", Came.DECLINED, TODAY - 300, DEFAULT)
    assert rule(terms=Terms(memory=declined, showing=frozenset({"item"}))) is GuardRule.DECLINED


def test_what_is_guarded_muted_or_unknown_is_no_signal() -> None:
    """Purchases, basket and wish list are told without it; a special grant changes nothing of that."""
    names = ("tea", "never", "wine", "knife", "pill", "muted")
    flags = {"never": ("never",), "wine": ("only_if_bought",), "knife": ("adult",), "pill": ("special:health",)}
    lines = tuple(line for name in (*names, "unknown") for line in bought(name, 9, 5))
    did = behaviour(*lines, basket=(*names, "unknown"), wishlist=(*names, "unknown"))
    terms = Terms(frozenset({("item", "muted")}), 18, frozenset({"health"}))
    guard = Guard(did, terms, shelf(names, **flags), DEFAULT)
    clean = guard.clean()
    assert {one.item for one in clean.bought} | {*clean.basket} | {*clean.wishlist} == {"tea"}
    assert guard.own() == {"wine", "knife"}, "these speak for themselves, and for nothing else"
    assert guard.judge("pill").rule is GuardRule.FREE, "and of the pill's purchases nothing follows at all"


def test_items_of_one_sort_share_it() -> None:
    """Ten thousand items of a few sorts hold a few sorts."""
    sold = shelf(())
    assert len(sold) == 0 and sold.sort("item") is None and sold.category("item") is None
    assert Sort((), (), frozenset()).category is None
