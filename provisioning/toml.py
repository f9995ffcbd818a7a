"""Writes the small TOML that our configurations are made of, the same text for the same values.

Pure: no I/O, no clock.
"""

import json
from collections.abc import Mapping, Sequence

Scalar = str | int | bool
Table = Mapping[str, "Scalar | Sequence[str] | Table | Sequence[Table] | None"]


def dumps(table: Table, comment: str = "") -> str:
    """`table` as TOML: plain keys in the order given, then tables, one or several of a name; None is left out."""
    lines = [f"# {line}" for line in comment.splitlines()]
    tables: list[tuple[str, Table]] = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            tables.append((f"[{key}]", value))
        elif isinstance(value, Sequence) and value and isinstance(value[0], Mapping):
            tables += [(f"[[{key}]]", one) for one in value if isinstance(one, Mapping)]
        elif value is not None:
            lines.append(f"{key} = {_inner(value)}")
    for head, inner in tables:
        lines += ["", head, *(f"{name} = {_inner(value)}" for name, value in inner.items() if value is not None)]
    return "\n".join(lines) + "\n"


def _inner(value: object) -> str:
    if isinstance(value, str | int | bool):
        return _value(value)
    if isinstance(value, Sequence) and not any(isinstance(one, Mapping) for one in value):
        return _value(value)
    raise TypeError("a table holds no further table here")


def _value(value: Scalar | Sequence[str]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for DEL; what is not ASCII is written as it is.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    return "[" + ", ".join(_value(one) for one in value) + "]"
