"""What a policy says of suggestions: read from its file, kept with its versions, refused where it makes no sense."""

import json
from dataclasses import replace

import pytest

from hq import policy_file, policy_written, suggestion_rules
from hq.errors import Reason, Refused
from hq.policy_rules import Draft
from tests.hq.headquarters import example_policy
from wire import schema
from wire.member import SourceClass
from wire.policy import MainPolicy, ScopeRule, Section, ValueType
from wire.suggestions import DEFAULT, Resting, SpecialScope, SuggestionPolicy

HEALTH = SpecialScope("health", "diet")
RESTING = Resting("near", "shoes", None), Resting("due", None, "after", 20_800)


@pytest.fixture(scope="module")
def draft() -> Draft:
    """The example."""
    return example_policy()


def saying(draft: Draft, **said: object) -> Draft:
    """The example with other words on suggestions."""
    return replace(draft, main=replace(draft.main, suggestions=replace(DEFAULT, **said)))  # type: ignore[arg-type]


def test_it_is_read_kept_and_sent_as_it_was_written(draft: Draft) -> None:
    """Through the file's form and the stores' record; what is left out has its default; without the table all has."""
    full = saying(draft, specials=(HEALTH,), rules_off=("popular",), rules_resting=RESTING, rest_days=7)
    assert policy_file.build(json.loads(policy_written.bytes_of(full))).main.suggestions == full.main.suggestions
    assert schema.decode(MainPolicy, schema.encode(full.main)).suggestions == full.main.suggestions
    table = policy_written.table_of(draft)
    short = policy_file.build(table | {"suggestions": {"most_new": 1}})
    assert short.main.suggestions == SuggestionPolicy(most_new=1)
    del table["suggestions"]
    assert policy_file.build(table).main.suggestions is None


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"specials": (HEALTH,), "rules_off": ("suggestions", "goes-with", "wishlist")}, None),
        ({"specials": (SpecialScope("health", "wishlist"),)}, Reason.UNDECLARED_SCOPE),
        ({"specials": (SpecialScope("health", "nothing"),)}, Reason.UNDECLARED_SCOPE),
        ({"specials": (HEALTH, SpecialScope("Health", "diet"))}, Reason.POLICY_INCONSISTENT),
        ({"rules_off": ("language",)}, Reason.POLICY_INCONSISTENT),
        ({"rules_resting": (Resting("nothing", None, None),)}, Reason.POLICY_INCONSISTENT),
    ],
)
def test_scopes_and_rules_have_to_be_there(draft: Draft, said: dict[str, object], reason: Reason | None) -> None:
    """A special category needs a special scope, once; a rule is a kind of reason or a scope that is used."""
    found = [one.reason for one in suggestion_rules.problems(saying(draft, **said).main)]
    assert found == ([] if reason is None else [reason])


@pytest.mark.parametrize("value_type", [ValueType.TEXT, ValueType.TEXTS])
def test_what_is_suggested_is_items(draft: Draft, value_type: ValueType) -> None:
    """Neither flags nor mutes can be asked of texts: the scope is named, and the way out."""
    tips = ScopeRule("tips", "Tips", value_type, SourceClass.THIRD, "", 9, 9, Section.SUGGESTIONS, ("suggest",))

    def refused(scope: ScopeRule) -> list[Refused]:
        return list(suggestion_rules.problems(replace(draft.main, scopes=(*draft.main.scopes, scope))))

    (found,) = refused(tips)
    assert (found.reason, found.field) == (Reason.POLICY_INCONSISTENT, "scopes.tips")
    assert 'value_type = "items"' in found.hint
    assert refused(replace(tips, value_type=ValueType.ITEMS)) == []
    assert refused(replace(tips, section=Section.PREFERENCES)) == []


def test_what_was_declined_rests_for_longer_than_what_was_passed_over(draft: Draft) -> None:
    """As long, or less long, is refused, whichever of the two was written; the defaults fit."""
    for said in ({"declined_rest_days": 7}, {"declined_rest_days": 90}, {"ignore_rest_days": 365}):
        (found,) = suggestion_rules.problems(saying(draft, **said).main)
        assert (found.reason, found.field) == (Reason.POLICY_INCONSISTENT, "suggestions.declined_rest_days")
        assert "ignore_rest_days" in found.hint
    assert list(suggestion_rules.problems(saying(draft, declined_rest_days=91).main)) == []
    assert DEFAULT.declined_rest_days > DEFAULT.ignore_rest_days
