"""Bodies of members, staff and policy come back as they went, are refused when mangled, and show nothing in a log."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import MAIN, STORE, STORE_POLICY, instances, member, members, statement, text_field
from wire import cbor, schema
from wire.errors import WireError
from wire.items import Response, SuggestedKind, SuggestionOutcome
from wire.member import Field, Item, Member, Staff, Statement, Value
from wire.policy import MAIN_KEY, MainPolicy, StorePolicy, store_key
from wire.suggestions import Stage
from wire.sync import MAX_BODY_BYTES

BODIES = (Member, Staff, MainPolicy, StorePolicy)
bodies = st.sampled_from(BODIES).flatmap(lambda kind: instances(kind, most=2)) | members


@given(bodies)
def test_every_body_comes_back(body):
    """Any body that its schema allows is decoded to the same, from the same bytes."""
    encoded = schema.encode(body)
    assert schema.decode(type(body), encoded) == body
    assert schema.encode(schema.decode(type(body), encoded)) == encoded


@given(bodies, st.sampled_from(BODIES), st.integers(0, 2000), st.integers(1, 255))
def test_a_mangled_body_is_refused_or_another(body, kind, at, change):
    """A changed byte is refused, or what decodes re-encodes to the very bytes that came."""
    mangled = bytearray(schema.encode(body))
    mangled[at % len(mangled)] ^= change
    try:
        found = schema.decode(kind, bytes(mangled))
    except WireError:
        return
    assert schema.encode(found) == bytes(mangled)


def test_usual_bodies_fit():
    """A policy of a real brand and a member of many choices are far below the most of a body."""
    assert len(schema.encode(MAIN)) < MAX_BODY_BYTES / 10
    assert len(schema.encode(STORE_POLICY)) < MAX_BODY_BYTES / 10
    many = member(
        *(statement(f"scope.n{number}") for number in range(64)),
        fields=tuple(text_field(f"scope.n{number}", "x" * 40) for number in range(64)),
    )
    assert len(schema.encode(many)) < MAX_BODY_BYTES / 2


def test_the_keys_of_the_policy_records():
    """`main` is shared; a store's own has the store's name."""
    assert (MAIN_KEY, store_key(STORE)) == (b"main", b"store/berlin-1")


@given(instances(Member, most=2), instances(Staff))
def test_no_body_shows_a_person_in_a_log(someone, staff):
    """Neither a value nor a name, nor a PIN's verifier, is in a representation."""
    assert repr(someone) == f"Member(mode={someone.mode.name}, …)"
    assert repr(staff) == f"Staff(role={staff.role!r}, active={staff.active}, …)"


@pytest.mark.parametrize("kind", [Field, Value, Item])
def test_no_value_shows_in_a_log(kind):
    """What a value is never gets into a representation."""

    @given(instances(kind))
    def check(one):
        assert repr(one) == f"{kind.__name__}(…)"

    check()


def test_a_statement_of_unknown_time_is_told_from_one_of_1970():
    """No time of choice is a missing key, never a zero."""
    untimed, first = statement("diet", chosen_s=None), statement("diet", chosen_s=0)
    assert schema.decode(Statement, schema.encode(untimed)).chosen_s is None
    assert schema.decode(Statement, schema.encode(first)).chosen_s == 0


def test_an_outcome_of_an_earlier_box_is_read_and_bears_no_stage_and_no_reason():
    """What a store told before it knew of either decodes as it did, and encodes to the same bytes."""
    before = cbor.encode({0: "tea", 1: "shown", 2: "drinks"})
    found = schema.decode(SuggestionOutcome, before)
    assert (found.stage, found.reason) == (None, None)
    assert schema.encode(found) == before
    told = SuggestionOutcome("tea", Response.TAKEN, None, Stage.AFTER, SuggestedKind.DUE)
    assert schema.encode(told) == cbor.encode({0: "tea", 1: "taken", 3: "after", 4: "due"})
    assert schema.decode(SuggestionOutcome, schema.encode(told)) == told
