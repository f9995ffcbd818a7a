"""A rule of suggestions that felt creepy too often is switched off in all stores, until somebody switches it on."""

import argparse
from dataclasses import replace

import pytest
from sqlalchemy import select

from hq import felt, felt_watch, policy_versions
from hq.alarm_tables import alarms
from hq.database import reading
from hq.errors import Refused
from hq.felt import Line
from hq.felt_commands import PART
from tests.fakes.store import FakeStore
from tests.hq.headquarters import STORE, Headquarters
from wire import schema
from wire.items import Response, SuggestedKind, SuggestionOutcome
from wire.policy import MAIN_KEY, MainPolicy
from wire.suggestions import DEFAULT
from wire.sync import Disclosure, Event, EventKind, ReasonCode

DATABASE = "sqlite"
SUGGESTED = Line(STORE, "suggestions", "suggest", reason="goes-with")
EVERYTHING = Line(STORE, "suggestions", "suggest")
SAID = Disclosure(
    b"h" * 16, "nina", "associate", "t-1", ("suggestions",), ("suggest",), "grant", ReasonCode.HELP, True, False,
    b"s" * 16, b"t" * 16,
)  # fmt: skip
DAY_S = 86_400


def publish(hq: Headquarters, **said: int) -> None:
    """A policy of these thresholds, as the next version of the one in force."""
    draft = replace(hq.draft, main=replace(hq.draft.main, version=version(hq) + 1,
                                           suggestions=replace(DEFAULT, **said)))  # fmt: skip
    hq.office.publish_policy(draft, hq.now_ms)


def version(hq: Headquarters) -> int:
    """Of the policy in force."""
    with reading(hq.engine) as connection:
        return policy_versions.listed(connection, "main")[-1].version


def says_creepy(hq: Headquarters, *members: str, line: Line = SUGGESTED) -> None:
    """These members, of a suggestion."""
    for one in members:
        felt.note(hq.office, one, line, hq.now_ms, "app")


def looked(hq: Headquarters, times: int) -> None:
    """The store tells of so many looks at m-1's suggestions, of one at something else, and what was suggested then:
    so often by the rule, and as often by another."""
    store = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    store.come_up(hq.answers)
    said = [(EventKind.DISCLOSURE, one) for one in (*([SAID] * times), replace(SAID, scopes=("size.shoe",)))]
    kinds = (SuggestedKind.WITH_BOUGHT, SuggestedKind.POPULAR)
    shown = [SuggestionOutcome("sku-1", Response.SHOWN, None, None, kind) for kind in kinds for _ in range(times)]
    bodies = [*said, *((EventKind.OUTCOME, one) for one in shown)]
    whose = hq.pseudonym("m-1")
    events = [
        Event(number, kind, hq.now_ms, whose, schema.encode(body)) for number, (kind, body) in enumerate(bodies, 1)
    ]
    store.say(hq.answers, store.events(*events))


def off(hq: Headquarters) -> tuple[str, ...]:
    """The rules that are off in the record that stores get."""
    store = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    store.come_up(hq.answers)
    store.fill(hq.answers)
    body = store.rows["policy/main"][MAIN_KEY].body
    assert body is not None
    said = schema.decode(MainPolicy, body).suggestions
    return () if said is None else said.rules_off


def told(hq: Headquarters) -> list[str]:
    """The details of the open alarms that a rule was switched off."""
    with reading(hq.engine) as connection:
        wanted = select(alarms.c.detail).where(alarms.c.alarm == "rule_off", alarms.c.over_ms.is_(None))
        return list(connection.scalars(wanted))


@pytest.fixture
def shop(hq: Headquarters) -> Headquarters:
    """Four members who get suggestions, and a policy that bears one such word, of at most a third of the looks."""
    for number in range(1, 5):
        hq.join(f"m-{number}")
    publish(hq, felt_most=1, felt_permille=333)
    return hq


def test_past_the_threshold_a_rule_is_off_in_all_stores_until_a_person_switches_it_on(
    shop: Headquarters, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told in an alarm; no new version brings it back; once it is switched on, what was said before counts no more."""
    says_creepy(shop, "m-1", "m-1")
    shop.tick()
    assert off(shop) == (), "one member, however often"
    says_creepy(shop, "m-2")
    shop.tick()
    assert off(shop) == ("goes-with",)
    assert told(shop) == ["main: goes-with"]
    publish(shop, felt_most=1, felt_permille=333, most_new=2)
    assert off(shop) == ("goes-with",), "the author's next version does not switch it on"
    shop.tick()
    PART.runs["felt", ""](shop.office, argparse.Namespace(policy="main", days=90, on=None, off=None), shop.now_ms)
    assert "switched off: goes-with" in capsys.readouterr().out
    PART.runs["felt", ""](
        shop.office, argparse.Namespace(policy="main", days=90, on="goes-with", off=None), shop.now_ms
    )
    shop.later(DAY_S)
    assert off(shop) == () and told(shop) == []
    says_creepy(shop, "m-3")
    shop.tick()
    assert off(shop) == ()
    says_creepy(shop, "m-4")
    shop.tick()
    assert off(shop) == ("goes-with",), "two more since"


@pytest.mark.parametrize("line", [SUGGESTED, EVERYTHING])
def test_among_many_looks_it_stays(shop: Headquarters, line: Line) -> None:
    """The share counts, too: two of seven are no more than a third, three are; of what the rule itself suggested, or of
    all looks where it is said of the section."""
    looked(shop, 7)
    says_creepy(shop, "m-1", "m-2", line=line)
    shop.tick()
    assert off(shop) == ()
    says_creepy(shop, "m-3", line=line)
    shop.tick()
    assert off(shop) == (line.rule,)


def test_what_is_no_rule_of_suggestions_is_counted_and_not_switched(shop: Headquarters) -> None:
    """A fact that felt creepy is for the policy's author; a reason has to be one, and of a suggestion."""
    for number in range(1, 5):
        felt.note(shop.office, f"m-{number}", Line(STORE, "size.shoe", "assist"), shop.now_ms, "app")
    shop.tick()
    assert off(shop) == () and told(shop) == []
    for wrong in (replace(SUGGESTED, reason="nothing"), Line(STORE, "size.shoe", "assist", reason="goes-with")):
        with pytest.raises(Refused):
            felt.note(shop.office, "m-1", wrong, shop.now_ms, "app")
    with reading(shop.engine) as connection:
        for rule, on in (("goes-with", True), ("language", False)):
            with pytest.raises(Refused):
                felt_watch.switch(connection, "main", rule, shop.now_ms, on=on)


def test_all_suggestions_are_one_rule_too(shop: Headquarters) -> None:
    """What is said of the section itself, as of a receipt, switches the section."""
    says_creepy(shop, "m-1", "m-2", line=EVERYTHING)
    shop.tick()
    assert off(shop) == ("suggestions",)
