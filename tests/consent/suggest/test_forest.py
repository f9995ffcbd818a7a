"""Trees that are added up all at once add up as those that are walked, and what is no tree is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.suggest.forest import MOST_LEAVES, TREES_AT_ONCE, Node, groves, grown
from wire.errors import WireError

WIDTH = 5
VALUES = st.sampled_from([-2.0, -0.5, 0.0, 0.1, 1.0, 3.0]) | st.floats(-4, 4, width=32)
SHAPES = st.recursive(VALUES, lambda inner: st.tuples(st.integers(0, WIDTH - 1), VALUES, inner, inner), max_leaves=12)


def laid(shapes):
    """Roots and nodes of trees that are told as (feature, threshold, low, high) or a leaf's value."""
    nodes, roots = [], []

    def lay(shape):
        at = len(nodes)
        nodes.append(None)
        if isinstance(shape, float):
            nodes[at] = Node(-1, shape, 0, 0)
        else:
            feature, threshold, low, high = shape
            nodes[at] = Node(feature, threshold, lay(low), lay(high))
        return at

    roots = [lay(shape) for shape in shapes]
    return roots, nodes


def walked(shapes, row):
    """The plain way."""
    whole = 0.0
    for shape in shapes:
        while not isinstance(shape, float):
            feature, threshold, low, high = shape
            shape = low if row[feature] <= threshold else high
        whole += shape
    return whole


@settings(max_examples=60, deadline=None)
@given(st.lists(SHAPES, max_size=9), st.lists(st.tuples(*[VALUES] * WIDTH), min_size=1, max_size=6))
def test_all_at_once_is_what_walking_adds_up_to(shapes, rows):
    """To the last bit, whatever the trees, also where a number is just a threshold."""
    made = groves(*laid(shapes))
    assert [one.hex() for one in grown(made, rows)] == [walked(shapes, row).hex() for row in rows]
    alike = frozenset(feature for feature in range(WIDTH) if len({row[feature] for row in rows}) == 1)
    assert grown(made, rows, alike) == grown(made, rows)


@pytest.mark.parametrize("leaves", [1, 8, 9, 17, 33, MOST_LEAVES])
def test_wide_trees_and_many_groves_add_up(leaves):
    """A field of each width, and more trees than one grove holds."""
    shape = 0.25
    for at in range(1, leaves):
        shape = (at % WIDTH, 1.0 - at / leaves, shape, 0.1 * at)
    shapes = [shape] * (TREES_AT_ONCE + 3)
    made = groves(*laid(shapes))
    assert len(made) == 2
    for row in ((0.0,) * WIDTH, (0.3, 0.9, 0.5, 0.1, 0.7), (2.0,) * WIDTH):
        assert grown(made, [row]) == [walked(shapes, row)]


def test_what_is_no_tree_is_refused():
    """A node with two parents, a root inside of a tree, and more leaves than a field is wide."""
    leaf = Node(-1, 1.0, 0, 0)
    for roots, nodes in (
        ([0], [Node(0, 1.0, 1, 1), leaf]),
        ([0, 1], [Node(0, 1.0, 1, 2), leaf, leaf]),
        ([0, 0], [leaf]),
    ):
        with pytest.raises(WireError):
            groves(roots, nodes)
    shape = 0.0
    for _ in range(MOST_LEAVES):
        shape = (0, 1.0, shape, 0.0)
    with pytest.raises(WireError):
        groves(*laid([shape]))
