"""Writes a policy as the table that `hq.policy_file.build` makes the same policy of: how versions are kept.

Pure: no I/O, no clock.
"""

import dataclasses
import json
from enum import Enum, StrEnum
from typing import Any

from hq import notice_words
from hq.policy_papers import FigurePolicy, Paper
from hq.policy_rules import Draft
from wire.hints import HintText
from wire.policy import Hours, Purpose


def table_of(draft: Draft) -> dict[str, Any]:
    """The policy's whole table, in the form of its file; what is not set is left out."""
    table: dict[str, Any] = {"name": draft.name, **_plain(draft.main)}
    for one in table["purposes"]:
        paper = draft.papers.purposes.get(one["id"], Paper())
        one |= {"dpia_ref": paper.dpia_ref, "recipients": list(paper.recipients), "material": paper.material}
    table["notices"] = [notice_words.table_of(one) for one in draft.papers.words]
    table["recipients"] = [dataclasses.asdict(one) for one in draft.papers.recipients]
    if draft.papers.figures != FigurePolicy():
        table["figures"] = dataclasses.asdict(draft.papers.figures)
    table["stores"] = [_plain(one) for one in draft.stores]
    return table


def bytes_of(draft: Draft) -> bytes:
    """The same as JSON, in the order of the dataclasses and the file: a policy that is read again has equal bytes."""
    return json.dumps(table_of(draft), ensure_ascii=False, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Hours):
        return f"{value.weekday} {_clock(value.from_min)}-{_clock(value.until_min)}"
    if dataclasses.is_dataclass(value):
        names = [one.name for one in dataclasses.fields(value)]
        left_out = {"notice"} if isinstance(value, Purpose) else set()
        held = {name: getattr(value, name) for name in names if name not in left_out}
        return {name: _plain(one) for name, one in held.items() if one is not None}
    if isinstance(value, tuple):
        if value and all(isinstance(one, HintText) for one in value):
            return {one.language: one.text for one in value}
        return [_plain(one) for one in value]
    if isinstance(value, StrEnum | Enum):
        return value.name.lower()
    return value


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
