"""Which hints of good manners a policy may be published with, and how its file says them."""

from dataclasses import replace
from pathlib import Path

import pytest

from demo.scene import POLICY as DEMO_POLICY
from hq import policy_file
from hq.errors import Reason, Refused
from hq.office import all_policies
from hq.policy_rules import Draft, problems
from tests.hq.headquarters import POLICY, Headquarters, example_policy
from wire.events import ReasonCode
from wire.hints import HINT_CHARACTERS, Hint, HintText

GOOD = Hint("ask", (HintText("en", "Ask before you use this."), HintText("de", "Fragen Sie.")), (), (), (), ())


def with_hint(**changes: object) -> Draft:
    """The example with one hint."""
    draft = example_policy()
    return replace(draft, main=replace(draft.main, hints=(replace(GOOD, **changes),)))  # type: ignore[arg-type]


def saying(*texts: tuple[str, str]) -> Draft:
    """The example with one hint of these texts."""
    return with_hint(texts=tuple(HintText(language, text) for language, text in texts))


def found_in(draft: Draft) -> list[tuple[Reason, str]]:
    """What is wrong with it, and where."""
    return [(one.reason, one.field) for one in problems(draft)]


@pytest.mark.parametrize("file", [POLICY, DEMO_POLICY], ids=["example", "demo"])
def test_the_examples_have_eight_hints_or_more_in_english_and_german(file: Path) -> None:
    """Short, for each purpose of a card, both reasons; and asking before is among them."""
    draft = policy_file.read(file)
    assert list(problems(draft)) == []
    hints = draft.main.hints or ()
    assert len(hints) >= 8
    assert all({one.language for one in hint.texts} == {"en", "de"} for hint in hints)
    assert {one.text for hint in hints for one in hint.texts} >= {"Ask before you use this."}
    assert {reason for hint in hints for reason in hint.reasons} == set(ReasonCode)
    assert "assist" in {purpose for hint in hints for purpose in hint.purposes}


def test_the_example_ties_hints_to_purposes_reasons_and_zones() -> None:
    """Each way is shown once at least."""
    hints = example_policy().main.hints or ()
    assert {"assist", "suggest"} <= {purpose for hint in hints for purpose in hint.purposes}
    assert any(hint.zone_kinds for hint in hints)
    assert any(not (hint.purposes or hint.reasons or hint.zone_kinds or hint.roles) for hint in hints)


def test_a_good_hint_is_taken() -> None:
    """As it is, and with every tie that the policy knows."""
    assert found_in(with_hint()) == []
    tied = with_hint(purposes=("assist",), reasons=(ReasonCode.HELP,), zone_kinds=("service",), roles=("stylist",))
    assert found_in(tied) == []


@pytest.mark.parametrize(
    "text",
    ["Mind their diet.", "Their DIET matters, ask.", "Speak their language.", "Look at the wish list first.",
     "Do you see size.shoe?", "It is about health or belief."],
)  # fmt: skip
def test_a_hint_that_names_a_scope_is_refused(text: str) -> None:
    """By label, id or special category, however it is written: it would be taken for a word about this shopper."""
    assert found_in(saying(("en", text))) == [(Reason.POLICY_INCONSISTENT, "hints.ask.texts.en")]


@pytest.mark.parametrize("text", ["Mind the dietitian's desk.", "Speak languages.", "Your wish counts, list or not."])
def test_words_that_only_resemble_a_scope_are_taken(text: str) -> None:
    """Whole words in their order are what counts."""
    assert found_in(saying(("en", text))) == []


def test_a_hint_is_at_most_ninety_characters() -> None:
    """Characters, not bytes: German has umlauts."""
    assert found_in(saying(("de", "ü" * HINT_CHARACTERS))) == []
    assert found_in(saying(("de", "x" * (HINT_CHARACTERS + 1)))) == [(Reason.TOO_LARGE, "hints.ask.texts.de")]


@pytest.mark.parametrize(
    ("draft", "reason", "where"),
    [
        (saying(), Reason.POLICY_INCOMPLETE, "hints.ask.texts"),
        (saying(("en", "One."), ("en", "Two.")), Reason.POLICY_INCONSISTENT, "hints.ask.texts"),
        (saying(("English", "One.")), Reason.MALFORMED, "hints.ask.texts.English"),
        (saying(("en", " ")), Reason.MALFORMED, "hints.ask.texts.en"),
        (saying(("en", "One.\nTwo.")), Reason.MALFORMED, "hints.ask.texts.en"),
        (with_hint(purposes=("gossip",)), Reason.UNDECLARED_PURPOSE, "hints.ask.purposes"),
        (with_hint(roles=("owner",)), Reason.UNDECLARED_ROLE, "hints.ask.roles"),
        (with_hint(zone_kinds=("pharmacy",)), Reason.POLICY_INCONSISTENT, "hints.ask.zone_kinds"),
    ],
)  # fmt: skip
def test_a_wrong_hint_is_refused_with_its_place(draft: Draft, reason: Reason, where: str) -> None:
    """Text, language and every tie."""
    assert (reason, where) in found_in(draft)


def test_a_hint_is_named_once() -> None:
    """An associate who dismisses it means that one."""
    draft = with_hint()
    twice = replace(draft, main=replace(draft.main, hints=(draft.main.hints or ()) * 2))
    assert found_in(twice) == [(Reason.POLICY_INCONSISTENT, "hints.ask")]


@pytest.mark.parametrize("wanted", ["latest", "1", "", "v1.2", "1.2.3 or later"])
def test_the_release_that_is_wanted_is_a_version(wanted: str) -> None:
    """A word that no box could ever bear would tell every store behind."""
    draft = example_policy()
    refused = replace(draft, main=replace(draft.main, software_wanted=wanted))
    assert (Reason.MALFORMED, "software_wanted") in found_in(refused)
    assert list(problems(replace(draft, main=replace(draft.main, software_wanted="1.2.0")))) == []


def test_texts_are_a_table_by_language(tmp_path: Path) -> None:
    """Anything else is refused with the form that is expected."""
    file = tmp_path / "policy.toml"
    file.write_text('version = 1\n[[hints]]\nid = "ask"\ntexts = ["Ask."]\n', encoding="utf-8")
    with pytest.raises(Refused) as found:
        policy_file.read(file)
    assert found.value.field == "hints[0].texts"
    assert "by language" in (found.value.hint or "")


def test_hints_are_part_of_the_policys_record(hq: Headquarters) -> None:
    """As it goes to the stores."""
    hq.publish(hints=(GOOD,), software_wanted="9.9.9")
    with hq.engine.connect() as connection:
        (main,) = all_policies(connection)
    assert main.hints == (GOOD,)
    assert main.software_wanted == "9.9.9"
