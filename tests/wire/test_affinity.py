"""Tables of habits cross the wire whole, or not at all."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire import affinity, schema
from wire.affinity import Affinity, Neighbours, Trees, column
from wire.errors import WireError
from wire.limits import MAX_BODY_BYTES

TREES = Trees(
    column("H", [0, 3]), bytes([2, 255, 255, 255]), column("f", [0.5, 1, 2, 3]), column("H", [1, 2, 0, 0, 0, 0, 0, 0])
)
SMALL = Affinity(
    affinity.FORMAT,
    True,
    ("milk", "tea", "bread"),
    column("f", [7, 0.5]),
    column("f", [0.25] * 12),
    bytes([128] * 36),
    Neighbours(bytes([1, 0, 1]), column("H", [1, 0]), bytes([9, 255]), column("f", [0.5, 0, 1])),
    Neighbours(bytes([2]), column("H", [0, 2]), bytes([255, 3]), column("f", [0.25])),
    column("I", [20]),
    column("f", [0.5, 1, 2]),
    TREES,
)


def test_tables_come_back_as_they_were_and_in_parts_that_fit():
    """What is packed is read back the same; no part is larger than a record may be; the head names the version."""
    names = tuple(f"{number * 2654435761 % 2**32:08x}-{number}" for number in range(12_000))
    wide = replace(
        SMALL,
        names=names,
        columns=column("f", [0.5] * 48_000),
        seasons=b"",
        goes_with=Neighbours(bytes(12_000), b"", b"", bytes(48_000)),
    )
    for told in (SMALL, wide):
        parts = affinity.encode(told)
        assert affinity.decode(parts.get) == told
        assert max(map(len, parts.values())) <= MAX_BODY_BYTES
        assert len(affinity.version(parts.get)) == 16
    assert len(affinity.encode(wide)) > 2
    assert affinity.decode({}.get) is None


def test_parts_of_two_versions_are_never_read_as_one():
    """A part that is missing, or of other tables, is refused, so that a store keeps the tables that it has."""
    parts, others = affinity.encode(SMALL), affinity.encode(replace(SMALL, dated=False))
    with pytest.raises(WireError):
        affinity.decode({**parts, "tables-0001": others["tables-0001"]}.get)
    with pytest.raises(WireError):
        affinity.decode({affinity.HEAD: parts[affinity.HEAD]}.get)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sizes": column("I", [19])},
        {"names": ("milk", "milk", "tea")},
        {"columns": column("f", [0.25] * 11)},
        {"columns": column("f", [float("nan")] * 12)},
        {"linear": column("f", [float("inf")])},
        {"knobs": b"\0\0\0"},
        {"seasons": bytes(12)},
        {"goes_with": replace(SMALL.goes_with, items=column("H", [1, 3]))},
        {"goes_with": replace(SMALL.goes_with, counts=bytes([1, 1, 1]))},
        {"clusters": replace(SMALL.clusters, scales=b"")},
        {"trees": replace(TREES, roots=column("H", [4]))},
        {"trees": replace(TREES, children=column("H", [0, 2, 0, 0, 0, 0, 0, 0]))},
        {"trees": replace(TREES, features=bytes([64, 255, 255, 255]))},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_does_not_fit_is_refused(wrong):
    """Clusters of too few people, indices that point nowhere, loops in trees and numbers without end are refused."""
    with pytest.raises(WireError):
        affinity.check(replace(SMALL, **wrong))
    with pytest.raises(WireError):
        affinity.encode(replace(SMALL, **wrong))


PLAIN = schema.encode(SMALL)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(PLAIN) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_still_tables(at, by):
    """Whatever byte is changed, reading raises nothing but WireError, and what is read passes every check."""
    changed = bytearray(PLAIN)
    changed[at] ^= by
    try:
        told = schema.decode(Affinity, bytes(changed))
        affinity.check(told)
    except WireError:
        return
    assert schema.encode(told) == bytes(changed)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=60), st.data())
def test_noise_raises_only_wire_errors(noise, draw):
    """Parts that are noise, cut or changed are refused by name."""
    parts = affinity.encode(SMALL)
    name = draw.draw(st.sampled_from(sorted(parts)))
    with pytest.raises(WireError):
        affinity.decode({**parts, name: noise}.get)
    with pytest.raises(WireError):
        affinity.decode({**parts, name: parts[name][: draw.draw(st.integers(0, len(parts[name]) - 1))]}.get)
