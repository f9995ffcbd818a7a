"""What notices say: short, readable, in every language, and nothing else than what the policy lets stores do."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import textstat  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.decide import Allow, decide, usable
from consent.visit import NOTHING_DENIED, Visit
from hq import notice, notice_facts, policy_file
from hq.errors import Reason, Refused
from hq.notice import MOST_WORDS, Notice, Text
from hq.policy_rules import Draft, bind, check, problems
from tests.hq.headquarters import DAY_S, NOON_MS, POLICY, ROLES, STORE, example_policy
from wire.member import (
    Field,
    Item,
    Member,
    Mode,
    NameChoice,
    SourceClass,
    State,
    Statement,
    Value,
    ValueClass,
)
from wire.policy import Policy, Role, ScopeRule, ValueType, Zone

TOP = Path(__file__).parents[2]
POLICIES = [POLICY, TOP / "demo/shop/policy.toml"]
NOW_S = NOON_MS // 1000


def notices(draft: Draft) -> dict[str, Notice]:
    """The notices of a draft by purpose."""
    return {one.id: notice.read(draft.notices[one.notice]) for one in draft.main.purposes}


def every_text(file: Path) -> list[Text]:
    """All texts of a policy."""
    return [text for one in notices(policy_file.read(file)).values() for text in one.texts.values()]


def grade(text: Text, said: str) -> float:
    """The school year that a text asks for: Flesch-Kincaid in English, Wiener Sachtextformel (first) in German."""
    textstat.set_lang(text.language)
    return float(
        textstat.flesch_kincaid_grade(said) if text.language == "en" else textstat.wiener_sachtextformel(said, 1)
    )


@pytest.mark.parametrize("file", POLICIES, ids=["example", "demo"])
def test_every_text_is_short_and_readable_at_grade_eight(file: Path) -> None:
    """What stands at the choice has at most 120 words; it and the full text ask for no more than eight school years."""
    found = every_text(file)
    assert {one.language for one in found} == {"en", "de"}
    for text in found:
        short = " ".join((text.what, text.how, text.why, text.benefit))
        assert 10 < text.words <= MOST_WORDS
        assert grade(text, short) <= 8, text.label
        assert grade(text, " ".join(text.full)) <= 8, text.label


def test_legalese_would_not_pass_as_readable() -> None:
    """The measure tells a plain sentence from what lawyers write, in both languages."""
    english = "Notwithstanding aforementioned provisions, personalised commercial communications are disseminated."
    german = "Unbeschadet vorstehender Datenverarbeitungsbestimmungen erfolgen personalisierte Werbebenachrichtigungen."
    texts = {one.language: one for one in every_text(POLICY)}
    assert grade(texts["en"], english) > 8
    assert grade(texts["de"], german) > 8


def test_a_notice_is_read_from_its_exact_bytes() -> None:
    """Its hash is over them; bytes of another form are refused."""
    draft = example_policy()
    for one in draft.main.purposes:
        content = draft.notices[one.notice]
        found = notice.read(content)
        assert found.hash == one.notice == notice.hash_of(content)
        assert notice.written(found.policy, found.purpose, found.facts, found.texts) == content
    for wrong in (b"", b"[]", b"{}", b'{"format": "other"}', b"\xff", b'{"format": "consentry-notice/1"}'):
        with pytest.raises(Refused):
            notice.read(wrong)


def test_a_text_is_found_for_every_language() -> None:
    """The exact tag, its base, English."""
    found = notices(example_policy())["assist"]
    assert [found.in_(tag).language for tag in ("de", "de-AT", "DE-at", "en-GB", "fr", "")] == [
        "de", "de", "de", "en", "en", "en",
    ]  # fmt: skip


def changed(draft: Draft, **main: object) -> Draft:
    """The draft with another shared part."""
    return bind(replace(draft, main=replace(draft.main, **main)))  # type: ignore[arg-type]


def hashes(draft: Draft) -> dict[str, bytes]:
    """Each purpose's notice."""
    return {one.id: one.notice for one in draft.main.purposes}


def drifted() -> dict[str, tuple[Draft, set[str], str]]:
    """Changes of the policy: what comes of it, whose notices change, and what they must say then."""
    draft = example_policy()
    scopes = {one.id: one for one in draft.main.scopes}
    longer = tuple(replace(one, retention_days=14) if one.id == "basket.online" else one for one in draft.main.scopes)
    gone = tuple(one for one in draft.main.scopes if one.id != "returns")
    kept = tuple(replace(one, retention_days=3) if one.id == "presence" else one for one in draft.main.purposes)
    (store,) = draft.stores
    service = tuple(replace(zone, blind=True) if zone.id == "service" else zone for zone in store.zones)
    papers = {**draft.papers.purposes, "insight": replace(draft.papers.purposes["insight"], recipients=("push-ios",))}
    assert (scopes["returns"].purposes, scopes["returns"].used_for) == (("assist",), ("suggest",))
    shown = {"presence", "assist", "suggest"}
    return {
        "scope kept shorter": (changed(draft, scopes=longer), {"assist", "suggest"}, "older than 14 days"),
        "scope gone": (changed(draft, scopes=gone, lead=()), {"assist", "suggest"}, ""),
        "retention": (changed(draft, purposes=kept), {"presence"}, "For at most 3 days."),
        "role": (changed(draft, roles=(*draft.main.roles, Role("tailor", "Tailor", True))), shown, "Tailor"),
        "zone": (
            bind(replace(draft, stores=(replace(store, zones=service),))), shown, "Service desk",
        ),
        "store": (
            bind(replace(draft, stores=(store, replace(store, store="ulm", label="Ulm")))), {*shown, "insight"}, "Ulm",
        ),
        "recipient": (
            bind(replace(draft, papers=replace(draft.papers, purposes=papers))), {"insight"},
            "Apple Distribution International Ltd. (IE)",
        ),
    }  # fmt: skip


@pytest.mark.parametrize("case", drifted())
def test_a_policy_that_changes_changes_what_members_are_told(case: str) -> None:
    """Text and hash follow scopes, roles, retention, blind zones, stores and recipients; other notices stay."""
    draft, whose, says = drifted()[case]
    before, after = hashes(example_policy()), hashes(draft)
    if case == "role":  # a word for it is needed first
        words = tuple(replace(one, roles={**one.roles, "tailor": "Tailor"}) for one in draft.papers.words)
        draft = bind(replace(draft, papers=replace(draft.papers, words=words)))
        after = hashes(draft)
    assert {one for one in before if before[one] != after[one]} == whose
    for purpose in whose:
        text = "\n".join(notice.plain(notices(draft)[purpose], "en"))
        assert says in text
        assert says == "" or says not in "\n".join(notice.plain(notices(example_policy())[purpose], "en"))
    if case == "scope gone":
        assert "what you gave back" not in "\n".join(notice.plain(notices(draft)["assist"], "en"))


def test_a_text_that_does_not_follow_the_policy_is_refused() -> None:
    """Whoever changes the policy and keeps the old notice is told that it is not what this policy makes."""
    draft = example_policy()
    kept = replace(draft, main=replace(draft.main, scopes=draft.main.scopes[1:]))
    assert [(one.reason, one.field) for one in problems(kept)] == [
        (Reason.POLICY_INCONSISTENT, "purposes.assist.notice")
    ]


def without_word(draft: Draft, part: str, key: str) -> Draft:
    """The draft with one word less in German."""
    english, german = draft.papers.words
    listed = {name: word for name, word in getattr(german, part).items() if name != key}
    german = replace(german, **{part: listed})  # type: ignore[arg-type]
    return bind(replace(draft, papers=replace(draft.papers, words=(english, german))))


@pytest.mark.parametrize(
    ("part", "key", "where"),
    [
        ("scopes", "size.shoe", "notices.de.scopes.size.shoe"),
        ("roles", "stylist", "notices.de.roles.stylist"),
        ("purposes", "media", "notices.de.purposes.media"),
    ],
)
def test_what_no_text_names_is_refused(part: str, key: str, where: str) -> None:
    """A declared scope, a role that sees it, a purpose: each has words in every language."""
    with pytest.raises(Refused) as found:
        check(without_word(example_policy(), part, key))
    assert (found.value.reason, found.value.field) == (Reason.POLICY_INCOMPLETE, where)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("word " * 130, Reason.TOO_LARGE),
        ("We keep it for {days}.", Reason.MALFORMED),
        ("We keep it for {", Reason.MALFORMED),
        ("We keep it for {0}.", Reason.MALFORMED),
        ("We keep it for {retention.__class__}.", Reason.MALFORMED),
        ("We keep it for {retention!r}.", Reason.MALFORMED),
        ("", Reason.POLICY_INCOMPLETE),
    ],
)
def test_words_that_are_too_many_or_ask_for_what_is_not_there_are_refused(text: str, reason: Reason) -> None:
    """At most 120 words, and in braces what the policy says."""
    draft = example_policy()
    english, german = draft.papers.words
    own = replace(english.purposes["assist"], what=text)
    words = (replace(english, purposes={**english.purposes, "assist": own}), german)
    with pytest.raises(Refused) as found:
        check(bind(replace(draft, papers=replace(draft.papers, words=words))))
    assert found.value.reason is reason
    assert found.value.field.startswith("notices.en.purposes.assist")


def test_another_language_is_another_file(tmp_path: Path) -> None:
    """French needs no line of code."""
    for path in POLICY.parent.rglob("*.toml"):
        to = tmp_path / path.relative_to(POLICY.parent)
        to.parent.mkdir(exist_ok=True)
        to.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    french = (tmp_path / "notices/en.toml").read_text(encoding="utf-8").replace('language = "en"', 'language = "fr"')
    (tmp_path / "notices/fr.toml").write_text(french.replace("your shoe size", "votre pointure"), encoding="utf-8")
    file = tmp_path / "policy.toml"
    listed = file.read_text(encoding="utf-8").replace('"notices/de.toml"', '"notices/de.toml", "notices/fr.toml"')
    file.write_text(listed, encoding="utf-8")
    draft = policy_file.read(file)
    check(draft)
    assert "votre pointure" in json.dumps(notices(draft)["assist"].in_("fr-CA").details, ensure_ascii=False)


def value_of(rule: ScopeRule, at_s: int) -> Field:
    """A value of a scope, collected and confirmed then."""
    values = {
        ValueType.TEXT: Value(text="x"),
        ValueType.TEXTS: Value(texts=("x",)),
        ValueType.ITEMS: Value(items=(Item("i", "x", at_s, 1, False),)),
    }
    return Field(rule.id, values[rule.value_type], SourceClass.ZERO, "app", ValueClass.PERSONAL, at_s, at_s)


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_no_store_shows_what_the_notice_does_not_tell(data: st.DataObject) -> None:
    """Whatever a member granted, what the one decision allows is in the facts of its purpose's notice."""
    draft = example_policy()
    roles = tuple(
        replace(one, sees_floor=data.draw(st.booleans(), label=f"role {one.id}")) for one in draft.main.roles
    )  # fmt: skip
    (store,) = draft.stores
    zones = tuple(
        replace(one, blind=one.blind or data.draw(st.booleans(), label=f"zone {one.id}")) for one in store.zones
    )  # fmt: skip
    words = tuple(replace(one, roles={**one.roles, "cashier": "Kasse"}) for one in draft.papers.words)
    draft = bind(
        Draft(
            draft.name,
            replace(draft.main, roles=roles),
            (replace(store, zones=zones),),
            {},
            replace(draft.papers, words=words),
        )
    )
    told = {purpose: one.facts for purpose, one in notices(draft).items()}
    policy = Policy(draft.main, draft.stores[0])
    rule = data.draw(st.sampled_from(draft.main.scopes), label="scope")
    age_days = data.draw(st.integers(0, 4000), label="days")
    everybody = tuple(one.id for one in roles)
    statements = [_statement("presence", (), everybody, draft.main.version)]
    statements += [_statement(one.id, (rule.id,), everybody, draft.main.version) for one in draft.main.purposes]
    field = value_of(rule, NOW_S - age_days * DAY_S)
    member = Member(Mode.OPEN, NameChoice.ALWAYS, tuple(statements), (field,), "DE", 21)
    role = data.draw(st.sampled_from(everybody), label="role")
    zone = data.draw(st.sampled_from([None, *(one.id for one in zones)]), label="zone")
    verdict = decide(member, NOTHING_DENIED, rule.id, role, _visit(zone), policy, NOW_S)
    if isinstance(verdict, Allow):
        facts = told[verdict.purpose]
        (scope,) = (one for one in facts.scopes if one.id == rule.id)
        assert scope.shown
        assert age_days <= scope.retention_days
        assert role in facts.roles
        assert role in told["presence"].roles
        assert (STORE, zone) not in facts.blind
        assert STORE in {known for known, _ in facts.stores}
    for purpose, one in told.items():
        allowed = usable(member, NOTHING_DENIED, rule.id, purpose, role, _visit(zone), policy, NOW_S)
        if isinstance(allowed, Allow):
            assert [scope.shown for scope in one.scopes if scope.id == rule.id] == [False]
            assert role in one.roles


def test_a_notice_tells_what_is_used_and_not_shown() -> None:
    """Of `suggest`: the suggestions are shown, what they are made of is not; to show it needs another yes."""
    draft = example_policy()
    found = notices(draft)["suggest"]
    assert [one.id for one in found.facts.scopes if one.shown] == ["suggestions", "stage", "cohort"]
    for language, heading, line in (
        ("en", "nobody is shown it for this", "what you bought in stores: nothing older than 2 years"),
        ("de", "gezeigt wird es dafür niemandem", "was Sie in Läden kauften: nichts, was älter ist als 2 Jahre"),
    ):
        listed = {title: lines for title, lines in found.in_(language).details if heading in title}
        assert line in next(iter(listed.values()))
    assert notice.read(draft.notices[found.hash]).facts == found.facts
    shown = replace(found.facts, scopes=tuple(replace(one, shown=True) for one in found.facts.scopes))
    assert "scope history.store is shown, not used alone" in list(notice_facts.widenings(found.facts, shown))
    assert list(notice_facts.widenings(shown, found.facts)) == []


def test_a_policy_may_not_show_what_suggestions_are_made_of() -> None:
    """Nor list a purpose twice, nor use something for a purpose whose words do not say so."""
    draft = example_policy()
    for wrong, field in (
        ({"purposes": ("assist", "suggest"), "used_for": None}, "scopes.returns.purposes"),
        ({"used_for": ("assist",)}, "scopes.returns.used_for"),
        ({"used_for": ("unheard",)}, "scopes.returns.used_for"),
    ):
        rules = tuple(replace(one, **wrong) if one.id == "returns" else one for one in draft.main.scopes)
        assert field in [one.field for one in problems(changed(draft, scopes=rules))]
    english, german = draft.papers.words
    silent = replace(english, lines=replace(english.lines, used_heading="", used="", used_special=""))
    without = bind(replace(draft, papers=replace(draft.papers, words=(silent, german))))
    assert "notices.en.lines.used_heading" in [one.field for one in problems(without)]


def _statement(purpose: str, scopes: tuple[str, ...], roles: tuple[str, ...], version: int) -> Statement:
    until_s = NOW_S + DAY_S
    return Statement(
        State.GIVEN, purpose, scopes, STORE, roles, (), 0, until_s, NOW_S - 10, bytes(32), bytes(16), version
    )


def _visit(zone: str | None) -> Visit:
    return Visit(handle=bytes(16), arrived_ms=NOON_MS, zone=zone)


def test_a_zone_blind_in_some_stores_only_is_told_with_those_stores() -> None:
    """No text promises more than holds."""
    draft = example_policy()
    (store,) = draft.stores
    cafe = Zone("cafe", "Café", "", (), False, (), None)
    here = replace(store, zones=(*store.zones, replace(cafe, blind=True)))
    there = replace(store, store="ulm", label="Ulm", zones=(*store.zones, cafe))
    text = notice.plain(notices(bind(replace(draft, stores=(here, there))))["presence"], "en")
    assert "Café (in Berlin Mitte)" in text
    assert "pharmacy" in text


def test_the_synthetic_members_role_is_in_no_notice() -> None:
    """Nobody has it, so nobody is told of it; and roles of the example are those that see the floor."""
    assert notices(example_policy())["presence"].facts.roles == ("associate", "stylist", "manager")
    assert ROLES[0] in notices(example_policy())["presence"].facts.roles


def test_of_many_stores_a_text_names_some_and_says_how_many_more() -> None:
    """Nobody reads ten thousand names on a phone; the facts have all, so that each still makes another notice."""
    draft = example_policy()
    (store,) = draft.stores
    many = tuple(replace(store, store=f"s-{number:03}", label=f"Store {number}") for number in range(60))
    found = notices(bind(replace(draft, stores=many)))["presence"]
    lines = notice.plain(found, "en")
    assert "and 10 more" in lines
    assert len(found.facts.stores) == 60
    assert found.hash != notices(bind(replace(draft, stores=many[1:])))["presence"].hash
