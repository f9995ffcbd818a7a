"""What a member made of suggestions is remembered: for how long a silence and a no keep an item away."""

from hypothesis import given, settings
from hypothesis import strategies as st

from consent.suggest.memory import NOTHING, Came, after, by_category, forgotten, is_declined, is_resting
from consent.suggest.signals import Tally
from tests.consent.suggest.shop import TODAY, shelf
from wire import schema
from wire.items import Response
from wire.suggestions import DEFAULT, MOST_REMEMBERED, Memory, Remembered

ITEMS = st.sampled_from([f"item-{number}" for number in range(300)])
EVENTS = st.lists(st.tuples(ITEMS, st.sampled_from(Came), st.integers(0, 3000)), max_size=400)


def told(*events: tuple[Came, int], item: str = "tea") -> Memory:
    """What is remembered after these, each so many days ago."""
    memory = NOTHING
    for came, ago in events:
        memory = after(memory, item, came, TODAY - ago, DEFAULT)
    return memory


def one(memory: Memory, item: str = "tea") -> Remembered:
    """What is remembered of one item."""
    (found,) = (each for each in memory.items if each.item == item)
    return found


def test_three_showings_without_a_word_rest_for_ninety_days() -> None:
    """The third begins the rest; the ninetieth day ends it, and the count begins anew."""
    twice = told((Came.SHOWN, 9), (Came.SHOWN, 5))
    assert not is_resting(one(twice), TODAY, DEFAULT)
    memory = after(twice, "tea", Came.SHOWN, TODAY, DEFAULT)
    assert is_resting(one(memory), TODAY, DEFAULT)
    assert not is_resting(one(memory), TODAY, DEFAULT, showing=True), "it does not vanish while it is looked at"
    assert is_resting(one(memory), TODAY + 89, DEFAULT)
    assert not is_resting(one(memory), TODAY + 90, DEFAULT)
    again = after(memory, "tea", Came.SHOWN, TODAY + 90, DEFAULT)
    assert one(again).unanswered == 1
    assert is_resting(one(memory), None, DEFAULT), "where the day is not known it rests"


def test_an_answer_ends_the_silence() -> None:
    """What was taken is counted from the beginning; a visit's end adds nothing to its showing."""
    memory = told((Came.SHOWN, 9), (Came.SHOWN, 5), (Came.TAKEN, 5), (Came.SHOWN, 1), (Came.IGNORED, 1))
    assert (one(memory).unanswered, one(memory).shown, one(memory).taken) == (1, 3, 1)
    assert one(told((Came.IGNORED, 3))).unanswered == 1, "nobody told of that showing"


def test_a_visit_over_midnight_is_one_showing() -> None:
    """Shown before midnight UTC and over after it: one silence, on that day and on whichever it ended."""
    visits = ((Came.SHOWN, 11), (Came.IGNORED, 10), (Came.SHOWN, 2), (Came.IGNORED, 1))
    memory = told(*visits)
    assert (one(memory).unanswered, one(memory).shown, one(memory).last_day) == (2, 2, TODAY - 2)
    assert memory == told((Came.SHOWN, 11), (Came.IGNORED, 11), (Came.SHOWN, 2), (Came.IGNORED, 2))
    assert not is_resting(one(memory), TODAY, DEFAULT)
    assert is_resting(one(after(memory, "tea", Came.SHOWN, TODAY, DEFAULT)), TODAY, DEFAULT)


def test_a_silence_whose_showing_nobody_told_counts_once() -> None:
    """Told once or twice, and beside an answer of before; a showing that is told later is another."""
    assert one(told((Came.IGNORED, 3), (Came.IGNORED, 2))).unanswered == 1
    declined = one(told((Came.DECLINED, 400), (Came.IGNORED, 3)))
    assert (declined.unanswered, declined.shown) == (1, 1)
    assert one(told((Came.IGNORED, 3), (Came.SHOWN, 2), (Came.IGNORED, 1))).unanswered == 2


def test_a_no_lasts_longer_than_a_silence() -> None:
    """Declined today, it comes back in a year; who takes it meanwhile has changed their mind."""
    memory = told((Came.SHOWN, 0), (Came.DECLINED, 0))
    assert is_declined(one(memory), TODAY + 364, DEFAULT)
    assert not is_declined(one(memory), TODAY + 365, DEFAULT)
    assert is_declined(one(memory), None, DEFAULT)
    assert not is_declined(one(after(memory, "tea", Came.TAKEN, TODAY, DEFAULT)), TODAY, DEFAULT)


def test_what_was_made_of_a_category_is_counted_but_not_of_a_flagged_one() -> None:
    """By the narrowest category; what bears a guarding flag is in no tally."""
    memory = after(told((Came.SHOWN, 3), (Came.DECLINED, 3)), "wine", Came.DECLINED, TODAY, DEFAULT)
    assert by_category(memory, shelf(("tea", "wine"), wine=("only_if_bought",))) == (("TEA", Tally(1, 0, 1)),)


def test_what_matters_no_more_is_forgotten() -> None:
    """After both rests nothing is left of it."""
    memory = told((Came.DECLINED, 364))
    assert forgotten(memory, TODAY, DEFAULT) == memory
    assert forgotten(memory, TODAY + 1, DEFAULT) == NOTHING


def test_the_words_are_those_of_the_stores_events() -> None:
    """Every response of an outcome has its counterpart, by value."""
    assert {one.value for one in Came} == {one.value for one in Response}


@settings(max_examples=15)
@given(EVENTS)
def test_it_is_bounded_and_keeps_the_newest(events: list[tuple[str, Came, int]]) -> None:
    """However much happens: at most so many items, each once, in bounds of the wire; the last one is among them."""
    memory = NOTHING
    for item, came, day in events:
        memory = after(memory, item, came, day, DEFAULT)
        assert item in {one.item for one in memory.items}
    assert len(memory.items) <= MOST_REMEMBERED
    assert len({one.item for one in memory.items}) == len(memory.items)
    assert schema.decode(Memory, schema.encode(memory)) == memory
