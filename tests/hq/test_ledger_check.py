"""Whether what is published is what the events say: every kind of difference is found, and mended."""

from argparse import Namespace
from collections import Counter

import pytest
from sqlalchemy import delete, func, select, text, update

from hq import ledger_check, tree_check
from hq.consent_commands import PART
from hq.database import reading, writing
from hq.ledger_check import Fault
from hq.ledger_tables import consent_facts
from hq.tables import audience, instances, records
from tests.hq.headquarters import DAY_S, STORE, Headquarters
from tests.hq.headquarters import text as said
from wire.member import Mode
from wire.sync import Collection


@pytest.fixture
def filled(hq: Headquarters) -> Headquarters:
    """Members of every sort: recognised, gone, quiet, too young, and without any choice."""
    hq.join_many(6)
    hq.join("m-7", "size.shoe", "brand.liked")
    hq.office.set_profile("m-7", [said("size.shoe", "42")], hq.now_ms)
    hq.join("young", "size.shoe", age=13)
    hq.office.add_member("none", 18, "DE", hq.now_ms)
    hq.office.set_mode("m-0", Mode.QUIET, hq.now_ms)
    hq.office.withdraw("m-1", hq.now_ms)
    hq.office.withdraw("m-2", hq.now_ms, scopes=("size.shoe",))
    return hq


def faults(hq: Headquarters, *, mend: bool = False) -> Counter:
    """What is found."""
    report = ledger_check.run(hq.engine, hq.keys, hq.now_ms, mend=mend)
    assert report.members == 9
    return report.faults


RECORDS = f"select id from instances where collection = {int(Collection.MEMBERS)}"
KEYRINGS = f"select id from instances where collection = {int(Collection.KEYRING)}"
DAMAGES = {
    "a record is another member's": (
        "update records set body = (select b.body from records b where b.instance in (" + RECORDS + ")"
        " and b.body is not null and b.key <> records.key limit 1)"
        " where instance in (" + RECORDS + ") and body is not null",
        Fault.RECORD,
    ),
    "records are taken out": (
        "update records set body = null, digest = null where instance in (" + RECORDS + ")",
        Fault.RECORD,
    ),
    "somebody counts as absent": ("update audience set present = (1 = 0)", Fault.PLACE),
    "a turn of time is forgotten": ("update audience set due_s = null where due_s is not null", Fault.PLACE),
    "a digest is edited": (
        "update records set digest = substr(body, 1, 16) where instance in (" + RECORDS + ") and body is not null",
        Fault.RECORD,
    ),
    "day keys are those of others": (
        "update records set body = (select b.body from records b where b.instance = records.instance"
        " and b.body is not null and b.key <> records.key limit 1)"
        " where instance in (" + KEYRINGS + ") and body is not null",
        Fault.KEYRING,
    ),
    "day keys are taken out": (
        "update records set body = null, digest = null where instance in (" + KEYRINGS + ")",
        Fault.KEYRING,
    ),
    "a count is cut": ("delete from consent_facts where purpose = 'assist'", Fault.FACTS),
    "a count is edited": ("update consent_facts set status = 'refused'", Fault.FACTS),
}


def test_whatever_differs_from_the_events_is_found_and_mended(filled: Headquarters) -> None:
    """After `rebuild` nothing differs any more, and each record says what it said before."""
    hq = filled
    assert faults(hq) == Counter()
    names = [f"m-{number}" for number in range(8) if number != 6] + ["young", "none"]
    before = {name: hq.record(name) for name in names}
    keys = {name: hq.day_keys(name) for name in names}
    assert sum(one is not None for one in before.values()) == 5
    assert sum(bool(one) for one in keys.values()) == 5
    for what, (statement, fault) in DAMAGES.items():
        with writing(hq.engine) as connection:
            assert connection.execute(text(statement)).rowcount > 0, what
        found = faults(hq)
        follows = {Fault.KEYRING} if fault is Fault.PLACE and "absent" in what else set()
        assert {one for _, one in found} - {Fault.TREE} == {fault} | follows, what
        assert set(faults(hq, mend=True)) <= set(found), what
        assert faults(hq) == Counter(), what
        assert {name: hq.day_keys(name) for name in names} == keys, what
        assert {name: hq.record(name) for name in names} == before, what
        hq.check()


def test_a_record_of_nobody_is_found_and_taken_out(filled: Headquarters) -> None:
    """What lies at a store of somebody whom HQ does not know there goes, with a number of its own."""
    hq = filled
    with writing(hq.engine) as connection:
        member = hq.keys.custody.reference(connection, "m-7")
        connection.execute(delete(audience).where(audience.c.member == member))
    assert faults(hq)[STORE, Fault.NOBODYS] == 1
    faults(hq, mend=True)
    assert faults(hq) == Counter()
    assert list(tree_check.broken(hq.engine)) == []


def test_what_time_alone_makes_due_is_no_fault(filled: Headquarters) -> None:
    """Between the end of a grant and the clock job's next run nothing is reported."""
    hq = filled
    hq.now_ms += 366 * DAY_S * 1000
    assert faults(hq) == Counter()
    hq.tick()
    assert faults(hq) == Counter()


def test_a_rebuild_keeps_tree_chain_and_numbers(filled: Headquarters) -> None:
    """Mended records get new numbers, the digest tree is that of the records, and no event is written."""
    hq = filled
    with reading(hq.engine) as connection:
        events = connection.scalar(select(func.count()).select_from(consent_facts))
        member = select(instances.c.id).where(instances.c.collection == int(Collection.MEMBERS)).scalar_subquery()
    with writing(hq.engine) as connection:
        connection.execute(update(records).where(records.c.instance == member).values(body=b"?" * 40))
    assert faults(hq, mend=True)[STORE, Fault.RECORD] == 5 + 2
    hq.check()
    assert list(tree_check.broken(hq.engine)) == []
    with reading(hq.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(consent_facts)) == events
    assert faults(hq) == Counter()


def test_an_operator_checks_and_rebuilds(filled: Headquarters, capsys: pytest.CaptureFixture[str]) -> None:
    """Figures and stores, and nobody's name."""
    hq = filled

    def run(action: str) -> tuple[object, str]:
        code = PART.runs["consent", action](hq.office, Namespace(action=action), hq.now_ms)
        return code, capsys.readouterr().out

    assert run("check") == (None, "9 members, 0 faults\n")
    with writing(hq.engine) as connection:
        connection.execute(text(DAMAGES["somebody counts as absent"][0]))
    assert run("check") == (65, f"{STORE}: keyring: 5\n{STORE}: place: 5\n9 members, 10 faults\n")
    assert run("rebuild") == (None, f"{STORE}: place: 5 written anew\n9 members, 5 faults, mended\n")
    assert run("check")[0] is None
