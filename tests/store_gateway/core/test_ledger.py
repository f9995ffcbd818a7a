"""Which record counts, and what was held as of an earlier seq."""

from hypothesis import given
from hypothesis import strategies as st

from store_gateway.core.ledger import DELTAS_S, MOST_DELTAS, Deltas, Place, judge_range, takes
from wire.tree import Node

COLUMNS = [(bytes([n]) * 8, bytes([n]) * 16) for n in range(4)]  # path and key column


def test_a_record_counts_when_it_is_newer_than_what_is_held_and_above_the_floor() -> None:
    """Equal is a repeat, lower a replay, and at the floor it is settled already."""
    assert takes(5, held_seq=4, floor=3)
    assert not takes(5, held_seq=5, floor=0)
    assert not takes(4, held_seq=5, floor=0)
    assert not takes(5, held_seq=0, floor=5)


def test_a_range_older_than_its_floor_says_nothing() -> None:
    """A later range, or agreement of the roots, was there before."""
    assert judge_range(4, 5, {COLUMNS[0]: 3}, {}) is None


def test_a_range_writes_below_the_floor_and_erases_what_it_lacks_but_not_what_is_newer() -> None:
    """Offered records are tested against the held seq alone; a newer live record survives an older range."""
    judged = judge_range(10, 10, {COLUMNS[0]: 3, COLUMNS[1]: 7}, {COLUMNS[1]: 7, COLUMNS[2]: 10, COLUMNS[3]: 11})
    assert judged is not None
    assert judged.write == (COLUMNS[0],)
    assert judged.erase == (COLUMNS[2],)


def test_an_answer_since_a_seq_erases_nothing_that_it_lacks() -> None:
    """It says only what came after: the rest was equal then."""
    judged = judge_range(10, 0, {COLUMNS[0]: 8}, {COLUMNS[0]: 3, COLUMNS[1]: 2}, since=5)
    assert judged is not None
    assert (judged.write, judged.erase) == ((COLUMNS[0],), ())


HISTORY = st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=30)


@given(HISTORY, st.randoms(use_true_random=False))
def test_any_order_of_live_records_ends_in_the_newest_of_each_key(
    history: list[tuple[int, bool]], chance: "object"
) -> None:
    """Repeats and reorderings change nothing, and no late grant undoes a withdrawal."""
    records = [(COLUMNS[key], seq, live) for seq, (key, live) in enumerate(history, 1)]
    newest = {column: (seq, live) for column, seq, live in records}
    shuffled = records + records
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    held: dict[Place, tuple[int, bool]] = {}
    for column, seq, live in shuffled:
        if takes(seq, held.get(column, (0, False))[0], 0):
            held[column] = (seq, live)
    assert held == newest


@given(st.lists(st.integers(1, 2**128 - 1), min_size=1, max_size=20), st.data())
def test_an_earlier_root_is_the_root_less_what_was_applied_after_it(digests: list[int], data: st.DataObject) -> None:
    """Whatever as_of a lease names, in whatever order the records came, and whatever was forgotten before."""
    deltas, root, roots = Deltas(), Node(), [Node()]
    for digest in digests:
        roots.append(roots[-1].plus(digest))
    for seq in data.draw(st.permutations(range(1, len(digests) + 1))):
        deltas.add(seq, Node().plus(digests[seq - 1]), 0.0)
        root = root.plus(digests[seq - 1])
        if data.draw(st.booleans()):
            assert deltas.root_as_of(root, len(digests)) == root
    as_of = data.draw(st.integers(0, len(digests)))
    deltas.forget_through(data.draw(st.integers(0, as_of)))
    assert deltas.root_as_of(root, as_of) == roots[as_of]


def test_deltas_are_kept_ten_minutes_or_until_roots_agreed() -> None:
    """Memory does not grow with the history."""
    deltas = Deltas()
    deltas.add(1, Node(5, 1), 0.0)
    deltas.add(2, Node(6, 1), 1.0)
    deltas.forget(DELTAS_S + 0.5)
    assert len(deltas) == 1
    deltas.forget_through(2)
    assert len(deltas) == 0
    for seq in range(MOST_DELTAS + 10):
        deltas.add(seq, Node(1, 1), 2.0)
    assert len(deltas) == MOST_DELTAS
