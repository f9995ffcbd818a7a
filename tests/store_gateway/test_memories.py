"""What became of suggestions is remembered in the sealed cache, and forgotten with the leave to remember it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from store_gateway.cache_keys import LOCAL_KEYS
from tests.fakes.hq import FakeHQ, Line, a_main_policy, a_member, a_store_policy
from tests.store_gateway.test_orders import ADA, BEN, WITHDRAWAL, outcome, told
from wire import schema
from wire.errors import WireError
from wire.items import Mute, MuteKind, Response, SuggestionOutcome
from wire.member import Member, Mode, State
from wire.orders import ExportResult
from wire.policy import Section
from wire.suggested import SuggestedKind
from wire.sync import EventKind, Outcome, Verb

ITEM = "tea-of-nobody-else"
DAY_MS = 86_400_000
MUTE = Mute(MuteKind.ITEM, ITEM, "ada", "tablet-1")


def suggestible() -> Member:
    """A member who lets the store suggest."""
    found = a_member(Mode.OPEN)
    leave = replace(found.statements[0], purpose="suggest", scopes=("suggestions",))
    return replace(found, statements=(*found.statements, leave))


def became(response: Response, item: str = ITEM) -> SuggestionOutcome:
    """What became of an item."""
    return SuggestionOutcome(item, response, "shoes")


@pytest.fixture
def remembering(line: Line, hq: FakeHQ) -> Line:
    """A store that showed both members the same."""
    for one in (ADA, BEN):
        line.tell(hq.member(one, suggestible()))
        line.replica.record(line.now_s, (EventKind.OUTCOME, one, became(Response.SHOWN)))
    return line


def items(line: Line, pseudonym: bytes = ADA) -> list[tuple[str, int, int]]:
    """Item, shown without a word, declined."""
    return [(one.item, one.unanswered, one.declined) for one in line.replica.memory(pseudonym).items]


def test_it_is_kept_with_the_event_over_a_restart_and_sealed(
    remembering: Line, start: Callable[[], Line], cache_file: Path
) -> None:
    """A response in the same transaction as its event; the file names neither the item nor the member."""
    remembering.replica.record(remembering.now_s, (EventKind.OUTCOME, ADA, became(Response.SHOWN)))
    remembering.replica.mute(ADA, MUTE, remembering.now_s, (EventKind.OUTCOME, ADA, became(Response.NOT_FOR_ME)))
    assert items(remembering) == [(ITEM, 0, 1)]
    again = start()
    again.up()
    assert items(again) == [(ITEM, 0, 1)]
    assert items(again, BEN) == [(ITEM, 1, 0)]
    assert "memories" in LOCAL_KEYS  # which are re-sealed under a new key after an erasure
    for file in cache_file.parent.iterdir():
        content = file.read_bytes()
        assert ITEM.encode() not in content and ADA not in content


@pytest.mark.parametrize(
    "way", ["gone", "withdrawn at HQ", "a history is left", "all withdrawn here", "suggestions withdrawn here"]
)
def test_it_goes_with_the_leave_to_suggest(remembering: Line, hq: FakeHQ, way: str) -> None:
    """And nothing is remembered of who gave none; the others' stays."""
    line = remembering
    match way:
        case "gone":
            line.tell(hq.member(ADA, None))
        case "withdrawn at HQ":
            found = suggestible()
            line.tell(hq.member(ADA, replace(found, statements=tuple(
                replace(one, state=State.WITHDRAWN) if one.purpose == "suggest" else one for one in found.statements
            ))))  # fmt: skip
        case "a history is left":
            found = suggestible()
            history = replace(found.statements[-1], scopes=("history.store",))
            gone = replace(found.statements[-1], state=State.WITHDRAWN)
            line.tell(hq.member(ADA, replace(found, statements=(found.statements[0], history, gone))))
        case "all withdrawn here":
            line.replica.deny(ADA, None, WITHDRAWAL, line.now_s)
        case _:
            line.replica.deny(ADA, "suggestions", replace(WITHDRAWAL, scope="suggestions"), line.now_s)
    assert items(line) == []
    line.replica.record(line.now_s, (EventKind.OUTCOME, ADA, became(Response.IGNORED)))
    assert items(line) == []
    assert items(line, BEN) == [(ITEM, 1, 0)]


def test_of_the_stores_own_nothing_is_remembered_by_the_leave_for_what_others_suggest(
    remembering: Line, hq: FakeHQ
) -> None:
    """Which a reason tells apart; what somebody else suggests is remembered as before."""
    line, main = remembering, a_main_policy(2)
    theirs = replace(main.scopes[0], id="theirs", section=Section.SUGGESTIONS, purposes=("suggest",))
    line.tell(hq.policy(replace(main, scopes=(*main.scopes, theirs)), a_store_policy()))
    found = suggestible()
    line.tell(hq.member(ADA, replace(found, statements=(
        found.statements[0], replace(found.statements[-1], scopes=("theirs",))
    ))))  # fmt: skip
    own = replace(became(Response.DECLINED), reason=SuggestedKind.OFTEN)
    for one in (ADA, BEN):
        line.replica.record(line.now_s, (EventKind.OUTCOME, one, own))
    assert (items(line), items(line, BEN)) == ([(ITEM, 1, 0)], [(ITEM, 0, 1)])
    line.replica.record(line.now_s, (EventKind.OUTCOME, ADA, became(Response.DECLINED)))
    assert items(line) == [(ITEM, 0, 1)]


def test_what_only_time_ended_goes_within_a_day(remembering: Line, hq: FakeHQ) -> None:
    """The leave ran out, or all that is remembered is older than its rests; nobody has to come back for it."""
    line = remembering
    vault = line.replica._hq.vault
    at_ms = line.replica.trusted_ms(line.now_s)
    assert vault is not None and at_ms is not None
    found = suggestible()
    soon = replace(found.statements[-1], until_s=at_ms // 1000 + 60)
    line.tell(hq.member(ADA, replace(found, statements=(found.statements[0], soon))))
    while vault.sweep_memories(at_ms, line.now_s):
        pass
    assert (items(line), items(line, BEN)) == ([(ITEM, 1, 0)], [(ITEM, 1, 0)])
    assert not vault.sweep_memories(at_ms + 1, line.now_s), "once a day"
    while vault.sweep_memories(at_ms + DAY_MS, line.now_s):
        pass
    assert (items(line), items(line, BEN)) == ([], [(ITEM, 1, 0)])
    far = replace(found.statements[-1], until_s=at_ms // 1000 + 9_999 * 86_400)
    line.tell(hq.member(BEN, replace(found, statements=(found.statements[0], far))))
    line.replica.work(100, line.now_s)
    while vault.sweep_memories(at_ms + 400 * DAY_MS, line.now_s):
        pass
    assert (items(line, BEN), list(vault._cache.local("memories"))) == ([], [])


def test_an_export_names_what_is_remembered(remembering: Line, hq: FakeHQ) -> None:
    """It is about the member, so they may read it."""
    (done,) = told(remembering, hq.order(Verb.EXPORT, ADA))
    memory = schema.decode(ExportResult, done.result).memory
    assert memory is not None and [one.item for one in memory.items] == [ITEM]


def test_an_erasure_leaves_nothing_of_it(remembering: Line, hq: FakeHQ) -> None:
    """No row of the member is left, and what is left is under another key."""
    vault = remembering.replica._hq.vault
    assert vault is not None
    before = {row["who"]: row["sealed"] for row in vault._cache.local("memories")}
    assert len(before) == 2
    assert outcome(remembering, hq.order(Verb.ERASE, ADA), 10) is Outcome.DONE
    after = {row["who"]: row["sealed"] for row in vault._cache.local("memories")}
    assert set(after) == {vault.outbox.tag(BEN)}
    assert set(after.values()).isdisjoint(before.values())
    assert (items(remembering), items(remembering, BEN)) == ([], [(ITEM, 1, 0)])


def test_what_is_not_kept_is_not_remembered(remembering: Line) -> None:
    """Where an event cannot be written nothing of its transaction is remembered either."""
    taken = EventKind.OUTCOME, ADA, became(Response.TAKEN)
    with pytest.raises(WireError):
        remembering.replica.record(remembering.now_s, taken, (EventKind.OUTCOME, BEN, became(Response.TAKEN, "x" * 65)))
    assert (items(remembering), items(remembering, BEN)) == ([(ITEM, 1, 0)], [(ITEM, 1, 0)])
