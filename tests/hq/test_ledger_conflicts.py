"""Two systems tell HQ of one member: whichever comes first, the time of choice decides, and in doubt it is no."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hq import importer, ledger_check
from hq.door import check_refusal
from tests.hq.conftest import on
from tests.hq.headquarters import DAY_S, STORE, Headquarters

TIMES = st.sampled_from((-3000, -2000, -1000, 0))


def bring(hq: Headquarters, member: str, chosen_s: int | None) -> None:
    """Another platform's grant of presence, with or without a time of choice."""
    grant = {"purpose": "presence", "stores": [STORE], "roles": ["associate"], "until": hq.now_s + DAY_S}
    line = {"member": member, "grants": [grant if chosen_s is None else {**grant, "chosen": chosen_s}]}
    assert importer.run(hq.engine, hq.keys, [json.dumps(line).encode()], hq.now_ms).taken == 1


@on("sqlite")
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.none() | TIMES, TIMES, st.booleans(), st.booleans(), st.booleans())
def test_a_late_import_never_beats_a_later_no(
    hq: Headquarters, granted_s: int | None, ended_s: int, refused: bool, import_first: bool, twice: bool
) -> None:
    """In any order and however often it is brought: the record is there only for a known and later yes."""
    hq.now_ms += 10_000_000
    member = f"m-{hq.now_ms}"
    hq.office.add_member(member, 18, "DE", hq.now_ms)
    chosen_s = None if granted_s is None else hq.now_s + granted_s

    def ends() -> None:
        if ended_s == 0 and refused:  # who refuses does so now
            hq.office.refuse(member, check_refusal("presence"), hq.now_ms)
        else:
            hq.office.withdraw(member, hq.now_ms, purpose="presence", chosen_s=hq.now_s + ended_s)

    steps = [lambda: bring(hq, member, chosen_s), ends]
    for step in [*(steps if import_first else steps[::-1]), *(steps[:1] if twice else [])]:
        step()
    assert (hq.record(member) is not None) == (granted_s is not None and granted_s > ended_s)
    assert not ledger_check.run(hq.engine, hq.keys, hq.now_ms).faults
