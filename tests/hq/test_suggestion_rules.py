"""What a policy says of suggestions: read from its file, kept with its versions, refused where it makes no sense."""

import json
from dataclasses import replace

import pytest

from hq import policy_file, policy_written, suggestion_rules
from hq.errors import Reason
from hq.policy_rules import Draft
from tests.hq.headquarters import example_policy
from wire import schema
from wire.policy import MainPolicy
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
