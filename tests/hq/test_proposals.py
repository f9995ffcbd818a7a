"""Proposals, introductions and hand-overs at HQ: what a store tells is kept for the member, and for nobody else."""

import argparse
import json

import pytest
from sqlalchemy import func, select

from hq import erasure, help_state, proposals
from hq.database import reading
from hq.errors import Refused
from hq.help_state import HelpState
from hq.proposal_commands import PART
from hq.proposal_tables import proposals as rows
from hq.receipt_commands import PART as RECEIPTS
from hq.tables import store_events
from tests.fakes.store import FakeStore
from tests.hq.headquarters import STORE, Headquarters
from wire import merkle, schema
from wire.events import INTRODUCED, HandOverReason
from wire.items import ItemList, Proposal
from wire.merkle import Frontier
from wire.sync import Attendance, Disclosure, Event, EventKind, HelpStep, LogHead, ReasonCode

DAY_S = 86_400
SAID = Disclosure(
    b"h" * 16, "nina", "advisor", "t-1", (), ("presence",), INTRODUCED, ReasonCode.OPEN, True, False, b"s" * 16,
    b"t" * 16,
)  # fmt: skip


@pytest.fixture
def store(hq: Headquarters) -> FakeStore:
    """A store that HQ talks to, with two members."""
    hq.join("m-1", "size.shoe")
    hq.join("m-2")
    found = FakeStore(STORE, hq.identity, hq.root.public_key(), hq.keys.key_set, lambda: hq.now_ms)
    found.come_up(hq.answers)
    return found


def tell(hq: Headquarters, store: FakeStore, *bodies: tuple[EventKind, object], member: str = "m-1") -> None:
    """The store's next events, all of one member."""
    pseudonym = hq.pseudonym(member)
    store.say(
        hq.answers,
        store.events(
            *(
                Event(
                    number, kind, hq.now_ms, pseudonym if kind is not EventKind.LOG_HEAD else None, schema.encode(body)
                )
                for number, (kind, body) in enumerate(bodies, 1)
            )
        ),
    )


def a_proposal(item: str, quantity: int = 1, to: ItemList = ItemList.WISHLIST) -> tuple[EventKind, Proposal]:
    """Nina proposes an item."""
    return EventKind.PROPOSAL, Proposal(to, item, quantity, "advisor", "nina", "t-1")


def listed(hq: Headquarters, capsys: pytest.CaptureFixture[str], member: str = "m-1") -> list[str]:
    """What the command prints."""
    PART.runs["proposals", ""](hq.office, argparse.Namespace(member=member), hq.now_ms)
    return capsys.readouterr().out.splitlines()


def test_proposals_are_listed_for_their_member_alone(
    hq: Headquarters, store: FakeStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """Store, role, item and list, newest first, and nobody of the staff; on the disk nothing of it can be read."""
    tell(hq, store, a_proposal("sku-17", 2), a_proposal("sku-18", to=ItemList.BASKET))
    newest, older, total = listed(hq, capsys)
    assert "1 x sku-18 for the basket" in newest
    assert "2 x sku-17 for the wishlist" in older
    assert STORE in newest and "advisor" in newest and "nina" not in newest
    assert total == "2 proposals"
    assert listed(hq, capsys, "m-2") == ["0 proposals"]
    with reading(hq.engine) as connection:
        bodies = connection.scalars(select(store_events.c.body)).all()
    assert bodies and not any(b"sku" in body for body in bodies)
    with pytest.raises(Refused):
        listed(hq, capsys, "nobody")


def test_a_proposal_that_nobody_confirmed_is_gone_after_7_days(
    hq: Headquarters, store: FakeStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the second, and its row with it at the next tick of the clock job."""
    tell(hq, store, a_proposal("sku-17"))
    hq.now_ms += 7 * DAY_S * 1000 - 1
    assert listed(hq, capsys)[-1] == "1 proposals"
    hq.now_ms += 1
    assert listed(hq, capsys) == ["0 proposals"]
    assert proposals.forget(hq.engine, hq.now_ms) == 1
    assert proposals.forget(hq.engine, hq.now_ms) == 0


def test_an_erased_member_leaves_no_proposal(hq: Headquarters, store: FakeStore) -> None:
    """The row goes with the key."""
    tell(hq, store, a_proposal("sku-17"))
    erasure.erase(hq.engine, hq.keys, "m-1", hq.now_ms)
    with reading(hq.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(rows)) == 0


def test_what_comes_again_is_kept_once(hq: Headquarters, store: FakeStore, capsys: pytest.CaptureFixture[str]) -> None:
    """A batch that the broker delivers twice."""
    for _ in range(2):
        tell(hq, store, a_proposal("sku-17"))
    assert listed(hq, capsys)[-1] == "1 proposals"


def test_receipts_tell_an_introduction_and_a_hand_over_in_plain_words(
    hq: Headquarters, store: FakeStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """Role and when, and nobody of the staff; the introduction is in the log and can be proven, and the log holds."""
    pseudonym = hq.pseudonym("m-1")
    grown = Frontier().append(merkle.leaf_of(1, hq.now_ms, pseudonym, SAID))
    signed = hq.identity.sign(merkle.head_input(STORE, store.incarnation, 1, grown.root, hq.now_ms))
    given = [
        Attendance("nina", HelpStep.HANDED_OVER, "advisor", "max", None, HandOverReason.LANGUAGE),
        Attendance("nina", HelpStep.HANDED_OVER, "advisor", None, "manager", HandOverReason.NEEDS_EXPERT),
    ]
    tell(
        hq, store, (EventKind.DISCLOSURE, SAID), (EventKind.LOG_HEAD, LogHead(1, grown.root, grown.peaks, signed)),
        *((EventKind.ATTENDANCE, one) for one in given),
    )  # fmt: skip

    def run(**chosen: object) -> list[str]:
        defaults = {"member": "m-1", "prove": None, "verify": False}
        RECEIPTS.runs["receipts", ""](hq.office, argparse.Namespace(**{**defaults, **chosen}), hq.now_ms)
        return capsys.readouterr().out.splitlines()

    *told, total = run()
    assert total == "3 receipts"
    assert [words in " ".join(told) for words in (
        "advisor  you said who you are",
        "your help was handed over to a colleague: somebody speaks the language better",
        "your help was handed over to the role manager: an expert is needed",
    )] == [True] * 3  # fmt: skip
    assert not any(name in " ".join(told) for name in ("nina", "max"))
    (introduced,) = [line for line in told if "who you are" in line]
    proof = json.loads("\n".join(run(prove=introduced.split()[-1])))
    assert merkle.verify_receipt(proof, hq.identity.public_key())
    assert run(member=None, verify=True) == [f"{STORE}: the log is whole"]


def test_who_is_handed_over_reads_that_somebody_is_on_the_way(hq: Headquarters, store: FakeStore) -> None:
    """Nothing changes for the member until nobody took it: then the call waits again."""
    steps = [HelpStep.WAITING, HelpStep.ATTENDING, HelpStep.HANDED_OVER]
    seen = []
    for count in range(1, 5):
        told = [*steps, HelpStep.WAITING][:count]
        tell(hq, store, *((EventKind.ATTENDANCE, Attendance("", step)) for step in told))
        with reading(hq.engine) as connection:
            member = hq.keys.custody.references(connection, ["m-1"])["m-1"]
            call = help_state.of_member(connection, member, hq.now_ms)
        assert call is not None
        seen.append(call.state)
    assert seen == [HelpState.WAITING, HelpState.ON_THE_WAY, HelpState.ON_THE_WAY, HelpState.WAITING]
