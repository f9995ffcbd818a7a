"""What a system brings that is taken, and will not do what was meant: it is told."""

import json

import pytest

from hq import systems_members, systems_refused
from hq.database import reading
from hq.errors import Reason
from hq.web import systems_guard
from tests.hq.headquarters import Headquarters
from tests.hq.test_systems_intake import cmp as cmp
from tests.hq.test_systems_intake import sent


def test_whoever_brings_a_member_of_a_jurisdiction_without_a_rule_is_told_once(
    hq: Headquarters, caplog: pytest.LogCaptureFixture
) -> None:
    """In the answer, in the console's list and by one line in the log that names nobody; the line counts as taken."""
    caplog.set_level("WARNING", "consentry")
    rows = [
        {"member": name, "age_at_least": 18, "jurisdiction": code}
        for name, code in (("m-1", "JP"), ("m-2", "DE"), ("m-3", "Deutschland"), ("m-4", "US-CA"))
    ]
    report = sent(hq, rows, systems_members.take)
    told = [(one.line, one.field, one.reason) for one in report.doubts]
    assert told == [(line, "jurisdiction", Reason.UNRULED_JURISDICTION) for line in (1, 4)]
    assert ([one.line for one in report.refused], report.taken, report.new) == ([3], 3, 3)
    assert json.loads(systems_guard.reported(report).body)["doubts"][0]["line"] == 1
    with reading(hq.engine) as connection:
        kept = [(one.line, one.reason) for one in systems_refused.newest(connection)]
    assert sorted(kept) == [(1, "unruled_jurisdiction"), (3, "malformed"), (4, "unruled_jurisdiction")]
    (line,) = [one.getMessage() for one in caplog.records]
    assert line.startswith("event=unruled_jurisdiction system=cmp call=call lines=2 ") and "m-1" not in line
    assert sent(hq, rows, systems_members.take).doubts == (), "of who stays where they were nothing is told again"
