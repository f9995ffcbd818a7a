"""What is muted for a member: by the record, and by what was said in the store and is not in it yet."""

from consent.mutes import is_muted, mutes
from consent.visit import NOTHING_DENIED, Denied
from tests.strategies import member
from wire.events import MuteKind
from wire.member import Muted

BABY = member(mutes=(Muted(MuteKind.THEME, "baby"),))
HERE = Denied(mutes=frozenset({(MuteKind.ITEM, "i-1")}))


def test_record_and_store_are_laid_over_each_other() -> None:
    """Each mutes, neither frees what the other mutes; of another kind the same id is another thing."""
    assert mutes(BABY, HERE) == {(MuteKind.THEME, "baby"), (MuteKind.ITEM, "i-1")}
    assert is_muted(BABY, NOTHING_DENIED, MuteKind.THEME, "baby")
    assert is_muted(BABY, HERE, MuteKind.THEME, "baby")
    assert is_muted(member(), HERE, MuteKind.ITEM, "i-1")
    assert not is_muted(BABY, HERE, MuteKind.CATEGORY, "baby")
    assert not is_muted(BABY, HERE, MuteKind.ITEM, "i-2")
    assert mutes(member(), NOTHING_DENIED) == frozenset()
