"""How lines of other systems are read."""

import pytest

from hq import systems_line
from hq.errors import Reason, Refused
from hq.systems_line import lines


def test_lines_come_as_a_list_or_one_by_one() -> None:
    """JSON or NDJSON, at most 10,000; what is no JSON is the line's own matter in NDJSON."""
    assert [one.number for one in lines(b'{"a": 1}\n\nnonsense\n', is_ndjson=True)] == [1, 3]
    assert lines(b'[{"a": 1}, 2]', is_ndjson=False)[1].said == 2
    assert lines(b'{"lines": [1]}', is_ndjson=False)[0].said == 1
    for body in (b"", b"[]", b"7", b"{", b"[" + b"1," * 10_000 + b"1]", b"[" * 100_000):
        with pytest.raises(Refused):
            lines(body, is_ndjson=False)


@pytest.mark.parametrize("body", [b"1\n" * 10_001, b"\n" * 20_001])
def test_too_many_lines_are_counted_before_one_is_read(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a body that is full of them, or of blank ones, none is read as JSON."""
    monkeypatch.setattr(systems_line, "_json", lambda text: pytest.fail("read"))
    with pytest.raises(Refused) as refused:
        lines(body, is_ndjson=True)
    assert refused.value.reason is Reason.TOO_MANY
