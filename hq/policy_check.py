"""Says everything that is wrong with a policy's file: its form by the JSON Schema, then its sense by the rules.

I/O: jsonschema, its only importer; reads the policy's file and its notices'.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from hq import policy_file, policy_rules, policy_schema
from hq.errors import Refused

_MOST_CHARACTERS = 160  # of what jsonschema says: it repeats what it found


def faults(file: Path) -> Iterator[str]:
    """One line for each fault, with the path to the key; none: the policy may be published.

    Raises:
        Refused: a file cannot be read, or is neither TOML nor JSON.
    """
    table = policy_file.whole(file)
    formal = list(of_form(table))
    yield from formal
    try:
        draft = policy_file.build(table)
    except Refused as error:
        if not formal:
            yield f"{error.field}: {error.reason.value}: {error.hint}"
        return
    for one in policy_rules.problems(draft):
        yield f"{one.field}: {one.reason.value}: expected {one.hint}"


def of_form(table: dict[str, Any]) -> Iterator[str]:
    """What the schema has against a whole table."""
    found = sorted(_validator().iter_errors(table), key=lambda one: [str(part) for part in one.absolute_path])
    for error in found:
        yield f"{_path(error)}: malformed: {_cut(error.message)}"


@cache
def _validator() -> Any:
    return Draft202012Validator(policy_schema.policy())


def _path(error: Any) -> str:
    """Where it stands, such as `purposes[0].id`."""
    path = ""
    for part in error.absolute_path:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path or "policy"


def _cut(message: str) -> str:
    return message if len(message) <= _MOST_CHARACTERS else f"…{message[-_MOST_CHARACTERS:]}"
