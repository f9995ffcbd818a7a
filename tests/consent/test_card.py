"""A card holds what is allowed, in the policy's order, and nothing tells what it does not hold."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from consent.card import Built, build
from consent.decide import Allow, Deny, Ground, decide, presence
from consent.visit import NOTHING_DENIED, Denied
from tests.strategies import (
    DAY_S,
    MAIN,
    NOW_S,
    POLICY,
    PRESENT,
    SCOPES,
    STORE_POLICY,
    VISIT,
    any_field,
    denials,
    fields_of,
    instances,
    member,
    members,
    policies,
    purpose,
    roles,
    scope_rule,
    statement,
    text_field,
    visits,
    zone,
)
from wire import query, schema
from wire.errors import WireError
from wire.member import Item, Member, Mode, NameChoice, State, Value
from wire.policy import MainPolicy, Policy, Section, StorePolicy
from wire.sync import ReasonCode

NOW_MS = NOW_S * 1000
EVERY_SECTION = (None, *Section)

FIELDS = (
    text_field("name.first", "Ada"),
    text_field("size.shoe", "42"),
    text_field("fit.jacket", "slim"),
    any_field("colour.liked", Value(texts=("red", "blue", "teal", "grey"))),
    text_field("diet", "halal"),
    any_field("wishlist", Value(items=(Item("sku-1", "Boots", NOW_S - 5, 1, False),))),
)
MEMBER = member(
    PRESENT,
    statement("name.first", "size.shoe", "fit.jacket", "colour.liked", "wishlist"),
    statement("diet"),
    fields=FIELDS,
)


def built(
    someone=MEMBER,
    denied=NOTHING_DENIED,
    role="associate",
    visit=VISIT,
    policy=POLICY,
    section=None,
    now_ms=NOW_MS,
    associate="anna",
):
    """The card of a case that is allowed but for what the test changes."""
    return build(someone, denied, role, visit, policy, section, now_ms, associate)


def scopes_of(lines):
    """Which scopes the lines show, in their order."""
    return tuple(line.scope for line in lines)


def content(someone, denied, role, visit, policy):
    """All that can be had of a visit by asking for every section: (where, scope, value), and which sections."""
    found, sections = set(), set()
    for section in EVERY_SECTION:
        one = build(someone, denied, role, visit, policy, section, NOW_MS, "anna")
        if isinstance(one, Deny):
            return set(), set()
        sections |= set(one.card.sections)
        found |= {("name", one.card.name)} if one.card.name is not None else set()
        found |= {(line.scope, line.text, line.entries) for line in (*one.card.lead, *one.card.lines)}
    return found, sections


def test_lead_facts_come_in_the_policys_order_and_are_three():
    """At most three lead, the name is not among them, and the rest waits in its section."""
    one = built()
    assert one.card.name == "Ada"
    assert scopes_of(one.card.lead) == ("size.shoe", "diet", "wishlist")
    assert one.card.sections == (Section.PREFERENCES,)
    assert one.card.lines == ()
    assert one.scopes == ("name.first", "size.shoe", "diet", "wishlist")
    assert one.purposes == ("presence", "assist")
    assert one.rule is Ground.EXPLICIT_GRANT
    assert one.reason is ReasonCode.HELP


def test_what_fits_the_zone_leads():
    """In the shoe department the wish list comes first, as the zone says."""
    one = built(visit=replace(VISIT, zone="shoes"))
    assert scopes_of(one.card.lead) == ("wishlist", "size.shoe", "diet")
    assert (one.card.zone, one.card.zone_label) == ("shoes", "Shoes")


def test_a_section_holds_what_does_not_lead():
    """Asked for, a section gives its lines in the policy's order, and only they are recorded besides the lead."""
    one = built(section=Section.PREFERENCES)
    assert scopes_of(one.card.lines) == ("fit.jacket", "colour.liked")
    assert one.scopes == ("name.first", "size.shoe", "diet", "wishlist", "fit.jacket", "colour.liked")
    assert one.card.section is Section.PREFERENCES


def test_a_list_is_cut_where_the_policy_says():
    """No more entries than the policy's most, the first ones."""
    one = built(section=Section.PREFERENCES)
    assert [entry.text for entry in one.card.lines[1].entries] == ["red", "blue", "teal"]
    assert one.card.lines[1].text is None


def test_a_line_tells_why_it_is_shown():
    """Purpose, since when and until when, in milliseconds."""
    grant = MEMBER.statements[1]
    assert built().card.lead[0].why == query.Why("assist", "To assist", grant.from_s * 1000, grant.until_s * 1000)


def test_an_item_keeps_its_time_and_quantity():
    """An entry of a list has what the item had, and no article number."""
    assert built().card.lead[2].entries == (query.Entry("Boots", (NOW_S - 5) * 1000, 1, False),)


@pytest.mark.parametrize(
    ("choice", "invited", "shown"),
    [
        (NameChoice.NEVER, True, None),
        (NameChoice.INVITED, False, None),
        (NameChoice.INVITED, True, "Ada"),
        (NameChoice.ALWAYS, False, "Ada"),
    ],
)
def test_the_name_follows_the_choice_of_name(choice, invited, shown):
    """Never, once invited, or always; hidden, it is no line either and is not recorded."""
    someone = replace(MEMBER, name_choice=choice)
    for section in EVERY_SECTION:
        one = built(someone, visit=replace(VISIT, invited=invited), section=section)
        assert one.card.name == shown
        assert ("name.first" in one.scopes) == (shown is not None)
        assert "name.first" not in scopes_of((*one.card.lead, *one.card.lines))


def test_the_choice_of_name_alone_shows_no_name():
    """Without a grant for the name there is none, whatever the choice of name."""
    someone = replace(MEMBER, statements=(PRESENT, statement("size.shoe")))
    assert built(someone).card.name is None


def test_sign_and_waiting_time_are_there_only_while_help_waits():
    """Without a call for help a card has neither."""
    visit = replace(VISIT, sign=("red", "07"), waiting_since_ms=NOW_MS - 1)
    one = built(visit=visit).card
    assert (one.sign_colour, one.sign_digits, one.waiting_since_ms) == ("red", "07", NOW_MS - 1)
    one = built(visit=replace(visit, help=False))
    assert (one.card.sign_colour, one.card.sign_digits, one.card.waiting_since_ms) == (None, None, None)
    assert one.reason is ReasonCode.OPEN


def test_who_attends_is_told_and_whether_it_is_me():
    """A display name for all, and a yes or no for the one who looks."""
    visit = replace(VISIT, attended_by="anna", attended_name="Anna B.")
    assert (built(visit=visit).card.attended_by, built(visit=visit).card.attended_by_me) == ("Anna B.", True)
    assert built(visit=visit, associate="bert").card.attended_by_me is False


def test_a_visit_that_may_not_stand_on_the_roster_has_no_card():
    """The card is denied by the very rule that denies the roster."""
    quiet = replace(MEMBER, mode=Mode.QUIET)
    assert built(quiet) == presence(quiet, NOTHING_DENIED, "associate", VISIT, POLICY, NOW_S)
    assert isinstance(built(denied=Denied(everything=True)), Deny)


def test_the_version_tells_of_content_and_not_of_time():
    """The same content has the same version a minute later; another content another one."""
    first = built()
    later = built(now_ms=NOW_MS + 60_000)
    assert later.card.version == first.card.version
    assert later.card == replace(first.card, as_of_ms=NOW_MS + 60_000)
    assert built(denied=Denied(scopes=frozenset({"diet"}))).card.version != first.card.version
    assert 0 <= first.card.version < 2**53


def test_no_line_names_a_purpose_that_could_not_be_recorded():
    """A disclosure's record names at most 16 purposes: what a policy lists beyond is not shown."""
    names = tuple(f"purpose-{number:02d}" for number in range(20))
    rules = tuple(scope_rule(f"fact.{name}", purposes=(name,)) for name in names)
    main = replace(MAIN, purposes=tuple(purpose(name) for name in ("presence", *names)), scopes=rules)
    grants = tuple(statement(f"fact.{name}", purpose=name) for name in names)
    someone = member(PRESENT, *grants, fields=tuple(text_field(f"fact.{name}", "x") for name in names))
    one = built(someone, policy=Policy(main, STORE_POLICY), section=Section.PREFERENCES)
    assert one.purposes == ("presence", *names[:15])


def test_no_card_shows_its_values_in_a_log():
    """The representation of a built card holds no value."""
    assert "Ada" not in repr(built())
    assert "42" not in repr(built().card)


# --- properties ---------------------------------------------------------------------------------------------------


@given(members, denials, roles, visits, policies, st.data())
def test_who_hides_a_scope_is_not_told_from_who_has_none(someone, denied, role, visit, policy, data):
    """Two members who differ only in what is hidden get the same bytes, in every section."""

    def hidden(scope, another):
        shown = isinstance(decide(another, denied, scope, role, visit, policy, NOW_S), Allow)
        by_choice = scope == "name.first" and (
            another.name_choice is NameChoice.NEVER or (another.name_choice is NameChoice.INVITED and not visit.invited)
        )
        return not shown or by_choice

    other = someone
    for scope in SCOPES:
        if not hidden(scope, someone):
            continue
        kept = tuple(field for field in someone.fields if field.scope != scope)
        without = replace(other, fields=tuple(field for field in other.fields if field.scope != scope))
        changed = data.draw(st.none() | fields_of(scope))
        other = without
        if changed is not None and hidden(scope, replace(someone, fields=(*kept, changed))):
            at = data.draw(st.integers(0, len(without.fields)))
            other = replace(without, fields=(*without.fields[:at], changed, *without.fields[at:]))
    for section in EVERY_SECTION:
        one = build(someone, denied, role, visit, policy, section, NOW_MS, "anna")
        two = build(other, denied, role, visit, policy, section, NOW_MS, "anna")
        if isinstance(one, Deny):
            assert one == two
        else:
            assert schema.encode(one.card) == schema.encode(two.card)
            assert (one.scopes, one.purposes, one.rule, one.reason) == (
                two.scopes,
                two.purposes,
                two.rule,
                two.reason,
            )


@given(members, denials, roles, visits, policies, st.data())
def test_fewer_grants_never_show_more(someone, denied, role, visit, policy, data):
    """A grant narrowed in any way, or turned into a withdrawal, leaves at most the lines and sections that were."""
    assume(someone.statements)
    at = data.draw(st.integers(0, len(someone.statements) - 1))
    old = someone.statements[at]
    narrowed = data.draw(
        st.sampled_from(
            [
                replace(old, state=State.WITHDRAWN),
                replace(old, roles=old.roles[1:]),
                replace(old, zones_excluded=(*old.zones_excluded, "entrance")),
                replace(old, until_s=NOW_S),
                replace(old, from_s=NOW_S + 1),
                replace(old, policy_version=99),
            ]
        )
    )
    statements = (*someone.statements[:at], narrowed, *someone.statements[at + 1 :])
    before = content(someone, denied, role, visit, policy)
    after = content(replace(someone, statements=statements), denied, role, visit, policy)
    assert after[0] <= before[0]
    assert after[1] <= before[1]


@given(members, denials, roles, visits, policies, st.sampled_from(SCOPES), st.sampled_from(["assist", "suggest"]))
def test_all_grants_of_a_scope_taken_away_show_nothing_more(someone, denied, role, visit, policy, scope, of):
    """Without any grant of a scope for a purpose no other line appears: not even where a bundle shrinks to one."""
    assume(scope != "diet")
    left = tuple(
        replace(one, scopes=tuple(each for each in one.scopes if each != scope))
        if one.purpose == of and "diet" not in one.scopes
        else one
        for one in someone.statements
        if one.state is State.GIVEN and (one.purpose != of or one.scopes != (scope,))
    )
    given_only = replace(someone, statements=tuple(one for one in someone.statements if one.state is State.GIVEN))
    before = content(given_only, denied, role, visit, policy)
    after = content(replace(someone, statements=left), denied, role, visit, policy)
    assert after[0] <= before[0]
    assert after[1] <= before[1]


@given(members, denials, roles, visits, policies, st.sampled_from(SCOPES))
def test_a_denial_in_the_store_takes_one_scope_and_adds_nothing(someone, denied, role, visit, policy, scope):
    """A local denial removes its scope from every part of the card."""
    less = replace(denied, scopes=denied.scopes | {scope})
    before = content(someone, denied, role, visit, policy)
    after = content(someone, less, role, visit, policy)
    assert after[0] <= before[0]
    assert after[1] <= before[1]
    assert scope not in {found[0] for found in after[0]}


@given(members, denials, roles, visits, policies, st.sampled_from(EVERY_SECTION))
def test_a_card_shows_and_names_exactly_what_is_allowed(someone, denied, role, visit, policy, section):
    """Every scope shown is allowed one by one, is named for the record, and no value comes from elsewhere."""
    one = build(someone, denied, role, visit, policy, section, NOW_MS, "anna")
    if isinstance(one, Deny):
        assert isinstance(presence(someone, denied, role, visit, policy, NOW_S), Deny)
        return
    lines = (*one.card.lead, *one.card.lines)
    assert one.card.mode is someone.mode
    assert one.scopes == (("name.first",) if one.card.name is not None else ()) + scopes_of(lines)
    assert len(set(one.scopes)) == len(one.scopes)
    for scope in one.scopes:
        verdict = decide(someone, denied, scope, role, visit, policy, NOW_S)
        assert isinstance(verdict, Allow)
        assert verdict.purpose in one.purposes
    order = [rule.id for rule in policy.main.scopes]
    assert list(scopes_of(one.card.lines)) == sorted(scopes_of(one.card.lines), key=order.index)
    assert len(one.card.lead) <= 3
    rules = {rule.id: rule for rule in policy.main.scopes}
    values = {field.scope: field.value for field in someone.fields}
    for line in lines:
        value = values[line.scope]
        assert line.text == value.text
        assert len(line.entries) <= rules[line.scope].most_items
        old_s = NOW_S - rules[line.scope].retention_days * DAY_S
        kept = [one for one in value.items or () if one.at_s is None or one.at_s >= old_s]
        texts = value.texts or tuple(item.label for item in kept)
        assert [entry.text for entry in line.entries] == list(texts[: rules[line.scope].most_items])
        assert line.text or line.entries


@given(instances(Member), st.binary(min_size=1, max_size=8), st.integers(0, 2**16), roles, visits)
def test_a_mangled_body_is_refused_or_makes_an_ordinary_card(someone, noise, at, role, visit):
    """A member's record with some bytes overwritten never raises anything but the refusal at its door."""
    body = bytearray(schema.encode(someone))
    at %= len(body)
    body[at : at + len(noise)] = noise
    try:
        mangled = schema.decode(Member, bytes(body))
    except WireError:
        return
    assert isinstance(build(mangled, NOTHING_DENIED, role, visit, POLICY, None, NOW_MS, "anna"), Built | Deny)


@given(instances(MainPolicy), instances(StorePolicy), members, visits, st.sampled_from(EVERY_SECTION))
def test_under_any_policy_a_card_fits_its_frame(main, store, someone, visit, section):
    """Whatever policy a record holds, the card is a valid reply."""
    own = replace(store, store=STORE_POLICY.store, zones=(*store.zones, zone("entrance")))
    rules = {rule.id: rule for rule in (*main.scopes, *MAIN.scopes)}
    mixed = replace(
        main, purposes=(*main.purposes, *MAIN.purposes), scopes=tuple(rules.values()), roles=MAIN.roles, ages=MAIN.ages
    )
    one = build(someone, NOTHING_DENIED, "associate", visit, Policy(mixed, own), section, NOW_MS, "anna")
    if isinstance(one, Built):
        assert query.read_reply(query.frame(7, one.card)[query.LENGTH_BYTES :]) == (7, one.card)
