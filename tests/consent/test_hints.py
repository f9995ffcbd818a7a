"""A card carries at most one hint, chosen by what is visible on it."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from consent.card import Built, build
from consent.hints import choose
from consent.visit import NOTHING_DENIED, Visit
from tests.strategies import MAIN, NOW_S, POLICY, PRESENT, VISIT, member, statement, text_field
from wire import schema
from wire.events import ReasonCode
from wire.hints import CardHint, Hint, HintText
from wire.member import Member
from wire.policy import Policy, Section

NOW_MS = NOW_S * 1000
TEXTS = (HintText("en", "Ask before you use this."), HintText("de", "Fragen Sie, bevor Sie etwas davon verwenden."))


def a_hint(id: str, **ties: object) -> Hint:
    """A hint that fits every card, or is tied."""
    return replace(Hint(id, TEXTS, (), (), (), ()), **ties)  # type: ignore[arg-type]


def with_hints(*hints: Hint) -> Policy:
    """The usual policy with these hints."""
    return replace(POLICY, main=replace(MAIN, hints=hints))


def who(*shared: str, hidden: tuple[str, ...] = ()) -> Member:
    """A member who shares some texts and has others that nobody may see."""
    fields = tuple(text_field(scope, "x") for scope in (*shared, *hidden))
    return member(PRESENT, statement(*shared), fields=fields)


def hint_of(found: Member, policy: Policy, visit: Visit = VISIT, role: str = "associate") -> CardHint | None:
    """The hint on this member's card."""
    built = build(found, NOTHING_DENIED, role, visit, policy, None, NOW_MS, "nina")
    assert isinstance(built, Built), built
    return built.card.hint


def test_without_hints_in_the_policy_there_is_none() -> None:
    """None, and an empty list, are the same."""
    assert hint_of(who("size.shoe"), POLICY) is None
    assert hint_of(who("size.shoe"), with_hints()) is None


def test_a_hint_comes_with_all_its_languages_and_nothing_of_its_ties() -> None:
    """The page chooses the language; to whom else it would fit is nobody's concern."""
    assert hint_of(who("size.shoe"), with_hints(a_hint("ask", purposes=("assist",)))) == CardHint("ask", TEXTS)


def test_a_hint_is_tied_to_a_purpose_that_a_line_names() -> None:
    """`presence` is on every card; `assist` only where a line says so; another purpose never came up."""
    for_lines, for_all, foreign = (a_hint(one, purposes=(one,)) for one in ("assist", "presence", "suggest"))
    assert hint_of(who("size.shoe"), with_hints(for_lines)) is not None
    assert hint_of(who(hidden=("size.shoe",)), with_hints(for_lines)) is None
    assert hint_of(who(), with_hints(for_all)) is not None
    assert hint_of(who("size.shoe"), with_hints(foreign)) is None


def test_a_hint_is_tied_to_a_reason_a_kind_of_zone_and_a_role() -> None:
    """Each list that is not empty must hold what the card shows."""
    called, walks = replace(VISIT, help=True), replace(VISIT, help=False)
    policy = with_hints(a_hint("come", reasons=(ReasonCode.HELP,)))
    assert hint_of(who(), policy, called) is not None
    assert hint_of(who(), policy, walks) is None
    kind = next(one.kind for one in POLICY.store.zones if one.id == "shoes")
    policy = with_hints(a_hint("here", zone_kinds=(kind,)))
    assert hint_of(who(), policy, replace(VISIT, zone="shoes")) is not None
    assert hint_of(who(), policy, replace(VISIT, zone=None)) is None
    assert hint_of(who(), with_hints(a_hint("there", zone_kinds=("garden",))), replace(VISIT, zone="shoes")) is None
    assert hint_of(who(), with_hints(a_hint("boss", roles=("manager",)))) is None


def test_a_dismissed_hint_is_not_replaced_by_another() -> None:
    """What was wished away leaves a calm card; the hints of other cards stay."""
    policy = with_hints(a_hint("one"), a_hint("two"), a_hint("three"))
    built = build(who(), NOTHING_DENIED, "associate", VISIT, policy, None, NOW_MS, "nina")
    assert isinstance(built, Built) and built.card.hint is not None
    assert choose(built.card, "associate", policy, {built.card.hint.id}) is None
    others = {"one", "two", "three"} - {built.card.hint.id}
    assert choose(built.card, "associate", policy, others) == built.card.hint


def test_cards_of_several_visits_differ_in_their_hints_and_one_card_keeps_its_own() -> None:
    """The handle picks: every hint has its turn, and the same card says the same again."""
    policy = with_hints(*(a_hint(f"hint-{number}") for number in range(5)))
    visits = [replace(VISIT, handle=bytes([number]) * 16) for number in range(60)]
    seen = [hint_of(who(), policy, visit) for visit in visits]
    assert {one.id for one in seen if one is not None} == {f"hint-{number}" for number in range(5)}
    assert seen == [hint_of(who(), policy, visit) for visit in visits]


def test_a_hint_changes_the_cards_version() -> None:
    """The page that shows the card is told to fetch it again when its hint is dismissed."""
    policy = with_hints(a_hint("ask"))
    shown = build(who(), NOTHING_DENIED, "associate", VISIT, policy, None, NOW_MS, "nina")
    wished_away = build(who(), NOTHING_DENIED, "associate", VISIT, policy, None, NOW_MS, "nina", {"ask"})
    assert isinstance(shown, Built) and isinstance(wished_away, Built)
    assert shown.card.version != wished_away.card.version


ties = st.builds(
    Hint,
    id=st.text("abcdefgh", min_size=1, max_size=4),
    texts=st.just(TEXTS),
    purposes=st.lists(st.sampled_from(["presence", "assist", "suggest"]), max_size=2).map(tuple),
    reasons=st.lists(st.sampled_from(list(ReasonCode)), max_size=1).map(tuple),
    zone_kinds=st.lists(st.sampled_from([one.kind for one in POLICY.store.zones]), max_size=2).map(tuple),
    roles=st.lists(st.sampled_from(["associate", "manager"]), max_size=1).map(tuple),
)


@given(
    st.lists(ties, max_size=6, unique_by=lambda hint: hint.id),
    st.sets(st.sampled_from(["fit.jacket", "size.shoe", "colour.liked", "diet", "wishlist", "history.store"])),
    st.sampled_from([None, *Section]),
    st.booleans(),
    st.binary(min_size=16, max_size=16),
)
def test_who_hides_a_scope_gets_the_card_and_the_hint_of_who_has_none(
    hints: list[Hint], hidden: set[str], section: Section | None, help: bool, handle: bytes
) -> None:
    """Two members who differ only in what they hide: the cards are equal byte for byte, hints and all."""
    policy, visit = with_hints(*hints), replace(VISIT, help=help, handle=handle)
    shared = tuple(scope for scope in ("name.first", "size.shoe") if scope not in hidden)
    cards = [
        build(who(*shared, hidden=more), NOTHING_DENIED, "associate", visit, policy, section, NOW_MS, "nina")
        for more in ((), tuple(sorted(hidden)))
    ]
    plain, hides = cards
    assert isinstance(plain, Built) and isinstance(hides, Built)
    assert schema.encode(plain.card) == schema.encode(hides.card)
