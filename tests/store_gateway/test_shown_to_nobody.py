"""A policy that HQ should have refused shows no more for having reached a store."""

from dataclasses import replace

import pytest

from tests.store_gateway.test_acts import card_of, only
from tests.store_gateway.test_offers import lets, suggesting
from tests.world import World
from wire.member import Field, Mode, SourceClass, Value, ValueClass
from wire.policy import ScopeRule, Section, ValueType

SUGGESTED = {"tips": Value(texts=("Pregnancy test",)), "tip": Value(text="Pregnancy test")}
REACHING = {
    "email": Value(text="ada@example.org"),
    "mobile": Value(text="+49 170 1234567"),
    "address.home": Value(text="1 Main Street"),
    "birth.date": Value(text="1980-02-03"),
    "member.number": Value(text="4711"),
}


@pytest.mark.parametrize(
    ("values", "section", "purpose"),
    [(SUGGESTED, Section.SUGGESTIONS, "suggest"), (REACHING, Section.PREFERENCES, "assist")],
)
def test_a_policy_that_came_through_all_the_same_shows_nothing_of_it(
    values: dict[str, Value], section: Section, purpose: str
) -> None:
    """Granted, and in the record: neither a line nor a section; an ordinary scope beside them is shown."""
    values = {"plain": Value(text="ordinary"), **values} if section is Section.PREFERENCES else values
    policy = suggesting()

    def rule(scope: str, value: Value) -> ScopeRule:
        kind = ValueType.TEXT if value.texts is None else ValueType.TEXTS
        return ScopeRule(scope, scope, kind, SourceClass.THIRD, "", 3650, 20, section, (purpose,), None)

    added = tuple(rule(scope, value) for scope, value in values.items())
    world = World(replace(policy, main=replace(policy.main, scopes=added)))
    person = world.joins(Mode.OPEN)
    now_s = world.now_ms // 1000
    fields = tuple(
        Field(scope, value, SourceClass.FIRST, "crm", ValueClass.PERSONAL, now_s - 9, now_s - 9)
        for scope, value in values.items()
    )
    granted = replace(lets(person, *values), purpose=purpose)
    world.changes(person, statements=(*person.member.statements, granted), fields=fields)
    world.walks(person, 6)
    tablet = world.tablet()
    handle = only(world, tablet)
    card = card_of(world, tablet, handle, section)
    assert [line.scope for line in (*card.lead, *card.lines)] == [scope for scope in values if scope == "plain"]
    assert (section in card.sections) is ("plain" in values)
